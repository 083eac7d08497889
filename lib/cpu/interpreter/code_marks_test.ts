import { assertEquals, assertNotEquals } from "@std/assert";
import { CodeMarks } from "./code_marks.ts";
import { CODE_MARKS, MEMORY_PAGES } from "./layout.ts";

const marks = () => new CodeMarks(new WebAssembly.Memory({ initial: MEMORY_PAGES }));

Deno.test("CodeMarks: only bytes that were marked are code, until they are wiped", () => {
  const m = marks();
  assertEquals([m.holds(5, 0, 4096), m.address(5), m.frames], [false, 0, []]);
  m.mark(5, 16, 20);
  assertEquals([m.holds(5, 12, 4), m.holds(5, 12, 5), m.holds(5, 19, 1), m.holds(5, 20, 4)], [
    false,
    true,
    true,
    false,
  ]);
  assertEquals(m.holds(6, 16, 4), false);
  m.unmark(5, 17, 19);
  assertEquals([16, 17, 18, 19].map((at) => m.holds(5, at, 1)), [true, false, false, true]);
  m.wipe(5);
  assertEquals([m.holds(5, 0, 4096), m.frames], [false, [5]]);
});

Deno.test("CodeMarks: marks of a frame that is code again are new", () => {
  const m = marks();
  m.mark(5, 0, 4096);
  const address = m.address(5);
  assertNotEquals(address, 0);
  m.release(5);
  assertEquals([m.holds(5, 0, 4096), m.address(5), m.frames], [false, 0, []]);
  m.mark(7, 0, 1);
  assertEquals([m.address(7), m.holds(7, 1, 4095)], [address, false]);
});

Deno.test("CodeMarks: frames beyond those that compiled code can look at are marked, too", () => {
  const m = marks();
  for (let frame = 0; frame <= CODE_MARKS.FRAMES; frame++) m.mark(frame, frame & 15, (frame & 15) + 1);
  const last = CODE_MARKS.FRAMES;
  assertNotEquals(m.address(last - 1), 0);
  assertEquals([m.address(last), m.holds(last, last & 15, 1)], [0, true]);
});
