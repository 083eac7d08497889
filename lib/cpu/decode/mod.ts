/** Instruction decoder and disassembler. */
export type * from "./instruction.ts";
export { constantsAt } from "./instruction.ts";
export { decode, MAX_LENGTH, newInstruction } from "./decoder.ts";
export { disassemble } from "./disassembler.ts";
export { listMnemonics } from "./table.ts";
