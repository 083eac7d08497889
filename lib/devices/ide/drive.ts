/**
 * What an ATA disk and an ATAPI CD-ROM have in common: the command block registers, the data port with its buffer, the
 * interrupt request, reset, and the hand-shake with the bus master. Source: ATA/ATAPI-7 (T13 1532D), volume 2.
 */
import { Command, Err, Feature, Register, Status } from "./registers.ts";

/** What a drive is waiting for. */
export type Phase =
  /** A command. */
  | "idle"
  /** The end of its reset. */
  | "reset"
  /** The medium: then the next block is offered to the host. */
  | "fetch"
  /** The host, which reads the block through the data port. */
  | "in"
  /** The host, which writes the block through the data port. */
  | "out"
  /** The medium: then the block from the host is stored. */
  | "store"
  /** The medium: then the bus master is asked to move the data. */
  | "dma-seek"
  /** The bus master (DMARQ is asserted). */
  | "dma"
  /** Its own mechanics: then the command is complete. */
  | "finish";

/** Mutable state of a drive: plain data. */
export type DriveState = {
  status: number;
  error: number;
  features: number;
  count: number;
  lbaLow: number;
  lbaMid: number;
  lbaHigh: number;
  device: number;
  /** The previous contents of features, count, LBA low, mid and high: what the high-order bytes of 48-bit commands are taken from. */
  previous: number[];
  /** The drive requests an interrupt (whether it reaches the processor depends on nIEN and on the selection). */
  intrq: boolean;
  phase: string;
  /** The command that is executing or was executed last. */
  command: number;
  /** Error register value with which a command in phase `finish` will end. */
  outcome: number;
  buffer: Uint8Array;
  /** Next byte of `buffer` to move. */
  position: number;
  /** End of the valid part of `buffer`. */
  limit: number;
  /** Transfer mode of SET FEATURES: multiword DMA mode, or -1. */
  multiwordDma: number;
  /** Ultra DMA mode, or -1. */
  ultraDma: number;
  /** SLEEP was executed: only a reset wakes the drive. */
  asleep: boolean;
  /** STANDBY was executed: CHECK POWER MODE says so until the medium is accessed. */
  standby: boolean;
};

/** What a drive needs from its channel. */
export interface DriveHost {
  /** 0 for the master, 1 for the slave. */
  readonly position: 0 | 1;
  /** Arranges for {@link IdeDrive.due} in `delay` ns, replacing an earlier arrangement. */
  schedule(delay: number): void;
  /** Forgets the arrangement. */
  cancel(): void;
  /** `intrq` changed. */
  interruptChanged(): void;
  /** DMARQ is asserted: move the data if the bus master is ready. */
  dmaRequested(): void;
}

/** Time in ns from a command to its first data or its end: a medium with everything in its cache. */
export const ACCESS_TIME = 20_000;
/** Time in ns between two blocks of one command. */
export const BLOCK_TIME = 4_000;
/** Time in ns for one byte on the bus by DMA (100 MB/s). */
export const BYTE_TIME = 10;
/** Time in ns from the end of a reset to the drive being ready. */
const RESET_TIME = 50_000;

/** A drive on an IDE channel. */
export abstract class IdeDrive<S extends DriveState = DriveState> {
  constructor(protected readonly host: DriveHost, readonly state: S) {}

  /** Puts a value that only this kind of drive leaves after a reset into the registers: its signature. */
  protected abstract signature(): void;
  /** Executes a command of this kind of drive; `false` if it is not one. */
  protected abstract execute(command: number): boolean;
  /** The medium is ready: phase `fetch`, `store` or `dma-seek`. */
  protected abstract mediumReady(): void;
  /** The host has read or written the whole block. */
  protected abstract blockDone(): void;
  /** Back to the state after power-on or, with `soft`, after a software reset, apart from the registers. */
  protected abstract resetSettings(soft: boolean): void;
  /** True if the data of the command in phase `dma` flows from the drive to memory. */
  abstract readonly dmaToMemory: boolean;
  /** The part of the buffer that the bus master reads or fills next; `null` if the command has come to its end. */
  abstract dmaChunk(): Uint8Array | null;
  /** The bus master moved `length` bytes of the chunk. */
  abstract dmaAdvance(length: number): void;
  /** Status bits of a drive that waits for a command. */
  protected readonly readyStatus: number = Status.DRDY | Status.DSC;

  /** Power-on or hardware reset. The drive is ready at once, as after a power-on test that ended before the firmware looks. */
  reset(): void {
    this.host.cancel();
    const state = this.state;
    state.features = 0;
    state.previous = [0, 0, 0, 0, 0];
    state.buffer.fill(0);
    state.command = 0;
    state.outcome = 0;
    state.multiwordDma = -1;
    state.ultraDma = -1;
    state.asleep = false;
    state.standby = false;
    this.resetSettings(false);
    this.endReset();
  }

