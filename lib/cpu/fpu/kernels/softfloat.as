/**
 * Exact binary floating-point arithmetic on unpacked numbers, for x87 and SSE alike. IEEE 754-2019, with the x86 choices:
 * tininess is detected after rounding, NaNs are handled by the callers. Intel SDM vol. 1, sections 4.8, 4.9 and 8.5.
 *
 * Everything here lives in globals that mean nothing between two kernel calls: the operands a and b, the result r, the
 * exception flags, and the rounding control that the caller sets first. A finite number is sig × 2^(exp − 63), bit 63 of sig set.
 */

export const IE: i32 = 1;
export const DE: i32 = 2;
export const ZE: i32 = 4;
export const OE: i32 = 8;
export const UE: i32 = 16;
export const PE: i32 = 32;

export const ZERO: i32 = 0;
export const FINITE: i32 = 1;
export const INFINITE: i32 = 2;
export const QNAN: i32 = 3;
export const SNAN: i32 = 4;
/** Unnormals, pseudo-infinities and pseudo-NaNs of the 80-bit format. */
export const UNSUPPORTED: i32 = 5;

export const INTEGER_BIT: u64 = 1 << 63;
export const QUIET_BIT: u64 = 1 << 62;

/** Rounding control: 0 nearest even, 1 down, 2 up, 3 towards zero. */
export let rc: i32 = 0;
/** Exceptions that are not masked. */
export let unmasked: i32 = 0;
/** SSE: flush tiny results to zero. */
export let flushToZero: bool = false;
/** Wrap exponents instead of denormalising or overflowing when the exception is not masked (x87 registers). */
export let wrapExponent: bool = false;

/** Exceptions raised. */
export let flags: i32 = 0;
/** The result was rounded up in magnitude. */
export let roundedUp: bool = false;

export let aClass: i32 = 0;
export let aSign: i32 = 0;
export let aExp: i32 = 0;
export let aSig: u64 = 0;
export let aDenormal: bool = false;

export let bClass: i32 = 0;
export let bSign: i32 = 0;
export let bExp: i32 = 0;
export let bSig: u64 = 0;
export let bDenormal: bool = false;

/** An exact result before rounding: sign, exponent, 128-bit significand (bit 63 of hi set, or all zero). */
export let rSign: i32 = 0;
export let rExp: i32 = 0;
export let rHi: u64 = 0;
export let rLo: u64 = 0;

/** A rounded result: the biased exponent and the significand with its integer bit at bit 63. */
export let outExp: i32 = 0;
export let outSig: u64 = 0;

export function setControl(rounding: i32, unmaskedExceptions: i32, flush: bool, wrap: bool): void {
  rc = rounding;
  unmasked = unmaskedExceptions;
  flushToZero = flush;
  wrapExponent = wrap;
  flags = 0;
  roundedUp = false;
}

export function setRounding(rounding: i32): void {
  rc = rounding;
}

export function raise(bits: i32): void {
  flags |= bits;
}

export function clear(bits: i32): void {
  flags &= ~bits;
}

export function setRoundedUp(value: bool): void {
  roundedUp = value;
}

// ---- operands

function normaliseA(exp: i32, sig: u64): void {
  const shift = <i32> clz(sig);
  aClass = FINITE;
  aSig = sig << shift;
  aExp = exp - shift;
}

export function unpack80(sig: u64, se: i32): void {
  const exp = se & 0x7fff;
  aSign = (se >> 15) & 1;
  aSig = sig;
  aExp = exp - 16383;
  aDenormal = false;
  if (exp == 0) {
    if (sig == 0) {
      aClass = ZERO;
    } else {
      aDenormal = true;
      normaliseA(-16382, sig);
    }
  } else if ((sig & INTEGER_BIT) == 0) {
    aClass = UNSUPPORTED;
  } else if (exp == 0x7fff) {
    aClass = (sig << 1) == 0 ? INFINITE : (sig & QUIET_BIT) != 0 ? QNAN : SNAN;
  } else {
    aClass = FINITE;
  }
}

function unpackBinary(sign: i32, exp: i32, top: i32, emax: i32, fraction: u64): void {
  aSign = sign;
  aDenormal = false;
  aSig = INTEGER_BIT | fraction;
  aExp = exp - emax;
  if (exp == 0) {
    if (fraction == 0) {
      aClass = ZERO;
      aSig = 0;
    } else {
      aDenormal = true;
      normaliseA(1 - emax, fraction);
    }
  } else if (exp == top) {
    aClass = fraction == 0 ? INFINITE : (fraction & QUIET_BIT) != 0 ? QNAN : SNAN;
  } else {
    aClass = FINITE;
  }
}

export function unpack64(bits: u64): void {
  unpackBinary(<i32> (bits >> 63), <i32> ((bits >> 52) & 0x7ff), 0x7ff, 1023, (bits << 12) >> 1);
}

