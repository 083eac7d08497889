/** Descriptor tables and page tables for unit tests of protected mode. */
import { CpuFault } from "../fault.ts";
import { S } from "../state.ts";
import { type TestBoard, testBoard } from "../test_board.ts";

/** Where {@link protectedBoard} puts things. */
export const At = { GDT: 0x2000, LDT: 0x2800, IDT: 0x3000, TSS: 0x4000, OTHER_TSS: 0x4100, PAGES: 0x10000 } as const;

/** A code or data segment: base 0, limit 4 GiB, 32 bits, unless told otherwise. */
export interface SegmentOptions {
  base?: number;
  /** In units of the granularity. */
  limit?: number;
  /** G, D/B, L, AVL: the high nibble of byte 6. */
  flags?: number;
}

/** The two words of a segment descriptor with access byte `access`. */
export function segment(access: number, options: SegmentOptions = {}): [number, number] {
  const { base = 0, limit = 0xf_ffff, flags = 0xc } = options;
  return [
    ((limit & 0xffff) | (base << 16)) >>> 0,
    (((base >>> 16) & 0xff) | (access << 8) | (limit & 0xf_0000) | (flags << 20) | (base & 0xff00_0000)) >>> 0,
  ];
}

/** The two words of a gate descriptor. */
export function gate(access: number, selector: number, offset: number, parameters = 0): [number, number] {
  return [
    ((offset & 0xffff) | (selector << 16)) >>> 0,
    ((offset & 0xffff_0000) | (access << 8) | parameters) >>> 0,
  ];
}

/** Selectors of {@link protectedBoard}'s GDT. */
export const Sel = {
  CODE0: 0x08,
  DATA0: 0x10,
  CODE3: 0x18,
  DATA3: 0x20,
  TSS: 0x28,
  OTHER_TSS: 0x30,
  LDT: 0x38,
  /** From here on tests put descriptors of their own. */
  FREE: 0x40,
} as const;

/** A board with a GDT, an LDT, an IDT of 256 entries (all absent) and a loaded 32-bit TSS whose SS0:ESP0 is DATA0:7000h. */
export class ProtectedBoard {
  readonly board: TestBoard = testBoard();

  constructor() {
    const { cpu } = this;
    this.descriptor(Sel.CODE0, segment(0x9b));
    this.descriptor(Sel.DATA0, segment(0x93));
    this.descriptor(Sel.CODE3, segment(0xfb));
    this.descriptor(Sel.DATA3, segment(0xf3));
    this.descriptor(Sel.TSS, segment(0x8b, { base: At.TSS, limit: 0x67, flags: 0 }));
    this.descriptor(Sel.OTHER_TSS, segment(0x89, { base: At.OTHER_TSS, limit: 0x67, flags: 0 }));
    this.descriptor(Sel.LDT, segment(0x82, { base: At.LDT, limit: 0x7f, flags: 0 }));
    cpu.r.setNumber(S.GDTR_BASE, At.GDT);
    cpu.r.setI32(S.GDTR_LIMIT, 0x7ff);
    cpu.r.setNumber(S.IDTR_BASE, At.IDT);
    cpu.r.setI32(S.IDTR_LIMIT, 0x7ff);
    cpu.r.setSegment(7, Sel.TSS, At.TSS, 0x67, 0x8b);
    cpu.r.setSegment(6, Sel.LDT, At.LDT, 0x7f, 0x82);
    this.write32(At.TSS + 4, 0x7000);
    this.write32(At.TSS + 8, Sel.DATA0);
  }

  get cpu(): TestBoard["cpu"] {
    return this.board.cpu;
  }
  get r(): TestBoard["cpu"]["r"] {
    return this.board.cpu.r;
  }

  /** Puts a descriptor into the GDT, or into the LDT if the selector says so. */
  descriptor(selector: number, [low, high]: readonly [number, number]): void {
    const at = ((selector & 4) !== 0 ? At.LDT : At.GDT) + (selector & 0xfff8);
    this.write32(at, low);
    this.write32(at + 4, high);
  }

  /** Puts a gate into the IDT. */
  gate(vector: number, [low, high]: readonly [number, number]): void {
    this.write32(At.IDT + vector * 8, low);
    this.write32(At.IDT + vector * 8 + 4, high);
  }

  read32(address: number): number {
    return this.board.memory.read32(address);
  }
  write32(address: number, value: number): void {
    this.board.memory.write32(address, value >>> 0);
  }

  /** `count` 32-bit words at the stack pointer. */
  stack(count: number): number[] {
    return Array.from({ length: count }, (_, i) => this.read32(this.r.get32(4) + i * 4));
  }

  /** Continues at privilege level 3 with flat segments and the stack at 6000h. */
  enterUser(): void {
    const flat = 0xc093;
    this.r.setSegment(1, Sel.CODE3 | 3, 0, 0xffff_ffff, flat | 0x68);
    for (const s of [0, 2, 3]) this.r.setSegment(s, Sel.DATA3 | 3, 0, 0xffff_ffff, flat | 0x60);
    this.r.setI32(S.CPL, 3);
    this.r.set32(4, 0x6000);
    this.cpu.modeChanged();
  }
}

/** The exception that `action` raises, or null. */
export function faultOf(action: () => unknown): { vector: number; code: number } | null {
  try {
    action();
  } catch (fault) {
    if (!(fault instanceof CpuFault)) throw fault;
    return { vector: fault.vector, code: fault.code };
  }
  return null;
}
