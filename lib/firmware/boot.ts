/** INT 19h and INT 18h: finds something to boot, in the configured order, and says on the screen what it does. */
import type { BlockBackend } from "../machine/types.ts";
import type { Call } from "./call.ts";
import { Eflags, Reg, Sreg } from "./cpu_access.ts";
import { bootDriveNumber, type Drives } from "./drives.ts";
import { findBootEntry } from "./el_torito.ts";
import type { KeyboardServices } from "./keyboard.ts";
import type { VideoServices } from "./video.ts";
import type { BiosWires } from "./wires.ts";

const BOOT_ADDRESS = 0x7c00;
/** No more than 512 KiB of a boot image: what lies above 7C00h belongs to the BIOS. */
const MAX_BOOT_SECTORS = 1024;

/** The part of the BIOS's state that booting keeps. */
export interface BootState {
  /** How many entries of the boot order have been tried. */
  bootTried: number;
  /** Nothing could be booted: a key starts over. */
  bootFailed: boolean;
}

/** Where a loaded boot program begins. */
interface BootProgram {
  readonly segment: number;
  readonly offset: number;
  /** DL. */
  readonly drive: number;
}

/** The boot sequence. */
export class BootServices {
  constructor(
    private readonly wires: BiosWires,
    private readonly state: BootState,
    private readonly drives: Drives,
    private readonly video: VideoServices,
    private readonly keyboard: KeyboardServices,
  ) {}

  /** INT 19h: starts with the first device. */
  boot(call: Call): void {
    this.state.bootTried = 0;
    this.#bootNext(call);
  }

  /** INT 18h: the program that was booted gave up; goes on with the next device, or starts over at a key press. */
  giveUp(call: Call): void {
    if (!this.state.bootFailed) {
      this.#bootNext(call);
    } else if (this.keyboard.takeKey()) {
      this.state.bootFailed = false;
      this.video.print("\n");
      this.boot(call);
    } else {
      call.wait();
    }
  }

  #bootNext(call: Call): void {
    const { state, wires, video } = this;
    this.drives.stopCd();
    while (state.bootTried < wires.bootOrder.length) {
      const kind = wires.bootOrder[state.bootTried++];
      video.print(`Booting from ${NAMES[kind]} ... `);
      const program = kind === "cdrom" ? this.#loadCd(call) : this.#loadSector(call, kind);
      if (typeof program !== "string") {
        video.print("\n");
        start(call, program);
        return;
      }
      video.print(`failed: ${program}\n`);
    }
    video.print("\nNo bootable device. Insert a boot medium and press a key.\n");
    state.bootFailed = true;
    // Continue at INT 18h, which waits for the key.
    const { memory } = call;
    start(call, { segment: memory.read16(0x18 * 4 + 2), offset: memory.read16(0x18 * 4), drive: 0 }, true);
  }

  /** Loads the first sector of the first floppy or fixed disk. */
  #loadSector(call: Call, kind: "floppy" | "disk"): BootProgram | string {
    const floppy = kind === "floppy" ? this.wires.floppies[0] : undefined;
    const disk = kind === "disk" ? this.drives.disks[0] : undefined;
    if (floppy === undefined && disk === undefined) return "there is no such drive";
    const medium = floppy?.medium ?? disk?.medium ?? null;
    if (medium === null) return "there is no disk in the drive";
    if (floppy !== undefined) floppy.changed = false;
    const sector = readFirstSector(medium);
    if (sector === null) return "the boot sector cannot be read";
    if (sector[510] !== 0x55 || sector[511] !== 0xaa) return "it is not a boot disk";
    call.memory.write(BOOT_ADDRESS, sector);
    return { segment: 0, offset: BOOT_ADDRESS, drive: kind === "floppy" ? 0x00 : 0x80 };
  }

  /** Loads from the first CD that is bootable. */
  #loadCd(call: Call): BootProgram | string {
    let reason = "there is no such drive";
    for (const [index, cd] of this.drives.cds.entries()) {
      const program = cd.medium === null ? "there is no disc in the drive" : this.#loadDisc(call, index, cd.medium);
      if (typeof program !== "string") return program;
      reason = program;
    }
    return reason;
  }

  #loadDisc(call: Call, index: number, disc: BlockBackend): BootProgram | string {
    const entry = findBootEntry(disc);
    if (typeof entry === "string") return entry;
    // Emulated disks are started like real ones, by their first sector.
    const count = entry.media === "none" ? Math.max(1, Math.min(entry.loadSectors, MAX_BOOT_SECTORS)) : 1;
    const image = this.drives.readBootImage(index, entry, count);
    if (image === null) return "the boot image cannot be read";
    const failure = this.drives.startCd(index, entry);
    if (failure !== null) return failure;
    const segment = entry.media === "none" ? entry.loadSegment : BOOT_ADDRESS >> 4;
    call.memory.write(segment * 16, image);
    const drive = bootDriveNumber(entry.media, index);
    return segment === BOOT_ADDRESS >> 4 ? { segment: 0, offset: BOOT_ADDRESS, drive } : { segment, offset: 0, drive };
  }
}

const NAMES = { floppy: "floppy disk", disk: "hard disk", cdrom: "CD-ROM" } as const;

function readFirstSector(medium: BlockBackend): Uint8Array | null {
  if (medium.size < 512) return null;
  const sector = new Uint8Array(512);
  try {
    medium.read(0, sector);
  } catch {
    return null;
  }
  return sector;
}

/** Lets the stub's IRET continue at a program, with a fresh stack and the registers that boot sectors expect. */
function start(call: Call, program: BootProgram, masked = false): void {
  const { cpu, memory } = call;
  cpu.setRealSegment(Sreg.SS, 0);
  for (const segment of [Sreg.DS, Sreg.ES, Sreg.FS, Sreg.GS]) cpu.setRealSegment(segment, 0);
  for (const register of [Reg.AX, Reg.BX, Reg.CX, Reg.DX, Reg.SI, Reg.DI, Reg.BP]) cpu.set32(register, 0);
  const stack = BOOT_ADDRESS - 6;
  cpu.set32(Reg.SP, stack);
  memory.write16(stack, program.offset);
  memory.write16(stack + 2, program.segment);
  memory.write16(stack + 4, masked ? 0x0002 : Eflags.IF | 2);
  call.ax = 0xaa55;
  call.dl = program.drive;
}
