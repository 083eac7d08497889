import { assertEquals, assertNotEquals } from "@std/assert";
import { Flag, R, S } from "../state.ts";
import { parseCpuModel } from "../system/model.ts";
import { testBoard } from "../test_board.ts";

/** A processor that is about to execute rdrand eax; rdseed ecx; rdrand dx. */
function board(seed?: number) {
  const made = testBoard({ cpuModel: parseCpuModel("max"), seed });
  made.load(0x1000, 0x0f, 0xc7, 0xf0, 0x0f, 0xc7, 0xf9, 0x66, 0x0f, 0xc7, 0xf2);
  return made;
}

function drawn({ cpu }: ReturnType<typeof board>): number[] {
  cpu.r.set32(R.DX, 0x1234_0000);
  cpu.r.eflags = Flag.OF | Flag.SF | Flag.ZF | Flag.AF | Flag.PF;
  cpu.run(3);
  return [R.AX, R.CX, R.DX].map((register) => cpu.r.get32(register));
}

Deno.test("rdrand, rdseed: draw the numbers of SplitMix64 and set CF alone", () => {
  const zero = board();
  const [first, second, third] = drawn(zero);
  // The generator's first outputs for seed 0: e220a8397b1dcdaf, 6e789e6aa1b965f4, 06c45d188009454f.
  assertEquals([first, second, third], [0x7b1d_cdaf, 0xa1b9_65f4, 0x1234_454f]);
  assertEquals(zero.cpu.r.eflags & Flag.ARITHMETIC, Flag.CF);
});

Deno.test("rdrand: the seed decides, a reset goes on, and a saved state draws the same again", () => {
  assertNotEquals(drawn(board(1)), drawn(board(0)));
  assertEquals(drawn(board(7)), drawn(board(7)));
  const { cpu } = board(7), saved = cpu.save(), before = cpu.r.u64(S.RANDOM);
  cpu.run(3);
  const after = cpu.r.u64(S.RANDOM);
  assertNotEquals(after, before);
  cpu.reset();
  assertEquals(cpu.r.u64(S.RANDOM), after);
  cpu.load(saved);
  assertEquals(cpu.r.u64(S.RANDOM), before);
});
