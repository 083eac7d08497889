import { assertEquals } from "@std/assert";
import { Random } from "../../../scripts/lib/random.ts";
import { testKernels } from "../fpu/test_kernels.ts";
import { CPU_BASE } from "../interpreter/layout.ts";
import { S, Vector } from "../state.ts";
import { DefinitionRig } from "./test_rig.ts";

/** Where the test puts operands and finds results. */
const A = S.XMM + 32, B = S.XMM + 64, RESULT = S.XMM;
const STATUS = S.KERNEL + 0x70, FLAGS = 0x3f;
const SIGN32 = 0x8000_0000, SIGN64 = 1n << 63n;

const rig = new DefinitionRig(), state = rig.state;
const kernels = testKernels(rig.memory);

/** Numbers at the edges of everything. */
const DOUBLES = [
  0,
  1,
  1.5,
  2,
  3,
  0.1,
  1 / 3,
  Math.PI,
  2 ** 24 + 1,
  2 ** 31 - 1,
  2 ** 31 - 0.5,
  2 ** 31,
  2 ** 32,
  2 ** 52 + 0.5,
  2 ** 53 + 2,
  2 ** 63,
  2 ** 63 - 1024,
  0.5,
  2.5,
  0.49999999999999994,
  1 + 2 ** -52,
  1 - 2 ** -53,
  2 ** -149,
  2 ** -150,
  1.17549435e-38,
  1.1754943157898258e-38,
  3.4028235677973366e38,
  2 ** -537 * 1.1,
  2 ** -511,
  2 ** -512 * (2 - 2 ** -52),
  2 ** 512,
  2 ** 513,
  2 ** 513 - 2 ** 460,
  2 ** -485,
  2 ** -1022,
  2 ** -1021,
  2 ** -1022 * (2 - 2 ** -52),
  5e-324,
  2 ** -1022 - 5e-324,
  1.7976931348623157e308,
  2 ** 1023,
  Infinity,
].flatMap((value) => [value, -value]);
const SINGLES = [0, 1, 1.5, 2, 3, 0.1, 1 / 3, 2 ** 24, 2 ** 24 - 1, 2 ** 31, 2 ** 31 - 128, 2 ** 63, 0.5, 2.5]
  .concat([1 + 2 ** -23, 1 - 2 ** -24, 2 ** -63, 2 ** -64 * 1.1, 2 ** -75, 2 ** -126, 2 ** -125, 2 ** -126 * 1.9999999])
  .concat([
    2 ** -64 * (2 - 2 ** -23),
    2 ** 64,
    2 ** 65,
    2 ** 65 - 2 ** 41,
    2 ** -149,
    2 ** -126 - 2 ** -149,
    3.4028234663852886e38,
    2 ** 127,
    Infinity,
  ])
  .flatMap((value) => [value, -value]);
const NANS64 = [0x7ff8n << 48n, 0xfff8_0000_0000_0001n, 0x7ff0_0000_0000_0001n, 0xfff4_0000_dead_beefn];
const NANS32 = [0x7fc00000, 0xffc00001, 0x7f800001, 0xffa0beef];

const scratch = new DataView(new ArrayBuffer(8));

function doubleBits(value: number): bigint {
  scratch.setFloat64(0, value);
  return scratch.getBigUint64(0);
}

function randomDouble(random: Random): bigint {
  switch (random.below(8)) {
    case 0:
      return random.pick(NANS64);
    case 1:
    case 2:
      return doubleBits(random.pick(DOUBLES));
    case 3:
      return doubleBits(random.below(2000) - 1000);
    case 4:
      return BigInt(random.u32()) << 32n | BigInt(random.u32());
    case 5:
      // As many bits as make products and quotients short, or just too long.
      return doubleBits(random.below(2 ** 27) * random.below(3) + 2 ** random.below(27));
    default:
      return doubleBits((random.u32() / 2 ** 32 - 0.5) * 2 ** (random.below(60) - 30));
  }
}

