/** The command line: commands, Ctrl-C, and errors as one message. */
import { OptionError } from "../guest/errors.ts";
import { suggestion } from "../guest/nearest.ts";
import { disasm } from "./disasm.ts";
import { exec, untilAborted } from "./exec.ts";
import { ExitCode, failureOf } from "./exit_codes.ts";
import { run } from "./run.ts";
import { VERSION } from "./version.ts";
import { print, printError } from "./output.ts";

const HELP = `Bootwright ${VERSION} runs x86 operating systems, driven by a script.

Usage: bootwright COMMAND [OPTION]...

  run       boot a machine, wait for and do things, take screenshots, save it
  exec      run a script that uses the API
  disasm    disassemble machine code

bootwright COMMAND --help says more. --version prints the version.
`;

/** Runs the command line `args` and returns the exit code. Nothing is thrown. */
export async function main(args: readonly string[]): Promise<number> {
  const interrupt = new AbortController();
  const onInterrupt = () => interrupt.abort(new Interrupted());
  Deno.addSignalListener("SIGINT", onInterrupt);
  try {
    return await dispatch(args, interrupt.signal);
  } catch (error) {
    if (error instanceof Interrupted) return ExitCode.INTERRUPTED;
    const { code, message } = failureOf(error);
    printError(`bootwright: ${message}\n`);
    return code;
  } finally {
    Deno.removeSignalListener("SIGINT", onInterrupt);
  }
}

/** Ctrl-C was pressed. */
class Interrupted extends Error {
  override readonly name = "Interrupted";
}

const COMMANDS = ["run", "exec", "disasm"];

async function dispatch(args: readonly string[], signal: AbortSignal): Promise<number> {
  const [command, ...rest] = args;
  switch (command) {
    case "run":
      return await run(rest, signal);
    case "exec":
      return await untilAborted(exec(rest), signal);
    case "disasm":
      return await disasm(rest);
    case "--version":
      print(VERSION);
      return ExitCode.OK;
    case undefined:
      printError(HELP);
      return ExitCode.USAGE;
    case "help":
    case "-h":
    case "--help":
      print(HELP);
      return ExitCode.OK;
  }
  throw new OptionError(`there is no command "${command}"${suggestion(command, COMMANDS)}`);
}
