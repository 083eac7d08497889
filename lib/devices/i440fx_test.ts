import { assertEquals } from "@std/assert";
import { PageKind, PhysicalMemory } from "../machine/memory.ts";
import { I440fx } from "./i440fx.ts";

function setUp() {
  const memory = new PhysicalMemory({ ram: 1 << 20, extra: 0x20000 });
  const rom = memory.allocate(0x20000);
  memory.bytes.fill(0xa5, rom.offset, rom.offset + rom.size);
  const bridge = new I440fx({ memory, roms: [{ address: 0xe0000, size: rom.size, offset: rom.offset }] });
  bridge.reset();
  return { memory, bridge };
}

Deno.test("I440fx shows the ROM after reset and ignores writes", () => {
  const { memory } = setUp();
  memory.write8(0xf0000, 1);
  memory.write8(0xc0000, 1);
  assertEquals([memory.read8(0xf0000), memory.read8(0xe0000), memory.read8(0xc0000)], [0xa5, 0xa5, 0xff]);
  assertEquals(memory.kind(0xc0), PageKind.NONE);
});

Deno.test("I440fx lets a BIOS shadow itself and then write-protects the shadow", () => {
  const { memory, bridge } = setUp();
  bridge.pci.write(0x59, 0x20, 1);
  for (let i = 0; i < 16; i++) memory.write8(0xf0000 + i, memory.read8(0xf0000 + i) ^ i);
  assertEquals(memory.read8(0xf0003), 0xa5);
  bridge.pci.write(0x59, 0x10, 1);
  assertEquals(memory.read8(0xf0003), 0xa6);
  memory.write8(0xf0003, 0);
  assertEquals(memory.read8(0xf0003), 0xa6);
  bridge.pci.write(0x59, 0x30, 1);
  memory.write8(0xf0003, 0);
  assertEquals(memory.read8(0xf0003), 0);
});

Deno.test("I440fx controls each 16 KiB segment by itself", () => {
  const { memory, bridge } = setUp();
  bridge.pci.write(0x5a, 0x30, 1);
  memory.write8(0xc4000, 1);
  memory.write8(0xc0000, 1);
  memory.write8(0xc8000, 1);
  assertEquals([0xc0000, 0xc4000, 0xc8000].map((address) => memory.read8(address)), [0xff, 1, 0xff]);
  bridge.reset();
  assertEquals(memory.read8(0xc4000), 0xff);
});
