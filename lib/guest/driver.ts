/**
 * Runs the machine while somebody waits for it, and only then.
 *
 * Every wait is a condition with a deadline in guest time. The machine runs in steps that are bounded in instructions
 * and guest time, or cut short by the machine itself (a byte on a serial line that somebody watches, a power-off);
 * after each step the conditions are looked at. Steps do not depend on the host, so a script that waits for the same
 * things sees the same machine every time. How often the host's event loop gets a turn does depend on the host's
 * speed, and has no influence on the guest.
 */
import { BootwrightError, type Evidence, FailOnError, GuestExitedError, TimeoutError } from "./errors.ts";
import { hostTurn } from "./host_turn.ts";
import { formatDuration } from "./quantity.ts";

/** The part of a machine that a {@link Driver} needs. */
export interface DrivenMachine {
  /** Guest time in nanoseconds. */
  readonly now: number;
  /** Instructions retired since power-on. */
  readonly instructions: number;
  /** Why the machine has ended, as a sentence part such as `"powered off"`; undefined while it can run. */
  readonly ended: string | undefined;
  /**
   * Runs until `instructions` have retired, guest time `until` (ns) has come, {@link requestStop} was called, or the
   * machine has ended. Returns false if the guest halted with nothing left that could wake it before `until`.
   */
  run(instructions: number, until: number): boolean;
  /** Makes {@link run} return after the instruction that is executing. */
  requestStop(): void;
}

/** One thing to wait for. */
export interface Wait<T> {
  /** What is waited for, for messages: `'"login:" on serial 0'`. */
  readonly what: string;
  /** The result as soon as the condition is true; undefined until then. An error ends the wait. */
  check(): T | undefined;
  /** Brings what {@link check} looks at up to date where that takes promises. */
  prepare?(): Promise<void>;
  /** Most instructions between two looks at the condition, where that should be fewer than usual. */
  readonly step?: number;
  /** Guest time in ns for which the condition need not be looked at again, unless the wait would end; default: none. */
  interval?(): number;
  /** Guest time in ns at which the wait ends. */
  readonly deadline: number;
  /** Instruction count at which the wait ends. */
  readonly instructionLimit?: number;
  /** The result when the deadline or the limit is reached; without it that is a {@link TimeoutError}. */
  atLimit?(): T;
  /** The result when the guest ends first; without it that is a {@link GuestExitedError}. */
  atExit?(): T;
  /** Ends the wait with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** A wait as the driver keeps it. */
interface Entry {
  readonly wait: Wait<unknown>;
  readonly started: { guest: number; host: number };
  /** Guest time when the condition was last looked at. */
  looked: number;
  resolve(value: unknown): void;
  reject(reason: unknown): void;
}

/** Most instructions between two looks at the conditions. */
const STEP_INSTRUCTIONS = 250_000;
/** Most guest time in ns between two looks at the conditions; what bounds the steps of an idle guest. */
const STEP_TIME = 10e6;
/** Host time in ms after which the event loop gets a turn. */
const SLICE_HOST_MS = 5;

/**
 * Keeps guest time from running ahead of the host's, for people at a console. A guest that falls behind does not catch
 * up.
 */
class Pace {
  #start = { guest: 0, host: -Infinity };

  /** Host time in ms to wait before the guest, which shows `now` (ns), may go on. */
  delay(now: number): number {
    const host = performance.now();
    const ahead = (now - this.#start.guest) / 1e6 - (host - this.#start.host);
    if (ahead > -PACE_TOLERANCE) return Math.max(0, ahead);
    this.#start = { guest: now, host };
    return 0;
  }
}

/** Host time in ms by which a paced guest may fall behind and catch up. */
const PACE_TOLERANCE = 50;
/** Longest sleep in ms of a paced guest: what is typed meanwhile waits as long. */
const PACE_SLEEP = 10;

/** What a {@link Driver} is told at the start. */
export interface DriverOptions {
  /** Collects what goes into the messages of errors. */
  readonly evidence: () => Evidence;
  /** Host time in ms that one wait may take; `Infinity` for no limit. */
  readonly watchdog: number;
  /** Called after each step, before anything else is: a promise is waited for. */
  readonly prepare?: () => Promise<void> | undefined;
  /** Called after each step and before conditions are checked; a text it returns ends all waits with a {@link FailOnError}. */
  readonly observe?: () => string | undefined;
  /** Keeps guest time from running ahead of the host's. Default false. */
  readonly realTime?: boolean;
}

/** Runs one machine for all who wait for it. */
export class Driver {
  #entries: Entry[] = [];
  #running = false;
  #closed = false;
  /** The last step found the guest halted for good. */
  #stuck = false;
  readonly #pace = new Pace();

  constructor(private readonly machine: DrivenMachine, private readonly options: DriverOptions) {}

  /** True while somebody waits, that is, while the guest runs. */
  get busy(): boolean {
    return this.#entries.length > 0;
  }

  /** Looks at the conditions as soon as the instruction that is executing has finished. */
  poke(): void {
    if (this.busy) this.machine.requestStop();
  }

