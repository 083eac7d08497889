import { assertEquals } from "@std/assert";
import { CR0, CR4, Flag, R, S, Seg, Shadow, Vector } from "../state.ts";
import { TIERS } from "../options.ts";
import { testBoard } from "../test_board.ts";
import * as control from "./control.ts";
import { cpuid } from "./cpuid.ts";
import { readDebugRegister, writeDebugRegister } from "./debug.ts";
import { deliver } from "./interrupts.ts";
import { checkPort } from "./io.ts";
import { readMsr, writeMsr } from "./msr.ts";
import { At, faultOf, gate, ProtectedBoard, Sel } from "./test_tables.ts";

const GP0 = { vector: Vector.GP, code: 0 };

/** The board in virtual-8086 mode with these further flags. */
function v86(flags: number): ProtectedBoard {
  const b = new ProtectedBoard();
  b.r.setI32(S.CPL, 3);
  b.r.eflags = Flag.VM | 2 | flags;
  b.cpu.modeChanged();
  return b;
}

Deno.test("MOV CR0: contradictory bits are refused, unknown ones read 0, ET reads 1", () => {
  const b = new ProtectedBoard();
  const write = (value: number) => faultOf(() => control.writeControlRegister(b.cpu, 0, BigInt(value >>> 0)));
  assertEquals(write(CR0.PG), GP0);
  assertEquals(write(CR0.NW | CR0.PE), GP0);
  assertEquals(write(0x1ff8_ffc1), null);
  assertEquals(b.r.u32(S.CR0), CR0.PE | CR0.ET);
});

Deno.test("MOV CR: missing registers are undefined, others are the kernel's", () => {
  const b = new ProtectedBoard();
  assertEquals(faultOf(() => control.readControlRegister(b.cpu, 1)), { vector: Vector.UD, code: -1 });
  assertEquals(faultOf(() => control.writeControlRegister(b.cpu, 4, BigInt(CR4.SMEP))), GP0);
});

Deno.test("MOV from CR0, CR2, CR3 and CR4, and INVLPG: in every tier, for level 0", () => {
  for (const tier of TIERS) {
    for (const cpl of [0, 3]) {
      const { cpu, cpu: { r }, load } = testBoard({ tier });
      // MOV EAX, CR0; MOV EBX, CR2; MOV ECX, CR3; MOV EDX, CR4; INVLPG [EAX]; HLT
      load(0x1000, 0x0f, 0x20, 0xc0, 0x0f, 0x20, 0xd3, 0x0f, 0x20, 0xd9, 0x0f, 0x20, 0xe2, 0x0f, 0x01, 0x38, 0xf4);
      r.setNumber(S.CR2, 0x1234_5678);
      r.setNumber(S.CR3, 0x9000);
      r.setI32(S.CR4, CR4.PSE);
      r.setI32(S.CPL, cpl);
      cpu.modeChanged();
      assertEquals([cpu.run(100), cpu.instructions], cpl === 0 ? ["halted", 6] : ["shutdown", 0], tier);
      const read = [R.AX, R.BX, R.CX, R.DX].map((register) => r.get32(register));
      if (cpl === 0) assertEquals(read, [CR0.PE | CR0.ET, 0x1234_5678, 0x9000, CR4.PSE], tier);
    }
    // INVLPG [EAX] at level 3.
    const { cpu, load } = testBoard({ tier });
    load(0x1000, 0x0f, 0x01, 0x38, 0xf4);
    cpu.r.setI32(S.CPL, 3);
    cpu.modeChanged();
    assertEquals([cpu.run(100), cpu.instructions], ["shutdown", 0], tier);
  }
});

