/**
 * One IDE channel: two drives that share the command block registers and one interrupt line.
 * Source: ATA/ATAPI-7 (T13 1532D), volume 2, sections 5 (registers) and 9.16 (single drive configurations).
 */
import type { AccessSize, PortHandler } from "../../machine/types.ts";
import type { BusMaster } from "./bus_master.ts";
import type { DriveHost, DriveState, IdeDrive } from "./drive.ts";
import { Command, Control, Device, Register, Status } from "./registers.ts";

/** Mutable state of a channel: plain data. */
export type ChannelState = {
  /** The drive that the device register selects: 0 or 1. */
  selected: number;
  /** Device control register. */
  control: number;
  /** Level of the interrupt line. */
  interrupt: boolean;
  /** State of each drive; null where there is none. */
  drives: (DriveState | null)[];
};

/** What a channel needs from the controller. */
export interface ChannelWires {
  /** Drives the interrupt line of the channel. */
  interrupt(level: boolean): void;
  /** Arranges for {@link IdeChannel.due} of `drive` in `delay` ns. */
  schedule(drive: number, delay: number): void;
  cancel(drive: number): void;
}

/** What the lines of an empty channel read as: DD7 has a pull-down resistor, so that nobody seems busy. */
const NOBODY = 0x7f;

/** One IDE channel with up to two drives. */
export class IdeChannel implements PortHandler {
  readonly state: ChannelState = { selected: 0, control: 0, interrupt: false, drives: [null, null] };
  readonly drives: (IdeDrive | null)[] = [null, null];
  readonly #wires: ChannelWires;
  readonly #busMaster: BusMaster;

  constructor(wires: ChannelWires, busMaster: BusMaster) {
    this.#wires = wires;
    this.#busMaster = busMaster;
  }

  /** Connects a drive: `create` receives the drive's side of the channel. */
  connect<D extends IdeDrive>(position: 0 | 1, create: (host: DriveHost) => D): D {
    const drive = create({
      position,
      schedule: (delay) => this.#wires.schedule(position, delay),
      cancel: () => this.#wires.cancel(position),
      interruptChanged: () => this.#updateInterrupt(),
      dmaRequested: () => this.#requestDma(position),
    });
    this.drives[position] = drive;
    this.state.drives[position] = drive.state;
    return drive;
  }

  /** Called after the state was restored: the line has its level again. */
  restored(): void {
    this.#wires.interrupt(this.state.interrupt);
  }

  reset(): void {
    this.state.selected = 0;
    this.state.control = 0;
    for (const drive of this.drives) drive?.reset();
    this.#updateInterrupt();
  }

  /** A moment that a drive asked for has come. */
  due(drive: number): void {
    this.drives[drive]?.due();
  }

  /** The bus master was started. */
  dmaStarted(): void {
    for (const drive of this.drives) drive?.dmaStarted();
  }

  /** Reads the command block: `port` is masked to 0–7. */
  read(port: number, size: AccessSize): number {
    const register = port & 7, state = this.state;
    const drive = this.drives[state.selected];
    if (register === Register.DATA) {
      if (drive) return drive.readData(size);
      return size === 4 ? 0xffffffff : size === 2 ? 0xffff : 0xff;
    }
    if (size > 1) return this.#readWide(port, size);
    if (register === Register.STATUS) {
      const status = this.#status();
      drive?.acknowledge();
      return status;
    }
    if (drive) return drive.readRegister(register, (state.control & Control.HOB) !== 0);
    if (state.selected === 0 || !this.drives[0]) return NOBODY;
    // Without a drive 1, drive 0 answers in its place: zeros, so that its own signature is not taken for drive 1's.
    return register === Register.DEVICE ? this.drives[0].readRegister(register, false) | Device.DEV : 0;
  }

  /** Writes the command block: `port` is masked to 0–7. */
  write(port: number, value: number, size: AccessSize): void {
    const register = port & 7;
    if (register === Register.DATA) this.drives[this.state.selected]?.writeData(value, size);
    else if (size > 1) this.#writeWide(port, value, size);
    else if (register === Register.STATUS) this.#command(value);
    else {
      this.state.control &= ~Control.HOB;
      for (const drive of this.drives) drive?.writeRegister(register, value);
      if (register === Register.DEVICE) {
        this.state.selected = value & Device.DEV ? 1 : 0;
        this.#updateInterrupt();
      }
    }
  }

  #readWide(port: number, size: AccessSize): number {
    let value = 0;
    for (let i = 0; i < size; i++) value += ((port & 7) + i < 8 ? this.read(port + i, 1) : 0xff) * 2 ** (8 * i);
    return value;
  }

  #writeWide(port: number, value: number, size: AccessSize): void {
    for (let i = 0; i < size && (port & 7) + i < 8; i++) this.write(port + i, value >>> 8 * i & 0xff, 1);
  }

  /** The alternate status register: reading it leaves the interrupt request alone. */
  readAlternateStatus(): number {
    return this.#status();
  }

  #status(): number {
    const drive = this.drives[this.state.selected];
    if (drive) return drive.state.status;
    return this.state.selected === 1 && this.drives[0] ? 0 : NOBODY;
  }

  /** Writes the device control register. */
  writeControl(value: number): void {
    const before = this.state.control;
    this.state.control = value & (Control.HOB | Control.SRST | Control.N_IEN);
    const set = value & ~before, cleared = before & ~value;
    if (set & Control.SRST) {
      this.state.selected = 0;
      for (const drive of this.drives) drive?.beginSoftReset();
    } else if (cleared & Control.SRST) {
      for (const drive of this.drives) drive?.endSoftReset();
    }
    this.#updateInterrupt();
  }

  #command(command: number): void {
    this.state.control &= ~Control.HOB;
    if (this.state.control & Control.SRST) return;
    if (command !== Command.EXECUTE_DEVICE_DIAGNOSTIC) {
      this.drives[this.state.selected]?.startCommand(command);
      return;
    }
    // Both drives execute it; drive 0 reports for both and is selected afterwards.
    if (this.drives.some((drive) => drive && drive.state.status & Status.BSY)) return;
    for (const drive of this.drives) drive?.startCommand(command);
    this.state.selected = 0;
  }

  /** Only the selected drive drives the line, and only while the host lets it. */
  #updateInterrupt(): void {
    const drive = this.drives[this.state.selected] ?? null;
    const level = drive !== null && drive.state.intrq && (this.state.control & Control.N_IEN) === 0;
    if (level === this.state.interrupt) return;
    this.state.interrupt = level;
    if (level) this.#busMaster.noteInterrupt();
    this.#wires.interrupt(level);
  }

  #requestDma(position: number): void {
    const drive = this.drives[position];
    if (drive && position === this.state.selected) this.#busMaster.transfer(drive);
  }
}
