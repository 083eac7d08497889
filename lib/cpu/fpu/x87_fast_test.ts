import { assertEquals } from "@std/assert";
import { Random } from "../../../scripts/lib/random.ts";
import { CPU_BASE } from "../interpreter/layout.ts";
import { S } from "../state.ts";
import { kernelModule } from "./mod.ts";

const BASE = CPU_BASE;
const memory = new WebAssembly.Memory({ initial: 1 }), view = new DataView(memory.buffer, BASE);
type Kernel = (...args: (number | bigint)[]) => number | undefined;
const kernels = new WebAssembly.Instance(kernelModule(), { env: { memory } }).exports as Record<string, Kernel>;

const random = new Random(387), next = () => random.u32();
const wide = () => BigInt(next()) << 32n | BigInt(next());

/** A significand that is random, sparse, or all ones, so that ties and carries come up. */
function significand(): bigint {
  const bits = wide();
  const shapes = [
    bits,
    bits & ~0n << 43n,
    bits & ~0n << 11n,
    bits | (1n << 53n) - 1n,
    bits & ~0n << 60n,
    bits | 0x3ffn,
  ];
  return shapes[next() % shapes.length] & (1n << 63n) - 1n | 1n << 63n;
}

/** Mostly numbers whose exponents are near one another; also zeros, denormals, infinities, NaNs and unsupported encodings. */
function randomRegister(): [bigint, number] {
  const sign = (next() & 1) << 15;
  switch (next() % 12) {
    case 0:
      return [0n, sign];
    case 1:
      return [wide(), next() & 0xffff];
    case 2:
      return [significand(), sign | [0, 1, 2, 0x7ffd, 0x7ffe, 0x7fff][next() % 6]];
    case 3:
      return [1n << 63n, sign | 0x3fff + next() % 3];
    default:
      return [significand(), sign | 0x3fff - 70 + next() % 140];
  }
}

/** Bits of a memory operand of a kind. */
function randomOperand(kind: number): bigint {
  const bits = wide();
  if (kind === 2) {
    return BigInt.asIntN(64, next() % 6 === 0 ? bits & 3n : BigInt.asIntN(64, bits) >> BigInt(next() % 64));
  }
  const [width, exponent] = kind === 1 ? [64n, 52n] : [32n, 23n], bias = kind === 1 ? 1023n : 127n;
  const sign = bits >> 63n << (width - 1n), fraction = bits & ((1n << exponent) - 1n);
  if (next() % 6 === 0) return [sign, sign | fraction, bits & (1n << width) - 1n][next() % 3];
  return sign | (bias - 30n + BigInt(next() % 60)) << exponent | fraction;
}

/** Where functions of numbers leave flags, and the exceptions of FSW. */
const RESULT = S.KERNEL + 0x78, C1 = 1 << 9, ES = 1 << 7, CONDITION_CODES = 0x4700;

type State = Uint8Array<ArrayBuffer>;

/** Fields of a state. */
function fields(state: State) {
  const data = new DataView(state.buffer), at = (i: number) => (data.getInt32(S.FTOP - S.X87, true) + i & 7) * 16;
  return {
    data,
    significand: (i: number) => data.getBigUint64(at(i), true),
    signExponent: (i: number) => data.getUint16(at(i) + 8, true),
    setRegister: (i: number, significand: bigint, signExponent: number) => {
      data.setBigUint64(at(i), significand, true);
      data.setUint16(at(i) + 8, signExponent, true);
    },
    setStatus: (clear: number, set: number) => {
      data.setInt32(S.FSW - S.X87, data.getInt32(S.FSW - S.X87, true) & ~clear | set, true);
    },
  };
}
type Fields = ReturnType<typeof fields>;

/** The state after a general kernel, and what it returned. */
function run(
  state: State,
  kernel: string,
  args: (number | bigint)[],
): { state: State; result: number | bigint | undefined } {
  const block = new Uint8Array(memory.buffer, BASE + S.X87, state.length);
  block.set(state);
  const result = kernels[kernel](BASE, ...args);
  return { state: block.slice(), result };
}

function randomState(): State {
  for (let i = 0; i < 8; i++) {
    const [sig, se] = randomRegister();
    view.setBigUint64(S.X87 + i * 16, sig, true);
    view.setUint16(S.X87 + i * 16 + 8, se, true);
  }
  const masks = next() % 8 === 0 ? next() & 0x3f : 0x3f;
  const precision = [3, 3, 2, 0][next() % 4], rounding = next() % 4 === 0 ? next() & 3 : 0;
  view.setInt32(S.FCW, 0x40 | masks | precision << 8 | rounding << 10, true);
  view.setInt32(S.FSW, next() & 0x4700, true);
  view.setInt32(S.FTOP, next() & 7, true);
  view.setInt32(S.FTW, 0x7f, true);
  return new Uint8Array(memory.buffer, BASE, S.SIZE).slice(S.X87, S.FTW + 4);
}

const text = (state: State) => Array.from(state, (byte) => byte.toString(16).padStart(2, "0")).join("");

