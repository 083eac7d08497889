/**
 * Arithmetic, conversions and comparisons of x87 numbers as functions of their operands, each a sign with an exponent and a
 * significand. Flags, and the sign and exponent of a result, are left at RESULT.
 *
 * The common case is decided in a few comparisons: rounding to nearest with 64 or 53 bits, every exception masked, operands
 * and result normal numbers or zero. The general functions of x87.as do everything else.
 *
 * V8 compares every address with the memory's size unless it is a constant, so the state block is the first processor's.
 */
import { CPU_BASE as CPU } from "./layout";
import { INTEGER_BIT } from "./softfloat";
import { x87_evaluate, x87_integer, x87_narrow, x87_widen } from "./x87";
import { C0, C3, FCW, RESULT } from "./x87_stack";

/** FCW: the exception masks, the rounding control, and the upper bit of the precision control (24 bits if it is 0). */
const CONTROL_BITS: i32 = 0xe3f;
const COMMON_CONTROL: i32 = 0x23f;
/** FCW: masks and rounding control alone, for what does not depend on the precision. */
const ROUNDING_BITS: i32 = 0xc3f;
const MASKS: i32 = 0x3f;
/** FCW: 64 bits of precision if this is 1 too, else 53. */
const EXTENDED: i32 = 0x100;

/** Kinds of operands: memory, as the general kernels number it, or a register. */
const FLOAT32: i32 = 0;
const FLOAT64: i32 = 1;
const INTEGER: i32 = 2;
const REGISTER: i32 = 3;

/** Operations by the opcode's bits 3–5. */
const MULTIPLY: i32 = 1;
const SUBTRACT: i32 = 4;
const SUBTRACT_REVERSED: i32 = 5;
const DIVIDE: i32 = 6;

/** True if nothing traps and results are rounded to nearest with 53 or 64 bits. */
// @ts-ignore: decorator
@inline
function common(control: i32): bool {
  return (control & CONTROL_BITS) == COMMON_CONTROL;
}

/** True for exponents from 1 to 7FFEh. */
// @ts-ignore: decorator
@inline
function normalExponent(se: i32): bool {
  return ((se + 1) & 0x7ffe) != 0;
}

/** True for zero and for normal numbers. */
function ordinary(se: i32, sig: u64): bool {
  return <i64> sig < 0 ? normalExponent(se) : sig == 0 && (se & 0x7fff) == 0;
}

// ---- memory operands: sign and exponent, 7FFFh for what is neither normal nor zero; and the significand

// @ts-ignore: decorator
@inline
function seOf(kind: i32, bits: i64): i32 {
  if (kind == FLOAT64) {
    const exp = <i32> (<u64> bits >> 52) & 0x7ff, sign = <i32> (<u64> bits >> 48) & 0x8000;
    if (<u32> (exp - 1) < 0x7fe) return sign | (exp + 15360);
    return bits << 1 == 0 ? sign : 0x7fff;
  }
  if (kind == FLOAT32) {
    const exp = <i32> (bits >> 23) & 0xff, sign = <i32> (bits >> 16) & 0x8000;
    if (<u32> (exp - 1) < 0xfe) return sign | (exp + 16256);
    return <i32> bits << 1 == 0 ? sign : 0x7fff;
  }
  if (bits == 0) return 0;
  return (<i32> (<u64> bits >> 48) & 0x8000) | (16383 + 63 - <i32> clz(bits < 0 ? -bits : bits));
}

// @ts-ignore: decorator
@inline
function sigOf(kind: i32, bits: i64): u64 {
  if (kind == FLOAT64) return bits << 1 == 0 ? 0 : INTEGER_BIT | (bits << 11);
  if (kind == FLOAT32) return <i32> bits << 1 == 0 ? 0 : INTEGER_BIT | (<u64> bits << 40);
  const magnitude = <u64> (bits < 0 ? -bits : bits);
  return bits == 0 ? 0 : magnitude << clz(magnitude);
}

