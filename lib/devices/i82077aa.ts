/**
 * 82077AA floppy disk controller in PC/AT mode, with up to two drives.
 * Source: Intel 82077AA CHMOS Single-Chip Floppy Disk Controller data sheet (290166-007).
 *
 * The drives' mechanics are a thousand times as fast as those of real ones, because firmware and DOS wait for them in busy
 * loops, where every nanosecond costs an instruction; the order of events is the same.
 */
import {
  type BlockBackend,
  BlockError,
  type Clock,
  type Device,
  type IrqLine,
  type PortSpace,
} from "../machine/types.ts";
import type { FloppyFormat } from "../disk/mod.ts";
import { FloppyDrive, type FloppyDriveState, type SectorId } from "./floppy/drive.ts";
import { commandOf, Configure, Dir, Dor, Dsr, Modifier, Msr, Port, St0, St1, St2, St3 } from "./floppy/registers.ts";
import type { DmaChannel } from "./i8237.ts";

const SECTOR = 512;
const BASE = 0x3f0;
/** Data rates in kbit/s by the rate bits of DSR and CCR. */
const RATES = [500, 300, 250, 1000] as const;

const MS = 1_000_000;
/** One revolution of the disk in ns: a thousandth of that of a real drive. */
const REVOLUTION = 0.2 * MS;
/** The unit of the step rate in ns, by the rate bits: a thousandth of the data sheet's. */
const STEP_UNIT = [1000, 1670, 2000, 500] as const;
/** Time in ns from the end of a reset to its interrupt. */
const RESET_TIME = 20_000;
/** Step pulses that RECALIBRATE gives at most. */
const RECALIBRATE_STEPS = 79;

/** What the controller is doing. */
type Phase = "reset" | "command" | "execution" | "fifo-in" | "fifo-out" | "result";

/** The controller's drive positions: only the first two have connectors. */
const POSITIONS = 4;

/** Wiring of an {@link I82077aa}. */
export interface I82077aaWires {
  readonly clock: Clock;
  /** IRQ 6. */
  readonly irq: IrqLine;
  /** Channel 2 of the DMA controller. */
  readonly dma: DmaChannel;
  /** Drives A and B with their media: null is a drive without a medium, undefined no drive. */
  readonly drives: readonly (BlockBackend | null | undefined)[];
}

/** A transfer in progress: plain data. */
type Transfer = {
  /** Head and sector identification of the next sector. */
  head: number;
  c: number;
  h: number;
  r: number;
  n: number;
  /** Status registers 1 and 2 as collected so far. */
  st1: number;
  st2: number;
  /** Sectors left for VERIFY with a sector count and for READ TRACK. */
  left: number;
};

/** Mutable state of an {@link I82077aa}: plain data. */
export type I82077aaState = {
  dor: number;
  tdr: number;
  /** Rate bits, as last written to DSR or CCR. */
  rate: number;
  phase: string;
  /** Bytes of the command phase. */
  command: number[];
  /** Bytes of the result phase that have not been read. */
  result: number[];
  interrupt: boolean;
  /** Drives for which the reset's status has not been sensed. */
  resetSense: number;
  /** Status register 0 of each finished seek that has not been sensed; 0 = none. */
  seekStatus: number[];
  /** Bit per drive that is stepping. */
  seeking: number;
  /** Present cylinder number of each drive as the controller counts it. */
  pcn: number[];
  /** Cylinder that each drive is stepping to; -1 = until track 0 is reached. */
  target: number[];
  /** SPECIFY: step rate and head unload time; head load time and non-DMA bit. */
  specify: number[];
  /** CONFIGURE: flags and FIFO threshold; precompensation track. */
  configure: number[];
  perpendicular: number;
  locked: boolean;
  /** Last sector of a track of the last command that named one. */
  endOfTrack: number;
  transfer: Transfer;
  /** One sector between drive and host, and the part of it that the host has not moved. */
  buffer: Uint8Array;
  position: number;
  limit: number;
  /** State of each drive; null where there is none. */
  drives: (FloppyDriveState | null)[];
};

