import { assertEquals, assertThrows } from "@std/assert";
import { Random } from "../../../scripts/lib/random.ts";
import { PageKind, PhysicalMemory } from "../../machine/memory.ts";
import { copyState, restoreState } from "../../machine/state.ts";
import { standardPalette } from "./palettes.ts";
import { STANDARD_MODES, VBE_MODES, vbeSize } from "./modes.ts";
import { programVbeMode, writeDispiRegister } from "./program.ts";
import { Dispi, DispiBit } from "./registers.ts";
import { printText, setRegister, vgaBoard, vgaBoardInMode } from "./testing.ts";
import { Vga } from "./vga.ts";

const CRTC = 0x3d4, SEQUENCER = 0x3c4, GRAPHICS = 0x3ce;

Deno.test("Vga: refuses sizes of video memory that are no power of two", () => {
  const memory = new PhysicalMemory({ ram: 0x1000 });
  assertThrows(() => new Vga({ memory, clock: vgaBoard().clock, vramSize: 0x300000 }), RangeError, "power of two");
});

Deno.test("Vga: every standard mode has the size and depth that its table row says", () => {
  for (const mode of STANDARD_MODES.values()) {
    const { vga } = vgaBoardInMode(mode.number);
    if (mode.text) {
      assertEquals(vga.modeName, `text ${mode.columns}x${mode.rows}`);
    } else {
      const { width, height } = vga.displayMode;
      assertEquals([width % mode.width, height % mode.height], [0, 0], `mode ${mode.number.toString(16)}`);
      const name = vga.modeName.split(" ")[1].split("x").map(Number);
      assertEquals(name.slice(0, 2), [mode.width, mode.height], `mode ${mode.number.toString(16)}`);
    }
  }
});

Deno.test("Vga: the DAC reads back what was written, with the index advancing by itself", () => {
  const { ports } = vgaBoardInMode(0x13);
  ports.write(0x3c7, 0, 1);
  assertEquals(ports.read(0x3c7, 1), 3);
  const read = Uint8Array.from({ length: 768 }, () => ports.read(0x3c9, 1));
  assertEquals(read, standardPalette("vga"));
});

Deno.test("Vga: reading status 1 makes the next write to 3C0h an index", () => {
  const { vga, ports } = vgaBoardInMode(3);
  ports.read(0x3da, 1);
  ports.write(0x3c0, 0x31, 1);
  ports.read(0x3da, 1);
  ports.write(0x3c0, 0x31, 1);
  ports.write(0x3c0, 0x05, 1);
  assertEquals(vga.state.attribute[0x11], 5);
  assertEquals(ports.read(0x3c1, 1), 5);
});

Deno.test("Vga: protected CRT controller registers let only line compare bit 8 through", () => {
  const { vga, ports } = vgaBoardInMode(3);
  setRegister(ports, CRTC, 0, 0x12);
  setRegister(ports, CRTC, 7, 0x00);
  assertEquals([vga.state.crtc[0], vga.state.crtc[7]], [0x5f, 0x0f]);
});

Deno.test("Vga: the CRT controller answers at the address that the miscellaneous register selects only", () => {
  const { ports } = vgaBoardInMode(3);
  ports.write(CRTC, 1, 1);
  assertEquals([ports.read(0x3d5, 1), ports.read(0x3b5, 1)], [0x4f, 0xff]);
});

Deno.test("Vga: status 1 shows 70 vertical retraces a second of guest time in 80x25 text", () => {
  const { ports, clock } = vgaBoardInMode(3);
  let retraces = 0, before = false;
  for (clock.now = 0; clock.now < 1e9; clock.now += 20_000) {
    const retrace = (ports.read(0x3da, 1) & 8) !== 0;
    if (retrace && !before) retraces++;
    before = retrace;
  }
  assertEquals(retraces, 70);
});

Deno.test("Vga: text is read back as written and appears on the text screen", () => {
  const { vga, memory, ports } = vgaBoardInMode(3);
  printText(memory, 0xb8000 + 160, "Hello", 0x1e);
  memory.write8(0xb8000 + 170, 0x21);
  assertEquals(memory.read16(0xb8000 + 162), 0x1e65);
  setRegister(ports, CRTC, 0x0f, 85);
  const screen = vga.textScreen();
  assertEquals(screen?.line(1).slice(0, 6), "Hello!");
  const { row, column, first, last } = screen!.cursor!;
  assertEquals([row, column, first, last], [1, 5, 13, 14]);
  const cell = screen!.cell(1, 0);
  assertEquals([cell.character, cell.foreground, cell.background, cell.blink], ["H", 0xffff57, 0x0000a8, false]);
  assertThrows(() => screen!.cell(25, 0), RangeError, "25 rows");
});

Deno.test("Vga: the text screen follows the start address, and is null in graphics modes", () => {
  const { vga, memory, ports } = vgaBoardInMode(3);
  printText(memory, 0xb8000 + 320, "second line first");
  setRegister(ports, CRTC, 0x0d, 160);
  assertEquals(vga.textScreen()?.line(0).trimEnd(), "second line first");
  assertEquals(vgaBoardInMode(0x12).vga.textScreen(), null);
});

Deno.test("Vga: mode 13h is plain memory, and stops being so when a register needs the handler", () => {
  const { memory, ports } = vgaBoardInMode(0x13);
  assertEquals([memory.kind(0xa0), memory.kind(0xaf), memory.kind(0xb0)], [PageKind.RAM, PageKind.RAM, PageKind.MMIO]);
  memory.write8(0xa0005, 0x77);
  let remaps = 0;
  memory.watcher = { written() {}, remapped: () => remaps++ };
  setRegister(ports, SEQUENCER, 2, 0x0f);
  assertEquals(remaps, 0);
  setRegister(ports, SEQUENCER, 4, 0x06);
  assertEquals([memory.kind(0xa0), remaps], [PageKind.MMIO, 1]);
  setRegister(ports, GRAPHICS, 4, 1);
  assertEquals(memory.read8(0xa0001), 0x77);
  setRegister(ports, SEQUENCER, 4, 0x0e);
  assertEquals([memory.kind(0xa0), memory.read8(0xa0005)], [PageKind.RAM, 0x77]);
});

