import { assert, assertEquals } from "@std/assert";
import type { CpuOptions, Tier } from "./options.ts";
import { testBoard } from "./test_board.ts";

/** mov ecx,1000; L: add eax,3; inc dword [0x2000]; pause; dec ecx; jnz L; cpuid; hlt */
const LOOP = [
  ...[0xb9, 0xe8, 0x03, 0, 0, 0x83, 0xc0, 3, 0xff, 0x05, 0, 0x20, 0, 0, 0xf3, 0x90, 0x49, 0x75, 0xf2, 0x0f, 0xa2, 0xf4],
];
const INSTRUCTIONS = 1 + 5 * 1000 + 2;

function run(options: CpuOptions, slice = 2 ** 29) {
  const { cpu, load } = testBoard(options);
  load(0x1000, ...LOOP);
  while (cpu.run(slice) !== "halted");
  assertEquals(cpu.instructions, INSTRUCTIONS);
  return cpu;
}

function byTier({ statistics }: { readonly statistics: Readonly<Record<string, number>> }): [number, number] {
  return [statistics["instructions interpreted"], statistics["instructions in regions"]];
}

Deno.test("statistics: every instruction counts for the tier that executed it", () => {
  assertEquals(byTier(run({ tier: "interpreter" })), [INSTRUCTIONS, 0]);
  assertEquals(byTier(run({ tier: "regions" })), [0, INSTRUCTIONS]);
});

Deno.test("statistics: the tiers share all instructions however a run is sliced", () => {
  for (const tier of ["interpreter", "single", "regions", "auto"] satisfies Tier[]) {
    for (const slice of [7, 997]) {
      const [interpreted, inRegions] = byTier(run({ tier }, slice));
      assertEquals(interpreted + inRegions, INSTRUCTIONS, tier);
      assert(interpreted >= 0 && inRegions >= 0, tier);
    }
  }
});

Deno.test("statistics: an instruction that a region leaves to the interpreter is the interpreter's", () => {
  const { cpu, load } = testBoard({ tier: "regions" });
  // mov ebx,1; mov eax,[0x500000], beyond the memory; add eax,ebx; hlt
  load(0x1000, 0xbb, 1, 0, 0, 0, 0xa1, 0, 0, 0x50, 0, 0x01, 0xd8, 0xf4);
  assertEquals(cpu.run(1000), "halted");
  assertEquals(cpu.instructions, 4);
  const [interpreted, inRegions] = byTier(cpu);
  assertEquals(interpreted + inRegions, 4);
  assert(interpreted >= 1 && inRegions >= 1);
  assertEquals(cpu.statistics["regions left for an instruction"], 1);
});

Deno.test("statistics: a loaded state brings none of its instructions with it", () => {
  const first = run({ tier: "regions" }), { cpu } = testBoard({ tier: "regions" });
  cpu.load(first.save());
  assertEquals(cpu.instructions, INSTRUCTIONS);
  assertEquals(byTier(cpu), [0, 0]);
});

Deno.test("statistics: who observes compilation is told of its beginning and its end", () => {
  let depth = 0, begun = 0;
  run({
    tier: "regions",
    compileObserver: { begin: () => (depth++, begun++), end: () => depth-- },
  });
  assertEquals(depth, 0);
  assert(begun > 0);
});
