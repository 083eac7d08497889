/** MMX and SSE integer arithmetic, comparisons, logic and shifts, lane by lane. Intel SDM vol. 2, P…. */
import { OpSimd } from "../../wasm/mod.ts";
import type { Emitter } from "../emit/emitter.ts";
import { Value } from "../emit/value.ts";
import { define } from "./registry.ts";
import { beginVector, combine, convert, enterMmx, repeated, vectorBytes, vectorKernel, zeroVector } from "./vectors.ts";

const { simd } = Value;

/** Instructions that are one vector instruction of (destination, source). */
const SIMPLE = {
  paddb: OpSimd.I8X16_ADD,
  paddw: OpSimd.I16X8_ADD,
  paddd: OpSimd.I32X4_ADD,
  paddq: OpSimd.I64X2_ADD,
  paddsb: OpSimd.I8X16_ADD_SAT_S,
  paddsw: OpSimd.I16X8_ADD_SAT_S,
  paddusb: OpSimd.I8X16_ADD_SAT_U,
  paddusw: OpSimd.I16X8_ADD_SAT_U,
  psubb: OpSimd.I8X16_SUB,
  psubw: OpSimd.I16X8_SUB,
  psubd: OpSimd.I32X4_SUB,
  psubq: OpSimd.I64X2_SUB,
  psubsb: OpSimd.I8X16_SUB_SAT_S,
  psubsw: OpSimd.I16X8_SUB_SAT_S,
  psubusb: OpSimd.I8X16_SUB_SAT_U,
  psubusw: OpSimd.I16X8_SUB_SAT_U,
  pcmpeqb: OpSimd.I8X16_EQ,
  pcmpeqw: OpSimd.I16X8_EQ,
  pcmpeqd: OpSimd.I32X4_EQ,
  pcmpeqq: OpSimd.I64X2_EQ,
  pcmpgtb: OpSimd.I8X16_GT_S,
  pcmpgtw: OpSimd.I16X8_GT_S,
  pcmpgtd: OpSimd.I32X4_GT_S,
  pcmpgtq: OpSimd.I64X2_GT_S,
  pminub: OpSimd.I8X16_MIN_U,
  pmaxub: OpSimd.I8X16_MAX_U,
  pminsb: OpSimd.I8X16_MIN_S,
  pmaxsb: OpSimd.I8X16_MAX_S,
  pminuw: OpSimd.I16X8_MIN_U,
  pmaxuw: OpSimd.I16X8_MAX_U,
  pminsw: OpSimd.I16X8_MIN_S,
  pmaxsw: OpSimd.I16X8_MAX_S,
  pminud: OpSimd.I32X4_MIN_U,
  pmaxud: OpSimd.I32X4_MAX_U,
  pminsd: OpSimd.I32X4_MIN_S,
  pmaxsd: OpSimd.I32X4_MAX_S,
  pavgb: OpSimd.I8X16_AVGR_U,
  pavgw: OpSimd.I16X8_AVGR_U,
  pmullw: OpSimd.I16X8_MUL,
  pmulld: OpSimd.I32X4_MUL,
  pmaddwd: OpSimd.I32X4_DOT_I16X8_S,
  "pand andps andpd": OpSimd.V128_AND,
  "por orps orpd": OpSimd.V128_OR,
  "pxor xorps xorpd": OpSimd.V128_XOR,
};
for (const [mnemonics, opcode] of Object.entries(SIMPLE)) {
  define(mnemonics, (e) => combine(e, (a, b) => simd(opcode, a, b)));
}

define("pandn andnps andnpd", (e) => combine(e, (a, b) => simd(OpSimd.V128_ANDNOT, b, a)));

/** PABSB …: of the source alone. */
const ABSOLUTE = { pabsb: OpSimd.I8X16_ABS, pabsw: OpSimd.I16X8_ABS, pabsd: OpSimd.I32X4_ABS };
for (const [mnemonic, opcode] of Object.entries(ABSOLUTE)) define(mnemonic, (e) => convert(e, (b) => simd(opcode, b)));

