/** MMX and SSE instructions that move integer lanes: unpack, pack, shuffle, insert, extract, extend, blend. Intel SDM vol. 2. */
import { OpSimd } from "../../wasm/mod.ts";
import type { Emitter } from "../emit/emitter.ts";
import { type Lanes, Value } from "../emit/value.ts";
import { beginSse } from "./fpu_checks.ts";
import { define } from "./registry.ts";
import {
  beginVector,
  combine,
  convert,
  enterMmx,
  isMmx,
  knownImmediate,
  pointer,
  repeated,
  vectorBytes,
  zeroVector,
} from "./vectors.ts";

const { simd } = Value;

/** Byte numbers 0–15 by a function of their position. */
function bytesOf(pick: (i: number) => number): number[] {
  return Array.from({ length: 16 }, (_, i) => pick(i));
}

/** The lane of `width` bytes that byte `i` lies in. */
function laneOf(i: number, width: number): number {
  return Math.trunc(i / width);
}

/** Lanes of the destination and the source in turn, from byte `first` on. */
function interleaved(width: number, first: number): number[] {
  return bytesOf((i) => {
    const lane = laneOf(i, width);
    return (first + (lane >> 1) * width + i % width) % 16 + (lane & 1) * 16;
  });
}

/** The unpack instructions: width of a lane; those of floating-point lanes move bits like their integer twins. */
const UNPACK = {
  "punpcklbw punpckhbw": 1,
  "punpcklwd punpckhwd": 2,
  "punpckldq punpckhdq unpcklps unpckhps": 4,
  "punpcklqdq punpckhqdq unpcklpd unpckhpd": 8,
};
for (const [mnemonics, width] of Object.entries(UNPACK)) {
  define(mnemonics, (e, mnemonic) => {
    const high = mnemonic.includes("ckh"), bytes = vectorBytes(e);
    const pattern = interleaved(width, high ? bytes / 2 : 0);
    combine(e, (a, b) => a.shuffle(b, pattern), bytes === 8 && !high ? 4 : bytes);
  });
}

/** The low halves of the destination and the source. */
const LOW_LOW = bytesOf((i) => i < 8 ? i : i + 8);

/** The pack instructions: narrowing with saturation. */
const PACK = {
  packsswb: OpSimd.I8X16_NARROW_I16X8_S,
  packuswb: OpSimd.I8X16_NARROW_I16X8_U,
  packssdw: OpSimd.I16X8_NARROW_I32X4_S,
  packusdw: OpSimd.I16X8_NARROW_I32X4_U,
};
for (const [mnemonic, opcode] of Object.entries(PACK)) {
  define(mnemonic, (e) =>
    combine(e, (a, b, bytes) => {
      if (bytes === 16) return simd(opcode, a, b);
      const both = e.let(a.shuffle(b, LOW_LOW));
      return simd(opcode, both, both);
    }));
}

// ---- shuffles by an immediate

/** The two bits of an immediate that select lane `lane`. */
function selector(imm: number, lane: number): number {
  return imm >> 2 * lane & 3;
}

/** Shuffles by an immediate: bytes of the result as {@link Value.shuffle} numbers those of destination and source. */
const SHUFFLES: Record<string, (imm: number) => number[]> = {
  pshufd: (imm) => bytesOf((i) => 16 + 4 * selector(imm, laneOf(i, 4)) + i % 4),
  pshufw: (imm) => bytesOf((i) => 16 + 2 * selector(imm, laneOf(i % 8, 2)) + i % 2),
  pshuflw: (imm) => bytesOf((i) => 16 + (i < 8 ? 2 * selector(imm, laneOf(i, 2)) + i % 2 : i)),
  pshufhw: (imm) => bytesOf((i) => 16 + (i < 8 ? i : 8 + 2 * selector(imm, laneOf(i - 8, 2)) + i % 2)),
  shufps: (imm) => bytesOf((i) => (i < 8 ? 0 : 16) + 4 * selector(imm, laneOf(i, 4)) + i % 4),
  shufpd: (imm) => bytesOf((i) => (i < 8 ? 0 : 16) + 8 * (imm >> laneOf(i, 8) & 1) + i % 8),
};
for (const [mnemonic, pattern] of Object.entries(SHUFFLES)) {
  define(mnemonic, (e) => {
    const imm = knownImmediate(e, 2);
    if (imm !== null) {
      const bytes = pattern(imm), both = bytes.some((byte) => byte < 16);
      if (both) return combine(e, (a, b) => a.shuffle(b, bytes));
      return convert(e, (source) => source.shuffle(source, bytes));
    }
    beginVector(e);
    const bytes = vectorBytes(e), source = e.let(pointer(e, 1, bytes));
    if (bytes === 8) enterMmx(e);
    e.kernel(mnemonic, e.registerAddress(0), source, e.let(e.read(2).wrap()));
  });
}

