import { assert, assertEquals, assertThrows } from "@std/assert";
import { FLOPPY_FORMATS, formatSize, ImageError, MemoryDisk } from "../disk/mod.ts";
import { MachineClock } from "../machine/clock.ts";
import { PhysicalMemory } from "../machine/memory.ts";
import { IoPorts } from "../machine/ports.ts";
import { copyState, restoreState } from "../machine/state.ts";
import { type BlockBackend, BlockError } from "../machine/types.ts";
import { cmosDriveType, I82077aa } from "./i82077aa.ts";
import { I8237 } from "./i8237.ts";

const TO_MEMORY = 0x46, FROM_MEMORY = 0x4a, VERIFY = 0x42;
/** DMA address of the bench's buffer. */
const BUFFER = 0x2_0000;

class Bench {
  readonly clock = new MachineClock({ cycles: 0, requestBreak: () => {} });
  readonly ports = new IoPorts();
  readonly memory = new PhysicalMemory({ ram: 0x10_0000, extra: 0 });
  readonly fdc: I82077aa;
  irq = false;
  edges = 0;

  constructor(...drives: (BlockBackend | null | undefined)[]) {
    this.memory.mapRam(0, 0x10_0000, 0);
    const dma = new I8237({ memory: this.memory });
    dma.attach(this.ports);
    this.out(0xd6, 0xc0);
    this.out(0xd4, 0);
    const irq = {
      set: (level: boolean) => {
        if (level && !this.irq) this.edges++;
        this.irq = level;
      },
    };
    this.fdc = new I82077aa({ clock: this.clock, irq, dma: dma.channel(2), drives });
    this.fdc.reset();
    this.fdc.attach(this.ports);
  }

  in(port: number): number {
    return this.ports.read(port, 1);
  }

  out(port: number, value: number): void {
    this.ports.write(port, value, 1);
  }

  settle(): void {
    for (let limit = 0; limit < 10_000 && this.clock.nextDue < Infinity; limit++) {
      this.clock.skipTo(this.clock.nextDue);
      const due = this.clock.takeDue();
      if (due) this.fdc.event(due.event);
    }
  }

  /** Leaves the reset with motors on and senses its four interrupts. */
  start(rate = 0): this {
    this.out(0x3f2, 0x3c);
    this.settle();
    for (let i = 0; i < 4; i++) assertEquals(this.command(0x08), [0xc0 | i, 0]);
    this.out(0x3f7, rate);
    return this;
  }

  /** Writes a command, lets it execute, and returns the result bytes. */
  command(...bytes: number[]): number[] {
    for (const byte of bytes) {
      assertEquals(this.in(0x3f4) & 0xc0, 0x80, "the controller takes a byte");
      this.out(0x3f5, byte);
    }
    if (bytes.length > 1) this.settle();
    return this.result();
  }

  result(): number[] {
    const result: number[] = [];
    while ((this.in(0x3f4) & 0xc0) === 0xc0 && result.length < 20) result.push(this.in(0x3f5));
    return result;
  }

  /** Programs channel 2 for `length` bytes at the buffer. */
  dma(mode: number, length: number): void {
    this.out(0x0a, 6);
    this.out(0x0c, 0);
    this.out(0x0b, mode);
    this.out(0x04, 0);
    this.out(0x04, 0);
    this.out(0x81, BUFFER >> 16);
    this.out(0x05, length - 1 & 0xff);
    this.out(0x05, length - 1 >> 8);
    this.out(0x0a, 2);
  }

  seek(drive: number, cylinder: number): void {
    this.command(0x0f, drive, cylinder);
    assertEquals(this.command(0x08), [0x20 | drive, cylinder]);
  }
}

function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => i * 5 + (i >> 9) * 17 & 0xff);
}

function floppy(): { bench: Bench; image: Uint8Array } {
  const image = pattern(1474560);
  return { bench: new Bench(new MemoryDisk(image)).start(), image };
}

