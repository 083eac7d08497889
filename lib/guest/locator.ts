/** Places on a screen, found by their text each time they are asked for. */
import { checkOptions, type GuestContext, limits, WAIT_OPTIONS, type WaitOptions } from "./context.ts";
import { StrictModeError } from "./errors.ts";
import { belongsTo } from "./internals.ts";
import { describePattern, findAllText, type TextPattern } from "./text_matcher.ts";
import type { Cell, TextView } from "./text_view.ts";

/** A place on a screen. */
export interface Place {
  /** Row of the first character, from 0. */
  readonly row: number;
  /** Column of the first character, from 0. */
  readonly column: number;
  /** The text found there. */
  readonly text: string;
}

/** Options of {@link Locator.waitFor}. */
export interface LocatorWaitOptions extends WaitOptions {
  /** What to wait for: that the text is there (the default) or that it is gone. */
  state?: "visible" | "hidden";
}

/**
 * Finds text on a screen. A locator is strict: where it must name one place and its text is there more than once, that
 * is an error; {@link nth}, {@link first} and {@link last} choose.
 */
export class Locator {
  readonly #context: GuestContext;
  readonly #view: TextView;
  readonly #pattern: TextPattern;
  readonly #index: number | undefined;

  /** @internal Made by `getByText`, not by scripts. */
  constructor(context: GuestContext, view: TextView, pattern: TextPattern, index?: number) {
    this.#context = context;
    this.#view = view;
    this.#pattern = pattern;
    this.#index = index;
    belongsTo(this, context);
  }

  /** The screen or terminal that this locator looks at. */
  get view(): TextView {
    return this.#view;
  }

  /** The locator of match `index`, from 0; negative ones count from the end. */
  nth(index: number): Locator {
    return new Locator(this.#context, this.#view, this.#pattern, index);
  }

  /** The locator of the first match. */
  first(): Locator {
    return this.nth(0);
  }

  /** The locator of the last match. */
  last(): Locator {
    return this.nth(-1);
  }

  /** The number of matches now. */
  count(): number {
    return this.places().length;
  }

  /** All matches now, row by row. */
  places(): Place[] {
    const text = this.#view.text();
    const places = findAllText(text, this.#pattern).map((match): Place => {
      const lineStart = text.lastIndexOf("\n", match.start - 1) + 1;
      const row = text.slice(0, lineStart).split("\n").length - 1;
      return { row, column: match.start - lineStart, text: match.text };
    });
    if (this.#index === undefined) return places;
    const chosen = places.at(this.#index);
    return chosen === undefined ? [] : [chosen];
  }

  /** True if the text is there now. */
  isVisible(): boolean {
    return this.places().length > 0;
  }

  /** The one place now, or undefined. Throws {@link StrictModeError} if there are several. */
  place(): Place | undefined {
    const places = this.places();
    if (places.length > 1) {
      const where = places.slice(0, 5).map(({ row, column }) => `row ${row}, column ${column}`).join("; ");
      throw new StrictModeError(
        `${this} matches ${places.length} times (${where}): choose with first(), last() or nth(), or match more text`,
      );
    }
    return places[0];
  }

  /** The cells of the one place now; empty if it is not there. Their colours tell a selected menu entry from others. */
  cells(): Cell[] {
    const place = this.place();
    if (place === undefined) return [];
    return [...place.text].map((_, index) => this.#view.cell(place.row, place.column + index));
  }

  /** Runs the guest until the text is gone. */
  waitFor(options: LocatorWaitOptions & { state: "hidden" }): Promise<undefined>;
  /** Runs the guest until the text is there, and returns the place. */
  waitFor(options?: LocatorWaitOptions): Promise<Place>;
  waitFor(options: LocatorWaitOptions = {}): Promise<Place | undefined> {
    checkOptions(options, [...WAIT_OPTIONS, "state"], "waitFor");
    const hidden = options.state === "hidden";
    return this.#context.driver.wait<{ place: Place | undefined }>({
      what: `${this} to be ${hidden ? "gone" : "there"}`,
      check: () => {
        const place = hidden ? this.places()[0] : this.place();
        return hidden === (place === undefined) ? { place } : undefined;
      },
      interval: () => this.#view.interval,
      prepare: () => this.#view.prepare?.() ?? Promise.resolve(),
      ...limits(this.#context, options),
    }).then(({ place }) => place);
  }

  /** The locator in messages. */
  toString(): string {
    const which = this.#index === undefined ? "" : ` (number ${this.#index})`;
    return `${describePattern(this.#pattern)}${which} on ${this.#view.name}`;
  }
}
