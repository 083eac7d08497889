/** x87 arithmetic, comparisons, loads and stores: operands here, numbers in the kernels. Intel SDM vol. 2, F…. */
import type { Emitter, Size } from "../emit/emitter.ts";
import type { Value } from "../emit/value.ts";
import { S } from "../state.ts";
import { beginX87 } from "./fpu_checks.ts";
import { define } from "./registry.ts";
import { clearC1, notePointers, popRegister, pushRegister, stackRegister, tagMask } from "./x87_stack.ts";

/** S.KERNEL fields that a store's kernel leaves: the new status word, whether to store and pop, and an 80-bit value. */
const PENDING = S.KERNEL, PROCEED = S.KERNEL + 4, WIDE_SIGNIFICAND = S.KERNEL + 8, WIDE_SIGN_EXPONENT = S.KERNEL + 16;

/** A memory operand: its type in the names of kernels, the number of the type, and its bits as i64. */
interface MemoryNumber {
  readonly type: "float32" | "float64" | "integer";
  readonly kind: Value;
  readonly bits: Value;
}

/** Reads a floating-point memory operand. */
function readFloat(e: Emitter): MemoryNumber {
  const size = e.sizeOf(0) as Size;
  const bits = e.let(e.load(e.segment(0), e.address(0), size).extendU());
  return size === 32 ? { type: "float32", kind: e.i32(0), bits } : { type: "float64", kind: e.i32(1), bits };
}

/** Reads an integer memory operand. */
function readInteger(e: Emitter): MemoryNumber {
  const size = e.sizeOf(0) as Size;
  const bits = e.let(e.load(e.segment(0), e.address(0), size).signExtend(size).extendS());
  return { type: "integer", kind: e.i32(2), bits };
}

/** Operations: the kernel and its last arguments (which operand to negate, or whether to divide the other way round). */
const ARITHMETIC: Record<string, [kernel: string, ...args: number[]]> = {
  add: ["x87_add", 0, 0],
  mul: ["x87_multiply"],
  sub: ["x87_add", 0, 0x8000],
  subr: ["x87_add", 0x8000, 0],
  div: ["x87_divide", 0],
  divr: ["x87_divide", 1],
};

for (const [name, [kernel, ...args]] of Object.entries(ARITHMETIC)) {
  const onStack = (e: Emitter, popCount: number) => {
    beginX87(e);
    notePointers(e);
    e.kernel(kernel, e.registerNumber(0), e.registerNumber(1), e.i32(popCount), ...args.map((arg) => e.i32(arg)));
  };
  const onMemory = (e: Emitter, read: (e: Emitter) => MemoryNumber) => {
    beginX87(e);
    const { type, bits } = read(e);
    notePointers(e);
    e.kernel(`${kernel}_${type}`, bits, ...args.map((arg) => e.i32(arg)));
  };
  define(`f${name}`, (e) => e.isMemory(0) ? onMemory(e, readFloat) : onStack(e, 0));
  define(`f${name}p`, (e) => onStack(e, 1));
  define(`fi${name}`, (e) => onMemory(e, readInteger));
}

/** Pops by the number of trailing p's: FCOM, FCOMP, FCOMPP. */
function popsOf(mnemonic: string): number {
  return mnemonic.length - mnemonic.replace(/p+$/, "").length;
}

function compareRegister(e: Emitter, i: Value, quiet: boolean, popCount: number): void {
  notePointers(e);
  e.kernel("x87_order", i, e.i32(quiet ? 1 : 0), e.i32(popCount));
}

function compareMemory(e: Emitter, { kind, bits }: MemoryNumber, popCount: number): void {
  notePointers(e);
  e.kernel("x87_order_memory", kind, bits, e.i32(popCount));
}

define("fcom fcomp", (e, mnemonic) => {
  beginX87(e);
  if (e.isMemory(0)) compareMemory(e, readFloat(e), popsOf(mnemonic));
  else compareRegister(e, e.registerNumber(0), false, popsOf(mnemonic));
});
define("ficom ficomp", (e, mnemonic) => {
  beginX87(e);
  compareMemory(e, readInteger(e), popsOf(mnemonic));
});
define("fucom fucomp", (e, mnemonic) => {
  beginX87(e);
  compareRegister(e, e.registerNumber(0), true, popsOf(mnemonic));
});
define("fcompp fucompp", (e, mnemonic) => {
  beginX87(e);
  compareRegister(e, e.i32(1), mnemonic === "fucompp", 2);
});

