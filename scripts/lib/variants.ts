/** Ways to run a guest that must not matter, each compared with hashes of the interpreter's run. */
import { fileURLToPath } from "node:url";
import type { CpuOptions, Tier } from "../../lib/cpu/options.ts";
import { Snapshot, type SnapshotContents } from "../../lib/guest/snapshot.ts";
import type { GuestCase } from "./guest_cases.ts";
import { findParting } from "./lockstep.ts";
import { Subject, type Way } from "./subject.ts";

/** An instruction of a run, and the machine's hash there. */
export interface Mark {
  readonly at: number;
  readonly hash: string;
}

/** Part of a run of the interpreter in one go. */
export interface Section {
  /** The state at its start; undefined: power-on. */
  readonly start?: SnapshotContents;
  readonly from: number;
  /** Instants in it, the last one its end. */
  readonly marks: readonly Mark[];
}

/**
 * Which parts of a run a way is tried on: on the whole run, on its second half, on every leg (of a short run there is
 * one, which is all of it), or on the short stretches.
 */
export type Part = "whole" | "half" | "leg" | "stretch";

/** A way to run a guest. */
export interface Variant {
  readonly name: string;
  readonly part: Part;
  /** Runs a section and says where it parts from the interpreter's run; "" if nowhere. */
  run(test: GuestCase, section: Section): Promise<string>;
}

/** What the others are compared with: interpreted in one go. */
export const REFERENCE: Way = { cpu: { tier: "interpreter" } };

/** Regions that are thrown away all the time, with hardly a TLB. */
const STRESSED_REGIONS: CpuOptions = { tier: "regions", stress: { tlbEntries: 8, evictEvery: 7 } };
const STRESSED_SINGLE: CpuOptions = { tier: "single", stress: { tlbEntries: 2 } };

/** Of a leg of a long run, what the ways run that translate everything, and again and again. */
const SLOW = 5_000_000;

/** Instructions at which hashes are compared in a leg, as parts of it; those of a short run have equal distances. */
export function marksOf(test: GuestCase, { from, length }: { from: number; length: number }): number[] {
  const parts = test.legs === undefined ? [1, 2, 3, 4, 5, 6, 7, 8] : [1, 2, 4, 8];
  return parts.map((part) => Math.floor(from + length * part / 8));
}

/** A machine at the start of a section. */
async function begin(test: GuestCase, { start }: Section, way?: Way): Promise<Subject> {
  const subject = await Subject.boot(test, way);
  if (start !== undefined) subject.load(start);
  return subject;
}

/** Runs a section in another way and says where it parts from the reference at a mark; "" if nowhere. */
async function walk(test: GuestCase, section: Section, way: Way): Promise<string> {
  using subject = await begin(test, section, way);
  let last = section.start ?? subject.assembly.save();
  for (const { at, hash } of section.marks) {
    subject.run(at);
    if (subject.assembly.hash() !== hash) return await explain(test, last, at, way);
    last = subject.assembly.save();
  }
  return "";
}

async function explain(test: GuestCase, start: SnapshotContents, end: number, way: Way): Promise<string> {
  const parting = await findParting(test, start, end, [REFERENCE, way]);
  if (parting === null) {
    return `differs by instruction ${end}, but not when run from the mark before (see scripts/lockstep.ts)`;
  }
  const { instructions, trace, differences } = parting;
  return [`differs after ${instructions}`, ...trace.slice(-3), ...differences].join("\n    ");
}

/** The start of a section, for ways that are slow; of a short run all of it. */
function slowPart(test: GuestCase, section: Section): Section {
  if (test.legs === undefined) return section;
  return { ...section, marks: section.marks.filter(({ at }) => at <= section.from + SLOW) };
}

/** Moves the guest from tier to tier by snapshots. */
async function mixed(test: GuestCase, section: Section): Promise<string> {
  const tiers: readonly Tier[] = ["single", "interpreter", "regions", "auto"];
  let contents = section.start;
  for (const [i, { at, hash }] of section.marks.entries()) {
    const way = { cpu: { tier: tiers[i % tiers.length] } };
    using subject = await Subject.boot(test, way);
    const start = contents ?? subject.assembly.save();
    subject.load(start);
    subject.run(at);
    if (subject.assembly.hash() !== hash) return await explain(test, start, at, way);
    contents = subject.assembly.save();
  }
  return "";
}

