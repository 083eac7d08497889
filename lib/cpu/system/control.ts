/** Control registers, descriptor-table registers, and instructions that only the kernel may run. Intel SDM vol. 3A, chapter 2. */
import type { CpuCore } from "../core.ts";
import { Access } from "../registers.ts";
import { CR0, CR4, EFER, Flag, R, S, SEG, Seg, Shadow, Vector } from "../state.ts";
import type { Feature } from "./feature_table.ts";
import { isCanonical, isCanonical64 } from "./canonical.ts";
import { type CpuModel, hasFeature } from "./model.ts";
import { pdptesValid } from "./paging.ts";
import { in64BitCode, inV86 } from "./segments.ts";

const TWO_32 = 2 ** 32;
/** Bits of CR0 that exist; the others read 0. */
const CR0_BITS = CR0.PE | CR0.MP | CR0.EM | CR0.TS | CR0.ET | CR0.NE | CR0.WP | CR0.AM | CR0.NW | CR0.CD | CR0.PG;

/** Raises #GP(0) unless the current privilege level is 0. */
export function requireRing0(core: CpuCore): void {
  if (core.r.cpl !== 0) core.raise(Vector.GP, 0);
}

/** MOV to CR0 and LMSW: the bits that may not be combined, and what follows from the change. */
export function writeCr0(core: CpuCore, value: number): void {
  const r = core.r, old = r.i32(S.CR0);
  if (value < 0 || value >= TWO_32) core.raise(Vector.GP, 0);
  const next = (value & CR0_BITS) | CR0.ET;
  const paging = (next & CR0.PG) !== 0, wasPaging = (old & CR0.PG) !== 0;
  if (paging && (next & CR0.PE) === 0) core.raise(Vector.GP, 0);
  if (!paging && (r.i32(S.CR4) & CR4.PCIDE) !== 0) core.raise(Vector.GP, 0);
  if ((next & CR0.NW) !== 0 && (next & CR0.CD) === 0) core.raise(Vector.GP, 0);
  const efer = r.i32(S.EFER);
  if (paging && !wasPaging) enablePaging(core, efer);
  if (!paging && wasPaging && (efer & EFER.LMA) !== 0) {
    if (in64BitCode(core)) core.raise(Vector.GP, 0);
    r.setNumber(S.EFER, efer & ~EFER.LMA);
  }
  r.setNumber(S.CR0, next >>> 0);
  if (((old ^ next) & (CR0.PG | CR0.WP | CR0.PE)) !== 0) core.flushTlb();
  core.modeChanged();
}

/** What must hold when CR0.PG becomes 1. Section 4.1.2. */
function enablePaging(core: CpuCore, efer: number): void {
  const r = core.r, pae = (r.i32(S.CR4) & CR4.PAE) !== 0;
  if ((efer & EFER.LME) !== 0) {
    if (!pae || (r.segmentAccess(Seg.CS) & Access.LONG) !== 0) core.raise(Vector.GP, 0);
    r.setNumber(S.EFER, efer | EFER.LMA);
  } else if (pae && !pdptesValid(core, r.u32(S.CR3))) {
    core.raise(Vector.GP, 0);
  }
}

/**
 * MOV to CR3. With process-context identifiers bit 63 asks for translations to stay; they always are what the page tables
 * say, so that nothing depends on it.
 */
function moveToCr3(core: CpuCore, value: bigint): void {
  if ((core.r.i32(S.CR4) & CR4.PCIDE) !== 0) value &= ~(1n << 63n);
  writeCr3(core, Number(value));
}

/** Loads CR3 and goes over to its page tables. */
export function writeCr3(core: CpuCore, value: number): void {
  const r = core.r, old = r.number(S.CR3);
  // Not as a power, which takes V8 a call.
  const limit = r.longMode ? TWO_32 * (1 << (core.model.physicalBits - 32)) : TWO_32;
  if (value < 0 || value >= limit) core.raise(Vector.GP, 0);
  const paePaging = (r.i32(S.CR0) & CR0.PG) !== 0 && (r.i32(S.CR4) & CR4.PAE) !== 0 && !r.longMode;
  if (paePaging && !pdptesValid(core, value)) core.raise(Vector.GP, 0);
  r.setNumber(S.CR3, value);
  core.switchPageTables(old);
}