Deno.test("I82077aa: reset raises an interrupt and four statuses, then there is nothing to sense", () => {
  const b = new Bench(null);
  assertEquals(b.in(0x3f4), 0);
  b.out(0x3f2, 0x0c);
  assertEquals([b.in(0x3f4), b.irq], [0, false]);
  b.settle();
  assertEquals([b.in(0x3f4), b.irq], [0x80, true]);
  for (let i = 0; i < 4; i++) assertEquals(b.command(0x08), [0xc0 | i, 0]);
  assertEquals(b.irq, false);
  assertEquals(b.command(0x08), [0x80]);
  // The reset of the data rate select register clears itself.
  b.out(0x3f4, 0x82);
  b.settle();
  assertEquals([b.in(0x3f4), b.irq], [0x80, true]);
});

Deno.test("I82077aa: version, lock, dumpreg, unknown commands", () => {
  const b = new Bench(null).start();
  assertEquals(b.command(0x10), [0x90]);
  assertEquals(b.command(0x18), [0x80], "an 82077AA has no part number");
  b.command(0x03, 0xaf, 0x1e);
  b.command(0x13, 0, 0x57, 9);
  assertEquals(b.command(0x94), [0x10]);
  b.command(0x12, 0x84);
  assertEquals(b.command(0x0e), [0, 0, 0, 0, 0xaf, 0x1e, 0, 0x84, 0x57, 9]);
  b.out(0x3f2, 0x38);
  b.out(0x3f2, 0x3c);
  b.settle();
  assertEquals(b.irq, false, "polling is off, and a locked configuration survives the reset");
  assertEquals(b.command(0x14), [0]);
  b.out(0x3f2, 0x38);
  b.out(0x3f2, 0x3c);
  b.settle();
  assertEquals(b.irq, true);
});

Deno.test("I82077aa: seek, recalibrate and sense drive status", () => {
  const { bench: b } = floppy();
  b.out(0x3f5, 0x0f);
  b.out(0x3f5, 0);
  b.out(0x3f5, 40);
  assertEquals([b.in(0x3f4), b.irq], [0x81, false]);
  b.settle();
  assertEquals([b.in(0x3f4), b.irq], [0x80, true]);
  assertEquals(b.command(0x08), [0x20, 40]);
  assertEquals(b.command(0x04, 0x04), [0x2c]);
  b.command(0xcf, 0, 2);
  assertEquals(b.command(0x08), [0x20, 42]);
  b.command(0x8f, 0, 12);
  assertEquals(b.command(0x08), [0x20, 30]);
  b.command(0x07, 0);
  assertEquals(b.command(0x08), [0x20, 0]);
  assertEquals(b.command(0x04, 0), [0x38]);
  // There is no drive 1: its track 0 signal never comes.
  b.command(0x07, 1);
  assertEquals(b.command(0x08), [0x71, 0]);
});

Deno.test("I82077aa: reads sectors by DMA until terminal count, across heads with MT", () => {
  const { bench: b, image } = floppy();
  b.seek(0, 3);
  const first = (3 * 2 * 18 + 16) * 512;
  b.dma(TO_MEMORY, 4 * 512);
  assertEquals(b.command(0xe6, 0, 3, 0, 17, 2, 18, 0x1b, 0xff), [0x04, 0, 0, 3, 1, 3, 2]);
  assertEquals(b.memory.bytes.slice(BUFFER, BUFFER + 2048), image.slice(first, first + 2048));
  b.dma(TO_MEMORY, 700);
  assertEquals(b.command(0x66, 0, 3, 0, 17, 2, 18, 0x1b, 0xff), [0x00, 0, 0, 4, 0, 1, 2]);
  assertEquals(b.memory.bytes.slice(BUFFER, BUFFER + 700), image.slice(first, first + 700));
  // The interrupt goes with the first result byte.
  b.dma(TO_MEMORY, 512);
  for (const byte of [0x46, 0, 3, 0, 1, 2, 18, 0x1b, 0xff]) b.out(0x3f5, byte);
  assertEquals([b.in(0x3f4), b.irq], [0x10, false]);
  b.settle();
  assertEquals([b.in(0x3f4), b.irq], [0xd0, true]);
  b.in(0x3f5);
  assertEquals(b.irq, false);
});

