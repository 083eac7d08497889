/**
 * The common case of the x87 instructions that programs spend their time in, decided in a few comparisons: rounding to
 * nearest with 64 or 53 bits, every exception masked, registers in use, operands and result normal numbers or zero. The
 * general kernels (x87.as) do everything else; nothing has changed when they are called.
 *
 * V8 compares every address with the memory's size unless it is a constant, so the state block is the first processor's.
 */
import { INTEGER_BIT, PE } from "./softfloat";
import {
  x87_arithmetic, x87_arithmetic_memory, x87_comi, x87_compare, x87_compare_memory, x87_load, x87_to_float, x87_to_integer,
} from "./x87";
import { C0, C1, C2, C3, FCW, FSW, FTOP, FTW, PENDING, PROCEED, X87 } from "./x87_stack";

/** CPU_BASE of lib/cpu/interpreter/layout.ts. */
const CPU: usize = 0x1000;

/** FCW: the exception masks, the rounding control, and the upper bit of the precision control (24 bits if it is 0). */
const CONTROL_BITS: i32 = 0xe3f;
const COMMON_CONTROL: i32 = 0x23f;
/** FCW: masks and rounding control alone, for what does not depend on the precision. */
const ROUNDING_BITS: i32 = 0xc3f;
const MASKS: i32 = 0x3f;
/** FCW: 64 bits of precision if this is 1 too, else 53. */
const EXTENDED: i32 = 0x100;
const COMPARISON: i32 = C0 | C1 | C2 | C3;

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

/** The address of ST(i). */
// @ts-ignore: decorator
@inline
function slot(i: i32): usize {
  return CPU + X87 + (((load<i32>(CPU, FTOP) + i) & 7) << 4);
}

/** True if ST(i) and ST(j) are in use; one of them is ST(0). */
// @ts-ignore: decorator
@inline
function inUse(i: i32, j: i32): bool {
  const tags = load<i32>(CPU, FTW);
  return ((tags >> (i + j)) & tags & 1) != 0;
}

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

// ---- results

/** Pops one register if `count` is not 0. */
// @ts-ignore: decorator
@inline
function popOne(count: i32): void {
  if (count == 0) return;
  store<i32>(CPU, load<i32>(CPU, FTW) >> 1, FTW);
  store<i32>(CPU, (load<i32>(CPU, FTOP) + 1) & 7, FTOP);
}

/** Writes an exact result to ST(i) and pops. */
function deliver(i: i32, se: i32, sig: u64, popCount: i32): void {
  const at = slot(i);
  store<u64>(at, sig);
  store<u16>(at, <u16> se, 8);
  store<i32>(CPU, load<i32>(CPU, FSW) & ~C1, FSW);
  popOne(popCount);
}

/** What the fast path cannot do. */
function general(op: i32, destination: i32, source: i32, popCount: i32, kind: i32, bits: i64): void {
  if (kind == REGISTER) x87_arithmetic(CPU, op, destination, source, popCount);
  else x87_arithmetic_memory(CPU, op, kind, bits);
}

/** True unless rounding may bring a result out of the range of normal numbers. */
// @ts-ignore: decorator
@inline
function inRange(exp: i32): bool {
  return <u32> (exp - 1) < 0x7ffd;
}

/** Rounds (hi:lo), bit 63 of hi set, writes it to the register at `at` and pops. */
// @ts-ignore: decorator
@inline
function round(control: i32, at: usize, sign: i32, exp: i32, hi: u64, lo: u64, popCount: i32): void {
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
  if (hi == 0) {
    hi = INTEGER_BIT;
    exp++;
  }
  store<u64>(at, hi);
  store<u16>(at, <u16> (sign | exp), 8);
  store<i32>(CPU, (load<i32>(CPU, FSW) & ~C1) | (<i32> (lo != 0) << 5) | (<i32> up << 9), FSW);
  popOne(popCount);
}

// ---- arithmetic: ST(destination) = a op b; `flipA` and `flipB` (0 or 8000h) negate