/** Bits of CR4 by the feature that they come with. */
const CR4_FEATURES: readonly (readonly [Feature, number])[] = [
  ["vme", CR4.VME | CR4.PVI],
  ["tsc", CR4.TSD],
  ["de", CR4.DE],
  ["pse", CR4.PSE],
  ["pae", CR4.PAE],
  ["pge", CR4.PGE],
  ["cmov", CR4.PCE],
  ["fxsr", CR4.OSFXSR],
  ["sse", CR4.OSXMMEXCPT],
  ["xsave", CR4.OSXSAVE],
  ["umip", CR4.UMIP],
  ["fsgsbase", CR4.FSGSBASE],
  ["pcid", CR4.PCIDE],
  ["smep", CR4.SMEP],
  ["smap", CR4.SMAP],
];

/** Bits of CR4 that a model has. */
function cr4Bits(model: CpuModel): number {
  let bits = 0;
  for (const [feature, mask] of CR4_FEATURES) if (hasFeature(model, feature)) bits |= mask;
  return bits;
}

/** Bits of CR4 on which translations depend. */
const CR4_PAGING = CR4.PAE | CR4.PSE | CR4.PCIDE | CR4.SMEP | CR4.SMAP;
/** Bits of CR4 whose change makes PAE paging read its PDPTEs again. Section 4.4.1. */
const CR4_PDPTES = CR4.PAE | CR4.PSE | CR4.PGE | CR4.SMEP;

/** MOV to CR4. */
function writeCr4(core: CpuCore, value: number): void {
  const r = core.r, old = r.i32(S.CR4);
  if (value < 0 || value >= TWO_32 || (value & ~cr4Bits(core.model)) !== 0) core.raise(Vector.GP, 0);
  if (r.longMode && (value & CR4.PAE) === 0) core.raise(Vector.GP, 0);
  const changed = old ^ value, paging = (r.i32(S.CR0) & CR0.PG) !== 0;
  // Process-context identifiers are switched on in IA-32e mode, while the current one is 0. Section 4.10.1.
  const identified = (changed & value & CR4.PCIDE) !== 0;
  if (identified && (!r.longMode || (r.i32(S.CR3) & 0xfff) !== 0)) core.raise(Vector.GP, 0);
  if (paging && !r.longMode && (value & CR4.PAE) !== 0 && (changed & CR4_PDPTES) !== 0) {
    if (!pdptesValid(core, r.u32(S.CR3))) core.raise(Vector.GP, 0);
  }
  r.setNumber(S.CR4, value);
  if ((changed & CR4_PAGING) !== 0) core.flushTlb();
  core.modeChanged();
}

/** Raises #UD for a control register that there is none of, #GP(0) outside the kernel. */
function checkControlRegister(core: CpuCore, number: number): void {
  const exists = number === 0 || number === 2 || number === 3 || number === 4 ||
    (number === 8 && hasFeature(core.model, "lm"));
  if (!exists) core.raise(Vector.UD);
  requireRing0(core);
}

/** MOV CRn, r: `value` is the register, unsigned. */
export function writeControlRegister(core: CpuCore, number: number, value: bigint): void {
  checkControlRegister(core, number);
  switch (number) {
    case 0:
      return writeCr0(core, Number(value));
    case 2:
      return core.r.setU64(S.CR2, value);
    case 3:
      return moveToCr3(core, value);
    case 4:
      return writeCr4(core, Number(value));
    case 8:
      if (value > 15n) core.raise(Vector.GP, 0);
      return writeTaskPriority(core, Number(value));
  }
}

/** CR8 is the upper half of the local APIC's task priority register. */
function writeTaskPriority(core: CpuCore, value: number): void {
  if (core.bus.localApic === undefined) core.r.setNumber(S.CR8, value);
  else core.bus.localApic.taskPriority = value << 4;
}

/** MOV r, CR8, or a register that is missing: the others are read in place. */
export function readControlRegister(core: CpuCore, number: number): bigint {
  checkControlRegister(core, number);
  const { localApic } = core.bus;
  return localApic === undefined ? core.r.u64(S.CR8) : BigInt(localApic.taskPriority >>> 4);
}

/** LMSW: the low four bits of CR0; PE cannot be cleared. */
export function loadMachineStatus(core: CpuCore, value: number): void {
  requireRing0(core);
  const old = core.r.u32(S.CR0);
  writeCr0(core, ((old & ~0xe) | (value & 0xf)) >>> 0);
}

