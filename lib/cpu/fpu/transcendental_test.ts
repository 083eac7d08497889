import { assertEquals } from "@std/assert";
import { S } from "../state.ts";
import { kernelModule } from "./mod.ts";

const BASE = 0x1000;
const memory = new WebAssembly.Memory({ initial: 1 }), view = new DataView(memory.buffer, BASE);
type Kernel = (...args: number[]) => number;
const kernels = new WebAssembly.Instance(kernelModule(), { env: { memory } }).exports as Record<string, Kernel>;

/** Writes a number that a double holds exactly to a physical register. */
function setRegister(i: number, value: number): void {
  const exponent = Math.floor(Math.log2(Math.abs(value)));
  view.setBigUint64(S.X87 + i * 16, BigInt(Math.abs(value) * 2 ** (52 - exponent)) << 11n, true);
  view.setUint16(S.X87 + i * 16 + 8, (value < 0 ? 0x8000 : 0) | exponent + 16383, true);
}

function register(i: number): string {
  const top = view.getUint16(S.X87 + i * 16 + 8, true), significand = view.getBigUint64(S.X87 + i * 16, true);
  return `${top.toString(16)} ${significand.toString(16)}`;
}

/** Runs a kernel on ST(0) = x and ST(1) = y; gives the physical register that holds the result. */
function run(kernel: string, result: number, x: number, y?: number, ...args: number[]): string {
  kernels.x87_initialise(BASE);
  view.setInt32(S.FTW, y === undefined ? 1 : 3, true);
  setRegister(0, x);
  if (y !== undefined) setRegister(1, y);
  kernels[kernel](BASE, ...args);
  return register(result);
}

// Expected values were computed with 70 decimal digits and rounded to 64 bits.

Deno.test("x87_exponential: 2^x − 1 to the last bit", () => {
  assertEquals(run("x87_exponential", 0, 0.5), "3ffd d413cccfe7799211");
  assertEquals(run("x87_exponential", 0, -0.75), "bffd cf901f5ce48ead21");
  assertEquals(run("x87_exponential", 0, 1), "3fff 8000000000000000");
});

Deno.test("x87_logarithm and x87_logarithm_plus_one: y log2 x to the last bit", () => {
  assertEquals(run("x87_logarithm", 1, 3, 1), "3fff cae00d1cfdeb43d0");
  assertEquals(run("x87_logarithm", 1, 0.625, 7), "c001 97e35af6b21f9986");
  assertEquals(run("x87_logarithm", 1, 8, 5), "4002 f000000000000000");
  assertEquals(view.getInt32(S.FSW, true) & 0x3f, 0);
  assertEquals(run("x87_logarithm_plus_one", 1, 3 * 2 ** -20, 5), "3fef ad1f873bd22aad95");
});

Deno.test("x87_arc_tangent: the angle in every quadrant to the last bit", () => {
  assertEquals(run("x87_arc_tangent", 1, 3, 1), "3ffd a4bc7d1934f70924");
  assertEquals(run("x87_arc_tangent", 1, -2, 5), "3fff f9c44978f06441a5");
  assertEquals(run("x87_arc_tangent", 1, 8, -1), "bffb feadd4d5617b6e33");
});

Deno.test("x87_sine, x87_tangent: to the last bit below and above π/4", () => {
  // tan 2 lies so near to a half that the 66-bit π decides its last bit (…db with the true π).
  const table: [x: number, sine: string, cosine: string, tangent: string][] = [
    [0.015625, "3ff8 fffd55577776a76b", "3ffe fff8000aaaa4fa51", "3ff9 8002aabbbc2a4571"],
    [0.75, "3ffe ae7fe0b5fc786b2e", "3ffe bb4ff632a908f73f", "3ffe ee7d1b0887775f06"],
    [1, "3ffe d76aa47848677021", "3ffe 8a51407da8345c92", "3fff c75922e5f71d2dc5"],
    [2, "3ffe e8c7b7568da22efd", "bffd d51132ba9b902522", "c000 8bd7b1704a87c1da"],
    [3, "3ffc 9081c36db6aada79", "bffe fd7025f42f2e9308", "bffc 91f7b892a5c37866"],
  ];
  for (const [x, sine, cosine, tangent] of table) {
    assertEquals(run("x87_sine", 0, x, undefined, 0), sine, `sin ${x}`);
    assertEquals(run("x87_sine", 0, x, undefined, 1), cosine, `cos ${x}`);
    assertEquals(run("x87_tangent", 0, x), tangent, `tan ${x}`);
  }
});

Deno.test("x87_sine, x87_tangent: a pseudo-denormal is a normal number, a denormal underflows", () => {
  const DE = 2, UE = 0x10, PE = 0x20;
  for (const [kernel, ...args] of [["x87_sine", 0], ["x87_sine_cosine"], ["x87_tangent"]] as [string, ...number[]][]) {
    for (
      const [significand, result, flags] of [
        [0xc314a6262dd1b40en, "1 c314a6262dd1b40e", DE | PE],
        [0x4314a6262dd1b40en, "0 4314a6262dd1b40e", DE | UE | PE],
      ] as const
    ) {
      kernels.x87_initialise(BASE);
      view.setInt32(S.FTW, 1, true);
      view.setBigUint64(S.X87, significand, true);
      view.setUint16(S.X87 + 8, 0, true);
      kernels[kernel](BASE, ...args);
      assertEquals(register(0), result, kernel);
      assertEquals(view.getInt32(S.FSW, true) & 0x3f, flags, kernel);
    }
  }
});

Deno.test("x87_sine: an operand of 2^63 or more sets C2 and stays", () => {
  assertEquals(run("x87_sine", 0, 2 ** 63, undefined, 0), "403e 8000000000000000");
  assertEquals(view.getInt32(S.FSW, true), 0x400);
});
