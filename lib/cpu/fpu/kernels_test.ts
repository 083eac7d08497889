import { assert, assertEquals } from "@std/assert";
import { S } from "../state.ts";
import { kernelSourceDigest } from "../../../scripts/kernel_sources.ts";
import { Random } from "../../../scripts/lib/random.ts";
import {
  add,
  decodeBits,
  divide,
  encode,
  type Exact,
  type Format,
  multiply,
  round,
  type Rounding,
  scaled,
  squareRoot,
} from "./exact_reference.ts";
import { SOURCE_DIGEST } from "./kernels_wasm.ts";
import { testKernels } from "./test_kernels.ts";

const BASE = 0x1000;
const memory = new WebAssembly.Memory({ initial: 1 }), view = new DataView(memory.buffer, BASE);
const kernels = testKernels(memory);

/** One number in XMM0 op one in XMM1, to XMM0; 1 if an exception was not masked. */
function scalar(kernel: string, operation: number, bytes: number): number {
  kernels[kernel](BASE, operation, BASE + S.XMM, BASE + S.XMM + 32, bytes, BASE + S.XMM);
  return view.getInt32(S.KERNEL + 0x70, true);
}

const SINGLE: Format = { precision: 24, largest: 127 }, DOUBLE: Format = { precision: 53, largest: 1023 };
const OPERATIONS = { add: 0, mul: 1, sub: 2, div: 4 };
const MODES: Rounding[] = [0, 1, 2, 3];

function negated(value: Exact): Exact {
  return { ...value, sign: value.sign === 1 ? 0 : 1 };
}

function exactResult(name: string, a: Exact, b: Exact, rounding: Rounding): Exact {
  if (name === "add") return add(a, b, rounding);
  if (name === "sub") return add(a, negated(b), rounding);
  return name === "mul" ? multiply(a, b) : divide(a, b);
}

/** Finite, not zero; exponents near the middle or near an end. */
function randomBits(next: () => number, { precision, largest }: Format, width: number): bigint {
  const fraction = (BigInt(next()) << 32n | BigInt(next())) & ((1n << BigInt(precision - 1)) - 1n);
  const shapes = [largest - 3 + next() % 7, 1 + next() % 60, 2 * largest - next() % 60, 0, largest - 30 + next() % 60];
  const biased = BigInt(Math.max(0, Math.min(2 * largest, shapes[next() % 5])));
  const sparse = next() % 3 === 0 ? fraction & ~0n << BigInt(precision >> 1) : fraction;
  const value = BigInt(next() & 1) << BigInt(width - 1) | biased << BigInt(precision - 1) | sparse;
  return (value & ((1n << BigInt(width - 1)) - 1n)) === 0n ? value | 1n : value;
}

Deno.test("the compiled kernels are those of the sources", async () => {
  assertEquals(SOURCE_DIGEST, await kernelSourceDigest(), "run `deno task kernels`");
});

for (const [format, width, kernel] of [[SINGLE, 32, "sse_arithmetic32"], [DOUBLE, 64, "sse_arithmetic64"]] as const) {
  Deno.test(`${kernel}: exact results and flags in every rounding mode`, () => {
    const random = new Random(width), next = () => random.u32();
    const put = (at: number, bits: bigint) =>
      width === 32 ? view.setUint32(at, Number(bits), true) : view.setBigUint64(at, bits, true);
    const get = (at: number) => width === 32 ? BigInt(view.getUint32(at, true)) : view.getBigUint64(at, true);
    for (let i = 0; i < 200; i++) {
      const a = randomBits(next, format, width), b = randomBits(next, format, width);
      for (const [name, operation] of Object.entries(OPERATIONS)) {
        for (const rounding of MODES) {
          put(S.XMM, a);
          put(S.XMM + 32, b);
          view.setInt32(S.MXCSR, 0x1f80 | rounding << 13, true);
          const status = scalar(kernel, operation, width / 8);
          assertEquals(status, 0);
          const operands = [a, b].map((bits) => decodeBits(bits, format, width));
          const expected = round(exactResult(name, operands[0], operands[1], rounding), format, rounding);
          const text = `${a.toString(16)} ${name} ${b.toString(16)} rounding ${rounding}`;
          assertEquals(get(S.XMM).toString(16), encode(expected, format, width).toString(16), text);
          // Denormal operands raise DE too.
          assertEquals(view.getInt32(S.MXCSR, true) & 0x3d & ~4, expected.flags, text);
        }
      }
    }
  });
}

