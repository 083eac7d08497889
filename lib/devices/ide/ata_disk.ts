/** ATA disk with the general feature set, 48-bit addresses and DMA. Source: ATA/ATAPI-7 (T13 1532D), volume 1. */
import { type BlockBackend, BlockError } from "../../machine/types.ts";
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
import { Command, Device, Err, Feature } from "./registers.ts";

const SECTOR = 512;
/** Most sectors in one block of READ MULTIPLE, and what the buffer holds. */
const MAX_MULTIPLE = 16;
const LBA28_LIMIT = 0x0fff_ffff;

/** Commands with 48-bit addresses and 16-bit counts. */
const EXTENDED: ReadonlySet<number> = new Set([
  Command.READ_SECTORS_EXT,
  Command.READ_DMA_EXT,
  Command.READ_NATIVE_MAX_ADDRESS_EXT,
  Command.READ_MULTIPLE_EXT,
  Command.WRITE_SECTORS_EXT,
  Command.WRITE_DMA_EXT,
  Command.SET_MAX_ADDRESS_EXT,
  Command.WRITE_MULTIPLE_EXT,
  Command.WRITE_DMA_FUA_EXT,
  Command.READ_VERIFY_SECTORS_EXT,
]);

/** State of an {@link AtaDisk}. */
export type DiskState = DriveState & {
  /** Next sector to transfer. */
  lba: number;
  /** Sectors of the command that are left. */
  left: number;
  /** Sectors in one block of the command. */
  perBlock: number;
  /** Translation set by INITIALIZE DEVICE PARAMETERS. */
  heads: number;
  sectors: number;
  /** Block size set by SET MULTIPLE MODE; 0 = READ MULTIPLE is disabled. */
  multiple: number;
  /** Sectors that the host may address: less than there are after SET MAX ADDRESS. */
  accessible: number;
  writeCache: boolean;
  lookAhead: boolean;
  /** The reset after SRST puts the defaults back, too. */
  revertToDefaults: boolean;
};

/** The geometry that a disk of `sectors` sectors reports: 16 heads, 63 sectors a track, at most 16383 cylinders. */
export function defaultGeometry(sectors: number): { cylinders: number; heads: number; sectors: number } {
  return { cylinders: Math.max(1, Math.min(16383, Math.floor(sectors / (16 * 63)))), heads: 16, sectors: 63 };
}

/** An ATA disk on a {@link BlockBackend} whose size is a multiple of 512 bytes. */
export class AtaDisk extends IdeDrive<DiskState> {
  readonly #medium: BlockBackend;
  readonly #serial: string;
  readonly #total: number;

  constructor(host: DriveHost, medium: BlockBackend, serial: string) {
    const total = Math.floor(medium.size / SECTOR);
    const { heads, sectors } = defaultGeometry(total);
    super(host, {
      ...newDriveState(MAX_MULTIPLE * SECTOR),
      lba: 0,
      left: 0,
      perBlock: 1,
      heads,
      sectors,
      multiple: 0,
      accessible: total,
      writeCache: true,
      lookAhead: true,
      revertToDefaults: false,
    });
    this.#medium = medium;
    this.#serial = serial;
    this.#total = total;
    this.reset();
  }

  protected override signature(): void {
    this.state.lbaMid = this.state.lbaHigh = 0;
  }

