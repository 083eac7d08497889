/**
 * Loading segment registers in every mode, with the checks and error codes of the manual, and the instructions that
 * inspect descriptors. Intel SDM vol. 2 (MOV, LAR, LSL, VERR, ARPL, LLDT, LTR) and vol. 3A, chapter 5.
 */
import type { CpuCore } from "../core.ts";
import { Access } from "../registers.ts";
import { CR4, Flag, S, Seg, Vector } from "../state.ts";
import { isCanonical } from "./canonical.ts";
import {
  type Descriptor,
  findDescriptor,
  isNull,
  linearAddress,
  markAccessed,
  markBusy,
  readDescriptor,
  selectorError,
  SystemType,
} from "./descriptors.ts";

/** Rights of every segment in virtual-8086 mode: present, DPL 3, writable data, accessed. */
const V86_ACCESS = Access.PRESENT | Access.DPL | Access.S | Access.READ_WRITE | Access.ACCESSED;
/** Rights that a segment has after reset: present, DPL 0, writable data, accessed. */
export const REAL_ACCESS = Access.PRESENT | Access.S | Access.READ_WRITE | Access.ACCESSED;

/** Rights of the flat segments that fast system calls load, without privilege level and width of the code. */
export const FLAT_CODE = Access.PRESENT | Access.S | Access.CODE | Access.READ_WRITE | Access.ACCESSED |
  Access.GRANULARITY;
export const FLAT_DATA = Access.PRESENT | Access.S | Access.READ_WRITE | Access.ACCESSED | Access.GRANULARITY |
  Access.BIG;

/** True in virtual-8086 mode. */
export function inV86(core: CpuCore): boolean {
  return (core.r.i32(S.EFLAGS) & Flag.VM) !== 0;
}

/** True if the processor is in IA-32e mode and runs 64-bit code. */
export function in64BitCode(core: CpuCore): boolean {
  return core.r.longMode && (core.r.segmentAccess(Seg.CS) & Access.LONG) !== 0;
}

/** Linear address of an offset in a segment, unchecked; in 64-bit code only FS and GS have a base. */
export function effectiveAddress(core: CpuCore, segment: number, offset: number): number {
  if (!in64BitCode(core)) return linearAddress(core, core.r.segmentBase(segment), offset);
  return segment >= Seg.FS ? core.r.segmentBase(segment) + offset : offset;
}

/**
 * Loads a segment register in real or virtual-8086 mode. Limit and the big bit survive (so-called unreal mode); everything
 * else becomes what real mode needs, whatever protected mode left behind.
 */
export function loadRealSegment(core: CpuCore, segment: number, selector: number): void {
  const r = core.r, old = r.segmentAccess(segment);
  const kept = r.segmentValid(segment) && (old & Access.PRESENT) !== 0;
  const base = (selector & 0xffff) * 16;
  if ((r.i32(S.EFLAGS) & Flag.VM) !== 0) r.setSegment(segment, selector & 0xffff, base, 0xffff, V86_ACCESS);
  else {
    const expandDown = (old & (Access.CODE | Access.EXPAND_DOWN)) === Access.EXPAND_DOWN;
    const limit = kept && !expandDown ? r.segmentLimit(segment) : 0xffff;
    const access = REAL_ACCESS | (kept ? old & (Access.BIG | Access.GRANULARITY) : 0);
    r.setSegment(segment, selector & 0xffff, base, limit, access);
  }
}

/** Loads the hidden part of a code or data segment from a checked descriptor; its accessed bit must have been set. */
export function setFromDescriptor(core: CpuCore, segment: number, selector: number, descriptor: Descriptor): void {
  core.r.setSegment(segment, selector, descriptor.base, descriptor.limit, descriptor.access | Access.ACCESSED);
}

/** Puts a null selector into a data segment register. */
export function setNullSegment(core: CpuCore, segment: number, selector: number): void {
  core.r.setSegment(segment, selector, 0, 0, 0, false);
}

/**
 * The checks of loading SS with `selector` for privilege level `cpl`: raises `vector` (#GP; #TS from a task switch or an
 * inner stack) or #SS. The selector is not null.
 */
