/**
 * The common case of the x87 instructions that programs spend their time in, decided in a few comparisons: rounding to nearest with
 * 64 or 53 bits, every exception masked, registers in use, operands and result normal numbers or zero. Every function here that
 * says false has changed nothing; the general kernels take over then. Nothing is kept in globals, so that all stays in locals.
 */
import { INTEGER_BIT, PE } from "./softfloat";
import { C0, C1, C2, C3, FCW, FSW, FTOP, FTW, X87 } from "./x87_stack";

/** FCW: the exception masks, the rounding control, and the upper bit of the precision control (24 bits if it is 0). */
const CONTROL_BITS: i32 = 0xe3f;
const COMMON_CONTROL: i32 = 0x23f;
/** FCW: 64 bits of precision if this is 1 too, else 53. */
const EXTENDED: i32 = 0x100;
const COMPARISON: i32 = C0 | C1 | C2 | C3;

/** True if nothing traps and results are rounded to nearest with 53 or 64 bits. */
// @ts-ignore: decorator
@inline
export function commonControl(control: i32): bool {
  return (control & CONTROL_BITS) == COMMON_CONTROL;
}

/** Exponents 1 to 7FFEh: with the integer bit set, a normal number. */
// @ts-ignore: decorator
@inline
function normalExponent(exp: i32): bool {
  return <u32> (exp - 1) < 0x7ffe;
}

/** The sign and exponent of a 64-bit number, 0x7fff for what is neither normal nor zero. */
// @ts-ignore: decorator
@inline
export function se64(bits: u64): i32 {
  const exp = <i32> (bits >> 52) & 0x7ff, sign = <i32> (bits >> 48) & 0x8000;
  if (<u32> (exp - 1) < 0x7fe) return sign | (exp + 15360);
  return bits << 1 == 0 ? sign : 0x7fff;
}

/** The significand of a 64-bit number that is normal or zero. */
// @ts-ignore: decorator
@inline
export function sig64(bits: u64): u64 {
  return bits << 1 == 0 ? 0 : INTEGER_BIT | ((bits << 12) >> 1);
}

// @ts-ignore: decorator
@inline
export function se32(bits: u32): i32 {
  const exp = <i32> (bits >> 23) & 0xff, sign = <i32> (bits >> 16) & 0x8000;
  if (<u32> (exp - 1) < 0xfe) return sign | (exp + 16256);
  return bits << 1 == 0 ? sign : 0x7fff;
}

// @ts-ignore: decorator
@inline
export function sig32(bits: u32): u64 {
  return bits << 1 == 0 ? 0 : INTEGER_BIT | ((<u64> bits << 41) >> 1);
}

// @ts-ignore: decorator
@inline
export function seInteger(value: i64): i32 {
  if (value == 0) return 0;
  const sign = <i32> (<u64> value >> 48) & 0x8000;
  return sign | (16383 + 63 - <i32> clz(value < 0 ? -value : value));
}

// @ts-ignore: decorator
@inline
export function sigInteger(value: i64): u64 {
  const magnitude = <u64> (value < 0 ? -value : value);
  return value == 0 ? 0 : magnitude << clz(magnitude);
}

/** Writes an exact result. */
// @ts-ignore: decorator
@inline
function deliver(base: usize, at: usize, se: i32, sig: u64): bool {
  store<u64>(at, sig);
  store<u16>(at, <u16> se, 8);
  store<i32>(base, load<i32>(base, FSW) & ~C1, FSW);
  return true;
}

/** Rounds (hi:lo), bit 63 of hi set, and writes it; false if the result may be out of the range of normal numbers. */
// @ts-ignore: decorator
@inline
function deliverRounded(base: usize, control: i32, at: usize, sign: i32, exp: i32, hi: u64, lo: u64): bool {
  if (<u32> (exp - 1) >= 0x7ffd) return false;
  let up: u64;
  if ((control & EXTENDED) != 0) {
    up = (lo >> 63) & (<u64> (lo << 1 != 0) | hi) & 1;
    hi += up;
  } else {
    lo = (hi << 53) | <u64> (lo != 0);
    up = (lo >> 63) & (<u64> (lo << 1 != 0) | (hi >> 11)) & 1;
    hi = (hi & ~0x7ff) + (up << 11);
  }
  // Rounded up to the next power of two.
  if (hi == 0) {
    hi = INTEGER_BIT;
    exp++;
  }
  store<u64>(at, hi);
  store<u16>(at, <u16> (sign | exp), 8);
  store<i32>(base, (load<i32>(base, FSW) & ~C1) | (lo != 0 ? PE | (<i32> up << 9) : 0), FSW);
  return true;
}

