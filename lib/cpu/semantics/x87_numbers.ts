/**
 * Sums, products and conversions of x87 numbers in place, for the common case: rounding to nearest with 64 bits (of integers
 * also towards zero), exceptions masked, operands that are normal and not near the ends of the range of exponents, so that
 * results are, too. Kernels do the rest.
 */
import type { Emitter } from "../emit/emitter.ts";
import { x87Rounds64 } from "../emit/steady.ts";
import { Value } from "../emit/value.ts";
import { Fcw, Fsw, S } from "../state.ts";
import { flagsOf } from "./x87_stack.ts";

/** An x87 number. */
export interface Number80 {
  readonly significand: Value;
  /** 16 bits. */
  readonly signExponent: Value;
  /** Not 0 if the common case applies; else it is to be found out. */
  readonly isCommon?: Value;
}

/** What a kernel computes. */
export interface KernelResult {
  readonly significand: Value;
  /** Sign and exponent with flags and C1 as in FSW 16 bits higher; negative if an exception is not masked. */
  readonly result: Value;
}

/** Result of a computation. */
export interface Computed {
  /** The significand, or the bits of a number in memory. */
  readonly significand: Value;
  readonly signExponent: Value;
  /** Negative if an exception is not masked; null if the instruction has been left in that case. */
  readonly result: Value | null;
  /** Sets flags and C1 of the status word. */
  noteFlags(): void;
}

/** Position of C1 in a kernel's result. */
const C1 = 16 + Fsw.C1_SHIFT;

/** Sets what the computation of a number gives: `up` and `lost` as in {@link Emitter.noteRounding}. */
type Setter = (significand: Value, signExponent: Value, up: Value, lost: Value) => void;

/** Bit 14 is set if the exponent is at least 2000h and below 6000h. */
function middling(signExponent: Value): Value {
  return signExponent.add(0x2000);
}

/**
 * Gives up unless numbers are normal, the exponents of some are not near an end of their range, and rounding is what is expected here.
 */
function requireCommon(
  e: Emitter,
  numbers: readonly Number80[],
  signExponents: readonly Value[],
  giveUp: (condition: Value) => void,
): void {
  for (const { isCommon } of numbers) if (isCommon) giveUp(isCommon.eqz());
  const exponents = signExponents.reduce((all, exponent) => all.and(middling(exponent)), e.steady(x87Rounds64));
  // The bit comes to lie where normal numbers have a 1.
  const unknown = numbers.filter(({ isCommon }) => isCommon === undefined);
  const all = unknown.reduce((all, { significand }) => all.and(significand), exponents.extendU().shl(63 - 14));
  giveUp(all.ltS(0).eqz());
}

/**
 * Runs `inPlace`; `kernel` computes what it gives up. `later`: something that can fault comes before the flags may be noted.
 */
function computed(
  e: Emitter,
  inPlace: (set: Setter, giveUp: (condition: Value) => void) => void,
  kernel: () => KernelResult,
  later = false,
): Computed {
  const significand = e.variable(e.i64(0)), signExponent = e.variable(e.i32(0));
  const up = e.variable(e.i32(0)), lost = e.variable(e.i64(0)), result = e.variable(e.i32(0));
  let settled = false;
  e.attempt(
    (giveUp) =>
      inPlace((newSignificand, newSignExponent, newUp, newLost) => {
        significand.set(newSignificand);
        signExponent.set(newSignExponent);
        up.set(newUp);
        lost.set(newLost);
      }, giveUp),
    () => {
      const exact = kernel();
      settled = e.leaveIf(exact.result.ltS(0));
      significand.set(exact.significand);
      signExponent.set(exact.result.and(0xffff));
      up.set(exact.result.shrU(C1).and(1));
      lost.set(e.i64(0));
      if (settled && !later) e.addX87Flags(flagsOf(exact.result));
      else result.set(exact.result);
    },
  );
  const noteFlags = () => {
    if (!settled || later) e.addX87Flags(flagsOf(result.value));
    e.noteRounding(e.let(up.value), e.let(lost.value));
  };
  return {
    significand: e.let(significand.value),
    signExponent: e.let(signExponent.value),
    result: settled ? null : e.let(result.value),
    noteFlags,
  };
}