/**
 * Runs a function of numbers and a general kernel on the same states. `commit` does to the state what a definition does with
 * the function's value and what it left at RESULT; negative means that the kernel raises an exception that is not masked.
 */
function agree(
  name: string,
  operands: (state: Fields) => (number | bigint)[],
  general: string,
  args: (number | bigint)[],
  commit: (state: Fields, value: bigint, result: number) => void,
): void {
  const state = randomState(), ours = fields(state.slice()), given = operands(ours);
  const value = kernels[name](...given) as unknown as bigint, left = view.getInt32(RESULT, true);
  const reference = run(state, general, args), what = `${name}(${given}) on ${text(state)}`;
  if (left < 0) {
    assertEquals(fields(reference.state).data.getInt32(S.FSW - S.X87, true) & ES, ES, what);
    return;
  }
  commit(ours, value, left);
  ours.setStatus(C1, left >> 16);
  assertEquals(text(new Uint8Array(ours.data.buffer)), text(reference.state), what);
  if (typeof reference.result === "bigint") assertEquals(value, reference.result, what);
}

const ROUNDS = 1000;
const register = () => next() % 7;
const TYPES = ["float32", "float64", "integer"];

/** A function's last arguments by the operation of the general kernel. */
const OPERATIONS: Record<string, Record<number, number[]>> = {
  x87_add: { 0: [0, 0], 4: [0, 0x8000], 5: [0x8000, 0] },
  x87_multiply: { 1: [] },
  x87_divide: { 6: [0], 7: [1] },
};

for (const [name, operations] of Object.entries(OPERATIONS)) {
  Deno.test(`${name}: the same as the general kernel, with registers and with memory`, () => {
    for (const [operation, last] of Object.entries(operations)) {
      for (let round = 0; round < ROUNDS; round++) {
        const to = register(), from = register();
        agree(
          name,
          (s) => [s.signExponent(to), s.significand(to), s.signExponent(from), s.significand(from), ...last],
          "x87_arithmetic",
          [Number(operation), to, from, 0],
          (s, value, result) => s.setRegister(to, value, result),
        );
        const kind = next() % 3, bits = randomOperand(kind);
        agree(
          `${name}_${TYPES[kind]}`,
          (s) => [s.signExponent(0), s.significand(0), bits, ...last],
          "x87_arithmetic_memory",
          [Number(operation), kind, bits],
          (s, value, result) => s.setRegister(0, value, result),
        );
      }
    }
  });
}

Deno.test("x87_widen: the same as the general kernel", () => {
  for (let round = 0; round < ROUNDS; round++) {
    const kind = next() % 2, bits = randomOperand(kind);
    agree(`x87_widen_${TYPES[kind]}`, () => [bits], "x87_load", [kind, bits], (s, value, result) => {
      s.data.setInt32(S.FTOP - S.X87, s.data.getInt32(S.FTOP - S.X87, true) - 1 & 7, true);
      s.data.setInt32(S.FTW - S.X87, 0xff, true);
      s.setRegister(0, value, result);
    });
  }
});

Deno.test("x87_round: the same as the general kernels", () => {
  const top = (s: Fields) => [s.signExponent(0), s.significand(0)];
  const stored = (name: string, general: string, last: number[], given: number[]) => {
    const state = randomState(), ours = fields(state), value = kernels[name](...top(ours), ...given);
    const left = view.getInt32(RESULT, true), reference = run(state, general, last);
    const status = view.getInt32(S.KERNEL, true), what = `${name}(${given}) on ${text(state)}`;
    assertEquals(left < 0, (status & ES) !== 0, what);
    if (left < 0) return;
    ours.setStatus(C1, left >> 16);
    assertEquals([value, ours.data.getInt32(S.FSW - S.X87, true)], [reference.result, status], what);
  };
  for (let round = 0; round < ROUNDS; round++) {
    for (const [wide, type] of ["float32", "float64"].entries()) {
      stored(`x87_round_${type}`, "x87_to_float", [wide], []);
    }
    const args = [[16, 32, 64][next() % 3], next() & 1];
    stored("x87_round_integer", "x87_to_integer", args, args);
  }
});

Deno.test("x87_order: the same as the general kernels", () => {
  for (let round = 0; round < ROUNDS; round++) {
    const i = register(), kind = next() % 3, bits = randomOperand(kind);
    const compared = (
      name: string,
      operands: (s: Fields) => (number | bigint)[],
      general: string,
      args: (number | bigint)[],
    ) => {
      const state = randomState(), ours = fields(state.slice()), codes = kernels[name](...operands(ours)) ?? 0;
      if (codes < 0) return;
      const reference = run(state, general, args);
      ours.setStatus(CONDITION_CODES, codes);
      assertEquals(text(new Uint8Array(ours.data.buffer)), text(reference.state), `${name} on ${text(state)}`);
    };
    const top = (s: Fields) => [s.signExponent(0), s.significand(0)];
    compared("x87_order", (s) => [...top(s), s.signExponent(i), s.significand(i)], "x87_compare", [i, 0, 0]);
    compared("x87_order_memory", (s) => [...top(s), kind, bits], "x87_compare_memory", [kind, bits, 0]);
  }
});
