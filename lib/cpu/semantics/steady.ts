/** Conditions of SSE instructions that hardly ever change. */
import type { StateReader } from "../emit/emitter.ts";
import type { Value } from "../emit/value.ts";
import { CR0, CR4, S } from "../state.ts";

/** Bits of MXCSR. Intel SDM vol. 1, section 10.2.3. */
export const Mxcsr = {
  PE: 1 << 5,
  DAZ: 1 << 6,
  /** Masks of all exceptions. */
  MASKS: 0x1f80,
  /** Mask of the precision exception. */
  PM: 1 << 12,
  /** Rounding control, 0 = to nearest. */
  RC: 3 << 13,
  FTZ: 1 << 15,
} as const;

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

/** All values that a translator keeps where SSE registers are in use. */
export const STEADY = [sseDisabled, sseNotRounding] as const;
