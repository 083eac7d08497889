/**
 * Regions whose place is taken by other code: programs that go to and fro between variants of a piece of code find the translation
 * of each again.
 */
import { PAGE_SHIFT } from "../../machine/memory.ts";
import type { Block, CodeRegion } from "../interpreter/block.ts";
import type { Region } from "./region_table.ts";

/** Most regions that are kept in a frame; the one that has been dormant for longest goes. */
const MOST_IN_FRAME = 32;

const NONE: readonly Region[] = [];

/** A copy of the bytes that a region is translated for, one range after another. */
export function bytesOf({ ranges }: Pick<CodeRegion, "ranges">, memory: Uint8Array): Uint8Array {
  const copy = new Uint8Array(ranges.reduce((sum, { start, end }) => sum + end - start, 0));
  let at = 0;
  for (const { start, end } of ranges) {
    copy.set(memory.subarray(start, end), at);
    at += end - start;
  }
  return copy;
}

function isThere({ ranges, code }: Region, memory: Uint8Array): boolean {
  let at = 0;
  for (const { start, end } of ranges) {
    for (let i = start; i < end; i++) if (memory[i] !== code[at++]) return false;
  }
  return true;
}

/** The dormant regions of one processor. */
export class DormantRegions {
  /** By frame, the oldest first; a list that is empty stays. */
  readonly #inFrame = new Map<number, Set<Region>>();

  /** Puts a region to sleep; returns those that must go for it. */
  add(region: Region): ReadonlySet<Region> {
    const gone = new Set<Region>();
    for (const frame of region.frames) {
      let regions = this.#inFrame.get(frame);
      if (!regions) this.#inFrame.set(frame, regions = new Set());
      regions.add(region);
      if (regions.size > MOST_IN_FRAME) { for (const oldest of regions.values().take(1)) gone.add(oldest); }
    }
    return gone;
  }

  /** Takes a region out. */
  delete(region: Region): void {
    for (const frame of region.frames) this.#inFrame.get(frame)?.delete(region);
  }

  /** The regions that a block begins in or leads through whose code is there again. */
  awoken({ host, bytes, key }: Block, memory: Uint8Array): readonly Region[] {
    const regions = this.#inFrame.get(host >>> PAGE_SHIFT);
    if (!regions || regions.size === 0) return NONE;
    return [...regions].filter((region) =>
      region.key === key && region.ranges.some(({ start, end }) => start < host + bytes && end > host) &&
      isThere(region, memory)
    );
  }
}
