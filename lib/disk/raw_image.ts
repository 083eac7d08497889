/** Raw disk images of any size, read piece by piece from a source such as a file. */
import { type BlockBackend, BlockError } from "../machine/types.ts";
import { checkRange } from "./memory_disk.ts";

const SECTOR = 512;

/** Where an image comes from: a file, or anything else that can be read synchronously at any offset. */
export interface ReadAt {
  /** Bytes. */
  readonly size: number;
  /**
   * Fills `target` with the bytes at `offset`; the range lies within the source.
   *
   * @throws BlockError if that is impossible.
   */
  readAt(offset: number, target: Uint8Array): void;
}

/** A source that can be written to as well. */
export interface WriteAt extends ReadAt {
  /** Stores `source` at `offset`; the range lies within the source. @throws BlockError if that is impossible. */
  writeAt(offset: number, source: Uint8Array): void;
  /** Makes what was written durable. @throws BlockError if that is impossible. */
  sync(): void;
}

/** Options of {@link RawImage}. */
export interface RawImageOptions {
  /** Passes writes through to the source; without it the image is read-only (lay an overlay over it). Default false. */
  writeThrough?: boolean;
  /** Bytes in one cache page, a power of two of at least 512. Default 64 KiB. */
  pageSize?: number;
  /** Pages in the cache, at least 1. Default 64. */
  pages?: number;
}

/**
 * A raw image on a {@link ReadAt}. Its size is that of the source rounded up to whole sectors of 512 bytes; what the
 * source lacks in the last one reads as zeros (and cannot be written through).
 */
export class RawImage implements BlockBackend {
  readonly size: number;
  readonly readOnly: boolean;
  readonly #source: ReadAt;
  readonly #target: WriteAt | null;
  readonly #pageSize: number;
  readonly #limit: number;
  /** Pages by number, the least recently used one first. */
  readonly #cache = new Map<number, Uint8Array>();

  /** @throws TypeError if `writeThrough` is asked for with a source that cannot be written to. */
  constructor(source: ReadAt | WriteAt, options: RawImageOptions = {}) {
    this.#source = source;
    this.#target = options.writeThrough && "writeAt" in source ? source : null;
    if (options.writeThrough && this.#target === null) {
      throw new TypeError("write-through needs a source that can be written to");
    }
    this.size = Math.ceil(source.size / SECTOR) * SECTOR;
    this.readOnly = this.#target === null;
    this.#pageSize = options.pageSize ?? 0x1_0000;
    this.#limit = options.pages ?? 64;
  }

  read(offset: number, target: Uint8Array): void {
    checkRange(this.size, offset, target.length);
    for (let done = 0; done < target.length;) {
      const at = offset + done, within = at % this.#pageSize;
      const chunk = Math.min(target.length - done, this.#pageSize - within);
      const page = this.#page((at - within) / this.#pageSize);
      target.set(page.subarray(within, within + chunk), done);
      done += chunk;
    }
  }

  write(offset: number, source: Uint8Array): void {
    if (this.#target === null) throw new BlockError("the image is read-only");
    checkRange(this.size, offset, source.length);
    if (offset + source.length > this.#target.size) {
      throw new BlockError("the image ends within its last sector, which therefore cannot be written");
    }
    this.#target.writeAt(offset, source);
    const first = Math.floor(offset / this.#pageSize), end = (offset + source.length) / this.#pageSize;
    for (let page = first; page < end; page++) this.#cache.delete(page);
  }

  flush(): void {
    this.#target?.sync();
  }

  #page(number: number): Uint8Array {
    let page = this.#cache.get(number);
    if (page === undefined) {
      page = this.#cache.size >= this.#limit ? this.#evict() : new Uint8Array(this.#pageSize);
      const start = number * this.#pageSize;
      const length = Math.min(this.#pageSize, this.#source.size - start);
      page.fill(0, length);
      this.#source.readAt(start, page.subarray(0, length));
    } else this.#cache.delete(number);
    this.#cache.set(number, page);
    return page;
  }

  /** Takes the least recently used page out of the cache and returns its memory. */
  #evict(): Uint8Array {
    for (const [number, page] of this.#cache) {
      this.#cache.delete(number);
      return page;
    }
    return new Uint8Array(this.#pageSize);
  }
}