/** The type of drive that CMOS byte 10h names for a medium of this format: 1 = 360K, 2 = 1.2M, 3 = 720K, 4 = 1.44M, 5 = 2.88M. */
export function cmosDriveType(format: FloppyFormat): number {
  if (format.rate === 1000) return 5;
  if (format.rate === 500) return format.sectors === 15 ? 2 : 4;
  return format.cylinders === 40 ? 1 : 3;
}

/** The floppy controller of the board, at 3F0h. */
export class I82077aa implements Device {
  readonly name = "i82077aa";
  readonly version = 1;
  /** The drives by position; undefined where there is none. */
  readonly drives: readonly (FloppyDrive | undefined)[];
  readonly state: I82077aaState;
  readonly #wires: I82077aaWires;

  /** @throws ImageError if a medium is no floppy. */
  constructor(wires: I82077aaWires) {
    this.#wires = wires;
    this.drives = wires.drives.slice(0, 2).map((image) => image === undefined ? undefined : new FloppyDrive(image));
    this.state = {
      dor: 0,
      tdr: 0,
      rate: 2,
      phase: "reset",
      command: [],
      result: [],
      interrupt: false,
      resetSense: 0,
      seekStatus: [0, 0, 0, 0],
      seeking: 0,
      pcn: [0, 0, 0, 0],
      target: [0, 0, 0, 0],
      specify: [0, 0],
      configure: [Configure.EFIFO, 0],
      perpendicular: 0,
      locked: false,
      endOfTrack: 0,
      transfer: { head: 0, c: 0, h: 0, r: 0, n: 0, st1: 0, st2: 0, left: 0 },
      buffer: new Uint8Array(SECTOR),
      position: 0,
      limit: 0,
      drives: this.drives.map((drive) => drive?.state ?? null),
    };
  }

  /** Claims 3F0h–3F5h and 3F7h; 3F6h belongs to the IDE channel. */
  attach(ports: PortSpace): void {
    const handler = {
      read: (port: number) => this.#read(port - BASE),
      write: (port: number, value: number) => this.#write(port - BASE, value),
    };
    ports.claim(BASE, 6, handler);
    ports.claim(BASE + Port.DIR, 1, handler);
  }

  /** Puts another medium into drive A (0) or B (1), or takes it out. @throws ImageError if the image is no floppy. */
  change(position: 0 | 1, image: BlockBackend | null): void {
    const drive = this.drives[position];
    if (!drive) throw new RangeError(`there is no floppy drive ${"AB"[position]}`);
    drive.change(image);
  }

  reset(): void {
    const { state } = this;
    for (let i = 0; i < POSITIONS; i++) this.#wires.clock.cancel(this.name, `seek${i}`);
    this.#wires.clock.cancel(this.name, "reset");
    Object.assign(state, {
      dor: 0,
      tdr: 0,
      rate: 2,
      perpendicular: 0,
      locked: false,
      endOfTrack: 0,
      position: 0,
      limit: 0,
    });
    state.specify = [0, 0];
    state.buffer.fill(0);
    Object.assign(state.transfer, { head: 0, c: 0, h: 0, r: 0, n: 0, st1: 0, st2: 0, left: 0 });
    this.#enterReset();
  }

  restored(): void {
    this.#updateInterrupt();
  }

  event(name: string): void {
    if (name === "reset") this.#resetDone();
    else if (name === "transfer") this.#continue();
    else if (name.startsWith("seek")) this.#seekDone(Number(name.slice(4)));
  }

