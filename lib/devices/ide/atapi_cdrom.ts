/** ATAPI CD-ROM and DVD-ROM drive. Sources: ATA/ATAPI-7 (T13 1532D), section 9.8 (PACKET); MMC-3 (T10 1363-D). */
import { type BlockBackend, BlockError } from "../../machine/types.ts";
import {
  capacityData,
  configurationData,
  discInformation,
  type DriveView,
  eventData,
  inquiryData,
  mechanismData,
  MediaEvent,
  modeSenseData,
  Packet,
  Sense,
  senseData,
  tocData,
} from "./atapi_packets.ts";
import {
  ACCESS_TIME,
  BLOCK_TIME,
  BYTE_TIME,
  type DriveHost,
  type DriveState,
  IdeDrive,
  identifyChecksum,
  identifyDmaModes,
  identifyResetResult,
  identifyText,
  newDriveState,
} from "./drive.ts";
import { Command, Err, Reason } from "./registers.ts";

const SECTOR = 2048;
const BUFFER_SECTORS = 16;
const PACKET_LENGTH = 12;

/** State of an {@link AtapiCdrom}. */
export type CdromState = DriveState & {
  /** The packet that is being executed. */
  packet: number[];
  /** The packet's data moves by DMA. */
  byDma: boolean;
  /** Most bytes that the host takes in one block. */
  byteLimit: number;
  /** End of what the buffer holds for the host. */
  filled: number;
  /** Next sector to read, and how many are left. */
  lba: number;
  left: number;
  /** Sense key, additional sense code and qualifier of the last command. */
  sense: number[];
  /** The medium was changed and the host has not been told. */
  unitAttention: boolean;
  trayOpen: boolean;
  /** PREVENT MEDIUM REMOVAL is in force. */
  locked: boolean;
  /** Media event that GET EVENT STATUS NOTIFICATION will report. */
  mediaEvent: number;
};

/** Packets that are executed although a UNIT ATTENTION is pending. */
const IGNORES_ATTENTION: ReadonlySet<number> = new Set([
  Packet.REQUEST_SENSE,
  Packet.INQUIRY,
  Packet.GET_CONFIGURATION,
  Packet.GET_EVENT_STATUS_NOTIFICATION,
]);

/** Packets that need a medium. */
const NEEDS_MEDIUM: ReadonlySet<number> = new Set([
  Packet.TEST_UNIT_READY,
  Packet.READ_CAPACITY,
  Packet.READ_10,
  Packet.READ_12,
  Packet.READ_CD,
  Packet.SEEK_10,
  Packet.READ_TOC,
  Packet.READ_DISC_INFORMATION,
]);

/** No packet has been executed. */
function newPacketState(): Pick<CdromState, "packet" | "byDma" | "byteLimit" | "filled" | "lba" | "left" | "sense"> {
  return {
    packet: new Array(PACKET_LENGTH).fill(0),
    byDma: false,
    byteLimit: 0,
    filled: 0,
    lba: 0,
    left: 0,
    sense: [0, 0, 0],
  };
}

/** An ATAPI drive that reads ISO images: media of 2048-byte sectors. */
export class AtapiCdrom extends IdeDrive<CdromState> {
  #medium: BlockBackend | null;

  constructor(host: DriveHost, medium: BlockBackend | null) {
    super(host, {
      ...newDriveState(BUFFER_SECTORS * SECTOR),
      ...newPacketState(),
      unitAttention: false,
      trayOpen: false,
      locked: false,
      mediaEvent: MediaEvent.NO_CHANGE,
    });
    this.#medium = medium;
    this.reset();
  }

  /** The medium in the drive or on its open tray. */
  get medium(): BlockBackend | null {
    return this.#medium;
  }

  /** True if there is a medium and the tray is closed. */
  get present(): boolean {
    return this.#medium !== null && !this.state.trayOpen;
  }

  /** Puts a medium in (in place of the one that is there) and closes the tray; the guest is told of the change. */
  insert(medium: BlockBackend): void {
    this.#medium = medium;
    this.state.trayOpen = false;
    this.#mediumArrived();
  }

  /**
   * Takes the medium out, as with the drive's button. If the guest prevents that, it is asked to eject instead and
   * nothing changes, unless `force` is given (the pin hole).
   *
   * @returns whether the drive is empty now.
   */
  eject(force = false): boolean {
    const state = this.state;
    if (state.locked && !force) {
      state.mediaEvent = MediaEvent.EJECT_REQUEST;
      return false;
    }
    if (this.#medium !== null) state.mediaEvent = MediaEvent.MEDIA_REMOVAL;
    this.#medium = null;
    state.unitAttention = false;
    state.locked = false;
    return true;
  }

  #mediumArrived(): void {
    this.state.unitAttention = true;
    this.state.mediaEvent = MediaEvent.NEW_MEDIA;
  }

