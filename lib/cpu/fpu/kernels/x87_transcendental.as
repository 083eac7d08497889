/**
 * The transcendental x87 instructions, rounded from 128-bit results. Special cases: Intel SDM vol. 2, F2XM1, FYL2X, FYL2XP1,
 * FPATAN, FPTAN, FSIN, FCOS, FSINCOS. Operands that the manual excludes leave the result that the processors leave.
 */
import {
  aClass, aDenormal, aExp, aSig, aSign, bClass, bDenormal, bExp, bSig, bSign, DE, FINITE, flags, IE, INFINITE, INTEGER_BIT, moveAtoB,
  PE, QNAN, QUIET_BIT, raise, setResult, setRoundedUp, SNAN, UE, unmasked, UNSUPPORTED, ZE, ZERO,
} from "./softfloat";
import {
  addW, arcTangent, cosine, divideW, exponentialMinusOne, logarithm, multiplyW, normaliseW, quadrant, reduce, setW, sine, wExp, wHi, wLo,
  wSign,
} from "./wide";
import {
  begin, blocked, C1, C2, DEFAULT_SE, DEFAULT_SIG, finish, FSW, loadRegister, openTop, pop, push, replaceTop, setStatus, stackFault,
  status, take, takeInfinity, takeInvalid, takeNan, takeRounded, takeZero, valid, valueSe, valueSig, write,
} from "./x87_stack";

/** Takes w; such results are never exact. */
function takeW(): void {
  setResult(wSign, wExp, wHi, wLo | 1);
  takeRounded(64);
  raise(PE);
}

/** a is smaller than the smallest normal number; a pseudo-denormal is not. */
function isTiny(): bool {
  return aExp < -16382;
}

/** Takes a as it is; a pseudo-denormal becomes the normal number that it is. */
function takeUnchanged(): void {
  const shift = isTiny() ? -16382 - aExp : 0;
  take((aSign << 15) | (isTiny() ? 0 : aExp + 16383), aSig >> shift);
  raise(PE);
}

function setWfromA(): void {
  setW(aSign, aExp, aSig, 0);
}

/** 2^ST(0) − 1. */
export function x87_exponential(base: usize): void {
  if (!openTop(base)) return;
  if (aClass == ZERO) takeZero(aSign);
  else if (aClass == INFINITE) {
    if (aSign != 0) take(0xbfff, INTEGER_BIT);
    else takeInfinity(0);
  } else {
    if (aDenormal) raise(DE);
    if (aExp >= 0) {
      // The domain is −1 to 1; the ends are exact.
      if (aExp > 0 || aSig != INTEGER_BIT) takeUnchanged();
      else take(aSign != 0 ? 0xbffe : 0x3fff, INTEGER_BIT);
    } else {
      setWfromA();
      multiplyW(0, -1, 0xb17217f7d1cf79ab, 0xc9e3b39803f2f6af);
      exponentialMinusOne();
      takeW();
    }
  }
  replaceTop(base);
}

/** Loads ST(0) into a and ST(1) into b for an instruction that replaces ST(1) and pops; false if that ended it. */
function openPair(base: usize): bool {
  begin(base);
  if (!valid(base, 0) || !valid(base, 1)) {
    if (stackFault(base, false)) {
      write(base, 1, DEFAULT_SE, DEFAULT_SIG);
      pop(base);
    }
    return false;
  }
  loadRegister(base, 1);
  moveAtoB();
  loadRegister(base, 0);
  if (!takeNan()) return true;
  closePair(base);
  return false;
}

function closePair(base: usize): void {
  finish(base);
  if (blocked()) return;
  write(base, 1, valueSe, valueSig);
  pop(base);
}

/** w × b, where w is not zero and b is finite. */
function takeTimesB(): void {
  multiplyW(bSign, bExp, bSig, 0);
  takeW();
}