/** What a kernel computes in any case. */
export function byKernelOnly(e: Emitter, { significand, result }: KernelResult): Computed {
  const settled = e.leaveIf(result.ltS(0));
  const noteFlags = () => {
    e.addX87Flags(flagsOf(result));
    e.noteRounding(e.let(result.shrU(C1).and(1)), e.i64(0));
  };
  return { significand, signExponent: e.let(result.and(0xffff)), result: settled ? null : result, noteFlags };
}

/**
 * Not 0 if a number of which `lost` is cut off, the last bit being that of `kept`, is to be rounded up: above a half,
 * or from a half to even.
 */
function roundsUp(kept: Value, lost: Value): Value {
  return lost.or(kept.and(1)).gtU(Value.i64(1n << 63n));
}

/** Rounds (high:low), bit 63 of high set, to 64 bits. */
function round(e: Emitter, signExponent: Value, high: Value, low: Value, set: Setter): void {
  const half = e.i64(1n << 63n);
  const above = e.variable(low.shrU(63));
  e.rarely(low.eq(half), () => above.set(high.and(1)));
  const up = e.let(above.value), rounded = e.let(high.add(up));
  set(rounded, signExponent, up.wrap(), low);
  // To the next power of two: exponents are far from their upper end.
  e.rarely(rounded.eqz(), () => set(half, signExponent.add(1), up.wrap(), low));
}

/** a × b. */
export function multiply(e: Emitter, a: Number80, b: Number80, kernel: () => KernelResult): Computed {
  return computed(e, (set, giveUp) => {
    const unknown = [a, b].filter(({ isCommon }) => isCommon === undefined);
    requireCommon(e, [a, b], unknown.map(({ signExponent }) => signExponent), giveUp);
    const low32 = (value: Value) => e.let(value.wrap().extendU()), high32 = (value: Value) => e.let(value.shrU(32));
    const a0 = low32(a.significand), a1 = high32(a.significand), b0 = low32(b.significand), b1 = high32(b.significand);
    const p00 = e.let(a0.mul(b0)), p10 = e.let(a1.mul(b0).add(p00.shrU(32)));
    const p01 = e.let(a0.mul(b1).add(p10.wrap().extendU())), low = e.let(a.significand.mul(b.significand));
    const high = e.let(a1.mul(b1).add(p10.shrU(32)).add(p01.shrU(32)));
    const isNormal = high.ltS(0), leading = high.shrU(63).wrap();
    if (unknown.length === 2) {
      // Two of the largest overflow; rounding may add 1. Those of numbers from memory are far smaller.
      const exponents = a.signExponent.and(0x7fff).add(b.signExponent.and(0x7fff));
      giveUp(exponents.add(leading).geU(0x7ffe + 16383));
    }
    // Without a leading zero the product's exponent is 1 more than with one, which is taken off. It does not reach the sign.
    const signExponent = e.let(a.signExponent.add(b.signExponent).sub(16383).add(leading).and(0xffff));
    const upper = e.let(e.select(isNormal, high, high.add(high).or(low.shrU(63))));
    round(e, signExponent, upper, e.let(e.select(isNormal, low, low.add(low))), set);
  }, kernel);
}

/**
 * a + b. Which operand is larger, whether they have the same sign and how much cancels is anybody's guess: no branches
 * on that.
 */
