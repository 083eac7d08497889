/** Runs benchmarks and takes their times between the marker lines. */
import type { Command, Contestant, Images } from "./bench_contestants.ts";
import { LineStamper, type Marker, marker } from "./bench_lines.ts";
import { processTime } from "./process_time.ts";

/** How a benchmark went: its time, or what kept it from having one. */
export type Outcome = { readonly milliseconds: number } | { readonly problem: string };

/** What is measured: the host's time, or the processor time of the process with all its threads and children. */
export type TimeSource = "host" | "processor";

/** How tests are run. */
export interface Conduct {
  /** Amount of work in per cent. */
  readonly scale: number;
  readonly time: TimeSource;
  readonly limits: Limits;
  /** Ends what runs. */
  readonly signal: AbortSignal;
}

/** Limits in seconds of host time. */
export interface Limits {
  /** From the start of a process to its first marker, and the longest silence between tests. */
  readonly boot: number;
  /** For one test. */
  readonly test: number;
}

/** Says the same to all guests that run benchmarks: nothing on the console but the markers. */
const COMMAND_LINE = "console=ttyS0 quiet cryptomgr.notests";

/** A process whose output is read as it comes, with a limit on how long it may say nothing that counts. */
class Watched {
  readonly #child: Deno.ChildProcess;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #signal: AbortSignal;
  /** True once the limit has passed. */
  expired = false;

