/** Fixed disks and CD-ROM drives as INT 13h numbers them, and the geometry that programs see. */
import type { BlockBackend } from "../machine/types.ts";
import { defaultGeometry } from "../devices/ide/mod.ts";
import { biosGeometry, type Geometry } from "../disk/mod.ts";
import type { BiosAtaDrive } from "./wires.ts";

/** A drive that INT 13h serves under a number from 80h up. */
export interface FixedDisk {
  readonly kind: "disk" | "cdrom";
  /** Position on the IDE channels: 0 = primary master … 3 = secondary slave. */
  readonly position: number;
  readonly medium: BlockBackend | null;
  /** Bytes in a sector: 512, or 2048 for a CD. */
  readonly blockSize: number;
  /** What AH=08h reports. */
  readonly logical: Geometry;
  /** What the drive itself reports (IDENTIFY DEVICE). */
  readonly physical: Geometry;
}

/** First drive number of CD-ROM drives. */
export const FIRST_CD_DRIVE = 0xe0;

/** Geometry that INT 13h reports for a disk. */
function logicalGeometry(medium: BlockBackend): Geometry {
  const sector = new Uint8Array(512);
  let table: Uint8Array | undefined;
  if (medium.size >= 512) {
    try {
      medium.read(0, sector);
      table = sector;
    } catch {
      // An unreadable first sector has no partition table.
    }
  }
  return biosGeometry(Math.floor(medium.size / 512), table);
}

/** Numbers the drives: disks from 80h in channel order. */
export function fixedDisks(drives: readonly (BiosAtaDrive | null)[]): FixedDisk[] {
  return drives.flatMap((drive, position) => {
    if (drive === null || drive.kind !== "disk" || drive.medium === null) return [];
    const medium = drive.medium;
    return [{
      kind: "disk" as const,
      position,
      medium,
      blockSize: 512,
      logical: logicalGeometry(medium),
      physical: defaultGeometry(Math.floor(medium.size / 512)),
    }];
  });
}

/** Numbers the drives: CD-ROM drives from E0h in channel order. The medium is looked up at each access, as it can change. */
export function cdDrives(drives: readonly (BiosAtaDrive | null)[]): FixedDisk[] {
  const none = { cylinders: 0, heads: 0, sectors: 0 };
  return drives.flatMap((drive, position) =>
    drive === null || drive.kind !== "cdrom" ? [] : [{
      kind: "cdrom" as const,
      position,
      get medium() {
        return drive.medium;
      },
      blockSize: 2048,
      logical: none,
      physical: none,
    }]
  );
}
