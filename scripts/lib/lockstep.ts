/** Runs a guest in two ways side by side, and finds the first instruction after which they differ. */
import type { SnapshotContents } from "../../lib/guest/snapshot.ts";
import type { GuestCase } from "./guest_cases.ts";
import { SavedView } from "./saved_view.ts";
import { Subject, type Way } from "./subject.ts";

/** Where two runs of a guest part. */
export interface Parting {
  /** Instructions after which the machines differ for the first time. */
  readonly instructions: number;
  /**
   * The last instructions in common, each with its number and the registers that it changed; the last one retired first
   * on the way to the difference. Compiled code that is stopped within a block is stepped to there: the culprit can be
   * any instruction of the last block.
   */
  readonly trace: readonly string[];
  /** The next instruction of each machine. */
  readonly next: readonly [string, string];
  /** Every register: name and both values. */
  readonly registers: readonly (readonly [string, string, string])[];
  /** What else differs: path or address, and both values. */
  readonly differences: readonly string[];
}

/** Options of {@link runInLockstep} and {@link findParting}. */
export interface LockstepOptions {
  /** Instructions in the trace; default 32. */
  readonly trace?: number;
  /** Instructions between two comparisons; default 20 million. */
  readonly chunk?: number;
  /** Called after each chunk that was equal, with the instructions so far. */
  readonly progress?: (instructions: number) => void;
}

const TRACE = 32, CHUNK = 20_000_000, MOST_DIFFERENCES = 40, PAGE = 4096;

/** Where {@link runInLockstep} came to. */
export interface LockstepResult {
  /** Instructions at the end, or up to where both were equal. */
  readonly instructions: number;
  readonly parting: Parting | null;
  /** Set if the difference did not come again: both states at the end of the chunk, compared. */
  readonly fleeting: readonly string[];
}

/**
 * Runs `test` in both ways from instruction `from` (or its start) to `until` and compares after every chunk. Both begin
 * with what the first one computed by `from`.
 */
export async function runInLockstep(
  test: GuestCase,
  ways: readonly [Way, Way],
  { from = 0, until, ...options }: LockstepOptions & { readonly from?: number; readonly until: number },
): Promise<LockstepResult> {
  const { chunk = CHUNK, progress } = options;
  using pair = await Pair.boot(test, ways);
  pair.one.run(from);
  const start = pair.one.assembly.save();
  pair.load(start);
  let equal = start;
  for (let at = pair.one.instructions; at < until;) {
    const end = Math.min(until, at + chunk);
    pair.run(end);
    if (!pair.equal) {
      const fleeting = compareSaved(pair.one.assembly.save(), pair.other.assembly.save());
      const parting = await findParting(test, equal, end, ways, options) ??
        await replay(test, start, at, end, ways, options);
      return { instructions: at, parting, fleeting };
    }
    if (pair.one.instructions < end) return { instructions: pair.one.instructions, parting: null, fleeting: [] };
    at = end;
    equal = pair.one.assembly.save();
    progress?.(at);
  }
  return { instructions: until, parting: null, fleeting: [] };
}

/** Two machines of the same case. */
class Pair {
  private constructor(readonly one: Subject, readonly other: Subject) {}

  static async boot(test: GuestCase, [first, second]: readonly [Way, Way]): Promise<Pair> {
    return new Pair(await Subject.boot(test, first), await Subject.boot(test, second));
  }

  load(contents: SnapshotContents): void {
    this.one.load(contents);
    this.other.load(contents);
  }

  run(end: number): void {
    this.one.run(end);
    this.other.run(end);
  }

  get equal(): boolean {
    return this.one.assembly.hash() === this.other.assembly.hash();
  }

  [Symbol.dispose](): void {
    this.one[Symbol.dispose]();
    this.other[Symbol.dispose]();
  }
}

/**
 * The first instruction after which two ways to run a case from `start` to instruction `end` differ; null if they do not.
 * Every try starts at `start`, with nothing translated but what outlives loading a snapshot.
 */
export async function findParting(
  test: GuestCase,
  start: SnapshotContents,
  end: number,
  ways: readonly [Way, Way],
  { trace = TRACE }: LockstepOptions = {},
): Promise<Parting | null> {
  using pair = await Pair.boot(test, ways);
  const equalAt = (instructions: number) => {
    pair.load(start);
    pair.run(instructions);
    return pair.equal;
  };
  return await bisect(test, start, end, equalAt, pair, trace);
}

/**
 * As {@link findParting}, but every try runs new machines from the very start by the same chunks: slow, but exactly
 * what happened.
 */
