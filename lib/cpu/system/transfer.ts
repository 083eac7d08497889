/**
 * Far control transfers: JMP, CALL, RET, IRET, gates, SYSENTER, SYSCALL. Intel SDM vol. 2 (the instructions' operation
 * sections) and vol. 3A, sections 5.8 and 20.2.
 *
 * Each sets RIP itself. Nothing changes before the last access that can fault.
 */
import type { CpuCore } from "../core.ts";
import { Access } from "../registers.ts";
import { CR0, CR4, EFER, Flag, R, S, Seg, Vector } from "../state.ts";
import { isCanonical } from "./canonical.ts";
import {
  type Descriptor,
  findDescriptor,
  isNull,
  markAccessed,
  readDescriptor,
  selectorError,
  SystemType,
} from "./descriptors.ts";
import {
  checkStackSegment,
  dropInnerSegments,
  FLAT_CODE,
  FLAT_DATA,
  in64BitCode,
  inV86,
  isAvailableTss,
  loadRealSegment,
  setFromDescriptor,
  setNullSegment,
} from "./segments.ts";
import {
  innerStack,
  innerStack64,
  peek,
  peekStackPointer,
  pushesOnto,
  pushesOnto64,
  pushesOntoCurrent,
  setStackPointer,
  stackPointer,
} from "./stack.ts";
import { returnToLinkedTask, switchTask } from "./tasks.ts";

/** Operand size of a transfer in bits. */
export type TransferSize = 16 | 32 | 64;

const WHOLE = 0xffff_ffff;

/** The bytes of one stack slot. */
function slot(size: TransferSize): 2 | 4 | 8 {
  return size === 16 ? 2 : size === 32 ? 4 : 8;
}

/** Raises #GP(0) if `offset` is no place to execute in that code segment. */
function checkTarget(core: CpuCore, code: Descriptor, offset: number): void {
  const legal = core.r.longMode && (code.access & Access.LONG) !== 0
    ? isCanonical(offset)
    : offset >= 0 && offset <= code.limit;
  if (!legal) core.raise(Vector.GP, 0);
}

/** A code segment with both L and D set is reserved in IA-32e mode. */
function checkCodeWidth(core: CpuCore, code: Descriptor, selector: number): void {
  if (core.r.longMode && (code.access & (Access.LONG | Access.BIG)) === (Access.LONG | Access.BIG)) {
    core.raise(Vector.GP, selectorError(selector));
  }
}

/** Makes `code` the running code segment at privilege level `cpl`. */
function enterCode(core: CpuCore, selector: number, code: Descriptor, cpl: number, offset: number): void {
  setFromDescriptor(core, Seg.CS, (selector & 0xfffc) | cpl, code);
  core.r.setI32(S.CPL, cpl);
  core.r.ip = offset;
  core.modeChanged();
}

/** Checks a code segment as the direct target of JMP or CALL. */
function checkDirect(core: CpuCore, code: Descriptor, selector: number): void {
  const cpl = core.r.cpl;
  const refused = code.conforming ? code.dpl > cpl : (selector & 3) > cpl || code.dpl !== cpl;
  if (refused) core.raise(Vector.GP, selectorError(selector));
  if (!code.present) core.raise(Vector.NP, selectorError(selector));
  checkCodeWidth(core, code, selector);
}

/** Checks the privilege and presence of a gate or TSS named by a far pointer. */
function checkGate(core: CpuCore, gate: Descriptor): void {
  if (gate.dpl < Math.max(core.r.cpl, gate.selector & 3)) core.raise(Vector.GP, selectorError(gate.selector));
  if (!gate.present) core.raise(Vector.NP, selectorError(gate.selector));
}

/** The TSS that a far pointer or task gate names, available and present. */
function checkTss(core: CpuCore, tss: Descriptor): void {
  if (!isAvailableTss(core, tss)) core.raise(Vector.GP, selectorError(tss.selector));
  if (!tss.present) core.raise(Vector.NP, selectorError(tss.selector));
}

