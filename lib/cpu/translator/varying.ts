/**
 * Constants of instructions that regions read where they lie in guest memory, because programs change them again and again: then
 * that voids no region.
 */
import type { Instruction } from "../decode/instruction.ts";

/** Where the constants lie that an instruction is to read when it runs, as offsets from its first byte; nothing if both are the same. */
export interface VaryingConstants {
  /** The displacement of its operand in memory. */
  readonly displacement: Bytes | null;
  /** Its immediate value. */
  readonly immediate: Bytes | null;
}

/** Bytes of an instruction: from `start` to before `end`. */
interface Bytes {
  readonly start: number;
  readonly end: number;
}

/** Instructions that read an immediate value as they would read a register. */
const PLAIN = new Set("mov add or adc sbb and sub xor cmp test push imul shl shr sar rol ror".split(" "));

/** The constants of an instruction that can be read when it runs; null if it has none. */
export function varyingConstants(instruction: Instruction): VaryingConstants | null {
  const { displacementAt, immediateAt, length, operands, mnemonic } = instruction;
  const inMemory = operands.some((operand) => operand.kind === "mem");
  const bytes = (start: number, end: number) => start > 0 && end - start <= 8 ? { start, end } : null;
  const displacement = inMemory ? bytes(displacementAt, immediateAt || length) : null;
  const immediate = PLAIN.has(mnemonic) ? bytes(immediateAt, length) : null;
  return displacement || immediate ? { displacement, immediate } : null;
}

/** The pieces of an instruction's bytes that it is translated for, as offsets from its first byte. */
export function fixedBytes({ length, immediateAt }: Instruction, varying: VaryingConstants | null): Bytes[] {
  if (!varying) return [{ start: 0, end: length }];
  const { displacement, immediate } = varying, pieces = [{ start: 0, end: (displacement ?? immediate!).start }];
  if (displacement && immediateAt > 0 && !immediate) pieces.push({ start: immediateAt, end: length });
  return pieces;
}
