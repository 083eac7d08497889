/**
 * INT 13h for fixed disks and CD-ROM drives: the cylinder-head-sector functions and Enhanced Disk Drive services.
 * Sources: IBM BIOS interface technical reference, "Fixed disk"; T13 1572D (BIOS Enhanced Disk Drive Services 3).
 */
import { Bda, Ebda } from "./bda.ts";
import { checksum } from "./checksum.ts";
import type { Call } from "./call.ts";
import { DiskError, readSectors, writeSectors } from "./disk_transfer.ts";
import type { FixedDisk } from "./fixed_disk.ts";

/** Offset in the EBDA of the device parameter table extension that AH=48h points to. */
const DPTE = 0x200;

/** I/O base, control port and IRQ of the IDE channels in compatibility mode. */
const CHANNELS = [{ base: 0x1f0, control: 0x3f6, irq: 14 }, { base: 0x170, control: 0x376, irq: 15 }] as const;

/** A disk address packet, read from guest memory. */
interface Packet {
  readonly at: number;
  readonly count: number;
  readonly buffer: number;
  readonly lba: number;
}

/** INT 13h for DL ≥ 80h. Locks are a count per CD-ROM drive, in the BIOS's state. */
export class FixedDiskServices {
  constructor(private readonly locks: number[]) {}

  /** Serves `call` on `disk`; `disks` is the number of fixed disks. */
  handle(call: Call, disk: FixedDisk, disks: number): void {
    if (call.ah === 0x01) {
      const status = call.memory.read8(Bda.DISK_STATUS);
      call.ah = status;
      call.carry = status !== 0;
      return;
    }
    const error = call.ah >= 0x41 && call.ah <= 0x4e ? this.#extended(call, disk) : this.#classic(call, disk, disks);
    if (error === null) {
      call.memory.write8(Bda.DISK_STATUS, 0);
      call.carry = false;
      return;
    }
    call.memory.write8(Bda.DISK_STATUS, error);
    if (error === DiskError.NONE) call.succeed();
    else call.fail(error);
  }

