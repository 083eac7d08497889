/** Where decoded blocks are: by the physical place of their first byte, and by the frames that they have bytes in. */
import { PAGE_SHIFT, PAGE_SIZE } from "../../machine/memory.ts";
import { PairMap } from "../pair_map.ts";
import { type Block, framesOf, overlaps, placeOf } from "./block.ts";

/** A block's place within the frame of its first byte. */
function placeInFrame(host: number, key: number): number {
  return (host & (PAGE_SIZE - 1)) | (key << PAGE_SHIFT);
}

/** The blocks of one processor. */
export class BlockIndex {
  /** By host frame of the first byte, then by offset and mode. */
  readonly #byFrame: (Map<number, Block> | undefined)[] = [];
  /** All blocks with bytes in a frame. */
  readonly #inFrame: (Block[] | undefined)[] = [];
  /**
   * Blocks at places where another block starts a region that was translated for another mapping of the frame, by
   * {@link placeOf} and offset in CS.
   */
  readonly #aliases = new PairMap<Block>();

  /** The block at a host offset for a mode key, to be run at `ip`, an offset in CS. */
  find(host: number, key: number, ip: number): Block | undefined {
    const block = this.#byFrame[host >>> PAGE_SHIFT]?.get(placeInFrame(host, key));
    if (block?.region && block.region.ip !== ip) return this.#aliases.get(placeOf(host, key), ip);
    return block;
  }

  /** Visits all blocks, those in two frames twice. */
  each(visit: (block: Block) => void): void {
    for (const blocks of this.#inFrame) blocks?.forEach(visit);
  }

  /** True if some block has bytes in a frame. */
  has(frame: number): boolean {
    return (this.#inFrame[frame]?.length ?? 0) > 0;
  }

  /** The valid blocks with some of the bytes of a frame from one host offset to before another. */
  with(frame: number, from: number, to: number): Block[] {
    return this.#inFrame[frame]?.filter((block) => block.valid && overlaps(block, frame, from, to)) ?? [];
  }

  /** Takes a new block in, which is to be run at `ip`. */
  add(block: Block, ip: number): void {
    const { host, key } = block, frame = host >>> PAGE_SHIFT, place = placeInFrame(host, key);
    const map = this.#byFrame[frame] ??= new Map();
    if (map.has(place)) this.#aliases.set(placeOf(host, key), ip, block);
    else map.set(place, block);
    for (const f of framesOf(block)) (this.#inFrame[f] ??= []).push(block);
  }

  /** Finds a block no more. It stays in its frames until they are {@link sweep}ed. */
  remove(block: Block): void {
    const { host, key } = block, map = this.#byFrame[host >>> PAGE_SHIFT], place = placeInFrame(host, key);
    if (map?.get(place) === block) map.delete(place);
    else {
      for (const [ip, alias] of this.#aliases.with(placeOf(host, key))) {
        if (alias === block) this.#aliases.delete(placeOf(host, key), ip);
      }
    }
  }

  /** Takes the blocks of a frame out that are not valid; returns how many are left. */
  sweep(frame: number): number {
    const left = this.#inFrame[frame]?.filter(({ valid }) => valid) ?? [];
    this.#inFrame[frame] = left.length > 0 ? left : undefined;
    return left.length;
  }

  /** Forgets all blocks. */
  clear(): void {
    this.#aliases.clear();
    this.#byFrame.length = 0;
    this.#inFrame.length = 0;
  }
}
