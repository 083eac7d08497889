/**
 * Numbers of 128 significant bits, for the transcendental functions: enough that their results are rounded correctly in all
 * but one case of many millions. A number is (hi:lo) × 2^(exp − 127) with the top bit of hi set; fractions and factors
 * near one are fixed-point, with 128 and 127 bits behind the point. Results are left in w.
 */
import { multiplyWide, wideHi, wideLo } from "./softfloat";

export let wSign: i32 = 0;
export let wExp: i32 = 0;
export let wHi: u64 = 0;
export let wLo: u64 = 0;

const TOP: u64 = 1 << 63;

export function setW(sign: i32, exp: i32, hi: u64, lo: u64): void {
  wSign = sign;
  wExp = exp;
  wHi = hi;
  wLo = lo;
}

/** Shifts w left until its top bit is set. */
export function normaliseW(): void {
  if (wHi == 0) {
    if (wLo == 0) return;
    wHi = wLo;
    wLo = 0;
    wExp -= 64;
  }
  const shift = <i32> clz(wHi);
  if (shift > 0) {
    wHi = (wHi << shift) | (wLo >> (64 - shift));
    wLo <<= shift;
    wExp -= shift;
  }
}

/** w = the upper 128 bits of a × b, as integers. */
export function multiplyTop(aHi: u64, aLo: u64, bHi: u64, bLo: u64): void {
  multiplyWide(aHi, bLo);
  const first = wideHi;
  multiplyWide(aLo, bHi);
  const second = wideHi;
  multiplyWide(aHi, bHi);
  const sum = first + second;
  const carry: u64 = sum < first ? 1 : 0;
  wLo = wideLo + sum;
  wHi = wideHi + carry + (wLo < sum ? <u64> 1 : 0);
}

/** w = w × b, for numbers. */
export function multiplyW(sign: i32, exp: i32, hi: u64, lo: u64): void {
  wSign ^= sign;
  wExp += exp + 1;
  multiplyTop(wHi, wLo, hi, lo);
  normaliseW();
}

/** w = w / divisor, for a small integer. */
export function divideSmall(divisor: u64): void {
  const quotient = wHi / divisor, rest = wHi - quotient * divisor;
  const upper = (rest << 32) | (wLo >> 32), middle = upper / divisor;
  const lower = ((upper - middle * divisor) << 32) | (wLo & 0xffffffff);
  wHi = quotient;
  wLo = (middle << 32) | (lower / divisor);
}

/** w = w / b, for numbers; b is not zero. */
export function divideW(sign: i32, exp: i32, hi: u64, lo: u64): void {
  wSign ^= sign;
  wExp -= exp;
  let restHi = wHi, restLo = wLo, carry = false;
  wHi = 0;
  wLo = 0;
  if (restHi < hi || (restHi == hi && restLo < lo)) {
    wExp--;
    carry = (restHi >> 63) != 0;
    restHi = (restHi << 1) | (restLo >> 63);
    restLo <<= 1;
  }
  for (let i = 0; i < 128; i++) {
    wHi = (wHi << 1) | (wLo >> 63);
    wLo <<= 1;
    if (carry || restHi > hi || (restHi == hi && restLo >= lo)) {
      restHi = restHi - hi - (restLo < lo ? <u64> 1 : 0);
      restLo -= lo;
      wLo |= 1;
    }
    carry = (restHi >> 63) != 0;
    restHi = (restHi << 1) | (restLo >> 63);
    restLo <<= 1;
  }
}

/** w = w + b, for numbers; bits beyond the 128 are dropped. */
export function addW(sign: i32, exp: i32, hi: u64, lo: u64): void {
  if (hi == 0 && lo == 0) return;
  if ((wHi == 0 && wLo == 0) || exp > wExp || (exp == wExp && (hi > wHi || (hi == wHi && lo > wLo)))) {
    const s = wSign, e = wExp, h = wHi, l = wLo;
    setW(sign, exp, hi, lo);
    sign = s;
    exp = e;
    hi = h;
    lo = l;
    if (hi == 0 && lo == 0) return;
  }
  const shift = wExp - exp;
  if (shift >= 128) return;
  if (shift >= 64) {
    lo = hi >> (shift - 64);
    hi = 0;
  } else if (shift > 0) {
    lo = (lo >> shift) | (hi << (64 - shift));
    hi >>= shift;
  }
  if (sign != wSign) {
    wHi = wHi - hi - (wLo < lo ? <u64> 1 : 0);
    wLo -= lo;
    return normaliseW();
  }
  wLo += lo;
  const carry: u64 = wLo < lo ? 1 : 0;
  const sum = wHi + hi;
  const total = sum + carry;
  const overflow = sum < hi || total < carry;
  wHi = total;
  if (overflow) {
    wLo = (wLo >> 1) | (wHi << 63);
    wHi = TOP | (wHi >> 1);
    wExp++;
  }
}

