/**
 * Tells registers that walk through memory from those that were just loaded. What is accessed through the former is likely to be in
 * the page of the access before; the latter may point anywhere. A guess: nothing but speed depends on it.
 */
import type { Instruction, MemoryOperand, Operand } from "../decode/instruction.ts";
import { R } from "../state.ts";
import type { RegionGraph } from "./region_graph.ts";
import type { RegisterFlow } from "./register_flow.ts";
import type { RegisterUse } from "./register_use.ts";

const GENERAL = 0xffff, STACK = (1 << R.SP) | (1 << R.BP), RESULT = 1 << R.AX;
/** Steps from here on leave the page so often that it is no good guess: as if what the register points to had just been loaded. */
const FAR = 256;
/** These move registers by little, or bring back what was saved. */
const STEADY = new Set("inc dec push pop movs stos lods scas cmps".split(" "));

function ofAddress({ base, index }: MemoryOperand): number {
  return ((base < 0 || base > 15 ? 0 : 1 << base) | (index < 0 ? 0 : 1 << index)) & ~STACK;
}

/** Spilled variables and constants in memory are steadier than what lies behind other pointers. */
function isVariable({ base, index }: MemoryOperand): boolean {
  return index < 0 && (base === R.SP || base === R.BP || base < 0);
}

/** True if a register that gets, or is changed by, an operand may point anywhere by that. */
function pointsAnywhere(mnemonic: string, to: number, from: Operand, loaded: number): boolean {
  switch (from.kind) {
    case "imm":
      return mnemonic !== "mov" && Math.abs(from.value) >= FAR;
    case "reg":
      return from.file !== "gpr" || (loaded & (1 << from.reg)) !== 0;
    case "mem":
      if (mnemonic !== "lea") return !isVariable(from);
      return (from.base === to && Math.abs(from.disp) >= FAR) || (loaded & ofAddress(from)) !== 0;
    default:
      return true;
  }
}

/**
 * Which registers hold something just loaded or computed after an instruction, as a mask; `loaded` are those before it, `use` those
 * that it touches.
 */
export function loadedAfter({ mnemonic, operands }: Instruction, use: RegisterUse, loaded: number): number {
  if (mnemonic === "call") return loaded | RESULT;
  const written = use.written & GENERAL & ~STACK;
  if (written === 0 || STEADY.has(mnemonic)) return loaded;
  const [to, from] = operands, kept = loaded & ~written;
  if (to?.kind !== "reg" || to.file !== "gpr" || written !== 1 << to.reg || from === undefined) return loaded | written;
  switch (mnemonic) {
    case "mov":
    case "lea":
      return pointsAnywhere(mnemonic, to.reg, from, loaded) ? kept | written : kept;
    case "add":
    case "sub":
      return pointsAnywhere(mnemonic, to.reg, from, loaded) ? loaded | written : loaded;
    default:
      return loaded | written;
  }
}

/**
 * By node: registers just loaded where it begins. Around a loop only what happens in it counts. Kernels get from one object to
 * another, and functions of theirs do not find registers pointing to where they did the last time; a program's do.
 */
export function findLoaded(region: RegionGraph, registers: RegisterFlow, user: boolean): Int32Array {
  const { graph, analysis: { order, position, headers } } = region;
  const loaded = new Int32Array(region.size), around = new Int32Array(region.size);
  // Twice: the second time what comes back to the loop's header is known.
  for (let pass = 0; pass < 2; pass++) {
    loaded.set(around);
    if (!user) loaded[0] |= GENERAL & ~STACK;
    for (const node of order) {
      let after = loaded[node];
      for (const current of region.block(node)?.instructions ?? []) {
        after = loadedAfter(current.instruction, registers.use(current), after);
      }
      for (const { target } of graph.successors[node]) {
        if (position[target] <= position[node]) around[target] |= after;
        else if (!headers.has(target)) loaded[target] |= after;
      }
    }
  }
  return loaded;
}
