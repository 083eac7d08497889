import { assertEquals } from "@std/assert";
import { CR0, Flag, R, S, Seg, Vector } from "../state.ts";
import { deliver, softwareInterrupt } from "./interrupts.ts";
import { At, faultOf, gate, ProtectedBoard, segment, Sel } from "./test_tables.ts";

const INTERRUPT32 = 0x8e, TRAP32 = 0x8f, INTERRUPT16 = 0x86, TASK = 0x85, DPL3 = 0x60;
const HANDLER = 0x12_3456;

Deno.test("deliver: real mode pushes three words through the vector table and clears IF and TF", () => {
  const b = new ProtectedBoard();
  b.r.setNumber(S.CR0, CR0.ET);
  b.r.setNumber(S.IDTR_BASE, 0);
  b.r.setSegment(Seg.SS, 0, 0, 0xffff, 0x93);
  b.r.setSegment(Seg.CS, 0x1000, 0x10000, 0xffff, 0x93);
  b.r.ip = 0x234;
  b.r.eflags = Flag.IF | Flag.TF | Flag.CF | 2;
  b.write32(0x20 * 4, 0x5678_9abc);
  assertEquals(deliver(b.cpu, 0x20, -1, "hardware"), true);
  assertEquals([b.r.selector(Seg.CS), b.r.segmentBase(Seg.CS), b.r.ip], [0x5678, 0x56780, 0x9abc]);
  assertEquals(b.r.eflags & (Flag.IF | Flag.TF | Flag.CF), Flag.CF);
  assertEquals(b.r.get16(R.SP), 0x7ffa);
  assertEquals([b.read32(0x7ffa), b.read32(0x7ffe) & 0xffff], [0x1000_0234, 0x303]);
});

Deno.test("deliver: a vector table that is too short ends in shutdown", () => {
  const b = new ProtectedBoard();
  b.r.setNumber(S.CR0, CR0.ET);
  b.r.setI32(S.IDTR_LIMIT, 3);
  assertEquals(deliver(b.cpu, 0x20, -1, "hardware"), false);
});

Deno.test("deliver: an interrupt gate clears IF, a trap gate leaves it; the error code is on top", () => {
  for (const [type, kept] of [[INTERRUPT32, 0], [TRAP32, Flag.IF]]) {
    const b = new ProtectedBoard();
    b.gate(Vector.GP, gate(type, Sel.CODE0, HANDLER));
    b.r.eflags = Flag.IF | 2;
    assertEquals(deliver(b.cpu, Vector.GP, 0x1234, "exception"), true);
    assertEquals([b.r.ip, b.r.eflags & Flag.IF], [HANDLER, kept]);
    assertEquals(b.stack(4), [0x1234, 0x1000, Sel.CODE0, Flag.IF | Flag.RF | 2]);
  }
});

Deno.test("deliver: a 16-bit gate pushes words and ignores the upper half of its offset", () => {
  const b = new ProtectedBoard();
  b.gate(0x20, gate(INTERRUPT16, Sel.CODE0, 0xdead_1234));
  deliver(b.cpu, 0x20, -1, "hardware");
  assertEquals([b.r.ip, b.r.get32(R.SP)], [0x1234, 0x7ffa]);
});

Deno.test("deliver: from level 3 the TSS's stack is used, and a page fault sets CR2", () => {
  const b = new ProtectedBoard();
  b.enterUser();
  b.gate(Vector.PF, gate(INTERRUPT32, Sel.CODE0, HANDLER));
  assertEquals(deliver(b.cpu, Vector.PF, 6, "exception", 0xdead_b000), true);
  assertEquals([b.r.cpl, b.r.selector(Seg.CS), b.r.selector(Seg.SS)], [0, Sel.CODE0, Sel.DATA0]);
  assertEquals([b.r.get32(R.SP), b.r.u32(S.CR2)], [0x7000 - 24, 0xdead_b000]);
  assertEquals(b.stack(6), [6, 0x1000, Sel.CODE3 | 3, Flag.RF | 2, 0x6000, Sel.DATA3 | 3]);
});

