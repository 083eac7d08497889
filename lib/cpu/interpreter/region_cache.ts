/** TypeScript's side of the region cache: compiled code reads and fills it, and what leads into a region no more is taken out. */
import { REGION_CACHE } from "./layout.ts";

/** Address of the entry for an offset in CS. */
export function regionEntry(ip: number): number {
  const low = ip % 2 ** 32 | 0;
  return REGION_CACHE.BASE +
    ((Math.imul(low, REGION_CACHE.MULTIPLIER) >>> REGION_CACHE.SHIFT) << REGION_CACHE.ENTRY_SHIFT);
}

/** Offset in CS → table slot of the region there; an entry counts only for the mode and mapping epoch it was made in. */
export class RegionCache {
  readonly #words: Int32Array;

  /** `state` is new: its zeros are empty entries, because no mode has the epoch 0. */
  constructor(state: WebAssembly.Memory) {
    this.#words = new Int32Array(state.buffer, 0, (REGION_CACHE.BASE >> 2) + REGION_CACHE.ENTRIES * 4);
  }

  /** Nothing leads to a region at an offset any more. */
  forget(ip: number): void {
    this.#words[(regionEntry(ip) + REGION_CACHE.MODE) >> 2] = 0;
  }

  /** Empties all entries. */
  clear(): void {
    this.#words.fill(0, REGION_CACHE.BASE >> 2);
  }
}
