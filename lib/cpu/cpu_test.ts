import { assert, assertEquals } from "@std/assert";
import { mapFrames, type TestBoard, testBoard } from "./test_board.ts";
import { TIERS } from "./options.ts";
import { CR0, R, S, Seg } from "./state.ts";

/** mov ecx,1000; L: add eax,3; xor ebx,eax; inc dword [0x2000]; dec ecx; jnz L; hlt */
const LOOP = [
  ...[0xb9, 0xe8, 0x03, 0, 0, 0x83, 0xc0, 3, 0x31, 0xc3, 0xff, 0x05, 0, 0x20, 0, 0, 0x49, 0x75, 0xf2, 0xf4],
];

function state(board: TestBoard): string {
  return JSON.stringify(
    board.cpu.save(),
    (_key, value) =>
      typeof value === "bigint"
        ? value.toString()
        : ArrayBuffer.isView(value)
        ? [...(value as BigUint64Array)].join()
        : value,
  );
}

Deno.test("run: counts every instruction and stops on the budget", () => {
  const board = testBoard();
  board.load(0x1000, ...LOOP);
  assertEquals(board.cpu.run(3), "budget");
  assertEquals(board.cpu.instructions, 3);
  assertEquals(board.cpu.r.ip, 0x100a);
  assertEquals(board.cpu.run(1_000_000), "halted");
  assertEquals(board.cpu.instructions, 1 + 5 * 1000 + 1);
  assertEquals(board.memory.read32(0x2000), 1000);
});

Deno.test("run: the state does not depend on how a run is sliced", () => {
  const whole = testBoard();
  whole.load(0x1000, ...LOOP);
  whole.cpu.run(4000);
  for (const slice of [1, 7, 63, 1001]) {
    const sliced = testBoard();
    sliced.load(0x1000, ...LOOP);
    for (let left = 4000; left > 0; left -= slice) sliced.cpu.run(Math.min(slice, left));
    assertEquals(state(sliced), state(whole), `slices of ${slice}`);
  }
});

Deno.test("run: a store into the running block takes effect on the next instruction", () => {
  const board = testBoard();
  // mov byte [0x1008],0x42 (inc edx) over a nop-like inc ecx; inc ecx at 0x1007, 0x1008; hlt
  board.cpu.r.set32(R.DX, 0);
  board.load(0x1000, 0xc6, 0x05, 0x08, 0x10, 0, 0, 0x42, 0x41, 0x41, 0xf4);
  board.cpu.run(100);
  assertEquals(board.cpu.r.get32(R.CX), 1);
  assertEquals(board.cpu.r.get32(R.DX), 1);
  assertEquals(board.cpu.instructions, 4);
});

Deno.test("run: code that another block rewrites is decoded anew", () => {
  const board = testBoard();
  // mov esi,3; L: call 0x1100; inc byte [0x1101]; dec esi; jnz L; hlt    0x1100: mov al,5; add ebx,eax; ret
  board.load(0x1000, 0xbe, 3, 0, 0, 0, 0xe8, 0xf6, 0, 0, 0, 0xfe, 0x05, 0x01, 0x11, 0, 0, 0x4e, 0x75, 0xf2, 0xf4);
  board.load(0x1100, 0xb0, 5, 0x01, 0xc3, 0xc3);
  board.cpu.run(1000);
  assertEquals(board.cpu.r.get32(R.BX), 5 + 6 + 7);
});