  /** SRST was set: the drive is busy until {@link endSoftReset}. */
  beginSoftReset(): void {
    const state = this.state;
    this.host.cancel();
    state.command = 0;
    state.status = Status.BSY;
    state.phase = "reset";
    state.asleep = false;
    this.setInterrupt(false);
  }

  /** SRST was cleared. */
  endSoftReset(): void {
    this.resetSettings(true);
    this.host.schedule(RESET_TIME);
  }

  /** Leaves the reset with the diagnostic result "passed" and the signature. */
  protected endReset(): void {
    const state = this.state;
    state.phase = "idle";
    state.position = state.limit = 0;
    state.error = 1;
    state.count = 1;
    state.lbaLow = 1;
    state.device = 0;
    this.signature();
    state.status = this.statusAfterReset();
    this.setInterrupt(false);
  }

  protected statusAfterReset(): number {
    return this.readyStatus;
  }

  /** A scheduled moment has come. */
  due(): void {
    const state = this.state;
    switch (state.phase) {
      case "reset":
        this.endReset();
        // Drive 0 reports the end of the diagnostic for both.
        if (state.command === Command.EXECUTE_DEVICE_DIAGNOSTIC && this.host.position === 0) this.setInterrupt(true);
        return;
      case "finish":
        this.complete(state.outcome);
        return;
      case "dma":
        this.host.dmaRequested();
        return;
      case "fetch":
      case "store":
      case "dma-seek":
        this.mediumReady();
    }
  }

  /** Host reads a command block register other than data; `high` selects the previous contents (HOB). */
  readRegister(register: number, high: boolean): number {
    const state = this.state;
    switch (register) {
      case Register.ERROR:
        return state.error;
      case Register.COUNT:
        return high ? state.previous[1] : state.count;
      case Register.LBA_LOW:
        return high ? state.previous[2] : state.lbaLow;
      case Register.LBA_MID:
        return high ? state.previous[3] : state.lbaMid;
      case Register.LBA_HIGH:
        return high ? state.previous[4] : state.lbaHigh;
      case Register.DEVICE:
        return state.device | 0xa0;
      default:
        return state.status;
    }
  }

  /** Host writes a command block register other than data and command. Busy drives do not listen. */
  writeRegister(register: number, value: number): void {
    const state = this.state;
    if (state.status & (Status.BSY | Status.DRQ)) return;
    switch (register) {
      case Register.ERROR:
        state.previous[0] = state.features;
        state.features = value;
        break;
      case Register.COUNT:
        state.previous[1] = state.count;
        state.count = value;
        break;
      case Register.LBA_LOW:
        state.previous[2] = state.lbaLow;
        state.lbaLow = value;
        break;
      case Register.LBA_MID:
        state.previous[3] = state.lbaMid;
        state.lbaMid = value;
        break;
      case Register.LBA_HIGH:
        state.previous[4] = state.lbaHigh;
        state.lbaHigh = value;
        break;
      case Register.DEVICE:
        state.device = value;
        break;
    }
  }

  /** Reading the status register withdraws the interrupt request. */
  acknowledge(): void {
    if (this.state.intrq) this.setInterrupt(false);
  }

  /** Host writes the command register. A busy drive ignores it; a transfer in progress is given up. */
  startCommand(command: number): void {
    const state = this.state;
    this.setInterrupt(false);
    if (state.asleep || (state.status & Status.BSY) !== 0) return;
    this.host.cancel();
    state.command = command;
    state.error = 0;
    state.status = this.readyStatus;
    state.position = state.limit = 0;
    state.phase = "idle";
    if (command === Command.EXECUTE_DEVICE_DIAGNOSTIC) {
      state.phase = "reset";
      state.status = Status.BSY;
      this.host.schedule(RESET_TIME);
    } else if (!this.execute(command)) this.complete(Err.ABRT);
  }

  /** Host reads the data port. */
  readData(size: number): number {
    const state = this.state;
    if (state.phase !== "in") return 0;
    const buffer = state.buffer, position = state.position, end = position + size;
    let value = 0;
    if (end <= state.limit) {
      if (size === 2) value = buffer[position] | buffer[position + 1] << 8;
      else if (size === 1) value = buffer[position];
      else {
        value =
          (buffer[position] | buffer[position + 1] << 8 | buffer[position + 2] << 16 | buffer[position + 3] << 24) >>>
          0;
      }
      state.position = end;
      if (end === state.limit) this.blockDone();
      return value;
    }
    // The access is wider than what is left of the block.
    for (let i = 0; position + i < state.limit; i++) value |= buffer[position + i] << 8 * i;
    state.position = state.limit;
    this.blockDone();
    return value >>> 0;
  }

  /** Host writes the data port. */
  writeData(value: number, size: number): void {
    const state = this.state;
    if (state.phase !== "out") return;
    const buffer = state.buffer, end = Math.min(state.position + size, state.limit);
    for (let i = state.position; i < end; i++, value >>>= 8) buffer[i] = value & 0xff;
    state.position = end;
    if (end === state.limit) this.blockDone();
  }

