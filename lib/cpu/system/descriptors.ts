/** Segment and gate descriptors, and how they are found. Intel SDM vol. 3A, sections 3.4.5, 3.5 and 5.8.3. */
import type { CpuCore } from "../core.ts";
import { Access } from "../registers.ts";
import { S, Seg, Vector } from "../state.ts";

/** Types of system descriptors. Table 3-2. */
export const SystemType = {
  TSS16_AVAILABLE: 1,
  LDT: 2,
  TSS16_BUSY: 3,
  CALL_GATE16: 4,
  TASK_GATE: 5,
  INTERRUPT_GATE16: 6,
  TRAP_GATE16: 7,
  TSS32_AVAILABLE: 9,
  TSS32_BUSY: 11,
  CALL_GATE32: 12,
  INTERRUPT_GATE32: 14,
  TRAP_GATE32: 15,
} as const;

/** The eight bytes of a descriptor, read once. */
export class Descriptor {
  constructor(
    /** Selector that named it. */
    readonly selector: number,
    /** Linear address of its first byte. */
    readonly address: number,
    /** Bytes 0–3. */
    readonly low: number,
    /** Bytes 4–7. */
    readonly high: number,
    /** Bytes 8–11 of a 16-byte descriptor in IA-32e mode: bits 32–63 of the base or offset. */
    readonly upper = 0,
    /** The type bits in the upper half of such a descriptor, which must be 0. */
    readonly upperType = 0,
  ) {}

  /** {@link Access} bits. */
  get access(): number {
    return (this.high >>> 8) & 0xf0ff;
  }
  /** The four type bits. */
  get type(): number {
    return (this.high >>> 8) & 15;
  }
  get present(): boolean {
    return (this.high & (1 << 15)) !== 0;
  }
  get dpl(): number {
    return (this.high >>> 13) & 3;
  }
  /** A system segment or a gate. */
  get system(): boolean {
    return (this.access & Access.S) === 0;
  }
  get code(): boolean {
    return (this.access & (Access.S | Access.CODE)) === (Access.S | Access.CODE);
  }
  get conforming(): boolean {
    return (this.access & Access.EXPAND_DOWN) !== 0;
  }
  get writableData(): boolean {
    return (this.access & (Access.S | Access.CODE | Access.READ_WRITE)) === (Access.S | Access.READ_WRITE);
  }
  /** A data segment or a readable code segment. */
  get readable(): boolean {
    return (this.access & Access.S) !== 0 && (this.access & (Access.CODE | Access.READ_WRITE)) !== Access.CODE;
  }
  get base(): number {
    const base = ((this.low >>> 16) | ((this.high & 0xff) << 16) | (this.high & 0xff00_0000)) >>> 0;
    return this.upper === 0 ? base : base + (this.upper | 0) * 2 ** 32;
  }
  /** Limit in bytes, granularity applied. */
  get limit(): number {
    const limit = (this.low & 0xffff) | (this.high & 0xf_0000);
    return (this.high & (1 << 23)) !== 0 ? limit * 4096 + 4095 : limit;
  }

  /** Of a gate: the selector of the target. */
  get gateSelector(): number {
    return this.low >>> 16;
  }
  /** Of a 16-bit gate: the offset. */
  get gateOffset16(): number {
    return this.low & 0xffff;
  }
  /** Of a 32-bit gate (64-bit in IA-32e mode): the offset. */
  get gateOffset(): number {
    const offset = ((this.low & 0xffff) | (this.high & 0xffff_0000)) >>> 0;
    return this.upper === 0 ? offset : offset + (this.upper | 0) * 2 ** 32;
  }
}

/** A selector that selects nothing. */
export function isNull(selector: number): boolean {
  return (selector & 0xfffc) === 0;
}

/** Linear address of `offset` in a segment with that base. */
export function linearAddress(core: CpuCore, base: number, offset: number): number {
  if (!core.r.longMode) return (base + offset) >>> 0;
  return base + offset;
}

/** The descriptor that a selector names, or null if it lies outside its table. Reads memory: may raise #PF. */
export function findDescriptor(core: CpuCore, selector: number): Descriptor | null {
  const r = core.r, offset = selector & 0xfff8;
  let base: number, limit: number;
  if ((selector & 4) !== 0) {
    if (!r.segmentValid(Seg.LDTR)) return null;
    base = r.segmentBase(Seg.LDTR);
    limit = r.segmentLimit(Seg.LDTR);
  } else {
    base = r.number(S.GDTR_BASE);
    limit = r.u32(S.GDTR_LIMIT);
  }
  if (offset + 7 > limit) return null;
  const address = linearAddress(core, base, offset);
  const low = core.read32(address, false), high = core.read32(linearAddress(core, address, 4), false);
  // Only LDT, TSS and call-gate descriptors have sixteen bytes, in IA-32e mode.
  if (!r.longMode || (high & (1 << 12)) !== 0 || ((high >>> 8) & 15) === 0) {
    return new Descriptor(selector, address, low, high);
  }
  if (offset + 15 > limit) return null;
  const upper = core.read32(linearAddress(core, address, 8), false);
  const upperType = (core.read32(linearAddress(core, address, 12), false) >>> 8) & 0x1f;
  return new Descriptor(selector, address, low, high, upper, upperType);
}

/** The error code that names a selector: RPL bits replaced by `ext` (1 if the event is external to the program). */
export function selectorError(selector: number, ext = 0): number {
  return (selector & 0xfffc) | ext;
}

/** Like {@link findDescriptor}, but raises `vector` with the selector if it lies outside its table. */
export function readDescriptor(core: CpuCore, selector: number, vector: number = Vector.GP, ext = 0): Descriptor {
  return findDescriptor(core, selector) ?? core.raise(vector, selectorError(selector, ext));
}

/** Sets the accessed bit of a code or data descriptor in memory. */
export function markAccessed(core: CpuCore, descriptor: Descriptor): void {
  if ((descriptor.high & (Access.ACCESSED << 8)) !== 0) return;
  core.write8(linearAddress(core, descriptor.address, 5), (descriptor.access & 0xff) | Access.ACCESSED, false);
}

/** Sets or clears the busy bit of a TSS descriptor in memory. */
export function markBusy(core: CpuCore, address: number, busy: boolean): void {
  const rights = linearAddress(core, address, 5), old = core.read8(rights, false);
  core.write8(rights, busy ? old | 2 : old & ~2, false);
}
