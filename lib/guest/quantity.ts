/** Sizes and times as people write them. */
import { OptionError } from "./errors.ts";

/** A size: a number of bytes, or a string such as `"64K"`, `"256M"`, `"1.5GiB"`, `"0x7c00"`; the units are powers of 1024. */
export type Size = number | string;

/** A time: a number of milliseconds, or a string such as `"250ms"`, `"90s"`, `"1m30s"`, `"2h"`. */
export type Duration = number | string;

const SIZE_UNITS: Record<string, number> = { "": 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };
const TIME_UNITS: Record<string, number> = { ns: 1, us: 1e3, ms: 1e6, s: 1e9, m: 60e9, min: 60e9, h: 3600e9 };

/** The number of bytes of a {@link Size}. `what` names the value in the {@link OptionError} for a size that makes no sense. */
export function parseSize(size: Size, what = "size"): number {
  if (typeof size === "string" && /^\s*0x[\da-f]+\s*$/i.test(size)) return parseSize(Number(size), what);
  const match = /^\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?\s*$/i.exec(String(size));
  const bytes = match === null ? NaN : Number(match[1]) * SIZE_UNITS[match[2].toUpperCase()];
  if (!Number.isSafeInteger(bytes)) {
    throw new OptionError(`${what}: "${size}" is not a size; write bytes or for example "256M"`);
  }
  return bytes;
}

/**
 * The nanoseconds of a {@link Duration}, rounded to an integer. `what` names the value in the {@link OptionError} for a
 * time that makes no sense.
 */
export function parseDuration(duration: Duration, what = "time"): number {
  const fail = (): never => {
    throw new OptionError(`${what}: "${duration}" is not a time; write milliseconds or for example "90s"`);
  };
  if (typeof duration === "number") {
    return duration >= 0 ? Math.round(duration * 1e6) : fail();
  }
  if (/^\s*\d+(\.\d+)?\s*$/.test(duration)) return Math.round(Number(duration) * 1e6);
  const part = /\s*(\d+(?:\.\d+)?)\s*(ns|us|ms|s|min|m|h)\s*/y;
  let total = 0;
  while (part.lastIndex < duration.length) {
    const match = part.exec(duration) ?? fail();
    total += Number(match[1]) * TIME_UNITS[match[2]];
  }
  return duration === "" ? fail() : Math.round(total);
}

/** Nanoseconds for people: `"1.250 s"`, `"12.3 ms"`. */
export function formatDuration(ns: number): string {
  if (ns >= 60e9) return `${Math.floor(ns / 60e9)} min ${((ns % 60e9) / 1e9).toFixed(1)} s`;
  if (ns >= 1e9) return `${(ns / 1e9).toFixed(3)} s`;
  if (ns >= 1e6) return `${(ns / 1e6).toFixed(3)} ms`;
  return `${ns} ns`;
}
