/** A medium whose whole content lies in memory. */
import { type BlockBackend, BlockError } from "../machine/types.ts";

/** A disk, floppy or CD image in memory. Writes change the array that was passed in. */
export class MemoryDisk implements BlockBackend {
  /** The contents. */
  readonly bytes: Uint8Array;
  readonly readOnly: boolean;

  /** @param bytes The image; its length is the size of the medium. */
  constructor(bytes: Uint8Array, options: { readOnly?: boolean } = {}) {
    this.bytes = bytes;
    this.readOnly = options.readOnly ?? false;
  }

  get size(): number {
    return this.bytes.length;
  }

  read(offset: number, target: Uint8Array): void {
    checkRange(this.size, offset, target.length);
    target.set(this.bytes.subarray(offset, offset + target.length));
  }

  write(offset: number, source: Uint8Array): void {
    if (this.readOnly) throw new BlockError("the medium is read-only");
    checkRange(this.size, offset, source.length);
    this.bytes.set(source, offset);
  }

  flush(): void {
    // Memory is all there is.
  }
}

/**
 * Checks that `length` bytes at `offset` lie on a medium of `size` bytes.
 *
 * @throws BlockError if they do not.
 */
export function checkRange(size: number, offset: number, length: number): void {
  if (!(offset >= 0 && offset + length <= size)) {
    throw new BlockError(`bytes ${offset} to ${offset + length} are beyond the medium of ${size} bytes`);
  }
}
