/**
 * Single and double lanes of SSE registers, computed by the host. The host rounds as SSE does by default; what it does not
 * have are MXCSR's flags, its other rounding modes, and the processor's choice among NaNs. So a result of the host counts if
 *
 * - no operand is a NaN, infinite where that matters, or denormal (flag DE, and DAZ), and the result is neither infinite (OE),
 *   nor so small that it may have lost bits (UE) or is to be flushed (FTZ), and
 * - exceptions are masked, rounding is to nearest, and PE is set already or the result is exact.
 *
 * Everything else is computed by the kernels of sse_float.as.
 */
import { Op, OpSimd } from "../../wasm/mod.ts";
import type { Emitter } from "../emit/emitter.ts";
import { doubleQuarters, singleQuarters } from "../emit/steady.ts";
import { type Lanes, Value } from "../emit/value.ts";
import { Mxcsr, S } from "../state.ts";
import { repeated } from "./vectors.ts";

const { simd } = Value;

/** A number format: vector instructions on its lanes, seen as numbers and as integers. */
export interface FloatFormat {
  readonly lane: Lanes & ("f32" | "f64");
  readonly integerLane: "i32" | "i64";
  /** Bytes of a number. */
  readonly bytes: 4 | 8;
  /** Bits of a significand. */
  readonly precision: 24 | 53;
  /** Arithmetic on one number. */
  readonly scalar: {
    readonly add: number;
    readonly sub: number;
    readonly mul: number;
    readonly div: number;
    readonly sqrt: number;
  };
  readonly add: number;
  readonly sub: number;
  readonly mul: number;
  readonly div: number;
  readonly sqrt: number;
  readonly abs: number;
  readonly neg: number;
  readonly pmin: number;
  readonly pmax: number;
  readonly eq: number;
  readonly ne: number;
  readonly lt: number;
  readonly le: number;
  readonly nearest: number;
  readonly floor: number;
  readonly ceil: number;
  readonly trunc: number;
  readonly integerAdd: number;
  readonly shiftLeft: number;
  readonly shiftRight: number;
  /** The lanes' sign bits. */
  readonly bitmask: number;
}

function vectorOpcodes<F extends "F32X4" | "F64X2", I extends "I32X4" | "I64X2">(float: F, integer: I) {
  return {
    add: OpSimd[`${float}_ADD`],
    sub: OpSimd[`${float}_SUB`],
    mul: OpSimd[`${float}_MUL`],
    div: OpSimd[`${float}_DIV`],
    sqrt: OpSimd[`${float}_SQRT`],
    abs: OpSimd[`${float}_ABS`],
    neg: OpSimd[`${float}_NEG`],
    pmin: OpSimd[`${float}_PMIN`],
    pmax: OpSimd[`${float}_PMAX`],
    eq: OpSimd[`${float}_EQ`],
    ne: OpSimd[`${float}_NE`],
    lt: OpSimd[`${float}_LT`],
    le: OpSimd[`${float}_LE`],
    nearest: OpSimd[`${float}_NEAREST`],
    floor: OpSimd[`${float}_FLOOR`],
    ceil: OpSimd[`${float}_CEIL`],
    trunc: OpSimd[`${float}_TRUNC`],
    integerAdd: OpSimd[`${integer}_ADD`],
    shiftLeft: OpSimd[`${integer}_SHL`],
    shiftRight: OpSimd[`${integer}_SHR_U`],
    bitmask: OpSimd[`${integer}_BITMASK`],
  };
}

export const SINGLE: FloatFormat = {
  lane: "f32",
  integerLane: "i32",
  bytes: 4,
  precision: 24,
  scalar: { add: Op.F32_ADD, sub: Op.F32_SUB, mul: Op.F32_MUL, div: Op.F32_DIV, sqrt: Op.F32_SQRT },
  ...vectorOpcodes("F32X4", "I32X4"),
};

