import { assert, assertEquals } from "@std/assert";
import { Random } from "../../scripts/lib/random.ts";
import { MemoryDisk } from "../disk/mod.ts";
import { BiosBench } from "./testing.ts";

function pattern(size: number): Uint8Array {
  const image = new Uint8Array(size);
  for (let sector = 0; sector < size / 512; sector++) {
    image.fill(sector * 7 & 0xff, sector * 512, sector * 512 + 512);
    new DataView(image.buffer).setUint32(sector * 512, sector, true);
  }
  return image;
}

Deno.test("INT 11h and 12h tell the equipment and the size of base memory", () => {
  const bench = new BiosBench({ fda: new MemoryDisk(new Uint8Array(1474560)) });
  assertEquals(bench.int(0x12).ax, 639);
  const { ax } = bench.int(0x11);
  assertEquals(ax & 0x01, 1, "a floppy drive");
  assertEquals(ax >> 4 & 3, 2, "80 columns in colour");
  assertEquals(ax >> 9 & 7, 2, "two serial lines");
  assertEquals(ax >> 14, 1, "one printer");
});

Deno.test("INT 15h AX=E820h lists memory in ascending ranges that do not overlap", () => {
  const bench = new BiosBench({ memory: 64 << 20 });
  let ebx = 0, last = 0, ram = 0;
  do {
    const result = bench.int(0x15, { eax: 0xe820, ebx, ecx: 20, edx: 0x534d4150, es: 0x1000 });
    assert(!result.carry);
    assertEquals([result.eax, result.ecx], [0x534d4150, 20]);
    const entry = new DataView(bench.bytes(0x10000, 20).buffer);
    const base = Number(entry.getBigUint64(0, true)), length = Number(entry.getBigUint64(8, true));
    assert(base >= last);
    last = base + length;
    if (entry.getUint32(16, true) === 1) ram += length;
    ebx = result.ebx;
  } while (ebx !== 0);
  assertEquals(ram, 0x9fc00 + (63 << 20) - 0x10000);
  assert(bench.int(0x15, { eax: 0xe820, ebx: 99, ecx: 20, edx: 0x534d4150 }).carry);
  assertEquals(bench.int(0x15, { ax: 0xe801 }).ax, 15 * 1024);
  assertEquals(bench.int(0x15, { ax: 0x8800 }).ax, 63 * 1024 - 64);
});

Deno.test("INT 15h AH=87h moves blocks above 1 MiB", () => {
  const bench = new BiosBench();
  bench.machine.memory.write(0x10000, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8));
  const table = new Uint8Array(48);
  table.set([0xff, 0xff, 0x00, 0x00, 0x01, 0x93, 0, 0], 0x10);
  table.set([0xff, 0xff, 0x00, 0x00, 0x20, 0x93, 0, 0], 0x18);
  bench.machine.memory.write(0x20000, table);
  const result = bench.int(0x15, { ax: 0x8700, cx: 4, es: 0x2000 });
  assert(!result.carry && result.ah === 0);
  assertEquals([...bench.bytes(0x200000, 8)], [1, 2, 3, 4, 5, 6, 7, 8]);
});

Deno.test("INT 15h AH=86h waits in guest time, asleep", () => {
  const bench = new BiosBench();
  const before = bench.machine.clock.now, instructions = bench.cpu.instructions;
  assert(!bench.int(0x15, { ax: 0x8600, cx: 0x0007, dx: 0xa120 }).carry);
  const waited = (bench.machine.clock.now - before) / 1e6;
  assert(waited >= 500 && waited < 502, `${waited} ms`);
  assert(bench.cpu.instructions - instructions < 100_000);
});

Deno.test("INT 15h: A20, configuration table, and functions that do not exist", () => {
  const bench = new BiosBench();
  assertEquals(bench.int(0x15, { ax: 0x2402 }).al, 1);
  bench.int(0x15, { ax: 0x2400 });
  assertEquals(bench.int(0x15, { ax: 0x2402 }).al, 0);
  bench.int(0x15, { ax: 0x2401 });
  const table = bench.int(0x15, { ax: 0xc000 });
  assertEquals(bench.bytes(table.es * 16 + table.bx, 4)[2], 0xfc);
  const missing = bench.int(0x15, { ax: 0x7700 });
  assert(missing.carry && missing.ah === 0x86);
});

