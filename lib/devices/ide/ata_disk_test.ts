import { assert, assertEquals } from "@std/assert";
import { MemoryDisk } from "../../disk/memory_disk.ts";
import { copyState, restoreState } from "../../machine/state.ts";
import { type BlockBackend, BlockError } from "../../machine/types.ts";
import { BUS_MASTER, IdeBench, pattern } from "./bench.ts";
import { Command, Err, Status } from "./registers.ts";

const READY = Status.DRDY | Status.DSC;
const SECTORS = 4096;

function bench(): { bench: IdeBench; image: Uint8Array } {
  const image = pattern(SECTORS * 512);
  return { bench: new IdeBench({ kind: "disk", medium: new MemoryDisk(image), serial: "S123" }), image };
}

/** A disk of a size that no test could hold, which reads as the number of each sector. */
class HugeDisk implements BlockBackend {
  readonly readOnly = true;
  constructor(readonly size: number) {}
  read(offset: number, target: Uint8Array): void {
    const view = new DataView(target.buffer, target.byteOffset, target.length);
    for (let i = 0; i < target.length; i += 512) view.setBigUint64(i, BigInt((offset + i) / 512), true);
  }
  write(): void {
    throw new BlockError("read-only");
  }
  flush(): void {}
}

Deno.test("AtaDisk: power-on state and signature", () => {
  const { bench: b } = bench();
  assertEquals(b.in(0x1f7), READY);
  assertEquals([1, 2, 3, 4, 5].map((i) => b.in(0x1f0 + i)), [1, 1, 1, 0, 0]);
});

Deno.test("AtaDisk: IDENTIFY DEVICE names the disk, its size and its geometry", () => {
  const { bench: b } = bench();
  b.command(Command.IDENTIFY_DEVICE);
  assertEquals(b.in(0x3f6) & Status.BSY, Status.BSY);
  assertEquals(b.wait(), READY | Status.DRQ);
  assertEquals(b.edges[0], 1);
  const data = b.readData(512), view = new DataView(data.buffer);
  assertEquals(b.in(0x1f7), READY);
  assertEquals(view.getUint16(0, true) & 0x8000, 0);
  assertEquals(view.getUint32(120, true), SECTORS);
  assertEquals(view.getBigUint64(200, true), BigInt(SECTORS));
  assertEquals([view.getUint16(2, true), view.getUint16(6, true), view.getUint16(12, true)], [4, 16, 63]);
  assertEquals(String.fromCharCode(data[21], data[20], data[23], data[22]), "S123");
  assertEquals(data.reduce((sum, byte) => sum + byte, 0) & 0xff, 0);
});

Deno.test("AtaDisk: READ SECTORS by LBA28, one interrupt for each sector, any access width", () => {
  for (const size of [1, 2, 4] as const) {
    const { bench: b, image } = bench();
    b.command(Command.READ_SECTORS, [0, 3, 0x34, 0x02, 0x00]);
    b.wait();
    assertEquals(b.readData(3 * 512, size), image.slice(0x234 * 512, 0x237 * 512));
    assertEquals(b.in(0x1f7), READY);
    assertEquals(b.edges[0], 3);
    assertEquals([b.in(0x1f2), b.in(0x1f3), b.in(0x1f4)], [0, 0x36, 0x02]);
  }
});

Deno.test("AtaDisk: CHS addresses follow INITIALIZE DEVICE PARAMETERS", () => {
  const { bench: b, image } = bench();
  b.command(Command.READ_SECTORS, [0, 1, 5, 2, 0], 0xa3);
  b.wait();
  const lba = (2 * 16 + 3) * 63 + 4;
  assertEquals(b.readData(512), image.slice(lba * 512, lba * 512 + 512));
  b.command(Command.INITIALIZE_DEVICE_PARAMETERS, [0, 32], 0xa7);
  assertEquals(b.wait(), READY);
  b.command(Command.READ_SECTORS, [0, 1, 5, 2, 0], 0xa3);
  b.wait();
  const translated = (2 * 8 + 3) * 32 + 4;
  assertEquals(b.readData(512), image.slice(translated * 512, translated * 512 + 512));
  b.command(Command.READ_SECTORS, [0, 1, 33, 2, 0], 0xa3);
  assertEquals(b.wait(), READY | Status.ERR);
  assertEquals(b.in(0x1f1), Err.IDNF);
});