/** ST(1) × log2 ST(0). */
export function x87_logarithm(base: usize): void {
  if (!openPair(base)) return;
  const denormal = aDenormal || bDenormal;
  if (aSign != 0 && aClass != ZERO) takeInvalid();
  else if (aClass == ZERO) {
    if (bClass == ZERO) takeInvalid();
    else {
      if (bClass == FINITE) raise(ZE);
      takeInfinity(bSign ^ 1);
    }
  } else if (aClass == INFINITE) {
    if (bClass == ZERO) takeInvalid();
    else {
      if (denormal) raise(DE);
      takeInfinity(bSign);
    }
  } else {
    const one = aExp == 0 && aSig == INTEGER_BIT, less = aExp < 0 ? 1 : 0;
    if (bClass == INFINITE) {
      if (one) takeInvalid();
      else {
        if (denormal) raise(DE);
        takeInfinity(bSign ^ less);
      }
    } else {
      if (denormal) raise(DE);
      if (bClass == ZERO || one) takeZero(bSign ^ less);
      else {
        const exact = aSig == INTEGER_BIT;
        setWfromA();
        logarithm();
        if (exact) {
          multiplyW(bSign, bExp, bSig, 0);
          setResult(wSign, wExp, wHi, wLo);
          takeRounded(64);
        } else {
          takeTimesB();
        }
      }
    }
  }
  closePair(base);
}

/** ST(1) × log2(ST(0) + 1). */
export function x87_logarithm_plus_one(base: usize): void {
  if (!openPair(base)) return;
  const denormal = aDenormal || bDenormal, sign = aSign ^ bSign;
  if (aClass == INFINITE) {
    if (aSign != 0 || bClass == ZERO) takeInvalid();
    else {
      if (denormal) raise(DE);
      takeInfinity(bSign);
    }
  } else if (bClass == INFINITE) {
    if (aClass == ZERO) takeInvalid();
    else {
      if (denormal) raise(DE);
      takeInfinity(sign);
    }
  } else {
    if (denormal) raise(DE);
    if (aClass == ZERO || bClass == ZERO) takeZero(sign);
    else if (aSign != 0 && aExp >= 0) takeUnchanged();
    else if (aExp < -64) {
      // log2(1 + x) = x log2(e), to the last bit.
      setWfromA();
      multiplyW(0, 0, 0xb8aa3b295c17f0bb, 0xbe87fed0691d3e88);
      takeTimesB();
    } else {
      setWfromA();
      addW(0, 0, INTEGER_BIT, 0);
      logarithm();
      takeTimesB();
    }
  }
  closePair(base);
}

const PI_HI: u64 = 0xc90fdaa22168c234;
const PI_LO: u64 = 0xc4c6628b80dc1cd1;

/** Takes `quarters` × π / 4. */
function takePi(sign: i32, quarters: i32): void {
  setW(0, -1, PI_HI, PI_LO);
  const factor = <u64> quarters, shift = <i32> clz(factor);
  multiplyW(sign, 63 - shift, factor << shift, 0);
  takeW();
}

/** The angle of the point (ST(0), ST(1)). */
export function x87_arc_tangent(base: usize): void {
  if (!openPair(base)) return;
  const sign = bSign, left = aSign != 0;
  if (bClass == INFINITE) {
    if (aDenormal) raise(DE);
    takePi(sign, aClass == INFINITE ? (left ? 3 : 1) : 2);
  } else if (aClass == INFINITE) {
    if (bDenormal) raise(DE);
    if (left) takePi(sign, 4);
    else takeZero(sign);
  } else if (bClass == ZERO) {
    if (aDenormal) raise(DE);
    if (left) takePi(sign, 4);
    else takeZero(sign);
  } else if (aClass == ZERO) {
    if (bDenormal) raise(DE);
    takePi(sign, 2);
  } else {
    if (aDenormal || bDenormal) raise(DE);
    takeAngle(sign, left);
  }
  closePair(base);
}

/** atan2 of two finite numbers. */
function takeAngle(sign: i32, left: bool): void {
  const steep = bExp > aExp || (bExp == aExp && bSig > aSig);
  if (steep) {
    setW(0, aExp, aSig, 0);
    divideW(0, bExp, bSig, 0);
  } else {
    setW(0, bExp, bSig, 0);
    divideW(0, aExp, aSig, 0);
  }
  const exact = wLo == 0 && (wHi << 1) == 0;
  arcTangent();
  let inexact = true;
  if (steep || left) {
    // π/2 − w or π − w; the signs of both corrections combine.
    wSign = steep != left ? 1 : 0;
    if (steep) addW(0, 0, PI_HI, PI_LO);
    else addW(0, 1, PI_HI, PI_LO);
  } else {
    inexact = !exact || wExp > -16382;
  }
  wSign = sign;
  if (inexact) takeW();
  else {
    // A ratio that is an exact power of two far below the smallest normal number.
    setResult(wSign, wExp, wHi, wLo);
    takeRounded(64);
  }
}

/** False if the operand is out of range: then C2, which was cleared first, is set and nothing else happens. */
function inRange(base: usize): bool {
  if (aClass == FINITE && aExp >= 63) {
    store<i32>(base, (status(base) & ~C1) | C2, FSW);
    return false;
  }
  return true;
}

