/**
 * The processor's way into video memory: windows, planes, latches, write modes and read modes of the graphics
 * controller.
 *
 * Video memory is one array of 32-bit cells: byte `p` of cell `n` is offset `n` of plane `p`. With chain-4, processor
 * address `a` is plane `a & 3` of cell `a >> 2`, that is byte `a` of the array, so that mode 13h and the linear
 * framebuffer see the same bytes and need no handler. (The IBM VGA leaves three of four cells unused in chain-4 and
 * steps over them in the CRT controller's double word mode; here both are squeezed, and cannot be told apart by a
 * program that uses them together.)
 */
import type { PhysicalMemory, Region } from "../../machine/memory.ts";
import type { AccessSize, MmioHandler } from "../../machine/types.ts";
import {
  Dispi,
  dispiEnabled,
  Graphics,
  GraphicsBit,
  MiscellaneousBit,
  Sequencer,
  SequencerBit,
  VBE_BANK_SIZE,
  type VgaState,
} from "./registers.ts";

/** Start and length of the processor's window, by bits 2 and 3 of the graphics controller's miscellaneous register. */
const WINDOWS = [
  { base: 0xa0000, size: 0x20000 },
  { base: 0xa0000, size: 0x10000 },
  { base: 0xb0000, size: 0x8000 },
  { base: 0xb8000, size: 0x8000 },
] as const;

/** Where the legacy windows lie as a whole. */
export const LEGACY_BASE = 0xa0000;
/** Size of {@link LEGACY_BASE}'s range. */
export const LEGACY_SIZE = 0x20000;
/** Cells that the VGA's own modes reach: 64 KiB a plane. */
const LEGACY_CELLS = 0x10000;

/** A part of the legacy range that is plain memory just now: byte `offset` of video memory lies at `base`. */
export interface PlainWindow {
  readonly base: number;
  readonly size: number;
  readonly offset: number;
}

/** Spreads the low four bits of `value` over the four planes: FFh in byte `p` where bit `p` is set. */
function spread(value: number): number {
  return ((value & 1) * 0xff | ((value >> 1) & 1) * 0xff00 | ((value >> 2) & 1) * 0xff0000 |
    ((value >> 3) & 1) * 0xff000000) | 0;
}

/** The legacy windows A0000h–BFFFFh as a device. */
export class Planes implements MmioHandler {
  /** Video memory as bytes. */
  readonly bytes: Uint8Array;
  /** Video memory as cells. */
  readonly cells: Int32Array;
  readonly #words: Uint16Array;
  readonly #frameFlags: Uint8Array;
  readonly #firstFrame: number;
  // Derived from the registers by update().
  #base = 0;
  #size = 0;
  #cellMask = 0;
  #bank = 0;
  #textWrites = false;
  #textReads = false;

  constructor(
    private readonly memory: PhysicalMemory,
    private readonly region: Region,
    private readonly state: VgaState,
  ) {
    const { buffer } = memory.memory, start = memory.front + region.offset;
    this.bytes = new Uint8Array(buffer, start, region.size);
    this.cells = new Int32Array(buffer, start, region.size / 4);
    this.#words = new Uint16Array(buffer, start, region.size / 2);
    this.#firstFrame = region.offset >>> 12;
    this.#frameFlags = memory.frameFlags;
    this.update();
  }

  /** Derives windows and shortcuts from the registers; to be called whenever one that matters here has changed. */
  update(): void {
    const { sequencer, graphics, miscellaneous, dispi } = this.state;
    const window = WINDOWS[(graphics[Graphics.MISCELLANEOUS] >> 2) & 3];
    this.#base = window.base;
    this.#size = (miscellaneous & MiscellaneousBit.ENABLE_RAM) !== 0 ? window.size : 0;
    const vbe = dispiEnabled(this.state);
    this.#bank = vbe ? dispi[Dispi.BANK] * VBE_BANK_SIZE : 0;
    this.#cellMask = vbe ? this.cells.length - 1 : LEGACY_CELLS - 1;
    const chained = (sequencer[Sequencer.MEMORY_MODE] & SequencerBit.CHAIN_4) !== 0;
    const oddEven = (graphics[Graphics.MISCELLANEOUS] & GraphicsBit.CHAIN_ODD_EVEN) !== 0 && !chained && !vbe &&
      this.#size === 0x8000;
    this.#textWrites = oddEven && (sequencer[Sequencer.MEMORY_MODE] & SequencerBit.ODD_EVEN_DISABLE) === 0 &&
      (sequencer[Sequencer.MAP_MASK] & 0x0f) === 3 && this.#plainData();
    this.#textReads = oddEven && (graphics[Graphics.MODE] & (GraphicsBit.ODD_EVEN | GraphicsBit.READ_MODE_1)) ===
        GraphicsBit.ODD_EVEN &&
      (graphics[Graphics.READ_MAP_SELECT] & 2) === 0;
  }