Deno.test("AtaDisk: READ SECTORS EXT reaches beyond 2 TiB", () => {
  const b = new IdeBench({ kind: "disk", medium: new HugeDisk(2 ** 43) });
  const lba = 0x2_8765_4321;
  b.out(0x1f6, 0xe0);
  const put = (register: number, high: number, low: number) => {
    b.out(register, high);
    b.out(register, low);
  };
  put(0x1f2, 0, 1);
  put(0x1f3, 0x87, 0x21);
  put(0x1f4, 0x02, 0x43);
  put(0x1f5, 0x00, 0x65);
  b.out(0x1f7, Command.READ_SECTORS_EXT);
  b.wait();
  assertEquals(new DataView(b.readData(512).buffer).getBigUint64(0, true), BigInt(lba));
  b.out(0x3f6, 0x80);
  assertEquals([3, 4, 5].map((i) => b.in(0x1f0 + i)), [0x87, 0x02, 0x00]);
  b.out(0x3f6, 0x00);
  assertEquals([3, 4, 5].map((i) => b.in(0x1f0 + i)), [0x21, 0x43, 0x65]);
});

Deno.test("AtaDisk: WRITE SECTORS asks for the first block at once and interrupts after each", () => {
  const { bench: b, image } = bench();
  const data = pattern(1024).map((byte) => byte ^ 0x5a);
  b.command(Command.WRITE_SECTORS, [0, 2, 9, 0, 0]);
  assertEquals(b.in(0x1f7), READY | Status.DRQ);
  assertEquals(b.edges[0], 0);
  b.writeData(data);
  assertEquals(b.wait(), READY);
  assertEquals(b.edges[0], 2);
  assertEquals(image.slice(9 * 512, 11 * 512), data);
});

Deno.test("AtaDisk: READ and WRITE MULTIPLE move several sectors between interrupts", () => {
  const { bench: b, image } = bench();
  b.command(Command.READ_MULTIPLE, [0, 4, 0, 0, 0]);
  assertEquals(b.wait(), READY | Status.ERR);
  assertEquals(b.in(0x1f1), Err.ABRT);
  b.command(Command.SET_MULTIPLE_MODE, [0, 3]);
  assertEquals(b.wait() & Status.ERR, Status.ERR);
  b.command(Command.SET_MULTIPLE_MODE, [0, 8]);
  b.wait();
  const before = b.edges[0];
  b.command(Command.READ_MULTIPLE, [0, 20, 1, 0, 0]);
  b.wait();
  assertEquals(b.readData(20 * 512, 4), image.slice(512, 21 * 512));
  assertEquals(b.edges[0] - before, 3);
  const data = pattern(20 * 512).reverse();
  b.command(Command.WRITE_MULTIPLE, [0, 20, 1, 0, 0]);
  b.writeData(data);
  assertEquals(b.wait(), READY);
  assertEquals(image.slice(512, 21 * 512), data);
});

Deno.test("AtaDisk: a transfer that runs over the end stops there with IDNF", () => {
  const { bench: b, image } = bench();
  b.command(Command.READ_SECTORS, [0, 2, 0xff, 0x0f, 0]);
  assertEquals(b.wait(), READY | Status.DRQ);
  assertEquals(b.readData(512), image.slice(0xfff * 512));
  assertEquals(b.wait(), READY | Status.ERR);
  assertEquals([b.in(0x1f1), b.in(0x1f3), b.in(0x1f4)], [Err.IDNF, 0x00, 0x10]);
});

