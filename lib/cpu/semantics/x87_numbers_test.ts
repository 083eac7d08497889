import { assertEquals } from "@std/assert";
import { Random } from "../../../scripts/lib/random.ts";
import { add, type Exact, multiply, round, scaled } from "../fpu/exact_reference.ts";
import { S } from "../state.ts";
import { testBoard } from "../test_board.ts";

/** Sign and exponent, and significand, of a product and the status word (without TOP) after it, with everything masked. */
function product(a: [number, bigint], b: [number, bigint]): [number, bigint, number] {
  const { cpu, memory, load } = testBoard(), at = 0x3000;
  [a, b].forEach(([signExponent, significand], i) => {
    memory.view.setBigUint64(at + 16 * i, significand, true);
    memory.view.setUint16(at + 16 * i + 8, signExponent, true);
  });
  cpu.r.setI32(S.FCW, 0x37f);
  cpu.r.setI32(S.FTW, 0);
  // fld tword [3000h]; fld tword [3010h]; fmulp st(1); fstp tword [3020h]; hlt
  load(0x1000, 0xdb, 0x2d, 0, 0x30, 0, 0, 0xdb, 0x2d, 0x10, 0x30, 0, 0, 0xde, 0xc9, 0xdb, 0x3d, 0x20, 0x30, 0, 0, 0xf4);
  cpu.run(100);
  return [memory.view.getUint16(at + 40, true), memory.view.getBigUint64(at + 32, true), cpu.r.i32(S.FSW)];
}

const ONE = 1n << 63n, ALL = (1n << 64n) - 1n;

Deno.test("products at the ends of what is computed in place: the largest numbers, infinity, the smallest", () => {
  assertEquals(product([0x5ffe, ONE], [0x5fff, ONE]), [0x7ffe, ONE, 0]);
  assertEquals(product([0xdffe, ONE], [0x5fff, ONE]), [0xfffe, ONE, 0]);
  // 2^8192 × 2^8192, and larger ones: overflow and inexact.
  assertEquals(product([0x5fff, ONE], [0x5fff, ONE]), [0x7fff, ONE, 0x28]);
  assertEquals(product([0x5fff, ALL], [0xdffe, ALL]), [0xffff, ONE, 0x28]);
  assertEquals(product([0x5ffe, ALL], [0x5fff, ONE]), [0x7ffe, ALL, 0]);
  assertEquals(product([0x2000, ONE], [0x2000, ONE]), [1, ONE, 0]);
});

const random = new Random(8087), DATA = 0x10_0000, STEP = 64, PAIRS = 6000;
const FORMAT = { precision: 64, largest: 16383 };

/** Random, sparse, all ones, or such that sums and products have ties and carries. */
function significand(): bigint {
  const bits = BigInt(random.u32()) << 32n | BigInt(random.u32()), kept = BigInt(random.below(64));
  return ONE | random.pick([bits, bits & ALL << kept, bits | ALL >> kept, ALL >> kept, 0n, 1n << kept]);
}

/** A number whose exponent is near 0: the sign in bit 15, and its significand. */
function number(): [number, bigint] {
  return [random.pick([0, 0x8000]) | 0x3fff + random.below(random.pick([3, 8, 70])), significand()];
}

function exact([signExponent, significand]: [number, bigint]): Exact {
  const { numerator, denominator } = scaled(1n, (signExponent & 0x7fff) - 16383 - 63);
  return { sign: signExponent >>> 15 === 1 ? 1 : 0, numerator: significand * numerator, denominator };
}

Deno.test("sums and products of numbers of all distances and both signs are the exact ones, rounded", () => {
  const { cpu, memory: { view }, load } = testBoard();
  const pairs = Array.from({ length: PAIRS }, () => [number(), number()] as const);
  pairs.forEach((pair, i) =>
    pair.forEach(([signExponent, significand], n) => {
      view.setBigUint64(DATA + STEP * i + 16 * n, significand, true);
      view.setUint16(DATA + STEP * i + 16 * n + 8, signExponent, true);
    })
  );
  cpu.r.setI32(S.FCW, 0x37f);
  cpu.r.setI32(S.FTW, 0);
  cpu.r.set32(6, DATA);
  cpu.r.set32(1, PAIRS);
  load(0x1000, ...[0xdb, 0x6e, 0x10, 0xdb, 0x2e]); // fld tword [esi+16]; fld tword [esi]
  load(0x1005, ...[0xd9, 0xc0, 0xd8, 0xc2]); // fld st(0); fadd st(0), st(2)
  load(0x1009, ...[0xdb, 0x7e, 0x20, 0xde, 0xc9, 0xdb, 0x7e, 0x30]); // fstp tword [esi+32]; fmulp st(1); fstp tword [esi+48]
  load(0x1011, ...[0x83, 0xc6, STEP, 0xe2, 0xea, 0xf4]); // add esi, 64; loop 1000h; hlt
  cpu.run(PAIRS * 10);
  pairs.forEach(([a, b], i) => {
    for (const [at, value] of [[32, add(exact(a), exact(b), 0)], [48, multiply(exact(a), exact(b))]] as const) {
      const found = view.getUint16(DATA + STEP * i + at + 8, true),
        bits = view.getBigUint64(DATA + STEP * i + at, true);
      const { sign, significand, exponent } = round(value, FORMAT, 0), carried = significand === ONE << 1n;
      const wanted = significand === 0n ? 0 : exponent + 16383 + 63 + (carried ? 1 : 0);
      assertEquals([found, bits], [sign << 15 | wanted, carried ? ONE : significand], `${a} and ${b} at ${at}`);
    }
  });
});
