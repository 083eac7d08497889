/** What the board hands to the firmware. */
import type { AccessSize, BlockBackend, Clock, DmaMemory } from "../machine/types.ts";
import type { CpuAccess } from "./cpu_access.ts";
import type { ProcessorIdentity } from "./mp_table.ts";

/** The I/O port space as a program would use it. */
export interface BiosPorts {
  read(port: number, size: AccessSize): number;
  write(port: number, value: number, size: AccessSize): void;
}

/** A floppy drive. */
export interface BiosFloppy {
  /** Drive type as CMOS register 10h encodes it: 1 = 360K, 2 = 1.2M, 3 = 720K, 4 = 1.44M, 5 = 2.88M. */
  readonly cmosType: number;
  /** The disk that is in the drive. */
  readonly medium: BlockBackend | null;
  /** The disk change line: set when the disk is changed, cleared by the BIOS once it has told the program. */
  changed: boolean;
}

/** A drive on an IDE channel. */
export interface BiosAtaDrive {
  readonly kind: "disk" | "cdrom";
  /** A fixed disk's contents, or the disc in a CD-ROM drive. */
  readonly medium: BlockBackend | null;
}

/** A kind of boot device. */
export type BootKind = "floppy" | "disk" | "cdrom";

/** What {@link Bios} is wired to. */
export interface BiosWires {
  readonly cpu: CpuAccess;
  /** Physical memory. */
  readonly memory: DmaMemory;
  readonly ports: BiosPorts;
  readonly clock: Clock;
  /** RAM in bytes: from address 0 to the PCI hole, and from 4 GiB up. */
  readonly ram: { readonly low: number; readonly high: number };
  /** Drives A and B. */
  readonly floppies: readonly BiosFloppy[];
  /** Primary master and slave, secondary master and slave; null where there is none. */
  readonly ata: readonly (BiosAtaDrive | null)[];
  readonly bootOrder: readonly BootKind[];
  /** What the processor is, if it has a local APIC; then the board has an I/O APIC, too. */
  readonly apic: ProcessorIdentity | null;
}
