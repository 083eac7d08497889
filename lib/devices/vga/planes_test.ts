import { assertEquals } from "@std/assert";
import { setRegister, type VgaBoard, vgaBoardInMode } from "./testing.ts";

const SEQUENCER = 0x3c4, GRAPHICS = 0x3ce;

/** The four planes at offset `cell`. */
function planes({ vga }: VgaBoard, cell: number): number[] {
  return [...vga.vramBytes.subarray(cell * 4, cell * 4 + 4)];
}

function fill({ vga }: VgaBoard, cell: number, values: number[]): void {
  vga.vramBytes.set(values, cell * 4);
}

Deno.test("Planes: write mode 0 rotates, replaces by set/reset, combines and masks", () => {
  const board = vgaBoardInMode(0x12), { ports, memory } = board;
  fill(board, 5, [0x0f, 0xf0, 0xff, 0x00]);
  memory.read8(0xa0005);
  setRegister(ports, GRAPHICS, 3, 0x01);
  memory.write8(0xa0005, 0x03);
  assertEquals(planes(board, 5), [0x81, 0x81, 0x81, 0x81]);
  setRegister(ports, GRAPHICS, 0, 0x05);
  setRegister(ports, GRAPHICS, 1, 0x03);
  memory.write8(0xa0005, 0x80);
  assertEquals(planes(board, 5), [0xff, 0x00, 0x40, 0x40]);
  fill(board, 6, [0x0f, 0xf0, 0xff, 0x00]);
  memory.read8(0xa0006);
  setRegister(ports, GRAPHICS, 1, 0);
  setRegister(ports, GRAPHICS, 8, 0x3c);
  for (
    const [operation, expected] of [[0x08, [0x0f, 0xf0, 0xff, 0x00]], [0x10, [0x3f, 0xfc, 0xff, 0x3c]], [0x18, [
      0x33,
      0xcc,
      0xc3,
      0x3c,
    ]]] as const
  ) {
    setRegister(ports, GRAPHICS, 3, operation);
    memory.write8(0xa0006, 0xff);
    assertEquals(planes(board, 6), [...expected]);
  }
});

Deno.test("Planes: write modes 1, 2 and 3 copy latches, expand colours and mask with the data", () => {
  const board = vgaBoardInMode(0x12), { ports, memory } = board;
  fill(board, 1, [1, 2, 3, 4]);
  setRegister(ports, GRAPHICS, 5, 1);
  memory.read8(0xa0001);
  memory.write8(0xa0002, 0xff);
  assertEquals(planes(board, 2), [1, 2, 3, 4]);
  setRegister(ports, GRAPHICS, 5, 2);
  setRegister(ports, GRAPHICS, 8, 0xf0);
  memory.write8(0xa0003, 0x0a);
  assertEquals(planes(board, 3), [0x01, 0xf2, 0x03, 0xf4]);
  setRegister(ports, GRAPHICS, 5, 3);
  setRegister(ports, GRAPHICS, 0, 0x0f);
  setRegister(ports, GRAPHICS, 8, 0x3f);
  memory.write8(0xa0004, 0xf0);
  assertEquals(planes(board, 4), [0x31, 0x32, 0x33, 0x34]);
});

Deno.test("Planes: the map mask protects planes, the read map select chooses one", () => {
  const board = vgaBoardInMode(0x12), { ports, memory } = board;
  setRegister(ports, SEQUENCER, 2, 0x06);
  memory.write16(0xa0010, 0xbbaa);
  assertEquals([planes(board, 0x10), planes(board, 0x11)], [[0, 0xaa, 0xaa, 0], [0, 0xbb, 0xbb, 0]]);
  setRegister(ports, GRAPHICS, 4, 2);
  assertEquals(memory.read16(0xa0010), 0xbbaa);
  setRegister(ports, GRAPHICS, 4, 3);
  assertEquals(memory.read16(0xa0010), 0);
});

Deno.test("Planes: read mode 1 marks the dots whose colour matches in the planes that count", () => {
  const board = vgaBoardInMode(0x12), { ports, memory } = board;
  fill(board, 0, [0b11110000, 0b11001100, 0b10101010, 0b11111111]);
  setRegister(ports, GRAPHICS, 5, 0x08);
  setRegister(ports, GRAPHICS, 2, 0b0011);
  setRegister(ports, GRAPHICS, 7, 0b0111);
  assertEquals(memory.read8(0xa0000), 0b01000000);
  setRegister(ports, GRAPHICS, 7, 0b0000);
  assertEquals(memory.read8(0xa0000), 0xff);
});

Deno.test("Planes: only the window of the memory map register reaches memory, and none while RAM is disabled", () => {
  const { ports, memory } = vgaBoardInMode(3);
  memory.write16(0xb0000, 0x1234);
  memory.write16(0xb8000, 0x5678);
  assertEquals([memory.read16(0xa0000), memory.read16(0xb0000), memory.read16(0xb8000)], [0xffff, 0xffff, 0x5678]);
  setRegister(ports, GRAPHICS, 6, 0x0a);
  assertEquals([memory.read16(0xb0000), memory.read16(0xb8000)], [0x5678, 0xffff]);
  ports.write(0x3c2, 0x65, 1);
  assertEquals(memory.read16(0xb0000), 0xffff);
});

Deno.test("Planes: text written as bytes, words and double words is the same", () => {
  const { memory } = vgaBoardInMode(3);
  memory.write32(0xb8000, 0x07420741);
  memory.write16(0xb8004, 0x0743);
  memory.write8(0xb8006, 0x44);
  memory.write8(0xb8007, 0x07);
  memory.write16(0xb8009, 0x4507);
  assertEquals([memory.read32(0xb8000), memory.read32(0xb8004), memory.read8(0xb8009), memory.read8(0xb800a)], [
    0x07420741,
    0x07440743,
    7,
    0x45,
  ]);
});

Deno.test("Planes: chain-4 through the handler reaches the same bytes as plain memory", () => {
  const { ports, memory } = vgaBoardInMode(0x13);
  memory.write32(0xa0100, 0x44332211);
  setRegister(ports, GRAPHICS, 8, 0x0f);
  assertEquals(memory.read32(0xa0100), 0x44332211);
  memory.write8(0xa0102, 0xff);
  setRegister(ports, GRAPHICS, 8, 0xff);
  assertEquals(memory.read8(0xa0102), 0x3f);
});

Deno.test("Planes: writes by the handler reach the dirty-page log", () => {
  const { vga, memory } = vgaBoardInMode(3);
  const written: number[] = [];
  memory.watcher = { written: (frame, offset) => written.push(frame * 4096 + offset), remapped() {} };
  memory.frameFlags.fill(4);
  memory.write16(0xb8002, 0x0741);
  memory.write8(0xb8005, 0x07);
  assertEquals(written, [vga.vram.offset + 8, vga.vram.offset + 17]);
});
