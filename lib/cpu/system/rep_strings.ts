/**
 * String instructions with a repeat prefix, and INS and OUTS: what compiled code does not do itself. Intel SDM vol. 1, section 7.3.9;
 * vol. 2, REP.
 *
 * Every iteration counts as one instruction; the first is charged by the caller. Within plain pages many moves and stores are done
 * at once; the result is exactly that of one after the other. When the budget ends, or an iteration faults, the registers show
 * what was done and RIP stays on the instruction.
 */
import { PAGE_SHIFT } from "../../machine/memory.ts";
import type { AccessSize } from "../../machine/types.ts";
import type { CpuCore } from "../core.ts";
import { Flag, R, S, Seg } from "../state.ts";
import { checkPort } from "./io.ts";
import {
  accumulator,
  type Element,
  type ElementSize,
  readCount,
  reduceCount,
  setAccumulator,
  StringOperand,
} from "./string_operands.ts";

/** What a run works on; used again for each, because runs do not nest. */
const source = new StringOperand(Seg.DS, R.SI, false);
const destination = new StringOperand(Seg.ES, R.DI, true);
const compared = new StringOperand(Seg.ES, R.DI, false);
const run = {
  bytes: 1 as ElementSize,
  addressSize: 16,
  backwards: false,
  /** REPNE: the comparing instructions go on while the elements differ. */
  repne: false,
  /** A comparison ended the run. */
  ended: false,
};

function prepare(core: CpuCore, bytes: number, addressSize: number, segment: number, repne: number): void {
  run.bytes = bytes as ElementSize;
  run.addressSize = addressSize;
  run.backwards = (core.r.i32(S.EFLAGS) & Flag.DF) !== 0;
  run.repne = repne !== 0;
  run.ended = false;
  source.segment = segment;
  for (const operand of [source, destination, compared]) operand.begin(run.bytes, addressSize, run.backwards);
}

/** Does between 1 and `limit` iterations, registers but the count included, and returns how many. Faults before the first change. */
type Step = (core: CpuCore, limit: number) => number;

/** Changes where an index register comes to another page, more or less. */
function place(core: CpuCore): number {
  return (core.r.get32(R.SI) >>> PAGE_SHIFT) + (core.r.get32(R.DI) >>> PAGE_SHIFT);
}

/**
 * Repeats `step` until the count is used up or a comparison ends it. It leaves the instruction unfinished where the budget is spent,
 * where the run loop must have its turn, and at another page: compiled code may be able to go on with it there.
 */
