/** Cylinders, heads and sectors: the addresses of INT 13h. Source: T13 1226DT (Enhanced Disk Drive), chapter 5. */

/** A disk geometry. Sectors are numbered from 1, cylinders and heads from 0. */
export interface Geometry {
  /** Number of cylinders. */
  readonly cylinders: number;
  /** Tracks in a cylinder. */
  readonly heads: number;
  /** Sectors on a track. */
  readonly sectors: number;
}

/**
 * The geometry that a BIOS presents for a disk of `total` sectors: at most 1024 cylinders. If the disk has a master boot
 * record whose partitions all end at the same head and sector, that is the translation with which it was partitioned,
 * and it is kept; otherwise 63 sectors and the smallest of 16, 32, 64, 128 and 255 heads that fits (LBA assist).
 *
 * @param bootSector The first 512 bytes of the disk, if there are any.
 */
export function biosGeometry(total: number, bootSector?: Uint8Array): Geometry {
  const { heads, sectors } = partitionGeometry(bootSector) ?? lbaAssist(total);
  const cylinders = Math.max(1, Math.min(1024, Math.floor(total / (heads * sectors))));
  return { cylinders, heads, sectors };
}

function lbaAssist(total: number): { heads: number; sectors: number } {
  const sectors = 63, cylinders = total / (16 * sectors);
  const heads = cylinders <= 1024
    ? 16
    : cylinders <= 2048
    ? 32
    : cylinders <= 4096
    ? 64
    : cylinders <= 8192
    ? 128
    : 255;
  return { heads, sectors };
}

function partitionGeometry(bootSector: Uint8Array | undefined): { heads: number; sectors: number } | undefined {
  if (bootSector === undefined || bootSector.length < 512 || bootSector[510] !== 0x55 || bootSector[511] !== 0xaa) {
    return undefined;
  }
  let found: { heads: number; sectors: number } | undefined;
  for (let entry = 446; entry < 510; entry += 16) {
    const [status, , , , type, endHead, endSector] = bootSector.subarray(entry, entry + 16);
    if ((status & 0x7f) !== 0) return undefined; // not a partition table
    if (type === 0) continue;
    const heads = endHead + 1, sectors = endSector & 63;
    if (heads < 2 || heads > 255 || sectors === 0) return undefined;
    if (found && (found.heads !== heads || found.sectors !== sectors)) return undefined;
    found = { heads, sectors };
  }
  return found;
}
