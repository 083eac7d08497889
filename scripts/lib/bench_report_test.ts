import { assertAlmostEquals, assertEquals } from "@std/assert";
import { report, summarize } from "./bench_report.ts";
import type { Outcome } from "./bench_run.ts";

const conditions = { architecture: "i386", scale: 100, time: "host" as const, runs: 1, repeat: 1, versions: {} };
const ms = (...times: number[]): Outcome[] => times.map((milliseconds) => ({ milliseconds }));

Deno.test("summarize: ratios are of medians, and their mean is over what everybody has", () => {
  const summary = summarize(
    new Map([
      ["native", new Map([["lz", ms(10, 11, 9)], ["sieve", ms(20)], ["smc", ms(5)]])],
      [
        "ours",
        new Map([["lz", ms(40, 90, 10)], ["sieve", ms(20)], ["smc", [{ problem: "timeout" }]], ["boot", ms(3000)]]),
      ],
    ]),
    conditions,
  );
  assertEquals(summary.tests.lz.ours.timesNative, 4);
  assertEquals(summary.tests.boot.ours, { milliseconds: [3000], median: 3000, timesNative: null, problem: null });
  assertAlmostEquals(summary.geometricMean.ours ?? NaN, 2);
  assertEquals(summary.problems, ["smc in ours: timeout"]);
  assertEquals(
    report(summary),
    [
      "i386, medians of 1 round of host time, 100 % of the work",
      "test             native  ours/native",
      "lz              10.0 ms         4.00",
      "sieve           20.0 ms         1.00",
      "smc             5.00 ms      timeout",
      "geometric mean                  2.00",
      "boot to login                 3.00 s",
      "smc in ours: timeout",
    ].join("\n"),
  );
});

Deno.test("summarize: adds up the passes of each boot", () => {
  // Two rounds of three passes.
  const row = new Map([["lz", ms(1, 2, 3, 3, 4, 5)], ["sieve", ms(10, 10, 10, 10, 10, 10)]]);
  const summary = summarize(new Map([["ours", row]]), { ...conditions, runs: 2, repeat: 3 });
  assertEquals(summary.passes, { ours: [12, 13, 14] });
});