/** Turns w, below one, into a fraction of 128 bits. */
function toFraction(): void {
  const shift = -1 - wExp;
  if (shift >= 128) {
    wHi = 0;
    wLo = 0;
  } else if (shift >= 64) {
    wLo = wHi >> (shift - 64);
    wHi = 0;
  } else if (shift > 0) {
    wLo = (wLo >> shift) | (wHi << (64 - shift));
    wHi >>= shift;
  }
}

let uHi: u64 = 0;
let uLo: u64 = 0;

/** u = w as a fraction. */
function fraction(): void {
  const hi = wHi, lo = wLo;
  toFraction();
  uHi = wHi;
  uLo = wLo;
  wHi = hi;
  wLo = lo;
}

/** u = w² as a fraction. */
function fractionOfSquare(): void {
  fraction();
  const hi = wHi, lo = wLo;
  multiplyTop(uHi, uLo, uHi, uLo);
  uHi = wHi;
  uLo = wLo;
  wHi = hi;
  wLo = lo;
}

/** t = one (127 bits behind the point) plus or minus t × u / divisor. */
let tHi: u64 = 0;
let tLo: u64 = 0;

function step(divisor: u64, minus: bool): void {
  multiplyTop(tHi, tLo, uHi, uLo);
  divideSmall(divisor);
  if (minus) {
    tLo = 0 - wLo;
    tHi = TOP - wHi - (wLo != 0 ? <u64> 1 : 0);
  } else {
    tLo = wLo;
    tHi = TOP + wHi;
  }
}

/** w = w × t. */
function timesT(sign: i32, exp: i32, hi: u64, lo: u64): void {
  setW(sign, exp, hi, lo);
  multiplyW(0, 0, tHi, tLo);
}

/** w = e^w − 1 for |w| < 0.7. */
export function exponentialMinusOne(): void {
  const sign = wSign, exp = wExp, hi = wHi, lo = wLo;
  fraction();
  tHi = TOP;
  tLo = 0;
  for (let k = 34; k >= 1; k--) step(k + 1, sign != 0);
  timesT(sign, exp, hi, lo);
}

/** w = sin w for |w| < 1. */
export function sine(): void {
  const sign = wSign, exp = wExp, hi = wHi, lo = wLo;
  fractionOfSquare();
  tHi = TOP;
  tLo = 0;
  for (let k = 17; k >= 1; k--) step(2 * k * (2 * k + 1), true);
  timesT(sign, exp, hi, lo);
}

/** w = cos w for |w| < 1. */
export function cosine(): void {
  fractionOfSquare();
  tHi = TOP;
  tLo = 0;
  for (let k = 17; k >= 1; k--) step((2 * k - 1) * 2 * k, true);
  setW(0, 0, tHi, tLo);
  normaliseW();
}

/** t = sum of (±u)^k / (2k + 1). */
function oddReciprocals(terms: i32, alternating: bool): void {
  tHi = 0;
  tLo = 0;
  for (let k = terms; k >= 0; k--) {
    multiplyTop(tHi, tLo, uHi, uLo);
    const hi = wHi, lo = wLo;
    wHi = TOP;
    wLo = 0;
    divideSmall(2 * k + 1);
    if (alternating) {
      tHi = wHi - hi - (wLo < lo ? <u64> 1 : 0);
      tLo = wLo - lo;
    } else {
      tLo = wLo + lo;
      tHi = wHi + hi + (tLo < lo ? <u64> 1 : 0);
    }
  }
}

/** w = log2 w for w > 0. */
export function logarithm(): void {
  let exponent = wExp;
  const hi = wHi, lo = wLo;
  // The significand between √½ and √2, so that numbers just below one do not cancel.
  const below = hi > 0xb504f333f9de6484;
  if (below) {
    exponent++;
    // 1 − m, with m = (hi:lo) × 2^-128.
    setW(1, -1, 0 - hi - (lo != 0 ? <u64> 1 : 0), 0 - lo);
  } else {
    setW(0, 0, hi - TOP, lo);
  }
  if (wHi == 0 && wLo == 0) {
    wExp = 0;
  } else {
    normaliseW();
    // m + 1, halved where m ≥ 1.
    if (below) divideW(0, 0, TOP | (hi >> 1), (lo >> 1) | (hi << 63));
    else divideW(0, 1, (hi >> 1) + (TOP >> 1), (lo >> 1) | (hi << 63));
    const sign = wSign, exp = wExp, zHi = wHi, zLo = wLo;
    fractionOfSquare();
    oddReciprocals(26, false);
    timesT(sign, exp, zHi, zLo);
    // × 2 log2(e)
    multiplyW(0, 1, 0xb8aa3b295c17f0bb, 0xbe87fed0691d3e88);
  }
  if (exponent != 0) {
    const magnitude: u64 = exponent < 0 ? -exponent : exponent;
    const shift = <i32> clz(magnitude);
    addW(exponent < 0 ? 1 : 0, 63 - shift, magnitude << shift, 0);
  }
}

