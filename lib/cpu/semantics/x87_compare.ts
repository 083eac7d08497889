/** x87 comparisons. Intel SDM vol. 1, section 8.3.6. */
import type { Emitter } from "../emit/emitter.ts";
import type { Value } from "../emit/value.ts";
import { beginX87 } from "./fpu_checks.ts";
import { define } from "./registry.ts";
import { definePlain, generalKernel } from "./x87_kernels.ts";
import { type MemoryNumber, readFloat, readInteger } from "./x87_operands.ts";
import { popRegisters } from "./x87_stack.ts";

/** Pops by the number of trailing p's: FCOM, FCOMP, FCOMPP. */
function popsOf(mnemonic: string): number {
  return mnemonic.length - mnemonic.replace(/p+$/, "").length;
}

/** Orders two numbers with a kernel that gives C3, C2 and C0, or −1 for `general` to do it. */
function compare(
  e: Emitter,
  registers: readonly (Value | number)[],
  order: () => Value,
  general: () => void,
  commit: (codes: Value) => void,
) {
  e.exceptionally(e.someEmpty(...registers), general, () => {
    const codes = order();
    e.exceptionally(codes.ltS(0), general, () => commit(codes));
  });
}

function setCodes(e: Emitter, codes: Value, popCount: number): void {
  e.notePointers();
  e.setX87Codes(codes);
  popRegisters(e, popCount);
}

/** How ST(0) and ST(i) are ordered. */
function orderWith(e: Emitter, i: Value): Value {
  const a = e.stackRegister(0), b = e.stackRegister(i);
  return e.kernel("x87_order", a.signExponent, a.significand, b.signExponent, b.significand);
}

function compareRegister(e: Emitter, i: Value, quiet: boolean, popCount: number): void {
  beginX87(e);
  const general = () => generalKernel(e, "x87_compare", i, e.i32(quiet ? 1 : 0), e.i32(popCount));
  compare(e, [0, i], () => orderWith(e, i), general, (codes) => setCodes(e, codes, popCount));
}

function compareMemory(e: Emitter, read: (e: Emitter) => MemoryNumber, popCount: number): void {
  beginX87(e);
  const { kind, bits } = read(e);
  const general = () => generalKernel(e, "x87_compare_memory", kind, bits, e.i32(popCount));
  const order = () => {
    const a = e.stackRegister(0);
    return e.kernel("x87_order_memory", a.signExponent, a.significand, kind, bits);
  };
  compare(e, [0], order, general, (codes) => setCodes(e, codes, popCount));
}

define("fcom fcomp", (e, mnemonic) => {
  if (e.isMemory(0)) compareMemory(e, readFloat, popsOf(mnemonic));
  else compareRegister(e, e.registerNumber(0), false, popsOf(mnemonic));
});
define("ficom ficomp", (e, mnemonic) => compareMemory(e, readInteger, popsOf(mnemonic)));
define("fucom fucomp", (e, mnemonic) => compareRegister(e, e.registerNumber(0), true, popsOf(mnemonic)));
define("fcompp fucompp", (e, mnemonic) => compareRegister(e, e.i32(1), mnemonic === "fucompp", 2));

/** FCOMI and its kind: ST(0) with ST(i), the answer in EFLAGS. */
define("fcomi fcomip fucomi fucomip", (e, mnemonic) => {
  beginX87(e);
  const quiet = mnemonic.startsWith("fu") ? 1 : 0, popCount = mnemonic.endsWith("p") ? 1 : 0, i = e.registerNumber(1);
  const general = () => {
    e.notePointers();
    const image = e.kernel("x87_comi", e.base(), i, e.i32(quiet), e.i32(popCount));
    e.if(image.ne(-1), () => e.setArithmeticFlags(image));
  };
  compare(e, [0, i], () => orderWith(e, i), general, (codes) => {
    e.notePointers();
    popRegisters(e, popCount);
    // C3, C2 and C0 lie as ZF, PF and CF do, 8 bits higher.
    e.setArithmeticFlags(e.let(codes.shrU(8)));
  });
});

definePlain({ ftst: ["x87_test"], fxam: ["x87_examine"] });
