import { assertEquals } from "@std/assert";
import { CR0, Flag, R, S, Seg, Vector } from "../state.ts";
import { At, faultOf, gate, ProtectedBoard, segment, Sel } from "./test_tables.ts";
import { farCall, farJump, interruptReturn } from "./transfer.ts";

const HANDLER = 0x12_3456;
/** Access byte of a TSS in the GDT. */
function tssType(b: ProtectedBoard, selector: number): number {
  return (b.read32(At.GDT + selector + 4) >>> 8) & 0xff;
}

/** A board whose other task is ready to run at HANDLER with the stack at 5000h. */
function twoTasks(): ProtectedBoard {
  const b = new ProtectedBoard(), at = At.OTHER_TSS;
  b.write32(at + 0x20, HANDLER);
  b.write32(at + 0x24, Flag.CF | 2);
  [...Array(8).keys()].forEach((i) => b.write32(at + 0x28 + i * 4, 0x1111_0000 * (i + 1)));
  b.write32(at + 0x38, 0x5000);
  [Sel.DATA0, Sel.CODE0, Sel.DATA0, Sel.DATA3 | 3, 0, Sel.DATA0].forEach((s, i) => b.write32(at + 0x48 + i * 4, s));
  b.write32(at + 0x60, Sel.LDT);
  return b;
}

Deno.test("a jump saves the old task, frees it and loads the new one", () => {
  const b = twoTasks();
  b.r.eflags = Flag.NT | Flag.DF | 2;
  farJump(b.cpu, Sel.OTHER_TSS, 0, 0x1007);
  assertEquals([b.r.ip, b.r.get32(R.SP), b.r.get32(R.AX), b.r.eflags], [HANDLER, 0x5000, 0x1111_0000, Flag.CF | 2]);
  assertEquals([tssType(b, Sel.TSS), tssType(b, Sel.OTHER_TSS), b.r.selector(Seg.TR)], [0x89, 0x8b, Sel.OTHER_TSS]);
  assertEquals([b.read32(At.TSS + 0x20), b.read32(At.TSS + 0x24)], [0x1007, Flag.NT | Flag.DF | 2]);
  assertEquals([b.read32(At.TSS + 0x38), b.read32(At.TSS + 0x4c)], [0x8000, 8]);
  assertEquals([0, 1, 2, 3, 4, 5].map((s) => b.r.selector(s)), [
    ...[Sel.DATA0, Sel.CODE0, Sel.DATA0, Sel.DATA3 | 3, 0, Sel.DATA0],
  ]);
  assertEquals([b.r.i32(S.CR0) & CR0.TS, b.r.segmentValid(Seg.FS), b.r.selector(Seg.LDTR)], [CR0.TS, false, Sel.LDT]);
});

Deno.test("a call links back, and IRET with NT returns along the link", () => {
  const b = twoTasks();
  farCall(b.cpu, Sel.OTHER_TSS, 0, 0x1007, 32);
  assertEquals([b.read32(At.OTHER_TSS) & 0xffff, b.r.eflags & Flag.NT], [Sel.TSS, Flag.NT]);
  assertEquals([tssType(b, Sel.TSS), tssType(b, Sel.OTHER_TSS)], [0x8b, 0x8b]);
  interruptReturn(b.cpu, 32, HANDLER + 1);
  assertEquals([b.r.ip, b.r.get32(R.SP), b.r.selector(Seg.TR)], [0x1007, 0x8000, Sel.TSS]);
  assertEquals([tssType(b, Sel.TSS), tssType(b, Sel.OTHER_TSS)], [0x8b, 0x89]);
  assertEquals([b.read32(At.OTHER_TSS + 0x20), b.read32(At.OTHER_TSS + 0x24) & Flag.NT], [HANDLER + 1, 0]);
});

Deno.test("a task gate leads to its task from level 3", () => {
  const b = twoTasks();
  b.enterUser();
  assertEquals(faultOf(() => farJump(b.cpu, Sel.OTHER_TSS, 0, 0)), { vector: Vector.GP, code: Sel.OTHER_TSS });
  b.descriptor(Sel.FREE, gate(0xe5, Sel.OTHER_TSS, 0));
  farJump(b.cpu, Sel.FREE | 3, 0, 0x1007);
  assertEquals([b.r.ip, b.r.cpl], [HANDLER, 0]);
});

Deno.test("busy, absent, short and local task segments are refused before anything changes", () => {
  const b = twoTasks();
  const jump = (access: number, limit: number) => {
    b.descriptor(Sel.FREE, segment(access, { base: At.OTHER_TSS, limit, flags: 0 }));
    return faultOf(() => farJump(b.cpu, Sel.FREE, 0, 0));
  };
  assertEquals(jump(0x8b, 0x67), { vector: Vector.GP, code: Sel.FREE });
  assertEquals(jump(0x09, 0x67), { vector: Vector.NP, code: Sel.FREE });
  assertEquals(jump(0x89, 0x66), { vector: Vector.TS, code: Sel.FREE });
  assertEquals(jump(0x81, 0x2a), { vector: Vector.TS, code: Sel.FREE });
  b.descriptor(0x0c, segment(0x89, { base: At.OTHER_TSS, limit: 0x67, flags: 0 }));
  assertEquals(faultOf(() => farJump(b.cpu, 0x0c, 0, 0)), { vector: Vector.GP, code: 0x0c });
  assertEquals([b.r.ip, b.r.selector(Seg.TR), tssType(b, Sel.TSS)], [0x1000, Sel.TSS, 0x8b]);
});

