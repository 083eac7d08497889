/**
 * SSE conversions between number formats, and rounding to integral numbers. Intel SDM vol. 2. How they are computed
 * says float_lanes.ts.
 */
import { Op, OpFc, OpSimd } from "../../wasm/mod.ts";
import type { Emitter } from "../emit/emitter.ts";
import { sseNotRounding } from "../emit/steady.ts";
import { Value } from "../emit/value.ts";
import { Mxcsr } from "../state.ts";
import { DOUBLE, type FloatFormat, LaneTests, mxcsr, notNearest, SHAPES, SINGLE } from "./float_lanes.ts";
import { beginMmx, beginSse } from "./fpu_checks.ts";
import { define } from "./registry.ts";
import { enterMmx, floatKernel, knownImmediate } from "./vectors.ts";

const { simd, numeric } = Value;

/** A v128 with the same number in all lanes. */
function everywhere(format: FloatFormat, value: number): Value {
  const bytes = new Uint8Array(
    format === SINGLE ? new Float32Array(4).fill(value).buffer : new Float64Array(2).fill(value).buffer,
  );
  return Value.v128([...bytes]);
}

// ---- between the precisions

/** CVTSS2SD, CVTPS2PD: exact; only NaNs and denormals are special. */
for (const [mnemonic, bytes] of [["cvtss2sd", 4], ["cvtps2pd", 8]] as const) {
  define(mnemonic, (e) => {
    beginSse(e);
    const b = e.vector(1, bytes), a = e.vector(0), lanes = simd(OpSimd.F64X2_PROMOTE_LOW_F32X4, b);
    const narrow = numeric("f64", Op.F64_PROMOTE_F32, b.lane("f32", 0));
    const result = e.variable(bytes === 8 ? lanes : a.withLane("f64", 0, narrow));
    e.rarely(new LaneTests(e, SINGLE, bytes).ordinary(b), () => {
      result.set(floatKernel(e, "sse_widen", a, b, e.i32(bytes / 4)));
    });
    e.setVector(0, result.value);
  });
}

/** CVTSD2SS, CVTPD2PS. */
for (const [mnemonic, bytes] of [["cvtsd2ss", 8], ["cvtpd2ps", 16]] as const) {
  define(mnemonic, (e) => {
    beginSse(e);
    const b = e.vector(1, bytes), a = e.vector(0), control = mxcsr(e);
    const narrow = a.withLane("f32", 0, numeric("f32", Op.F32_DEMOTE_F64, b.lane("f64", 0)));
    const host = e.let(bytes === 8 ? narrow : simd(OpSimd.F32X4_DEMOTE_F64X2_ZERO, b)), result = e.variable(host);
    const outside = new LaneTests(e, SINGLE, bytes / 2).normal(host, []);
    e.if(outside.or(e.steady(sseNotRounding)), () => {
      const back = simd(OpSimd.F64X2_PROMOTE_LOW_F32X4, host);
      const inexact = new LaneTests(e, DOUBLE, bytes).different(back, b);
      const unfit = outside.or(notNearest(control)).or(e.select(control.and(Mxcsr.PE), e.i32(0), inexact));
      e.rarely(unfit, () => result.set(floatKernel(e, "sse_narrow", a, b, e.i32(bytes / 8))));
    });
    e.setVector(0, result.value);
  });
}

// ---- from integers

/** Not 0 if the integer may need more than `precision` bits. */
function isLong(value: Value, precision: number): Value {
  const limit = value.type === "i64" ? Value.i64(1n << BigInt(precision)) : Value.i32(1 << precision);
  const range = value.type === "i64" ? Value.i64(2n << BigInt(precision)) : Value.i32(2 << precision);
  return value.add(limit).gtU(range);
}

define("cvtsi2ss cvtsi2sd", (e, mnemonic) => {
  beginSse(e);
  const value = e.read(1), a = e.vector(0), wide = mnemonic === "cvtsi2sd", long = value.type === "i64";
  const opcode = wide
    ? long ? Op.F64_CONVERT_I64_S : Op.F64_CONVERT_I32_S
    : long
    ? Op.F32_CONVERT_I64_S
    : Op.F32_CONVERT_I32_S;
  const { lane, precision } = wide ? DOUBLE : SINGLE, converted = a.withLane(lane, 0, numeric(lane, opcode, value));
  if (wide && !long) return e.setVector(0, converted);
  const result = e.variable(converted);
  e.if(isLong(value, precision), () => {
    e.rarely(e.steady(sseNotRounding), () => {
      result.set(floatKernel(e, "sse_from_integer", a, e.let(value.extendS()), e.i32(wide ? 1 : 0)));
    });
  });
  e.setVector(0, result.value);
});

