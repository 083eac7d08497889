import { assertEquals } from "@std/assert";
import { JumpTargets } from "./jump_targets.ts";

Deno.test("JumpTargets: each jump's targets are remembered once, in order", () => {
  const targets = new JumpTargets();
  for (const to of [3, 1, 3]) targets.note(0x100, to);
  targets.note(0x200, 9);
  assertEquals([targets.of(0x100), targets.of(0x200), targets.of(0x300)], [[3, 1], [9], []]);
  targets.clear();
  assertEquals(targets.of(0x100), []);
});

Deno.test("JumpTargets: neither a jump with many targets nor many jumps take more than so much", () => {
  const targets = new JumpTargets();
  for (let to = 0; to < 1000; to++) targets.note(0, to);
  assertEquals(targets.of(0).length, 96);
  for (let from = 1; from <= 20_000; from++) targets.note(from, 1);
  assertEquals([targets.of(0), targets.of(20_000)], [[], [1]]);
});
