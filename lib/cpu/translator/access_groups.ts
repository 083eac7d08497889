/**
 * Finds accesses to memory that lie at fixed distances from one another: variables on the stack, fields behind one pointer, static
 * variables; or anywhere in a table whose index is a byte. The first of a group asks for all of it whether it lies in one page that may
 * be accessed; the others need not ask.
 *
 * What is found here is what to try: while the region is written, {@link AccessGroups.established} tells where a group has been asked for
 * on every way.
 */
import { PAGE_SIZE } from "../../machine/memory.ts";
import type { MemoryOperand } from "../decode/instruction.ts";
import type { CodeMode } from "../emit/emitter.ts";
import { isFlatAccess } from "../emit/base.ts";
import { R } from "../state.ts";
import type { RegionPlan } from "./region.ts";
import type { RegionInstruction } from "./region_instruction.ts";
import type { RegionGraph } from "./region_graph.ts";
import type { RegisterFlow } from "./register_flow.ts";
import { READ_ONLY_FIRST } from "./register_use.ts";
import { letsOthersRun, type RegisterValues, ValueFlow } from "./register_values.ts";
import { LARGEST, smallAfter } from "./small_registers.ts";

/**
 * Bytes from the beginning of a group to its end, at most: what crosses the end of a page is the interpreter's. Other pointers than that
 * of the stack walk through memory, and so across the ends of pages: it pays for so many accesses.
 */
const MOST_BYTES = 256, MOST_BYTES_AT_POINTER = 64, FEWEST_AT_POINTER = 3;
/** Most groups of a region: each has a local, and all locals meet where ways meet. */
const MOST_GROUPS = 24;
/** Stands for the operand's index where the stack is accessed. */
export const STACK = -1;

/** Accesses that are asked for at once. */
export interface AccessGroup {
  /** Distance of its first byte from what the accesses' {@link GroupedAccess.at} count from, and its bytes. */
  readonly low: number;
  readonly bytes: number;
  /** Asks for permission to write even where the first access is a read. */
  readonly writes: boolean;
  /** Changes with everything that may take a permission away. */
  readonly epoch: number;
  /** The nodes in which it is asked for so far, and whether also for permission to write. */
  readonly established: { readonly node: number; readonly write: boolean }[];
  /** Local for the host offset of its first byte; -1 if it has none yet. */
  local: number;
}

/** What is added to the address of an access that does not always lie at the same place of its group. */
export interface TableIndex {
  /** The register that points to the table, -1 for none. */
  readonly base: number;
  /** A general register that holds a byte, and what that is multiplied by. */
  readonly register: number;
  readonly scale: number;
}

/** An access that belongs to a group. */
export interface GroupedAccess {
  readonly group: AccessGroup;
  /** Distance of its address, without the index, from what the group's counts from. */
  readonly at: number;
  readonly index: TableIndex | null;
  readonly bytes: number;
}

/** An access as it is found. */
interface Found {
  readonly node: number;
  readonly current: RegionInstruction;
  readonly operand: number;
  readonly at: number;
  readonly index: TableIndex | null;
  readonly bytes: number;
  readonly write: boolean;
}

/** What addresses are counted from: the stack pointer, 0, or what another register holds; or the beginning of a small table. */
type Base = "stack" | "static" | "pointer" | "table";

/** Accesses at fixed distances from one another. */
interface Family {
  readonly epoch: number;
  readonly base: Base;
  readonly accesses: Found[];
}

/** Instructions with operands in memory that they do not access. */
const NO_ACCESS = new Set(["lea", "nop", "invlpg"]);

/** Instructions of the x87 unit that read their operand in memory. */
const READS = new Set(
  "fld fild fadd fmul fsub fsubr fdiv fdivr fiadd fimul fisub fisubr fidiv fidivr fcom fcomp ficom ficomp fldcw".split(
    " ",
  ),
);

/** True if an instruction accesses its operand in memory. */
export function accessesMemory(mnemonic: string): boolean {
  return !NO_ACCESS.has(mnemonic) && !mnemonic.startsWith("prefetch");
}

/** True if an instruction that accesses memory by an operand may write there. */
export function writesMemory(mnemonic: string, operand: number): boolean {
  return operand === 0 && !READ_ONLY_FIRST.has(mnemonic) && !READS.has(mnemonic);
}

