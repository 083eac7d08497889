/**
 * Interrupt delivery and IRET in the usual case: flat segments, level 0 and level 3, everything present and marked as accessed, and
 * tables and stacks in pages that the TLB knows. Intel SDM vol. 3A, sections 6.12 and 6.14; vol. 2, IRET.
 *
 * Both functions either do all that the general ones in interrupts.ts and transfer.ts would do, or nothing: what might fault, or
 * leave a trace on the way, is not usual.
 */
import type { CpuCore } from "../core.ts";
import { ModeBit, modeKey } from "../mode.ts";
import { Access } from "../registers.ts";
import { CR0, Flag, R, S, Seg, Vector } from "../state.ts";

/** The modes of code that is usual: blocks' keys. */
const FLAT32 = modeKey(32, 32, true, false), CODE64 = modeKey(64, 64, true, false);

/** Upper halves of descriptors: what differs between segments that are all usual. */
const AVL = Access.AVL << 8, LONG = Access.LONG << 8, READABLE = Access.READ_WRITE << 8;
const FLAT_LIMIT = 0xf_0000, FLAT_LOW = 0xffff;
const PRESENT = (Access.PRESENT | Access.S | Access.ACCESSED | Access.GRANULARITY) << 8 | FLAT_LIMIT;
/** A flat code segment of 32 or 64 bits, and flat writable data, of level 0. */
const CODE32_HIGH = PRESENT | (Access.CODE | Access.BIG) << 8, CODE64_HIGH = PRESENT | (Access.CODE | Access.LONG) << 8;
const DATA_HIGH = PRESENT | (Access.READ_WRITE | Access.BIG) << 8;
/** An interrupt or trap gate: its type without the bit that tells them apart, and P. */
const GATE_TYPE = 0x9e00, GATE = 0x8e00, TRAP_GATE = 0x100;

/** Flags with which nothing is usual. */
const UNUSUAL = Flag.VM | Flag.AC;
const UNUSUAL_RETURN = UNUSUAL | Flag.TF | Flag.NT | Flag.VIF | Flag.VIP;

/** Gates and descriptors in memory, by host offset; 32 bits each. */
function word(core: CpuCore, host: number): number {
  return core.bus.memory.view.getInt32(host, true);
}

/** The upper half of the flat descriptor that a selector names in the GDT; 0 if it is not flat, or not known. */
function flatDescriptor(core: CpuCore, selector: number): number {
  const r = core.r, offset = selector & 0xfff8;
  if (offset === 0 || (selector & 4) !== 0 || offset + 7 > r.u32(S.GDTR_LIMIT)) return 0;
  const host = core.supervisorHost(r.number(S.GDTR_BASE) + offset, 8, false);
  return host >= 0 && word(core, host) === FLAT_LOW ? word(core, host + 4) : 0;
}

/** True if that is a code segment for the mode, of a privilege level. */
function isCode(high: number, mode: number, level: number): boolean {
  return (high & ~(AVL | READABLE)) === ((mode === CODE64 ? CODE64_HIGH : CODE32_HIGH) | (level << 13));
}

/** True if that is a stack segment of a privilege level. */
function isStack(high: number, level: number): boolean {
  return (high & ~(AVL | LONG)) === (DATA_HIGH | (level << 13));
}

/** The code of a usual mode that runs at level 0 or 3, else -1. */
function usualMode(core: CpuCore, flags: number): number {
  const r = core.r, mode = r.i32(S.MODE) & ModeBit.CODE_MODE, cpl = r.cpl;
  if ((r.i32(S.CR0) & CR0.PE) === 0 || (r.i32(S.EFLAGS) & flags) !== 0 || (cpl !== 0 && cpl !== 3)) return -1;
  return mode === CODE64 || (mode === FLAT32 && !r.longMode) ? mode : -1;
}

function setSegment(core: CpuCore, segment: number, selector: number, high: number): void {
  core.r.setFlatSegment(segment, selector, (high >>> 8) & 0xf0ff);
}

/** Vectors whose handlers return behind the instruction: no RF in the flags that they find. */
function isTrap(vector: number): boolean {
  return vector === Vector.BP || vector === Vector.OF || vector === Vector.DF;
}

/**
 * Enters a handler as interrupts.ts does; false if the case is not usual. For `software` interrupts the gate's privilege counts;
 * `fault` is true for exceptions.
 */