/** PALIGNR: `bytes` bytes from byte `count` on of destination and source, zeros behind them. */
function aligned(a: Value, b: Value, bytes: number, count: number): Value {
  if (count >= 2 * bytes) return zeroVector();
  if (count > bytes) return a.shuffle(zeroVector(), bytesOf((i) => i + count < 2 * bytes ? i + count - bytes : 16));
  return b.shuffle(a, bytesOf((i) => i + count + (i + count < bytes ? 0 : 16 - bytes)));
}
define("palignr", (e) => {
  const imm = knownImmediate(e, 2);
  if (imm !== null) return combine(e, (a, b, bytes) => aligned(a, b, bytes, imm));
  beginVector(e);
  const bytes = vectorBytes(e), source = e.let(pointer(e, 1, bytes));
  if (bytes === 8) enterMmx(e);
  e.kernel("palignr", e.registerAddress(0), source, e.i32(bytes), e.let(e.read(2).wrap()));
});

/** PSRLDQ and PSLLDQ: the numbers of the bytes to take; those that do not exist read as zero. */
define("psrldq pslldq", (e, mnemonic) => {
  beginSse(e);
  const imm = knownImmediate(e, 1), left = mnemonic === "pslldq", value = e.vector(0);
  if (imm === 8) {
    const zero = zeroVector();
    return e.setVector(0, left ? zero.shuffle(value, LOW_LOW) : value.shuffle(zero, LOW_LOW.map((byte) => byte + 8)));
  }
  if (imm !== null) {
    const from = bytesOf((i) => left ? i - imm : i + imm).map((byte) => byte >= 0 && byte < 16 ? byte : 0xff);
    return e.setVector(0, simd(OpSimd.I8X16_SWIZZLE, value, Value.v128(from)));
  }
  const count = e.let(e.read(1).wrap()), clamped = e.select(count.ltU(16), count, e.i32(16));
  const from = simd(
    left ? OpSimd.I8X16_SUB : OpSimd.I8X16_ADD,
    Value.v128(bytesOf((i) => i)),
    simd(OpSimd.I8X16_SPLAT, clamped),
  );
  e.setVector(0, simd(OpSimd.I8X16_SWIZZLE, value, from));
});

/** PSHUFB: a number with its top bit set gives zero. */
define(
  "pshufb",
  (e) =>
    combine(e, (a, b, bytes) => simd(OpSimd.I8X16_SWIZZLE, a, simd(OpSimd.V128_AND, b, repeated(0x80 | bytes - 1)))),
);

// ---- blends

/** Blends by the top bits of XMM0's lanes. */
const VARIABLE_BLENDS = {
  pblendvb: [OpSimd.I8X16_SHR_S, 7],
  blendvps: [OpSimd.I32X4_SHR_S, 31],
  blendvpd: [OpSimd.I64X2_SHR_S, 63],
};
for (const [mnemonic, [shift, count]] of Object.entries(VARIABLE_BLENDS)) {
  define(
    mnemonic,
    (e) => combine(e, (a, b) => simd(OpSimd.V128_BITSELECT, b, a, simd(shift, e.vectorRegister(0), e.i32(count)))),
  );
}

/** Blends by an immediate: bytes of a lane. */
const IMMEDIATE_BLENDS = { pblendw: 2, blendps: 4, blendpd: 8 };
for (const [mnemonic, width] of Object.entries(IMMEDIATE_BLENDS)) {
  define(mnemonic, (e) => {
    const imm = knownImmediate(e, 2);
    if (imm !== null) {
      return combine(e, (a, b) => a.shuffle(b, bytesOf((i) => i + ((imm >> laneOf(i, width)) & 1) * 16)));
    }
    beginSse(e);
    const source = e.let(pointer(e, 1, 16));
    e.kernel("blend_immediate", e.registerAddress(0), source, e.let(e.read(2).wrap()), e.i32(width));
  });
}

// ---- extensions

/** One step of PMOVSX and PMOVZX, by the width of the source's lanes. */
const EXTEND = {
  b: [OpSimd.I16X8_EXTEND_LOW_I8X16_U, OpSimd.I16X8_EXTEND_LOW_I8X16_S],
  w: [OpSimd.I32X4_EXTEND_LOW_I16X8_U, OpSimd.I32X4_EXTEND_LOW_I16X8_S],
  d: [OpSimd.I64X2_EXTEND_LOW_I32X4_U, OpSimd.I64X2_EXTEND_LOW_I32X4_S],
};
/** Widths, narrow to wide. */
const WIDTHS = ["b", "w", "d", "q"] as const;

