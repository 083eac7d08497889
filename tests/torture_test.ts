/** The torture guest finds nothing wrong in any tier, and no tier leaves a trace. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import type { CpuOptions } from "../lib/cpu/options.ts";
import { tortureCase } from "../scripts/lib/guest_cases.ts";
import { Subject } from "../scripts/lib/subject.ts";

/** The inner loops are hot enough even so; code that changes is expensive where everything is translated at once. */
const ROUNDS = 2;
const CHECKPOINTS = 10;

const test = tortureCase(ROUNDS);

/** Runs the guest; returns its hashes at fixed instants and at its end, and what it printed. */
async function run(cpu: CpuOptions): Promise<{ hashes: string[]; output: string }> {
  using subject = await Subject.boot(test, { cpu });
  const { assembly } = subject, hashes: string[] = [];
  for (let i = 1; i <= CHECKPOINTS; i++) {
    subject.run(i === CHECKPOINTS ? Infinity : Math.floor(test.instructions * i / CHECKPOINTS));
    hashes.push(assembly.hash());
  }
  return { hashes, output: assembly.debug.text };
}

const reference = await run({ tier: "interpreter" });

Deno.test("the torture guest passes in the interpreter", () => {
  assertStringIncludes(reference.output, "all tests passed");
  assertEquals(reference.output.includes("FAIL"), false, reference.output);
});

const WAYS: readonly [string, CpuOptions][] = [
  ["in one-instruction regions", { tier: "single" }],
  ["in regions", { tier: "regions" }],
  ["in regions with a tiny TLB and forced eviction", {
    tier: "regions",
    stress: { tlbEntries: 8, evictEvery: 7 },
  }],
  ["translated as it pays", { tier: "auto" }],
  ["translated at random", { tier: "auto", stress: { compileSeed: 1, evictEvery: 50 } }],
  ["translated at random, with little room", {
    tier: "auto",
    stress: { compileSeed: 2, codeBytes: 100_000, recordBytes: 100_000 },
  }],
];

for (const [name, cpu] of WAYS) {
  Deno.test(`the torture guest computes the same ${name}`, async () => {
    const { hashes, output } = await run(cpu);
    assertEquals(output, reference.output);
    const differing = hashes.findIndex((hash, i) => hash !== reference.hashes[i]);
    assertEquals(
      differing,
      -1,
      `differs at instant ${differing + 1}: scripts/lockstep.ts torture --tier ${cpu.tier} shows where`,
    );
  });
}