/** JMP or CALL to a TSS or task gate. */
function transferToTask(core: CpuCore, target: Descriptor, reason: "jump" | "nest", nextIp: number): void {
  if (core.r.longMode) core.raise(Vector.GP, selectorError(target.selector));
  if (target.type === SystemType.TASK_GATE) {
    checkGate(core, target);
    const selector = target.gateSelector;
    const tss = (selector & 4) !== 0 || isNull(selector) ? null : findDescriptor(core, selector);
    if (tss === null) core.raise(Vector.GP, selectorError(selector));
    checkTss(core, tss);
    switchTask(core, tss, reason, nextIp, 0);
    return;
  }
  if ((target.selector & 4) !== 0 || target.dpl < Math.max(core.r.cpl, target.selector & 3)) {
    core.raise(Vector.GP, selectorError(target.selector));
  }
  checkTss(core, target);
  switchTask(core, target, reason, nextIp, 0);
}

function isTaskTarget(target: Descriptor): boolean {
  return target.type === SystemType.TASK_GATE || (target.type & 5) === 1;
}

function isCallGate(core: CpuCore, target: Descriptor): boolean {
  return target.type === SystemType.CALL_GATE32 || (target.type === SystemType.CALL_GATE16 && !core.r.longMode);
}

/** Where a call gate leads. */
function gateTarget(core: CpuCore, gate: Descriptor): { selector: number; code: Descriptor; offset: number } {
  if (gate.upperType !== 0) core.raise(Vector.GP, selectorError(gate.selector));
  checkGate(core, gate);
  const selector = gate.gateSelector;
  if (isNull(selector)) core.raise(Vector.GP, 0);
  const code = readDescriptor(core, selector);
  if (!code.code || code.dpl > core.r.cpl) core.raise(Vector.GP, selectorError(selector));
  if (core.r.longMode && (code.access & (Access.LONG | Access.BIG)) !== Access.LONG) {
    core.raise(Vector.GP, selectorError(selector));
  }
  if (!code.present) core.raise(Vector.NP, selectorError(selector));
  return { selector, code, offset: gate.type === SystemType.CALL_GATE16 ? gate.gateOffset16 : gate.gateOffset };
}

/** In real and virtual-8086 mode what is entered has no limit of its own: CS keeps the one it has. */
function checkRealTarget(core: CpuCore, offset: number): void {
  if (offset > core.r.segmentLimit(Seg.CS)) core.raise(Vector.GP, 0);
}

function enterRealCode(core: CpuCore, selector: number, offset: number): void {
  loadRealSegment(core, Seg.CS, selector);
  core.r.ip = offset;
  core.modeChanged();
}

/** Far JMP. */
export function farJump(core: CpuCore, selector: number, offset: number, nextIp: number): void {
  const r = core.r;
  selector &= 0xffff;
  if (!r.protectedMode) {
    checkRealTarget(core, offset);
    return enterRealCode(core, selector, offset);
  }
  if (isNull(selector)) core.raise(Vector.GP, 0);
  const target = readDescriptor(core, selector);
  if (target.code) {
    checkDirect(core, target, selector);
    checkTarget(core, target, offset);
    markAccessed(core, target);
    enterCode(core, selector, target, r.cpl, offset);
  } else if (target.system && isCallGate(core, target)) {
    const gate = gateTarget(core, target);
    if (!gate.code.conforming && gate.code.dpl !== r.cpl) core.raise(Vector.GP, selectorError(gate.selector));
    checkTarget(core, gate.code, gate.offset);
    markAccessed(core, gate.code);
    enterCode(core, gate.selector, gate.code, r.cpl, gate.offset);
  } else if (target.system && isTaskTarget(target)) {
    transferToTask(core, target, "jump", nextIp);
  } else {
    core.raise(Vector.GP, selectorError(selector));
  }
}

