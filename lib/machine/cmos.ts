/**
 * What the setup program would have left in CMOS RAM: how a BIOS learns the size of memory, the drives, the boot order.
 * Sources: IBM Technical Reference, Personal Computer AT (1984); registers 34h–35h, 38h, 3Dh and 5Bh–5Fh are the Bochs and
 * QEMU conventions that SeaBIOS reads.
 */
import type { BootDevice, MachineConfig } from "./config.ts";
import type { BlockBackend } from "./types.ts";

const KIB = 1024, MIB = 1024 * KIB;

/** Floppy formats by size in bytes, and the type of drive that they need. */
const FLOPPY_TYPES: readonly (readonly [size: number, type: number])[] = [
  [360 * KIB, 1],
  [720 * KIB, 3],
  [1200 * KIB, 2],
  [1440 * KIB, 4],
  [1720 * KIB, 4],
  [2880 * KIB, 5],
];
const BOOT_CODES: Record<BootDevice, number> = { floppy: 1, disk: 2, cdrom: 3 };

/** The type of floppy drive for a medium, as CMOS register 10h encodes it; 0 for no drive. */
export function floppyType(medium: BlockBackend | undefined): number {
  if (medium === undefined) return 0;
  return FLOPPY_TYPES.find(([size]) => medium.size <= size)?.[1] ?? 4;
}

/** The order in which a machine of this configuration tries to boot. */
export function bootOrder(config: MachineConfig): readonly BootDevice[] {
  return config.bootOrder ?? ["floppy", "disk", "cdrom"];
}

/** CMOS registers and their values for a machine whose RAM ends at `lowRam` below 4 GiB and holds `highRam` bytes above. */
export function cmosContents(config: MachineConfig, lowRam: number, highRam: number): [index: number, value: number][] {
  const contents: [number, number][] = [];
  const store = (index: number, value: number, bytes: number) => {
    for (let i = 0; i < bytes; i++) contents.push([index + i, Math.floor(value / 256 ** i) & 0xff]);
  };
  const floppies = [config.fda, config.fdb].filter((medium) => medium !== undefined).length;
  const order = bootOrder(config).map((device) => BOOT_CODES[device]);
  const extended = Math.min(0xffff, (lowRam - MIB) / KIB);
  store(0x10, (floppyType(config.fda) << 4) | floppyType(config.fdb), 1);
  store(0x12, (config.hda ? 0xf0 : 0) | (config.hdb ? 0x0f : 0), 1);
  // Coprocessor and mouse are there; the display is a VGA.
  store(0x14, 0x06 | (floppies > 0 ? 1 | ((floppies - 1) << 6) : 0), 1);
  store(0x15, 640, 2);
  store(0x17, extended, 2);
  store(0x19, config.hda ? 47 : 0, 1);
  store(0x1a, config.hdb ? 47 : 0, 1);
  const sum = contents.reduce((total, [index, value]) => index <= 0x2d ? total + value : total, 0);
  contents.push([0x2e, (sum >> 8) & 0xff], [0x2f, sum & 0xff]);
  store(0x30, extended, 2);
  store(0x34, Math.min(0xffff, Math.max(0, lowRam - 16 * MIB) / (64 * KIB)), 2);
  // Bit 0 of 38h lets floppies without a boot signature boot.
  store(0x38, 0x01 | ((order[2] ?? 0) << 4), 1);
  store(0x3d, (order[0] ?? 0) | ((order[1] ?? 0) << 4), 1);
  store(0x5b, highRam / (64 * KIB), 3);
  return contents;
}
