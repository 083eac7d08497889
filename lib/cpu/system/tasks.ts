/** Hardware task switches. Intel SDM vol. 3A, chapter 7. */
import type { CpuCore } from "../core.ts";
import { CR0, Flag, R, S, Seg, Vector } from "../state.ts";
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
import { Dr6 } from "./debug.ts";
import { pdptesValid } from "./paging.ts";
import { checkDataSegment, checkStackSegment, loadRealSegment, setFromDescriptor, setNullSegment } from "./segments.ts";
import { pushesOntoCurrent, setStackPointer } from "./stack.ts";

/** How a task switch came about: it decides the busy bits, NT and the back link. Table 7-2. */
export type SwitchReason = "jump" | "nest" | "return";

/** Offsets in a 16-bit TSS. Figure 7-10. */
const TSS16 = { IP: 0x0e, FLAGS: 0x10, AX: 0x12, ES: 0x22, LDT: 0x2a, SIZE: 0x2c } as const;
/** Offsets in a 32-bit TSS. Figure 7-2. */
const TSS32 = { CR3: 0x1c, EIP: 0x20, EFLAGS: 0x24, EAX: 0x28, ES: 0x48, LDT: 0x60, TRAP: 0x64, SIZE: 0x68 } as const;

/** EFLAGS bits that a 32-bit TSS can hold. */
const EFLAGS_VALID = 0x003f_7fd7;
/** L0–L3 and LE of DR7, which a task switch clears. */
const DR7_LOCAL = 0x155;

/** A 16-bit TSS leaves ones in the upper halves of the registers, as the 80386 does. */
const UPPER_ONES = 0xffff_0000;

/** What the new task's TSS says, read before anything changes. */
interface TaskState {
  wide: boolean;
  cr3: number;
  ip: number;
  flags: number;
  registers: number[];
  /** ES CS SS DS FS GS. */
  selectors: number[];
  ldt: number;
  trap: boolean;
}

function readTask(core: CpuCore, tss: Descriptor): TaskState {
  const wide = (tss.type & 8) !== 0;
  const word = (offset: number) => core.read16(linearAddress(core, tss.base, offset), false);
  const dword = (offset: number) => core.read32(linearAddress(core, tss.base, offset), false) >>> 0;
  const registers: number[] = [], selectors: number[] = [];
  if (!wide) {
    for (let i = 0; i < 8; i++) registers.push((word(TSS16.AX + i * 2) | UPPER_ONES) >>> 0);
    for (let i = 0; i < 4; i++) selectors.push(word(TSS16.ES + i * 2));
    selectors.push(0, 0);
    const ip = word(TSS16.IP), flags = word(TSS16.FLAGS), ldt = word(TSS16.LDT);
    return { wide, cr3: 0, ip, flags, registers, selectors, ldt, trap: false };
  }
  for (let i = 0; i < 8; i++) registers.push(dword(TSS32.EAX + i * 4));
  for (let i = 0; i < 6; i++) selectors.push(word(TSS32.ES + i * 4));
  return {
    wide,
    cr3: dword(TSS32.CR3),
    ip: dword(TSS32.EIP),
    flags: dword(TSS32.EFLAGS) & EFLAGS_VALID,
    registers,
    selectors,
    ldt: word(TSS32.LDT),
    trap: (word(TSS32.TRAP) & 1) !== 0,
  };
}

/** Saves the running task into its TSS; the stretch was probed. */
function saveTask(core: CpuCore, ip: number, flags: number): void {
  const r = core.r, base = r.segmentBase(Seg.TR);
  const wide = (r.segmentAccess(Seg.TR) & 8) !== 0;
  if (!wide) {
    const word = (offset: number, value: number) =>
      core.write16(linearAddress(core, base, offset), value & 0xffff, false);
    word(TSS16.IP, ip);
    word(TSS16.FLAGS, flags);
    for (let i = 0; i < 8; i++) word(TSS16.AX + i * 2, r.get16(i));
    for (let i = 0; i < 4; i++) word(TSS16.ES + i * 2, r.selector(i));
    return;
  }
  const dword = (offset: number, value: number) => core.write32(linearAddress(core, base, offset), value >>> 0, false);
  dword(TSS32.EIP, ip);
  dword(TSS32.EFLAGS, flags);
  for (let i = 0; i < 8; i++) dword(TSS32.EAX + i * 4, r.get32(i));
  for (let i = 0; i < 6; i++) core.write16(linearAddress(core, base, TSS32.ES + i * 4), r.selector(i), false);
}

