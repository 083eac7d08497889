/**
 * SSE and SSE2 floating-point arithmetic, exact in every rounding mode. Intel SDM vol. 1, chapters 10, 11 and appendix E.4
 * (NaN rules: the first operand if it is a NaN, else the second, made quiet).
 *
 * A kernel gets the destination register `a` and the source `b` and returns what the destination becomes. If an exception
 * is not masked, STATUS is 1, MXCSR has its flags and the destination is returned as it was; else STATUS is 0.
 */
import {
  aClass, aDenormal, addFinite, aExp, aSig, aSign, bClass, bDenormal, bSign, clear, compareNumbers, DE, denormalIsZero, divideFinite, FINITE,
  flags, IE, INFINITE, moveAtoB, multiplyFinite, negateB, noInteger, pack32, pack64, PE, QNAN, raise, rc, resultFromA, rHi, rLo,
  roundResult, rSign, setControl, setRounding, SNAN, squareRootFinite, swapAB, toInteger, toIntegral, unmasked, unpack32, unpack64, unpackInteger,
  ZE, ZERO,
} from "./softfloat";

const MXCSR: usize = 0x59c;
/** The operands, as memory. */
const A: usize = 0x820;
const B: usize = 0x830;
/** A result of 16 bytes before it is known that no exception is raised. */
const RESULT: usize = 0x840;
/** Intermediate sums. */
const SUMS: usize = 0x850;
/** 1 after an exception that is not masked. */
const STATUS: usize = 0x870;

const DAZ: i32 = 1 << 6;
const FTZ: i32 = 1 << 15;

let daz: bool = false;
/** Rounding is to nearest and all exceptions are masked, so the host's arithmetic will do for ordinary numbers. */
let nearest: bool = false;
/** PE is set already: a result need not be exact to be right. */
let inexactBefore: bool = false;

/** Prepares for results of the host alone. */
function beginQuickly(base: usize): void {
  const control = load<i32>(base, MXCSR);
  nearest = (control & 0x7f80) == 0x1f80;
  inexactBefore = (control & PE) != 0;
  store<i32>(base, 0, STATUS);
}

function begin(base: usize): void {
  beginQuickly(base);
  const control = load<i32>(base, MXCSR);
  daz = (control & DAZ) != 0;
  setControl((control >> 13) & 3, ~(control >> 7) & 0x3f, (control & FTZ) != 0, false);
}

/** Adds the flags to MXCSR; true if the instruction must raise #XM. */
function end(base: usize): bool {
  // Unmasked invalid, denormal and divide-by-zero exceptions come before the others are found.
  const early = flags & unmasked & (IE | DE | ZE);
  const found = early != 0 ? flags & (IE | DE | ZE) : flags;
  store<i32>(base, load<i32>(base, MXCSR) | found, MXCSR);
  const raised = (found & unmasked) != 0;
  store<i32>(base, raised ? 1 : 0, STATUS);
  return raised;
}

const ADD: i32 = 0;
const MULTIPLY: i32 = 1;
const SUBTRACT: i32 = 2;
const MINIMUM: i32 = 3;
const DIVIDE: i32 = 4;
const MAXIMUM: i32 = 5;
const SQUARE_ROOT: i32 = 6;

function load32(bits: u32): void {
  unpack32(bits);
  if (daz) denormalIsZero();
}

function load64(bits: u64): void {
  unpack64(bits);
  if (daz) denormalIsZero();
}

/** What {@link operate} found: a rounded number in out, or one of these. */
const NUMBER: i32 = 0;
const TAKE_ZERO: i32 = 1;
const TAKE_INFINITY: i32 = 2;
const TAKE_A: i32 = 3;
const TAKE_B: i32 = 4;
const TAKE_INDEFINITE: i32 = 5;
let sign: i32 = 0;

function isNan(kind: i32): bool {
  return kind == QNAN || kind == SNAN;
}

