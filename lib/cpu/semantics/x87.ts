/** x87 arithmetic, comparisons, loads and stores: operands here, numbers in the kernels. Intel SDM vol. 2, F…. */
import type { Emitter, Size } from "../emit/emitter.ts";
import type { Value } from "../emit/value.ts";
import { S } from "../state.ts";
import { beginX87 } from "./fpu_checks.ts";
import { define } from "./registry.ts";

/** Kinds of memory operands, as the kernels number them. */
const KIND = { FLOAT32: 0, FLOAT64: 1, INTEGER: 2 } as const;

/** S.KERNEL fields that a store's kernel leaves: may it go on, and an 80-bit value. */
const PROCEED = S.KERNEL + 4, WIDE_SIGNIFICAND = S.KERNEL + 8, WIDE_SIGN_EXPONENT = S.KERNEL + 16;

/** Reads a floating-point memory operand: its kind and its bits as i64. */
function readFloat(e: Emitter): { kind: Value; bits: Value } {
  const size = e.sizeOf(0) as Size;
  const bits = e.load(e.segment(0), e.address(0), size).extendU();
  return { kind: e.i32(size === 32 ? KIND.FLOAT32 : KIND.FLOAT64), bits: e.let(bits) };
}

/** Reads an integer memory operand. */
function readInteger(e: Emitter): { kind: Value; bits: Value } {
  const size = e.sizeOf(0) as Size;
  const bits = e.load(e.segment(0), e.address(0), size).signExtend(size).extendS();
  return { kind: e.i32(KIND.INTEGER), bits: e.let(bits) };
}

/** Operations: their kernel and the opcode's bits 3–5. */
const ARITHMETIC: Record<string, [kernel: string, code: number]> = {
  add: ["x87_add", 0],
  mul: ["x87_multiply", 1],
  sub: ["x87_add", 4],
  subr: ["x87_add", 5],
  div: ["x87_divide", 6],
  divr: ["x87_divide", 7],
};

for (const [name, [kernel, code]] of Object.entries(ARITHMETIC)) {
  const onStack = (e: Emitter, popCount: number) => {
    const registers = [e.registerNumber(0), e.registerNumber(1)];
    e.kernel(kernel, e.base(), e.i32(code), ...registers, e.i32(popCount));
  };
  const onMemory = (e: Emitter, { kind, bits }: { kind: Value; bits: Value }) =>
    e.kernel(`${kernel}_memory`, e.base(), e.i32(code), kind, bits);
  define(`f${name}`, (e) => {
    beginX87(e);
    if (e.isMemory(0)) onMemory(e, readFloat(e));
    else onStack(e, 0);
  });
  define(`f${name}p`, (e) => {
    beginX87(e);
    onStack(e, 1);
  });
  define(`fi${name}`, (e) => {
    beginX87(e);
    onMemory(e, readInteger(e));
  });
}

function compareRegister(e: Emitter, i: Value, quiet: boolean, popCount: number): void {
  e.kernel("x87_order", e.base(), i, e.i32(quiet ? 1 : 0), e.i32(popCount));
}

/** Pops by the number of trailing p's: FCOM, FCOMP, FCOMPP. */
function popsOf(mnemonic: string): number {
  return mnemonic.length - mnemonic.replace(/p+$/, "").length;
}

define("fcom fcomp", (e, mnemonic) => {
  beginX87(e);
  if (!e.isMemory(0)) return compareRegister(e, e.registerNumber(0), false, popsOf(mnemonic));
  const { kind, bits } = readFloat(e);
  e.kernel("x87_order_memory", e.base(), kind, bits, e.i32(popsOf(mnemonic)));
});
define("ficom ficomp", (e, mnemonic) => {
  beginX87(e);
  const { kind, bits } = readInteger(e);
  e.kernel("x87_order_memory", e.base(), kind, bits, e.i32(popsOf(mnemonic)));
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
  const quiet = mnemonic.startsWith("fu") ? 1 : 0, popCount = mnemonic.endsWith("p") ? 1 : 0;
  const image = e.kernel("x87_order_flags", e.base(), e.registerNumber(1), e.i32(quiet), e.i32(popCount));
  e.if(image.ne(-1), () => e.setArithmeticFlags(image));
});

