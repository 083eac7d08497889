/** x87 loads. Intel SDM vol. 1, sections 8.3.3 and 8.3.4. */
import type { Emitter } from "../emit/emitter.ts";
import type { Value } from "../emit/value.ts";
import { beginX87 } from "./fpu_checks.ts";
import { define } from "./registry.ts";
import { generalKernel } from "./x87_kernels.ts";
import { fromInteger } from "./x87_numbers.ts";
import { asNumber, type MemoryNumber, readFloat, readInteger } from "./x87_operands.ts";
import { clearC1, flagsOf, numberResult, pushNumber } from "./x87_stack.ts";

/** FBLD and FLD m80: the significand and the sign with the exponent. */
function readWide(e: Emitter): [Value, Value] {
  const segment = e.segment(0), at = e.address(0);
  return [e.load(segment, at, 64), e.load(segment, e.let(e.advance(at, 8)), 16)];
}

/** FLD ST(i): a copy, if there is something to copy and room for it. */
function duplicate(e: Emitter): void {
  const i = e.registerNumber(0);
  const general = () => generalKernel(e, "x87_load_register", i);
  e.exceptionally(e.someEmpty(i).or(e.stackFull()), general, () => {
    const { significand, signExponent } = e.stackRegister(i);
    e.notePointers();
    clearC1(e);
    pushNumber(e, significand, signExponent);
  });
}

/** Pushes a memory operand. Integers and normal numbers are converted in place; what is neither, by a kernel. */
function pushMemory(e: Emitter, operand: MemoryNumber): void {
  const { type, kind, bits } = operand;
  const general = () => generalKernel(e, "x87_load", kind, bits);
  const push = (significand: Value, signExponent: Value) => {
    e.notePointers();
    clearC1(e);
    pushNumber(e, significand, signExponent);
  };
  e.exceptionally(e.stackFull(), general, () => {
    if (type === "integer") {
      // Integers raise nothing.
      const { significand, signExponent } = fromInteger(e, bits);
      return push(e.let(significand), e.let(signExponent));
    }
    const { number, isNormal } = asNumber(e, operand);
    const significand = e.variable(number.significand), signExponent = e.variable(number.signExponent);
    const result = e.variable(e.i32(0));
    let isSettled = false;
    e.rarely(isNormal.eqz(), () => {
      significand.set(e.kernel(`x87_widen_${type}`, bits));
      const left = numberResult(e);
      isSettled = e.leaveIf(left.ltS(0));
      signExponent.set(left.and(0xffff));
      if (isSettled) e.addX87Flags(flagsOf(left));
      else result.set(left);
    });
    const commit = () => push(e.let(significand.value), e.let(signExponent.value));
    if (isSettled) return commit();
    e.exceptionally(result.value.ltS(0), general, () => {
      e.addX87Flags(flagsOf(result.value));
      commit();
    });
  });
}

define("fld", (e) => {
  beginX87(e);
  if (!e.isMemory(0)) return duplicate(e);
  if (e.sizeOf(0) !== 80) return pushMemory(e, readFloat(e));
  const [significand, signExponent] = readWide(e);
  const general = () => generalKernel(e, "x87_load80", significand, signExponent);
  e.exceptionally(e.stackFull(), general, () => {
    e.notePointers();
    clearC1(e);
    pushNumber(e, significand, signExponent);
  });
});
define("fild", (e) => {
  beginX87(e);
  pushMemory(e, readInteger(e));
});
define("fbld", (e) => {
  beginX87(e);
  generalKernel(e, "x87_load_decimal", ...readWide(e));
});

/** Constants that do not depend on the rounding. */
const EXACT: Record<string, [significand: bigint, signExponent: number]> = { fld1: [1n << 63n, 0x3fff], fldz: [0n, 0] };

for (const [which, mnemonic] of ["fld1", "fldl2t", "fldl2e", "fldpi", "fldlg2", "fldln2", "fldz"].entries()) {
  define(mnemonic, (e) => {
    beginX87(e);
    const general = () => generalKernel(e, "x87_load_constant", e.i32(which));
    const exact = EXACT[mnemonic];
    if (!exact) return general();
    e.exceptionally(e.stackFull(), general, () => {
      e.notePointers();
      clearC1(e);
      pushNumber(e, e.i64(exact[0]), e.i32(exact[1]));
    });
  });
}
