/**
 * String instructions with a repeat prefix, and INS and OUTS. Intel SDM vol. 1, section 7.3.9; vol. 2, REP.
 *
 * Every iteration counts as one instruction; the first is charged by the caller. Within plain pages many iterations are
 * done at once; the result is exactly that of one after the other. When the budget ends, or an iteration faults, the
 * registers show what was done and RIP stays on the instruction.
 */
import type { AccessSize } from "../../machine/types.ts";
import { PAGE_SIZE } from "../../machine/memory.ts";
import type { CpuCore } from "../core.ts";
import { Flag, R, S, SEG, Seg, Vector } from "../state.ts";
import { linearAddress } from "./descriptors.ts";
import { checkPort } from "./io.ts";
import { effectiveAddress, in64BitCode } from "./segments.ts";

/** Bytes of one element. */
export type ElementSize = 1 | 2 | 4 | 8;

function readIndex(core: CpuCore, register: number, addressSize: number): number {
  if (addressSize === 16) return core.r.get16(register);
  return addressSize === 32 ? core.r.get32(register) : core.r.number(S.GPR + register * 8);
}

function writeIndex(core: CpuCore, register: number, addressSize: number, value: number): void {
  if (addressSize === 16) core.r.set16(register, value);
  else if (addressSize === 32) core.r.set32(register, value);
  else core.r.setNumber(S.GPR + register * 8, value);
}

/** The iteration count; huge 64-bit ones lose their low bits, but not before anyone could count so far. */
function readCount(core: CpuCore, addressSize: number): number {
  return addressSize === 64 ? Number(core.r.u64(S.GPR + R.CX * 8)) : readIndex(core, R.CX, addressSize);
}

function reduceCount(core: CpuCore, addressSize: number, done: number): void {
  if (addressSize === 64) core.r.set64(R.CX, core.r.get64(R.CX) - BigInt(done));
  else writeIndex(core, R.CX, addressSize, readIndex(core, R.CX, addressSize) - done);
}

/** Linear address of an element after the segment's checks. Raises #SS(0) or #GP(0). */
function elementAddress(core: CpuCore, segment: number, offset: number, bytes: number, write: boolean): number {
  const r = core.r;
  if (in64BitCode(core)) return effectiveAddress(core, segment, offset);
  const at = S.SEG + segment * SEG.SIZE;
  const high = r.number(at + (write ? SEG.HIGH_WRITE : SEG.HIGH_READ));
  if (offset < r.number(at + SEG.LOW) || offset + bytes - 1 > high) {
    core.raise(segment === Seg.SS ? Vector.SS : Vector.GP, 0);
  }
  return linearAddress(core, r.segmentBase(segment), offset);
}

/**
 * How many elements from `offset` on lie in one page, inside the segment and without wrapping the address, at most
 * `count`; less than 1 if the first does not (it may straddle pages or be illegal). `linear` is its address.
 */
function stretch(
  core: CpuCore,
  segment: number,
  offset: number,
  linear: number,
  bytes: number,
  backwards: boolean,
  write: boolean,
  addressSize: number,
  count: number,
): number {
  const within = linear & (PAGE_SIZE - 1);
  if (within + bytes > PAGE_SIZE) return 0;
  let room = backwards ? Math.floor(within / bytes) + 1 : Math.floor((PAGE_SIZE - within) / bytes);
  if (addressSize !== 64) {
    const at = S.SEG + segment * SEG.SIZE;
    const flat = in64BitCode(core);
    const last = addressSize === 16 ? 0xffff : 0xffff_ffff;
    const low = flat ? 0 : core.r.number(at + SEG.LOW);
    const high = flat ? last : Math.min(core.r.number(at + (write ? SEG.HIGH_WRITE : SEG.HIGH_READ)), last);
    room = Math.min(room, Math.floor((backwards ? offset - low : high + 1 - offset - bytes) / bytes) + 1);
  }
  return Math.min(room, count);
}

function readElement(core: CpuCore, linear: number, bytes: ElementSize): bigint | number {
  switch (bytes) {
    case 1:
      return core.read8(linear);
    case 2:
      return core.read16(linear);
    case 4:
      return core.read32(linear) >>> 0;
    case 8:
      return core.read64(linear);
  }
}

function writeElement(core: CpuCore, linear: number, value: bigint | number, bytes: ElementSize): void {
  if (typeof value === "bigint") core.write64(linear, value);
  else if (bytes === 1) core.write8(linear, value);
  else if (bytes === 2) core.write16(linear, value);
  else core.write32(linear, value);
}