/** a op b for numbers; the result's sign is in `sign`. */
function operate(op: i32, precision: i32, emax: i32): i32 {
  const a = aClass, b = bClass;
  sign = aSign ^ bSign;
  if (op == ADD || op == SUBTRACT) {
    if (op == SUBTRACT) negateB();
    sign = aSign;
    if (a == INFINITE) {
      if (b == INFINITE && aSign != bSign) {
        raise(IE);
        return TAKE_INDEFINITE;
      }
      if (bDenormal) raise(DE);
      return TAKE_INFINITY;
    }
    if (b == INFINITE) {
      sign = bSign;
      if (aDenormal) raise(DE);
      return TAKE_INFINITY;
    }
    if (aDenormal || bDenormal) raise(DE);
    if (a == ZERO && b == ZERO) {
      if (aSign != bSign) sign = rc == 1 ? 1 : 0;
      return TAKE_ZERO;
    }
    if (a == ZERO) swapAB();
    if (aClass == FINITE && bClass == ZERO) resultFromA();
    else if (aClass == ZERO) resultFromA();
    else addFinite();
  } else if (op == MULTIPLY) {
    if ((a == INFINITE && b == ZERO) || (a == ZERO && b == INFINITE)) {
      raise(IE);
      return TAKE_INDEFINITE;
    }
    if (aDenormal || bDenormal) raise(DE);
    if (a == INFINITE || b == INFINITE) return TAKE_INFINITY;
    if (a == ZERO || b == ZERO) return TAKE_ZERO;
    multiplyFinite();
  } else {
    if ((a == INFINITE && b == INFINITE) || (a == ZERO && b == ZERO)) {
      raise(IE);
      return TAKE_INDEFINITE;
    }
    if (b == ZERO && a != INFINITE) {
      raise(ZE);
      return TAKE_INFINITY;
    }
    if (aDenormal || bDenormal) raise(DE);
    if (a == INFINITE) return TAKE_INFINITY;
    if (b == INFINITE || a == ZERO) return TAKE_ZERO;
    divideFinite();
  }
  sign = rSign;
  if (rHi == 0 && rLo == 0) return TAKE_ZERO;
  roundResult(precision, emax);
  return NUMBER;
}

function squareRoot(precision: i32, emax: i32): i32 {
  sign = aSign;
  if (aClass == ZERO) return TAKE_ZERO;
  if (aSign != 0) {
    raise(IE);
    return TAKE_INDEFINITE;
  }
  if (aDenormal) raise(DE);
  if (aClass == INFINITE) return TAKE_INFINITY;
  squareRootFinite();
  roundResult(precision, emax);
  return NUMBER;
}

/** MIN and MAX: the second operand unless the first is really below (above) it. */
function choose(op: i32): i32 {
  if (isNan(aClass) || isNan(bClass)) {
    raise(IE);
    return TAKE_B;
  }
  if (aDenormal || bDenormal) raise(DE);
  const order = compareNumbers();
  return (op == MINIMUM ? order < 0 : order > 0) ? TAKE_A : TAKE_B;
}

/** The common part of two operands' NaN rules: NUMBER if neither is a NaN. */
function chooseNan(): i32 {
  if (aClass == SNAN || bClass == SNAN) raise(IE);
  return isNan(aClass) ? TAKE_A : isNan(bClass) ? TAKE_B : NUMBER;
}

function zeroOrNormal32(bits: u32): bool {
  const exp = bits & 0x7f800000;
  return (exp != 0 && exp != 0x7f800000) || (bits & 0x7fffffff) == 0;
}

function zeroOrNormal64(bits: u64): bool {
  const exp = bits & 0x7ff0000000000000;
  return (exp != 0 && exp != 0x7ff0000000000000) || (bits & 0x7fffffffffffffff) == 0;
}

/** The host's result, if {@link quickly32} found that it will do. */
let quick32: f32 = 0;

/** Ordinary numbers with an ordinary result that is exact or need not be. */
function quickly32(op: i32, aBits: u32, bBits: u32): bool {
  if (!zeroOrNormal32(aBits) || !zeroOrNormal32(bBits)) return false;
  const a = reinterpret<f32>(aBits), b = reinterpret<f32>(bBits);
  let r: f32, exact: bool, zero: bool;
  if (op == ADD || op == SUBTRACT) {
    const term = op == ADD ? b : -b;
    r = a + term;
    const second = r - a;
    exact = (a - (r - second)) + (term - second) == 0;
    zero = true;
  } else if (op == MULTIPLY) {
    r = a * b;
    exact = <f64> a * <f64> b == <f64> r;
    zero = a == 0 || b == 0;
  } else if (op == DIVIDE) {
    r = a / b;
    exact = <f64> r * <f64> b == <f64> a;
    zero = a == 0;
  } else {
    if (op != SQUARE_ROOT) return false;
    r = sqrt<f32>(b);
    exact = <f64> r * <f64> r == <f64> b;
    zero = true;
  }
  quick32 = r;
  const size = reinterpret<u32>(r) & 0x7fffffff;
  // The smallest normal number may be the result of an underflow.
  return (exact || inexactBefore) && ((size > 0x800000 && size < 0x7f800000) || (size == 0 && zero));
}

