import { assertEquals } from "@std/assert";
import { Access } from "../registers.ts";
import { CR0, CR4, Flag, R, S, Seg } from "../state.ts";
import { type TestBoard, testBoard } from "../test_board.ts";

const DATA = Access.PRESENT | Access.S | Access.READ_WRITE | Access.ACCESSED | Access.BIG;

/** Registers, flags and the first 64 KiB, to see that nothing moved. */
function snapshot({ cpu, memory }: TestBoard): unknown {
  const bytes = new Uint8Array(0x1_0000), written: string[] = [];
  memory.read(0, bytes);
  bytes.forEach((byte, at) => byte !== 0 && written.push(`${at.toString(16)}: ${byte.toString(16)}`));
  return {
    gpr: Array.from({ length: 8 }, (_, i) => cpu.r.get32(i)),
    ip: cpu.r.ip,
    eflags: cpu.r.eflags,
    x87: [S.FSW, S.FTOP, S.FTW, S.FCW].map((offset) => cpu.r.i32(offset)),
    written,
  };
}

/** Runs one instruction on a board without IDT, where every exception ends in a shutdown, and demands that nothing changed. */
function faults(name: string, code: number[], prepare: (board: TestBoard) => void): void {
  Deno.test(`${name}: a fault leaves everything as it was`, () => {
    const board = testBoard(), { cpu } = board;
    board.load(0x1000, ...code);
    board.load(0x2ff0, ...Array.from({ length: 32 }, (_, i) => i + 1));
    for (let i = 0; i < 8; i++) if (i !== R.SP) cpu.r.set32(i, 0x11110000 + i);
    cpu.r.setI32(S.IDTR_LIMIT, 0);
    cpu.r.setI32(S.CR4, CR4.OSFXSR);
    prepare(board);
    cpu.modeChanged();
    const before = snapshot(board);
    assertEquals(cpu.run(1), "shutdown");
    assertEquals(snapshot(board), before);
    assertEquals(cpu.instructions, 0);
  });
}

/** DS ends at 2FFFh, or ES. */
const shortData = ({ cpu }: TestBoard) => cpu.r.setSegment(Seg.DS, 0x10, 0, 0x2fff, DATA);
const shortExtra = ({ cpu }: TestBoard) => cpu.r.setSegment(Seg.ES, 0x10, 0, 0x2fff, DATA);
/** DS can be read only. */
const readOnlyData = ({ cpu }: TestBoard) => cpu.r.setSegment(Seg.DS, 0x10, 0, 0xffff, DATA & ~Access.READ_WRITE);
/** The stack ends at 800Fh, with ESP = 8000h: four doublewords can be popped. */
const shortStack = ({ cpu }: TestBoard) => cpu.r.setSegment(Seg.SS, 0x10, 0, 0x800f, DATA);
/** The stack begins at 7FF8h (it grows down to its limit): two doublewords can be pushed. */
const fullStack = ({ cpu }: TestBoard) => cpu.r.setSegment(Seg.SS, 0x10, 0, 0x7ff7, DATA | Access.EXPAND_DOWN);

