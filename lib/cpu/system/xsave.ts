/**
 * XSAVE, XRSTOR and XCR0, for the x87 state and the SSE state. Intel SDM vol. 1, chapter 13.
 *
 * A component is in use if its contents differ from the initial ones: that is all that these instructions may optimise by
 * here, so that what they write depends on the processor's state alone. XSAVEOPT leaves out what is not in use, never what
 * merely has not changed.
 */
import type { CpuCore } from "../core.ts";
import { physicalTags, stackTags } from "../fpu/tags.ts";
import type { Registers } from "../registers.ts";
import { CR0, CR4, Fcw, Fsw, Mxcsr, R, S, Vector, xmmOffset } from "../state.ts";
import { requireRing0 } from "./control.ts";
import { hasFeature } from "./model.ts";
import { effectiveAddress, in64BitCode } from "./segments.ts";

/** State components, as bits of XCR0, of the masks in EDX:EAX and of the header's fields. Section 13.1. */
export const Component = { X87: 1 << 0, SSE: 1 << 1 } as const;

/** Bytes of the XSAVE area: the legacy region, which is FXSAVE's, and the header. Section 13.4. */
const LEGACY_BYTES = 512;
/** Bytes of the XSAVE area. */
export const AREA_BYTES = LEGACY_BYTES + 64;
/** Fields of the header, from the area's start. */
const XSTATE_BV = LEGACY_BYTES, XCOMP_BV = LEGACY_BYTES + 8, HEADER_REST = LEGACY_BYTES + 16;
/** The upper half of XCOMP_BV: the area is in the compacted format. */
const COMPACTED = 1 << 31;

/** Where the legacy region has what: the x87 state around MXCSR, then the SSE registers. */
const MXCSR = 24, ST = 32, XMM = 160;

/** The area on its way to or from memory. */
const bytes = new Uint8Array(AREA_BYTES), view = new DataView(bytes.buffer);

/** Variants of XSAVE. */
export const SaveKind = { XSAVE: 0, XSAVEOPT: 1, XSAVEC: 2 } as const;

/** The components that a model has: what may be set in XCR0. */
export function supportedComponents(core: CpuCore): number {
  return Component.X87 | (hasFeature(core.model, "sse") ? Component.SSE : 0);
}

function requireEnabled(core: CpuCore): void {
  if ((core.r.i32(S.CR4) & CR4.OSXSAVE) === 0) core.raise(Vector.UD);
}

/** What XSAVE and XRSTOR check before they touch memory: #UD, #NM, and #GP(0) for a misaligned area. */
export function checkXsave(core: CpuCore, segment: number, offset: number): void {
  requireEnabled(core);
  if ((core.r.i32(S.CR0) & CR0.TS) !== 0) core.raise(Vector.NM);
  if (effectiveAddress(core, segment, offset) % 64 !== 0) core.raise(Vector.GP, 0);
}

// ---- memory

/** A part of an area in the guest's memory, which has been found accessible. */
class Area {
  readonly #core: CpuCore;
  readonly #segment: number;
  readonly #offset: number;

  constructor(core: CpuCore, segment: number, offset: number) {
    this.#core = core;
    this.#segment = segment;
    this.#offset = offset;
  }

  at(position: number): number {
    return effectiveAddress(this.#core, this.#segment, this.#offset + position);
  }

  /** Host offset of `position` if all up to `end` lies in the same page of plain memory. */
  #host(position: number, end: number, write: boolean): number {
    const linear = this.at(position);
    if ((linear & 0xfff) + end - position > 0x1000) return -1;
    return write ? this.#core.hostWrite(linear) : this.#core.hostRead(linear);
  }

  /** Writes `bytes` from `position` up to `end`, multiples of four. */
  write(position: number, end: number): void {
    const host = this.#host(position, end, true);
    if (host >= 0) this.#core.bus.memory.bytes.set(bytes.subarray(position, end), host);
    else for (let i = position; i < end; i += 4) this.#core.write32(this.at(i), view.getUint32(i, true));
  }

