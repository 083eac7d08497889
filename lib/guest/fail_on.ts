/** Watches for what a script declared fatal: `guest.failOn(/kernel panic/i)`. */
import type { GuestMachine } from "./context.ts";
import { checkPattern, describePattern, findText, type TextPattern } from "./text_matcher.ts";
import type { TextView } from "./text_view.ts";
import type { Transcript } from "./transcript.ts";

/** Patterns that must not show up. */
export class FailureWatch {
  readonly #patterns = new Set<TextPattern>();
  readonly #machine: Pick<GuestMachine, "now" | "exit">;
  readonly #screen: Pick<TextView, "text" | "interval">;
  readonly #transcripts: readonly Transcript[];
  readonly #lineStarts: number[];
  #failure: string | undefined;
  /** Patterns that a reset or restored screen still shows from before. */
  readonly #stale = new Set<TextPattern>();
  /** Guest time when the screen was last looked at. */
  #lookedAt = -Infinity;

  /** `poke` is called when a serial line has shown a pattern. */
  constructor(
    machine: Pick<GuestMachine, "now" | "exit">,
    screen: Pick<TextView, "text" | "interval">,
    transcripts: readonly Transcript[],
    poke: () => void,
  ) {
    this.#machine = machine;
    this.#screen = screen;
    this.#transcripts = transcripts;
    this.#lineStarts = transcripts.map(() => 0);
    transcripts.forEach((transcript, index) =>
      transcript.listeners.add((byte) => {
        if (byte === 0x0a && this.#patterns.size > 0 && this.#lookAtSerial(index)) poke();
      })
    );
  }

  /** Adds a pattern; returns what takes it back. Serial lines count from now on, the screen as it is. */
  add(pattern: TextPattern): () => void {
    checkPattern(pattern);
    if (this.#patterns.size === 0) this.#transcripts.forEach((t, index) => this.#lineStarts[index] = t.lineStart);
    this.#patterns.add(pattern);
    this.#lookedAt = -Infinity;
    return () => this.#patterns.delete(pattern);
  }

  /** Forgets what was found: the machine was reset or restored. */
  clear(): void {
    this.#failure = undefined;
    this.#stale.clear();
    const text = this.#screen.text();
    for (const pattern of this.#patterns) if (findText(text, pattern) !== undefined) this.#stale.add(pattern);
    this.#transcripts.forEach((transcript, index) => this.#lineStarts[index] = transcript.lineStart);
  }

  /** What was found, in words. */
  look(): string | undefined {
    if (this.#patterns.size === 0) return undefined;
    this.#transcripts.forEach((_, index) => this.#lookAtSerial(index));
    if (this.#failure !== undefined) return this.#failure;
    if (!this.#screenIsDue()) return undefined;
    const text = this.#screen.text();
    for (const pattern of this.#patterns) {
      if (findText(text, pattern) === undefined) this.#stale.delete(pattern);
      else if (!this.#stale.has(pattern)) {
        return this.#failure = `the screen shows ${describePattern(pattern)}, which must not happen`;
      }
    }
    return undefined;
  }

  /** False if the screen was looked at a moment ago and that takes long, unless it is the last one. */
  #screenIsDue(): boolean {
    const { now, exit } = this.#machine, passed = now - this.#lookedAt;
    if (passed >= 0 && passed < this.#screen.interval && exit === undefined) return false;
    this.#lookedAt = now;
    return true;
  }

  #lookAtSerial(index: number): boolean {
    const transcript = this.#transcripts[index];
    const lines = transcript.textFrom(this.#lineStarts[index]);
    this.#lineStarts[index] = transcript.lineStart;
    for (const pattern of this.#patterns) {
      const match = findText(lines, pattern);
      if (match === undefined) continue;
      const line = lines.slice(lines.lastIndexOf("\n", match.start - 1) + 1).split("\n")[0];
      this.#failure ??= `serial ${index} shows ${describePattern(pattern)}, which must not happen: ${line}`;
      return true;
    }
    return false;
  }
}
