/** Assertions on guests that run the guest until they hold. */
import { checkOptions, type GuestContext, limits, WAIT_OPTIONS, type WaitOptions } from "../guest/context.ts";
import { OptionError } from "../guest/errors.ts";
import { Guest } from "../guest/guest.ts";
import { contextOf } from "../guest/internals.ts";
import { Locator } from "../guest/locator.ts";
import type { Duration } from "../guest/quantity.ts";
import { Screen } from "../guest/screen.ts";
import { Serial } from "../guest/serial.ts";
import { describePattern, findText, type TextPattern } from "../guest/text_matcher.ts";
import { TextView } from "../guest/text_view.ts";

/** What {@link expect} takes: something that shows text, a place on a screen, or a guest. */
export type Expectable = TextView | Serial | Locator | Guest;

/** How a guest must have ended, for {@link Expectation.toHaveExited}. */
export interface ExpectedExit {
  /** The value that the guest wrote to the debug-exit port. */
  code?: number;
  /** The way in which it ended. */
  reason?: "power-off" | "debug-exit" | "shutdown" | "reset";
}

/** Options of {@link Expectation.toBeStill}. */
export interface ExpectStillOptions extends WaitOptions {
  /** How long nothing may change, in guest time; default `"500ms"`. */
  for?: Duration;
}

/** A condition with the words for it. */
interface Condition {
  /** `"contain "Welcome""`. */
  readonly what: string;
  holds(): boolean;
}

/**
 * Assertions on one thing. Each runs the guest until the assertion holds, and fails with a {@link TimeoutError} that
 * shows the screen and the last serial lines if it does not hold in time.
 */
export class Expectation {
  readonly #subject: Expectable;
  readonly #context: GuestContext;
  readonly #negated: boolean;

  /** @internal Made by {@link expect}. */
  constructor(subject: Expectable, context: GuestContext, negated: boolean) {
    this.#subject = subject;
    this.#context = context;
    this.#negated = negated;
  }

  /** The opposite: waits until the assertion does not hold. */
  get not(): Expectation {
    return new Expectation(this.#subject, this.#context, !this.#negated);
  }

  /** The text of a screen, terminal, serial line or place contains `pattern`. */
  toContainText(pattern: TextPattern, options: WaitOptions = {}): Promise<void> {
    return this.#wait({
      what: `contain ${describePattern(pattern)}`,
      holds: () => findText(this.#text("toContainText"), pattern) !== undefined,
    }, options);
  }

