/** The transcendental kernels against series in big integers: correct to the last bit of 64, and C1 says which way. */
import { assert, assertEquals } from "@std/assert";
import { Random } from "../../../scripts/lib/random.ts";
import { S } from "../state.ts";
import { kernelModule } from "./mod.ts";

const BASE = 0x1000;
const memory = new WebAssembly.Memory({ initial: 1 }), view = new DataView(memory.buffer, BASE);
type Kernel = (...args: number[]) => void;
const kernels = new WebAssembly.Instance(kernelModule(), { env: { memory } }).exports as Record<string, Kernel>;

// ---- the reference: numbers with 320 bits behind the point

const POINT = 320n, ONE = 1n << POINT;

function times(a: bigint, b: bigint): bigint {
  return (a * b) >> POINT;
}

function over(a: bigint, b: bigint): bigint {
  return (a << POINT) / b;
}

/** The sum of `first` and of what `next` makes of each term, until nothing is left. */
function series(first: bigint, next: (term: bigint, k: bigint) => bigint): bigint {
  let sum = 0n;
  for (let term = first, k = 1n; term !== 0n && term !== -1n; term = next(term, k++)) sum += term;
  return sum;
}

/** z + z³/3 + z⁵/5 … with the signs of `square`, which is ± z². */
function oddSeries(z: bigint, square: bigint): bigint {
  let power = z;
  return series(z, (_, k) => (power = times(power, square)) / (2n * k + 1n));
}

const LN2 = 2n * oddSeries(ONE / 3n, ONE / 9n);

function exponentialMinusOne(x: bigint): bigint {
  return series(x, (term, k) => times(term, x) / (k + 1n));
}

/** Logarithm to base 2 of a number between a quarter and 4. */
function logarithm2(x: bigint): bigint {
  const z = over(x - ONE, x + ONE);
  return over(2n * oddSeries(z, times(z, z)), LN2);
}

function sine(x: bigint): bigint {
  return series(x, (term, k) => -times(times(term, x), x) / (2n * k * (2n * k + 1n)));
}

function cosine(x: bigint): bigint {
  return series(ONE, (term, k) => -times(times(term, x), x) / (2n * k * (2n * k - 1n)));
}

function squareRoot(x: bigint): bigint {
  const scaled = x << POINT;
  let root = x + ONE;
  for (;;) {
    const next = (root + scaled / root) >> 1n;
    if (next >= root) return root;
    root = next;
  }
}

function arcTangent(x: bigint): bigint {
  let halvings = 0n;
  for (; halvings < 4n; halvings++) x = over(x, ONE + squareRoot(ONE + times(x, x)));
  return oddSeries(x, -times(x, x)) << halvings;
}

/** The processors' π, of 66 bits. */
const PI66 = 0x3243f6a8885a308d3n << (POINT - 64n);

/** Sine and cosine of any angle, with π of 66 bits. */
function circular(x: bigint): { sine: bigint; cosine: bigint } {
  const half = PI66 >> 1n, turns = (2n * x + half) / (2n * half) - (2n * x + half < 0n ? 1n : 0n);
  const rest = x - turns * half, s = sine(rest), c = cosine(rest);
  return [{ sine: s, cosine: c }, { sine: c, cosine: -s }, { sine: -s, cosine: -c }, { sine: -c, cosine: s }][
    Number(((turns % 4n) + 4n) % 4n)
  ];
}

// ---- operands and results

const random = new Random(64);

/** A number with 64 significant bits and an exponent from `from` to below `to`. */
function draw(from: number, to: number, negative: boolean): { sig: bigint; se: number; value: bigint } {
  const sig = BigInt(random.u32() | 0x8000_0000) << 32n & 0xffff_ffff_0000_0000n | BigInt(random.u32()) | 1n << 63n;
  const exponent = from + random.u32() % (to - from), sign = negative && (random.u32() & 1) !== 0;
  const value = sig << (POINT - 63n + BigInt(exponent));
  return { sig, se: (sign ? 0x8000 : 0) | exponent + 16383, value: sign ? -value : value };
}

function setRegister(i: number, { sig, se }: { sig: bigint; se: number }): void {
  view.setBigUint64(S.X87 + i * 16, sig, true);
  view.setUint16(S.X87 + i * 16 + 8, se, true);
}

