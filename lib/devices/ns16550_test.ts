import { assert, assertEquals } from "@std/assert";
import { Ns16550 } from "./ns16550.ts";
import { TestBench, TestLine } from "./testing.ts";

const BASE = 0x3f8, CHARACTER = 86_806;

function setUp() {
  const bench = new TestBench(), irq = new TestLine(), sent: number[] = [];
  const line = { transmit: (byte: number) => void sent.push(byte) };
  const uart = bench.add(new Ns16550({ name: "ns16550.0", irq, clock: bench.clock, line }));
  uart.attach(bench.ports, BASE);
  bench.out(BASE + 3, 0x83);
  bench.out(BASE, 1);
  bench.out(BASE + 1, 0);
  bench.out(BASE + 3, 0x03);
  bench.out(BASE + 4, 0x0b);
  return { bench, irq, sent, uart };
}

Deno.test("Ns16550 transmits and tells when it is empty", () => {
  const { bench, sent } = setUp();
  assertEquals(bench.in(BASE + 5), 0x60);
  bench.out(BASE, 0x41, 0x42);
  assertEquals(bench.in(BASE + 5), 0x00);
  bench.advance(CHARACTER);
  assertEquals(sent, [0x41, 0x42]);
  assertEquals(bench.in(BASE + 5), 0x60);
});

Deno.test("Ns16550 gives the line a byte at once and no event when it has left", () => {
  const { bench, sent } = setUp();
  bench.out(BASE, 0x41);
  assertEquals([sent, bench.in(BASE + 5), bench.clock.nextDue], [[0x41], 0x20, Infinity]);
  bench.out(BASE, 0x42);
  assertEquals([sent, bench.in(BASE + 5), bench.clock.nextDue], [[0x41], 0x00, Math.ceil(CHARACTER / 64)]);
  bench.advance(Math.ceil(CHARACTER / 64));
  assertEquals([sent, bench.in(BASE + 5), bench.clock.nextDue], [[0x41, 0x42], 0x20, Infinity]);
  bench.advance(Math.ceil(CHARACTER / 64));
  assertEquals(bench.in(BASE + 5), 0x60);
});

Deno.test("Ns16550 transmits as fast whatever the divisor is, but receives by it", () => {
  const { bench, sent, uart } = setUp();
  bench.out(BASE + 3, 0x83);
  bench.out(BASE, 12);
  bench.out(BASE + 3, 0x03);
  bench.out(BASE, 0x41);
  uart.enqueue(Uint8Array.of(1));
  bench.advance(Math.ceil(CHARACTER / 64));
  assertEquals([sent, bench.in(BASE + 5)], [[0x41], 0x60]);
  bench.advance(11 * CHARACTER);
  assertEquals(bench.in(BASE + 5) & 1, 0);
  bench.advance(CHARACTER);
  assertEquals(bench.in(BASE + 5) & 1, 1);
});

Deno.test("Ns16550 raises the transmitter interrupt when it is enabled, and again after each byte", () => {
  const { bench, irq } = setUp();
  bench.out(BASE + 1, 0x02);
  assertEquals(irq.level, true);
  assertEquals(bench.in(BASE + 2), 0x02);
  assertEquals(irq.level, false);
  assertEquals(bench.in(BASE + 2), 0x01);
  bench.out(BASE, 0x41);
  assertEquals(irq.level, true);
});

Deno.test("Ns16550 receives at line speed and never overruns what the host sends", () => {
  const { bench, irq, uart } = setUp();
  bench.out(BASE + 1, 0x01);
  uart.enqueue(Uint8Array.of(1, 2, 3));
  assertEquals(bench.in(BASE + 5) & 1, 0);
  bench.advance(CHARACTER);
  assertEquals(irq.level, true);
  assertEquals(bench.in(BASE + 2), 0x04);
  bench.advance(100 * CHARACTER);
  const received: number[] = [];
  for (let i = 0; i < 3; i++) {
    received.push(bench.in(BASE));
    bench.advance(CHARACTER);
  }
  assertEquals(received, [1, 2, 3]);
  assertEquals(bench.in(BASE + 5) & 2, 0);
  assertEquals(uart.unread, 0);
});

Deno.test("Ns16550 FIFO interrupts at its trigger level, or after four silent characters", () => {
  const { bench, uart } = setUp();
  bench.out(BASE + 2, 0x81);
  bench.out(BASE + 1, 0x01);
  uart.enqueue(new Uint8Array(20).fill(7));
  bench.advance(7 * CHARACTER);
  assertEquals(bench.in(BASE + 2), 0xc1);
  bench.advance(CHARACTER);
  assertEquals(bench.in(BASE + 2), 0xc4);
  bench.advance(20 * CHARACTER);
  assertEquals(uart.state.rx.length, 16);
  for (let i = 0; i < 16; i++) bench.in(BASE);
  bench.advance(4 * CHARACTER);
  assertEquals(bench.in(BASE + 2), 0xc1);
  bench.advance(5 * CHARACTER);
  assertEquals(bench.in(BASE + 2), 0xcc);
  bench.in(BASE);
  assertEquals(bench.in(BASE + 2), 0xc1);
});

Deno.test("Ns16550 loops data and modem lines back", () => {
  const { bench, sent, irq } = setUp();
  bench.out(BASE + 4, 0x1a);
  assertEquals(bench.in(BASE + 6) & 0xf0, 0x90);
  bench.out(BASE, 0x5a);
  bench.advance(CHARACTER);
  assertEquals(bench.in(BASE), 0x5a);
  assertEquals(sent, []);
  assertEquals(irq.level, false);
});

Deno.test("Ns16550 reports changes of the modem lines", () => {
  const { bench, irq } = setUp();
  assertEquals(bench.in(BASE + 6), 0xb0);
  bench.out(BASE + 1, 0x08);
  bench.out(BASE + 4, 0x10);
  assertEquals(bench.in(BASE + 2), 0x00);
  assertEquals(bench.in(BASE + 6), 0x0b);
  assertEquals(bench.in(BASE + 6), 0x00);
  assert(!irq.level);
});

Deno.test("Ns16550 keeps scratch and divisor", () => {
  const { bench } = setUp();
  bench.out(BASE + 7, 0xa5);
  assertEquals(bench.in(BASE + 7), 0xa5);
  bench.out(BASE + 3, 0x80);
  assertEquals([bench.in(BASE), bench.in(BASE + 1)], [1, 0]);
});
