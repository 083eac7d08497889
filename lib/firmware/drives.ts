/** INT 13h as a whole: which drive a number means, with or without a drive that a CD-ROM emulates. */
import { type BootEntry, type BootMedia, CD_SECTOR } from "../disk/mod.ts";
import { Bda } from "./bda.ts";
import type { Call } from "./call.ts";
import { DiskError } from "./disk_transfer.ts";
import { type EmulatedDrive, emulatedDrive, findBootEntry, MEDIA_TYPE } from "./el_torito.ts";
import { cdDrives, FIRST_CD_DRIVE, type FixedDisk, fixedDisks } from "./fixed_disk.ts";
import { FixedDiskServices } from "./int13_disk.ts";
import { FloppyServices } from "./int13_floppy.ts";
import type { BiosFloppy, BiosWires } from "./wires.ts";

/** The part of the BIOS's state that INT 13h keeps. */
export interface DriveState {
  /** Lock counts of the drives on the IDE channels. */
  locks: number[];
  /** Number of the CD-ROM drive that the system was booted from (0 = the first); -1 if it was not. */
  bootCd: number;
  /** A drive is emulated from that CD. */
  emulating: boolean;
}

/** All drives. */
export class Drives {
  readonly disks: readonly FixedDisk[];
  readonly cds: readonly FixedDisk[];
  readonly #floppyServices = new FloppyServices();
  readonly #diskServices: FixedDiskServices;
  #emulated: EmulatedDrive | null = null;

  constructor(private readonly wires: BiosWires, private readonly state: DriveState) {
    this.disks = fixedDisks(wires.ata);
    this.cds = cdDrives(wires.ata);
    this.#diskServices = new FixedDiskServices(state.locks);
  }

  /** Forgets what was derived from the state. */
  restored(): void {
    this.#emulated = null;
  }

  /** Boots from CD drive `index`: from now on INT 13h knows the drive that `entry` emulates. Returns a sentence if that fails. */
  startCd(index: number, entry: BootEntry): string | null {
    this.state.bootCd = index;
    this.state.emulating = false;
    this.#emulated = null;
    if (entry.media === "none") return null;
    const disc = this.cds[index].medium;
    const drive = disc === null ? "there is no disc" : emulatedDrive(disc, entry);
    if (typeof drive === "string") return drive;
    this.#emulated = drive;
    this.state.emulating = true;
    return null;
  }

  /** Ends what {@link startCd} began. */
  stopCd(): void {
    this.state.bootCd = -1;
    this.state.emulating = false;
    this.#emulated = null;
  }

  /** The emulated drive, or null. */
  #emulation(): EmulatedDrive | null {
    if (!this.state.emulating) return null;
    if (this.#emulated !== null) return this.#emulated;
    const disc = this.cds[this.state.bootCd]?.medium ?? null;
    const entry = disc === null ? "" : findBootEntry(disc);
    const drive = disc === null || typeof entry === "string" ? "" : emulatedDrive(disc, entry);
    if (typeof drive === "string") return null;
    return this.#emulated = drive;
  }

  /** Floppy drives from 00h up. An emulated one comes first. */
  get floppies(): readonly BiosFloppy[] {
    const emulated = this.#emulation();
    if (emulated === null || emulated.cmosType === 0) return this.wires.floppies;
    const { cmosType, medium } = emulated;
    return [{ cmosType, medium, changed: false }, ...this.wires.floppies];
  }

  /** Fixed disks from 80h up. An emulated one comes first. */
  get fixed(): readonly FixedDisk[] {
    const emulated = this.#emulation();
    if (emulated === null || emulated.cmosType !== 0) return this.disks;
    const { medium, geometry } = emulated;
    const position = this.cds[this.state.bootCd].position;
    return [{ kind: "disk", position, medium, blockSize: 512, logical: geometry, physical: geometry }, ...this.disks];
  }

  /** INT 13h. */
  handle(call: Call): void {
    if (call.ah === 0x4b) {
      this.#elTorito(call);
      return;
    }
    if (call.dl < 0x80) {
      this.handleFloppy(call);
      return;
    }
    const fixed = this.fixed;
    const disk = call.dl >= FIRST_CD_DRIVE ? this.cds[call.dl - FIRST_CD_DRIVE] : fixed[call.dl - 0x80];
    if (disk === undefined) {
      call.memory.write8(Bda.DISK_STATUS, DiskError.BAD_COMMAND);
      call.fail(DiskError.BAD_COMMAND);
      return;
    }
    this.#diskServices.handle(call, disk, fixed.length);
  }

  /** INT 40h. */
  handleFloppy(call: Call): void {
    this.#floppyServices.handle(call, this.floppies);
  }

  /** AX=4B00h ends emulation, 4B01h only asks; both fill the specification packet at DS:SI. */
  #elTorito(call: Call): void {
    const { state } = this;
    const disc = this.cds[state.bootCd]?.medium ?? null;
    const entry = disc === null ? "" : findBootEntry(disc);
    if (call.al > 1 || typeof entry === "string") {
      call.fail(DiskError.BAD_COMMAND);
      return;
    }
    const packet = new Uint8Array(0x13);
    const view = new DataView(packet.buffer);
    packet[0] = packet.length;
    packet[1] = MEDIA_TYPE[entry.media];
    packet[2] = bootDriveNumber(entry.media, state.bootCd);
    view.setUint32(4, entry.lba, true);
    // Position on its IDE channel.
    view.setUint16(8, this.cds[state.bootCd].position & 1, true);
    view.setUint16(12, entry.loadSegment, true);
    view.setUint16(14, entry.loadSectors, true);
    const geometry = this.#emulation()?.geometry;
    if (geometry !== undefined) {
      const last = geometry.cylinders - 1;
      packet.set([last & 0xff, (last >> 8 & 3) << 6 | geometry.sectors, geometry.heads - 1], 16);
    }
    call.memory.write(call.atDs(call.si), packet);
    if (call.al === 0) state.emulating = false;
    call.succeed();
  }

  /** Reads the boot image's first `count` 512-byte sectors; null if the disc is shorter or unreadable. */
  readBootImage(index: number, entry: BootEntry, count: number): Uint8Array | null {
    const disc = this.cds[index].medium;
    if (disc === null) return null;
    const blocks = Math.ceil(count * 512 / CD_SECTOR);
    if ((entry.lba + blocks) * CD_SECTOR > disc.size) return null;
    const image = new Uint8Array(blocks * CD_SECTOR);
    try {
      disc.read(entry.lba * CD_SECTOR, image);
    } catch {
      return null;
    }
    return image.subarray(0, count * 512);
  }
}

/** The number that a program booted from CD drive `index` finds its medium under. */
export function bootDriveNumber(media: BootMedia, index: number): number {
  return media === "none" ? FIRST_CD_DRIVE + index : media === "disk" ? 0x80 : 0x00;
}
