/** A guest: a PC, what is plugged into it, and a script that drives it. */
import { assemble, type Assembly } from "./boot.ts";
import { checkOptions, type GuestContext, type GuestExit, limits, WAIT_OPTIONS, type WaitOptions } from "./context.ts";
import { Driver } from "./driver.ts";
import { loadEmulator } from "./emulator.ts";
import { type Evidence, OptionError } from "./errors.ts";
import { EventHub, type GuestEvents } from "./events.ts";
import { FailureWatch } from "./fail_on.ts";
import { belongsTo } from "./internals.ts";
import { Keyboard } from "./keyboard.ts";
import { Mouse } from "./mouse.ts";
import { DEFAULTS, type GuestOptions, settingsOf } from "./options.ts";
import { type Duration, parseDuration } from "./quantity.ts";
import { Screen } from "./screen.ts";
import { Serial } from "./serial.ts";
import { Snapshot } from "./snapshot.ts";
import type { TextPattern } from "./text_matcher.ts";

/** Options of {@link Guest.run}: one of `for`, `until` and `instructions`, or several, of which the first that is met counts. */
export interface RunOptions {
  /** Runs for this much guest time. */
  for?: Duration;
  /** Runs until this returns true; it is asked every fraction of a millisecond of guest time. */
  until?: () => boolean;
  /** Runs exactly this many instructions. */
  instructions?: number;
  /** Ends the run; the promise is rejected with the signal's reason. */
  signal?: AbortSignal;
}

/** How {@link Guest.run} ended. */
export interface RunResult {
  /** What was met: the option's name, or `"exit"` if the guest ended first. */
  readonly reason: "for" | "until" | "instructions" | "exit";
  /** Guest time that passed, in ms. */
  readonly time: number;
  /** Instructions that retired. */
  readonly instructions: number;
}

/** Lines of a serial line in the message of an error. */
const EVIDENCE_LINES = 15;

/**
 * A guest: a PC that runs an operating system, or anything else, while a script waits for it.
 *
 * Between two waits the guest stands still, so a script that waits for the same things on the same images sees the
 * same guest, bit for bit. `await using` closes it at the end of the block.
 *
 * @example Boot a kernel and log in on the serial line
 * ```ts
 * import { Guest } from "@bootwright/bootwright";
 *
 * await using guest = await Guest.boot({ kernel: "vmlinuz", initrd: "initrd.img", append: "console=ttyS0" });
 * await guest.serial.waitFor(/login: $/);
 * await guest.serial.write("root\n");
 * await guest.serial.waitFor("# ");
 * ```
 */
export class Guest implements AsyncDisposable {
  /** What the guest's display shows. */
  readonly screen: Screen;
  /** The keyboard: typing and pressing keys. */
  readonly keyboard: Keyboard;
  /** The mouse. */
  readonly mouse: Mouse;
  /** The serial lines: COM1 and COM2. */
  readonly serials: readonly Serial[];
  readonly #assembly: Assembly;
  readonly #context: GuestContext;
  readonly #driver: Driver;
  readonly #events: EventHub = new EventHub();
  readonly #failures: FailureWatch;
  readonly #sent: number[];
  #debugSeen = 0;
  #exitSeen = false;