Deno.test("AtaDisk: DMA moves data through the descriptors and ends with interrupt and idle bus master", () => {
  const { bench: b, image } = bench();
  b.command(Command.READ_DMA, [0, 20, 2, 0, 0]);
  b.busMaster([[0x1_0000, 1000], [0x2_0000, 20 * 512 - 1000]], true);
  assertEquals(b.in(BUS_MASTER + 2), 4);
  assertEquals(b.in(0x1f7), READY);
  assertEquals(b.memory.bytes.slice(0x1_0000, 0x1_0000 + 1000), image.slice(1024, 2024));
  assertEquals(b.memory.bytes.slice(0x2_0000, 0x2_0000 + 20 * 512 - 1000), image.slice(2024, 22 * 512));
  b.command(Command.WRITE_DMA, [0, 20, 100, 0, 0]);
  b.busMaster([[0x2_0000, 0]], false);
  assertEquals(b.in(BUS_MASTER + 2), 5, "the descriptors were longer than the transfer: still active");
  assertEquals(image.slice(100 * 512, 120 * 512 - 1000), image.slice(2024, 22 * 512).slice(0, 20 * 512 - 1000));
  b.out(BUS_MASTER, 0);
  assertEquals(b.in(BUS_MASTER + 2), 4);
});

Deno.test("AtaDisk: DMA without enough descriptors leaves the drive waiting and the bus master idle", () => {
  const { bench: b } = bench();
  b.command(Command.READ_DMA, [0, 4, 0, 0, 0]);
  b.busMaster([[0x1_0000, 512]], true);
  assertEquals(b.in(BUS_MASTER + 2), 0);
  assertEquals(b.in(0x1f7), READY | Status.DRQ);
  b.out(0x3f6, 4);
  b.out(0x3f6, 0);
  b.settle();
  assertEquals(b.in(0x1f7), READY);
});

Deno.test("AtaDisk: DMA in the wrong direction or without bus mastering is an error of the bus master", () => {
  const { bench: b } = bench();
  b.command(Command.READ_DMA, [0, 1, 0, 0, 0]);
  b.busMaster([[0x1_0000, 512]], false);
  assertEquals(b.in(BUS_MASTER + 2), 2);
  b.command(Command.READ_DMA, [0, 1, 0, 0, 0]);
  b.ide.pci.write(4, 1, 2);
  b.busMaster([[0x1_0000, 512]], true);
  assertEquals(b.in(BUS_MASTER + 2), 2);
});

Deno.test("AtaDisk: DMA started before the drive is ready waits for it", () => {
  const { bench: b, image } = bench();
  b.memory.write32(0x8000, 0x3_0000);
  b.memory.write32(0x8004, 0x8000_0200);
  b.out(BUS_MASTER + 4, 0x8000, 4);
  b.command(Command.READ_DMA, [0, 1, 7, 0, 0]);
  b.out(BUS_MASTER, 9);
  assertEquals(b.in(BUS_MASTER + 2), 1);
  assertEquals(b.in(0x3f6), Status.BSY | Status.DSC);
  b.settle();
  assertEquals(b.in(BUS_MASTER + 2), 4);
  assertEquals(b.memory.bytes.slice(0x3_0000, 0x3_0200), image.slice(7 * 512, 8 * 512));
});

Deno.test("AtaDisk: medium errors name the sector that is to blame", () => {
  class Scratched extends MemoryDisk {
    override read(offset: number, target: Uint8Array): void {
      if (offset <= 5 * 512 && offset + target.length > 5 * 512) throw new BlockError("scratch");
      super.read(offset, target);
    }
    override write(): void {
      throw new BlockError("full");
    }
  }
  const b = new IdeBench({ kind: "disk", medium: new Scratched(pattern(64 * 512)) });
  b.command(Command.READ_DMA, [0, 10, 0, 0, 0]);
  b.busMaster([[0x1_0000, 10 * 512]], true);
  assertEquals(b.in(0x1f7), READY | Status.ERR);
  assertEquals([b.in(0x1f1), b.in(0x1f3), b.in(BUS_MASTER + 2) & 4], [Err.UNC, 5, 4]);
  b.command(Command.READ_VERIFY_SECTORS, [0, 10, 0, 0, 0]);
  assertEquals(b.wait(), READY | Status.ERR);
  assertEquals([b.in(0x1f1), b.in(0x1f3)], [Err.UNC, 5]);
  b.command(Command.WRITE_DMA, [0, 1, 0, 0, 0]);
  b.busMaster([[0x1_0000, 512]], false);
  assertEquals([b.in(0x1f7), b.in(0x1f1)], [READY | Status.ERR, Err.ABRT]);
});