export const DOUBLE: FloatFormat = {
  lane: "f64",
  integerLane: "i64",
  bytes: 8,
  precision: 53,
  scalar: { add: Op.F64_ADD, sub: Op.F64_SUB, mul: Op.F64_MUL, div: Op.F64_DIV, sqrt: Op.F64_SQRT },
  ...vectorOpcodes("F64X2", "I64X2"),
};

/** The four shapes of an instruction by its suffix: the format, and the bytes that it computes. */
export const SHAPES = {
  ps: { format: SINGLE, bytes: 16 },
  pd: { format: DOUBLE, bytes: 16 },
  ss: { format: SINGLE, bytes: 4 },
  sd: { format: DOUBLE, bytes: 8 },
} as const;

/** The upper half, twice. */
const HIGH_HIGH = [8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15];

/** Tests on the lanes that an instruction computes. Every test is an i32 that is not 0 if some lane fails. */
export class LaneTests {
  /** −1 in every integer lane. */
  readonly #minusOne = repeated(0xff);

  /** For lanes in the first `bytes` bytes of a vector. */
  constructor(readonly e: Emitter, readonly format: FloatFormat, readonly bytes: number) {}

  /** Lanes whose sign bit is set. */
  signs(value: Value): Value {
    const mask = value.simdTest(this.format.bitmask), count = this.bytes / this.format.bytes;
    return this.e.let(this.bytes === 16 ? mask : mask.and((1 << count) - 1));
  }

  /**
   * Fails for numbers whose exponent is near an end of its range: zeros, denormals, infinities and NaNs among them. What remains is a
   * half of the range, from 2^-511 to 2^513 for doubles, from 2^-63 to 2^65 for singles.
   */
  extreme(...values: readonly Value[]): Value {
    const { shiftLeft, integerAdd, bytes } = this.format;
    // To those of that half this adds up to a clear bit below the sign.
    const quarters = this.e.steady(bytes === 4 ? singleQuarters : doubleQuarters);
    const sums = values.map((value) => simd(integerAdd, value, quarters));
    return this.signs(simd(shiftLeft, sums.reduce((a, b) => simd(OpSimd.V128_OR, a, b)), this.e.i32(1)));
  }