  /** Functions 00h–15h. Returns the status, or null if the registers are set and all went well. */
  #classic(call: Call, disk: FixedDisk, disks: number): number | null {
    if (disk.kind === "cdrom" && (call.ah <= 0x08 && call.ah !== 0x00)) return DiskError.BAD_COMMAND;
    switch (call.ah) {
      case 0x00:
      case 0x09:
      case 0x0d:
      case 0x10:
      case 0x11:
      case 0x14:
        return DiskError.NONE;
      case 0x02:
      case 0x03:
      case 0x04:
      case 0x0c:
        return this.#transfer(call, disk);
      case 0x05:
        return disk.medium?.readOnly ? DiskError.WRITE_PROTECTED : DiskError.NONE;
      case 0x08: {
        const { cylinders, heads, sectors } = disk.logical;
        // The last cylinder is kept for diagnostics, as on the AT.
        const last = Math.max(0, cylinders - 2);
        call.ax = 0;
        call.cx = (last & 0xff) << 8 | (last >> 8 & 3) << 6 | sectors;
        call.dh = heads - 1;
        call.dl = disks;
        return null;
      }
      case 0x15: {
        if (disk.kind === "cdrom" || disk.medium === null) {
          call.ah = 0;
          return null;
        }
        const { cylinders, heads, sectors } = disk.logical;
        const blocks = Math.max(1, cylinders - 1) * heads * sectors;
        call.ah = 3;
        call.cx = blocks >>> 16;
        call.dx = blocks;
        return null;
      }
      default:
        return DiskError.BAD_COMMAND;
    }
  }

  #transfer(call: Call, disk: FixedDisk): number {
    if (disk.medium === null) return DiskError.NOT_READY;
    if (disk.kind === "cdrom") return DiskError.NONE;
    const { cylinders, heads, sectors } = disk.logical;
    const cylinder = call.ch | (call.cl & 0xc0) << 2, head = call.dh, sector = call.cl & 0x3f;
    const operation = call.ah, count = call.al;
    if (cylinder >= cylinders || head >= heads) {
      if (operation !== 0x0c) call.al = 0;
      return DiskError.NOT_FOUND;
    }
    if (operation === 0x0c) return DiskError.NONE;
    call.al = 0;
    if (sector === 0 || sector > sectors || count === 0 || count > 128) return DiskError.BAD_COMMAND;
    const lba = (cylinder * heads + head) * sectors + sector - 1;
    const buffer = call.atEs(call.bx);
    const result = operation === 0x02
      ? readSectors(disk.medium, lba, count, call.memory, buffer)
      : operation === 0x03
      ? writeSectors(disk.medium, lba, count, call.memory, buffer)
      : verify(disk, lba, count);
    call.al = result.done;
    return result.error;
  }

  /** Functions 41h–4Eh. */
  #extended(call: Call, disk: FixedDisk): number | null {
    switch (call.ah) {
      case 0x41:
        if (call.bx !== 0x55aa) return DiskError.BAD_COMMAND;
        call.bx = 0xaa55;
        // Version 3.0; packet access, removable drives, enhanced parameters.
        call.cx = 0x0007;
        call.ah = 0x30;
        return null;
      case 0x42:
      case 0x43:
      case 0x44:
      case 0x47:
        return this.#packetTransfer(call, disk);
      case 0x45:
        return this.#lock(call, disk);
      case 0x46:
        return this.#eject(disk);
      case 0x48:
        return this.#parameters(call, disk);
      case 0x49:
        return disk.kind === "cdrom" && disk.medium === null ? DiskError.CHANGED : DiskError.NONE;
      case 0x4e:
        call.al = 0;
        return call.dl >= 0x80 ? DiskError.NONE : DiskError.BAD_COMMAND;
      default:
        return DiskError.BAD_COMMAND;
    }
  }

  #packet(call: Call): Packet | null {
    const { memory } = call, at = call.atDs(call.si);
    const size = memory.read8(at);
    if (size < 0x10) return null;
    const offset = memory.read16(at + 4), segment = memory.read16(at + 6);
    const high = memory.read32(at + 12);
    if (high > 0xffff) return null;
    let buffer = segment * 16 + offset;
    if (segment === 0xffff && offset === 0xffff && size >= 0x18) {
      if (memory.read32(at + 20) !== 0) return null;
      buffer = memory.read32(at + 16);
    }
    return { at, count: memory.read16(at + 2), buffer, lba: high * 2 ** 32 + memory.read32(at + 8) };
  }

  #packetTransfer(call: Call, disk: FixedDisk): number {
    const packet = this.#packet(call);
    if (packet === null) return DiskError.BAD_COMMAND;
    const { medium } = disk;
    if (medium === null) return DiskError.NOT_READY;
    if (packet.lba >= Math.floor(medium.size / disk.blockSize)) return DiskError.BAD_COMMAND;
    if (call.ah === 0x47) return DiskError.NONE;
    const { lba, count, buffer } = packet;
    const result = call.ah === 0x42
      ? readSectors(medium, lba, count, call.memory, buffer, disk.blockSize)
      : call.ah === 0x43
      ? writeSectors(medium, lba, count, call.memory, buffer, disk.blockSize)
      : verify(disk, lba, count);
    if (result.done !== count) call.memory.write16(packet.at + 2, result.done);
    return result.error;
  }

  #lock(call: Call, disk: FixedDisk): number {
    if (disk.kind !== "cdrom") return DiskError.NOT_REMOVABLE;
    const locks = this.locks[disk.position];
    if (call.al === 0) {
      if (locks === 0xff) return DiskError.NOT_LOCKED + 4;
      this.locks[disk.position] = locks + 1;
    } else if (call.al === 1) {
      if (locks === 0) return DiskError.NOT_LOCKED;
      this.locks[disk.position] = locks - 1;
    } else if (call.al !== 2) {
      return DiskError.BAD_COMMAND;
    }
    call.al = this.locks[disk.position] > 0 ? 1 : 0;
    return DiskError.NONE;
  }

  /** The BIOS has no motor to open the tray with: a locked disc and a missing one are told apart, the rest fails as "not ready". */
  #eject(disk: FixedDisk): number {
    if (disk.kind !== "cdrom") return DiskError.NOT_REMOVABLE;
    return this.locks[disk.position] > 0 ? DiskError.NOT_LOCKED + 1 : DiskError.NOT_READY;
  }

  #parameters(call: Call, disk: FixedDisk): number {
    const { memory } = call, at = call.atDs(call.si);
    const size = memory.read16(at);
    if (size < 26) return DiskError.BAD_COMMAND;
    if (disk.kind === "cdrom" && disk.medium === null) return DiskError.NOT_READY;
    const cd = disk.kind === "cdrom";
    const blocks = Math.floor((disk.medium?.size ?? 0) / disk.blockSize);
    memory.write16(at, size >= 66 ? 66 : size >= 30 ? 30 : 26);
    // Removable, change line, lockable, maximum values; or DMA boundaries handled and geometry valid.
    memory.write16(at + 2, cd ? 0x74 : 0x03);
    memory.write32(at + 4, cd ? 0xffff_ffff : disk.physical.cylinders);
    memory.write32(at + 8, cd ? 0xffff_ffff : disk.physical.heads);
    memory.write32(at + 12, cd ? 0xffff_ffff : disk.physical.sectors);
    memory.write32(at + 16, cd ? 0xffff_ffff : blocks >>> 0);
    memory.write32(at + 20, cd ? 0xffff_ffff : Math.floor(blocks / 2 ** 32));
    memory.write16(at + 24, disk.blockSize);
    if (size >= 30) {
      memory.write16(at + 26, DPTE);
      memory.write16(at + 28, Ebda.SEGMENT);
      memory.write(Ebda.ADDRESS + DPTE, parameterTableExtension(disk));
    }
    if (size >= 66) memory.write(at + 30, devicePath(disk));
    return DiskError.NONE;
  }
}