/** The accumulator of the element's width. */
function accumulator(core: CpuCore, bytes: ElementSize): bigint | number {
  if (bytes === 8) return core.r.get64(R.AX);
  return bytes === 1 ? core.r.get8(R.AX) : bytes === 2 ? core.r.get16(R.AX) : core.r.get32(R.AX);
}

function setAccumulator(core: CpuCore, value: bigint | number, bytes: ElementSize): void {
  if (typeof value === "bigint") core.r.set64(R.AX, value);
  else if (bytes === 1) core.r.set8(R.AX, value);
  else if (bytes === 2) core.r.set16(R.AX, value);
  else core.r.set32(R.AX, value);
}

/** An element at a byte offset of guest memory. */
function hostElement(view: DataView, at: number, bytes: ElementSize): bigint | number {
  if (bytes === 8) return view.getBigUint64(at, true);
  return bytes === 1 ? view.getUint8(at) : bytes === 2 ? view.getUint16(at, true) : view.getUint32(at, true);
}

/** The arithmetic flags of `a - b`. */
function compareFlags(core: CpuCore, left: bigint | number, right: bigint | number, bytes: ElementSize): void {
  const bits = BigInt(bytes * 8), a = BigInt(left), b = BigInt(right);
  const result = BigInt.asUintN(bytes * 8, a - b), sign = 1n << (bits - 1n);
  let parity = Number(result & 0xffn);
  parity ^= parity >> 4;
  parity ^= parity >> 2;
  parity ^= parity >> 1;
  core.r.setArithmeticFlags(
    (a < b ? Flag.CF : 0) | ((parity & 1) === 0 ? Flag.PF : 0) | (((a ^ b ^ result) & 0x10n) !== 0n ? Flag.AF : 0) |
      (result === 0n ? Flag.ZF : 0) | ((result & sign) !== 0n ? Flag.SF : 0) |
      (((a ^ b) & (a ^ result) & sign) !== 0n ? Flag.OF : 0),
  );
}

/** What a run works on; one object is reused, because runs do not nest. */
class Run {
  bytes: ElementSize = 1;
  addressSize = 16;
  segment: number = Seg.DS;
  backwards = false;
  /** REPNE: the comparing instructions go on while the elements differ. */
  repne = false;
  /** A comparison ended the run. */
  ended = false;

  source(core: CpuCore): number {
    return readIndex(core, R.SI, this.addressSize);
  }
  destination(core: CpuCore): number {
    return readIndex(core, R.DI, this.addressSize);
  }
  /** Moves an index register past `count` elements. */
  advance(core: CpuCore, register: number, count: number): void {
    const delta = count * this.bytes * (this.backwards ? -1 : 1);
    writeIndex(core, register, this.addressSize, readIndex(core, register, this.addressSize) + delta);
  }
  /** Linear address of the current source element. */
  sourceAddress(core: CpuCore): number {
    return elementAddress(core, this.segment, this.source(core), this.bytes, false);
  }
  /** Linear address of the current destination element. */
  destinationAddress(core: CpuCore, write: boolean): number {
    return elementAddress(core, Seg.ES, this.destination(core), this.bytes, write);
  }
  /** {@link stretch} of the source. */
  sourceStretch(core: CpuCore, linear: number, count: number): number {
    const { segment, bytes, backwards, addressSize } = this;
    return stretch(core, segment, this.source(core), linear, bytes, backwards, false, addressSize, count);
  }
  /** {@link stretch} of the destination. */
  destinationStretch(core: CpuCore, linear: number, write: boolean, count: number): number {
    const { bytes, backwards, addressSize } = this;
    return stretch(core, Seg.ES, this.destination(core), linear, bytes, backwards, write, addressSize, count);
  }
}

const run = new Run();

/** Does between 1 and `limit` iterations, registers but the count included, and returns how many. Faults before the first change. */
type Step = (core: CpuCore, limit: number) => number;

function prepare(core: CpuCore, bytes: number, addressSize: number, segment: number, repne: number): void {
  run.bytes = bytes as ElementSize;
  run.addressSize = addressSize;
  run.segment = segment;
  run.backwards = (core.r.i32(S.EFLAGS) & Flag.DF) !== 0;
  run.repne = repne !== 0;
  run.ended = false;
}

