import { assertAlmostEquals, assertEquals } from "@std/assert";
import { geometricMean, median, short, table } from "./bench_statistics.ts";

Deno.test("median: is the value in the middle, or between the two there", () => {
  assertEquals(median([3, 1, 20]), 3);
  assertEquals(median([4, 1, 20, 2]), 3);
  assertEquals(median([]), NaN);
});

Deno.test("geometricMean: of ratios and their inverses is one", () => {
  assertAlmostEquals(geometricMean([4, 0.25, 1]), 1);
  assertAlmostEquals(geometricMean([2, 8]), 4);
});

Deno.test("short: shows three digits", () => {
  assertEquals([0.0123, 0.5, 1.234, 12.34, 123.4, 1234].map(short), ["0.012", "0.500", "1.23", "12.3", "123", "1234"]);
});

Deno.test("table: aligns names to the left and numbers to the right", () => {
  assertEquals(table([["test", "ms"], ["lz", "12.3"], ["sieve", "-"]]), "test     ms\nlz     12.3\nsieve     -");
});
