/** Operand notation of the opcode map, compiled to small numbers, and the shared register operands. */
import type { ImmediateOperand, RegisterOperand } from "./instruction.ts";

/** How an operand is encoded; the letters are those of the Intel SDM, vol. 2D, appendix A.2.1. */
export const Method = {
  /** Always the same operand. */
  FIXED: 0,
  /** Far pointer in the instruction. */
  A: 1,
  /** Control and debug register by ModRM.reg. */
  C: 2,
  D: 3,
  /** General register or memory by ModRM.rm. */
  E: 4,
  /** General register by ModRM.reg. */
  G: 5,
  /** Immediate, sign-extended or not. */
  I: 6,
  UNSIGNED: 7,
  /** Relative jump target. */
  J: 8,
  /** Memory by ModRM.rm. */
  M: 9,
  /** MMX register by ModRM.rm and by ModRM.reg, MMX register or memory by ModRM.rm. */
  N: 10,
  P: 11,
  Q: 12,
  /** Offset in the instruction without ModRM. */
  O: 13,
  /** General register by ModRM.rm. */
  R: 14,
  /** Segment register by ModRM.reg. */
  S: 15,
  /** SSE register by ModRM.rm and by ModRM.reg, SSE register or memory by ModRM.rm. */
  U: 16,
  V: 17,
  W: 18,
  /** Memory at DS:rSI and ES:rDI. */
  X: 19,
  Y: 20,
  /** General register in the opcode's low three bits. */
  Z: 21,
  /** The accumulator, at most 32 bits wide for `eAX`. */
  ACCUMULATOR: 22,
  /** x87 register by ModRM.rm. */
  ST: 23,
} as const;

/** Operand widths that depend on prefixes; smaller numbers than 8 so that a plain width in bits can stand beside them. */
export const Width = {
  /** No width: only the address matters, or not a plain value. */
  NONE: 0,
  /** 16, 32 or 64 bits by operand size. */
  V: 1,
  /** 16 or 32 bits by operand size. */
  Z: 2,
  /** 32 bits, 64 with REX.W. */
  Y: 3,
  /** 64 bits in 64-bit code, else 32. */
  N: 4,
  /** Selector and an offset of operand size. */
  P: 5,
  /** Two words of operand size. */
  A: 6,
} as const;

const WIDTHS: Record<string, number> = {
  "": Width.NONE,
  v: Width.V,
  z: Width.Z,
  y: Width.Y,
  n: Width.N,
  p: Width.P,
  a: Width.A,
  s: Width.NONE,
  b: 8,
  w: 16,
  d: 32,
  ss: 32,
  q: 64,
  sd: 64,
  t: 80,
  dq: 128,
  ps: 128,
  pd: 128,
};

/** A compiled operand: method, width and, for `FIXED`, the operand itself. */
export interface OperandSpec {
  readonly method: number;
  /** A {@link Width}, or a width in bits. */
  readonly width: number;
  /** For immediates: bytes in the instruction, 0 where the width decides. */
  readonly bytes: number;
  readonly fixed: RegisterOperand | ImmediateOperand | null;
}

function registers(file: RegisterOperand["file"], size: number, count: number): readonly RegisterOperand[] {
  return Array.from({ length: count }, (_, reg) => Object.freeze({ kind: "reg" as const, file, reg, size }));
}

/** The operands of every register; shared by all decoded instructions, frozen. */
export const REGISTERS = {
  gpr8: registers("gpr", 8, 16),
  gpr8h: registers("gpr8h", 8, 4),
  gpr16: registers("gpr", 16, 16),
  gpr32: registers("gpr", 32, 16),
  gpr64: registers("gpr", 64, 16),
  seg: registers("seg", 16, 6),
  cr32: registers("cr", 32, 16),
  cr64: registers("cr", 64, 16),
  dr32: registers("dr", 32, 8),
  dr64: registers("dr", 64, 8),
  st: registers("st", 80, 8),
  mm32: registers("mm", 32, 8),
  mm64: registers("mm", 64, 8),
  xmm16: registers("xmm", 16, 16),
  xmm32: registers("xmm", 32, 16),
  xmm64: registers("xmm", 64, 16),
  xmm128: registers("xmm", 128, 16),
} as const;

const FIXED: Record<string, RegisterOperand | ImmediateOperand> = {
  AL: REGISTERS.gpr8[0],
  CL: REGISTERS.gpr8[1],
  AX: REGISTERS.gpr16[0],
  DX: REGISTERS.gpr16[2],
  ES: REGISTERS.seg[0],
  CS: REGISTERS.seg[1],
  SS: REGISTERS.seg[2],
  DS: REGISTERS.seg[3],
  FS: REGISTERS.seg[4],
  GS: REGISTERS.seg[5],
  ST0: REGISTERS.st[0],
  1: Object.freeze({ kind: "imm", value: 1, size: 8 }),
};

const BYTES: Record<string, number> = { b: 1, w: 2 };

/** Compiles one operand of the table's notation; throws on a misspelt one. */
export function parseOperand(text: string): OperandSpec {
  const fixed = FIXED[text];
  if (fixed !== undefined) return { method: Method.FIXED, width: fixed.size, bytes: 0, fixed };
  if (text === "rAX") return { method: Method.ACCUMULATOR, width: Width.V, bytes: 0, fixed: null };
  if (text === "eAX") return { method: Method.ACCUMULATOR, width: Width.Z, bytes: 0, fixed: null };
  if (text === "STi") return { method: Method.ST, width: 80, bytes: 0, fixed: null };
  const match = /^([su]?)([A-Z])([a-z]*)$/.exec(text);
  const width = match === null ? undefined : WIDTHS[match[3]];
  if (match === null || width === undefined) throw new SyntaxError(`operand notation ${text}`);
  if (match[2] === "I") {
    const method = match[1] === "u" ? Method.UNSIGNED : Method.I;
    return { method, width: match[1] === "s" ? Width.V : width, bytes: BYTES[match[3]] ?? 0, fixed: null };
  }
  const method = Method[match[2] as keyof typeof Method];
  if (method === undefined) throw new SyntaxError(`operand notation ${text}`);
  return { method, width, bytes: match[2] === "J" ? BYTES[match[3]] ?? 0 : 0, fixed: null };
}
