/** PTEST, MPSADBW and the string instructions of SSE4. Intel SDM vol. 2. */
import { OpSimd } from "../../wasm/mod.ts";
import type { Emitter } from "../emit/emitter.ts";
import { Value } from "../emit/value.ts";
import { R, S } from "../state.ts";
import { beginSse } from "./fpu_checks.ts";
import { define } from "./registry.ts";
import { pointer } from "./vectors.ts";

const { simd } = Value;

define("ptest", (e) => {
  beginSse(e);
  const source = e.vector(1), mask = e.vector(0);
  const isZero = (opcode: number) => e.let(simd(opcode, source, mask).simdTest(OpSimd.V128_ANY_TRUE).eqz());
  const ZF = isZero(OpSimd.V128_AND), CF = isZero(OpSimd.V128_ANDNOT), none = e.i32(0);
  e.setFlags({ CF, PF: none, AF: none, ZF, SF: none, OF: none });
});

define("mpsadbw", (e) => {
  beginSse(e);
  e.kernel("mpsadbw", e.registerAddress(0), e.let(pointer(e, 1, 16)), e.let(e.read(2).wrap()));
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
