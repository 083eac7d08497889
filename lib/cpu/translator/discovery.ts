/** Finds the code of a region: from its root along direct jumps, as far as it is worth it. */
import { PAGE_SHIFT, PAGE_SIZE } from "../../machine/memory.ts";
import { type Instruction, MAX_LENGTH, newInstruction } from "../decode/mod.ts";
import type { CodeMode } from "../emit/emitter.ts";
import type { ModelDecoder } from "../model_decoder.ts";
import { definitionFor } from "../semantics/mod.ts";
import { jumpTable } from "./jump_tables.ts";
import { type Flow, flowOf, RegionInstruction } from "./region_instruction.ts";
import { fixedBytes, varyingConstants } from "./varying.ts";

/** Straight-line code of a region. */
export interface RegionBlock {
  readonly ip: number;
  readonly instructions: readonly RegionInstruction[];
}

/** What discovery asks about the guest. */
export interface CodeView {
  readonly mode: CodeMode;
  /** Of the processor's model: what it lacks is undefined. */
  readonly decode: ModelDecoder;
  readonly bytes: Uint8Array;
  /**
   * Host offset of the code byte at an offset in CS, -1 if that is not known: translating must not walk page tables as
   * accesses do, because such walks leave traces.
   */
  host(ip: number): number;
  /** Host offset of data at a linear address, -1 if that is not known. */
  data(linear: number): number;
  /** True if execution has been seen to arrive at an offset often enough. */
  executed(ip: number): boolean;
  /** True if the instruction at a host offset gets new constants again and again. */
  varies(host: number): boolean;
  /** True if the instruction is one that the interpreter has to execute, although it does not end a block. */
  interpreted(instruction: Instruction): boolean;
  /** Targets that an indirect jump at an offset has been seen to go to. */
  indirectTargets(ip: number): readonly number[];
  /** True if a region begins at an offset. */
  isRoot(ip: number): boolean;
}

/** How far discovery goes. */
export interface Limits {
  readonly instructions: number;
  readonly blocks: number;
}

/** The code of a region. */
export interface RegionCode {
  /** The root first. */
  readonly blocks: readonly RegionBlock[];
}

/** True if the following instruction lies in the next page: that may be gone when the region runs. */
function endsPage({ host, instruction }: RegionInstruction): boolean {
  return (host & (PAGE_SIZE - 1)) + instruction.length >= PAGE_SIZE;
}

/** True if control never goes on behind an instruction of this kind within the block. */
function ends(flow: Flow): boolean {
  return flow !== "next";
}

const NONE: readonly number[] = [];

/** Where control goes from an instruction, as far as that is known, as offsets in CS. */
export function waysFrom({ flow, target, targets, next }: RegionInstruction): readonly number[] {
  switch (flow) {
    case "jump":
      return [target];
    case "branch":
      return [target, next];
    case "indirect":
      return targets;
    case "return":
    case "interpret":
      return NONE;
    default:
      return [next];
  }
}

class Discovery {
  readonly #view: CodeView;
  readonly #limits: Limits;
  readonly #found = new Map<number, RegionInstruction>();
  readonly #leaders = new Set<number>();
  readonly #pending: number[] = [];
  /** Bytes of an instruction in two pages. */
  readonly #straddle = new Uint8Array(2 * MAX_LENGTH);
  readonly #root: number;
  readonly #endsAtRoots: boolean;
  /** There was more than the limits allow. */
  isCut = false;

  /** `endsAtRoots`: what other regions begin with is not followed. */
  constructor(root: number, view: CodeView, limits: Limits, endsAtRoots: boolean) {
    this.#root = root;
    this.#view = view;
    this.#limits = limits;
    this.#endsAtRoots = endsAtRoots;
  }

