/** Where loaders put modules and their information blocks. */
import { KernelMemoryError } from "./errors.ts";
import { extendedEnd, type LoadTarget } from "./types.ts";

const PAGE = 4096;

/** Memory from `start` up to, not including, `end`. */
export interface Extent {
  readonly start: number;
  readonly end: number;
}

/** Where the loaders' own tables may begin, the usual place first; a stack lies below it. */
const TABLES = [0x8000, 0x8_0000], TABLES_SIZE = 0x8000, STACK_SIZE = 0x1000;
/** Offset of the boot information among the tables; the descriptor table comes first. */
export const INFORMATION = 0x1000;

/**
 * Address below 640 KiB for descriptor table and boot information, beside what the kernel takes; it is also where the
 * stack begins, downwards.
 *
 * @throws KernelMemoryError if the kernel leaves no room.
 */
export function placeTables(kernel: readonly Extent[]): number {
  const free = (address: number) =>
    kernel.every(({ start, end }) => start >= address + TABLES_SIZE || end <= address - STACK_SIZE);
  const address = TABLES.find(free);
  if (address === undefined) {
    throw new KernelMemoryError("the kernel leaves no room below 640 KiB for boot information");
  }
  return address;
}

/**
 * Puts `bytes` at the highest page of RAM below 4 GiB and returns the address.
 *
 * @throws KernelMemoryError if that would overlap what ends at `floor`.
 */
export function placeHigh(target: LoadTarget, bytes: Uint8Array, floor: number, what: string): number {
  const address = Math.floor((extendedEnd(target.map) - bytes.length) / PAGE) * PAGE;
  if (address < Math.max(floor, 0x100000)) {
    throw new KernelMemoryError(
      `${what} of ${bytes.length} bytes does not fit above the kernel: give the machine more memory`,
    );
  }
  target.memory.write(address, bytes);
  return address;
}

/** A growing block of data at a fixed address. */
export class Blob {
  readonly #bytes: number[] = [];

  constructor(readonly base: number) {}

  /** Appends bytes at the next multiple of 8 and returns their address. */
  add(bytes: Uint8Array): number {
    while (this.#bytes.length % 8 !== 0) this.#bytes.push(0);
    const address = this.base + this.#bytes.length;
    for (const byte of bytes) this.#bytes.push(byte);
    return address;
  }

  bytes(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }
}
