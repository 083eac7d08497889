/** The stack as far transfers and interrupt delivery use it: everything is checked before anything is written. */
import type { CpuCore } from "../core.ts";
import { Access } from "../registers.ts";
import { R, S, SEG, Seg, Vector } from "../state.ts";
import { isCanonical } from "./canonical.ts";
import { type Descriptor, linearAddress } from "./descriptors.ts";

/** The stack pointer, as wide as the stack is. */
export function stackPointer(core: CpuCore): number {
  const r = core.r;
  switch (r.stackSize) {
    case 16:
      return r.get16(R.SP);
    case 32:
      return r.get32(R.SP);
    case 64:
      return r.number(S.GPR + R.SP * 8);
  }
}

/** Writes the stack pointer, as wide as the stack is. */
export function setStackPointer(core: CpuCore, value: number | bigint): void {
  const r = core.r;
  switch (r.stackSize) {
    case 16:
      r.set16(R.SP, Number(BigInt.asUintN(16, BigInt(value))));
      break;
    case 32:
      r.set32(R.SP, Number(BigInt.asUintN(32, BigInt(value))));
      break;
    case 64:
      r.set64(R.SP, BigInt.asUintN(64, BigInt(value)));
      break;
  }
}

function wrap(pointer: number, size: 16 | 32 | 64): number {
  return size === 16 ? pointer & 0xffff : size === 32 ? pointer >>> 0 : pointer;
}

/**
 * The value of `bytes` bytes at SP + `delta`, through SS with the current privilege; raises #SS(0) or #PF. 8-byte values
 * are signed.
 */
export function peek(core: CpuCore, delta: number, bytes: 2 | 4 | 8): number {
  const r = core.r, size = r.stackSize;
  const offset = wrap(stackPointer(core) + delta, size);
  const at = S.SEG + Seg.SS * SEG.SIZE;
  const inside = size === 64
    ? isCanonical(offset) && isCanonical(offset + bytes - 1)
    : offset >= r.number(at + SEG.LOW) && offset + bytes - 1 <= r.number(at + SEG.HIGH_READ);
  if (!inside) core.raise(Vector.SS, 0);
  const linear = size === 64 ? offset : linearAddress(core, r.segmentBase(Seg.SS), offset);
  if (bytes === 2) return core.read16(linear);
  if (bytes === 4) return core.read32(linear) >>> 0;
  return Number(BigInt.asIntN(64, core.read64(linear)));
}

/** A stack pointer that lies on the stack at SP + `delta`. All 64 bits count, whether they make a canonical address or not. */
export function peekStackPointer(core: CpuCore, delta: number, bytes: 2 | 4 | 8): bigint {
  const low = peek(core, delta, bytes);
  return bytes === 8 ? core.read64(stackPointer(core) + delta) : BigInt(low);
}

/** Values on their way to a stack. {@link store} checks the whole stretch first, then writes it. */
class Pushes {
  #values: (number | bigint)[] = [];
  #base = 0;
  #low = 0;
  #high = 0;
  #size: 16 | 32 | 64 = 16;
  #user = false;
  #pointer = 0;
  #error = 0;

  /** Pushes go to the current stack; overflowing it raises #SS(`error`). */
  ontoCurrent(core: CpuCore, error: number): this {
    const r = core.r, at = S.SEG + Seg.SS * SEG.SIZE;
    this.#values.length = 0;
    this.#base = r.segmentBase(Seg.SS);
    this.#low = r.number(at + SEG.LOW);
    this.#high = r.number(at + SEG.HIGH_WRITE);
    this.#size = r.stackSize;
    this.#user = r.cpl === 3;
    this.#pointer = stackPointer(core);
    this.#error = error;
    return this;
  }

  /** Pushes go to `pointer` in the stack segment `descriptor` of an inner privilege level `cpl`. */
  onto(descriptor: Descriptor, pointer: number, cpl: number, error: number): this {
    const big = (descriptor.access & Access.BIG) !== 0;
    const expandDown = (descriptor.access & Access.EXPAND_DOWN) !== 0;
    this.#values.length = 0;
    this.#base = descriptor.base;
    this.#low = expandDown ? descriptor.limit + 1 : 0;
    this.#high = expandDown ? (big ? 0xffff_ffff : 0xffff) : descriptor.limit;
    this.#size = big ? 32 : 16;
    this.#user = cpl === 3;
    this.#pointer = wrap(pointer, this.#size);
    this.#error = error;
    return this;
  }

