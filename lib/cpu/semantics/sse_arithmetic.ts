/** SSE floating-point arithmetic. Intel SDM vol. 2. How it is computed says float_lanes.ts. */
import { OpSimd } from "../../wasm/mod.ts";
import type { Emitter } from "../emit/emitter.ts";
import { sseNotRounding } from "../emit/steady.ts";
import { Value } from "../emit/value.ts";
import { Mxcsr } from "../state.ts";
import { type FloatFormat, LaneTests, mxcsr, notNearest, SHAPES } from "./float_lanes.ts";
import { beginSse } from "./fpu_checks.ts";
import { define } from "./registry.ts";
import { floatKernel } from "./vectors.ts";

const { simd } = Value;

/** Operations as the kernels number them. */
const OPERATIONS = { add: 0, mul: 1, sub: 2, min: 3, div: 4, max: 5, sqrt: 6 };

/** A test of {@link LaneTests} on operands and result. */
type Test = (tests: LaneTests, a: Value, b: Value, result: Value) => Value;

/** An operation on all lanes. The host's result counts if MXCSR has its default with PE set, and `uncommon` does not fail. */
interface Operation {
  /** The instruction's name without its suffix. */
  readonly name: "add" | "sub" | "mul" | "div" | "sqrt";
  /** Fails for most numbers that do not allow the host's result. */
  readonly uncommon: Test;
  /** Else it counts if rounding is to nearest with exceptions masked, this does not fail … */
  readonly outside: Test;
  /** … and if PE is not set, the result is exact. */
  readonly inexact: Test;
}

/** Sums of numbers that are not extreme are zero or normal. Those of others are exact even if they are denormal, but may have to be flushed. */
const ADD: Operation = {
  name: "add",
  uncommon: (tests, a, b) => tests.extreme(a, b),
  outside: (tests, a, b, result) => tests.finite(result, [a, b, result]),
  inexact: (tests, a, b, result) => tests.inexactSum(a, b, result),
};
const SUBTRACT: Operation = {
  ...ADD,
  name: "sub",
  inexact: (tests, a, b, result) => tests.inexactSum(a, simd(tests.format.neg, b), result),
};
/** A product is zero if an operand is, or after an underflow. */
const MULTIPLY: Operation = {
  name: "mul",
  uncommon: (tests, a, b, result) => tests.extreme(a, b, result),
  outside: (tests, a, b, result) => tests.finite(result, [a, b]).or(tests.underflow(result, [a, b])),
  inexact: (tests, a, b, result) => tests.inexactProduct(a, b, result),
};
const DIVIDE: Operation = {
  name: "div",
  uncommon: MULTIPLY.uncommon,
  outside: (tests, a, b, result) => tests.finite(result, [a, b]).or(tests.underflow(result, [a])),
  inexact: (tests, a, b, result) => tests.inexactQuotient(a, b, result),
};
const SQUARE_ROOT: Operation = {
  name: "sqrt",
  uncommon: (tests, _, b, result) => tests.extreme(b, result),
  outside: (tests, _, b, result) => tests.finite(result, [b]),
  inexact: (tests, _, b, result) => tests.inexactQuotient(b, result, result),
};

/** The host's result for a and b; for one lane in the low lane of a. */
function computed(
  { name }: Operation,
  { lane, scalar, ...vector }: FloatFormat,
  bytes: number,
  a: Value,
  b: Value,
): Value {
  const operands = name === "sqrt" ? [b] : [a, b];
  if (bytes === 16) return simd(vector[name], ...operands);
  return a.withLane(lane, 0, Value.numeric(lane, scalar[name], ...operands.map((value) => value.lane(lane, 0))));
}

/** The operation on two vectors; `otherwise` computes the result where the host's does not count. */
function arithmetic(
  e: Emitter,
  operation: Operation,
  { format, bytes }: { format: FloatFormat; bytes: number },
  a: Value,
  b: Value,
  otherwise: () => Value,
): Value {
  const host = e.let(computed(operation, format, bytes, a, b)), result = e.variable(host);
  const tests = new LaneTests(e, format, bytes), uncommon = operation.uncommon(tests, a, b, host);
  e.rarely(uncommon.or(e.steady(sseNotRounding)), () => {
    const unfit = e.variable(operation.outside(tests, a, b, host));
    e.rarely(e.steady(sseNotRounding), () => {
      const control = mxcsr(e);
      const inexact = e.select(control.and(Mxcsr.PE), e.i32(0), operation.inexact(tests, a, b, host));
      unfit.set(unfit.value.or(notNearest(control)).or(inexact));
    });
    e.rarely(unfit.value, () => result.set(otherwise()));
  });
  return result.value;
}

