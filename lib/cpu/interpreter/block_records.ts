/** The records of decoded blocks in state memory, as compiled code runs them. */
import type { CodeMode } from "../emit/emitter.ts";
import type { Block, CodeRegion } from "./block.ts";
import { type HandlerLibrary, Pseudo } from "./handlers.ts";
import { HEADER, REC } from "./layout.ts";
import { CodePlaces } from "./code_places.ts";
import { RegionCache } from "./region_cache.ts";

/** Writes headers and ends of blocks, and changes where their records lead. */
export class BlockRecords {
  readonly #library: HandlerLibrary;
  readonly #view: DataView;
  readonly #state: Uint8Array;
  /** Where compiled code finds regions. */
  readonly regionCache: RegionCache;
  /** Where pages of code have been found. */
  readonly places: CodePlaces;
  readonly #leaveSlot: number;
  /** Slots of the ways into regions by mode key. */
  readonly #regionSlots: number[] = [];
  /** Slots of the stops by mode key. */
  readonly #stopSlots: number[] = [];

  constructor(library: HandlerLibrary, state: WebAssembly.Memory) {
    this.#library = library;
    this.#view = new DataView(state.buffer);
    this.#state = new Uint8Array(state.buffer);
    this.regionCache = new RegionCache(state);
    this.places = new CodePlaces(state);
    this.#leaveSlot = library.leaveSlot;
  }

  /**
   * Writes the header of a block that is hot after `heat` entries; 0 for never. Nothing old may stay there: whoever looks
   * behind a block's last record must not take it for one more.
   */
  writeHeader(record: number, count: number, bytes: number, heat: number): void {
    const header = record - HEADER.SIZE;
    for (let i = 0; i < HEADER.SIZE; i += 8) this.#view.setBigUint64(header + i, 0n, true);
    this.#view.setUint16(header + HEADER.COUNT, count, true);
    this.#view.setInt32(header + HEADER.HEAT, heat, true);
    this.#view.setUint16(header + HEADER.BYTES, bytes, true);
  }

  /** The block has been found at a linear address in `mode` ({@link S.MODE} with its epoch): what leads there may enter it. */
  setPlace({ record }: Block, linear: number, mode: number): void {
    const header = record - HEADER.SIZE;
    this.#view.setInt32(header + HEADER.ADDRESS, linear % 2 ** 32 | 0, true);
    this.#view.setInt32(header + HEADER.ADDRESS + 4, Math.floor(linear / 2 ** 32), true);
    this.#view.setInt32(header + HEADER.MODE, mode, true);
  }

  /** Nothing leads to a block until it is found again. */
  forgetPlace({ record }: Block): void {
    this.#view.setInt32(record - HEADER.SIZE + HEADER.MODE, 0, true);
  }

  /** Writes a record that goes on with the block `bytes` bytes further; it is at `position` in its own. */
  writeFallThrough(at: number, mode: CodeMode, bytes: number, position: number): void {
    this.#writePseudo(at, this.#library.pseudoSlot(Pseudo.FALL_THROUGH, mode), bytes, position);
  }

  /** Writes a record that ends the run, `bytes` bytes behind the start of the block, at `position` there. */
  writeStop(at: number, key: number, mode: CodeMode, bytes: number, position: number): void {
    const slot = this.#stopSlots[key] ??= this.#library.pseudoSlot(Pseudo.STOP, mode);
    this.#writePseudo(at, slot, bytes, position);
  }

  #writePseudo(at: number, slot: number, next: number, position: number): void {
    for (let i = 0; i < REC.SIZE; i += 8) this.#view.setBigUint64(at + i, 0n, true);
    this.#view.setInt32(at + REC.SLOT, slot, true);
    this.#view.setUint16(at + REC.NEXT, next, true);
    this.#view.setUint16(at + REC.INDEX_IN_BLOCK, position, true);
  }

  /** Copies the first `count` records of a block to `first`, as they are without a region; returns the bytes of their code. */
  copy(block: Block, count: number, first: number): number {
    this.#state.copyWithin(first, block.record, block.record + count * REC.SIZE);
    if (block.region) this.#view.setInt32(first + REC.SLOT, block.region.handler, true);
    return this.#view.getUint16(first + (count - 1) * REC.SIZE + REC.NEXT, true);
  }

  /** Sets after how many entries a block is hot; 0 for never. */
  setHeat(block: Block, heat: number): void {
    this.#view.setInt32(block.record - HEADER.SIZE + HEADER.HEAT, heat, true);
  }

  /** After how many more entries a block is hot. */
  heat(block: Block): number {
    return this.#view.getInt32(block.record - HEADER.SIZE + HEADER.HEAT, true);
  }

  /** Lets a region run in place of a block that is at `ip`. */
  enterRegion(block: Block, code: CodeRegion, slot: number, ip: number, mode: CodeMode): void {
    const { record } = block, header = record - HEADER.SIZE;
    const handler = block.region?.handler ?? this.#view.getInt32(record + REC.SLOT, true);
    if (block.region) this.regionCache.forget(block.region.ip);
    this.#view.setInt32(header + HEADER.REGION, slot, true);
    this.#view.setBigInt64(header + HEADER.IP, BigInt(ip), true);
    const way = this.#regionSlots[block.key] ??= this.#library.pseudoSlot(Pseudo.REGION, mode);
    this.#view.setInt32(record + REC.SLOT, way, true);
    block.region = { code, ip, handler };
  }

  /** Lets a block run again in place of its region. */
  leaveRegion(block: Block): void {
    if (!block.region) return;
    const { ip, handler } = block.region;
    this.regionCache.forget(ip);
    block.region = null;
    this.#view.setInt32(block.record - HEADER.SIZE + HEADER.REGION, 0, true);
    if (block.valid) this.#view.setInt32(block.record + REC.SLOT, handler, true);
  }

  /** Lets nothing lead to a block and its region any more, and what runs it leave before its next instruction. */
  void(block: Block): void {
    this.#view.setInt32(block.record - HEADER.SIZE + HEADER.REGION, 0, true);
    this.forgetPlace(block);
    if (block.region) this.regionCache.forget(block.region.ip);
    this.voidFrom(block.record, block.count);
  }

  /** Makes the `count` records from `first`, and the one behind them, leave before their instructions. */
  voidFrom(first: number, count: number): void {
    for (let i = 0; i <= count; i++) {
      const at = first + i * REC.SIZE;
      if (this.#view.getUint16(at + REC.INDEX_IN_BLOCK, true) === i) {
        this.#view.setInt32(at + REC.SLOT, this.#leaveSlot, true);
      }
    }
  }
}
