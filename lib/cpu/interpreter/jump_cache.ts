/** TypeScript's side of the jump cache and the links beside it: compiled code reads them, lookups fill the cache. */
import { HEADER, JUMP_CACHE, JUMP_LINKS } from "./layout.ts";

/** Index of the first of the two entries where an address with these low 32 bits can be. */
function pairOf(low: number): number {
  return (Math.imul(low, JUMP_CACHE.MULTIPLIER) >>> JUMP_CACHE.SHIFT) << 1;
}

/** Linear address → block, in one of two places; the block's header says whether it is the right one. */
export class JumpCache {
  readonly #headers: Int32Array;
  readonly #links: Int32Array;
  readonly #state: DataView;

  /** `state` is new: its zeros are empty entries, because no mode has the epoch 0. */
  constructor(state: WebAssembly.Memory) {
    this.#state = new DataView(state.buffer);
    this.#headers = new Int32Array(state.buffer, JUMP_CACHE.BASE, 2 * JUMP_CACHE.PAIRS);
    this.#links = new Int32Array(state.buffer, JUMP_LINKS.BASE, JUMP_LINKS.ENTRIES);
  }

  /** Empties all entries. */
  clear(): void {
    this.#headers.fill(0);
    this.#links.fill(0);
  }

  /** Lets `linear` lead to the block with a first record; its header must say so. */
  set(linear: number, record: number): void {
    const headers = this.#headers, pair = pairOf(linear % 2 ** 32 | 0), header = record - HEADER.SIZE;
    // The newest comes first; what was there takes the other place.
    if (headers[pair] === header) return;
    headers[pair + 1] = headers[pair];
    headers[pair] = header;
  }

  /** How many instructions the block that `linear` leads to has in `mode`; 0 if it is not known. */
  instructionsAt(linear: number, mode: number): number {
    const state = this.#state, pair = pairOf(linear % 2 ** 32 | 0);
    for (let i = pair; i < pair + 2; i++) {
      const header = this.#headers[i];
      if (state.getInt32(header + HEADER.MODE, true) !== mode) continue;
      if (state.getInt32(header + HEADER.ADDRESS, true) !== (linear % 2 ** 32 | 0)) continue;
      if (state.getInt32(header + HEADER.ADDRESS + 4, true) !== Math.floor(linear / 2 ** 32)) continue;
      return state.getUint16(header + HEADER.COUNT, true);
    }
    return 0;
  }
}
