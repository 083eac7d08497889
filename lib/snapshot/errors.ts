/** What can be wrong with a snapshot. */

/**
 * `foreign`: it is no snapshot at all. `newer`: it was written by a later version. `damaged`: it is incomplete or was
 * changed. `parent`: it belongs on top of another snapshot, which was not given. `too-large`: it is larger than the caller allows.
 */
export type SnapshotProblem = "foreign" | "newer" | "damaged" | "parent" | "too-large";

/** A snapshot cannot be read. Nothing has been applied. */
export class SnapshotError extends Error {
  /** Always `"SnapshotError"`. */
  override readonly name = "SnapshotError";
  /** What is wrong. */
  readonly reason: SnapshotProblem;

  /** @param message What was expected, what was found, and what to do. */
  constructor(reason: SnapshotProblem, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}