/** The source of an extension to twice, four or eight times the width. */
function narrowSource(e: Emitter, steps: number): Value {
  if (steps < 3) return e.vector(1, steps === 1 ? 8 : 4);
  if (!e.isMemory(1)) return e.vector(1);
  return zeroVector().withLane("i32", 0, e.load(e.segment(1), e.address(1), 16));
}
for (let from = 0; from < 3; from++) {
  for (let to = from + 1; to < 4; to++) {
    for (const [prefix, signed] of [["pmovsx", 1], ["pmovzx", 0]] as const) {
      define(`${prefix}${WIDTHS[from]}${WIDTHS[to]}`, (e) => {
        beginSse(e);
        let value = narrowSource(e, to - from);
        for (const width of WIDTHS.slice(from, to)) value = simd(EXTEND[width as keyof typeof EXTEND][signed], value);
        e.setVector(0, value);
      });
    }
  }
}

// ---- lanes and general registers

/** Inserts and extracts: the lanes that they move. */
const EXTRACTS = { pextrb: "i8", pextrw: "i16", pextrd: "i32", pextrq: "i64", extractps: "i32" } as const;
const INSERTS = { pinsrb: "i8", pinsrw: "i16", pinsrd: "i32", pinsrq: "i64" } as const;
const LANE_BYTES: Record<Lanes, number> = { i8: 1, i16: 2, i32: 4, i64: 8, f32: 4, f64: 8 };

for (const [mnemonic, lanes] of Object.entries(EXTRACTS)) {
  define(mnemonic, (e) => {
    beginVector(e);
    const mmx = isMmx(e, 1), width = LANE_BYTES[lanes], count = (mmx ? 8 : 16) / width;
    const imm = knownImmediate(e, 2);
    let lane: Value;
    if (imm !== null) lane = e.vector(1).lane(lanes, imm % count);
    else {
      e.vectorsInMemory();
      lane = e.kernel("packed_lane", e.registerAddress(1), e.let(e.read(2).wrap().and(count - 1)), e.i32(width));
    }
    e.write(0, e.sizeOf(0) === 64 ? lane.extendU() : lane.wrap());
    if (mmx) enterMmx(e);
  });
}
for (const [mnemonic, lanes] of Object.entries(INSERTS)) {
  define(mnemonic, (e) => {
    beginVector(e);
    const mmx = isMmx(e, 0), width = LANE_BYTES[lanes], count = (mmx ? 8 : 16) / width;
    const value = e.read(1), imm = knownImmediate(e, 2);
    if (mmx) enterMmx(e);
    if (imm !== null) {
      return e.setVector(0, e.vector(0).withLane(lanes, imm % count, lanes === "i64" ? value.extendU() : value.wrap()));
    }
    e.vectorsInMemory();
    const index = e.let(e.read(2).wrap().and(count - 1));
    e.kernel("packed_set_lane", e.registerAddress(0), index, e.i32(width), e.let(value.extendU()));
    if (mmx) e.setRegisterHalf(0, 1, e.i64(0xffff));
  });
}

/** INSERTPS: bits 6–7 select the source's lane, 4–5 the destination's, 0–3 the lanes to clear. */
define("insertps", (e) => {
  beginSse(e);
  const imm = knownImmediate(e, 2);
  if (imm !== null) {
    const value = e.isMemory(1) ? e.read(1) : e.vector(1).lane("i32", imm >> 6);
    const inserted = e.vector(0).withLane("i32", imm >> 4 & 3, value);
    const kept = Value.v128(bytesOf((i) => (imm >> laneOf(i, 4) & 1) !== 0 ? 0 : 0xff));
    return e.setVector(0, (imm & 15) === 0 ? inserted : simd(OpSimd.V128_AND, inserted, kept));
  }
  const control = e.let(e.read(2).wrap());
  e.vectorsInMemory();
  const value = e.isMemory(1)
    ? e.read(1)
    : e.let(e.kernel("packed_lane", e.registerAddress(1), e.let(control.shrU(6).and(3)), e.i32(4)).wrap());
  e.kernel("insertps", e.registerAddress(0), value, control);
});

/** Sign masks into a general register. */
const SIGN_MASKS = { pmovmskb: OpSimd.I8X16_BITMASK, movmskps: OpSimd.I32X4_BITMASK, movmskpd: OpSimd.I64X2_BITMASK };
for (const [mnemonic, opcode] of Object.entries(SIGN_MASKS)) {
  define(mnemonic, (e) => {
    beginVector(e);
    const mask = e.vector(1).simdTest(opcode);
    e.write(0, e.sizeOf(0) === 64 ? mask.extendU() : mask);
    if (isMmx(e, 1)) enterMmx(e);
  });
}