Deno.test("run: a fault leaves the instruction's registers alone; the way into its handler counts instead of it", () => {
  const board = testBoard();
  // IDT with one 32-bit interrupt gate for #DE at 0x3000; handler: hlt
  board.load(0x3000, 0x00, 0x20, 0x08, 0x00, 0x00, 0x8e, 0x00, 0x00);
  board.load(0x2000, 0xf4);
  board.cpu.r.setNumber(S.IDTR_BASE, 0x3000);
  board.cpu.r.setI32(S.IDTR_LIMIT, 7);
  board.cpu.r.setNumber(S.GDTR_BASE, 0x3100);
  board.cpu.r.setI32(S.GDTR_LIMIT, 0x1f);
  board.load(0x3108, 0xff, 0xff, 0, 0, 0, 0x9b, 0xcf, 0);
  // mov eax,5; div ebx
  board.load(0x1000, 0xb8, 5, 0, 0, 0, 0xf7, 0xf3);
  assertEquals(board.cpu.run(100), "halted");
  assertEquals(board.cpu.r.get32(R.AX), 5);
  assertEquals(board.memory.read32(0x8000 - 12), 0x1005);
  assertEquals(board.cpu.instructions, 3);
});

Deno.test("run: a handler that faults at once, for ever, uses the budget up", () => {
  for (const slice of [1, 1000]) {
    const board = testBoard();
    // Real mode; the handler of #UD is an undefined instruction itself, and the stack pointer wraps.
    board.cpu.r.setI32(S.CR0, CR0.ET);
    board.cpu.r.setI32(S.IDTR_LIMIT, 0x3ff);
    board.load(6 * 4, 0x00, 0x10, 0x00, 0x00);
    board.load(0x1000, 0x0f, 0x0b);
    board.cpu.modeChanged();
    for (let left = 1000; left > 0; left -= slice) assertEquals(board.cpu.run(slice), "budget");
    assertEquals([board.cpu.instructions, board.cpu.r.get16(R.SP)], [1000, (0x8000 - 6000) & 0xffff]);
  }
});

Deno.test("paging: a changed page-table entry counts at once, without INVLPG", () => {
  const board = testBoard();
  mapFrames(board.memory, 0x10000, 0x11000, 1024);
  board.memory.write32(0x20000, 0x1111);
  board.memory.write32(0x21000, 0x2222);
  board.cpu.r.setNumber(S.CR3, 0x10000);
  board.cpu.r.setI32(S.CR0, CR0.PE | CR0.PG);
  board.cpu.flushTlb();
  // mov eax,[0x20000]; mov dword [0x11080],0x21003; mov ebx,[0x20000]; hlt
  board.load(
    0x1000,
    0xa1,
    0,
    0,
    2,
    0,
    0xc7,
    0x05,
    0x80,
    0x10,
    0x01,
    0,
    0x03,
    0x10,
    0x02,
    0,
    0x8b,
    0x1d,
    0,
    0,
    2,
    0,
    0xf4,
  );
  assertEquals(board.cpu.run(100), "halted");
  assertEquals(board.cpu.r.get32(R.AX), 0x1111);
  assertEquals(board.cpu.r.get32(R.BX), 0x2222);
  const entry = board.memory.read32(0x11080);
  assert((entry & 0x20) !== 0, "the accessed bit is set again");
});

Deno.test("paging: cleared accessed bits are set again by the next access", () => {
  const board = testBoard();
  mapFrames(board.memory, 0x10000, 0x11000, 1024);
  board.cpu.r.setNumber(S.CR3, 0x10000);
  board.cpu.r.setI32(S.CR0, CR0.PE | CR0.PG);
  board.cpu.flushTlb();
  // mov [0x20000],eax; and dword [0x11080],~0x60; mov eax,[0x20000]; hlt
  board.load(0x1000, 0xa3, 0, 0, 2, 0, 0x83, 0x25, 0x80, 0x10, 0x01, 0, 0x9f, 0xa1, 0, 0, 2, 0, 0xf4);
  board.cpu.run(100);
  assertEquals(board.memory.read32(0x11080) & 0x60, 0x20);
});

Deno.test("save and load: a restored processor goes on as if nothing had happened", () => {
  const one = testBoard(), other = testBoard();
  one.load(0x1000, ...LOOP);
  one.cpu.run(1234);
  other.memory.write(0, one.memory.bytes.subarray(0, one.memory.ramSize));
  other.cpu.load(one.cpu.save());
  one.cpu.run(1000);
  other.cpu.run(1000);
  assertEquals(state(other), state(one));
  assertEquals(other.memory.read32(0x2000), one.memory.read32(0x2000));
});