export function unpack32(bits: u32): void {
  unpackBinary(<i32> (bits >> 31), <i32> ((bits >> 23) & 0xff), 0xff, 127, (<u64> (bits & 0x7fffff)) << 40);
}

export function unpackInteger(value: i64): void {
  aDenormal = false;
  aSign = value < 0 ? 1 : 0;
  if (value == 0) {
    aClass = ZERO;
    aSig = 0;
    aExp = 0;
  } else {
    normaliseA(63, value < 0 ? 0 - <u64> value : <u64> value);
  }
}

/** SSE with MXCSR.DAZ: a denormal operand counts as zero. */
export function denormalIsZero(): void {
  if (aDenormal) {
    aDenormal = false;
    aClass = ZERO;
    aSig = 0;
  }
}

export function moveAtoB(): void {
  bClass = aClass;
  bSign = aSign;
  bExp = aExp;
  bSig = aSig;
  bDenormal = aDenormal;
}

export function swapAB(): void {
  const c = aClass, s = aSign, e = aExp, m = aSig, d = aDenormal;
  aClass = bClass;
  aSign = bSign;
  aExp = bExp;
  aSig = bSig;
  aDenormal = bDenormal;
  bClass = c;
  bSign = s;
  bExp = e;
  bSig = m;
  bDenormal = d;
}

export function negateB(): void {
  bSign ^= 1;
}

/** Takes a as the exact result. */
export function resultFromA(): void {
  rSign = aSign;
  rExp = aExp;
  rHi = aSig;
  rLo = 0;
}

export function setResult(sign: i32, exp: i32, hi: u64, lo: u64): void {
  rSign = sign;
  rExp = exp;
  rHi = hi;
  rLo = lo;
}

// ---- wide integers

export let wideHi: u64 = 0;
export let wideLo: u64 = 0;

/** wide = a × b. */
export function multiplyWide(a: u64, b: u64): void {
  const a0 = a & 0xffffffff, a1 = a >> 32, b0 = b & 0xffffffff, b1 = b >> 32;
  const p00 = a0 * b0, p01 = a0 * b1, p10 = a1 * b0;
  const middle = (p00 >> 32) + (p01 & 0xffffffff) + (p10 & 0xffffffff);
  wideLo = (middle << 32) | (p00 & 0xffffffff);
  wideHi = a1 * b1 + (p01 >> 32) + (p10 >> 32) + (middle >> 32);
}

export let remainder: u64 = 0;

/** (hi:lo) / divisor for hi < divisor and bit 63 of the divisor set; Knuth's algorithm D with 32-bit digits. */
export function divideWide(hi: u64, lo: u64, divisor: u64): u64 {
  const d1 = divisor >> 32, d0 = divisor & 0xffffffff;
  let q1 = hi / d1, rest = hi - q1 * d1;
  while (q1 > 0xffffffff || q1 * d0 > ((rest << 32) | (lo >> 32))) {
    q1--;
    rest += d1;
    if (rest > 0xffffffff) break;
  }
  const middle = ((hi << 32) | (lo >> 32)) - q1 * divisor;
  let q0 = middle / d1;
  rest = middle - q0 * d1;
  while (q0 > 0xffffffff || q0 * d0 > ((rest << 32) | (lo & 0xffffffff))) {
    q0--;
    rest += d1;
    if (rest > 0xffffffff) break;
  }
  remainder = ((middle << 32) | (lo & 0xffffffff)) - q0 * divisor;
  return (q1 << 32) | q0;
}

/** Shifts r right; what falls out is or-ed into the lowest bit. */
function shiftRightJam(count: i32): void {
  if (count <= 0) return;
  if (count < 64) {
    const lost = (rLo << (64 - count)) != 0 ? <u64> 1 : 0;
    rLo = (rHi << (64 - count)) | (rLo >> count) | lost;
    rHi >>= count;
  } else if (count == 64) {
    rLo = rHi | (rLo != 0 ? <u64> 1 : 0);
    rHi = 0;
  } else if (count < 128) {
    const lost = (rHi << (128 - count)) != 0 || rLo != 0 ? <u64> 1 : 0;
    rLo = (rHi >> (count - 64)) | lost;
    rHi = 0;
  } else {
    rLo = rHi != 0 || rLo != 0 ? 1 : 0;
    rHi = 0;
  }
}

function normaliseResult(): void {
  if (rHi == 0) {
    if (rLo == 0) return;
    rHi = rLo;
    rLo = 0;
    rExp -= 64;
  }
  const shift = <i32> clz(rHi);
  if (shift > 0) {
    rHi = (rHi << shift) | (rLo >> (64 - shift));
    rLo <<= shift;
    rExp -= shift;
  }
}

// ---- exact operations on finite numbers that are not zero; the result goes to r

