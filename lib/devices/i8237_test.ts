import { assertEquals } from "@std/assert";
import { PhysicalMemory } from "../machine/memory.ts";
import { I8237 } from "./i8237.ts";
import { TestBench } from "./testing.ts";

function setUp() {
  const bench = new TestBench(), memory = new PhysicalMemory({ ram: 1 << 20, extra: 0 });
  memory.mapRam(0, 1 << 20, 0);
  const dma = bench.add(new I8237({ memory }));
  dma.attach(bench.ports);
  bench.out(0xd6, 0xc0);
  bench.out(0xd4, 0x00);
  /** Programs channel 2 and unmasks it. */
  const program = (mode: number, address: number, count: number) => {
    bench.out(0x0a, 0x06);
    bench.out(0x0b, mode | 2);
    bench.out(0x0c, 0);
    bench.out(0x04, address & 0xff, (address >> 8) & 0xff);
    bench.out(0x81, address >> 16);
    bench.out(0x05, count & 0xff, count >> 8);
    bench.out(0x0a, 0x02);
  };
  return { bench, memory, channel: dma.channel(2), dma, program };
}

Deno.test("I8237 moves bytes to memory until terminal count, then masks the channel", () => {
  const { bench, memory, channel, program } = setUp();
  assertEquals(channel.ready, false);
  program(0x44, 0x23456, 3);
  assertEquals([channel.ready, channel.direction], [true, "write"]);
  assertEquals(channel.transferToMemory(Uint8Array.of(1, 2)), { transferred: 2, terminalCount: false });
  assertEquals(channel.transferToMemory(Uint8Array.of(3, 4, 5)), { transferred: 2, terminalCount: true });
  assertEquals(memory.read32(0x23456), 0x04030201);
  assertEquals(memory.read8(0x2345a), 0);
  assertEquals(channel.ready, false);
  assertEquals(bench.in(0x08), 0x04);
  assertEquals(bench.in(0x08), 0x00);
});

Deno.test("I8237 wraps within its 64 KiB page", () => {
  const { memory, channel, program } = setUp();
  program(0x44, 0x1fffe, 3);
  channel.transferToMemory(Uint8Array.of(1, 2, 3, 4));
  assertEquals([memory.read16(0x1fffe), memory.read16(0x10000), memory.read16(0x20000)], [0x0201, 0x0403, 0]);
});

Deno.test("I8237 reads memory, reloads itself in autoinitialise mode and counts down when told to", () => {
  const { memory, channel, program } = setUp();
  memory.write32(0x1000, 0x44332211);
  program(0x58, 0x1000, 1);
  const target = new Uint8Array(2);
  assertEquals(channel.transferFromMemory(target).terminalCount, true);
  assertEquals(channel.transferFromMemory(target).terminalCount, true);
  assertEquals([...target], [0x11, 0x22]);
  program(0x68, 0x1003, 3);
  const down = new Uint8Array(4);
  channel.transferFromMemory(down);
  assertEquals([...down], [0x44, 0x33, 0x22, 0x11]);
});

Deno.test("I8237 only counts in verify mode", () => {
  const { memory, channel, program } = setUp();
  program(0x40, 0x3000, 1);
  assertEquals(channel.transferToMemory(Uint8Array.of(1, 2)), { transferred: 2, terminalCount: true });
  assertEquals(memory.read16(0x3000), 0);
});

Deno.test("I8237 shows requests, address and count", () => {
  const { bench, channel, program } = setUp();
  program(0x44, 0x5000, 9);
  channel.request(true);
  assertEquals(bench.in(0x08), 0x40);
  channel.transferToMemory(new Uint8Array(4));
  bench.out(0x0c, 0);
  assertEquals([bench.in(0x04), bench.in(0x04), bench.in(0x05), bench.in(0x05)], [0x04, 0x50, 5, 0]);
});

Deno.test("I8237 serves nothing while it is disabled or its cascade is masked", () => {
  const { bench, channel, program } = setUp();
  program(0x44, 0, 9);
  bench.out(0x08, 0x04);
  assertEquals(channel.transferToMemory(new Uint8Array(4)).transferred, 0);
  bench.out(0x08, 0x00);
  bench.out(0xd4, 0x04);
  assertEquals(channel.ready, false);
});

Deno.test("I8237 moves words on channel 5", () => {
  const { bench, memory, dma } = setUp();
  bench.out(0xd6, 0x45);
  bench.out(0xd8, 0);
  bench.out(0xc4, 0x00, 0x08); // word address 0800h
  bench.out(0x8b, 0x03);
  bench.out(0xc6, 0x01, 0x00);
  bench.out(0xd4, 0x01);
  const result = dma.channel(5).transferToMemory(Uint8Array.of(1, 2, 3, 4, 5, 6));
  assertEquals(result, { transferred: 4, terminalCount: true });
  assertEquals(memory.read32(0x21000), 0x04030201);
});
