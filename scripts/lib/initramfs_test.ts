import { assert, assertEquals } from "@std/assert";
import { benchmarkEntries, initramfs, initramfsEntries } from "./initramfs.ts";

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
  const [a, b] = [
    await initramfs(initramfsEntries(new Uint8Array(1000))),
    await initramfs(initramfsEntries(new Uint8Array(1000))),
  ];
  assertEquals([a[0], a[1]], [0x1f, 0x8b]);
  assertEquals(a, b);
});

Deno.test("benchmarkEntries: the first program runs the benchmarks, which lie in a folder of their own", () => {
  const entries = benchmarkEntries(new Uint8Array(1), new Map([["sieve", Uint8Array.of(1)], ["lz", Uint8Array.of(2)]]));
  const init = String(entries.find(({ path }) => path === "init")?.data);
  assert(init.includes("\nnames=sieve,lz\n"));
  assertEquals(entries.find(({ path }) => path === "bench/lz")?.data, Uint8Array.of(2));
});