/** a + b. */
// @ts-ignore: decorator
@inline
export function add(base: usize, control: i32, at: usize, aSe: i32, aSig: u64, bSe: i32, bSig: u64): bool {
  let aExp = aSe & 0x7fff, bExp = bSe & 0x7fff;
  if (<i64> (aSig & bSig) >= 0 || !normalExponent(aExp) || !normalExponent(bExp)) {
    return addZero(base, control, at, aSe, aSig, bSe, bSig);
  }
  if (aExp < bExp || (aExp == bExp && aSig < bSig)) {
    const se = aSe, sig = aSig;
    aSe = bSe;
    aSig = bSig;
    bSe = se;
    bSig = sig;
    aExp = aSe & 0x7fff;
    bExp = bSe & 0x7fff;
  }
  const shift = aExp - bExp;
  let hi: u64, lo: u64;
  if (shift == 0) {
    hi = bSig;
    lo = 0;
  } else if (shift < 64) {
    hi = bSig >> shift;
    lo = bSig << (64 - shift);
  } else {
    hi = 0;
    lo = shift == 64 ? bSig : shift < 128 ? (bSig >> (shift - 64)) | <u64> (bSig << (128 - shift) != 0) : 1;
  }
  if (((aSe ^ bSe) & 0x8000) == 0) {
    hi += aSig;
    if (hi < aSig) {
      lo = (hi << 63) | (lo >> 1) | (lo & 1);
      hi = INTEGER_BIT | (hi >> 1);
      aExp++;
    }
  } else {
    hi = aSig - hi - <u64> (lo != 0);
    lo = 0 - lo;
    if (<i64> hi >= 0) {
      if (hi == 0) {
        if (lo == 0) return deliver(base, at, 0, 0);
        hi = lo;
        lo = 0;
        aExp -= 64;
      }
      const left = <i32> clz(hi);
      if (left != 0) {
        hi = (hi << left) | (lo >> (64 - left));
        lo <<= left;
        aExp -= left;
      }
    }
  }
  return deliverRounded(base, control, at, aSe & 0x8000, aExp, hi, lo);
}

/** a + b where one of them is zero. */
function addZero(base: usize, control: i32, at: usize, aSe: i32, aSig: u64, bSe: i32, bSig: u64): bool {
  const aExp = aSe & 0x7fff, bExp = bSe & 0x7fff;
  if (aSig == 0 && aExp == 0) {
    if (bSig == 0 && bExp == 0) return deliver(base, at, aSe & bSe & 0x8000, 0);
    if (<i64> bSig >= 0 || !normalExponent(bExp)) return false;
    return deliverRounded(base, control, at, bSe & 0x8000, bExp, bSig, 0);
  }
  if (bSig != 0 || bExp != 0 || <i64> aSig >= 0 || !normalExponent(aExp)) return false;
  return deliverRounded(base, control, at, aSe & 0x8000, aExp, aSig, 0);
}