/** 80-bit operands as significand and biased exponent. */
function randomExtended(next: () => number): { sig: bigint; se: number; exact: Exact } {
  const low = BigInt(next()) << 32n | BigInt(next());
  const sig = (next() % 3 === 0 ? low & ~0n << 40n : low) & (1n << 64n) - 1n | 1n << 63n;
  const exponents = [16383 - 3 + next() % 7, 1 + next() % 70, 32766 - next() % 70, 16383 - 40 + next() % 80];
  const biased = exponents[next() % 4], sign = next() & 1;
  return { sig, se: sign << 15 | biased, exact: { sign: sign === 1 ? 1 : 0, ...scaled(sig, biased - 16383 - 63) } };
}

function setRegister(i: number, sig: bigint, se: number): void {
  view.setBigUint64(S.X87 + i * 16, sig, true);
  view.setUint16(S.X87 + i * 16 + 8, se, true);
}

/** What an 80-bit register holds after rounding to `precision` bits. */
function extended(value: ReturnType<typeof round>): string {
  const sign = value.sign << 15;
  if (value.infinite) return `${(sign | 0x7fff).toString(16)}:8000000000000000`;
  if (value.significand === 0n) return `${sign.toString(16)}:0`;
  let { significand, exponent } = value;
  while (significand < 1n << 63n && exponent > -16445) {
    significand <<= 1n;
    exponent--;
  }
  while (significand >= 1n << 64n) {
    significand >>= 1n;
    exponent++;
  }
  const biased = significand < 1n << 63n ? 0 : exponent + 63 + 16383;
  return `${(sign | biased).toString(16)}:${significand.toString(16)}`;
}

Deno.test("x87_arithmetic: exact results and flags in every rounding mode and precision", () => {
  const random = new Random(80), next = () => random.u32();
  const operations = { add: 0, mul: 1, sub: 4, div: 6 };
  for (let i = 0; i < 100; i++) {
    const a = randomExtended(next), b = randomExtended(next);
    for (const [name, operation] of Object.entries(operations)) {
      for (const rounding of MODES) {
        for (const [control, precision] of [[0, 24], [2, 53], [3, 64]]) {
          kernels.x87_initialise(BASE);
          view.setInt32(S.FCW, 0x3f | control << 8 | rounding << 10, true);
          view.setInt32(S.FTW, 3, true);
          setRegister(0, a.sig, a.se);
          setRegister(1, b.sig, b.se);
          kernels.x87_arithmetic(BASE, operation, 0, 1, 0);
          const expected = round(
            exactResult(name, a.exact, b.exact, rounding),
            { precision, largest: 16383 },
            rounding,
          );
          const found = `${view.getUint16(S.X87 + 8, true).toString(16)}:${
            view.getBigUint64(S.X87, true).toString(16)
          }`;
          const text = `${a.se.toString(16)}:${a.sig.toString(16)} ${name} ${b.se.toString(16)}:${b.sig.toString(16)}`;
          assertEquals(found, extended(expected), `${text} rounding ${rounding} precision ${precision}`);
          assertEquals(view.getInt32(S.FSW, true) & 0x3f, expected.flags, text);
        }
      }
    }
  }
});