Deno.test("I82077aa: all PC formats at their data rates", () => {
  const codes: Record<number, number> = { 500: 0, 300: 1, 250: 2, 1000: 3 };
  for (const format of FLOPPY_FORMATS) {
    const image = pattern(formatSize(format));
    const b = new Bench(new MemoryDisk(image)).start(codes[format.rate]);
    const c = format.cylinders - 1, h = format.heads - 1, r = format.sectors;
    b.seek(0, c);
    b.dma(TO_MEMORY, 512);
    assertEquals(b.command(0x46, h << 2, c, h, r, 2, r, 0x1b, 0xff)[0] >> 6, 0, format.name);
    assertEquals(b.memory.bytes.slice(BUFFER, BUFFER + 512), image.slice(-512));
    b.out(0x3f7, format.rate === 1000 ? 0 : 3);
    assertEquals(b.command(0x4a, 0).slice(0, 3), [0x40, 1, 0], "another data rate finds no address mark");
  }
  assertEquals(FLOPPY_FORMATS.map(cmosDriveType), [1, 1, 1, 1, 3, 2, 4, 4, 4, 5]);
});

Deno.test("I82077aa: writes, also a partial last sector", () => {
  const { bench: b, image } = floppy();
  b.memory.write(BUFFER, new Uint8Array(2048).fill(0xee));
  b.dma(FROM_MEMORY, 700);
  assertEquals(b.command(0x45, 0, 0, 0, 5, 2, 18, 0x1b, 0xff), [0, 0, 0, 0, 0, 7, 2]);
  const want = new Uint8Array(1024).fill(0xee, 0, 700);
  assertEquals(image.slice(4 * 512, 6 * 512), want);
});

Deno.test("I82077aa: errors of identification, track, protection, medium and DMA", () => {
  const { bench: b } = floppy();
  const read = [2, 18, 0x1b, 0xff];
  b.dma(TO_MEMORY, 512);
  assertEquals(b.command(0x46, 0, 0, 0, 19, ...read), [0x40, 0x04, 0, 0, 0, 19, 2], "no such sector");
  assertEquals(b.command(0x46, 0, 7, 0, 1, ...read), [0x40, 0x04, 0x10, 7, 0, 1, 2], "wrong cylinder");
  assertEquals(b.command(0x06, 0, 0, 0, 1, ...read)[1], 0x01, "FM");
  assertEquals(b.command(0x46, 1, 0, 0, 1, ...read), [0x41, 0x01, 0, 0, 0, 1, 2], "no drive");
  b.dma(TO_MEMORY, 65536);
  assertEquals(b.command(0x46, 0, 0, 0, 18, ...read), [0x40, 0x80, 0, 1, 0, 1, 2], "end of track");
  b.out(0x0a, 6);
  assertEquals(b.command(0x46, 0, 0, 0, 1, ...read), [0x40, 0x10, 0, 0, 0, 1, 2], "channel masked: overrun");

  const locked = new Bench(new MemoryDisk(pattern(1474560), { readOnly: true })).start();
  locked.dma(FROM_MEMORY, 512);
  assertEquals(locked.command(0x45, 0, 0, 0, 1, ...read).slice(0, 3), [0x40, 0x02, 0]);
  assertEquals(locked.command(0x04, 0), [0x78]);

  class Worn extends MemoryDisk {
    override read(): void {
      throw new BlockError("worn");
    }
    override write(): void {
      throw new BlockError("worn");
    }
  }
  const worn = new Bench(new Worn(pattern(1474560))).start();
  worn.dma(TO_MEMORY, 512);
  assertEquals(worn.command(0x46, 0, 0, 0, 1, ...read).slice(0, 3), [0x40, 0x20, 0x20]);
  worn.dma(FROM_MEMORY, 512);
  assertEquals(worn.command(0x45, 0, 0, 0, 1, ...read).slice(0, 3), [0x40, 0x20, 0]);
});