Deno.test("a bad segment of the new task faults in the new task", () => {
  const cases: [number, number, { vector: number; code: number }][] = [
    [0x4c, 0, { vector: Vector.TS, code: 0 }],
    [0x4c, Sel.DATA0, { vector: Vector.TS, code: Sel.DATA0 }],
    [0x50, Sel.DATA3 | 3, { vector: Vector.TS, code: Sel.DATA3 }],
    [0x54, Sel.TSS, { vector: Vector.TS, code: Sel.TSS }],
    [0x60, Sel.DATA0, { vector: Vector.TS, code: Sel.DATA0 }],
    [0x58, Sel.FREE, { vector: Vector.NP, code: Sel.FREE }],
  ];
  for (const [offset, selector, expected] of cases) {
    const b = twoTasks();
    b.descriptor(Sel.FREE, segment(0x13));
    b.write32(At.OTHER_TSS + offset, selector);
    assertEquals(faultOf(() => farJump(b.cpu, Sel.OTHER_TSS, 0, 0x1007)), expected);
    assertEquals([b.r.ip, b.r.selector(Seg.TR)], [HANDLER, Sel.OTHER_TSS]);
  }
});

Deno.test("such a fault is delivered at the new task's first instruction, and the jump counts as done", () => {
  const b = twoTasks();
  b.write32(At.OTHER_TSS + 0x54, Sel.TSS);
  b.gate(Vector.TS, gate(0x8e, Sel.CODE0, 0x2_0000));
  // jmp far 30h:0 ; at the handler: hlt
  b.board.load(0x1000, 0xea, 0, 0, 0, 0, Sel.OTHER_TSS, 0);
  b.board.load(0x2_0000, 0xf4);
  assertEquals(b.cpu.run(100), "halted");
  assertEquals(b.cpu.instructions, 2);
  assertEquals(b.stack(3), [Sel.TSS, HANDLER, Sel.CODE0]);
});

Deno.test("a 16-bit task switches words and leaves ones in the upper halves", () => {
  const b = twoTasks();
  b.descriptor(Sel.FREE, segment(0x81, { base: 0x9000, limit: 0x2b, flags: 0 }));
  b.write32(0x9000 + 0x0c, 0x1234 << 16);
  b.write32(0x9000 + 0x10, 0xbeef_0002);
  b.write32(0x9000 + 0x20, Sel.DATA0 << 16);
  b.write32(0x9000 + 0x24, Sel.DATA0 << 16 | Sel.CODE0);
  b.write32(0x9000 + 0x28, Sel.DATA0);
  farCall(b.cpu, Sel.FREE, 0, 0x1007, 32);
  assertEquals([b.r.ip, b.r.get32(R.AX), b.r.eflags], [0x1234, 0xffff_beef, Flag.NT | 2]);
  interruptReturn(b.cpu, 32, 0x1235);
  assertEquals([b.r.ip, b.read32(0x900c) >>> 16], [0x1007, 0x1235]);
});

Deno.test("a task may be a virtual-8086 program", () => {
  const b = twoTasks();
  b.write32(At.OTHER_TSS + 0x24, Flag.VM | 2);
  [1, 2, 3, 4, 5, 6].forEach((s, i) => b.write32(At.OTHER_TSS + 0x48 + i * 4, s * 0x1000));
  farJump(b.cpu, Sel.OTHER_TSS, 0, 0);
  assertEquals([b.r.cpl, b.r.segmentBase(Seg.CS), b.r.segmentLimit(Seg.DS)], [3, 0x20000, 0xffff]);
});

Deno.test("the T bit of a TSS traps before the first instruction", () => {
  const b = twoTasks();
  b.write32(At.OTHER_TSS + 0x64, 1);
  b.gate(Vector.DB, gate(0x8e, Sel.CODE0, 0x2_0000));
  b.board.load(0x1000, 0xea, 0, 0, 0, 0, Sel.OTHER_TSS, 0);
  b.board.load(0x2_0000, 0xf4);
  assertEquals(b.cpu.run(100), "halted");
  assertEquals([b.stack(1)[0], b.r.u32(S.DR + 48)], [HANDLER, 0xffff_8ff0]);
});

Deno.test("local breakpoints end with their task, and CR3 changes if paging is on", () => {
  const b = twoTasks();
  for (let i = 0; i < 1024; i++) b.write32(At.PAGES + 0x1000 + i * 4, i * 4096 + 7);
  for (const directory of [At.PAGES, At.PAGES + 0x2000]) b.write32(directory, At.PAGES + 0x1007);
  b.write32(At.OTHER_TSS + 0x1c, At.PAGES + 0x2000);
  b.r.setNumber(S.CR3, At.PAGES);
  b.r.setNumber(S.CR0, (CR0.PE | CR0.PG) >>> 0);
  b.r.setNumber(S.DR + 56, 0x7ff);
  farJump(b.cpu, Sel.OTHER_TSS, 0, 0);
  assertEquals([b.r.u32(S.CR3), b.r.u32(S.DR + 56)], [At.PAGES + 0x2000, 0x6aa]);
});