export function checkStackSegment(core: CpuCore, selector: number, cpl: number, vector: number, ext = 0): Descriptor {
  const descriptor = readDescriptor(core, selector, vector, ext);
  if ((selector & 3) !== cpl || descriptor.dpl !== cpl || !descriptor.writableData) {
    core.raise(vector, selectorError(selector, ext));
  }
  if (!descriptor.present) core.raise(Vector.SS, selectorError(selector, ext));
  return descriptor;
}

/** The checks of loading DS, ES, FS or GS in protected mode. The selector is not null. */
export function checkDataSegment(core: CpuCore, selector: number, cpl: number, vector: number, ext = 0): Descriptor {
  const descriptor = readDescriptor(core, selector, vector, ext);
  const rpl = selector & 3;
  const refused = !descriptor.readable ||
    (!(descriptor.code && descriptor.conforming) && (rpl > descriptor.dpl || cpl > descriptor.dpl));
  if (refused) core.raise(vector, selectorError(selector, ext));
  if (!descriptor.present) core.raise(Vector.NP, selectorError(selector, ext));
  return descriptor;
}

/** MOV, POP and the far-pointer loads: `segment` (not CS) becomes `selector`. */
export function loadSegment(core: CpuCore, segment: number, selector: number): void {
  const r = core.r;
  selector &= 0xffff;
  if (!r.protectedMode) {
    loadRealSegment(core, segment, selector);
  } else if (segment === Seg.SS) {
    if (isNull(selector)) {
      if (!in64BitCode(core) || r.cpl === 3 || (selector & 3) !== r.cpl) core.raise(Vector.GP, 0);
      setNullSegment(core, segment, selector);
    } else {
      const descriptor = checkStackSegment(core, selector, r.cpl, Vector.GP);
      markAccessed(core, descriptor);
      setFromDescriptor(core, segment, selector, descriptor);
    }
  } else if (isNull(selector)) {
    setNullSegment(core, segment, selector);
  } else {
    const descriptor = checkDataSegment(core, selector, r.cpl, Vector.GP);
    markAccessed(core, descriptor);
    setFromDescriptor(core, segment, selector, descriptor);
  }
  if (segment !== Seg.FS && segment !== Seg.GS) core.modeChanged();
}

/**
 * After a change to an outer level: data segments that it may not reach become null. Vol. 2, RET. Null selectors count among
 * them, so 1, 2 and 3 become 0. Bases stay: an operating system may have a selector in GS as well as a base of its own, and
 * finds the base again in 64-bit code.
 */
export function dropInnerSegments(core: CpuCore, cpl: number): void {
  const r = core.r;
  for (const segment of [Seg.ES, Seg.DS, Seg.FS, Seg.GS]) {
    const access = r.segmentAccess(segment);
    const conforming = (access & (Access.CODE | Access.EXPAND_DOWN)) === (Access.CODE | Access.EXPAND_DOWN);
    if (!r.segmentValid(segment) || (!conforming && ((access >>> 5) & 3) < cpl)) {
      r.setSegment(segment, 0, r.segmentBase(segment), 0, 0, false);
    }
  }
}

function requireProtected(core: CpuCore): void {
  if (!core.r.protectedMode) core.raise(Vector.UD);
}

function requireKernel(core: CpuCore): void {
  requireProtected(core);
  if (core.r.cpl !== 0) core.raise(Vector.GP, 0);
}

/** LLDT. */
export function loadLdt(core: CpuCore, selector: number): void {
  requireKernel(core);
  selector &= 0xffff;
  if (isNull(selector)) {
    core.r.setSegment(Seg.LDTR, selector, 0, 0, 0, false);
    return;
  }
  const descriptor = (selector & 4) !== 0 ? null : findDescriptor(core, selector);
  const found = descriptor !== null && descriptor.system && descriptor.type === SystemType.LDT;
  if (!found || descriptor.upperType !== 0 || !isCanonical(descriptor.base)) {
    core.raise(Vector.GP, selectorError(selector));
  }
  if (!descriptor.present) core.raise(Vector.NP, selectorError(selector));
  core.r.setSegment(Seg.LDTR, selector, descriptor.base, descriptor.limit, descriptor.access);
}

