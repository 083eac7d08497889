/** Moves within the x87 register stack. Intel SDM vol. 1, sections 8.3.3 and 8.3.11. */
import { beginX87 } from "./fpu_checks.ts";
import { define } from "./registry.ts";
import { definePlain, generalKernel } from "./x87_kernels.ts";
import { clearC1 } from "./x87_stack.ts";

define("fxch", (e) => {
  beginX87(e);
  const i = e.registerNumber(0);
  const general = () => generalKernel(e, "x87_exchange", i);
  e.exceptionally(e.someEmpty(0, i), general, () => {
    const top = e.stackRegister(0), other = e.stackRegister(i), { significand, signExponent } = top;
    e.notePointers();
    top.set(other.significand, other.signExponent);
    other.set(significand, signExponent);
    clearC1(e);
  });
});

definePlain({ fincstp: ["x87_rotate", 1], fdecstp: ["x87_rotate", -1] });

define("ffree ffreep", (e, mnemonic) => {
  beginX87(e);
  generalKernel(e, "x87_free", e.registerNumber(0), e.i32(mnemonic === "ffreep" ? 1 : 0));
});
define("fnop", (e) => {
  beginX87(e);
  e.notePointers();
});

/** Condition codes of FCMOV: B, E, BE and U with PF in place of parity. */
const MOVE_CONDITIONS = { b: 2, e: 4, be: 6, u: 10, nb: 3, ne: 5, nbe: 7, nu: 11 };
for (const [name, code] of Object.entries(MOVE_CONDITIONS)) {
  define(`fcmov${name}`, (e) => {
    beginX87(e);
    generalKernel(e, "x87_conditional_move", e.registerNumber(1), e.condition(code));
  });
}
