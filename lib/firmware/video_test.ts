import { assert, assertEquals } from "@std/assert";
import { Bda } from "./bda.ts";
import { FONTS } from "./fonts.ts";
import { BiosBench } from "./testing.ts";

const POINTER = 0x10000;

Deno.test("INT 10h teletype wraps, scrolls and moves the cursor", () => {
  const bench = new BiosBench();
  for (const character of "Hi\r\n") bench.int(0x10, { ax: 0x0e00 | character.charCodeAt(0) });
  assertEquals(bench.line(0), "Hi");
  assertEquals(bench.int(0x10, { ax: 0x0300 }).dx, 0x0100);
  bench.int(0x10, { ax: 0x0200, dx: 0x184f });
  bench.int(0x10, { ax: 0x0e58 });
  assertEquals(bench.line(23), " ".repeat(79) + "X", "the screen has scrolled");
  assertEquals(bench.int(0x10, { ax: 0x0300 }).dx, 0x1800);
});

Deno.test("INT 10h AH=06h and 07h scroll windows with attributes", () => {
  const bench = new BiosBench();
  bench.int(0x10, { ax: 0x0200, dx: 0x0502 });
  bench.int(0x10, { ax: 0x0941, bx: 0x001e, cx: 3 });
  assertEquals(bench.int(0x10, { ax: 0x0800 }).ax, 0x1e41);
  bench.int(0x10, { ax: 0x0602, bx: 0x4f00, cx: 0x0300, dx: 0x0510 });
  assertEquals(bench.line(3), "  AAA");
  assertEquals([...bench.bytes(0xb8000 + 5 * 160, 2)], [0x20, 0x4f]);
  assertEquals([...bench.bytes(0xb8000 + 5 * 160 + 0x11 * 2, 2)], [0x20, 0x07], "outside of the window");
  bench.int(0x10, { ax: 0x0701, bx: 0x0700, cx: 0x0300, dx: 0x0510 });
  assertEquals(bench.line(4), "  AAA");
  bench.int(0x10, { ax: 0x0600, bx: 0x0700, cx: 0, dx: 0x184f });
  assertEquals(bench.line(4), "");
});

Deno.test("INT 10h sets every standard mode and describes it in the data area", () => {
  const bench = new BiosBench();
  for (const mode of [0, 1, 2, 3, 4, 5, 6, 7, 0x0d, 0x0e, 0x0f, 0x10, 0x11, 0x12, 0x13]) {
    bench.int(0x10, { ax: mode });
    const state = bench.int(0x10, { ax: 0x0f00 });
    assertEquals(state.al, mode);
    assertEquals(state.ah, mode <= 1 || mode === 4 || mode === 5 || mode === 0x0d || mode === 0x13 ? 40 : 80);
    const rows = bench.bytes(Bda.VIDEO_ROWS, 1)[0] + 1;
    assertEquals(rows, mode === 0x11 || mode === 0x12 ? 30 : 25);
  }
  bench.int(0x10, { ax: 0x0003 });
  assertEquals(bench.machine.board.vga.textScreen()?.rows, 25);
});

Deno.test("INT 10h draws pixels and characters in graphics modes", () => {
  for (const mode of [0x04, 0x06, 0x0d, 0x10, 0x12, 0x13]) {
    const bench = new BiosBench();
    bench.int(0x10, { ax: mode });
    const color = mode === 0x06 ? 1 : mode === 0x04 ? 2 : 5;
    bench.int(0x10, { ax: 0x0c00 | color, cx: 13, dx: 17 });
    assertEquals(bench.int(0x10, { ax: 0x0d00, cx: 13, dx: 17 }).al, color);
    assertEquals(bench.int(0x10, { ax: 0x0d00, cx: 14, dx: 17 }).al, 0);
    bench.int(0x10, { ax: 0x0200, dx: 0x0304 });
    bench.int(0x10, { ax: 0x0947, bx: color, cx: 2 });
    assertEquals(bench.int(0x10, { ax: 0x0800 }).al, 0x47, `mode ${mode}`);
    bench.int(0x10, { ax: 0x0601, bx: 0, cx: 0, dx: 0x1827 });
    bench.int(0x10, { ax: 0x0200, dx: 0x0204 });
    assertEquals(bench.int(0x10, { ax: 0x0800 }).al, 0x47, `mode ${mode}, scrolled`);
  }
});

Deno.test("INT 10h AH=10h reads back palette registers and colours", () => {
  const bench = new BiosBench();
  bench.int(0x10, { ax: 0x1000, bx: 0x2a05 });
  assertEquals(bench.int(0x10, { ax: 0x1007, bx: 0x0005 }).bx >> 8, 0x2a);
  bench.int(0x10, { ax: 0x1010, bx: 0x20, cx: 0x1234 & 0x3f3f, dx: 0x3f00 });
  const color = bench.int(0x10, { ax: 0x1015, bx: 0x20 });
  assertEquals([color.dx >> 8, color.cx], [0x3f, 0x1234 & 0x3f3f]);
  bench.int(0x10, { ax: 0x1003, bx: 0 });
  assertEquals(bench.int(0x10, { ax: 0x1007, bx: 0x10 }).bx >> 8 & 0x08, 0);
});

