import { assertEquals } from "@std/assert";
import { calendarFromDays, daysFromCalendar, weekday } from "./calendar.ts";
import { Mc146818 } from "./mc146818.ts";
import { TestBench, TestLine } from "./testing.ts";

const SECOND = 1_000_000_000;

function setUp(startTime = Date.UTC(2024, 1, 28, 23, 59, 58)) {
  const bench = new TestBench(), irq = new TestLine();
  const rtc = bench.add(new Mc146818({ irq, clock: bench.clock, startTime }));
  rtc.attach(bench.ports);
  const read = (index: number) => (bench.out(0x70, index), bench.in(0x71));
  const write = (index: number, value: number) => (bench.out(0x70, index), bench.out(0x71, value));
  return { bench, irq, read, write };
}

Deno.test("calendar agrees with the language's own over four centuries", () => {
  for (let days = -150_000; days < 150_000; days += 97) {
    const date = new Date(days * 86_400_000);
    const expected = { year: date.getUTCFullYear(), month: date.getUTCMonth() + 1, day: date.getUTCDate() };
    assertEquals(calendarFromDays(days), expected);
    assertEquals(daysFromCalendar(expected), days);
    assertEquals(weekday(days), date.getUTCDay());
  }
});

Deno.test("Mc146818 shows the start time and counts on, over a leap day", () => {
  const { bench, read } = setUp();
  assertEquals([9, 8, 7, 4, 2, 0, 0x32].map(read), [0x24, 0x02, 0x28, 0x23, 0x59, 0x58, 0x20]);
  bench.advance(2 * SECOND);
  assertEquals([8, 7, 6, 4, 2, 0].map(read), [0x02, 0x29, 0x05, 0, 0, 0]);
});

Deno.test("Mc146818 speaks binary and twelve-hour time", () => {
  const { read, write } = setUp(Date.UTC(2024, 5, 1, 12, 30, 0));
  write(0x0b, 0x04);
  assertEquals(read(4), 12 | 0x80);
  assertEquals(read(2), 30);
  assertEquals(read(9), 24);
});

Deno.test("Mc146818 takes a new time when SET is cleared", () => {
  const { bench, read, write } = setUp();
  write(0x0b, 0x82);
  bench.advance(5 * SECOND);
  const fields = [[0, 0x30], [2, 0x59], [4, 0x23], [7, 0x31], [8, 0x12], [9, 0x99], [0x32, 0x19]];
  for (const [index, value] of fields) write(index, value);
  write(0x0b, 0x02);
  bench.advance(30 * SECOND);
  assertEquals([0x32, 9, 8, 7, 4, 2, 0].map(read), [0x20, 0x00, 0x01, 0x01, 0, 0, 0]);
});

Deno.test("Mc146818 raises UIP before each update", () => {
  const { bench, read } = setUp();
  assertEquals(read(0x0a) & 0x80, 0);
  bench.advance(SECOND - 1_000_000);
  assertEquals(read(0x0a) & 0x80, 0x80);
  bench.advance(1_000_000);
  assertEquals(read(0x0a) & 0x80, 0);
});

Deno.test("Mc146818 update-ended interrupt comes once a second, until register C is read", () => {
  const { bench, irq, read, write } = setUp();
  write(0x0b, 0x12);
  bench.advance(SECOND);
  assertEquals(irq.level, true);
  assertEquals(read(0x0c) & 0xb0, 0x90);
  assertEquals(irq.level, false);
  assertEquals(read(0x0c) & 0x90, 0);
  bench.advance(SECOND);
  assertEquals(irq.edges, 2);
});

Deno.test("Mc146818 periodic interrupt runs at the selected rate", () => {
  const { bench, irq, read, write } = setUp();
  write(0x0b, 0x42);
  for (let i = 0; i < 1024; i++) {
    bench.advance(Math.ceil(SECOND / 1024));
    read(0x0c);
  }
  assertEquals(irq.edges, 1024);
});

Deno.test("Mc146818 alarm matches with don't-care bytes", () => {
  const { bench, irq, read, write } = setUp();
  write(1, 0x05);
  write(3, 0xff);
  write(5, 0xc0);
  write(0x0b, 0x22);
  bench.advance(6 * SECOND);
  assertEquals(irq.level, false);
  bench.advance(SECOND);
  assertEquals(read(0x0c) & 0xa0, 0xa0);
});

Deno.test("Mc146818 sets UF without an event when nobody wants the interrupt", () => {
  const { bench, read } = setUp();
  assertEquals(bench.clock.nextDue, Infinity);
  bench.advance(3 * SECOND);
  assertEquals(read(0x0c) & 0x10, 0x10);
});
