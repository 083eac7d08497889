/** The command `run`. */
import { OptionError } from "../guest/errors.ts";
import { Guest } from "../guest/guest.ts";
import { formatDuration, parseDuration } from "../guest/quantity.ts";
import { ByteFile } from "../host/byte_file.ts";
import { CONSOLE_HELP, StdioConsole } from "../host/console.ts";
import { ExitCode } from "./exit_codes.ts";
import { parseRun, RUN_HELP, type RunPlan, type SerialTarget, type Step } from "./run_options.ts";
import { StatusLine } from "./status_line.ts";
import { print, printError } from "./output.ts";

/** Guest time in ns that a condition may take when `--timeout` does not say how long. */
const CONDITION_TIMEOUT = 60e9;

/** Runs a machine as `args` say. Returns the exit code; errors are thrown. */
export async function run(args: readonly string[], signal: AbortSignal): Promise<number> {
  const plan = parseRun(args);
  if (plan.help) {
    print(RUN_HELP);
    return ExitCode.OK;
  }
  const started = performance.now();
  using resources = new DisposableStack();
  const quit = new AbortController();
  const stop = AbortSignal.any([signal, quit.signal]);
  await using guest = await Guest.boot({ ...plan.options, signal: stop, realTime: isConsole(plan.serials) });
  for (const pattern of plan.failOn) guest.failOn(pattern);
  connectSerials(guest, plan.serials, resources, () => quit.abort(new Quit()));
  const guestHasTerminal = plan.serials.some(({ kind }) => kind === "stdio") && Deno.stdout.isTerminal();
  if (Deno.stderr.isTerminal() && !guestHasTerminal) resources.use(new StatusLine(guest));
  const begin = { time: guest.time, instructions: guest.instructions };
  try {
    await follow(guest, plan, stop);
  } catch (error) {
    if (!(error instanceof Quit)) throw error;
  } finally {
    resources.dispose();
    await report(guest, plan, { ...begin, host: started });
  }
  if (guest.exit?.reason === "shutdown") {
    printError("bootwright: the guest crashed with a triple fault\n");
    return ExitCode.GUEST_ENDED;
  }
  const code = guest.exit?.code ?? 0;
  return code === 0 ? ExitCode.OK : ExitCode.GUEST_CODE + code % 64;
}

/** The user left the console. */
class Quit extends Error {
  override readonly name = "Quit";
}

/** True if a person sits at a serial line: then the guest's time should be the person's. */
function isConsole(targets: readonly SerialTarget[]): boolean {
  return targets.some(({ kind }) => kind === "stdio") && Deno.stdin.isTerminal();
}

/** Connects the serial lines to files, standard input and output. */
function connectSerials(
  guest: Guest,
  targets: readonly SerialTarget[],
  resources: DisposableStack,
  quit: () => void,
): void {
  if (targets.length > guest.serials.length) throw new OptionError(`there are ${guest.serials.length} serial lines`);
  if (targets.filter((target) => target.kind === "stdio").length > 1) {
    throw new OptionError("only one serial line can have stdio");
  }
  targets.forEach((target, line) => {
    if (target.kind === "file") {
      const file = resources.use(new ByteFile(target.path));
      guest.on("serial", (event) => event.line === line && event.bytes.forEach((byte) => file.write(byte)));
    } else if (target.kind === "stdio") {
      const terminal = resources.use(new StdioConsole());
      guest.on("serial", (event) => event.line === line && terminal.show(event.bytes));
      // Ends with the program; what the guest does not read any more is lost, as on a cable.
      terminal.listen((command) => {
        if (command.kind === "bytes") guest.serials[line].write(command.bytes).catch(() => undefined);
        else if (command.kind === "quit") quit();
        else if (command.kind === "reset") guest.reset();
        else terminal.show(new TextEncoder().encode(CONSOLE_HELP));
      }).catch(() => undefined);
    }
  });
}

/** Does the steps of the plan; without any, runs until the guest ends or time is up. */
async function follow(guest: Guest, plan: RunPlan, signal: AbortSignal): Promise<void> {
  const end = plan.timeout === undefined ? undefined : guest.time * 1e6 + plan.timeout;
  for (const step of plan.steps) {
    const left = end === undefined ? conditionTimeout(step) : Math.max(0, end - guest.time * 1e6);
    await take(guest, step, { timeout: left / 1e6, signal });
  }
  if (plan.steps.length === 0) await guest.run({ ...(end === undefined ? {} : { for: plan.timeout! / 1e6 }), signal });
}

/** Time that a step may take when there is no `--timeout`. */
function conditionTimeout(step: Step): number {
  return step.kind === "wait" ? Infinity : CONDITION_TIMEOUT;
}

async function take(guest: Guest, step: Step, options: { timeout: number; signal: AbortSignal }): Promise<void> {
  switch (step.kind) {
    case "until-serial":
      await guest.serial.waitFor(step.pattern, options);
      return;
    case "until-screen":
      await guest.screen.waitForText(step.pattern, options);
      return;
    case "until-exit":
      await guest.waitForExit(options);
      return;
    case "wait":
      await guest.run({ for: Math.min(parseDuration(step.time) / 1e6, options.timeout), signal: options.signal });
      return;
    case "type":
      await guest.keyboard.type(step.text, options);
      return;
    case "press":
      await guest.keyboard.press(step.keys, options);
      return;
    case "send":
      await guest.serial.write(step.text, options);
  }
}

/** Writes and prints what was asked for. Done after errors, too: then it is needed most. */
async function report(
  guest: Guest,
  plan: RunPlan,
  begin: { readonly time: number; readonly instructions: number; readonly host: number },
): Promise<void> {
  const host = performance.now() - begin.host;
  if (plan.screen) print(guest.screen.text());
  if (plan.screenshot !== undefined) await guest.screen.screenshot({ path: plan.screenshot });
  if (plan.save !== undefined) await (await guest.snapshot()).save(plan.save);
  if (plan.hash) print(guest.hash());
  if (plan.stats) {
    const instructions = guest.instructions - begin.instructions;
    print(
      `${instructions} instructions, ${formatDuration((guest.time - begin.time) * 1e6)} guest time, ` +
        `${formatDuration(host * 1e6)} host time, ${(instructions / host / 1000).toFixed(1)} M instr/s`,
    );
    for (const [name, count] of Object.entries(guest.statistics)) print(`${name}: ${count}`);
  }
}