/** Far CALL. */
export function farCall(core: CpuCore, selector: number, offset: number, nextIp: number, size: TransferSize): void {
  const r = core.r;
  selector &= 0xffff;
  if (!r.protectedMode) {
    checkRealTarget(core, offset);
    setStackPointer(core, pushesOntoCurrent(core).add(r.selector(Seg.CS)).add(nextIp).store(core, slot(size)));
    return enterRealCode(core, selector, offset);
  }
  if (isNull(selector)) core.raise(Vector.GP, 0);
  const target = readDescriptor(core, selector);
  if (target.code) {
    checkDirect(core, target, selector);
    checkTarget(core, target, offset);
    callSameLevel(core, selector, target, offset, nextIp, size);
  } else if (target.system && isCallGate(core, target)) {
    callGate(core, target, nextIp);
  } else if (target.system && isTaskTarget(target)) {
    transferToTask(core, target, "nest", nextIp);
  } else {
    core.raise(Vector.GP, selectorError(selector));
  }
}

function callSameLevel(
  core: CpuCore,
  selector: number,
  code: Descriptor,
  offset: number,
  nextIp: number,
  size: TransferSize,
): void {
  const pushes = pushesOntoCurrent(core).add(core.r.selector(Seg.CS)).add(nextIp);
  const pointer = pushes.store(core, slot(size));
  markAccessed(core, code);
  setStackPointer(core, pointer);
  enterCode(core, selector, code, core.r.cpl, offset);
}

/** CALL through a call gate; an inner level gets its own stack and a copy of the parameters. Section 5.8.5. */
function callGate(core: CpuCore, descriptor: Descriptor, nextIp: number): void {
  const r = core.r, { selector, code, offset } = gateTarget(core, descriptor);
  const size: TransferSize = r.longMode ? 64 : descriptor.type === SystemType.CALL_GATE32 ? 32 : 16;
  const bytes = slot(size), level = code.dpl;
  checkTarget(core, code, offset);
  if (code.conforming || level === r.cpl) {
    callSameLevel(core, selector, code, offset, nextIp, size);
    return;
  }
  if (size === 64) {
    const pushes = pushesOnto64(innerStack64(core, 4 + level * 8, 0), level)
      .add(r.selector(Seg.SS)).add(r.get64(R.SP)).add(r.selector(Seg.CS)).add(nextIp);
    const pointer = pushes.store(core, 8);
    markAccessed(core, code);
    setNullSegment(core, Seg.SS, level);
    enterCode(core, selector, code, level, offset);
    setStackPointer(core, pointer);
    return;
  }
  const stack = innerStack(core, level, 0);
  if (isNull(stack.selector)) core.raise(Vector.TS, 0);
  const ss = checkStackSegment(core, stack.selector, level, Vector.TS);
  const parameters: number[] = [];
  for (let i = descriptor.high & 31; i > 0; i--) parameters.push(peek(core, (i - 1) * bytes, bytes));
  const pushes = pushesOnto(ss, stack.pointer, level, selectorError(stack.selector))
    .add(r.selector(Seg.SS)).add(size === 32 ? r.get32(R.SP) : r.get16(R.SP));
  for (const parameter of parameters) pushes.add(parameter);
  const pointer = pushes.add(r.selector(Seg.CS)).add(nextIp).store(core, bytes);
  markAccessed(core, ss);
  markAccessed(core, code);
  setFromDescriptor(core, Seg.SS, stack.selector, ss);
  enterCode(core, selector, code, level, offset);
  setStackPointer(core, pointer);
}

/** The checks of returning to code segment `selector`. */
function checkReturn(core: CpuCore, selector: number): Descriptor {
  if (isNull(selector)) core.raise(Vector.GP, 0);
  const code = readDescriptor(core, selector), rpl = selector & 3;
  if (!code.code || rpl < core.r.cpl || (code.conforming ? code.dpl > rpl : code.dpl !== rpl)) {
    core.raise(Vector.GP, selectorError(selector));
  }
  checkCodeWidth(core, code, selector);
  if (!code.present) core.raise(Vector.NP, selectorError(selector));
  return code;
}