  /** Pushes go to the flat 64-bit stack at `pointer`; one that is not canonical raises #SS(`error`). */
  onto64(pointer: number, cpl: number, error: number): this {
    this.#values.length = 0;
    this.#base = 0;
    this.#size = 64;
    this.#user = cpl === 3;
    this.#pointer = pointer;
    this.#error = error;
    return this;
  }

  /** Adds a value to be pushed. */
  add(value: number | bigint): this {
    this.#values.push(value);
    return this;
  }

  /** Checks, writes every value with that width, and returns the stack pointer below them. */
  store(core: CpuCore, bytes: 2 | 4 | 8): number {
    let pointer = this.#pointer;
    for (let i = 0; i < this.#values.length; i++) {
      pointer = wrap(pointer - bytes, this.#size);
      const last = pointer + bytes - 1;
      const inside = this.#size === 64
        ? isCanonical(pointer) && isCanonical(last)
        : pointer >= this.#low && last <= this.#high;
      if (!inside) core.raise(Vector.SS, this.#error);
      core.probe(this.#linear(core, pointer), bytes, true, this.#user);
    }
    pointer = this.#pointer;
    for (const value of this.#values) {
      pointer = wrap(pointer - bytes, this.#size);
      const linear = this.#linear(core, pointer);
      if (bytes === 2) core.write16(linear, Number(value) & 0xffff, this.#user);
      else if (bytes === 4) core.write32(linear, Number(value) >>> 0, this.#user);
      else core.write64(linear, BigInt.asUintN(64, BigInt(value)), this.#user);
    }
    return pointer;
  }

  #linear(core: CpuCore, pointer: number): number {
    return this.#size === 64 ? pointer : linearAddress(core, this.#base, pointer);
  }
}

const pushes = new Pushes();

/** Starts a set of pushes onto the current stack; overflowing it raises #SS(`error`). */
export function pushesOntoCurrent(core: CpuCore, error = 0): Pushes {
  return pushes.ontoCurrent(core, error);
}

/** Starts a set of pushes onto the stack of an inner level; overflowing it raises #SS(`error`). */
export function pushesOnto(descriptor: Descriptor, pointer: number, cpl: number, error: number): Pushes {
  return pushes.onto(descriptor, pointer, cpl, error);
}

/** Starts a set of pushes onto a 64-bit stack; a pointer that is not canonical raises #SS(`error`). */
export function pushesOnto64(pointer: number, cpl: number, error = 0): Pushes {
  return pushes.onto64(pointer, cpl, error);
}

/** Stack pointer and selector for privilege level `level`, from the current TSS. Raises #TS. */
export function innerStack(core: CpuCore, level: number, ext: number): { selector: number; pointer: number } {
  const r = core.r, base = r.segmentBase(Seg.TR), limit = r.segmentLimit(Seg.TR);
  const wide = (r.segmentAccess(Seg.TR) & 8) !== 0;
  const offset = wide ? 4 + 8 * level : 2 + 4 * level;
  if (!r.segmentValid(Seg.TR) || offset + (wide ? 5 : 3) > limit) {
    core.raise(Vector.TS, (r.selector(Seg.TR) & 0xfffc) | ext);
  }
  const address = linearAddress(core, base, offset);
  if (wide) {
    const pointer = core.read32(address, false) >>> 0;
    return { selector: core.read16(linearAddress(core, base, offset + 4), false), pointer };
  }
  const pointer = core.read16(address, false);
  return { selector: core.read16(linearAddress(core, base, offset + 2), false), pointer };
}

/** A 64-bit stack pointer from the IA-32e TSS at byte `offset` (RSPn or ISTn). Raises #TS. */
export function innerStack64(core: CpuCore, offset: number, ext: number): number {
  const r = core.r;
  if (!r.segmentValid(Seg.TR) || offset + 7 > r.segmentLimit(Seg.TR)) {
    core.raise(Vector.TS, (r.selector(Seg.TR) & 0xfffc) | ext);
  }
  return Number(BigInt.asIntN(64, core.read64(r.segmentBase(Seg.TR) + offset, false)));
}