async function replay(
  test: GuestCase,
  start: SnapshotContents,
  equal: number,
  end: number,
  ways: readonly [Way, Way],
  { trace = TRACE, chunk = CHUNK }: LockstepOptions,
): Promise<Parting | null> {
  let pair = await Pair.boot(test, ways);
  try {
    const equalAt = async (instructions: number) => {
      pair[Symbol.dispose]();
      pair = await Pair.boot(test, ways);
      pair.load(start);
      for (let at = pair.one.instructions; at < equal;) pair.run(at = Math.min(equal, at + chunk));
      const before = pair.one.assembly.save();
      pair.run(instructions);
      return { equal: pair.equal, before };
    };
    const { equal: same, before } = await equalAt(end);
    if (same) return null;
    return await bisect(test, before, end, async (instructions) => (await equalAt(instructions)).equal, {
      get one() {
        return pair.one;
      },
      get other() {
        return pair.other;
      },
    }, trace);
  } finally {
    pair[Symbol.dispose]();
  }
}

async function bisect(
  test: GuestCase,
  start: SnapshotContents,
  end: number,
  equalAt: (instructions: number) => boolean | Promise<boolean>,
  pair: Pick<Pair, "one" | "other">,
  trace: number,
): Promise<Parting | null> {
  if (await equalAt(end)) return null;
  let equal = start.machine.cpu.instructions as number, different = end;
  while (different - equal > 1) {
    const middle = Math.floor((equal + different) / 2);
    if (await equalAt(middle)) equal = middle;
    else different = middle;
  }
  await equalAt(different);
  const one = pair.one.assembly.save(), other = pair.other.assembly.save();
  const view = new SavedView(one.machine), otherView = new SavedView(other.machine), registers = otherView.registers();
  return {
    instructions: different,
    trace: await traceTo(test, start, different, trace),
    next: [view.place, otherView.place],
    registers: [...view.registers()].map(([name, value]) => [name, value, registers.get(name) ?? "?"] as const),
    differences: compareSaved(one, other),
  };
}

/** The last `count` instructions before instruction `end`, as the interpreter runs them. */
async function traceTo(test: GuestCase, start: SnapshotContents, end: number, count: number): Promise<string[]> {
  using subject = await Subject.boot(test, { cpu: { tier: "interpreter" } });
  subject.load(start);
  subject.run(Math.max(subject.instructions, end - count));
  const lines: string[] = [];
  let before = new SavedView(subject.assembly.save().machine);
  for (let at = subject.instructions; at < end && subject.instructions === at;) {
    subject.run(++at);
    const after = new SavedView(subject.assembly.save().machine), was = before.registers();
    const changed = [...after.registers()].filter(([name, value]) =>
      was.get(name) !== value && name !== "eip" && name !== "rip"
    );
    lines.push(`${at}  ${before.place.padEnd(72)} ${changed.map(([name, value]) => `${name}=${value}`).join(" ")}`);
    before = after;
  }
  return lines;
}

/** What differs between two snapshots: path or address, then both values. */
export function compareSaved(one: SnapshotContents, other: SnapshotContents): string[] {
  const found: string[] = [];
  const { memory, ...machine } = one.machine, { memory: otherMemory, ...otherMachine } = other.machine;
  compare({ machine, disks: one.disks }, { machine: otherMachine, disks: other.disks }, "", found);
  const pagesOf = ({ pages, data }: typeof memory) =>
    new Map(Array.from(pages, (page, i) => [page, data.subarray(i * PAGE, (i + 1) * PAGE)]));
  const a = pagesOf(memory), b = pagesOf(otherMemory), zero = new Uint8Array(PAGE);
  for (const page of [...new Set([...a.keys(), ...b.keys()])].sort((x, y) => x - y)) {
    const mine = a.get(page) ?? zero, theirs = b.get(page) ?? zero;
    for (let at = 0; at < PAGE; at += 16) {
      const x = mine.subarray(at, at + 16), y = theirs.subarray(at, at + 16);
      if (x.some((value, i) => value !== y[i])) {
        found.push(`memory ${(page * PAGE + at).toString(16)}: ${x.toHex()} / ${y.toHex()}`);
      }
    }
    if (found.length > MOST_DIFFERENCES) break;
  }
  return found.slice(0, MOST_DIFFERENCES);
}

function compare(a: unknown, b: unknown, path: string, found: string[]): void {
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) {
    if (a !== b) found.push(`${path}: ${shown(a)} / ${shown(b)}`);
    return;
  }
  for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
    compare((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key], `${path}.${key}`, found);
  }
}

function shown(value: unknown): string {
  return typeof value === "bigint" ? value.toString(16) + "h" : String(value);
}
