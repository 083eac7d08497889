import { assertEquals } from "@std/assert";
import { CR0, Flag, R, S, Seg, Vector } from "../state.ts";
import { At, faultOf, gate, ProtectedBoard, segment, Sel } from "./test_tables.ts";
import { farCall, farJump, farReturn, interruptReturn, sysenter, sysexit } from "./transfer.ts";

const GATE32 = 0xec, GATE16 = 0xe4;

/** Puts 32-bit words at the stack pointer. */
function push(b: ProtectedBoard, ...words: number[]): void {
  words.forEach((word, i) => b.write32(b.r.get32(R.SP) + i * 4, word));
}

Deno.test("farJump: real mode sets CS and keeps the privilege", () => {
  const b = new ProtectedBoard();
  b.r.setNumber(S.CR0, CR0.ET);
  farJump(b.cpu, 0xf000, 0xfff0, 0);
  assertEquals([b.r.segmentBase(Seg.CS), b.r.ip, b.r.cpl], [0xf0000, 0xfff0, 0]);
  b.r.setSegment(Seg.CS, 0, 0, 0xffff, 0x93);
  assertEquals(faultOf(() => farJump(b.cpu, 0, 0x1_0000, 0)), { vector: Vector.GP, code: 0 });
});

Deno.test("farJump: protected mode checks type, privilege, presence and limit", () => {
  const b = new ProtectedBoard();
  const jump = (access: number, rpl = 0, offset = 0x100) => {
    b.descriptor(Sel.FREE, segment(access, { limit: 0xfff, flags: 4 }));
    return faultOf(() => farJump(b.cpu, Sel.FREE | rpl, offset, 0));
  };
  assertEquals(faultOf(() => farJump(b.cpu, 3, 0, 0)), { vector: Vector.GP, code: 0 });
  assertEquals(jump(0x93), { vector: Vector.GP, code: Sel.FREE });
  assertEquals(jump(0xfb), { vector: Vector.GP, code: Sel.FREE });
  assertEquals(jump(0x9b, 3), { vector: Vector.GP, code: Sel.FREE });
  assertEquals(jump(0x1b), { vector: Vector.NP, code: Sel.FREE });
  assertEquals(jump(0x9b, 0, 0x1000), { vector: Vector.GP, code: 0 });
  assertEquals([b.r.ip, b.r.selector(Seg.CS)], [0x1000, 8]);
  assertEquals(jump(0x9a), null);
  assertEquals([b.r.ip, b.r.selector(Seg.CS), b.read32(At.GDT + Sel.FREE + 4) & 0xff00], [0x100, Sel.FREE, 0x9b00]);
});

Deno.test("farJump: a conforming segment is entered at the caller's level", () => {
  const b = new ProtectedBoard();
  b.enterUser();
  b.descriptor(Sel.FREE, segment(0x9f));
  farJump(b.cpu, Sel.FREE, 0x42, 0);
  assertEquals([b.r.cpl, b.r.selector(Seg.CS), b.r.ip], [3, Sel.FREE | 3, 0x42]);
});

Deno.test("farCall: the same level pushes CS and the return address with the operand size", () => {
  const b = new ProtectedBoard();
  farCall(b.cpu, Sel.CODE0, 0x1234, 0x1007, 32);
  assertEquals([b.r.ip, ...b.stack(2)], [0x1234, 0x1007, Sel.CODE0]);
  farCall(b.cpu, Sel.CODE0, 0x1234, 0x1007, 16);
  assertEquals(b.stack(1), [Sel.CODE0 << 16 | 0x1007]);
});

Deno.test("farCall: a call gate to an inner level copies parameters onto its stack", () => {
  const b = new ProtectedBoard();
  b.enterUser();
  b.descriptor(Sel.FREE, gate(GATE32, Sel.CODE0, 0x12_3456, 2));
  push(b, 0xaaaa_0001, 0xaaaa_0002);
  farCall(b.cpu, Sel.FREE | 3, 0xdead, 0x1007, 16);
  assertEquals([b.r.cpl, b.r.ip, b.r.selector(Seg.SS)], [0, 0x12_3456, Sel.DATA0]);
  assertEquals(b.stack(6), [0x1007, Sel.CODE3 | 3, 0xaaaa_0001, 0xaaaa_0002, 0x6000, Sel.DATA3 | 3]);
  // And back: the parameters are released on both stacks.
  farReturn(b.cpu, 32, 8);
  assertEquals([b.r.cpl, b.r.ip, b.r.get32(R.SP), b.r.selector(Seg.SS)], [3, 0x1007, 0x6008, Sel.DATA3 | 3]);
});