function randomSingle(random: Random): number {
  switch (random.below(8)) {
    case 0:
      return random.pick(NANS32);
    case 1:
      return random.u32();
    case 2:
      scratch.setFloat32(0, random.below(2 ** 13) * 2 ** (random.below(40) - 20));
      return scratch.getUint32(0);
    case 3:
      scratch.setFloat32(0, (random.u32() / 2 ** 32 - 0.5) * 2 ** (random.below(80) - 40));
      return scratch.getUint32(0);
    default:
      scratch.setFloat32(0, random.pick(SINGLES));
      return scratch.getUint32(0);
  }
}

/** Fills 16 bytes with numbers of the format; one in two vectors has ordinary numbers only. */
function putNumbers(random: Random, at: number, wide: boolean): void {
  const ordinary = random.oneIn(2);
  for (let i = 0; i < 16; i += wide ? 8 : 4) {
    if (wide) {
      const value = (random.u32() / 2 ** 32 - 0.5) * 2 ** random.below(34);
      state.setBigUint64(at + i, ordinary ? doubleBits(value) : randomDouble(random), true);
    } else if (ordinary) state.setFloat32(at + i, (random.u32() / 2 ** 32 - 0.5) * 2 ** random.below(34), true);
    else state.setUint32(at + i, randomSingle(random), true);
  }
}

function putIntegers(random: Random, at: number): void {
  for (let i = 0; i < 16; i += 4) {
    state.setInt32(at + i, random.pick([random.u32() | 0, random.below(100) - 50, 2 ** 24 + 1, SIGN32 | 0, -1]), true);
  }
  if (random.oneIn(3)) state.setBigUint64(at, random.pick([SIGN64, SIGN64 - 1n, (1n << 53n) + 1n, 5n]), true);
}

/** MXCSR: mostly the default, with PE or without. */
function randomControl(random: Random): number {
  const control = random.pick([0x1f80, 0x1fa0, 0x1fa0, 0x1fbf]);
  switch (random.below(5)) {
    case 0:
      return control & ~(random.below(0x40) << 7);
    case 1:
      return control ^ random.below(8) << 13 ^ random.below(2) << 6;
    case 2:
      return random.below(0x1_0000);
    default:
      return control;
  }
}

/** An instruction XMM1, XMM2 (or a general register): its code, its operands, and the kernel that is the reference. */
interface Subject {
  readonly name: string;
  readonly code: string;
  readonly source: "single" | "double" | "integer";
  /** Calls the kernel: (destination, source, result) are addresses. */
  readonly exact: (a: number, b: number, result: number) => number | bigint | void;
  /** What the kernel returns goes to EAX or RAX (32, 64), or to EFLAGS; else the result is a vector. */
  readonly returns?: 32 | 64 | "flags";
}