Deno.test("deliver: from virtual-8086 mode the data segments are pushed and become null", () => {
  const b = new ProtectedBoard();
  b.r.eflags = Flag.VM | Flag.IF | 2;
  b.r.setI32(S.CPL, 3);
  [0x1111, 0x2222, 0x3333, 0x4444, 0x5555, 0x6666].forEach((selector, s) =>
    b.r.setSegment(s, selector, selector * 16, 0xffff, 0xf3)
  );
  b.cpu.modeChanged();
  b.gate(0x20, gate(INTERRUPT32, Sel.CODE0, HANDLER));
  assertEquals(deliver(b.cpu, 0x20, -1, "hardware"), true);
  assertEquals(b.stack(9), [
    ...[0x1000, 0x2222, Flag.VM | Flag.IF | 2, 0x8000, 0x3333, 0x1111, 0x4444, 0x5555, 0x6666],
  ]);
  assertEquals([Seg.ES, Seg.DS, Seg.FS, Seg.GS].map((s) => b.r.segmentValid(s)), [false, false, false, false]);
  assertEquals(b.r.eflags & Flag.VM, 0);
});

Deno.test("softwareInterrupt: a gate that is out of reach, absent or wrong names itself in the error code", () => {
  const b = new ProtectedBoard();
  const raise = (access: number, selector: number = Sel.CODE0) => {
    b.gate(0x40, gate(access, selector, HANDLER));
    return faultOf(() => softwareInterrupt(b.cpu, 0x40, 0x1002));
  };
  b.enterUser();
  assertEquals(raise(INTERRUPT32), { vector: Vector.GP, code: 0x202 });
  assertEquals(raise(0x6e), { vector: Vector.NP, code: 0x202 });
  assertEquals(raise(0xe9), { vector: Vector.GP, code: 0x202 });
  assertEquals(raise(INTERRUPT32 | DPL3, 0), { vector: Vector.GP, code: 0 });
  assertEquals(raise(INTERRUPT32 | DPL3, Sel.DATA0), { vector: Vector.GP, code: Sel.DATA0 });
  assertEquals([b.r.ip, b.r.get32(R.SP)], [0x1000, 0x6000], "a fault leaves the instruction where it was");
  assertEquals(raise(INTERRUPT32 | DPL3), null);
  assertEquals(b.stack(2), [0x1002, Sel.CODE3 | 3]);
});

Deno.test("softwareInterrupt: a bad inner stack is a #TS with the stack's selector", () => {
  const b = new ProtectedBoard();
  b.enterUser();
  b.gate(0x40, gate(INTERRUPT32 | DPL3, Sel.CODE0, HANDLER));
  b.write32(At.TSS + 8, Sel.DATA3);
  assertEquals(faultOf(() => softwareInterrupt(b.cpu, 0x40, 0)), { vector: Vector.TS, code: Sel.DATA3 });
  b.write32(At.TSS + 8, Sel.FREE);
  b.descriptor(Sel.FREE, segment(0x13));
  assertEquals(faultOf(() => softwareInterrupt(b.cpu, 0x40, 0)), { vector: Vector.SS, code: Sel.FREE });
  b.r.setSegment(Seg.TR, Sel.TSS, At.TSS, 8, 0x8b);
  assertEquals(faultOf(() => softwareInterrupt(b.cpu, 0x40, 0)), { vector: Vector.TS, code: Sel.TSS });
});

Deno.test("deliver: an absent handler of an interrupt becomes #NP with EXT and IDT bits", () => {
  const b = new ProtectedBoard();
  b.gate(0x20, gate(0x0e, Sel.CODE0, 0));
  b.gate(Vector.NP, gate(INTERRUPT32, Sel.CODE0, HANDLER));
  assertEquals(deliver(b.cpu, 0x20, -1, "hardware"), true);
  assertEquals(b.stack(2), [0x20 * 8 + 3, 0x1000]);
});

Deno.test("deliver: two contributory faults make a double fault, a third stops the processor", () => {
  const b = new ProtectedBoard();
  b.gate(Vector.DF, gate(INTERRUPT32, Sel.CODE0, HANDLER));
  // The gate of #GP is absent: #GP, then #NP.
  b.gate(Vector.GP, gate(0x0e, Sel.CODE0, 0));
  b.gate(Vector.NP, gate(0x0e, Sel.CODE0, 0));
  assertEquals(deliver(b.cpu, Vector.GP, 0, "exception"), true);
  assertEquals([b.r.ip, ...b.stack(2)], [HANDLER, 0, 0x1000]);
  b.gate(Vector.DF, gate(0x0e, Sel.CODE0, 0));
  assertEquals(deliver(b.cpu, Vector.GP, 0, "exception"), false);
});