Deno.test("device memory: an access that asks for attention ends the run after its instruction", () => {
  const board = testBoard();
  const accesses: number[] = [];
  board.memory.mapMmio(0x30_0000, 0x1000, {
    read: () => 0,
    write: () => {
      accesses.push(board.cpu.instructions);
      board.cpu.requestBreak();
    },
  });
  // inc eax; mov [0x300000],al; inc ebx; inc ebx; hlt
  board.load(0x1000, 0x40, 0xa2, 0, 0, 0x30, 0, 0x43, 0x43, 0xf4);
  assertEquals(board.cpu.run(100), "budget");
  assertEquals(accesses, [1]);
  assertEquals(board.cpu.instructions, 2);
  assertEquals(board.cpu.r.get32(R.BX), 0);
  assertEquals(board.cpu.run(100), "halted");
  assertEquals(board.cpu.r.get32(R.BX), 2);
});

Deno.test("instructions that straddle pages follow the mapping of the second page", () => {
  const board = testBoard();
  mapFrames(board.memory, 0x10000, 0x11000, 1024);
  board.cpu.r.setNumber(S.CR3, 0x10000);
  board.cpu.r.setI32(S.CR0, CR0.PE | CR0.PG);
  board.cpu.flushTlb();
  // mov eax,imm32 with the immediate's last two bytes on the next page; then hlt
  board.load(0x1ffd, 0xb8, 0x78, 0x56);
  board.load(0x2000, 0x34, 0x12, 0xf4);
  board.load(0x5000, 0xcd, 0xab, 0xf4);
  board.cpu.r.ip = 0x1ffd;
  board.cpu.run(10);
  assertEquals(board.cpu.r.get32(R.AX), 0x12345678);
  board.memory.write32(0x11008, 0x5003);
  board.cpu.r.setI32(S.HALTED, 0);
  board.cpu.r.ip = 0x1ffd;
  board.cpu.run(10);
  assertEquals(board.cpu.r.get32(R.AX), 0xabcd5678);
  const again = () => {
    board.cpu.r.setI32(S.HALTED, 0);
    board.cpu.r.ip = 0x1ffd;
    board.cpu.run(10);
    return board.cpu.r.get32(R.AX);
  };
  board.load(0x5000, 0xaa, 0x99);
  assertEquals(again(), 0x99aa5678, "the frame of the second page, far from the first one's, is written");
  board.load(0x1000, 0x22, 0x11, 0xf4);
  board.memory.write32(0x11008, 0x1003);
  assertEquals(again(), 0x11225678, "both pages in one frame");
  board.load(0x1000, 0x44);
  assertEquals(again(), 0x11445678, "the start of that frame is written");
});

/** Protected mode with flat segments for kernel and user, CR0.AM, a handler of #AC at 2000h, and the kernel's stack at 7000h. */
function alignmentBoard(): TestBoard {
  const board = testBoard();
  // GDT: kernel code and data, user code and data, TSS; IDT with a gate for #AC at 17.
  const flat = (access: number) => [0xff, 0xff, 0, 0, 0, access, 0xcf, 0];
  board.load(0x3008, ...flat(0x9b), ...flat(0x93), ...flat(0xfb), ...flat(0xf3));
  board.load(0x4000 + 17 * 8, 0x00, 0x20, 0x08, 0x00, 0x00, 0x8e, 0x00, 0x00);
  // mov eax,[0x6001]; hlt
  board.load(0x2000, 0xa1, 0x01, 0x60, 0, 0, 0xf4);
  board.memory.write32(0x5004, 0x7000);
  board.memory.write16(0x5008, 0x10);
  const { r } = board.cpu;
  r.setNumber(S.GDTR_BASE, 0x3000);
  r.setI32(S.GDTR_LIMIT, 0x2f);
  r.setNumber(S.IDTR_BASE, 0x4000);
  r.setI32(S.IDTR_LIMIT, 0xff);
  r.setSegment(Seg.TR, 0x28, 0x5000, 0x67, 0x8b);
  r.setI32(S.CR0, CR0.PE | CR0.ET | CR0.AM);
  return board;
}

