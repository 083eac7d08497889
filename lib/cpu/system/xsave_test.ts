import { assertEquals } from "@std/assert";
import { CR0, CR4, R, S, Vector, xmmOffset } from "../state.ts";
import { parseCpuModel } from "./model.ts";
import { cpuid } from "./cpuid.ts";
import { longBoard, type Outcome, type ProtectedBoard, runUntilHalt } from "./test_tables.ts";

/** Where the area lies: across a page boundary, and within a page. */
const ACROSS = 0xbf00, WITHIN = 0xc000;
const XMM0 = xmmOffset(0), XMM9 = xmmOffset(9);

/** ModRM.reg of 0F AE and 0F C7 with a memory operand [RDI]; 48h is REX.W. */
const XSAVE = [0x0f, 0xae, 0x27],
  XRSTOR = [0x0f, 0xae, 0x2f],
  XSAVEOPT = [0x0f, 0xae, 0x37],
  XSAVEC = [0x0f, 0xc7, 0x27];
const XGETBV = [0x0f, 0x01, 0xd0], XSETBV = [0x0f, 0x01, 0xd1];
const FNINIT = [0xdb, 0xe3], FLDPI = [0xd9, 0xeb];

/** 64-bit code on a processor with everything, both components enabled, EDX:EAX all ones, RDI = `area`. */
function board(area = WITHIN, model = "max"): ProtectedBoard {
  const b = longBoard(model);
  b.r.setNumber(S.CR4, b.r.i32(S.CR4) | CR4.OSXSAVE | CR4.OSFXSR);
  b.r.setNumber(S.XCR0, 3);
  request(b, 0xffff_ffff);
  b.r.set64(R.DX, 0xffff_ffffn);
  b.r.set64(R.DI, BigInt(area));
  return b;
}

function request(b: ProtectedBoard, components: number): void {
  b.r.set64(R.AX, BigInt(components));
}

/** Clears what XRSTOR must bring back. */
function forget(b: ProtectedBoard): void {
  for (const field of [XMM0, XMM9, S.X87 + 7 * 16]) b.r.setU64(field, 0n);
  b.r.setI32(S.MXCSR, 0x1f80);
  b.r.setI32(S.FTW, 0);
}

function run(b: ProtectedBoard, ...code: number[]): Outcome {
  b.r.setI32(S.HALTED, 0);
  return runUntilHalt(b, code);
}

function header(b: ProtectedBoard, area = WITHIN): [bigint, bigint] {
  const { view } = b.board.memory;
  return [view.getBigUint64(area + 512, true), view.getBigUint64(area + 520, true)];
}

for (const area of [ACROSS, WITHIN]) {
  Deno.test(`xsave, xrstor: the state comes back from ${area.toString(16)}h`, () => {
    const b = board(area);
    run(b, ...FNINIT, ...FLDPI);
    b.r.setU64(XMM0, 0x1122_3344_5566_7788n);
    b.r.setU64(XMM9, 9n);
    b.r.setI32(S.MXCSR, 0x9fc0);
    assertEquals(run(b, ...XSAVE).vector, -1);
    assertEquals(header(b, area), [3n, 0n]);
    assertEquals(b.board.memory.read32(area), 0x3800_037f, "FCW and FSW");
    assertEquals(b.board.memory.read32(area + 28), 0xffff, "the mask of MXCSR");
    const x87 = [S.FCW, S.FSW, S.FTOP, S.FTW, S.FIP].map((field) => b.r.i32(field));
    const pi = b.r.u64(S.X87 + 7 * 16);
    forget(b);
    assertEquals(run(b, ...XRSTOR).vector, -1);
    assertEquals([b.r.u64(XMM0), b.r.u64(XMM9), b.r.i32(S.MXCSR)], [0x1122_3344_5566_7788n, 9n, 0x9fc0]);
    assertEquals([S.FCW, S.FSW, S.FTOP, S.FTW, S.FIP].map((field) => b.r.i32(field)), x87);
    assertEquals([b.r.u64(S.X87 + 7 * 16), pi], [0xc90f_daa2_2168_c235n, pi]);
  });
}

