/** x87 arithmetic and transcendental functions. Intel SDM vol. 1, sections 8.3.5, 8.3.7 and 8.3.9. */
import type { Emitter } from "../emit/emitter.ts";
import { beginX87 } from "./fpu_checks.ts";
import { define } from "./registry.ts";
import { byKernel, compute, definePlain, generalKernel } from "./x87_kernels.ts";
import { add, byKernelOnly, type Computed, type KernelResult, multiply, type Number80 } from "./x87_numbers.ts";
import { asNumber, type MemoryNumber, readFloat, readInteger, readRegister } from "./x87_operands.ts";
import { clearC1, popRegisters } from "./x87_stack.ts";

/**
 * Operations: as the general kernels number them, the kernel, and its last arguments (what to negate, or whether to divide the
 * other way round).
 */
const ARITHMETIC: Record<string, [number: number, kernel: string, ...args: number[]]> = {
  add: [0, "x87_add", 0, 0],
  mul: [1, "x87_multiply"],
  sub: [4, "x87_add", 0, 0x8000],
  subr: [5, "x87_add", 0x8000, 0],
  div: [6, "x87_divide", 0],
  divr: [7, "x87_divide", 1],
};

/** The number with its sign changed by 0 or 8000h. */
function flipped(e: Emitter, number: Number80, flip: number): Number80 {
  return flip === 0 ? number : { ...number, signExponent: e.let(number.signExponent.xor(flip)) };
}

/** a and b combined as `name` of {@link ARITHMETIC} says, in place if that can be; `kernel` is the general way. */
function combine(e: Emitter, name: string, a: Number80, b: Number80, kernel: () => KernelResult): Computed {
  const [, operation, flipA, flipB] = ARITHMETIC[name];
  if (operation === "x87_add") return add(e, flipped(e, a, flipA), flipped(e, b, flipB), kernel);
  return operation === "x87_multiply" ? multiply(e, a, b, kernel) : byKernelOnly(e, kernel());
}

for (const [name, [number, kernel, ...last]] of Object.entries(ARITHMETIC)) {
  const onStack = (e: Emitter, popCount: number) => {
    beginX87(e);
    const to = e.registerNumber(0), from = e.registerNumber(1), args = last.map((arg) => e.i32(arg));
    const general = () => generalKernel(e, "x87_arithmetic", e.i32(number), to, from, e.i32(popCount));
    const sum = () => {
      const a = readRegister(e, to), b = readRegister(e, from);
      const inKernel = () => byKernel(e, kernel, a.signExponent, a.significand, b.signExponent, b.significand, ...args);
      return combine(e, name, a, b, inKernel);
    };
    compute(e, [to, from], sum, general, ({ significand, signExponent, noteFlags }) => {
      e.notePointers();
      e.stackRegister(to).set(significand, signExponent);
      noteFlags();
      popRegisters(e, popCount);
    });
  };
  const onMemory = (e: Emitter, readOperand: (e: Emitter) => MemoryNumber) => {
    beginX87(e);
    const operand = readOperand(e), { type, kind, bits } = operand, args = last.map((arg) => e.i32(arg));
    const general = () => generalKernel(e, "x87_arithmetic_memory", e.i32(number), kind, bits);
    const sum = () => {
      const a = readRegister(e, 0);
      const inKernel = () => byKernel(e, `${kernel}_${type}`, a.signExponent, a.significand, bits, ...args);
      if (type === "integer") return byKernelOnly(e, inKernel());
      const { number, isNormal } = asNumber(e, operand);
      return combine(e, name, a, { ...number, isCommon: isNormal }, inKernel);
    };
    compute(e, [0], sum, general, ({ significand, signExponent, noteFlags }) => {
      e.notePointers();
      e.stackRegister(0).set(significand, signExponent);
      noteFlags();
    });
  };
  define(`f${name}`, (e) => e.isMemory(0) ? onMemory(e, readFloat) : onStack(e, 0));
  define(`f${name}p`, (e) => onStack(e, 1));
  define(`fi${name}`, (e) => onMemory(e, readInteger));
}

definePlain({
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
});

define("fchs fabs", (e, mnemonic) => {
  const change = mnemonic === "fchs";
  beginX87(e);
  const general = () => generalKernel(e, "x87_sign", e.i32(change ? 0 : 1));
  e.exceptionally(e.someEmpty(0), general, () => {
    const { significand, signExponent, set } = e.stackRegister(0);
    e.notePointers();
    set(significand, change ? signExponent.xor(0x8000) : signExponent.and(0x7fff));
    clearC1(e);
  });
});