// ---- results: the significand is returned; the rest is left at RESULT

/** An exact result. */
// @ts-ignore: decorator
@inline
function exact(se: i32, sig: u64): u64 {
  store<i32>(CPU, se, RESULT);
  return sig;
}

/** What the fast path cannot do. */
function general(op: i32, aSe: i32, aSig: u64, kind: i32, bits: i64, bSe: i32): u64 {
  return x87_evaluate(CPU, op, aSe, aSig, kind, bits, bSe);
}

/** True unless rounding may bring a result out of the range of normal numbers. */
// @ts-ignore: decorator
@inline
function inRange(exp: i32): bool {
  return <u32> (exp - 1) < 0x7ffd;
}

/** Rounds (hi:lo), bit 63 of hi set. */
// @ts-ignore: decorator
@inline
function round(control: i32, sign: i32, exp: i32, hi: u64, lo: u64): u64 {
  let up: u64;
  if ((control & EXTENDED) != 0) {
    // The carry of adding just less than a half, or a half if hi is odd.
    up = <u64> (lo + (0x7fffffffffffffff + (hi & 1)) < lo);
    hi += up;
  } else {
    lo = (hi << 53) | <u64> (lo != 0);
    up = <u64> (lo + (0x7fffffffffffffff + ((hi >> 11) & 1)) < lo);
    hi = (hi & ~0x7ff) + (up << 11);
  }
  // Rounded up to the next power of two.
  const over = <u64> (hi == 0);
  store<i32>(CPU, sign | (exp + <i32> over) | (<i32> (lo != 0) << 21) | (<i32> up << 25), RESULT);
  return hi | (over << 63);
}

// ---- arithmetic: a op b; `flipA` and `flipB` (0 or 8000h) negate; of a register, `bits` are its significand

// @ts-ignore: decorator
@inline
function add(flipA: i32, flipB: i32, aSe: i32, aSig: u64, kind: i32, bits: i64, bSe: i32, bSig: u64): u64 {
  const control = load<i32>(CPU, FCW);
  if (!common(control) || <i64> (aSig & bSig) >= 0 || !normalExponent(aSe) || !normalExponent(bSe)) {
    return addSpecial(control, flipA, flipB, aSe, aSig, kind, bits, bSe, bSig);
  }
  const givenSe = aSe, givenB = bSe, givenSig = aSig;
  aSe ^= flipA;
  bSe ^= flipB;
  // Which operand is larger, which have the same sign and how much cancels is anybody's guess: no branches on that.
  const difference = (aSe & 0x7fff) - (bSe & 0x7fff), swap = difference < 0;
  const largeSe = swap ? bSe : aSe, large = swap ? bSig : aSig, small = swap ? aSig : bSig;
  const shift = swap ? -difference : difference;
  if (shift > 62) {
    return addFar(control, flipA, flipB, givenSe, givenSig, kind, bits, givenB, largeSe, large, aSe ^ bSe, small, shift);
  }
  // 128 bits each, with room for a carry; −1 if the smaller one is to be subtracted.
  const minus = <i64> (<i32> (aSe ^ bSe) << 16 >> 31);
  let hi = small >> (shift + 1), lo = small << (shift ^ 63);
  hi = (hi ^ minus) + (<u64> (lo == 0) & minus);
  lo = (lo ^ minus) - minus;
  const sum = (large << 63) + lo;
  hi += (large >> 1) + <u64> (sum < lo);
  lo = sum;
  let sign = largeSe & 0x8000, exp = largeSe & 0x7fff;
  if (<i64> (hi & minus) < 0) {
    // Of the same exponent, and the other one was larger.
    lo = 0 - lo;
    hi = ~hi + <u64> (lo == 0);
    sign ^= 0x8000;
  }
  if (hi == 0) {
    if (lo == 0) return exact(0, 0);
    hi = lo;
    lo = 0;
    exp -= 64;
  }
  const left = clz(hi);
  hi = (hi << left) | (lo >> 1 >> (left ^ 63));
  lo <<= left;
  exp += 1 - <i32> left;
  if (inRange(exp)) return round(control, sign, exp, hi, lo);
  return general(subtraction(flipA, flipB), givenSe, givenSig, kind, bits, givenB);
}

