/** The boot catalogue of a CD. Source: "El Torito" Bootable CD-ROM Format Specification, version 1.0, 1995. */
import type { BlockBackend } from "../machine/types.ts";
import { ImageError } from "./errors.ts";
import { CD_SECTOR, volumeDescriptors } from "./iso9660.ts";

/** How the firmware presents the boot image. */
export type BootMedia = "none" | "1.2M" | "1.44M" | "2.88M" | "disk";

/** An entry of the boot catalogue. */
export interface BootEntry {
  /** 0 = x86 BIOS, 1 = PowerPC, 2 = Mac, EFh = UEFI. */
  readonly platform: number;
  /** The entry may be booted from. */
  readonly bootable: boolean;
  /** The drive that the image is to be presented as. */
  readonly media: BootMedia;
  /** Real-mode segment to load to; the entry's 0 already replaced by 07C0h. */
  readonly loadSegment: number;
  /** Partition type of an emulated hard disk. */
  readonly systemType: number;
  /** 512-byte sectors to load. */
  readonly loadSectors: number;
  /** CD sector in which the image starts. */
  readonly lba: number;
  /** Identification from the validation entry or section header. */
  readonly id: string;
}

/** A CD's boot catalogue. */
export interface BootCatalog {
  /** CD sector of the catalogue. */
  readonly lba: number;
  /** The default entry first, then those of the sections. */
  readonly entries: readonly BootEntry[];
}

const SPECIFICATION = "EL TORITO SPECIFICATION";
const ENTRY = 32;
/** Entries beyond this number are not looked at. */
const MAX_ENTRIES = 256;
const MEDIA: readonly BootMedia[] = ["none", "1.2M", "1.44M", "2.88M", "disk"];

/** Indicators in the first byte of an entry. */
const Indicator = { VALIDATION: 0x01, HEADER: 0x90, LAST_HEADER: 0x91, EXTENSION: 0x44, BOOTABLE: 0x88 } as const;

function text(bytes: Uint8Array): string {
  let end = bytes.length;
  while (end > 0 && (bytes[end - 1] === 0 || bytes[end - 1] === 0x20)) end--;
  return String.fromCharCode(...bytes.subarray(0, end));
}

/** The catalogue's sector as the boot record descriptor names it, or null if the CD has none. */
function findCatalog(medium: BlockBackend): number | null {
  for (const { type, bytes } of volumeDescriptors(medium)) {
    if (type === 0 && text(bytes.subarray(7, 39)) === SPECIFICATION) {
      return new DataView(bytes.buffer).getUint32(71, true);
    }
  }
  return null;
}

/**
 * Reads the boot catalogue of a CD. Returns null if the CD is not bootable.
 *
 * @throws ImageError if there is a catalogue, but a damaged one.
 */
export function readBootCatalog(medium: BlockBackend): BootCatalog | null {
  const lba = findCatalog(medium);
  if (lba === null) return null;
  if ((lba + 1) * CD_SECTOR > medium.size) {
    throw new ImageError(
      `the CD's boot catalogue should be in sector ${lba}, beyond its end: the image is incomplete, fetch it again`,
    );
  }
  const entries: BootEntry[] = [];
  let platform = 0, id = "", last = false, inSection = 0;
  for (let index = 0; index < MAX_ENTRIES; index++) {
    const entry = readEntry(medium, lba, index);
    if (entry === null) break;
    if (index === 0) {
      checkValidation(entry, lba);
      platform = entry[1];
      id = text(entry.subarray(4, 28));
    } else if (index === 1) entries.push(parseEntry(entry, platform, id));
    else if (inSection > 0) {
      if (entry[0] === Indicator.EXTENSION) continue;
      entries.push(parseEntry(entry, platform, id));
      inSection--;
    } else if (entry[0] === Indicator.EXTENSION) continue;
    else if (!last && (entry[0] === Indicator.HEADER || entry[0] === Indicator.LAST_HEADER)) {
      last = entry[0] === Indicator.LAST_HEADER;
      platform = entry[1];
      inSection = entry[2] | entry[3] << 8;
      id = text(entry.subarray(4, 32));
    } else break;
  }
  return { lba, entries };
}

/** Entry `index` of the catalogue; null beyond the end of the medium. */
function readEntry(medium: BlockBackend, lba: number, index: number): Uint8Array | null {
  const perSector = CD_SECTOR / ENTRY, sector = lba + Math.floor(index / perSector);
  if ((sector + 1) * CD_SECTOR > medium.size) return null;
  const bytes = new Uint8Array(CD_SECTOR);
  medium.read(sector * CD_SECTOR, bytes);
  const at = index % perSector * ENTRY;
  return bytes.subarray(at, at + ENTRY);
}

function checkValidation(entry: Uint8Array, lba: number): void {
  let sum = 0;
  for (let i = 0; i < ENTRY; i += 2) sum += entry[i] | entry[i + 1] << 8;
  if (entry[0] !== Indicator.VALIDATION || entry[30] !== 0x55 || entry[31] !== 0xaa || (sum & 0xffff) !== 0) {
    throw new ImageError(
      `the CD's boot catalogue in sector ${lba} is damaged (validation entry or its checksum is wrong): fetch the image again`,
    );
  }
}

function parseEntry(entry: Uint8Array, platform: number, id: string): BootEntry {
  const view = new DataView(entry.buffer, entry.byteOffset, ENTRY);
  const media = MEDIA[entry[1] & 15];
  return {
    platform,
    bootable: entry[0] === Indicator.BOOTABLE && media !== undefined,
    media: media ?? "none",
    loadSegment: view.getUint16(2, true) || 0x07c0,
    systemType: entry[4],
    loadSectors: view.getUint16(6, true),
    lba: view.getUint32(8, true),
    id,
  };
}
