/**
 * The x87 register stack as definitions use it: registers by their distance from the top, tags, and the pointers for
 * handlers.
 */
import type { Emitter } from "../emit/emitter.ts";
import type { Value } from "../emit/value.ts";
import { Fsw, S, SEG, Seg } from "../state.ts";

/** Where kernels leave what {@link numberResult} reads. */
const RESULT = S.KERNEL + 0x78;

/** The tag of ST(i) in its place, as a mask. */
export function tagMask(e: Emitter, i: Value | number): Value {
  return typeof i === "number" ? e.i32(1 << i) : e.i32(1).shl(i);
}

/** C1 = 0, as an instruction leaves it that does not round. */
export function clearC1(e: Emitter): void {
  e.setState(S.FSW, "i32", e.state(S.FSW, "i32").and(~Fsw.C1));
}

/** Adds the flags of a kernel's result to the status word, and sets C1 as it says. */
export function setFlags(e: Emitter, result: Value): void {
  e.setState(S.FSW, "i32", e.state(S.FSW, "i32").and(~Fsw.C1).or(result.shrU(16)));
}

/** What a function of numbers has left: sign and exponent, flags 16 bits higher; negative if an exception is not masked. */
export function numberResult(e: Emitter): Value {
  return e.state(RESULT, "i32");
}

/** Not 0 if there is no room for another register. */
export function isFull(e: Emitter): Value {
  return e.state(S.FTW, "i32").and(0x80);
}

/** Makes room for a new ST(0), and puts a number there. */
export function pushNumber(e: Emitter, significand: Value, signExponent: Value): void {
  e.moveTop(-1);
  e.setState(S.FTW, "i32", e.state(S.FTW, "i32").shl(1).and(0xff).or(1));
  e.stackRegister(0).set(significand, signExponent);
}

/** Takes ST(0) off, as often as told. */
export function popRegisters(e: Emitter, count: number): void {
  for (; count > 0; count--) {
    e.moveTop(1);
    e.setState(S.FTW, "i32", e.state(S.FTW, "i32").shrU(1));
  }
}

/**
 * Notes instruction, opcode and memory operand for handlers of exceptions, after the last access that can fault. Intel SDM
 * vol. 1, sections 8.1.8 and 8.1.9; the opcode is noted always, as with fopcode compatibility.
 */
export function notePointers(e: Emitter): void {
  e.setState(S.FIP, "i64", e.ip(64));
  e.setState(S.FCS, "i32", e.state(S.SEG + Seg.CS * SEG.SIZE + SEG.SELECTOR, "i32"));
  e.setState(S.FOP, "i32", e.escapeOpcode());
  if (e.instruction.operands.length === 0 || !e.isMemory(0)) return;
  e.setState(S.FDP, "i64", e.address(0).extendU());
  const number = e.segmentNumber(), at = S.SEG + SEG.SELECTOR;
  const selector = number.constant === undefined
    ? e.stateAt(e.let(e.base().add(number.shl(SEG.SHIFT))), at, "i32")
    : e.state(at + Number(number.constant) * SEG.SIZE, "i32");
  e.setState(S.FDS, "i32", selector);
}