  protected override resetSettings(soft: boolean): void {
    const state = this.state;
    if (soft && !state.revertToDefaults) return;
    const { heads, sectors } = defaultGeometry(this.#total);
    Object.assign(state, { heads, sectors, multiple: 0, writeCache: true, lookAhead: true });
    if (!soft) Object.assign(state, { accessible: this.#total, revertToDefaults: false, lba: 0, left: 0, perBlock: 1 });
  }

  get dmaToMemory(): boolean {
    const { command } = this.state;
    return command === Command.READ_DMA || command === Command.READ_DMA_NO_RETRY || command === Command.READ_DMA_EXT;
  }

  protected override execute(command: number): boolean {
    switch (command) {
      case Command.READ_SECTORS:
      case Command.READ_SECTORS_NO_RETRY:
      case Command.READ_SECTORS_EXT:
        return this.#read(1);
      case Command.READ_MULTIPLE:
      case Command.READ_MULTIPLE_EXT:
        return this.state.multiple !== 0 && this.#read(this.state.multiple);
      case Command.WRITE_SECTORS:
      case Command.WRITE_SECTORS_NO_RETRY:
      case Command.WRITE_SECTORS_EXT:
        return this.#write(1);
      case Command.WRITE_MULTIPLE:
      case Command.WRITE_MULTIPLE_EXT:
        return this.state.multiple !== 0 && this.#write(this.state.multiple);
      case Command.READ_DMA:
      case Command.READ_DMA_NO_RETRY:
      case Command.READ_DMA_EXT:
      case Command.WRITE_DMA:
      case Command.WRITE_DMA_NO_RETRY:
      case Command.WRITE_DMA_EXT:
      case Command.WRITE_DMA_FUA_EXT:
        if (this.#begin(MAX_MULTIPLE)) this.wait("dma-seek", ACCESS_TIME + this.state.left * SECTOR * BYTE_TIME);
        return true;
      case Command.READ_VERIFY_SECTORS:
      case Command.READ_VERIFY_SECTORS_NO_RETRY:
      case Command.READ_VERIFY_SECTORS_EXT:
        return this.#verify();
      case Command.IDENTIFY_DEVICE:
        this.#identify();
        this.wait("fetch", ACCESS_TIME);
        return true;
      case Command.READ_BUFFER:
        this.wait("fetch", ACCESS_TIME);
        return true;
      case Command.WRITE_BUFFER:
        this.requestBlock(SECTOR, false);
        return true;
      case Command.FLUSH_CACHE:
      case Command.FLUSH_CACHE_EXT:
        this.completeLater(this.#flush() ? 0 : Err.ABRT);
        return true;
      case Command.INITIALIZE_DEVICE_PARAMETERS:
        return this.#setTranslation();
      case Command.SET_MULTIPLE_MODE:
        return this.#setMultiple();
      case Command.SET_FEATURES:
        return this.#setFeatures();
      case Command.READ_NATIVE_MAX_ADDRESS:
        this.#setAddress(Math.min(this.#total - 1, LBA28_LIMIT));
        return this.#done();
      case Command.READ_NATIVE_MAX_ADDRESS_EXT:
        this.#setAddress(this.#total - 1);
        return this.#done();
      case Command.SET_MAX_ADDRESS:
      case Command.SET_MAX_ADDRESS_EXT:
        return this.#setMax();
      default:
        return this.#power(command) || (command & 0xf0) === Command.RECALIBRATE && this.#recalibrate() ||
          (command & 0xf0) === Command.SEEK && this.#seek();
    }
  }

  /** The power management commands, under their present and their ATA-1 codes. */
  #power(command: number): boolean {
    const state = this.state;
    switch (command) {
      case Command.STANDBY:
      case Command.STANDBY_OLD:
      case Command.STANDBY_IMMEDIATE:
      case Command.STANDBY_IMMEDIATE_OLD:
        state.standby = true;
        return this.#done();
      case Command.IDLE:
      case Command.IDLE_OLD:
      case Command.IDLE_IMMEDIATE:
      case Command.IDLE_IMMEDIATE_OLD:
        state.standby = false;
        return this.#done();
      case Command.CHECK_POWER_MODE:
      case Command.CHECK_POWER_MODE_OLD:
        state.count = state.standby ? 0x00 : 0xff;
        return this.#done();
      case Command.SLEEP:
      case Command.SLEEP_OLD:
        this.complete(0);
        state.asleep = true;
        return true;
      default:
        return false;
    }
  }

  #done(): boolean {
    this.completeLater(0);
    return true;
  }

  get #extended(): boolean {
    return EXTENDED.has(this.state.command);
  }

  /** The sector that the registers address, or -1 if the translation has no such sector. */
  #address(): number {
    const state = this.state;
    if (this.#extended) {
      const [, , low, mid, high] = state.previous;
      return state.lbaLow + state.lbaMid * 2 ** 8 + state.lbaHigh * 2 ** 16 + low * 2 ** 24 + mid * 2 ** 32 +
        high * 2 ** 40;
    }
    if (state.device & Device.LBA) {
      return (state.device & 15) << 24 | state.lbaHigh << 16 | state.lbaMid << 8 | state.lbaLow;
    }
    const cylinder = state.lbaHigh << 8 | state.lbaMid, head = state.device & 15;
    if (state.lbaLow === 0 || state.lbaLow > state.sectors || head >= state.heads) return -1;
    return (cylinder * state.heads + head) * state.sectors + state.lbaLow - 1;
  }

  /** Puts the address of a sector into the registers, in the form that the command uses. */
  #setAddress(lba: number): void {
    const state = this.state;
    if (this.#extended || (state.device & Device.LBA) !== 0) {
      state.lbaLow = lba % 256;
      state.lbaMid = Math.floor(lba / 2 ** 8) % 256;
      state.lbaHigh = Math.floor(lba / 2 ** 16) % 256;
      if (this.#extended) {
        for (let i = 0; i < 3; i++) state.previous[2 + i] = Math.floor(lba / 2 ** (24 + 8 * i)) % 256;
      } else state.device = state.device & 0xf0 | Math.floor(lba / 2 ** 24) & 15;
      return;
    }
    const track = Math.floor(lba / state.sectors), cylinder = Math.min(0xffff, Math.floor(track / state.heads));
    state.lbaLow = lba % state.sectors + 1;
    state.lbaMid = cylinder & 0xff;
    state.lbaHigh = cylinder >> 8;
    state.device = state.device & 0xf0 | track % state.heads;
  }

