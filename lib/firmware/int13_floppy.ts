/**
 * INT 13h (INT 40h) for floppy drives. Transfers go to the medium directly; the status bytes in the BIOS data area are
 * kept as the real BIOS keeps them. Source: IBM BIOS interface technical reference, "Diskette".
 */
import { FLOPPY_FORMATS, type FloppyFormat, formatSize } from "../disk/mod.ts";
import { Bda } from "./bda.ts";
import type { Call } from "./call.ts";
import { DiskError, readSectors, writeSectors } from "./disk_transfer.ts";
import { Entry, SYSTEM_ROM } from "./system_rom.ts";
import type { BiosFloppy } from "./wires.ts";

/** The format of a medium: the PC format of its size, or the smallest one that holds it. */
function floppyGeometry(size: number): FloppyFormat {
  return FLOPPY_FORMATS.find((format) => formatSize(format) >= size) ?? FLOPPY_FORMATS[FLOPPY_FORMATS.length - 1];
}

/** Data rates as the data area's media state encodes them. */
const RATE_CODES = { 500: 0, 300: 1, 250: 2, 1000: 3 } as const;

/** Highest cylinder, sectors and type of the drives themselves, by CMOS type. */
const DRIVES: Readonly<Record<number, { cylinders: number; sectors: number }>> = {
  1: { cylinders: 40, sectors: 9 },
  2: { cylinders: 80, sectors: 15 },
  3: { cylinders: 80, sectors: 9 },
  4: { cylinders: 80, sectors: 18 },
  5: { cylinders: 80, sectors: 36 },
};

/** Floppy services. */
export class FloppyServices {
  private drives: readonly BiosFloppy[] = [];

  /** INT 13h with DL < 80h on these drives. */
  handle(call: Call, drives: readonly BiosFloppy[]): void {
    this.drives = drives;
    const memory = call.memory;
    if (call.ah === 0x01) {
      const status = memory.read8(Bda.FLOPPY_STATUS);
      call.ah = status;
      call.carry = status !== 0;
      return;
    }
    const error = this.#dispatch(call);
    if (error === null) return;
    memory.write8(Bda.FLOPPY_STATUS, error);
    if (error === 0) call.succeed();
    else call.fail(error);
  }