const AT_END = [0x00, 0x30, 0x00, 0x00];
faults("push m32", [0xff, 0x35, ...AT_END], shortData);
faults("pop m32", [0x8f, 0x05, ...AT_END], shortData);
faults("add m32, r32", [0x01, 0x05, 0xfe, 0x2f, 0, 0], shortData);
faults("xchg m32, r32", [0x87, 0x05, ...AT_END], shortData);
faults("xadd m32, r32", [0x0f, 0xc1, 0x0d, 0xf0, 0x2f, 0, 0], readOnlyData);
faults("cmpxchg m32, r32", [0x0f, 0xb1, 0x0d, 0xf0, 0x2f, 0, 0], readOnlyData);
faults("cmpxchg8b", [0x0f, 0xc7, 0x0d, 0xf0, 0x2f, 0, 0], readOnlyData);
faults("bts m32, r32", [0x0f, 0xab, 0x0d, 0xf0, 0x2f, 0, 0], (board) => {
  shortData(board);
  board.cpu.r.set32(R.CX, 0x80);
});
faults("les r32, m16:32", [0xc4, 0x05, 0xfc, 0x2f, 0, 0], shortData);
faults("movsd to the end", [0xa5], (board) => {
  shortExtra(board);
  board.cpu.r.set32(R.SI, 0x2ff0);
  board.cpu.r.set32(R.DI, 0x3000);
});
faults("cmpsd, second operand", [0xa7], (board) => {
  shortExtra(board);
  board.cpu.r.set32(R.SI, 0x2ff0);
  board.cpu.r.set32(R.DI, 0x2ffe);
});
faults("lodsd", [0xad], (board) => {
  shortData(board);
  board.cpu.r.set32(R.SI, 0x2ffd);
});
faults("pusha", [0x60], fullStack);
faults("popa", [0x61], shortStack);
faults("call", [0xe8, 0, 1, 0, 0], (board) => {
  fullStack(board);
  board.cpu.r.set32(R.SP, 0x7ff8);
});
faults("ret", [0xc2, 8, 0], (board) => {
  shortStack(board);
  board.cpu.r.set32(R.SP, 0x800e);
});
faults("enter with levels", [0xc8, 0x10, 0, 3], (board) => {
  fullStack(board);
  board.cpu.r.set32(R.BP, 0x8000);
});
faults("enter, room for locals", [0xc8, 0x10, 0, 0], fullStack);
faults("leave", [0xc9], (board) => {
  shortStack(board);
  board.cpu.r.set32(R.BP, 0x9000);
});
faults("popf", [0x9d], (board) => {
  shortStack(board);
  board.cpu.r.set32(R.SP, 0x800d);
});
faults("div", [0xf7, 0xf1], ({ cpu }) => cpu.r.set32(R.CX, 1));
faults("idiv of the smallest number by −1", [0xf7, 0xf9], ({ cpu }) => {
  cpu.r.set32(R.AX, 0x80000000);
  cpu.r.set32(R.DX, 0xffffffff);
  cpu.r.set32(R.CX, 0xffffffff);
});
faults("aam 0", [0xd4, 0], () => {});

/** One valid x87 register, ST(0) = 1.5. */
function loadOneAndAHalf({ cpu }: TestBoard): void {
  cpu.r.setI32(S.FCW, 0x37f);
  cpu.r.setI32(S.FTW, 1);
  cpu.r.setI32(S.FTOP, 7);
  cpu.r.setU64(S.X87 + 7 * 16, 0xc000000000000000n);
  cpu.r.setU16(S.X87 + 7 * 16 + 8, 0x3fff);
}
for (
  const [name, code] of [
    ["fstp m64", [0xdd, 0x1d, 0xfc, 0x2f, 0, 0]],
    ["fstp m80", [0xdb, 0x3d, 0xf8, 0x2f, 0, 0]],
    ["fistp m32", [0xdb, 0x1d, 0xfd, 0x2f, 0, 0]],
    ["fbstp", [0xdf, 0x35, 0xf8, 0x2f, 0, 0]],
    ["fnstenv", [0xd9, 0x35, 0xf0, 0x2f, 0, 0]],
    ["fnsave", [0xdd, 0x35, 0xe0, 0x2f, 0, 0]],
    ["fxsave", [0x0f, 0xae, 0x05, 0xf0, 0x2f, 0, 0]],
    ["fld m64", [0xdd, 0x05, 0xfc, 0x2f, 0, 0]],
  ] as [string, number[]][]
) {
  faults(name, code, (board) => {
    shortData(board);
    loadOneAndAHalf(board);
  });
}
faults("an x87 instruction with CR0.TS", [0xd9, 0xc0], (board) => {
  loadOneAndAHalf(board);
  board.cpu.r.setI32(S.CR0, CR0.PE | CR0.ET | CR0.TS);
});
faults("fwait with CR0.TS and CR0.MP", [0x9b], ({ cpu }) => cpu.r.setI32(S.CR0, CR0.PE | CR0.ET | CR0.TS | CR0.MP));
faults("an x87 instruction with an error pending", [0xd9, 0xc0], (board) => {
  loadOneAndAHalf(board);
  board.cpu.r.setI32(S.CR0, CR0.PE | CR0.ET | CR0.NE);
  board.cpu.r.setI32(S.FSW, 0x8081);
  board.cpu.r.setI32(S.FCW, 0x37e);
});
faults("paddb with CR0.EM", [0x0f, 0xfc, 0xc1], ({ cpu }) => cpu.r.setI32(S.CR0, CR0.PE | CR0.ET | CR0.EM));
faults("addps without CR4.OSFXSR", [0x0f, 0x58, 0xc1], ({ cpu }) => cpu.r.setI32(S.CR4, 0));
faults("movaps m128 out of alignment", [0x0f, 0x28, 0x05, 0xf4, 0x2f, 0, 0], () => {});
faults("ldmxcsr with a reserved bit", [0x0f, 0xae, 0x15, 0xf0, 0x2f, 0, 0], ({ memory }) => {
  memory.write32(0x2ff0, 0x11f80);
});

