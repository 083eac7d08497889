/** System functions of the floating-point unit. */
import type { HelperTable } from "../helpers.ts";
import { CR0, CR4, S, Vector } from "../state.ts";

/** Helpers that definitions of x87, MMX and SSE instructions call. */
export const fpuHelpers: HelperTable = {
  /** A pending x87 exception: #MF, or FERR# (IRQ 13 on a PC) if CR0.NE is clear. Intel SDM vol. 1, section 8.7. */
  fpu_error: {
    args: [],
    result: null,
    run: (core) => {
      if ((core.r.i32(S.CR0) & CR0.NE) !== 0) core.raise(Vector.MF);
      core.bus.floatingPointError();
    },
  },
  /** An SSE exception that is not masked: #XM, or #UD if CR4.OSXMMEXCPT is clear. Intel SDM vol. 3A, section 2.5. */
  simd_error: {
    args: [],
    result: null,
    run: (core) => core.raise((core.r.i32(S.CR4) & CR4.OSXMMEXCPT) !== 0 ? Vector.XM : Vector.UD),
  },
};
