import { assertEquals } from "@std/assert";
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