/** A conversion from an MMX operand: only a register switches the x87 unit to MMX. */
function fromMmx(e: Emitter, write: (source: Value) => void): void {
  beginSse(e);
  if (e.isMemory(1)) return write(e.vector(1, 8));
  beginMmx(e);
  write(e.vector(1));
  enterMmx(e);
}

/** CVTDQ2PD, CVTPI2PD: exact. */
define("cvtdq2pd", (e) => {
  beginSse(e);
  e.setVector(0, simd(OpSimd.F64X2_CONVERT_LOW_I32X4_S, e.vector(1, 8)));
});
define("cvtpi2pd", (e) => {
  fromMmx(e, (source) => e.setVector(0, simd(OpSimd.F64X2_CONVERT_LOW_I32X4_S, source)));
});

/** Four (or two) integers as singles. */
function wordsToSingles(e: Emitter, words: Value, lanes: 2 | 4): Value {
  const result = e.variable(simd(OpSimd.F32X4_CONVERT_I32X4_S, words));
  // Long ones have bits left above the 25th when 2^24 is added.
  const shifted = simd(OpSimd.I32X4_ADD, words, simd(OpSimd.I32X4_SPLAT, e.i32(1 << 24)));
  e.if(simd(OpSimd.I32X4_SHR_U, shifted, e.i32(25)).simdTest(OpSimd.V128_ANY_TRUE), () => {
    e.rarely(
      e.steady(sseNotRounding),
      () => result.set(floatKernel(e, "sse_from_words32", words, words, e.i32(lanes))),
    );
  });
  return result.value;
}
define("cvtdq2ps", (e) => {
  beginSse(e);
  e.setVector(0, wordsToSingles(e, e.vector(1), 4));
});
define("cvtpi2ps", (e) => fromMmx(e, (source) => e.setVectorLow(0, wordsToSingles(e, source, 2), 8)));

// ---- to integers

/**
 * Not 0 if an inexact conversion may not be done by the host: PE is not set or not masked, or (`nearest`) rounding is
 * not to nearest.
 */
function reportsInexact(control: Value, nearest: boolean): Value {
  return control.and(Mxcsr.PE | Mxcsr.PM | (nearest ? Mxcsr.RC : 0)).xor(Mxcsr.PE | Mxcsr.PM);
}

define("cvtss2si cvtsd2si cvttss2si cvttsd2si", (e, mnemonic) => {
  beginSse(e);
  const wide = mnemonic.includes("sd2"), size = e.sizeOf(0), truncate = mnemonic.startsWith("cvtt");
  const b = e.vector(1, wide ? 8 : 4), type = size === 64 ? "i64" : "i32";
  const value = e.let(wide ? b.lane("f64", 0) : numeric("f64", Op.F64_PROMOTE_F32, b.lane("f32", 0)));
  const whole = e.let(numeric("f64", truncate ? Op.F64_TRUNC : Op.F64_NEAREST, value));
  const saturated = new Value(type, (code) => {
    whole.emit(code);
    code.fc(size === 64 ? OpFc.I64_TRUNC_SAT_F64_S : OpFc.I32_TRUNC_SAT_F64_S);
  });
  const result = e.variable(saturated);
  const limit = new Value("f64", (code) => code.f64(2 ** (size - 1)));
  const inside = e.let(numeric("i32", Op.F64_LT, numeric("f64", Op.F64_ABS, whole), limit));
  const exact = numeric("i32", Op.F64_EQ, whole, value);
  e.if(inside.and(exact).eqz(), () => {
    e.rarely(inside.eqz().or(reportsInexact(mxcsr(e), !truncate)), () => {
      const flags = [e.i32(wide ? 1 : 0), e.i32(size), e.i32(truncate ? 1 : 0)];
      const integer = floatKernel(e, "sse_to_integer", b, ...flags);
      result.set(size === 64 ? integer : integer.wrap());
    });
  });
  e.write(0, result.value);
});

