/**
 * Interrupts and exceptions: the way through the interrupt vector table or the IDT, stack switches, error codes, and what
 * happens when delivery itself faults. Intel SDM vol. 3A, chapter 6; vol. 2, INT n.
 */
import type { CpuCore } from "../core.ts";
import { CpuFault } from "../fault.ts";
import { Access } from "../registers.ts";
import { CR4, Flag, R, S, Seg, Vector } from "../state.ts";
import { isCanonical } from "./canonical.ts";
import {
  Descriptor,
  findDescriptor,
  isNull,
  linearAddress,
  markAccessed,
  readDescriptor,
  selectorError,
  SystemType,
} from "./descriptors.ts";
import {
  checkStackSegment,
  inV86,
  isAvailableTss,
  loadRealSegment,
  setFromDescriptor,
  setNullSegment,
} from "./segments.ts";
import { innerStack, innerStack64, pushesOnto, pushesOnto64, pushesOntoCurrent, setStackPointer } from "./stack.ts";
import { Dr6, DR7_GD } from "./debug.ts";
import { pushTaskErrorCode, switchCount, switchTask } from "./tasks.ts";

/** Where an interrupt comes from: it decides the EXT bit, the gate's privilege check and RF. */
export type InterruptKind = "exception" | "software" | "hardware";

/** Vectors whose fault during the delivery of another one makes a double fault. Table 6-5. */
function isContributory(vector: number): boolean {
  return vector === Vector.DE || (vector >= Vector.TS && vector <= Vector.GP);
}

/** What becomes of `second` raised while `first` is delivered: a vector, or -1 for shutdown. Table 6-6. */
function combine(first: number, second: number): number {
  const severe = isContributory(second) || second === Vector.PF;
  if (first === Vector.DF) return severe ? -1 : second;
  if (isContributory(first)) return isContributory(second) ? Vector.DF : second;
  if (first === Vector.PF) return severe ? Vector.DF : second;
  return second;
}

/** A delivery that faults is followed by another; this bounds the chain for benign loops. */
const MAX_NESTING = 8;

/**
 * Delivers an interrupt or exception; RIP is the address to return to. `errorCode` is -1 for vectors without one. For #PF
 * `address` goes to CR2; without it CR2 has been set. Faults on the way become further exceptions, double faults, and at
 * last shutdown: then the result is false.
 */
export function deliver(
  core: CpuCore,
  vector: number,
  errorCode: number,
  kind: InterruptKind,
  address?: number,
): boolean {
  core.r.setI32(S.HALTED, 0);
  core.r.setI32(S.SHADOW, 0);
  // Only exceptions make later ones worse: an interrupt's vector number means nothing here.
  let first = kind === "exception" ? vector : -1;
  for (let attempt = 0; attempt < MAX_NESTING; attempt++) {
    try {
      if (kind === "exception" && vector === Vector.PF && address !== undefined) core.r.setNumber(S.CR2, address);
      enter(core, vector, errorCode, kind);
      return true;
    } catch (fault) {
      if (!(fault instanceof CpuFault)) throw fault;
      const next = first < 0 ? fault.vector : combine(first, fault.vector);
      if (next < 0) return false;
      errorCode = next === fault.vector ? fault.code : 0;
      address = next === Vector.PF ? fault.address : undefined;
      vector = first = next;
      kind = "exception";
    }
  }
  return false;
}

/**
 * Runs an instruction's far transfer. A fault belongs to the instruction, unless a task switch has been completed: then it
 * is delivered here, in the new task.
 */
export function transferOrDeliver(core: CpuCore, transfer: () => void): void {
  const before = switchCount();
  try {
    transfer();
  } catch (fault) {
    if (!(fault instanceof CpuFault) || switchCount() === before) throw fault;
    const address = fault.vector === Vector.PF ? fault.address : undefined;
    if (!deliver(core, fault.vector, fault.code, "exception", address)) core.shutdown();
  }
}

/** Like {@link transferOrDeliver}, with RIP already on the next instruction. */
function interrupt(core: CpuCore, nextIp: number, transfer: () => void): void {
  const r = core.r, ip = r.ip;
  transferOrDeliver(core, () => {
    r.ip = nextIp;
    const before = switchCount();
    try {
      transfer();
    } catch (fault) {
      if (switchCount() === before) r.ip = ip;
      throw fault;
    }
  });
}