Deno.test("Vga: the framebuffer in BAR 0 is video memory and follows the BAR", () => {
  const { vga, memory } = vgaBoard();
  vga.pci.write(0x10, 0xe0000000, 4);
  assertEquals(memory.kind(0xe0000), PageKind.NONE);
  vga.pci.write(0x04, 2, 2);
  memory.write32(0xe0000010, 0x12345678);
  assertEquals(vga.vramBytes[0x10], 0x78);
  vga.pci.write(0x10, 0xe8000000, 4);
  assertEquals([memory.kind(0xe0000), memory.read32(0xe8000010)], [PageKind.NONE, 0x12345678]);
});

Deno.test("Vga: the Bochs VBE display clears its picture, and banks move the window", () => {
  const { vga, memory, ports } = vgaBoardInMode(0x13);
  memory.write8(0xa0000, 0x55);
  programVbeMode(ports, VBE_MODES.get(0x112)!);
  assertEquals([vga.modeName, memory.read8(0xa0000)], ["vbe 640x480x24", 0]);
  writeDispiRegister(ports, Dispi.BANK, 3);
  memory.write8(0xa0001, 0x66);
  assertEquals(vga.vramBytes[0x30001], 0x66);
  writeDispiRegister(ports, Dispi.ENABLE, 0);
  assertEquals([vga.modeName, vga.vbeEnabled], ["packed 320x200x8", false]);
});

Deno.test("Vga: Bochs VBE registers that make no picture are brought into range", () => {
  const { vga, ports } = vgaBoard();
  const read = (index: number) => {
    ports.write(0x1ce, index, 2);
    return ports.read(0x1cf, 2);
  };
  assertEquals([read(Dispi.ID), read(Dispi.VIDEO_MEMORY_64K)], [0xb0c5, 64]);
  writeDispiRegister(ports, Dispi.XRES, 0xffff);
  writeDispiRegister(ports, Dispi.YRES, 0xffff);
  writeDispiRegister(ports, Dispi.BPP, 33);
  writeDispiRegister(ports, Dispi.ENABLE, DispiBit.ENABLED);
  writeDispiRegister(ports, Dispi.Y_OFFSET, 0xffff);
  assertEquals([read(Dispi.XRES), read(Dispi.YRES), read(Dispi.BPP), read(Dispi.Y_OFFSET)], [2560, 1600, 8, 0]);
  assertEquals(vga.rasterize(0).data.length, 2560 * 1600 * 4);
  writeDispiRegister(ports, Dispi.VIRT_WIDTH, 0xffff);
  writeDispiRegister(ports, Dispi.BPP, 32);
  writeDispiRegister(ports, Dispi.X_OFFSET, 0xffff);
  const { width, height } = vga.rasterize(0);
  assertEquals(width, 2560);
  assertEquals(height, Math.floor(0x400000 / (5120 * 4)));
});

Deno.test("Vga: a restored state maps what it had mapped, and one out of range is brought into it", () => {
  const saved = vgaBoardInMode(0x13), { vga, memory, ports } = vgaBoardInMode(3);
  saved.vga.pci.write(0x10, 0xe0000000, 4);
  saved.vga.pci.write(0x04, 2, 2);
  restoreState(vga.state, copyState(saved.vga.state));
  vga.restored();
  assertEquals([memory.kind(0xa0), memory.kind(0xe0000), vga.modeName], [
    PageKind.RAM,
    PageKind.RAM,
    "packed 320x200x8",
  ]);
  vga.state.dispi.fill(0xffff);
  Object.assign(vga.state, {
    dacWriteIndex: 1e6,
    dacReadIndex: -1,
    dacComponent: 77,
    crtcIndex: 99,
    sequencerIndex: 99,
  });
  vga.restored();
  for (let port = 0x3c0; port < 0x3e0; port++) {
    ports.write(port, 0xff, 1);
    ports.read(port, 1);
  }
  assertEquals(vga.rasterize(0).width, 2560);
});

Deno.test("Vga: a picture of random registers and memory never fails", () => {
  const { vga, ports, memory } = vgaBoard(0x40000);
  const random = new Random(1);
  for (let i = 0; i < 60; i++) {
    for (let k = 0; k < 200; k++) ports.write(0x3b4 + random.below(0x2c), random.below(256), 1);
    for (let k = 0; k < 20; k++) {
      ports.write(0x1ce, random.below(12), 2);
      ports.write(0x1cf, random.below(0x10000), 2);
    }
    if (i % 3 !== 0) writeDispiRegister(ports, Dispi.ENABLE, 0);
    for (let k = 0; k < 200; k++) {
      const address = 0xa0000 + random.below(0x20000);
      memory.write32(address & ~3, random.below(0x10000));
      memory.read32(address & ~3);
    }
    const { width, height, data } = vga.rasterize(random.below(0x10000) * 1e6);
    assertEquals(data.length, width * height * 4);
    vga.textScreen()?.line(0);
    ports.read(0x3da, 1);
    ports.read(0x3ba, 1);
  }
});

Deno.test("VBE_MODES: numbers are unique and the largest mode fits in the default video memory", () => {
  assertEquals(VBE_MODES.get(0x118)?.width, 1024);
  for (const mode of VBE_MODES.values()) assertEquals(vbeSize(mode) <= 0x1000000, true);
});
