/**
 * Sums, products and conversions of x87 numbers in place, for the common case: rounding to nearest with 64 bits (of integers
 * also towards zero), exceptions masked, operands that are normal and not near the ends of the range of exponents, so that
 * results are, too. Kernels do the rest.
 */
import type { Emitter } from "../emit/emitter.ts";
import { x87Rounds64 } from "../emit/steady.ts";
import { Value } from "../emit/value.ts";
import { Fcw, S } from "../state.ts";

/** An x87 number. */
export interface Number80 {
  readonly significand: Value;
  /** Only the low 16 bits count. */
  readonly signExponent: Value;
}

/** Result of a computation: the significand, and sign and exponent with flags and C1 as in FSW 16 bits higher. */
export interface Computed {
  readonly significand: Value;
  /** Negative if an exception is not masked … */
  readonly result: Value;
  /** … unless this is true: then the instruction has been left in that case. */
  readonly settled?: boolean;
}

/** What stands for a result that is not known yet. */
const UNKNOWN = -2;
/** Position of the flag PE and of C1 in a result. */
const PE = 16 + 5, C1 = 16 + 9;

/** Bit 14 is set if the exponent is at least 2000h and below 6000h. */
function middling(signExponent: Value): Value {
  return signExponent.add(0x2000);
}

/** 1 if the common case applies to two numbers, else 0. */
function areCommon(e: Emitter, a: Number80, b: Number80): Value {
  const normal = a.significand.and(b.significand).shrU(63).wrap();
  return middling(a.signExponent).and(middling(b.signExponent)).shrU(14).and(normal).and(e.steady(x87Rounds64));
}

/** Runs `inPlace` where the condition holds; `kernel` computes what it does not give a result for. */
function computed(
  e: Emitter,
  condition: Value,
  inPlace: (set: (significand: Value, result: Value) => void) => void,
  kernel: () => Computed,
): Computed {
  const significand = e.variable(e.i64(0)), result = e.variable(e.i32(UNKNOWN));
  const set = (newSignificand: Value, newResult: Value) => {
    significand.set(newSignificand);
    result.set(newResult);
  };
  e.if(condition, () => inPlace(set));
  let settled = false;
  e.rarely(result.value.eq(UNKNOWN), () => {
    const exact = kernel();
    settled = e.leaveIf(exact.result.ltS(0));
    set(exact.significand, exact.result);
  });
  return { significand: e.let(significand.value), result: e.let(result.value), settled };
}

/**
 * Not 0 if a number of which `lost` is cut off, the last bit being that of `kept`, is to be rounded up: above a half,
 * or from a half to even.
 */
function roundsUp(kept: Value, lost: Value): Value {
  return lost.or(kept.and(1)).gtU(Value.i64(1n << 63n));
}

/** Flags of a number that was rounded. */
function flagsOf(lost: Value, up: Value): Value {
  return lost.isTrue().shl(PE).or(up.shl(C1));
}

/** Rounds (high:low), bit 63 of high set, to 64 bits. */
function round(
  e: Emitter,
  sign: Value,
  exponent: Value,
  high: Value,
  low: Value,
  set: (significand: Value, result: Value) => void,
): void {
  const up = e.let(roundsUp(high, low)), rounded = e.let(high.add(up.extendU()));
  const result = e.let(sign.or(exponent).or(flagsOf(low, up)));
  set(rounded, result);
  // To the next power of two: exponents are far from their upper end.
  e.rarely(rounded.eqz(), () => set(e.i64(1n << 63n), result.add(1)));
}

/** a × b. */
export function multiply(e: Emitter, a: Number80, b: Number80, kernel: () => Computed): Computed {
  return computed(e, areCommon(e, a, b), (set) => {
    const low32 = (value: Value) => e.let(value.wrap().extendU()), high32 = (value: Value) => e.let(value.shrU(32));
    const a0 = low32(a.significand), a1 = high32(a.significand), b0 = low32(b.significand), b1 = high32(b.significand);
    const p00 = e.let(a0.mul(b0)), p10 = e.let(a1.mul(b0).add(p00.shrU(32)));
    const p01 = e.let(a0.mul(b1).add(p10.wrap().extendU()));
    const low = e.let(p01.shl(32).or(p00.wrap().extendU()));
    const high = e.let(a1.mul(b1).add(p10.shrU(32)).add(p01.shrU(32)));
    // 1 if the product has a leading zero.
    const left = e.let(high.shrU(63).xor(e.i64(1)));
    const exponent = e.let(a.signExponent.and(0x7fff).add(b.signExponent.and(0x7fff)).sub(16382).sub(left.wrap()));
    const sign = a.signExponent.xor(b.signExponent).and(0x8000);
    const normalised = e.let(high.shl(left).or(low.shrU(63).and(left)));
    // Two of the largest that are common overflow; rounding may add 1.
    e.if(exponent.ltU(0x7ffe), () => round(e, sign, exponent, normalised, e.let(low.shl(left)), set));
  }, kernel);
}

/**
 * a + b. Which operand is larger, whether they have the same sign and how much cancels is anybody's guess: no branches
 * on that.
 */
