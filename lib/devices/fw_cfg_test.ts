import { assertEquals } from "@std/assert";
import { e820Entry, FwCfg } from "./fw_cfg.ts";
import { TestBench } from "./testing.ts";

function setUp() {
  const bench = new TestBench();
  const files = new Map([["etc/e820", e820Entry(0x100000, 0x12_3456_7000, 1)], ["bootorder", Uint8Array.of(1, 2)]]);
  bench.add(new FwCfg({ ramSize: 64 << 20, files })).attach(bench.ports);
  const read = (selector: number, count: number) => {
    bench.ports.write(0x510, selector, 2);
    return Array.from({ length: count }, () => bench.in(0x511));
  };
  return { read };
}

Deno.test("FwCfg identifies itself and tells the size of memory", () => {
  const { read } = setUp();
  assertEquals(String.fromCharCode(...read(0, 4)), "QEMU");
  assertEquals(read(1, 4), [1, 0, 0, 0]);
  assertEquals(read(3, 9), [0, 0, 0, 4, 0, 0, 0, 0, 0]);
  assertEquals(read(0x1234, 2), [0, 0]);
});

Deno.test("FwCfg lists its files in order and gives their contents", () => {
  const { read } = setUp();
  const directory = read(0x19, 4 + 2 * 64);
  assertEquals(directory.slice(0, 12), [0, 0, 0, 2, 0, 0, 0, 2, 0, 0x20, 0, 0]);
  assertEquals(String.fromCharCode(...directory.slice(12, 21)), "bootorder");
  assertEquals(directory.slice(68, 76), [0, 0, 0, 20, 0, 0x21, 0, 0]);
  assertEquals(read(0x20, 3), [1, 2, 0]);
  assertEquals(read(0x21, 20), [0, 0, 0x10, 0, 0, 0, 0, 0, 0, 0x70, 0x56, 0x34, 0x12, 0, 0, 0, 1, 0, 0, 0]);
});
