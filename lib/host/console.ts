/** The terminal of the host as the far end of a serial line. */

/** The key that starts a command to the console itself: Ctrl-A, as in QEMU and screen. */
const ESCAPE = 0x01;

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** What {@link ConsoleInput} finds in what was typed. */
export type ConsoleCommand =
  /** Bytes for the guest. */
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  | { readonly kind: "quit" | "help" | "reset" };

/** Help on the commands of the console. */
export const CONSOLE_HELP =
  "\r\nCtrl-A x  quit    Ctrl-A r  reset the guest    Ctrl-A Ctrl-A  send Ctrl-A    Ctrl-A h  this help\r\n";

/** Splits what is typed on a raw terminal into bytes for the guest and commands to the console. */
export class ConsoleInput {
  #escaped = false;

  /** The bytes and commands in `typed`, in order. */
  take(typed: Uint8Array): ConsoleCommand[] {
    const commands: ConsoleCommand[] = [];
    let bytes: number[] = [];
    const send = () => {
      if (bytes.length > 0) commands.push({ kind: "bytes", bytes: Uint8Array.from(bytes) });
      bytes = [];
    };
    for (const byte of typed) {
      if (!this.#escaped) {
        if (byte === ESCAPE) this.#escaped = true;
        else bytes.push(byte);
        continue;
      }
      this.#escaped = false;
      if (byte === ESCAPE) {
        bytes.push(ESCAPE);
        continue;
      }
      const command = COMMANDS[String.fromCharCode(byte).toLowerCase()];
      if (command === undefined) continue;
      send();
      commands.push({ kind: command });
    }
    send();
    return commands;
  }
}

const COMMANDS: Record<string, "quit" | "help" | "reset"> = { x: "quit", h: "help", "?": "help", r: "reset" };

/**
 * Standard input and output as a serial line. On a terminal, input is raw while this is open: every key goes to the
 * guest, except after Ctrl-A. Piped input goes to the guest as it is.
 */
export class StdioConsole implements Disposable {
  readonly #raw: boolean;
  readonly #input = new ConsoleInput();
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  /** The guest has left the cursor within a line. */
  #lineOpen = false;

  constructor() {
    this.#raw = Deno.stdin.isTerminal();
    if (this.#raw) Deno.stdin.setRaw(true);
  }

  /** Calls `handle` for everything that is typed or piped in, until {@link close} or the end of the input. */
  async listen(handle: (command: ConsoleCommand) => void): Promise<void> {
    this.#reader = Deno.stdin.readable.getReader();
    for (;;) {
      const { done, value } = await this.#reader.read();
      if (done) return;
      for (const command of this.#raw ? this.#input.take(value) : [{ kind: "bytes", bytes: value } as const]) {
        handle(command);
      }
    }
  }

  /** Shows bytes that the guest sent. */
  show(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length;) done += Deno.stdout.writeSync(bytes.subarray(done));
    if (bytes.length > 0) this.#lineOpen = bytes[bytes.length - 1] !== LINE_FEED;
  }

  /** Gives the terminal back as it was, at the start of a line. */
  close(): void {
    if (this.#raw && this.#lineOpen) this.show(Uint8Array.of(CARRIAGE_RETURN, LINE_FEED));
    if (this.#raw) Deno.stdin.setRaw(false);
    this.#reader?.cancel().catch(() => undefined);
    this.#reader = undefined;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
