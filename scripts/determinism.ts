/**
 * Runs guests in every way that must not matter and compares the hashes: `deno run -A scripts/determinism.ts [OPTION]…
 * [CASE]…`, see USAGE below.
 *
 * Everything is compared with the interpreter, which runs each case once from power-on. Long runs are tried from
 * power-on in the usual tier, and in all the other ways over legs that begin at snapshots of the interpreter's run; short
 * ones are run in full. Where hashes differ, the first differing instruction and the state fields are printed.
 */
import type { SnapshotContents } from "../lib/guest/snapshot.ts";
import { parseCommandLine, runScript, UsageError } from "./lib/command_line.ts";
import { exists } from "./lib/files.ts";
import { GUEST_CASES, type GuestCase, type Stretch } from "./lib/guest_cases.ts";
import { Subject } from "./lib/subject.ts";
import { continueFrom, type Mark, marksOf, type Part, REFERENCE, type Section, VARIANTS } from "./lib/variants.ts";

const NAMES = GUEST_CASES.map(({ name }) => name);
const USAGE = `usage: deno run -A scripts/determinism.ts [OPTION]... [CASE]...
  CASE              of ${NAMES.join(", ")} (default: all).
                    Linux and the installer need the images of \`deno task images\`; what is missing is left out
  --only TEXT,…     ways with one of these texts in their name
  --part F          the first part of each guest's run: 0.1 is a tenth (default 1)
  --list            names of the ways

Exit codes: 0 all hashes are equal, 1 there is a difference, 2 usage.`;

interface Options {
  readonly tests: readonly GuestCase[];
  /** A way is tried if its name contains one of these. */
  readonly only: readonly string[];
  readonly help: boolean;
  readonly list: boolean;
  /** The other process of a case: a snapshot's file, and where to run to. */
  readonly continue?: { readonly file: string; readonly until: number };
}

/** The first part of a case. */
function shortened(test: GuestCase, part: number): GuestCase {
  const instructions = Math.floor(test.instructions * part);
  const within = ({ from, length }: Stretch) => from + length <= instructions;
  return { ...test, instructions, stretches: test.stretches.filter(within), legs: test.legs?.filter(within) };
}

function readOptions(args: readonly string[]): Options {
  const given = parseCommandLine(args, {
    string: ["only", "part", "continue", "until"],
    boolean: ["help", "list"],
    positional: true,
    usage: USAGE,
  });
  const part = Number(given.part ?? 1), named = given._.map(String);
  if (!(part > 0 && part <= 1)) throw new UsageError(`--part: expected a number up to 1, found ${given.part}`);
  for (const name of named) {
    if (!NAMES.includes(name)) throw new UsageError(`case: found ${name}, expected ${NAMES.join(", ")}`);
  }
  const only = String(given.only ?? "").split(",");
  for (const text of only) {
    if (VARIANTS.some(({ name }) => name.includes(text))) continue;
    throw new UsageError(`--only: no way has "${text}" in its name; --list shows them`);
  }
  return {
    tests: GUEST_CASES.filter(({ name }) => named.length === 0 || named.includes(name))
      .map((test) => shortened(test, part)),
    only,
    help: given.help === true,
    list: given.list === true,
    ...(given.continue === undefined ? {} : { continue: { file: String(given.continue), until: Number(given.until) } }),
  };
}

/** A section that the reference is running. */
interface Growing {
  readonly part: Part;
  readonly from: number;
  /** Where its marks will be. */
  readonly at: readonly number[];
  start?: SnapshotContents;
  readonly marks: Mark[];
}

