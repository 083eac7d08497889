import { assert, assertEquals } from "@std/assert";
import { saveRegisters } from "../saved_state.ts";
import { Flag, R, S, Seg, Vector } from "../state.ts";
import { deliver, softwareInterrupt } from "../system/interrupts.ts";
import { At, gate, longBoard, ProtectedBoard, segment, Sel } from "../system/test_tables.ts";
import { interruptReturn } from "../system/transfer.ts";
import { systemKernelModule } from "./mod.ts";

const INTERRUPT = 0x8e, TRAP = 0x8f, DPL3 = 0x60, NOT_PRESENT = 0x80;
const HANDLER = 0x12_3456;
const STACK = 0x7000, TABLE_PAGES = [At.GDT, At.IDT, At.TSS];

type Kernel = (...args: (number | bigint)[]) => number;

/** Enters a handler if that is usual. */
function enter(b: ProtectedBoard, vector: number, code: number, fault = true): boolean {
  return b.cpu.enterHandler(vector, code, fault && vector !== Vector.DF ? Flag.RF : 0, false);
}

/** Executes IRET with operands as wide as the code, if that is usual. */
function leave(b: ProtectedBoard): boolean {
  const env = { memory: b.board.memory.memory }, { r } = b, wide = r.longMode;
  const kernels = new WebAssembly.Instance(systemKernelModule(), { env }).exports;
  if ((kernels.return_from_handler as Kernel)(r.u64(S.GPR + R.SP * 8), 100) === 0) return false;
  if (wide) r.set64(R.SP, r.u64(S.SCRATCH));
  else r.set32(R.SP, r.i32(S.SCRATCH));
  r.setArithmeticFlags(r.i32(S.SCRATCH + 8));
  return true;
}

/** Lets the TLB know tables and stacks. */
function know(b: ProtectedBoard): void {
  for (const page of TABLE_PAGES) b.cpu.probe(page, 1, false, false);
  for (const page of [STACK - 0x1000, STACK, STACK + 0x1000]) b.cpu.probe(page, 1, true, false);
}

/** All registers, and the memory that tables and stacks lie in. */
function stateOf(b: ProtectedBoard): unknown {
  return [saveRegisters(b.r), b.r.i32(S.MODE) & 0xff, b.r.i32(S.TLB), b.board.memory.bytes.slice(0x2000, 0x9000)];
}

/** Does the same with a TLB that knows the tables, so that the usual way is open, and with an empty one: equal results. */
function sameBothWays(make: () => ProtectedBoard, act: (b: ProtectedBoard) => void, name: string): ProtectedBoard {
  const usual = make(), general = make();
  know(usual);
  general.cpu.flushTlb();
  act(usual);
  act(general);
  assertEquals(stateOf(usual), stateOf(general), name);
  return usual;
}

function board32(user: boolean, flags: number): ProtectedBoard {
  const b = new ProtectedBoard();
  if (user) b.enterUser();
  b.r.set32(R.SP, user ? 0x6000 : 0x7800);
  b.r.eflags = flags | 2;
  return b;
}

function board64(user: boolean, flags: number): ProtectedBoard {
  const b = longBoard();
  if (user) {
    b.r.setSegment(Seg.CS, Sel.CODE3 | 3, 0, 0xffff_ffff, 0xa0fb);
    b.r.setSegment(Seg.SS, Sel.DATA3 | 3, 0, 0xffff_ffff, 0xc0f3);
    b.r.setI32(S.CPL, 3);
    b.cpu.modeChanged();
  }
  b.r.set64(R.SP, user ? 0x1234_5678_9abcn : 0x7805n);
  b.r.set64(R.AX, 0x1122_3344_5566_7788n);
  b.r.setNumber(S.RIP, -0x7fff_ff00);
  b.r.eflags = flags | 2;
  return b;
}

/** Puts a gate for a vector in the table of the board's mode. */
function putGate(b: ProtectedBoard, vector: number, type: number, ist = 0): void {
  if (!b.r.longMode) return b.gate(vector, gate(type, Sel.CODE0, HANDLER));
  [...gate(type, Sel.CODE0, HANDLER, ist), 0xffff_8000, 0].forEach((word, i) =>
    b.write32(At.IDT + vector * 16 + i * 4, word)
  );
}

const FLAGS = [0, Flag.IF | Flag.CF | Flag.ZF, Flag.IF | Flag.NT | Flag.TF | Flag.OF, Flag.RF | Flag.DF | Flag.IOPL];