/** CLTS. */
export function clearTaskSwitched(core: CpuCore): void {
  requireRing0(core);
  core.r.setNumber(S.CR0, (core.r.i32(S.CR0) & ~CR0.TS) >>> 0);
  core.modeChanged();
}

/** LGDT (field S.GDTR_BASE) and LIDT (S.IDTR_BASE), operands read already. */
export function loadTableRegister(core: CpuCore, field: number, limit: number, base: number): void {
  requireRing0(core);
  if (in64BitCode(core) && !isCanonical(base)) core.raise(Vector.GP, 0);
  core.r.setNumber(field, base);
  core.r.setI32(field + (S.GDTR_LIMIT - S.GDTR_BASE), limit);
}

/** HLT. */
export function halt(core: CpuCore): void {
  requireRing0(core);
  core.r.setI32(S.HALTED, 1);
}

/** INVPCID's checks that come before its descriptor is read. */
export function checkInvpcid(core: CpuCore): void {
  if (inV86(core)) core.raise(Vector.GP, 0);
  requireRing0(core);
}

/**
 * INVPCID with the two halves of its descriptor. Type 0 invalidates an address in a context, 1 a context, 2 everything, 3
 * everything but global pages. Translations always agree with the page tables: only the checks are left to do.
 */
export function invalidateContext(core: CpuCore, type: number, context: bigint, linear: bigint): void {
  if (type < 0 || type > 3 || context >> 12n !== 0n) core.raise(Vector.GP, 0);
  if (type < 2 && context !== 0n && (core.r.i32(S.CR4) & CR4.PCIDE) === 0) core.raise(Vector.GP, 0);
  if (type === 0 && !isCanonical64(linear)) core.raise(Vector.GP, 0);
}

/** STAC and CLAC: supervisor code opens the user's data to itself, and closes it again. */
export function setAlignmentCheck(core: CpuCore, set: boolean): void {
  const r = core.r, flags = r.i32(S.EFLAGS);
  if (r.cpl !== 0) core.raise(Vector.UD);
  r.setI32(S.EFLAGS, set ? flags | Flag.AC : flags & ~Flag.AC);
  core.modeChanged();
}

/** RDFSBASE and RDGSBASE. */
export function readSegmentBase(core: CpuCore, segment: number): bigint {
  if ((core.r.i32(S.CR4) & CR4.FSGSBASE) === 0) core.raise(Vector.UD);
  return core.r.u64(S.SEG + segment * SEG.SIZE + SEG.BASE);
}

/** WRFSBASE and WRGSBASE. */
export function writeSegmentBase(core: CpuCore, segment: number, base: bigint): void {
  if ((core.r.i32(S.CR4) & CR4.FSGSBASE) === 0) core.raise(Vector.UD);
  if (!isCanonical64(base)) core.raise(Vector.GP, 0);
  setSegmentBase(core, segment, Number(BigInt.asIntN(64, base)));
}

/** SWAPGS. */
export function swapGs(core: CpuCore): void {
  const r = core.r;
  if (!in64BitCode(core)) core.raise(Vector.UD);
  requireRing0(core);
  const base = r.segmentBase(Seg.GS);
  setSegmentBase(core, Seg.GS, r.number(S.KERNEL_GS_BASE));
  r.setNumber(S.KERNEL_GS_BASE, base);
}

/** Changes the base of FS or GS alone. */
export function setSegmentBase(core: CpuCore, segment: number, base: number): void {
  const r = core.r;
  const limit = r.segmentLimit(segment), access = r.segmentAccess(segment), valid = r.segmentValid(segment);
  r.setSegment(segment, r.selector(segment), base, limit, access, valid);
}

/** RDTSC. */
export function readTimestamp(core: CpuCore): void {
  const r = core.r;
  if ((r.i32(S.CR4) & CR4.TSD) !== 0 && r.cpl !== 0 && (r.i32(S.CR0) & CR0.PE) !== 0) core.raise(Vector.GP, 0);
  // Kernels wait in loops of RDTSC: halves as numbers are several times as fast as a bigint.
  const cycles = core.bus.timestamp();
  const low = cycles % 2 ** 32 + r.u32(S.TSC_OFFSET);
  r.set32(R.AX, low % 2 ** 32);
  r.set32(R.DX, Math.floor(cycles / 2 ** 32) + r.u32(S.TSC_OFFSET + 4) + (low >= 2 ** 32 ? 1 : 0));
}