Deno.test("INT 10h AH=11h loads fonts and changes the number of lines", () => {
  const bench = new BiosBench();
  bench.int(0x10, { ax: 0x1112 });
  assertEquals(bench.bytes(Bda.VIDEO_ROWS, 1)[0], 49);
  const font = bench.int(0x10, { ax: 0x1130, bx: 0x0600 });
  assertEquals([font.cx, font.dx & 0xff], [8, 49]);
  assertEquals(bench.bytes(font.es * 16 + font.bp, 4096), FONTS[16]);
});

Deno.test("INT 10h AH=13h writes strings", () => {
  const bench = new BiosBench();
  bench.machine.memory.write(POINTER, new TextEncoder().encode("Hello"));
  bench.int(0x10, { ax: 0x1301, bx: 0x0017, cx: 5, dx: 0x0a10, es: POINTER >> 4 });
  assertEquals(bench.line(10).trim(), "Hello");
  assertEquals(bench.int(0x10, { ax: 0x0300 }).dx, 0x0a15);
  bench.machine.memory.write(POINTER, Uint8Array.of(0x41, 0x1f, 0x42, 0x2f));
  bench.int(0x10, { ax: 0x1302, cx: 2, dx: 0x0b00, es: POINTER >> 4 });
  assertEquals([...bench.bytes(0xb8000 + 11 * 160, 4)], [0x41, 0x1f, 0x42, 0x2f]);
});

Deno.test("INT 10h AH=1Ch restores what it saved", () => {
  const bench = new BiosBench();
  assert(bench.int(0x10, { ax: 0x1c00, cx: 7 }).bx > 12);
  bench.int(0x10, { ax: 0x1c01, cx: 7, es: POINTER >> 4 });
  const before = bench.machine.board.vga.modeName;
  bench.int(0x10, { ax: 0x0013 });
  bench.int(0x10, { ax: 0x1c02, cx: 7, es: POINTER >> 4 });
  assertEquals(bench.machine.board.vga.modeName, before);
  assertEquals(bench.int(0x10, { ax: 0x0f00 }).al, 3);
});

Deno.test("VBE lists modes, sets them with a linear framebuffer and in banks", () => {
  const bench = new BiosBench({ memory: 4 << 20 });
  bench.machine.memory.write(POINTER, new TextEncoder().encode("VBE2"));
  assertEquals(bench.int(0x10, { ax: 0x4f00, es: POINTER >> 4 }).ax, 0x004f);
  assertEquals(bench.text(POINTER, 4), "VESA");
  const info = new DataView(bench.bytes(POINTER, 512).buffer);
  assertEquals(info.getUint16(4, true), 0x300);
  const list = info.getUint16(16, true) * 16 + info.getUint16(14, true);
  assert([...new Uint16Array(bench.bytes(list, 64).buffer)].includes(0x118));
  bench.int(0x10, { ax: 0x4f01, cx: 0x118, es: POINTER >> 4 });
  const mode = new DataView(bench.bytes(POINTER, 256).buffer);
  assertEquals([mode.getUint16(18, true), mode.getUint16(20, true), mode.getUint8(25)], [1024, 768, 24]);
  const framebuffer = mode.getUint32(40, true);
  assertEquals(bench.int(0x10, { ax: 0x4f02, bx: 0x4118 }).ax, 0x004f);
  assertEquals(bench.int(0x10, { ax: 0x4f03 }).bx, 0x4118);
  bench.machine.memory.write8(framebuffer + 5, 0x77);
  assertEquals(bench.machine.board.vga.vramBytes[5], 0x77);
  assertEquals(bench.int(0x10, { ax: 0x4f02, bx: 0x0101 }).ax, 0x004f);
  assertEquals(bench.int(0x10, { ax: 0x4f05, dx: 2 }).ax, 0x004f);
  bench.machine.memory.write8(0xa0001, 0x55);
  assertEquals(bench.machine.board.vga.vramBytes[0x20001], 0x55);
  assertEquals(bench.int(0x10, { ax: 0x4f05, bx: 0x0100 }).dx, 2);
  assertEquals(bench.int(0x10, { ax: 0x4f02, bx: 0x01ff }).ax, 0x014f);
  assertEquals(bench.int(0x10, { ax: 0x4f02, bx: 0x0003 }).ax, 0x004f);
  assertEquals(bench.machine.board.vga.modeName, "text 80x25");
});
