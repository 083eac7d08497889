/** Disk images in files, read on demand. Needs `--allow-read` (and `--allow-write` to write through) for the file. */
import { ImageError, type WriteAt } from "../disk/mod.ts";
import { BlockError } from "../machine/types.ts";

/** An open image file of any size; never more of it in memory than is being read. Close it when the machine is done. */
export class FileSource implements WriteAt, Disposable {
  readonly path: string;
  /** Bytes when the file was opened. */
  readonly size: number;
  readonly #file: Deno.FsFile;
  readonly #writable: boolean;
  #open = true;

  /**
   * Opens `path`.
   *
   * @param options `write` opens it for writing, too.
   * @throws ImageError if it cannot be opened or is not a regular file or block device.
   */
  constructor(path: string, options: { write?: boolean } = {}) {
    this.path = path;
    this.#writable = options.write ?? false;
    try {
      this.#file = Deno.openSync(path, { read: true, write: this.#writable });
    } catch (error) {
      throw openError(path, error);
    }
    try {
      const info = this.#file.statSync();
      if (info.isDirectory) throw new ImageError(`${path} is a folder; an image file is needed`);
      // A block device has no length of its own: its end is where seeking to the end leads.
      this.size = info.isBlockDevice ? this.#file.seekSync(0, Deno.SeekMode.End) : info.size;
    } catch (error) {
      this.#file.close();
      throw error instanceof ImageError ? error : openError(path, error);
    }
  }

  readAt(offset: number, target: Uint8Array): void {
    this.#attempt("read", () => {
      this.#file.seekSync(offset, Deno.SeekMode.Start);
      for (let done = 0; done < target.length;) {
        const count = this.#file.readSync(target.subarray(done));
        if (count === null) throw new Error("it has become shorter");
        done += count;
      }
    });
  }

  writeAt(offset: number, source: Uint8Array): void {
    if (!this.#writable) throw new BlockError(`${this.path} was opened for reading only`);
    this.#attempt("write", () => {
      this.#file.seekSync(offset, Deno.SeekMode.Start);
      for (let done = 0; done < source.length;) done += this.#file.writeSync(source.subarray(done));
    });
  }

  sync(): void {
    if (this.#writable) this.#attempt("flush", () => this.#file.syncDataSync());
  }

  /** Closes the file; reads fail from then on. Closing twice is no error. */
  close(): void {
    if (this.#open) this.#file.close();
    this.#open = false;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #attempt(what: string, action: () => void): void {
    if (!this.#open) throw new BlockError(`cannot ${what} ${this.path}: it has been closed`);
    try {
      action();
    } catch (error) {
      throw new BlockError(`cannot ${what} ${this.path}: ${error instanceof Error ? error.message : error}`);
    }
  }
}

function openError(path: string, error: unknown): ImageError {
  if (error instanceof Deno.errors.NotFound) return new ImageError(`image file not found: ${path}`, { cause: error });
  const reason = error instanceof Error ? error.message : String(error);
  return new ImageError(`cannot open image file ${path}: ${reason}`, { cause: error });
}
