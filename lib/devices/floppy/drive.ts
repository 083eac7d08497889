/** A floppy drive: the head's position, the medium and the disk change line. */
import { type FloppyFormat, type FloppyMedium, openFloppy } from "../../disk/mod.ts";
import type { BlockBackend } from "../../machine/types.ts";

const SECTOR = 512;
/** The innermost cylinder that the head reaches. */
const LAST_CYLINDER = 84;
/** The size code of 512-byte sectors. */
const SIZE_CODE = 2;

/** Mutable state of a drive: plain data. */
export type FloppyDriveState = {
  /** Cylinder on which the head stands. */
  cylinder: number;
  /** The disk change line: set by a change of the medium, cleared by a step pulse with a medium in the drive. */
  changed: boolean;
};

/** The identification of a sector: cylinder, head, record (sector number) and size code. */
export interface SectorId {
  readonly c: number;
  readonly h: number;
  readonly r: number;
  readonly n: number;
}

/**
 * A drive that adapts to its medium: it steps single tracks on every format, like the drive for which the medium was made.
 */
export class FloppyDrive {
  readonly state: FloppyDriveState = { cylinder: 0, changed: true };
  #inserted: FloppyMedium | null;

  /** @throws ImageError if the image is no floppy. */
  constructor(image: BlockBackend | null) {
    this.#inserted = image ? openFloppy(image) : null;
  }

  /** The medium; null if there is none. */
  get medium(): BlockBackend | null {
    return this.#inserted?.medium ?? null;
  }

  /** The medium's format; null if there is none. */
  get format(): FloppyFormat | null {
    return this.#inserted?.format ?? null;
  }

  /** Exchanges the medium. @throws ImageError if the image is no floppy; then the old medium stays. */
  change(image: BlockBackend | null): void {
    this.#inserted = image ? openFloppy(image) : null;
    this.state.changed = true;
  }

  /** Moves the head by `steps` cylinders (negative: outwards) as far as it goes. */
  step(steps: number): void {
    const state = this.state;
    if (steps !== 0 && this.#inserted) state.changed = false;
    state.cylinder = Math.max(0, Math.min(LAST_CYLINDER, state.cylinder + steps));
  }

  /** True if the track under `head` can be read with the data rate `rate` (kbit/s): it is formatted, and with this rate. */
  readable(head: number, rate: number): boolean {
    const format = this.format;
    if (!format || head >= format.heads || this.state.cylinder >= format.cylinders) return false;
    // The same disks turn faster in a 1.2M drive, where they are read with 300 kbit/s.
    return rate === format.rate || (rate === 300 && format.rate === 250);
  }

  /** Offset on the medium of the sector `id` on the track under `head`, or -1 if the track has no such sector. */
  find(head: number, id: SectorId): number {
    const format = this.format, { cylinder } = this.state;
    if (!format || id.c !== cylinder || id.h !== head || id.n !== SIZE_CODE) return -1;
    if (id.r < 1 || id.r > format.sectors) return -1;
    return ((cylinder * format.heads + head) * format.sectors + id.r - 1) * SECTOR;
  }
}