  constructor({ command, args, env, stdin = "null" }: Command, signal: AbortSignal) {
    this.#child = new Deno.Command(command, {
      args: [...args],
      env,
      stdin,
      stdout: "piped",
      stderr: "null",
    }).spawn();
    this.#signal = signal;
    signal.addEventListener("abort", this.#kill);
  }

  /** Begins to wait again: from now, `seconds` may pass. */
  allow(seconds: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.expired = true;
      this.#kill();
    }, seconds * 1000);
  }

  /** The time in ms, from an unknown beginning. */
  now(source: TimeSource): number {
    return source === "host" ? performance.now() : processTime(this.#child.pid);
  }

  /** Lets a process go on that waits on its standard input. */
  async release(): Promise<void> {
    const writer = this.#child.stdin.getWriter();
    await writer.write(Uint8Array.of(10));
    writer.releaseLock();
  }

  /** Its output, piece by piece. */
  async *output(): AsyncGenerator<string> {
    for await (const text of this.#child.stdout.pipeThrough(new TextDecoderStream())) yield text;
  }

  /** Ends it, if it has not ended by itself. */
  async end(): Promise<void> {
    clearTimeout(this.#timer);
    this.#signal.removeEventListener("abort", this.#kill);
    this.#kill();
    await this.#child.status;
  }

  readonly #kill = () => {
    try {
      this.#child.kill("SIGKILL");
    } catch (error) {
      // It has ended by itself.
      if (!(error instanceof TypeError)) throw error;
    }
  };
}

/** Takes the markers of one process one after the other, and makes outcomes of them. */
export class Scorer {
  /** One for each of the tests, in their order, as far as they have ended. */
  readonly outcomes: (Outcome | undefined)[];
  /** Which test runs: its place among the tests, or null. */
  running: number | null = null;
  /** Place of the first test that may still begin. */
  next = 0;
  #begun = 0;
  #error: string | null = null;

  constructor(private readonly tests: readonly string[]) {
    this.outcomes = tests.map(() => undefined);
  }

  /** True once the last test has ended. */
  get complete(): boolean {
    return this.running === null && this.next === this.tests.length;
  }

  /** Takes a marker that came at a time in ms. */
  take(said: Marker, at: number): void {
    if (said.kind === "error") this.#error = said.what;
    if (said.kind === "begin") {
      this.abandon("ended without a result");
      const place = this.tests.indexOf(said.test, this.next);
      if (place < 0) return;
      this.running = place;
      this.next = place + 1;
      this.#begun = at;
    }
    if (said.kind !== "end" || this.running === null || said.test !== this.tests[this.running]) return;
    this.outcomes[this.running] = said.right
      ? { milliseconds: at - this.#begun }
      : { problem: `FAIL (${said.checksum})` };
    this.running = null;
  }

  /** The running test, if any, comes to nothing. */
  abandon(problem: string): void {
    if (this.running !== null) this.outcomes[this.running] = { problem: this.#error ?? problem };
    this.running = null;
    this.#error = null;
  }
}

/** Runs one process to its last marker, to its end or to a limit. */
async function score(
  command: Command,
  { time, limits, signal }: Conduct,
  scorer: Scorer,
): Promise<{ done: boolean; expired: boolean }> {
  const process = new Watched(command, signal), stamper = new LineStamper();
  let done = false;
  process.allow(limits.boot);
  reading: for await (const text of process.output()) {
    const now = process.now(time);
    for (const line of stamper.push(text, now)) {
      const said = marker(line.text);
      if (said === null) continue;
      scorer.take(said, line.at);
      if (command.stdin === "piped" && said.kind === "begin") await process.release();
      process.allow(scorer.running === null ? limits.boot : limits.test);
      done = said.kind === "done" || scorer.complete;
      if (done) break reading;
    }
  }
  await process.end();
  scorer.abandon(process.expired ? "timeout" : "crash");
  return { done, expired: process.expired };
}

/**
 * Runs tests in a guest and returns an outcome for each. There is one boot for all; after a test that takes too long or ends
 * the guest, the ones behind it get another one.
 */
export async function runInGuest(
  contestant: Contestant,
  { kernel, benchmarks }: Images,
  tests: readonly string[],
  conduct: Conduct,
): Promise<Outcome[]> {
  const all: Outcome[] = [];
  while (all.length < tests.length && !conduct.signal.aborted) {
    const pending = tests.slice(all.length), scorer = new Scorer(pending);
    const commandLine = `${COMMAND_LINE} benchscale=${conduct.scale} bench=${pending.join(",")}`;
    const { done, expired } = await score(contestant.boot(kernel, benchmarks, commandLine), conduct, scorer);
    // A guest that begins nothing would not do so the next time, either.
    const reached = done || scorer.next === 0 ? pending.length : scorer.next;
    const missing: Outcome = { problem: done ? "no result" : expired ? "no start in time" : "no start" };
    all.push(...scorer.outcomes.slice(0, reached).map((outcome) => outcome ?? missing));
  }
  return all;
}

/** Runs tests as programs of the host and returns an outcome for each. */
export async function runNatively(
  { programs }: Images,
  tests: readonly string[],
  conduct: Conduct,
): Promise<Outcome[]> {
  const all: Outcome[] = [];
  // The processor time must be that at the marker, and not that at which somebody looks.
  const held = conduct.time === "host" ? { args: [] } : { args: ["hold"], stdin: "piped" as const };
  for (const test of tests) {
    if (conduct.signal.aborted) break;
    const scorer = new Scorer([test]);
    const args = [String(conduct.scale), ...held.args];
    await score({ ...held, command: `${programs}/${test}`, args }, conduct, scorer);
    all.push(scorer.outcomes[0] ?? { problem: "no result" });
  }
  return all;
}

/** The time from the start of the process to the login prompt. */
export async function boot(
  contestant: Contestant,
  { kernel, login }: Images,
  { time, limits, signal }: Conduct,
): Promise<Outcome> {
  const process = new Watched(contestant.boot(kernel, login, "console=ttyS0"), signal);
  const start = process.now(time);
  let tail = "", outcome: Outcome | null = null;
  process.allow(limits.boot);
  for await (const text of process.output()) {
    tail = (tail + text).slice(-4096);
    if (!tail.includes("login:")) continue;
    outcome = { milliseconds: process.now(time) - start };
    break;
  }
  await process.end();
  return outcome ?? { problem: process.expired ? "timeout" : "crash" };
}