export function enterUsually(
  core: CpuCore,
  vector: number,
  errorCode: number,
  software: boolean,
  fault: boolean,
): boolean {
  const r = core.r, mode = usualMode(core, UNUSUAL), cpl = r.cpl, wide = mode === CODE64;
  const size = wide ? 16 : 8, offset = vector * size;
  if (mode < 0 || vector === Vector.DB || offset + size - 1 > r.u32(S.IDTR_LIMIT)) return false;
  const gate = core.supervisorHost(r.number(S.IDTR_BASE) + offset, size, false);
  if (gate < 0) return false;
  const low = word(core, gate), high = word(core, gate + 4), upper = wide ? word(core, gate + 8) : 0;
  if ((high & GATE_TYPE) !== GATE || (software && ((high >>> 13) & 3) < cpl) || !isCanonicalHalf(upper)) return false;
  const selector = (low >>> 16) & 0xfffc, code = flatDescriptor(core, low >>> 16);
  if (!isCode(code, mode, 0)) return false;
  const image = r.eflags | (fault && !isTrap(vector) ? Flag.RF : 0);
  const entered = wide
    ? pushWide(core, high & 7, image, errorCode)
    : cpl === 0
    ? pushSame(core, image, errorCode)
    : pushInner(core, image, errorCode);
  if (!entered) return false;
  setSegment(core, Seg.CS, selector, code);
  r.setI32(S.RIP, (low & 0xffff) | (high & 0xffff_0000));
  r.setI32(S.RIP + 4, upper);
  const cleared = Flag.TF | Flag.NT | Flag.RF | ((high & TRAP_GATE) === 0 ? Flag.IF : 0);
  r.setI32(S.EFLAGS, r.i32(S.EFLAGS) & ~cleared);
  if (cpl !== 0) {
    r.setI32(S.CPL, 0);
    core.levelChanged();
  }
  return true;
}

/** True if the upper half of an address belongs to a canonical one. */
function isCanonicalHalf(upper: number): boolean {
  return upper >> 15 === 0 || upper >> 15 === -1;
}

/** Pushes what an interrupt at level 0 pushes outside IA-32e mode; false if that is not usual, with nothing changed. */
function pushSame(core: CpuCore, image: number, errorCode: number): boolean {
  const pointer = core.r.get32(R.SP) - (errorCode < 0 ? 12 : 16);
  if (!pushFrame(core, pointer, image, errorCode, 0)) return false;
  core.r.set32(R.SP, pointer);
  return true;
}

/** Likewise from level 3: onto the stack that the TSS names, which becomes the current one. */
function pushInner(core: CpuCore, image: number, errorCode: number): boolean {
  const r = core.r;
  if (!r.segmentValid(Seg.TR) || (r.segmentAccess(Seg.TR) & 8) === 0 || r.segmentLimit(Seg.TR) < 9) return false;
  const tss = core.supervisorHost(r.segmentBase(Seg.TR) + 4, 6, false);
  if (tss < 0) return false;
  const selector = core.bus.memory.view.getUint16(tss + 4, true), descriptor = flatDescriptor(core, selector);
  const pointer = (word(core, tss) >>> 0) - (errorCode < 0 ? 20 : 24);
  if ((selector & 3) !== 0 || !isStack(descriptor, 0)) return false;
  if (!pushFrame(core, pointer, image, errorCode, 2)) return false;
  setSegment(core, Seg.SS, selector, descriptor);
  r.set32(R.SP, pointer);
  return true;
}

/** Writes a frame of 32-bit words, the topmost two of which (SS:ESP) are there only if `outer` is 2. */
function pushFrame(core: CpuCore, pointer: number, image: number, errorCode: number, outer: 0 | 2): boolean {
  const r = core.r, { view } = core.bus.memory, coded = errorCode < 0 ? 0 : 4;
  if (pointer < 0) return false;
  const host = core.supervisorHost(pointer, 12 + coded + outer * 4, true), at = host + coded;
  if (host < 0) return false;
  if (coded !== 0) view.setInt32(host, errorCode, true);
  view.setInt32(at, r.i32(S.RIP), true);
  view.setInt32(at + 4, r.selector(Seg.CS), true);
  view.setInt32(at + 8, image, true);
  if (outer === 0) return true;
  view.setInt32(at + 12, r.i32(S.GPR + R.SP * 8), true);
  view.setInt32(at + 16, r.selector(Seg.SS), true);
  return true;
}

