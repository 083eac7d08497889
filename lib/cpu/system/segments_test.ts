import { assertEquals } from "@std/assert";
import { CR0, Flag, S, Seg, Vector } from "../state.ts";
import { loadLdt, loadSegment, loadTaskRegister, verifySegment } from "./segments.ts";
import { loadAccessRights, loadSegmentLimit } from "./segments.ts";
import { At, faultOf, ProtectedBoard, segment, Sel } from "./test_tables.ts";

Deno.test("loadSegment: real mode multiplies by 16 and keeps the limit", () => {
  const b = new ProtectedBoard();
  b.r.setNumber(S.CR0, CR0.ET);
  loadSegment(b.cpu, Seg.DS, 0x1234);
  assertEquals([b.r.segmentBase(Seg.DS), b.r.segmentLimit(Seg.DS)], [0x12340, 0xffff_ffff]);
  b.r.setI32(S.EFLAGS, Flag.VM | 2);
  b.r.setNumber(S.CR0, CR0.PE);
  loadSegment(b.cpu, Seg.DS, 0xffff);
  assertEquals([b.r.segmentBase(Seg.DS), b.r.segmentLimit(Seg.DS)], [0xffff0, 0xffff]);
});

Deno.test("loadSegment: a descriptor is loaded and marked accessed", () => {
  const b = new ProtectedBoard();
  b.descriptor(Sel.FREE, segment(0x92, { base: 0x1234_5678, limit: 0x12, flags: 0xc }));
  loadSegment(b.cpu, Seg.ES, Sel.FREE);
  assertEquals([b.r.segmentBase(Seg.ES), b.r.segmentLimit(Seg.ES)], [0x1234_5678, 0x12fff]);
  assertEquals(b.read32(At.GDT + Sel.FREE + 4) >>> 8 & 0xff, 0x93);
});

Deno.test("loadSegment: data segments, their faults and error codes", () => {
  const cases: [number, number, number, { vector: number; code: number } | null][] = [
    // access byte, selector's RPL, CPL
    [0x93, 0, 0, null],
    [0x13, 0, 0, { vector: Vector.NP, code: Sel.FREE }],
    [0x99, 0, 0, { vector: Vector.GP, code: Sel.FREE }],
    [0x9b, 0, 0, null],
    [0x82, 0, 0, { vector: Vector.GP, code: Sel.FREE }],
    [0x93, 3, 0, { vector: Vector.GP, code: Sel.FREE }],
    [0x93, 3, 3, { vector: Vector.GP, code: Sel.FREE }],
    [0xf3, 3, 3, null],
    // A conforming code segment is readable from everywhere.
    [0x9f, 3, 3, null],
  ];
  for (const [access, rpl, cpl, expected] of cases) {
    const b = new ProtectedBoard();
    b.descriptor(Sel.FREE, segment(access));
    b.r.setI32(S.CPL, cpl);
    assertEquals(faultOf(() => loadSegment(b.cpu, Seg.DS, Sel.FREE | rpl)), expected, access.toString(16));
  }
});

Deno.test("loadSegment: null selectors are welcome in DS and refused in SS", () => {
  const b = new ProtectedBoard();
  loadSegment(b.cpu, Seg.DS, 3);
  assertEquals([b.r.selector(Seg.DS), b.r.segmentValid(Seg.DS)], [3, false]);
  assertEquals(faultOf(() => loadSegment(b.cpu, Seg.SS, 0)), { vector: Vector.GP, code: 0 });
});

Deno.test("loadSegment: SS must be writable, of this very level, and present", () => {
  const b = new ProtectedBoard();
  const load = (access: number, rpl = 0) => {
    b.descriptor(Sel.FREE, segment(access));
    return faultOf(() => loadSegment(b.cpu, Seg.SS, Sel.FREE | rpl));
  };
  assertEquals(load(0x91), { vector: Vector.GP, code: Sel.FREE });
  assertEquals(load(0x93, 3), { vector: Vector.GP, code: Sel.FREE });
  assertEquals(load(0xf3), { vector: Vector.GP, code: Sel.FREE });
  assertEquals(load(0x13), { vector: Vector.SS, code: Sel.FREE });
  assertEquals(load(0x93), null);
});

Deno.test("loadSegment: selectors beyond the GDT or LDT fault with their TI bit", () => {
  const b = new ProtectedBoard();
  assertEquals(faultOf(() => loadSegment(b.cpu, Seg.FS, 0x803)), { vector: Vector.GP, code: 0x800 });
  assertEquals(faultOf(() => loadSegment(b.cpu, Seg.FS, 0x84)), { vector: Vector.GP, code: 0x84 });
  b.descriptor(0x0c, segment(0xf3, { base: 0x5000 }));
  loadSegment(b.cpu, Seg.FS, 0x0f);
  assertEquals(b.r.segmentBase(Seg.FS), 0x5000);
  loadLdt(b.cpu, 0);
  assertEquals(faultOf(() => loadSegment(b.cpu, Seg.FS, 0x0f)), { vector: Vector.GP, code: 0x0c });
});

Deno.test("loadTaskRegister: marks the TSS busy and refuses a busy one", () => {
  const b = new ProtectedBoard();
  loadTaskRegister(b.cpu, Sel.OTHER_TSS);
  assertEquals(b.read32(At.GDT + Sel.OTHER_TSS + 4) >>> 8 & 0xff, 0x8b);
  assertEquals(faultOf(() => loadTaskRegister(b.cpu, Sel.OTHER_TSS)), { vector: Vector.GP, code: Sel.OTHER_TSS });
  assertEquals(faultOf(() => loadTaskRegister(b.cpu, 0)), { vector: Vector.GP, code: 0 });
  b.r.setI32(S.CPL, 3);
  assertEquals(faultOf(() => loadTaskRegister(b.cpu, Sel.OTHER_TSS)), { vector: Vector.GP, code: 0 });
});

Deno.test("LAR, LSL, VERR and VERW look at visible descriptors only", () => {
  const b = new ProtectedBoard();
  assertEquals(loadAccessRights(b.cpu, Sel.DATA0), true);
  assertEquals(b.r.u32(S.SCRATCH), 0x00c0_9300);
  assertEquals(loadSegmentLimit(b.cpu, Sel.TSS), true);
  assertEquals(b.r.u32(S.SCRATCH), 0x67);
  assertEquals([verifySegment(b.cpu, Sel.CODE0, false), verifySegment(b.cpu, Sel.CODE0, true)], [true, false]);
  assertEquals([verifySegment(b.cpu, Sel.DATA0, true), verifySegment(b.cpu, Sel.TSS, false)], [true, false]);
  b.enterUser();
  assertEquals([loadAccessRights(b.cpu, Sel.DATA0), loadAccessRights(b.cpu, Sel.DATA3)], [false, true]);
  assertEquals([loadSegmentLimit(b.cpu, 0), loadSegmentLimit(b.cpu, 0x7ff8 | 3)], [false, false]);
  b.r.setNumber(S.CR0, 0);
  assertEquals(faultOf(() => loadAccessRights(b.cpu, 0)), { vector: Vector.UD, code: -1 });
});
