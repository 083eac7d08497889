import { assertEquals } from "@std/assert";
import { CR4, EFER, Flag, R, S, Seg, Vector } from "../state.ts";
import { At, gate, LongAt, longBoard, type ProtectedBoard, runUntilHalt, segment, Sel } from "./test_tables.ts";

/** The page-table entry of a page below 2 MiB. */
function mapPage(b: ProtectedBoard, page: number, entry: bigint): void {
  b.board.memory.view.setBigUint64(LongAt.TABLES + 0x3000 + page * 8, entry, true);
  b.cpu.flushTlb();
}

/** A 64-bit gate in the IDT. */
function idtGate(b: ProtectedBoard, vector: number, access: number, selector: number, offset: number, ist = 0): void {
  const [low, high] = gate(access, selector, offset, ist), at = At.IDT + vector * 16;
  [low, high, 0, 0].forEach((word, i) => b.write32(at + i * 4, word));
}

/** Quadwords on the stack from RSP up. */
function quads(b: ProtectedBoard, count: number): bigint[] {
  const top = b.r.number(S.GPR + R.SP * 8);
  return Array.from({ length: count }, (_, i) => b.board.memory.view.getBigUint64(top + i * 8, true));
}

Deno.test("SYSCALL goes to LSTAR with the flags masked; SYSRET comes back to 64-bit and to compatibility code", () => {
  const b = longBoard();
  b.r.setU64(S.STAR, (BigInt(Sel.CODE0) << 32n) | (0x40n << 48n));
  b.r.setU64(S.LSTAR, 0x1000n);
  b.r.setU64(S.FMASK, BigInt(Flag.IF | Flag.AC));
  b.r.eflags = Flag.AC | Flag.CF | 2;
  // syscall at 8000h; HLT in the kernel.
  b.board.load(0x1000, 0xf4);
  b.board.load(0x8000, 0x0f, 0x05);
  const outcome = runUntilHalt(b, [0x0f, 0x05], true);
  assertEquals([outcome.vector, outcome.ip], [-1, 0x1001]);
  assertEquals([b.r.get64(R.CX), b.r.get64(11)], [0x8002n, BigInt(Flag.AC | Flag.CF | 2)]);
  assertEquals([b.r.cpl, b.r.selector(Seg.CS), b.r.selector(Seg.SS)], [0, Sel.CODE0, Sel.CODE0 + 8]);
  assertEquals(b.r.eflags & (Flag.AC | Flag.CF), Flag.CF);

  for (const [prefix, selector, size] of [[[0x48], 0x53, 64], [[], 0x43, 32]] as const) {
    const back = longBoard();
    back.r.setU64(S.STAR, 0x40n << 48n);
    back.r.set64(R.CX, 0x8000n);
    back.r.set64(11, BigInt(Flag.IF | Flag.VM | Flag.RF | Flag.CF));
    back.board.load(0x8000, 0x0f, 0x0b);
    assertEquals(runUntilHalt(back, [...prefix, 0x0f, 0x07]).vector, Vector.UD);
    const [ip, cs, flags] = quads(back, 3);
    assertEquals([ip, Number(cs)], [0x8000n, selector], `${size}-bit`);
    assertEquals(Number(flags) & ~Flag.RF, Flag.IF | Flag.CF | 2);
  }
});

Deno.test("SYSCALL and SYSRET: EFER.SCE, the level and the address count", () => {
  const off = longBoard();
  off.r.setNumber(S.EFER, EFER.LME | EFER.LMA | EFER.NXE);
  assertEquals(runUntilHalt(off, [0x0f, 0x05]).vector, Vector.UD);
  assertEquals(runUntilHalt(longBoard(), [0x48, 0x0f, 0x07], true), { vector: Vector.GP, code: 0, ip: 0x8000 });
  const far = longBoard();
  far.r.set64(R.CX, 0x8000_0000_0000n);
  assertEquals(runUntilHalt(far, [0x48, 0x0f, 0x07]), { vector: Vector.GP, code: 0, ip: 0x1000 });
});

