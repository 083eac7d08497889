import { assertEquals } from "@std/assert";
import { CR0, CR4, S, xmmOffset } from "../state.ts";
import { mapFrames, type TestBoard, testBoard } from "../test_board.ts";

const FIELDS = [S.FCW, S.FSW, S.FTOP, S.FTW];

function x87({ cpu }: TestBoard): unknown {
  const registers = Array.from({ length: 8 }, (_, i) => [cpu.r.u64(S.X87 + i * 16), cpu.r.u16(S.X87 + i * 16 + 8)]);
  return { fields: FIELDS.map((offset) => cpu.r.i32(offset)), ip: cpu.r.number(S.FIP), registers };
}

/** A board that has run fninit; fld1; fldpi; fldz; and then runs `code`, `count` instructions. */
function ran(count: number, ...code: number[]): TestBoard {
  const board = testBoard();
  board.cpu.r.setI32(S.CR4, CR4.OSFXSR);
  board.load(0x1000, 0xdb, 0xe3, 0xd9, 0xe8, 0xd9, 0xeb, 0xd9, 0xee, ...code);
  board.cpu.run(4 + count);
  return board;
}

Deno.test("fnsave: stores the environment and the stack in order, then initialises", () => {
  const board = ran(1, 0xdd, 0x35, 0, 0x30, 0, 0), { memory } = board;
  const words = [0, 4, 8].map((at) => memory.read32(0x3000 + at) >>> 0);
  assertEquals(words, [0xffff037f, 0xffff2800, 0xffff07ff].map((word) => word >>> 0));
  assertEquals(memory.read32(0x300c), 0x1006, "the last instruction that computed");
  assertEquals(memory.read32(0x3000 + 28 + 10), 0x2168c235);
  assertEquals(memory.read16(0x3000 + 28 + 18), 0x4000);
  assertEquals(FIELDS.map((offset) => board.cpu.r.i32(offset)), [0x37f, 0, 0, 0]);
});

Deno.test("fnsave and frstor: the state comes back, with 32-bit and 16-bit operands", () => {
  const before = x87(ran(0));
  assertEquals(x87(ran(2, 0xdd, 0x35, 0, 0x30, 0, 0, 0xdd, 0x25, 0, 0x30, 0, 0)), before);
  assertEquals(x87(ran(2, 0x66, 0xdd, 0x35, 0, 0x30, 0, 0, 0x66, 0xdd, 0x25, 0, 0x30, 0, 0)), before);
});

Deno.test("fnstenv: masks all exceptions; fldenv brings them back", () => {
  // fldcw [0x3100]; fnstenv [0x3000]; fldenv [0x3000]
  const code = [0xd9, 0x2d, 0, 0x31, 0, 0, 0xd9, 0x35, 0, 0x30, 0, 0, 0xd9, 0x25, 0, 0x30, 0, 0];
  const run = (count: number) => {
    const board = testBoard();
    board.memory.write16(0x3100, 0x0360);
    board.load(0x1000, ...code);
    board.cpu.run(count);
    return board.cpu.r.i32(S.FCW);
  };
  assertEquals([run(1), run(2), run(3)], [0x360, 0x37f, 0x360]);
});

Deno.test("fnstenv: the last instruction that computed, its opcode, and the last operand in memory", () => {
  const board = testBoard(), { cpu, memory } = board;
  cpu.r.set32(3, 0x3000);
  cpu.r.set32(5, 0x7000);
  // fninit; fld qword [ebx+40h]; fld1; fstp qword [ebp-8]; fxch; fnstcw [ebx]; fnstenv [ebx]
  board.load(0x1000, 0xdb, 0xe3, 0xdd, 0x43, 0x40, 0xd9, 0xe8, 0xdd, 0x5d, 0xf8, 0xd9, 0xc9, 0xd9, 0x3b, 0xd9, 0x33);
  cpu.run(4);
  const pointers = () => [S.FIP, S.FCS, S.FOP, S.FDP, S.FDS].map((offset) => cpu.r.i32(offset));
  assertEquals(pointers(), [0x1007, 0x08, 0x55d, 0x6ff8, 0x10]);
  cpu.run(3);
  const words = [12, 16, 20, 24].map((at) => memory.read32(0x3000 + at) >>> 0);
  assertEquals(words, [0x100a, 0x1c9_0008, 0x6ff8, 0xffff_0010]);
});

