/** Which instructions turned out to be for the interpreter only. */
import type { Instruction } from "../decode/mod.ts";
import type { CodeMode } from "../emit/emitter.ts";

function formOf(instruction: Instruction, mode: CodeMode): string {
  const { mnemonic, operandSize, operands, repeat } = instruction;
  return `${mnemonic}${repeat}/${operandSize}/${mode.code}/${
    operands.map((o) => o.kind === "reg" ? o.file : o.kind).join()
  }`;
}

/** Forms of instructions that only the interpreter executes. */
export class InterpretedForms {
  readonly #forms = new Set<string>();
  /** Their mnemonics: most instructions can be told by them. */
  readonly #mnemonics = new Set<string>();

  /** Notes the form of an instruction. */
  add(instruction: Instruction, mode: CodeMode): void {
    this.#mnemonics.add(instruction.mnemonic);
    this.#forms.add(formOf(instruction, mode));
  }

  /** True if the form of an instruction was noted. */
  has(instruction: Instruction, mode: CodeMode): boolean {
    return this.#mnemonics.has(instruction.mnemonic) && this.#forms.has(formOf(instruction, mode));
  }
}