/** Pushes what an interrupt pushes in 64-bit code, onto the current stack or one that the TSS names. */
function pushWide(core: CpuCore, ist: number, image: number, errorCode: number): boolean {
  const r = core.r, { view } = core.bus.memory, coded = errorCode < 0 ? 0 : 8, inner = r.cpl !== 0;
  let pointer = r.number(S.GPR + R.SP * 8);
  if (ist !== 0 || inner) {
    const offset = ist === 0 ? 4 : 28 + ist * 8;
    if (!r.segmentValid(Seg.TR) || offset + 7 > r.segmentLimit(Seg.TR)) return false;
    const tss = core.supervisorHost(r.segmentBase(Seg.TR) + offset, 8, false);
    if (tss < 0 || !isCanonicalHalf(word(core, tss + 4))) return false;
    pointer = word(core, tss + 4) * 2 ** 32 + (word(core, tss) >>> 0);
  }
  pointer -= (pointer & 15) + 40 + coded;
  const host = core.supervisorHost(pointer, 40 + coded, true), at = host + coded;
  if (host < 0) return false;
  const put = (offset: number, low: number, high: number) => {
    view.setInt32(at + offset, low, true);
    view.setInt32(at + offset + 4, high, true);
  };
  if (coded !== 0) put(-8, errorCode, 0);
  put(0, r.i32(S.RIP), r.i32(S.RIP + 4));
  put(8, r.selector(Seg.CS), 0);
  put(16, image, 0);
  put(24, r.i32(S.GPR + R.SP * 8), r.i32(S.GPR + R.SP * 8 + 4));
  put(32, r.selector(Seg.SS), 0);
  if (inner) r.setSegment(Seg.SS, 0, 0, 0, 0, false);
  r.setNumber(S.GPR + R.SP * 8, pointer);
  return true;
}

/** IRET with an operand of `bytes` bytes from level 0, as transfer.ts does it; false if the case is not usual. */
export function returnUsually(core: CpuCore, bytes: number): boolean {
  const r = core.r, mode = usualMode(core, UNUSUAL_RETURN), wide = mode === CODE64;
  if (mode < 0 || r.cpl !== 0 || bytes !== (wide ? 8 : 4)) return false;
  const pointer = r.number(S.GPR + R.SP * 8), host = core.supervisorHost(pointer, 3 * bytes, false);
  if (host < 0 || (wide && !isWideFrame(core, host))) return false;
  const selector = word(core, host + bytes) & 0xffff, image = word(core, host + 2 * bytes), level = selector & 3;
  if ((image & UNUSUAL_RETURN) !== 0 || (level !== 0 && level !== 3)) return false;
  const code = flatDescriptor(core, selector), low = word(core, host), high = wide ? word(core, host + 4) : 0;
  if (!isCode(code, mode, level)) return false;
  if (level !== 0 && !reachesAll(core)) return false;
  if (level === 0 && !wide) r.set32(R.SP, pointer + 12);
  else if (!popStack(core, pointer + 3 * bytes, bytes, level)) return false;
  setSegment(core, Seg.CS, selector, code);
  r.setI32(S.RIP, low);
  r.setI32(S.RIP + 4, high);
  r.eflags = image;
  r.setI32(S.NMI_BLOCKED, 0);
  if (level !== 0) {
    r.setI32(S.CPL, level);
    core.levelChanged();
  }
  if ((image & Flag.RF) !== 0) core.resumeFlagLoaded();
  return true;
}

/** True if the RIP of a 64-bit frame is canonical and the upper halves of selector and flags are empty. */
function isWideFrame(core: CpuCore, host: number): boolean {
  return isCanonicalHalf(word(core, host + 4)) && (word(core, host + 12) | word(core, host + 20)) === 0;
}

/** True if level 3 may keep all data segments, with their selectors. */
function reachesAll({ r }: CpuCore): boolean {
  const keeps = (segment: number) =>
    r.segmentValid(segment) ? (r.segmentAccess(segment) & Access.DPL) === Access.DPL : r.selector(segment) === 0;
  return keeps(Seg.ES) && keeps(Seg.DS) && keeps(Seg.FS) && keeps(Seg.GS);
}

/** Pops SP and SS; false if that is not usual, with nothing changed. */
function popStack(core: CpuCore, pointer: number, bytes: number, level: number): boolean {
  const r = core.r, host = core.supervisorHost(pointer, 2 * bytes, false), wide = bytes === 8;
  if (host < 0 || (wide && word(core, host + 12) !== 0)) return false;
  const selector = word(core, host + bytes) & 0xffff, descriptor = flatDescriptor(core, selector);
  if (wide && level === 0 && selector === 0) r.setSegment(Seg.SS, 0, 0, 0, 0, false);
  else if ((selector & 3) === level && isStack(descriptor, level)) setSegment(core, Seg.SS, selector, descriptor);
  else return false;
  r.setI32(S.GPR + R.SP * 8, word(core, host));
  r.setI32(S.GPR + R.SP * 8 + 4, wide ? word(core, host + 4) : 0);
  return true;
}