Deno.test("INT 15h AH=89h enters protected mode", () => {
  const bench = new BiosBench();
  const table = new Uint8Array(64);
  const view = new DataView(table.buffer);
  [[0x08, 63, 0x20000, 0], [0x10, 0x3ff, 0, 0], [0x18, 0xffff, 0x30000, 0x93], [0x20, 0xffff, 0, 0x93], [
    0x28,
    0xffff,
    0,
    0x93,
  ], [0x30, 0xffff, 0, 0x9b]]
    .forEach(([at, limit, base, access]) => {
      view.setUint16(at, limit, true);
      view.setUint32(at + 2, base, true);
      table[at + 5] = access;
    });
  bench.machine.memory.write(0x20000, table);
  // MOV byte [0], 5Ah in protected mode: DS has base 30000h.
  bench.run([0xcd, 0x15, 0xc6, 0x06, 0x00, 0x00, 0x5a], { ax: 0x8900, bx: 0x5058, es: 0x2000 });
  assertEquals(bench.bytes(0x30000, 1)[0], 0x5a);
  assertEquals([bench.cpu.r.selector(1), bench.cpu.r.selector(3)], [0x30, 0x18]);
});

Deno.test("INT 1Ah counts ticks and shows the clock in BCD", () => {
  const bench = new BiosBench({ startTime: Date.UTC(2024, 1, 29, 13, 45, 50) });
  const time = bench.int(0x1a, { ax: 0x0200 });
  assertEquals([time.cx, time.dx >> 8], [0x1345, 0x50]);
  const date = bench.int(0x1a, { ax: 0x0400 });
  assertEquals([date.cx, date.dx], [0x2024, 0x0229]);
  const ticks = bench.int(0x1a);
  const count = ticks.cx * 65536 + ticks.dx;
  assertEquals(count, Math.floor((13 * 3600 + 45 * 60 + 50) * 1193182 / 65536));
  bench.int(0x15, { ax: 0x8600, cx: 0x000f, dx: 0x4240 });
  const later = bench.int(0x1a);
  assertEquals(later.cx * 65536 + later.dx - count, 18);
});

Deno.test("INT 1Ah AH=B1h finds PCI functions and reads their configuration", () => {
  const bench = new BiosBench();
  const present = bench.int(0x1a, { ax: 0xb101 });
  assertEquals([present.ah, present.al & 1, present.edx], [0, 1, 0x20494350]);
  const bridge = bench.int(0x1a, { ax: 0xb102, cx: 0x1237, dx: 0x8086 });
  assertEquals([bridge.carry, bridge.bx], [false, 0]);
  const vga = bench.int(0x1a, { ax: 0xb103, ecx: 0x030000 });
  assertEquals(vga.bx, 0x10);
  assertEquals(bench.int(0x1a, { ax: 0xb10a, bx: vga.bx, di: 0 }).ecx, 0x11111234);
  const bar = bench.int(0x1a, { ax: 0xb10a, bx: vga.bx, di: 0x10 }).ecx;
  assert((bar & ~15) >>> 0 >= 0xe0000000);
  assert(bench.int(0x1a, { ax: 0xb102, cx: 1, dx: 2 }).carry);
});

Deno.test("INT 13h reads, writes and describes a floppy", () => {
  const image = pattern(1474560);
  const bench = new BiosBench({ fda: new MemoryDisk(image) });
  const shape = bench.int(0x13, { ax: 0x0800 });
  assertEquals([shape.bx & 0xff, shape.cx, shape.dx], [4, 0x4f12, 0x0101]);
  // Cylinder 1, head 1, sector 3 is block 56.
  const read = bench.int(0x13, { ax: 0x0202, bx: 0x100, cx: 0x0103, dx: 0x0100, es: 0x1000 });
  assertEquals([read.carry, read.ax], [false, 0x0002]);
  assertEquals(new DataView(bench.bytes(0x10100, 4).buffer).getUint32(0, true), 56);
  assertEquals(new DataView(bench.bytes(0x10300, 4).buffer).getUint32(0, true), 57);
  bench.machine.memory.write(0x10100, new Uint8Array(512).fill(0xa5));
  assert(!bench.int(0x13, { ax: 0x0301, bx: 0x100, cx: 0x0001, es: 0x1000 }).carry);
  bench.int(0x13, { ax: 0x0201, cx: 0x0001, es: 0x2000 });
  assertEquals([...bench.bytes(0x20000, 512)], new Array(512).fill(0xa5));
  const missing = bench.int(0x13, { ax: 0x0201, cx: 0x0014, es: 0x2000 });
  assertEquals([missing.carry, missing.ah, missing.al], [true, 4, 0]);
  assertEquals(bench.int(0x13, { ax: 0x0100 }).ah, 4);
  assert(bench.int(0x13, { ax: 0x0201, cx: 1, dx: 1 }).carry, "there is no drive B");
});

