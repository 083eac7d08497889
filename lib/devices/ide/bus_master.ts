/**
 * Bus master function of one IDE channel. Sources: Intel 82371SB (PIIX3) data sheet, sections 2.4 and 3.5;
 * Programming Interface for Bus Master IDE Controller, revision 1.0, 1994.
 */
import type { DmaMemory } from "../../machine/types.ts";

/** Bus master IDE command register. */
const BmCommand = {
  START: 0x01,
  /** Data flows from the drive to memory (the bus master writes). */
  TO_MEMORY: 0x08,
} as const;

/** Bus master IDE status register. */
const BmStatus = {
  ACTIVE: 0x01,
  ERROR: 0x02,
  INTERRUPT: 0x04,
  DRIVE0_CAPABLE: 0x20,
  DRIVE1_CAPABLE: 0x40,
} as const;

/** End of table, in the last byte of a descriptor. */
const EOT = 0x8000_0000;

/** The drive's side of a transfer. */
export interface DmaPeer {
  readonly dmaToMemory: boolean;
  dmaChunk(): Uint8Array | null;
  dmaAdvance(length: number): void;
}

/** Mutable state of a bus master: plain data. */
export type BusMasterState = {
  command: number;
  status: number;
  /** Descriptor table pointer register. */
  table: number;
  /** Address of the next descriptor. */
  next: number;
  /** The memory region that is in use: next byte, bytes left, and whether its descriptor is the last. */
  address: number;
  left: number;
  last: boolean;
};

/** One channel of the bus master. */
export class BusMaster {
  readonly state: BusMasterState = { command: 0, status: 0, table: 0, next: 0, address: 0, left: 0, last: false };

  constructor(private readonly wires: { memory: DmaMemory; enabled(): boolean; started(): void }) {}

  reset(): void {
    Object.assign(this.state, { command: 0, status: 0, table: 0, next: 0, address: 0, left: 0, last: false });
  }

  /** Reads one byte of the eight registers. */
  read(offset: number): number {
    const state = this.state;
    switch (offset) {
      case 0:
        return state.command;
      case 2:
        return state.status;
      case 4:
      case 5:
      case 6:
      case 7:
        return state.table >>> 8 * (offset - 4) & 0xff;
      default:
        return 0;
    }
  }

  /** Writes one byte of the eight registers. */
  write(offset: number, value: number): void {
    const state = this.state;
    if (offset === 0) this.#control(value & (BmCommand.START | BmCommand.TO_MEMORY));
    else if (offset === 2) {
      const capable = BmStatus.DRIVE0_CAPABLE | BmStatus.DRIVE1_CAPABLE;
      const cleared = value & (BmStatus.ERROR | BmStatus.INTERRUPT);
      state.status = state.status & ~cleared & ~capable | value & capable;
    } else if (offset >= 4) {
      const shift = 8 * (offset - 4);
      state.table = (state.table & ~(0xff << shift) | (offset === 4 ? value & 0xfc : value) << shift) >>> 0;
    }
  }

  #control(value: number): void {
    const state = this.state, before = state.command;
    state.command = value;
    if (value & ~before & BmCommand.START) {
      state.status |= BmStatus.ACTIVE;
      state.next = state.table;
      state.left = 0;
      state.last = false;
      this.wires.started();
    } else if (before & ~value & BmCommand.START) {
      // Stopping in the middle gives the transfer up: there is no way to resume it.
      state.status &= ~BmStatus.ACTIVE;
      state.left = 0;
    }
  }

  /** The channel's interrupt line rose. */
  noteInterrupt(): void {
    this.state.status |= BmStatus.INTERRUPT;
  }

  /**
   * Moves data between `drive`, which asserts DMARQ, and the memory that the descriptors name. Ends when the drive's
   * command ends, when the descriptors end (then the drive stays waiting), or with the error bit.
   */
  transfer(drive: DmaPeer): void {
    const state = this.state;
    if ((state.status & BmStatus.ACTIVE) === 0) return;
    const toMemory = (state.command & BmCommand.TO_MEMORY) !== 0;
    if (!this.wires.enabled() || toMemory !== drive.dmaToMemory) {
      state.status = state.status & ~BmStatus.ACTIVE | BmStatus.ERROR;
      return;
    }
    for (let chunk = drive.dmaChunk(); chunk !== null; chunk = drive.dmaChunk()) {
      if (state.left === 0 && !this.#nextRegion()) return;
      const length = Math.min(chunk.length, state.left);
      const piece = chunk.subarray(0, length);
      if (toMemory) this.wires.memory.write(state.address, piece);
      else this.wires.memory.read(state.address, piece);
      state.address += length;
      state.left -= length;
      if (state.left === 0 && state.last) state.status &= ~BmStatus.ACTIVE;
      drive.dmaAdvance(length);
    }
  }

  /** Fetches the next descriptor; `false` if the last one is used up. */
  #nextRegion(): boolean {
    const state = this.state;
    if (state.last) return false;
    const { memory } = this.wires;
    state.address = (memory.read32(state.next) & ~1) >>> 0;
    const word = memory.read32(state.next + 4);
    // A count of 0 means 64 KiB; regions begin and end on word boundaries.
    state.left = word & 0xfffe || 0x10000;
    state.last = (word & EOT) !== 0;
    state.next = (state.next + 8) % 2 ** 32;
    return true;
  }
}