for (const [suffix, shape] of Object.entries(SHAPES)) {
  const { format, bytes } = shape;
  const kernel = format.bytes === 4 ? "sse_arithmetic32" : "sse_arithmetic64";
  for (const operation of [ADD, SUBTRACT, MULTIPLY, DIVIDE, SQUARE_ROOT]) {
    define(`${operation.name}${suffix}`, (e) => {
      beginSse(e);
      const b = e.vector(1, bytes), a = e.vector(0), number = e.i32(OPERATIONS[operation.name]);
      e.setVector(0, arithmetic(e, operation, shape, a, b, () => floatKernel(e, kernel, number, a, b, e.i32(bytes))));
    });
  }
  for (const [name, opcode] of [["min", format.pmin], ["max", format.pmax]] as const) {
    define(`${name}${suffix}`, (e) => {
      beginSse(e);
      const b = e.vector(1, bytes), a = e.vector(0), number = e.i32(OPERATIONS[name]);
      const chosen = simd(opcode, b, a), { lane } = format;
      const result = e.variable(bytes === 16 ? chosen : a.withLane(lane, 0, chosen.lane(lane, 0)));
      e.rarely(new LaneTests(e, format, bytes).ordinary(a, b), () => {
        result.set(floatKernel(e, kernel, number, a, b, e.i32(bytes)));
      });
      e.setVector(0, result.value);
    });
  }
}

/** The even or odd lanes of two vectors, for {@link Value.shuffle}. */
function everySecond(width: number, odd: boolean): number[] {
  const half = Array.from({ length: 8 }, (_, i) => 2 * i - i % width + (odd ? width : 0));
  return [...half, ...half.map((byte) => byte + 16)];
}

/** The sign bits of the even lanes. */
function evenSigns(width: number): Value {
  return Value.v128(Array.from({ length: 16 }, (_, i) => i % (2 * width) === width - 1 ? 0x80 : 0));
}

/** HADD, HSUB, ADDSUB. */
for (const suffix of ["ps", "pd"] as const) {
  const shape = SHAPES[suffix], width = shape.format.bytes, wide = suffix === "pd" ? 1 : 0;
  for (const [name, operation] of [["hadd", ADD], ["hsub", SUBTRACT]] as const) {
    define(`${name}${suffix}`, (e) => {
      beginSse(e);
      const b = e.vector(1), a = e.vector(0), number = e.i32(OPERATIONS[operation.name]);
      const even = e.let(a.shuffle(b, everySecond(width, false))), odd = e.let(a.shuffle(b, everySecond(width, true)));
      const exact = () => floatKernel(e, "sse_horizontal", number, a, b, e.i32(wide));
      e.setVector(0, arithmetic(e, operation, shape, even, odd, exact));
    });
  }
  define(`addsub${suffix}`, (e) => {
    beginSse(e);
    const b = e.vector(1), a = e.vector(0), terms = e.let(simd(OpSimd.V128_XOR, b, evenSigns(width)));
    e.setVector(0, arithmetic(e, ADD, shape, a, terms, () => floatKernel(e, "sse_addsub", a, b, e.i32(wide))));
  });
}

define("dpps dppd", (e, mnemonic) => {
  beginSse(e);
  const b = e.vector(1), a = e.vector(0), imm = e.let(e.read(2).wrap());
  e.setVector(0, floatKernel(e, mnemonic === "dpps" ? "sse_dot32" : "sse_dot64", imm, a, b));
});

/** Approximations: they raise nothing. */
define("rcpps rcpss rsqrtps rsqrtss", (e, mnemonic) => {
  beginSse(e);
  const bytes = mnemonic.endsWith("ps") ? 16 : 4, root = e.i32(mnemonic.startsWith("rsqrt") ? 1 : 0);
  const b = e.vector(1, bytes), a = e.vector(0);
  e.setVector(0, e.kernel("sse_approximate", e.base(), root, a, b, e.i32(bytes)));
});
