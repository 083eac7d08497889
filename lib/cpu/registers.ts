/** TypeScript's view of a processor's state block: typed access to the same bytes that compiled code uses. */
import { Flag, S, SEG, Seg } from "./state.ts";

/** Bits of {@link SEG.ACCESS}: descriptor bits 8–23 shifted right by 8. Intel SDM vol. 3A, section 3.4.5. */
export const Access = {
  ACCESSED: 1 << 0,
  /** Data: writable. Code: readable. */
  READ_WRITE: 1 << 1,
  /** Data: expand down. Code: conforming. */
  EXPAND_DOWN: 1 << 2,
  CODE: 1 << 3,
  /** Code or data (1), system (0). */
  S: 1 << 4,
  DPL: 3 << 5,
  PRESENT: 1 << 7,
  AVL: 1 << 12,
  LONG: 1 << 13,
  /** D/B: 32-bit code or stack. */
  BIG: 1 << 14,
  GRANULARITY: 1 << 15,
} as const;

/** The parity flag of a byte: 1 if the number of ones is even. */
function parity(byte: number): number {
  byte ^= byte >> 4;
  return (~(0x6996 >> (byte & 15))) & 1;
}

/** A processor's registers. */
export class Registers {
  readonly #view: DataView;
  readonly #i32: Int32Array;
  /** Address of the state block in its memory. */
  readonly base: number;
  /** Bits of EFLAGS that the processor has; the others stay 0. */
  readonly #flags: number;

  constructor(memory: WebAssembly.Memory, base: number, flags: number) {
    this.base = base;
    this.#flags = flags;
    this.#view = new DataView(memory.buffer, base, S.SIZE);
    this.#i32 = new Int32Array(memory.buffer, base, S.SIZE / 4);
  }

  // ---- fields by offset

  i32(offset: number): number {
    return this.#i32[offset >> 2];
  }
  setI32(offset: number, value: number): void {
    this.#i32[offset >> 2] = value;
  }
  u32(offset: number): number {
    return this.#i32[offset >> 2] >>> 0;
  }
  u16(offset: number): number {
    return this.#view.getUint16(offset, true);
  }
  setU16(offset: number, value: number): void {
    this.#view.setUint16(offset, value, true);
  }
  u8(offset: number): number {
    return this.#view.getUint8(offset);
  }
  u64(offset: number): bigint {
    return this.#view.getBigUint64(offset, true);
  }
  setU64(offset: number, value: bigint): void {
    this.#view.setBigUint64(offset, value, true);
  }
  setFloat(offset: number, value: number): void {
    this.#view.setFloat64(offset, value, true);
  }
  /** A 64-bit field as a signed number, exact up to 2^53 (addresses, offsets, bases). */
  number(offset: number): number {
    return this.#i32[(offset >> 2) + 1] * 2 ** 32 + (this.#i32[offset >> 2] >>> 0);
  }
  setNumber(offset: number, value: number): void {
    const word = offset >> 2, low = value >>> 0;
    this.#i32[word] = low;
    this.#i32[word + 1] = low === value ? 0 : Math.floor(value / 2 ** 32);
  }

  // ---- general registers

  get8(register: number, high = false): number {
    return this.#view.getUint8(S.GPR + register * 8 + (high ? 1 : 0));
  }
  set8(register: number, value: number, high = false): void {
    this.#view.setUint8(S.GPR + register * 8 + (high ? 1 : 0), value);
  }
  get16(register: number): number {
    return this.#view.getUint16(S.GPR + register * 8, true);
  }
  set16(register: number, value: number): void {
    this.#view.setUint16(S.GPR + register * 8, value, true);
  }
  get32(register: number): number {
    return this.#i32[register * 2] >>> 0;
  }
  /** Writes 32 bits and clears the upper half, as 32-bit operations do. */
  set32(register: number, value: number): void {
    this.#i32[register * 2] = value;
    this.#i32[register * 2 + 1] = 0;
  }
  get64(register: number): bigint {
    return this.#view.getBigUint64(register * 8, true);
  }
  set64(register: number, value: bigint): void {
    this.#view.setBigUint64(register * 8, value, true);
  }

  /** Instruction pointer: offset in CS. */
  get ip(): number {
    return this.number(S.RIP);
  }
  set ip(value: number) {
    this.setNumber(S.RIP, value);
  }

  // ---- flags