/** r = a + b; rHi = rLo = 0 if they cancel, with the sign that an exact zero has. */
export function addFinite(): void {
  if (aExp < bExp || (aExp == bExp && aSig < bSig)) swapAB();
  rSign = bSign;
  rHi = bSig;
  rLo = 0;
  shiftRightJam(aExp - bExp);
  rExp = aExp;
  if (aSign == bSign) {
    const sum = aSig + rHi;
    if (sum < aSig) {
      rLo = (sum << 63) | (rLo >> 1) | (rLo & 1);
      rHi = INTEGER_BIT | (sum >> 1);
      rExp++;
    } else {
      rHi = sum;
    }
    return;
  }
  rSign = aSign;
  rHi = aSig - rHi - (rLo != 0 ? <u64> 1 : 0);
  rLo = 0 - rLo;
  if (rHi == 0 && rLo == 0) rSign = rc == 1 ? 1 : 0;
  else normaliseResult();
}

export function multiplyFinite(): void {
  multiplyWide(aSig, bSig);
  rSign = aSign ^ bSign;
  rHi = wideHi;
  rLo = wideLo;
  rExp = aExp + bExp + 1;
  normaliseResult();
}

/** r = a / b. */
export function divideFinite(): void {
  rSign = aSign ^ bSign;
  if (aSig < bSig) {
    rExp = aExp - bExp - 1;
    rHi = divideWide(aSig, 0, bSig);
  } else {
    rExp = aExp - bExp;
    rHi = divideWide(aSig >> 1, aSig << 63, bSig);
  }
  rLo = divideWide(remainder, 0, bSig);
  if (remainder != 0) rLo |= 1;
}

/** r = square root of a, for a > 0. */
export function squareRootFinite(): void {
  const odd = aExp & 1;
  rSign = 0;
  rExp = (aExp - odd) >> 1;
  // The radicand is aSig × 2^63 or × 2^64, so that the root has 64 bits.
  const hi = odd != 0 ? aSig : aSig >> 1, lo: u64 = odd != 0 ? 0 : aSig << 63;
  const estimate = sqrt<f64>(<f64> hi) * 4294967296.0;
  let root = estimate >= 18446744073709551615.0 ? <u64> 0xffffffffffffffff : <u64> estimate;
  if (root <= hi) root = hi == 0xffffffffffffffff ? hi : hi + 1;
  if ((root & INTEGER_BIT) == 0) root = INTEGER_BIT;
  // One Newton step brings 50 correct bits to 64, give or take one.
  const quotient = hi < root ? divideWide(hi, lo, root) : <u64> 0xffffffffffffffff;
  root = (root & quotient & 1) + (root >> 1) + (quotient >> 1);
  multiplyWide(root, root);
  while (wideHi > hi || (wideHi == hi && wideLo > lo)) {
    root--;
    multiplyWide(root, root);
  }
  let restLo = lo - wideLo, restHi = hi - wideHi - (lo < wideLo ? <u64> 1 : 0);
  // (root + 1)² is 2 × root + 1 more than root².
  while (restHi > root >> 63 || (restHi == root >> 63 && restLo >= ((root << 1) | 1))) {
    const stepLo = (root << 1) | 1, stepHi = root >> 63;
    restHi = restHi - stepHi - (restLo < stepLo ? <u64> 1 : 0);
    restLo -= stepLo;
    root++;
  }
  rHi = root;
  rLo = (restHi != 0 || restLo > root ? INTEGER_BIT : 0) | (restHi != 0 || restLo != 0 ? <u64> 1 : 0);
}

// ---- rounding

function increments(sign: i32, odd: bool, half: bool, rest: bool): bool {
  if (rc == 0) return half && (rest || odd);
  if (rc == 1) return sign != 0 && (half || rest);
  if (rc == 2) return sign == 0 && (half || rest);
  return false;
}

let roundCarry: bool = false;
let roundInexact: bool = false;
let roundUp: bool = false;

/** Rounds r to the upper 64 − drop bits of rHi; sets the three variables above. */
function roundBits(drop: i32): u64 {
  let half: bool, rest: bool, odd: bool, kept: u64;
  if (drop == 0) {
    half = (rLo >> 63) != 0;
    rest = (rLo << 1) != 0;
    odd = (rHi & 1) != 0;
    kept = rHi;
  } else {
    const mask: u64 = ((<u64> 1) << drop) - 1;
    half = ((rHi >> (drop - 1)) & 1) != 0;
    rest = (rHi & (mask >> 1)) != 0 || rLo != 0;
    odd = ((rHi >> drop) & 1) != 0;
    kept = rHi & ~mask;
  }
  roundInexact = half || rest;
  roundUp = increments(rSign, odd, half, rest);
  roundCarry = false;
  if (roundUp) {
    kept += (<u64> 1) << drop;
    roundCarry = kept == 0;
  }
  return kept;
}