/** FCOMI and its kind: ST(0) with ST(i), the answer in EFLAGS. */
define("fcomi fcomip fucomi fucomip", (e, mnemonic) => {
  beginX87(e);
  notePointers(e);
  const quiet = mnemonic.startsWith("fu") ? 1 : 0, popCount = mnemonic.endsWith("p") ? 1 : 0;
  const image = e.kernel("x87_order_flags", e.registerNumber(1), e.i32(quiet), e.i32(popCount));
  e.if(image.ne(-1), () => e.setArithmeticFlags(image));
});

// ---- loads

/** FBLD and FLD m80: the significand and the sign with the exponent. */
function readWide(e: Emitter): [Value, Value] {
  const segment = e.segment(0), at = e.address(0);
  return [e.load(segment, at, 64), e.load(segment, e.let(e.advance(at, 8)), 16)];
}

/** FLD ST(i): a copy, if there is something to copy and room for it. */
function duplicate(e: Emitter): void {
  const i = e.registerNumber(0), tags = e.state(S.FTW, "i32"), full = tags.shrU(7);
  e.if(tags.shrU(i).and(full.not()).and(1), () => {
    const { significand, signExponent } = stackRegister(e, i);
    clearC1(e);
    pushRegister(e).set(significand, signExponent);
  }, () => e.kernel("x87_load_register", e.base(), i));
}

/** FLD m32 and m64: a normal number is pushed in place. */
function pushFloat(e: Emitter): void {
  const { type, bits } = readFloat(e), wide = type === "float64";
  notePointers(e);
  const [fraction, bias] = wide ? [52, 1023] : [23, 127], largest = 2 * bias;
  const exponent = e.let(bits.shrU(fraction).wrap().and(largest + 1));
  const room = e.state(S.FTW, "i32").and(0x80).eqz();
  e.if(exponent.sub(1).ltU(largest).and(room), () => {
    const sign = bits.shrU(wide ? 48 : 16).wrap().and(0x8000);
    clearC1(e);
    pushRegister(e).set(bits.shl(63 - fraction).or(e.i64(1n << 63n)), exponent.add(16383 - bias).or(sign));
  }, () => {
    e.kernel(`x87_push_${type}`, bits);
  });
}

define("fld", (e) => {
  beginX87(e);
  if (!e.isMemory(0)) {
    notePointers(e);
    duplicate(e);
  } else if (e.sizeOf(0) === 80) {
    const wide = readWide(e);
    notePointers(e);
    e.kernel("x87_load80", e.base(), ...wide);
  } else {
    pushFloat(e);
  }
});
define("fild", (e) => {
  beginX87(e);
  const { bits } = readInteger(e);
  notePointers(e);
  e.kernel("x87_push_integer", bits);
});
define("fbld", (e) => {
  beginX87(e);
  const wide = readWide(e);
  notePointers(e);
  e.kernel("x87_load_decimal", e.base(), ...wide);
});

/** Constants that do not depend on the rounding. */
const EXACT: Record<string, [significand: bigint, signExponent: number]> = { fld1: [1n << 63n, 0x3fff], fldz: [0n, 0] };

for (const [which, mnemonic] of ["fld1", "fldl2t", "fldl2e", "fldpi", "fldlg2", "fldln2", "fldz"].entries()) {
  define(mnemonic, (e) => {
    beginX87(e);
    notePointers(e);
    const load = () => {
      e.kernel("x87_load_constant", e.base(), e.i32(which));
    };
    const exact = EXACT[mnemonic];
    if (!exact) return load();
    e.if(e.state(S.FTW, "i32").and(0x80), load, () => {
      clearC1(e);
      pushRegister(e).set(e.i64(exact[0]), e.i32(exact[1]));
    });
  });
}

// ---- stores: value, memory, then status and stack

/** Stores what a kernel has computed, unless an exception forbids it, and commits. */
function storeAndCommit(e: Emitter, popCount: number, store: () => void): void {
  e.if(e.state(PROCEED, "i32"), () => {
    store();
    if (popCount === 1) popRegister(e);
  });
  e.setState(S.FSW, "i32", e.state(PENDING, "i32"));
  notePointers(e);
}

/** Stores the 80 bits at S.KERNEL + 8. */
function storeWide(e: Emitter, popCount: number): void {
  storeAndCommit(e, popCount, () => {
    const segment = e.segment(0), at = e.address(0);
    e.probe(segment, at, 10, true);
    e.store(segment, at, e.state(WIDE_SIGNIFICAND, "i64"), 64);
    e.store(segment, e.let(e.advance(at, 8)), e.state(WIDE_SIGN_EXPONENT, "u16"), 16);
  });
}

/** FST ST(i) and FSTP ST(i): a copy, if there is something to copy. */
function copyTop(e: Emitter, popCount: number): void {
  const i = e.registerNumber(0), tags = e.state(S.FTW, "i32");
  e.if(tags.and(1), () => {
    const { significand, signExponent } = stackRegister(e, 0);
    stackRegister(e, i).set(significand, signExponent);
    e.setState(S.FTW, "i32", tags.or(tagMask(e, i)));
    clearC1(e);
    if (popCount === 1) popRegister(e);
  }, () => e.kernel("x87_store_register", e.base(), i, e.i32(popCount)));
}