Deno.test("SWAPGS exchanges the base of GS, for the kernel", () => {
  const b = longBoard();
  b.r.setU64(S.KERNEL_GS_BASE, 0xffff_8000_0000_1000n);
  b.r.setSegment(Seg.GS, 0, 0x8000, 0xffff_ffff, 0xc093);
  assertEquals(runUntilHalt(b, [0x0f, 0x01, 0xf8]).vector, -1);
  assertEquals([b.r.segmentBase(Seg.GS), b.r.u64(S.KERNEL_GS_BASE)], [-0x7fff_ffff_f000, 0x8000n]);
  assertEquals(runUntilHalt(longBoard(), [0x0f, 0x01, 0xf8], true).vector, Vector.GP);
});

Deno.test("interrupts from level 3 take RSP0, align it and push SS:RSP always", () => {
  const b = longBoard();
  b.board.memory.view.setBigUint64(At.TSS + 4, 0x6ffdn, true);
  idtGate(b, 0x40, 0xee, Sel.CODE0, 0x8_0000);
  assertEquals(runUntilHalt(b, [0xcd, 0x40], true).vector, 0);
  assertEquals(quads(b, 5), [0x8002n, BigInt(Sel.CODE3 | 3), 2n, BigInt(LongAt.USER_STACK), BigInt(Sel.DATA3 | 3)]);
  assertEquals([b.r.number(S.GPR + R.SP * 8), b.r.selector(Seg.SS), b.r.segmentValid(Seg.SS)], [0x6ff0 - 40, 0, false]);
  const same = longBoard();
  idtGate(same, 0x40, 0x8e, Sel.CODE0, 0x8_0000);
  same.r.set64(R.SP, 0x7004n);
  runUntilHalt(same, [0xcd, 0x40]);
  assertEquals(same.r.number(S.GPR + R.SP * 8), 0x7000 - 40);
  assertEquals(quads(same, 4)[3], 0x7004n);
});

Deno.test("a gate with an IST switches stacks at every level", () => {
  const b = longBoard();
  b.board.memory.view.setBigUint64(At.TSS + 36 + 2 * 8, 0x5000n, true);
  idtGate(b, Vector.UD, 0x8e, Sel.CODE0, 0x8_0000 + Vector.UD * 0x100, 3);
  assertEquals(runUntilHalt(b, [0x0f, 0x0b]), { vector: Vector.UD, code: -1, ip: 0x1000 });
  assertEquals(b.r.number(S.GPR + R.SP * 8), 0x5000 - 40);
  // A TSS that does not reach as far has no such stack.
  const short = longBoard();
  short.r.setSegment(Seg.TR, Sel.TSS, At.TSS, 0x30, 0x8b);
  idtGate(short, Vector.UD, 0x8e, Sel.CODE0, 0x8_0000 + Vector.UD * 0x100, 3);
  assertEquals(runUntilHalt(short, [0x0f, 0x0b]), { vector: Vector.TS, code: Sel.TSS | 1, ip: 0x1000 });
});

Deno.test("gates lead to 64-bit code only", () => {
  const cases: [name: string, access: number, words: readonly [number, number]][] = [
    ["32-bit code", 0x8e, segment(0x9b)],
    ["L and D", 0x8e, segment(0x9b, { flags: 0xe })],
    ["data", 0x8e, segment(0x93)],
  ];
  for (const [name, access, words] of cases) {
    const b = longBoard();
    b.descriptor(Sel.FREE, words);
    idtGate(b, 0x40, access, Sel.FREE, 0x8_0000);
    assertEquals(runUntilHalt(b, [0xcd, 0x40]), { vector: Vector.GP, code: Sel.FREE, ip: 0x1000 }, name);
  }
  // 16-bit, task and call gates do not belong into the IDT.
  for (const type of [0x86, 0x87, 0x85, 0x8c]) {
    const b = longBoard();
    idtGate(b, 0x40, type, Sel.CODE0, 0x8_0000);
    assertEquals(runUntilHalt(b, [0xcd, 0x40]).code, 0x40 * 8 + 2);
  }
});