Deno.test("INT 13h serves fixed disks by cylinder, head, sector and by block number", () => {
  const image = pattern(32 << 20);
  const bench = new BiosBench({ hda: new MemoryDisk(image) });
  const shape = bench.int(0x13, { ax: 0x0800, dx: 0x80 });
  assertEquals(shape.dx & 0xff, 1);
  const heads = (shape.dx >> 8) + 1, sectors = shape.cx & 0x3f;
  bench.int(0x13, { ax: 0x0201, cx: 0x0205, dx: 0x0380, es: 0x1000 });
  assertEquals(new DataView(bench.bytes(0x10000, 4).buffer).getUint32(0, true), (2 * heads + 3) * sectors + 4);
  const check = bench.int(0x13, { ax: 0x4100, bx: 0x55aa, dx: 0x80 });
  assertEquals([check.carry, check.bx, check.cx & 1], [false, 0xaa55, 1]);
  const packet = new Uint8Array(16);
  packet.set([16, 0, 3, 0, 0, 0, 0, 0x30]);
  new DataView(packet.buffer).setUint32(8, 60000, true);
  bench.machine.memory.write(0x8000, packet);
  assert(!bench.int(0x13, { ax: 0x4200, dx: 0x80, si: 0x8000 }).carry);
  assertEquals(new DataView(bench.bytes(0x30400, 4).buffer).getUint32(0, true), 60002);
  bench.machine.memory.write(0x8000, Uint8Array.of(30, 0));
  assert(!bench.int(0x13, { ax: 0x4800, dx: 0x80, si: 0x8000 }).carry);
  assertEquals(new DataView(bench.bytes(0x8010, 4).buffer).getUint32(0, true), 65536);
  const beyond = bench.int(0x13, { ax: 0x0201, cx: 0xffff, dx: 0xff80 });
  assert(beyond.carry);
  assert(bench.int(0x13, { ax: 0x0201, cx: 1, dx: 0x81 }).carry, "there is no second disk");
});

Deno.test("INT 16h gives keys as words, waits for them, and knows the shift state", () => {
  const bench = new BiosBench();
  const { keyboard } = bench.machine;
  assert(bench.int(0x16, { ax: 0x0100 }).zero);
  keyboard.key("ShiftLeft", true);
  keyboard.key("KeyA", true);
  keyboard.key("KeyA", false);
  assertEquals(bench.int(0x16).ax, 0x1e41);
  assertEquals(bench.int(0x16, { ax: 0x0200 }).al & 3, 2);
  keyboard.key("ShiftLeft", false);
  keyboard.key("ArrowUp", true);
  keyboard.key("ArrowUp", false);
  assertEquals(bench.int(0x16, { ax: 0x1000 }).ax, 0x48e0);
  keyboard.key("ControlLeft", true);
  keyboard.key("KeyC", true);
  assertEquals(bench.int(0x16).ax, 0x2e03);
  keyboard.key("KeyC", false);
  keyboard.key("ControlLeft", false);
  keyboard.key("F11", true);
  keyboard.key("Enter", true);
  // The 84-key functions drop F11.
  assertEquals(bench.int(0x16).ax, 0x1c0d);
  bench.int(0x16, { ax: 0x0500, cx: 0x1234 });
  assertEquals(bench.int(0x16, { ax: 0x1100 }).ax, 0x1234);
});

Deno.test("lock keys toggle their state and the lights", () => {
  const bench = new BiosBench();
  const { keyboard } = bench.machine;
  keyboard.key("CapsLock", true);
  keyboard.key("CapsLock", false);
  keyboard.key("KeyQ", true);
  keyboard.key("KeyQ", false);
  assertEquals(bench.int(0x16).ax, 0x1051);
  assertEquals(bench.int(0x16, { ax: 0x0200 }).al, 0x40);
  bench.int(0x15, { ax: 0x8600, cx: 0, dx: 20000 });
  assertEquals(keyboard.leds, { scroll: false, num: false, caps: true });
});