/** Adds, after the checks of control and tags. */
// @ts-ignore: decorator
@inline
function add(
  control: i32, i: i32, source: i32, popCount: i32, flipA: i32, flipB: i32, kind: i32, bits: i64, bSe: i32, bSig: u64,
): void {
  const at = slot(i);
  let aSe: i32 = load<u16>(at, 8), aSig = load<u64>(at);
  if (<i64> (aSig & bSig) >= 0 || !normalExponent(aSe) || !normalExponent(bSe)) {
    return addSpecial(control, i, source, popCount, flipA, flipB, kind, bits, aSe, aSig, bSe, bSig);
  }
  aSe ^= flipA;
  bSe ^= flipB;
  // Which operand is larger, which have the same sign and how much cancels is anybody's guess: no branches on that.
  const difference = (aSe & 0x7fff) - (bSe & 0x7fff), swap = difference < 0;
  const largeSe = swap ? bSe : aSe, large = swap ? bSig : aSig, small = swap ? aSig : bSig;
  const shift = swap ? -difference : difference;
  if (shift > 62) return addFar(control, i, source, popCount, flipA, flipB, kind, bits, largeSe, large, aSe ^ bSe, small, shift);
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
    if (lo == 0) return deliver(i, 0, 0, popCount);
    hi = lo;
    lo = 0;
    exp -= 64;
  }
  const left = clz(hi);
  hi = (hi << left) | (lo >> 1 >> (left ^ 63));
  lo <<= left;
  exp += 1 - <i32> left;
  if (inRange(exp)) round(control, at, sign, exp, hi, lo, popCount);
  else general(subtraction(flipA, flipB), i, source, popCount, kind, bits);
}

/** Adds where the smaller operand lies below the last bit but one of the larger; bit 15 of `signs` is set if they differ. */
function addFar(
  control: i32, i: i32, source: i32, popCount: i32, flipA: i32, flipB: i32, kind: i32, bits: i64, largeSe: i32, large: u64,
  signs: i32, small: u64, shift: i32,
): void {
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
  if (inRange(exp)) round(control, slot(i), largeSe & 0x8000, exp, hi, lo, popCount);
  else general(subtraction(flipA, flipB), i, source, popCount, kind, bits);
}

function subtraction(flipA: i32, flipB: i32): i32 {
  return flipA != 0 ? SUBTRACT_REVERSED : flipB != 0 ? SUBTRACT : 0;
}

/** Adds where one operand is zero or nothing ordinary. */
function addSpecial(
  control: i32, i: i32, source: i32, popCount: i32, flipA: i32, flipB: i32, kind: i32, bits: i64, aSe: i32, aSig: u64,
  bSe: i32, bSig: u64,
): void {
  if (ordinary(aSe, aSig) && ordinary(bSe, bSig)) {
    aSe ^= flipA;
    bSe ^= flipB;
    if ((aSig | bSig) == 0) return deliver(i, aSe & bSe, 0, popCount);
    const se = aSig == 0 ? bSe : aSe, exp = se & 0x7fff;
    if (inRange(exp)) return round(control, slot(i), se & 0x8000, exp, aSig | bSig, 0, popCount);
  }
  general(subtraction(flipA, flipB), i, source, popCount, kind, bits);
}

/** Multiplies, after the checks of control and tags. */
// @ts-ignore: decorator
@inline
function multiply(control: i32, i: i32, source: i32, popCount: i32, kind: i32, bits: i64, bSe: i32, bSig: u64): void {
  const at = slot(i), aSe: i32 = load<u16>(at, 8), aSig = load<u64>(at);
  if (<i64> (aSig & bSig) >= 0 || !normalExponent(aSe) || !normalExponent(bSe)) {
    if (!ordinary(aSe, aSig) || !ordinary(bSe, bSig)) return general(MULTIPLY, i, source, popCount, kind, bits);
    return deliver(i, (aSe ^ bSe) & 0x8000, 0, popCount);
  }
  const a0 = aSig & 0xffffffff, a1 = aSig >> 32, b0 = bSig & 0xffffffff, b1 = bSig >> 32;
  const p00 = a0 * b0, p10 = a1 * b0 + (p00 >> 32), p01 = a0 * b1 + (p10 & 0xffffffff);
  let lo = (p01 << 32) | (p00 & 0xffffffff), hi = a1 * b1 + (p10 >> 32) + (p01 >> 32);
  // −1 if the product has a leading zero.
  const left = ~(<i64> hi >> 63);
  hi += (hi & left) + ((lo >> 63) & left);
  lo += lo & left;
  const exp = (aSe & 0x7fff) + (bSe & 0x7fff) - 16382 + <i32> left;
  if (inRange(exp)) round(control, at, (aSe ^ bSe) & 0x8000, exp, hi, lo, popCount);
  else general(MULTIPLY, i, source, popCount, kind, bits);
}

