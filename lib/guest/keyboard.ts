/** The guest's keyboard. */
import { checkOptions, type GuestContext, limits, WAIT_OPTIONS, type WaitOptions } from "./context.ts";
import { findKey, splitChord, unknownKey } from "./keys.ts";
import { layout, type Stroke, strokesFor } from "./layouts.ts";
import { type Duration, parseDuration } from "./quantity.ts";

/** Options of {@link Keyboard.type}. */
export interface TypeOptions extends WaitOptions {
  /** Guest time between two characters, after the guest has read the first; default `"0.5ms"`. */
  delay?: Duration;
}

/** Options of {@link Keyboard.press}. */
export interface PressOptions extends WaitOptions {
  /** Guest time for which the key is held down; default `"5ms"`. */
  hold?: Duration;
}

/** Time that handlers of the keyboard interrupt get after each key: they hand it on to programs. */
const DEFAULT_DELAY = "0.5ms";
const DEFAULT_HOLD = "5ms";
/** Instructions between two looks at whether the guest has read a key: about what its interrupt handler takes. */
const READ_STEP = 20_000;
/** Guest time in ns after which a key that is not read is left to the guest. */
const READ_TIME = 20e6;

/**
 * A PC keyboard. Keys have `KeyboardEvent.code` names (`"KeyA"`, `"Enter"`, `"ArrowUp"`) or common aliases (`"ret"`,
 * `"ctrl"`, `"<enter>"`). The next key follows when the guest has read the last one from its keyboard controller.
 */
export class Keyboard {
  readonly #context: GuestContext;
  readonly #layout: string;
  readonly #strokes: ReadonlyMap<string, Stroke>;

  /** @internal Made by {@link Guest}, not by scripts. Throws {@link OptionError} for an unknown layout. */
  constructor(context: GuestContext, layoutName: string) {
    this.#context = context;
    this.#layout = layoutName;
    this.#strokes = layout(layoutName);
  }

  /** The lights as the guest set them. */
  get leds(): { readonly scroll: boolean; readonly num: boolean; readonly caps: boolean } {
    return this.#context.machine.keyboard.leds;
  }

  /**
   * Types text on the guest's layout: letters with Shift where needed, `\n` as Enter, `\t` as Tab, `\b` as Backspace.
   * Throws {@link UnknownKeyError} before anything is typed if the layout cannot make a character.
   */
  async type(text: string, options: TypeOptions = {}): Promise<void> {
    checkOptions(options, [...WAIT_OPTIONS, "delay"], "type");
    const strokes = strokesFor(text, this.#strokes, this.#layout);
    const delay = parseDuration(options.delay ?? DEFAULT_DELAY, "delay");
    for (const stroke of strokes) {
      await this.#ready(options);
      const codes = [...stroke.modifiers, stroke.code];
      for (const code of codes) this.#send(code, true);
      for (const code of codes.reverse()) this.#send(code, false);
      if (stroke.dead) {
        this.#send("Space", true);
        this.#send("Space", false);
      }
      await this.#delivered(options.signal);
      await this.#pause(delay, options.signal);
    }
  }

  /**
   * Presses and releases keys one after the other. Each is a key, a character of the layout, or a chord whose last key
   * is pressed while the others are held: `"Enter"`, `"a"`, `"Control+Alt+Delete"`, `"ctrl-c"`.
   */
  async press(keys: string | readonly string[], options: PressOptions = {}): Promise<void> {
    checkOptions(options, [...WAIT_OPTIONS, "hold"], "press");
    const hold = parseDuration(options.hold ?? DEFAULT_HOLD, "hold");
    const chords = (typeof keys === "string" ? [keys] : keys).map((chord) => this.#chord(chord));
    for (const codes of chords) {
      await this.#ready(options);
      for (const code of codes) {
        this.#send(code, true);
        await this.#delivered(options.signal);
      }
      await this.#pause(hold, options.signal);
      for (const code of codes.reverse()) {
        this.#send(code, false);
        await this.#delivered(options.signal);
      }
      await this.#pause(parseDuration(DEFAULT_DELAY), options.signal);
    }
  }

  /** Presses one key and holds it. */
  async down(key: string, options: WaitOptions = {}): Promise<void> {
    checkOptions(options, WAIT_OPTIONS, "down");
    const code = this.#code(key);
    await this.#ready(options);
    this.#send(code, true);
    await this.#delivered(options.signal);
  }

  /** Releases one key. */
  async up(key: string, options: WaitOptions = {}): Promise<void> {
    checkOptions(options, WAIT_OPTIONS, "up");
    const code = this.#code(key);
    await this.#ready(options);
    this.#send(code, false);
    await this.#delivered(options.signal);
  }

  #code(key: string): string {
    const code = findKey(key) ?? (key.length === 1 ? this.#strokes.get(key)?.code : undefined);
    if (code === undefined) throw unknownKey(key);
    return code;
  }

  /** The keys of a chord in the order in which they go down. */
  #chord(chord: string): string[] {
    return splitChord(chord).flatMap((name) => {
      // A character of the layout brings its Shift along: "A", "?".
      const stroke = [...name].length === 1 ? this.#strokes.get(name) : undefined;
      return stroke !== undefined ? [...stroke.modifiers, stroke.code] : [this.#code(name)];
    });
  }

  #send(code: string, down: boolean): void {
    if (!this.#context.machine.keyboard.key(code, down)) throw unknownKey(code);
  }

  /** Waits until the guest has read all keys, so that the next can follow. Fails if it has ended, or does not read. */
  async #ready(options: WaitOptions): Promise<void> {
    const { machine } = this.#context;
    await this.#context.driver.wait<true>({
      what: "the guest to read its keyboard",
      check: () => machine.keyboard.unread === 0 && machine.exit === undefined ? true : undefined,
      step: READ_STEP,
      ...limits(this.#context, { timeout: options.timeout, signal: options.signal }),
    });
  }

  /** Lets the guest read what was sent; no matter if it does not: that key may have been what ended or crashed it. */
  async #delivered(signal: AbortSignal | undefined): Promise<void> {
    const { machine } = this.#context;
    await this.#context.driver.wait<true>({
      what: "the guest to read its keyboard",
      check: () => machine.keyboard.unread === 0 ? true : undefined,
      step: READ_STEP,
      deadline: machine.now + READ_TIME,
      atLimit: () => true,
      atExit: () => true,
      signal,
    });
  }

  /** Lets the guest run for `ns`; it may end meanwhile. */
  async #pause(ns: number, signal: AbortSignal | undefined): Promise<void> {
    await this.#context.driver.wait<true>({
      what: "the next key",
      check: () => undefined,
      deadline: this.#context.machine.now + ns,
      atLimit: () => true,
      atExit: () => true,
      signal,
    });
  }
}
