/**
 * Runs guests in every way that must not matter and compares the hashes:
 * `deno run --allow-read --allow-write --allow-run scripts/determinism.ts [CASE…] [--scale F] [--only VARIANT]`.
 *
 * Where hashes differ in slices, the first differing instruction and the state fields are printed. `--scale 0.1` shortens
 * the stretches that are run in small slices. Needs the images of `deno task images` for Linux; cases whose files are missing are left out.
 */
import { parseArgs } from "@std/cli";
import { fileURLToPath } from "node:url";
import { Snapshot, type SnapshotContents } from "../lib/guest/snapshot.ts";
import { exists } from "./lib/files.ts";
import { GUEST_CASES, type GuestCase } from "./lib/guest_cases.ts";
import { findParting } from "./lib/lockstep.ts";
import { type Slices, Subject } from "./lib/subject.ts";

const args = parseArgs(Deno.args, { string: ["scale", "only", "continue"] });
const only = args.only === undefined ? "" : String(args.only);
const scale = Number(args.scale ?? 1);
const CHECKPOINTS = 8;

/** Hashes and snapshots of the run that the others are compared with. */
interface Reference {
  readonly hash: string;
  readonly checkpoints: readonly { at: number; hash: string }[];
  readonly middle: SnapshotContents;
  readonly stretches: readonly { contents: SnapshotContents; end: number; hash: string }[];
}

function checkpointsOf(test: GuestCase): number[] {
  return Array.from({ length: CHECKPOINTS }, (_, i) => Math.floor(test.instructions * (i + 1) / CHECKPOINTS));
}

async function reference(test: GuestCase): Promise<Reference> {
  using subject = await Subject.boot(test);
  const { assembly } = subject, half = Math.floor(test.instructions / 2);
  const stretches: { contents: SnapshotContents; end: number; hash: string }[] = [];
  const ends = test.stretches.map(({ from, length }) => from + Math.ceil(length * scale));
  const stops = new Set([...checkpointsOf(test), half, ...test.stretches.map(({ from }) => from), ...ends]);
  const checkpoints: { at: number; hash: string }[] = [];
  let middle: SnapshotContents | undefined;
  for (const at of [...stops].sort((a, b) => a - b)) {
    subject.run(at);
    if (at === half) middle = assembly.save();
    test.stretches.forEach(({ from }, i) => {
      if (from === at) stretches[i] = { contents: assembly.save(), end: ends[i], hash: "" };
      if (ends[i] === at) stretches[i].hash = assembly.hash();
    });
    if (checkpointsOf(test).includes(at)) checkpoints.push({ at, hash: assembly.hash() });
  }
  if (middle === undefined) throw new Error(`${test.name} has no middle`);
  const screen = assembly.machine.textScreen();
  for (let row = 0; screen !== null && row < screen.rows; row++) {
    const line = screen.line(row).trimEnd();
    if (line !== "") console.log(`  | ${line}`);
  }
  return { hash: assembly.hash(), checkpoints, middle, stretches };
}

/** Runs a whole case in slices and returns where its checkpoints part from the reference; null if nowhere. */
async function sliced(test: GuestCase, expected: Reference, slices: Slices): Promise<string> {
  using subject = await Subject.boot(test);
  let last = subject.assembly.save();
  for (const { at, hash } of expected.checkpoints) {
    subject.run(at, slices);
    if (subject.assembly.hash() !== hash) return await explain(test, last, at, slices);
    last = subject.assembly.save();
  }
  return "";
}

async function explain(test: GuestCase, start: SnapshotContents, end: number, slices: Slices): Promise<string> {
  const parting = await findParting(test, start, end, [{}, { slices }]);
  if (parting === null) return `differs by instruction ${end}, but not when run from the checkpoint before`;
  const { instructions, trace, differences } = parting;
  return [`differs after ${instructions}`, ...trace.slice(-3), ...differences].join("\n    ");
}