Deno.test("AtaDisk: SET MAX ADDRESS hides the end of the disk until reset", () => {
  const { bench: b } = bench();
  b.command(Command.SET_MAX_ADDRESS, [0, 0, 0xff, 0x03, 0]);
  assertEquals(b.wait(), READY);
  b.command(Command.READ_SECTORS, [0, 1, 0x00, 0x04, 0]);
  assertEquals(b.wait(), READY | Status.ERR);
  b.command(Command.READ_NATIVE_MAX_ADDRESS);
  b.wait();
  assertEquals([b.in(0x1f3), b.in(0x1f4), b.in(0x1f5), b.in(0x1f6)], [0xff, 0x0f, 0, 0xe0]);
  b.ide.reset();
  b.command(Command.READ_SECTORS, [0, 1, 0x00, 0x04, 0]);
  assertEquals(b.wait(), READY | Status.DRQ);
});

Deno.test("AtaDisk: power management, features and unknown commands", () => {
  const { bench: b } = bench();
  b.command(Command.STANDBY_IMMEDIATE);
  b.wait();
  b.command(Command.CHECK_POWER_MODE);
  b.wait();
  assertEquals(b.in(0x1f2), 0);
  b.command(Command.SET_FEATURES, [3, 0x22]);
  assertEquals(b.wait(), READY);
  b.command(Command.SET_FEATURES, [0x77, 0]);
  assertEquals(b.wait(), READY | Status.ERR);
  for (const code of [Command.NOP, 0xb0, Command.PACKET, 0xff]) {
    b.command(code);
    assertEquals(b.wait(), READY | Status.ERR, `command ${code}`);
    assertEquals(b.in(0x1f1), Err.ABRT);
  }
  b.command(Command.SLEEP);
  b.wait();
  b.command(Command.IDENTIFY_DEVICE);
  assertEquals(b.wait() & Status.DRQ, 0);
});

Deno.test("IdeChannel: nIEN keeps the line low, selection and status reads withdraw it", () => {
  const { bench: b } = bench();
  b.out(0x3f6, 2);
  b.command(Command.IDENTIFY_DEVICE);
  b.settle();
  assertEquals(b.irq[0], false);
  b.out(0x3f6, 0);
  assertEquals(b.irq[0], true);
  b.in(0x3f6);
  assertEquals(b.irq[0], true, "the alternate status leaves it");
  b.in(0x1f7);
  assertEquals(b.irq[0], false);
});

Deno.test("IdeChannel: absent drives", () => {
  const { bench: b } = bench();
  b.out(0x1f6, 0xb0);
  assertEquals(b.in(0x1f7), 0);
  assertEquals(b.in(0x1f6), 0xb0);
  b.out(0x1f2, 0x55);
  assertEquals(b.in(0x1f2), 0);
  b.out(0x1f7, Command.IDENTIFY_DEVICE);
  assertEquals(b.in(0x3f6), 0);
  assertEquals(b.clock.nextDue, Infinity);
  // Nothing on the secondary channel: DD7 is pulled down.
  b.out(0x172, 0x55);
  assertEquals([b.in(0x172), b.in(0x177), b.in(0x376)], [0x7f, 0x7f, 0x7f]);
  assertEquals(b.in(0x170, 2), 0xffff);
});