/** The exponent bias by which unmasked overflow and underflow wrap. Intel SDM vol. 1, section 8.5.4. */
const WRAP: i32 = 24576;

function overflow(precision: i32, emax: i32): void {
  flags |= OE | PE;
  const away = rc == 0 || (rc == 1 && rSign != 0) || (rc == 2 && rSign == 0);
  if (away) {
    outExp = emax * 2 + 1;
    outSig = INTEGER_BIT;
  } else {
    outExp = emax * 2;
    outSig = (<u64> 0xffffffffffffffff) << (64 - precision);
  }
  roundedUp = away;
}

/** Rounds r (not zero) to a format of `precision` bits with exponents from 1 − emax to emax; sets out, flags and roundedUp. */
export function roundResult(precision: i32, emax: i32): void {
  const drop = 64 - precision, emin = 1 - emax;
  let sig = roundBits(drop);
  let exp = rExp + (roundCarry ? 1 : 0);
  if (roundCarry) sig = INTEGER_BIT;
  const tiny = exp < emin;
  if (rExp < emin && !(tiny && wrapExponent && (unmasked & UE) != 0)) {
    if (tiny && flushToZero && (unmasked & UE) == 0) {
      flags |= UE | PE;
      outExp = 0;
      outSig = 0;
      return;
    }
    shiftRightJam(emin - rExp);
    sig = roundBits(drop);
    if (roundCarry) sig = INTEGER_BIT;
    if (roundInexact) flags |= PE;
    if (tiny && (roundInexact || (unmasked & UE) != 0)) flags |= UE;
    roundedUp = roundUp;
    outSig = sig;
    outExp = (sig & INTEGER_BIT) != 0 ? 1 : 0;
    return;
  }
  if (tiny) {
    flags |= UE;
    exp += WRAP;
  } else if (exp > emax) {
    if (!wrapExponent || (unmasked & OE) == 0) return overflow(precision, emax);
    flags |= OE;
    exp -= WRAP;
  }
  if (roundInexact) flags |= PE;
  roundedUp = roundUp;
  outSig = sig;
  outExp = exp + emax;
  // FSCALE can be so far out that even the wrapped exponent does not fit.
  if (exp > emax) {
    outSig = INTEGER_BIT;
    outExp = emax * 2 + 1;
  } else if (exp < emin) {
    outSig = 0;
    outExp = 0;
  }
}

export function pack64(sign: i32): u64 {
  return (<u64> sign << 63) | (<u64> outExp << 52) | ((outSig << 1) >> 12);
}

export function pack32(sign: i32): u32 {
  return (<u32> sign << 31) | (<u32> outExp << 23) | (<u32> (outSig >> 40) & 0x7fffff);
}

/** {@link toInteger} found no integer in range. */
export let noInteger: bool = false;

/** Rounds finite a to an integer; if its magnitude is beyond the limit for its sign, raises IE and sets noInteger. */
export function toInteger(limit: u64, negativeLimit: u64): i64 {
  const bound = aSign != 0 ? negativeLimit : limit;
  noInteger = true;
  if (aExp <= 63) {
    resultFromA();
    shiftRightJam(63 - aExp);
    const magnitude = roundBits(0);
    if (!roundCarry && magnitude <= bound) {
      if (roundInexact) flags |= PE;
      roundedUp = roundUp;
      noInteger = false;
      return aSign != 0 ? 0 - <i64> magnitude : <i64> magnitude;
    }
  }
  flags |= IE;
  return 0;
}

/** Rounds finite a to an integral value in place (r, bit 63 set, or zero). */
export function toIntegral(): void {
  resultFromA();
  if (aExp >= 63) return;
  shiftRightJam(63 - aExp);
  const magnitude = roundBits(0);
  if (roundInexact) flags |= PE;
  roundedUp = roundUp;
  rLo = 0;
  rHi = roundCarry ? INTEGER_BIT : magnitude;
  rExp = roundCarry ? 64 : 63;
  if (!roundCarry && rHi != 0) normaliseResult();
}

/** −1, 0, 1 for a < b, a = b, a > b; neither is a NaN. */
export function compareNumbers(): i32 {
  const az = aClass == ZERO, bz = bClass == ZERO;
  if (az && bz) return 0;
  const as: i32 = aSign != 0 ? -1 : 1, bs: i32 = bSign != 0 ? -1 : 1;
  if (az) return -bs;
  if (bz) return as;
  if (as != bs) return as;
  if (aClass == INFINITE || bClass == INFINITE) {
    if (aClass == bClass) return 0;
    return aClass == INFINITE ? as : -as;
  }
  if (aExp != bExp) return aExp > bExp ? as : -as;
  if (aSig != bSig) return aSig > bSig ? as : -as;
  return 0;
}
