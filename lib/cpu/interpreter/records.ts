/** Encodes decoded instructions into records. */
import type { Instruction, RegisterOperand } from "../decode/instruction.ts";
import { S, SEG, xmmOffset } from "../state.ts";
import { CPU_BASE, REC, REGISTER_FIELDS } from "./layout.ts";

const GPR = CPU_BASE + S.GPR, ZERO = CPU_BASE + S.ZERO;

/** Address of a register operand, or its plain number for register files that definitions index themselves. */
function registerField(operand: RegisterOperand): number {
  switch (operand.file) {
    case "gpr":
      return GPR + operand.reg * 8;
    case "gpr8h":
      return GPR + operand.reg * 8 + 1;
    case "xmm":
      return CPU_BASE + xmmOffset(operand.reg);
    case "mm":
      return CPU_BASE + S.X87 + operand.reg * 16;
    default:
      return operand.reg;
  }
}

/** Writes the record of `instruction` at `at`. `next` is the offset of the following instruction from the block's start. */
export function writeRecord(
  view: DataView,
  at: number,
  slot: number,
  instruction: Instruction,
  next: number,
  position: number,
): void {
  for (let i = 0; i < REC.SIZE; i += 8) view.setBigUint64(at + i, 0n, true);
  view.setInt32(at + REC.SLOT, slot, true);
  view.setUint8(at + REC.LENGTH, instruction.length);
  view.setUint16(at + REC.NEXT, next, true);
  view.setUint16(at + REC.INDEX_IN_BLOCK, position, true);
  if (instruction.escape !== undefined) view.setInt32(at + REC.LINK, instruction.escape, true);
  let immediates = 0;
  instruction.operands.forEach((operand, index) => {
    switch (operand.kind) {
      case "reg":
        view.setUint16(at + REGISTER_FIELDS[index], registerField(operand), true);
        break;
      case "mem":
        view.setUint16(at + REC.BASE, operand.base >= 0 && operand.base < 16 ? GPR + operand.base * 8 : ZERO, true);
        view.setUint16(at + REC.INDEX, operand.index >= 0 ? GPR + operand.index * 8 : ZERO, true);
        view.setUint8(at + REC.SCALE, 31 - Math.clz32(operand.scale));
        view.setUint16(at + REC.SEGMENT, CPU_BASE + S.SEG + operand.segment * SEG.SIZE, true);
        if (operand.disp64 !== undefined) view.setBigInt64(at + REC.DISP, BigInt.asIntN(64, operand.disp64), true);
        else view.setInt32(at + REC.DISP, operand.disp, true);
        break;
      case "imm":
        if (operand.wide !== undefined) view.setBigInt64(at + REC.IMM, BigInt.asIntN(64, operand.wide), true);
        else view.setInt32(at + (immediates++ === 0 ? REC.IMM : REC.LINK), operand.value, true);
        break;
      case "rel":
        view.setInt32(at + REC.IMM, operand.value, true);
        break;
      case "far":
        view.setInt32(at + REC.IMM, operand.offset, true);
        view.setInt32(at + REC.LINK, operand.selector, true);
        break;
    }
  });
  // None, or the source and the destination of a string instruction.
  if (instruction.operands.filter((o) => o.kind === "mem").length !== 1) {
    view.setUint16(at + REC.SEGMENT, CPU_BASE + S.SEG + instruction.segment * SEG.SIZE, true);
  }
}
