/** The x87 register stack as definitions use it: registers by their distance from the top, tags, and the pointers for handlers. */
import type { Emitter } from "../emit/emitter.ts";
import type { Value } from "../emit/value.ts";
import { S, SEG, Seg } from "../state.ts";

/** FSW: C1. */
const C1 = 1 << 9;

/** A register of the stack. */
export interface StackRegister {
  readonly significand: Value;
  readonly signExponent: Value;
  set(significand: Value, signExponent: Value): void;
}

/** ST(i) as it lies now. */
export function stackRegister(e: Emitter, i: Value | number): StackRegister {
  const position = e.state(S.FTOP, "i32").add(i).and(7);
  const at = e.let(e.base().add(position.shl(4)));
  return {
    get significand() {
      return e.stateAt(at, S.X87, "i64");
    },
    get signExponent() {
      return e.stateAt(at, S.X87 + 8, "u16");
    },
    set: (significand, signExponent) => {
      e.setStateAt(at, S.X87, "i64", significand);
      e.setStateAt(at, S.X87 + 8, "u16", signExponent);
    },
  };
}

/** The tag of ST(i) in its place, as a mask. */
export function tagMask(e: Emitter, i: Value | number): Value {
  return typeof i === "number" ? e.i32(1 << i) : e.i32(1).shl(i);
}

/** C1 = 0, as an instruction leaves it that does not round. */
export function clearC1(e: Emitter): void {
  e.setState(S.FSW, "i32", e.state(S.FSW, "i32").and(~C1));
}

/** Makes room for a new ST(0), which is in use then. */
export function pushRegister(e: Emitter): StackRegister {
  e.setState(S.FTOP, "i32", e.state(S.FTOP, "i32").sub(1).and(7));
  e.setState(S.FTW, "i32", e.state(S.FTW, "i32").shl(1).and(0xff).or(1));
  return stackRegister(e, 0);
}

/** Takes ST(0) off. */
export function popRegister(e: Emitter): void {
  e.setState(S.FTOP, "i32", e.state(S.FTOP, "i32").add(1).and(7));
  e.setState(S.FTW, "i32", e.state(S.FTW, "i32").shrU(1));
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
  const segment = e.let(e.base().add(e.segmentNumber().shl(6)));
  e.setState(S.FDS, "i32", e.stateAt(segment, S.SEG + SEG.SELECTOR, "i32"));
}
