import { assertEquals } from "@std/assert";
import { FailureWatch } from "./fail_on.ts";
import { FakeMachine } from "./fake_machine.ts";

/** A watch for "panic" over a screen that shows `shown`, and how often that was looked at; `interval` is {@link TextView.interval}. */
function watched(interval: number) {
  const machine = new FakeMachine();
  const screen = { shown: "", looks: 0, interval, text: () => (screen.looks++, screen.shown) };
  const watch = new FailureWatch(machine, screen, [], () => {});
  watch.add(/panic/);
  return { machine, screen, watch };
}

Deno.test("failOn: looks at the text of a text mode after each step", () => {
  const { screen, watch } = watched(0);
  for (let step = 1; step <= 3; step++) {
    assertEquals(watch.look(), undefined);
    assertEquals(screen.looks, step);
  }
  screen.shown = "panic";
  assertEquals(watch.look(), "the screen shows /panic/, which must not happen");
});

Deno.test("failOn: looks at the picture of a graphics mode now and then, and at the last one", () => {
  const { machine, screen, watch } = watched(20e6);
  for (let step = 0; step < 3; step++) assertEquals(watch.look(), undefined);
  assertEquals(screen.looks, 1);
  screen.shown = "panic";
  assertEquals(watch.look(), undefined);
  machine.exit = { reason: "power-off" };
  assertEquals(watch.look(), "the screen shows /panic/, which must not happen");
  assertEquals(screen.looks, 2);
});