Deno.test("IdeChannel: SRST resets both drives and selects drive 0", () => {
  const medium = () => new MemoryDisk(new Uint8Array(512 * 100));
  const b = new IdeBench({ kind: "disk", medium: medium() }, { kind: "disk", medium: medium() });
  b.command(Command.READ_SECTORS, [0, 1, 0, 0, 0], 0xf0);
  b.out(0x3f6, 4);
  assertEquals(b.in(0x3f6), Status.BSY);
  b.out(0x3f6, 0);
  b.settle();
  assertEquals([1, 2, 3, 4, 5, 6].map((i) => b.in(0x1f0 + i)), [1, 1, 1, 0, 0, 0xa0]);
  b.out(0x1f6, 0xb0);
  assertEquals(b.in(0x1f7), READY);
  b.command(Command.EXECUTE_DEVICE_DIAGNOSTIC, [], 0xb0);
  b.settle();
  assertEquals(b.irq[0], true);
  assertEquals(b.in(0x1f1), 1);
  b.in(0x1f7);
  b.out(0x1f6, 0xb0);
  assertEquals(b.irq[0], false, "drive 1 leaves the interrupt to drive 0");
});

Deno.test("PiixIde: restored in the middle of a transfer, it goes on as if nothing had happened", () => {
  const medium = () => new MemoryDisk(pattern(SECTORS * 512));
  const build = () => new IdeBench({ kind: "disk", medium: medium() }, { kind: "cdrom", medium: medium() });
  const b = build();
  b.command(Command.SET_MULTIPLE_MODE, [0, 4]);
  b.wait();
  b.command(Command.READ_MULTIPLE, [0, 10, 3, 0, 0]);
  b.wait();
  const start = b.readData(1000);
  const other = build();
  restoreState(other.ide.state, copyState(b.ide.state));
  other.ide.restored();
  restoreState(other.clock.state, copyState(b.clock.state));
  other.clock.restored();
  assertEquals(other.irq, b.irq);
  const rest = other.readData(5120 - 1000);
  assertEquals(rest, b.readData(5120 - 1000));
  assertEquals([...start, ...rest], [...pattern(SECTORS * 512).slice(3 * 512, 13 * 512)]);
  assertEquals(other.ide.state, b.ide.state);
  assertEquals(other.in(BUS_MASTER + 2), 4, "the bus master's ports are mapped again");
});

Deno.test("PiixIde: the decode bits take the legacy ports away and give them back", () => {
  const { bench: b } = bench();
  b.ide.pci.write(0x41, 0, 1);
  assertEquals([b.in(0x1f7), b.in(0x3f6)], [0xff, 0xff]);
  b.ide.pci.write(0x41, 0x80, 1);
  assertEquals(b.in(0x1f7), READY);
});

Deno.test("PiixIde: random port writes never throw and never hang", () => {
  let seed = 12345;
  const random = (limit: number) => {
    seed = Math.imul(seed, 1103515245) + 12345 >>> 0;
    return (seed >>> 8) % limit;
  };
  const b = new IdeBench(
    { kind: "disk", medium: new MemoryDisk(pattern(1000 * 512)) },
    { kind: "cdrom", medium: new MemoryDisk(pattern(100 * 2048)) },
  );
  b.memory.write(0x8000, pattern(4096));
  const ports = [0x1f0, 0x1f0, 0x1f1, 0x1f2, 0x1f3, 0x1f4, 0x1f5, 0x1f6, 0x1f7, 0x3f6];
  for (let i = 0; i < 60_000; i++) {
    const port = random(8) === 0 ? BUS_MASTER + random(16) : ports[random(ports.length)];
    const size = ([1, 2, 4] as const)[random(3)];
    if (random(3) === 0) assert(b.in(port, size) >= 0);
    else b.out(port, size === 4 ? random(2 ** 24) * 251 >>> 0 : random(2 ** (8 * size)), size);
    if (random(4) === 0 && b.clock.nextDue < Infinity) b.step();
  }
});
