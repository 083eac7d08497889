/** What a machine is made of: everything that enters it from outside, given once and explicitly. */
import type { CpuOptions } from "../cpu/options.ts";
import type { BlockBackend, ParallelBackend, SerialBackend } from "./types.ts";
import type { ClockRate } from "./clock.ts";

/** The program at the reset vector. */
export type FirmwareConfig =
  /** Bootwright's own BIOS services. */
  | { readonly kind: "builtin" }
  /** A real image, mapped so that it ends at 4 GiB, its last 128 KiB also below 1 MiB. */
  | {
    readonly kind: "rom";
    /** A multiple of 64 KiB, at most 16 MiB. */
    readonly bios: Uint8Array;
    /** Option ROM of the VGA, presented by the adapter's expansion ROM base address; at most 64 KiB. */
    readonly vgaBios?: Uint8Array;
  };

/** A kernel that is loaded directly. */
export interface KernelConfig {
  /** A bzImage, a multiboot image or an ELF executable. */
  readonly image: Uint8Array;
  /** Initial RAM disk, or the multiboot module. */
  readonly initrd?: Uint8Array;
  readonly commandLine?: string;
}

/** A kind of boot device, in the order in which the firmware tries them. */
export type BootDevice = "floppy" | "disk" | "cdrom";

/** Configuration of a {@link Machine}. How instructions are executed is part of it, but not of what a saved machine must fit. */
export interface MachineConfig extends CpuOptions {
  /** RAM in bytes: a multiple of 1 MiB, from 1 MiB up to what the host's WebAssembly can hold. */
  readonly memory: number;
  /** Floppy drives A and B. */
  readonly fda?: BlockBackend;
  readonly fdb?: BlockBackend;
  /** ATA disks: primary master and slave, secondary master and slave. A CD-ROM takes the place of `hdc`. */
  readonly hda?: BlockBackend;
  readonly hdb?: BlockBackend;
  readonly hdc?: BlockBackend;
  readonly hdd?: BlockBackend;
  /** Medium in the ATAPI drive, the secondary master; `null` puts in a drive without a medium. */
  readonly cdrom?: BlockBackend | null;
  /** Default: floppy, disk, cdrom, as far as they are there. */
  readonly bootOrder?: readonly BootDevice[];
  /** Default: the built-in one. */
  readonly firmware?: FirmwareConfig;
  readonly kernel?: KernelConfig;
  /** Far ends of COM1 and COM2. The ports exist without one, too. */
  readonly serial?: readonly (SerialBackend | undefined)[];
  /** Far end of LPT1. */
  readonly parallel?: ParallelBackend;
  /** Receives what the guest writes to the debug port E9h. */
  readonly debug?: SerialBackend;
  /** Seed of everything random that the guest may ask the board for. Default 0. */
  readonly seed?: number;
  /** What the real-time clock shows at power-on, in milliseconds since 1970-01-01T00:00:00Z. Default 2024-01-01T00:00:00Z. */
  readonly startTime?: number;
  /** Guest time per instruction. Default 1 ns per instruction. */
  readonly rate?: ClockRate;
  /** What a triple fault does. Default `"reset"`, as on a PC. */
  readonly onTripleFault?: "reset" | "stop";
  /** What a reset that the guest asks for does (8042, port 92h, port CF9h). Default `"reset"`. */
  readonly onReset?: "reset" | "stop";
}

/** 2024-01-01T00:00:00Z, the time at which a machine is switched on unless told otherwise. */
export const DEFAULT_START_TIME = 1704067200000;
