import { assertEquals } from "@std/assert";
import { Stopwatch } from "./stopwatch.ts";

Deno.test("Stopwatch: adds up, and counts nested work once", () => {
  let time = 100;
  const watch = new Stopwatch(() => time);
  watch.begin();
  time += 2;
  watch.begin();
  time += 3;
  watch.end();
  watch.end();
  time += 50;
  watch.begin();
  time += 4;
  watch.end();
  assertEquals([watch.total, watch.longest], [9, 5]);
});
