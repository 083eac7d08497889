import { assertEquals, assertThrows } from "@std/assert";
import { MachineClock } from "./clock.ts";

function setUp(rate?: { ns: number; instructions: number }) {
  const counter = { cycles: 0, breaks: 0, requestBreak: () => void counter.breaks++ };
  return { counter, clock: new MachineClock(counter, rate) };
}

Deno.test("MachineClock counts cycles and skipped time", () => {
  const { counter, clock } = setUp();
  counter.cycles = 100;
  assertEquals(clock.now, 100);
  clock.skipTo(1000);
  counter.cycles += 5;
  assertEquals(clock.now, 1005);
  clock.skipTo(10);
  assertEquals(clock.now, 1005);
});

Deno.test("MachineClock reaches a time after exactly the cycles that it says, at any rate", () => {
  for (const rate of [{ ns: 1, instructions: 4 }, { ns: 10, instructions: 3 }, { ns: 7, instructions: 1 }]) {
    const { counter, clock } = setUp(rate);
    counter.cycles = 17;
    for (const time of [50, 51, 1000, 123457]) {
      const needed = clock.instructionsUntil(time);
      if (needed === 0) continue;
      counter.cycles += needed - 1;
      assertEquals(clock.now < time, true);
      counter.cycles++;
      assertEquals(clock.now >= time, true);
    }
  }
});

Deno.test("MachineClock hands events out in order of time, then of scheduling", () => {
  const { counter, clock } = setUp();
  clock.schedule("a", "late", 200);
  clock.schedule("b", "early", 100, 7);
  clock.schedule("c", "early", 100);
  assertEquals(clock.nextDue, 100);
  assertEquals(clock.takeDue(), undefined);
  counter.cycles = 100;
  assertEquals(clock.takeDue(), { device: "b", event: "early", at: 100, argument: 7, order: 1 });
  assertEquals(clock.takeDue()?.device, "c");
  assertEquals(clock.takeDue(), undefined);
  assertEquals(clock.nextDue, 200);
});

Deno.test("MachineClock moves an event that is scheduled again, and forgets a cancelled one", () => {
  const { clock } = setUp();
  clock.schedule("a", "x", 100);
  clock.schedule("a", "x", 300, 1);
  assertEquals(clock.state.events.length, 1);
  assertEquals(clock.nextDue, 300);
  clock.cancel("a", "x");
  clock.cancel("a", "x");
  assertEquals(clock.nextDue, Infinity);
});

Deno.test("MachineClock puts an event of the past just ahead, so that handling events ends", () => {
  const { counter, clock } = setUp();
  counter.cycles = 50;
  clock.schedule("a", "x", 10);
  assertEquals(clock.takeDue(), undefined);
  assertEquals(clock.nextDue, 51);
});

Deno.test("MachineClock breaks the run only for an event within it", () => {
  const { counter, clock } = setUp();
  clock.sliceEnd = 1000;
  clock.schedule("a", "x", 2000);
  assertEquals(counter.breaks, 0);
  clock.schedule("a", "y", 500);
  assertEquals(counter.breaks, 1);
});

Deno.test("MachineClock refuses a rate that is not two positive integers", () => {
  assertThrows(() => setUp({ ns: 0.5, instructions: 1 }), RangeError, "two positive integers");
});
