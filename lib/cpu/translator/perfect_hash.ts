/** Hash functions without collisions, for the few targets of a computed jump. */

/** `(value * multiplier) >>> shift`, with 32 bits, is a different index for each value. */
export interface PerfectHash {
  readonly multiplier: number;
  readonly shift: number;
  /** By index: the value's position in the list, -1 where there is none. */
  readonly slots: readonly number[];
}

/** Largest table, as a power of two. */
const MOST_BITS = 10;
const ATTEMPTS = 200;

/** Finds a perfect hash for different 32-bit values; null if that takes too long. */
export function perfectHash(values: readonly number[]): PerfectHash | null {
  let multiplier = 0x9e3779b1 | 0;
  const least = Math.max(1, Math.ceil(Math.log2(values.length)));
  for (let bits = least; bits <= Math.min(least + 3, MOST_BITS); bits++) {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const slots = fill(values, multiplier, 32 - bits);
      if (slots) return { multiplier, shift: 32 - bits, slots };
      multiplier = (Math.imul(multiplier, 0x2c1b3c6d) + 0x297a2d38) | 1;
    }
  }
  return null;
}

function fill(values: readonly number[], multiplier: number, shift: number): number[] | null {
  const slots = new Array<number>(2 ** (32 - shift)).fill(-1);
  for (const [i, value] of values.entries()) {
    const at = Math.imul(value, multiplier) >>> shift;
    if (slots[at] >= 0) return null;
    slots[at] = i;
  }
  return slots;
}