/** a × b. */
// @ts-ignore: decorator
@inline
export function multiply(base: usize, control: i32, at: usize, aSe: i32, aSig: u64, bSe: i32, bSig: u64): bool {
  const aExp = aSe & 0x7fff, bExp = bSe & 0x7fff, sign = (aSe ^ bSe) & 0x8000;
  if (<i64> (aSig & bSig) >= 0 || !normalExponent(aExp) || !normalExponent(bExp)) {
    return multiplyZero(base, at, sign, aExp, aSig, bExp, bSig);
  }
  const a0 = aSig & 0xffffffff, a1 = aSig >> 32, b0 = bSig & 0xffffffff, b1 = bSig >> 32;
  const p00 = a0 * b0, p01 = a0 * b1, p10 = a1 * b0;
  // Three numbers of 32 bits.
  const middle = (p00 >> 32) + (p01 & 0xffffffff) + (p10 & 0xffffffff);
  let lo = (middle << 32) | (p00 & 0xffffffff);
  let hi = a1 * b1 + (p01 >> 32) + (p10 >> 32) + (middle >> 32);
  const left = hi >> 63 ^ 1;
  hi = (hi << left) | ((lo >> 63) & left);
  lo <<= left;
  return deliverRounded(base, control, at, sign, aExp + bExp - 16382 - <i32> left, hi, lo);
}

/** True for zero and for normal numbers. */
// @ts-ignore: decorator
@inline
function ordinary(exp: i32, sig: u64): bool {
  return <i64> sig < 0 ? normalExponent(exp) : sig == 0 && exp == 0;
}

/** a × b where one of them is zero. */
function multiplyZero(base: usize, at: usize, sign: i32, aExp: i32, aSig: u64, bExp: i32, bSig: u64): bool {
  if (!ordinary(aExp, aSig) || !ordinary(bExp, bSig)) return false;
  return deliver(base, at, sign, 0);
}

/** a / b. */
// @ts-ignore: decorator
@inline
export function divide(base: usize, control: i32, at: usize, aSe: i32, aSig: u64, bSe: i32, bSig: u64): bool {
  const aExp = aSe & 0x7fff, bExp = bSe & 0x7fff, sign = (aSe ^ bSe) & 0x8000;
  if (<i64> (aSig & bSig) >= 0 || !normalExponent(aExp) || !normalExponent(bExp)) {
    if (aSig != 0 || aExp != 0 || <i64> bSig >= 0 || !normalExponent(bExp)) return false;
    return deliver(base, at, sign, 0);
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
  const half = <u64> (remainder > bSig - remainder) << 63 | <u64> (remainder != 0);
  return deliverRounded(base, control, at, sign, aExp - bExp + 16382 + <i32> right, (q1 << 32) | q0, half);
}

/** The codes of a compared with b; −1 if one is neither normal nor zero. */
// @ts-ignore: decorator
@inline
export function compare(aSe: i32, aSig: u64, bSe: i32, bSig: u64): i32 {
  const aExp = aSe & 0x7fff, bExp = bSe & 0x7fff;
  if (!ordinary(aExp, aSig) || !ordinary(bExp, bSig)) return -1;
  if (((aSe ^ bSe) & 0x8000) != 0) return (aSig | bSig) == 0 ? C3 : (aSe & 0x8000) != 0 ? C0 : 0;
  if (aExp == bExp && aSig == bSig) return C3;
  const less = aExp < bExp || (aExp == bExp && aSig < bSig);
  return less != ((aSe & 0x8000) != 0) ? C0 : 0;
}

/** Sets C3 C2 C1 C0. */
// @ts-ignore: decorator
@inline
export function setCodes(base: usize, codes: i32): void {
  store<i32>(base, (load<i32>(base, FSW) & ~COMPARISON) | codes, FSW);
}

/** Pushes a normal number or zero; false if it is none, or if the stack is full. */
// @ts-ignore: decorator
@inline
export function pushNumber(base: usize, se: i32, sig: u64): bool {
  const top = (load<i32>(base, FTOP) - 1) & 7, tags = load<i32>(base, FTW);
  if ((se & 0x7fff) == 0x7fff || ((tags >> top) & 1) != 0) return false;
  store<i32>(base, top, FTOP);
  store<i32>(base, tags | (1 << top), FTW);
  return deliver(base, base + X87 + (top << 4), se, sig);
}

/** Pops one register if `count` is not 0. */
// @ts-ignore: decorator
@inline
export function popOne(base: usize, count: i32): void {
  if (count == 0) return;
  const top = load<i32>(base, FTOP);
  store<i32>(base, load<i32>(base, FTW) & ~(1 << top), FTW);
  store<i32>(base, (top + 1) & 7, FTOP);
}