/** The checks of the stack segment that a return to level `cpl` pops; null if a null selector is legal there. */
function checkReturnStack(core: CpuCore, selector: number, cpl: number, code: Descriptor): Descriptor | null {
  if (isNull(selector)) {
    if (core.r.longMode && (code.access & Access.LONG) !== 0 && cpl !== 3 && (selector & 3) === cpl) return null;
    core.raise(Vector.GP, 0);
  }
  return checkStackSegment(core, selector, cpl, Vector.GP);
}

/** Enters an outer level, from which it hides what that may not reach, or the same one with a new stack. */
function returnOuter(
  core: CpuCore,
  selector: number,
  code: Descriptor,
  offset: number,
  stackSelector: number,
  stack: Descriptor | null,
  pointer: bigint,
): void {
  const cpl = selector & 3, outer = cpl > core.r.cpl;
  markAccessed(core, code);
  if (stack !== null) markAccessed(core, stack);
  if (stack === null) setNullSegment(core, Seg.SS, stackSelector);
  else setFromDescriptor(core, Seg.SS, stackSelector, stack);
  enterCode(core, selector, code, cpl, offset);
  setStackPointer(core, pointer);
  if (outer) dropInnerSegments(core, cpl);
  core.modeChanged();
}

/** Far RET, releasing `extra` bytes of parameters. */
export function farReturn(core: CpuCore, size: TransferSize, extra: number): void {
  const r = core.r, bytes = slot(size);
  const offset = peek(core, 0, bytes), selector = peek(core, bytes, bytes) & 0xffff;
  if (!r.protectedMode) {
    checkRealTarget(core, offset);
    setStackPointer(core, stackPointer(core) + 2 * bytes + extra);
    return enterRealCode(core, selector, offset);
  }
  const code = checkReturn(core, selector), rpl = selector & 3;
  if (rpl === r.cpl) {
    checkTarget(core, code, offset);
    markAccessed(core, code);
    setStackPointer(core, stackPointer(core) + 2 * bytes + extra);
    enterCode(core, selector, code, rpl, offset);
    return;
  }
  const pointer = peekStackPointer(core, 2 * bytes + extra, bytes);
  const stackSelector = peek(core, 3 * bytes + extra, bytes) & 0xffff;
  const stack = checkReturnStack(core, stackSelector, rpl, code);
  checkTarget(core, code, offset);
  returnOuter(core, selector, code, offset, stackSelector, stack, pointer + BigInt(extra));
}

/** Replaces the flags in `mask` by those in `image`. */
function setFlags(core: CpuCore, image: number, mask: number): void {
  core.r.eflags = (core.r.eflags & ~mask) | (image & mask);
}

const ALWAYS = Flag.ARITHMETIC | Flag.TF | Flag.DF | Flag.NT;
const WIDE_ALWAYS = ALWAYS | Flag.RF | Flag.AC | Flag.ID;

/** IRET with the given operand size; `nextIp` is saved if it returns to another task. NMIs are let through again. */
export function interruptReturn(core: CpuCore, size: TransferSize, nextIp: number): void {
  const r = core.r;
  if (inV86(core)) returnInV86(core, size);
  else if (!r.protectedMode) returnReal(core, size, Flag.IF | Flag.IOPL);
  else if ((r.i32(S.EFLAGS) & Flag.NT) !== 0) {
    if (r.longMode) core.raise(Vector.GP, 0);
    returnToLinkedTask(core, nextIp);
  } else returnProtected(core, size);
  r.setI32(S.NMI_BLOCKED, 0);
}

