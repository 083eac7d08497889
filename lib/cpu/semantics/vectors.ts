/** Operands of MMX and SSE instructions: registers and memory as 64-bit halves, or as addresses for kernels. */
import type { Emitter } from "../emit/emitter.ts";
import type { Value } from "../emit/value.ts";
import { S } from "../state.ts";
import { beginMmx, beginSse, raiseSimdError } from "./fpu_checks.ts";

/** Where a memory operand of a kernel is put: 16 bytes of S.KERNEL. */
const SCRATCH = S.KERNEL + 0x60;

/** True if an operand is an MMX register. */
export function isMmx(e: Emitter, operand: number): boolean {
  const found = e.instruction.operands[operand];
  return found?.kind === "reg" && found.file === "mm";
}

/** Checks before an instruction that has an MMX form and an SSE form, by its register operands. */
export function beginVector(e: Emitter): void {
  if (e.instruction.operands.some((_, i) => isMmx(e, i))) beginMmx(e);
  else beginSse(e);
}

/** After the last access that can fault: an MMX instruction makes all x87 registers valid, with TOP 0. */
export function enterMmx(e: Emitter): void {
  e.setState(S.FTOP, "i32", e.i32(0));
  e.setState(S.FTW, "i32", e.i32(0xff));
}

/** Writes an MMX register; its upper part becomes all ones. */
export function writeMmx(e: Emitter, operand: number, value: Value): void {
  e.setRegisterHalf(operand, 0, value);
  e.setRegisterHalf(operand, 1, e.i64(0xffff));
}

/** The low 64 bits of a vector register, or 64 bits of memory. */
export function read64(e: Emitter, operand: number): Value {
  return e.isMemory(operand) ? e.load(e.segment(operand), e.address(operand), 64) : e.registerHalf(operand, 0);
}

/** The low 32 bits of a vector register, or 32 bits of memory, i32. */
export function read32(e: Emitter, operand: number): Value {
  if (e.isMemory(operand)) return e.load(e.segment(operand), e.address(operand), 32);
  return e.let(e.registerHalf(operand, 0).wrap());
}

/** All 128 bits, [low, high]; memory must be aligned unless told otherwise. */
export function read128(e: Emitter, operand: number, aligned = true): [Value, Value] {
  if (e.isMemory(operand)) return e.load128(e.segment(operand), e.address(operand), aligned);
  return [e.registerHalf(operand, 0), e.registerHalf(operand, 1)];
}

/** Writes 128 bits to a register or memory. */
export function write128(e: Emitter, operand: number, low: Value, high: Value, aligned = true): void {
  if (e.isMemory(operand)) return e.store128(e.segment(operand), e.address(operand), low, high, aligned);
  e.setRegisterHalf(operand, 0, low);
  e.setRegisterHalf(operand, 1, high);
}

/** Address for a kernel of an operand of 2, 4, 8 or 16 bytes; memory is read into scratch space first. */
export function pointer(e: Emitter, operand: number, bytes: number, aligned = true): Value {
  if (!e.isMemory(operand)) return e.registerAddress(operand);
  if (bytes === 16) {
    const [low, high] = read128(e, operand, aligned);
    e.setState(SCRATCH, "i64", low);
    e.setState(SCRATCH + 8, "i64", high);
  } else if (bytes === 8) e.setState(SCRATCH, "i64", read64(e, operand));
  else if (bytes === 4) e.setState(SCRATCH, "i32", read32(e, operand));
  else e.setState(SCRATCH, "i32", e.load(e.segment(operand), e.address(operand), 16));
  return e.base().add(SCRATCH);
}

/** Bytes of the vector that an instruction's destination is. */
export function vectorBytes(e: Emitter): 8 | 16 {
  return isMmx(e, 0) ? 8 : 16;
}

/** Defines an MMX and SSE instruction by the kernel of the same name: (destination, source, bytes). */
export function vectorKernel(e: Emitter, mnemonic: string): void {
  beginVector(e);
  const bytes = vectorBytes(e), source = e.let(pointer(e, 1, bytes));
  if (bytes === 8) enterMmx(e);
  e.kernel(mnemonic, e.registerAddress(0), source, e.i32(bytes));
}

/** Calls a kernel that returns 1 if it found an exception that is not masked. */
export function checkedKernel(e: Emitter, name: string, ...args: Value[]): void {
  e.if(e.kernel(name, e.base(), ...args), () => raiseSimdError(e));
}