/** RDTSCP. */
export function readTimestampAndId(core: CpuCore): void {
  readTimestamp(core);
  core.r.set32(R.CX, core.r.u32(S.TSC_AUX));
}

/** RDPMC: there are no counters. */
export function readPerformanceCounter(core: CpuCore): void {
  core.raise(Vector.GP, 0);
}

/** How CLI, STI and the like treat the interrupt flag here: the real one, the virtual one, or not at all. */
function interruptFlagAccess(core: CpuCore): "real" | "virtual" | "none" {
  const r = core.r, flags = r.i32(S.EFLAGS), iopl = (flags >>> 12) & 3;
  if ((r.i32(S.CR0) & CR0.PE) === 0 || r.cpl <= iopl) return "real";
  const cr4 = r.i32(S.CR4);
  if (inV86(core)) return (cr4 & CR4.VME) !== 0 ? "virtual" : "none";
  return (cr4 & CR4.PVI) !== 0 && r.cpl === 3 ? "virtual" : "none";
}

/** CLI. */
export function clearInterrupts(core: CpuCore): void {
  const access = interruptFlagAccess(core);
  if (access === "none") core.raise(Vector.GP, 0);
  core.r.setI32(S.EFLAGS, core.r.i32(S.EFLAGS) & ~(access === "real" ? Flag.IF : Flag.VIF));
}

/** STI: interrupts are held off until the next instruction is done. */
export function setInterrupts(core: CpuCore): void {
  const r = core.r, access = interruptFlagAccess(core), flags = r.i32(S.EFLAGS);
  if (access === "none" || (access === "virtual" && (flags & Flag.VIP) !== 0)) core.raise(Vector.GP, 0);
  if (access === "real") {
    if ((flags & Flag.IF) === 0) r.setI32(S.SHADOW, Shadow.INTERRUPTS);
    r.setI32(S.EFLAGS, flags | Flag.IF);
  } else r.setI32(S.EFLAGS, flags | Flag.VIF);
}

/** PUSHF: the image to push. Raises #GP(0) in virtual-8086 mode with IOPL below 3, where VME does not help. */
export function flagsToPush(core: CpuCore, size: number): number {
  const flags = core.r.eflags & ~(Flag.RF | Flag.VM);
  if (!inV86(core) || (flags & Flag.IOPL) === Flag.IOPL) return flags;
  if (size !== 16 || (core.r.i32(S.CR4) & CR4.VME) === 0) core.raise(Vector.GP, 0);
  return (flags & ~Flag.IF) | ((flags & Flag.VIF) !== 0 ? Flag.IF : 0) | Flag.IOPL;
}

/** POPF: changes the flags that the privilege level lets it change. */
export function popFlags(core: CpuCore, image: number, size: number): void {
  const r = core.r, flags = r.eflags, iopl = (flags >>> 12) & 3;
  let mask: number = Flag.ARITHMETIC | Flag.TF | Flag.DF | Flag.NT;
  // RF is always cleared; VIP and VIF are left alone outside level 0.
  let forced = Flag.RF;
  if (size !== 16) mask |= Flag.AC | Flag.ID;
  if (inV86(core)) {
    if (iopl === 3) mask |= Flag.IF;
    else {
      if (size !== 16 || (r.i32(S.CR4) & CR4.VME) === 0) core.raise(Vector.GP, 0);
      if ((image & Flag.TF) !== 0 || ((image & Flag.IF) !== 0 && (flags & Flag.VIP) !== 0)) core.raise(Vector.GP, 0);
      image = (image & ~Flag.VIF) | ((image & Flag.IF) !== 0 ? Flag.VIF : 0);
      mask |= Flag.VIF;
    }
  } else {
    const protectedMode = (r.i32(S.CR0) & CR0.PE) !== 0;
    if (!protectedMode || r.cpl <= iopl) mask |= Flag.IF;
    if (!protectedMode || r.cpl === 0) mask |= Flag.IOPL;
    if (size !== 16 && r.cpl === 0) forced |= Flag.VIF | Flag.VIP;
  }
  r.eflags = (flags & ~(mask | forced)) | (image & mask);
  // SMAP goes by AC.
  if ((flags & ~r.i32(S.EFLAGS) & Flag.AC) !== 0) core.modeChanged();
}