  /** Reads into `bytes`. */
  read(position: number, end: number): void {
    const host = this.#host(position, end, false);
    if (host >= 0) bytes.set(this.#core.bus.memory.bytes.subarray(host, host + end - position), position);
    else for (let i = position; i < end; i += 4) view.setUint32(i, this.#core.read32(this.at(i)), true);
  }
}

// ---- the state

/** Byte offset of ST(i). */
function stackRegister(r: Registers, i: number): number {
  return S.X87 + ((r.i32(S.FTOP) + i) & 7) * 16;
}

function xmmCount(core: CpuCore): number {
  return in64BitCode(core) ? 16 : 8;
}

const X87_FIELDS = [S.FSW, S.FTOP, S.FTW, S.FOP, S.FCS, S.FDS, S.FIP, S.FIP + 4, S.FDP, S.FDP + 4];

/** The components whose contents are not the initial ones. Section 13.6. */
function componentsInUse(core: CpuCore): number {
  const r = core.r;
  let x87 = r.i32(S.FCW) !== Fcw.INITIAL || X87_FIELDS.some((field) => r.i32(field) !== 0);
  for (let i = 0; i < 8 && !x87; i++) {
    const at = S.X87 + i * 16;
    x87 = (r.i32(at) | r.i32(at + 4) | r.u16(at + 8)) !== 0;
  }
  let sse = false;
  for (let i = xmmCount(core) - 1; i >= 0 && !sse; i--) {
    const at = xmmOffset(i);
    sse = (r.i32(at) | r.i32(at + 4) | r.i32(at + 8) | r.i32(at + 12)) !== 0;
  }
  return (x87 ? Component.X87 : 0) | (sse ? Component.SSE : 0);
}

/** Puts the x87 state into `bytes`; `wide` selects the format with 64-bit pointers. */
function packX87(r: Registers, wide: boolean): void {
  view.setUint16(0, r.i32(S.FCW), true);
  view.setUint16(2, r.i32(S.FSW) | r.i32(S.FTOP) << Fsw.TOP_SHIFT, true);
  view.setUint16(4, physicalTags(r.i32(S.FTW), r.i32(S.FTOP)), true);
  view.setUint16(6, r.i32(S.FOP) & 0x7ff, true);
  view.setUint32(8, r.i32(S.FIP), true);
  view.setUint32(12, wide ? r.i32(S.FIP + 4) : r.i32(S.FCS) & 0xffff, true);
  view.setUint32(16, r.i32(S.FDP), true);
  view.setUint32(20, wide ? r.i32(S.FDP + 4) : r.i32(S.FDS) & 0xffff, true);
  for (let i = 0; i < 8; i++) {
    const from = stackRegister(r, i), to = ST + i * 16;
    view.setInt32(to, r.i32(from), true);
    view.setInt32(to + 4, r.i32(from + 4), true);
    view.setUint32(to + 8, r.u16(from + 8), true);
    view.setUint32(to + 12, 0, true);
  }
}

/** Takes the x87 state from `bytes`; the summary bits of FSW are left to the caller. */
function unpackX87(r: Registers, wide: boolean): void {
  const status = view.getUint16(2, true);
  r.setI32(S.FCW, (view.getUint16(0, true) & Fcw.WRITABLE) | Fcw.ONES);
  r.setI32(S.FSW, status & ~(Fsw.TOP | Fsw.B));
  r.setI32(S.FTOP, (status & Fsw.TOP) >> Fsw.TOP_SHIFT);
  r.setI32(S.FTW, stackTags(view.getUint8(4), r.i32(S.FTOP)));
  r.setI32(S.FOP, view.getUint16(6, true) & 0x7ff);
  r.setI32(S.FIP, view.getInt32(8, true));
  r.setI32(S.FIP + 4, wide ? view.getInt32(12, true) : 0);
  r.setI32(S.FDP, view.getInt32(16, true));
  r.setI32(S.FDP + 4, wide ? view.getInt32(20, true) : 0);
  if (!wide) {
    r.setI32(S.FCS, view.getUint16(12, true));
    r.setI32(S.FDS, view.getUint16(20, true));
  }
  for (let i = 0; i < 8; i++) {
    const to = stackRegister(r, i), from = ST + i * 16;
    r.setI32(to, view.getInt32(from, true));
    r.setI32(to + 4, view.getInt32(from + 4, true));
    r.setU16(to + 8, view.getUint16(from + 8, true));
  }
}

function initialiseX87(r: Registers): void {
  r.setI32(S.FCW, Fcw.INITIAL);
  for (const field of X87_FIELDS) r.setI32(field, 0);
  for (let i = 0; i < 8; i++) {
    r.setU64(S.X87 + i * 16, 0n);
    r.setU16(S.X87 + i * 16 + 8, 0);
  }
}

function packXmm(core: CpuCore): void {
  const r = core.r;
  for (let i = xmmCount(core) - 1; i >= 0; i--) {
    for (let j = 0; j < 16; j += 4) view.setInt32(XMM + i * 16 + j, r.i32(xmmOffset(i) + j), true);
  }
}

/** Takes the SSE registers from `bytes`, or clears them. */
function setXmm(core: CpuCore, clear: boolean): void {
  const r = core.r;
  for (let i = xmmCount(core) - 1; i >= 0; i--) {
    for (let j = 0; j < 16; j += 4) r.setI32(xmmOffset(i) + j, clear ? 0 : view.getInt32(XMM + i * 16 + j, true));
  }
}

// ---- instructions

/** RFBM: the components that the instruction is about. */
function requestedComponents(core: CpuCore): number {
  return core.r.i32(S.XCR0) & core.r.get32(R.AX);
}

/** Writes the parts of the legacy region that are wanted, each from its position up to the next; neighbours at once. */
function writeParts(area: Area, parts: readonly (readonly [wanted: boolean, position: number])[]): void {
  let start = -1;
  for (const [wanted, position] of parts) {
    if (wanted && start < 0) start = position;
    if (!wanted && start >= 0) {
      area.write(start, position);
      start = -1;
    }
  }
}

/** XSAVE, XSAVEOPT and XSAVEC, checked and probed before. Sections 13.7, 13.9 and 13.10. */
export function saveState(core: CpuCore, segment: number, offset: number, wide: boolean, kind: number): void {
  const r = core.r, area = new Area(core, segment, offset);
  const requested = requestedComponents(core), inUse = componentsInUse(core) & requested;
  const mxcsr = r.i32(S.MXCSR);
  let saved = kind === SaveKind.XSAVE ? requested : inUse, withMxcsr = (requested & Component.SSE) !== 0;
  if (kind === SaveKind.XSAVEC) {
    // MXCSR alone makes the SSE state count as in use, because XRSTOR initialises it with the registers.
    if (withMxcsr && mxcsr !== Mxcsr.INITIAL) saved |= Component.SSE;
    withMxcsr = (saved & Component.SSE) !== 0;
  }
  const x87 = (saved & Component.X87) !== 0, sse = (saved & Component.SSE) !== 0;
  if (x87) packX87(r, wide);
  if (sse) packXmm(core);
  view.setUint32(MXCSR, mxcsr, true);
  view.setUint32(MXCSR + 4, Mxcsr.WRITABLE, true);
  writeParts(area, [[x87, 0], [withMxcsr, MXCSR], [x87, ST], [sse, XMM], [false, XMM + xmmCount(core) * 16]]);
  if (kind === SaveKind.XSAVEC) {
    [saved, 0, requested, COMPACTED].forEach((value, i) => view.setInt32(XSTATE_BV + i * 4, value, true));
    area.write(XSTATE_BV, HEADER_REST);
  } else {
    const old = core.read32(area.at(XSTATE_BV));
    core.write32(area.at(XSTATE_BV), ((old & ~requested) | inUse) >>> 0);
  }
}

/** True if all bytes of the header from `position` on to `end` are 0. */
function isZero(position: number, end: number): boolean {
  for (let i = position; i < end; i += 4) if (view.getInt32(i, true) !== 0) return false;
  return true;
}

/** XRSTOR, checked and probed before. Section 13.8. */
export function restoreState(core: CpuCore, segment: number, offset: number, wide: boolean): void {
  const r = core.r;
  new Area(core, segment, offset).read(0, AREA_BYTES);
  const enabled = r.i32(S.XCR0), requested = requestedComponents(core), present = view.getInt32(XSTATE_BV, true);
  const compacted = hasFeature(core.model, "xsavec") && (view.getInt32(XCOMP_BV + 4, true) & COMPACTED) !== 0;
  const held = view.getInt32(XCOMP_BV, true), upper = view.getInt32(XSTATE_BV + 4, true);
  const sound = compacted
    ? (held & ~enabled) === 0 && view.getInt32(XCOMP_BV + 4, true) === COMPACTED && (present & ~held) === 0 &&
      isZero(HEADER_REST, AREA_BYTES)
    : (present & ~enabled) === 0 && isZero(XCOMP_BV, XCOMP_BV + 16);
  if (!sound || upper !== 0) core.raise(Vector.GP, 0);
  const loaded = requested & present, sse = (requested & Component.SSE) !== 0;
  const loadsMxcsr = sse && (!compacted || (loaded & Component.SSE) !== 0);
  const mxcsr = loadsMxcsr ? view.getUint32(MXCSR, true) : Mxcsr.INITIAL;
  if ((mxcsr & ~Mxcsr.WRITABLE) !== 0) core.raise(Vector.GP, 0);
  if ((loaded & Component.X87) !== 0) unpackX87(r, wide);
  else if ((requested & Component.X87) !== 0) initialiseX87(r);
  if (sse) {
    setXmm(core, (loaded & Component.SSE) === 0);
    r.setI32(S.MXCSR, mxcsr);
  }
}

/** XGETBV: XCR0, or with ECX = 1 the components that are in use. */
export function readExtendedControl(core: CpuCore): void {
  const r = core.r, number = r.get32(R.CX);
  requireEnabled(core);
  if (number > (hasFeature(core.model, "xgetbv1") ? 1 : 0)) core.raise(Vector.GP, 0);
  let value = r.i32(S.XCR0);
  if (number === 1) {
    value &= componentsInUse(core);
    if (r.i32(S.MXCSR) !== Mxcsr.INITIAL) value |= r.i32(S.XCR0) & Component.SSE;
  }
  r.set32(R.AX, value);
  r.set32(R.DX, 0);
}

/** XSETBV. */
export function writeExtendedControl(core: CpuCore): void {
  const r = core.r, value = r.i32(S.GPR + R.AX * 8);
  requireEnabled(core);
  requireRing0(core);
  const legal = (value & ~supportedComponents(core)) === 0 && (value & Component.X87) !== 0;
  if (r.get32(R.CX) !== 0 || r.get32(R.DX) !== 0 || !legal) core.raise(Vector.GP, 0);
  r.setNumber(S.XCR0, value);
}
