/** What a benchmark guest says on its serial line, and when it said it. */

/** A line, with the time at which its first byte came. */
export interface StampedLine {
  readonly text: string;
  /** In the unit of what {@link LineStamper.push} was given. */
  readonly at: number;
}

/**
 * Cuts a stream into lines. A line has the time of its first byte: a guest waits for the rest of a line as long as its serial
 * port pleases, which is not what is measured.
 */
export class LineStamper {
  #text = "";
  #at = 0;

  /** Takes what came at a time, and returns the lines that are complete with it. */
  push(text: string, at: number): StampedLine[] {
    const lines: StampedLine[] = [];
    for (const piece of text.split(/(?<=\n)/)) {
      if (this.#text === "") this.#at = at;
      this.#text += piece;
      if (!piece.endsWith("\n")) continue;
      lines.push({ text: this.#text.replace(/\r?\n$/, ""), at: this.#at });
      this.#text = "";
    }
    return lines;
  }
}

/** What a marker line says. */
export type Marker =
  | { readonly kind: "ready" }
  | { readonly kind: "done" }
  | { readonly kind: "begin"; readonly test: string }
  | { readonly kind: "end"; readonly test: string; readonly checksum: string; readonly right: boolean }
  | { readonly kind: "error"; readonly what: string };

/** The marker in a line, or null if it is another one. Firmware may have left escape sequences before it. */
export function marker(line: string): Marker | null {
  const words = /BENCH (.*)$/.exec(line)?.[1].split(" ");
  if (words === undefined) return null;
  const [first, second, third, fourth] = words;
  if (first === "READY" && words.length === 1) return { kind: "ready" };
  if (first === "DONE" && words.length === 1) return { kind: "done" };
  if (first === "ERROR") return { kind: "error", what: words.slice(1).join(" ") };
  if (second === "BEGIN" && words.length === 2) return { kind: "begin", test: first };
  if (second !== "END" || words.length !== 4 || !/^[0-9a-f]{8}$/.test(third)) return null;
  return fourth === "ok" || fourth === "FAIL"
    ? { kind: "end", test: first, checksum: third, right: fourth === "ok" }
    : null;
}