Deno.test("x87_square_root: exact in every rounding mode", () => {
  const random = new Random(7), next = () => random.u32();
  for (let i = 0; i < 60; i++) {
    const { sig, se, exact } = randomExtended(next);
    for (const rounding of MODES) {
      kernels.x87_initialise(BASE);
      view.setInt32(S.FCW, 0x33f | rounding << 10, true);
      view.setInt32(S.FTW, 1, true);
      setRegister(0, sig, se & 0x7fff);
      kernels.x87_square_root(BASE);
      const root = round(squareRoot({ ...exact, sign: 0 }), { precision: 64, largest: 16383 }, rounding);
      const found = `${view.getUint16(S.X87 + 8, true).toString(16)}:${view.getBigUint64(S.X87, true).toString(16)}`;
      assertEquals(found, extended(root), `${se.toString(16)}:${sig.toString(16)} rounding ${rounding}`);
    }
  }
});

Deno.test("x87: an unmasked invalid operation leaves the registers and sets ES", () => {
  kernels.x87_initialise(BASE);
  view.setInt32(S.FCW, 0x33e, true);
  view.setInt32(S.FTW, 3, true);
  setRegister(0, 1n << 63n, 0x7fff);
  setRegister(1, 1n << 63n, 0xffff);
  kernels.x87_arithmetic(BASE, 0, 0, 1, 1);
  assertEquals(view.getUint16(S.X87 + 8, true), 0x7fff);
  assertEquals(view.getInt32(S.FTOP, true), 0);
  assertEquals(view.getInt32(S.FSW, true), 0x8081);
});

Deno.test("x87: an unmasked overflow wraps the exponent", () => {
  kernels.x87_initialise(BASE);
  view.setInt32(S.FCW, 0x337, true);
  view.setInt32(S.FTW, 3, true);
  setRegister(0, 1n << 63n, 0x7ffe);
  setRegister(1, 1n << 63n, 0x7ffe);
  kernels.x87_arithmetic(BASE, 1, 0, 1, 0);
  assertEquals(view.getUint16(S.X87 + 8, true), 0x7ffe + 16383 - 24576);
  assertEquals(view.getInt32(S.FSW, true), 0x8088);
});

Deno.test("sse: an unmasked division by zero is reported and nothing is written", () => {
  view.setFloat64(S.XMM, 1.5, true);
  view.setFloat64(S.XMM + 32, 0, true);
  view.setInt32(S.MXCSR, 0x1f80 & ~0x200, true);
  assertEquals(scalar("sse_arithmetic64", OPERATIONS.div, 8), 1);
  assertEquals(view.getFloat64(S.XMM, true), 1.5);
  assert((view.getInt32(S.MXCSR, true) & 4) !== 0);
});

Deno.test("sse: flush to zero and denormals are zero", () => {
  view.setFloat32(S.XMM, 2 ** -126, true);
  view.setFloat32(S.XMM + 32, 0.5, true);
  view.setInt32(S.MXCSR, 0x9f80, true);
  scalar("sse_arithmetic32", OPERATIONS.mul, 4);
  assertEquals(view.getUint32(S.XMM, true), 0);
  assertEquals(view.getInt32(S.MXCSR, true) & 0x3f, 0x30);
  view.setFloat32(S.XMM, 2 ** -140, true);
  view.setInt32(S.MXCSR, 0x1fc0, true);
  scalar("sse_arithmetic32", OPERATIONS.add, 4);
  assertEquals(view.getFloat32(S.XMM, true), 0.5);
  assertEquals(view.getInt32(S.MXCSR, true) & 0x3f, 0);
});

Deno.test("x87_scale: beyond the wrapped exponents there are only infinity and zero", () => {
  for (const [scale, expected] of [[0x400d, 0x7fff], [0xc00d, 0]]) {
    kernels.x87_initialise(BASE);
    view.setInt32(S.FCW, 0x327, true);
    view.setInt32(S.FTW, 3, true);
    setRegister(0, 1n << 63n, 0x3fff);
    setRegister(1, 0xfffcn << 48n, scale + 2);
    kernels.x87_scale(BASE);
    assertEquals(view.getUint16(S.X87 + 8, true), expected);
  }
});
