import { assertEquals } from "@std/assert";
import { I8259 } from "./i8259.ts";
import { TestBench } from "./testing.ts";

function setUp() {
  const bench = new TestBench();
  let intr = false;
  const pic = bench.add(new I8259({ intr: (level) => intr = level }));
  pic.attach(bench.ports);
  bench.out(0x20, 0x11);
  bench.out(0x21, 0x08, 0x04, 0x01, 0x00);
  bench.out(0xa0, 0x11);
  bench.out(0xa1, 0x70, 0x02, 0x01, 0x00);
  return { bench, pic, intr: () => intr };
}

/** Contents of the in-service register of the controller at `port`. */
function isr(bench: TestBench, port: number): number {
  bench.out(port, 0x0b);
  return bench.in(port);
}

Deno.test("I8259 delivers the vector of an edge and holds lower priorities back until the end of interrupt", () => {
  const { bench, pic, intr } = setUp();
  pic.line(4).set(true);
  assertEquals(intr(), true);
  assertEquals(pic.acknowledge(), 0x0c);
  assertEquals(intr(), false);
  pic.line(5).set(true);
  assertEquals(intr(), false);
  pic.line(1).set(true);
  assertEquals(pic.acknowledge(), 0x09);
  bench.out(0x20, 0x20);
  assertEquals(isr(bench, 0x20), 0x10);
  bench.out(0x20, 0x20);
  assertEquals(pic.acknowledge(), 0x0d);
  bench.out(0x20, 0x65);
  assertEquals(isr(bench, 0x20), 0);
});

Deno.test("I8259 passes the second controller's requests through input 2", () => {
  const { bench, pic, intr } = setUp();
  pic.line(14).set(true);
  assertEquals(pic.acknowledge(), 0x76);
  assertEquals(isr(bench, 0x20), 0x04);
  assertEquals(isr(bench, 0xa0), 0x40);
  bench.out(0xa0, 0x20);
  bench.out(0x20, 0x20);
  assertEquals(intr(), false);
});

Deno.test("I8259 answers with input 7 when the request has gone away, without putting it into service", () => {
  const { bench, pic } = setUp();
  const line = pic.line(3);
  line.set(true);
  line.set(false);
  assertEquals(pic.acknowledge(), 0x0f);
  assertEquals(isr(bench, 0x20), 0);
});

Deno.test("I8259 asks again for a level-triggered input after the end of interrupt", () => {
  const { bench, pic, intr } = setUp();
  bench.out(0x4d1, 0xff);
  assertEquals(bench.in(0x4d1), 0xde);
  const line = pic.line(11);
  line.set(true);
  assertEquals(pic.acknowledge(), 0x73);
  bench.out(0xa0, 0x20);
  bench.out(0x20, 0x20);
  assertEquals(intr(), true);
  line.set(false);
  assertEquals(intr(), false);
});

Deno.test("I8259 keeps an input asserted while any of its sources is", () => {
  const { pic, intr } = setUp();
  pic.line(9, 1).set(true);
  pic.line(9, 2).set(true);
  pic.line(9, 1).set(false);
  assertEquals(intr(), true);
  pic.line(9, 2).set(false);
  assertEquals(intr(), false);
});

Deno.test("I8259 masks, and forgets nothing that is masked", () => {
  const { bench, pic, intr } = setUp();
  bench.out(0x21, 0x10);
  pic.line(4).set(true);
  assertEquals(intr(), false);
  bench.out(0x20, 0x0a);
  assertEquals(bench.in(0x20), 0x10);
  bench.out(0x21, 0x00);
  assertEquals(pic.acknowledge(), 0x0c);
});

Deno.test("I8259 special mask mode lets lower priorities through", () => {
  const { bench, pic, intr } = setUp();
  pic.line(1).set(true);
  pic.acknowledge();
  pic.line(6).set(true);
  bench.out(0x21, 0x02);
  assertEquals(intr(), false);
  bench.out(0x20, 0x68);
  assertEquals(intr(), true);
  bench.out(0x20, 0x48);
  assertEquals(intr(), false);
});

Deno.test("I8259 rotates priorities on a rotating end of interrupt", () => {
  const { bench, pic } = setUp();
  pic.line(0).set(true);
  pic.acknowledge();
  bench.out(0x20, 0xa0);
  pic.line(0).set(false);
  pic.line(0).set(true);
  pic.line(7).set(true);
  assertEquals(pic.acknowledge(), 0x0f);
});

Deno.test("I8259 poll command acknowledges by a read", () => {
  const { bench, pic, intr } = setUp();
  pic.line(5).set(true);
  bench.out(0x20, 0x0c);
  assertEquals(bench.in(0x20), 0x85);
  assertEquals(intr(), false);
  bench.out(0x20, 0x20, 0x0c);
  assertEquals(bench.in(0x20), 0x00);
});

Deno.test("I8259 automatic end of interrupt leaves nothing in service", () => {
  const { bench, pic } = setUp();
  bench.out(0x20, 0x11);
  bench.out(0x21, 0x08, 0x04, 0x03, 0x00);
  pic.line(3).set(true);
  assertEquals(pic.acknowledge(), 0x0b);
  assertEquals(isr(bench, 0x20), 0);
});
