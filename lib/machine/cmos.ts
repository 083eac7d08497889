/**
 * What the setup program would have left in CMOS RAM: how a BIOS learns the size of memory, the drives, the boot order.
 * Sources: IBM Technical Reference, Personal Computer AT (1984); registers 34h–35h, 38h, 3Dh and 5Bh–5Fh are the Bochs and
 * QEMU conventions that SeaBIOS reads.
 */
import type { BootDevice, MachineConfig } from "./config.ts";

const KIB = 1024, MIB = 1024 * KIB;

const BOOT_CODES: Record<BootDevice, number> = { floppy: 1, disk: 2, cdrom: 3 };

/** The order in which a machine of this configuration tries to boot. */
export function bootOrder(config: MachineConfig): readonly BootDevice[] {
  return config.bootOrder ?? ["floppy", "disk", "cdrom"];
}

/** What of the finished board goes into CMOS RAM. */
export interface CmosFacts {
  /** RAM in bytes, below 4 GiB and above. */
  readonly ram: { readonly low: number; readonly high: number };
  /** Types of floppy drives A and B, as register 10h encodes them; 0 = none. */
  readonly floppyTypes: readonly [number, number];
}

/** CMOS registers and their values. */
export function cmosContents(config: MachineConfig, { ram, floppyTypes }: CmosFacts): [index: number, value: number][] {
  const contents: [number, number][] = [];
  const store = (index: number, value: number, bytes: number) => {
    for (let i = 0; i < bytes; i++) contents.push([index + i, Math.floor(value / 256 ** i) & 0xff]);
  };
  const floppies = floppyTypes.filter((type) => type !== 0).length;
  const order = bootOrder(config).map((device) => BOOT_CODES[device]);
  const extended = Math.min(0xffff, (ram.low - MIB) / KIB);
  store(0x10, (floppyTypes[0] << 4) | floppyTypes[1], 1);
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
  store(0x34, Math.min(0xffff, Math.max(0, ram.low - 16 * MIB) / (64 * KIB)), 2);
  // Bit 0 of 38h lets floppies without a boot signature boot.
  store(0x38, 0x01 | ((order[2] ?? 0) << 4), 1);
  store(0x3d, (order[0] ?? 0) | ((order[1] ?? 0) << 4), 1);
  store(0x5b, ram.high / (64 * KIB), 3);
  return contents;
}
