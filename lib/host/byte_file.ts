/** A file that bytes are appended to as they come: what a printer prints, what a serial line logs. */

const BUFFER = 4096;

/** Collects bytes and writes them in pieces. Needs `--allow-write` for the file; creates it, or empties it. */
export class ByteFile implements Disposable {
  readonly #file: Deno.FsFile;
  readonly #buffer = new Uint8Array(BUFFER);
  #length = 0;
  #open = true;

  constructor(path: string) {
    this.#file = Deno.openSync(path, { write: true, create: true, truncate: true });
  }

  /** Appends one byte. */
  write(byte: number): void {
    this.#buffer[this.#length++] = byte;
    if (this.#length === BUFFER) this.flush();
  }

  /** Hands everything to the file. */
  flush(): void {
    for (let done = 0; done < this.#length;) done += this.#file.writeSync(this.#buffer.subarray(done, this.#length));
    this.#length = 0;
  }

  /** Writes what is left and closes the file. Closing twice is no error. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.flush();
    this.#file.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