/** IRET in real and virtual-8086 mode; `privileged` are the flags that may change besides the harmless ones. */
function returnReal(core: CpuCore, size: TransferSize, privileged: number): void {
  const bytes = slot(size);
  const offset = peek(core, 0, bytes), selector = peek(core, bytes, bytes) & 0xffff;
  const flags = peek(core, 2 * bytes, bytes);
  checkRealTarget(core, offset);
  setStackPointer(core, stackPointer(core) + 3 * bytes);
  setFlags(core, flags, (size === 16 ? ALWAYS : WIDE_ALWAYS) | privileged);
  enterRealCode(core, selector, offset);
}

/** IRET in virtual-8086 mode. Section 20.3. */
function returnInV86(core: CpuCore, size: TransferSize): void {
  const r = core.r, flags = r.i32(S.EFLAGS);
  if ((flags & Flag.IOPL) === Flag.IOPL) {
    returnReal(core, size, Flag.IF);
    return;
  }
  if ((r.i32(S.CR4) & CR4.VME) === 0 || size !== 16) core.raise(Vector.GP, 0);
  const image = peek(core, 4, 2);
  if ((image & Flag.TF) !== 0 || ((image & Flag.IF) !== 0 && (flags & Flag.VIP) !== 0)) core.raise(Vector.GP, 0);
  returnReal(core, 16, 0);
  setFlags(core, (image & Flag.IF) !== 0 ? Flag.VIF : 0, Flag.VIF);
}

/** IRET in protected and IA-32e mode. */
function returnProtected(core: CpuCore, size: TransferSize): void {
  const r = core.r, bytes = slot(size), cpl = r.cpl;
  const offset = peek(core, 0, bytes), selector = peek(core, bytes, bytes) & 0xffff;
  const flags = peek(core, 2 * bytes, bytes);
  if (size === 32 && (flags & Flag.VM) !== 0 && cpl === 0 && !r.longMode) {
    returnToV86(core, offset, selector, flags);
    return;
  }
  const iopl = (r.i32(S.EFLAGS) >>> 12) & 3;
  let mask: number = size === 16 ? ALWAYS : WIDE_ALWAYS;
  if (cpl <= iopl) mask |= Flag.IF;
  if (cpl === 0) mask |= Flag.IOPL | (size === 16 ? 0 : Flag.VIF | Flag.VIP);
  const code = checkReturn(core, selector), rpl = selector & 3;
  if (rpl === cpl && !in64BitCode(core)) {
    checkTarget(core, code, offset);
    markAccessed(core, code);
    setStackPointer(core, stackPointer(core) + 3 * bytes);
    setFlags(core, flags, mask);
    enterCode(core, selector, code, rpl, offset);
    return;
  }
  // In 64-bit code SS:RSP are popped always.
  const pointer = peekStackPointer(core, 3 * bytes, bytes), stackSelector = peek(core, 4 * bytes, bytes) & 0xffff;
  const stack = checkReturnStack(core, stackSelector, rpl, code);
  checkTarget(core, code, offset);
  returnOuter(core, selector, code, offset, stackSelector, stack, pointer);
  setFlags(core, flags, mask);
  core.modeChanged();
}

/** IRETD from level 0 to virtual-8086 mode. Section 20.2.5. */
function returnToV86(core: CpuCore, offset: number, selector: number, flags: number): void {
  const r = core.r;
  const pointer = peek(core, 12, 4), ss = peek(core, 16, 4);
  const es = peek(core, 20, 4), ds = peek(core, 24, 4), fs = peek(core, 28, 4), gs = peek(core, 32, 4);
  setFlags(core, flags, WIDE_ALWAYS | Flag.IF | Flag.IOPL | Flag.VM | Flag.VIF | Flag.VIP);
  r.setI32(S.CPL, 3);
  const selectors = [es, selector, ss, ds, fs, gs];
  for (let segment = 0; segment < 6; segment++) loadRealSegment(core, segment, selectors[segment] & 0xffff);
  r.set32(R.SP, pointer);
  // Virtual-8086 code has 16-bit offsets.
  r.ip = offset & 0xffff;
  core.modeChanged();
}

