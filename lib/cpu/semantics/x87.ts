/** x87 arithmetic, comparisons, loads and stores: operands here, numbers in the kernels. Intel SDM vol. 2, F…. */
import type { Emitter, Size } from "../emit/emitter.ts";
import type { Value } from "../emit/value.ts";
import { S } from "../state.ts";
import { beginX87 } from "./fpu_checks.ts";
import { add, type Computed, fromInteger, multiply, type Number80, toFloat, toInteger } from "./x87_numbers.ts";
import { define } from "./registry.ts";
import {
  clearC1,
  isFull,
  notePointers,
  numberResult,
  popRegisters,
  pushNumber,
  setFlags,
  tagMask,
} from "./x87_stack.ts";

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

/** Operations: as the general kernels number them, the kernel, and its last arguments (what to negate, or whether to divide the other way round). */
const ARITHMETIC: Record<string, [number: number, kernel: string, ...args: number[]]> = {
  add: [0, "x87_add", 0, 0],
  mul: [1, "x87_multiply"],
  sub: [4, "x87_add", 0, 0x8000],
  subr: [5, "x87_add", 0x8000, 0],
  div: [6, "x87_divide", 0],
  divr: [7, "x87_divide", 1],
};

/**
 * Computes a number with a kernel, which leaves flags for {@link numberResult}, and goes on with it; `general` instead does it
 * all where a register of `registers` is empty or an exception is not masked.
 */
function compute(
  e: Emitter,
  registers: readonly (Value | number)[],
  number: () => Computed,
  general: () => void,
  commit: (number: Value, result: Value) => void,
): void {
  e.exceptionally(e.someEmpty(...registers), general, () => {
    const { significand, result, settled } = number();
    if (settled) commit(significand, result);
    else e.exceptionally(result.ltS(0), general, () => commit(significand, result));
  });
}

/** What a kernel computes. */
function byKernel(e: Emitter, kernel: string, ...args: Value[]): Computed {
  return { significand: e.kernel(kernel, ...args), result: numberResult(e) };
}

/** The number with its sign changed by 0 or 8000h. */
function flipped(e: Emitter, { significand, signExponent }: Number80, flip: number): Number80 {
  return { significand, signExponent: e.let(signExponent.xor(flip)) };
}

/** a and b combined as `name` of {@link ARITHMETIC} says, in place if that can be; `kernel` is the general way. */
function combine(e: Emitter, name: string, a: Number80, b: Number80, kernel: () => Computed): Computed {
  const [, operation, flipA, flipB] = ARITHMETIC[name];
  if (operation === "x87_add") return add(e, flipped(e, a, flipA), flipped(e, b, flipB), kernel);
  return operation === "x87_multiply" ? multiply(e, a, b, kernel) : kernel();
}

/** A normal m32 or m64 as a number. */
function asNumber(e: Emitter, { type, bits }: MemoryNumber): { number: Number80; isNormal: Value } {
  const wide = type === "float64", [fraction, bias] = wide ? [52, 1023] : [23, 127], largest = 2 * bias;
  const exponent = e.let(bits.shrU(fraction).wrap().and(largest + 1));
  const sign = bits.shrU(wide ? 48 : 16).wrap().and(0x8000);
  const number = {
    significand: e.let(bits.shl(63 - fraction).or(e.i64(1n << 63n))),
    signExponent: e.let(exponent.add(16383 - bias).or(sign)),
  };
  return { number, isNormal: exponent.sub(1).ltU(largest) };
}