Deno.test("IRETQ returns to the same level with a stack of its own; a null SS is nothing for level 3, NT for no level", () => {
  const board = (frame: readonly number[]) => {
    const b = longBoard();
    frame.forEach((value, i) => b.board.memory.view.setBigUint64(0x6000 + i * 8, BigInt(value), true));
    b.r.set64(R.SP, 0x6000n);
    b.board.load(0x1800, 0xf4);
    return b;
  };
  const same = board([0x1800, Sel.CODE0, Flag.CF | 2, 0x5555, 0]);
  assertEquals(runUntilHalt(same, [0x48, 0xcf]).ip, 0x1801);
  assertEquals([same.r.get64(R.SP), same.r.eflags, same.r.segmentValid(Seg.SS)], [0x5555n, Flag.CF | 2, false]);
  const user = board([0x8000, Sel.CODE3 | 3, 2, 0x9000, 3]);
  assertEquals(runUntilHalt(user, [0x48, 0xcf]), { vector: Vector.GP, code: 0, ip: 0x1000 });
  const nested = board([0x1800, Sel.CODE0, 2, 0x5555, 0]);
  nested.r.eflags = Flag.NT | 2;
  assertEquals(runUntilHalt(nested, [0x48, 0xcf]).vector, Vector.GP);
});

Deno.test("a 64-bit call gate pushes SS:RSP and CS:RIP on the inner stack; its upper half has no type", () => {
  const board = (upperType = 0) => {
    const b = longBoard();
    const [low, high] = gate(0xec, Sel.CODE0, 0x1800);
    [low, high, 0, upperType << 8].forEach((word, i) => b.write32(At.GDT + Sel.FREE + i * 4, word));
    b.board.load(0x1800, 0xf4);
    b.write32(0x8800, 0);
    b.write32(0x8804, Sel.FREE | 3);
    return b;
  };
  // call far [8800h]
  const call = [0xff, 0x1c, 0x25, 0, 0x88, 0, 0];
  const b = board();
  assertEquals(runUntilHalt(b, call, true).ip, 0x1801);
  assertEquals(quads(b, 4), [0x8007n, BigInt(Sel.CODE3 | 3), BigInt(LongAt.USER_STACK), BigInt(Sel.DATA3 | 3)]);
  assertEquals(b.r.number(S.GPR + R.SP * 8), LongAt.STACK - 32);
  assertEquals(runUntilHalt(board(1), call, true), { vector: Vector.GP, code: Sel.FREE, ip: 0x8000 });
});

Deno.test("LTR and LLDT take 16-byte descriptors, with an upper half that is right", () => {
  const load = (opcode: number, access: number, upper: number, upperType: number) => {
    const b = longBoard(), [low, high] = segment(access, { base: 0x4000, limit: 0x67, flags: 0 });
    [low, high, upper, upperType << 8].forEach((word, i) => b.write32(At.GDT + Sel.FREE + i * 4, word));
    b.r.set64(R.AX, BigInt(Sel.FREE));
    return [b, runUntilHalt(b, [0x0f, 0x00, opcode])] as const;
  };
  const [tss, done] = load(0xd8, 0x89, 0xffff_8000, 0);
  assertEquals([done.vector, tss.r.segmentBase(Seg.TR)], [-1, 0x4000 - 2 ** 47]);
  assertEquals(load(0xd0, 0x82, 0x12, 0)[0].r.segmentBase(Seg.LDTR), 0x12_0000_4000);
  for (const [opcode, access] of [[0xd8, 0x89], [0xd0, 0x82]]) {
    assertEquals(
      load(opcode, access, 0x8000, 0)[1],
      { vector: Vector.GP, code: Sel.FREE, ip: 0x1000 },
      "not canonical",
    );
    assertEquals(load(opcode, access, 0, 4)[1], { vector: Vector.GP, code: Sel.FREE, ip: 0x1000 }, "a type above");
  }
  assertEquals(load(0xd8, 0x81, 0, 0)[1].vector, Vector.GP, "16-bit TSS");
});