  /** True if written bytes reach memory as they are. */
  #plainData(): boolean {
    const { graphics } = this.state;
    return (graphics[Graphics.MODE] & 3) === 0 && graphics[Graphics.DATA_ROTATE] === 0 &&
      graphics[Graphics.ENABLE_SET_RESET] === 0 && graphics[Graphics.BIT_MASK] === 0xff;
  }

  /** The part of the legacy range that needs no handler with the present registers, or null. */
  plainWindow(): PlainWindow | null {
    const { sequencer, graphics, dispi } = this.state;
    if (this.#size < VBE_BANK_SIZE) return null;
    if (dispiEnabled(this.state) && dispi[Dispi.BPP] > 4) {
      const offset = this.#bank;
      const size = Math.min(this.#size, this.bytes.length - offset);
      return size > 0 ? { base: this.#base, size, offset } : null;
    }
    const chained = (sequencer[Sequencer.MEMORY_MODE] & SequencerBit.CHAIN_4) !== 0 &&
      (sequencer[Sequencer.MAP_MASK] & 0x0f) === 0x0f;
    if (!chained || !this.#plainData() || (graphics[Graphics.MODE] & GraphicsBit.READ_MODE_1) !== 0) return null;
    return { base: this.#base, size: this.#size, offset: 0 };
  }

  /** Reports `length` changed bytes at byte `offset` of video memory to who watches memory. */
  #changed(offset: number, length: number): void {
    if (this.#frameFlags[this.#firstFrame + (offset >>> 12)] !== 0) {
      this.memory.noteWrite(this.region.offset + offset, length);
    }
  }

  read(address: number, size: AccessSize): number {
    let value = 0;
    for (let i = 0; i < size; i++) value |= this.#read8(address + i) << (8 * i);
    return value >>> 0;
  }

  write(address: number, value: number, size: AccessSize): void {
    if (this.#textWrites && size === 2 && (address & 1) === 0) {
      const offset = address - this.#base;
      if (offset < 0 || offset >= this.#size) return;
      this.#words[offset << 1] = value;
      this.#changed(offset << 2, 2);
      return;
    }
    for (let i = 0; i < size; i++) this.#write8(address + i, (value >>> (8 * i)) & 0xff);
  }

  /** The cell that processor address `offset` (within the window) reaches in odd/even addressing: bit 0 selects the plane. */
  #oddEvenCell(offset: number): number {
    const low = this.#size === LEGACY_SIZE ? offset >> 16 : 0;
    return (offset & 0xfffe) | low;
  }

  #read8(address: number): number {
    const offset = address - this.#base;
    if (offset < 0 || offset >= this.#size) return 0xff;
    const { state } = this;
    const { graphics, sequencer } = state;
    if (this.#textReads) {
      const cell = offset & 0xfffe;
      state.latches = this.cells[cell];
      return this.bytes[cell << 2 | (offset & 1)];
    }
    let cell: number, plane = graphics[Graphics.READ_MAP_SELECT] & 3;
    if ((sequencer[Sequencer.MEMORY_MODE] & SequencerBit.CHAIN_4) !== 0) {
      const linear = offset + this.#bank;
      plane = linear & 3;
      cell = linear >>> 2;
    } else {
      cell = offset + this.#bank;
      if ((graphics[Graphics.MODE] & GraphicsBit.ODD_EVEN) !== 0) plane = (plane & 2) | (offset & 1);
      if ((graphics[Graphics.MISCELLANEOUS] & GraphicsBit.CHAIN_ODD_EVEN) !== 0) cell = this.#oddEvenCell(offset);
    }
    const latches = this.cells[cell & this.#cellMask];
    state.latches = latches;
    if ((graphics[Graphics.MODE] & GraphicsBit.READ_MODE_1) === 0) return (latches >>> (plane * 8)) & 0xff;
    const different = (latches ^ spread(graphics[Graphics.COLOR_COMPARE])) & spread(graphics[Graphics.COLOR_DONT_CARE]);
    return ~(different | different >>> 8 | different >>> 16 | different >>> 24) & 0xff;
  }

  #write8(address: number, value: number): void {
    const offset = address - this.#base;
    if (offset < 0 || offset >= this.#size) return;
    const { graphics, sequencer } = this.state;
    if (this.#textWrites) {
      const at = (offset & 0xfffe) << 2 | (offset & 1);
      this.bytes[at] = value;
      this.#changed(at, 1);
      return;
    }
    const memoryMode = sequencer[Sequencer.MEMORY_MODE];
    let cell: number, planes = sequencer[Sequencer.MAP_MASK] & 0x0f;
    if ((memoryMode & SequencerBit.CHAIN_4) !== 0) {
      const linear = offset + this.#bank;
      planes &= 1 << (linear & 3);
      cell = linear >>> 2;
    } else {
      cell = offset + this.#bank;
      if ((memoryMode & SequencerBit.ODD_EVEN_DISABLE) === 0) planes &= (offset & 1) !== 0 ? 0b1010 : 0b0101;
      if ((graphics[Graphics.MISCELLANEOUS] & GraphicsBit.CHAIN_ODD_EVEN) !== 0) cell = this.#oddEvenCell(offset);
    }
    if (planes === 0) return;
    cell &= this.#cellMask;
    const mask = spread(planes);
    this.cells[cell] = this.cells[cell] & ~mask | this.#data(value) & mask;
    this.#changed(cell << 2, 4);
  }

  /** What the graphics controller drives on the four planes when the processor writes `value`. */
  #data(value: number): number {
    const { graphics, latches } = this.state;
    const mode = graphics[Graphics.MODE] & 3;
    if (mode === 1) return latches;
    const rotation = graphics[Graphics.DATA_ROTATE] & 7;
    const rotated = (value >> rotation | value << (8 - rotation)) & 0xff;
    const setReset = spread(graphics[Graphics.SET_RESET]);
    let bitMask = graphics[Graphics.BIT_MASK], data: number;
    if (mode === 0) {
      const enable = spread(graphics[Graphics.ENABLE_SET_RESET]);
      data = Math.imul(rotated, 0x01010101) & ~enable | setReset & enable;
    } else if (mode === 2) {
      data = spread(value);
    } else {
      data = setReset;
      bitMask &= rotated;
    }
    switch (mode === 3 ? 0 : (graphics[Graphics.DATA_ROTATE] >> 3) & 3) {
      case 1:
        data &= latches;
        break;
      case 2:
        data |= latches;
        break;
      case 3:
        data ^= latches;
        break;
    }
    const mask = Math.imul(bitMask, 0x01010101);
    return data & mask | latches & ~mask;
  }
}
