/** The command `exec`: runs a script that uses the scripting API. */
// Loaded with the program, so that a script may import it without a permission to read this package.
import "../../mod.ts";
import { toFileUrl } from "./file_url.ts";
import { ExitCode, isOwnError, ScriptError } from "./exit_codes.ts";
import { OptionError } from "../guest/errors.ts";
import { print } from "./output.ts";

/** Help for `exec`. */
const EXEC_HELP = `Usage: bootwright exec SCRIPT [ARGUMENT]...

Runs a TypeScript or JavaScript module; it imports the API from "@bootwright/bootwright".
If it exports a default function, that is called with the arguments, and the number that it returns is the exit code.
The script runs with the permissions that this program was given.
`;

/** Runs the script that `args` name. Returns the exit code; errors of the script are thrown, unhandled ones of its promises, too. */
export async function exec(args: readonly string[]): Promise<number> {
  const [script, ...rest] = args;
  if (script === "--help" || script === "-h") {
    print(EXEC_HELP);
    return ExitCode.OK;
  }
  if (script === undefined) throw new OptionError("exec needs the path of a script");
  if (script.startsWith("-")) throw new OptionError(`exec has no option ${script}: it takes the path of a script`);
  await Deno.stat(script); // a missing file is told as such, not as a module that cannot be loaded
  const url = toFileUrl(script).href;
  const stray = new AbortController();
  const onStray = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    stray.abort(event.reason);
  };
  addEventListener("unhandledrejection", onStray);
  try {
    return await untilAborted(evaluate(url, rest), stray.signal);
  } catch (error) {
    throw isOwnError(error) ? error : new ScriptError(describe(error, url), { cause: error });
  } finally {
    removeEventListener("unhandledrejection", onStray);
  }
}

/** Runs the module and what it exports. Returns the exit code. */
async function evaluate(url: string, args: readonly string[]): Promise<number> {
  const module: { default?: unknown } = await import(url);
  if (typeof module.default !== "function") return ExitCode.OK;
  const result: unknown = await module.default(...args);
  return typeof result === "number" ? result : ExitCode.OK;
}

/**
 * The result of `work`, unless `signal` comes first, whose reason is thrown then. A script cannot be told to stop, it
 * ends with the program.
 */
export function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason));
    work.then(resolve, reject);
  });
}

/** The codes with which Deno colours its messages. */
const COLOUR = /\p{Cc}\[[\d;]*m/gu;

/** The message of a script's error, and where in the script it happened. */
function describe(error: unknown, url: string): string {
  if (!(error instanceof Error)) return `the script threw ${error}`;
  const place = error.stack?.split("\n").map((line) => line.indexOf(url) < 0 ? "" : line.slice(line.indexOf(url)))
    .find((line) => line !== "")?.replace(/\)$/, "");
  return `${error.name}: ${error.message}${place === undefined ? "" : ` (${place})`}`.replace(COLOUR, "");
}