/** Integers of all lanes of a source in the given format; `lanes` of them count. */
function toWords(
  e: Emitter,
  format: FloatFormat,
  b: Value,
  lanes: 2 | 4,
  truncate: boolean,
  kernel: () => Value,
): Value {
  const whole = e.let(simd(truncate ? format.trunc : format.nearest, b));
  const opcode = format === SINGLE ? OpSimd.I32X4_TRUNC_SAT_F32X4_S : OpSimd.I32X4_TRUNC_SAT_F64X2_S_ZERO;
  const result = e.variable(simd(opcode, whole)), tests = new LaneTests(e, format, lanes * format.bytes);
  const inside = simd(format.lt, simd(format.abs, whole), everywhere(format, 2 ** 31));
  const outside = tests.signs(simd(OpSimd.V128_NOT, inside)), inexact = tests.different(whole, b);
  e.if(outside.or(inexact), () => {
    e.rarely(outside.or(reportsInexact(mxcsr(e), !truncate)), () => result.set(kernel()));
  });
  return result.value;
}
define("cvtps2dq cvttps2dq", (e, mnemonic) => {
  beginSse(e);
  const b = e.vector(1), truncate = mnemonic === "cvttps2dq", flag = e.i32(truncate ? 1 : 0);
  e.setVector(
    0,
    toWords(e, SINGLE, b, 4, truncate, () => floatKernel(e, "sse_to_words32", b, b, e.i32(4), flag)),
  );
});
define("cvtpd2dq cvttpd2dq", (e, mnemonic) => {
  beginSse(e);
  const b = e.vector(1), truncate = mnemonic === "cvttpd2dq", flag = e.i32(truncate ? 1 : 0);
  e.setVector(
    0,
    toWords(e, DOUBLE, b, 2, truncate, () => floatKernel(e, "sse_to_words64", b, b, e.i32(16), flag)),
  );
});

/** Conversions into an MMX register. */
define("cvtps2pi cvttps2pi cvtpd2pi cvttpd2pi", (e, mnemonic) => {
  beginSse(e);
  beginMmx(e);
  const wide = mnemonic.includes("pd2"), truncate = mnemonic.startsWith("cvtt"), flag = e.i32(truncate ? 1 : 0);
  const b = e.vector(1, wide ? 16 : 8);
  const exact = () =>
    wide
      ? floatKernel(e, "sse_to_words64", b, b, e.i32(8), flag)
      : floatKernel(e, "sse_to_words32", b, b, e.i32(2), flag);
  const value = toWords(e, wide ? DOUBLE : SINGLE, b, 2, truncate, exact);
  enterMmx(e);
  e.setVector(0, value);
});

// ---- to integral numbers

/** ROUND…: bits 0–1 are a rounding mode, bit 2 takes the one of MXCSR instead, bit 3 keeps PE clear. */
for (const [suffix, { format, bytes }] of Object.entries(SHAPES)) {
  define(`round${suffix}`, (e) => {
    beginSse(e);
    const b = e.vector(1, bytes), a = e.vector(0), imm = knownImmediate(e, 2);
    const exactly = (control: Value) => floatKernel(e, "sse_round", control, a, b, e.i32(format.bytes), e.i32(bytes));
    if (imm === null) return e.setVector(0, exactly(e.let(e.read(2).wrap())));
    const opcode = (imm & 4) !== 0
      ? format.nearest
      : [format.nearest, format.floor, format.ceil, format.trunc][imm & 3];
    const rounded = e.let(simd(opcode, b)), { lane } = format, tests = new LaneTests(e, format, bytes);
    const result = e.variable(bytes === 16 ? rounded : a.withLane(lane, 0, rounded.lane(lane, 0)));
    e.if(tests.different(rounded, b), () => {
      let special = tests.ordinary(b);
      if ((imm & 8) === 0) special = special.or(reportsInexact(mxcsr(e), (imm & 4) !== 0));
      else if ((imm & 4) !== 0) special = special.or(mxcsr(e).and(Mxcsr.RC));
      e.rarely(special, () => result.set(exactly(e.i32(imm))));
    });
    e.setVector(0, result.value);
  });
}