/** The host's result, if {@link quickly64} found that it will do. */
let quick64: f64 = 0;

/** The product of two significands has no more than 53 bits. */
function shortProduct(a: f64, b: f64): bool {
  return ctz(reinterpret<u64>(a)) + ctz(reinterpret<u64>(b)) >= 53;
}

function quickly64(op: i32, aBits: u64, bBits: u64): bool {
  if (!zeroOrNormal64(aBits) || !zeroOrNormal64(bBits)) return false;
  const a = reinterpret<f64>(aBits), b = reinterpret<f64>(bBits);
  let r: f64, exact: bool, zero: bool;
  if (op == ADD || op == SUBTRACT) {
    const term = op == ADD ? b : -b;
    r = a + term;
    const second = r - a;
    exact = (a - (r - second)) + (term - second) == 0;
    zero = true;
  } else if (op == MULTIPLY) {
    r = a * b;
    zero = a == 0 || b == 0;
    exact = zero || shortProduct(a, b);
  } else if (op == DIVIDE) {
    r = a / b;
    zero = a == 0;
    exact = zero || (r * b == a && shortProduct(r, b));
  } else {
    if (op != SQUARE_ROOT) return false;
    r = sqrt<f64>(b);
    zero = true;
    exact = r * r == b && shortProduct(r, r);
  }
  quick64 = r;
  const size = reinterpret<u64>(r) & 0x7fffffffffffffff;
  return (exact || inexactBefore) && ((size > 0x10000000000000 && size < 0x7ff0000000000000) || (size == 0 && zero));
}

function lane32(op: i32, a: u32, b: u32): u32 {
  if (nearest && quickly32(op, a, b)) return reinterpret<u32>(quick32);
  load32(b);
  let found: i32;
  if (op == SQUARE_ROOT) {
    if (isNan(aClass)) {
      if (aClass == SNAN) raise(IE);
      return b | 0x400000;
    }
    found = squareRoot(24, 127);
  } else {
    moveAtoB();
    load32(a);
    if (op == MINIMUM || op == MAXIMUM) {
      found = choose(op);
      const taken = found == TAKE_A ? a : b;
      return daz && (taken & 0x7f800000) == 0 ? taken & 0x80000000 : taken;
    }
    found = chooseNan();
    if (found == TAKE_A) return a | 0x400000;
    if (found == TAKE_B) return b | 0x400000;
    found = operate(op, 24, 127);
  }
  if (found == NUMBER) return pack32(sign);
  if (found == TAKE_ZERO) return <u32> sign << 31;
  return found == TAKE_INFINITY ? (<u32> sign << 31) | 0x7f800000 : 0xffc00000;
}

function lane64(op: i32, a: u64, b: u64): u64 {
  if (nearest && quickly64(op, a, b)) return reinterpret<u64>(quick64);
  load64(b);
  let found: i32;
  if (op == SQUARE_ROOT) {
    if (isNan(aClass)) {
      if (aClass == SNAN) raise(IE);
      return b | 0x8000000000000;
    }
    found = squareRoot(53, 1023);
  } else {
    moveAtoB();
    load64(a);
    if (op == MINIMUM || op == MAXIMUM) {
      found = choose(op);
      const taken = found == TAKE_A ? a : b;
      return daz && (taken & 0x7ff0000000000000) == 0 ? taken & 0x8000000000000000 : taken;
    }
    found = chooseNan();
    if (found == TAKE_A) return a | 0x8000000000000;
    if (found == TAKE_B) return b | 0x8000000000000;
    found = operate(op, 53, 1023);
  }
  if (found == NUMBER) return pack64(sign);
  if (found == TAKE_ZERO) return <u64> sign << 63;
  return found == TAKE_INFINITY ? (<u64> sign << 63) | 0x7ff0000000000000 : 0xfff8000000000000;
}