  /** 0 for denormals (and for the smallest normal number), else positive. */
  #weight(value: Value): Value {
    const { shiftLeft, shiftRight, integerAdd, precision } = this.format;
    const magnitude = simd(shiftLeft, value, this.e.i32(1));
    return simd(shiftRight, simd(integerAdd, magnitude, this.#minusOne), this.e.i32(precision));
  }

  /** −1 for zero and denormals, 0 for numbers like the smallest normal one, else positive. */
  #scale(value: Value): Value {
    const { shiftLeft, shiftRight, integerAdd, precision } = this.format;
    const exponent = simd(shiftRight, simd(shiftLeft, value, this.e.i32(1)), this.e.i32(precision));
    return simd(integerAdd, exponent, this.#minusOne);
  }

  /** Negative in every lane where one of the values, each above −2, is not positive. */
  #notPositive(values: readonly Value[]): Value {
    const lowest = values.reduce((a, b) => simd(OpSimd.I32X4_MIN_S, a, b));
    return simd(this.format.integerAdd, lowest, this.#minusOne);
  }

  /** All ones in lanes that are NaNs. */
  nan(value: Value): Value {
    const once = this.e.let(value);
    return simd(this.format.ne, once, once);
  }

  /** Fails for denormal and NaN operands; of two operands, infinities of opposite sign fail too. */
  ordinary(...operands: readonly Value[]): Value {
    const small = this.#notPositive(operands.map((value) => this.#weight(value)));
    const sum = operands.length === 1 ? operands[0] : simd(this.format.add, operands[0], operands[1]);
    return this.signs(simd(OpSimd.V128_OR, small, this.nan(sum)));
  }

  /** Fails for denormal operands and for results that are infinite or a NaN. */
  finite(result: Value, operands: readonly Value[]): Value {
    const small = this.#notPositive(operands.map((value) => this.#weight(value)));
    return this.signs(simd(OpSimd.V128_OR, small, this.nan(simd(this.format.sub, result, result))));
  }

  /** Like {@link finite}; also fails for results that may be smaller than the normal numbers. */
  normal(result: Value, operands: readonly Value[]): Value {
    const small = this.#notPositive([...operands.map((value) => this.#weight(value)), this.#scale(result)]);
    return this.signs(simd(OpSimd.V128_OR, small, this.nan(simd(this.format.sub, result, result))));
  }

  /** Fails for results that may be smaller than the normal numbers, except where one of the operands is zero. */
  underflow(result: Value, operands: readonly Value[]): Value {
    const zeros = operands.map((value) => simd(this.format.eq, value, repeated(0)));
    const expected = zeros.reduce((a, b) => simd(OpSimd.V128_OR, a, b));
    return this.signs(simd(OpSimd.V128_ANDNOT, this.#notPositive([this.#scale(result)]), expected));
  }

  /** Fails for denormal numbers (and for the smallest normal one). */
  denormal(value: Value): Value {
    return this.signs(this.#notPositive([this.#weight(value)]));
  }

  /** Fails for lanes that differ. */
  different(a: Value, b: Value): Value {
    return this.signs(simd(this.format.ne, a, b));
  }

  /** Fails if `result`, which is a + b rounded, is not exactly a + b (Knuth's two-sum). */
  inexactSum(a: Value, b: Value, result: Value): Value {
    const { add, sub } = this.format;
    const second = this.e.let(simd(sub, result, a));
    const lostOfA = simd(sub, a, simd(sub, result, second)), lostOfB = simd(sub, b, second);
    return this.different(simd(add, lostOfA, lostOfB), repeated(0));
  }

  /** Fails if `product`, which is a × b rounded, is not exactly a × b, or (rarely) if that is hard to tell. */
  inexactProduct(a: Value, b: Value, product: Value): Value {
    return this.format === SINGLE ? this.#differsFromProduct(a, b, product) : this.#longProduct(a, b);
  }

  /** Fails if `quotient`, which is a ÷ b rounded, is not exactly a ÷ b, or (rarely) if that is hard to tell. */
  inexactQuotient(a: Value, b: Value, quotient: Value): Value {
    if (this.format === SINGLE) return this.#differsFromProduct(quotient, b, a);
    return this.different(simd(OpSimd.F64X2_MUL, quotient, b), a).or(this.#longProduct(quotient, b));
  }

  /** Fails for singles with a × b ≠ c: the product of two singles is a double. */
  #differsFromProduct(a: Value, b: Value, c: Value): Value {
    const wide = (value: Value) => simd(OpSimd.F64X2_PROMOTE_LOW_F32X4, value);
    const high = (value: Value) => wide(value.shuffle(value, HIGH_HIGH));
    const doubles = new LaneTests(this.e, DOUBLE, this.bytes === 4 ? 8 : 16);
    const low = doubles.different(simd(OpSimd.F64X2_MUL, wide(a), wide(b)), wide(c));
    if (this.bytes < 16) return low;
    return low.or(doubles.different(simd(OpSimd.F64X2_MUL, high(a), high(b)), high(c)));
  }

  /** Fails for doubles whose significands have more than 53 bits together, not counting zeros at the end. */
  #longProduct(a: Value, b: Value): Value {
    let result = this.e.i32(0);
    for (let i = 0; i < this.bytes / 8; i++) {
      result = a.lane("i64", i).ctz().add(b.lane("i64", i).ctz()).ltU(53).or(result);
    }
    return result;
  }
}

/** MXCSR, i32. */
export function mxcsr(e: Emitter): Value {
  return e.state(S.MXCSR, "i32");
}

/** Not 0 if exceptions are not all masked, or rounding is not to nearest. */
export function notNearest(control: Value): Value {
  return control.and(Mxcsr.MASKS | Mxcsr.RC).xor(Mxcsr.MASKS);
}