Deno.test("MOV CR0 and CR3: PAE paging checks the PDPTEs", () => {
  const b = new ProtectedBoard();
  b.r.setNumber(S.CR4, CR4.PAE);
  b.write32(At.PAGES, 0x3);
  b.r.setNumber(S.CR3, At.PAGES);
  assertEquals(faultOf(() => control.writeCr0(b.cpu, (CR0.PE | CR0.PG) >>> 0)), GP0);
  b.r.setNumber(S.CR0, (CR0.PE | CR0.PG) >>> 0);
  assertEquals(faultOf(() => control.writeCr3(b.cpu, At.PAGES)), GP0);
  assertEquals(faultOf(() => control.writeCr3(b.cpu, At.PAGES + 0x20)), null);
});

Deno.test("LMSW sets PE and cannot clear it", () => {
  const b = new ProtectedBoard();
  control.loadMachineStatus(b.cpu, 0xfff0);
  assertEquals(b.r.u32(S.CR0), CR0.PE | CR0.ET);
  control.loadMachineStatus(b.cpu, 0xe);
  assertEquals(b.r.u32(S.CR0), CR0.PE | CR0.MP | CR0.EM | CR0.TS | CR0.ET);
});

Deno.test("CLI and STI: IOPL decides, VME and PVI give a virtual flag instead", () => {
  const b = new ProtectedBoard();
  control.setInterrupts(b.cpu);
  assertEquals([b.r.eflags & Flag.IF, b.r.i32(S.SHADOW)], [Flag.IF, Shadow.INTERRUPTS]);
  b.r.setI32(S.SHADOW, Shadow.NONE);
  control.setInterrupts(b.cpu);
  assertEquals(b.r.i32(S.SHADOW), Shadow.NONE, "only the change of IF holds interrupts off");
  b.enterUser();
  assertEquals([faultOf(() => control.clearInterrupts(b.cpu)), faultOf(() => control.setInterrupts(b.cpu))], [
    GP0,
    GP0,
  ]);
  b.r.setNumber(S.CR4, CR4.PVI);
  control.setInterrupts(b.cpu);
  assertEquals(b.r.eflags & Flag.VIF, Flag.VIF);
  const v = v86(Flag.VIP | Flag.IF);
  assertEquals(faultOf(() => control.clearInterrupts(v.cpu)), GP0);
  v.r.setNumber(S.CR4, CR4.VME);
  control.clearInterrupts(v.cpu);
  assertEquals(v.r.eflags & (Flag.IF | Flag.VIF), Flag.IF);
  assertEquals(faultOf(() => control.setInterrupts(v.cpu)), GP0, "an interrupt is pending");
});

Deno.test("POPF: what may change depends on the level", () => {
  const all = 0x3f_7fd5;
  const popped = (cpl: number, iopl: number, size: number) => {
    const b = new ProtectedBoard();
    b.r.setI32(S.CPL, cpl);
    b.r.eflags = iopl << 12 | 2;
    control.popFlags(b.cpu, all, size);
    return b.r.eflags;
  };
  const common = Flag.ARITHMETIC | Flag.TF | Flag.DF | Flag.NT | 2;
  assertEquals(popped(0, 0, 32), common | Flag.IF | Flag.IOPL | Flag.AC | Flag.ID);
  assertEquals(popped(0, 0, 16), common | Flag.IF | Flag.IOPL);
  assertEquals(popped(3, 0, 32), common | Flag.AC | Flag.ID);
  assertEquals(popped(3, 3, 16), common | Flag.IF | Flag.IOPL);
});

Deno.test("PUSHF and POPF in virtual-8086 mode", () => {
  const b = v86(Flag.VIF);
  assertEquals(faultOf(() => control.flagsToPush(b.cpu, 16)), GP0);
  assertEquals(faultOf(() => control.popFlags(b.cpu, 2, 16)), GP0);
  b.r.setNumber(S.CR4, CR4.VME);
  assertEquals(control.flagsToPush(b.cpu, 16) & 0xffff, Flag.IF | Flag.IOPL | 2);
  assertEquals(faultOf(() => control.popFlags(b.cpu, Flag.TF, 16)), GP0);
  control.popFlags(b.cpu, Flag.CF, 16);
  assertEquals(b.r.eflags, Flag.VM | Flag.CF | 2);
  const free = v86(Flag.IOPL);
  control.popFlags(free.cpu, Flag.IF, 16);
  assertEquals(free.r.eflags, Flag.VM | Flag.IOPL | Flag.IF | 2);
});

