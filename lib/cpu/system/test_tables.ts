/** Descriptor tables and page tables for unit tests of protected mode. */
import { CpuFault } from "../fault.ts";
import { CR4, EFER, S, Seg } from "../state.ts";
import { type TestBoard, testBoard } from "../test_board.ts";
import type { CpuOptions } from "../options.ts";
import { DEFAULT_MODEL_NAME, parseCpuModel } from "./model.ts";

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
  readonly board: TestBoard;

  constructor(options: CpuOptions = {}) {
    this.board = testBoard(options);
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

/** Where {@link longBoard} puts things besides {@link At}. */
export const LongAt = { CODE: 0x1000, USER_CODE: 0x8000, STACK: 0x7000, USER_STACK: 0x9000, TABLES: 0x20000 } as const;

/**
 * The board in 64-bit code at level 0, at 1000h: the first 2 MiB are mapped onto themselves by 4 KiB pages, accessible to
 * both levels from 8000h to FFFFh only. The IDT has 64-bit gates for all vectors, to 100h × vector + 80000h, where tests
 * may put code; RSP0 is 7000h.
 */
export function longBoard(cpuModel = DEFAULT_MODEL_NAME): ProtectedBoard {
  const b = new ProtectedBoard({ cpuModel: parseCpuModel(cpuModel) }), { r } = b, { view } = b.board.memory;
  b.descriptor(Sel.CODE0, segment(0x9b, { flags: 0xa }));
  b.descriptor(Sel.CODE3, segment(0xfb, { flags: 0xa }));
  for (let level = 0; level < 3; level++) {
    view.setBigUint64(LongAt.TABLES + level * 0x1000, BigInt(LongAt.TABLES + (level + 1) * 0x1000) | 7n, true);
  }
  for (let page = 0; page < 512; page++) {
    const user = page >= 8 && page < 16;
    view.setBigUint64(LongAt.TABLES + 0x3000 + page * 8, BigInt(page * 0x1000) | (user ? 7n : 3n), true);
  }
  for (let vector = 0; vector < 32; vector++) {
    const [low, high] = gate(0x8e, Sel.CODE0, 0x8_0000 + vector * 0x100), at = At.IDT + vector * 16;
    [low, high, 0, 0].forEach((word, i) => b.write32(at + i * 4, word));
    // HLT.
    b.board.memory.write8(0x8_0000 + vector * 0x100, 0xf4);
  }
  view.setBigUint64(At.TSS + 4, BigInt(LongAt.STACK), true);
  r.setNumber(S.CR3, LongAt.TABLES);
  r.setNumber(S.CR4, CR4.PAE | CR4.OSFXSR);
  r.setNumber(S.EFER, EFER.LME | EFER.LMA | EFER.SCE | EFER.NXE);
  r.setNumber(S.CR0, 0x8001_0011);
  r.setSegment(Seg.CS, Sel.CODE0, 0, 0xffff_ffff, 0xa09b);
  r.set64(4, BigInt(LongAt.STACK));
  b.cpu.flushTlb();
  b.cpu.modeChanged();
  return b;
}

/** What {@link runUntilHalt} found: the vector of the exception that ended the code, its error code and RIP. */
export interface Outcome {
  /** -1 if the code itself came to a HLT. */
  readonly vector: number;
  readonly code: number;
  readonly ip: number;
}

/** Vectors that push an error code. */
const WITH_CODE = new Set([8, 10, 11, 12, 13, 14, 17]);

/** Runs code at 1000h (or at 8000h at level 3) on {@link longBoard} until HLT, there or in an exception handler. */
export function runUntilHalt(b: ProtectedBoard, bytes: readonly number[], user = false): Outcome {
  const start = user ? LongAt.USER_CODE : LongAt.CODE;
  b.board.load(start, ...bytes, 0xf4);
  b.r.ip = start;
  if (user) {
    b.r.setSegment(Seg.CS, Sel.CODE3 | 3, 0, 0xffff_ffff, 0xa0fb);
    b.r.setSegment(Seg.SS, Sel.DATA3 | 3, 0, 0xffff_ffff, 0xc0f3);
    b.r.setI32(S.CPL, 3);
    b.r.set64(4, BigInt(LongAt.USER_STACK));
    b.cpu.modeChanged();
  }
  b.cpu.run(1000);
  const handler = b.r.ip - 1 - 0x8_0000;
  if (handler < 0 || handler % 0x100 !== 0) return { vector: -1, code: -1, ip: b.r.ip };
  const vector = handler / 0x100, { view } = b.board.memory, top = b.r.number(S.GPR + 4 * 8);
  const coded = WITH_CODE.has(vector);
  return {
    vector,
    code: coded ? view.getInt32(top, true) : -1,
    ip: Number(view.getBigUint64(top + (coded ? 8 : 0), true)),
  };
}
