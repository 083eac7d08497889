import { assertEquals, assertThrows } from "@std/assert";
import { cpioArchive } from "./cpio.ts";

/** Reads an archive back: fields of the header by position, name and data. */
function entriesOf(archive: Uint8Array): { fields: number[]; name: string; data: string }[] {
  const text = new TextDecoder("latin1").decode(archive), entries = [];
  for (let at = 0;;) {
    assertEquals(at % 4, 0);
    assertEquals(text.slice(at, at + 6), "070701");
    const fields = Array.from({ length: 13 }, (_, i) => parseInt(text.slice(at + 6 + i * 8, at + 14 + i * 8), 16));
    const name = text.slice(at + 110, at + 110 + fields[11] - 1);
    const start = (at + 110 + fields[11] + 3) & ~3;
    entries.push({ fields, name, data: text.slice(start, start + fields[6]) });
    at = (start + fields[6] + 3) & ~3;
    if (name === "TRAILER!!!") {
      assertEquals(at, archive.length);
      return entries;
    }
  }
}

Deno.test("cpioArchive: writes directories, files, links and devices", () => {
  const [directory, file, link, device, trailer] = entriesOf(cpioArchive([
    { path: "bin", kind: "directory", permissions: 0o755 },
    { path: "bin/tool", kind: "file", permissions: 0o755, data: Uint8Array.of(1, 2, 3, 4, 5) },
    { path: "init", kind: "symlink", permissions: 0o777, data: "bin/tool" },
    { path: "console", kind: "character device", permissions: 0o600, device: [5, 1] },
  ]));
  assertEquals([directory.name, directory.fields[1], directory.fields[4]], ["bin", 0o040755, 2]);
  assertEquals([file.name, file.fields[1], file.data], ["bin/tool", 0o100755, "\x01\x02\x03\x04\x05"]);
  assertEquals([link.fields[1], link.data], [0o120777, "bin/tool"]);
  assertEquals([device.fields[1], device.fields[9], device.fields[10]], [0o020600, 5, 1]);
  assertEquals(trailer.fields[6], 0);
});

Deno.test("cpioArchive: equal entries give equal bytes, inodes differ", () => {
  const entries = [
    { path: "a", kind: "file", permissions: 0o644, data: "x" },
    { path: "b", kind: "file", permissions: 0o644, data: "y" },
  ] as const;
  assertEquals(cpioArchive(entries), cpioArchive(entries));
  const [a, b] = entriesOf(cpioArchive(entries));
  assertEquals(a.fields[0] === b.fields[0], false);
});

Deno.test("cpioArchive: refuses absolute and empty paths", () => {
  for (const path of ["/init", ""]) {
    assertThrows(() => cpioArchive([{ path, kind: "directory", permissions: 0 }]), RangeError, "path");
  }
});
