/** Where loaders put modules and their information blocks. */
import { KernelMemoryError } from "./errors.ts";
import { extendedEnd, type LoadTarget } from "./types.ts";

const PAGE = 4096;

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
