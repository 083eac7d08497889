/**
 * Finds loops that walk through memory in fixed steps. Such a loop is written twice: in strips of rounds of which it is known before
 * the first one that they fit into the budget, and that what they walk through lies in pages that may be accessed, so that neither is looked
 * at again; and once more like other loops, for the rounds in between.
 */
import { isFlatAccess } from "../emit/base.ts";
import type { CodeMode } from "../emit/emitter.ts";
import { accessesMemory, writesMemory } from "./access_groups.ts";
import type { RegionInstruction } from "./region_instruction.ts";
import { countOf, type RegionGraph } from "./region_graph.ts";
import type { RegisterFlow } from "./register_flow.ts";
import { advance, letsOthersRun, RegisterValues } from "./register_values.ts";
import { timesOf } from "./unrolling.ts";

/** Largest loop, and how much may be written twice in a region, in instructions. */
const MOST_INSTRUCTIONS = 40, MOST_IN_REGION = 200;
/** Most walks of a loop: each has a local. */
const MOST_STREAMS = 4;
/** Longest step, and most bytes that a round may access around one place. */
const LONGEST_STEP = 1024, MOST_BYTES = 1024;
const GENERAL = 16, ALL = (1 << GENERAL) - 1, UNKNOWN = -1;

/** Accesses of a loop at fixed distances from an address that moves by the same step in every round. */
export interface Stream {
  /** The address that moves: registers, -1 for none, as they are where a round begins. */
  readonly base: number;
  readonly index: number;
  readonly scale: number;
  readonly step: number;
  /** Distance of the first byte that a round accesses, and how many there are. */
  low: number;
  bytes: number;
  writes: boolean;
  /** Local: what is to be added to addresses to get host offsets; -1 if there is none yet. */
  local: number;
}

/** An access that belongs to a stream. */
export interface StreamedAccess {
  readonly stream: Stream;
  readonly bytes: number;
}

/** A loop, by its nodes in the graph without strips. */
export interface StripLoop {
  /** Where a round begins: the first of the nodes. */
  readonly header: number;
  readonly nodes: readonly number[];
  readonly streams: readonly Stream[];
  /**
   * What strips have instead of each node, in order, and over again if what they count as one round is several of the loop: the accesses by
   * instruction and operand.
   */
  readonly accesses: readonly ReadonlyMap<RegionInstruction, ReadonlyMap<number, StreamedAccess>>[];
  /** Fewest instructions of what strips count as a round. */
  readonly shortest: number;
}

interface Found {
  /** Which of the nodes of a strip it is in. */
  readonly place: number;
  readonly current: RegionInstruction;
  readonly operand: number;
  readonly base: number;
  readonly index: number;
  readonly scale: number;
  readonly at: number;
  readonly bytes: number;
  readonly write: boolean;
}

/** What strips of a loop consist of: its nodes, several times where it is a short one. */
interface Rounds {
  readonly header: number;
  readonly nodes: readonly number[];
  readonly times: number;
}

/** What is known where ways meet. */
function meet(a: RegisterValues | undefined, b: RegisterValues): RegisterValues {
  const both = new RegisterValues();
  both.assign(b);
  for (let register = 0; a && register < GENERAL; register++) {
    const same = a.number[register] === b.number[register] && a.constant[register] === b.constant[register];
    if (!same) both.number[register] = UNKNOWN;
  }
  return both;
}

function forget(values: RegisterValues): (mask: number) => void {
  return (mask) => {
    for (let register = 0; register < GENERAL; register++) {
      if ((mask & (1 << register)) !== 0) values.number[register] = UNKNOWN;
    }
  };
}

class StripFinder {
  readonly #region: RegionGraph;
  readonly #registers: RegisterFlow;
  readonly #mode: CodeMode;

  constructor(region: RegionGraph, registers: RegisterFlow, mode: CodeMode) {
    this.#region = region;
    this.#registers = registers;
    this.#mode = mode;
  }

  find(): StripLoop[] {
    const loops: StripLoop[] = [];
    let room = MOST_IN_REGION;
    for (const header of this.#region.analysis.headers) {
      for (const nodes of this.#loopsAt(header)) {
        const count = this.#count(nodes);
        if (count > Math.min(room, MOST_INSTRUCTIONS)) continue;
        const loop = this.#streams(header, nodes);
        if (!loop) continue;
        loops.push(loop);
        room -= count;
        break;
      }
    }
    return loops;
  }

