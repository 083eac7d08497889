/** What every instruction means: loads all definitions and finds the one for a decoded instruction. */
import type { Instruction } from "../decode/instruction.ts";
import "./aes.ts";
import "./arithmetic.ts";
import "./bcd.ts";
import "./bits.ts";
import "./control.ts";
import "./flag_operations.ts";
import "./logic.ts";
import "./misc.ts";
import "./move.ts";
import "./multiply_divide.ts";
import "./packed.ts";
import "./packed_shuffles.ts";
import "./random.ts";
import "./rep_strings.ts";
import "./sha.ts";
import "./shifts.ts";
import "./sse4.ts";
import "./sse_arithmetic.ts";
import "./sse_compare.ts";
import "./sse_convert.ts";
import "./stack.ts";
import "./strings.ts";
import "./system.ts";
import "./time_stamp.ts";
import "./transfer.ts";
import "./vector_move.ts";
import "./x87_arithmetic.ts";
import "./x87_compare.ts";
import "./x87_load.ts";
import "./x87_registers.ts";
import "./x87_state.ts";
import "./x87_store.ts";
import "./xsave.ts";
import { type Definition, definitionOf } from "./registry.ts";

/**
 * The name under which an instruction is defined: its mnemonic, with a suffix where a form behaves so differently that
 * it ends a block in another way: `.seg`, `.cr`, `.dr` for MOV, PUSH and POP with such a register, `.rep` for repeated strings.
 */
export function definitionName(instruction: Instruction): string {
  const { mnemonic, operands, repeat } = instruction;
  if (repeat !== "") return `${mnemonic}.rep`;
  if (mnemonic !== "mov" && mnemonic !== "push" && mnemonic !== "pop") return mnemonic;
  for (const operand of operands) {
    if (operand.kind === "reg" && (operand.file === "seg" || operand.file === "cr" || operand.file === "dr")) {
      return `${mnemonic}.${operand.file}`;
    }
  }
  return mnemonic;
}

/** The definition of an instruction; the one of `ud` if it has none. */
export function definitionFor(instruction: Instruction): Definition {
  const definition = definitionOf(definitionName(instruction)) ?? definitionOf(instruction.mnemonic) ??
    definitionOf("ud");
  if (!definition) throw new Error("the definition of ud is missing");
  return definition;
}