  /**
   * The text is exactly `expected`, blanks at both ends aside; an expression must match all of it. For a screen that is
   * the whole screen, for a locator the text at its place.
   */
  toHaveText(expected: TextPattern, options: WaitOptions = {}): Promise<void> {
    return this.#wait({
      what: `have the text ${describePattern(expected)}`,
      holds: () => {
        const text = this.#text("toHaveText").trim();
        if (typeof expected === "string") return text === expected.trim();
        const match = findText(text, expected);
        return match !== undefined && match.start === 0 && match.end === text.length;
      },
    }, options);
  }

  /** The locator's text is on the screen. */
  toBeVisible(options: WaitOptions = {}): Promise<void> {
    const locator = this.#expecting(Locator, "toBeVisible", "a locator");
    return this.#wait({ what: "be visible", holds: () => locator.isVisible() }, options);
  }

  /** The locator's text is on the screen `count` times. */
  toHaveCount(count: number, options: WaitOptions = {}): Promise<void> {
    const locator = this.#expecting(Locator, "toHaveCount", "a locator");
    return this.#wait({ what: `match ${count} times`, holds: () => locator.count() === count }, options);
  }

  /** The display is in a mode: `"text 80x25"`, or an expression such as `/^text/`. */
  toHaveMode(mode: TextPattern, options: WaitOptions = {}): Promise<void> {
    const screen = this.#expecting(Screen, "toHaveMode", "a screen");
    const holds = () => typeof mode === "string" ? screen.mode === mode : mode.test(screen.mode);
    return this.#wait({ what: `have the mode ${describePattern(mode)}`, holds }, options);
  }

  /** The text cursor is at `row` and `column`, from 0. */
  toHaveCursor(row: number, column: number, options: WaitOptions = {}): Promise<void> {
    const view = this.#expecting(TextView, "toHaveCursor", "a screen or terminal");
    return this.#wait({
      what: `have its cursor at row ${row}, column ${column}`,
      holds: () => view.cursor?.row === row && view.cursor.column === column,
    }, options);
  }

  /** Nothing on the screen or terminal changes for a while. */
  async toBeStill(options: ExpectStillOptions = {}): Promise<void> {
    const view = this.#expecting(TextView, "toBeStill", "a screen or terminal");
    if (!this.#negated) return await view.waitForStill(options);
    const before = view.text(), { timeout, signal } = options;
    await this.#wait({ what: "be still", holds: () => view.text() === before }, { timeout, signal });
  }

  /** The guest has ended; with a number or {@link ExpectedExit}, in that way. */
  async toHaveExited(expected: number | ExpectedExit = {}, options: WaitOptions = {}): Promise<void> {
    const guest = this.#subject;
    if (!(guest instanceof Guest)) throw new OptionError("toHaveExited needs a guest");
    const wanted: ExpectedExit = typeof expected === "number" ? { reason: "debug-exit", code: expected } : expected;
    checkOptions(wanted, ["code", "reason"], "toHaveExited");
    const words = Object.entries(wanted).map(([key, value]) => `${key} ${value}`).join(", ");
    await this.#wait({
      what: `have exited${words === "" ? "" : ` with ${words}`}`,
      holds: () =>
        guest.exit !== undefined && (wanted.code === undefined || guest.exit.code === wanted.code) &&
        (wanted.reason === undefined || guest.exit.reason === wanted.reason),
    }, options);
  }

  #text(matcher: string): string {
    const subject = this.#subject;
    if (subject instanceof Guest) throw new OptionError(`${matcher} needs a screen, terminal, serial line or locator`);
    if (subject instanceof Serial) return subject.text;
    return subject instanceof Locator ? subject.place()?.text ?? "" : subject.text();
  }

  #expecting<T>(type: abstract new (...args: never[]) => T, matcher: string, what: string): T {
    if (this.#subject instanceof type) return this.#subject;
    throw new OptionError(`${matcher} needs ${what}`);
  }

  #wait(condition: Condition, options: WaitOptions): Promise<void> {
    checkOptions(options, WAIT_OPTIONS, "expect");
    const subject = this.#subject, negated = this.#negated;
    const view = subject instanceof Locator ? subject.view : subject instanceof TextView ? subject : undefined;
    const what = `${nameOf(subject)} ${negated ? "not " : ""}to ${condition.what}`;
    return this.#context.driver.wait<true>({
      what,
      check: () => condition.holds() !== negated ? true : undefined,
      prepare: () => view?.prepare?.() ?? Promise.resolve(),
      ...limits(this.#context, options),
    }).then(() => undefined);
  }
}

function nameOf(subject: Expectable): string {
  if (subject instanceof Guest) return "the guest";
  if (subject instanceof Serial) return `serial ${subject.index}`;
  return subject instanceof Locator ? String(subject) : subject.name;
}

/**
 * Asserts something about a guest, its screen, a serial line, a terminal or a locator, and runs the guest until it is
 * true.
 *
 * @example
 * ```ts
 * import { expect, Guest } from "@bootwright/bootwright";
 *
 * await using guest = await Guest.boot({ fda: "freedos.img" });
 * await expect(guest.screen).toContainText("A:\\>");
 * await expect(guest.screen.getByText(/error/i)).not.toBeVisible();
 * ```
 */
export function expect(subject: Expectable): Expectation {
  const context = contextOf(subject);
  if (context === undefined) {
    throw new OptionError("expect takes a guest, its screen, a serial line, a terminal or a locator");
  }
  return new Expectation(subject, context, false);
}