  run(): RegionCode | null {
    const root = this.#root;
    this.#arrive(root);
    for (let i = 0; i < this.#pending.length; i++) this.#trace(this.#pending[i]);
    if (!this.#found.has(root)) return null;
    const roots = [root, ...[...this.#leaders].filter((ip) => ip !== root && this.#found.has(ip))];
    return { blocks: roots.map((ip) => this.#block(ip)) };
  }

  #arrive(ip: number): void {
    if (this.#leaders.has(ip) || this.#isElsewhere(ip)) return;
    if (this.#leaders.size >= this.#limits.blocks) {
      this.isCut = true;
      return;
    }
    this.#leaders.add(ip);
    this.#pending.push(ip);
  }

  #arriveIfExecuted(ip: number): void {
    if (this.#found.has(ip) || this.#view.executed(ip)) this.#arrive(ip);
  }

  /** True if an offset is another region's to execute. */
  #isElsewhere(ip: number): boolean {
    return this.#endsAtRoots && ip !== this.#root && this.#view.isRoot(ip);
  }

  #trace(start: number): void {
    let ip = start;
    while (!this.#found.has(ip)) {
      if (this.#isElsewhere(ip)) return;
      if (this.#found.size >= this.#limits.instructions) {
        this.isCut = true;
        return;
      }
      const found = this.#decode(ip);
      if (!found) return;
      this.#found.set(ip, found);
      if (ends(found.flow)) return this.#successors(found);
      ip = found.next;
      if (endsPage(found)) return this.#arriveIfExecuted(ip);
    }
    // Another way leads into code that is there already: it starts a block.
    this.#leaders.add(ip);
  }

  #successors(found: RegionInstruction): void {
    if (found.flow === "indirect") { for (const target of found.targets) this.#arrive(target); }
    else for (const way of waysFrom(found).toReversed()) this.#arriveIfExecuted(way);
  }

  #decode(ip: number): RegionInstruction | null {
    const { mode, bytes, decode } = this.#view, host = this.#view.host(ip);
    if (host < 0) return null;
    const instruction = newInstruction(), frameEnd = ((host >>> PAGE_SHIFT) + 1) * PAGE_SIZE;
    let tail = -1;
    if (decode(bytes, host, frameEnd, mode.code, instruction) !== "ok") {
      tail = this.#decodeStraddling(ip, host, frameEnd, instruction);
      if (tail < 0) return null;
    }
    const definition = definitionFor(instruction);
    const flow = this.#view.interpreted(instruction) ? "interpret" : flowOf(definition, instruction);
    const targets = flow === "indirect" ? this.#targetsOf(ip, instruction) : NONE;
    const table = jumpTable(instruction, targets, this.#view);
    const varying = tail < 0 && this.#view.varies(host) ? varyingConstants(instruction) : null;
    return new RegionInstruction(instruction, definition, ip, host, tail, flow, targets, table, varying, mode);
  }

  /**
   * Where an indirect jump is taken to lead. A jump by a register that is all there is of a function, as systems have it for calls
   * of other functions in many places, would have those in its region, and each has one of its own.
   */
  #targetsOf(ip: number, { operands }: Instruction): readonly number[] {
    const targets = this.#view.indirectTargets(ip);
    return ip === this.#root && operands[0].kind === "reg" && targets.length > 1 ? NONE : targets;
  }

  /** Decodes an instruction that reaches into the next page; returns where that page is, -1 if there is no such instruction. */
  #decodeStraddling(ip: number, host: number, frameEnd: number, instruction: Instruction): number {
    const { mode, bytes, decode } = this.#view, head = frameEnd - host;
    if (head >= MAX_LENGTH) return -1;
    const tail = this.#view.host(mode.code === 64 ? ip + head : (ip + head) % 2 ** 32);
    if (tail < 0) return -1;
    this.#straddle.set(bytes.subarray(host, frameEnd));
    this.#straddle.set(bytes.subarray(tail, tail + MAX_LENGTH), head);
    const decoded = decode(this.#straddle, 0, head + MAX_LENGTH, mode.code, instruction);
    return decoded === "ok" && instruction.length > head ? tail : -1;
  }

  #block(ip: number): RegionBlock {
    const instructions: RegionInstruction[] = [];
    for (let at = ip;;) {
      const found = this.#found.get(at);
      if (!found || (at !== ip && this.#leaders.has(at))) break;
      instructions.push(found);
      if (ends(found.flow) || endsPage(found)) break;
      at = found.next;
    }
    return { ip, instructions };
  }
}

/**
 * The code that belongs to the region at `root`; null if its first instruction is not known or not translated. If there is more than it
 * may have, it ends where other regions begin: else every piece of a loop that is too long for one would have as much as it may.
 */
export function discover(root: number, view: CodeView, limits: Limits): RegionCode | null {
  const all = new Discovery(root, view, limits, false);
  let code = all.run();
  if (all.isCut) code = new Discovery(root, view, limits, true).run();
  return code !== null && code.blocks[0].instructions[0].flow !== "interpret" ? code : null;
}

/** Host ranges of the bytes that a region is translated for, none across frames. */
export function rangesOf(code: RegionCode): { start: number; end: number }[] {
  const ranges: { start: number; end: number }[] = [];
  for (const { instructions } of code.blocks) {
    for (const { host, tail, instruction, varying } of instructions) {
      for (const piece of fixedBytes(instruction, varying)) {
        const last = ranges.at(-1), start = host + piece.start, all = host + piece.end;
        const end = tail < 0 ? all : (host | (PAGE_SIZE - 1)) + 1;
        if (last?.end === start && last.start >>> PAGE_SHIFT === start >>> PAGE_SHIFT) last.end = end;
        else ranges.push({ start, end });
        if (tail >= 0) ranges.push({ start: tail, end: tail + all - end });
      }
    }
  }
  return ranges;
}

/** Offsets in CS to which direct ways lead out of a region. */
export function exitsOf(code: RegionCode): number[] {
  const inside = new Set(code.blocks.map(({ ip }) => ip)), exits = new Set<number>();
  for (const { instructions } of code.blocks) {
    const last = instructions.at(-1);
    if (!last || last.flow === "indirect") continue;
    for (const way of waysFrom(last)) if (!inside.has(way)) exits.add(way);
  }
  return [...exits];
}
