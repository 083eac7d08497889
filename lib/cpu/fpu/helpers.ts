/** System functions of the floating-point unit. */
import type { HelperTable } from "../helpers.ts";
import { CR0, S, Vector } from "../state.ts";

/** Helpers that definitions of x87 and MMX instructions call. */
export const fpuHelpers: HelperTable = {
  /**
   * A pending x87 exception: #MF, or FERR# (IRQ 13 on a PC) if CR0.NE is clear; then the instruction waits for an interrupt
   * unless IGNNE# is active. Intel SDM vol. 1, section 8.7 and appendix D.
   */
  fpu_error: {
    args: [],
    result: null,
    run: (core) => {
      if ((core.r.i32(S.CR0) & CR0.NE) !== 0) core.raise(Vector.MF);
      if (!core.bus.floatingPointError(true)) core.freeze();
    },
  },
  /** With CR0.NE clear: the pending exceptions are about to be cleared or masked. */
  fpu_error_settled: {
    args: [],
    result: null,
    run: (core) => {
      core.bus.floatingPointError(false);
    },
  },
};