  private constructor(assembly: Assembly, options: GuestOptions) {
    this.#assembly = assembly;
    const { machine, transcripts } = assembly;
    this.#driver = new Driver(machine, {
      evidence: () => this.#evidence(),
      watchdog: parseDuration(options.watchdog ?? DEFAULTS.watchdog, "watchdog") / 1e6,
      prepare: () => this.#prepare(),
      observe: () => this.#observe(),
      realTime: options.realTime,
    });
    const timeout = parseDuration(options.timeout ?? DEFAULTS.timeout, "timeout");
    this.#context = { machine, driver: this.#driver, timeout };
    belongsTo(this, this.#context);
    this.screen = new Screen(this.#context, "the screen");
    this.keyboard = new Keyboard(this.#context, options.layout ?? DEFAULTS.layout);
    this.mouse = new Mouse(this.#context);
    this.serials = transcripts.map((transcript, index) => new Serial(this.#context, index, transcript));
    this.#sent = transcripts.map((transcript) => transcript.received);
    this.#debugSeen = assembly.debug.received;
    this.#failures = new FailureWatch(this.#context.machine, this.screen, transcripts, () => this.#driver.poke());
  }

  /**
   * Switches a new guest on. It stands at its first instruction (or where the snapshot was taken) until something is
   * waited for.
   *
   * Throws {@link OptionError} for an option that does not exist or makes no sense, {@link ImageError} for a file that
   * is missing or is not what it should be, {@link SnapshotError} for a snapshot that does not fit.
   */
  static async boot(options: GuestOptions = {}): Promise<Guest> {
    const settings = await settingsOf(options);
    const assembly = assemble(settings);
    try {
      const guest = new Guest(assembly, options);
      if (settings.snapshot !== undefined) await guest.#load(settings.snapshot);
      return guest;
    } catch (error) {
      assembly.close();
      throw error;
    }
  }

  /** COM1: the first of {@link serials}. */
  get serial(): Serial {
    return this.serials[0];
  }

  /** How the guest ended; undefined while it can run. */
  get exit(): GuestExit | undefined {
    return this.#context.machine.exit;
  }

  /** Guest time since power-on, in ms. */
  get time(): number {
    return this.#context.machine.now / 1e6;
  }

  /** Instructions retired since power-on. */
  get instructions(): number {
    return this.#context.machine.instructions;
  }

  /**
   * Runs the guest for some time, until a condition is true, or for an exact number of instructions; or, without any of
   * them, until it ends. A guest that ends earlier ends the run, too.
   */
  async run(options: RunOptions = {}): Promise<RunResult> {
    checkOptions(options, ["for", "until", "instructions", "signal"], "run");
    const { machine } = this.#context;
    const start = { time: machine.now, instructions: machine.instructions };
    const { instructions, until } = options;
    if (instructions !== undefined && !(Number.isSafeInteger(instructions) && instructions >= 0)) {
      throw new OptionError(`instructions: ${instructions} is not a number of instructions`);
    }
    const limit = start.instructions + (instructions ?? Infinity);
    const reason = await this.#driver.wait<RunResult["reason"]>({
      what: until === undefined ? "the end of the guest" : "the condition of run",
      check: () => until?.() === true ? "until" : undefined,
      deadline: options.for === undefined ? Infinity : start.time + parseDuration(options.for, "for"),
      instructionLimit: limit,
      atLimit: () => machine.instructions >= limit ? "instructions" : "for",
      atExit: () => "exit",
      signal: options.signal,
    });
    return {
      reason,
      time: (machine.now - start.time) / 1e6,
      instructions: machine.instructions - start.instructions,
    };
  }

  /** Runs the guest until it ends, and returns how. */
  async waitForExit(options: WaitOptions = {}): Promise<GuestExit> {
    checkOptions(options, WAIT_OPTIONS, "waitForExit");
    const { machine } = this.#context;
    return await this.#driver.wait<GuestExit>({
      what: "the guest to end",
      check: () => machine.exit,
      ...limits(this.#context, options),
    });
  }

  /** Presses the reset button: the guest boots again. What was received on serial lines stays. */
  reset(): void {
    this.#assembly.reset();
    this.#exitSeen = false;
    this.#failures.clear();
  }

  /**
   * What the processor did so far, as counts by name, for who tunes it: instructions by tier, regions, modules, bytes of
   * WebAssembly, compile time in ms, invalidations, TLB misses, returns of compiled code by reason. No result depends on them;
   * names may change.
   */
  get statistics(): Readonly<Record<string, number>> {
    return this.#assembly.statistics;
  }

  /**
   * A fingerprint of the whole guest: processor, memory, devices, and what was written to its disks. Guests with equal
   * hashes behave alike from here on.
   */
  hash(): string {
    return this.#assembly.hash();
  }

  /**
   * Declares a text fatal: when the screen or a serial line shows it, everything that waits fails with a
   * {@link FailOnError}. Returns a function that takes this back.
   */
  failOn(pattern: TextPattern): () => void {
    return this.#failures.add(pattern);
  }

  /** Calls `handler` for every event `name` of this guest. Returns a function that ends that. */
  on<Name extends keyof GuestEvents>(name: Name, handler: (event: GuestEvents[Name]) => void): () => void {
    return this.#events.on(name, handler);
  }

  /** Everything about the guest at this instruction. The guest is not changed by it. */
  snapshot(): Promise<Snapshot> {
    return new Promise((resolve) => resolve(new Snapshot(this.#assembly.save())));
  }

  /**
   * Puts the guest back to where a snapshot of it, or of a guest of the same configuration, was taken. Throws
   * {@link SnapshotError} if it does not fit; the guest is then as it was.
   */
  restore(snapshot: Snapshot): Promise<void> {
    return new Promise((resolve) => {
      if (!(snapshot instanceof Snapshot)) {
        throw new OptionError("restore takes a Snapshot: Snapshot.open reads a file");
      }
      resolve(this.#load(snapshot));
    });
  }

  /** Switches the guest off and gives its files and memory back. What still waits fails. */
  close(): Promise<void> {
    this.#driver.close();
    this.#assembly.close();
    return Promise.resolve();
  }

  /** {@link close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Loads the terminals' emulator if it is needed. */
  #prepare(): Promise<void> | undefined {
    return this.#assembly.transcripts.some(({ received }) => received > 0) ? loadEmulator() : undefined;
  }

  #load(snapshot: Snapshot): Promise<void> | undefined {
    this.#assembly.load(snapshot.contents);
    this.#sent.forEach((_, index) => this.#sent[index] = this.#assembly.transcripts[index].received);
    this.#debugSeen = this.#assembly.debug.received;
    this.#exitSeen = this.exit !== undefined;
    this.#failures.clear();
    return this.#prepare();
  }

  #evidence(): Evidence {
    const { machine } = this.#context;
    return {
      screen: this.screen.lines(),
      serials: this.serials.map((serial) => serial.text === "" ? [] : serial.lines().slice(-EVIDENCE_LINES)),
      time: machine.now,
      instructions: machine.instructions,
    };
  }

  /** Called after each step: tells observers, and looks for what is fatal. */
  #observe(): string | undefined {
    const { machine } = this.#context, { transcripts, debug } = this.#assembly;
    transcripts.forEach((transcript, line) => {
      const from = this.#sent[line];
      this.#sent[line] = transcript.received;
      if (transcript.received > from && this.#events.has("serial")) {
        this.#events.emit("serial", { line, bytes: transcript.bytesSince(from) });
      }
    });
    if (debug.received > this.#debugSeen) {
      this.#events.emit("debug", { bytes: debug.bytesSince(this.#debugSeen) });
      this.#debugSeen = debug.received;
    }
    this.#events.emit("progress", { time: machine.now, instructions: machine.instructions });
    if (machine.exit !== undefined && !this.#exitSeen) {
      this.#exitSeen = true;
      this.#events.emit("exit", machine.exit);
    }
    return this.#failures.look();
  }
}