Deno.test("farCall: a 16-bit call gate pushes words", () => {
  const b = new ProtectedBoard();
  b.enterUser();
  b.descriptor(Sel.FREE, gate(GATE16, Sel.CODE0, 0xdead_1234, 1));
  push(b, 0xbbbb_aaaa);
  farCall(b.cpu, Sel.FREE | 3, 0, 0x1007, 32);
  assertEquals([b.r.ip, b.r.get32(R.SP)], [0x1234, 0x7000 - 10]);
  assertEquals(b.stack(2), [(Sel.CODE3 | 3) << 16 | 0x1007, 0x6000_aaaa]);
});

Deno.test("farCall: gates are refused by privilege, presence and what they lead to", () => {
  const b = new ProtectedBoard();
  b.enterUser();
  const call = (access: number, selector: number) => {
    b.descriptor(Sel.FREE, gate(access, selector, 0x100));
    return faultOf(() => farCall(b.cpu, Sel.FREE | 3, 0, 0, 32));
  };
  assertEquals(call(0x8c, Sel.CODE0), { vector: Vector.GP, code: Sel.FREE });
  assertEquals(call(0x6c, Sel.CODE0), { vector: Vector.NP, code: Sel.FREE });
  assertEquals(call(GATE32, 0), { vector: Vector.GP, code: 0 });
  assertEquals(call(GATE32, Sel.DATA0), { vector: Vector.GP, code: Sel.DATA0 });
  assertEquals(call(GATE32, 0x7f8), { vector: Vector.GP, code: 0x7f8 });
  b.write32(At.TSS + 8, 0);
  assertEquals(call(GATE32, Sel.CODE0), { vector: Vector.TS, code: 0 });
  assertEquals([b.r.cpl, b.r.get32(R.SP)], [3, 0x6000]);
});

Deno.test("farReturn: to an outer level hides inner data segments", () => {
  const b = new ProtectedBoard();
  push(b, 0x1234, Sel.CODE3 | 3, 0x5000, Sel.DATA3 | 3);
  b.r.setSegment(Seg.FS, Sel.DATA3 | 3, 0, 0xffff_ffff, 0xc0f3);
  b.r.setSegment(Seg.GS, Sel.DATA0, 0x1234_5000, 0xffff_ffff, 0xc093);
  farReturn(b.cpu, 32, 0);
  assertEquals([b.r.cpl, b.r.ip, b.r.get32(R.SP)], [3, 0x1234, 0x5000]);
  assertEquals([Seg.DS, Seg.ES, Seg.FS, Seg.GS].map((s) => b.r.segmentValid(s)), [false, false, true, false]);
  assertEquals([b.r.selector(Seg.GS), b.r.segmentBase(Seg.GS)], [0, 0x1234_5000]);
});

Deno.test("interruptReturn: to an outer level null selectors become 0, to the same one they stay", () => {
  for (const level of [0, 3]) {
    const b = new ProtectedBoard();
    push(b, 0x1234, level === 0 ? Sel.CODE0 : Sel.CODE3 | 3, 2, 0x5000, Sel.DATA3 | 3);
    for (const segment of [Seg.DS, Seg.ES, Seg.FS, Seg.GS]) b.r.setSegment(segment, segment & 3, 0, 0, 0, false);
    interruptReturn(b.cpu, 32, 0);
    assertEquals([b.r.cpl, b.r.ip], [level, 0x1234]);
    const selectors = [Seg.DS, Seg.ES, Seg.FS, Seg.GS].map((segment) => b.r.selector(segment));
    assertEquals(selectors, level === 0 ? [3, 0, 0, 1] : [0, 0, 0, 0]);
  }
});