function verdict(found: string, { hash }: Mark): string {
  return found === hash ? "" : `hash ${found} instead of ${hash}`;
}

/** The end of a section. */
function endOf({ marks }: Section): Mark {
  return marks[marks.length - 1];
}

/** Goes on too far, and back to a snapshot of the same guest. */
async function restoredHere(test: GuestCase, section: Section): Promise<string> {
  using subject = await begin(test, section);
  const end = endOf(section), length = end.at - section.from;
  subject.run(section.from + Math.floor(length / 2));
  const contents = subject.assembly.save();
  subject.run(section.from + Math.floor(length * 0.6));
  subject.load(contents);
  subject.run(end.at);
  return verdict(subject.assembly.hash(), end);
}

/** Saves and loads in place, again and again: nothing may depend on what is cached beside the state. */
async function reloaded(test: GuestCase, section: Section): Promise<string> {
  using subject = await begin(test, section);
  const end = endOf(section), times = test.legs === undefined ? 37 : 5;
  const step = Math.ceil((end.at - section.from) / times);
  for (let at = section.from + step; at < end.at; at += step) {
    subject.run(at);
    subject.load(subject.assembly.save());
  }
  subject.run(end.at);
  return verdict(subject.assembly.hash(), end);
}

/** Goes on in another process, from a file. */
async function throughFile(test: GuestCase, section: Section): Promise<string> {
  if (section.start === undefined) throw new RangeError("power-on needs no snapshot");
  const file = await Deno.makeTempFile({ suffix: ".snapshot" }), end = endOf(section);
  try {
    await new Snapshot(section.start).save(file);
    const script = fileURLToPath(new URL("../determinism.ts", import.meta.url));
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-check", "--allow-read", script, test.name, "--continue", file, "--until", String(end.at)],
      stdout: "piped",
    });
    return verdict(new TextDecoder().decode((await child.output()).stdout).trim(), end);
  } finally {
    await Deno.remove(file);
  }
}

/** The other process: continues a snapshot from a file up to instruction `until` and returns the hash. */
export async function continueFrom(test: GuestCase, file: string, until: number): Promise<string> {
  using subject = await Subject.boot(test);
  subject.load((await Snapshot.open(file)).contents);
  subject.run(until);
  return subject.assembly.hash();
}

function walking(name: string, part: Part, way: Way): Variant {
  return { name, part, run: (test, section) => walk(test, section, way) };
}

function slowly(name: string, way: Way): Variant {
  return { name, part: "leg", run: (test, section) => walk(test, slowPart(test, section), way) };
}

/** Code is translated at random instants, drawn anew for each leg. */
function atRandom(test: GuestCase, section: Section): Promise<string> {
  const compileSeed = 1 + (test.legs ?? []).findIndex(({ from }) => from === section.from);
  return walk(test, section, { cpu: { tier: "auto", stress: { compileSeed, evictEvery: 100 } } });
}

/** Every way. */
export const VARIANTS: readonly Variant[] = [
  walking("auto, from power-on", "whole", { cpu: { tier: "auto" } }),
  walking("interpreter", "leg", REFERENCE),
  slowly("one-instruction regions", { cpu: { tier: "single" } }),
  slowly("one-instruction regions, two TLB entries", { cpu: STRESSED_SINGLE }),
  walking("regions", "leg", { cpu: { tier: "regions" } }),
  slowly("regions, tiny TLB and eviction", { cpu: STRESSED_REGIONS }),
  walking("auto", "leg", { cpu: { tier: "auto" } }),
  { name: "translated at random", part: "leg", run: atRandom },
  { name: "from tier to tier", part: "leg", run: mixed },
  { name: "restored into the same guest", part: "leg", run: restoredHere },
  { name: "reloaded again and again", part: "leg", run: reloaded },
  { name: "restored in another process", part: "half", run: throughFile },
  walking("slices of 1,000,003", "leg", { slices: [1_000_003] }),
  walking("slices of 997 and 20,011", "leg", { slices: [997, 20_011] }),
  walking("slices of 7", "stretch", { slices: [7] }),
  walking("slices of 1", "stretch", { slices: [1] }),
  walking("regions in slices of 7", "stretch", { slices: [7], cpu: { tier: "regions" } }),
];
