/** The x87 register stack as definitions use it: registers by their distance from the top. */
import type { Emitter } from "../emit/emitter.ts";
import type { Value } from "../emit/value.ts";
import { Fsw, S } from "../state.ts";

/** Where kernels leave what {@link numberResult} reads. */
const RESULT = S.KERNEL + 0x78;

/** C1 = 0, as an instruction leaves it that does not round. */
export function clearC1(e: Emitter): void {
  e.noteRounding(e.i32(0), e.i64(0));
}

/** What a function of numbers has left: sign and exponent, flags 16 bits higher; negative if an exception is not masked. */
export function numberResult(e: Emitter): Value {
  return e.state(RESULT, "i32");
}

/** The flags of exceptions in such a result. */
export function flagsOf(result: Value): Value {
  return result.shrU(16).and(Fsw.EXCEPTIONS);
}

/** Makes room for a new ST(0), and puts a number there. */
export function pushNumber(e: Emitter, significand: Value, signExponent: Value): void {
  e.moveTop(-1);
  e.stackRegister(0).set(significand, signExponent);
}

/** Takes ST(0) off, as often as told. */
export function popRegisters(e: Emitter, count: number): void {
  for (; count > 0; count--) e.moveTop(1);
}