export function add(e: Emitter, a: Number80, b: Number80, kernel: () => KernelResult): Computed {
  return computed(e, (set, giveUp) => {
    const difference = e.let(a.signExponent.and(0x7fff).sub(b.signExponent.and(0x7fff))),
      swap = e.let(difference.ltS(0));
    const shift = e.let(e.select(swap, e.i32(0).sub(difference), difference));
    giveUp(shift.geU(63));
    const large = e.let(e.select(swap, b.significand, a.significand));
    const small = e.let(e.select(swap, a.significand, b.significand));
    const largest = e.let(e.select(swap, b.signExponent, a.signExponent));
    // The other one's exponent is at most 62 less.
    requireCommon(e, [a, b], [largest], giveUp);
    // −1 if the smaller one is to be subtracted.
    const minus = e.let(e.i64(0).sub(a.signExponent.xor(b.signExponent).shrU(15).extendU()));
    // 128 bits each, with room for a carry.
    const right = e.let(shift.extendU().add(1)), rotated = e.let(small.rotr(right));
    const shiftedHigh = e.let(rotated.and(e.i64(-1n).shrU(right))), shifted = e.let(rotated.xor(shiftedHigh));
    // All zeros: 64 leading ones.
    const low = e.let(shifted.xor(minus).sub(minus)), borrow = shifted.clz().shrU(6).and(minus);
    const high = shiftedHigh.xor(minus).add(borrow);
    const carry = low.shrU(63).and(large), sum = e.let(high.add(large.shrU(1)).add(carry));
    const sumHigh = e.variable(sum), sumLow = e.variable(low.xor(large.shl(63))), signed = e.variable(largest);
    // Of the same exponent, and the other one was larger: rare enough for a branch.
    e.rarely(sum.and(minus).ltS(0), () => {
      const negated = e.let(e.i64(0).sub(sumLow.value));
      sumLow.set(negated);
      sumHigh.set(sum.not().add(negated.eqz().extendU()));
      signed.set(largest.xor(0x8000));
    });
    const upper = e.let(sumHigh.value), lower = e.let(sumLow.value);
    giveUp(upper.eqz());
    const left = e.let(upper.clz()), turned = e.let(lower.rotl(left)), rest = e.let(turned.and(e.i64(-1n).shl(left)));
    // The exponent does not reach the sign.
    const signExponent = e.let(signed.value.add(1).sub(left.wrap()));
    round(e, signExponent, e.let(upper.shl(left).or(turned.xor(rest))), rest, set);
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
  kernel: () => KernelResult,
): Computed {
  const [fraction, bias] = size === 64 ? [52, 1023] : [23, 127], cut = 63 - fraction;
  return computed(
    e,
    (set, giveUp) => {
      const exponent = e.let(signExponent.and(0x7fff).sub(16383 - bias + 1));
      giveUp(exponent.geU(2 * bias - 1));
      giveUp(significand.ltS(0).eqz());
      giveUp(e.steady(x87Rounds64).eqz());
      const kept = e.let(significand.shrU(cut)),
        lost = e.let(significand.shl(64 - cut)),
        up = e.let(roundsUp(kept, lost));
      const sign = signExponent.shrU(15).extendU().shl(size - 1);
      // The integer bit adds 1 to the exponent; so does a carry out of the fraction.
      set(sign.or(exponent.extendU().shl(fraction).add(kept).add(up.extendU())), e.i32(0), up, lost);
    },
    kernel,
    true,
  );
}

/** Rounding control in FCW: to nearest, and towards zero. */
const NEAREST = 0, TRUNCATE = Fcw.RC;

/** An integer of `size` bits, as i64. */
export function toInteger(
  e: Emitter,
  { significand, signExponent }: Number80,
  size: number,
  truncate: boolean,
  kernel: () => KernelResult,
): Computed {
  const control = e.state(S.FCW, "i32"), rounding = e.let(truncate ? e.i32(TRUNCATE) : control.and(Fcw.RC));
  return computed(
    e,
    (set, giveUp) => {
      const exponent = e.let(signExponent.and(0x7fff).sub(16383)), nearest = e.let(rounding.eq(NEAREST));
      giveUp(control.and(Fcw.MASKS).ne(Fcw.MASKS));
      giveUp(nearest.or(rounding.eq(TRUNCATE)).eqz());
      // Magnitudes from 1 to 2^(size − 2) stay in range.
      giveUp(exponent.geU(size - 2));
      giveUp(significand.ltS(0).eqz());
      const kept = e.let(significand.shrU(e.i32(63).sub(exponent).extendU()));
      const lost = e.let(significand.shl(exponent.add(1).extendU())), up = e.let(roundsUp(kept, lost).and(nearest));
      const sign = e.let(signExponent.shl(16).shrS(31).extendS());
      set(kept.add(up.extendU()).xor(sign).sub(sign), e.i32(0), up, lost);
    },
    kernel,
    true,
  );
}
