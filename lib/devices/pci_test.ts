import { assertEquals } from "@std/assert";
import { type PciBar, PciBus, PciFunction } from "./pci.ts";
import { TestBench } from "./testing.ts";

function setUp() {
  const bench = new TestBench(), bus = bench.add(new PciBus());
  bus.attach(bench.ports);
  const events: string[] = [];
  const config = new Uint8Array(256);
  const hex = (base: number | null) => base === null ? "-" : base.toString(16);
  const fn = new PciFunction({
    config,
    vendorId: 0x1234,
    deviceId: 0x5678,
    classCode: 0x010203,
    interruptPin: 1,
    bars: [{ index: 0, kind: "memory", size: 0x100000, prefetchable: true }, { index: 4, kind: "io", size: 16 }],
    onMap: (bar: PciBar, base) => events.push(`${bar.index}:${hex(base)}`),
  });
  bus.connect(3, 1, fn);
  const select = (offset: number) => bench.ports.write(0xcf8, (0x80001900 | offset) >>> 0, 4);
  const read = (offset: number) => (select(offset), bench.ports.read(0xcfc, 4));
  const write = (offset: number, value: number) => (select(offset), bench.ports.write(0xcfc, value, 4));
  return { bench, fn, events, read, write, hex };
}

Deno.test("PciBus answers for functions that exist, and with all ones for others", () => {
  const { bench, read } = setUp();
  assertEquals(read(0), 0x56781234);
  assertEquals(read(8), 0x01020300);
  bench.ports.write(0xcf8, 0x80001800, 4);
  assertEquals(bench.ports.read(0xcfc, 4), 0xffffffff);
  bench.ports.write(0xcf8, 0x00001900, 4);
  assertEquals(bench.ports.read(0xcfc, 2), 0xffff);
});

Deno.test("PciBus passes bytes and words through", () => {
  const { bench, read } = setUp();
  assertEquals(read(0), 0x56781234);
  assertEquals([bench.ports.read(0xcfe, 2), bench.in(0xcfd)], [0x5678, 0x12]);
  bench.out(0xcf8, 1);
  assertEquals(bench.ports.read(0xcf8, 4), 0x80001900);
});

Deno.test("PciFunction lets a BAR be sized, then maps it when decoding is enabled", () => {
  const { events, read, write } = setUp();
  write(0x10, 0xffffffff);
  assertEquals(read(0x10), 0xfff00008);
  write(0x20, 0xffffffff);
  assertEquals(read(0x20), 0xfffffff1);
  write(0x10, 0xe0000000);
  write(0x20, 0xc000);
  assertEquals(events, []);
  write(0x04, 3);
  assertEquals(events, ["0:e0000000", "4:c000"]);
  write(0x10, 0xe0100000);
  assertEquals(events.slice(2), ["0:-", "0:e0100000"]);
  write(0x04, 1);
  assertEquals(events.slice(4), ["0:-"]);
});

Deno.test("PciFunction never maps a BAR over RAM, over the legacy ports or while it is being sized", () => {
  const { events, write } = setUp();
  write(0x04, 3);
  for (const base of [0, 0x100000, 0xffffffff, 0xfec00000]) write(0x10, base);
  for (const base of [0, 0x60, 0xffffffff, 0x10000]) write(0x20, base);
  assertEquals(events, []);
});

Deno.test("PciFunction maps again after a restore, and lets go on reset", () => {
  const { events, fn, write } = setUp();
  write(0x10, 0xe0000000);
  write(0x04, 2);
  fn.restored();
  assertEquals(events, ["0:e0000000", "0:-", "0:e0000000"]);
  fn.reset();
  assertEquals(events.at(-1), "0:-");
});

Deno.test("PciFunction presents an expansion ROM", () => {
  const { fn, read, write, hex } = setUp();
  const bases: string[] = [];
  fn.addRom(0x10000, (base) => bases.push(hex(base)));
  write(0x30, 0xfffffffe);
  assertEquals(read(0x30), 0xffff0000);
  write(0x04, 2);
  write(0x30, 0xe0000000);
  assertEquals(bases, []);
  write(0x30, 0xe0000001);
  write(0x30, 0);
  assertEquals(bases, ["e0000000", "-"]);
});
