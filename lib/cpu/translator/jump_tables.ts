/**
 * Jumps through a table of addresses, as compilers write for `switch`: where the register that picks the entry is known, the way
 * is known before the entry is loaded. What the table holds is a guess, since the guest may change it.
 */
import { PAGE_SIZE } from "../../machine/memory.ts";
import type { Instruction } from "../decode/instruction.ts";
import { isFlatAccess } from "../emit/base.ts";
import type { CodeMode } from "../emit/emitter.ts";

/** Most entries of a table that are looked at. */
const MOST_ENTRIES = 256;

/** A table that a jump goes through. */
export interface JumpTable {
  /** General register with the number of the entry. */
  readonly register: number;
  /** By entry: offset in CS of the target, -1 if it is not one of those that the jump has been seen to have. */
  readonly entries: readonly number[];
}

/** Where data can be found. */
export interface DataPlaces {
  readonly mode: CodeMode;
  readonly bytes: Uint8Array;
  /** Host offset of a linear address that can be read, -1 if that is not known. */
  data(linear: number): number;
}

/** The table that a jump goes through to some of `targets`; null if there is none. */
export function jumpTable(
  { operands: [from], addressSize }: Instruction,
  targets: readonly number[],
  { mode, bytes, data }: DataPlaces,
): JumpTable | null {
  if (targets.length === 0 || mode.code === 16 || addressSize !== mode.code || from.kind !== "mem") return null;
  const { base, index, scale, disp, size, segment } = from, step = mode.code / 8;
  if (base >= 0 || index < 0 || size !== mode.code || scale !== step || !isFlatAccess(mode, segment)) return null;
  const first = mode.code === 64 ? disp : disp >>> 0, known = new Set(targets), entries: number[] = [];
  let last = -1, page = NaN, host = -1;
  for (let i = 0; i < MOST_ENTRIES; i++) {
    const linear = first + i * step, start = Math.floor(linear / PAGE_SIZE) * PAGE_SIZE;
    if (start !== page) {
      page = start;
      host = data(start);
    }
    if (host < 0 || linear - start + step > PAGE_SIZE) break;
    const target = addressAt(bytes, host + linear - start, step);
    entries.push(known.has(target) ? target : -1);
    if (known.has(target)) last = i;
  }
  return last < 0 ? null : { register: index, entries: entries.slice(0, last + 1) };
}

/** An address of 4 or 8 bytes; those of the upper half are negative if it has 8. */
function addressAt(bytes: Uint8Array, at: number, size: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, size), low = view.getUint32(0, true);
  return size === 4 ? low : view.getInt32(4, true) * 2 ** 32 + low;
}
