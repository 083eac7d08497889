import { assertEquals } from "@std/assert";
import { PAGE_SIZE } from "../../machine/memory.ts";
import { R, S } from "../state.ts";
import { mapFrames, testBoard } from "../test_board.ts";

/** All pages are the user's, but not this one. */
const KERNELS_PAGE = 0x5000, DIRECTORY = 0x1_0000, TABLE = 0x1_1000, VARIABLES = 0x7000, STACK = 0x8000;

Deno.test("a call does not go on in the user's mode where the kernel's SYSEXIT leads to the return address", () => {
  for (const tier of ["interpreter", "regions"] as const) {
    const { cpu, memory, load } = testBoard({ tier }), { r } = cpu;
    mapFrames(memory, DIRECTORY, TABLE, 64, 7);
    memory.write32(TABLE + 4 * (KERNELS_PAGE / PAGE_SIZE), KERNELS_PAGE | 3);
    memory.write32(VARIABLES, KERNELS_PAGE);
    memory.write32(KERNELS_PAGE, 0x1234);
    // NOP; JMP 1000h.
    load(0xf00, 0x90, 0xe9, 0xfa, 0, 0, 0);
    // MOV ESI, [EDI]; MOV EAX, [ESI]; CALL 1020h; MOV ESI, [EDI]; MOV EBX, [ESI]; JMP $.
    load(0x1000, 0x8b, 0x37, 0x8b, 0x06, 0xe8, 0x17, 0, 0, 0, 0x8b, 0x37, 0x8b, 0x1e, 0xeb, 0xfe);
    // MOV EDX, [7004h]; MOV ECX, ESP; SYSEXIT; HLT.
    load(0x1020, 0x8b, 0x15, 0x04, 0x70, 0, 0, 0x89, 0xe1, 0x0f, 0x35, 0xf4);
    // Of the user: SYSENTER; HLT. Of the kernel: RET.
    load(0x1100, 0x0f, 0x34, 0xf4);
    load(0x1200, 0xc3);
    r.setNumber(S.CR3, DIRECTORY);
    r.setNumber(S.CR0, 0x8000_0011);
    r.setI32(S.IDTR_LIMIT, 0);
    r.setNumber(S.SYSENTER_CS, 8);
    r.setNumber(S.SYSENTER_ESP, STACK - 4);
    r.setNumber(S.SYSENTER_EIP, 0x1200);
    r.set32(R.DI, VARIABLES);
    cpu.flushTlb();
    cpu.modeChanged();
    const run = (target: number) => {
      memory.write32(VARIABLES + 4, target);
      r.ip = 0xf00;
      r.set32(R.SP, STACK);
      r.set32(R.BX, 0);
      return [cpu.run(1000), r.get32(R.BX), r.cpl];
    };
    for (let i = 0; i < 4; i++) assertEquals(run(0x1100), ["budget", 0x1234, 0]);
    assertEquals(run(0x1009), ["shutdown", 0, 3], tier);
  }
});