Deno.test("deliver: a page fault after a contributory fault is delivered as it is", () => {
  const b = new ProtectedBoard();
  b.gate(Vector.PF, gate(INTERRUPT32, Sel.CODE0, HANDLER));
  b.gate(Vector.GP, gate(INTERRUPT32 | DPL3, Sel.FREE, HANDLER));
  b.gate(Vector.DF, gate(INTERRUPT32, Sel.CODE0, 1));
  // Paging on, with everything mapped but the page of the LDT, which holds the handler's segment.
  for (let i = 0; i < 1024; i++) b.write32(At.PAGES + 0x1000 + i * 4, i === 0x300 ? 0 : i * 4096 + 7);
  b.write32(At.PAGES, At.PAGES + 0x1007);
  b.r.setSegment(Seg.LDTR, Sel.LDT, 0x30_0000, 0x7f, 0x82);
  b.gate(Vector.GP, gate(INTERRUPT32, 0x0c, HANDLER));
  b.r.setNumber(S.CR3, At.PAGES);
  b.r.setNumber(S.CR0, (CR0.PE | CR0.PG) >>> 0);
  assertEquals(deliver(b.cpu, Vector.GP, 0x18, "exception"), true);
  assertEquals([b.r.ip, b.r.u32(S.CR2)], [HANDLER, 0x30_0008]);
});

Deno.test("deliver: a task gate nests, and the error code goes onto the new task's stack", () => {
  const b = new ProtectedBoard();
  b.gate(Vector.GP, gate(TASK, Sel.OTHER_TSS, 0));
  b.write32(At.OTHER_TSS + 0x20, HANDLER);
  b.write32(At.OTHER_TSS + 0x38, 0x5000);
  [[0x48, Sel.DATA0], [0x4c, Sel.CODE0], [0x50, Sel.DATA0]].forEach(([at, s]) => b.write32(At.OTHER_TSS + at, s));
  assertEquals(deliver(b.cpu, Vector.GP, 0x77, "exception"), true);
  assertEquals([b.r.ip, b.r.get32(R.SP), ...b.stack(1)], [HANDLER, 0x4ffc, 0x77]);
  assertEquals([b.r.selector(Seg.TR), b.read32(At.OTHER_TSS) & 0xffff], [Sel.OTHER_TSS, Sel.TSS]);
  assertEquals(b.r.eflags & Flag.NT, Flag.NT);
});

Deno.test("INT n in virtual-8086 mode needs IOPL 3 unless VME's map redirects it", () => {
  const b = new ProtectedBoard();
  b.r.setI32(S.CPL, 3);
  b.r.setSegment(Seg.SS, 0x500, 0x5000, 0xffff, 0xf3);
  b.r.setSegment(Seg.CS, 0x100, 0x1000, 0xffff, 0xf3);
  b.r.set32(R.SP, 0x100);
  b.r.eflags = Flag.VM | Flag.VIF | 2;
  b.cpu.modeChanged();
  b.gate(0x21, gate(INTERRUPT32 | DPL3, Sel.CODE0, HANDLER));
  assertEquals(faultOf(() => softwareInterrupt(b.cpu, 0x21, 2)), { vector: Vector.GP, code: 0 });
  b.r.setNumber(S.CR4, 1);
  b.write32(At.TSS + 0x64, 0x68 + 32 << 16);
  b.write32(0x21 * 4, 0x0300_0042);
  assertEquals(
    faultOf(() => softwareInterrupt(b.cpu, 0x21, 2)),
    { vector: Vector.GP, code: 0 },
    "map beyond the limit",
  );
  b.r.setSegment(Seg.TR, Sel.TSS, At.TSS, 0x100, 0x8b);
  softwareInterrupt(b.cpu, 0x21, 2);
  assertEquals([b.r.selector(Seg.CS), b.r.ip, b.r.get32(R.SP)], [0x300, 0x42, 0xfa]);
  // The program sees VIF as IF, and IOPL 3.
  assertEquals(b.read32(0x50fc) >>> 16, Flag.IF | Flag.IOPL | 2);
  assertEquals(b.r.eflags & (Flag.VIF | Flag.VM), Flag.VM);
});