for (const [name, [number, kernel, ...last]] of Object.entries(ARITHMETIC)) {
  const onStack = (e: Emitter, popCount: number) => {
    beginX87(e);
    const to = e.registerNumber(0), from = e.registerNumber(1), args = last.map((arg) => e.i32(arg));
    const general = () => {
      notePointers(e);
      e.kernel("x87_arithmetic", e.base(), e.i32(number), to, from, e.i32(popCount));
    };
    const sum = () => {
      const a = read(e, to), b = read(e, from);
      const inKernel = () => byKernel(e, kernel, a.signExponent, a.significand, b.signExponent, b.significand, ...args);
      return combine(e, name, a, b, inKernel);
    };
    compute(e, [to, from], sum, general, (significand, result) => {
      notePointers(e);
      e.stackRegister(to).set(significand, result);
      setFlags(e, result);
      popRegisters(e, popCount);
    });
  };
  const onMemory = (e: Emitter, readOperand: (e: Emitter) => MemoryNumber) => {
    beginX87(e);
    const operand = readOperand(e), { type, kind, bits } = operand, args = last.map((arg) => e.i32(arg));
    const general = () => {
      notePointers(e);
      e.kernel("x87_arithmetic_memory", e.base(), e.i32(number), kind, bits);
    };
    const sum = () => {
      const a = read(e, 0),
        inKernel = () => byKernel(e, `${kernel}_${type}`, a.signExponent, a.significand, bits, ...args);
      if (type === "integer") return inKernel();
      const { number: b, isNormal } = asNumber(e, operand);
      // An exponent that is not middling leads to the kernel.
      const common = { ...b, signExponent: e.let(e.select(isNormal, b.signExponent, e.i32(0))) };
      return combine(e, name, a, common, inKernel);
    };
    compute(e, [0], sum, general, (significand, result) => {
      notePointers(e);
      e.stackRegister(0).set(significand, result);
      setFlags(e, result);
    });
  };
  define(`f${name}`, (e) => e.isMemory(0) ? onMemory(e, readFloat) : onStack(e, 0));
  define(`f${name}p`, (e) => onStack(e, 1));
  define(`fi${name}`, (e) => onMemory(e, readInteger));
}

/** ST(i) as it is now. */
function read(e: Emitter, i: Value | number): Number80 {
  const { significand, signExponent } = e.stackRegister(i);
  return { significand, signExponent };
}

/** Pops by the number of trailing p's: FCOM, FCOMP, FCOMPP. */
function popsOf(mnemonic: string): number {
  return mnemonic.length - mnemonic.replace(/p+$/, "").length;
}

/** FSW: C3 C2 C1 C0. */
const CONDITION_CODES = 0x4700;

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
  notePointers(e);
  e.setState(S.FSW, "i32", e.state(S.FSW, "i32").and(~CONDITION_CODES).or(codes));
  popRegisters(e, popCount);
}

/** How ST(0) and ST(i) are ordered. */
function orderWith(e: Emitter, i: Value): Value {
  const a = e.stackRegister(0), b = e.stackRegister(i);
  return e.kernel("x87_order", a.signExponent, a.significand, b.signExponent, b.significand);
}

function compareRegister(e: Emitter, i: Value, quiet: boolean, popCount: number): void {
  beginX87(e);
  const general = () => {
    notePointers(e);
    e.kernel("x87_compare", e.base(), i, e.i32(quiet ? 1 : 0), e.i32(popCount));
  };
  compare(e, [0, i], () => orderWith(e, i), general, (codes) => setCodes(e, codes, popCount));
}

function compareMemory(e: Emitter, read: (e: Emitter) => MemoryNumber, popCount: number): void {
  beginX87(e);
  const { kind, bits } = read(e);
  const general = () => {
    notePointers(e);
    e.kernel("x87_compare_memory", e.base(), kind, bits, e.i32(popCount));
  };
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
    notePointers(e);
    const image = e.kernel("x87_comi", e.base(), i, e.i32(quiet), e.i32(popCount));
    e.if(image.ne(-1), () => e.setArithmeticFlags(image));
  };
  compare(e, [0, i], () => orderWith(e, i), general, (codes) => {
    notePointers(e);
    popRegisters(e, popCount);
    // C3, C2 and C0 lie as ZF, PF and CF do, 8 bits higher.
    e.setArithmeticFlags(e.let(codes.shrU(8)));
  });
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
  const general = () => {
    notePointers(e);
    e.kernel("x87_load_register", e.base(), i);
  };
  e.exceptionally(tags.shrU(i).and(full.not()).and(1).eqz(), general, () => {
    const { significand, signExponent } = e.stackRegister(i);
    notePointers(e);
    clearC1(e);
    pushNumber(e, significand, signExponent);
  });
}

