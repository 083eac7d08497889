/** Runs a guest with its inputs in slices of any size, and finds the first instruction after which two runs differ. */
import { decode, disassemble, newInstruction } from "../../lib/cpu/decode/mod.ts";
import { assemble, type Assembly } from "../../lib/guest/boot.ts";
import { settingsOf } from "../../lib/guest/options.ts";
import type { SnapshotContents } from "../../lib/guest/snapshot.ts";
import type { StateValue } from "../../lib/machine/types.ts";
import type { GuestCase } from "./guest_cases.ts";

/** Slice lengths that are used in turn. */
export type Slices = readonly number[];

/** One run is as good as any: no slices at all. */
const WHOLE: Slices = [Infinity];

/** Longest that a guest without anything to do may go on sleeping between two instructions: rounds of many events. */
const MOST_IDLE_ROUNDS = 100;

/** A guest that follows its case's script. */
export class Subject {
  readonly assembly: Assembly;
  readonly #test: GuestCase;
  /** The instruction count up to which inputs have been applied. */
  #applied = -1;

  private constructor(test: GuestCase, assembly: Assembly) {
    this.#test = test;
    this.assembly = assembly;
  }

  /** A new guest, switched on. */
  static async boot(test: GuestCase): Promise<Subject> {
    return new Subject(test, assemble(await settingsOf(test.options)));
  }

  get instructions(): number {
    return this.assembly.machine.instructions;
  }

  /** Puts the guest to where a run of the same case ended. */
  load(contents: SnapshotContents): void {
    this.assembly.load(contents);
    this.#applied = this.instructions - 1;
  }

  /** Runs up to instruction `end` in slices; inputs come when they are due. Stops early if the guest has ended or sleeps for good. */
  run(end: number, slices: Slices = WHOLE): void {
    const { machine } = this.assembly;
    let turn = 0, idle = 0;
    while (machine.instructions < end && machine.ended === undefined && idle < MOST_IDLE_ROUNDS) {
      const now = machine.instructions;
      for (const input of this.#test.inputs) if (input.at === now && now > this.#applied) this.#apply(input);
      this.#applied = now;
      const next = this.#test.inputs.reduce((least, { at }) => at > now && at < least ? at : least, end);
      const going = machine.run(Math.min(slices[turn++ % slices.length], next - now), Infinity);
      if (!going) return;
      idle = machine.instructions === now ? idle + 1 : 0;
    }
  }

  #apply(input: GuestCase["inputs"][number]): void {
    const { machine } = this.assembly;
    if ("serial" in input) machine.serials[0].enqueue(new TextEncoder().encode(input.serial));
    else machine.keyboard.key(input.key, input.down);
  }

  [Symbol.dispose](): void {
    this.assembly.close();
  }
}

/** Where two runs of a stretch part. */
export interface Parting {
  /** Instructions after which the hashes differ for the first time. */
  readonly instructions: number;
  /** The instruction that retired last in common. */
  readonly place: string;
  /** Fields that differ, with both values. */
  readonly fields: readonly string[];
}

/** Compares two ways to run a case from `start` to instruction `end`: the first instruction after which they differ, or null. */
export async function findParting(
  test: GuestCase,
  start: SnapshotContents,
  end: number,
  slices: Slices,
): Promise<Parting | null> {
  using one = await Subject.boot(test);
  using other = await Subject.boot(test);
  const equalAt = (instructions: number) => {
    one.load(start);
    other.load(start);
    one.run(instructions);
    other.run(instructions, slices);
    return one.assembly.hash() === other.assembly.hash();
  };
  if (equalAt(end)) return null;
  let equal = start.machine.cpu.instructions as number, different = end;
  while (different - equal > 1) {
    const middle = Math.floor((equal + different) / 2);
    if (equalAt(middle)) equal = middle;
    else different = middle;
  }
  equalAt(equal);
  const place = placeOf(one.assembly.save());
  equalAt(different);
  return { instructions: different, place, fields: differences(one.assembly.save(), other.assembly.save()) };
}

function numberAt(fields: StateValue, index: number): number {
  return Number((fields as BigUint64Array)[index]);
}

/** RIP and the instruction there, as far as a saved machine without paging shows it. */
function placeOf({ machine }: SnapshotContents): string {
  const { rip, segments, cr0 } = machine.cpu as Record<string, StateValue>;
  const ip = numberAt(rip, 0), base = numberAt(segments, 8), wide = (numberAt(segments, 13) >> 14 & 1) !== 0;
  const where = `linear ${(base + ip).toString(16)}`;
  if ((numberAt(cr0, 0) & 0x8000_0000) !== 0) return `${where} (paging is on)`;
  const page = machine.memory.pages.indexOf(Math.floor((base + ip) / 4096));
  if (page < 0) return where;
  const offset = page * 4096 + (base + ip) % 4096;
  const instruction = newInstruction();
  decode(machine.memory.data, offset, machine.memory.data.length, wide ? 32 : 16, instruction);
  return `${where}: ${disassemble(instruction, ip)}`;
}

/** Fields of two snapshots that differ: path, then both values. */
function differences(one: SnapshotContents, other: SnapshotContents): string[] {
  const found: string[] = [];
  const { memory: pages, ...machine } = one.machine, { memory: otherPages, ...otherMachine } = other.machine;
  compare({ machine, disks: one.disks }, { machine: otherMachine, disks: other.disks }, "", found);
  const index = new Map(Array.from(otherPages.pages, (page, i) => [page, i]));
  pages.pages.forEach((page, i) => {
    const a = pages.data.subarray(i * 4096, (i + 1) * 4096), at = index.get(page);
    const b = at === undefined ? new Uint8Array(4096) : otherPages.data.subarray(at * 4096, (at + 1) * 4096);
    const byte = a.findIndex((value, n) => value !== b[n]);
    if (byte >= 0) found.push(`memory ${(page * 4096 + byte).toString(16)}: ${hex(a, byte)} / ${hex(b, byte)}`);
  });
  return found.slice(0, 40);
}

function hex(bytes: Uint8Array, from: number): string {
  return Array.from(bytes.subarray(from, from + 8), (byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

function compare(a: unknown, b: unknown, path: string, found: string[]): void {
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) {
    if (a !== b) found.push(`${path}: ${a} / ${b}`);
    return;
  }
  for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
    compare((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key], `${path}.${key}`, found);
  }
}