/**
 * Switches to the task of a checked TSS descriptor. `returnIp` is saved as the old task's instruction pointer; `ext` is the
 * EXT bit of error codes. Faults before the switch leave everything as it was; later ones are raised in the new task.
 */
export function switchTask(
  core: CpuCore,
  tss: Descriptor,
  reason: SwitchReason,
  returnIp: number,
  ext: number,
): void {
  const r = core.r, selector = tss.selector & 0xfffc;
  const wide = (tss.type & 8) !== 0;
  if (tss.limit < (wide ? TSS32.SIZE : TSS16.SIZE) - 1) core.raise(Vector.TS, selectorError(selector, ext));
  const oldSelector = r.selector(Seg.TR), oldWide = (r.segmentAccess(Seg.TR) & 8) !== 0;
  if (!r.segmentValid(Seg.TR) || r.segmentLimit(Seg.TR) < (oldWide ? TSS32.SIZE : TSS16.SIZE) - 1) {
    core.raise(Vector.TS, selectorError(oldSelector, ext));
  }
  const oldBase = r.segmentBase(Seg.TR);
  const oldDescriptor = linearAddress(core, r.number(S.GDTR_BASE), oldSelector & 0xfff8);
  const task = readTask(core, tss);
  if (oldWide) core.probe(linearAddress(core, oldBase, TSS32.EIP), TSS32.LDT - TSS32.EIP, true, false);
  else core.probe(linearAddress(core, oldBase, TSS16.IP), TSS16.LDT - TSS16.IP, true, false);
  if (reason === "nest") core.probe(tss.base, 2, true, false);
  core.probe(linearAddress(core, oldDescriptor, 5), 1, true, false);
  core.probe(linearAddress(core, tss.address, 5), 1, true, false);

  saveTask(core, returnIp, reason === "return" ? r.eflags & ~Flag.NT : r.eflags);
  if (reason !== "nest") markBusy(core, oldDescriptor, false);
  if (reason !== "return") markBusy(core, tss.address, true);
  if (reason === "nest") {
    core.write16(tss.base, oldSelector, false);
    task.flags |= Flag.NT;
  }
  commitTask(core, tss, task);
  loadTaskSegments(core, task, ext);
  // The debug trap is taken before the new task's first instruction.
  if (task.trap) r.setI32(S.DEBUG_TRAP, r.i32(S.DEBUG_TRAP) | Dr6.BT);
}

let switches = 0;

/**
 * How many task switches have passed the point of no return. If it has grown when an instruction faults, the fault belongs
 * to the new task.
 */
export function switchCount(): number {
  return switches;
}

/** The point of no return: registers of the new task, with every segment register still unusable. */
function commitTask(core: CpuCore, tss: Descriptor, task: TaskState): void {
  const r = core.r;
  switches++;
  r.setSegment(Seg.TR, tss.selector, tss.base, tss.limit, tss.access | 2);
  r.setNumber(S.CR0, (r.u32(S.CR0) | CR0.TS) >>> 0);
  const paging = (r.i32(S.CR0) & CR0.PG) !== 0;
  if (task.wide && paging) {
    r.setNumber(S.CR3, task.cr3);
    core.flushTlb();
  }
  r.setI32(S.DR + 7 * 8, r.i32(S.DR + 7 * 8) & ~DR7_LOCAL);
  core.debugRegistersChanged();
  r.ip = task.ip;
  r.eflags = task.flags;
  for (let i = 0; i < 8; i++) r.set32(R.AX + i, task.registers[i]);
  const v86 = (task.flags & Flag.VM) !== 0;
  r.setI32(S.CPL, v86 ? 3 : task.selectors[Seg.CS] & 3);
  for (let i = 0; i < 6; i++) {
    if (v86) loadRealSegment(core, i, task.selectors[i]);
    else setNullSegment(core, i, task.selectors[i]);
  }
  r.setSegment(Seg.LDTR, task.ldt, 0, 0, 0, false);
  core.modeChanged();
}