  get #view(): DriveView {
    const { trayOpen, locked } = this.state;
    const medium = this.present ? this.#medium : null;
    return { present: this.present, trayOpen, locked, sectors: Math.floor((medium?.size ?? 0) / SECTOR) };
  }

  protected override signature(): void {
    this.state.lbaMid = 0x14;
    this.state.lbaHigh = 0xeb;
  }

  /** A packet device does not report readiness before its first command. */
  protected override statusAfterReset(): number {
    return 0;
  }

  protected override resetSettings(soft: boolean): void {
    if (soft) return;
    Object.assign(this.state, newPacketState(), { locked: false });
  }

  get dmaToMemory(): boolean {
    return true;
  }

  override startCommand(command: number): void {
    if (command === Command.DEVICE_RESET) {
      // The one command that a busy drive obeys.
      this.host.cancel();
      this.state.asleep = false;
      this.endReset();
    } else super.startCommand(command);
  }

  protected override execute(command: number): boolean {
    switch (command) {
      case Command.PACKET:
        return this.#requestPacket();
      case Command.IDENTIFY_PACKET_DEVICE:
        this.#identify();
        this.wait("fetch", ACCESS_TIME);
        return true;
      case Command.SET_FEATURES:
        if (!this.setTransferFeature()) return false;
        this.completeLater(0);
        return true;
      case Command.CHECK_POWER_MODE:
        this.state.count = 0xff;
        this.completeLater(0);
        return true;
      case Command.IDLE_IMMEDIATE:
      case Command.STANDBY_IMMEDIATE:
      case Command.FLUSH_CACHE:
        this.completeLater(0);
        return true;
      case Command.SLEEP:
        this.complete(0);
        this.state.asleep = true;
        return true;
      case Command.IDENTIFY_DEVICE:
      case Command.READ_SECTORS:
        this.signature();
        return false;
      default:
        return false;
    }
  }

  #requestPacket(): boolean {
    const state = this.state;
    const OVERLAPPED = 0x02, DMA = 0x01;
    if (state.features & OVERLAPPED) return false;
    state.byDma = (state.features & DMA) !== 0;
    // 0 and FFFFh stand for the largest even count; a block that is not the last has an even length.
    const limit = state.lbaHigh << 8 | state.lbaMid;
    state.byteLimit = limit === 0 ? 0xfffe : Math.max(2, limit & ~1);
    state.filled = state.left = 0;
    state.count = Reason.CD;
    this.requestBlock(PACKET_LENGTH, false);
    return true;
  }

  protected override complete(error: number): void {
    if (this.state.command === Command.PACKET) this.state.count = Reason.IO | Reason.CD;
    super.complete(error);
  }

  protected override blockDone(): void {
    const state = this.state;
    if (state.phase === "out") {
      state.packet = Array.from(state.buffer.subarray(0, PACKET_LENGTH));
      state.position = state.limit = 0;
      this.#execute(state.packet);
    } else if (state.command === Command.IDENTIFY_PACKET_DEVICE) {
      state.phase = "idle";
      state.status = this.readyStatus;
    } else if (state.position < state.filled || state.left > 0) this.wait("fetch", BLOCK_TIME);
    else this.completeLater(0, BLOCK_TIME);
  }

  protected override mediumReady(): void {
    const state = this.state;
    if (state.phase === "dma-seek") {
      state.count = Reason.IO;
      this.requestDma();
      return;
    }
    if (state.command === Command.IDENTIFY_PACKET_DEVICE) {
      this.offerBlock(512);
      return;
    }
    if (!this.#refill()) return;
    const length = Math.min(state.byteLimit, state.filled - state.position);
    state.count = Reason.IO;
    state.lbaMid = length & 0xff;
    state.lbaHigh = length >> 8;
    this.offerBlock(length, state.position);
  }

  /** Reads more sectors if the buffer is used up; `false` if that ended the command with an error. */
  #refill(): boolean {
    const state = this.state;
    if (state.position < state.filled) return true;
    const sectors = Math.min(state.left, BUFFER_SECTORS);
    state.position = 0;
    state.filled = sectors * SECTOR;
    if (!this.#readSectors(state.lba, state.buffer.subarray(0, state.filled))) return false;
    state.lba += sectors;
    state.left -= sectors;
    return true;
  }

  #readSectors(lba: number, target: Uint8Array): boolean {
    // The medium may have been taken out in the middle of the command, or exchanged for a smaller one.
    if (this.#medium === null || !this.present) return this.#notReady();
    try {
      this.#medium.read(lba * SECTOR, target);
      return true;
    } catch (error) {
      if (!(error instanceof BlockError)) throw error;
      this.#check(Sense.UNRECOVERED_READ_ERROR, true);
      return false;
    }
  }

  override dmaChunk(): Uint8Array | null {
    const state = this.state;
    if (state.phase !== "dma") return null;
    if (state.position === state.filled && state.left === 0) {
      this.complete(0);
      return null;
    }
    if (!this.#refill()) return null;
    return state.buffer.subarray(state.position, state.filled);
  }

  override dmaAdvance(length: number): void {
    this.state.position += length;
  }

  #notReady(): false {
    this.#check(this.state.trayOpen ? Sense.MEDIUM_NOT_PRESENT_TRAY_OPEN : Sense.MEDIUM_NOT_PRESENT, true);
    return false;
  }

  /** Ends the packet with CHECK CONDITION, a little later or `now`. */
  #check(sense: Sense, now = false): void {
    const ILLEGAL_REQUEST = 5;
    this.state.sense = [...sense];
    const error = sense[0] << 4 | (sense[0] === ILLEGAL_REQUEST ? Err.ABRT : 0);
    if (now) this.complete(error);
    else this.completeLater(error);
  }

  /** Answers with `data`, cut to the allocation length. */
  #answer(data: readonly number[], allocation: number): void {
    const state = this.state, length = Math.min(data.length, allocation);
    state.buffer.set(data.slice(0, length));
    state.filled = length;
    this.#sendLater(length);
  }

  /** Sends `bytes` bytes by PIO or DMA once the latency has passed. */
  #sendLater(bytes: number): void {
    if (bytes === 0) this.completeLater(0);
    else if (this.state.byDma) this.wait("dma-seek", ACCESS_TIME + bytes * BYTE_TIME);
    else this.wait("fetch", ACCESS_TIME);
  }

  #execute(packet: readonly number[]): void {
    const state = this.state, code = packet[0];
    if (state.unitAttention && !IGNORES_ATTENTION.has(code)) {
      state.unitAttention = false;
      return this.#check(Sense.MEDIUM_MAY_HAVE_CHANGED);
    }
    if (code !== Packet.REQUEST_SENSE) state.sense = [...Sense.NONE];
    const view = this.#view;
    if (NEEDS_MEDIUM.has(code) && !view.present) {
      return this.#check(state.trayOpen ? Sense.MEDIUM_NOT_PRESENT_TRAY_OPEN : Sense.MEDIUM_NOT_PRESENT);
    }
    const long = packet[7] << 8 | packet[8];
    switch (code) {
      case Packet.TEST_UNIT_READY:
      case Packet.SET_CD_SPEED:
        return this.completeLater(0);
      case Packet.REQUEST_SENSE:
        return this.#requestSense(packet[4]);
      case Packet.INQUIRY:
        // No vital product data.
        return packet[1] & 1 ? this.#check(Sense.INVALID_FIELD_IN_PACKET) : this.#answer(inquiryData(), packet[4]);
      case Packet.MODE_SENSE_6:
        return this.#modeSense(packet[2], false, packet[4]);
      case Packet.MODE_SENSE_10:
        return this.#modeSense(packet[2], true, long);
      case Packet.START_STOP_UNIT:
        return this.#startStop(packet[4]);
      case Packet.PREVENT_ALLOW_MEDIUM_REMOVAL:
        state.locked = (packet[4] & 1) !== 0;
        return this.completeLater(0);
      case Packet.READ_CAPACITY:
        return this.#answer(capacityData(view), 8);
      case Packet.READ_10:
        return this.#read(packet, long);
      case Packet.READ_12:
        return this.#read(packet, packet[6] * 2 ** 24 + (packet[7] << 16 | packet[8] << 8 | packet[9]));
      case Packet.READ_CD:
        return this.#readCd(packet);
      case Packet.SEEK_10:
        return lbaOf(packet) < view.sectors ? this.completeLater(0) : this.#check(Sense.LBA_OUT_OF_RANGE);
      case Packet.READ_TOC:
        return this.#readToc(packet, view, long);
      case Packet.GET_CONFIGURATION:
        return this.#answer(configurationData(view, packet[1] & 3, packet[2] << 8 | packet[3]), long);
      case Packet.GET_EVENT_STATUS_NOTIFICATION:
        return this.#eventStatus(packet, view, long);
      case Packet.READ_DISC_INFORMATION:
        return this.#answer(discInformation(), long);
      case Packet.MECHANISM_STATUS:
        return this.#answer(mechanismData(view), packet[8] << 8 | packet[9]);
      default:
        return this.#check(Sense.INVALID_OPERATION_CODE);
    }
  }

  #requestSense(allocation: number): void {
    const state = this.state;
    if (state.unitAttention) {
      state.unitAttention = false;
      state.sense = [...Sense.MEDIUM_MAY_HAVE_CHANGED];
    }
    const [key, asc, ascq] = state.sense;
    state.sense = [...Sense.NONE];
    this.#answer(senseData([key, asc, ascq]), allocation);
  }

  #modeSense(page: number, long: boolean, allocation: number): void {
    const SAVED = 3, control = page >> 6;
    if (control === SAVED) return this.#check(Sense.SAVING_NOT_SUPPORTED);
    const data = modeSenseData(this.#view, page & 0x3f, control, long);
    if (data === null) this.#check(Sense.INVALID_FIELD_IN_PACKET);
    else this.#answer(data, allocation);
  }

  #startStop(operation: number): void {
    const state = this.state, LOAD_EJECT = 2, START = 1;
    if (operation & LOAD_EJECT) {
      const open = (operation & START) === 0;
      if (open && state.locked) return this.#check(Sense.REMOVAL_PREVENTED);
      if (open !== state.trayOpen) {
        state.trayOpen = open;
        if (!open && this.#medium !== null) this.#mediumArrived();
        else if (open && this.#medium !== null) state.mediaEvent = MediaEvent.MEDIA_REMOVAL;
      }
    }
    this.completeLater(0);
  }

  #read(packet: readonly number[], count: number): void {
    const lba = lbaOf(packet);
    if (lba + count > this.#view.sectors) return this.#check(Sense.LBA_OUT_OF_RANGE);
    this.state.lba = lba;
    this.state.left = count;
    this.#sendLater(count * SECTOR);
  }

  /** READ CD: an image of 2048-byte sectors has user data only, no sync, headers or error correction. */
  #readCd(packet: readonly number[]): void {
    const USER_DATA = 0x10, NOTHING = 0x00;
    const type = packet[1] >> 2 & 7, wanted = packet[9] & 0xfe, MODE_1 = 2;
    const subchannels = packet[10] & 7;
    if (subchannels !== 0 || (type !== 0 && type !== MODE_1)) return this.#check(Sense.ILLEGAL_MODE_FOR_TRACK);
    if (wanted === USER_DATA) this.#read(packet, packet[6] << 16 | packet[7] << 8 | packet[8]);
    else if (wanted === NOTHING) this.completeLater(0);
    else this.#check(Sense.ILLEGAL_MODE_FOR_TRACK);
  }

  #readToc(packet: readonly number[], view: DriveView, allocation: number): void {
    // SFF-8020 has the format in the last byte.
    const format = packet[2] & 15 || packet[9] >> 6;
    const data = tocData(view, format, packet[6], (packet[1] & 2) !== 0);
    if (data === null) this.#check(Sense.INVALID_FIELD_IN_PACKET);
    else this.#answer(data, allocation);
  }

  #eventStatus(packet: readonly number[], view: DriveView, allocation: number): void {
    const POLLED = 1, MEDIA_CLASS = 0x10;
    if ((packet[1] & POLLED) === 0) return this.#check(Sense.INVALID_FIELD_IN_PACKET);
    const data = eventData(view, packet[4], this.state.mediaEvent);
    if (packet[4] & MEDIA_CLASS && allocation > 4) this.state.mediaEvent = MediaEvent.NO_CHANGE;
    this.#answer(data, allocation);
  }

  /** Puts the 256 words of IDENTIFY PACKET DEVICE into the buffer. */
  #identify(): void {
    const data = this.state.buffer.subarray(0, 512), view = new DataView(data.buffer, data.byteOffset, 512);
    data.fill(0);
    const word = (index: number, value: number) => view.setUint16(index * 2, value, true);
    word(0, 0x85c0); // packet device, CD-ROM, removable, DRQ within 50 µs, 12-byte packets
    identifyText(view, 10, 10, "BWCD");
    identifyText(view, 23, 4, "1.0");
    identifyText(view, 27, 20, "Bootwright CD-ROM");
    word(49, 0x0f00); // DMA, LBA, IORDY
    word(50, 0x4000);
    word(51, 0x0200);
    word(53, 0x0006); // words 64–70 and 88 are valid
    word(64, 0x0003); // PIO modes 3 and 4
    for (let i = 65; i <= 68; i++) word(i, 120); // cycle times in ns
    word(80, 0x007e); // ATA-1 to ATA/ATAPI-6
    word(82, 0x0210); // DEVICE RESET, PACKET
    word(83, 0x4000);
    word(84, 0x4000);
    word(85, 0x0210);
    word(87, 0x4000);
    identifyDmaModes(view, this.state);
    identifyResetResult(view, this.host.position);
    identifyChecksum(data);
  }
}

/** The logical block address of the packets that have one. */
function lbaOf(packet: readonly number[]): number {
  return packet[2] * 2 ** 24 + (packet[3] << 16 | packet[4] << 8 | packet[5]);
}