/** Repeats `step` until the count is used up, a comparison ends it, or the budget is spent. */
function repeat(core: CpuCore, nextIp: number, step: Step): void {
  let left = readCount(core, run.addressSize);
  for (let first = true; left > 0; first = false) {
    if (!first) {
      if (core.remaining <= 0) return;
      core.consume(1);
    }
    const done = step(core, Math.min(left, 1 + Math.max(core.remaining, 0)));
    if (done > 1) core.consume(done - 1);
    reduceCount(core, run.addressSize, done);
    left -= done;
    if (run.ended) break;
  }
  core.r.ip = nextIp;
}

/** Copies `length` bytes upwards with the effect of copying element by element: an overlapping source is propagated. */
function copyUp(memory: Uint8Array, from: number, to: number, length: number, bytes: number): void {
  const distance = to - from;
  if (distance <= 0 || distance >= length) {
    memory.copyWithin(to, from, from + length);
  } else if (distance < bytes) {
    for (let i = 0; i < length; i += bytes) memory.copyWithin(to + i, from + i, from + i + bytes);
  } else {
    // What has been written repeats with the period `distance`: double it.
    for (let done = 0; done < length;) {
      const chunk = Math.min(distance + done, length - done);
      memory.copyWithin(to + done, from, from + chunk);
      done += chunk;
    }
  }
}

/** Copies downwards, element by element from the last one; `from` and `to` are the lowest addresses. */
function copyDown(memory: Uint8Array, from: number, to: number, length: number, bytes: number): void {
  const distance = from - to;
  if (distance <= 0 || distance >= length) {
    memory.copyWithin(to, from, from + length);
    return;
  }
  for (let i = length - bytes; i >= 0; i -= bytes) memory.copyWithin(to + i, from + i, from + i + bytes);
}

/** Faults come before the first access: what is read may be a device, which must not be read twice. */
function probeBoth(core: CpuCore, from: number, to: number, write: boolean): void {
  core.probe(from, run.bytes, false);
  core.probe(to, run.bytes, write);
}

function moveStep(core: CpuCore, limit: number): number {
  const { bytes, backwards } = run;
  const from = run.sourceAddress(core), to = run.destinationAddress(core, true);
  const count = run.destinationStretch(core, to, true, run.sourceStretch(core, from, limit));
  if (count > 1) {
    const source = core.hostRead(from), destination = core.hostWrite(to);
    if (source >= 0 && destination >= 0) {
      const length = count * bytes, back = backwards ? length - bytes : 0;
      const copy = backwards ? copyDown : copyUp;
      copy(core.bus.memory.bytes, source - back, destination - back, length, bytes);
      run.advance(core, R.SI, count);
      run.advance(core, R.DI, count);
      return count;
    }
  }
  probeBoth(core, from, to, true);
  writeElement(core, to, readElement(core, from, bytes), bytes);
  run.advance(core, R.SI, 1);
  run.advance(core, R.DI, 1);
  return 1;
}

function storeStep(core: CpuCore, limit: number): number {
  const { bytes, backwards } = run;
  const to = run.destinationAddress(core, true), value = accumulator(core, bytes);
  const count = run.destinationStretch(core, to, true, limit);
  const host = count > 1 ? core.hostWrite(to) : -1;
  if (host >= 0) {
    const { bytes: memory, view } = core.bus.memory;
    const length = count * bytes, start = backwards ? host - length + bytes : host;
    if (typeof value === "bigint") view.setBigUint64(start, value, true);
    else if (bytes === 1) memory[start] = value;
    else if (bytes === 2) view.setUint16(start, value, true);
    else view.setUint32(start, value, true);
    if (length > bytes) copyUp(memory, start, start + bytes, length - bytes, bytes);
    run.advance(core, R.DI, count);
    return count;
  }
  writeElement(core, to, value, bytes);
  run.advance(core, R.DI, 1);
  return 1;
}

function loadStep(core: CpuCore, limit: number): number {
  const { bytes, backwards } = run;
  const from = run.sourceAddress(core);
  const count = run.sourceStretch(core, from, limit);
  const host = count > 1 ? core.hostRead(from) : -1;
  if (host >= 0) {
    // Only the last element stays.
    const last = host + (count - 1) * bytes * (backwards ? -1 : 1);
    setAccumulator(core, hostElement(core.bus.memory.view, last, bytes), bytes);
    run.advance(core, R.SI, count);
    return count;
  }
  setAccumulator(core, readElement(core, from, bytes), bytes);
  run.advance(core, R.SI, 1);
  return 1;
}