Deno.test("CMPXCHG16B compares, stores in any case, wants 16-byte alignment and changes nothing if it faults", () => {
  const code = [0x48, 0x0f, 0xc7, 0x0b];
  const board = (address: bigint) => {
    const b = longBoard(), { view } = b.board.memory;
    view.setBigUint64(0x8800, 1n, true);
    view.setBigUint64(0x8808, 2n, true);
    [[R.AX, 1n], [R.DX, 2n], [R.BX, address], [R.CX, 4n]].forEach(([register, value]) =>
      b.r.set64(Number(register), BigInt(value))
    );
    return b;
  };
  const equal = board(0x8800n);
  runUntilHalt(equal, code);
  const { view } = equal.board.memory;
  assertEquals([view.getBigUint64(0x8800, true), view.getBigUint64(0x8808, true)], [0x8800n, 4n]);
  assertEquals(equal.r.eflags & Flag.ZF, Flag.ZF);
  const other = board(0x8800n);
  other.r.set64(R.DX, 3n);
  runUntilHalt(other, code);
  assertEquals([other.r.get64(R.DX), other.r.eflags & Flag.ZF], [2n, 0]);
  assertEquals(runUntilHalt(board(0x8808n), code), { vector: Vector.GP, code: 0, ip: 0x1000 });
  const readOnly = board(0x8800n);
  readOnly.r.set64(R.DX, 3n);
  mapPage(readOnly, 8, 0x8005n);
  assertEquals(runUntilHalt(readOnly, code), { vector: Vector.PF, code: 3, ip: 0x1000 });
  assertEquals(readOnly.r.get64(R.DX), 3n);
});

Deno.test("execute-disable and reserved bits of a page fault on the access that meets them", () => {
  const jump = [0xe9, 0xfb, 0x6f, 0, 0];
  const nx = longBoard();
  mapPage(nx, 8, 0x8007n | (1n << 63n));
  assertEquals(runUntilHalt(nx, jump), { vector: Vector.PF, code: 0x11, ip: 0x8000 });
  const without = longBoard();
  without.r.setNumber(S.EFER, EFER.LME | EFER.LMA);
  mapPage(without, 8, 0x8007n | (1n << 63n));
  assertEquals(runUntilHalt(without, jump), { vector: Vector.PF, code: 9, ip: 0x8000 });
  const reserved = longBoard();
  mapPage(reserved, 8, 0x8007n | (1n << 40n));
  reserved.r.set64(R.BX, 0x8000n);
  assertEquals(runUntilHalt(reserved, [0x89, 0x03]), { vector: Vector.PF, code: 0xb, ip: 0x1000 });
});

Deno.test("reserved bits of CR0, CR4, CR8 and EFER are refused", () => {
  const refused: [name: string, code: number[]][] = [
    ["CR4 bit 63", [0x48, 0xb8, 0x20, 0, 0, 0, 0, 0, 0, 0x80, 0x0f, 0x22, 0xe0]],
    ["CR4.PAE cleared", [0x31, 0xc0, 0x0f, 0x22, 0xe0]],
    ["CR4.SMEP without the feature", [0xb8, 0x20, 0, 0x10, 0, 0x0f, 0x22, 0xe0]],
    ["CR0 bit 32", [0x0f, 0x20, 0xc0, 0x48, 0x0f, 0xba, 0xe8, 0x20, 0x0f, 0x22, 0xc0]],
    ["CR0.PG cleared in 64-bit code", [0x0f, 0x20, 0xc0, 0x0f, 0xba, 0xf0, 0x1f, 0x0f, 0x22, 0xc0]],
    ["CR8 above 15", [0xb8, 0x10, 0, 0, 0, 0x44, 0x0f, 0x22, 0xc0]],
    ["CR3 beyond the address width", [0x48, 0xb8, 0, 0, 0, 0, 0x10, 0, 0, 0, 0x0f, 0x22, 0xd8]],
    ["EFER bit 1", [0xb9, 0x80, 0, 0, 0xc0, 0x0f, 0x32, 0x83, 0xc8, 2, 0x0f, 0x30]],
    ["EFER.LME cleared while paging", [0xb9, 0x80, 0, 0, 0xc0, 0x0f, 0x32, 0x0f, 0xba, 0xf0, 8, 0x0f, 0x30]],
  ];
  for (const [name, code] of refused) {
    const b = longBoard();
    assertEquals([runUntilHalt(b, code).vector, b.r.i32(S.CR4)], [Vector.GP, CR4.PAE | CR4.OSFXSR], name);
  }
  const priority = longBoard();
  assertEquals(runUntilHalt(priority, [0xb8, 9, 0, 0, 0, 0x44, 0x0f, 0x22, 0xc0, 0x44, 0x0f, 0x20, 0xc3]).vector, -1);
  assertEquals(priority.r.get64(R.BX), 9n);
});