// ---- loads

/** FBLD and FLD m80: the significand and the sign with the exponent. */
function readWide(e: Emitter): [Value, Value] {
  const segment = e.segment(0), at = e.address(0);
  return [e.load(segment, at, 64), e.load(segment, e.let(e.advance(at, 8)), 16)];
}

define("fld", (e) => {
  beginX87(e);
  if (!e.isMemory(0)) {
    e.kernel("x87_load_register", e.base(), e.registerNumber(0));
  } else if (e.sizeOf(0) === 80) {
    e.kernel("x87_load80", e.base(), ...readWide(e));
  } else {
    const { kind, bits } = readFloat(e);
    e.kernel("x87_push", e.base(), kind, bits);
  }
});
define("fild", (e) => {
  beginX87(e);
  const { kind, bits } = readInteger(e);
  e.kernel("x87_push", e.base(), kind, bits);
});
define("fbld", (e) => {
  beginX87(e);
  e.kernel("x87_load_decimal", e.base(), ...readWide(e));
});

for (const [which, mnemonic] of ["fld1", "fldl2t", "fldl2e", "fldpi", "fldlg2", "fldln2", "fldz"].entries()) {
  define(mnemonic, (e) => {
    beginX87(e);
    e.kernel("x87_load_constant", e.base(), e.i32(which));
  });
}

// ---- stores: value, memory, then status and stack

/** Stores what a kernel has computed, unless an exception forbids it, and commits. */
function storeAndCommit(e: Emitter, popCount: number, store: () => void): void {
  e.if(e.state(PROCEED, "i32"), store);
  e.kernel("x87_commit", e.base(), e.i32(popCount));
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

define("fst fstp", (e, mnemonic) => {
  const popCount = mnemonic === "fstp" ? 1 : 0;
  beginX87(e);
  if (!e.isMemory(0)) {
    e.kernel("x87_store_register", e.base(), e.registerNumber(0), e.i32(popCount));
  } else if (e.sizeOf(0) === 80) {
    e.kernel("x87_to_wide", e.base());
    storeWide(e, popCount);
  } else {
    const size = e.sizeOf(0) as Size;
    const bits = e.kernel("x87_to_float", e.base(), e.i32(size === 64 ? 1 : 0));
    storeAndCommit(e, popCount, () => e.write(0, size === 64 ? bits : bits.wrap()));
  }
});

define("fstpnce", (e) => {
  beginX87(e);
  e.kernel("x87_store_unchecked", e.base(), e.registerNumber(0));
});

define("fist fistp fisttp", (e, mnemonic) => {
  beginX87(e);
  const size = e.sizeOf(0) as Size;
  const value = e.kernel("x87_to_integer", e.base(), e.i32(size), e.i32(mnemonic === "fisttp" ? 1 : 0));
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
  fchs: ["x87_sign", 0],
  fabs: ["x87_sign", 1],
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
    e.kernel(kernel, e.base(), ...args.map((arg) => e.i32(arg)));
  });
}

define("fxch", (e) => {
  beginX87(e);
  e.kernel("x87_exchange", e.base(), e.registerNumber(0));
});
define("ffree ffreep", (e, mnemonic) => {
  beginX87(e);
  e.kernel("x87_free", e.base(), e.registerNumber(0), e.i32(mnemonic === "ffreep" ? 1 : 0));
});
define("fnop", beginX87);

/** Condition codes of FCMOV: B, E, BE and U with PF in place of parity. */
const MOVE_CONDITIONS = { b: 2, e: 4, be: 6, u: 10, nb: 3, ne: 5, nbe: 7, nu: 11 };
for (const [name, code] of Object.entries(MOVE_CONDITIONS)) {
  define(`fcmov${name}`, (e) => {
    beginX87(e);
    e.kernel("x87_conditional_move", e.base(), e.registerNumber(1), e.condition(code));
  });
}
