/** One instruction of a region, and how control leaves it. */
import type { Instruction } from "../decode/mod.ts";
import type { CodeMode } from "../emit/emitter.ts";
import { type Definition, endingOf } from "../semantics/registry.ts";
import type { JumpTable } from "./jump_tables.ts";
import type { VaryingConstants } from "./varying.ts";

/** How control leaves an instruction. */
export type Flow =
  /** To the following instruction. */
  | "next"
  | "jump"
  | "branch"
  | "call"
  /** Calls and jumps to computed addresses. */
  | "callIndirect"
  | "indirect"
  | "return"
  /** A system function decides whether the run loop must have its turn; execution goes on behind the instruction. */
  | "exit"
  /** A system function decides where execution goes on. */
  | "transfer"
  /** To the following instruction, after a pause. */
  | "stall"
  /** It is not translated: the interpreter executes it. */
  | "interpret";

/** Mnemonics after which control goes elsewhere, by how. */
const JUMPS: Readonly<Record<string, Flow>> = { jmp: "jump", call: "call", ret: "return" };

/** How control leaves an instruction that the interpreter need not execute. */
export function flowOf(definition: Definition, instruction: Instruction): Flow {
  const ending = endingOf(definition, instruction);
  if (ending === "none") return "next";
  // Without the system function, which regions leave to the interpreter, execution goes on behind the instruction.
  if (ending === "repeat") return "exit";
  if (ending !== "jump") return ending;
  if (instruction.mnemonic === "pause") return "stall";
  const direct = instruction.operands[0]?.kind === "rel";
  const flow = JUMPS[instruction.mnemonic] ?? (direct ? "branch" : "interpret");
  if (direct) return flow;
  return flow === "jump" ? "indirect" : flow === "call" ? "callIndirect" : flow;
}

/**
 * An instruction of a region. It is no literal because V8 allocates what a literal makes in the old generation, from then on, once
 * much of it has survived a collection: these live for one translation.
 */
export class RegionInstruction {
  /** Offset of the following instruction. */
  readonly next: number;
  /** Where a direct jump, branch or call leads, else -1. */
  readonly target: number;

  constructor(
    readonly instruction: Instruction,
    readonly definition: Definition,
    /** Offset in CS. */
    readonly ip: number,
    /** Host offset of the first byte. */
    readonly host: number,
    /** Host offset of the page in which it ends, if that is not the one in which it begins; else -1. */
    readonly tail: number,
    readonly flow: Flow,
    /** Where an indirect jump has been seen to lead. */
    readonly targets: readonly number[],
    /** The table that an indirect jump goes through. */
    readonly table: JumpTable | null,
    /** What it reads of its own bytes when it runs. */
    readonly varying: VaryingConstants | null,
    { code }: CodeMode,
  ) {
    const next = ip + instruction.length;
    this.next = code === 64 ? next : next % 2 ** 32;
    this.target = targetOf(instruction, next, code);
  }
}

/** Where an instruction with a relative operand leads, -1 for others; `next` is the offset behind it. */
function targetOf({ operands }: Instruction, next: number, code: CodeMode["code"]): number {
  const relative = operands[0]?.kind === "rel" ? operands[0] : null;
  if (!relative) return -1;
  const target = next + relative.value, size = relative.size === 16 ? 2 ** 16 : 2 ** 32;
  return relative.size !== 16 && code === 64 ? target : ((target % size) + size) % size;
}
