import { assert, assertEquals } from "@std/assert";
import { initramfs, initramfsEntries } from "./initramfs.ts";

Deno.test("initramfsEntries: every entry lies in the root or in a directory before it", () => {
  const directories = new Set<string>();
  for (const { path, kind } of initramfsEntries(new Uint8Array(1))) {
    const parent = path.split("/").slice(0, -1).join("/");
    assert(parent === "" || directories.has(parent), path);
    if (kind === "directory") directories.add(path);
  }
});

Deno.test("initramfsEntries: the first program is an executable script for the busybox that is in there", () => {
  const entries = initramfsEntries(Uint8Array.of(0x7f));
  const init = entries.find(({ path }) => path === "init");
  const busybox = entries.find(({ path }) => path === "bin/busybox");
  assertEquals([init?.permissions, busybox?.permissions], [0o755, 0o755]);
  assert(String(init?.data).startsWith("#!/bin/busybox sh\n"));
  assertEquals(busybox?.data, Uint8Array.of(0x7f));
});

Deno.test("initramfs: is gzipped and the same every time", async () => {
  const [a, b] = [await initramfs(new Uint8Array(1000)), await initramfs(new Uint8Array(1000))];
  assertEquals([a[0], a[1]], [0x1f, 0x8b]);
  assertEquals(a, b);
});