/** INT n. In virtual-8086 mode IOPL and the TSS's redirection map decide where it goes. Table 20-2. */
export function softwareInterrupt(core: CpuCore, vector: number, nextIp: number): void {
  interrupt(core, nextIp, () => {
    if (inV86(core)) {
      if (redirects(core, vector)) {
        discardTraps(core, "software");
        enterRedirected(core, vector);
        core.modeChanged();
        return;
      }
      if ((core.r.i32(S.EFLAGS) & Flag.IOPL) !== Flag.IOPL) core.raise(Vector.GP, 0);
    }
    enter(core, vector, -1, "software");
  });
}

/** INT3 and INTO, which IOPL does not restrict. */
export function trapInterrupt(core: CpuCore, vector: number, nextIp: number): void {
  interrupt(core, nextIp, () => enter(core, vector, -1, "software"));
}

/** INTO: #OF if the overflow flag is set, else on to the next instruction. */
export function interruptOnOverflow(core: CpuCore, nextIp: number): void {
  if ((core.r.eflags & Flag.OF) !== 0) trapInterrupt(core, Vector.OF, nextIp);
  else core.r.ip = nextIp;
}

/** INT1 (ICEBP): a debug trap without the gate's privilege check. */
export function debugInterrupt(core: CpuCore, nextIp: number): void {
  interrupt(core, nextIp, () => enter(core, Vector.DB, -1, "hardware"));
}

/**
 * Entering a handler, also by INT n, discards debug traps of the instruction. Section 17.3.1.4. What waits since a load of
 * SS before INT n comes at the handler's first instruction. Section 6.8.3.
 */
function discardTraps(core: CpuCore, kind: InterruptKind): void {
  core.r.setI32(S.DEBUG_TRAP, kind === "software" ? core.r.i32(S.DEBUG_TRAP) & ~Dr6.BS : 0);
}

/** One attempt; raises what goes wrong, with nothing changed. */
function enter(core: CpuCore, vector: number, errorCode: number, kind: InterruptKind): void {
  const r = core.r;
  discardTraps(core, kind);
  if (core.enterHandler(vector, errorCode, resumeFlag(vector, kind), kind === "software")) return;
  if (!r.protectedMode && !inV86(core)) enterReal(core, vector, kind);
  else if (r.longMode) enter64(core, vector, errorCode, kind);
  else enterProtected(core, vector, errorCode, kind);
  if (vector === Vector.DB && kind !== "software") r.setI32(S.DR + 7 * 8, r.i32(S.DR + 7 * 8) & ~DR7_GD);
  core.modeChanged();
}

/** Error code of a fault in the IDT entry of `vector`: IDT bit and EXT. */
function idtError(vector: number, ext: number): number {
  return vector * 8 + 2 + ext;
}

/** Through the interrupt vector table. Section 20.1.4. */
function enterReal(core: CpuCore, vector: number, kind: InterruptKind): void {
  const r = core.r;
  if (vector * 4 + 3 > r.u32(S.IDTR_LIMIT)) core.raise(Vector.GP, idtError(vector, kind === "software" ? 0 : 1));
  const entry = core.read32(linearAddress(core, r.number(S.IDTR_BASE), vector * 4), false);
  const flags = r.eflags;
  const pointer = pushesOntoCurrent(core).add(flags).add(r.selector(Seg.CS)).add(r.ip).store(core, 2);
  setStackPointer(core, pointer);
  r.setI32(S.EFLAGS, r.i32(S.EFLAGS) & ~(Flag.IF | Flag.TF | Flag.AC | Flag.RF));
  loadRealSegment(core, Seg.CS, entry >>> 16);
  r.ip = entry & 0xffff;
}

/** Faults set RF in EFLAGS as it is pushed, so that a restarted instruction does not hit its breakpoint again. Section 17.3.1.1. */
function resumeFlag(vector: number, kind: InterruptKind): number {
  const isTrap = vector === Vector.DB || vector === Vector.BP || vector === Vector.OF || vector === Vector.DF;
  return kind === "exception" && !isTrap ? Flag.RF : 0;
}

/** CR4.VME: INT n in virtual-8086 mode goes through the program's own vector table if the TSS says so. Section 20.3. */
function redirects(core: CpuCore, vector: number): boolean {
  const r = core.r;
  if ((r.i32(S.CR4) & CR4.VME) === 0 || (r.segmentAccess(Seg.TR) & 8) === 0) return false;
  const base = r.segmentBase(Seg.TR), limit = r.segmentLimit(Seg.TR);
  if (limit < 0x67) return false;
  const map = core.read16(linearAddress(core, base, 0x66), false) - 32 + (vector >>> 3);
  if (map < 0 || map > limit) return false;
  return ((core.read8(linearAddress(core, base, map), false) >>> (vector & 7)) & 1) === 0;
}