/** Checks the register at `i` against the exact value: the nearest number with 64 bits, inexact, C1 if it is larger. */
function check(i: number, exact: bigint, text: string, statusKnown = true): void {
  const sig = view.getBigUint64(S.X87 + i * 16, true), se = view.getUint16(S.X87 + i * 16 + 8, true);
  const exponent = BigInt((se & 0x7fff) - 16383) - 63n + POINT;
  assertEquals((se & 0x8000) !== 0, exact < 0n, `sign of ${text}`);
  const magnitude = exact < 0n ? -exact : exact, error = (sig << exponent) - magnitude;
  const units = Number((error < 0n ? -error : error) * 1_000_000n >> exponent) / 1e6;
  assert(units <= 0.500001, `${text} is off by ${units} units in the last place`);
  if (statusKnown) assertEquals(view.getInt32(S.FSW, true) & 0x23f, error > 0n ? 0x220 : 0x20, `status of ${text}`);
}

function start(registers: number): void {
  kernels.x87_initialise(BASE);
  view.setInt32(S.FTW, (1 << registers) - 1, true);
}

const ROUNDS = 2000;

Deno.test("x87_exponential: correctly rounded over its whole domain", () => {
  for (let i = 0; i < ROUNDS; i++) {
    const x = draw(-70, 0, true);
    start(1);
    setRegister(0, x);
    kernels.x87_exponential(BASE);
    check(0, exponentialMinusOne(times(x.value, LN2)), `2^x - 1 of ${x.se} ${x.sig}`);
  }
});

Deno.test("x87_logarithm and x87_logarithm_plus_one: correctly rounded", () => {
  for (let i = 0; i < ROUNDS; i++) {
    const x = draw(-40, 40, false), y = draw(-20, 20, true), scale = BigInt((x.se & 0x7fff) - 16383);
    start(2);
    setRegister(0, x);
    setRegister(1, y);
    kernels.x87_logarithm(BASE);
    const mantissa = scale < 0n ? x.value << -scale : x.value >> scale;
    check(1, times(y.value, logarithm2(mantissa) + scale * ONE), `y log2 x of ${x.se} ${x.sig}`);
    const near = draw(-60, -2, true);
    start(2);
    setRegister(0, near);
    setRegister(1, y);
    kernels.x87_logarithm_plus_one(BASE);
    check(1, times(y.value, logarithm2(ONE + near.value)), `y log2(x + 1) of ${near.se} ${near.sig}`);
  }
});

Deno.test("x87_logarithm: correctly rounded beside one", () => {
  for (let i = 1; i <= 60; i++) {
    for (const sig of [(1n << 63n) + (1n << BigInt(i)), (1n << 64n) - (1n << BigInt(i))]) {
      const below = sig > 3n << 62n, x = { sig, se: below ? 0x3ffe : 0x3fff };
      start(2);
      setRegister(0, x);
      setRegister(1, { sig: 1n << 63n, se: 0x3fff });
      kernels.x87_logarithm(BASE);
      check(1, logarithm2(sig << (POINT - (below ? 64n : 63n))), `log2 of ${x.se} ${sig}`);
    }
  }
});

Deno.test("x87_sine, x87_sine_cosine, x87_tangent: correctly rounded for π of 66 bits", () => {
  for (let i = 0; i < ROUNDS; i++) {
    const x = draw(i % 3 === 0 ? 0 : -30, i % 3 === 0 ? 62 : 4, true), text = `of ${x.se} ${x.sig}`;
    const exact = circular(x.value);
    for (const [which, value] of [exact.sine, exact.cosine].entries()) {
      start(1);
      setRegister(0, x);
      kernels.x87_sine(BASE, which);
      check(0, value, `${which === 0 ? "sine" : "cosine"} ${text}`);
    }
    start(1);
    setRegister(0, x);
    kernels.x87_sine_cosine(BASE);
    check(0, exact.sine, `sine of both ${text}`, false);
    check(7, exact.cosine, `cosine of both ${text}`, false);
    start(1);
    setRegister(0, x);
    kernels.x87_tangent(BASE);
    check(0, over(exact.sine, exact.cosine), `tangent ${text}`);
  }
});

Deno.test("x87_arc_tangent: correctly rounded in every quadrant", () => {
  const pi = 16n * arcTangent(ONE / 5n) - 4n * arcTangent(ONE / 239n);
  for (let i = 0; i < ROUNDS; i++) {
    const x = draw(-12, 12, true), y = draw(-12, 12, true);
    start(2);
    setRegister(0, x);
    setRegister(1, y);
    kernels.x87_arc_tangent(BASE);
    const ratio = over(y.value, x.value), angle = arcTangent(ratio);
    check(
      1,
      x.value > 0n ? angle : y.value > 0n ? angle + pi : angle - pi,
      `angle of ${x.sig} ${x.se} ${y.sig} ${y.se}`,
    );
  }
});