/** PSIGNB …: the destination with the sign of the source, zero where that is zero. */
const SIGNS = {
  psignb: { bits: 8, shift: OpSimd.I8X16_SHR_S, subtract: OpSimd.I8X16_SUB, same: OpSimd.I8X16_EQ },
  psignw: { bits: 16, shift: OpSimd.I16X8_SHR_S, subtract: OpSimd.I16X8_SUB, same: OpSimd.I16X8_EQ },
  psignd: { bits: 32, shift: OpSimd.I32X4_SHR_S, subtract: OpSimd.I32X4_SUB, same: OpSimd.I32X4_EQ },
};
for (const [mnemonic, { bits, shift, subtract, same }] of Object.entries(SIGNS)) {
  define(mnemonic, (e) =>
    combine(e, (a, b) => {
      const sign = e.let(simd(shift, b, e.i32(bits - 1)));
      return simd(
        OpSimd.V128_ANDNOT,
        simd(subtract, simd(OpSimd.V128_XOR, a, sign), sign),
        simd(same, b, zeroVector()),
      );
    }));
}

// ---- products

/** The even doublewords in the low half. */
const EVEN = [0, 1, 2, 3, 8, 9, 10, 11, 0, 1, 2, 3, 8, 9, 10, 11];

/** PMULUDQ and PMULDQ: 64-bit products of the even doublewords. */
for (
  const [mnemonic, opcode] of [
    ["pmuludq", OpSimd.I64X2_EXTMUL_LOW_I32X4_U],
    ["pmuldq", OpSimd.I64X2_EXTMUL_LOW_I32X4_S],
  ] as const
) {
  define(mnemonic, (e) => combine(e, (a, b) => simd(opcode, a.shuffle(a, EVEN), b.shuffle(b, EVEN))));
}

define("pmulhw", (e) =>
  combine(e, (a, b) =>
    simd(
      OpSimd.I16X8_NARROW_I32X4_S,
      simd(OpSimd.I32X4_SHR_S, simd(OpSimd.I32X4_EXTMUL_LOW_I16X8_S, a, b), e.i32(16)),
      simd(OpSimd.I32X4_SHR_S, simd(OpSimd.I32X4_EXTMUL_HIGH_I16X8_S, a, b), e.i32(16)),
    )));
define("pmulhuw", (e) =>
  combine(e, (a, b) =>
    simd(
      OpSimd.I16X8_NARROW_I32X4_U,
      simd(OpSimd.I32X4_SHR_U, simd(OpSimd.I32X4_EXTMUL_LOW_I16X8_U, a, b), e.i32(16)),
      simd(OpSimd.I32X4_SHR_U, simd(OpSimd.I32X4_EXTMUL_HIGH_I16X8_U, a, b), e.i32(16)),
    )));

/** PMULHRSW: like wasm's rounding product, but −1 × −1 wraps to −1. */
define("pmulhrsw", (e) =>
  combine(e, (a, b) => {
    const lowest = e.let(repeated(0, 0x80));
    const wraps = simd(OpSimd.V128_AND, simd(OpSimd.I16X8_EQ, a, lowest), simd(OpSimd.I16X8_EQ, b, lowest));
    return simd(OpSimd.V128_XOR, simd(OpSimd.I16X8_Q15MULR_SAT_S, a, b), wraps);
  }));

/** PMADDUBSW: sums, with saturation, of two neighbouring products of an unsigned and a signed byte. */
define("pmaddubsw", (e) =>
  combine(e, (a, b) => {
    const even = simd(
      OpSimd.I16X8_MUL,
      simd(OpSimd.V128_AND, a, repeated(0xff, 0)),
      simd(OpSimd.I16X8_SHR_S, simd(OpSimd.I16X8_SHL, b, e.i32(8)), e.i32(8)),
    );
    const odd = simd(
      OpSimd.I16X8_MUL,
      simd(OpSimd.I16X8_SHR_U, a, e.i32(8)),
      simd(OpSimd.I16X8_SHR_S, b, e.i32(8)),
    );
    return simd(OpSimd.I16X8_ADD_SAT_S, even, odd);
  }));