function verify(disk: FixedDisk, lba: number, count: number): { done: number; error: number } {
  const blocks = Math.floor((disk.medium?.size ?? 0) / disk.blockSize);
  const done = Math.max(0, Math.min(count, blocks - lba));
  return { done, error: done < count ? DiskError.NOT_FOUND : DiskError.NONE };
}

/** 16 bytes: where the drive's registers are and how it is driven. */
function parameterTableExtension(disk: FixedDisk): Uint8Array {
  const channel = CHANNELS[disk.position >> 1];
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, channel.base, true);
  view.setUint16(2, channel.control, true);
  bytes[4] = 0xe0 | (disk.position & 1) << 4;
  bytes[6] = channel.irq;
  bytes[7] = 1;
  // LBA translation; or removable ATAPI.
  const translated = disk.logical.heads !== disk.physical.heads;
  view.setUint16(
    10,
    disk.kind === "cdrom" ? 0x0060 : 0x0010 | (translated ? 0x0008 | translation(disk) << 9 : 0),
    true,
  );
  bytes[14] = 0x11;
  bytes[15] = checksum(bytes.subarray(0, 15));
  return bytes;
}

/** Bits 9–10 of the DPTE options: 1 = LBA-assisted. */
function translation(disk: FixedDisk): number {
  return disk.logical.sectors === 63 ? 1 : 2;
}

/** 36 bytes: signature BEDDh, host bus PCI, interface ATA(PI), location and unit. */
function devicePath(disk: FixedDisk): Uint8Array {
  const bytes = new Uint8Array(36);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, 0xbedd, true);
  bytes[2] = 36;
  bytes.set(text("PCI "), 6);
  bytes.set(text(disk.kind === "cdrom" ? "ATAPI   " : "ATA     "), 10);
  // Bus 0, device 1, function 1, channel.
  bytes.set([0, 1, 1, disk.position >> 1], 18);
  bytes[26] = disk.position & 1;
  bytes[35] = checksum(bytes.subarray(0, 35));
  return bytes;
}

function text(value: string): Uint8Array {
  return Uint8Array.from(value, (character) => character.charCodeAt(0));
}