/** The handler of #AC, which may make unaligned accesses, has been through; the exception came at `ip`. */
function assertAlignmentFault(board: TestBoard, ip: number): void {
  assertEquals(board.cpu.run(100), "halted");
  assertEquals(board.cpu.r.ip, 0x2006);
  assertEquals(board.memory.read32(0x7000 - 20), ip, "the faulting instruction");
  assertEquals(board.memory.read32(0x7000 - 24), 0, "error code");
}

Deno.test("alignment checking: user code faults on unaligned accesses while EFLAGS.AC and CR0.AM are set", () => {
  const board = alignmentBoard(), { r } = board.cpu;
  // mov eax,[0x6001] twice with AC off; pushfd; or dword [esp],0x40000; popfd; mov eax,[0x6000]; mov eax,[0x6001]
  board.load(0x1000, 0xa1, 0x01, 0x60, 0, 0, 0xa1, 0x01, 0x60, 0, 0, 0x9c, 0x81, 0x0c, 0x24, 0, 0, 4, 0, 0x9d);
  board.load(0x1013, 0xa1, 0x00, 0x60, 0, 0, 0xa1, 0x01, 0x60, 0, 0, 0xf4);
  r.setSegment(Seg.CS, 0x1b, 0, 0xffff_ffff, 0xc0fb);
  for (const segment of [Seg.ES, Seg.SS, Seg.DS]) r.setSegment(segment, 0x23, 0, 0xffff_ffff, 0xc0f3);
  r.setI32(S.CPL, 3);
  board.cpu.modeChanged();
  assertAlignmentFault(board, 0x1018);
});

Deno.test("alignment checking: not of the supervisor, but of the user code that it enters with EFLAGS.AC", () => {
  const board = alignmentBoard(), { r } = board.cpu;
  // pushfd; or dword [esp],0x40000; popfd; mov eax,[0x6001]; mov ds,bx; iretd
  board.load(0x1000, 0x9c, 0x81, 0x0c, 0x24, 0, 0, 4, 0, 0x9d, 0xa1, 0x01, 0x60, 0, 0, 0x8e, 0xdb, 0xcf);
  // mov eax,[0x6000]; mov eax,[0x6001]
  board.load(0x1100, 0xa1, 0x00, 0x60, 0, 0, 0xa1, 0x01, 0x60, 0, 0, 0xf4);
  for (const [i, value] of [0x1100, 0x1b, 0x4_0002, 0x6800, 0x23].entries()) {
    board.memory.write32(0x6f00 + i * 4, value);
  }
  r.setSegment(Seg.CS, 0x08, 0, 0xffff_ffff, 0xc09b);
  for (const segment of [Seg.ES, Seg.SS, Seg.DS]) r.setSegment(segment, 0x10, 0, 0xffff_ffff, 0xc093);
  r.setNumber(S.GPR + R.SP * 8, 0x6f00);
  r.setNumber(S.GPR + R.BX * 8, 0x23);
  board.cpu.modeChanged();
  assertAlignmentFault(board, 0x1105);
});

Deno.test("PAUSE: time passes without instructions, the same in every slicing", () => {
  // mov ecx,20; L: pause; inc eax; dec ecx; jnz L; hlt
  const code = [0xb9, 20, 0, 0, 0, 0xf3, 0x90, 0x40, 0x49, 0x75, 0xfa, 0xf4];
  const outcome = (slice: number) => {
    const board = testBoard();
    board.load(0x1000, ...code);
    while (board.cpu.run(slice) === "budget");
    return [board.cpu.instructions, board.cpu.cycles, state(board)];
  };
  const whole = outcome(1_000_000);
  assertEquals(whole.slice(0, 2), [1 + 20 * 4 + 1, 1 + 20 * 4 + 1 + 20 * 140]);
  for (const slice of [1, 2, 7, 139, 500]) assertEquals(outcome(slice), whole, `slices of ${slice}`);
});