async function inStretches(test: GuestCase, expected: Reference, slices: Slices): Promise<string> {
  using subject = await Subject.boot(test);
  for (const { contents, end, hash } of expected.stretches) {
    subject.load(contents);
    subject.run(end, slices);
    if (subject.assembly.hash() !== hash) return await explain(test, contents, end, slices);
  }
  return "";
}

function verdict(found: string, expected: string): string {
  return found === expected ? "" : `hash ${found} instead of ${expected}`;
}

async function restoredHere(test: GuestCase, expected: Reference): Promise<string> {
  using subject = await Subject.boot(test);
  subject.run(Math.floor(test.instructions / 2));
  const contents = subject.assembly.save();
  subject.run(Math.floor(test.instructions * 0.6));
  subject.load(contents);
  subject.run(test.instructions);
  return verdict(subject.assembly.hash(), expected.hash);
}

async function restoredInNewGuest(test: GuestCase, expected: Reference): Promise<string> {
  using subject = await Subject.boot(test);
  subject.load(expected.middle);
  subject.run(test.instructions);
  return verdict(subject.assembly.hash(), expected.hash);
}

/** Saves and loads in place, again and again: nothing may depend on what is cached beside the state. */
async function reloaded(test: GuestCase, expected: Reference): Promise<string> {
  using subject = await Subject.boot(test);
  const step = Math.ceil(test.instructions / 37);
  for (let at = step; at < test.instructions; at += step) {
    subject.run(at);
    subject.load(subject.assembly.save());
  }
  subject.run(test.instructions);
  return verdict(subject.assembly.hash(), expected.hash);
}

async function throughFile(test: GuestCase, expected: Reference): Promise<string> {
  const file = await Deno.makeTempFile({ suffix: ".snapshot" });
  try {
    await new Snapshot(expected.middle).save(file);
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-check", "--allow-read", fileURLToPath(import.meta.url), test.name, "--continue", file],
      stdout: "piped",
    });
    return verdict(new TextDecoder().decode((await child.output()).stdout).trim(), expected.hash);
  } finally {
    await Deno.remove(file);
  }
}

const VARIANTS: readonly [string, (test: GuestCase, expected: Reference) => Promise<string>][] = [
  ["a second run", async (test, expected) => verdict((await reference(test)).hash, expected.hash)],
  ["restored into the same guest", restoredHere],
  ["restored into a new guest", restoredInNewGuest],
  ["restored in another process", throughFile],
  ["reloaded 36 times", reloaded],
  ["slices of 1,000,003", (test, expected) => sliced(test, expected, [1_000_003])],
  ["slices of 997 and 20,011", (test, expected) => sliced(test, expected, [997, 20_011])],
  ["slices of 7", (test, expected) => inStretches(test, expected, [7])],
  ["slices of 1", (test, expected) => inStretches(test, expected, [1])],
];

/** The other process: continues a snapshot from a file and prints the hash. */
async function continueFrom(test: GuestCase, file: string): Promise<void> {
  using subject = await Subject.boot(test);
  subject.load((await Snapshot.open(file)).contents);
  subject.run(test.instructions);
  console.log(subject.assembly.hash());
}

async function matrix(tests: readonly GuestCase[]): Promise<number> {
  let failures = 0;
  for (const test of tests) {
    const missing = test.needs.filter((file) => !exists(file));
    if (missing.length > 0) {
      console.log(`${test.name}: left out, ${missing.join(" and ")} missing`);
      continue;
    }
    console.log(`${test.name}: ${test.instructions} instructions`);
    const expected = await reference(test);
    for (const [name, run] of VARIANTS) {
      if (!name.includes(only)) continue;
      const started = performance.now(), problem = await run(test, expected);
      if (problem !== "") failures++;
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      console.log(`  ${problem === "" ? "equal " : "DIFFER"} ${name} (${seconds} s)${problem && `\n    ${problem}`}`);
    }
  }
  return failures;
}

const named = args._.map(String);
const tests = GUEST_CASES.filter(({ name }) => named.length === 0 || named.includes(name));
if (args.continue !== undefined) await continueFrom(tests[0], String(args.continue));
else if (await matrix(tests) > 0) Deno.exit(1);
