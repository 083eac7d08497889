import { assert, assertEquals } from "@std/assert";
import { parseStat, processTime } from "./process_time.ts";

Deno.test("parseStat: finds the fields behind a name with brackets and blanks", () => {
  const text = "7 (a) R (b) S 42 7 7 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 99 0 0";
  assertEquals(parseStat(text), { parent: 42, waitedForMs: 150 });
});

Deno.test({
  name: "processTime: grows while this process works",
  ignore: Deno.build.os !== "linux",
  fn() {
    const before = processTime(Deno.pid), start = performance.now();
    while (performance.now() - start < 50);
    const after = processTime(Deno.pid);
    assert(after > before, `${before} to ${after} ms`);
    assertEquals(processTime(0x7fffffff), 0);
  },
});
