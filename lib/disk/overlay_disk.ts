/** Copy-on-write: a medium that keeps everything written to it in memory and leaves its base alone. */
import { type BlockBackend, BlockError } from "../machine/types.ts";
import { ImageError } from "./errors.ts";
import { checkRange } from "./memory_disk.ts";

/** Bytes in one page of an overlay. */
const OVERLAY_PAGE = 4096;

/** What an overlay holds, as plain data. */
export type OverlayContent = {
  /** Size of the base in bytes. */
  size: number;
  /** Numbers of the written pages, ascending. */
  numbers: number[];
  /** Their contents in the same order, 4096 bytes each. */
  pages: Uint8Array[];
};

/** Options of {@link OverlayDisk}. */
export interface OverlayOptions {
  /** Refuses writes, as the write-protect notch of a floppy does. Default false. */
  readOnly?: boolean;
  /** Most bytes of memory that written pages may take; then writes fail, as on a worn-out disk. Default 4 GiB. */
  limit?: number;
}

/** However large its disk is, a guest must not be able to use up the host's memory. */
const DEFAULT_LIMIT = 4 * 1024 ** 3;

/** A writable medium over a base that is never written. Memory is used by the pages that were written, nothing else. */
export class OverlayDisk implements BlockBackend {
  readonly size: number;
  readonly readOnly: boolean;
  /** What is underneath. */
  readonly base: BlockBackend;
  readonly #pages = new Map<number, Uint8Array>();

  readonly #limit: number;

  /** Lays an empty overlay over `base`. */
  constructor(base: BlockBackend, options: OverlayOptions = {}) {
    this.base = base;
    this.#limit = options.limit ?? DEFAULT_LIMIT;
    this.size = base.size;
    this.readOnly = options.readOnly ?? false;
  }

  /** Bytes of memory that the written pages take. */
  get footprint(): number {
    return this.#pages.size * OVERLAY_PAGE;
  }

  read(offset: number, target: Uint8Array): void {
    checkRange(this.size, offset, target.length);
    if (this.#pages.size === 0) return this.base.read(offset, target);
    for (let done = 0; done < target.length;) {
      const at = offset + done, within = at % OVERLAY_PAGE, number = (at - within) / OVERLAY_PAGE;
      const page = this.#pages.get(number);
      let chunk = Math.min(target.length - done, OVERLAY_PAGE - within);
      if (page !== undefined) target.set(page.subarray(within, within + chunk), done);
      else {
        // One read of the base for as many pages in a row as were not written.
        for (let next = number + 1; done + chunk < target.length && !this.#pages.has(next); next++) {
          chunk = Math.min(target.length - done, chunk + OVERLAY_PAGE);
        }
        this.base.read(at, target.subarray(done, done + chunk));
      }
      done += chunk;
    }
  }

  write(offset: number, source: Uint8Array): void {
    if (this.readOnly) throw new BlockError("the medium is write-protected");
    checkRange(this.size, offset, source.length);
    for (let done = 0; done < source.length;) {
      const at = offset + done, within = at % OVERLAY_PAGE;
      const chunk = Math.min(source.length - done, OVERLAY_PAGE - within);
      const page = this.#own((at - within) / OVERLAY_PAGE, chunk === OVERLAY_PAGE);
      page.set(source.subarray(done, done + chunk), within);
      done += chunk;
    }
  }

  flush(): void {
    // The overlay lives as long as the machine; snapshots make it durable.
  }

  /** The overlay's own copy of a page; `replaced` saves reading one that is about to be overwritten as a whole. */
  #own(number: number, replaced: boolean): Uint8Array {
    let page = this.#pages.get(number);
    if (page === undefined) {
      if (this.footprint + OVERLAY_PAGE > this.#limit) {
        throw new BlockError(`the overlay is full: ${this.#limit} bytes have been written`);
      }
      page = new Uint8Array(OVERLAY_PAGE);
      const start = number * OVERLAY_PAGE;
      if (!replaced) this.base.read(start, page.subarray(0, Math.min(OVERLAY_PAGE, this.size - start)));
      this.#pages.set(number, page);
    }
    return page;
  }

  /** Forgets everything written: the medium is its base again. */
  discard(): void {
    this.#pages.clear();
  }

  /** A copy of all that was written. */
  save(): OverlayContent {
    const numbers = [...this.#pages.keys()].sort((a, b) => a - b);
    return { size: this.size, numbers, pages: numbers.map((number) => this.#pages.get(number)?.slice() as Uint8Array) };
  }

  /**
   * Replaces everything written by what {@link save} returned; nothing changes if that does not fit.
   *
   * @throws ImageError if the content belongs to a medium of another size or is damaged.
   */
  load(content: OverlayContent): void {
    const { size, numbers, pages } = content;
    if (size !== this.size) {
      throw new ImageError(
        `the saved disk contents are those of a disk of ${size} bytes, but this disk has ${this.size} bytes: ` +
          "use the image with which they were saved",
      );
    }
    const last = Math.ceil(size / OVERLAY_PAGE);
    const fits = numbers.length === pages.length &&
      numbers.every((number) => Number.isInteger(number) && number >= 0 && number < last) &&
      pages.every((page) => page instanceof Uint8Array && page.length === OVERLAY_PAGE);
    if (!fits) throw new ImageError("the saved disk contents are damaged: page numbers and pages do not fit together");
    this.discard();
    numbers.forEach((number, i) => {
      this.#pages.set(number, pages[i].slice());
    });
  }
}
