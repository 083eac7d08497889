/**
 * The machine's fingerprint: a 128-bit hash, fast over large memories and the same on every host. It tells states apart;
 * it is no protection against an adversary.
 *
 * The mixing steps are those of MurmurHash3 (x86, 128 bits; Austin Appleby, public domain).
 */

const PAGE_WORDS = 1024;
const C1 = 0x239b961b, C2 = 0xab0e9789 | 0, C3 = 0x38b34ae5, C4 = 0xa1e38b93 | 0;

function finish(h: number): number {
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** Mixes words `start` to `end` (a multiple of 4 words) into the four words of `hash`. */
function mix(hash: Int32Array, words: Int32Array, start: number, end: number): void {
  let h1 = hash[0], h2 = hash[1], h3 = hash[2], h4 = hash[3];
  for (let i = start; i < end; i += 4) {
    let k = Math.imul(words[i], C1);
    h1 ^= Math.imul((k << 15) | (k >>> 17), C2);
    h1 = (Math.imul(((h1 << 19) | (h1 >>> 13)) + h2 | 0, 5) + 0x561ccd1b) | 0;
    k = Math.imul(words[i + 1], C2);
    h2 ^= Math.imul((k << 16) | (k >>> 16), C3);
    h2 = (Math.imul(((h2 << 17) | (h2 >>> 15)) + h3 | 0, 5) + 0x0bcaa747) | 0;
    k = Math.imul(words[i + 2], C3);
    h3 ^= Math.imul((k << 17) | (k >>> 15), C4);
    h3 = (Math.imul(((h3 << 15) | (h3 >>> 17)) + h4 | 0, 5) + 0x96cd1c35) | 0;
    k = Math.imul(words[i + 3], C4);
    h4 ^= Math.imul((k << 18) | (k >>> 14), C1);
    h4 = (Math.imul(((h4 << 13) | (h4 >>> 19)) + h1 | 0, 5) + 0x32ac3b17) | 0;
  }
  hash[0] = h1;
  hash[1] = h2;
  hash[2] = h3;
  hash[3] = h4;
}

function finalize(hash: Int32Array, length: number): void {
  for (let i = 0; i < 4; i++) hash[i] ^= length;
  hash[0] += hash[1] + hash[2] + hash[3];
  for (let i = 1; i < 4; i++) hash[i] += hash[0];
  for (let i = 0; i < 4; i++) hash[i] = finish(hash[i]);
  hash[0] += hash[1] + hash[2] + hash[3];
  for (let i = 1; i < 4; i++) hash[i] += hash[0];
}

/** True if the 4096 bytes of page `page` of `words` are all zero. */
export function isZeroPage(words: Int32Array, page: number): boolean {
  const end = (page + 1) * PAGE_WORDS;
  for (let i = page * PAGE_WORDS; i < end; i += 8) {
    const any = words[i] | words[i + 1] | words[i + 2] | words[i + 3] |
      words[i + 4] | words[i + 5] | words[i + 6] | words[i + 7];
    if (any !== 0) return false;
  }
  return true;
}

/** Collects pieces into one hash. The result depends on the pieces, their borders and their order. */
export class Hasher {
  readonly #hash = new Int32Array(4);
  readonly #piece = new Int32Array(8);
  #pieces = 0;

  /** Adds a string of bytes. */
  add(bytes: Uint8Array): void {
    const padded = new Uint8Array((bytes.length + 15) & ~15);
    padded.set(bytes);
    const words = new Int32Array(padded.buffer);
    this.#piece.fill(0);
    mix(this.#piece, words, 0, words.length);
    this.#absorb(bytes.length, 0);
  }

  /** Adds every page of `memory` (4096-byte pages of a buffer that starts on a word) that is not all zero, with its number. */
  addPages(memory: Uint8Array): void {
    const words = new Int32Array(memory.buffer, memory.byteOffset, memory.length >>> 2);
    const pages = memory.length >>> 12;
    for (let page = 0; page < pages; page++) {
      if (isZeroPage(words, page)) continue;
      this.#piece.fill(0);
      mix(this.#piece, words, page * PAGE_WORDS, (page + 1) * PAGE_WORDS);
      this.#absorb(page, 1);
    }
  }

  /** The hash of all that was added, as 32 hexadecimal digits. The hasher is used up. */
  digest(): string {
    finalize(this.#hash, this.#pieces);
    return Array.from(this.#hash, (word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
  }

  #absorb(label: number, kind: number): void {
    this.#piece[4] = label;
    this.#piece[5] = kind;
    this.#piece[6] = this.#pieces++;
    mix(this.#hash, this.#piece, 0, 8);
  }
}
