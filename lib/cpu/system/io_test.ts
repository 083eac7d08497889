import { assertEquals } from "@std/assert";
import type { TimeScale } from "../../machine/processor.ts";
import { type Tier, TIERS } from "../options.ts";
import { R } from "../state.ts";
import { testBoard } from "../test_board.ts";

const ROUNDS = 20;

/** L: in al,80h; inc edx; out 80h,al; dec ecx; jnz L; hlt. Runs it in slices of so many cycles. */
function outcome(tier: Tier, slice: number, scale?: TimeScale) {
  const { cpu, writes, load } = testBoard({ tier }, scale);
  load(0x1000, 0xe4, 0x80, 0x42, 0xe6, 0x80, 0x49, 0x75, 0xf8, 0xf4);
  cpu.r.set32(R.CX, ROUNDS);
  cpu.r.set32(R.DX, 0);
  while (cpu.run(slice) === "budget");
  return { instructions: cpu.instructions, cycles: cpu.cycles, counted: cpu.r.get32(R.DX), writes };
}

Deno.test("IN and OUT: time passes without instructions, however a run is sliced, in every tier", () => {
  const instructions = 5 * ROUNDS + 1, cycles = instructions + 2 * ROUNDS * 720;
  const writes = Array.from({ length: ROUNDS }, (_, i) => [0x80, 0xff, 5 * i + 2] as [number, number, number]);
  for (const tier of TIERS) {
    for (const slice of [1, 3, 719, 722, 5000, 1e6]) {
      assertEquals(
        outcome(tier, slice),
        { instructions, cycles, counted: ROUNDS, writes },
        `${tier}, slices of ${slice}`,
      );
    }
  }
});

Deno.test("IN and OUT take as long whatever a cycle takes, and no cycle is too long for that", () => {
  const stalled = (ns: number, instructions: number) => {
    const { cycles } = outcome("interpreter", 1e6, { skipped: 0, ns, instructions });
    return (cycles - 5 * ROUNDS - 1) / (2 * ROUNDS);
  };
  assertEquals(stalled(100, 1), 7);
  assertEquals(stalled(2, 3), 1080);
  assertEquals(stalled(1000, 1), 0);
  assertEquals(stalled(1, 2 ** 40), 2 ** 24);
});
