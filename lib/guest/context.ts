/** What the parts of a guest share. */
import type { KeyboardInput, MouseInput, SerialInput } from "../machine/inputs.ts";
import type { Raster, RasterOptions, TextScreen } from "../devices/vga/mod.ts";
import type { DrivenMachine, Driver } from "./driver.ts";
import { checkKeys } from "./nearest.ts";
import { OptionError } from "./errors.ts";
import { type Duration, parseDuration } from "./quantity.ts";

/** How a guest came to its end. */
export interface GuestExit {
  /**
   * `power-off`: by ACPI or APM. `debug-exit`: through the debug-exit port. `shutdown`: a triple fault. `reset`: the guest
   * asked for a reset. The last two only where `onTripleFault` and `onReset` say to stop.
   */
  readonly reason: "power-off" | "debug-exit" | "shutdown" | "reset";
  /** `debug-exit`: the value that the guest wrote. */
  readonly code?: number;
}

/** A machine as the scripting API sees it; the tests of this folder put a small fake in its place. */
export interface GuestMachine extends DrivenMachine {
  readonly keyboard: KeyboardInput;
  readonly mouse: MouseInput;
  readonly serials: readonly SerialInput[];
  readonly exit: GuestExit | undefined;
  /** The mode of the display in words: `"text 80x25"`. */
  readonly displayMode: string;
  /** The characters on the screen, or null in a graphics mode. */
  textScreen(): TextScreen | null;
  /** The picture as it is now. The options say what to do with what blinks. */
  rasterize(options?: RasterOptions): Raster;
}

/** The parts of a guest reach one another through this. */
export interface GuestContext {
  readonly machine: GuestMachine;
  readonly driver: Driver;
  /** Timeout in ns of waits that are not given one. */
  readonly timeout: number;
}

/** Options of everything that waits. */
export interface WaitOptions {
  /** Longest wait, in guest time; the guest's `timeout` option unless given. */
  timeout?: Duration;
  /** Ends the wait; the promise is rejected with the signal's reason. */
  signal?: AbortSignal;
}

/** The names of {@link WaitOptions}. */
export const WAIT_OPTIONS: readonly string[] = ["timeout", "signal"];

/** Throws {@link OptionError} if `options` has a key that is not in `known`. */
export function checkOptions(options: object, known: readonly string[], what: string): void {
  checkKeys(options, known, what, (message) => new OptionError(message));
}

/** The end of a wait that starts now: what {@link Driver.wait} wants to know of the options. */
export function limits(context: GuestContext, options: WaitOptions): { deadline: number; signal?: AbortSignal } {
  const timeout = options.timeout === undefined ? context.timeout : parseDuration(options.timeout, "timeout");
  return { deadline: context.machine.now + timeout, signal: options.signal };
}