/** Adds where the smaller operand lies below the last bit but one of the larger; bit 15 of `signs` is set if they differ. */
function addFar(
  control: i32, flipA: i32, flipB: i32, aSe: i32, aSig: u64, kind: i32, bits: i64, bSe: i32, largeSe: i32, large: u64,
  signs: i32, small: u64, shift: i32,
): u64 {
  let lo = shift == 63 ? small << 1 : shift == 64 ? small : 1, hi: u64 = shift == 63 ? small >> 63 : 0;
  if (shift > 64 && shift < 128) lo = (small >> (shift - 64)) | <u64> (small << (128 - shift) != 0);
  let exp = largeSe & 0x7fff;
  if ((signs & 0x8000) == 0) {
    hi += large;
    if (hi < large) {
      lo = (hi << 63) | (lo >> 1) | (lo & 1);
      hi = INTEGER_BIT | (hi >> 1);
      exp++;
    }
  } else {
    hi = large - hi - <u64> (lo != 0);
    lo = 0 - lo;
    if (<i64> hi >= 0) {
      hi = (hi << 1) | (lo >> 63);
      lo <<= 1;
      exp--;
    }
  }
  if (inRange(exp)) return round(control, largeSe & 0x8000, exp, hi, lo);
  return general(subtraction(flipA, flipB), aSe, aSig, kind, bits, bSe);
}

function subtraction(flipA: i32, flipB: i32): i32 {
  return flipA != 0 ? SUBTRACT_REVERSED : flipB != 0 ? SUBTRACT : 0;
}

/** Adds where one operand is zero or nothing ordinary. */
function addSpecial(
  control: i32, flipA: i32, flipB: i32, aSe: i32, aSig: u64, kind: i32, bits: i64, bSe: i32, bSig: u64,
): u64 {
  if (common(control) && ordinary(aSe, aSig) && ordinary(bSe, bSig) && (aSig & bSig) == 0) {
    if ((aSig | bSig) == 0) return exact((aSe ^ flipA) & (bSe ^ flipB), 0);
    const se = aSig == 0 ? bSe ^ flipB : aSe ^ flipA, exp = se & 0x7fff;
    if (inRange(exp)) return round(control, se & 0x8000, exp, aSig | bSig, 0);
  }
  return general(subtraction(flipA, flipB), aSe, aSig, kind, bits, bSe);
}

// @ts-ignore: decorator
@inline
function multiply(aSe: i32, aSig: u64, kind: i32, bits: i64, bSe: i32, bSig: u64): u64 {
  const control = load<i32>(CPU, FCW);
  if (!common(control) || <i64> (aSig & bSig) >= 0 || !normalExponent(aSe) || !normalExponent(bSe)) {
    if ((aSig & bSig) != 0 || !ordinary(aSe, aSig) || !ordinary(bSe, bSig)) {
      return general(MULTIPLY, aSe, aSig, kind, bits, bSe);
    }
    return exact((aSe ^ bSe) & 0x8000, 0);
  }
  const a0 = aSig & 0xffffffff, a1 = aSig >> 32, b0 = bSig & 0xffffffff, b1 = bSig >> 32;
  const p00 = a0 * b0, p10 = a1 * b0 + (p00 >> 32), p01 = a0 * b1 + (p10 & 0xffffffff);
  let lo = (p01 << 32) | (p00 & 0xffffffff), hi = a1 * b1 + (p10 >> 32) + (p01 >> 32);
  // −1 if the product has a leading zero.
  const left = ~(<i64> hi >> 63);
  hi += (hi & left) + ((lo >> 63) & left);
  lo += lo & left;
  const exp = (aSe & 0x7fff) + (bSe & 0x7fff) - 16382 + <i32> left;
  if (inRange(exp)) return round(control, (aSe ^ bSe) & 0x8000, exp, hi, lo);
  return general(MULTIPLY, aSe, aSig, kind, bits, bSe);
}

