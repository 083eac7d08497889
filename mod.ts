/**
 * Bootwright runs x86 guests inside Deno and lets a script drive them: boot an image, watch the screen and the serial
 * lines, type, take screenshots, snapshot and restore.
 *
 * @example Boot FreeDOS and ask it for its version
 * ```ts
 * import { expect, Guest } from "@bootwright/bootwright";
 *
 * await using guest = await Guest.boot({ fda: "freedos.img" });
 * await expect(guest.screen).toContainText("A:\\>");
 * await guest.keyboard.type("ver\n");
 * await guest.screen.getByText("FreeCom version").waitFor();
 * await guest.screen.screenshot({ path: "version.png" });
 * ```
 *
 * @module
 */
export { Guest, type RunOptions, type RunResult } from "./lib/guest/guest.ts";
export type { Drive } from "./lib/guest/settings.ts";
export type { FileInput, GuestOptions, ImageInput, ImageOptions } from "./lib/guest/options.ts";
export type { GuestExit, WaitOptions } from "./lib/guest/context.ts";
export type { GuestEvents } from "./lib/guest/events.ts";
export type { Duration, Size } from "./lib/guest/quantity.ts";
export type { TextMatch, TextPattern } from "./lib/guest/text_matcher.ts";
export { type Cell, type CursorPosition, type StillOptions, type TextGrid, TextView } from "./lib/guest/text_view.ts";
export { type Picture, Screen, type ScreenshotOptions } from "./lib/guest/screen.ts";
export { Locator, type LocatorWaitOptions, type Place } from "./lib/guest/locator.ts";
export { Keyboard, type PressOptions, type TypeOptions } from "./lib/guest/keyboard.ts";
export { Mouse, type MouseButton } from "./lib/guest/mouse.ts";
export { Serial } from "./lib/guest/serial.ts";
export { SerialTerminal, type TerminalSize } from "./lib/guest/terminal.ts";
export { Snapshot } from "./lib/guest/snapshot.ts";
export {
  BootwrightError,
  type Evidence,
  FailOnError,
  GuestError,
  GuestExitedError,
  ImageError,
  OptionError,
  SnapshotError,
  StrictModeError,
  TimeoutError,
  UnknownKeyError,
} from "./lib/guest/errors.ts";
export {
  expect,
  type Expectable,
  Expectation,
  type ExpectedExit,
  type ExpectStillOptions,
} from "./lib/testing/expect.ts";
export type { BootDevice } from "./lib/machine/config.ts";
export type { Tier } from "./lib/cpu/options.ts";
