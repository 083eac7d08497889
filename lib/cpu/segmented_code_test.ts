/** Code in segments with a base and a limit of their own: the same bytes mean other places by another base. */
import { assertEquals } from "@std/assert";
import { type Tier, TIERS } from "./options.ts";
import { Access } from "./registers.ts";
import { CR0, R, S, Seg } from "./state.ts";
import { mapFrames, type TestBoard, testBoard } from "./test_board.ts";

const USED = Access.PRESENT | Access.S | Access.READ_WRITE | Access.ACCESSED;

/** A board in real mode, and a way to run from CS:IP up to a HLT and see AX. */
function realMode(tier: Tier): TestBoard & { run(selector: number, ip: number): number } {
  const board = testBoard({ tier }), { cpu } = board, { r } = cpu;
  r.setI32(S.CR0, CR0.ET);
  for (const segment of [Seg.ES, Seg.SS, Seg.DS]) r.setSegment(segment, 0, 0, 0xffff, USED);
  const run = (selector: number, ip: number) => {
    r.setSegment(Seg.CS, selector, selector << 4, 0xffff, USED | Access.CODE);
    cpu.modeChanged();
    r.ip = ip;
    r.set32(R.AX, 0);
    r.set32(R.SP, 0x8000);
    r.setI32(S.HALTED, 0);
    assertEquals(cpu.run(100), "halted");
    return r.get32(R.AX);
  };
  return { ...board, run };
}

for (const tier of TIERS) {
  Deno.test(`a jump across the end of a segment, ${tier}: links made in another segment do not lead there`, () => {
    const { load, run } = realMode(tier);
    // JMP SHORT +16h; MOV AX, 1; HLT; and in the other place MOV AX, 2; HLT.
    load(0x20fe0, 0xeb, 0x16);
    load(0x20ff8, 0xb8, 1, 0, 0xf4);
    load(0x10ff8, 0xb8, 2, 0, 0xf4);
    for (let i = 0; i < 4; i++) assertEquals(run(0x2000, 0x0fe0), 1);
    for (let i = 0; i < 4; i++) assertEquals(run(0x10ff, 0xfff0), 2);
    assertEquals(run(0x2000, 0x0fe0), 1);
  });

  Deno.test(`a far jump to the following offset in another segment, ${tier}`, () => {
    const { load, run } = realMode(tier);
    // JMP 2000h:0105h; MOV AX, 1; HLT; and in the other place MOV AX, 2; HLT.
    load(0x10100, 0xea, 0x05, 0x01, 0, 0x20, 0xb8, 1, 0, 0xf4);
    load(0x20105, 0xb8, 2, 0, 0xf4);
    for (let i = 0; i < 4; i++) assertEquals(run(0x1000, 0x100), 2);
    assertEquals(run(0x1000, 0x105), 1);
  });

  Deno.test(`a call that is left by a far return to the same offset in another segment, ${tier}`, () => {
    const { load, memory, run } = realMode(tier);
    // CALL 0200h; MOV AX, 1; HLT; 0200h: POP DX; PUSH WORD [6000h]; PUSH DX; RETF; and in the other place MOV AX, 2; HLT.
    load(0x10100, 0xe8, 0xfd, 0, 0xb8, 1, 0, 0xf4);
    load(0x10200, 0x5a, 0xff, 0x36, 0, 0x60, 0x52, 0xcb);
    load(0x20103, 0xb8, 2, 0, 0xf4);
    for (const [selector, result] of [[0x1000, 1], [0x2000, 2], [0x1000, 1], [0x2000, 2]]) {
      memory.write16(0x6000, selector);
      for (let i = 0; i < 4; i++) assertEquals(run(0x1000, 0x100), result);
    }
  });

  Deno.test(`pages of code at two linear addresses that go on with different ones, ${tier}`, () => {
    const board = testBoard({ tier }), { cpu, memory, load } = board, { r } = cpu;
    const directory = 0x4_0000, table = 0x4_1000;
    mapFrames(memory, directory, table, 0x80);
    // 20000h is the page at 10000h, too.
    memory.write32(table + 4 * 0x20, 0x10003);
    r.setNumber(S.CR3, directory);
    r.setI32(S.CR0, CR0.PE | CR0.ET | CR0.PG);
    cpu.flushTlb();
    // 0FF0h: NOP; JMP 1010h; there MOV EAX, 1; HLT, or MOV EAX, 2; HLT.
    load(0x10ff0, 0x90, 0xe9, 0x1a, 0, 0, 0);
    load(0x11010, 0xb8, 1, 0, 0, 0, 0xf4);
    load(0x21010, 0xb8, 2, 0, 0, 0, 0xf4);
    const run = (base: number, ip = 0xff0) => {
      r.setSegment(Seg.CS, 8, base, 0xffff, USED | Access.CODE | Access.BIG);
      cpu.modeChanged();
      r.ip = ip;
      r.setI32(S.HALTED, 0);
      assertEquals(cpu.run(100), "halted");
      return r.get32(R.AX);
    };
    // Only code of pages that are known to be there is translated together, and runs together once it was found anew.
    assertEquals(run(0x10000, 0x1010), 1);
    for (const [base, result] of [[0x10000, 1], [0x10000, 1], [0x20000, 2], [0x10000, 1]]) {
      for (let i = 0; i < 4; i++) assertEquals(run(base), result);
      if (base === 0x10000) cpu.flushTlb();
      assertEquals(run(0x10000), 1);
    }
  });

  Deno.test(`a call that comes back to a segment with a smaller limit, ${tier}`, () => {
    const { cpu, memory, load } = testBoard({ tier }), { r } = cpu;
    // 08h: limit FFFFh; 18h: limit 0105h; base 10000h.
    const descriptor = (at: number, limit: number) => load(at, limit & 0xff, limit >> 8, 0, 0, 1, 0x9b, 0x40, 0);
    descriptor(0x5008, 0xffff);
    descriptor(0x5018, 0x105);
    r.setNumber(S.GDTR_BASE, 0x5000);
    r.setI32(S.GDTR_LIMIT, 0x1f);
    r.setI32(S.IDTR_LIMIT, 0);
    // CALL 0200h; NOP; MOV EBX, 1; HLT; 0200h: POP EDX; PUSH DWORD [6000h]; PUSH EDX; RETF.
    load(0x10100, 0xe8, 0xfb, 0, 0, 0, 0x90, 0xbb, 1, 0, 0, 0, 0xf4);
    load(0x10200, 0x5a, 0xff, 0x35, 0, 0x60, 0, 0, 0x52, 0xcb);
    const run = (selector: number) => {
      memory.write32(0x6000, selector);
      r.setSegment(Seg.CS, 8, 0x10000, 0xffff, USED | Access.CODE | Access.BIG);
      cpu.modeChanged();
      r.ip = 0x100;
      r.set32(R.SP, 0x8000);
      r.set32(R.BX, 0);
      r.setI32(S.HALTED, 0);
      return [cpu.run(100), r.get32(R.BX)];
    };
    for (let i = 0; i < 4; i++) assertEquals(run(0x08), ["halted", 1]);
    assertEquals(run(0x18), ["shutdown", 0]);
  });
}
