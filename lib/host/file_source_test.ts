import { assertEquals, assertThrows } from "@std/assert";
import { ImageError, RawImage } from "../disk/mod.ts";
import { BlockError } from "../machine/types.ts";
import { FileSource } from "./file_source.ts";

function withFile(action: (path: string) => void): void {
  const folder = Deno.makeTempDirSync();
  try {
    action(`${folder}/disk.img`);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

Deno.test("FileSource: reads beyond 4 GiB without holding the file", () => {
  withFile((path) => {
    const at = 5 * 2 ** 30, file = Deno.openSync(path, { write: true, create: true });
    file.truncateSync(at + 512);
    file.seekSync(at, Deno.SeekMode.Start);
    file.writeSync(new Uint8Array(512).fill(0xa5));
    file.close();
    using source = new FileSource(path);
    const image = new RawImage(source), sector = new Uint8Array(512);
    assertEquals(image.size, at + 512);
    image.read(at, sector);
    assertEquals(sector, new Uint8Array(512).fill(0xa5));
  });
});

Deno.test("FileSource: write-through", () => {
  withFile((path) => {
    Deno.writeFileSync(path, new Uint8Array(1024));
    using source = new FileSource(path, { write: true });
    const image = new RawImage(source, { writeThrough: true });
    image.write(512, new Uint8Array(512).fill(3));
    image.flush();
    assertEquals(Deno.readFileSync(path)[600], 3);
  });
});

Deno.test("FileSource: errors are errors of the image or of the medium", () => {
  withFile((path) => {
    assertThrows(() => new FileSource(path), ImageError, "not found");
    assertThrows(() => new FileSource(path.replace("/disk.img", "")), ImageError);
    Deno.writeFileSync(path, new Uint8Array(1024));
    const source = new FileSource(path);
    assertThrows(() => source.writeAt(0, new Uint8Array(1)), BlockError, "reading only");
    Deno.truncateSync(path, 100);
    assertThrows(() => source.readAt(0, new Uint8Array(512)), BlockError, "shorter");
    source.close();
    source.close();
    assertThrows(() => source.readAt(0, new Uint8Array(1)), BlockError, "closed");
  });
});
