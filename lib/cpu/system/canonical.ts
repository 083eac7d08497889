/** Canonical addresses of 64-bit code. Intel SDM vol. 1, section 3.3.7.1. */
import type { Instruction } from "../decode/instruction.ts";
import { Seg } from "../state.ts";

/** True if bits 47–63 of a linear address are equal. */
export function isCanonical(address: number): boolean {
  return address >= -(2 ** 47) && address < 2 ** 47;
}

/** True if bits 47–63 of a 64-bit value are equal. */
export function isCanonical64(value: bigint): boolean {
  return BigInt.asIntN(48, value) === BigInt.asIntN(64, value);
}

/** Instructions that use the stack besides their operands. */
export const STACK_INSTRUCTIONS: ReadonlySet<string> = new Set([
  "push",
  "pop",
  "push.seg",
  "pop.seg",
  "pushf",
  "popf",
  "call",
  "ret",
  "enter",
  "leave",
]);
/** How far from RSP an instruction's own stack access begins at most. */
const NEAR = 16;

/**
 * True if the access of `instruction` to the non-canonical address `linear` went through SS, so that it raises #SS and not
 * #GP: the memory operand names SS or is based on RSP or RBP, or the access is an implied one, at the stack pointer.
 */
export function accessesStack(instruction: Instruction, linear: number, stackPointer: number): boolean {
  const operand = instruction.operands.find(({ kind }) => kind === "mem");
  if (operand?.kind === "mem" && operand.segment === Seg.SS) return true;
  if (!STACK_INSTRUCTIONS.has(instruction.mnemonic)) return false;
  return operand === undefined || Math.abs(linear - stackPointer) <= NEAR;
}
