/** What a guest is made of, understood and checked: the part of the options that snapshots keep. */
import type { BootDevice } from "../machine/config.ts";

/** Name of a drive. */
export type Drive = "fda" | "fdb" | "hda" | "hdb" | "hdc" | "hdd" | "cdrom";
/** The drives of a guest. */
export const DRIVES: readonly Drive[] = ["fda", "fdb", "hda", "hdb", "hdc", "hdd", "cdrom"];

/** An image as it is opened. */
export interface ImageSettings {
  /** Path of the file, or the contents. */
  readonly source: string | Uint8Array;
  readonly write: "overlay" | "through";
  readonly readOnly: boolean;
}

/** A processor: what its model is called and everything that it has. */
export interface CpuSettings {
  readonly model: string;
  readonly features: readonly string[];
}

/** The part of a guest's settings that a snapshot keeps: what the machine is. */
export interface MachineSettings {
  readonly memory: number;
  readonly cpu: CpuSettings;
  readonly boot?: readonly BootDevice[];
  readonly kernel?: { readonly image: Uint8Array; readonly initrd?: Uint8Array; readonly append?: string };
  readonly firmware?: { readonly bios: Uint8Array; readonly vgaBios?: Uint8Array };
  readonly seed: number;
  /** Milliseconds since 1970. */
  readonly startTime?: number;
  readonly onTripleFault: "reset" | "stop";
  readonly onReset: "reset" | "stop";
}