/** w = arc tangent of w, 0 < w ≤ 1. */
export function arcTangent(): void {
  const exp = wExp, hi = wHi, lo = wLo;
  // The nearest sixteenth.
  let nearest = 0;
  if (exp >= -5) nearest = exp == 0 ? 16 : <i32> ((hi >> (58 - exp)) + 1) >> 1;
  if (nearest > 0) {
    const shift = <i32> clz(<u64> nearest), c: u64 = (<u64> nearest) << shift, cExp = 59 - shift;
    // (r − c) / (1 + r c)
    multiplyW(0, cExp, c, 0);
    addW(0, 0, TOP, 0);
    const bExp = wExp, bHi = wHi, bLo = wLo;
    setW(0, exp, hi, lo);
    addW(1, cExp, c, 0);
    if (wHi != 0 || wLo != 0) divideW(0, bExp, bHi, bLo);
  }
  if (wHi != 0 || wLo != 0) {
    const sign = wSign, rExp = wExp, rHi = wHi, rLo = wLo;
    fractionOfSquare();
    oddReciprocals(14, true);
    timesT(sign, rExp, rHi, rLo);
  }
  if (nearest > 0) addArcTangentOf(nearest);
}

/** w += atan(i / 16). */
function addArcTangentOf(i: i32): void {
  const sign = wSign, exp = wExp, hi = wHi, lo = wLo;
  switch (i) {
    case 1:
      setW(0, -1, 0x0ffaaddb967ef4e3, 0x6cb2792dc0e2e0d5);
      break;
    case 2:
      setW(0, -1, 0x1fd5ba9aac2f6dc6, 0x5912f313e7d111de);
      break;
    case 3:
      setW(0, -1, 0x2f72f6979cb6044d, 0x1ec2d3e207271d21);
      break;
    case 4:
      setW(0, -1, 0x3eb6ebf25901bac5, 0x5b71e7bd7de885f9);
      break;
    case 5:
      setW(0, -1, 0x4d89dcdc1faf2f34, 0xe2d5da4c693d7994);
      break;
    case 6:
      setW(0, -1, 0x5bd86507937bc239, 0xc55190916e7f2241);
      break;
    case 7:
      setW(0, -1, 0x6993bb0f308ff2db, 0x213e4af4800f389b);
      break;
    case 8:
      setW(0, -1, 0x76b19c1586ed3da2, 0xb7f222f65e1d4681);
      break;
    case 9:
      setW(0, -1, 0x832bf4a6d9867e2a, 0x4b6a09cb61a515c0);
      break;
    case 10:
      setW(0, -1, 0x8f005d5ef7f59f9b, 0x5c835e1665c43747);
      break;
    case 11:
      setW(0, -1, 0x9a2f80e671bdda20, 0x4226f8e2204ff3bc);
      break;
    case 12:
      setW(0, -1, 0xa4bc7d1934f70924, 0x19a87f2a457dac9e);
      break;
    case 13:
      setW(0, -1, 0xaeac4c38b4d8c080, 0x14725e2f3e52070a);
      break;
    case 14:
      setW(0, -1, 0xb8053e2bc2319e73, 0xcb2da55210a4443d);
      break;
    case 15:
      setW(0, -1, 0xc0ce85b8ac526640, 0x89dd62c46e92fa24);
      break;
    default:
      setW(0, -1, 0xc90fdaa22168c234, 0xc4c6628b80dc1cd1);
  }
  normaliseW();
  addW(sign, exp, hi, lo);
}

/** Quadrant of the argument of the last {@link reduce}. */
export let quadrant: i32 = 0;

/**
 * w = w − n π/2 for the nearest n, with the 66-bit π that the processors use; w has 64 bits and is below 2^63. Intel SDM
 * vol. 1, section 8.3.8.
 */
export function reduce(): void {
  quadrant = 0;
  // Below π/4 nothing is to be done.
  if (wExp < -1 || (wExp == -1 && wHi <= 0xc90fdaa22168c234)) return;
  const sign = wSign;
  // In units of 2^-65, π/2 is this number of 66 bits.
  const piHi: u64 = 3, piLo: u64 = 0x243f6a8885a308d3;
  let restHi: u64 = 0, restLo: u64 = wHi, n = 0;
  for (let i = wExp + 2; i >= 0; i--) {
    n <<= 1;
    if (restHi > piHi || (restHi == piHi && restLo >= piLo)) {
      restHi = restHi - piHi - (restLo < piLo ? <u64> 1 : 0);
      restLo -= piLo;
      n |= 1;
    }
    if (i > 0) {
      restHi = (restHi << 1) | (restLo >> 63);
      restLo <<= 1;
    }
  }
  let flip = 0;
  // More than π/4 is left: the next multiple is nearer.
  if (restHi > 1 || (restHi == 1 && restLo > 0x921fb54442d18469)) {
    const lo = piLo - restLo;
    restHi = piHi - restHi - (piLo < restLo ? <u64> 1 : 0);
    restLo = lo;
    n++;
    flip = 1;
  }
  quadrant = sign != 0 ? -n & 3 : n & 3;
  setW(sign ^ flip, 127 - 65, restHi, restLo);
  normaliseW();
}