export function add(e: Emitter, a: Number80, b: Number80, kernel: () => Computed): Computed {
  const difference = e.let(a.signExponent.and(0x7fff).sub(b.signExponent.and(0x7fff))), swap = e.let(difference.ltS(0));
  const shift = e.let(e.select(swap, e.i32(0).sub(difference), difference));
  return computed(e, areCommon(e, a, b).and(shift.ltU(63)), (set) => {
    const large = e.let(e.select(swap, b.significand, a.significand));
    const small = e.let(e.select(swap, a.significand, b.significand));
    const largest = e.let(e.select(swap, b.signExponent, a.signExponent));
    // −1 if the smaller one is to be subtracted.
    const minus = e.let(a.signExponent.xor(b.signExponent).shl(16).shrS(31).extendS());
    // 128 bits each, with room for a carry.
    const shifted = e.let(small.shl(shift.xor(63).extendU()));
    const low = e.let(shifted.xor(minus).sub(minus)), borrow = shifted.eqz().extendU().and(minus);
    const high = small.shrU(shift.add(1).extendU()).xor(minus).add(borrow);
    const carry = low.shrU(63).and(large), sum = e.let(high.add(large.shrU(1)).add(carry));
    const sumHigh = e.variable(sum), sumLow = e.variable(low.xor(large.shl(63))), sign = e.variable(largest);
    // Of the same exponent, and the other one was larger: rare enough for a branch.
    e.rarely(sum.and(minus).ltS(e.i64(0)), () => {
      const negated = e.let(e.i64(0).sub(sumLow.value));
      sumLow.set(negated);
      sumHigh.set(sum.not().add(negated.eqz().extendU()));
      sign.set(largest.not());
    });
    const upper = e.let(sumHigh.value), lower = e.let(sumLow.value);
    e.if(upper.isTrue(), () => {
      const left = e.let(upper.clz()), normalised = e.let(upper.shl(left).or(lower.shrU(1).shrU(left.xor(e.i64(63)))));
      const exponent = largest.and(0x7fff).add(1).sub(left.wrap());
      round(e, sign.value.and(0x8000), exponent, normalised, e.let(lower.shl(left)), set);
    });
  }, kernel);
}

/** An integer (i64) as a number. */
export function fromInteger(e: Emitter, value: Value): Number80 {
  const sign = e.let(value.shrS(63)), magnitude = e.let(value.xor(sign).sub(sign)), zeros = e.let(magnitude.clz());
  const signExponent = e.i32(16383 + 63).sub(zeros.wrap()).or(sign.wrap().and(0x8000));
  return { significand: magnitude.shl(zeros), signExponent: e.select(magnitude.eqz(), e.i32(0), signExponent) };
}

/** The bits of an m32 or m64, as i64. */
export function toFloat(
  e: Emitter,
  { significand, signExponent }: Number80,
  size: number,
  kernel: () => Computed,
): Computed {
  const [fraction, bias] = size === 64 ? [52, 1023] : [23, 127], cut = 63 - fraction;
  const exponent = e.let(signExponent.and(0x7fff).sub(16383 - bias + 1));
  const normal = exponent.ltU(2 * bias - 1).and(significand.shrU(63).wrap());
  return computed(e, normal.and(e.steady(x87Rounds64)), (set) => {
    const kept = e.let(significand.shrU(cut)),
      lost = e.let(significand.shl(64 - cut)),
      up = e.let(roundsUp(kept, lost));
    const sign = signExponent.shrU(15).and(1).extendU().shl(size - 1);
    // The integer bit adds 1 to the exponent; so does a carry out of the fraction.
    set(sign.or(exponent.extendU().shl(fraction).add(kept).add(up.extendU())), flagsOf(lost, up));
  }, kernel);
}

/** Rounding control in FCW: to nearest, and towards zero. */
const NEAREST = 0, TRUNCATE = Fcw.RC;

/** An integer of `size` bits, as i64. */
export function toInteger(
  e: Emitter,
  { significand, signExponent }: Number80,
  size: number,
  truncate: boolean,
  kernel: () => Computed,
): Computed {
  const control = e.state(S.FCW, "i32"), rounding = e.let(truncate ? e.i32(TRUNCATE) : control.and(Fcw.RC));
  const exponent = e.let(signExponent.and(0x7fff).sub(16383)), nearest = e.let(rounding.eq(NEAREST));
  const usual = control.and(Fcw.MASKS).eq(Fcw.MASKS).and(nearest.or(rounding.eq(TRUNCATE)));
  // Magnitudes from 1 to 2^(size − 2) stay in range.
  const inRange = exponent.ltU(size - 2).and(significand.shrU(63).wrap());
  return computed(e, usual.and(inRange), (set) => {
    const kept = e.let(significand.shrU(e.i32(63).sub(exponent).extendU()));
    const lost = e.let(significand.shl(exponent.add(1).extendU())), up = e.let(roundsUp(kept, lost).and(nearest));
    const sign = e.let(signExponent.shl(16).shrS(31).extendS());
    set(kept.add(up.extendU()).xor(sign).sub(sign), flagsOf(lost, up));
  }, kernel);
}