/** Loads CS and SS with the flat segments that the fast system calls imply. */
function setFlat(core: CpuCore, selector: number, stackSelector: number, cpl: number, long: boolean): void {
  const r = core.r, dpl = cpl << 5;
  r.setSegment(Seg.CS, selector, 0, WHOLE, FLAT_CODE | dpl | (long ? Access.LONG : Access.BIG));
  r.setSegment(Seg.SS, stackSelector, 0, WHOLE, FLAT_DATA | dpl);
  r.setI32(S.CPL, cpl);
}

/** SYSENTER. */
export function sysenter(core: CpuCore): void {
  const r = core.r, selector = r.i32(S.SYSENTER_CS) & 0xfffc;
  if ((r.i32(S.CR0) & CR0.PE) === 0 || selector === 0) core.raise(Vector.GP, 0);
  const long = r.longMode;
  r.setI32(S.EFLAGS, r.i32(S.EFLAGS) & ~(Flag.VM | Flag.IF | Flag.RF));
  setFlat(core, selector, (selector + 8) & 0xffff, 0, long);
  if (long) r.set64(R.SP, r.u64(S.SYSENTER_ESP));
  else r.set32(R.SP, r.u32(S.SYSENTER_ESP));
  r.ip = long ? r.number(S.SYSENTER_EIP) : r.u32(S.SYSENTER_EIP);
  core.modeChanged();
}

/** SYSEXIT; `size` 64 returns to 64-bit code. */
export function sysexit(core: CpuCore, size: TransferSize): void {
  const r = core.r, base = r.i32(S.SYSENTER_CS) & 0xfffc, long = size === 64;
  if (base === 0 || (r.i32(S.CR0) & CR0.PE) === 0 || r.cpl !== 0) core.raise(Vector.GP, 0);
  const ip = long ? r.number(S.GPR + R.DX * 8) : r.get32(R.DX);
  const sp = long ? r.number(S.GPR + R.CX * 8) : r.get32(R.CX);
  if (long && (!isCanonical(ip) || !isCanonical(sp))) core.raise(Vector.GP, 0);
  const selector = base + (long ? 32 : 16);
  setFlat(core, (selector | 3) & 0xffff, ((selector + 8) | 3) & 0xffff, 3, long);
  r.setNumber(S.GPR + R.SP * 8, sp);
  r.ip = ip;
  core.modeChanged();
}

/** SYSCALL, which exists in 64-bit code only. */
export function syscall(core: CpuCore, nextIp: number): void {
  const r = core.r;
  if ((r.i32(S.EFER) & EFER.SCE) === 0 || !in64BitCode(core)) core.raise(Vector.UD);
  const selector = r.u16(S.STAR + 4) & 0xfffc;
  const flags = r.eflags;
  r.setNumber(S.GPR + R.CX * 8, nextIp);
  r.setNumber(S.GPR + 11 * 8, flags & ~Flag.RF);
  r.eflags = flags & ~r.i32(S.FMASK) & ~Flag.RF;
  setFlat(core, selector, (selector + 8) & 0xffff, 0, true);
  r.ip = r.number(S.LSTAR);
  core.modeChanged();
}

/** SYSRET; `size` 64 returns to 64-bit code. */
export function sysret(core: CpuCore, size: TransferSize): void {
  const r = core.r, long = size === 64;
  if ((r.i32(S.EFER) & EFER.SCE) === 0 || !in64BitCode(core)) core.raise(Vector.UD);
  if (r.cpl !== 0) core.raise(Vector.GP, 0);
  const ip = long ? r.number(S.GPR + R.CX * 8) : r.get32(R.CX);
  if (long && !isCanonical(ip)) core.raise(Vector.GP, 0);
  const base = r.u16(S.STAR + 6);
  r.eflags = r.i32(S.GPR + 11 * 8) & 0x3c_7fd7;
  setFlat(core, ((base + (long ? 16 : 0)) | 3) & 0xffff, ((base + 8) | 3) & 0xffff, 3, long);
  r.ip = ip;
  core.modeChanged();
}
