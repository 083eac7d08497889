/** Which general registers hold a byte: a table with such an index is no larger than 256 entries. */
import type { RegionInstruction } from "./region_instruction.ts";
import type { RegisterUse } from "./register_use.ts";
import { letsOthersRun } from "./register_values.ts";

/** Largest value of a small register. */
export const LARGEST = 0xff;

/** Registers that are small behind an instruction, as a mask; `small` are those before it, `use` those that it touches. */
export function smallAfter(current: RegionInstruction, use: RegisterUse, small: number): number {
  if (letsOthersRun(current)) return 0;
  const { instruction: { mnemonic, operands: [to, from] }, varying } = current, kept = small & ~use.written;
  if (to?.kind !== "reg" || to.file !== "gpr" || to.size < 32) return kept;
  const isByte = mnemonic === "movzx" && (from.kind === "reg" || from.kind === "mem") && from.size === 8;
  const isMasked = mnemonic === "and" && from.kind === "imm" && !varying && from.value >= 0 && from.value <= LARGEST;
  return isByte || isMasked ? kept | (1 << to.reg) : kept;
}
