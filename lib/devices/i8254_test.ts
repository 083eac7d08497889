import { assert, assertEquals } from "@std/assert";
import { I8254, PIT_FREQUENCY } from "./i8254.ts";
import { Frequency } from "./frequency.ts";
import { TestBench, TestLine } from "./testing.ts";

const TICK = 1e9 / PIT_FREQUENCY;

function setUp() {
  const bench = new TestBench(), irq = new TestLine();
  const pit = bench.add(new I8254({ irq, clock: bench.clock }));
  pit.attach(bench.ports);
  irq.edges = 0;
  return { bench, irq, pit, ticks: (n: number) => bench.advance(Math.ceil(n * TICK)) };
}

/** Latches and reads both bytes of channel `index`. */
function count(bench: TestBench, index: number): number {
  bench.out(0x43, index << 6);
  return bench.in(0x40 + index) | (bench.in(0x40 + index) << 8);
}

Deno.test("Frequency converts both ways without drift over 90 days", () => {
  const frequency = new Frequency(PIT_FREQUENCY);
  const days = 90 * 86400;
  assertEquals(frequency.ticks(days * 1e9), days * PIT_FREQUENCY);
  for (const ticks of [0, 1, 2, PIT_FREQUENCY - 1, PIT_FREQUENCY, days * PIT_FREQUENCY + 12345]) {
    const time = frequency.time(ticks);
    assertEquals(frequency.ticks(time), ticks);
    if (ticks > 0) assertEquals(frequency.ticks(time - 1), ticks - 1);
  }
});

Deno.test("I8254 mode 2 interrupts once per period", () => {
  const { bench, irq } = setUp();
  bench.out(0x43, 0x34);
  bench.out(0x40, 0xa9, 0x04); // 1193: 1 kHz
  bench.advance(100_000_000);
  assert(irq.edges >= 99 && irq.edges <= 100, `${irq.edges} edges`);
});

Deno.test("I8254 mode 3 is high for half of the period and counts by two", () => {
  const { bench, irq, ticks } = setUp();
  bench.out(0x43, 0x36);
  bench.out(0x40, 0x00, 0x00);
  ticks(32768 + 1);
  assertEquals(irq.level, false);
  ticks(32768);
  assertEquals(irq.level, true);
  ticks(100);
  const first = count(bench, 0);
  ticks(100);
  assertEquals(first - count(bench, 0), 200);
});

Deno.test("I8254 mode 0 goes high when the count is done and counts on", () => {
  const { bench, irq, ticks } = setUp();
  bench.out(0x43, 0x30);
  assertEquals(irq.level, false);
  bench.out(0x40, 100, 0);
  ticks(50);
  assertEquals(irq.level, false);
  ticks(60);
  assertEquals(irq.level, true);
  assert(count(bench, 0) > 0xff00);
});

Deno.test("I8254 mode 4 strobes once", () => {
  const { bench, irq, ticks } = setUp();
  bench.out(0x43, 0x38);
  bench.out(0x40, 10, 0);
  irq.edges = 0;
  ticks(1000);
  assertEquals(irq.edges, 1);
  assertEquals(irq.level, true);
});

Deno.test("I8254 mode 1 waits for the gate and can be triggered again", () => {
  const { bench, pit, ticks } = setUp();
  bench.out(0x43, 0xb2);
  bench.out(0x42, 100, 0);
  ticks(10);
  assertEquals(pit.output(2), true);
  pit.setGate(true);
  ticks(50);
  assertEquals(pit.output(2), false);
  pit.setGate(false);
  pit.setGate(true);
  ticks(60);
  assertEquals(pit.output(2), false);
  ticks(60);
  assertEquals(pit.output(2), true);
});

Deno.test("I8254 channel 2 stops while its gate is low", () => {
  const { bench, pit, ticks } = setUp();
  pit.setGate(true);
  bench.out(0x43, 0xb0);
  bench.out(0x42, 0xff, 0xff);
  ticks(1000);
  pit.setGate(false);
  const held = count(bench, 2);
  ticks(1000);
  assertEquals(count(bench, 2), held);
  pit.setGate(true);
  ticks(100);
  assert(held - count(bench, 2) <= 101 && held - count(bench, 2) >= 99);
});

Deno.test("I8254 read-back latches status and count", () => {
  const { bench, ticks } = setUp();
  bench.out(0x43, 0x34);
  bench.out(0x40, 0x00, 0x10);
  bench.out(0x43, 0xe2);
  assertEquals(bench.in(0x40) & 0x40, 0x40);
  ticks(10);
  bench.out(0x43, 0xc2);
  assertEquals(bench.in(0x40), 0xb4);
  const latched = bench.in(0x40) | (bench.in(0x40) << 8);
  assert(latched <= 0x1000 && latched > 0xff0);
});

Deno.test("I8254 counts in BCD", () => {
  const { bench, ticks } = setUp();
  bench.out(0x43, 0x31);
  bench.out(0x40, 0x00, 0x10); // 1000
  ticks(2);
  assertEquals(count(bench, 0), 0x0999);
});

Deno.test("I8254 takes a new count of mode 2 over at the end of the period", () => {
  const { bench, irq, ticks } = setUp();
  bench.out(0x43, 0x34);
  bench.out(0x40, 0xe8, 0x03);
  ticks(500);
  bench.out(0x40, 100, 0);
  irq.edges = 0;
  ticks(490);
  assertEquals(irq.edges, 0);
  ticks(20);
  assertEquals(irq.edges, 1);
  ticks(100);
  assertEquals(irq.edges, 2);
});
