import { assertEquals } from "@std/assert";
import { FrameFlag, PAGE_SIZE, PhysicalMemory } from "./memory.ts";

Deno.test("PhysicalMemory watches every frame of the largest memory there is, of 4 GiB", () => {
  const extra = 0x140_0000;
  const memory = new PhysicalMemory({ ram: 2 ** 32 - extra, extra });
  assertEquals(memory.frameFlags.length, 2 ** 32 / PAGE_SIZE);
  const seen: number[][] = [];
  memory.watcher = { written: (...change) => seen.push(change), remapped: () => {} };
  memory.mapRam(2 ** 32, PAGE_SIZE, 0xe000_0000);
  memory.frameFlags[0xe0000] = FrameFlag.CODE;
  memory.write16(2 ** 32 + 6, 0x1234);
  assertEquals(memory.read32(2 ** 32 + 4), 0x1234_0000);
  assertEquals(seen, [[0xe0000, 6, 2]]);
});
