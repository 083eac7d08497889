/** SSE floating-point comparisons. Intel SDM vol. 2. How they are computed says float_lanes.ts. */
import { Op, OpSimd } from "../../wasm/mod.ts";
import type { Emitter } from "../emit/emitter.ts";
import { Value } from "../emit/value.ts";
import { DOUBLE, type FloatFormat, LaneTests, SHAPES, SINGLE } from "./float_lanes.ts";
import { beginSse, raiseSimdError } from "./fpu_checks.ts";
import { define } from "./registry.ts";
import { sseNotRounding } from "../emit/steady.ts";
import { floatKernel, knownImmediate, zeroVector } from "./vectors.ts";

const { simd } = Value;

/** Predicate `imm` for numbers: 0–3 are equal, less, less or equal, unordered; bit 2 negates. */
function holds(format: FloatFormat, imm: number, a: Value, b: Value): Value {
  const relation = imm & 3;
  const result = relation === 3 ? zeroVector() : simd([format.eq, format.lt, format.le][relation], a, b);
  return (imm & 4) !== 0 ? simd(OpSimd.V128_NOT, result) : result;
}

/** {@link holds} for a predicate that is known at run time only. */
function holdsAny(e: Emitter, format: FloatFormat, imm: Value, a: Value, b: Value): Value {
  const relation = e.let(imm.and(3)), result = e.variable(zeroVector());
  [format.eq, format.lt, format.le].forEach((opcode, i) => {
    e.if(relation.eq(i), () => result.set(simd(opcode, a, b)));
  });
  const negated = simd(OpSimd.I32X4_SPLAT, e.i32(0).sub(imm.shrU(2).and(1)));
  return simd(OpSimd.V128_XOR, result.value, negated);
}

for (const [suffix, { format, bytes }] of Object.entries(SHAPES)) {
  define(`cmp${suffix}`, (e) => {
    beginSse(e);
    const b = e.vector(1, bytes), a = e.vector(0), imm = knownImmediate(e, 2), { lane } = format;
    const predicate = e.let(e.read(2).wrap());
    const mask = e.let(imm === null ? holdsAny(e, format, predicate, a, b) : holds(format, imm, a, b));
    const result = e.variable(bytes === 16 ? mask : a.withLane(lane, 0, mask.lane(lane, 0)));
    e.rarely(new LaneTests(e, format, bytes).ordinary(a, b), () => {
      result.set(floatKernel(e, "sse_compare", predicate, a, b, e.i32(format.bytes), e.i32(bytes)));
    });
    e.setVector(0, result.value);
  });
}

/** COMISS, COMISD and the quiet ones: the answer in EFLAGS. */
define("comiss comisd ucomiss ucomisd", (e, mnemonic) => {
  beginSse(e);
  const wide = mnemonic.endsWith("sd"), format = wide ? DOUBLE : SINGLE, none = e.i32(0);
  const b = e.vector(1, format.bytes), a = e.vector(0), tests = new LaneTests(e, format, format.bytes);
  const numbers = [a.lane(format.lane, 0), b.lane(format.lane, 0)];
  const equal = e.variable(Value.numeric("i32", wide ? Op.F64_EQ : Op.F32_EQ, ...numbers));
  const less = e.variable(Value.numeric("i32", wide ? Op.F64_LT : Op.F32_LT, ...numbers));
  const unordered = e.variable(none);
  e.rarely(tests.ordinary(a, b), () => {
    const quiet = e.i32(mnemonic.startsWith("u") ? 1 : 0);
    const image = e.kernel("sse_comi", e.base(), quiet, a, b, e.i32(wide ? 1 : 0));
    e.steadyChanged(sseNotRounding);
    e.if(image.eq(-1), () => raiseSimdError(e));
    less.set(image.and(1));
    unordered.set(image.shrU(2).and(1));
    equal.set(image.shrU(6).and(1));
  });
  const [ZF, CF, PF] = [equal, less, unordered].map(({ value }) => e.let(value));
  e.setFlags({ CF, PF, AF: none, ZF, SF: none, OF: none });
});
