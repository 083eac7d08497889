/** What the benchmarks have shown: medians, ratios to the host's own times and their means, as data and as a table. */
import type { Outcome, TimeSource } from "./bench_run.ts";
import { geometricMean, median, short, table } from "./bench_statistics.ts";

/** How it was measured. */
export interface Conditions {
  readonly architecture: string;
  /** Amount of work in per cent. */
  readonly scale: number;
  readonly time: TimeSource;
  readonly runs: number;
  /** Passes through the tests in each boot. */
  readonly repeat: number;
  /** What took part, by name. */
  readonly versions: Readonly<Record<string, string>>;
}

/** What a test took somewhere. */
export interface Entry {
  /** Each pass, in ms; null where it came to nothing. */
  readonly milliseconds: readonly (number | null)[];
  /** Of the passes that have a time; null if none has. */
  readonly median: number | null;
  /** The median by the median of the native run; null if one of them is missing. */
  readonly timesNative: number | null;
  /** What went wrong, at the first pass for which something did. */
  readonly problem: string | null;
}

/** All that was measured. */
export interface Summary extends Conditions {
  /** By test and contestant; the host itself is `native`, the boot to the login prompt is the test `boot`. */
  readonly tests: Readonly<Record<string, Readonly<Record<string, Entry>>>>;
  /** Geometric mean of the ratios to native, over the tests that everybody has a ratio for. */
  readonly geometricMean: Readonly<Record<string, number | null>>;
  /** Medians of the sum of all tests in the first, second … pass of a boot in ms, where there are several. */
  readonly passes: Readonly<Record<string, readonly (number | null)[]>>;
  /** Lines that say which test went wrong where. */
  readonly problems: readonly string[];
}

/** Outcomes by contestant and test: one for each pass. */
export type Measured = ReadonlyMap<string, ReadonlyMap<string, readonly Outcome[]>>;

function time(outcome: Outcome): number | null {
  return "milliseconds" in outcome ? outcome.milliseconds : null;
}

function known(times: readonly (number | null)[]): number[] {
  return times.filter((time) => time !== null);
}

function middle(times: readonly (number | null)[]): number | null {
  return known(times).length === 0 ? null : median(known(times));
}

function entry(outcomes: readonly Outcome[], native: readonly Outcome[]): Entry {
  const milliseconds = outcomes.map(time), own = middle(milliseconds), host = middle(native.map(time));
  const wrong = outcomes.find((outcome) => "problem" in outcome);
  return {
    milliseconds,
    median: own,
    timesNative: own === null || host === null ? null : own / host,
    problem: wrong === undefined ? null : wrong.problem,
  };
}

/** The sums of all tests for each pass of a boot: medians over the rounds. */
function passSums(tests: ReadonlyMap<string, readonly Outcome[]>, repeat: number): (number | null)[] {
  const rows = [...tests].filter(([test]) => test !== "boot").map(([, outcomes]) => outcomes.map(time));
  if (rows.length === 0) return [];
  return Array.from({ length: repeat }, (_, pass) => {
    const sums: (number | null)[] = [];
    for (let i = pass; i < rows[0].length; i += repeat) {
      const times = known(rows.map((row) => row[i]));
      sums.push(times.length < rows.length ? null : times.reduce((sum, time) => sum + time, 0));
    }
    return middle(sums);
  });
}

/** Computes everything that is reported. */
export function summarize(measured: Measured, conditions: Conditions): Summary {
  const tests: Record<string, Record<string, Entry>> = {}, problems: string[] = [];
  for (const [who, row] of measured) {
    for (const [test, outcomes] of row) {
      const one = entry(outcomes, measured.get("native")?.get(test) ?? []);
      (tests[test] ??= {})[who] = one;
      if (one.problem !== null) problems.push(`${test} in ${who}: ${one.problem}`);
    }
  }
  const everybody = [...measured.keys()];
  const common = Object.values(tests).filter((row) =>
    everybody.every((who) => typeof row[who]?.timesNative === "number")
  );
  const means = everybody.map((who) => {
    const ratios = common.map((row) => row[who].timesNative ?? NaN);
    return [who, ratios.length === 0 ? null : geometricMean(ratios)];
  });
  const passes = conditions.repeat === 1
    ? []
    : [...measured].map(([who, row]) => [who, passSums(row, conditions.repeat)]);
  return {
    ...conditions,
    tests,
    geometricMean: Object.fromEntries(means),
    passes: Object.fromEntries(passes),
    problems,
  };
}

/** One cell: the ratio to native where there is one, the time where not, or what went wrong. */
function cell(entry: Entry | undefined, what: "ratio" | "seconds" | "milliseconds"): string {
  if (entry === undefined) return "-";
  if (entry.problem !== null) return entry.problem.split(" ")[0];
  if (what === "ratio" && entry.timesNative !== null) return short(entry.timesNative);
  if (entry.median === null) return "-";
  return what === "seconds" ? `${short(entry.median / 1000)} s` : `${short(entry.median)} ms`;
}

/** The summary as text. */
export function report(summary: Summary): string {
  const everybody = Object.keys(summary.geometricMean), guests = everybody.filter((who) => who !== "native");
  const relative = everybody.includes("native");
  const head = ["test", ...(relative ? ["native"] : []), ...guests.map((who) => relative ? `${who}/native` : who)];
  const rows = Object.entries(summary.tests).filter(([test]) => test !== "boot").map(([test, row]) => [
    test,
    ...(relative ? [cell(row.native, "milliseconds")] : []),
    ...guests.map((who) => cell(row[who], relative ? "ratio" : "milliseconds")),
  ]);
  const mean = (who: string) => {
    const value = summary.geometricMean[who];
    return value === null ? "-" : short(value);
  };
  if (relative && guests.length > 0 && rows.length > 0) rows.push(["geometric mean", "", ...guests.map(mean)]);
  const bootRow = summary.tests.boot;
  if (bootRow !== undefined) {
    rows.push(["boot to login", ...(relative ? [""] : []), ...guests.map((who) => cell(bootRow[who], "seconds"))]);
  }
  const { architecture, runs, scale, time } = summary;
  const lines = [
    `${architecture}, medians of ${runs} ${runs === 1 ? "round" : "rounds"} of ${time} time, ${scale} % of the work`,
    table([head, ...rows]),
  ];
  for (const [who, sums] of Object.entries(summary.passes)) {
    lines.push(
      `${who}: all tests in each pass of a boot: ${sums.map((ms) => ms === null ? "-" : `${short(ms)} ms`).join(", ")}`,
    );
  }
  return [...lines, ...summary.problems].join("\n");
}