/** True if a system descriptor type is an available TSS that the current mode can use. */
export function isAvailableTss(core: CpuCore, descriptor: Descriptor): boolean {
  return descriptor.system && (descriptor.type === SystemType.TSS32_AVAILABLE ||
    (descriptor.type === SystemType.TSS16_AVAILABLE && !core.r.longMode));
}

/** LTR. */
export function loadTaskRegister(core: CpuCore, selector: number): void {
  requireKernel(core);
  selector &= 0xffff;
  if (isNull(selector)) core.raise(Vector.GP, 0);
  const descriptor = (selector & 4) !== 0 ? null : findDescriptor(core, selector);
  const found = descriptor !== null && isAvailableTss(core, descriptor);
  if (!found || descriptor.upperType !== 0 || !isCanonical(descriptor.base)) {
    core.raise(Vector.GP, selectorError(selector));
  }
  if (!descriptor.present) core.raise(Vector.NP, selectorError(selector));
  markBusy(core, descriptor.address, true);
  core.r.setSegment(Seg.TR, selector, descriptor.base, descriptor.limit, descriptor.access | 2);
}

/** SGDT, SIDT, SLDT, SMSW and STR: CR4.UMIP reserves them for the kernel. */
export function checkUserInstruction(core: CpuCore): void {
  if ((core.r.i32(S.CR4) & CR4.UMIP) !== 0 && core.r.cpl !== 0) core.raise(Vector.GP, 0);
}

/** The selector in LDTR or TR, for SLDT and STR. */
export function storeSystemSegment(core: CpuCore, segment: number): number {
  requireProtected(core);
  checkUserInstruction(core);
  return core.r.selector(segment);
}

/** True if code at the current level with the selector's RPL may see the descriptor. */
function visible(core: CpuCore, selector: number, descriptor: Descriptor): boolean {
  if (descriptor.code && descriptor.conforming) return true;
  return Math.max(core.r.cpl, selector & 3) <= descriptor.dpl;
}

/** System descriptor types that LAR and LSL accept, as bit sets: outside and inside IA-32e mode. Vol. 2, tables 3-53 and 3-56. */
const LAR_TYPES = 0b0001_1010_0011_1110, LAR_TYPES_LONG = 0b0001_1010_0000_0100;
const LSL_TYPES = 0b0000_1010_0000_1110, LSL_TYPES_LONG = 0b0000_1010_0000_0100;

function inspect(core: CpuCore, selector: number, types: number, longTypes: number): Descriptor | null {
  requireProtected(core);
  if (isNull(selector)) return null;
  const descriptor = findDescriptor(core, selector & 0xffff);
  if (descriptor === null || descriptor.upperType !== 0 || !visible(core, selector, descriptor)) return null;
  const accepted = core.r.longMode ? longTypes : types;
  return descriptor.system && ((accepted >>> descriptor.type) & 1) === 0 ? null : descriptor;
}

/** LAR: puts the access rights into S.SCRATCH. False if the selector does not name a visible descriptor. */
export function loadAccessRights(core: CpuCore, selector: number): boolean {
  const descriptor = inspect(core, selector, LAR_TYPES, LAR_TYPES_LONG);
  if (descriptor === null) return false;
  core.r.setNumber(S.SCRATCH, descriptor.high & 0x00f0_ff00);
  return true;
}

/** LSL: puts the limit in bytes into S.SCRATCH. False if the selector does not name a visible segment. */
export function loadSegmentLimit(core: CpuCore, selector: number): boolean {
  const descriptor = inspect(core, selector, LSL_TYPES, LSL_TYPES_LONG);
  if (descriptor === null) return false;
  core.r.setNumber(S.SCRATCH, descriptor.limit);
  return true;
}

/** VERR and VERW: may the segment be read (written) at the current level? */
export function verifySegment(core: CpuCore, selector: number, write: boolean): boolean {
  const descriptor = inspect(core, selector, 0, 0);
  return descriptor !== null && (write ? descriptor.writableData : descriptor.readable);
}

/** ARPL's mode check. */
export function checkArpl(core: CpuCore): void {
  requireProtected(core);
}
