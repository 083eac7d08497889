/**
 * A minimal assembler for the firmware's ROM stubs: named encodings of the few instructions that they use, labels, and
 * relative jumps. Encodings: Intel SDM vol. 2.
 */

/** Fixed encodings (16-bit code unless said otherwise). */
export const Op = {
  CLI: [0xfa],
  STI: [0xfb],
  CLD: [0xfc],
  STC: [0xf9],
  HLT: [0xf4],
  IRET: [0xcf],
  RETF: [0xcb],
  PUSHA: [0x60],
  POPA: [0x61],
  PUSHF: [0x9c],
  PUSH_AX: [0x50],
  PUSH_BX: [0x53],
  PUSH_CX: [0x51],
  PUSH_DX: [0x52],
  POP_AX: [0x58],
  POP_DX: [0x5a],
  PUSH_DS: [0x1e],
  PUSH_ES: [0x06],
  POP_DS: [0x1f],
  POP_ES: [0x07],
  XOR_AX_AX: [0x31, 0xc0],
  MOV_SS_AX: [0x8e, 0xd0],
  MOV_DS_AX: [0x8e, 0xd8],
  MOV_ES_AX: [0x8e, 0xc0],
} as const;

/** Conditional short jumps, by opcode. */
export const Jump = { ALWAYS: 0xeb, C: 0x72, NC: 0x73, Z: 0x74, NZ: 0x75 } as const;

/** Emits code and data into one 64 KiB segment. Errors are programming errors of the ROM's author and throw `RangeError`. */
export class Assembler {
  readonly bytes: Uint8Array;
  readonly #labels = new Map<string, number>();
  readonly #fixups: { at: number; label: string; size: 1 | 2 }[] = [];
  #at = 0;

  /** `size` bytes, filled with `fill`; offset 0 of the image is offset `base` of its segment. */
  constructor(size: number, fill = 0xff, private readonly base = 0) {
    this.bytes = new Uint8Array(size).fill(fill);
  }

  /** Offset in the segment of the next byte. */
  get here(): number {
    return this.base + this.#at;
  }

  /** Continues at segment offset `offset`. */
  org(offset: number): void {
    this.#at = offset - this.base;
  }

  /** Continues at the next multiple of `alignment`. */
  align(alignment: number): void {
    this.#at = Math.ceil(this.#at / alignment) * alignment;
  }

  /** Names the current place. */
  label(name: string): void {
    if (this.#labels.has(name)) throw new RangeError(`label ${name} is defined twice`);
    this.#labels.set(name, this.here);
  }

  /** Segment offset of a label that has been defined. */
  offsetOf(label: string): number {
    const offset = this.#labels.get(label);
    if (offset === undefined) throw new RangeError(`label ${label} is not defined`);
    return offset;
  }

  /** Emits bytes. */
  db(...values: number[]): void {
    this.emit(values);
  }

  /** Emits 16-bit words. */
  dw(...values: number[]): void {
    for (const value of values) this.db(value & 0xff, (value >>> 8) & 0xff);
  }

  /** Emits 32-bit words. */
  dd(...values: number[]): void {
    for (const value of values) this.dw(value & 0xffff, value >>> 16);
  }

  /** Emits ASCII text, without a terminator. */
  text(value: string): void {
    for (let i = 0; i < value.length; i++) this.db(value.charCodeAt(i));
  }

  /** Emits bytes or a fixed encoding of {@link Op}. */
  emit(...pieces: ArrayLike<number>[]): void {
    for (const piece of pieces) {
      if (this.#at + piece.length > this.bytes.length) throw new RangeError("the ROM image is full");
      this.bytes.set(piece, this.#at);
      this.#at += piece.length;
    }
  }

  /** A short jump of kind {@link Jump} to `label`. */
  jump(kind: number, label: string): void {
    this.db(kind, 0);
    this.#fixups.push({ at: this.#at - 1, label, size: 1 });
  }

  /** JMP rel16 to `label`. */
  jumpNear(label: string): void {
    this.db(0xe9, 0, 0);
    this.#fixups.push({ at: this.#at - 2, label, size: 2 });
  }

  /** JMP ptr16:16. */
  jumpFar(segment: number, offset: number): void {
    this.db(0xea);
    this.dw(offset, segment);
  }

  /** INT imm8. */
  int(vector: number): void {
    this.db(0xcd, vector);
  }

  /** MOV AX, imm16. */
  movAx(value: number): void {
    this.db(0xb8);
    this.dw(value);
  }

  /** MOV AL, imm8. */
  movAl(value: number): void {
    this.db(0xb0, value);
  }

  /** MOV AH, imm8. */
  movAh(value: number): void {
    this.db(0xb4, value);
  }

  /** MOV SP, imm16. */
  movSp(value: number): void {
    this.db(0xbc);
    this.dw(value);
  }

  /** CMP AL, imm8. */
  cmpAl(value: number): void {
    this.db(0x3c, value);
  }

  /** IN AL, imm8. */
  inAl(port: number): void {
    this.db(0xe4, port);
  }

  /** OUT imm8, AL. */
  outAl(port: number): void {
    this.db(0xe6, port);
  }

  /** Resolves all jumps and returns the image. */
  finish(): Uint8Array {
    for (const { at, label, size } of this.#fixups) {
      const distance = this.offsetOf(label) - (this.base + at + size);
      if (size === 1 && (distance < -128 || distance > 127)) {
        throw new RangeError(`${label} is too far for a short jump`);
      }
      this.bytes[at] = distance & 0xff;
      if (size === 2) this.bytes[at + 1] = (distance >> 8) & 0xff;
    }
    return this.bytes;
  }
}
