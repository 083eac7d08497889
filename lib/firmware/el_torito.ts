/**
 * The drive that a bootable CD-ROM emulates. Source: Phoenix/IBM, "El Torito" bootable CD-ROM format specification 1.0, 1995.
 */
import {
  biosGeometry,
  type BootEntry,
  type BootMedia,
  CD_SECTOR,
  type Geometry,
  readBootCatalog,
} from "../disk/mod.ts";
import type { BlockBackend } from "../machine/types.ts";

/** The default boot entry of a disc, or a sentence that says why there is none. */
export function findBootEntry(medium: BlockBackend): BootEntry | string {
  try {
    const entry = readBootCatalog(medium)?.entries[0];
    if (entry === undefined) return "the disc is not bootable";
    return entry.bootable ? entry : "the disc's default boot entry is not bootable";
  } catch {
    return "the disc's boot catalogue cannot be read";
  }
}

/** Boot media types as the specification packet numbers them. */
export const MEDIA_TYPE: Readonly<Record<BootMedia, number>> = { none: 0, "1.2M": 1, "1.44M": 2, "2.88M": 3, disk: 4 };

/** Sectors per track and CMOS drive type of the emulated floppies. */
const FLOPPIES: Readonly<Partial<Record<BootMedia, { sectors: number; cmosType: number }>>> = {
  "1.2M": { sectors: 15, cmosType: 2 },
  "1.44M": { sectors: 18, cmosType: 4 },
  "2.88M": { sectors: 36, cmosType: 5 },
};

/** The drive that an entry with emulation stands for: its contents, geometry and floppy type (0 = hard disk). */
export interface EmulatedDrive {
  readonly medium: BlockBackend;
  readonly geometry: Geometry;
  readonly cmosType: number;
}

/** Makes the image behind `entry` a drive, or says why that is impossible. */
export function emulatedDrive(disc: BlockBackend, entry: BootEntry): EmulatedDrive | string {
  const start = entry.lba * CD_SECTOR;
  const floppy = FLOPPIES[entry.media];
  if (floppy !== undefined) {
    const geometry = { cylinders: 80, heads: 2, sectors: floppy.sectors };
    const medium = new DiscWindow(disc, start, 80 * 2 * floppy.sectors * 512);
    return { medium, geometry, cmosType: floppy.cmosType };
  }
  const table = new Uint8Array(512);
  try {
    new DiscWindow(disc, start, 512).read(0, table);
  } catch {
    return "the hard disk image cannot be read";
  }
  if (table[510] !== 0x55 || table[511] !== 0xaa) return "the hard disk image has no partition table";
  const view = new DataView(table.buffer);
  const blocks = view.getUint32(0x1be + 8, true) + view.getUint32(0x1be + 12, true);
  if (blocks === 0) return "the hard disk image's partition table is empty";
  return { medium: new DiscWindow(disc, start, blocks * 512), geometry: biosGeometry(blocks, table), cmosType: 0 };
}

/** A read-only piece of a disc. What lies past the disc's end reads as zeros. */
class DiscWindow implements BlockBackend {
  readonly readOnly = true;

  constructor(private readonly disc: BlockBackend, private readonly start: number, readonly size: number) {}

  read(offset: number, target: Uint8Array): void {
    const from = this.start + offset;
    const first = Math.floor(from / CD_SECTOR) * CD_SECTOR;
    const discEnd = Math.floor(this.disc.size / CD_SECTOR) * CD_SECTOR;
    const last = Math.min(Math.ceil((from + target.length) / CD_SECTOR) * CD_SECTOR, discEnd);
    target.fill(0);
    if (last <= from) return;
    const blocks = new Uint8Array(last - first);
    this.disc.read(first, blocks);
    target.set(blocks.subarray(from - first, from - first + target.length));
  }

  write(): void {
    throw new RangeError("a disc cannot be written");
  }

  flush(): void {}
}
