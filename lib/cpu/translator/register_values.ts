/**
 * Follows through a region what general registers hold: a value that is not known, but has a number, plus a constant. Two registers, or
 * one at two places, with the same number differ by the difference of their constants whenever control passes both places.
 */
import type { Instruction } from "../decode/instruction.ts";
import type { CodeMode } from "../emit/emitter.ts";
import { R } from "../state.ts";
import type { RegionInstruction } from "./region_instruction.ts";
import type { RegionGraph } from "./region_graph.ts";
import type { RegisterFlow } from "./register_flow.ts";

const GENERAL = 16, ALL = (1 << GENERAL) - 1;
/** Stands among the registers of a mask for what {@link RegisterValues.epoch} is. */
const EPOCH = 1 << GENERAL;
const EVERYTHING = ALL | EPOCH;

/** What is in the registers at one place. */
export class RegisterValues {
  /** Numbers of the values by register. */
  readonly number = new Int32Array(GENERAL);
  /** What is added to them. */
  readonly constant = new Float64Array(GENERAL);
  /** Changes where other code may have run. */
  epoch = 0;

  assign(other: RegisterValues): void {
    this.number.set(other.number);
    this.constant.set(other.constant);
    this.epoch = other.epoch;
  }
}

/** Calls of system functions and other regions; these mnemonics turned out to do so, see {@link noteSystemFunction}. */
const callers = new Set<string>();

function nameOf({ mnemonic, repeat }: Instruction): string {
  return repeat + mnemonic;
}

/** Notes that an instruction is of a kind that lets other code run before the next one. */
export function noteSystemFunction(instruction: Instruction): void {
  callers.add(nameOf(instruction));
}

/** True if nothing that held before the instruction is sure to hold behind it: other code may run in between. */
export function letsOthersRun({ flow, instruction }: RegionInstruction): boolean {
  switch (flow) {
    case "next":
    case "jump":
    case "branch":
    case "indirect":
    case "stall":
      return callers.has(nameOf(instruction));
    default:
      return true;
  }
}

/** Follows the registers through a region. */
export class ValueFlow {
  readonly #region: RegionGraph;
  readonly #registers: RegisterFlow;
  readonly #mode: CodeMode;
  readonly #dominators: Int32Array;
  /** By node: what it changes. */
  readonly #changed: Int32Array;
  #numbers = 0;

  constructor(region: RegionGraph, registers: RegisterFlow, mode: CodeMode) {
    this.#region = region;
    this.#registers = registers;
    this.#mode = mode;
    this.#dominators = new Int32Array(region.size).fill(-1);
    this.#changed = new Int32Array(region.size);
    const { order, dominated } = region.analysis;
    for (const node of order) {
      for (const child of dominated[node]) this.#dominators[child] = node;
      for (const current of region.block(node)?.instructions ?? []) this.#changed[node] |= this.#changedBy(current);
    }
  }

  #changedBy(current: RegionInstruction): number {
    return letsOthersRun(current) ? EVERYTHING : this.#registers.use(current).written & ALL;
  }

  /** Calls `visit` for every instruction with what the registers hold before it; nodes come after those that dominate them. */
  follow(visit: (node: number, current: RegionInstruction, values: RegisterValues) => void): void {
    const ends: RegisterValues[] = [];
    for (const node of this.#region.analysis.order) {
      const values = ends[node] = new RegisterValues(), dominator = this.#dominators[node];
      if (dominator < 0) this.#renew(values, EVERYTHING);
      else {
        values.assign(ends[dominator]);
        this.#renew(values, this.#changedSince(dominator, node));
      }
      for (const current of this.#region.block(node)?.instructions ?? []) {
        visit(node, current, values);
        this.#step(current, values);
      }
    }
  }

  /** What changes on the ways from the end of a node's immediate dominator to the node. */
  #changedSince(dominator: number, node: number): number {
    const seen = new Set([dominator]), work: number[] = [];
    let changed = 0;
    const arrive = (from: number) => {
      for (const before of this.#region.analysis.predecessors[from]) {
        if (seen.has(before)) continue;
        seen.add(before);
        work.push(before);
      }
    };
    arrive(node);
    for (let next = work.pop(); next !== undefined; next = work.pop()) {
      changed |= this.#changed[next];
      arrive(next);
    }
    return changed;
  }

  /** Gives what is in a mask values of their own. */
  #renew(values: RegisterValues, mask: number): void {
    for (let register = 0; register < GENERAL; register++) {
      if ((mask & (1 << register)) === 0) continue;
      values.number[register] = ++this.#numbers;
      values.constant[register] = 0;
    }
    if ((mask & EPOCH) !== 0) values.epoch = ++this.#numbers;
  }

  #step(current: RegionInstruction, values: RegisterValues): void {
    advance(current, values, this.#changedBy(current), this.#mode.code, (mask) => this.#renew(values, mask));
  }
}

/**
 * Takes what registers hold over an instruction that changes those of a mask, in code of a width; `renew` forgets what is in registers of
 * which nothing is known behind it.
 */
export function advance(
  current: RegionInstruction,
  values: RegisterValues,
  changed: number,
  width: CodeMode["code"],
  renew: (mask: number) => void,
): void {
  if (changed === 0) return;
  const { mnemonic } = current.instruction,
    implied = mnemonic === "pop" || mnemonic === "leave" ? 1 << R.SP : changed;
  const moved = movedBy(current, values, width);
  if (moved === null || changed === EVERYTHING || (implied & (implied - 1)) !== 0) return renew(changed);
  renew(changed & ~implied);
  const register = 31 - Math.clz32(implied);
  values.number[register] = moved.number;
  values.constant[register] = width === 64 ? moved.constant : moved.constant | 0;
}

/** The new value of the register that an instruction changes (POP and LEAVE: of the stack pointer), if it follows from another one's; else null. */
function movedBy(
  { instruction, varying }: RegionInstruction,
  values: RegisterValues,
  width: CodeMode["code"],
): { number: number; constant: number } | null {
  const { mnemonic, operands: [to, from], operandSize } = instruction;
  const plus = (register: number, constant: number) => ({
    number: values.number[register],
    constant: values.constant[register] + constant,
  });
  switch (mnemonic) {
    case "push":
      return plus(R.SP, -operandSize / 8);
    case "pop":
      return to.kind === "reg" && to.file === "gpr" && to.reg === R.SP ? null : plus(R.SP, operandSize / 8);
    case "leave":
      return plus(R.BP, operandSize / 8);
  }
  if (to?.kind !== "reg" || to.file !== "gpr" || to.size !== width) return null;
  if (varying) return null;
  switch (mnemonic) {
    case "inc":
      return plus(to.reg, 1);
    case "dec":
      return plus(to.reg, -1);
    case "add":
      return from.kind === "imm" ? plus(to.reg, from.value) : null;
    case "sub":
      return from.kind === "imm" ? plus(to.reg, -from.value) : null;
    case "mov":
      return from.kind === "reg" && from.file === "gpr" ? plus(from.reg, 0) : null;
    case "lea": {
      if (from.kind !== "mem" || from.addressSize !== width || from.index >= 0) return null;
      return from.base >= 0 && from.base < GENERAL ? plus(from.base, from.disp) : null;
    }
    default:
      return null;
  }
}