/** INT n that VME sends to the virtual-8086 program's own handler. */
function enterRedirected(core: CpuCore, vector: number): void {
  const r = core.r, flags = r.eflags;
  const entry = core.read32(vector * 4);
  const virtual = (flags & Flag.IOPL) !== Flag.IOPL;
  // With IOPL below 3 the program sees VIF as its IF, and an IOPL of 3.
  const image = virtual ? (flags & ~Flag.IF) | ((flags & Flag.VIF) !== 0 ? Flag.IF : 0) | Flag.IOPL : flags;
  const pointer = pushesOntoCurrent(core).add(image).add(r.selector(Seg.CS)).add(r.ip).store(core, 2);
  setStackPointer(core, pointer);
  r.setI32(S.EFLAGS, r.i32(S.EFLAGS) & ~(Flag.TF | Flag.RF | Flag.NT | (virtual ? Flag.VIF : Flag.IF)));
  loadRealSegment(core, Seg.CS, entry >>> 16);
  r.ip = entry & 0xffff;
}

/** Reads and checks the gate of `vector`. */
function readGate(core: CpuCore, vector: number, size: 8 | 16, types: number, software: boolean): Descriptor {
  const r = core.r, ext = software ? 0 : 1;
  const offset = vector * size;
  if (offset + size - 1 > r.u32(S.IDTR_LIMIT)) core.raise(Vector.GP, idtError(vector, ext));
  const address = linearAddress(core, r.number(S.IDTR_BASE), offset);
  const low = core.read32(address, false), high = core.read32(linearAddress(core, address, 4), false);
  const gate = new Descriptor(
    0,
    address,
    low,
    high,
    size === 16 ? core.read32(linearAddress(core, address, 8), false) : 0,
  );
  if (!gate.system || ((types >>> gate.type) & 1) === 0) core.raise(Vector.GP, idtError(vector, ext));
  if (software && gate.dpl < r.cpl) core.raise(Vector.GP, idtError(vector, 0));
  if (!gate.present) core.raise(Vector.NP, idtError(vector, ext));
  return gate;
}

const GATES = (1 << SystemType.TASK_GATE) | (1 << SystemType.INTERRUPT_GATE16) | (1 << SystemType.TRAP_GATE16) |
  (1 << SystemType.INTERRUPT_GATE32) | (1 << SystemType.TRAP_GATE32);
const GATES_LONG = (1 << SystemType.INTERRUPT_GATE32) | (1 << SystemType.TRAP_GATE32);

/** The flags that entry through a gate clears. */
function clearFlags(core: CpuCore, gate: Descriptor): void {
  const interruptGate = (gate.type & 1) === 0;
  const cleared = Flag.TF | Flag.NT | Flag.RF | Flag.VM | (interruptGate ? Flag.IF : 0);
  core.r.setI32(S.EFLAGS, core.r.i32(S.EFLAGS) & ~cleared);
}

/** The code segment of a gate. */
function readHandlerSegment(core: CpuCore, selector: number, ext: number): Descriptor {
  if (isNull(selector)) core.raise(Vector.GP, ext);
  const code = readDescriptor(core, selector, Vector.GP, ext);
  if (!code.code || code.dpl > core.r.cpl) core.raise(Vector.GP, selectorError(selector, ext));
  if (!code.present) core.raise(Vector.NP, selectorError(selector, ext));
  return code;
}