Deno.test("xsave: writes and reports the components that are asked for, as far as they are in use", () => {
  const b = board(), { memory } = b.board;
  memory.view.setBigUint64(WITHIN + 512, 0xf0n, true);
  run(b, ...FNINIT);
  b.r.setU64(XMM0, 5n);
  request(b, 1);
  run(b, ...XSAVE);
  assertEquals(header(b)[0], 0xf0n, "the x87 state is the initial one; other bits stay");
  assertEquals([memory.read16(WITHIN), memory.read32(WITHIN + 160)], [0x37f, 0]);
  request(b, 2);
  run(b, ...XSAVE);
  assertEquals([header(b)[0], memory.read32(WITHIN + 160)], [0xf2n, 5]);
});

Deno.test("xsaveopt: leaves components alone that are not in use, but writes MXCSR", () => {
  const b = board(), { memory } = b.board;
  memory.write32(WITHIN + 160, 77);
  memory.write32(WITHIN, 77);
  run(b, ...FNINIT, ...XSAVEOPT);
  assertEquals([memory.read32(WITHIN), memory.read32(WITHIN + 160), memory.read32(WITHIN + 24)], [77, 77, 0x1f80]);
  assertEquals(header(b), [0n, 0n]);
});

Deno.test("xsavec: the compacted format, in which MXCSR counts as SSE state", () => {
  const b = board();
  run(b, ...FNINIT, ...XSAVEC);
  assertEquals(header(b), [0n, 1n << 63n | 3n]);
  b.r.setI32(S.MXCSR, 0x1fa0);
  run(b, ...XSAVEC);
  assertEquals(header(b), [2n, 1n << 63n | 3n]);
  forget(b);
  assertEquals(run(b, ...XRSTOR).vector, -1);
  assertEquals(b.r.i32(S.MXCSR), 0x1fa0);
  b.board.memory.view.setBigUint64(WITHIN + 512, 0n, true);
  run(b, ...XRSTOR);
  assertEquals(b.r.i32(S.MXCSR), 0x1f80, "initialised with the registers");
});

Deno.test("xrstor: initialises what is asked for and absent, and leaves the rest", () => {
  const b = board();
  run(b, ...FNINIT, ...FLDPI);
  b.r.setU64(XMM0, 5n);
  b.board.memory.write32(WITHIN + 24, 0x1f80);
  request(b, 2);
  run(b, ...XRSTOR);
  assertEquals([b.r.u64(XMM0), b.r.i32(S.FTW)], [0n, 1]);
  request(b, 1);
  run(b, ...XRSTOR);
  assertEquals([b.r.i32(S.FCW), b.r.i32(S.FTW), b.r.i32(S.FTOP), b.r.u64(S.X87 + 7 * 16)], [0x37f, 0, 0, 0n]);
});

Deno.test("xsave64: 64-bit pointers; without REX.W a selector and half of the offset", () => {
  const b = board(), { memory } = b.board;
  b.r.setU64(S.FIP, 0xffff_8000_1234_5678n);
  b.r.setI32(S.FCS, 0x33);
  run(b, 0x48, ...XSAVE);
  assertEquals(memory.view.getBigUint64(WITHIN + 8, true), 0xffff_8000_1234_5678n);
  run(b, ...XSAVE);
  assertEquals([memory.read32(WITHIN + 8) >>> 0, memory.read32(WITHIN + 12)], [0x1234_5678, 0x33]);
});

