/** What the scripts' command lines have in common. */
import { parseArgs, type ParseOptions } from "@std/cli";

/** The command line makes no sense, or what it needs is not there. */
export class UsageError extends Error {
  override name = "UsageError";
}

/** What a script understands. */
export interface CommandLine extends Pick<ParseOptions, "string" | "boolean" | "default"> {
  /** False if there must be no arguments but options (default). */
  readonly positional?: boolean;
  /** How to call the script. */
  readonly usage: string;
}

/**
 * Parses a command line; positional arguments are in `_`. Throws a {@link UsageError} for what the script does not
 * understand.
 */
export function parseCommandLine(
  args: readonly string[],
  { usage, positional = false, string = [], ...options }: CommandLine,
): ReturnType<typeof parseArgs> {
  const unknown: string[] = [];
  const given = parseArgs(args.filter((argument) => argument !== "--"), {
    ...options,
    // Positional arguments stay as they were written.
    string: [...string, "_"],
    unknown: (argument, key) => {
      if (key !== undefined || !positional) unknown.push(argument);
    },
  });
  if (unknown.length > 0) throw new UsageError(`unknown argument ${unknown.join(" ")}\n${usage}`);
  return given;
}

/** The number that an option or argument gives. Throws a {@link UsageError} if it is no whole number from `least` on. */
export function wholeNumber(name: string, text: string, least = 1): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isInteger(value) && value >= least) return value;
  throw new UsageError(`${name}: expected a whole number from ${least}, found ${text}`);
}

/** Runs a script and ends the process with the exit code that it gives: 2 where it throws a {@link UsageError}. */
export async function runScript(main: () => Promise<number>): Promise<never> {
  try {
    Deno.exit(await main());
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(error.message);
    Deno.exit(2);
  }
}