function scanStep(core: CpuCore, limit: number): number {
  const { bytes, backwards, repne } = run;
  const at = run.destinationAddress(core, false), value = accumulator(core, bytes);
  const count = run.destinationStretch(core, at, false, limit);
  const host = count > 1 ? core.hostRead(at) : -1;
  let done = 0, element: bigint | number;
  if (host >= 0) {
    const view = core.bus.memory.view, step = backwards ? -bytes : bytes;
    do {
      element = hostElement(view, host + done * step, bytes);
      done++;
    } while (done < count && (element === value) !== repne);
  } else {
    element = readElement(core, at, bytes);
    done = 1;
  }
  run.ended = (element === value) === repne;
  compareFlags(core, value, element, bytes);
  run.advance(core, R.DI, done);
  return done;
}

function compareStep(core: CpuCore, limit: number): number {
  const { bytes, backwards, repne } = run;
  const first = run.sourceAddress(core), second = run.destinationAddress(core, false);
  const count = run.destinationStretch(core, second, false, run.sourceStretch(core, first, limit));
  let done = 0, left: bigint | number = 0, right: bigint | number = 0;
  if (count > 1) {
    const a = core.hostRead(first), b = core.hostRead(second);
    if (a >= 0 && b >= 0) {
      const view = core.bus.memory.view, step = backwards ? -bytes : bytes;
      do {
        left = hostElement(view, a + done * step, bytes);
        right = hostElement(view, b + done * step, bytes);
        done++;
      } while (done < count && (left === right) !== repne);
    }
  }
  if (done === 0) {
    probeBoth(core, first, second, false);
    left = readElement(core, first, bytes);
    right = readElement(core, second, bytes);
    done = 1;
  }
  run.ended = (left === right) === repne;
  compareFlags(core, left, right, bytes);
  run.advance(core, R.SI, done);
  run.advance(core, R.DI, done);
  return done;
}

/** One INS: the destination must be writable before the port is read, because reading may change the device. */
function inputStep(core: CpuCore): number {
  const bytes = run.bytes as AccessSize;
  const port = core.r.get16(R.DX);
  checkPort(core, port, bytes);
  const to = run.destinationAddress(core, true);
  core.probe(to, bytes, true);
  const value = core.bus.ioRead(port, bytes);
  core.portAccessed(port, bytes);
  writeElement(core, to, value, bytes);
  run.advance(core, R.DI, 1);
  return 1;
}

function outputStep(core: CpuCore): number {
  const bytes = run.bytes as AccessSize;
  const port = core.r.get16(R.DX);
  checkPort(core, port, bytes);
  const value = readElement(core, run.sourceAddress(core), bytes);
  core.bus.ioWrite(port, Number(value), bytes);
  core.portAccessed(port, bytes);
  run.advance(core, R.SI, 1);
  return 1;
}

/** REP forms: element bytes, address size, segment number of the source, 1 for REPNE, offset of the next instruction. */
type RepHelper = (
  core: CpuCore,
  bytes: number,
  addressSize: number,
  segment: number,
  repne: number,
  nextIp: number,
) => void;

function repeated(step: Step): RepHelper {
  return (core, bytes, addressSize, segment, repne, nextIp) => {
    prepare(core, bytes, addressSize, segment, repne);
    repeat(core, nextIp, step);
  };
}

/** REP MOVS. */
export const repMovs: RepHelper = repeated(moveStep);
/** REP STOS. */
export const repStos: RepHelper = repeated(storeStep);
/** REP LODS. */
export const repLods: RepHelper = repeated(loadStep);
/** REPE and REPNE SCAS. */
export const repScas: RepHelper = repeated(scanStep);
/** REPE and REPNE CMPS. */
export const repCmps: RepHelper = repeated(compareStep);
/** REP INS. */
export const repIns: RepHelper = repeated(inputStep);
/** REP OUTS. */
export const repOuts: RepHelper = repeated(outputStep);

/** INS without repeat. */
export function inputString(core: CpuCore, bytes: number, addressSize: number): void {
  prepare(core, bytes, addressSize, Seg.ES, 0);
  inputStep(core);
}

/** OUTS without repeat. */
export function outputString(core: CpuCore, bytes: number, addressSize: number, segment: number): void {
  prepare(core, bytes, addressSize, segment, 0);
  outputStep(core);
}