for (const make of [board32, board64]) {
  const bits = make === board32 ? 32 : 64;

  Deno.test(`enter_handler: ${bits}-bit handlers are entered as by the general way`, () => {
    const types = [INTERRUPT, TRAP, INTERRUPT | DPL3], kinds = ["exception", "hardware"] as const;
    const events = [[Vector.PF, 6], [Vector.GP, 0x1234], [Vector.DE, -1], [Vector.DF, 0], [0x1f, -1]];
    let n = 0;
    for (const user of [false, true]) {
      for (const flags of FLAGS) {
        for (const [vector, code] of events) {
          const type = types[n % types.length], kind = kinds[n++ % kinds.length];
          const prepare = () => {
            const b = make(user, flags);
            putGate(b, vector, type);
            return b;
          };
          const name = `${user ? "user" : "kernel"}, flags ${flags.toString(16)}, gate ${type}, ${kind} ${vector}`;
          sameBothWays(prepare, (b) => deliver(b.cpu, vector, code, kind, 0xdead_b000), name);
          const b = prepare();
          know(b);
          assert(enter(b, vector, code, kind === "exception"), name);
        }
      }
    }
  });

  Deno.test(`enter_handler: INT n enters ${bits}-bit handlers as by the general way`, () => {
    const prepare = () => {
      const b = make(true, Flag.IF);
      putGate(b, 9, TRAP | DPL3);
      return b;
    };
    const b = sameBothWays(prepare, (b) => softwareInterrupt(b.cpu, 9, 0x1002), "INT");
    assertEquals([b.r.cpl, b.r.ip & 0xff_ffff], [0, HANDLER]);
  });

  Deno.test(`return_from_handler: IRET in ${bits}-bit code does what the general way does`, () => {
    for (const user of [false, true]) {
      for (const flags of [...FLAGS, Flag.IF | Flag.RF, Flag.AC, Flag.ID | Flag.VIF]) {
        const level = user ? 3 : 0;
        const frame = [
          0x0040_1234,
          (user ? Sel.CODE3 : Sel.CODE0) | level,
          flags | 2,
          0x5_6789,
          (user ? Sel.DATA3 : Sel.DATA0) | level,
        ];
        const prepare = () => {
          const b = make(false, Flag.CF);
          b.r.setI32(S.NMI_BLOCKED, 1);
          // What level 3 must not reach is dropped by the general way.
          for (const s of [Seg.ES, Seg.DS]) b.r.setSegment(s, Sel.DATA3 | 3, 0, 0xffff_ffff, 0xc0f3);
          for (const s of [Seg.FS, Seg.GS]) b.r.setSegment(s, 0, 0, 0, 0, false);
          b.cpu.modeChanged();
          b.r.setNumber(S.GPR + R.SP * 8, STACK + 0x100);
          const wide = b.r.longMode;
          frame.forEach((word, i) => b.write32(STACK + 0x100 + i * (wide ? 8 : 4), word));
          return b;
        };
        const name = `to level ${level}, flags ${flags.toString(16)}`;
        sameBothWays(prepare, (b) => leave(b) || interruptReturn(b.cpu, bits, 0x1001), name);
        // There is no code where RF could go at once.
        const b = prepare(), unusual = Flag.TF | Flag.NT | Flag.AC | Flag.VIF | Flag.RF;
        know(b);
        assertEquals(leave(b), (flags & unusual) === 0, name);
      }
    }
  });
}

Deno.test("enter_handler: interrupt stacks of 64-bit gates", () => {
  const prepare = () => {
    const b = board64(false, 0);
    putGate(b, Vector.DF, INTERRUPT, 3);
    b.write32(At.TSS + 36 + 2 * 8, STACK + 0x205);
    return b;
  };
  const b = sameBothWays(prepare, (b) => deliver(b.cpu, Vector.DF, 0, "exception"), "IST 3");
  assertEquals(b.r.number(S.GPR + R.SP * 8), STACK + 0x200 - 48);
});