/** Divides, after the checks of control and tags; the other way round if `reversed`. */
// @ts-ignore: decorator
@inline
function divide(
  control: i32, i: i32, source: i32, popCount: i32, reversed: i32, kind: i32, bits: i64, otherSe: i32, otherSig: u64,
): void {
  const at = slot(i), se: i32 = load<u16>(at, 8), sig = load<u64>(at);
  const aSe = reversed != 0 ? otherSe : se, aSig = reversed != 0 ? otherSig : sig;
  const bSe = reversed != 0 ? se : otherSe, bSig = reversed != 0 ? sig : otherSig;
  if (<i64> (aSig & bSig) >= 0 || !normalExponent(aSe) || !normalExponent(bSe)) {
    if (bSig == 0 || !ordinary(aSe, aSig) || !ordinary(bSe, bSig)) {
      return general(DIVIDE + reversed, i, source, popCount, kind, bits);
    }
    return deliver(i, (aSe ^ bSe) & 0x8000, 0, popCount);
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
  if (inRange(exp)) round(control, at, (aSe ^ bSe) & 0x8000, exp, (q1 << 32) | q0, tail, popCount);
  else general(DIVIDE + reversed, i, source, popCount, kind, bits);
}

// ---- the instructions

/**
 * FADD, FSUB, FSUBR with registers: ST(destination) += ST(source), then `popCount` (0 or 1) pops. 8000h in `flipA` negates
 * the destination (FSUBR), in `flipB` the source (FSUB).
 */
export function x87_add(destination: i32, source: i32, popCount: i32, flipA: i32, flipB: i32): void {
  const control = load<i32>(CPU, FCW), from = slot(source);
  if (!common(control) || !inUse(destination, source)) {
    return general(subtraction(flipA, flipB), destination, source, popCount, REGISTER, 0);
  }
  add(control, destination, source, popCount, flipA, flipB, REGISTER, 0, load<u16>(from, 8), load<u64>(from));
}

/** FADD, FSUB, FSUBR, FIADD … with memory. */
// @ts-ignore: decorator
@inline
function addMemory(kind: i32, bits: i64, flipA: i32, flipB: i32): void {
  const control = load<i32>(CPU, FCW);
  if (!common(control) || !inUse(0, 0)) return general(subtraction(flipA, flipB), 0, 0, 0, kind, bits);
  add(control, 0, 0, 0, flipA, flipB, kind, bits, seOf(kind, bits), sigOf(kind, bits));
}

export function x87_add_float32(bits: i64, flipA: i32, flipB: i32): void {
  addMemory(FLOAT32, bits, flipA, flipB);
}

export function x87_add_float64(bits: i64, flipA: i32, flipB: i32): void {
  addMemory(FLOAT64, bits, flipA, flipB);
}

export function x87_add_integer(value: i64, flipA: i32, flipB: i32): void {
  addMemory(INTEGER, value, flipA, flipB);
}

/** FMUL with registers. */
export function x87_multiply(destination: i32, source: i32, popCount: i32): void {
  const control = load<i32>(CPU, FCW), from = slot(source);
  if (!common(control) || !inUse(destination, source)) {
    return general(MULTIPLY, destination, source, popCount, REGISTER, 0);
  }
  multiply(control, destination, source, popCount, REGISTER, 0, load<u16>(from, 8), load<u64>(from));
}

/** FMUL, FIMUL with memory. */
// @ts-ignore: decorator
@inline
function multiplyMemory(kind: i32, bits: i64): void {
  const control = load<i32>(CPU, FCW);
  if (!common(control) || !inUse(0, 0)) return general(MULTIPLY, 0, 0, 0, kind, bits);
  multiply(control, 0, 0, 0, kind, bits, seOf(kind, bits), sigOf(kind, bits));
}

export function x87_multiply_float32(bits: i64): void {
  multiplyMemory(FLOAT32, bits);
}

export function x87_multiply_float64(bits: i64): void {
  multiplyMemory(FLOAT64, bits);
}

export function x87_multiply_integer(value: i64): void {
  multiplyMemory(INTEGER, value);
}

/** FDIV, and FDIVR if `reversed`, with registers. */
export function x87_divide(destination: i32, source: i32, popCount: i32, reversed: i32): void {
  const control = load<i32>(CPU, FCW), from = slot(source);
  if (!common(control) || !inUse(destination, source)) {
    return general(DIVIDE + reversed, destination, source, popCount, REGISTER, 0);
  }
  divide(control, destination, source, popCount, reversed, REGISTER, 0, load<u16>(from, 8), load<u64>(from));
}

/** FDIV, FDIVR, FIDIV, FIDIVR with memory. */
// @ts-ignore: decorator
@inline
function divideMemory(kind: i32, bits: i64, reversed: i32): void {
  const control = load<i32>(CPU, FCW);
  if (!common(control) || !inUse(0, 0)) return general(DIVIDE + reversed, 0, 0, 0, kind, bits);
  divide(control, 0, 0, 0, reversed, kind, bits, seOf(kind, bits), sigOf(kind, bits));
}

export function x87_divide_float32(bits: i64, reversed: i32): void {
  divideMemory(FLOAT32, bits, reversed);
}

export function x87_divide_float64(bits: i64, reversed: i32): void {
  divideMemory(FLOAT64, bits, reversed);
}

export function x87_divide_integer(value: i64, reversed: i32): void {
  divideMemory(INTEGER, value, reversed);
}

/** FLD m32, FLD m64 and FILD. */
// @ts-ignore: decorator
@inline
function push(kind: i32, bits: i64): void {
  const se = seOf(kind, bits), tags = load<i32>(CPU, FTW);
  if (se == 0x7fff || (tags & 0x80) != 0) return x87_load(CPU, kind, bits);
  store<i32>(CPU, (load<i32>(CPU, FTOP) - 1) & 7, FTOP);
  store<i32>(CPU, (tags << 1) | 1, FTW);
  deliver(0, se, sigOf(kind, bits), 0);
}

export function x87_push_float32(bits: i64): void {
  push(FLOAT32, bits);
}

export function x87_push_float64(bits: i64): void {
  push(FLOAT64, bits);
}

export function x87_push_integer(value: i64): void {
  push(INTEGER, value);
}

// ---- stores: the value; the definition makes the memory access and then commits the status word left in PENDING

/** What is to become of the status word: bits that left the number, and whether it was rounded up. */
// @ts-ignore: decorator
@inline
function pend(inexact: bool, up: bool): void {
  store<i32>(CPU, 1, PROCEED);
  store<i32>(CPU, (load<i32>(CPU, FSW) & ~C1) | (<i32> inexact << 5) | (<i32> up << 9), PENDING);
}

/** True if ST(0) is zero: then the status word is settled. */
function zeroTop(): bool {
  const at = slot(0);
  if (load<u64>(at) != 0 || (load<u16>(at, 8) & 0x7fff) != 0 || !inUse(0, 0)) return false;
  pend(false, false);
  return true;
}

/** FST m64. */
export function x87_round_float64(): i64 {
  const at = slot(0), se: i32 = load<u16>(at, 8), sig = load<u64>(at), exp = (se & 0x7fff) - 15360;
  if (<i64> sig < 0 && (load<i32>(CPU, FCW) & ROUNDING_BITS) == MASKS && inUse(0, 0) && <u32> (exp - 1) < 0x7fd) {
    const lo = sig << 53, up = lo + (0x7fffffffffffffff + ((sig >> 11) & 1)) < lo;
    pend(lo != 0, up);
    // The integer bit adds 1 to the exponent; so does a carry out of the fraction.
    return (<u64> (se & 0x8000) << 48) | ((<u64> (exp - 1) << 52) + (sig >> 11) + <u64> up);
  }
  return zeroTop() ? <u64> (se & 0x8000) << 48 : x87_to_float(CPU, 1);
}

/** FST m32. */
export function x87_round_float32(): i64 {
  const at = slot(0), se: i32 = load<u16>(at, 8), sig = load<u64>(at), exp = (se & 0x7fff) - 16256;
  if (<i64> sig < 0 && (load<i32>(CPU, FCW) & ROUNDING_BITS) == MASKS && inUse(0, 0) && <u32> (exp - 1) < 0xfd) {
    const lo = sig << 24, up = lo + (0x7fffffffffffffff + ((sig >> 40) & 1)) < lo;
    pend(lo != 0, up);
    return (<u64> (se & 0x8000) << 16) | ((<u64> (exp - 1) << 23) + (sig >> 40) + <u64> up);
  }
  return zeroTop() ? <u64> (se & 0x8000) << 16 : x87_to_float(CPU, 0);
}

/** FIST and FISTTP: the integer to store, of `bits` bits; rounding to nearest, or towards zero. */
export function x87_round_integer(bits: i32, truncate: i32): i64 {
  const control = load<i32>(CPU, FCW), rounding = truncate != 0 ? 3 : (control >> 10) & 3;
  const at = slot(0), se: i32 = load<u16>(at, 8), sig = load<u64>(at), exp = (se & 0x7fff) - 16383;
  // Magnitudes below 2^(bits − 2) stay in range.
  if (
    <i64> sig < 0 && (control & MASKS) == MASKS && inUse(0, 0) && <u32> (exp + 1) < <u32> (bits - 1) &&
    (rounding == 0 || rounding == 3)
  ) {
    const shift = 63 - exp, kept: u64 = shift == 64 ? 0 : sig >> shift, lo = sig << (64 - shift);
    const up = rounding == 0 && lo + (0x7fffffffffffffff + (kept & 1)) < lo;
    pend(lo != 0, up);
    const magnitude = <i64> (kept + <u64> up);
    return (se & 0x8000) != 0 ? -magnitude : magnitude;
  }
  return zeroTop() ? 0 : x87_to_integer(CPU, bits, truncate);
}

// ---- comparisons

/** The codes of a compared with b; −1 if one is neither normal nor zero. */
// @ts-ignore: decorator
@inline
function compare(aSe: i32, aSig: u64, bSe: i32, bSig: u64): i32 {
  if (<i64> (aSig & bSig) >= 0 || !normalExponent(aSe) || !normalExponent(bSe)) {
    if (!ordinary(aSe, aSig) || !ordinary(bSe, bSig)) return -1;
    if ((aSig | bSig) == 0) return C3;
  }
  if (((aSe ^ bSe) & 0x8000) != 0) return (aSe & 0x8000) != 0 ? C0 : 0;
  if (aSe == bSe && aSig == bSig) return C3;
  // The signs are the same, so they do not matter here.
  const less = aSe < bSe || (aSe == bSe && aSig < bSig);
  return less != ((aSe & 0x8000) != 0) ? C0 : 0;
}

/** The codes of ST(0) compared with ST(i); −1 if the general kernel has to say. */
// @ts-ignore: decorator
@inline
function compareWith(i: i32): i32 {
  if (!inUse(0, i)) return -1;
  const at = slot(0), from = slot(i);
  return compare(load<u16>(at, 8), load<u64>(at), load<u16>(from, 8), load<u64>(from));
}

// @ts-ignore: decorator
@inline
function setCodes(codes: i32): void {
  store<i32>(CPU, (load<i32>(CPU, FSW) & ~COMPARISON) | codes, FSW);
}

/** FCOM, FUCOM with a register. */
export function x87_order(i: i32, quiet: i32, popCount: i32): void {
  const codes = compareWith(i);
  if (codes < 0) return x87_compare(CPU, i, quiet, popCount);
  setCodes(codes);
  popOne(popCount);
  if (popCount == 2) popOne(1);
}

/** FCOM, FICOM with memory. */
export function x87_order_memory(kind: i32, bits: i64, popCount: i32): void {
  const at = slot(0), se = seOf(kind, bits);
  if (inUse(0, 0) && se != 0x7fff) {
    const codes = compare(load<u16>(at, 8), load<u64>(at), se, sigOf(kind, bits));
    if (codes >= 0) {
      setCodes(codes);
      return popOne(popCount);
    }
  }
  x87_compare_memory(CPU, kind, bits, popCount);
}

/** FCOMI, FUCOMI: the EFLAGS image of ZF PF CF, or −1 if nothing is to change. */
export function x87_order_flags(i: i32, quiet: i32, popCount: i32): i32 {
  const codes = compareWith(i);
  if (codes < 0) return x87_comi(CPU, i, quiet, popCount);
  popOne(popCount);
  return codes == C3 ? 0x40 : codes == C0 ? 1 : 0;
}
