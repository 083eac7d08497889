/** Writes a decoded instruction in Intel syntax, in the manner of `objdump -M intel`, with the mnemonics of the opcode map. */
import type { Instruction, MemoryOperand, Operand, RegisterOperand } from "./instruction.ts";

const LOW8 = ["al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil"];
const HIGH8 = ["ah", "ch", "dh", "bh"];
const WORD = ["ax", "cx", "dx", "bx", "sp", "bp", "si", "di"];
const SEGMENT = ["es", "cs", "ss", "ds", "fs", "gs"];

const POINTER: Record<number, string> = {
  8: "BYTE PTR ",
  16: "WORD PTR ",
  32: "DWORD PTR ",
  48: "FWORD PTR ",
  64: "QWORD PTR ",
  80: "TBYTE PTR ",
  128: "XMMWORD PTR ",
};

/** Mnemonics that say their operand size: 16, 32 and 64 bits. */
const BY_SIZE: Record<string, readonly [string, string, string]> = {
  cbw: ["cbw", "cwde", "cdqe"],
  cwd: ["cwd", "cdq", "cqo"],
  pusha: ["pushaw", "pushad", "pusha"],
  popa: ["popaw", "popad", "popa"],
  pushf: ["pushfw", "pushfd", "pushfq"],
  popf: ["popfw", "popfd", "popfq"],
  iret: ["iretw", "iretd", "iretq"],
};

/** Name of JCXZ by address size. */
const JUMP_ON_COUNT: Record<number, string> = { 16: "jcxz", 32: "jecxz", 64: "jrcxz" };

/** Mnemonics of which F3 means "while equal". */
const COMPARES = new Set(["cmps", "scas"]);

const RIP = 16, SP = 4, BP = 5, SS = 2, DS = 3;

function generalName(reg: number, size: number): string {
  if (reg >= 8) return `r${reg}${size === 8 ? "b" : size === 16 ? "w" : size === 32 ? "d" : ""}`;
  if (size === 8) return LOW8[reg];
  return (size === 16 ? "" : size === 32 ? "e" : "r") + WORD[reg];
}

/** Name of a register operand. */
function registerName(operand: RegisterOperand): string {
  switch (operand.file) {
    case "gpr":
      return generalName(operand.reg, operand.size);
    case "gpr8h":
      return HIGH8[operand.reg];
    case "seg":
      return SEGMENT[operand.reg];
    case "st":
      return operand.reg === 0 ? "st" : `st(${operand.reg})`;
    default:
      return `${operand.file}${operand.reg}`;
  }
}

function hex(value: number | bigint, size: number): string {
  return "0x" + BigInt.asUintN(size, BigInt(value)).toString(16);
}

function signedHex(value: number): string {
  return value < 0 ? `-0x${(-value).toString(16)}` : `+0x${value.toString(16)}`;
}

function memoryText(operand: MemoryOperand): string {
  const { base, index, scale, disp, disp64, segment, addressSize } = operand;
  const size = POINTER[operand.size] ?? "";
  if (base < 0 && index < 0) return `${size}${SEGMENT[segment]}:${hex(disp64 ?? disp, addressSize)}`;
  const usual = base === SP || base === BP ? SS : DS;
  const prefix = segment === usual ? "" : `${SEGMENT[segment]}:`;
  const parts: string[] = [];
  if (base === RIP) parts.push(addressSize === 64 ? "rip" : "eip");
  else if (base >= 0) parts.push(generalName(base, addressSize));
  if (index >= 0) {
    parts.push((base < 0 ? "" : "+") + generalName(index, addressSize) + (addressSize === 16 ? "" : `*${scale}`));
  }
  if (disp !== 0 || base === RIP) parts.push(signedHex(disp));
  return `${size}${prefix}[${parts.join("")}]`;
}

function operandText(operand: Operand, next: bigint): string {
  switch (operand.kind) {
    case "reg":
      return registerName(operand);
    case "mem":
      return memoryText(operand);
    case "imm":
      return hex(operand.wide ?? operand.value, operand.size);
    case "rel":
      return hex(next + BigInt(operand.value), operand.size);
    case "far":
      return `${hex(operand.selector, 16)}:${hex(operand.offset, 32)}`;
  }
}

function mnemonicText(instruction: Instruction): string {
  const { mnemonic, operandSize } = instruction;
  if (mnemonic === "ud" || mnemonic === "toolong") return "(bad)";
  if (mnemonic === "jcxz") return JUMP_ON_COUNT[instruction.addressSize];
  const names = BY_SIZE[mnemonic];
  return names === undefined ? mnemonic : names[operandSize === 16 ? 0 : operandSize === 32 ? 1 : 2];
}

/**
 * Text of an instruction, for example `add DWORD PTR [ebx+esi*4+0x10],eax`.
 *
 * @param address instruction pointer of its first byte, from which jump targets are computed
 */
export function disassemble(instruction: Instruction, address: number | bigint): string {
  const next = BigInt(address) + BigInt(instruction.length);
  const prefixes = instruction.lock ? "lock " : instruction.repeat === "" ? "" : repeatText(instruction);
  const mnemonic = prefixes + mnemonicText(instruction);
  if (instruction.mnemonic === "xlat") {
    const base = `[${generalName(3, instruction.addressSize)}]`;
    return `${mnemonic} BYTE PTR ${instruction.segment === DS ? "" : `${SEGMENT[instruction.segment]}:`}${base}`;
  }
  const operands = instruction.operands.map((operand) => operandText(operand, next)).join(",");
  return operands === "" ? mnemonic : `${mnemonic} ${operands}${targetText(instruction.operands, next)}`;
}

/** The address that a RIP-relative operand stands for, as a comment. */
function targetText(operands: readonly Operand[], next: bigint): string {
  for (const operand of operands) {
    if (operand.kind === "mem" && operand.base === RIP) {
      return `        # ${hex(next + BigInt(operand.disp), operand.addressSize)}`;
    }
  }
  return "";
}

function repeatText({ mnemonic, repeat }: Instruction): string {
  if (!COMPARES.has(mnemonic)) return repeat === "rep" ? "rep " : "repnz ";
  return repeat === "rep" ? "repz " : "repnz ";
}