/** PSADBW: the sum of the differences of eight bytes each. */
define("psadbw", (e) =>
  combine(e, (a, b) => {
    const difference = simd(
      OpSimd.V128_OR,
      simd(OpSimd.I8X16_SUB_SAT_U, a, b),
      simd(OpSimd.I8X16_SUB_SAT_U, b, a),
    );
    const pairs = simd(OpSimd.I16X8_EXTADD_PAIRWISE_I8X16_U, difference);
    const fours = e.let(simd(OpSimd.I32X4_EXTADD_PAIRWISE_I16X8_U, pairs));
    const low = simd(OpSimd.V128_AND, fours, repeated(0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0));
    return simd(OpSimd.I64X2_ADD, low, simd(OpSimd.I64X2_SHR_U, fours, e.i32(32)));
  }));

define("phminposuw", vectorKernel);

// ---- neighbours

/** The even (or odd) lanes of the destination, then of the source, for {@link Value.shuffle}. */
function everySecond(width: number, bytes: number, odd: boolean): number[] {
  const half = Array.from({ length: bytes / 2 }, (_, i) => 2 * i - i % width + (odd ? width : 0));
  return Array.from({ length: 16 }, (_, i) => half[i % half.length] + (i % bytes < half.length ? 0 : 16));
}

/** PHADDW … PHSUBSW: each lane with its neighbour. */
const HORIZONTAL = {
  phaddw: [2, OpSimd.I16X8_ADD],
  phaddd: [4, OpSimd.I32X4_ADD],
  phaddsw: [2, OpSimd.I16X8_ADD_SAT_S],
  phsubw: [2, OpSimd.I16X8_SUB],
  phsubd: [4, OpSimd.I32X4_SUB],
  phsubsw: [2, OpSimd.I16X8_SUB_SAT_S],
} as const;
for (const [mnemonic, [width, opcode]] of Object.entries(HORIZONTAL)) {
  define(mnemonic, (e) =>
    combine(e, (a, b, bytes) =>
      simd(
        opcode,
        a.shuffle(b, everySecond(width, bytes, false)),
        a.shuffle(b, everySecond(width, bytes, true)),
      )));
}

// ---- shifts

/** Shifts: width of a lane, and whether the sign fills. */
const SHIFTS = {
  psrlw: [16, OpSimd.I16X8_SHR_U],
  psrld: [32, OpSimd.I32X4_SHR_U],
  psrlq: [64, OpSimd.I64X2_SHR_U],
  psraw: [16, OpSimd.I16X8_SHR_S],
  psrad: [32, OpSimd.I32X4_SHR_S],
  psllw: [16, OpSimd.I16X8_SHL],
  pslld: [32, OpSimd.I32X4_SHL],
  psllq: [64, OpSimd.I64X2_SHL],
} as const;

/** The value shifted by a count that may be as large as the lane or larger. */
function shifted(e: Emitter, value: Value, opcode: number, bits: number, count: Value): Value {
  const signed = opcode === OpSimd.I16X8_SHR_S || opcode === OpSimd.I32X4_SHR_S;
  if (count.constant !== undefined) {
    if (count.constant < bits) return simd(opcode, value, e.i32(Number(count.constant)));
    return signed ? simd(opcode, value, e.i32(bits - 1)) : zeroVector();
  }
  const inside = e.let(count.ltU(bits));
  if (signed) return simd(opcode, value, e.select(inside, count.wrap(), e.i32(bits - 1)));
  return e.select(inside, e.let(simd(opcode, value, count.wrap())), zeroVector());
}
for (const [mnemonic, [bits, opcode]] of Object.entries(SHIFTS)) {
  define(mnemonic, (e) => {
    beginVector(e);
    const bytes = vectorBytes(e);
    const count = e.let(e.isImmediate(1) ? e.read(1).wrap() : e.vector(1, bytes).lane("i64", 0));
    if (bytes === 8) enterMmx(e);
    e.setVector(0, shifted(e, e.vector(0), opcode, bits, count));
  });
}
