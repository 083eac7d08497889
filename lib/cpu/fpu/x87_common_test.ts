import { assertEquals } from "@std/assert";
import { Random } from "../../../scripts/lib/random.ts";
import { S } from "../state.ts";
import { kernelModule } from "./mod.ts";

const BASE = 0x1000;
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

/** The state after a kernel: stack, status, and what it returned. */
function run(state: Uint8Array, kernel: string, args: (number | bigint)[]): string {
  const block = new Uint8Array(memory.buffer, BASE + S.X87, state.length);
  block.set(state);
  const result = kernels[kernel](BASE, ...args);
  return `${result ?? ""} ${Array.from(block, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

function randomState(): Uint8Array {
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
  view.setInt32(S.FTW, next() % 8 === 0 ? next() & 0xff : [0xff, 0x7f, 0xf7][next() % 3], true);
  return new Uint8Array(memory.buffer, BASE, S.SIZE).slice(S.X87, S.FTW + 4);
}

/** Runs a fast kernel and its general one on the same states. */
function agree(fast: string, general: string, args: () => (number | bigint)[], rounds = 4000): void {
  for (let i = 0; i < rounds; i++) {
    const state = randomState(), list = args();
    const text = `${fast}(${list}) on ${Array.from(state, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
    assertEquals(run(state, fast, list), run(state, general, list), text);
  }
}

const OPERATIONS = { x87_add: [0, 4, 5], x87_multiply: [1], x87_divide: [6, 7] };
const register = () => next() & 7;
const pick = (values: number[]) => values[next() % values.length];

for (const [kernel, operations] of Object.entries(OPERATIONS)) {
  Deno.test(`${kernel}: the same as the general kernel, with registers and with memory`, () => {
    agree(
      kernel,
      "x87_arithmetic",
      () => [pick(operations), ...pick([0, 1]) ? [register(), 0] : [0, register()], next() & 1],
    );
    agree(`${kernel}_memory`, "x87_arithmetic_memory", () => {
      const kind = next() % 3;
      return [pick(operations), kind, randomOperand(kind)];
    });
  });
}

Deno.test("x87_push: the same as the general kernel", () => {
  agree("x87_push", "x87_load", () => {
    const kind = next() % 3;
    return [kind, randomOperand(kind)];
  });
});

Deno.test("x87_order and its kind: the same as the general kernels", () => {
  agree("x87_order", "x87_compare", () => [register(), next() & 1, next() % 3]);
  agree("x87_order_flags", "x87_comi", () => [register(), next() & 1, next() & 1]);
  agree("x87_order_memory", "x87_compare_memory", () => {
    const kind = next() % 3;
    return [kind, randomOperand(kind), next() & 1];
  });
});
