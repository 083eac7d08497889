/** A medium that is larger than its image: the rest reads as zeros. */
import { type BlockBackend, BlockError } from "../machine/types.ts";
import { checkRange } from "./memory_disk.ts";

/** `base`, followed by zeros up to `size` bytes. The zeros cannot be written: lay an overlay over it. */
export class PaddedDisk implements BlockBackend {
  readonly size: number;
  readonly #base: BlockBackend;

  /** @param size Bytes, at least those of `base`. */
  constructor(base: BlockBackend, size: number) {
    this.#base = base;
    this.size = size;
  }

  get readOnly(): boolean {
    return this.#base.readOnly;
  }

  read(offset: number, target: Uint8Array): void {
    checkRange(this.size, offset, target.length);
    const there = Math.max(0, Math.min(target.length, this.#base.size - offset));
    if (there > 0) this.#base.read(offset, target.subarray(0, there));
    target.fill(0, there);
  }

  write(offset: number, source: Uint8Array): void {
    if (offset + source.length > this.#base.size) {
      throw new BlockError(`the image has ${this.#base.size} bytes only: what lies beyond cannot be written to it`);
    }
    this.#base.write(offset, source);
  }

  flush(): void {
    this.#base.flush();
  }
}
