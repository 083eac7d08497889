/** Hash functions without collisions, for the few targets of a computed jump. */
import { GOLDEN_RATIO } from "../interpreter/layout.ts";

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
  let multiplier = GOLDEN_RATIO;
  const least = Math.max(1, Math.ceil(Math.log2(values.length)));
  for (let bits = least; bits <= Math.min(least + 3, MOST_BITS); bits++) {
    const slots = new Int16Array(2 ** bits), shift = 32 - bits;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      if (fill(slots, values, multiplier, shift)) return { multiplier, shift, slots: [...slots] };
      multiplier = (Math.imul(multiplier, 0x2c1b3c6d) + 0x297a2d38) | 1;
    }
  }
  return null;
}

/** Sets {@link PerfectHash.slots}; false if two values have the same index. */
function fill(slots: Int16Array, values: readonly number[], multiplier: number, shift: number): boolean {
  slots.fill(-1);
  for (let i = 0; i < values.length; i++) {
    const at = Math.imul(values[i], multiplier) >>> shift;
    if (slots[at] >= 0) return false;
    slots[at] = i;
  }
  return true;
}
