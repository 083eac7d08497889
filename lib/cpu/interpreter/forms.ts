/** Forms of instructions: what a handler depends on, which is the same for many instructions. */
import type { Instruction, Operand, RegisterOperand } from "../decode/instruction.ts";
import { isFlatAccess } from "../emit/base.ts";
import type { CodeMode } from "../emit/emitter.ts";
import { modeKey } from "../mode.ts";
import { PairMap } from "../pair_map.ts";

/** Numbers of operand kinds and register files; 0 is no operand. */
const KIND = { mem: 1, imm: 2, rel: 3, far: 4 } as const;
const FILE: Readonly<Record<RegisterOperand["file"], number>> = {
  gpr: 8,
  gpr8h: 9,
  seg: 10,
  cr: 11,
  dr: 12,
  st: 13,
  mm: 14,
  xmm: 15,
};
const REPEAT = { "": 0, rep: 1, repne: 2 } as const;

/** Bits of an operand's number: kind, what matters beside the size, and the size, which is 4096 at most. */
const KIND_SHIFT = 20, DETAIL_SHIFT = 13, OPERAND = 2 ** 24;

/** Width in bits of code and addresses: 16, 32 and 64 are 1, 2 and 4. */
function widthKey(bits: number): number {
  return bits >> 4;
}

function operandKey(operand: Operand | undefined, mode: CodeMode): number {
  if (!operand) return 0;
  let kind: number, detail = 0;
  switch (operand.kind) {
    case "reg":
      kind = FILE[operand.file];
      // Loading SS ends a block, loading another segment does not: each has its own handler. Some control registers can just be read.
      if (operand.file === "seg" || operand.file === "cr") detail = operand.reg;
      break;
    case "mem": {
      const base = operand.base === 16 ? 2 : operand.base < 0 ? 0 : 1, index = operand.index < 0 ? 0 : 1;
      const shape = operand.disp64 !== undefined ? 3 << 1 : base << 1 | index;
      kind = KIND.mem;
      detail = widthKey(operand.addressSize) << 4 | shape << 1 | (isFlatAccess(mode, operand.segment) ? 1 : 0);
      break;
    }
    default:
      kind = KIND[operand.kind];
      if (operand.kind === "imm" && operand.wide !== undefined) detail = 1;
  }
  return kind << KIND_SHIFT | detail << DETAIL_SHIFT | operand.size;
}

/** The instruction without its operands, and the first operand. */
function firstKey({ operands, operandSize, addressSize, segment, repeat }: Instruction, mode: CodeMode): number {
  const sizes = widthKey(operandSize) << 3 | widthKey(addressSize), flat = isFlatAccess(mode, segment) ? 1 : 0;
  const common = (modeKey(mode.code, mode.stack, mode.flat, false) << 6 | sizes) << 3 | REPEAT[repeat] << 1 | flat;
  return common * OPERAND + operandKey(operands[0], mode);
}

/** The second and the third operand. */
function secondKey({ operands }: Instruction, mode: CodeMode): number {
  if (operands.length > 3) throw new RangeError(`an instruction has ${operands.length} operands`);
  return operandKey(operands[1], mode) * OPERAND + operandKey(operands[2], mode);
}

/** Values by the form of an instruction. */
export class FormMap<Value> {
  readonly #byMnemonic = new Map<string, PairMap<Value>>();

  /** The value for the form of an instruction, if there is one. */
  get(instruction: Instruction, mode: CodeMode): Value | undefined {
    return this.#byMnemonic.get(instruction.mnemonic)?.get(firstKey(instruction, mode), secondKey(instruction, mode));
  }

  /** Gives the form of an instruction a value. */
  set(instruction: Instruction, mode: CodeMode, value: Value): void {
    let forms = this.#byMnemonic.get(instruction.mnemonic);
    if (!forms) this.#byMnemonic.set(instruction.mnemonic, forms = new PairMap());
    forms.set(firstKey(instruction, mode), secondKey(instruction, mode), value);
  }
}
