/** What goes wrong while driving a guest. Every class has a stable `name`; the message says what to do. */
export { ImageError } from "../disk/errors.ts";

/** Base of all errors of this library that a script or its user caused or may want to handle. */
export class BootwrightError extends Error {
  /** Always `"BootwrightError"`. */
  override name = "BootwrightError";
}

/** An option, argument or quantity that makes no sense. */
export class OptionError extends BootwrightError {
  /** Always `"OptionError"`. */
  override name = "OptionError";
}

/** A key name or character that the keyboard does not have. */
export class UnknownKeyError extends BootwrightError {
  /** Always `"UnknownKeyError"`. */
  override name = "UnknownKeyError";
}

/** A locator that must match once matched several times. */
export class StrictModeError extends BootwrightError {
  /** Always `"StrictModeError"`. */
  override name = "StrictModeError";
}

/** A snapshot that is damaged, foreign, or does not fit the guest. The guest is as it was. */
export class SnapshotError extends BootwrightError {
  /** Always `"SnapshotError"`. */
  override name = "SnapshotError";
}

/** What the guest showed when something went wrong. */
export interface Evidence {
  /** The screen's lines of text; empty in a graphics mode. */
  readonly screen: string[];
  /** The last lines of each serial line that the guest used. */
  readonly serials: string[][];
  /** Guest time in nanoseconds. */
  readonly time: number;
  /** Instructions retired. */
  readonly instructions: number;
}

/** Base of the errors that end a wait; they carry what the guest showed at that moment. */
export class GuestError extends BootwrightError {
  /** Always `"GuestError"`. */
  override name = "GuestError";
  /** What the guest showed. */
  readonly evidence: Evidence;

  /** `summary` is the one line that says what happened; the evidence is appended to the message. */
  constructor(readonly summary: string, evidence: Evidence) {
    super(`${summary}\n${formatEvidence(evidence)}`);
    this.evidence = evidence;
  }
}

/** A wait took longer than its timeout, in guest time, or than the watchdog allows, in host time. */
export class TimeoutError extends GuestError {
  /** Always `"TimeoutError"`. */
  override name = "TimeoutError";
}

/** The guest ended (powered off, exited, crashed) while something waited for it. */
export class GuestExitedError extends GuestError {
  /** Always `"GuestExitedError"`. */
  override name = "GuestExitedError";
}

/** The guest showed something that the script declared fatal with `failOn`. */
export class FailOnError extends GuestError {
  /** Always `"FailOnError"`. */
  override name = "FailOnError";
}

/** The screen and the last serial lines in a frame, for messages. */
function formatEvidence(evidence: Evidence): string {
  const out: string[] = [];
  const used = evidence.screen.slice(0, evidence.screen.findLastIndex((line) => line.trim() !== "") + 1);
  if (used.length > 0) out.push("screen:", ...used.map((line) => `  | ${line.trimEnd()}`));
  else out.push("screen: blank or in a graphics mode");
  evidence.serials.forEach((lines, index) => {
    if (lines.length > 0) out.push(`serial ${index}, last lines:`, ...lines.map((line) => `  | ${line}`));
  });
  return out.join("\n");
}
