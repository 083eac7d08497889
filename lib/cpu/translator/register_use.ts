/**
 * Which registers an instruction touches: for those a region keeps locals. Bit n of a mask is general register n, bit 16 + n is
 * XMMn.
 */
import type { Instruction, RegisterOperand } from "../decode/instruction.ts";
import { R } from "../state.ts";

/** Registers that an instruction reads or writes, and those that it may write. */
export interface RegisterUse {
  readonly touched: number;
  readonly written: number;
}

/** Number of XMM0 among the registers of a mask. */
export const XMM0 = 16;
/** All SSE registers, and the number of all registers of a mask. */
export const ALL_XMM = ~0xffff, REGISTERS = 32;

function mask(...registers: readonly number[]): number {
  return registers.reduce((bits, register) => bits | (1 << register), 0);
}

const STACK = mask(R.SP), FRAME = mask(R.SP, R.BP), ACCUMULATOR = mask(R.AX), PAIR = mask(R.AX, R.DX);
const SOURCE = mask(R.SI), DESTINATION = mask(R.DI), COUNT = mask(R.CX);

/** Registers that instructions use without naming them, by mnemonic; taken as written. */
const IMPLICIT: Readonly<Record<string, number>> = {
  push: STACK,
  pop: STACK,
  call: STACK,
  ret: STACK,
  pushf: STACK,
  popf: STACK,
  enter: FRAME,
  leave: FRAME,
  pusha: 0xff,
  popa: 0xff,
  mul: PAIR,
  div: PAIR,
  idiv: PAIR,
  cbw: ACCUMULATOR,
  cwd: PAIR,
  cmpxchg: ACCUMULATOR,
  cmpxchg8b: mask(R.AX, R.BX, R.CX, R.DX),
  cmpxchg16b: mask(R.AX, R.BX, R.CX, R.DX),
  xlat: mask(R.AX, R.BX),
  lahf: ACCUMULATOR,
  sahf: ACCUMULATOR,
  salc: ACCUMULATOR,
  aaa: ACCUMULATOR,
  aas: ACCUMULATOR,
  aam: ACCUMULATOR,
  aad: ACCUMULATOR,
  daa: ACCUMULATOR,
  das: ACCUMULATOR,
  movs: SOURCE | DESTINATION,
  cmps: SOURCE | DESTINATION,
  stos: ACCUMULATOR | DESTINATION,
  scas: ACCUMULATOR | DESTINATION,
  lods: ACCUMULATOR | SOURCE,
  loop: COUNT,
  loopz: COUNT,
  loopnz: COUNT,
  jcxz: COUNT,
  pcmpestri: mask(R.AX, R.CX, R.DX),
  pcmpestrm: PAIR | 1 << XMM0,
  pcmpistri: COUNT,
  pcmpistrm: 1 << XMM0,
  pblendvb: 1 << XMM0,
  blendvps: 1 << XMM0,
  blendvpd: 1 << XMM0,
  sha256rnds2: 1 << XMM0,
};

/** What definitions turned out to touch beyond that, by mnemonic. */
const learned = new Map<string, number>();

/** Notes that an instruction with this mnemonic touches a register. */
export function learnRegister(mnemonic: string, register: number): void {
  learned.set(mnemonic, (learned.get(mnemonic) ?? 0) | (1 << register));
}

/** Instructions that only read their first operand. */
export const READ_ONLY_FIRST = new Set(
  "cmp test bt push call jmp mul div idiv comiss comisd ucomiss ucomisd ptest maskmovdqu pcmpestri pcmpestrm pcmpistri pcmpistrm"
    .split(" "),
);
const BOTH_WRITTEN = new Set(["xchg", "xadd"]);

/** The number in masks of a register operand, -1 if it is of another kind. */
function numberOf({ file, reg }: RegisterOperand): number {
  if (file === "gpr" || file === "gpr8h") return reg;
  return file === "xmm" ? XMM0 + reg : -1;
}

/** The registers that an instruction touches. */
export function registerUse(instruction: Instruction): RegisterUse {
  const { mnemonic, operands, repeat } = instruction;
  const implicit = (Object.hasOwn(IMPLICIT, mnemonic) ? IMPLICIT[mnemonic] : 0) | (learned.get(mnemonic) ?? 0) |
    (repeat === "" ? 0 : COUNT);
  let touched = implicit, written = implicit;
  if (mnemonic === "imul" && operands.length === 1) touched = written |= PAIR;
  operands.forEach((operand, i) => {
    if (operand.kind === "mem") {
      if (operand.base >= 0 && operand.base < 16) touched |= 1 << operand.base;
      if (operand.index >= 0) touched |= 1 << operand.index;
      return;
    }
    const register = operand.kind === "reg" ? numberOf(operand) : -1;
    if (register < 0) return;
    touched |= 1 << register;
    if (i === 0 ? !READ_ONLY_FIRST.has(mnemonic) : BOTH_WRITTEN.has(mnemonic)) written |= 1 << register;
  });
  return { touched: touched | written, written };
}