/** Divides; the other way round if `reversed`. */
// @ts-ignore: decorator
@inline
function divide(reversed: i32, se: i32, sig: u64, kind: i32, bits: i64, otherSe: i32, otherSig: u64): u64 {
  const control = load<i32>(CPU, FCW);
  const aSe = reversed != 0 ? otherSe : se, aSig = reversed != 0 ? otherSig : sig;
  const bSe = reversed != 0 ? se : otherSe, bSig = reversed != 0 ? sig : otherSig;
  if (!common(control) || <i64> (aSig & bSig) >= 0 || !normalExponent(aSe) || !normalExponent(bSe)) {
    if (aSig != 0 || bSig == 0 || !ordinary(aSe, aSig) || !ordinary(bSe, bSig)) {
      return general(DIVIDE + reversed, se, sig, kind, bits, otherSe);
    }
    return exact((aSe ^ bSe) & 0x8000, 0);
  }
  // The dividend with a leading zero if it would not be below the divisor.
  const right = <u64> (aSig >= bSig), hi = aSig >> right, lo = (aSig & right) << 63;
  // Two digits of 32 bits, each estimated from the divisor's upper half: at most two too large.
  const d1 = bSig >> 32, d0 = bSig & 0xffffffff;
  let q1 = hi / d1, product = q1 * d0, rest = hi - q1 * d1;
  let upper = (rest << 32) | (lo >> 32);
  // rest has at most 32 bits while it is compared.
  if (q1 > 0xffffffff || product > upper) {
    q1--;
    product -= d0;
    rest += d1;
    upper = (rest << 32) | (lo >> 32);
    if (rest <= 0xffffffff && (q1 > 0xffffffff || product > upper)) {
      q1--;
      product -= d0;
      rest += d1;
      upper = (rest << 32) | (lo >> 32);
    }
  }
  const middle = upper - product;
  let q0 = middle / d1;
  product = q0 * d0;
  rest = middle - q0 * d1;
  upper = rest << 32;
  if (q0 > 0xffffffff || product > upper) {
    q0--;
    product -= d0;
    rest += d1;
    upper = rest << 32;
    if (rest <= 0xffffffff && (q0 > 0xffffffff || product > upper)) {
      q0--;
      product -= d0;
      upper = (rest + d1) << 32;
    }
  }
  const remainder = upper - product;
  // Twice the remainder against the divisor; they are never equal, because the quotient would have 65 bits.
  const tail = (<u64> (remainder > bSig - remainder) << 63) | <u64> (remainder != 0);
  const exp = (aSe & 0x7fff) - (bSe & 0x7fff) + 16382 + <i32> right;
  if (inRange(exp)) return round(control, (aSe ^ bSe) & 0x8000, exp, (q1 << 32) | q0, tail);
  return general(DIVIDE + reversed, se, sig, kind, bits, otherSe);
}

// ---- the instructions: of two registers, or of one and a number in memory

/** FADD, FSUB, FSUBR: 8000h in `flipA` negates the first operand (FSUBR), in `flipB` the second (FSUB). */
export function x87_add(aSe: i32, aSig: u64, bSe: i32, bSig: u64, flipA: i32, flipB: i32): u64 {
  return add(flipA, flipB, aSe, aSig, REGISTER, <i64> bSig, bSe, bSig);
}

export function x87_add_float32(aSe: i32, aSig: u64, bits: i64, flipA: i32, flipB: i32): u64 {
  return add(flipA, flipB, aSe, aSig, FLOAT32, bits, seOf(FLOAT32, bits), sigOf(FLOAT32, bits));
}