  /** Drives INTRQ. */
  protected setInterrupt(level: boolean): void {
    if (this.state.intrq === level) return;
    this.state.intrq = level;
    this.host.interruptChanged();
  }

  /** Ends the command now with the given error register value (0: success) and requests an interrupt. */
  protected complete(error: number): void {
    const state = this.state;
    state.phase = "idle";
    state.error = error;
    state.status = this.readyStatus | (error !== 0 ? Status.ERR : 0);
    this.setInterrupt(true);
  }

  /** Ends the command after `delay` ns. */
  protected completeLater(error: number, delay: number = ACCESS_TIME): void {
    this.state.outcome = error;
    this.wait("finish", delay);
  }

  /** Busy until the medium or the mechanics are ready in `delay` ns. */
  protected wait(phase: Phase, delay: number): void {
    this.state.phase = phase;
    this.state.status = this.readyStatus & Status.DSC | Status.BSY;
    this.host.schedule(delay);
  }

  /** Offers `length` bytes of the buffer, from byte `start`, to the host and requests an interrupt. */
  protected offerBlock(length: number, start = 0): void {
    this.#openDataPort("in", start, length, true);
  }

  /** Asks the host for `length` bytes. */
  protected requestBlock(length: number, interrupt: boolean): void {
    this.#openDataPort("out", 0, length, interrupt);
  }

  #openDataPort(phase: Phase, start: number, length: number, interrupt: boolean): void {
    const state = this.state;
    state.phase = phase;
    state.position = start;
    state.limit = start + length;
    state.status = this.readyStatus | Status.DRQ;
    if (interrupt) this.setInterrupt(true);
  }

  /** Asserts DMARQ. */
  protected requestDma(): void {
    this.state.phase = "dma";
    this.state.status = this.readyStatus | Status.DRQ;
    this.host.dmaRequested();
  }

  /** The bus master was started while DMARQ is asserted: the data moves a little later. */
  dmaStarted(): void {
    if (this.state.phase === "dma") this.host.schedule(BLOCK_TIME);
  }

  /** SET FEATURES, the subcommands that every drive has; `false` if it is another one. */
  protected setTransferFeature(): boolean {
    const state = this.state;
    if (state.features !== Feature.SET_TRANSFER_MODE) return false;
    const kind = state.count >> 3, mode = state.count & 7;
    if (kind === 4 && mode <= 2) {
      state.multiwordDma = mode;
      state.ultraDma = -1;
    } else if (kind === 8 && mode <= 5) {
      state.ultraDma = mode;
      state.multiwordDma = -1;
    } else if (kind > 1 || mode > 4) return false;
    return true;
  }
}

/** A drive's state after construction, before its first reset. */
export function newDriveState(bufferSize: number): DriveState {
  return {
    status: 0,
    error: 0,
    features: 0,
    count: 0,
    lbaLow: 0,
    lbaMid: 0,
    lbaHigh: 0,
    device: 0,
    previous: [0, 0, 0, 0, 0],
    intrq: false,
    phase: "idle",
    command: 0,
    outcome: 0,
    buffer: new Uint8Array(bufferSize),
    position: 0,
    limit: 0,
    multiwordDma: -1,
    ultraDma: -1,
    asleep: false,
    standby: false,
  };
}

/** Writes `text` into IDENTIFY words from `word`, padded with blanks to `words` words, two characters to a word, high byte first. */
export function identifyText(target: DataView, word: number, words: number, text: string): void {
  const padded = text.slice(0, words * 2).padEnd(words * 2, " ");
  for (let i = 0; i < words; i++) {
    target.setUint16((word + i) * 2, padded.charCodeAt(2 * i) << 8 | padded.charCodeAt(2 * i + 1) & 0xff, true);
  }
}

/** Word 63 and word 88 of IDENTIFY: the supported DMA modes and the one in use. */
export function identifyDmaModes(view: DataView, state: DriveState): void {
  const selected = (mode: number) => mode < 0 ? 0 : 0x100 << mode;
  view.setUint16(63 * 2, 0x0007 | selected(state.multiwordDma), true);
  view.setUint16(88 * 2, 0x003f | selected(state.ultraDma), true);
}

/** Word 93 of IDENTIFY: an 80-conductor cable, and which of the two drives found itself to be alright after reset. */
export function identifyResetResult(view: DataView, position: 0 | 1): void {
  view.setUint16(93 * 2, 0x6001 | (position === 1 ? 0x0a00 : 0x000a), true);
}

/** Word 255 of IDENTIFY: signature A5h and the checksum that makes all 512 bytes add up to 0. */
export function identifyChecksum(data: Uint8Array): void {
  data[510] = 0xa5;
  let sum = 0;
  for (let i = 0; i < 511; i++) sum += data[i];
  data[511] = -sum & 0xff;
}
