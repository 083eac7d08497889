/** SSSE3, SSE4.1 and the string instructions of SSE4.2. Intel SDM vol. 2. */
import type { Emitter } from "../emit/emitter.ts";
import type { Value } from "../emit/value.ts";
import { R, S } from "../state.ts";
import { beginSse } from "./fpu_checks.ts";
import { define } from "./registry.ts";
import { beginVector, checkedKernel, enterMmx, pointer, vectorBytes, vectorKernel } from "./vectors.ts";

/** Instructions that are a {@link vectorKernel}. */
const KERNELS = [
  "pshufb phaddw phaddd phaddsw phsubw phsubd phsubsw pmaddubsw pmulhrsw",
  "psignb psignw psignd pabsb pabsw pabsd phminposuw",
].join(" ");

define(KERNELS, vectorKernel);

define("palignr", (e) => {
  beginVector(e);
  const bytes = vectorBytes(e), source = e.let(pointer(e, 1, bytes));
  if (bytes === 8) enterMmx(e);
  e.kernel("palignr", e.registerAddress(0), source, e.i32(bytes), e.let(e.read(2).wrap()));
});

/** Bytes of one lane of the blends; the variable ones take their mask from XMM0. */
const VARIABLE_BLENDS = { pblendvb: 1, blendvps: 4, blendvpd: 8 };
const IMMEDIATE_BLENDS = { pblendw: 2, blendps: 4, blendpd: 8 };
for (const [mnemonic, lane] of Object.entries(VARIABLE_BLENDS)) {
  define(mnemonic, (e) => {
    beginSse(e);
    const source = e.let(pointer(e, 1, 16));
    e.kernel("blend_variable", e.registerAddress(0), source, e.base().add(S.XMM), e.i32(lane));
  });
}
for (const [mnemonic, lane] of Object.entries(IMMEDIATE_BLENDS)) {
  define(mnemonic, (e) => {
    beginSse(e);
    const source = e.let(pointer(e, 1, 16));
    e.kernel("blend_immediate", e.registerAddress(0), source, e.let(e.read(2).wrap()), e.i32(lane));
  });
}

define("ptest", (e) => {
  beginSse(e);
  e.setArithmeticFlags(e.kernel("ptest", e.registerAddress(0), e.let(pointer(e, 1, 16))));
});

/** PMOVSX and PMOVZX by the letters of the two widths. */
const WIDTHS = { b: 1, w: 2, d: 4, q: 8 };
for (const [from, to] of ["bw", "bd", "bq", "wd", "wq", "dq"].map((pair) => [...pair] as (keyof typeof WIDTHS)[])) {
  for (const [prefix, signed] of [["pmovsx", 1], ["pmovzx", 0]] as const) {
    define(`${prefix}${from}${to}`, (e) => {
      beginSse(e);
      const source = e.let(pointer(e, 1, 16 * WIDTHS[from] / WIDTHS[to]));
      e.kernel(
        "packed_extend",
        e.registerAddress(0),
        source,
        e.i32(WIDTHS[from]),
        e.i32(WIDTHS[to]),
        e.i32(signed),
      );
    });
  }
}

define("mpsadbw", (e) => {
  beginSse(e);
  e.kernel("mpsadbw", e.registerAddress(0), e.let(pointer(e, 1, 16)), e.let(e.read(2).wrap()));
});

define("insertps", (e) => {
  beginSse(e);
  const imm = e.let(e.read(2).wrap());
  const value = e.isMemory(1)
    ? e.read(1)
    : e.let(e.kernel("packed_lane", e.registerAddress(1), e.let(imm.shrU(6).and(3)), e.i32(4)).wrap());
  e.kernel("insertps", e.registerAddress(0), value, imm);
});

/** Bytes of the lane that an extract or insert instruction moves. */
const LANES = { pextrb: 1, pextrd: 4, pextrq: 8, extractps: 4, pinsrb: 1, pinsrd: 4, pinsrq: 8 };

function laneIndex(e: Emitter, bytes: number): Value {
  return e.let(e.read(2).wrap().and(16 / bytes - 1));
}
define("pextrb pextrd pextrq extractps", (e, mnemonic) => {
  beginSse(e);
  const bytes = LANES[mnemonic as keyof typeof LANES];
  const lane = e.kernel("packed_lane", e.registerAddress(1), laneIndex(e, bytes), e.i32(bytes));
  e.write(0, e.sizeOf(0) === 64 ? lane : lane.wrap());
});
define("pinsrb pinsrd pinsrq", (e, mnemonic) => {
  beginSse(e);
  const bytes = LANES[mnemonic as keyof typeof LANES];
  const value = e.let(e.read(1).extendU());
  e.kernel("packed_set_lane", e.registerAddress(0), laneIndex(e, bytes), e.i32(bytes), value);
});

define("dpps dppd", (e, mnemonic) => {
  beginSse(e);
  const source = e.let(pointer(e, 1, 16));
  const kernel = mnemonic === "dpps" ? "sse_dot32" : "sse_dot64";
  checkedKernel(e, kernel, e.let(e.read(2).wrap()), e.registerAddress(0), source);
});

/** The explicit length in a register: its magnitude, at most `count`. */
function explicitLength(e: Emitter, register: number, count: Value): Value {
  const wide = e.instruction.operandSize === 64;
  const value = wide ? e.register(register, 64) : e.register(register, 32).extendS();
  const sign = e.let(value.shrS(63));
  const magnitude = e.let(value.xor(sign).sub(sign));
  return e.let(e.select(magnitude.ltU(count.extendU()), magnitude.wrap(), count));
}

/** PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM; the memory operand need not be aligned. */
define("pcmpestri pcmpestrm pcmpistri pcmpistrm", (e, mnemonic) => {
  beginSse(e);
  const a = e.registerAddress(0), b = e.let(pointer(e, 1, 16, false)), imm = e.let(e.read(2).wrap());
  const count = e.let(e.select(imm.and(1), e.i32(8), e.i32(16)));
  const explicit = mnemonic[4] === "e";
  const aLength = explicit ? explicitLength(e, R.AX, count) : e.kernel("string_length", a, imm);
  const bLength = explicit ? explicitLength(e, R.DX, count) : e.kernel("string_length", b, imm);
  const result = e.kernel("string_compare", a, b, imm, aLength, bLength);
  if (mnemonic.endsWith("m")) e.kernel("string_mask", e.base().add(S.XMM), result, imm);
  else {
    const found = e.select(imm.and(0x40), e.i32(31).sub(result.clz()), result.ctz());
    e.setRegister(R.CX, 32, e.select(result, found, count));
  }
  const none = e.i32(0);
  e.setFlags({
    CF: e.let(result.isTrue()),
    ZF: e.let(bLength.ltU(count)),
    SF: e.let(aLength.ltU(count)),
    OF: e.let(result.and(1)),
    AF: none,
    PF: none,
  });
});
