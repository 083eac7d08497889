/** Decimal adjustments. Intel SDM vol. 2, DAA, DAS, AAA, AAS, AAM, AAD. */
import type { Emitter } from "../emit/emitter.ts";
import type { Value } from "../emit/value.ts";
import { R, Vector } from "../state.ts";
import { define } from "./registry.ts";

/** True if the low digit of AL is above 9 or AF is set. */
function lowDigitOverflows(e: Emitter, al: Value): Value {
  return e.let(al.and(0x0f).gtU(9).or(e.flag("AF")));
}

/** DAA and DAS: adds `sign` × 6 and `sign` × 60h where a digit needs it. */
function adjustPacked(e: Emitter, sign: 1 | -1): void {
  const al = e.register(R.AX, 8);
  const low = lowDigitOverflows(e, al), high = e.let(al.gtU(0x99).or(e.flag("CF")));
  const result = e.let(al.add(low.mul(sign * 6)).add(high.mul(sign * 0x60)).and(0xff));
  // A borrow out of the low digit's correction sets CF too.
  const carry = sign === 1 ? high : e.let(high.or(low.and(al.ltU(6))));
  e.setRegister(R.AX, 8, result);
  e.flagsResult(result, 8, { CF: carry, AF: low });
}

define("daa", (e) => adjustPacked(e, 1));
define("das", (e) => adjustPacked(e, -1));

/** AAA and AAS: AX changes by `sign` × 106h if the digit overflows. */
function adjustUnpacked(e: Emitter, sign: 1 | -1): void {
  const ax = e.register(R.AX, 16);
  const overflow = lowDigitOverflows(e, ax);
  const result = e.let(ax.add(overflow.mul(sign * 0x106)).and(0xff0f));
  e.setRegister(R.AX, 16, result);
  e.flagsResult(result, 8, { CF: overflow, AF: overflow });
}

define("aaa", (e) => adjustUnpacked(e, 1));
define("aas", (e) => adjustUnpacked(e, -1));

define("aam", (e) => {
  const base = e.let(e.read(0).wrap().and(0xff));
  e.raiseIf(base.eqz(), Vector.DE);
  const al = e.register(R.AX, 8);
  const quotient = e.let(al.divU(base)), remainder = e.let(al.remU(base));
  e.setRegister(R.AX, 16, quotient.shl(8).or(remainder));
  e.flagsResult(remainder, 8, {});
});

define("aad", (e) => {
  const base = e.read(0).wrap().and(0xff), ax = e.register(R.AX, 16);
  const result = e.let(ax.shrU(8).mul(base).add(ax).and(0xff));
  e.setRegister(R.AX, 16, result);
  e.flagsResult(result, 8, {});
});