/** Starts an instruction with two vectors. */
function beginLanes(base: usize, a: v128, b: v128): void {
  begin(base);
  v128.store(base, a, A);
  v128.store(base, b, B);
}

/** The destination with its first `bytes` bytes replaced by the result, unless an exception is raised. */
function commit(base: usize, bytes: i32): v128 {
  if (end(base)) return v128.load(base, A);
  if (bytes == 16) return v128.load(base, RESULT);
  if (bytes == 4) store<u32>(base, load<u32>(base, RESULT), A);
  else store<u64>(base, load<u64>(base, RESULT), A);
  return v128.load(base, A);
}

/** `bytes` bytes of lanes of 32 bits: destination = destination op source (op of the source for square roots). */
export function sse_arithmetic32(base: usize, op: i32, a: v128, b: v128, bytes: i32): v128 {
  if (bytes == 4) {
    const x = v128.extract_lane<u32>(a, 0), y = v128.extract_lane<u32>(b, 0);
    beginQuickly(base);
    if (nearest && quickly32(op, x, y)) return v128.replace_lane<f32>(a, 0, quick32);
    begin(base);
    const result = lane32(op, x, y);
    return end(base) ? a : v128.replace_lane<u32>(a, 0, result);
  }
  beginLanes(base, a, b);
  for (let at = 0; at < bytes; at += 4) {
    store<u32>(base + at, lane32(op, load<u32>(base + at, A), load<u32>(base + at, B)), RESULT);
  }
  return commit(base, bytes);
}

export function sse_arithmetic64(base: usize, op: i32, a: v128, b: v128, bytes: i32): v128 {
  if (bytes == 8) {
    const x = v128.extract_lane<u64>(a, 0), y = v128.extract_lane<u64>(b, 0);
    beginQuickly(base);
    if (nearest && quickly64(op, x, y)) return v128.replace_lane<f64>(a, 0, quick64);
    begin(base);
    const result = lane64(op, x, y);
    return end(base) ? a : v128.replace_lane<u64>(a, 0, result);
  }
  beginLanes(base, a, b);
  for (let at = 0; at < bytes; at += 8) {
    store<u64>(base + at, lane64(op, load<u64>(base + at, A), load<u64>(base + at, B)), RESULT);
  }
  return commit(base, bytes);
}

/** HADD, HSUB (`op` between neighbours of each operand). */
export function sse_horizontal(base: usize, op: i32, a: v128, b: v128, wide: i32): v128 {
  beginLanes(base, a, b);
  if (wide != 0) {
    store<u64>(base, lane64(op, load<u64>(base, A), load<u64>(base, A + 8)), RESULT);
    store<u64>(base, lane64(op, load<u64>(base, B), load<u64>(base, B + 8)), RESULT + 8);
  } else {
    for (let at = 0; at < 8; at += 4) {
      store<u32>(base + at, lane32(op, load<u32>(base + at * 2, A), load<u32>(base + at * 2, A + 4)), RESULT);
      store<u32>(base + at, lane32(op, load<u32>(base + at * 2, B), load<u32>(base + at * 2, B + 4)), RESULT + 8);
    }
  }
  return commit(base, 16);
}

/** ADDSUB: even lanes subtract, odd lanes add. */
export function sse_addsub(base: usize, a: v128, b: v128, wide: i32): v128 {
  beginLanes(base, a, b);
  if (wide != 0) {
    store<u64>(base, lane64(SUBTRACT, load<u64>(base, A), load<u64>(base, B)), RESULT);
    store<u64>(base, lane64(ADD, load<u64>(base, A + 8), load<u64>(base, B + 8)), RESULT + 8);
  } else {
    for (let at = 0; at < 16; at += 4) {
      const op = (at & 4) != 0 ? ADD : SUBTRACT;
      store<u32>(base + at, lane32(op, load<u32>(base + at, A), load<u32>(base + at, B)), RESULT);
    }
  }
  return commit(base, 16);
}