/** Where an operand in memory lies in a small table; null if it is not known to lie in one. */
function tableIndexOf({ base, index, scale }: MemoryOperand, small: number): TableIndex | null {
  const isSmall = (register: number) => register >= 0 && register < 16 && (small & (1 << register)) !== 0;
  if (base === 16 || base === index) return null;
  if (isSmall(index)) return { base, register: index, scale };
  return isSmall(base) && (index < 0 || scale === 1) ? { base: index, register: base, scale: 1 } : null;
}

/** The groups of a region. */
export class AccessGroups {
  readonly #mode: CodeMode;
  readonly #split: ReadonlyMap<number, number> | undefined;
  /** By node: where it begins and ends in a walk through the tree of dominators. */
  readonly #first: Int32Array;
  readonly #last: Int32Array;
  readonly #groups: AccessGroup[] = [];
  readonly #grouped = new Map<RegionInstruction, Map<number, GroupedAccess>>();
  readonly #epochs = new Map<RegionInstruction, number>();

  /** `split` as {@link RegionPlan.split}. */
  constructor(region: RegionGraph, registers: RegisterFlow, mode: CodeMode, split?: RegionPlan["split"]) {
    this.#mode = mode;
    this.#split = split === "apart" ? undefined : split;
    this.#first = new Int32Array(region.size);
    this.#last = new Int32Array(region.size);
    if (split === "apart" || mode.code === 16 || mode.stack !== mode.code || (mode.code === 32 && !mode.flat)) return;
    this.#number(region);
    const families = new Map<string, Family>();
    let last = -1, small = 0;
    new ValueFlow(region, registers, mode).follow((node, current, values) => {
      this.#epochs.set(current, values.epoch);
      if (node !== last) small = 0;
      this.#find(families, node, current, values, small);
      small = smallAfter(current, registers.use(current), small);
      last = node;
    });
    for (const family of families.values()) {
      if (family.base === "table") this.#makeTable(family);
      else if (family.accesses.length > 1) this.#divide(family);
    }
  }