Deno.test("I82077aa: verify, read track, deleted data, read ID", () => {
  const { bench: b, image } = floppy();
  assertEquals(b.command(0x56, 0, 0, 0, 1, 2, 18, 0x1b, 0xff), [0, 0, 0, 1, 0, 1, 2]);
  assertEquals(b.command(0x56, 0x80, 0, 0, 3, 2, 18, 0x1b, 4), [0, 0, 0, 0, 0, 7, 2]);
  assertEquals(b.command(0x56, 0x80, 0, 0, 17, 2, 18, 0x1b, 4).slice(0, 2), [0x40, 0x80]);
  b.dma(TO_MEMORY, 0x8000);
  assertEquals(b.command(0x42, 0, 0, 0, 1, 2, 18, 0x1b, 0xff).slice(0, 3), [0, 0, 0]);
  assertEquals(b.memory.bytes.slice(BUFFER, BUFFER + 18 * 512), image.slice(0, 18 * 512));
  b.dma(TO_MEMORY, 0x8000);
  assertEquals(b.command(0x4c, 0, 0, 0, 2, 2, 18, 0x1b, 0xff), [0, 0, 0x40, 0, 0, 3, 2]);
  const id = b.command(0x4a, 4);
  assertEquals([id[0], id[3], id[4], id[6]], [4, 0, 1, 2]);
  assert(id[5] >= 1 && id[5] <= 18);
  b.dma(VERIFY, 512);
  assertEquals(b.command(0x46, 0, 0, 0, 1, 2, 18, 0x1b, 0xff)[0], 0);
});

Deno.test("I82077aa: scan commands compare the disk with memory", () => {
  const { bench: b, image } = floppy();
  b.memory.write(BUFFER, image.slice(512, 1024));
  const scan = (code: number) => {
    b.dma(FROM_MEMORY, 512);
    return b.command(code, 0, 0, 0, 2, 2, 18, 0x1b, 1).slice(0, 3);
  };
  assertEquals(scan(0x51), [0, 0, 0x08]);
  b.memory.write8(BUFFER, image[512] + 1);
  assertEquals(scan(0x51), [0, 0, 0x04]);
  assertEquals(scan(0x59), [0, 0, 0x00]);
  assertEquals(scan(0x5d), [0, 0, 0x04]);
});

Deno.test("I82077aa: formats a track", () => {
  const { bench: b, image } = floppy();
  b.seek(0, 2);
  const ids = Uint8Array.from({ length: 18 * 4 }, (_, i) => [2, 1, (i >> 2) + 1, 2][i & 3]);
  b.memory.write(BUFFER, ids);
  b.dma(FROM_MEMORY, ids.length);
  assertEquals(b.command(0x4d, 4, 2, 18, 0x54, 0xf6)[0], 4);
  const track = (2 * 2 + 1) * 18 * 512;
  assertEquals(image.slice(track, track + 18 * 512), new Uint8Array(18 * 512).fill(0xf6));
  b.memory.write8(BUFFER + 2, 40);
  b.dma(FROM_MEMORY, ids.length);
  assertEquals(b.command(0x4d, 4, 2, 18, 0x54, 0xf6).slice(0, 2), [0x44, 0x02]);
});

Deno.test("I82077aa: non-DMA mode moves bytes through the FIFO and ends at the last sector of the track", () => {
  const { bench: b, image } = floppy();
  b.command(0x03, 0xaf, 0x03);
  for (const byte of [0x46, 0, 0, 0, 17, 2, 18, 0x1b, 0xff]) b.out(0x3f5, byte);
  const data: number[] = [];
  for (let sector = 0; sector < 2; sector++) {
    b.settle();
    assertEquals([b.in(0x3f4), b.irq], [0xf0, true]);
    for (let i = 0; i < 512; i++) data.push(b.in(0x3f5));
    assertEquals(b.irq, false);
  }
  assertEquals(Uint8Array.from(data), image.slice(16 * 512, 18 * 512));
  b.settle();
  assertEquals(b.result().slice(0, 2), [0x40, 0x80]);
  for (const byte of [0x45, 0, 0, 0, 18, 2, 18, 0x1b, 0xff]) b.out(0x3f5, byte);
  b.settle();
  assertEquals(b.in(0x3f4), 0xb0);
  for (let i = 0; i < 512; i++) b.out(0x3f5, 0x77);
  b.settle();
  assertEquals(b.result().slice(0, 2), [0x40, 0x80]);
  assertEquals(image.slice(17 * 512, 18 * 512), new Uint8Array(512).fill(0x77));
});