  /** Runs the guest until `wait` is over. */
  wait<T>(wait: Wait<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#closed) return reject(new BootwrightError("the guest was closed"));
      if (wait.signal?.aborted) return reject(wait.signal.reason);
      const onAbort = () => this.#remove(entry, () => entry.reject(wait.signal?.reason));
      const finish = () => wait.signal?.removeEventListener("abort", onAbort);
      const entry: Entry = {
        wait,
        started: { guest: this.machine.now, host: performance.now() },
        looked: -Infinity,
        resolve: (value) => (finish(), resolve(value as T)),
        reject: (reason) => (finish(), reject(reason)),
      };
      wait.signal?.addEventListener("abort", onAbort);
      this.#entries.push(entry);
      this.#stuck = false; // Who waits may have sent the guest something.
      if (!this.#running) {
        this.#running = true;
        this.#loop();
      }
    });
  }

  /** Ends all waits; further ones fail. */
  close(): void {
    this.#closed = true;
    this.#rejectAll(() => new BootwrightError("the guest was closed while something waited for it"));
  }

  #remove(entry: Entry, then: () => void): void {
    const index = this.#entries.indexOf(entry);
    if (index < 0) return;
    this.#entries.splice(index, 1);
    then();
  }

  #rejectAll(reason: (entry: Entry) => unknown): void {
    const entries = this.#entries;
    this.#entries = [];
    for (const entry of entries) entry.reject(reason(entry));
  }

  async #loop(): Promise<void> {
    try {
      // What the script starts in the same turn (Promise.all) is waited for from the same instruction on.
      await hostTurn();
      let turn = performance.now();
      while (this.#entries.length > 0) {
        const preparation = this.options.prepare?.();
        if (preparation !== undefined) await preparation;
        for (const { wait } of [...this.#entries]) await wait.prepare?.();
        if (this.#settle()) {
          await hostTurn();
          turn = performance.now();
          continue;
        }
        if (this.options.realTime === true && await this.#waitForHost()) continue;
        this.#step();
        if (performance.now() - turn >= SLICE_HOST_MS) {
          this.#checkWatchdog();
          await hostTurn();
          turn = performance.now();
        }
      }
    } catch (error) {
      this.#rejectAll(() => error);
    } finally {
      this.#running = false;
    }
  }

  /** Ends the waits that are over. True if there were any. */
  #settle(): boolean {
    const failure = this.options.observe?.();
    if (failure !== undefined) {
      this.#rejectAll(() => new FailOnError(failure, this.options.evidence()));
      return true;
    }
    const before = this.#entries.length;
    for (const entry of [...this.#entries]) {
      try {
        const result = this.#outcome(entry);
        if (result !== undefined) this.#remove(entry, () => entry.resolve(result.value));
      } catch (error) {
        this.#remove(entry, () => entry.reject(error));
      }
    }
    return this.#entries.length !== before;
  }

  /** How a wait ended; undefined if it goes on. */
  #outcome(entry: Entry): { value: unknown } | undefined {
    const { wait, started } = entry, { machine } = this;
    const late = machine.now >= wait.deadline || machine.instructions >= (wait.instructionLimit ?? Infinity);
    const passed = machine.now - entry.looked, last = late || machine.ended !== undefined || this.#stuck;
    if (!last && passed >= 0 && passed < (wait.interval?.() ?? 0)) return undefined;
    entry.looked = machine.now;
    const value = wait.check();
    if (value !== undefined) return { value };
    if (machine.ended !== undefined) {
      if (wait.atExit !== undefined) return { value: wait.atExit() };
      throw new GuestExitedError(`the guest ${machine.ended} while waiting for ${wait.what}`, this.options.evidence());
    }
    if (late) {
      if (wait.atLimit !== undefined) return { value: wait.atLimit() };
      const waited = formatDuration(machine.now - started.guest);
      throw new TimeoutError(`waited ${waited} of guest time for ${wait.what}`, this.options.evidence());
    }
    if (this.#stuck && wait.deadline === Infinity) {
      throw new GuestExitedError(
        `the guest halted for good, nothing can wake it, while waiting for ${wait.what}`,
        this.options.evidence(),
      );
    }
    return undefined;
  }

  #step(): void {
    const { machine } = this;
    let instructions = STEP_INSTRUCTIONS, deadline = Infinity;
    for (const { wait } of this.#entries) {
      const left = (wait.instructionLimit ?? Infinity) - machine.instructions;
      instructions = Math.min(instructions, left, wait.step ?? Infinity);
      deadline = Math.min(deadline, wait.deadline);
    }
    // In a guest that nothing can wake, nothing changes before the first deadline.
    const jump = this.#stuck && deadline !== Infinity;
    this.#stuck = !machine.run(instructions, jump ? deadline : Math.min(deadline, machine.now + STEP_TIME));
  }

  /** Lets the host's clock catch up with the guest's a little; false if there is no need. */
  async #waitForHost(): Promise<boolean> {
    const delay = this.#pace.delay(this.machine.now);
    if (delay < 1) return false;
    await new Promise((resolve) => setTimeout(resolve, Math.min(delay, PACE_SLEEP)));
    return true;
  }

  #checkWatchdog(): void {
    const now = performance.now();
    for (const entry of [...this.#entries]) {
      if (now - entry.started.host < this.options.watchdog) continue;
      const passed = formatDuration(this.machine.now - entry.started.guest);
      const message =
        `waited ${formatDuration((now - entry.started.host) * 1e6)} of host time (${passed} of guest time) ` +
        `for ${entry.wait.what}; raise the watchdog option if the guest needs longer`;
      this.#remove(entry, () => entry.reject(new TimeoutError(message, this.options.evidence())));
    }
  }
}