Deno.test("farReturn: never to an inner level, and a bad stack changes nothing", () => {
  const b = new ProtectedBoard();
  push(b, 0x1234, Sel.CODE3 | 3, 0x5000, Sel.DATA0);
  assertEquals(faultOf(() => farReturn(b.cpu, 32, 0)), { vector: Vector.GP, code: Sel.DATA0 });
  assertEquals([b.r.cpl, b.r.get32(R.SP)], [0, 0x8000]);
  b.enterUser();
  push(b, 0x1234, Sel.CODE0);
  assertEquals(faultOf(() => farReturn(b.cpu, 32, 0)), { vector: Vector.GP, code: Sel.CODE0 });
});

Deno.test("interruptReturn: the flags that may change depend on the level", () => {
  const all = Flag.IF | Flag.IOPL | Flag.CF | Flag.AC | Flag.ID | 2;
  const b = new ProtectedBoard();
  push(b, 0x1234, Sel.CODE0, all);
  interruptReturn(b.cpu, 32, 0);
  assertEquals(b.r.eflags, all);
  b.enterUser();
  b.r.eflags = 2;
  push(b, 0x1234, Sel.CODE3 | 3, all);
  interruptReturn(b.cpu, 32, 0);
  assertEquals(b.r.eflags, Flag.CF | Flag.AC | Flag.ID | 2);
});

Deno.test("interruptReturn: to virtual-8086 mode loads every segment", () => {
  const b = new ProtectedBoard();
  push(b, 0x1_1234, 0x2000, Flag.VM | Flag.IF | 2, 0x100, 0x3000, 0x4000, 0x5000, 0x6000, 0x7000);
  interruptReturn(b.cpu, 32, 0);
  assertEquals([b.r.cpl, b.r.ip, b.r.get32(R.SP), b.r.eflags & Flag.VM], [3, 0x1234, 0x100, Flag.VM]);
  assertEquals([0, 1, 2, 3, 4, 5].map((s) => b.r.segmentBase(s)), [
    ...[0x40000, 0x20000, 0x30000, 0x50000, 0x60000, 0x70000],
  ]);
  assertEquals(b.r.codeSize, 16);
});

Deno.test("interruptReturn: in virtual-8086 mode needs IOPL 3", () => {
  const b = new ProtectedBoard();
  b.r.setI32(S.CPL, 3);
  b.r.setSegment(Seg.SS, 0, 0, 0xffff, 0xf3);
  b.r.eflags = Flag.VM | 2;
  b.cpu.modeChanged();
  push(b, 0x2000_1234, Flag.IF | 2);
  assertEquals(faultOf(() => interruptReturn(b.cpu, 16, 0)), { vector: Vector.GP, code: 0 });
  b.r.eflags = Flag.VM | Flag.IOPL | 2;
  interruptReturn(b.cpu, 16, 0);
  assertEquals([b.r.segmentBase(Seg.CS), b.r.ip, b.r.eflags], [0x20000, 0x1234, Flag.VM | Flag.IOPL | Flag.IF | 2]);
});

Deno.test("sysenter and sysexit switch to flat segments next to SYSENTER_CS", () => {
  const b = new ProtectedBoard();
  b.enterUser();
  assertEquals(faultOf(() => sysenter(b.cpu)), { vector: Vector.GP, code: 0 });
  b.r.setNumber(S.SYSENTER_CS, 0x60);
  b.r.setNumber(S.SYSENTER_ESP, 0x5000);
  b.r.setNumber(S.SYSENTER_EIP, 0x1234);
  b.r.eflags = Flag.IF | 2;
  assertEquals(faultOf(() => sysexit(b.cpu, 32)), { vector: Vector.GP, code: 0 });
  sysenter(b.cpu);
  assertEquals([b.r.cpl, b.r.selector(Seg.CS), b.r.selector(Seg.SS), b.r.ip, b.r.get32(R.SP)], [
    ...[0, 0x60, 0x68, 0x1234, 0x5000],
  ]);
  assertEquals(b.r.eflags & Flag.IF, 0);
  b.r.set32(R.CX, 0x6000);
  b.r.set32(R.DX, 0x4321);
  sysexit(b.cpu, 32);
  assertEquals([b.r.cpl, b.r.selector(Seg.CS), b.r.selector(Seg.SS), b.r.ip, b.r.get32(R.SP)], [
    ...[3, 0x73, 0x7b, 0x4321, 0x6000],
  ]);
});
