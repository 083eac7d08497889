/**
 * The floppy formats of the PC and how to tell which one an image has.
 * Sources: ECMA-70, -78, -99, -100, -125, -147 (media); Intel 82077AA data sheet, table 5-8 (data rates).
 */
import type { BlockBackend } from "../machine/types.ts";
import { ImageError } from "./errors.ts";
import { PaddedDisk } from "./padded_disk.ts";

const SECTOR = 512;

/** A floppy format. Sectors have 512 bytes and are numbered from 1. */
export interface FloppyFormat {
  /** What people call it, for example `"1.44M"`. */
  readonly name: string;
  /** Tracks on a side. */
  readonly cylinders: number;
  /** Sides. */
  readonly heads: number;
  /** Sectors on a track. */
  readonly sectors: number;
  /** Data rate in kbit/s with MFM encoding. */
  readonly rate: 250 | 300 | 500 | 1000;
}

/** The PC's formats, smallest first. A 360K disk and its relatives turn in a 1.2M drive: there their rate is 300 kbit/s. */
export const FLOPPY_FORMATS: readonly FloppyFormat[] = [
  { name: "160K", cylinders: 40, heads: 1, sectors: 8, rate: 250 },
  { name: "180K", cylinders: 40, heads: 1, sectors: 9, rate: 250 },
  { name: "320K", cylinders: 40, heads: 2, sectors: 8, rate: 250 },
  { name: "360K", cylinders: 40, heads: 2, sectors: 9, rate: 250 },
  { name: "720K", cylinders: 80, heads: 2, sectors: 9, rate: 250 },
  { name: "1.2M", cylinders: 80, heads: 2, sectors: 15, rate: 500 },
  { name: "1.44M", cylinders: 80, heads: 2, sectors: 18, rate: 500 },
  { name: "1.68M", cylinders: 80, heads: 2, sectors: 21, rate: 500 },
  { name: "1.72M", cylinders: 82, heads: 2, sectors: 21, rate: 500 },
  { name: "2.88M", cylinders: 80, heads: 2, sectors: 36, rate: 1000 },
];

/** Bytes on a disk of this format. */
export function formatSize(format: FloppyFormat): number {
  return format.cylinders * format.heads * format.sectors * SECTOR;
}

/** The format that the BIOS parameter block of a boot sector describes, or undefined if it describes none of the PC's. */
function formatOfBootSector(boot: Uint8Array): FloppyFormat | undefined {
  const view = new DataView(boot.buffer, boot.byteOffset, boot.length);
  if (view.getUint16(11, true) !== SECTOR) return undefined;
  const total = view.getUint16(19, true), sectors = view.getUint16(24, true), heads = view.getUint16(26, true);
  return FLOPPY_FORMATS.find((format) =>
    format.sectors === sectors && format.heads === heads && formatSize(format) === total * SECTOR
  );
}

/** A floppy in a known format. */
export interface FloppyMedium {
  /** The image, made as large as its format. */
  readonly medium: BlockBackend;
  /** Its format. */
  readonly format: FloppyFormat;
}

/**
 * Finds the format of a floppy image: the one of exactly its size; for an image that was cut short the one that its boot
 * sector describes, or else 1.44M, or else the next larger one. What an image lacks reads as zeros.
 *
 * @throws ImageError if the image is empty or larger than 2.88M.
 */
export function openFloppy(image: BlockBackend): FloppyMedium {
  const exact = FLOPPY_FORMATS.find((format) => formatSize(format) === image.size);
  if (exact !== undefined) return { medium: image, format: exact };
  const largest = FLOPPY_FORMATS[FLOPPY_FORMATS.length - 1];
  if (image.size > formatSize(largest)) {
    throw new ImageError(
      `a floppy has at most ${formatSize(largest)} bytes (${largest.name}), but the image has ${image.size}: ` +
        "use it as a hard disk",
    );
  }
  if (image.size < SECTOR) {
    throw new ImageError(
      `a floppy image has at least one sector of ${SECTOR} bytes, but this one has ${image.size}: is it the right file?`,
    );
  }
  const boot = new Uint8Array(SECTOR);
  image.read(0, boot);
  const described = formatOfBootSector(boot);
  const fits = (format: FloppyFormat) => formatSize(format) >= image.size;
  const format = described && fits(described)
    ? described
    : FLOPPY_FORMATS.find((format) => fits(format) && formatSize(format) >= 80 * 2 * 18 * SECTOR) ?? largest;
  return { medium: new PaddedDisk(image, formatSize(format)), format };
}
