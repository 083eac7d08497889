/** The command `exec`: runs a script that uses the scripting API. */
import { toFileUrl } from "./file_url.ts";
import { ExitCode } from "./exit_codes.ts";
import { OptionError } from "../guest/errors.ts";
import { print } from "./output.ts";

/** Help for `exec`. */
export const EXEC_HELP = `Usage: bootwright exec SCRIPT [ARGUMENT]...

Runs a TypeScript or JavaScript module; it imports the API from "@bootwright/bootwright".
If it exports a default function, that is called with the arguments, and the number that it returns is the exit code.
The script runs with the permissions that this program was given.
`;

/** Runs the script that `args` name. Returns the exit code; errors of the script are thrown. */
export async function exec(args: readonly string[]): Promise<number> {
  const [script, ...rest] = args;
  if (script === "--help" || script === "-h") {
    print(EXEC_HELP);
    return ExitCode.OK;
  }
  if (script === undefined) throw new OptionError("exec needs the path of a script");
  if (script.startsWith("-")) throw new OptionError(`exec has no option ${script}: it takes the path of a script`);
  await Deno.stat(script); // a missing file is told as such, not as a module that cannot be loaded
  const module: { default?: unknown } = await import(toFileUrl(script).href);
  if (typeof module.default !== "function") return ExitCode.OK;
  const result: unknown = await module.default(...rest);
  return typeof result === "number" ? result : ExitCode.OK;
}
