/** Floating-point arithmetic by the definition, in big integers: what the kernels are tested against. Slow and plain. */

/** A positive rational times a sign; zero has numerator 0. */
export interface Exact {
  readonly sign: 0 | 1;
  readonly numerator: bigint;
  readonly denominator: bigint;
}

/** A binary format: bits of the significand, and the largest exponent. */
export interface Format {
  readonly precision: number;
  readonly largest: number;
}

/** Rounding modes as x86 numbers them. */
export type Rounding = 0 | 1 | 2 | 3;

/** A rounded number: value = sign × significand × 2^exponent, or infinite; and the exceptions (UE, OE, PE) that it raises. */
export interface Rounded {
  readonly sign: 0 | 1;
  readonly significand: bigint;
  readonly exponent: number;
  readonly infinite: boolean;
  readonly flags: number;
}

const OE = 8, UE = 16, PE = 32;

function bits(value: bigint): number {
  return value === 0n ? 0 : value.toString(2).length;
}

/** value × 2^shift. */
export function scaled(value: bigint, shift: number): { numerator: bigint; denominator: bigint } {
  return shift >= 0
    ? { numerator: value << BigInt(shift), denominator: 1n }
    : { numerator: value, denominator: 1n << BigInt(-shift) };
}

export function add(a: Exact, b: Exact, rounding: Rounding): Exact {
  const signed = (x: Exact) => x.sign ? -x.numerator : x.numerator;
  const sum = signed(a) * b.denominator + signed(b) * a.denominator;
  if (sum === 0n) {
    const sign = a.sign === b.sign ? a.sign : rounding === 1 ? 1 : 0;
    return { sign, numerator: 0n, denominator: 1n };
  }
  return { sign: sum < 0n ? 1 : 0, numerator: sum < 0n ? -sum : sum, denominator: a.denominator * b.denominator };
}

export function multiply(a: Exact, b: Exact): Exact {
  return {
    sign: a.sign === b.sign ? 0 : 1,
    numerator: a.numerator * b.numerator,
    denominator: a.denominator * b.denominator,
  };
}

export function divide(a: Exact, b: Exact): Exact {
  return {
    sign: a.sign === b.sign ? 0 : 1,
    numerator: a.numerator * b.denominator,
    denominator: a.denominator * b.numerator,
  };
}

/** The square root to far more bits than any format has, with a last bit that says whether it is inexact. */
export function squareRoot(a: Exact): Exact {
  const shift = BigInt(200 + Math.max(0, bits(a.denominator) - bits(a.numerator)));
  const radicand = (a.numerator << (2n * shift)) / a.denominator;
  // Newton's iteration from above ends at the integer part.
  let low = 1n << BigInt((bits(radicand) + 1) >> 1);
  for (let next = (low + radicand / low) >> 1n; next < low; next = (low + radicand / low) >> 1n) low = next;
  const exact = low * low * a.denominator === a.numerator << (2n * shift);
  return { sign: 0, numerator: low * 2n + (exact ? 0n : 1n), denominator: 1n << (shift + 1n) };
}

/** The quotient in units of 2^exponent, rounded to an integer. */
function roundAt(value: Exact, exponent: number, rounding: Rounding): { integer: bigint; inexact: boolean } {
  const unit = scaled(1n, exponent);
  const top = value.numerator * unit.denominator, bottom = value.denominator * unit.numerator;
  const integer = top / bottom, rest = top % bottom;
  if (rest === 0n) return { integer, inexact: false };
  const half = rest * 2n - bottom;
  const up = rounding === 0
    ? half > 0n || (half === 0n && (integer & 1n) === 1n)
    : rounding === 1
    ? value.sign === 1
    : rounding === 2 && value.sign === 0;
  return { integer: up ? integer + 1n : integer, inexact: true };
}

/** Rounds to a format with all exceptions masked; tininess is detected after rounding. */
export function round(value: Exact, { precision, largest }: Format, rounding: Rounding): Rounded {
  const { sign } = value;
  if (value.numerator === 0n) return { sign, significand: 0n, exponent: 0, infinite: false, flags: 0 };
  // floor(log2(value))
  let top = bits(value.numerator) - bits(value.denominator);
  const power = scaled(1n, top);
  if (value.numerator * power.denominator < value.denominator * power.numerator) top--;
  const smallest = 1 - largest;
  const unbounded = roundAt(value, top - precision + 1, rounding);
  const carried = bits(unbounded.integer) > precision;
  const tiny = top + (carried ? 1 : 0) < smallest;
  if (top < smallest) {
    const exponent = smallest - precision + 1;
    const { integer, inexact } = roundAt(value, exponent, rounding);
    const flags = inexact ? PE | (tiny ? UE : 0) : 0;
    return { sign, significand: integer, exponent, infinite: false, flags };
  }
  if (top + (carried ? 1 : 0) > largest) {
    const away = rounding === 0 || (rounding === 1 && sign === 1) || (rounding === 2 && sign === 0);
    const significand = (1n << BigInt(precision)) - 1n;
    return { sign, significand, exponent: largest - precision + 1, infinite: away, flags: OE | PE };
  }
  return {
    sign,
    significand: unbounded.integer,
    exponent: top - precision + 1,
    infinite: false,
    flags: unbounded.inexact ? PE : 0,
  };
}

/** The bits of a rounded number in an IEEE interchange format of `width` bits. */
export function encode(value: Rounded, { precision, largest }: Format, width: number): bigint {
  const fraction = BigInt(precision - 1), sign = BigInt(value.sign) << BigInt(width - 1);
  if (value.infinite) return sign | (BigInt(2 * largest + 1) << fraction);
  if (value.significand === 0n) return sign;
  let { significand, exponent } = value;
  while (bits(significand) > precision) {
    significand >>= 1n;
    exponent++;
  }
  // Denormals have biased exponent 0 and no hidden bit; adding lets a carry make them normal.
  const biased = BigInt(exponent + precision - 1 + largest);
  if (bits(significand) < precision) return sign | significand;
  return sign | (biased << fraction) | (significand & ((1n << fraction) - 1n));
}

/** The value of finite bits in such a format. */
export function decodeBits(value: bigint, { precision, largest }: Format, width: number): Exact {
  const fraction = BigInt(precision - 1), sign = (value >> BigInt(width - 1)) & 1n;
  const biased = Number((value >> fraction) & BigInt(2 * largest + 1));
  const low = value & ((1n << fraction) - 1n);
  const significand = biased === 0 ? low : low | (1n << fraction);
  return { sign: sign === 1n ? 1 : 0, ...scaled(significand, Math.max(biased, 1) - largest - precision + 1) };
}
