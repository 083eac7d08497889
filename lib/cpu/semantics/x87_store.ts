/** x87 stores: first the value, then memory, then status and stack. Intel SDM vol. 1, section 8.3.3. */
import type { Emitter, Size } from "../emit/emitter.ts";
import type { Value } from "../emit/value.ts";
import { S } from "../state.ts";
import { beginX87 } from "./fpu_checks.ts";
import { define } from "./registry.ts";
import { byKernel, compute, generalKernel } from "./x87_kernels.ts";
import { type Computed, type Number80, toFloat, toInteger } from "./x87_numbers.ts";
import { readRegister } from "./x87_operands.ts";
import { clearC1, popRegisters } from "./x87_stack.ts";

/** S.KERNEL fields that a store's kernel leaves: the new status word, whether to store and pop, and an 80-bit value. */
const PENDING = S.KERNEL, PROCEED = S.KERNEL + 4, WIDE_SIGNIFICAND = S.KERNEL + 8, WIDE_SIGN_EXPONENT = S.KERNEL + 16;

/** Stores what a kernel has computed, unless an exception forbids it, and commits. */
function storeAndCommit(e: Emitter, popCount: number, store: () => void): void {
  e.if(e.state(PROCEED, "i32"), () => {
    store();
    popRegisters(e, popCount);
  });
  e.setState(S.FSW, "i32", e.state(PENDING, "i32"));
  e.notePointers();
}

/** Stores 80 bits. */
function storeWide(e: Emitter, significand: Value, signExponent: Value): void {
  const segment = e.segment(0), at = e.address(0);
  e.probe(segment, at, 10, true);
  e.store(segment, at, significand, 64);
  e.store(segment, e.let(e.advance(at, 8)), signExponent, 16);
}

/** Stores the 80 bits at S.KERNEL + 8. */
function storeKernelWide(e: Emitter): void {
  storeAndCommit(e, 1, () => storeWide(e, e.state(WIDE_SIGNIFICAND, "i64"), e.state(WIDE_SIGN_EXPONENT, "u16")));
}

/** FST ST(i) and FSTP ST(i): a copy, if there is something to copy. */
function copyTop(e: Emitter, popCount: number): void {
  const i = e.registerNumber(0);
  const general = () => generalKernel(e, "x87_store_register", i, e.i32(popCount));
  e.exceptionally(e.someEmpty(0), general, () => {
    const { significand, signExponent } = e.stackRegister(0);
    e.notePointers();
    e.stackRegister(i).set(significand, signExponent);
    e.markUsed(i);
    clearC1(e);
    popRegisters(e, popCount);
  });
}

/** Stores what ST(0) is made into; `general` is the name of the kernel that does what that cannot, with its arguments. */
function storeNumber(
  e: Emitter,
  popCount: number,
  convert: (number: Number80) => Computed,
  general: string,
  last: Value[],
): void {
  const size = e.sizeOf(0) as Size, write = (bits: Value) => e.write(0, size === 64 ? bits : bits.wrap());
  const otherwise = () => {
    const bits = e.kernel(general, e.base(), ...last);
    storeAndCommit(e, popCount, () => write(bits));
  };
  compute(e, [0], () => convert(readRegister(e, 0)), otherwise, ({ significand: bits, noteFlags }) => {
    write(bits);
    e.notePointers();
    noteFlags();
    popRegisters(e, popCount);
  });
}

define("fst fstp", (e, mnemonic) => {
  const popCount = mnemonic === "fstp" ? 1 : 0;
  beginX87(e);
  if (!e.isMemory(0)) return copyTop(e, popCount);
  const size = e.sizeOf(0);
  if (size !== 80) {
    const convert = (number: Number80) => {
      const kernel = () => byKernel(e, `x87_round_float${size}`, number.signExponent, number.significand);
      return toFloat(e, number, size, kernel);
    };
    return storeNumber(e, popCount, convert, "x87_to_float", [e.i32(size === 64 ? 1 : 0)]);
  }
  const general = () => {
    e.kernel("x87_to_wide", e.base());
    storeKernelWide(e);
  };
  e.exceptionally(e.someEmpty(0), general, () => {
    const { significand, signExponent } = e.stackRegister(0);
    storeWide(e, significand, signExponent);
    e.notePointers();
    clearC1(e);
    popRegisters(e, 1);
  });
});

define("fstpnce", (e) => {
  beginX87(e);
  generalKernel(e, "x87_store_unchecked", e.registerNumber(0));
});

define("fist fistp fisttp", (e, mnemonic) => {
  beginX87(e);
  const truncate = mnemonic === "fisttp", args = [e.i32(e.sizeOf(0)), e.i32(truncate ? 1 : 0)];
  const convert = (number: Number80) => {
    const kernel = () => byKernel(e, "x87_round_integer", number.signExponent, number.significand, ...args);
    return toInteger(e, number, e.sizeOf(0), truncate, kernel);
  };
  storeNumber(e, mnemonic === "fist" ? 0 : 1, convert, "x87_to_integer", args);
});

define("fbstp", (e) => {
  beginX87(e);
  e.kernel("x87_to_decimal", e.base());
  storeKernelWide(e);
});
