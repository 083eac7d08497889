import { assert, assertEquals } from "@std/assert";
import { MemoryDisk } from "../../disk/memory_disk.ts";
import { BUS_MASTER, IdeBench, pattern } from "./bench.ts";
import { Command, Err, Status } from "./registers.ts";

const READY = Status.DRDY | Status.DSC;
const SECTORS = 100;
const UNIT_ATTENTION = 0x60, NOT_READY = 0x20, ILLEGAL = 0x50 | Err.ABRT;

function bench(): { bench: IdeBench; image: Uint8Array } {
  const image = pattern(SECTORS * 2048);
  return { bench: new IdeBench({ kind: "cdrom", medium: new MemoryDisk(image, { readOnly: true }) }), image };
}

/** Sense key, code and qualifier by REQUEST SENSE. */
function sense(b: IdeBench): number[] {
  const data = b.packet([0x03, 0, 0, 0, 18]);
  assert(typeof data !== "number");
  return [data[2], data[12], data[13]];
}

Deno.test("AtapiCdrom: signature, refusal of IDENTIFY DEVICE, IDENTIFY PACKET DEVICE", () => {
  const { bench: b } = bench();
  assertEquals([1, 2, 3, 4, 5, 7].map((i) => b.in(0x1f0 + i)), [1, 1, 1, 0x14, 0xeb, 0]);
  b.command(Command.IDENTIFY_DEVICE, [0, 0, 0, 0, 0]);
  assertEquals(b.wait(), READY | Status.ERR);
  assertEquals([b.in(0x1f1), b.in(0x1f4), b.in(0x1f5)], [Err.ABRT, 0x14, 0xeb]);
  b.command(Command.IDENTIFY_PACKET_DEVICE);
  assertEquals(b.wait(), READY | Status.DRQ);
  const data = b.readData(512);
  assertEquals(data[1] >> 6, 2);
  assertEquals(data.reduce((sum, byte) => sum + byte, 0) & 0xff, 0);
  assertEquals(b.in(0x1f7), READY);
});

Deno.test("AtapiCdrom: interrupt reasons and interrupts of a PIO read", () => {
  const { bench: b, image } = bench();
  b.command(Command.PACKET, [0, 0, 0, 0x00, 0x08]);
  assertEquals([b.in(0x3f6), b.in(0x1f2), b.edges[0]], [READY | Status.DRQ, 1, 0]);
  b.writeData(Uint8Array.from([0x28, 0, 0, 0, 0, 5, 0, 0, 2, 0, 0, 0]));
  for (let i = 0; i < 2; i++) {
    assertEquals(b.wait(), READY | Status.DRQ);
    assertEquals([b.in(0x1f2), b.in(0x1f4), b.in(0x1f5)], [2, 0x00, 0x08]);
    assertEquals(b.readData(2048), image.slice((5 + i) * 2048, (6 + i) * 2048));
  }
  assertEquals(b.wait(), READY);
  assertEquals([b.in(0x1f2), b.edges[0]], [3, 3]);
});

Deno.test("AtapiCdrom: READ(10) and READ(12) with any byte count limit give the same data", () => {
  for (const limit of [0, 2, 510, 2047, 2048, 5000, 0xffff]) {
    const { bench: b, image } = bench();
    const want = image.slice(3 * 2048, 40 * 2048);
    assertEquals(b.packet([0x28, 0, 0, 0, 0, 3, 0, 0, 37], limit), want, `limit ${limit}`);
    if (limit > 2000) assertEquals(b.packet([0xa8, 0, 0, 0, 0, 3, 0, 0, 0, 37], limit), want);
  }
});

Deno.test("AtapiCdrom: reading by DMA", () => {
  const { bench: b, image } = bench();
  b.command(Command.PACKET, [1]);
  b.writeData(Uint8Array.from([0x28, 0, 0, 0, 0, 1, 0, 0, 20, 0, 0, 0]));
  b.busMaster([[0x1_0000, 3000], [0x2_0000, 20 * 2048 - 3000]], true);
  assertEquals([b.in(BUS_MASTER + 2), b.in(0x1f7), b.in(0x1f2)], [4, READY, 3]);
  assertEquals(b.memory.bytes.slice(0x1_0000, 0x1_0000 + 3000), image.slice(2048, 5048));
  assertEquals(b.memory.bytes.slice(0x2_0000, 0x2_0000 + 20 * 2048 - 3000), image.slice(5048, 21 * 2048));
});

Deno.test("AtapiCdrom: capacity, table of contents, inquiry, mode pages", () => {
  const { bench: b } = bench();
  assertEquals(b.packet([0x25]), Uint8Array.from([0, 0, 0, 99, 0, 0, 8, 0]));
  assertEquals(
    b.packet([0x43, 0, 0, 0, 0, 0, 0, 0, 100]),
    Uint8Array.from([0, 18, 1, 1, 0, 0x14, 1, 0, 0, 0, 0, 0, 0, 0x16, 0xaa, 0, 0, 0, 0, 100]),
  );
  assertEquals(
    b.packet([0x43, 2, 0, 0, 0, 0, 0xaa, 0, 100]),
    Uint8Array.from([0, 10, 1, 1, 0, 0x16, 0xaa, 0, 0, 0, 3, 25]),
  );
  assertEquals((b.packet([0x43, 2, 2, 0, 0, 0, 0, 1, 0]) as Uint8Array).length, 4 + 4 * 11);
  assertEquals(b.packet([0x43, 0, 0, 0, 0, 0, 2, 0, 100]), ILLEGAL);
  const inquiry = b.packet([0x12, 0, 0, 0, 5]);
  assertEquals(inquiry, Uint8Array.from([5, 0x80, 0, 0x21, 31]));
  assertEquals((b.packet([0x12, 0, 0, 0, 255]) as Uint8Array).length, 36);
  const mode = b.packet([0x5a, 0, 0x2a, 0, 0, 0, 0, 0, 255]) as Uint8Array;
  assertEquals([mode.length, mode[1], mode[8], mode[9]], [28, 26, 0x2a, 18]);
  assertEquals((b.packet([0x1a, 0, 0x3f, 0, 255]) as Uint8Array)[0], 4 + 8 + 8 + 16 + 20 - 1);
  assertEquals(b.packet([0x5a, 0, 0xea, 0, 0, 0, 0, 0, 255]), ILLEGAL);
  assertEquals(sense(b), [5, 0x39, 0]);
});

