/** A serial line of a guest. */
import { checkOptions, type GuestContext, limits, WAIT_OPTIONS, type WaitOptions } from "./context.ts";
import { belongsTo } from "./internals.ts";
import { SerialTerminal, type TerminalSize } from "./terminal.ts";
import { checkPattern, describePattern, type TextMatch, type TextPattern } from "./text_matcher.ts";
import type { Transcript } from "./transcript.ts";

/** One serial line: what the guest sends, and what it is sent. */
export class Serial {
  /** Number of the line: 0 is COM1. */
  readonly index: number;
  readonly #context: GuestContext;
  readonly #transcript: Transcript;
  #terminal: SerialTerminal | undefined;

  /** @internal Made by {@link Guest}, not by scripts. */
  constructor(context: GuestContext, index: number, transcript: Transcript) {
    this.#context = context;
    this.#transcript = transcript;
    this.index = index;
    belongsTo(this, context);
  }

  /** Everything received so far as text: UTF-8 decoded, without terminals' escape sequences, line ends as `\n`. */
  get text(): string {
    return this.#transcript.text;
  }

  /** {@link text} line by line; the last one is the line that is being received. */
  lines(): string[] {
    return this.text.split("\n");
  }

  /** Everything received so far, byte for byte. */
  get bytes(): Uint8Array {
    return this.#transcript.bytesSince(0);
  }

  /** The text that no {@link waitFor} has consumed yet. */
  get unread(): string {
    return this.#transcript.textFrom(this.#transcript.cursor);
  }

  /**
   * Runs the guest until `pattern` has been received, and stops it at the byte that made it so. Everything up to the
   * end of the match is consumed: the next wait looks at what comes after it.
   *
   * An expression is tried on the line that is being received after each byte, and on everything that is not consumed
   * yet at each line end and every fraction of a millisecond; so `/login: $/` matches at the prompt.
   */
  waitFor(pattern: TextPattern, options: WaitOptions = {}): Promise<TextMatch> {
    checkPattern(pattern);
    checkOptions(options, WAIT_OPTIONS, "waitFor");
    const transcript = this.#transcript;
    let found: TextMatch | undefined;
    const look = (byte: number) => {
      found ??= transcript.find(pattern, byte !== 0x0a);
      if (found !== undefined) this.#context.driver.poke();
    };
    let searched: readonly number[] = [];
    // Much may run before anything comes, and what has come may be long.
    const isNew = () => {
      const { received, generation, cursor } = transcript, now = [received, generation, cursor];
      const differs = now.some((value, i) => value !== searched[i]);
      searched = now;
      return differs;
    };
    transcript.listeners.add(look);
    return this.#context.driver.wait<TextMatch>({
      what: `${describePattern(pattern)} on serial ${this.index}`,
      check: () => {
        if (isNew()) found ??= transcript.find(pattern);
        if (found !== undefined) transcript.cursor = found.end;
        return found;
      },
      ...limits(this.#context, options),
    }).finally(() => transcript.listeners.delete(look));
  }

  /**
   * Sends text (as UTF-8) or bytes to the guest, and runs it until it has received them. A line end is what you write:
   * terminals send `\r`, shells take `\n`, too.
   */
  async write(data: string | Uint8Array, options: WaitOptions = {}): Promise<void> {
    checkOptions(options, WAIT_OPTIONS, "write");
    const input = this.#context.machine.serials[this.index];
    input.enqueue(typeof data === "string" ? new TextEncoder().encode(data) : data);
    await this.#context.driver.wait<true>({
      what: `the guest to read what was sent on serial ${this.index}`,
      check: () => input.unread === 0 ? true : undefined,
      ...limits(this.#context, options),
    });
  }

  /**
   * What the guest sends from now on, as it comes. Reading runs the guest until there is something to read; the stream
   * ends when the guest does.
   */
  get readable(): ReadableStream<Uint8Array> {
    const transcript = this.#transcript, { driver } = this.#context;
    let next = transcript.received;
    const cancel = new AbortController();
    return new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        const poke = () => driver.poke();
        transcript.listeners.add(poke);
        try {
          const more = await driver.wait<boolean>({
            what: `output on serial ${this.index}`,
            check: () => transcript.received > next ? true : undefined,
            atExit: () => false,
            deadline: Infinity,
            signal: cancel.signal,
          });
          if (!more) return controller.close();
          controller.enqueue(transcript.bytesSince(next));
          next = transcript.received;
        } finally {
          transcript.listeners.delete(poke);
        }
      },
      cancel: (reason) => cancel.abort(reason),
    }, { highWaterMark: 0 });
  }

  /** The line as an 80×24 terminal shows it; use {@link openTerminal} for another size. */
  get terminal(): SerialTerminal {
    return this.#terminal ??= this.openTerminal();
  }

  /** A terminal of the given size on this line; it shows what was received before, too. */
  openTerminal(size: TerminalSize = {}): SerialTerminal {
    return new SerialTerminal(this.#context, `the terminal on serial ${this.index}`, this.#transcript, size);
  }
}