Deno.test("I82077aa: implied seek", () => {
  const { bench: b, image } = floppy();
  b.command(0x13, 0, 0x50, 0);
  b.dma(TO_MEMORY, 512);
  assertEquals(b.command(0x46, 0, 9, 0, 1, 2, 18, 0x1b, 0xff)[0], 0);
  assertEquals(b.memory.bytes.slice(BUFFER, BUFFER + 512), image.slice(9 * 36 * 512, 9 * 36 * 512 + 512));
});

Deno.test("I82077aa: the disk change line", () => {
  const { bench: b } = floppy();
  assertEquals(b.in(0x3f7), 0x80);
  b.seek(0, 1);
  assertEquals(b.in(0x3f7), 0);
  b.fdc.change(0, null);
  b.seek(0, 0);
  assertEquals(b.in(0x3f7), 0x80, "stepping without a medium does not clear it");
  b.dma(TO_MEMORY, 512);
  assertEquals(b.command(0x46, 0, 0, 0, 1, 2, 18, 0x1b, 0xff).slice(0, 3), [0x40, 1, 0]);
  b.fdc.change(0, new MemoryDisk(pattern(737280)));
  b.seek(0, 1);
  assertEquals(b.in(0x3f7), 0);
  b.out(0x3f7, 2);
  assertEquals(b.command(0x4a, 0)[0], 0);
  assertThrows(() => b.fdc.change(1, null), RangeError, "no floppy drive B");
  assertThrows(() => b.fdc.change(0, new MemoryDisk(new Uint8Array(3_000_000))), ImageError);
});

Deno.test("I82077aa: restored in the middle of a result, it goes on as if nothing had happened", () => {
  const { bench: b } = floppy();
  b.seek(0, 5);
  b.dma(TO_MEMORY, 512);
  for (const byte of [0x46, 0, 5, 0, 4, 2, 18, 0x1b, 0xff]) b.out(0x3f5, byte);
  const other = new Bench(new MemoryDisk(pattern(1474560)));
  restoreState(other.fdc.state, copyState(b.fdc.state));
  restoreState(other.clock.state, copyState(b.clock.state));
  other.clock.restored();
  other.fdc.restored();
  other.dma(TO_MEMORY, 512);
  for (const bench of [b, other]) bench.settle();
  assertEquals(other.result(), [0, 0, 0, 5, 0, 5, 2]);
  b.result();
  assertEquals(other.fdc.state, b.fdc.state);
  assertEquals(other.memory.bytes.slice(BUFFER, BUFFER + 512), b.memory.bytes.slice(BUFFER, BUFFER + 512));
});

Deno.test("I82077aa: a reset in the middle of a command", () => {
  const { bench: b } = floppy();
  b.dma(TO_MEMORY, 512);
  for (const byte of [0x46, 0, 0, 0, 1, 2, 18, 0x1b, 0xff]) b.out(0x3f5, byte);
  b.out(0x3f2, 0x38);
  assertEquals([b.in(0x3f4), b.clock.nextDue], [0, Infinity]);
  b.start();
});

Deno.test("I82077aa: random port writes never throw and never hang", () => {
  let seed = 99;
  const random = (limit: number) => {
    seed = Math.imul(seed, 1103515245) + 12345 >>> 0;
    return (seed >>> 8) % limit;
  };
  const b = new Bench(new MemoryDisk(pattern(1474560)), null).start();
  const ports = [0x3f5, 0x3f5, 0x3f5, 0x3f5, 0x3f5, 0x3f2, 0x3f4, 0x3f7, 0x0a, 0x0b];
  const commands = [2, 3, 5, 6, 7, 8, 9, 10, 12, 13, 15, 17, 18, 19, 22, 0x46, 0x45, 0x4d, 0xe6, 0x56, 0x51];
  for (let i = 0; i < 50_000; i++) {
    const port = ports[random(random(20) === 0 ? ports.length : 5)];
    if (random(4) === 0) assert(b.in(port) >= 0);
    else b.out(port, port === 0x3f5 && random(2) ? commands[random(commands.length)] : random(256));
    if (random(6) === 0 && b.clock.nextDue < Infinity) {
      b.clock.skipTo(b.clock.nextDue);
      const due = b.clock.takeDue();
      if (due) b.fdc.event(due.event);
    }
  }
});