Deno.test("INT 15h AX=C2xxh talks to the mouse and calls a handler", () => {
  const bench = new BiosBench();
  const reset = bench.int(0x15, { ax: 0xc205, bx: 0x0300 });
  assertEquals([reset.carry, reset.ah, reset.bx & 0xff], [false, 0, 0xaa]);
  assertEquals(bench.int(0x15, { ax: 0xc204 }).bx >> 8, 0);
  // The handler at 0000:0700 copies its four arguments to 0000:0800.
  bench.machine.memory.write(
    0x700,
    Uint8Array.of(
      0x55,
      0x89,
      0xe5,
      0x31,
      0xc0,
      0x8e,
      0xd8,
      0x8e,
      0xc0,
      0x8d,
      0x76,
      0x06,
      0xbf,
      0x00,
      0x08,
      0xb9,
      0x04,
      0x00,
      0xf3,
      0x36,
      0xa5,
      0x5d,
      0xcb,
    ),
  );
  assert(!bench.int(0x15, { ax: 0xc207, bx: 0x0700 }).carry);
  assert(!bench.int(0x15, { ax: 0xc200, bx: 0x0100 }).carry);
  bench.machine.mouse.move(5, -3);
  bench.int(0x15, { ax: 0x8600, cx: 0, dx: 20000 });
  const words = new Uint16Array(bench.bytes(0x800, 8).buffer);
  assertEquals([words[0], words[1], words[2]], [0, 3, 5]);
});

Deno.test("INT 15h AH=53h switches the machine off", () => {
  const bench = new BiosBench();
  assertEquals(bench.int(0x15, { ax: 0x5300 }).bx, 0x504d);
  assert(bench.int(0x15, { ax: 0x5307, bx: 1, cx: 3 }).carry, "not connected");
  assert(!bench.int(0x15, { ax: 0x5301 }).carry);
  try {
    bench.int(0x15, { ax: 0x5307, bx: 1, cx: 3 });
  } catch {
    // The machine is off: the call does not return.
  }
  assertEquals(bench.machine.exit?.reason, "power-off");
});

Deno.test("INT 14h and 17h send bytes", () => {
  const sent: number[] = [], printed: number[] = [];
  const bench = new BiosBench({
    serial: [{ transmit: (byte) => sent.push(byte) }],
    parallel: { print: (byte) => printed.push(byte) },
  });
  bench.int(0x14, { ax: 0x00e3 });
  for (const byte of [0x48, 0x69]) assertEquals(bench.int(0x14, { ax: 0x0100 | byte }).ah & 0x80, 0);
  bench.int(0x15, { ax: 0x8600, cx: 0, dx: 20000 });
  assertEquals(sent, [0x48, 0x69]);
  assertEquals(bench.int(0x17, { ax: 0x0041 }).ah & 0x01, 0);
  bench.int(0x15, { ax: 0x8600, cx: 0, dx: 20000 });
  assertEquals(printed, [0x41]);
  const timeout = bench.int(0x14, { ax: 0x0200 });
  assertEquals(timeout.ah & 0x80, 0x80);
});

Deno.test("services with random registers neither throw nor hang", () => {
  const bench = new BiosBench({ hda: new MemoryDisk(pattern(1 << 20)), fda: new MemoryDisk(pattern(1474560)) });
  const { machine, cpu: { r } } = bench;
  const random = new Random(7);
  for (let round = 0; round < 2000; round++) {
    // PUSH service; OUT B1h, AL; JMP to itself.
    machine.memory.write(0x600, Uint8Array.of(0x6a, random.below(0x70), 0xe6, 0xb1, 0xeb, 0xfe));
    for (const register of [0, 1, 2, 3, 5, 6, 7]) r.set32(register, random.below(0x10000));
    r.set32(4, 0x7000);
    for (const segment of [1, 2]) r.setRealSegment(segment, 0);
    for (const segment of [0, 3]) r.setRealSegment(segment, random.below(0x10000));
    r.eflags = 2;
    r.ip = 0x600;
    bench.cpu.modeChanged();
    machine.run(10);
    if (machine.exit !== null) machine.reset();
  }
});
