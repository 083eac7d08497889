/** Everything that the guest has sent on a serial line: as bytes, and as the text that a person would read. */
import type { SerialBackend } from "../machine/types.ts";
import { findText, type TextMatch, type TextPattern } from "./text_matcher.ts";

/** Bytes that are kept; when there are more, the older half is forgotten. */
const KEPT_BYTES = 1 << 24;

/** Where the transcript is in an escape sequence (ECMA-48). */
const Escape = { NONE: 0, ESC: 1, CSI: 2, STRING: 3, STRING_ESC: 4, CHARSET: 5 } as const;

/** What a snapshot keeps of a {@link Transcript}. */
export interface TranscriptState {
  readonly bytes: Uint8Array;
  readonly cursor: number;
}

/** The far end of a serial line. */
export class Transcript implements SerialBackend {
  /** Called after each byte. */
  readonly listeners: Set<(byte: number) => void> = new Set();
  /** Grows by one whenever {@link load} replaced everything. */
  generation = 0;
  #bytes = new Uint8Array(4096);
  #length = 0;
  #forgotten = 0;
  #complete = "";
  #line = "";
  #cursor = 0;
  #escape: number = Escape.NONE;
  #partial: number[] = [];

  transmit(byte: number): void {
    this.#keep(byte);
    this.#read(byte);
    for (const listener of this.listeners) listener(byte);
  }

  /**
   * The text received so far: UTF-8, escape sequences of terminals left out, line ends as `\n`. Of a line that sends
   * very much the start is forgotten.
   */
  get text(): string {
    return this.#complete + this.#line;
  }

  /** {@link text} from a position on, without a copy of all of it. */
  textFrom(position: number): string {
    const inLine = position - this.#complete.length;
    return inLine < 0 ? this.#complete.slice(position) + this.#line : this.#line.slice(inLine);
  }

  /** Start of the line that is being received, in {@link text}. */
  get lineStart(): number {
    return this.#complete.length;
  }

  /** The position in {@link text} up to which waits have consumed it. */
  get cursor(): number {
    return Math.min(this.#cursor, this.#complete.length + this.#line.length);
  }

  set cursor(position: number) {
    this.#cursor = position;
  }

  /** Number of bytes received since the beginning. */
  get received(): number {
    return this.#forgotten + this.#length;
  }

  /** The bytes from number `from` on, as far as they are still kept. */
  bytesSince(from: number): Uint8Array {
    return this.#bytes.slice(Math.max(0, from - this.#forgotten), this.#length);
  }

  /**
   * Looks for `pattern` in what no wait has consumed yet. With `lastLine` only matches that start in the line that is
   * being received count: what to look at after each byte.
   */
  find(pattern: TextPattern, lastLine = false): TextMatch | undefined {
    const { cursor, lineStart } = this;
    const unread = this.textFrom(cursor);
    const match = findText(unread, pattern, lastLine ? Math.max(0, lineStart - cursor) : 0);
    return match && { ...match, start: match.start + cursor, end: match.end + cursor };
  }

  /** What a snapshot keeps. */
  save(): TranscriptState {
    return { bytes: this.#bytes.slice(0, this.#length), cursor: this.cursor };
  }

  /** Goes back to what {@link save} returned. */
  load(state: TranscriptState): void {
    this.generation++;
    this.#length = this.#forgotten = 0;
    this.#complete = this.#line = "";
    this.#escape = Escape.NONE;
    this.#partial = [];
    for (const byte of state.bytes) {
      this.#keep(byte);
      this.#read(byte);
    }
    this.#cursor = state.cursor;
  }

  #keep(byte: number): void {
    if (this.#length === KEPT_BYTES) {
      this.#bytes.copyWithin(0, KEPT_BYTES / 2);
      this.#length -= KEPT_BYTES / 2;
      this.#forgotten += KEPT_BYTES / 2;
      const dropped = this.#complete.length >>> 1;
      this.#complete = this.#complete.slice(dropped);
      this.#cursor = Math.max(0, this.#cursor - dropped);
    }
    if (this.#length === this.#bytes.length) {
      const larger = new Uint8Array(2 * this.#length);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes[this.#length++] = byte;
  }

  #read(byte: number): void {
    if (this.#escape !== Escape.NONE) this.#skipEscape(byte);
    else if (byte === 0x1b) this.#escape = Escape.ESC;
    else if (byte >= 0x80) this.#readUtf8(byte);
    else {
      this.#endPartial();
      if (byte === 0x0a) {
        this.#complete += this.#line.replace(/\r+$/, "") + "\n";
        this.#line = "";
      } else if (byte === 0x08) {
        this.#line = this.#line.slice(0, -1);
      } else if (byte >= 0x20 && byte !== 0x7f || byte === 0x09 || byte === 0x0d) {
        this.#line += String.fromCharCode(byte);
      }
    }
  }

  #readUtf8(byte: number): void {
    if (byte >= 0xc0) this.#endPartial();
    this.#partial.push(byte);
    const [lead] = this.#partial;
    const wanted = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
    if (this.#partial.length >= wanted) this.#endPartial();
  }

  #endPartial(): void {
    if (this.#partial.length === 0) return;
    this.#line += new TextDecoder().decode(Uint8Array.from(this.#partial));
    this.#partial = [];
  }

  #skipEscape(byte: number): void {
    switch (this.#escape) {
      case Escape.ESC:
        if (byte === 0x5b) this.#escape = Escape.CSI;
        else if (byte === 0x5d || byte === 0x50 || byte === 0x58 || byte === 0x5e || byte === 0x5f) {
          this.#escape = Escape.STRING;
        } else this.#escape = byte >= 0x20 && byte <= 0x2f ? Escape.CHARSET : Escape.NONE;
        return;
      case Escape.CSI:
        if (byte < 0x20 || byte >= 0x40) this.#escape = Escape.NONE;
        return;
      case Escape.STRING:
        if (byte === 0x07) this.#escape = Escape.NONE;
        else if (byte === 0x1b) this.#escape = Escape.STRING_ESC;
        return;
      case Escape.STRING_ESC:
        this.#escape = byte === 0x5c ? Escape.NONE : Escape.STRING;
        return;
      default:
        this.#escape = Escape.NONE;
    }
  }
}
