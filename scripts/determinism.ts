/**
 * Runs guests in every way that must not matter and compares the hashes:
 * `deno run --allow-read --allow-write --allow-run scripts/determinism.ts [CASE…] [--part F] [--scale F] [--only VARIANT]`.
 *
 * Everything is compared with the interpreter at eight instants. Where hashes differ, the first differing instruction and
 * the state fields are printed. `--part 0.1` runs a tenth of each guest, `--scale 0.1` shortens the stretches that are run
 * in small slices. Needs the images of `deno task images` for Linux; cases whose files are missing are left out.
 */
import { parseArgs } from "@std/cli";
import { fileURLToPath } from "node:url";
import type { CpuOptions } from "../lib/cpu/options.ts";
import { Snapshot, type SnapshotContents } from "../lib/guest/snapshot.ts";
import { exists } from "./lib/files.ts";
import { GUEST_CASES, type GuestCase } from "./lib/guest_cases.ts";
import { findParting } from "./lib/lockstep.ts";
import { Subject, type Way } from "./lib/subject.ts";

const args = parseArgs(Deno.args, { string: ["scale", "part", "only", "continue"] });
const only = args.only === undefined ? "" : String(args.only);
const scale = Number(args.scale ?? 1);
const part = Number(args.part ?? 1);
const CHECKPOINTS = 8;

/** Regions that are thrown away all the time, with hardly a TLB. */
const STRESSED_REGIONS: CpuOptions = { tier: "regions", stress: { tlbEntries: 8, evictEvery: 7 } };
const RANDOM_REGIONS: CpuOptions = { tier: "auto", stress: { compileSeed: 1, evictEvery: 100 } };

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

/** What the others are compared with: interpreted in one go. */
const REFERENCE: Way = { cpu: { tier: "interpreter" } };

async function reference(test: GuestCase): Promise<Reference> {
  using subject = await Subject.boot(test, REFERENCE);
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

/** Runs a whole case in another way and says where it parts from the reference at a checkpoint; "" if nowhere. */
async function throughout(test: GuestCase, expected: Reference, way: Way): Promise<string> {
  using subject = await Subject.boot(test, way);
  let last = subject.assembly.save();
  for (const { at, hash } of expected.checkpoints) {
    subject.run(at);
    if (subject.assembly.hash() !== hash) return await explain(test, last, at, way);
    last = subject.assembly.save();
  }
  return "";
}

async function explain(test: GuestCase, start: SnapshotContents, end: number, way: Way): Promise<string> {
  const parting = await findParting(test, start, end, [REFERENCE, way]);
  if (parting === null) {
    return `differs by instruction ${end}, but not when run from the checkpoint before (see scripts/lockstep.ts)`;
  }
  const { instructions, trace, differences } = parting;
  return [`differs after ${instructions}`, ...trace.slice(-3), ...differences].join("\n    ");
}

async function inStretches(test: GuestCase, expected: Reference, way: Way): Promise<string> {
  using subject = await Subject.boot(test, way);
  for (const { contents, end, hash } of expected.stretches) {
    subject.load(contents);
    subject.run(end);
    if (subject.assembly.hash() !== hash) return await explain(test, contents, end, way);
  }
  return "";
}

/** Moves the guest from tier to tier by snapshots. */
async function mixed(test: GuestCase, expected: Reference): Promise<string> {
  const ways: Way[] = (["regions", "interpreter", "auto", "single"] as const).map((tier) => ({ cpu: { tier } }));
  let contents: SnapshotContents | undefined;
  for (const [i, { at, hash }] of expected.checkpoints.entries()) {
    const way = ways[i % ways.length];
    using subject = await Subject.boot(test, way);
    const start = contents ?? subject.assembly.save();
    if (contents !== undefined) subject.load(contents);
    subject.run(at);
    if (subject.assembly.hash() !== hash) return await explain(test, start, at, way);
    contents = subject.assembly.save();
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
      args: [
        "run",
        "--no-check",
        "--allow-read",
        fileURLToPath(import.meta.url),
        test.name,
        "--part",
        String(part),
        "--continue",
        file,
      ],
      stdout: "piped",
    });
    return verdict(new TextDecoder().decode((await child.output()).stdout).trim(), expected.hash);
  } finally {
    await Deno.remove(file);
  }
}

const VARIANTS: readonly [string, (test: GuestCase, expected: Reference) => Promise<string>][] = [
  ["one-instruction regions", (test, expected) => throughout(test, expected, { cpu: { tier: "single" } })],
  ["regions", (test, expected) => throughout(test, expected, { cpu: { tier: "regions" } })],
  ["auto", (test, expected) => throughout(test, expected, { cpu: { tier: "auto" } })],
  ["stressed regions", (test, expected) => throughout(test, expected, { cpu: STRESSED_REGIONS })],
  ["compiled at random", (test, expected) => throughout(test, expected, { cpu: RANDOM_REGIONS })],
  ["mixed", mixed],
  ["a second run", async (test, expected) => verdict((await reference(test)).hash, expected.hash)],
  ["restored into the same guest", restoredHere],
  ["restored into a new guest", restoredInNewGuest],
  ["restored in another process", throughFile],
  ["reloaded 36 times", reloaded],
  ["slices of 1,000,003", (test, expected) => throughout(test, expected, { slices: [1_000_003] })],
  ["slices of 997 and 20,011", (test, expected) => throughout(test, expected, { slices: [997, 20_011] })],
  ["slices of 7", (test, expected) => inStretches(test, expected, { slices: [7] })],
  ["slices of 1", (test, expected) => inStretches(test, expected, { slices: [1] })],
  [
    "regions in slices of 7",
    (test, expected) => inStretches(test, expected, { slices: [7], cpu: { tier: "regions" } }),
  ],
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
const tests = GUEST_CASES.filter(({ name }) => named.length === 0 || named.includes(name)).map((test) => {
  const instructions = Math.floor(test.instructions * part);
  return { ...test, instructions, stretches: test.stretches.filter(({ from }) => from + 1_000_000 < instructions) };
});
if (args.continue !== undefined) await continueFrom(tests[0], String(args.continue));
else if (await matrix(tests) > 0) Deno.exit(1);
