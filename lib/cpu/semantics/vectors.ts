/** Operands of MMX and SSE instructions: as v128 values, or as addresses for kernels. */
import type { Emitter } from "../emit/emitter.ts";
import { Value } from "../emit/value.ts";
import { S } from "../state.ts";
import { sseNotRounding } from "../emit/steady.ts";
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

/** Bytes of the vector that an instruction's destination is. */
export function vectorBytes(e: Emitter): 8 | 16 {
  return isMmx(e, 0) ? 8 : 16;
}

/** 128 zeros. */
export function zeroVector(): Value {
  return Value.v128(new Array(16).fill(0));
}

/** 16 bytes that repeat the given ones. */
export function repeated(...bytes: readonly number[]): Value {
  return Value.v128(Array.from({ length: 16 }, (_, i) => bytes[i % bytes.length]));
}

/**
 * An instruction that combines its destination with a source of the same width. Of an MMX operand the upper half is zero,
 * and that of the result is not used.
 */
export function combine(
  e: Emitter,
  operation: (a: Value, b: Value, bytes: 8 | 16) => Value,
  sourceBytes: 4 | 8 | 16 = vectorBytes(e),
): void {
  beginVector(e);
  const bytes = vectorBytes(e), source = e.vector(1, sourceBytes);
  if (bytes === 8) enterMmx(e);
  e.setVector(0, operation(e.vector(0), source, bytes));
}

/** An instruction whose result depends on a source of the destination's width only. */
export function convert(e: Emitter, operation: (source: Value) => Value): void {
  beginVector(e);
  const bytes = vectorBytes(e), source = e.vector(1, bytes);
  if (bytes === 8) enterMmx(e);
  e.setVector(0, operation(source));
}

/** The immediate, where it is known: a translator knows it, the interpreter does not. */
export function knownImmediate(e: Emitter, operand: number): number | null {
  const { constant } = e.read(operand);
  return constant === undefined ? null : Number(constant & 0xffn);
}

/**
 * Address for a kernel of an operand of 4, 8 or 16 bytes; memory is read into scratch space first. The kernel must
 * follow at once.
 */
export function pointer(e: Emitter, operand: number, bytes: 4 | 8 | 16, aligned = bytes === 16): Value {
  if (!e.isMemory(operand)) {
    e.vectorsInMemory();
    return e.registerAddress(operand);
  }
  const value = e.vector(operand, bytes, aligned);
  e.vectorsInMemory();
  e.setState(SCRATCH, "i64", value.lane("i64", 0));
  if (bytes === 16) e.setState(SCRATCH + 8, "i64", value.lane("i64", 1));
  return e.base().add(SCRATCH);
}

/** Defines an MMX and SSE instruction by the kernel of the same name: (destination, source, bytes). */
export function vectorKernel(e: Emitter, mnemonic: string): void {
  beginVector(e);
  const bytes = vectorBytes(e), source = e.let(pointer(e, 1, bytes));
  if (bytes === 8) enterMmx(e);
  e.kernel(mnemonic, e.registerAddress(0), source, e.i32(bytes));
}

/** Not 0 after a floating-point kernel that found an exception that is not masked. */
const STATUS = S.KERNEL + 0x70;

/** The result of a floating-point kernel (which gets the state block first); raises the exception if it is not masked. */
export function floatKernel(e: Emitter, name: string, ...args: Value[]): Value {
  const result = e.kernel(name, e.base(), ...args);
  e.steadyChanged(sseNotRounding);
  e.if(e.state(STATUS, "i32"), () => raiseSimdError(e));
  return result;
}