Deno.test("debug registers: aliases, reserved bits and general detect", () => {
  const b = new ProtectedBoard();
  writeDebugRegister(b.cpu, 7, 0xffff_dbffn);
  writeDebugRegister(b.cpu, 6, 0n);
  assertEquals([readDebugRegister(b.cpu, 5), readDebugRegister(b.cpu, 4)], [0xffff_07ffn, 0xffff_0ff0n]);
  b.r.setNumber(S.CR4, CR4.DE);
  assertEquals(faultOf(() => readDebugRegister(b.cpu, 4)), { vector: Vector.UD, code: -1 });
  writeDebugRegister(b.cpu, 7, 0x2000n);
  assertEquals(faultOf(() => readDebugRegister(b.cpu, 0)), { vector: Vector.DB, code: -1 });
  assertEquals(b.r.u32(S.DR + 48), 0xffff_2ff0);
  b.enterUser();
  assertEquals(faultOf(() => writeDebugRegister(b.cpu, 0, 0n)), GP0);
});

Deno.test("debug registers: upper halves stay clear, and breakpoints of an earlier exception are forgotten", () => {
  const b = new ProtectedBoard();
  writeDebugRegister(b.cpu, 6, 0x4002n);
  writeDebugRegister(b.cpu, 7, 0xf000_2000n);
  assertEquals(faultOf(() => readDebugRegister(b.cpu, 6)), { vector: Vector.DB, code: -1 });
  b.gate(Vector.DB, gate(0x8e, Sel.CODE0, 0x9000));
  deliver(b.cpu, Vector.DB, -1, "exception");
  assertEquals([readDebugRegister(b.cpu, 6), readDebugRegister(b.cpu, 7)], [0xffff_6ff0n, 0xf000_0400n]);
});

Deno.test("single-stepping: one trap after each instruction, none between MOV SS and the next", () => {
  const b = new ProtectedBoard();
  // mov eax,ss; mov ss,eax; nop; int 40h      handler of #DB: push [esp]; pop [edi]; add edi,4; iret
  b.board.load(0x1000, 0x8c, 0xd0, 0x8e, 0xd0, 0x90, 0xcd, 0x40);
  b.board.load(0x9000, 0xff, 0x34, 0x24, 0x8f, 0x07, 0x83, 0xc7, 4, 0xcf);
  b.board.load(0x9100, 0xf4);
  b.gate(Vector.DB, gate(0x8e, Sel.CODE0, 0x9000));
  b.gate(0x40, gate(0x8e, Sel.CODE0, 0x9100));
  b.r.set32(R.DI, 0x2_0000);
  b.r.eflags = Flag.TF | 2;
  assertEquals(b.cpu.run(100), "halted");
  assertEquals([b.r.get32(R.DI), b.read32(0x2_0000), b.read32(0x2_0004)], [0x2_0008, 0x1002, 0x1005]);
  assertEquals([b.stack(3)[2] & Flag.TF, b.r.eflags & Flag.TF], [Flag.TF, 0]);
});

Deno.test("ports: the permission map covers every byte of an access", () => {
  const b = new ProtectedBoard();
  b.enterUser();
  b.r.setSegment(Seg.TR, Sel.TSS, At.TSS, 0x88 + 0x10, 0x8b);
  b.write32(At.TSS + 0x64, 0x88 << 16);
  b.write32(At.TSS + 0x88, 0x0000_0100);
  assertEquals(faultOf(() => checkPort(b.cpu, 7, 1)), null);
  assertEquals(faultOf(() => checkPort(b.cpu, 7, 2)), GP0);
  assertEquals(faultOf(() => checkPort(b.cpu, 5, 4)), GP0);
  assertEquals(faultOf(() => checkPort(b.cpu, 9, 4)), null);
  assertEquals(faultOf(() => checkPort(b.cpu, 0x1000, 1)), GP0);
  b.r.eflags = Flag.IOPL | 2;
  assertEquals(faultOf(() => checkPort(b.cpu, 7, 2)), null);
});

