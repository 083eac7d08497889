/**
 * Noise: random bytes as 32-bit code in protected mode with paging, at privilege level 0 or 3, among handlers that step
 * over what faults. Pages with odd rights, page tables, its own code, a device page and ports are all within its reach.
 */
import { Access } from "../../lib/cpu/registers.ts";
import { CR0, CR4, Flag, S, Seg } from "../../lib/cpu/state.ts";
import type { PhysicalMemory } from "../../lib/machine/memory.ts";
import type { Random } from "./random.ts";
import { codeBytes } from "./random_code.ts";
import { descriptor, DEVICE_PHYSICAL, FLAT, GDT, IDT, PLAYGROUND, RAM, type Scenario, TABLE } from "./scenario.ts";

/** Where things lie, linear = physical except where a page table says otherwise. */
const TSS = 0x1400, HANDLERS = 0x3000, KERNEL_STACK = 0x5000, USER_STACK = 0x9000, DIRECTORY = 0xa000;
/** Pages that random code and data fill: rights vary, the first ones are code. */
const PLAYGROUND_PAGES = 16, CODE_PAGES = 4;
/** A device page in the linear address space. */
const DEVICE = 0x30000;
const KERNEL_CODE = 0x08, KERNEL_DATA = 0x10, USER_CODE = 0x1b, USER_DATA = 0x23, TASK = 0x28;
const WITH_ERROR_CODE = new Set([8, 10, 11, 12, 13, 14, 17]);

/** See above. */
export const noise: Scenario = {
  name: "noise",
  gap: 120,
  prepare(cpu, memory, random) {
    const { r } = cpu, user = random.oneIn(2);
    writeTables(memory);
    writePaging(memory, random);
    for (let page = 0; page < PLAYGROUND_PAGES; page++) {
      memory.write(PLAYGROUND + page * 4096, page < CODE_PAGES ? codeBytes(random, 4096) : random.bytes(4096));
    }
    const [code, data] = user ? [USER_CODE, USER_DATA] : [KERNEL_CODE, KERNEL_DATA];
    const dpl = user ? Access.DPL : 0;
    for (const segment of [Seg.ES, Seg.SS, Seg.DS, Seg.FS, Seg.GS]) {
      r.setSegment(segment, data, 0, 0xffff_ffff, FLAT | dpl);
    }
    r.setSegment(Seg.CS, code, 0, 0xffff_ffff, FLAT | dpl | Access.CODE);
    r.setSegment(Seg.TR, TASK, TSS, 0x67, Access.PRESENT | 0xb);
    r.setI32(S.CPL, user ? 3 : 0);
    r.setNumber(S.GDTR_BASE, GDT);
    r.setI32(S.GDTR_LIMIT, 0xff);
    r.setNumber(S.IDTR_BASE, IDT);
    r.setI32(S.IDTR_LIMIT, 0x7ff);
    r.setNumber(S.CR3, DIRECTORY);
    r.setI32(S.CR4, CR4.PSE | CR4.OSFXSR | (random.oneIn(4) ? 0 : CR4.OSXSAVE));
    r.setNumber(S.XCR0, 3);
    r.setI32(S.CR0, CR0.PE | CR0.PG | CR0.ET | (random.oneIn(2) ? CR0.WP : 0));
    r.eflags = 2 | Flag.IF | (random.oneIn(3) ? Flag.IOPL : 0) | (random.oneIn(6) ? Flag.DF : 0) |
      (random.oneIn(12) ? Flag.TF : 0);
    for (let register = 0; register < 8; register++) r.set32(register, interestingValue(random));
    r.set32(1, random.below(40));
    r.set32(4, user ? USER_STACK - 0x100 : random.oneIn(4) ? interestingValue(random) : KERNEL_STACK + 0x800);
    r.ip = PLAYGROUND + random.below(CODE_PAGES * 4096 - 64);
  },
};

function interestingValue(random: Random): number {
  const page = PLAYGROUND + random.below(PLAYGROUND_PAGES) * 4096;
  return random.pick([
    page + random.below(4096),
    page + 4096 - random.below(9),
    PLAYGROUND + random.below(CODE_PAGES * 4096),
    TABLE + random.below(1024) * 4,
    DEVICE + random.below(4096),
    DEVICE - random.below(8),
    random.below(256),
    random.u32(),
  ]);
}

function writeTables(memory: PhysicalMemory): void {
  descriptor(memory, KERNEL_CODE, FLAT | Access.CODE, 0, 0xfffff);
  descriptor(memory, KERNEL_DATA, FLAT, 0, 0xfffff);
  descriptor(memory, USER_CODE, FLAT | Access.CODE | Access.DPL, 0, 0xfffff);
  descriptor(memory, USER_DATA, FLAT | Access.DPL, 0, 0xfffff);
  descriptor(memory, TASK, Access.PRESENT | 0xb, TSS, 0x67);
  memory.write32(TSS + 4, KERNEL_STACK + 0xf00);
  memory.write32(TSS + 8, KERNEL_DATA);
  memory.write16(TSS + 0x66, 0x68);
  for (let vector = 0; vector < 256; vector++) {
    const handler = HANDLERS + vector * 16;
    memory.write32(IDT + vector * 8, (KERNEL_CODE << 16) | (handler & 0xffff));
    memory.write32(IDT + vector * 8 + 4, (handler & 0xffff_0000) | (vector % 3 === 0 ? 0xef00 : 0xee00));
    const faults = vector < 32 && vector !== 1 && vector !== 2 && vector !== 3;
    // add esp,4 for an error code; inc dword [esp] steps over a byte of what faulted; iret.
    memory.write(
      handler,
      new Uint8Array([
        ...(WITH_ERROR_CODE.has(vector) ? [0x83, 0xc4, 4] : []),
        ...(faults ? [0xff, 0x04, 0x24] : []),
        0xcf,
      ]),
    );
  }
}

function writePaging(memory: PhysicalMemory, random: Random): void {
  memory.write32(DIRECTORY, TABLE | 7);
  for (let page = 0; page < RAM / 4096; page++) memory.write32(TABLE + page * 4, page * 4096 | 7);
  for (let page = CODE_PAGES; page < PLAYGROUND_PAGES; page++) {
    const linear = PLAYGROUND / 4096 + page;
    const rights = random.pick([7, 7, 7, 5, 3, 1, 6, 0x67]);
    const frame = random.oneIn(4) ? PLAYGROUND / 4096 + random.below(PLAYGROUND_PAGES) : linear;
    memory.write32(TABLE + linear * 4, frame * 4096 | rights);
  }
  memory.write32(TABLE + DEVICE / 4096 * 4, DEVICE_PHYSICAL | 7);
}