export function x87_add_float64(aSe: i32, aSig: u64, bits: i64, flipA: i32, flipB: i32): u64 {
  return add(flipA, flipB, aSe, aSig, FLOAT64, bits, seOf(FLOAT64, bits), sigOf(FLOAT64, bits));
}

export function x87_add_integer(aSe: i32, aSig: u64, bits: i64, flipA: i32, flipB: i32): u64 {
  return add(flipA, flipB, aSe, aSig, INTEGER, bits, seOf(INTEGER, bits), sigOf(INTEGER, bits));
}

/** FMUL. */
export function x87_multiply(aSe: i32, aSig: u64, bSe: i32, bSig: u64): u64 {
  return multiply(aSe, aSig, REGISTER, <i64> bSig, bSe, bSig);
}

export function x87_multiply_float32(aSe: i32, aSig: u64, bits: i64): u64 {
  return multiply(aSe, aSig, FLOAT32, bits, seOf(FLOAT32, bits), sigOf(FLOAT32, bits));
}

export function x87_multiply_float64(aSe: i32, aSig: u64, bits: i64): u64 {
  return multiply(aSe, aSig, FLOAT64, bits, seOf(FLOAT64, bits), sigOf(FLOAT64, bits));
}

export function x87_multiply_integer(aSe: i32, aSig: u64, bits: i64): u64 {
  return multiply(aSe, aSig, INTEGER, bits, seOf(INTEGER, bits), sigOf(INTEGER, bits));
}

/** FDIV, and FDIVR if `reversed`. */
export function x87_divide(aSe: i32, aSig: u64, bSe: i32, bSig: u64, reversed: i32): u64 {
  return divide(reversed, aSe, aSig, REGISTER, <i64> bSig, bSe, bSig);
}

export function x87_divide_float32(aSe: i32, aSig: u64, bits: i64, reversed: i32): u64 {
  return divide(reversed, aSe, aSig, FLOAT32, bits, seOf(FLOAT32, bits), sigOf(FLOAT32, bits));
}

export function x87_divide_float64(aSe: i32, aSig: u64, bits: i64, reversed: i32): u64 {
  return divide(reversed, aSe, aSig, FLOAT64, bits, seOf(FLOAT64, bits), sigOf(FLOAT64, bits));
}

export function x87_divide_integer(aSe: i32, aSig: u64, bits: i64, reversed: i32): u64 {
  return divide(reversed, aSe, aSig, INTEGER, bits, seOf(INTEGER, bits), sigOf(INTEGER, bits));
}

/** FLD m32 and m64. */
// @ts-ignore: decorator
@inline
function widen(kind: i32, bits: i64): u64 {
  const se = seOf(kind, bits);
  return se == 0x7fff ? x87_widen(CPU, kind, bits) : exact(se, sigOf(kind, bits));
}

export function x87_widen_float32(bits: i64): u64 {
  return widen(FLOAT32, bits);
}

export function x87_widen_float64(bits: i64): u64 {
  return widen(FLOAT64, bits);
}

// ---- stores: the bits to store; flags are left at RESULT

/** The flags of bits that left the number, and whether it was rounded up. */
// @ts-ignore: decorator
@inline
function note(inexact: bool, up: bool): void {
  store<i32>(CPU, (<i32> inexact << 21) | (<i32> up << 25), RESULT);
}

/** True for zero: then the flags are settled. */
function isZero(se: i32, sig: u64): bool {
  if (sig != 0 || (se & 0x7fff) != 0) return false;
  note(false, false);
  return true;
}

