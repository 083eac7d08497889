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

/** What a kernel may change: the x87 state, and what it leaves for a store. */
const STATE_END = S.KERNEL + 8;

/** The state after a kernel: stack, status, and what it returned. */
function run(state: Uint8Array, kernel: string, args: (number | bigint)[]): string {
  const block = new Uint8Array(memory.buffer, BASE + S.X87, state.length);
  block.set(state);
  const result = kernels[kernel](...args);
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
  return new Uint8Array(memory.buffer, BASE, S.SIZE).slice(S.X87, STATE_END);
}

/** Runs a fast kernel and its general one on the same states. */
function agree(
  fast: string,
  general: string,
  args: () => [fast: (number | bigint)[], general: (number | bigint)[]],
  rounds = 1000,
): void {
  for (let i = 0; i < rounds; i++) {
    const state = randomState(), [fastArgs, generalArgs] = args();
    const text = `${fast}(${fastArgs}) on ${Array.from(state, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
    assertEquals(run(state, fast, fastArgs), run(state, general, [BASE, ...generalArgs]), text);
  }
}

const register = () => next() & 7;
const TYPES = ["float32", "float64", "integer"];

/** A kernel's last arguments by the operation of the general kernel. */
const OPERATIONS: Record<string, Record<number, number[]>> = {
  x87_add: { 0: [0, 0], 4: [0, 0x8000], 5: [0x8000, 0] },
  x87_multiply: { 1: [] },
  x87_divide: { 6: [0], 7: [1] },
};

for (const [kernel, operations] of Object.entries(OPERATIONS)) {
  Deno.test(`${kernel}: the same as the general kernel, with registers and with memory`, () => {
    for (const [operation, last] of Object.entries(operations)) {
      agree(kernel, "x87_arithmetic", () => {
        const registers = next() & 1 ? [register(), 0] : [0, register()], pops = next() & 1;
        return [[...registers, pops, ...last], [Number(operation), ...registers, pops]];
      });
      for (const [kind, type] of TYPES.entries()) {
        agree(`${kernel}_${type}`, "x87_arithmetic_memory", () => {
          const bits = randomOperand(kind);
          return [[bits, ...last], [Number(operation), kind, bits]];
        });
      }
    }
  });
}

Deno.test("x87_push: the same as the general kernel", () => {
  for (const [kind, type] of TYPES.entries()) {
    agree(`x87_push_${type}`, "x87_load", () => {
      const bits = randomOperand(kind);
      return [[bits], [kind, bits]];
    });
  }
});

Deno.test("x87_round: the same as the general kernels", () => {
  for (const [wide, type] of ["float32", "float64"].entries()) {
    agree(`x87_round_${type}`, "x87_to_float", () => [[], [wide]]);
  }
  agree("x87_round_integer", "x87_to_integer", () => {
    const args = [[16, 32, 64][next() % 3], next() & 1];
    return [args, args];
  });
});

Deno.test("x87_order and its kind: the same as the general kernels", () => {
  const same = (...args: (number | bigint)[]): [(number | bigint)[], (number | bigint)[]] => [args, args];
  agree("x87_order", "x87_compare", () => same(register(), next() & 1, next() % 3));
  agree("x87_order_flags", "x87_comi", () => same(register(), next() & 1, next() & 1));
  agree("x87_order_memory", "x87_compare_memory", () => {
    const kind = next() % 3;
    return same(kind, randomOperand(kind), next() & 1);
  });
});
