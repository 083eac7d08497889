/** The code mode key: the properties of the running code that decoded blocks and handlers depend on, as one number. */
import type { CodeMode } from "./emit/emitter.ts";

/** Bits of {@link S.MODE}. */
export const ModeBit = {
  /** Width of code: 0 = 16, 1 = 32, 2 = 64. */
  CODE: 0,
  /** Width of the stack pointer, likewise. */
  STACK: 2,
  FLAT: 1 << 4,
  /** CPL 3. Handlers do not depend on it, but page rights do. */
  USER: 1 << 5,
  /** The bits of a {@link CodeMode}. */
  CODE_MODE: 0x1f,
  /** The bits that identify a block: those, and {@link ModeBit.USER}, because regions remember pages of one privilege. */
  BLOCK: 0x3f,
  /** From here on: the epoch of the mapping, so that changing it empties the jump cache. */
  EPOCH: 8,
} as const;

const WIDTH = [16, 32, 64] as const;

/** The key of a mode. */
export function modeKey(code: 16 | 32 | 64, stack: 16 | 32 | 64, flat: boolean, user: boolean): number {
  return WIDTH.indexOf(code) | (WIDTH.indexOf(stack) << ModeBit.STACK) | (flat ? ModeBit.FLAT : 0) |
    (user ? ModeBit.USER : 0);
}

/** The mode that a key stands for. */
export function codeMode(key: number): CodeMode {
  return { code: WIDTH[key & 3], stack: WIDTH[(key >> ModeBit.STACK) & 3], flat: (key & ModeBit.FLAT) !== 0 };
}
