import { assertEquals } from "@std/assert";
import type { TimeScale } from "../../machine/processor.ts";
import { type Tier, TIERS } from "../options.ts";
import { CR4, R, S } from "../state.ts";
import { testBoard } from "../test_board.ts";

const ROUNDS = 8, TABLE = 0x2000;

/** RDTSC, MOV [EDI], EAX, MOV [EDI+4], EDX, ADD EDI, 8, PAUSE, DEC EBX, JNZ, HLT. */
const LOOP = [
  ...[0x0f, 0x31, 0x89, 0x07, 0x89, 0x57, 0x04],
  ...[0x83, 0xc7, 0x08, 0xf3, 0x90, 0x4b, 0x75, 0xf1, 0xf4],
];

/** The values of RDTSC in the rounds of the loop, run in slices of so many instructions. */
function stamps(tier: Tier, slice: number, scale: TimeScale | undefined, offset: bigint): bigint[] {
  const { cpu, memory, load } = testBoard({ tier }, scale);
  load(0x1000, ...LOOP);
  cpu.r.set32(R.DI, TABLE);
  cpu.r.set32(R.BX, ROUNDS);
  cpu.r.setU64(S.TSC_OFFSET, offset);
  while (!cpu.halted) cpu.run(slice);
  const found = new DataView(new ArrayBuffer(8 * ROUNDS));
  memory.read(TABLE, new Uint8Array(found.buffer));
  return Array.from({ length: ROUNDS }, (_, i) => found.getBigUint64(8 * i, true));
}

Deno.test("RDTSC counts instructions and pauses, however a run is sliced, in every tier", () => {
  // Seven instructions, and 140 cycles more for PAUSE.
  const wanted = Array.from({ length: ROUNDS }, (_, i) => 0x1234_ffff_fff0n + BigInt(147 * i));
  for (const tier of TIERS) {
    for (const slice of [1, 3, 150, 1e6]) assertEquals(stamps(tier, slice, undefined, 0x1234_ffff_fff0n), wanted, tier);
  }
});

Deno.test("RDTSC goes by the clock's rate and what it has skipped", () => {
  const scale = { skipped: 2 ** 45 + 1, ns: 5, instructions: 3 };
  const wanted = Array.from({ length: ROUNDS }, (_, i) => BigInt(scale.skipped + Math.floor(147 * i * 5 / 3)));
  for (const tier of TIERS) assertEquals(stamps(tier, 1e6, scale, 0n), wanted, tier);
});

Deno.test("RDTSC is the kernel's alone with CR4.TSD", () => {
  for (const tier of TIERS) {
    const { cpu, load } = testBoard({ tier });
    load(0x1000, 0x0f, 0x31, 0xf4);
    cpu.r.set32(R.AX, 0x1234);
    cpu.r.setNumber(S.CR4, CR4.TSD);
    cpu.r.setI32(S.CPL, 3);
    cpu.r.setI32(S.IDTR_LIMIT, 0);
    cpu.modeChanged();
    assertEquals([cpu.run(1), cpu.r.get32(R.AX)], ["shutdown", 0x1234]);
  }
});
