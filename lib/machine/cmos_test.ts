import { assertEquals } from "@std/assert";
import { cmosContents } from "./cmos.ts";
import type { BlockBackend } from "./types.ts";

const DISK: BlockBackend = { size: 512, readOnly: true, read: () => {}, write: () => {}, flush: () => {} };

Deno.test("cmosContents describes memory, drives and boot order, with a checksum", () => {
  const contents = new Map(cmosContents(
    { memory: 64 << 20, hda: DISK, bootOrder: ["cdrom", "disk"] },
    { ram: { low: 64 << 20, high: 0x30000 }, floppyTypes: [4, 3] },
  ));
  const word = (index: number) => contents.get(index)! | (contents.get(index + 1)! << 8);
  assertEquals(contents.get(0x10), 0x43);
  assertEquals(contents.get(0x12), 0xf0);
  assertEquals(contents.get(0x14), 0x47);
  assertEquals([word(0x15), word(0x17), word(0x30), word(0x34), word(0x5b)], [640, 64512, 64512, 768, 3]);
  assertEquals([contents.get(0x3d), contents.get(0x38)], [0x23, 0x01]);
  let sum = 0;
  for (let i = 0x10; i <= 0x2d; i++) sum += contents.get(i) ?? 0;
  assertEquals([contents.get(0x2e), contents.get(0x2f)], [sum >> 8, sum & 0xff]);
});
