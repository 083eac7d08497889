import { assertEquals } from "@std/assert";
import { ParallelPort } from "./parallel.ts";
import { TestBench, TestLine } from "./testing.ts";

Deno.test("ParallelPort prints a byte per strobe and acknowledges it with an interrupt", () => {
  const bench = new TestBench(), irq = new TestLine(), printed: number[] = [];
  const printer = { print: (byte: number) => void printed.push(byte) };
  bench.add(new ParallelPort({ irq, clock: bench.clock, printer })).attach(bench.ports);
  assertEquals(bench.in(0x379) & 0xf8, 0xd8);
  bench.out(0x378, 0x41);
  assertEquals(bench.in(0x378), 0x41);
  bench.out(0x37a, 0x1d, 0x1c);
  assertEquals(bench.in(0x379) & 0x80, 0);
  bench.advance(10_000);
  assertEquals(bench.in(0x379) & 0xf8, 0xd8);
  assertEquals(irq.edges, 1);
  assertEquals(printed, [0x41]);
});