/** True if predicate `imm` (0–7) holds for a and b; QNaNs raise invalid in the ordered relations. */
function holds(imm: i32): bool {
  const relation = imm & 3;
  let result: bool;
  if (isNan(aClass) || isNan(bClass)) {
    if (relation == 1 || relation == 2 || aClass == SNAN || bClass == SNAN) raise(IE);
    result = relation == 3;
  } else {
    if (aDenormal || bDenormal) raise(DE);
    const order = compareNumbers();
    result = relation == 0 ? order == 0 : relation == 1 ? order < 0 : relation == 2 ? order <= 0 : false;
  }
  return (imm & 4) != 0 ? !result : result;
}

/** CMPPS, CMPPD, CMPSS, CMPSD: masks of ones and zeros. */
export function sse_compare(base: usize, imm: i32, a: v128, b: v128, lane: i32, bytes: i32): v128 {
  beginLanes(base, a, b);
  for (let at = 0; at < bytes; at += lane) {
    if (lane == 4) {
      load32(load<u32>(base + at, B));
      moveAtoB();
      load32(load<u32>(base + at, A));
      store<u32>(base + at, holds(imm & 7) ? 0xffffffff : 0, RESULT);
    } else {
      load64(load<u64>(base + at, B));
      moveAtoB();
      load64(load<u64>(base + at, A));
      store<u64>(base + at, holds(imm & 7) ? 0xffffffffffffffff : 0, RESULT);
    }
  }
  return commit(base, bytes);
}

/** COMISS … UCOMISD: the EFLAGS image of ZF PF CF, or −1 if an exception is raised. */
export function sse_comi(base: usize, quiet: i32, a: v128, b: v128, wide: i32): i32 {
  beginLanes(base, a, b);
  if (wide != 0) {
    load64(load<u64>(base, B));
    moveAtoB();
    load64(load<u64>(base, A));
  } else {
    load32(load<u32>(base, B));
    moveAtoB();
    load32(load<u32>(base, A));
  }
  let image = 0x45;
  if (isNan(aClass) || isNan(bClass)) {
    if (quiet == 0 || aClass == SNAN || bClass == SNAN) raise(IE);
  } else {
    if (aDenormal || bDenormal) raise(DE);
    const order = compareNumbers();
    image = order > 0 ? 0 : order < 0 ? 1 : 0x40;
  }
  return end(base) ? -1 : image;
}

/** The source's 32-bit number as 64 bits. */
function widen(bits: u32): u64 {
  load32(bits);
  sign = aSign;
  if (isNan(aClass)) {
    if (aClass == SNAN) raise(IE);
    return (<u64> sign << 63) | 0x7ff8000000000000 | ((aSig << 1) >> 12);
  }
  if (aDenormal) raise(DE);
  if (aClass == ZERO) return <u64> sign << 63;
  if (aClass == INFINITE) return (<u64> sign << 63) | 0x7ff0000000000000;
  resultFromA();
  roundResult(53, 1023);
  return pack64(sign);
}

/** The source's 64-bit number as 32 bits. */
function narrow(bits: u64): u32 {
  load64(bits);
  sign = aSign;
  if (isNan(aClass)) {
    if (aClass == SNAN) raise(IE);
    return (<u32> sign << 31) | 0x7fc00000 | (<u32> (aSig >> 40) & 0x3fffff);
  }
  if (aDenormal) raise(DE);
  if (aClass == ZERO) return <u32> sign << 31;
  if (aClass == INFINITE) return (<u32> sign << 31) | 0x7f800000;
  resultFromA();
  roundResult(24, 127);
  return pack32(sign);
}

/** CVTPS2PD (2 lanes), CVTSS2SD (1). */
export function sse_widen(base: usize, a: v128, b: v128, lanes: i32): v128 {
  beginLanes(base, a, b);
  for (let i = 0; i < lanes; i++) store<u64>(base + i * 8, widen(load<u32>(base + i * 4, B)), RESULT);
  return commit(base, lanes * 8);
}

/** CVTPD2PS (2 lanes, upper half cleared), CVTSD2SS (1). */
export function sse_narrow(base: usize, a: v128, b: v128, lanes: i32): v128 {
  beginLanes(base, a, b);
  store<u64>(base, 0, RESULT + 8);
  for (let i = 0; i < lanes; i++) store<u32>(base + i * 4, narrow(load<u64>(base + i * 8, B)), RESULT);
  return commit(base, lanes == 1 ? 4 : 16);
}

