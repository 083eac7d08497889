/** Exit codes of the command line, and the one line that an error becomes. */
import {
  BootwrightError,
  FailOnError,
  GuestExitedError,
  ImageError,
  OptionError,
  SnapshotError,
  TimeoutError,
  UnknownKeyError,
} from "../guest/errors.ts";
import { FileWriteError } from "../host/atomic_write.ts";
import { StateError } from "../machine/state.ts";

/** What the command line's exit code says. */
export const ExitCode = {
  /** Everything that was asked for happened. */
  OK: 0,
  /** A defect of this program. */
  INTERNAL: 1,
  /** The command line makes no sense. */
  USAGE: 2,
  /** A condition was not met in time. */
  TIMEOUT: 3,
  /** The guest ended or crashed before a condition was met. */
  GUEST_ENDED: 4,
  /** The guest showed what `--fail-on` forbids. */
  FAIL_ON: 5,
  /** A file is missing, unreadable, or not what it should be. */
  FILE: 6,
  /** A script of `exec` failed. */
  SCRIPT: 7,
  /** Added to the guest's own code, modulo 64, when it left by the debug-exit port with a code other than 0. */
  GUEST_CODE: 64,
  /** Ctrl-C. */
  INTERRUPTED: 130,
} as const;

/** A script of `exec` failed with an error that is none of this library's. */
export class ScriptError extends Error {
  override readonly name = "ScriptError";
}

/** True for an error that this library threw, as opposed to one of a script's own. */
export function isOwnError(error: unknown): boolean {
  return [BootwrightError, FileWriteError, ImageError, StateError].some((type) => error instanceof type);
}

/** What to print and return for an error. */
export interface Failure {
  readonly code: number;
  readonly message: string;
}

/** Turns an error into a message without a stack trace and an exit code. */
export function failureOf(error: unknown): Failure {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof OptionError || error instanceof UnknownKeyError) return { code: ExitCode.USAGE, message };
  if (error instanceof TimeoutError) return { code: ExitCode.TIMEOUT, message };
  if (error instanceof GuestExitedError) return { code: ExitCode.GUEST_ENDED, message };
  if (error instanceof FailOnError) return { code: ExitCode.FAIL_ON, message };
  if (error instanceof ScriptError) return { code: ExitCode.SCRIPT, message };
  if (
    error instanceof FileWriteError || error instanceof ImageError || error instanceof SnapshotError ||
    error instanceof StateError
  ) {
    return { code: ExitCode.FILE, message };
  }
  if (error instanceof BootwrightError) return { code: ExitCode.INTERNAL, message };
  if (error instanceof Deno.errors.NotCapable) {
    return { code: ExitCode.FILE, message: `permission is missing: ${message}` };
  }
  if (isHostError(error)) return { code: ExitCode.FILE, message };
  return { code: ExitCode.INTERNAL, message: `internal error: ${message}` };
}

/** True for an error of the host's system, such as a file that is missing or a disk that is full. */
function isHostError(error: unknown): boolean {
  if (Object.values(Deno.errors).some((type) => error instanceof type)) return true;
  // Some are plain errors with the system's name for it.
  return error instanceof Error && "code" in error && /^E[A-Z\d]+$/.test(String(error.code));
}
