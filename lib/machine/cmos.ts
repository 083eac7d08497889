/**
 * What the setup program would have left in CMOS RAM: how a BIOS learns the size of memory, the drives, the boot order.
 * Sources: IBM Technical Reference, Personal Computer AT (1984); registers 34h–35h, 38h, 3Dh and 5Bh–5Fh are the Bochs and
 * QEMU conventions that SeaBIOS reads.
 */
import { CmosReg } from "../firmware/cmos.ts";
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
  store(CmosReg.FLOPPY_TYPES, (floppyTypes[0] << 4) | floppyTypes[1], 1);
  store(CmosReg.DISK_TYPES, (config.hda ? 0xf0 : 0) | (config.hdb ? 0x0f : 0), 1);
  // Coprocessor and mouse are there; the display is a VGA.
  store(CmosReg.EQUIPMENT, 0x06 | (floppies > 0 ? 1 | ((floppies - 1) << 6) : 0), 1);
  store(CmosReg.BASE_LOW, 640, 2);
  store(CmosReg.EXTENDED_LOW, extended, 2);
  store(CmosReg.DISK_0_TYPE, config.hda ? 47 : 0, 1);
  store(CmosReg.DISK_1_TYPE, config.hdb ? 47 : 0, 1);
  const sum = contents.reduce((total, [index, value]) => index < CmosReg.CHECKSUM_HIGH ? total + value : total, 0);
  contents.push([CmosReg.CHECKSUM_HIGH, (sum >> 8) & 0xff], [CmosReg.CHECKSUM_LOW, sum & 0xff]);
  store(CmosReg.EXTENDED_ACTUAL_LOW, extended, 2);
  store(CmosReg.ABOVE_16M_LOW, Math.min(0xffff, Math.max(0, ram.low - 16 * MIB) / (64 * KIB)), 2);
  // Bit 0 lets floppies without a boot signature boot.
  store(CmosReg.BOOT_THIRD, 0x01 | ((order[2] ?? 0) << 4), 1);
  store(CmosReg.BOOT_FIRST_SECOND, (order[0] ?? 0) | ((order[1] ?? 0) << 4), 1);
  store(CmosReg.ABOVE_4G_LOW, ram.high / (64 * KIB), 3);
  return contents;
}