/** FST m64. */
export function x87_round_float64(se: i32, sig: u64): i64 {
  const exp = (se & 0x7fff) - 15360;
  if (<i64> sig < 0 && (load<i32>(CPU, FCW) & ROUNDING_BITS) == MASKS && <u32> (exp - 1) < 0x7fd) {
    const lo = sig << 53, up = lo + (0x7fffffffffffffff + ((sig >> 11) & 1)) < lo;
    note(lo != 0, up);
    // The integer bit adds 1 to the exponent; so does a carry out of the fraction.
    return (<u64> (se & 0x8000) << 48) | ((<u64> (exp - 1) << 52) + (sig >> 11) + <u64> up);
  }
  return isZero(se, sig) ? <u64> (se & 0x8000) << 48 : x87_narrow(CPU, se, sig, 1);
}

/** FST m32. */
export function x87_round_float32(se: i32, sig: u64): i64 {
  const exp = (se & 0x7fff) - 16256;
  if (<i64> sig < 0 && (load<i32>(CPU, FCW) & ROUNDING_BITS) == MASKS && <u32> (exp - 1) < 0xfd) {
    const lo = sig << 24, up = lo + (0x7fffffffffffffff + ((sig >> 40) & 1)) < lo;
    note(lo != 0, up);
    return (<u64> (se & 0x8000) << 16) | ((<u64> (exp - 1) << 23) + (sig >> 40) + <u64> up);
  }
  return isZero(se, sig) ? <u64> (se & 0x8000) << 16 : x87_narrow(CPU, se, sig, 0);
}

/** FIST and FISTTP: the integer to store, of `bits` bits; rounding to nearest, or towards zero. */
export function x87_round_integer(se: i32, sig: u64, bits: i32, truncate: i32): i64 {
  const control = load<i32>(CPU, FCW), rounding = truncate != 0 ? 3 : (control >> 10) & 3, exp = (se & 0x7fff) - 16383;
  // Magnitudes below 2^(bits − 2) stay in range.
  if (
    <i64> sig < 0 && (control & MASKS) == MASKS && <u32> (exp + 1) < <u32> (bits - 1) && (rounding == 0 || rounding == 3)
  ) {
    const shift = 63 - exp, kept: u64 = shift == 64 ? 0 : sig >> shift, lo = sig << (64 - shift);
    const up = rounding == 0 && lo + (0x7fffffffffffffff + (kept & 1)) < lo;
    note(lo != 0, up);
    const magnitude = <i64> (kept + <u64> up);
    return (se & 0x8000) != 0 ? -magnitude : magnitude;
  }
  return isZero(se, sig) ? 0 : x87_integer(CPU, se, sig, bits, truncate);
}

// ---- comparisons: C3, C2 and C0 of a compared with b, or −1 if the general kernel has to say

/** True for zero, normal numbers and infinities. */
function orderable(se: i32, sig: u64): bool {
  return ordinary(se, sig) || ((se & 0x7fff) == 0x7fff && sig == INTEGER_BIT);
}

// @ts-ignore: decorator
@inline
function compare(aSe: i32, aSig: u64, bSe: i32, bSig: u64): i32 {
  if (<i64> (aSig & bSig) >= 0 || !normalExponent(aSe) || !normalExponent(bSe)) {
    if (!orderable(aSe, aSig) || !orderable(bSe, bSig)) return -1;
    if ((aSig | bSig) == 0) return C3;
  }
  if (((aSe ^ bSe) & 0x8000) != 0) return (aSe & 0x8000) != 0 ? C0 : 0;
  if (aSe == bSe && aSig == bSig) return C3;
  // The signs are the same, so they do not matter here.
  const less = aSe < bSe || (aSe == bSe && aSig < bSig);
  return less != ((aSe & 0x8000) != 0) ? C0 : 0;
}

/** FCOM, FUCOM, FCOMI with a register. */
export function x87_order(aSe: i32, aSig: u64, bSe: i32, bSig: u64): i32 {
  return compare(aSe, aSig, bSe, bSig);
}

/** FCOM, FICOM with memory. */
export function x87_order_memory(aSe: i32, aSig: u64, kind: i32, bits: i64): i32 {
  const se = seOf(kind, bits);
  return se == 0x7fff ? -1 : compare(aSe, aSig, se, sigOf(kind, bits));
}