/** The sections of a case's run. */
function sectionsOf(test: GuestCase): Growing[] {
  const whole: Stretch = { from: 0, length: test.instructions }, half = Math.floor(test.instructions / 2);
  const section = (part: Part, from: number, at: readonly number[]): Growing => ({ part, from, at, marks: [] });
  const sections = [
    ...(test.legs ?? [whole]).map((leg) => section("leg", leg.from, marksOf(test, leg))),
    ...test.stretches.map(({ from, length }) => section("stretch", from, [from + length])),
    section("half", half, [test.instructions]),
  ];
  if (test.legs !== undefined) {
    const eighths = [1, 2, 3, 4, 5, 6, 7, 8].map((part) => Math.floor(test.instructions * part / 8));
    sections.push(section("whole", 0, eighths));
  }
  return sections;
}

/** What became of each way: how long it took, and in how many sections it differed. */
type Results = Map<string, { seconds: number; failures: number }>;

/** Tries a section in every way that is meant for it, and says at once what came out. */
async function tryWays(test: GuestCase, section: Section, part: Part, only: Options["only"], results: Results) {
  const begun = performance.now();
  let ways = 0, failures = 0;
  for (const variant of VARIANTS) {
    if (variant.part !== part || !only.some((text) => variant.name.includes(text))) continue;
    const result = results.get(variant.name) ?? { seconds: 0, failures: 0 }, started = performance.now();
    const problem = await variant.run(test, section);
    result.seconds += (performance.now() - started) / 1000;
    ways++;
    results.set(variant.name, result);
    if (problem === "") continue;
    result.failures++;
    failures++;
    console.log(`  DIFFER ${variant.name}, ${part} from ${section.from}: ${problem}`);
  }
  const seconds = ((performance.now() - begun) / 1000).toFixed(0);
  if (ways > 0) console.log(`  ${part} from ${section.from}: ${ways - failures} of ${ways} ways equal (${seconds} s)`);
}

/** Runs a case as the reference, and each section in every way as soon as its hashes are known. */
async function runCase(test: GuestCase, only: Options["only"]): Promise<Results> {
  using subject = await Subject.boot(test, REFERENCE);
  const sections = sectionsOf(test), results: Results = new Map();
  const stops = new Set(sections.flatMap(({ from, at }) => [from, ...at]));
  for (const stop of [...stops].sort((a, b) => a - b)) {
    subject.run(stop);
    for (const section of sections) {
      if (section.from === stop && stop > 0) section.start = subject.assembly.save();
      if (!section.at.includes(stop)) continue;
      section.marks.push({ at: stop, hash: subject.assembly.hash() });
      if (section.marks.length < section.at.length) continue;
      await tryWays(test, section, section.part, only, results);
      section.start = undefined;
    }
  }
  const screen = subject.assembly.machine.textScreen();
  for (let row = 0; screen !== null && row < screen.rows; row++) {
    const line = screen.line(row).trimEnd();
    if (line !== "") console.log(`  | ${line}`);
  }
  return results;
}

async function matrix(tests: readonly GuestCase[], only: Options["only"]): Promise<number> {
  let failures = 0;
  for (const test of tests) {
    const missing = test.needs.filter((file) => !exists(file));
    if (missing.length > 0) {
      console.log(`${test.name}: left out, ${missing.join(" and ")} missing`);
      continue;
    }
    console.log(`${test.name}: ${test.instructions} instructions, ${test.legs?.length ?? 1} legs`);
    const started = performance.now(), results = await runCase(test, only);
    for (const [name, result] of results) {
      failures += result.failures;
      console.log(`  ${result.failures === 0 ? "equal " : "DIFFER"} ${name} (${result.seconds.toFixed(1)} s)`);
    }
    console.log(`  ${((performance.now() - started) / 1000).toFixed(0)} s in all`);
  }
  return failures;
}

async function main(): Promise<number> {
  const { tests, only, help, list, continue: other } = readOptions(Deno.args);
  if (help) console.log(USAGE);
  if (list) console.log(VARIANTS.map(({ name }) => name).join("\n"));
  if (help || list) return 0;
  if (other === undefined) return await matrix(tests, only) > 0 ? 1 : 0;
  console.log(await continueFrom(tests[0], other.file, other.until));
  return 0;
}

await runScript(main);