  #count(nodes: readonly number[]): number {
    return nodes.reduce((sum, node) => sum + countOf(this.#region.block(node)!), 0);
  }

  /**
   * The nodes, in order, of loops at a header that may have strips: all ways round together, then each by itself, the shortest first, since
   * most rounds often go by the shortest way; not so where a jump picks another one each time.
   */
  #loopsAt(header: number): number[][] {
    if (!this.#region.block(header)) return [];
    const { position, predecessors } = this.#region.analysis, bodies: Set<number>[] = [];
    for (const latch of predecessors[header]) {
      const body = position[latch] < position[header] ? null : this.#bodyOf(header, latch);
      if (body) bodies.push(body);
    }
    if (bodies.length === 0) return [];
    const all = bodies.reduce((sum, body) => sum.union(body));
    const single = bodies.filter((body) => body.size < all.size && !this.#picks(body));
    const inOrder = (nodes: Set<number>) => [...nodes].sort((a, b) => position[a] - position[b]);
    return [inOrder(all), ...single.map(inOrder).sort((a, b) => this.#count(a) - this.#count(b))];
  }

  /** True if a jump of one of the nodes picks the way. */
  #picks(nodes: Iterable<number>): boolean {
    for (const node of nodes) if (this.#region.block(node)?.instructions.at(-1)?.flow === "indirect") return true;
    return false;
  }

  /** The nodes on the ways from a header to where control comes back from; null if they do not suit. */
  #bodyOf(header: number, latch: number): Set<number> | null {
    const { headers } = this.#region.analysis, nodes = new Set<number>(), work = [header, latch];
    let left = MOST_INSTRUCTIONS;
    for (let node = work.pop(); node !== undefined; node = work.pop()) {
      if (nodes.has(node)) continue;
      const block = this.#region.block(node);
      if (!block || (node !== header && headers.has(node)) || block.instructions.some(letsOthersRun)) return null;
      left -= block.instructions.length;
      if (left < 0) return null;
      nodes.add(node);
      if (node !== header) work.push(...this.#region.analysis.predecessors[node]);
    }
    return nodes;
  }

  /** What the registers hold before each instruction of a strip, in terms of what they hold where a round begins. */
  #follow(
    { header, nodes, times }: Rounds,
    visit: (place: number, current: RegionInstruction, values: RegisterValues) => void,
  ): RegisterValues {
    let begin = new RegisterValues();
    for (let register = 0; register < GENERAL; register++) begin.number[register] = register;
    for (let time = 0; time < times; time++) {
      const before = new Map([[header, begin]]), behind = new Map<number, RegisterValues>();
      nodes.forEach((node, i) => {
        const values = before.get(node)!, { instructions } = this.#region.block(node)!;
        for (const current of instructions) {
          visit(time * nodes.length + i, current, values);
          advance(current, values, this.#registers.use(current).written & ALL, this.#mode.code, forget(values));
        }
        for (const { target } of this.#region.graph.successors[node]) {
          const places = target === header ? behind : before;
          if (nodes.includes(target)) places.set(target, meet(places.get(target), values));
        }
      });
      begin = behind.get(header)!;
    }
    return begin;
  }

  #streams(header: number, nodes: readonly number[]): StripLoop | null {
    const times = nodes.length === 1 ? timesOf(this.#region.block(header)!) : 1, found: Found[] = [];
    // Accesses that look at pages in strips, too.
    let others = 0, streamed = 0;
    const end = this.#follow({ header, nodes, times }, (place, current, values) => {
      current.instruction.operands.forEach((operand, i) => {
        if (operand.kind !== "mem" || !accessesMemory(current.instruction.mnemonic)) return;
        const access = this.#access(place, current, i, values);
        if (access) found.push(access);
        else others++;
      });
    });
    const stepOf = (register: number) => {
      if (register < 0) return 0;
      return end.number[register] === register ? end.constant[register] : NaN;
    };
    const streams = new Map<string, Stream>();
    const accesses = Array.from(
      { length: nodes.length * times },
      () => new Map<RegionInstruction, Map<number, StreamedAccess>>(),
    );
    for (const { place, current, operand, base, index, scale, at, bytes, write } of found) {
      const step = stepOf(base) + stepOf(index) * scale;
      if (step === 0) continue;
      const key = `${base}+${index}*${scale}`,
        stream = streams.get(key) ??
          { base, index, scale, step, low: at, bytes, writes: false, local: -1 };
      const low = Math.min(stream.low, at), end = Math.max(stream.low + stream.bytes, at + bytes);
      if (!(Math.abs(step) <= LONGEST_STEP) || end - low > MOST_BYTES) {
        others++;
        continue;
      }
      streams.set(key, stream);
      streamed++;
      stream.low = low;
      stream.bytes = end - low;
      stream.writes ||= write;
      let operands = accesses[place].get(current);
      if (!operands) accesses[place].set(current, operands = new Map());
      operands.set(operand, { stream, bytes });
    }
    if (streamed <= others || streams.size > MOST_STREAMS) return null;
    const shortest = this.#shortest(header, nodes) * times;
    return { header, nodes, streams: [...streams.values()], accesses, shortest };
  }

  /** An operand in memory, by what registers hold where a round begins. */
  #access(place: number, current: RegionInstruction, i: number, values: RegisterValues): Found | null {
    const { instruction: { mnemonic, operands }, varying } = current, operand = operands[i];
    if (operand.kind !== "mem" || varying) return null;
    const { base, index, scale, disp, size, segment, addressSize, disp64 } = operand;
    if (addressSize !== this.#mode.code || disp64 !== undefined || !isFlatAccess(this.#mode, segment)) return null;
    if (size !== 8 && size !== 16 && size !== 32 && size !== 64 && size !== 128) return null;
    if (base >= GENERAL) return null;
    const number = (register: number) => register < 0 ? -1 : values.number[register];
    const constant = (register: number) => register < 0 ? 0 : values.constant[register];
    if ((base >= 0 && number(base) === UNKNOWN) || (index >= 0 && number(index) === UNKNOWN)) return null;
    const sum = disp + constant(base) + constant(index) * scale, at = this.#mode.code === 64 ? sum : sum | 0;
    const write = writesMemory(mnemonic, i);
    return { place, current, operand: i, base: number(base), index: number(index), scale, at, bytes: size / 8, write };
  }

  #shortest(header: number, nodes: readonly number[]): number {
    const least = new Map<number, number>(), { successors } = this.#region.graph;
    for (const node of nodes.toReversed()) {
      let rest = Infinity;
      for (const { target } of successors[node]) {
        rest = Math.min(rest, target === header ? 0 : least.get(target) ?? Infinity);
      }
      least.set(node, rest + countOf(this.#region.block(node)!));
    }
    return least.get(header)!;
  }
}

/** The loops of a region that are worth strips. */
export function findStrips(region: RegionGraph, registers: RegisterFlow, mode: CodeMode): StripLoop[] {
  if (mode.code === 16 || (mode.code === 32 && !mode.flat) || region.analysis.headers.size === 0) return [];
  return new StripFinder(region, registers, mode).find();
}