/** Takes sin or cos of a, finite and not zero. */
function takeSine(sineWanted: bool): void {
  // Far below one, sin x is x and cos x is 1.
  if (isTiny() && sineWanted) {
    takeUnchanged();
    return raise(UE);
  }
  if (!sineWanted && aExp < -33) {
    take(0x3fff, INTEGER_BIT);
    return raise(PE);
  }
  setWfromA();
  reduce();
  const turn = quadrant;
  const useSine = sineWanted == ((turn & 1) == 0);
  if (useSine) sine();
  else cosine();
  if (!useSine) wSign = 0;
  if (sineWanted) {
    if (turn >= 2) wSign ^= 1;
  } else if (turn == 1 || turn == 2) wSign ^= 1;
  takeW();
}

/** FSIN (0) and FCOS (1). */
export function x87_sine(base: usize, cosineWanted: i32): void {
  store<i32>(base, status(base) & ~C2, FSW);
  if (!openTop(base) || !inRange(base)) return;
  if (aClass == INFINITE) takeInvalid();
  else if (aClass == ZERO) {
    if (cosineWanted != 0) take(0x3fff, INTEGER_BIT);
    else takeZero(aSign);
  } else {
    if (aDenormal) raise(DE);
    takeSine(cosineWanted == 0);
  }
  replaceTop(base);
}

/** Loads ST(0) for an instruction that pushes; on a stack fault both results are the default NaN. */
function openPush(base: usize): bool {
  begin(base);
  const empty = !valid(base, 0);
  store<i32>(base, status(base) & ~C2, FSW);
  if (empty || valid(base, 7)) {
    if (stackFault(base, !empty)) {
      write(base, 0, DEFAULT_SE, DEFAULT_SIG);
      push(base, DEFAULT_SE, DEFAULT_SIG);
    }
    return false;
  }
  loadRegister(base, 0);
  return true;
}

/** Ends such an instruction: ST(0) is replaced, then the value last taken is pushed. */
function closePush(base: usize, se: i32, sig: u64): void {
  finish(base);
  if (blocked()) return;
  write(base, 0, se, sig);
  push(base, valueSe, valueSig);
}

/** NaNs and infinities: both results are a NaN. True if that settled it. */
function settledSpecial(base: usize): bool {
  if (aClass < INFINITE) return false;
  if (aClass == INFINITE || aClass == UNSUPPORTED) takeInvalid();
  else {
    if (aClass == SNAN) raise(IE);
    take((aSign << 15) | 0x7fff, aSig | QUIET_BIT);
  }
  closePush(base, valueSe, valueSig);
  return true;
}

/** FSINCOS: the sine replaces ST(0), the cosine is pushed. */
export function x87_sine_cosine(base: usize): void {
  if (!openPush(base) || settledSpecial(base) || !inRange(base)) return;
  if (aClass == ZERO) {
    const sign = aSign;
    take(0x3fff, INTEGER_BIT);
    return closePush(base, sign << 15, 0);
  }
  if (aDenormal) raise(DE);
  takeSine(true);
  const se = valueSe, sig = valueSig;
  takeSine(false);
  closePush(base, se, sig);
}

/** FPTAN: the tangent replaces ST(0), 1 is pushed. */
export function x87_tangent(base: usize): void {
  if (!openPush(base) || settledSpecial(base) || !inRange(base)) return;
  if (aClass == ZERO) takeZero(aSign);
  else if (isTiny()) {
    raise(DE | UE);
    takeUnchanged();
  } else {
    if (aDenormal) raise(DE);
    setWfromA();
    reduce();
    const sign = wSign, exp = wExp, hi = wHi, lo = wLo, odd = (quadrant & 1) != 0;
    cosine();
    const cosineExp = wExp, cosineHi = wHi, cosineLo = wLo;
    setW(sign, exp, hi, lo);
    sine();
    if (odd) {
      // tan(x + π/2) = −cos x / sin x
      const sineSign = wSign, sineExp = wExp, sineHi = wHi, sineLo = wLo;
      setW(sineSign ^ 1, cosineExp, cosineHi, cosineLo);
      divideW(0, sineExp, sineHi, sineLo);
    } else {
      divideW(0, cosineExp, cosineHi, cosineLo);
    }
    takeW();
  }
  const se = valueSe, sig = valueSig;
  take(0x3fff, INTEGER_BIT);
  closePush(base, se, sig);
}
