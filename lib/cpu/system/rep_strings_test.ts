import { assertEquals } from "@std/assert";
import { Random } from "../../../scripts/lib/random.ts";
import { TIERS } from "../options.ts";
import { Flag, R, S, Seg, Vector } from "../state.ts";
import { type TestBoard, testBoard } from "../test_board.ts";
import { At, gate, ProtectedBoard, Sel } from "./test_tables.ts";

/** Everything that a string instruction may change. */
function outcome(board: TestBoard, from: number, bytes: number): unknown {
  const { r } = board.cpu;
  const registers = [R.AX, R.CX, R.SI, R.DI].map((n) => r.get32(n));
  const memory = new Uint8Array(bytes);
  board.memory.read(from, memory);
  return { registers, flags: r.eflags, ip: r.ip, instructions: board.cpu.instructions, memory: memory.join() };
}

/** REP prefix, opcode of the byte form; the word forms follow it. */
const FORMS: [number, number][] = [
  ...[[0xf3, 0xa4], [0xf3, 0xaa], [0xf3, 0xac], [0xf3, 0xae], [0xf2, 0xae], [0xf3, 0xa6], [0xf2, 0xa6]] as const,
].map(([prefix, opcode]) => [prefix, opcode]);

Deno.test("repeated strings: page-wise work has the effect of one element after the other", () => {
  const random = new Random(1), whole = testBoard(), stepped = testBoard();
  for (let round = 0; round < 150; round++) {
    const [prefix, opcode] = random.pick(FORMS);
    const width = random.below(3), backwards = random.oneIn(3);
    const base = 0x2_0000 + random.below(64);
    const distance = random.oneIn(3) ? random.below(24) - 12 : random.below(9000) - 4500;
    const count = random.oneIn(4) ? random.below(3) : random.below(5000), fill = random.below(3);
    // One element at a time for short runs, odd slices for long ones.
    const slice = count < 300 ? 1 : 37;
    for (const board of [whole, stepped]) {
      const { r } = board.cpu, bytes = new Random(round);
      for (let at = 0x1_8000; at < 0x3_0000; at++) board.memory.bytes[at] = fill === 0 ? 7 : bytes.below(fill * 127);
      const code = [prefix, opcode + (width > 0 ? 1 : 0)];
      if (width === 1) code.unshift(0x66);
      board.load(0x1000, ...code, 0xf4);
      r.set32(R.AX, 0x0707_0707);
      r.set32(R.CX, count);
      r.set32(R.SI, base + 0x4000);
      r.set32(R.DI, base + 0x4000 + distance);
      r.eflags = 2 | (backwards ? Flag.DF : 0);
      r.ip = 0x1000;
      r.setI32(S.HALTED, 0);
    }
    whole.cpu.run(100_000);
    while (!stepped.cpu.halted) stepped.cpu.run(slice);
    assertEquals(outcome(stepped, 0x1_8000, 0x1_8000), outcome(whole, 0x1_8000, 0x1_8000), `round ${round}`);
  }
});

Deno.test("repeated strings: a count of 0 is one instruction that does nothing", () => {
  const board = testBoard();
  board.load(0x1000, 0xf3, 0xaa, 0xf4);
  board.cpu.run(100);
  assertEquals([board.cpu.instructions, board.cpu.r.get32(R.DI)], [2, 0]);
});

Deno.test("repeated strings: every iteration is an instruction, and a budget stops between two", () => {
  const board = testBoard();
  board.load(0x1000, 0xf3, 0xab, 0xf4);
  board.cpu.r.set32(R.CX, 1000);
  board.cpu.r.set32(R.DI, 0x2_0000);
  assertEquals(board.cpu.run(10), "budget");
  assertEquals([board.cpu.r.ip, board.cpu.r.get32(R.CX), board.cpu.r.get32(R.DI)], [0x1000, 990, 0x2_0028]);
  board.cpu.run(990);
  assertEquals([board.cpu.r.ip, board.cpu.r.get32(R.CX), board.cpu.instructions], [0x1002, 0, 1000]);
});

Deno.test("repeated strings: a fault keeps the elements before it, which count, and the way into its handler", () => {
  const b = new ProtectedBoard();
  b.board.load(0x1000, 0xf3, 0xaa);
  b.board.load(0x9000, 0xf4);
  b.gate(Vector.GP, gate(0x8e, Sel.CODE0, 0x9000));
  b.r.setSegment(Seg.ES, Sel.DATA0, 0, 0x2_00ff, 0x4093);
  b.cpu.modeChanged();
  b.r.set8(R.AX, 0x5a);
  b.r.set32(R.CX, 100);
  b.r.set32(R.DI, 0x2_00c0);
  assertEquals(b.cpu.run(1000), "halted");
  assertEquals([b.r.get32(R.CX), b.r.get32(R.DI), b.cpu.instructions], [36, 0x2_0100, 64 + 1 + 1]);
  assertEquals(b.stack(2), [0, 0x1000]);
  assertEquals([b.read32(0x2_00fc), b.read32(0x2_0100)], [0x5a5a_5a5a, 0]);
});