  /** Takes address and count from the registers; if there is no such sector the command has failed and `false` is returned. */
  #begin(perBlock: number): boolean {
    const state = this.state;
    const lba = this.#address();
    state.left = this.#extended ? (state.previous[1] << 8 | state.count) || 65536 : state.count || 256;
    state.perBlock = perBlock;
    state.standby = false;
    state.lba = lba;
    if (lba >= 0 && lba < state.accessible) return true;
    this.completeLater(Err.IDNF);
    return false;
  }

  /** Sectors in the next block: less than a whole block at the end of the command and of the disk. */
  get #blockLength(): number {
    const state = this.state;
    return Math.min(state.perBlock, state.left, state.accessible - state.lba);
  }

  #advance(sectors: number): void {
    this.state.lba += sectors;
    this.state.left -= sectors;
  }

  #succeed(): void {
    this.#setAddress(Math.max(0, this.state.lba - 1));
    this.state.count = 0;
    this.complete(0);
  }

  /** Ends the command at the sector that could not be transferred. */
  #fail(error: number): void {
    this.#setAddress(this.state.lba);
    this.state.count = this.state.left & 0xff;
    this.complete(error);
  }

  #read(perBlock: number): boolean {
    if (this.#begin(perBlock)) this.wait("fetch", ACCESS_TIME);
    return true;
  }

  #write(perBlock: number): boolean {
    if (this.#begin(perBlock)) this.requestBlock(this.#blockLength * SECTOR, false);
    return true;
  }

  /** Reads the next block into the buffer and steps over it; 0 sectors if the command has failed. */
  #readBlock(): number {
    const state = this.state, sectors = this.#blockLength;
    if (sectors <= 0) {
      this.#fail(Err.IDNF);
      return 0;
    }
    const at = state.lba * SECTOR;
    if (!this.#readMedium(at, state.buffer.subarray(0, sectors * SECTOR))) {
      // Find the sector that is to blame.
      for (let i = 0; i < sectors; i++) {
        const offset = i * SECTOR;
        if (!this.#readMedium(at + offset, state.buffer.subarray(offset, offset + SECTOR))) break;
        this.#advance(1);
      }
      this.#fail(Err.UNC);
      return 0;
    }
    this.#advance(sectors);
    return sectors;
  }

  /** Writes `sectors` sectors of the buffer and steps over them; `false` if the command has failed. */
  #writeBlock(sectors: number): boolean {
    try {
      this.#medium.write(this.state.lba * SECTOR, this.state.buffer.subarray(0, sectors * SECTOR));
      if (!this.state.writeCache) this.#medium.flush();
    } catch (error) {
      if (!(error instanceof BlockError)) throw error;
      this.#fail(Err.ABRT);
      return false;
    }
    this.#advance(sectors);
    return true;
  }

  #readMedium(offset: number, target: Uint8Array): boolean {
    try {
      this.#medium.read(offset, target);
      return true;
    } catch (error) {
      if (!(error instanceof BlockError)) throw error;
      return false;
    }
  }

  #flush(): boolean {
    try {
      this.#medium.flush();
      return true;
    } catch (error) {
      if (!(error instanceof BlockError)) throw error;
      return false;
    }
  }

  protected override mediumReady(): void {
    const state = this.state;
    if (state.phase === "dma-seek") this.requestDma();
    else if (state.phase === "store") {
      if (!this.#writeBlock(state.limit / SECTOR)) return;
      if (state.left === 0) this.#succeed();
      else if (this.#blockLength <= 0) this.#fail(Err.IDNF);
      else this.requestBlock(this.#blockLength * SECTOR, true);
    } else if (state.command === Command.IDENTIFY_DEVICE || state.command === Command.READ_BUFFER) {
      this.offerBlock(SECTOR);
    } else {
      const sectors = this.#readBlock();
      if (sectors > 0) this.offerBlock(sectors * SECTOR);
    }
  }

  protected override blockDone(): void {
    const state = this.state;
    if (state.phase === "out") {
      if (state.command === Command.WRITE_BUFFER) this.completeLater(0);
      else this.wait("store", BLOCK_TIME);
    } else if (state.command === Command.IDENTIFY_DEVICE || state.command === Command.READ_BUFFER) this.#endOfData();
    else if (state.left > 0) this.wait("fetch", BLOCK_TIME);
    else {
      this.#setAddress(state.lba - 1);
      state.count = 0;
      this.#endOfData();
    }
  }

  /** A PIO-in command ends with its last word, without a further interrupt. */
  #endOfData(): void {
    this.state.phase = "idle";
    this.state.status = this.readyStatus;
  }

  override dmaChunk(): Uint8Array | null {
    const state = this.state;
    if (state.phase !== "dma") return null;
    if (state.position === state.limit) {
      state.position = state.limit = 0;
      if (state.left === 0) {
        this.#succeed();
        return null;
      }
      let sectors: number;
      if (this.dmaToMemory) sectors = this.#readBlock();
      else {
        sectors = this.#blockLength;
        if (sectors <= 0) this.#fail(Err.IDNF);
      }
      if (sectors <= 0) return null;
      state.limit = sectors * SECTOR;
    }
    return state.buffer.subarray(state.position, state.limit);
  }

  override dmaAdvance(length: number): void {
    const state = this.state;
    state.position += length;
    if (state.position === state.limit && !this.dmaToMemory) this.#writeBlock(state.limit / SECTOR);
  }

  #verify(): boolean {
    if (!this.#begin(MAX_MULTIPLE)) return true;
    while (this.state.left > 0) if (this.#readBlock() === 0) return true;
    this.#setAddress(this.state.lba - 1);
    this.state.count = 0;
    return this.#done();
  }

  #recalibrate(): boolean {
    this.state.lbaMid = this.state.lbaHigh = 0;
    return this.#done();
  }

  #seek(): boolean {
    const lba = this.#address();
    this.completeLater(lba >= 0 && lba < this.state.accessible ? 0 : Err.IDNF);
    return true;
  }

  #setTranslation(): boolean {
    const state = this.state;
    if (state.count === 0) return false;
    state.sectors = state.count;
    state.heads = (state.device & 15) + 1;
    return this.#done();
  }

  #setMultiple(): boolean {
    const { count } = this.state;
    if (count > MAX_MULTIPLE || (count & (count - 1)) !== 0) return false;
    this.state.multiple = count;
    return this.#done();
  }

  #setMax(): boolean {
    const limit = this.#address() + 1;
    if (limit < 1 || limit > this.#total) {
      this.completeLater(limit < 1 ? Err.ABRT : Err.IDNF);
      return true;
    }
    this.state.accessible = limit;
    return this.#done();
  }

  #setFeatures(): boolean {
    const state = this.state;
    switch (state.features) {
      case Feature.ENABLE_WRITE_CACHE:
        state.writeCache = true;
        return this.#done();
      case Feature.DISABLE_WRITE_CACHE:
        state.writeCache = false;
        this.completeLater(this.#flush() ? 0 : Err.ABRT);
        return true;
      case Feature.ENABLE_LOOK_AHEAD:
      case Feature.DISABLE_LOOK_AHEAD:
        state.lookAhead = state.features === Feature.ENABLE_LOOK_AHEAD;
        return this.#done();
      case Feature.ENABLE_REVERT_TO_DEFAULTS:
      case Feature.DISABLE_REVERT_TO_DEFAULTS:
        state.revertToDefaults = state.features === Feature.ENABLE_REVERT_TO_DEFAULTS;
        return this.#done();
      default:
        return this.setTransferFeature() && this.#done();
    }
  }

  /** Puts the 256 words of IDENTIFY DEVICE into the buffer. */
  #identify(): void {
    const state = this.state;
    const data = state.buffer.subarray(0, SECTOR), view = new DataView(data.buffer, data.byteOffset, SECTOR);
    data.fill(0);
    const word = (index: number, value: number) => view.setUint16(index * 2, value, true);
    const sectors = state.accessible, geometry = defaultGeometry(sectors);
    word(0, 0x0040); // fixed medium
    word(1, geometry.cylinders);
    word(3, geometry.heads);
    word(6, geometry.sectors);
    identifyText(view, 10, 10, this.#serial);
    word(20, 3); // buffer: dual ported, with look-ahead
    word(21, MAX_MULTIPLE);
    word(22, 4);
    identifyText(view, 23, 4, "1.0");
    identifyText(view, 27, 20, "Bootwright disk");
    word(47, 0x8000 | MAX_MULTIPLE);
    word(49, 0x2f00); // DMA, LBA, IORDY, standard standby timer
    word(50, 0x4000);
    word(51, 0x0200);
    word(53, 0x0007); // words 54–58, 64–70 and 88 are valid
    const cylinders = Math.min(65535, Math.floor(Math.min(sectors, 16514064) / (state.heads * state.sectors)));
    word(54, cylinders);
    word(55, state.heads);
    word(56, state.sectors);
    view.setUint32(57 * 2, cylinders * state.heads * state.sectors, true);
    word(59, 0x0100 | state.multiple);
    view.setUint32(60 * 2, Math.min(sectors, LBA28_LIMIT), true);
    word(64, 0x0003); // PIO modes 3 and 4
    for (let i = 65; i <= 68; i++) word(i, 120); // cycle times in ns
    word(80, 0x007e); // ATA-1 to ATA/ATAPI-6
    // READ BUFFER, WRITE BUFFER, host protected area, look-ahead, write cache, power management.
    word(82, 0x3468);
    word(83, 0x7400); // 48-bit addresses, FLUSH CACHE (EXT)
    word(84, 0x4040); // WRITE DMA FUA EXT
    word(85, 0x3408 | (state.lookAhead ? 0x40 : 0) | (state.writeCache ? 0x20 : 0));
    word(86, 0x3400);
    word(87, 0x4040);
    identifyDmaModes(view, state);
    identifyResetResult(view, this.host.position);
    view.setBigUint64(100 * 2, BigInt(sectors), true);
    identifyChecksum(data);
  }
}