  /** Runs a function; returns the status to report, or null if the registers are set already. */
  #dispatch(call: Call): number | null {
    if (this.drives[call.dl] === undefined && call.ah !== 0x08 && call.ah !== 0x15) return DiskError.BAD_COMMAND;
    switch (call.ah) {
      case 0x00:
        call.memory.write8(Bda.FLOPPY_RECALIBRATE, call.memory.read8(Bda.FLOPPY_RECALIBRATE) & 0xf0);
        return DiskError.NONE;
      case 0x02:
      case 0x03:
      case 0x04:
        return this.#transfer(call);
      case 0x05:
        return this.#format(call);
      case 0x08:
        return this.#parameters(call);
      case 0x15:
        return this.#driveType(call);
      case 0x16:
        return this.#changeLine(call);
      case 0x17:
      case 0x18:
        return this.#setMedia(call);
      default:
        return DiskError.BAD_COMMAND;
    }
  }

  /** True once after the disk was changed. */
  #changed(drive: BiosFloppy): boolean {
    const { changed } = drive;
    drive.changed = false;
    return changed;
  }

  #transfer(call: Call): number {
    const drive = this.drives[call.dl];
    const operation = call.ah, count = call.al;
    if (drive === undefined || count === 0) {
      call.al = 0;
      return drive === undefined ? DiskError.TIMEOUT : DiskError.BAD_COMMAND;
    }
    const medium = drive.medium;
    if (medium === null) {
      call.al = 0;
      return DiskError.TIMEOUT;
    }
    // As on a real drive, the first access after a change only reports it.
    if (this.#changed(drive)) {
      call.al = 0;
      return DiskError.CHANGED;
    }
    const { heads, sectors, cylinders, rate } = floppyGeometry(medium.size);
    // Medium established, at this data rate; the drive's type as the AT BIOS encodes it is "none of the old ones".
    call.memory.write8(Bda.FLOPPY_MEDIA_STATE + (call.dl & 1), 0x17 | RATE_CODES[rate] << 6);
    const cylinder = call.ch, head = call.dh, sector = call.cl & 0x3f;
    call.memory.write8(Bda.FLOPPY_MOTOR_COUNT, 37);
    call.memory.write8(Bda.FLOPPY_TRACK + (call.dl & 1), cylinder);
    call.memory.write8(
      Bda.FLOPPY_RECALIBRATE,
      call.memory.read8(Bda.FLOPPY_RECALIBRATE) | 1 << (call.dl & 1),
    );
    if (head >= heads || sector === 0 || sector > sectors || cylinder >= cylinders) {
      call.al = 0;
      return DiskError.NOT_FOUND;
    }
    // A multi-track transfer may run on to head 1 of the same cylinder, no further.
    const available = sectors - sector + 1 + (heads - 1 - head) * sectors;
    const lba = (cylinder * heads + head) * sectors + sector - 1;
    const wanted = Math.min(count, available);
    const buffer = call.atEs(call.bx);
    const result = operation === 0x02
      ? readSectors(medium, lba, wanted, call.memory, buffer)
      : operation === 0x03
      ? writeSectors(medium, lba, wanted, call.memory, buffer)
      : { done: wanted, error: DiskError.NONE };
    call.al = result.done;
    this.#storeResult(call, cylinder, head, sector);
    return result.error !== DiskError.NONE ? result.error : wanted < count ? DiskError.NOT_FOUND : DiskError.NONE;
  }

  /** The controller's seven result bytes, as they stand after a transfer without error. */
  #storeResult(call: Call, cylinder: number, head: number, sector: number): void {
    const bytes = [head << 2 | call.dl & 1, 0, 0, cylinder, head, sector, 2];
    call.memory.write(Bda.FLOPPY_RESULT, Uint8Array.from(bytes));
  }

  #format(call: Call): number {
    const medium = this.drives[call.dl]?.medium ?? null;
    if (medium === null) return DiskError.TIMEOUT;
    if (medium.readOnly) return DiskError.WRITE_PROTECTED;
    const { heads, sectors, cylinders } = floppyGeometry(medium.size);
    if (call.dh >= heads || call.ch >= cylinders) return DiskError.NOT_FOUND;
    const parameters = call.memory.read16(0x1e * 4 + 2) * 16 + call.memory.read16(0x1e * 4);
    const fill = new Uint8Array(512).fill(call.memory.read8(parameters + 8));
    const first = (call.ch * heads + call.dh) * sectors;
    for (let i = 0; i < Math.min(call.al, sectors); i++) {
      const address = call.memory.bytes(call.atEs(call.bx + i * 4), 4);
      const sector = address[2];
      if (sector === 0 || sector > sectors || address[3] !== 2) continue;
      const offset = (first + sector - 1) * 512;
      if (offset + 512 > medium.size) return DiskError.NOT_FOUND;
      try {
        medium.write(offset, fill);
      } catch {
        return DiskError.CONTROLLER;
      }
    }
    return DiskError.NONE;
  }

  #parameters(call: Call): number | null {
    const drive = this.drives[call.dl];
    call.ax = 0;
    if (drive === undefined) {
      call.bx = 0;
      call.cx = 0;
      call.dx = this.drives.length;
      call.es = 0;
      call.di = 0;
      call.carry = false;
      return null;
    }
    const shape = drive.medium === null ? { ...DRIVES[drive.cmosType], heads: 2 } : floppyGeometry(drive.medium.size);
    call.bx = drive.cmosType;
    call.ch = shape.cylinders - 1;
    call.cl = shape.sectors;
    call.dh = shape.heads - 1;
    call.dl = this.drives.length;
    call.es = SYSTEM_ROM.SEGMENT;
    call.di = Entry.FLOPPY_PARAMETERS;
    call.carry = false;
    return null;
  }

  #driveType(call: Call): null {
    const drive = this.drives[call.dl];
    // 1 = no change line (360K drives), 2 = with change line.
    call.ah = drive === undefined ? 0 : drive.cmosType === 1 ? 1 : 2;
    call.carry = false;
    return null;
  }

  #changeLine(call: Call): number {
    const drive = this.drives[call.dl];
    if (drive === undefined || drive.medium === null) return DiskError.TIMEOUT;
    return this.#changed(drive) ? DiskError.CHANGED : DiskError.NONE;
  }

  /** AH=17h and 18h: formats that the medium's size does not allow are refused. */
  #setMedia(call: Call): number {
    const medium = this.drives[call.dl]?.medium ?? null;
    if (medium === null) return DiskError.TIMEOUT;
    if (call.ah === 0x18) {
      const { cylinders, sectors } = floppyGeometry(medium.size);
      if (call.ch !== cylinders - 1 || (call.cl & 0x3f) !== sectors) return DiskError.UNSUPPORTED_MEDIA;
      call.es = SYSTEM_ROM.SEGMENT;
      call.di = Entry.FLOPPY_PARAMETERS;
    }
    return DiskError.NONE;
  }
}