/** Pushes a memory operand. Integers and normal numbers are converted in place; what is neither, by a kernel. */
function pushMemory(e: Emitter, operand: MemoryNumber): void {
  const { type, kind, bits } = operand;
  const general = () => {
    notePointers(e);
    e.kernel("x87_load", e.base(), kind, bits);
  };
  e.exceptionally(isFull(e), general, () => {
    const significand = e.variable(e.i64(0)), result = e.variable(e.i32(0));
    // Integers raise nothing.
    let isSettled = type === "integer";
    const widen = () => {
      significand.set(e.kernel(`x87_widen_${type}`, bits));
      const left = numberResult(e);
      isSettled = e.leaveIf(left.ltS(0));
      result.set(left);
    };
    if (type === "integer") {
      const number = fromInteger(e, bits);
      significand.set(number.significand);
      result.set(number.signExponent);
    } else {
      const { number, isNormal } = asNumber(e, operand);
      significand.set(number.significand);
      result.set(number.signExponent);
      e.rarely(isNormal.eqz(), widen);
    }
    const settled = e.let(result.value);
    const commit = () => {
      notePointers(e);
      setFlags(e, settled);
      pushNumber(e, e.let(significand.value), settled);
    };
    if (isSettled) commit();
    else e.exceptionally(settled.ltS(0), general, commit);
  });
}

define("fld", (e) => {
  beginX87(e);
  if (!e.isMemory(0)) return duplicate(e);
  if (e.sizeOf(0) !== 80) return pushMemory(e, readFloat(e));
  const [significand, signExponent] = readWide(e);
  const general = () => {
    notePointers(e);
    e.kernel("x87_load80", e.base(), significand, signExponent);
  };
  e.exceptionally(isFull(e), general, () => {
    notePointers(e);
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
  const wide = readWide(e);
  notePointers(e);
  e.kernel("x87_load_decimal", e.base(), ...wide);
});

/** Constants that do not depend on the rounding. */
const EXACT: Record<string, [significand: bigint, signExponent: number]> = { fld1: [1n << 63n, 0x3fff], fldz: [0n, 0] };

for (const [which, mnemonic] of ["fld1", "fldl2t", "fldl2e", "fldpi", "fldlg2", "fldln2", "fldz"].entries()) {
  define(mnemonic, (e) => {
    beginX87(e);
    const load = () => {
      notePointers(e);
      e.kernel("x87_load_constant", e.base(), e.i32(which));
    };
    const exact = EXACT[mnemonic];
    if (!exact) return load();
    e.exceptionally(isFull(e), load, () => {
      notePointers(e);
      clearC1(e);
      pushNumber(e, e.i64(exact[0]), e.i32(exact[1]));
    });
  });
}

// ---- stores: value, memory, then status and stack

/** Stores what a kernel has computed, unless an exception forbids it, and commits. */
function storeAndCommit(e: Emitter, popCount: number, store: () => void): void {
  e.if(e.state(PROCEED, "i32"), () => {
    store();
    popRegisters(e, popCount);
  });
  e.setState(S.FSW, "i32", e.state(PENDING, "i32"));
  notePointers(e);
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
  const general = () => {
    notePointers(e);
    e.kernel("x87_store_register", e.base(), i, e.i32(popCount));
  };
  e.exceptionally(e.someEmpty(0), general, () => {
    const { significand, signExponent } = e.stackRegister(0);
    notePointers(e);
    e.stackRegister(i).set(significand, signExponent);
    e.setState(S.FTW, "i32", e.state(S.FTW, "i32").or(tagMask(e, i)));
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
  compute(e, [0], () => convert(read(e, 0)), otherwise, (bits, result) => {
    write(bits);
    notePointers(e);
    setFlags(e, result);
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
    notePointers(e);
    clearC1(e);
    popRegisters(e, 1);
  });
});

define("fstpnce", (e) => {
  beginX87(e);
  notePointers(e);
  e.kernel("x87_store_unchecked", e.base(), e.registerNumber(0));
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
  const general = () => {
    notePointers(e);
    e.kernel("x87_sign", e.base(), e.i32(change ? 0 : 1));
  };
  e.exceptionally(e.someEmpty(0), general, () => {
    const { significand, signExponent, set } = e.stackRegister(0);
    notePointers(e);
    set(significand, change ? signExponent.xor(0x8000) : signExponent.and(0x7fff));
    clearC1(e);
  });
});

define("fxch", (e) => {
  beginX87(e);
  const i = e.registerNumber(0);
  const general = () => {
    notePointers(e);
    e.kernel("x87_exchange", e.base(), i);
  };
  e.exceptionally(e.someEmpty(0, i), general, () => {
    const top = e.stackRegister(0), other = e.stackRegister(i), { significand, signExponent } = top;
    notePointers(e);
    top.set(other.significand, other.signExponent);
    other.set(significand, signExponent);
    clearC1(e);
  });
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