/** Loads LDTR and the segment registers of the new task; faults happen in its context. */
function loadTaskSegments(core: CpuCore, task: TaskState, ext: number): void {
  const r = core.r;
  if (task.wide && (r.i32(S.CR0) & CR0.PG) !== 0 && (r.i32(S.CR4) & (1 << 5)) !== 0 && !pdptesValid(core, task.cr3)) {
    core.raise(Vector.GP, ext);
  }
  if (!isNull(task.ldt)) {
    const ldt = (task.ldt & 4) !== 0 ? null : findDescriptor(core, task.ldt);
    if (ldt === null || !ldt.system || ldt.type !== SystemType.LDT || !ldt.present) {
      core.raise(Vector.TS, selectorError(task.ldt, ext));
    }
    r.setSegment(Seg.LDTR, task.ldt, ldt.base, ldt.limit, ldt.access);
  }
  if ((task.flags & Flag.VM) !== 0) return;
  const cpl = r.cpl;
  const cs = task.selectors[Seg.CS];
  if (isNull(cs)) core.raise(Vector.TS, selectorError(cs, ext));
  const code = readDescriptor(core, cs, Vector.TS, ext);
  if (!code.code || (code.conforming ? code.dpl > cpl : code.dpl !== cpl)) {
    core.raise(Vector.TS, selectorError(cs, ext));
  }
  if (!code.present) core.raise(Vector.NP, selectorError(cs, ext));
  markAccessed(core, code);
  setFromDescriptor(core, Seg.CS, cs, code);
  const ss = task.selectors[Seg.SS];
  if (isNull(ss)) core.raise(Vector.TS, selectorError(ss, ext));
  const stack = checkStackSegment(core, ss, cpl, Vector.TS, ext);
  markAccessed(core, stack);
  setFromDescriptor(core, Seg.SS, ss, stack);
  for (const segment of [Seg.DS, Seg.ES, Seg.FS, Seg.GS]) {
    const selector = task.selectors[segment];
    if (isNull(selector)) continue;
    const data = checkDataSegment(core, selector, cpl, Vector.TS, ext);
    markAccessed(core, data);
    setFromDescriptor(core, segment, selector, data);
  }
  core.modeChanged();
  if (task.ip > code.limit) core.raise(Vector.GP, ext);
}

/** Pushes an exception's error code onto the stack of the task that a task gate just entered. */
export function pushTaskErrorCode(core: CpuCore, errorCode: number, ext: number): void {
  const wide = (core.r.segmentAccess(Seg.TR) & 8) !== 0;
  setStackPointer(core, pushesOntoCurrent(core, ext).add(errorCode).store(core, wide ? 4 : 2));
}

/** IRET with NT set: back to the task in the current TSS's link field. */
export function returnToLinkedTask(core: CpuCore, nextIp: number): void {
  const selector = core.read16(core.r.segmentBase(Seg.TR), false);
  const tss = (selector & 4) !== 0 || isNull(selector) ? null : findDescriptor(core, selector);
  const busy = tss !== null && tss.system &&
    (tss.type === SystemType.TSS16_BUSY || tss.type === SystemType.TSS32_BUSY);
  if (!busy) core.raise(Vector.TS, selectorError(selector));
  if (!tss.present) core.raise(Vector.NP, selectorError(selector));
  switchTask(core, tss, "return", nextIp, 0);
}