  #read(port: number): number {
    const { state } = this;
    switch (port) {
      case Port.DOR:
        return state.dor;
      case Port.TDR:
        return state.tdr;
      case Port.MSR:
        return this.#mainStatus();
      case Port.FIFO:
        return this.#readFifo();
      case Port.DIR: {
        const drive = this.drives[state.dor & Dor.DRIVE];
        const motor = state.dor & Dor.MOTOR_0 << (state.dor & Dor.DRIVE);
        return drive && motor && drive.state.changed ? Dir.DSKCHG : 0;
      }
      default:
        // Status registers A and B exist in PS/2 mode only.
        return 0xff;
    }
  }

  #write(port: number, value: number): void {
    const { state } = this;
    switch (port) {
      case Port.DOR: {
        const before = state.dor;
        state.dor = value;
        if (before & ~value & Dor.NOT_RESET) this.#enterReset();
        else if (value & ~before & Dor.NOT_RESET) {
          this.#wires.clock.schedule(this.name, "reset", this.#after(RESET_TIME));
        }
        this.#updateInterrupt();
        break;
      }
      case Port.TDR:
        state.tdr = value & 3;
        break;
      case Port.MSR:
        state.rate = value & Dsr.RATE;
        if (value & Dsr.SW_RESET) {
          this.#enterReset();
          if (state.dor & Dor.NOT_RESET) this.#wires.clock.schedule(this.name, "reset", this.#after(RESET_TIME));
        }
        break;
      case Port.FIFO:
        this.#writeFifo(value);
        break;
      case Port.DIR:
        state.rate = value & Dsr.RATE;
        break;
    }
  }

  #after(delay: number): number {
    return this.#wires.clock.now + Math.round(delay);
  }

  #mainStatus(): number {
    const { phase, seeking, specify, command } = this.state;
    switch (phase as Phase) {
      case "reset":
        return 0;
      case "command":
        return Msr.RQM | seeking | (command.length > 0 ? Msr.CMD_BSY : 0);
      case "execution":
        return Msr.CMD_BSY | seeking | (specify[1] & 1 ? Msr.NON_DMA : 0);
      case "fifo-in":
        return Msr.RQM | Msr.DIO | Msr.NON_DMA | Msr.CMD_BSY | seeking;
      case "fifo-out":
        return Msr.RQM | Msr.NON_DMA | Msr.CMD_BSY | seeking;
      case "result":
        return Msr.RQM | Msr.DIO | Msr.CMD_BSY | seeking;
    }
  }

  #setInterrupt(level: boolean): void {
    this.state.interrupt = level;
    this.#updateInterrupt();
  }

  #updateInterrupt(): void {
    const { interrupt, dor } = this.state;
    this.#wires.irq.set(interrupt && (dor & Dor.DMAGATE) !== 0);
  }

  #enterReset(): void {
    const { state } = this, { clock } = this.#wires;
    clock.cancel(this.name, "transfer");
    clock.cancel(this.name, "reset");
    for (let i = 0; i < POSITIONS; i++) clock.cancel(this.name, `seek${i}`);
    this.#wires.dma.request(false);
    state.phase = "reset";
    state.command = [];
    state.result = [];
    state.seeking = state.resetSense = 0;
    state.seekStatus = [0, 0, 0, 0];
    state.pcn = [0, 0, 0, 0];
    state.perpendicular &= 0x3c;
    if (!state.locked) state.configure = [Configure.EFIFO, 0];
    this.#setInterrupt(false);
  }

  /** The reset is over: in polling mode, all four drives have "changed their readiness". */
  #resetDone(): void {
    const { state } = this;
    state.phase = "command";
    if (state.configure[0] & Configure.POLL) return;
    state.resetSense = POSITIONS;
    this.#setInterrupt(true);
  }

  #readFifo(): number {
    const { state } = this;
    if (state.phase === "fifo-in") {
      const value = state.buffer[state.position++];
      if (state.position >= state.limit) this.#blockDone();
      return value;
    }
    if (state.phase !== "result") return 0;
    // The first byte of the result withdraws the interrupt.
    if (state.interrupt) this.#setInterrupt(false);
    const value = state.result.shift() ?? 0;
    if (state.result.length === 0) {
      state.phase = "command";
      state.command = [];
      // Seeks that ended in the meantime are still to be sensed.
      if (state.seekStatus.some((status) => status !== 0)) this.#setInterrupt(true);
    }
    return value;
  }

  #writeFifo(value: number): void {
    const { state } = this;
    if (state.phase === "fifo-out") {
      state.buffer[state.position++] = value;
      if (state.position >= state.limit) this.#blockDone();
      return;
    }
    if (state.phase !== "command") return;
    state.command.push(value);
    if (state.command.length >= commandOf(state.command[0]).length) this.#execute();
  }

  /** Non-DMA mode: the host has moved the whole block. */
  #blockDone(): void {
    this.#setInterrupt(false);
    this.state.phase = "execution";
    this.#wires.clock.schedule(this.name, "transfer", this.#after(this.#sectorTime()));
  }

  #finish(...result: number[]): void {
    const { state } = this;
    state.result = result;
    state.phase = result.length > 0 ? "result" : "command";
    if (result.length === 0) state.command = [];
  }

  #execute(): void {
    const { state } = this, [code, ...args] = state.command;
    switch (commandOf(code).name) {
      case "specify":
        state.specify = args;
        return this.#finish();
      case "configure":
        state.configure = [args[1] & 0x7f, args[2]];
        return this.#finish();
      case "perpendicular mode":
        // Without OW the drive bits keep their values.
        state.perpendicular = args[0] & 0x80 ? args[0] & 0x3f : state.perpendicular & 0x3c | args[0] & 3;
        return this.#finish();
      case "lock":
        state.locked = (code & 0x80) !== 0;
        return this.#finish(state.locked ? 0x10 : 0);
      case "version":
        return this.#finish(0x90);
      case "dumpreg":
        return this.#dumpRegisters();
      case "sense drive status":
        return this.#senseDrive(args[0]);
      case "sense interrupt status":
        return this.#senseInterrupt();
      case "recalibrate":
        return this.#recalibrate(args[0] & 3);
      case "seek":
        return this.#seek(args[0] & 3, args[1]);
      case "relative seek":
        return this.#seek(args[0] & 3, state.pcn[args[0] & 3] + (code & 0x40 ? args[1] : -args[1]));
      case "invalid":
        return this.#finish(St0.INVALID);
      case "read id":
        return this.#begin(args[0], { c: 0, h: 0, r: 0, n: 0 }, 1);
      case "format track":
        return this.#begin(args[0], { c: 0, h: 0, r: 0, n: args[1] }, args[2]);
      default: {
        const [select, c, h, r, n, eot, , count] = args;
        state.endOfTrack = eot;
        return this.#begin(select, { c, h, r, n }, commandOf(code).name === "verify" ? count : eot);
      }
    }
  }

  #dumpRegisters(): void {
    const { pcn, specify, endOfTrack, configure, perpendicular, locked } = this.state;
    this.#finish(...pcn, ...specify, endOfTrack, (locked ? 0x80 : 0) | perpendicular, ...configure);
  }

  #senseDrive(select: number): void {
    const drive = this.drives[select & 3];
    let st3 = select & (St3.HEAD | 3) | St3.ONES;
    if (drive?.state.cylinder === 0) st3 |= St3.T0;
    if (drive?.medium?.readOnly) st3 |= St3.WP;
    this.#finish(st3);
  }

  #senseInterrupt(): void {
    const { state } = this;
    this.#setInterrupt(false);
    if (state.resetSense > 0) {
      const drive = POSITIONS - state.resetSense--;
      return this.#finish(St0.POLLING | drive, state.pcn[drive]);
    }
    const drive = state.seekStatus.findIndex((status) => status !== 0);
    if (drive < 0) return this.#finish(St0.INVALID);
    const status = state.seekStatus[drive];
    state.seekStatus[drive] = 0;
    this.#finish(status, state.pcn[drive]);
  }

  #stepTime(steps: number): number {
    const { specify, rate } = this.state;
    return steps * (16 - (specify[0] >> 4)) * STEP_UNIT[rate] + STEP_UNIT[rate];
  }

  #seek(position: number, target: number): void {
    const { state } = this;
    state.target[position] = Math.max(0, Math.min(255, target));
    const steps = Math.abs(state.target[position] - state.pcn[position]);
    this.#startSeek(position, steps);
  }

  #recalibrate(position: number): void {
    // The controller does not know where the head is: it steps until the drive reports track 0.
    this.state.target[position] = -1;
    this.#startSeek(position, this.drives[position]?.state.cylinder ?? RECALIBRATE_STEPS);
  }

  #startSeek(position: number, steps: number): void {
    this.state.seeking |= 1 << position;
    this.#wires.clock.schedule(this.name, `seek${position}`, this.#after(this.#stepTime(steps)));
    this.#finish();
  }

  #seekDone(position: number): void {
    const { state } = this, drive = this.drives[position], target = state.target[position];
    let status = St0.SE | position;
    if (target < 0) {
      drive?.step(-Math.min(RECALIBRATE_STEPS, drive.state.cylinder));
      state.pcn[position] = 0;
      if (drive?.state.cylinder !== 0) status |= St0.ABNORMAL | St0.EC;
    } else this.#step(position, target);
    state.seeking &= ~(1 << position);
    state.seekStatus[position] = status;
    state.resetSense = 0;
    // The interrupt waits for the end of a command that is in its execution or result phase.
    if (state.phase === "command") this.#setInterrupt(true);
  }

  /** Steps the head of a drive from where the controller believes it to be to cylinder `target`. */
  #step(position: number, target: number): void {
    const { state } = this;
    this.drives[position]?.step(target - state.pcn[position]);
    state.pcn[position] = target;
  }

  get #drive(): FloppyDrive | undefined {
    return this.drives[this.state.command[1] & 3];
  }

  /** Time in ns in which one sector passes under the head. */
  #sectorTime(): number {
    return REVOLUTION / (this.#drive?.format?.sectors ?? 1);
  }

  /** Starts a command that reads or writes the disk: `left` is its number of sectors, as far as it has one. */
  #begin(select: number, id: SectorId, left: number): void {
    const { state } = this, head = (select & St0.HEAD) !== 0 ? 1 : 0;
    Object.assign(state.transfer, { head, ...id, st1: 0, st2: 0, left });
    state.position = state.limit = 0;
    state.phase = "execution";
    let delay = this.#sectorTime();
    const name = commandOf(state.command[0]).name, position = select & 3;
    const implied = (state.configure[0] & Configure.EIS) !== 0 && name !== "read id" && name !== "format track";
    if (implied && state.pcn[position] !== id.c) {
      delay += this.#stepTime(Math.abs(id.c - state.pcn[position]));
      this.#step(position, id.c);
    }
    if (name === "format track") delay = REVOLUTION;
    if (name === "read track") {
      // All sectors from the index hole on; that the first one is not the one that was named is only noted.
      state.transfer.r = 1;
      if (id.r !== 1) state.transfer.st1 = St1.ND;
    }
    // A controller looks for an address mark until the index hole has passed twice.
    if (!this.#readable) delay = 2 * REVOLUTION;
    this.#wires.clock.schedule(this.name, "transfer", this.#after(delay));
  }

  /** True if the head is over a formatted track of the selected data rate and encoding. */
  get #readable(): boolean {
    const { command, rate, transfer } = this.state;
    return (command[0] & Modifier.MFM) !== 0 && (this.#drive?.readable(transfer.head, RATES[rate]) ?? false);
  }

  /** Ends a disk command: seven result bytes and an interrupt. */
  #end(abnormal: boolean): void {
    const { state } = this, { head, c, h, r, n, st1, st2 } = state.transfer;
    const st0 = (abnormal ? St0.ABNORMAL : 0) | head << 2 | state.command[1] & 3;
    this.#wires.dma.request(false);
    state.resetSense = 0;
    this.#finish(st0, st1, st2, c, h, r, n);
    this.#setInterrupt(true);
  }

  #fail(st1: number, st2 = 0): void {
    this.state.transfer.st1 |= st1;
    this.state.transfer.st2 |= st2;
    this.#end(true);
  }

  /** The next sector of the command has come under the head, or the host has moved one in non-DMA mode. */
  #continue(): void {
    const { state } = this, { transfer } = state;
    const drive = this.#drive, { name } = commandOf(state.command[0]);
    if (!drive?.medium || !this.#readable) return this.#fail(St1.MA);
    switch (name) {
      case "read id": {
        const sectors = drive.format?.sectors ?? 1;
        const r = Math.floor(this.#wires.clock.now / this.#sectorTime()) % sectors + 1;
        Object.assign(transfer, { c: drive.state.cylinder, h: transfer.head, r, n: 2 });
        return this.#end(false);
      }
      case "format track":
        return this.#format(drive, drive.medium);
      case "write data":
      case "write deleted data":
        return this.#writeSector(drive, drive.medium);
      default:
        return this.#readSector(drive, drive.medium);
    }
  }

  /** Where the next sector lies on the medium, or -1 after the command has failed for want of it. */
  #locate(drive: FloppyDrive): number {
    const { transfer } = this.state;
    const at = drive.find(transfer.head, transfer);
    if (at < 0) this.#fail(St1.ND, transfer.c === drive.state.cylinder ? 0 : St2.WC);
    return at;
  }

  #readSector(drive: FloppyDrive, medium: BlockBackend): void {
    const { state } = this, { transfer } = state, { name } = commandOf(state.command[0]);
    if (state.limit > 0) {
      // Non-DMA mode: the host has taken this sector.
      state.limit = 0;
      return this.#sectorDone(false);
    }
    const at = this.#locate(drive);
    if (at < 0) return;
    try {
      medium.read(at, state.buffer);
    } catch (error) {
      if (!(error instanceof BlockError)) throw error;
      return this.#fail(St1.DE, St2.DD);
    }
    switch (name) {
      case "verify":
        return this.#sectorDone(false);
      case "scan equal":
      case "scan low or equal":
      case "scan high or equal":
        return this.#scan(name);
      case "read deleted data":
        // No sector of an image has the deleted mark.
        if (state.command[0] & Modifier.SK) return this.#sectorDone(false);
        transfer.st2 |= St2.CM;
    }
    this.#send();
  }

  /** Hands the sector in the buffer to the host. */
  #send(): void {
    const { state } = this;
    if (state.specify[1] & 1) return this.#openFifo("fifo-in", SECTOR);
    const moved = this.#byDma((dma) => dma.transferToMemory(state.buffer));
    if (moved) this.#sectorDone(moved.terminalCount);
  }

  #openFifo(phase: Phase, length: number): void {
    const { state } = this;
    state.phase = phase;
    state.position = 0;
    state.limit = length;
    this.#setInterrupt(true);
  }

  /** Lets the DMA controller move a block; null after an overrun, because it did not answer. */
  #byDma<R extends { transferred: number; terminalCount: boolean }>(move: (dma: DmaChannel) => R): R | null {
    const { dma } = this.#wires;
    if (this.state.dor & Dor.DMAGATE) {
      dma.request(true);
      const result = move(dma);
      if (result.transferred > 0) return result;
    }
    this.#fail(St1.OR);
    return null;
  }

  #writeSector(drive: FloppyDrive, medium: BlockBackend): void {
    const { state } = this;
    if (medium.readOnly) return this.#fail(St1.NW);
    const at = this.#locate(drive);
    if (at < 0) return;
    let last = false;
    if ((state.specify[1] & 1) === 0) {
      state.buffer.fill(0);
      const moved = this.#byDma((dma) => dma.transferFromMemory(state.buffer));
      if (!moved) return;
      last = moved.terminalCount;
    } else if (state.limit === 0) return this.#openFifo("fifo-out", SECTOR);
    state.limit = 0;
    try {
      medium.write(at, state.buffer);
    } catch (error) {
      if (!(error instanceof BlockError)) throw error;
      return this.#fail(St1.DE);
    }
    this.#sectorDone(last);
  }

  /** Compares the sector in the buffer with data from memory; FFh on either side equals everything. */
  #scan(name: string): void {
    const { state } = this, { transfer } = state, host = new Uint8Array(SECTOR);
    const moved = this.#byDma((dma) => dma.transferFromMemory(host));
    if (!moved) return;
    let difference = 0;
    for (let i = 0; i < moved.transferred && difference === 0; i++) {
      if (host[i] !== 0xff && state.buffer[i] !== 0xff) difference = state.buffer[i] - host[i];
    }
    const satisfied = difference === 0 || (name === "scan low or equal" && difference < 0) ||
      (name === "scan high or equal" && difference > 0);
    transfer.st2 = satisfied ? (difference === 0 ? St2.SEH : 0) : St2.SNS;
    if (satisfied) return this.#end(false);
    this.#sectorDone(moved.terminalCount, state.command[8] === 2 ? 2 : 1);
  }

  /** A sector is done: ends the command, or goes on to the next one. */
  #sectorDone(terminalCount: boolean, step = 1): void {
    const { state } = this, { transfer } = state, { name } = commandOf(state.command[0]);
    const endOfTrack = this.#nextSector(step);
    const counted = name === "verify" && (state.command[1] & 0x80) !== 0;
    if (counted || name === "read track") transfer.left = (transfer.left - 1) & 0xff;
    const marked = (transfer.st2 & St2.CM) !== 0;
    if (terminalCount || marked || ((counted || name === "read track") && transfer.left === 0)) return this.#end(false);
    if (endOfTrack) {
      // Without a terminal count, the end of the track is the end of the command; an error, except where it is meant.
      if (name === "verify" && !counted) return this.#end(false);
      return name.startsWith("scan") ? this.#end(false) : this.#fail(St1.EN);
    }
    state.phase = "execution";
    this.#wires.clock.schedule(this.name, "transfer", this.#after(this.#sectorTime()));
  }

  /** Advances the identification as the data sheet's table for the result phase says; true at the end of the track(s). */
  #nextSector(step: number): boolean {
    const { transfer, command } = this.state, eot = command[6];
    if (transfer.r !== eot) {
      transfer.r = transfer.r + step & 0xff;
      return false;
    }
    transfer.r = 1;
    if ((command[0] & Modifier.MT) === 0) {
      transfer.c = transfer.c + 1 & 0xff;
      return true;
    }
    const more = transfer.head === 0;
    transfer.h ^= 1;
    if (more) transfer.head = 1;
    else transfer.c = transfer.c + 1 & 0xff;
    return !more;
  }

  /** FORMAT TRACK: takes an identification of four bytes for each sector and fills the sectors. */
  #format(drive: FloppyDrive, medium: BlockBackend): void {
    const { state } = this, { transfer } = state;
    if (medium.readOnly) return this.#fail(St1.NW);
    const ids = this.#formatIds(transfer.left);
    if (ids === null) return;
    state.buffer.fill(state.command[5]);
    for (let i = 0; i + 4 <= ids.length; i += 4) {
      const at = drive.find(transfer.head, { c: ids[i], h: ids[i + 1], r: ids[i + 2], n: ids[i + 3] });
      // An image has no room for sectors of another format.
      if (at < 0) return this.#fail(St1.NW);
      try {
        medium.write(at, state.buffer);
      } catch (error) {
        if (!(error instanceof BlockError)) throw error;
        return this.#fail(St1.DE);
      }
    }
    this.#end(false);
  }

  /** The identifications that the host gives for `count` sectors; null if they are still to come or have not come. */
  #formatIds(count: number): Uint8Array | null {
    const { state } = this, length = Math.min(SECTOR, count * 4);
    if (state.specify[1] & 1) {
      if (state.limit > 0 || length === 0) return state.buffer.slice(0, length);
      this.#openFifo("fifo-out", length);
      return null;
    }
    const ids = new Uint8Array(length);
    if (length === 0) return ids;
    const moved = this.#byDma((dma) => dma.transferFromMemory(ids));
    return moved && ids.slice(0, moved.transferred);
  }
}