  /** Walks through the tree of dominators. */
  #number({ analysis: { dominated } }: RegionGraph): void {
    const work = [{ node: 0, next: 0 }];
    let time = 0;
    while (work.length > 0) {
      const top = work[work.length - 1], child = dominated[top.node][top.next++];
      if (child !== undefined) {
        this.#first[child] = ++time;
        work.push({ node: child, next: 0 });
      } else {
        this.#last[top.node] = time;
        work.pop();
      }
    }
  }

  #dominates(node: number, other: number): boolean {
    return this.#first[node] <= this.#first[other] && this.#first[other] <= this.#last[node];
  }

  // ---- finding

  /** `small` are registers that hold a byte, as a mask. */
  #find(
    families: Map<string, Family>,
    node: number,
    current: RegionInstruction,
    values: RegisterValues,
    small: number,
  ): void {
    const { instruction, flow } = current, { mnemonic, operands, operandSize } = instruction;
    if (
      flow === "interpret" ||
      (letsOthersRun(current) && flow !== "call" && flow !== "callIndirect" && flow !== "return")
    ) return;
    const add = (base: Base, key: string, access: Omit<Found, "node" | "current">) => {
      const name = `${values.epoch}:${key}`;
      let family = families.get(name);
      if (!family) families.set(name, family = { epoch: values.epoch, base, accesses: [] });
      family.accesses.push({ ...access, node, current, at: this.#wrap(access.at) });
    };
    const stack = (distance: number, write: boolean) => {
      const at = values.constant[R.SP] + distance;
      add("stack", `${values.number[R.SP]}`, { operand: STACK, at, index: null, bytes: operandSize / 8, write });
    };
    operands.forEach((operand, i) => {
      if (operand.kind !== "mem" || !accessesMemory(mnemonic)) return;
      if (current.varying?.displacement) return;
      const { base, index, scale, disp, size, segment, addressSize, disp64 } = operand;
      if (addressSize !== this.#mode.code || disp64 !== undefined || !isFlatAccess(this.#mode, segment)) return;
      if (size !== 8 && size !== 16 && size !== 32 && size !== 64 && size !== 128) return;
      const table = tableIndexOf(operand, small), bytes = size / 8, write = writesMemory(mnemonic, i);
      if (table) {
        const first = disp + (table.base < 0 ? 0 : values.constant[table.base]);
        const key = `${table.base < 0 ? "" : values.number[table.base]}[${this.#wrap(first)}]`;
        return add("table", key, { operand: i, at: first, index: table, bytes, write });
      }
      let key = "", at = base === 16 ? current.next + disp : disp;
      if (base >= 0 && base < 16) {
        key += `${values.number[base]}`;
        at += values.constant[base];
      }
      if (index >= 0) {
        key += `+${values.number[index]}*${scale}`;
        at += values.constant[index] * scale;
      }
      const isStack = index < 0 && base >= 0 && base < 16 && values.number[base] === values.number[R.SP];
      add(isStack ? "stack" : key === "" ? "static" : "pointer", key, { operand: i, at, index: null, bytes, write });
    });
    if (mnemonic === "push" || mnemonic === "call") stack(-operandSize / 8, true);
    else if (mnemonic === "pop" || mnemonic === "ret") stack(0, false);
  }

  #wrap(at: number): number {
    return this.#mode.code === 64 ? at : at | 0;
  }

  /** Makes a group of the accesses to a table. */
  #makeTable(family: Family): void {
    const sizes = family.accesses.map(({ index, bytes }) => LARGEST * index!.scale + bytes);
    this.#group(family, family.accesses, family.accesses[0].at, Math.max(...sizes));
  }

  /** Distances, modulo a page's size, at which the ends of pages lie between accesses, as far as groups failed by that. */
  #ends(accesses: readonly Found[]): number[] {
    const split = this.#split;
    return accesses.flatMap(({ current, at }) => {
      const offset = split?.get(current.ip);
      return offset === undefined ? [] : [at - offset];
    });
  }

  /** Makes groups of accesses that are near one another. */
  #divide(family: Family): void {
    const { base, accesses } = family, most = base === "pointer" ? MOST_BYTES_AT_POINTER : MOST_BYTES;
    const sorted = accesses.toSorted((a, b) => a.at - b.at), ends = this.#ends(accesses);
    let begin = 0, end = sorted[0].at + sorted[0].bytes;
    const page = (at: number) => Math.floor((at >>> 0) / PAGE_SIZE);
    const apart = (low: number, last: number) =>
      (base === "static" && page(low) !== page(last)) ||
      ends.some((end) => Math.floor((low - end) / PAGE_SIZE) !== Math.floor((last - end) / PAGE_SIZE));
    for (let i = 0; i <= sorted.length; i++) {
      const next = sorted[i], low = sorted[begin].at;
      if (next && next.at + next.bytes - low <= most && !apart(low, next.at + next.bytes - 1)) {
        end = Math.max(end, next.at + next.bytes);
        continue;
      }
      const members = new Set(sorted.slice(begin, i));
      if (members.size >= (base === "pointer" ? FEWEST_AT_POINTER : 2)) {
        this.#group(family, accesses.filter((access) => members.has(access)), low, end - low);
      }
      begin = i;
      if (next) end = next.at + next.bytes;
    }
  }

  #group({ epoch, base }: Family, accesses: readonly Found[], low: number, bytes: number): void {
    if (this.#groups.length >= MOST_GROUPS || (base !== "table" && !this.#pays(accesses))) return;
    const writes = base === "stack" && accesses.some((access) => access.write);
    const group: AccessGroup = { low, bytes, writes, epoch, established: [], local: -1 };
    this.#groups.push(group);
    for (const { current, operand, at, index, bytes } of accesses) {
      let grouped = this.#grouped.get(current);
      if (!grouped) this.#grouped.set(current, grouped = new Map());
      grouped.set(operand, { group, at, index, bytes });
    }
  }

  /** True if one access comes after another on every way. */
  #pays(accesses: readonly Found[]): boolean {
    return accesses.some(({ node }, i) => accesses.some((earlier, j) => j < i && this.#dominates(earlier.node, node)));
  }

  // ---- writing

  /** True if the end of a page lies between what the region has on the stack: no page is likely to be that of the next access. */
  get isStackSplit(): boolean {
    return this.#split !== undefined;
  }

  /** The group of an access; undefined if it has none. */
  of(current: RegionInstruction, operand: number): GroupedAccess | undefined {
    return this.#grouped.get(current)?.get(operand);
  }

  /** True if a group has been asked for on every way to a node. */
  isEstablished({ established }: AccessGroup, node: number, write: boolean): boolean {
    return established.some((place) => (place.write || !write) && this.#dominates(place.node, node));
  }

  /** True if a group is established at an instruction of a node, so that no permission may be taken away unnoticed. */
  anyEstablished(current: RegionInstruction, node: number): boolean {
    const epoch = this.#epochs.get(current);
    return this.#groups.some((group) => group.epoch === epoch && this.isEstablished(group, node, false));
  }
}