/** Through the IDT outside IA-32e mode. Section 6.12. */
function enterProtected(core: CpuCore, vector: number, errorCode: number, kind: InterruptKind): void {
  const r = core.r, software = kind === "software", ext = software ? 0 : 1;
  const gate = readGate(core, vector, 8, GATES, software);
  if (gate.type === SystemType.TASK_GATE) {
    enterTask(core, gate.gateSelector, errorCode, ext);
    return;
  }
  const selector = gate.gateSelector;
  const code = readHandlerSegment(core, selector, ext);
  const wide = gate.type >= SystemType.INTERRUPT_GATE32, bytes = wide ? 4 : 2;
  const target = wide ? gate.gateOffset : gate.gateOffset16;
  const flags = r.eflags | resumeFlag(vector, kind), v86 = inV86(core), cpl = r.cpl;
  const inner = !code.conforming && code.dpl < cpl;
  if (v86 && (!inner || code.dpl !== 0)) core.raise(Vector.GP, selectorError(selector, ext));
  if (!inner) {
    if (target > code.limit) core.raise(Vector.GP, ext);
    const pushes = pushesOntoCurrent(core, ext).add(flags).add(r.selector(Seg.CS)).add(r.ip);
    if (errorCode >= 0) pushes.add(errorCode);
    const pointer = pushes.store(core, bytes);
    markAccessed(core, code);
    setStackPointer(core, pointer);
    setFromDescriptor(core, Seg.CS, (selector & 0xfffc) | cpl, code);
  } else {
    const level = code.dpl;
    const stack = innerStack(core, level, ext);
    if (isNull(stack.selector)) core.raise(Vector.TS, ext);
    const ss = checkStackSegment(core, stack.selector, level, Vector.TS, ext);
    if (target > code.limit) core.raise(Vector.GP, ext);
    const pushes = pushesOnto(ss, stack.pointer, level, selectorError(stack.selector, ext));
    if (v86) {
      pushes.add(r.selector(Seg.GS)).add(r.selector(Seg.FS)).add(r.selector(Seg.DS)).add(r.selector(Seg.ES));
    }
    pushes.add(r.selector(Seg.SS)).add(wide ? r.get32(4) : r.get16(4)).add(flags).add(r.selector(Seg.CS)).add(r.ip);
    if (errorCode >= 0) pushes.add(errorCode);
    const pointer = pushes.store(core, bytes);
    markAccessed(core, ss);
    markAccessed(core, code);
    if (v86) { for (const segment of [Seg.GS, Seg.FS, Seg.DS, Seg.ES]) setNullSegment(core, segment, 0); }
    setFromDescriptor(core, Seg.SS, stack.selector, ss);
    setFromDescriptor(core, Seg.CS, (selector & 0xfffc) | level, code);
    r.setI32(S.CPL, level);
    setStackPointer(core, pointer);
  }
  r.ip = target;
  clearFlags(core, gate);
}

/** Through a task gate. */
function enterTask(core: CpuCore, selector: number, errorCode: number, ext: number): void {
  const tss = (selector & 4) !== 0 || isNull(selector) ? null : findDescriptor(core, selector);
  if (tss === null || !isAvailableTss(core, tss)) core.raise(Vector.GP, selectorError(selector, ext));
  if (!tss.present) core.raise(Vector.NP, selectorError(selector, ext));
  switchTask(core, tss, "nest", core.r.ip, ext);
  if (errorCode >= 0) pushTaskErrorCode(core, errorCode, ext);
}

/** Through the IDT in IA-32e mode. Section 6.14. */
function enter64(core: CpuCore, vector: number, errorCode: number, kind: InterruptKind): void {
  const r = core.r, software = kind === "software", ext = software ? 0 : 1;
  const gate = readGate(core, vector, 16, GATES_LONG, software);
  const selector = gate.gateSelector;
  const code = readHandlerSegment(core, selector, ext);
  if ((code.access & (Access.LONG | Access.BIG)) !== Access.LONG) {
    core.raise(Vector.GP, selectorError(selector, ext));
  }
  if (!isCanonical(gate.gateOffset)) core.raise(Vector.GP, ext);
  const cpl = r.cpl, inner = !code.conforming && code.dpl < cpl;
  const level = inner ? code.dpl : cpl;
  const ist = gate.high & 7;
  let pointer = r.number(S.GPR + 4 * 8);
  if (ist !== 0) pointer = innerStack64(core, 36 + (ist - 1) * 8, ext);
  else if (inner) pointer = innerStack64(core, 4 + level * 8, ext);
  const pushes = pushesOnto64(pointer - (((pointer % 16) + 16) % 16), level, ext)
    .add(r.selector(Seg.SS)).add(r.get64(R.SP)).add(r.eflags | resumeFlag(vector, kind))
    .add(r.selector(Seg.CS)).add(r.ip);
  if (errorCode >= 0) pushes.add(errorCode);
  const stored = pushes.store(core, 8);
  markAccessed(core, code);
  if (inner) setNullSegment(core, Seg.SS, level);
  setFromDescriptor(core, Seg.CS, (selector & 0xfffc) | level, code);
  r.setI32(S.CPL, level);
  r.setNumber(S.GPR + 4 * 8, stored);
  r.ip = gate.gateOffset;
  clearFlags(core, gate);
}
