/** TypeScript's side of the jump cache: compiled code reads it, lookups fill it. */
import { HEADER, JUMP_CACHE } from "./layout.ts";

const ENTRY_WORDS = JUMP_CACHE.ENTRY_BYTES >> 2;

/** Index of the first word of the two entries where an address with these low 32 bits can be. */
function pairOf(low: number): number {
  return (Math.imul(low, JUMP_CACHE.MULTIPLIER) >>> JUMP_CACHE.SHIFT) << (JUMP_CACHE.PAIR_SHIFT - 2);
}

/** Linear address → first record, each in one of two places; an entry counts only for the mode and mapping epoch it was made in. */
export class JumpCache {
  readonly #words: Int32Array;
  readonly #state: Int32Array;

  /** `state` is new: its zeros are empty entries, because no mode has the epoch 0. */
  constructor(state: WebAssembly.Memory) {
    this.#state = new Int32Array(state.buffer);
    this.#words = new Int32Array(state.buffer, JUMP_CACHE.BASE, JUMP_CACHE.ENTRIES * 4);
  }

  /** Empties all entries. */
  clear(): void {
    this.#words.fill(0);
  }

  /** Lets `linear` lead to `record` in `mode` ({@link S.MODE} with its epoch). */
  set(linear: number, mode: number, record: number): void {
    const low = linear % 2 ** 32 | 0, high = Math.floor(linear / 2 ** 32), word = pairOf(low);
    // The newest comes first; what was there takes the other place.
    if (this.#words[word] !== low) this.#words.copyWithin(word + ENTRY_WORDS, word, word + ENTRY_WORDS);
    this.#words[word] = low;
    this.#words[word + 1] = high;
    this.#words[word + 2] = mode;
    this.#words[word + 3] = record;
  }

  /** How many instructions the block that `linear` leads to has in `mode`; 0 if it is not known. */
  instructionsAt(linear: number, mode: number): number {
    const words = this.#words, low = linear % 2 ** 32 | 0, high = Math.floor(linear / 2 ** 32), pair = pairOf(low);
    for (let word = pair; word <= pair + ENTRY_WORDS; word += ENTRY_WORDS) {
      if (words[word] !== low || words[word + 1] !== high || words[word + 2] !== mode) continue;
      return this.#state[(words[word + 3] + HEADER.COUNT) >> 2];
    }
    return 0;
  }
}