Deno.test("CPUID: vendor, features that match CR4, brand", () => {
  const b = new ProtectedBoard();
  const leaf = (number: number) => {
    b.r.set32(R.AX, number);
    cpuid(b.cpu);
    return [R.AX, R.BX, R.CX, R.DX].map((n) => b.r.get32(n));
  };
  const text = (words: number[]) => new TextDecoder().decode(new Uint8Array(new Uint32Array(words).buffer));
  const [, ebx, ecx, edx] = leaf(0);
  assertEquals(text([ebx, edx, ecx]), "GenuineIntel");
  assertEquals(leaf(1)[3] & (1 << 9), 0, "there is no APIC");
  assertEquals(leaf(0x8000_0001)[3], (1 << 11) | (1 << 20) | (1 << 29), "SYSCALL, execute-disable and long mode");
  const brand = text([0x8000_0002, 0x8000_0003, 0x8000_0004].flatMap(leaf));
  assertEquals(brand.replaceAll("\0", ""), "Bootwright x86-64-v2 processor");
});

Deno.test("MSRs: values come back, missing ones and reserved bits fault", () => {
  const b = new ProtectedBoard();
  const write = (number: number, value: bigint) =>
    faultOf(() => {
      b.r.set32(R.CX, number);
      b.r.set32(R.AX, Number(value & 0xffff_ffffn));
      b.r.set32(R.DX, Number(value >> 32n & 0xffff_ffffn));
      writeMsr(b.cpu);
    });
  const read = (number: number) => {
    b.r.set32(R.CX, number);
    readMsr(b.cpu);
    return BigInt(b.r.get32(R.DX)) << 32n | BigInt(b.r.get32(R.AX));
  };
  assertEquals([write(0x176, 0xc010_0000n), read(0x176)], [null, 0xc010_0000n]);
  assertEquals([write(0x200, 0x6n), write(0x201, 0xf_c000_0800n), read(0x201)], [null, null, 0xf_c000_0800n]);
  assertEquals(read(0xfe), 0x508n);
  assertEquals([write(0x277, 0x0007_0406_0007_0402n), write(0x201, 1n << 36n), write(0xfe, 0n)], [GP0, GP0, GP0]);
  assertEquals([write(0xc000_0080, 0x901n), write(0xc000_0080, 0x2n), read(0xc000_0080)], [null, GP0, 0x901n]);
  assertEquals([write(0xc000_0082, 0x8000_0000_0000n), write(0xc000_0081, 0x23_0010n << 32n)], [GP0, null]);
  assertEquals(faultOf(() => read(0x12345)), GP0);
  assertEquals([write(0x10, 1_000_000n), read(0x10)], [null, 1_000_000n]);
  assertEquals([write(0x48, 0x401n), read(0x48), write(0x48, 2n)], [null, 0x401n, GP0]);
  assertEquals([write(0x49, 1n), write(0x49, 2n), faultOf(() => read(0x49))], [null, GP0, GP0]);
  assertEquals([read(0x10a) & 0x33n, write(0x10a, 0n)], [0x33n, GP0]);
  b.enterUser();
  assertEquals(faultOf(() => read(0x10)), GP0);
});

Deno.test("RDTSC: counts cycles from its offset; CR4.TSD keeps it for the kernel", () => {
  const b = new ProtectedBoard();
  b.r.setNumber(S.CR4, CR4.TSD);
  b.r.setU64(S.TSC_OFFSET, 0x1234_ffff_ffffn);
  b.board.load(0x1000, 0x90, 0x0f, 0x31, 0xf4);
  b.cpu.run(10);
  assertEquals([b.r.get32(R.AX), b.r.get32(R.DX)], [0, 0x1235]);
  b.enterUser();
  assertEquals(faultOf(() => control.readTimestamp(b.cpu)), GP0);
});