Deno.test("enter_handler: leaves everything else alone", () => {
  const cases: [name: string, change: (b: ProtectedBoard) => void][] = [
    ["a gate that is not present", (b) => b.gate(Vector.PF, gate(INTERRUPT & ~NOT_PRESENT, Sel.CODE0, HANDLER))],
    ["a task gate", (b) => b.gate(Vector.PF, gate(0x85, Sel.OTHER_TSS, 0))],
    ["a 16-bit gate", (b) => b.gate(Vector.PF, gate(0x86, Sel.CODE0, HANDLER))],
    ["a null selector", (b) => b.gate(Vector.PF, gate(INTERRUPT, 0, HANDLER))],
    ["a selector of the LDT", (b) => b.gate(Vector.PF, gate(INTERRUPT, Sel.CODE0 | 4, HANDLER))],
    ["a gate beyond the limit", (b) => b.r.setI32(S.IDTR_LIMIT, Vector.PF * 8 + 6)],
    ["a code segment beyond the limit", (b) => b.r.setI32(S.GDTR_LIMIT, Sel.CODE0 + 6)],
    ["a code segment with a base", (b) => b.descriptor(Sel.CODE0, segment(0x9b, { base: 0x1000 }))],
    ["a code segment with a limit", (b) => b.descriptor(Sel.CODE0, segment(0x9b, { limit: 0xf_fffe }))],
    ["a code segment that has not been accessed", (b) => b.descriptor(Sel.CODE0, segment(0x9a))],
    ["a conforming code segment", (b) => b.descriptor(Sel.CODE0, segment(0x9f))],
    ["a code segment that is not present", (b) => b.descriptor(Sel.CODE0, segment(0x1b))],
    ["a code segment of level 1", (b) => b.descriptor(Sel.CODE0, segment(0xbb))],
    ["a 16-bit code segment", (b) => b.descriptor(Sel.CODE0, segment(0x9b, { flags: 8 }))],
    ["data in place of code", (b) => b.descriptor(Sel.CODE0, segment(0x93))],
    ["a null stack", (b) => b.write32(At.TSS + 8, 0)],
    ["a stack of level 3", (b) => b.write32(At.TSS + 8, Sel.DATA3 | 3)],
    ["a stack that cannot be written", (b) => b.descriptor(Sel.DATA0, segment(0x91))],
    ["a stack that expands down", (b) => b.descriptor(Sel.DATA0, segment(0x97))],
    ["a stack that is not present", (b) => b.descriptor(Sel.DATA0, segment(0x13))],
    ["a 16-bit stack", (b) => b.descriptor(Sel.DATA0, segment(0x93, { flags: 8 }))],
    ["a stack across pages", (b) => b.write32(At.TSS + 4, STACK + 8)],
    ["a stack around 0", (b) => b.write32(At.TSS + 4, 8)],
    ["a stack that is not known", (b) => b.write32(At.TSS + 4, 0xf000)],
    ["a TSS that is too short", (b) => b.r.setSegment(Seg.TR, Sel.TSS, At.TSS, 8, 0x8b)],
    ["a 16-bit TSS", (b) => b.r.setSegment(Seg.TR, Sel.TSS, At.TSS, 0x67, 0x83)],
    ["EFLAGS.AC", (b) => b.r.eflags = Flag.AC | 2],
    ["real mode", (b) => b.r.setNumber(S.CR0, 0x10)],
    ["a data segment with a limit", (b) => b.r.setSegment(Seg.DS, Sel.DATA3 | 3, 0, 0xffff, 0xc0f3)],
    ["a TLB that knows nothing", (b) => b.cpu.flushTlb()],
  ];
  for (const [name, change] of cases) {
    const prepare = () => {
      const b = board32(true, 0);
      b.gate(Vector.PF, gate(INTERRUPT, Sel.CODE0, HANDLER));
      // What a double fault finds.
      b.gate(Vector.DF, gate(TRAP, Sel.CODE3, 0x100));
      return b;
    };
    const b = prepare();
    know(b);
    change(b);
    b.cpu.modeChanged();
    const before = stateOf(b);
    assertEquals(enter(b, Vector.PF, 6), false, name);
    assertEquals(stateOf(b), before, name);
  }
});

Deno.test("return_from_handler: leaves everything else alone", () => {
  const at = STACK + 0x100;
  const cases: [name: string, change: (b: ProtectedBoard) => void][] = [
    ["level 1", (b) => b.write32(at + 4, Sel.CODE3 | 1)],
    ["a code segment of another level", (b) => b.write32(at + 4, Sel.CODE0 | 3)],
    ["a stack segment of another level", (b) => b.write32(at + 16, Sel.DATA0 | 3)],
    ["a selector of another level", (b) => b.write32(at + 16, Sel.DATA3)],
    ["a null stack", (b) => b.write32(at + 16, 0)],
    ["virtual-8086 mode", (b) => b.write32(at + 8, Flag.VM | 2)],
    ["a frame across pages", (b) => b.r.set32(R.SP, STACK + 0xff4)],
    ["a data segment to drop", (b) => b.r.setSegment(Seg.FS, Sel.DATA0, 0, 0xffff_ffff, 0xc093)],
    ["a null selector that becomes 0", (b) => b.r.setSegment(Seg.FS, 3, 0, 0, 0, false)],
    ["level 3 itself", (b) => b.r.setI32(S.CPL, 3)],
    ["another task", (b) => b.r.eflags = Flag.NT | 2],
  ];
  for (const [name, change] of cases) {
    const b = board32(false, 0);
    for (const s of [Seg.ES, Seg.DS, Seg.FS, Seg.GS]) b.r.setSegment(s, Sel.DATA3 | 3, 0, 0xffff_ffff, 0xc0f3);
    [0x1234, Sel.CODE3 | 3, 2, 0x6000, Sel.DATA3 | 3].forEach((word, i) => b.write32(at + i * 4, word));
    b.r.set32(R.SP, at);
    know(b);
    change(b);
    b.cpu.modeChanged();
    const before = stateOf(b);
    assertEquals(leave(b), false, name);
    assertEquals(stateOf(b), before, name);
  }
});