Deno.test("paging: code is not found through a mapping that has gone, even when its translation was forgotten before", () => {
  const board = testBoard();
  mapFrames(board.memory, 0x10000, 0x11000, 1024);
  // 16 MiB further on, pages share entries of the TLB with those of the first table.
  board.memory.write32(0x10010, 0x12003);
  board.memory.write32(0x12014, 0x20003);
  board.cpu.r.setNumber(S.CR3, 0x10000);
  board.cpu.r.setI32(S.CR0, CR0.PE | CR0.PG);
  board.cpu.flushTlb();
  board.load(0x5000, 0xb0, 1, 0xc3); // mov al,1; ret
  board.load(0x6000, 0xb0, 2, 0xc3); // mov al,2; ret
  board.load(0x1000, 0xe8, 0xfb, 0x3f, 0, 0, 0x88, 0xc3); // call 0x5000; mov bl,al
  board.load(0x1007, 0x8a, 0x0d, 0, 0x50, 0, 1); // mov cl,[0x1005000]
  board.load(0x100d, 0xc7, 0x05, 0x14, 0x10, 1, 0, 0x03, 0x60, 0, 0); // mov dword [0x11014],0x6003
  board.load(0x1017, 0xe8, 0xe4, 0x3f, 0, 0, 0xf4); // call 0x5000; hlt
  assertEquals(board.cpu.run(100), "halted");
  assertEquals(board.cpu.r.get8(R.BX), 1);
  assertEquals(board.cpu.r.get8(R.AX), 2);
});

Deno.test("code in device memory is fetched anew for every instruction, also across pages", () => {
  const board = testBoard();
  const fetched = new Set<number>(), code = [0x40, 0xb8, 1, 2, 3, 4, 0xf4];
  board.memory.mapMmio(0x30_0000, 0x2000, {
    read: (address) => (fetched.add(address), code[address - 0x30_0ffe] ?? 0x90),
    write: () => {},
  });
  board.cpu.r.ip = 0x30_0ffe; // inc eax; mov eax,0x04030201 across the page's end; hlt
  assertEquals(board.cpu.run(100), "halted");
  assertEquals(board.cpu.instructions, 3);
  assertEquals(board.cpu.r.get32(R.AX), 0x04030201);
  assert(!fetched.has(0x30_0ffd) && !fetched.has(0x30_1100));
});

Deno.test("stores across the end of a page with code are no matter for the first such page, either", () => {
  const board = testBoard();
  // mov dword [0x1ffd],0x04030201; hlt
  board.load(0x1000, 0xc7, 0x05, 0xfd, 0x1f, 0, 0, 1, 2, 3, 4, 0xf4);
  assertEquals(board.cpu.run(10), "halted");
  assertEquals(board.memory.read32(0x1ffd), 0x04030201);
});

Deno.test("the instruction after STI runs before a waiting interrupt, in every tier", () => {
  for (const tier of TIERS) {
    const { cpu, memory, load } = testBoard({ tier });
    // L: cli; nop; sti; jmp M; nop; M: inc eax; jmp L. The handler: hlt.
    load(0x1000, 0xfa, 0x90, 0xfb, 0xeb, 1, 0x90, 0x40, 0xeb, 0xf7);
    load(0x1100, 0xf4);
    load(0x2008, 0xff, 0xff, 0, 0, 0, 0x9b, 0xcf, 0);
    load(0x3000 + 0x20 * 8, 0x00, 0x11, 0x08, 0, 0, 0x8e, 0, 0);
    cpu.r.setNumber(S.GDTR_BASE, 0x2000);
    cpu.r.setNumber(S.IDTR_BASE, 0x3000);
    cpu.run(600);
    cpu.run(1);
    cpu.setInterruptLine(true);
    assertEquals(cpu.run(100), "halted", tier);
    assertEquals(memory.read32(0x8000 - 12), 0x1006, tier);
  }
});
