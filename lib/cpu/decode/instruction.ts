/** What the decoder says of one instruction: the form shared by the interpreter and the disassembler. */

/** Width of code, addresses or the stack in bits. */
export type CodeSize = 16 | 32 | 64;

/** A register operand. */
export interface RegisterOperand {
  kind: "reg";
  /** Register file. `gpr8h` is AH, CH, DH or BH (reg 0–3). */
  file: "gpr" | "gpr8h" | "seg" | "cr" | "dr" | "st" | "mm" | "xmm";
  /** Number in encoding order (EAX ECX EDX EBX ESP EBP ESI EDI R8…; ES CS SS DS FS GS). */
  reg: number;
  /** Width in bits of what is accessed: 8, 16, 32, 64, 80 or 128. */
  size: number;
}

/** A memory operand: segment:[base + index*scale + displacement]. */
export interface MemoryOperand {
  kind: "mem";
  /** Width in bits of what is accessed; 0 where only the address matters (LEA, INVLPG) or it is not a plain value (FSAVE). */
  size: number;
  /** Effective segment after overrides: 0–5 = ES CS SS DS FS GS. */
  segment: number;
  /** General register number, -1 for none, 16 for the address of the next instruction (64-bit code). */
  base: number;
  /** General register number or -1. */
  index: number;
  scale: 1 | 2 | 4 | 8;
  /** Sign-extended displacement. For a moffs in 64-bit code that exceeds 32 bits signed see `disp64`. */
  disp: number;
  /** Only for 64-bit absolute offsets (MOV moffs). */
  disp64?: bigint;
  /** Address size in bits: the effective address is truncated to it. */
  addressSize: CodeSize;
}

/** A constant operand. */
export interface ImmediateOperand {
  kind: "imm";
  /**
   * Already sign-extended (as the opcode demands) to the operation's width, given as a signed number; see `wide` for
   * MOV r64,imm64.
   */
  value: number;
  wide?: bigint;
  /** Width in bits of the operation that it takes part in. */
  size: number;
}

/** A relative jump target: signed displacement from the next instruction. */
export interface RelativeOperand {
  kind: "rel";
  value: number;
  /** Operand size: the new instruction pointer is truncated to it. */
  size: number;
}

/** An immediate far pointer. */
export interface FarOperand {
  kind: "far";
  selector: number;
  offset: number;
  size: number;
}

export type Operand = RegisterOperand | MemoryOperand | ImmediateOperand | RelativeOperand | FarOperand;

/** One decoded instruction. */
export interface Instruction {
  /**
   * Canonical mnemonic, lower case, without size suffix where operands tell: `add`, `movzx`, `movsx`, `jz`, `setnbe`,
   * `cmovl`, `movs`, `cmpxchg8b`, `pushf`, `iret`, `fadd`, `paddb` … Condition names: o no b nb z nz be nbe s ns p np l nl le nle.
   * `ud` stands for every undefined or unsupported encoding (raises #UD), `toolong` for more than 15 bytes (#GP(0)).
   */
  mnemonic: string;
  /**
   * Explicit operands in Intel order (destination first). Implicit operands (AX of MUL, CL of shifts is explicit, SI/DI
   * of strings) are left out except where the table of the manual lists them.
   */
  operands: Operand[];
  /** Bytes, prefixes included. */
  length: number;
  /** Offset of the displacement's first byte, from the instruction's; 0 if there is none. */
  displacementAt: number;
  /** Offset of the first immediate value's first byte; 0 if there is none. Relative targets and far pointers are none. */
  immediateAt: number;
  /** Offset of a relative target's first byte; 0 if there is none. */
  relativeAt: number;
  /** Effective operand size: 16, 32 or 64. */
  operandSize: CodeSize;
  /** Effective address size. */
  addressSize: CodeSize;
  /** Effective segment for memory, default DS (string sources, XLAT, moffs and so on use it), after overrides: 0–5. */
  segment: number;
  /** A LOCK prefix that is legal here (an illegal one makes the mnemonic `ud`). */
  lock: boolean;
  /** 0xF3 → "rep" (also REPE), 0xF2 → "repne", only where it acts as a repeat prefix (string instructions). */
  repeat: "" | "rep" | "repne";
  /** Of an x87 instruction (D8–DF): the low 3 bits of the opcode and the ModRM byte, 11 bits. */
  escape?: number;
  /** True if a VEX prefix was used (always `ud` so far; kept for the disassembler). */
  vex?: boolean;
}

/** Offset of the first byte that says no more than displacement and immediate values; the instruction's length if there is none. */
export function constantsAt({ displacementAt, immediateAt, length }: Instruction): number {
  return displacementAt || immediateAt || length;
}

/** Result of decoding. */
export type DecodeStatus = "ok" | "truncated";