function integerTo32(value: i64): u32 {
  unpackInteger(value);
  if (aClass == ZERO) return 0;
  resultFromA();
  roundResult(24, 127);
  return pack32(aSign);
}

function integerTo64(value: i64): u64 {
  unpackInteger(value);
  if (aClass == ZERO) return 0;
  resultFromA();
  roundResult(53, 1023);
  return pack64(aSign);
}

/** CVTSI2SS and CVTSI2SD. */
export function sse_from_integer(base: usize, a: v128, value: i64, wide: i32): v128 {
  begin(base);
  v128.store(base, a, A);
  if (wide != 0) store<u64>(base, integerTo64(value), RESULT);
  else store<u32>(base, integerTo32(value), RESULT);
  return commit(base, wide != 0 ? 8 : 4);
}

/** CVTDQ2PS (4 lanes), CVTPI2PS (2). */
export function sse_from_words32(base: usize, a: v128, b: v128, lanes: i32): v128 {
  beginLanes(base, a, b);
  for (let i = 0; i < lanes; i++) store<u32>(base + i * 4, integerTo32(load<i32>(base + i * 4, B)), RESULT);
  return commit(base, lanes * 4);
}

/** CVTDQ2PD, CVTPI2PD. */
export function sse_from_words64(base: usize, a: v128, b: v128): v128 {
  beginLanes(base, a, b);
  for (let i = 0; i < 2; i++) store<u64>(base + i * 8, integerTo64(load<i32>(base + i * 4, B)), RESULT);
  return commit(base, 16);
}

/** Rounds a to an integer of 32 or 64 bits; the smallest one stands for everything that does not fit. */
function integerOf(bits: i32): i64 {
  const limit: u64 = ((<u64> 1) << (bits - 1)) - 1;
  if (aClass == ZERO) return 0;
  if (aClass == FINITE) {
    const value = toInteger(limit, limit + 1);
    if (!noInteger) return value;
  } else {
    raise(IE);
  }
  return bits == 32 ? -0x80000000 : -0x8000000000000000;
}

/** CVT(T)SS2SI and CVT(T)SD2SI: the integer. */
export function sse_to_integer(base: usize, b: v128, wide: i32, bits: i32, truncate: i32): i64 {
  begin(base);
  if (truncate != 0) setRounding(3);
  if (wide != 0) load64(v128.extract_lane<u64>(b, 0));
  else load32(v128.extract_lane<u32>(b, 0));
  const result = integerOf(bits);
  end(base);
  return result;
}

/** CVT(T)PS2DQ (4 lanes), CVT(T)PS2PI (2). */
export function sse_to_words32(base: usize, a: v128, b: v128, lanes: i32, truncate: i32): v128 {
  beginLanes(base, a, b);
  if (truncate != 0) setRounding(3);
  for (let i = 0; i < lanes; i++) {
    load32(load<u32>(base + i * 4, B));
    store<i32>(base + i * 4, <i32> integerOf(32), RESULT);
  }
  return commit(base, lanes * 4);
}

/** CVT(T)PD2DQ (`bytes` 16: upper half cleared), CVT(T)PD2PI (8). */
export function sse_to_words64(base: usize, a: v128, b: v128, bytes: i32, truncate: i32): v128 {
  beginLanes(base, a, b);
  if (truncate != 0) setRounding(3);
  store<u64>(base, 0, RESULT + 8);
  for (let i = 0; i < 2; i++) {
    load64(load<u64>(base + i * 8, B));
    store<i32>(base + i * 4, <i32> integerOf(32), RESULT);
  }
  return commit(base, bytes);
}

/** Rounds a lane to an integral number; `found` as for {@link operate}. */
function integral(precision: i32, emax: i32): i32 {
  sign = aSign;
  if (aClass == ZERO) return TAKE_ZERO;
  if (aClass == INFINITE) return TAKE_INFINITY;
  toIntegral();
  if (rHi == 0) return TAKE_ZERO;
  roundResult(precision, emax);
  return NUMBER;
}

function integral32(bits: u32): u32 {
  load32(bits);
  if (isNan(aClass)) {
    if (aClass == SNAN) raise(IE);
    return bits | 0x400000;
  }
  const found = integral(24, 127);
  return found == NUMBER ? pack32(sign) : (<u32> sign << 31) | (found == TAKE_ZERO ? 0 : 0x7f800000);
}

