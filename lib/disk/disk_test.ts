import { assertEquals, assertThrows } from "@std/assert";
import { Random } from "../../scripts/lib/random.ts";
import { BlockError } from "../machine/types.ts";
import { ImageError, MemoryDisk, OverlayDisk, PaddedDisk, RawImage, type WriteAt } from "./mod.ts";

function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => i * 13 + (i >> 8) * 7 & 0xff);
}

class Source implements WriteAt {
  reads = 0;
  constructor(readonly bytes: Uint8Array) {}
  get size(): number {
    return this.bytes.length;
  }
  readAt(offset: number, target: Uint8Array): void {
    this.reads++;
    if (offset + target.length > this.size) throw new BlockError("beyond the source");
    target.set(this.bytes.subarray(offset, offset + target.length));
  }
  writeAt(offset: number, source: Uint8Array): void {
    this.bytes.set(source, offset);
  }
  sync(): void {}
}

function readAll(disk: { size: number; read(offset: number, target: Uint8Array): void }, offset = 0, length?: number) {
  const bytes = new Uint8Array(length ?? disk.size);
  disk.read(offset, bytes);
  return bytes;
}

Deno.test("MemoryDisk: reads, writes and refuses what is out of range", () => {
  const disk = new MemoryDisk(pattern(1024));
  disk.write(512, new Uint8Array(512));
  assertEquals(readAll(disk, 512, 512), new Uint8Array(512));
  for (const offset of [-1, 513, NaN, Infinity]) {
    assertThrows(() => disk.read(offset, new Uint8Array(512)), BlockError);
  }
  assertThrows(() => new MemoryDisk(pattern(512), { readOnly: true }).write(0, pattern(512)), BlockError);
});

Deno.test("RawImage: rounds up to whole sectors, caches a few pages", () => {
  const source = new Source(pattern(5000));
  const image = new RawImage(source, { pageSize: 512, pages: 3 });
  assertEquals([image.size, image.readOnly], [5120, true]);
  const want = new Uint8Array(5120);
  want.set(source.bytes);
  assertEquals(readAll(image), want);
  assertEquals(source.reads, 10);
  readAll(image, 8 * 512, 1024);
  assertEquals(source.reads, 10);
  readAll(image, 0, 512);
  assertEquals(source.reads, 11);
  assertThrows(() => image.write(0, pattern(512)), BlockError);
});

Deno.test("RawImage: write-through reaches the source and the cache", () => {
  const source = new Source(pattern(4096 + 100));
  const image = new RawImage(source, { pageSize: 1024, writeThrough: true });
  readAll(image);
  image.write(512, new Uint8Array(1024));
  assertEquals(readAll(image, 512, 1024), new Uint8Array(1024));
  assertEquals(source.bytes.slice(512, 1536), new Uint8Array(1024));
  assertThrows(() => image.write(4096, pattern(512)), BlockError, "ends within");
});

Deno.test("OverlayDisk: never writes to its base and reads back what was written", () => {
  const original = pattern(40_960 + 512);
  const base = new MemoryDisk(original.slice(), { readOnly: true });
  const disk = new OverlayDisk(base);
  const model = original.slice();
  const random = new Random(7);
  for (let i = 0; i < 300; i++) {
    const at = random.below(80) * 512, length = Math.min(disk.size - at, (1 + random.below(20)) * 512);
    if (random.below(2)) {
      const data = new Uint8Array(length).fill(random.below(256));
      disk.write(at, data);
      model.set(data, at);
    } else assertEquals(readAll(disk, at, length), model.slice(at, at + length));
  }
  disk.write(disk.size - 512, new Uint8Array(512).fill(9));
  model.fill(9, disk.size - 512);
  assertEquals(readAll(disk), model);
  assertEquals(base.bytes, original);
});

Deno.test("OverlayDisk: content is saved and loaded", () => {
  const disk = new OverlayDisk(new MemoryDisk(pattern(65_536)));
  disk.write(8192, new Uint8Array(512).fill(1));
  disk.write(4096 * 9 + 3584, new Uint8Array(1024).fill(2));
  disk.write(8192 + 512, new Uint8Array(512).fill(3));
  const saved = disk.save();
  assertEquals([saved.size, saved.numbers], [65_536, [2, 9, 10]]);
  const other = new OverlayDisk(new MemoryDisk(pattern(65_536)));
  other.write(0, new Uint8Array(512));
  other.load(saved);
  assertEquals(readAll(other), readAll(disk));
  assertEquals(other.save(), saved);
  other.discard();
  assertEquals(readAll(other), pattern(65_536));
});

Deno.test("OverlayDisk: refuses foreign and damaged content and keeps its own", () => {
  const disk = new OverlayDisk(new MemoryDisk(pattern(8192)));
  disk.write(0, new Uint8Array(512));
  const page = new Uint8Array(4096), before = disk.save();
  for (
    const content of [
      { size: 4096, numbers: [], pages: [] },
      { size: 8192, numbers: [0], pages: [] },
      { size: 8192, numbers: [2], pages: [page] },
      { size: 8192, numbers: [0.5], pages: [page] },
      { size: 8192, numbers: [0], pages: [page.subarray(1)] },
    ]
  ) assertThrows(() => disk.load(content), ImageError);
  assertEquals(disk.save(), before);
});

Deno.test("OverlayDisk: a full overlay and a write-protected medium refuse writes", () => {
  const disk = new OverlayDisk(new MemoryDisk(pattern(65_536)), { limit: 8192 });
  disk.write(0, new Uint8Array(8192));
  assertThrows(() => disk.write(8192, new Uint8Array(512)), BlockError, "full");
  disk.write(512, new Uint8Array(512).fill(4));
  const locked = new OverlayDisk(new MemoryDisk(pattern(512)), { readOnly: true });
  assertThrows(() => locked.write(0, new Uint8Array(512)), BlockError, "write-protected");
});

Deno.test("PaddedDisk: zeros beyond the image", () => {
  const disk = new PaddedDisk(new MemoryDisk(pattern(700)), 2048);
  assertEquals(readAll(disk).subarray(0, 700), pattern(700));
  assertEquals(readAll(disk, 512, 1024).subarray(188), new Uint8Array(836));
  assertEquals(readAll(disk, 1024, 1024), new Uint8Array(1024));
  assertThrows(() => disk.write(512, pattern(512)), BlockError);
});
