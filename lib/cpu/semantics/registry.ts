/** The one place where instructions get their meaning: mnemonic → definition, for every size, mode and tier. */
import type { Instruction } from "../decode/instruction.ts";
import type { Emitter } from "../emit/emitter.ts";

/** How an instruction ends a block of straight-line code. */
export type Ending =
  /**
   * Execution continues with the next instruction of the block. A helper that changes the mode, the mapping or the code
   * behind it all the same makes compiled code leave before that instruction.
   */
  | "none"
  /** The definition ends with jump, jumpRelative or branch. */
  | "jump"
  /**
   * Execution returns to the run loop, which looks at RIP, the mode and pending interrupts afresh. For what mostly changes
   * the mode, the mapping, the interrupt state or the event queue (MOV to CR and SS, STI, OUT, HLT …). RIP moves to the
   * next instruction.
   */
  | "exit"
  /** Like "exit", but a helper has set RIP itself, or left it (far transfers, INT, IRET, SYSENTER, repeated strings …). */
  | "transfer"
  /** Like "transfer", but the usual case without a helper goes on with the next instruction. */
  | "repeat";

/** A definition. */
export interface Definition {
  readonly emit: (e: Emitter) => void;
  readonly ending: EndingRule;
}

/** An ending, or how to tell it from the instruction's form. */
export type EndingRule = Ending | ((instruction: Instruction) => Ending);

const definitions = new Map<string, Definition>();

/** Defines what `mnemonics` (separated by spaces) mean. Defining one twice is an error. */
export function define(
  mnemonics: string,
  emit: (e: Emitter, mnemonic: string) => void,
  ending: EndingRule = "none",
): void {
  for (const mnemonic of mnemonics.split(" ")) {
    if (definitions.has(mnemonic)) throw new Error(`${mnemonic} is defined twice`);
    definitions.set(mnemonic, { emit: (e) => emit(e, mnemonic), ending });
  }
}

/** The definition of a mnemonic, if there is one. */
export function definitionOf(mnemonic: string): Definition | undefined {
  return definitions.get(mnemonic);
}

/** How an instruction ends its block. */
export function endingOf(definition: Definition, instruction: Instruction): Ending {
  return typeof definition.ending === "string" ? definition.ending : definition.ending(instruction);
}