Deno.test("xsave, xrstor: what the system must allow, and areas that are not sound", () => {
  const fault = (code: number[], prepare: (b: ProtectedBoard) => void) => {
    const b = board();
    prepare(b);
    const { vector, code: errorCode, ip } = run(b, ...code);
    return [vector, errorCode, ip];
  };
  const { UD, NM, GP } = Vector;
  for (const code of [XSAVE, XRSTOR, XSAVEC, XSAVEOPT]) {
    assertEquals(fault(code, (b) => b.r.setI32(S.CR4, b.r.i32(S.CR4) & ~CR4.OSXSAVE))[0], UD);
    assertEquals(fault(code, (b) => b.r.setI32(S.CR0, b.r.i32(S.CR0) | CR0.TS))[0], NM);
    assertEquals(fault(code, (b) => b.r.set64(R.DI, BigInt(WITHIN + 32))).slice(0, 2), [GP, 0]);
  }
  const headers: [bigint, bigint, bigint][] = [
    [4n, 0n, 0n],
    [1n << 40n, 0n, 0n],
    [3n, 1n, 0n],
    [3n, 0n, 1n],
    [3n, 1n << 63n | 1n, 0n],
    [3n, 1n << 63n | 7n, 0n],
    [3n, 1n << 63n | 3n, 1n],
  ];
  for (const words of headers) {
    const result = fault(
      XRSTOR,
      ({ board: { memory } }) => words.forEach((word, i) => memory.view.setBigUint64(WITHIN + 512 + i * 8, word, true)),
    );
    assertEquals(result.slice(0, 2), [GP, 0], words.join());
  }
  assertEquals(fault(XRSTOR, (b) => b.board.memory.write32(WITHIN + 24, 0x1_0000)).slice(0, 2), [GP, 0]);
});

Deno.test("xsetbv, xgetbv: XCR0 with the components that there are", () => {
  const b = board();
  const set = (value: number, number = 0, high = 0) => {
    request(b, value);
    b.r.set64(R.CX, BigInt(number));
    b.r.set64(R.DX, BigInt(high));
    return run(b, ...XSETBV).vector;
  };
  assertEquals([set(1), b.r.i32(S.XCR0)], [-1, 1]);
  assertEquals([set(3), set(2), set(7), set(3, 1), set(3, 0, 1)], [-1, 13, 13, 13, 13]);
  b.r.set64(R.CX, 0n);
  assertEquals([run(b, ...XGETBV).vector, b.r.get64(R.AX), b.r.get64(R.DX)], [-1, 3n, 0n]);
  b.r.set64(R.CX, 1n);
  assertEquals([run(b, ...FNINIT, ...FLDPI, ...XGETBV).vector, b.r.get64(R.AX)], [-1, 1n], "in use");
  b.r.set64(R.CX, 2n);
  assertEquals(run(b, ...XGETBV).vector, Vector.GP);
  b.r.setI32(S.CR4, b.r.i32(S.CR4) & ~CR4.OSXSAVE);
  assertEquals(run(b, ...XGETBV).vector, Vector.UD);
  b.r.setI32(S.CR4, b.r.i32(S.CR4) | CR4.OSXSAVE);
  request(b, 3);
  b.r.setI32(S.HALTED, 0);
  assertEquals(runUntilHalt(b, XSETBV, true).vector, Vector.GP);
});

Deno.test("CPUID: leaf Dh describes the area, and leaf 1 whether the system uses it", () => {
  const b = board(),
    leaf = (number: number, subleaf = 0) => {
      b.r.set32(R.AX, number);
      b.r.set32(R.CX, subleaf);
      cpuid(b.cpu);
      return [R.AX, R.BX, R.CX, R.DX].map((register) => b.r.get32(register));
    };
  assertEquals([leaf(0xd), leaf(0xd, 1), leaf(0xd, 2)], [[3, 576, 576, 0], [7, 576, 0, 0], [0, 0, 0, 0]]);
  assertEquals(leaf(1)[2] >>> 26 & 3, 3);
  b.r.setI32(S.CR4, b.r.i32(S.CR4) & ~CR4.OSXSAVE);
  assertEquals(leaf(1)[2] >>> 26 & 3, 1);
  assertEquals(parseCpuModel("x86-64-v2").features.has("xsave"), false);
});
