/** Conditions of SSE and x87 instructions that hardly ever change. */
import type { StateReader } from "./emitter.ts";
import { Value } from "./value.ts";
import { CR0, CR4, Fcw, Mxcsr, S } from "../state.ts";

/** Not 0 if SSE instructions raise #UD (CR0.EM, or no CR4.OSFXSR) or #NM (CR0.TS). */
export function sseDisabled(from: StateReader): Value {
  const disabled = from.state(S.CR4, "i32").and(CR4.OSFXSR).xor(CR4.OSFXSR);
  return from.state(S.CR0, "i32").and(CR0.EM | CR0.TS).or(disabled);
}

/** Not 0 if MXCSR does not mask all exceptions, rounding is not to nearest, or PE is not set. */
export function sseNotRounding(from: StateReader): Value {
  const control = from.state(S.MXCSR, "i32");
  return control.and(Mxcsr.MASKS | Mxcsr.RC | Mxcsr.PE).xor(Mxcsr.MASKS | Mxcsr.PE);
}

/** 4000h if FCW masks all exceptions and rounds to nearest with 64 bits, else 0. */
export function x87Rounds64(from: StateReader): Value {
  return from.state(S.FCW, "i32").and(Fcw.MASKS | Fcw.PC | Fcw.RC).eq(Fcw.MASKS | Fcw.PC).shl(14);
}

/** Not 0 if x87 instructions raise #NM. */
export function x87Disabled(from: StateReader): Value {
  return from.state(S.CR0, "i32").and(CR0.EM | CR0.TS);
}

/** In every double, and in every single, what `LaneTests.extreme` adds. */
export function doubleQuarters(): Value {
  return Value.v128([0, 0, 0, 0, 0, 0, 0, 0x60, 0, 0, 0, 0, 0, 0, 0, 0x60]);
}
export function singleQuarters(): Value {
  return Value.v128([0, 0, 0, 0x60, 0, 0, 0, 0x60, 0, 0, 0, 0x60, 0, 0, 0, 0x60]);
}

/** What a translator keeps where SSE registers, and where the x87 stack is in use. */
export const STEADY_SSE = [sseDisabled, sseNotRounding, doubleQuarters, singleQuarters] as const,
  STEADY_X87 = [x87Disabled, x87Rounds64] as const;
