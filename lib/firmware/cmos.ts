/** The real-time clock and its CMOS memory as the BIOS uses them. Source: Motorola MC146818A data sheet; register use: IBM PC/AT technical reference. */
import { Reg } from "../devices/mc146818.ts";
import type { BiosPorts } from "./wires.ts";

/** Register numbers: the clock's, and what the PC keeps in the RAM behind them. */
export const CmosReg = {
  ...Reg,
  SHUTDOWN: 0x0f,
  FLOPPY_TYPES: 0x10,
  DISK_TYPES: 0x12,
  EQUIPMENT: 0x14,
  BASE_LOW: 0x15,
  EXTENDED_LOW: 0x17,
  DISK_0_TYPE: 0x19,
  DISK_1_TYPE: 0x1a,
  CHECKSUM_HIGH: 0x2e,
  CHECKSUM_LOW: 0x2f,
  EXTENDED_ACTUAL_LOW: 0x30,
  /** Memory between 16 MiB and 4 GiB in 64 KiB units (Bochs and QEMU convention). */
  ABOVE_16M_LOW: 0x34,
  /** Third boot device in bits 4–7, floppy signature check off in bit 0; first and second boot device (Bochs and QEMU convention). */
  BOOT_THIRD: 0x38,
  BOOT_FIRST_SECOND: 0x3d,
  /** Memory above 4 GiB in 64 KiB units, three bytes (QEMU convention). */
  ABOVE_4G_LOW: 0x5b,
} as const;

/** Reads and writes CMOS registers. */
export class Cmos {
  constructor(private readonly ports: BiosPorts) {}

  read(register: number): number {
    this.ports.write(0x70, register, 1);
    return this.ports.read(0x71, 1);
  }

  write(register: number, value: number): void {
    this.ports.write(0x70, register, 1);
    this.ports.write(0x71, value & 0xff, 1);
  }

  /** Writes a 16-bit value to two registers, low byte first. */
  write16(register: number, value: number): void {
    this.write(register, value);
    this.write(register + 1, value >>> 8);
  }

  /** Sets and clears bits of register B. */
  changeB(set: number, clear: number): void {
    this.write(CmosReg.B, this.read(CmosReg.B) & ~clear | set);
  }
}
