import { assertEquals, assertThrows } from "@std/assert";
import { Random } from "../../scripts/lib/random.ts";
import {
  biosGeometry,
  FLOPPY_FORMATS,
  formatSize,
  ImageError,
  MemoryDisk,
  openCd,
  openFloppy,
  readBootCatalog,
} from "./mod.ts";

Deno.test("floppy formats have the sizes that their names say", () => {
  const sizes = [163840, 184320, 327680, 368640, 737280, 1228800, 1474560, 1720320, 1763328, 2949120];
  assertEquals(FLOPPY_FORMATS.map(formatSize), sizes);
});

Deno.test("openFloppy: exact sizes, cut images, images that are no floppies", () => {
  for (const format of FLOPPY_FORMATS) {
    const medium = new MemoryDisk(new Uint8Array(formatSize(format)));
    assertEquals(openFloppy(medium), { medium, format });
  }
  const opened = openFloppy(new MemoryDisk(new Uint8Array(512).fill(7)));
  assertEquals([opened.format.name, opened.medium.size], ["1.44M", 1474560]);
  assertEquals(openFloppy(new MemoryDisk(new Uint8Array(2_000_000))).format.name, "2.88M");
  const boot = new Uint8Array(2048), view = new DataView(boot.buffer);
  view.setUint16(11, 512, true);
  view.setUint16(19, 720, true);
  view.setUint16(24, 9, true);
  view.setUint16(26, 2, true);
  assertEquals(openFloppy(new MemoryDisk(boot)).format.name, "360K");
  assertThrows(() => openFloppy(new MemoryDisk(new Uint8Array(0))), ImageError, "at least one sector");
  assertThrows(() => openFloppy(new MemoryDisk(new Uint8Array(2949120 + 512))), ImageError, "hard disk");
});

Deno.test("biosGeometry: LBA assist, or the translation of the partition table", () => {
  assertEquals(biosGeometry(2048), { cylinders: 2, heads: 16, sectors: 63 });
  assertEquals(biosGeometry(16 * 63 * 1500), { cylinders: 750, heads: 32, sectors: 63 });
  assertEquals(biosGeometry(2 ** 33), { cylinders: 1024, heads: 255, sectors: 63 });
  const mbr = new Uint8Array(512);
  mbr.set([0x80, 1, 1, 0, 6, 7, 0xc0 | 32, 100], 446);
  mbr.set([0x55, 0xaa], 510);
  assertEquals(biosGeometry(8 * 32 * 200, mbr), { cylinders: 200, heads: 8, sectors: 32 });
  mbr[446] = 0x12;
  assertEquals(biosGeometry(8 * 32 * 200, mbr), { cylinders: 50, heads: 16, sectors: 63 });
});

function cd(): Uint8Array {
  const bytes = new Uint8Array(2048 * 40),
    text = (at: number, value: string) => {
      for (let i = 0; i < value.length; i++) bytes[at + i] = value.charCodeAt(i);
    };
  const view = new DataView(bytes.buffer);
  bytes[16 * 2048] = 1;
  text(16 * 2048 + 1, "CD001");
  text(16 * 2048 + 40, "MY DISC".padEnd(32));
  view.setUint32(16 * 2048 + 80, 40, true);
  text(17 * 2048 + 1, "CD001");
  text(17 * 2048 + 7, "EL TORITO SPECIFICATION");
  view.setUint32(17 * 2048 + 71, 20, true);
  bytes[18 * 2048] = 255;
  text(18 * 2048 + 1, "CD001");
  const catalog = 20 * 2048;
  bytes[catalog] = 1;
  text(catalog + 4, "MAKER");
  bytes.set([0x55, 0xaa], catalog + 30);
  let sum = 0;
  for (let i = 0; i < 32; i += 2) sum += view.getUint16(catalog + i, true);
  view.setUint16(catalog + 28, -sum & 0xffff, true);
  bytes.set([0x88, 2, 0, 0, 0, 0, 1, 0, 25], catalog + 32);
  bytes.set([0x91, 0xef, 2, 0], catalog + 64);
  bytes.set([0x88, 0, 0, 0, 0, 0, 4, 0, 30], catalog + 96);
  bytes.set([0x44], catalog + 128);
  bytes.set([0x00, 4, 0, 0x10, 6, 0, 1, 0, 31], catalog + 160);
  return bytes;
}

Deno.test("openCd: pads to whole sectors, refuses empty and raw images", () => {
  assertEquals(openCd(new MemoryDisk(new Uint8Array(3000))).size, 4096);
  assertThrows(() => openCd(new MemoryDisk(new Uint8Array(0))), ImageError);
  const raw = new Uint8Array(2352 * 4).fill(0xff, 1, 11);
  assertThrows(() => openCd(new MemoryDisk(raw)), ImageError, "2352");
});

Deno.test("readBootCatalog: default entry, sections and extensions", () => {
  const catalog = readBootCatalog(new MemoryDisk(cd()));
  assertEquals(catalog?.lba, 20);
  assertEquals(
    catalog?.entries.map((
      { platform, bootable, media, loadSegment, loadSectors, lba, id },
    ) => [platform, bootable, media, loadSegment, loadSectors, lba, id]),
    [
      [0, true, "1.44M", 0x7c0, 1, 25, "MAKER"],
      [0xef, true, "none", 0x7c0, 4, 30, ""],
      [0xef, false, "disk", 0x1000, 1, 31, ""],
    ],
  );
});

Deno.test("readBootCatalog: no catalogue, a damaged one, random bytes", () => {
  const plain = cd();
  plain[17 * 2048 + 7] = 0;
  assertEquals(readBootCatalog(new MemoryDisk(plain)), null);
  const damaged = cd();
  damaged[20 * 2048 + 5] ^= 1;
  assertThrows(() => readBootCatalog(new MemoryDisk(damaged)), ImageError, "damaged");
  const random = new Random(1);
  for (let round = 0; round < 300; round++) {
    const bytes = cd();
    for (let i = 0; i < 20; i++) bytes[16 * 2048 + random.below(5 * 2048)] = random.below(256);
    try {
      readBootCatalog(new MemoryDisk(bytes));
    } catch (error) {
      if (!(error instanceof ImageError)) throw error;
    }
  }
});
