/** A line on the terminal that shows how a guest is doing, while something else takes long. */
import type { Guest } from "../guest/guest.ts";
import { formatDuration } from "../guest/quantity.ts";
import { printError } from "./output.ts";

/** Host time in ms between two updates. */
const INTERVAL = 250;

/** The text of the line, cut to `width` columns. Speed is in million instructions per second. */
export function statusText(time: number, speed: number, lastLine: string, width: number): string {
  // What a guest sends must not control the terminal.
  const plain = lastLine.replace(/\p{Cc}/gu, " ");
  return `${formatDuration(time)} | ${speed.toFixed(1)} M instr/s | ${plain}`.slice(0, Math.max(0, width - 1));
}

/** Shows guest time, speed, and the last serial line on stderr, in place. */
export class StatusLine implements Disposable {
  readonly #guest: Guest;
  readonly #stop: () => void;
  #last = { host: performance.now(), instructions: 0 };
  #shown = false;

  constructor(guest: Guest) {
    this.#guest = guest;
    this.#last.instructions = guest.instructions;
    this.#stop = guest.on("progress", ({ time, instructions }) => this.#update(time, instructions));
  }

  #update(time: number, instructions: number): void {
    const host = performance.now(), passed = host - this.#last.host;
    if (passed < INTERVAL) return;
    const speed = (instructions - this.#last.instructions) / passed / 1000;
    this.#last = { host, instructions };
    const lines = this.#guest.serial.lines().filter((line) => line.trim() !== "");
    printError(`\r${statusText(time, speed, lines.at(-1) ?? "", columns())}\x1b[K`);
    this.#shown = true;
  }

  /** Takes the line away. */
  close(): void {
    this.#stop();
    if (this.#shown) printError("\r\x1b[K");
    this.#shown = false;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function columns(): number {
  try {
    return Deno.consoleSize().columns;
  } catch {
    return 80; // stderr is a terminal, stdin and stdout are not
  }
}