Deno.test("repeated strings: 16-bit addresses wrap, the source segment can be overridden", () => {
  const board = testBoard();
  const { r } = board.cpu;
  // es: a16 rep movsb
  board.load(0x1000, 0x26, 0x67, 0xf3, 0xa4, 0xf4);
  r.setSegment(Seg.ES, 0x10, 0x3_0000, 0xffff_ffff, 0xc093);
  board.cpu.modeChanged();
  board.memory.write32(0x3_fffe, 0x4433_2211);
  board.memory.write32(0x3_0000, 0x8877_6655);
  r.set32(R.CX, 0xabc0_0004);
  r.set32(R.SI, 0x1_fffe);
  r.set32(R.DI, 0x1_8000);
  board.cpu.run(10);
  assertEquals([r.get32(R.CX), r.get32(R.SI), r.get32(R.DI)], [0xabc0_0000, 0x1_0002, 0x1_8004]);
  assertEquals(board.memory.read32(0x3_8000), 0x6655_2211);
});

Deno.test("repeated strings: code that is overwritten runs in its new form", () => {
  const board = testBoard();
  const { r } = board.cpu;
  // call 1100h; rep stosb over 1100h; call 1100h; hlt      1100h: inc ebx ×4; ret
  board.load(0x1000, 0xe8, 0xfb, 0, 0, 0, 0xf3, 0xaa, 0xe8, 0xf4, 0, 0, 0, 0xf4);
  board.load(0x1100, 0x43, 0x43, 0x43, 0x43, 0xc3);
  r.set8(R.AX, 0x4b);
  r.set32(R.CX, 4);
  r.set32(R.DI, 0x1100);
  board.cpu.run(100);
  assertEquals([r.get32(R.BX), board.cpu.instructions], [0, 17]);
});

Deno.test("INS and OUTS: permission first, then one port access for each element", () => {
  const b = new ProtectedBoard();
  b.board.load(0x1000, 0xf3, 0x6e, 0xf3, 0x6d, 0xf4);
  b.write32(0x2_0000, 0x0403_0201);
  b.r.set32(R.CX, 4);
  b.r.set32(R.DX, 0x80);
  b.r.set32(R.SI, 0x2_0000);
  b.r.set32(R.DI, 0x3_0000);
  while (!b.cpu.halted) b.cpu.run(1000);
  assertEquals(b.board.writes.map(([port, value, at]) => [port, value, at]), [
    ...[[0x80, 1, 0], [0x80, 2, 1], [0x80, 3, 2], [0x80, 4, 3]],
  ]);
  assertEquals([b.r.get32(R.SI), b.r.get32(R.DI)], [0x2_0004, 0x3_0000]);
  b.enterUser();
  // The permission map begins behind the TSS's limit: no port is allowed.
  b.write32(At.TSS + 0x64, 0x68 << 16);
  b.r.setI32(S.HALTED, 0);
  b.r.set32(R.CX, 1);
  b.r.ip = 0x1000;
  b.gate(Vector.GP, gate(0x8e, Sel.CODE0, 0x9000));
  b.board.load(0x9000, 0xf4);
  assertEquals(b.cpu.run(10), "halted");
  assertEquals([b.board.writes.length, b.r.cpl], [4, 0]);
});

Deno.test("repeated strings: a data breakpoint traps after its iteration, in every tier", () => {
  for (const tier of TIERS) {
    // rep lodsd, rep outsd, rep stosd
    for (const opcode of [0xad, 0x6f, 0xab]) {
      const b = new ProtectedBoard({ tier }), { r, cpu, board } = b;
      board.load(0x1000, 0xf3, opcode, 0xf4);
      board.load(0x9000, 0xf4);
      b.gate(Vector.DB, gate(0x8e, Sel.CODE0, 0x9000));
      r.setNumber(S.DR, 0x2_0008);
      // DR0, four bytes, reads and writes.
      r.setI32(S.DR + 7 * 8, 0x000f_0001);
      cpu.debugRegistersChanged();
      for (const index of [R.SI, R.DI]) r.set32(index, 0x2_0000);
      r.set32(R.CX, 8);
      assertEquals(cpu.run(100), "halted");
      assertEquals([r.get32(R.CX), cpu.instructions, ...b.stack(1)], [5, 4, 0x1000], `${tier}, ${opcode.toString(16)}`);
    }
  }
});