const subjects: Subject[] = [];
const PREFIX = { ps: "", pd: "66", ss: "f3", sd: "f2" };
const SHAPES = { ps: [4, 16], pd: [8, 16], ss: [4, 4], sd: [8, 8] } as const;
for (const [suffix, [lane, bytes]] of Object.entries(SHAPES)) {
  const prefix = PREFIX[suffix as keyof typeof PREFIX], source = lane === 8 ? "double" : "single";
  const wide = lane === 8 ? 1 : 0;
  const operations = { add: ["58", 0], mul: ["59", 1], sub: ["5c", 2], min: ["5d", 3], div: ["5e", 4] } as const;
  for (const [name, [opcode, number]] of Object.entries({ ...operations, max: ["5f", 5], sqrt: ["51", 6] } as const)) {
    const kernel = kernels[`sse_arithmetic${8 * lane}`];
    const exact: Subject["exact"] = (a, b, result) => kernel(CPU_BASE, number, a, b, bytes, result);
    subjects.push({ name: `${name}${suffix}`, code: `${prefix}0f${opcode}ca`, source, exact });
  }
  for (let predicate = 0; predicate < 8; predicate++) {
    const exact: Subject["exact"] = (a, b, result) =>
      kernels.sse_compare(CPU_BASE, predicate, a, b, lane, bytes, result);
    subjects.push({ name: `cmp${suffix} ${predicate}`, code: `${prefix}0fc2ca0${predicate}`, source, exact });
  }
  const round = { ps: "08", pd: "09", ss: "0a", sd: "0b" }[suffix];
  for (let mode = 0; mode < 16; mode++) {
    const exact: Subject["exact"] = (a, b, result) => kernels.sse_round(CPU_BASE, mode, a, b, lane, bytes, result);
    subjects.push({ name: `round${suffix} ${mode}`, code: `660f3a${round}ca0${mode.toString(16)}`, source, exact });
  }
  if (bytes === 16) {
    const horizontal = wide ? "66" : "f2";
    for (const [name, opcode, number] of [["hadd", "7c", 0], ["hsub", "7d", 2]] as const) {
      const exact: Subject["exact"] = (a, b, result) => kernels.sse_horizontal(CPU_BASE, number, a, b, wide, result);
      subjects.push({ name: `${name}${suffix}`, code: `${horizontal}0f${opcode}ca`, source, exact });
    }
    const exact: Subject["exact"] = (a, b, result) => kernels.sse_addsub(CPU_BASE, a, b, wide, result);
    subjects.push({ name: `addsub${suffix}`, code: `${horizontal}0fd0ca`, source, exact });
  } else {
    for (const [name, opcode, quiet] of [["comi", "2f", 0], ["ucomi", "2e", 1]] as const) {
      const exact: Subject["exact"] = (a, b) => kernels.sse_comi(CPU_BASE, quiet, a, b, wide);
      const code = `${wide ? "66" : ""}0f${opcode}ca`;
      subjects.push({ name: `${name}${suffix}`, code, source, exact, returns: "flags" });
    }
    for (const size of [32, 64] as const) {
      const rex = size === 64 ? "48" : "";
      for (const [name, opcode, truncate] of [["cvt", "2d", 0], ["cvtt", "2c", 1]] as const) {
        const exact: Subject["exact"] = (_, b) => kernels.sse_to_integer(CPU_BASE, b, wide, size, truncate);
        const code = `${prefix}${rex}0f${opcode}c2`;
        subjects.push({ name: `${name}${suffix}2si ${size}`, code, source, exact, returns: size });
      }
      const exact: Subject["exact"] = (a, b, result) => {
        const value = new DataView(rig.memory.buffer).getBigInt64(b, true);
        return kernels.sse_from_integer(CPU_BASE, a, BigInt.asIntN(size, value), wide, result);
      };
      subjects.push({ name: `cvtsi2${suffix} ${size}`, code: `${prefix}${rex}0f2ac8`, source: "integer", exact });
    }
  }
}
const conversions: [string, string, Subject["source"], Subject["exact"]][] = [
  ["cvtss2sd", "f30f5aca", "single", (a, b, result) => kernels.sse_widen(CPU_BASE, a, b, 1, result)],
  ["cvtps2pd", "0f5aca", "single", (a, b, result) => kernels.sse_widen(CPU_BASE, a, b, 2, result)],
  ["cvtsd2ss", "f20f5aca", "double", (a, b, result) => kernels.sse_narrow(CPU_BASE, a, b, 1, result)],
  ["cvtpd2ps", "660f5aca", "double", (a, b, result) => kernels.sse_narrow(CPU_BASE, a, b, 2, result)],
  ["cvtdq2ps", "0f5bca", "integer", (a, b, result) => kernels.sse_from_words32(CPU_BASE, a, b, 4, result)],
  ["cvtdq2pd", "f30fe6ca", "integer", (a, b, result) => kernels.sse_from_words64(CPU_BASE, a, b, result)],
  ["cvtps2dq", "660f5bca", "single", (a, b, result) => kernels.sse_to_words32(CPU_BASE, a, b, 4, 0, result)],
  ["cvttps2dq", "f30f5bca", "single", (a, b, result) => kernels.sse_to_words32(CPU_BASE, a, b, 4, 1, result)],
  ["cvtpd2dq", "f20fe6ca", "double", (a, b, result) => kernels.sse_to_words64(CPU_BASE, a, b, 16, 0, result)],
  ["cvttpd2dq", "660fe6ca", "double", (a, b, result) => kernels.sse_to_words64(CPU_BASE, a, b, 16, 1, result)],
];
for (const [name, code, source, exact] of conversions) subjects.push({ name, code, source, exact });