Deno.test("pop m32: the address is computed with ESP already moved", () => {
  const board = testBoard(), { cpu, memory } = board;
  // pop dword [esp+8]
  board.load(0x1000, 0x8f, 0x44, 0x24, 0x08);
  memory.write32(0x8000, 0x12345678);
  cpu.run(1);
  assertEquals(memory.read32(0x800c), 0x12345678);
  assertEquals(cpu.r.get32(R.SP), 0x8004);
});

Deno.test("push sp, pop sp: the old and the new value count", () => {
  const board = testBoard(), { cpu, memory } = board;
  // push esp; pop esp
  board.load(0x1000, 0x54, 0x5c);
  cpu.run(1);
  assertEquals(memory.read32(0x7ffc), 0x8000);
  cpu.run(1);
  assertEquals(cpu.r.get32(R.SP), 0x8000);
});

Deno.test("fpu_error: with CR0.NE clear a pending error goes to the FERR# pin, and waits for an interrupt unless IGNNE# is active", () => {
  const board = testBoard(), { cpu } = board;
  const levels: boolean[] = [];
  let ignore = false;
  (cpu.bus as { floatingPointError: (pending: boolean) => boolean }).floatingPointError = (pending) => {
    levels.push(pending);
    return ignore;
  };
  loadOneAndAHalf(board);
  cpu.r.setI32(S.FSW, 0x8081);
  cpu.r.setI32(S.FCW, 0x37e);
  // fld st(0); fnclex
  board.load(0x1000, 0xd9, 0xc0, 0xdb, 0xe2);
  assertEquals([cpu.run(1), cpu.r.ip, cpu.instructions, cpu.r.i32(S.FTOP)], ["halted", 0x1000, 0, 7]);
  ignore = true;
  cpu.r.setI32(S.HALTED, 0);
  assertEquals([cpu.run(1), cpu.r.ip, cpu.r.i32(S.FTOP)], ["budget", 0x1002, 6]);
  cpu.run(1);
  assertEquals(levels, [true, true, false]);
});

Deno.test("an unmasked SSE exception sets its flag and leaves the destination", () => {
  const board = testBoard(), { cpu } = board;
  cpu.r.setI32(S.IDTR_LIMIT, 0);
  cpu.r.setI32(S.CR4, CR4.OSFXSR | CR4.OSXMMEXCPT);
  cpu.r.setI32(S.MXCSR, 0x1f80 & ~0x80);
  cpu.r.setU64(S.XMM, 0x7f800000n);
  cpu.r.setU64(S.XMM + 32, 0xff800000n);
  // addss xmm0, xmm1: infinity minus infinity
  board.load(0x1000, 0xf3, 0x0f, 0x58, 0xc1);
  assertEquals(cpu.run(1), "shutdown");
  assertEquals(cpu.r.u64(S.XMM), 0x7f800000n);
  assertEquals(cpu.r.i32(S.MXCSR) & 0x3f, 1);
});

Deno.test("shifts by a masked count of 0 leave the flags", () => {
  const board = testBoard(), { cpu } = board;
  cpu.r.eflags = Flag.ARITHMETIC;
  cpu.r.set32(R.CX, 0x20);
  // shl eax,cl; rcr bl,cl; shld edx,esi,cl
  board.load(0x1000, 0xd3, 0xe0, 0xd2, 0xdb, 0x0f, 0xa5, 0xf2);
  cpu.run(3);
  assertEquals(cpu.r.eflags & Flag.ARITHMETIC, Flag.ARITHMETIC);
});
