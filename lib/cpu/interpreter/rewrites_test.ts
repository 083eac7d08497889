import { assertEquals } from "@std/assert";
import { Rewrites } from "./rewrites.ts";

Deno.test("Rewrites: an instruction is known for new constants once it has got them twice", () => {
  const rewrites = new Rewrites(() => 0), seen: boolean[] = [];
  for (let i = 0; i < 3; i++) {
    seen.push(rewrites.varies(0x1000));
    rewrites.noteConstants(0x1000);
  }
  assertEquals([seen, rewrites.varies(0x1000), rewrites.varies(0x1001)], [[false, false, true], true, false]);
  rewrites.clear();
  assertEquals(rewrites.varies(0x1000), false);
});

Deno.test("Rewrites: patience with a frame has an end, and comes back with quiet time", () => {
  let now = 0;
  const rewrites = new Rewrites(() => now);
  for (let i = 0; i < 100; i++) rewrites.noteCode(5, true);
  assertEquals([rewrites.writes(5), rewrites.patience(5), rewrites.patience(6)], [100, 6, 0]);
  now = 45_000_000;
  assertEquals([rewrites.writes(5), rewrites.patience(5)], [25, 4]);
  now = 10 ** 12;
  assertEquals([rewrites.writes(5), rewrites.patience(5)], [0, 0]);
  // A state was loaded that had executed fewer.
  now = 0;
  rewrites.noteCode(5, false);
  assertEquals([rewrites.writes(5), rewrites.patience(5)], [1, 0]);
});

Deno.test("Rewrites: the heat of the last block at a place is remembered until another one takes its room", () => {
  const rewrites = new Rewrites(() => 0);
  rewrites.noteHeat(12345, 100);
  rewrites.noteHeat(12345, 70);
  rewrites.noteHeat(12345, 0);
  assertEquals([rewrites.heat(12345), rewrites.heat(12345 + 4093)], [70, 0]);
  rewrites.noteHeat(12345 + 4093, 5);
  assertEquals([rewrites.heat(12345), rewrites.heat(12345 + 4093)], [0, 5]);
});
