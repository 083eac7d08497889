/** Operands of string instructions: index registers and count, addresses, elements in memory and in the accumulator. Intel SDM vol. 1, section 7.3.9. */
import { PAGE_SIZE } from "../../machine/memory.ts";
import type { CpuCore } from "../core.ts";
import { R, S, SEG, Seg, Vector } from "../state.ts";
import { linearAddress } from "./descriptors.ts";
import { effectiveAddress, in64BitCode } from "./segments.ts";

/** Bytes of one element. */
export type ElementSize = 1 | 2 | 4 | 8;
/** An element: a bigint if it has 8 bytes. */
export type Element = bigint | number;

// ---- registers

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
export function readCount(core: CpuCore, addressSize: number): number {
  return addressSize === 64 ? Number(core.r.u64(S.GPR + R.CX * 8)) : readIndex(core, R.CX, addressSize);
}

/** Takes iterations from the count. */
export function reduceCount(core: CpuCore, addressSize: number, done: number): void {
  if (addressSize === 64) core.r.set64(R.CX, core.r.get64(R.CX) - BigInt(done));
  else writeIndex(core, R.CX, addressSize, readIndex(core, R.CX, addressSize) - done);
}

/** The accumulator of the element's width. */
export function accumulator(core: CpuCore, bytes: ElementSize): Element {
  if (bytes === 8) return core.r.get64(R.AX);
  return bytes === 1 ? core.r.get8(R.AX) : bytes === 2 ? core.r.get16(R.AX) : core.r.get32(R.AX);
}

/** Replaces the accumulator. */
export function setAccumulator(core: CpuCore, value: Element, bytes: ElementSize): void {
  if (typeof value === "bigint") core.r.set64(R.AX, value);
  else if (bytes === 1) core.r.set8(R.AX, value);
  else if (bytes === 2) core.r.set16(R.AX, value);
  else core.r.set32(R.AX, value);
}

// ---- memory

/** An operand in memory, through a segment and an index register. */
export class StringOperand {
  segment: number;
  readonly #index: number;
  readonly #write: boolean;
  #bytes: ElementSize = 1;
  #addressSize = 16;
  #backwards = false;

  /** `index` is the number of the register that points to the element, `write` whether the instruction writes there. */
  constructor(segment: number, index: number, write: boolean) {
    this.segment = segment;
    this.#index = index;
    this.#write = write;
  }

  /** Begins a run. */
  begin(bytes: ElementSize, addressSize: number, backwards: boolean): void {
    this.#bytes = bytes;
    this.#addressSize = addressSize;
    this.#backwards = backwards;
  }

  #offset(core: CpuCore): number {
    return readIndex(core, this.#index, this.#addressSize);
  }

  /** The highest offset that may be accessed in the segment. */
  #highest(core: CpuCore): number {
    return core.r.number(S.SEG + this.segment * SEG.SIZE + (this.#write ? SEG.HIGH_WRITE : SEG.HIGH_READ));
  }

  /** Moves past `count` elements. */
  advance(core: CpuCore, count: number): void {
    const delta = count * this.#bytes * (this.#backwards ? -1 : 1);
    writeIndex(core, this.#index, this.#addressSize, this.#offset(core) + delta);
  }

  /** Linear address of the current element after the segment's checks. Raises #SS(0) or #GP(0). */
  address(core: CpuCore): number {
    const { segment } = this, { r } = core, offset = this.#offset(core);
    if (in64BitCode(core)) return effectiveAddress(core, segment, offset);
    const low = r.number(S.SEG + segment * SEG.SIZE + SEG.LOW);
    if (offset < low || offset + this.#bytes - 1 > this.#highest(core)) {
      core.raise(segment === Seg.SS ? Vector.SS : Vector.GP, 0);
    }
    return linearAddress(core, r.segmentBase(segment), offset);
  }

  /**
   * How many elements from the current one on lie in one page, inside the segment and without wrapping the address, at most
   * `count`; less than 1 if it does not itself (it may straddle pages or be illegal). `linear` is its address.
   */
  stretch(core: CpuCore, linear: number, count: number): number {
    const bytes = this.#bytes, backwards = this.#backwards, within = linear & (PAGE_SIZE - 1);
    if (within + bytes > PAGE_SIZE) return 0;
    let room = backwards ? Math.floor(within / bytes) + 1 : Math.floor((PAGE_SIZE - within) / bytes);
    if (this.#addressSize !== 64) {
      const offset = this.#offset(core), flat = in64BitCode(core);
      const last = this.#addressSize === 16 ? 0xffff : 0xffff_ffff;
      const low = flat ? 0 : core.r.number(S.SEG + this.segment * SEG.SIZE + SEG.LOW);
      const high = flat ? last : Math.min(this.#highest(core), last);
      room = Math.min(room, Math.floor((backwards ? offset - low : high + 1 - offset - bytes) / bytes) + 1);
    }
    return Math.min(room, count);
  }

  /** Reads the element at a linear address. */
  read(core: CpuCore, linear: number): Element {
    switch (this.#bytes) {
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

  /** Writes the element at a linear address. */
  write(core: CpuCore, linear: number, value: Element): void {
    if (typeof value === "bigint") core.write64(linear, value);
    else if (this.#bytes === 1) core.write8(linear, value);
    else if (this.#bytes === 2) core.write16(linear, value);
    else core.write32(linear, value);
  }

  /** Raises what accessing the element would. */
  probe(core: CpuCore, linear: number): void {
    core.probe(linear, this.#bytes, this.#write);
  }
}