Deno.test("fnstenv: real mode stores linear addresses", () => {
  const board = testBoard(), { cpu, memory } = board;
  cpu.r.setI32(S.CR0, CR0.ET);
  cpu.r.setNumber(S.FIP, 0x54321);
  cpu.r.setI32(S.FOP, 0x123);
  cpu.r.setI32(S.FDS, 0x2000);
  cpu.r.setNumber(S.FDP, 0x5678);
  board.load(0x1000, 0xd9, 0x35, 0, 0x30, 0, 0, 0x66, 0xd9, 0x35, 0x40, 0x30, 0, 0);
  cpu.run(2);
  assertEquals([memory.read32(0x300c) >>> 0, memory.read32(0x3010)], [0xffff4321, 0x5123]);
  assertEquals([memory.read32(0x3014) >>> 0, memory.read32(0x3018)], [0xffff5678, 0x2000]);
  assertEquals([memory.read16(0x3046), memory.read16(0x3048)], [0x4321, 0x5123]);
});

Deno.test("fxsave and fxrstor: x87 and SSE state come back, the rest of the area stays", () => {
  const board = ran(0), { cpu, memory } = board, before = x87(board);
  cpu.r.setI32(S.MXCSR, 0x5fa0);
  for (let i = 0; i < 8; i++) cpu.r.setU64(xmmOffset(i) + 8, BigInt(i) * 0x123456789abcdefn);
  memory.write32(0x3000 + 288, 0x55aa55aa);
  // fxsave [0x3000]; fninit; fxrstor [0x3000]
  board.load(0x1008, 0x0f, 0xae, 0x05, 0, 0x30, 0, 0, 0xdb, 0xe3, 0x0f, 0xae, 0x0d, 0, 0x30, 0, 0);
  cpu.run(2);
  cpu.r.setI32(S.MXCSR, 0x1f80);
  for (let i = 0; i < 8; i++) cpu.r.setU64(xmmOffset(i) + 8, 0n);
  assertEquals(memory.read8(0x3004), 0xe0, "a bit for each register in use");
  assertEquals(memory.read32(0x3000 + 28), 0xffff, "MXCSR_MASK");
  cpu.run(1);
  assertEquals(x87(board), before);
  assertEquals(cpu.r.i32(S.MXCSR), 0x5fa0);
  assertEquals(cpu.r.u64(xmmOffset(7) + 8), 7n * 0x123456789abcdefn);
  assertEquals(memory.read32(0x3000 + 288), 0x55aa55aa);
});

Deno.test("fxsave and fxrstor: areas in two pages are no matter for the interpreter", () => {
  for (const tier of ["interpreter", "regions"] as const) {
    const { cpu, memory, load } = testBoard({ tier });
    cpu.r.setI32(S.CR4, CR4.OSFXSR);
    cpu.r.set32(1, 10);
    // L: inc dword [0x4010]; fxrstor [0x3f00]; fxsave [0x5f00]; loop L; hlt
    load(0x1000, 0xff, 0x05, 0x10, 0x40, 0, 0, 0x0f, 0xae, 0x0d, 0, 0x3f, 0, 0);
    load(0x100d, 0x0f, 0xae, 0x05, 0, 0x5f, 0, 0, 0xe2, 0xea, 0xf4);
    memory.write32(0x3f00, 0x37f);
    assertEquals(cpu.run(1000), "halted");
    // XMM7 lies at 4010h.
    assertEquals([cpu.r.u64(xmmOffset(7)), memory.read32(0x6010), memory.read32(0x5f00)], [10n, 10, 0x37f], tier);
    if (tier === "regions") assertEquals(cpu.statistics["regions left for an instruction"], 0);
  }
});

Deno.test("fxsave: a second page that is not there is missed where it begins, with nothing stored", () => {
  for (const tier of ["interpreter", "regions"] as const) {
    const { cpu, memory, load } = testBoard({ tier });
    cpu.r.setNumber(S.CR4, CR4.OSFXSR);
    load(0x1000, 0x0f, 0xae, 0x05, 0, 0x3f, 0, 0, 0xf4);
    mapFrames(memory, 0x1_0000, 0x1_1000, 16);
    memory.write32(0x1_1000 + 4 * 4, 0);
    cpu.r.setNumber(S.CR3, 0x1_0000);
    cpu.r.setNumber(S.CR0, 0x8000_0011);
    cpu.r.setI32(S.IDTR_LIMIT, 0);
    cpu.flushTlb();
    cpu.modeChanged();
    assertEquals(cpu.run(10), "shutdown");
    assertEquals([cpu.r.number(S.CR2), memory.read32(0x3f00)], [0x4000, 0], tier);
  }
});

Deno.test("maskmovdqu: stores the bytes whose mask bit is set", () => {
  const board = testBoard(), { cpu, memory } = board;
  cpu.r.setI32(S.CR4, CR4.OSFXSR);
  cpu.r.setU64(S.XMM, 0x8877665544332211n);
  cpu.r.setU64(S.XMM + 32, 0x80000000000080n);
  cpu.r.set32(7, 0x3000);
  // maskmovdqu xmm0, xmm1
  board.load(0x1000, 0x66, 0x0f, 0xf7, 0xc1);
  cpu.run(1);
  assertEquals([memory.read32(0x3000), memory.read32(0x3004)], [0x11, 0x770000]);
});