function repeat(core: CpuCore, nextIp: number, step: Step): void {
  const start = place(core);
  let left = readCount(core, run.addressSize);
  for (let first = true; left > 0; first = false) {
    if (!first) {
      if (core.remaining <= 0 || core.r.i32(S.LEAVE) !== 0 || place(core) !== start) return;
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

// ---- moves and stores

/** Host offset for writing so many elements of a page at once, -1 if that cannot be done; `noteWrite` is to be told afterwards. */
function writePlace(core: CpuCore, linear: number, count: number): number {
  const host = core.hostWrite(linear);
  if (host >= 0) return host;
  const length = count * run.bytes, back = run.backwards ? length - run.bytes : 0;
  const lowest = core.hostRewrite(linear - back, length);
  return lowest < 0 ? -1 : lowest + back;
}

/** Moves elements that lie in one page each; returns how many. */
function moveAtOnce(core: CpuCore, linearFrom: number, linearTo: number, most: number): number {
  const { bytes, backwards } = run, { memory } = core.bus;
  const from = core.hostRead(linearFrom), to = from < 0 ? -1 : writePlace(core, linearTo, most);
  if (to < 0) return 0;
  // What has been written is not read again in the same go.
  const distance = backwards ? from - to : to - from;
  const count = distance > 0 ? Math.min(most, Math.floor(distance / bytes)) : most;
  const length = count * bytes, back = backwards ? length - bytes : 0;
  if (count === 0) return 0;
  memory.bytes.copyWithin(to - back, from - back, from - back + length);
  memory.noteWrite(to - back, length);
  return count;
}

/** Faults come before the first access: what is read may be a device, which must not be read twice. */
function moveStep(core: CpuCore, limit: number): number {
  const from = source.address(core), to = destination.address(core);
  const most = destination.stretch(core, to, source.stretch(core, from, limit));
  let count = most > 1 ? moveAtOnce(core, from, to, most) : 0;
  if (count === 0) {
    source.probe(core, from);
    destination.probe(core, to);
    destination.write(core, to, source.read(core, from));
    count = 1;
  }
  source.advance(core, count);
  destination.advance(core, count);
  return count;
}

/** Stores an element `count` times in one page; false if that cannot be done at once. */
function storeAtOnce(core: CpuCore, linear: number, value: Element, count: number): boolean {
  const { bytes, backwards } = run,
    { memory } = core.bus,
    host = writePlace(core, linear, count),
    length = count * bytes;
  if (host < 0) return false;
  const start = backwards ? host - length + bytes : host, end = start + length;
  if (typeof value === "bigint") { for (let at = start; at < end; at += 8) memory.view.setBigUint64(at, value, true); }
  else if (bytes === 1) memory.bytes.fill(value, start, end);
  else if (bytes === 2) { for (let at = start; at < end; at += 2) memory.view.setUint16(at, value, true); }
  else for (let at = start; at < end; at += 4) memory.view.setUint32(at, value, true);
  memory.noteWrite(start, length);
  return true;
}

function storeStep(core: CpuCore, limit: number): number {
  const to = destination.address(core),
    value = accumulator(core, run.bytes),
    most = destination.stretch(core, to, limit);
  let count = most;
  if (most <= 1 || !storeAtOnce(core, to, value, most)) {
    destination.write(core, to, value);
    count = 1;
  }
  destination.advance(core, count);
  return count;
}

// ---- loads and comparisons

function loadStep(core: CpuCore): number {
  setAccumulator(core, source.read(core, source.address(core)), run.bytes);
  source.advance(core, 1);
  return 1;
}

/** The arithmetic flags of `left - right`, and whether they end the run. */
function compare(core: CpuCore, left: Element, right: Element): void {
  const width = run.bytes * 8, bits = BigInt(width), a = BigInt(left), b = BigInt(right);
  const result = BigInt.asUintN(width, a - b), sign = 1n << (bits - 1n);
  let parity = Number(result & 0xffn);
  parity ^= parity >> 4;
  parity ^= parity >> 2;
  parity ^= parity >> 1;
  core.r.setArithmeticFlags(
    (a < b ? Flag.CF : 0) | ((parity & 1) === 0 ? Flag.PF : 0) | (((a ^ b ^ result) & 0x10n) !== 0n ? Flag.AF : 0) |
      (result === 0n ? Flag.ZF : 0) | ((result & sign) !== 0n ? Flag.SF : 0) |
      (((a ^ b) & (a ^ result) & sign) !== 0n ? Flag.OF : 0),
  );
  run.ended = (result === 0n) === run.repne;
}

function scanStep(core: CpuCore): number {
  compare(core, accumulator(core, run.bytes), compared.read(core, compared.address(core)));
  compared.advance(core, 1);
  return 1;
}

function compareStep(core: CpuCore): number {
  const first = source.address(core), second = compared.address(core);
  source.probe(core, first);
  compared.probe(core, second);
  compare(core, source.read(core, first), compared.read(core, second));
  source.advance(core, 1);
  compared.advance(core, 1);
  return 1;
}

// ---- ports

/** One INS: the destination must be writable before the port is read, because reading may change the device. */
function inputStep(core: CpuCore): number {
  const bytes = run.bytes as AccessSize;
  const port = core.r.get16(R.DX);
  checkPort(core, port, bytes);
  const to = destination.address(core);
  destination.probe(core, to);
  const value = core.bus.ioRead(port, bytes);
  core.portAccessed(port, bytes);
  destination.write(core, to, value);
  destination.advance(core, 1);
  return 1;
}

function outputStep(core: CpuCore): number {
  const bytes = run.bytes as AccessSize;
  const port = core.r.get16(R.DX);
  checkPort(core, port, bytes);
  const value = source.read(core, source.address(core));
  core.bus.ioWrite(port, Number(value), bytes);
  core.portAccessed(port, bytes);
  source.advance(core, 1);
  return 1;
}

// ---- what is called

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