  /** EFLAGS, all of them. The encoding of the lazy pair is described in flags.ts. */
  get eflags(): number {
    const res = this.i32(S.FLAG_RES), aux = this.i32(S.FLAG_AUX);
    const cf = aux >>> 31;
    return this.i32(S.EFLAGS) | 2 | cf | (parity((res ^ (aux >>> 8)) & 0xff) << 2) | (((aux >>> 3) & 1) << 4) |
      (res === 0 ? Flag.ZF : 0) | ((((res >>> 31) ^ aux) & 1) << 7) | ((cf ^ ((aux >>> 30) & 1)) << 11);
  }
  set eflags(value: number) {
    this.setI32(S.EFLAGS, (value & this.#flags & ~Flag.ARITHMETIC) | 2);
    this.setArithmeticFlags(value);
  }
  /** Replaces OF SF ZF AF PF CF by those in `image`. */
  setArithmeticFlags(image: number): void {
    const cf = image & 1, of = (image >>> 11) & 1;
    const zf = (image >>> 6) & 1, pf = (image >>> 2) & 1, sf = (image >>> 7) & 1, af = (image >>> 4) & 1;
    const res = zf ^ 1;
    // Parity of `res` itself: 0 has even, 1 has odd parity.
    const parityDelta = pf ^ zf;
    this.setI32(S.FLAG_RES, res);
    this.setI32(S.FLAG_AUX, (cf << 31) | ((cf ^ of) << 30) | (af << 3) | sf | (parityDelta << 8));
  }

  // ---- segments

  selector(segment: number): number {
    return this.i32(S.SEG + segment * SEG.SIZE + SEG.SELECTOR);
  }
  segmentBase(segment: number): number {
    return this.number(S.SEG + segment * SEG.SIZE + SEG.BASE);
  }
  segmentLimit(segment: number): number {
    return this.u32(S.SEG + segment * SEG.SIZE + SEG.LIMIT);
  }
  /** {@link Access} bits. */
  segmentAccess(segment: number): number {
    return this.i32(S.SEG + segment * SEG.SIZE + SEG.ACCESS);
  }
  segmentValid(segment: number): boolean {
    return this.i32(S.SEG + segment * SEG.SIZE + SEG.VALID) !== 0;
  }

  /**
   * Loads the hidden part of a segment register and derives the range of offsets that compiled code checks.
   * `limit` is in bytes (granularity applied). CS is executable-only unless readable; an unusable segment (`valid` false) allows nothing.
   */
  setSegment(segment: number, selector: number, base: number, limit: number, access: number, valid = true): void {
    const at = S.SEG + segment * SEG.SIZE;
    this.setI32(at + SEG.SELECTOR, selector);
    this.setNumber(at + SEG.BASE, base);
    this.setI32(at + SEG.LIMIT, limit);
    this.setI32(at + SEG.ACCESS, access);
    this.setI32(at + SEG.VALID, valid ? 1 : 0);
    const code = (access & Access.CODE) !== 0;
    const expandDown = !code && (access & Access.EXPAND_DOWN) !== 0;
    const low = expandDown ? limit + 1 : 0;
    const high = expandDown ? ((access & Access.BIG) !== 0 ? 0xffffffff : 0xffff) : limit;
    const readable = valid && (!code || (access & Access.READ_WRITE) !== 0);
    const writable = valid && !code && (access & Access.READ_WRITE) !== 0;
    this.setNumber(at + SEG.LOW, low);
    this.setNumber(at + SEG.HIGH_READ, readable ? high : -1);
    this.setNumber(at + SEG.HIGH_WRITE, writable ? high : -1);
  }

  /** Like {@link setSegment} for 4 GiB from address 0 that do not expand down. */
  setFlatSegment(segment: number, selector: number, access: number): void {
    const i32 = this.#i32, word = (S.SEG + segment * SEG.SIZE) >> 2, code = (access & Access.CODE) !== 0;
    const allowed = (access & Access.READ_WRITE) !== 0;
    // Fields of 64 bits, and the two pairs of words that follow one another.
    const set = (field: number, low: number, high: number) => {
      i32[word + (field >> 2)] = low;
      i32[word + (field >> 2) + 1] = high;
    };
    set(SEG.BASE, 0, 0);
    set(SEG.LOW, 0, 0);
    set(SEG.HIGH_READ, -1, !code || allowed ? 0 : -1);
    set(SEG.HIGH_WRITE, -1, !code && allowed ? 0 : -1);
    set(SEG.SELECTOR, selector, -1);
    set(SEG.ACCESS, access, 1);
  }

  /** Loads a segment register as real mode does (base = selector × 16) and keeps its limit and rights. */
  setRealSegment(segment: number, selector: number): void {
    this.setSegment(
      segment,
      selector & 0xffff,
      (selector & 0xffff) * 16,
      this.segmentLimit(segment),
      this.segmentAccess(segment),
    );
  }

  /** Current privilege level. */
  get cpl(): number {
    return this.i32(S.CPL);
  }

  /** True if CR0.PE is set and EFLAGS.VM is not. */
  get protectedMode(): boolean {
    return (this.i32(S.CR0) & 1) !== 0 && (this.i32(S.EFLAGS) & Flag.VM) === 0;
  }

  /** Width of the stack pointer by SS: 16 or 32 (64 in 64-bit code). */
  get stackSize(): 16 | 32 | 64 {
    if (this.longMode && (this.segmentAccess(Seg.CS) & Access.LONG) !== 0) return 64;
    return (this.segmentAccess(Seg.SS) & Access.BIG) !== 0 ? 32 : 16;
  }

  /** Width of the running code. */
  get codeSize(): 16 | 32 | 64 {
    if (this.longMode && (this.segmentAccess(Seg.CS) & Access.LONG) !== 0) return 64;
    return (this.segmentAccess(Seg.CS) & Access.BIG) !== 0 ? 32 : 16;
  }

  /** EFER.LMA. */
  get longMode(): boolean {
    return (this.i32(S.EFER) & (1 << 10)) !== 0;
  }
}