function hex(at: number): string {
  return [state.getBigUint64(at, true), state.getBigUint64(at + 8, true)].map((half) => half.toString(16)).join(":");
}

/** What the instruction leaves: its result, MXCSR, and the exception. */
function outcome(result: string, control: number, vector: number): string {
  return `${vector === Vector.XM ? "#XM" : result} mxcsr ${control.toString(16)}`;
}

/** The kernel's answer. It runs without flags in MXCSR, so that it computes everything itself. */
function expected({ exact, returns }: Subject, control: number): string {
  state.setInt32(S.MXCSR, control & ~FLAGS, true);
  state.setInt32(STATUS, 0, true);
  const answer = exact(CPU_BASE + A, CPU_BASE + B, CPU_BASE + RESULT);
  const flags = state.getInt32(S.MXCSR, true) & FLAGS, vector = state.getInt32(STATUS, true) !== 0 ? Vector.XM : -1;
  const result = typeof returns === "number"
    ? BigInt.asUintN(returns, answer as bigint).toString(16)
    : returns
    ? String(answer)
    : hex(RESULT);
  return outcome(result, control | flags, vector);
}

/** EFLAGS' ZF, PF and CF from the lazy flags. */
function comparison(): string {
  const res = state.getInt32(S.FLAG_RES, true), aux = state.getInt32(S.FLAG_AUX, true);
  let parity = (res ^ aux >>> 8) & 0xff;
  for (const shift of [4, 2, 1]) parity ^= parity >> shift;
  return String((res === 0 ? 0x40 : 0) | ((parity & 1) === 0 ? 4 : 0) | aux >>> 31);
}

function found({ returns }: Subject, run: () => number, control: number): string {
  state.setInt32(S.MXCSR, control, true);
  state.setBigInt64(S.GPR, state.getBigInt64(B, true), true);
  const operand = [state.getBigUint64(A, true), state.getBigUint64(A + 8, true)];
  const vector = run();
  const result = typeof returns === "number"
    ? state.getBigUint64(S.GPR, true).toString(16)
    : returns
    ? comparison()
    : hex(A);
  operand.forEach((half, i) => state.setBigUint64(A + 8 * i, half, true));
  return outcome(result, state.getInt32(S.MXCSR, true), vector);
}

for (const known of [true, false]) {
  Deno.test(`SSE floating point: definitions agree with the kernels, immediates ${known ? "known" : "unknown"}`, () => {
    const runs = rig.compile(subjects.map(({ code }) => Uint8Array.fromHex(code)), known), random = new Random(2);
    subjects.forEach((subject, i) => {
      for (let round = 0; round < 1500; round++) {
        putNumbers(random, A, subject.source === "double" && !subject.name.startsWith("cvt"));
        if (subject.source === "integer") putIntegers(random, B);
        else putNumbers(random, B, subject.source === "double");
        const control = randomControl(random), operands = `${hex(A)} ${hex(B)} mxcsr ${control.toString(16)}`;
        const reference = expected(subject, control);
        assertEquals(found(subject, runs[i], control), reference, `${subject.name} ${operands}`);
      }
    });
  });
}