Deno.test("AtapiCdrom: GET CONFIGURATION, events, mechanism and disc information", () => {
  const { bench: b } = bench();
  const all = b.packet([0x46, 0, 0, 0, 0, 0, 0, 1, 0]) as Uint8Array;
  assertEquals([all[3], all[7]], [all.length - 4, 8]);
  assertEquals(
    b.packet([0x46, 2, 0, 0x1e, 0, 0, 0, 1, 0]),
    Uint8Array.from([0, 0, 0, 8, 0, 0, 0, 8, 0, 0x1e, 1, 0]),
  );
  assertEquals(b.packet([0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8]), Uint8Array.from([0, 6, 4, 16, 0, 2, 0, 0]));
  assertEquals(b.packet([0x4a, 0, 0, 0, 0x10, 0, 0, 0, 8]), ILLEGAL);
  assertEquals((b.packet([0xbd, 0, 0, 0, 0, 0, 0, 0, 0, 8]) as Uint8Array).length, 8);
  assertEquals((b.packet([0x51, 0, 0, 0, 0, 0, 0, 0, 34]) as Uint8Array).length, 34);
});

Deno.test("AtapiCdrom: errors leave sense data that REQUEST SENSE reports once", () => {
  const { bench: b } = bench();
  assertEquals(b.packet([0x28, 0, 0, 0, 0, 99, 0, 0, 2]), ILLEGAL);
  assertEquals(sense(b), [5, 0x21, 0]);
  assertEquals(sense(b), [0, 0, 0]);
  assertEquals(b.packet([0xee]), ILLEGAL);
  assertEquals(sense(b), [5, 0x20, 0]);
  assertEquals(b.packet([0xbe, 0, 0, 0, 0, 0, 0, 0, 1, 0xf8]), ILLEGAL);
  assertEquals(sense(b), [5, 0x64, 0]);
  assertEquals((b.packet([0xbe, 0, 0, 0, 0, 0, 0, 0, 1, 0x10]) as Uint8Array).length, 2048);
});

Deno.test("AtapiCdrom: a new medium is announced by one UNIT ATTENTION and a media event", () => {
  const b = new IdeBench({ kind: "cdrom", medium: null });
  assertEquals(b.packet([0x00]), NOT_READY);
  assertEquals(sense(b), [2, 0x3a, 1]);
  const drive = b.ide.cdroms.get(0);
  assert(drive);
  drive.insert(new MemoryDisk(new Uint8Array(2048 * 10)));
  assertEquals(b.packet([0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8]), Uint8Array.from([0, 6, 4, 16, 2, 2, 0, 0]));
  assertEquals(b.packet([0x00]), UNIT_ATTENTION);
  assertEquals(sense(b), [6, 0x28, 0]);
  assertEquals(b.packet([0x00]), new Uint8Array(0));
});

Deno.test("AtapiCdrom: eject by guest and host, and its prevention", () => {
  const { bench: b } = bench();
  const drive = b.ide.cdroms.get(0);
  assert(drive);
  b.packet([0x1e, 0, 0, 0, 1]);
  assertEquals(b.packet([0x1b, 0, 0, 0, 2]), ILLEGAL);
  assertEquals(sense(b), [5, 0x53, 2]);
  assertEquals(drive.eject(), false);
  assertEquals((b.packet([0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8]) as Uint8Array)[4], 1);
  b.packet([0x1e, 0, 0, 0, 0]);
  assertEquals(b.packet([0x1b, 0, 0, 0, 2]), new Uint8Array(0));
  assertEquals(b.packet([0x25]), NOT_READY);
  assertEquals(sense(b), [2, 0x3a, 2]);
  b.packet([0x1b, 0, 0, 0, 3]);
  assertEquals(b.packet([0x00]), UNIT_ATTENTION);
  assertEquals(drive.eject(), true);
  assertEquals(b.packet([0x00]), NOT_READY);
});

Deno.test("AtapiCdrom: DEVICE RESET ends whatever was going on", () => {
  const { bench: b } = bench();
  b.command(Command.PACKET);
  b.writeData(Uint8Array.from([0x28, 0, 0, 0, 0, 1, 0, 0, 20, 0, 0, 0]));
  assertEquals(b.in(0x3f6) & Status.BSY, Status.BSY);
  b.out(0x1f7, Command.DEVICE_RESET);
  assertEquals([b.in(0x1f7), b.in(0x1f4), b.in(0x1f5)], [0, 0x14, 0xeb]);
  assertEquals(b.clock.nextDue, Infinity);
});