function integral64(bits: u64): u64 {
  load64(bits);
  if (isNan(aClass)) {
    if (aClass == SNAN) raise(IE);
    return bits | 0x8000000000000;
  }
  const found = integral(53, 1023);
  return found == NUMBER ? pack64(sign) : (<u64> sign << 63) | (found == TAKE_ZERO ? 0 : 0x7ff0000000000000);
}

/** ROUNDPS, ROUNDPD, ROUNDSS, ROUNDSD. */
export function sse_round(base: usize, imm: i32, a: v128, b: v128, lane: i32, bytes: i32): v128 {
  beginLanes(base, a, b);
  if ((imm & 4) == 0) setRounding(imm & 3);
  for (let at = 0; at < bytes; at += lane) {
    if (lane == 4) store<u32>(base + at, integral32(load<u32>(base + at, B)), RESULT);
    else store<u64>(base + at, integral64(load<u64>(base + at, B)), RESULT);
  }
  if ((imm & 8) != 0) clear(PE);
  return commit(base, bytes);
}

/** RCPPS and RSQRTPS: better than the 1.5 × 2^-12 that is asked for; no exceptions, denormals count as zero. */
function approximate(root: bool, bits: u32): u32 {
  const negative = bits & 0x80000000, magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return bits | 0x400000;
  if (magnitude < 0x800000) return negative | 0x7f800000;
  if (root && negative != 0) return 0xffc00000;
  if (magnitude == 0x7f800000) return negative;
  const x = reinterpret<f32>(bits);
  const result = reinterpret<u32>(root ? 1.0 / sqrt<f32>(x) : <f32> 1.0 / x);
  return (result & 0x7f800000) == 0 ? result & 0x80000000 : result;
}

export function sse_approximate(base: usize, root: i32, a: v128, b: v128, bytes: i32): v128 {
  v128.store(base, a, A);
  v128.store(base, b, B);
  for (let at = 0; at < bytes; at += 4) {
    store<u32>(base + at, approximate(root != 0, load<u32>(base + at, B)), A);
  }
  return v128.load(base, A);
}

/**
 * DPPS: the sum of the products that the upper bits of `imm` select, to the lanes that the lower bits select. Which of two NaNs
 * a lane gets follows from the order in which the processors add: first the neighbour, then the other half.
 */
export function sse_dot32(base: usize, imm: i32, a: v128, b: v128): v128 {
  beginLanes(base, a, b);
  for (let i = 0; i < 4; i++) {
    const product = ((imm >> (4 + i)) & 1) != 0
      ? lane32(MULTIPLY, load<u32>(base + i * 4, A), load<u32>(base + i * 4, B))
      : 0;
    store<u32>(base + i * 4, product, RESULT);
  }
  if ((flags & unmasked) != 0) return commit(base, 16);
  for (let i = 0; i < 4; i++) {
    const own = load<u32>(base + i * 4, RESULT), neighbour = load<u32>(base + (i ^ 1) * 4, RESULT);
    store<u32>(base + i * 4, lane32(ADD, neighbour, own), SUMS);
  }
  for (let i = 0; i < 4; i++) {
    const sum = lane32(ADD, load<u32>(base + i * 4, SUMS), load<u32>(base + (i ^ 2) * 4, SUMS));
    store<u32>(base + i * 4, ((imm >> i) & 1) != 0 ? sum : 0, RESULT);
  }
  return commit(base, 16);
}

/** DPPD. */
export function sse_dot64(base: usize, imm: i32, a: v128, b: v128): v128 {
  beginLanes(base, a, b);
  for (let i = 0; i < 2; i++) {
    const product = ((imm >> (4 + i)) & 1) != 0
      ? lane64(MULTIPLY, load<u64>(base + i * 8, A), load<u64>(base + i * 8, B))
      : 0;
    store<u64>(base + i * 8, product, RESULT);
  }
  if ((flags & unmasked) != 0) return commit(base, 16);
  const first = load<u64>(base, RESULT), second = load<u64>(base, RESULT + 8);
  const low = lane64(ADD, first, second), high = lane64(ADD, second, first);
  store<u64>(base, (imm & 1) != 0 ? low : 0, RESULT);
  store<u64>(base, (imm & 2) != 0 ? high : 0, RESULT + 8);
  return commit(base, 16);
}
