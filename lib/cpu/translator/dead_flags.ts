/** Finds flags that nobody can see: the next instructions overwrite them before anything reads them or can leave the region. */
import type { Instruction } from "../decode/instruction.ts";
import type { RegionInstruction } from "./region_instruction.ts";

/** Instructions on registers that write all six arithmetic flags and read none. */
const OVERWRITING = new Set("add sub and or xor cmp test neg imul".split(" "));
const SHIFTS = new Set("shl shr sar".split(" "));
/** Instructions on registers that read no flags and write some or none: the shifts by any count are among them. */
const NOT_READING = new Set([
  ...SHIFTS,
  ..."mov movzx movsx movsxd lea not xchg bswap cbw cwd nop rol ror inc dec".split(" "),
]);

/** True if an instruction only touches general registers: nothing in it can make the region be left. */
function staysInRegisters({ mnemonic, operands }: Instruction): boolean {
  return operands.every((operand) => {
    if (operand.kind === "mem") return mnemonic === "lea" || mnemonic === "nop";
    return operand.kind === "imm" || (operand.kind === "reg" && (operand.file === "gpr" || operand.file === "gpr8h"));
  });
}

function overwrites({ instruction: { mnemonic, operands }, varying }: RegionInstruction): boolean {
  if (OVERWRITING.has(mnemonic)) return true;
  const count = operands[1];
  return !varying && SHIFTS.has(mnemonic) && count?.kind === "imm" && (count.value & 31) !== 0;
}

/** By instruction of a block: 1 if the flags that it leaves cannot be seen. */
export function findDeadFlags(instructions: readonly RegionInstruction[]): Uint8Array {
  const dead = new Uint8Array(instructions.length);
  let overwritten = false;
  for (let i = instructions.length - 1; i >= 0; i--) {
    const current = instructions[i], { instruction, flow } = current;
    dead[i] = overwritten ? 1 : 0;
    if (flow !== "next" || !staysInRegisters(instruction)) overwritten = false;
    else if (overwrites(current)) overwritten = true;
    else if (!NOT_READING.has(instruction.mnemonic)) overwritten = false;
  }
  return dead;
}
