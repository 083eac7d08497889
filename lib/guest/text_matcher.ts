/** One way of matching text for every channel: the screen, serial lines, terminals. */
import { OptionError } from "./errors.ts";

/** What to look for: a string is searched literally, a regular expression as it is. */
export type TextPattern = string | RegExp;

/** Where a pattern was found. */
export interface TextMatch {
  /** Index of the first character. */
  readonly start: number;
  /** Index after the last character. */
  readonly end: number;
  /** The matched text. */
  readonly text: string;
  /** The capture groups of a regular expression; empty for a string. */
  readonly groups: readonly (string | undefined)[];
}

/** Throws {@link OptionError} for a pattern that would match everywhere. */
export function checkPattern(pattern: TextPattern): void {
  if (pattern === "") throw new OptionError("an empty string matches everywhere: give the text to look for");
}

/** The first place at or after `from` where `pattern` matches, or undefined. */
export function findText(text: string, pattern: TextPattern, from = 0): TextMatch | undefined {
  if (typeof pattern === "string") {
    const start = text.indexOf(pattern, from);
    return start < 0 ? undefined : { start, end: start + pattern.length, text: pattern, groups: [] };
  }
  const searching = new RegExp(pattern.source, pattern.flags.replace("y", "").replace("g", "") + "g");
  searching.lastIndex = from;
  const match = searching.exec(text);
  if (match === null) return undefined;
  return { start: match.index, end: match.index + match[0].length, text: match[0], groups: match.slice(1) };
}

/** All places where `pattern` matches, without overlaps; empty matches do not count. */
export function findAllText(text: string, pattern: TextPattern): TextMatch[] {
  const found: TextMatch[] = [];
  for (let from = 0; from <= text.length;) {
    const match = findText(text, pattern, from);
    if (match === undefined) break;
    if (match.end > match.start) found.push(match);
    from = match.end > from ? match.end : from + 1;
  }
  return found;
}

/** The pattern as it is written in messages. */
export function describePattern(pattern: TextPattern): string {
  return typeof pattern === "string" ? JSON.stringify(pattern) : String(pattern);
}