define("fst fstp", (e, mnemonic) => {
  const popCount = mnemonic === "fstp" ? 1 : 0;
  beginX87(e);
  if (!e.isMemory(0)) {
    notePointers(e);
    copyTop(e, popCount);
  } else if (e.sizeOf(0) === 80) {
    e.kernel("x87_to_wide", e.base());
    storeWide(e, popCount);
  } else {
    const size = e.sizeOf(0) as Size, bits = e.kernel(`x87_round_float${size}`);
    storeAndCommit(e, popCount, () => e.write(0, size === 64 ? bits : bits.wrap()));
  }
});

define("fstpnce", (e) => {
  beginX87(e);
  notePointers(e);
  e.kernel("x87_store_unchecked", e.base(), e.registerNumber(0));
});

define("fist fistp fisttp", (e, mnemonic) => {
  beginX87(e);
  const size = e.sizeOf(0) as Size;
  const value = e.kernel("x87_round_integer", e.i32(size), e.i32(mnemonic === "fisttp" ? 1 : 0));
  storeAndCommit(e, mnemonic === "fist" ? 0 : 1, () => e.write(0, size === 64 ? value : value.wrap()));
});

define("fbstp", (e) => {
  beginX87(e);
  e.kernel("x87_to_decimal", e.base());
  storeWide(e, 1);
});

// ---- the stack and single operands

/** Instructions that are a kernel and constant arguments. */
const PLAIN: Record<string, [kernel: string, ...args: number[]]> = {
  ftst: ["x87_test"],
  fxam: ["x87_examine"],
  fsqrt: ["x87_square_root"],
  frndint: ["x87_round_to_integral"],
  fxtract: ["x87_extract"],
  fscale: ["x87_scale"],
  fprem: ["x87_remainder", 0],
  fprem1: ["x87_remainder", 1],
  f2xm1: ["x87_exponential"],
  fyl2x: ["x87_logarithm"],
  fyl2xp1: ["x87_logarithm_plus_one"],
  fpatan: ["x87_arc_tangent"],
  fptan: ["x87_tangent"],
  fsin: ["x87_sine", 0],
  fcos: ["x87_sine", 1],
  fsincos: ["x87_sine_cosine"],
  fincstp: ["x87_rotate", 1],
  fdecstp: ["x87_rotate", -1],
};
for (const [mnemonic, [kernel, ...args]] of Object.entries(PLAIN)) {
  define(mnemonic, (e) => {
    beginX87(e);
    notePointers(e);
    e.kernel(kernel, e.base(), ...args.map((arg) => e.i32(arg)));
  });
}

define("fchs fabs", (e, mnemonic) => {
  const change = mnemonic === "fchs";
  beginX87(e);
  notePointers(e);
  e.if(e.state(S.FTW, "i32").and(1), () => {
    const { significand, signExponent, set } = stackRegister(e, 0);
    set(significand, change ? signExponent.xor(0x8000) : signExponent.and(0x7fff));
    clearC1(e);
  }, () => e.kernel("x87_sign", e.base(), e.i32(change ? 0 : 1)));
});

define("fxch", (e) => {
  beginX87(e);
  notePointers(e);
  const i = e.registerNumber(0), mask = e.let(tagMask(e, i).or(1));
  e.if(e.state(S.FTW, "i32").and(mask).eq(mask), () => {
    const top = stackRegister(e, 0), other = stackRegister(e, i);
    const { significand, signExponent } = top;
    top.set(other.significand, other.signExponent);
    other.set(significand, signExponent);
    clearC1(e);
  }, () => e.kernel("x87_exchange", e.base(), i));
});

define("ffree ffreep", (e, mnemonic) => {
  beginX87(e);
  notePointers(e);
  e.kernel("x87_free", e.base(), e.registerNumber(0), e.i32(mnemonic === "ffreep" ? 1 : 0));
});
define("fnop", (e) => {
  beginX87(e);
  notePointers(e);
});

/** Condition codes of FCMOV: B, E, BE and U with PF in place of parity. */
const MOVE_CONDITIONS = { b: 2, e: 4, be: 6, u: 10, nb: 3, ne: 5, nbe: 7, nu: 11 };
for (const [name, code] of Object.entries(MOVE_CONDITIONS)) {
  define(`fcmov${name}`, (e) => {
    beginX87(e);
    notePointers(e);
    e.kernel("x87_conditional_move", e.base(), e.registerNumber(1), e.condition(code));
  });
}
