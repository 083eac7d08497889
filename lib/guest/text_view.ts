/** What a screen and a terminal have in common: a grid of characters that can be read, searched and waited for. */
import { checkOptions, type GuestContext, limits, WAIT_OPTIONS, type WaitOptions } from "./context.ts";
import { OptionError } from "./errors.ts";
import { belongsTo } from "./internals.ts";
import { Locator } from "./locator.ts";
import { type Duration, parseDuration } from "./quantity.ts";
import { checkPattern, describePattern, findText, type TextMatch, type TextPattern } from "./text_matcher.ts";

/** One character cell. */
export interface Cell {
  /** The character as text; a blank cell is `" "`. */
  readonly character: string;
  /** Colour of the character as `"#rrggbb"`. */
  readonly foreground: string;
  /** Colour behind it as `"#rrggbb"`. */
  readonly background: string;
  /** True if the character blinks. */
  readonly blink: boolean;
}

/** Where the text cursor is. */
export interface CursorPosition {
  /** From 0 at the top. */
  readonly row: number;
  /** From 0 at the left. */
  readonly column: number;
  /** False if the cursor is switched off or outside the screen. */
  readonly visible: boolean;
}

/** A grid of characters at one moment. */
export interface TextGrid {
  /** Number of rows. */
  readonly rows: number;
  /** Number of columns. */
  readonly columns: number;
  /** One string per row, as long as the row is wide. */
  readonly lines: readonly string[];
  /** Where the text cursor is. */
  readonly cursor: CursorPosition;
  /** The cell at `row` and `column`, both from 0 and inside the grid. */
  cell(row: number, column: number): Cell;
}

/** Options of {@link TextView.waitForStill}. */
export interface StillOptions extends WaitOptions {
  /** How long nothing may change, in guest time; default `"500ms"`. */
  for?: Duration;
}

/** A grid of characters that changes while the guest runs. */
export abstract class TextView {
  /** @internal The guest's parts. */
  protected readonly context: GuestContext;
  /** The name in messages: `"the screen"`. */
  readonly name: string;

  /** @internal Made by {@link Guest}, not by scripts. */
  constructor(context: GuestContext, name: string) {
    this.context = context;
    this.name = name;
    belongsTo(this, context);
  }

  /** The characters as they are now; null if there are none, as in most graphics. */
  abstract grid(): TextGrid | null;

  /** Brings {@link grid} up to date where that takes time of the host; none of the guest's time passes. */
  prepare?(): Promise<void>;

  /** @internal Guest time in ns for which it need not be looked at again, because that takes long; 0 if it does not. */
  get interval(): number {
    return 0;
  }

  /** @internal Something that is equal exactly if what is shown is equal. */
  protected signature(): string {
    return this.text();
  }

  /** The rows as text, without blanks at their ends; empty where {@link grid} is null. */
  lines(): string[] {
    return this.grid()?.lines.map((line) => line.trimEnd()) ?? [];
  }

  /** All rows, joined by line ends, without blanks at the ends of rows; `""` where {@link grid} is null. */
  text(): string {
    return this.lines().join("\n");
  }

  /** The cell at `row` and `column`, both from 0. Throws {@link OptionError} outside the grid, and where there is none. */
  cell(row: number, column: number): Cell {
    const grid = this.grid();
    if (grid === null) throw new OptionError(`${this.name} shows graphics without text, it has no cells`);
    const inside = Number.isInteger(row) && row >= 0 && row < grid.rows && Number.isInteger(column) && column >= 0 &&
      column < grid.columns;
    if (!inside) {
      throw new OptionError(
        `${this.name} has no cell at row ${row}, column ${column}: it has ${grid.rows} rows of ${grid.columns}`,
      );
    }
    return grid.cell(row, column);
  }

  /** Where the text cursor is; null where {@link grid} is. */
  get cursor(): CursorPosition | null {
    return this.grid()?.cursor ?? null;
  }

  /**
   * Runs the guest until `pattern` is on the screen, and returns the match. `$` and `^` of an expression with the `m`
   * flag match at the ends of rows. Text in pictures is looked for every 20 ms of guest time.
   */
  waitForText(pattern: TextPattern, options: WaitOptions = {}): Promise<TextMatch> {
    checkPattern(pattern);
    checkOptions(options, WAIT_OPTIONS, "waitForText");
    return this.context.driver.wait({
      what: `${describePattern(pattern)} on ${this.name}`,
      check: () => findText(this.text(), pattern),
      interval: () => this.interval,
      prepare: this.#prepare,
      ...limits(this.context, options),
    });
  }

  /** A locator for the places where `pattern` is shown, now or later; nothing runs until the locator is waited for. */
  getByText(pattern: TextPattern): Locator {
    checkPattern(pattern);
    return new Locator(this.context, this, pattern);
  }

  /**
   * Runs the guest until nothing has changed for a while ({@link StillOptions.for}). The blinking of cursor and
   * characters does not count.
   */
  waitForStill(options: StillOptions = {}): Promise<void> {
    checkOptions(options, [...WAIT_OPTIONS, "for"], "waitForStill");
    const still = parseDuration(options.for ?? "500ms", "for");
    const { machine } = this.context;
    let since = machine.now, last = this.signature();
    return this.context.driver.wait<true>({
      what: `${this.name} to stay still`,
      prepare: this.#prepare,
      // Comparing pictures is dear; looking every few milliseconds is enough.
      interval: () => Math.min(STILL_INTERVAL, still, since + still - machine.now),
      check: () => {
        const current = this.signature();
        if (current !== last) [last, since] = [current, machine.now];
        return machine.now - since >= still ? true : undefined;
      },
      ...limits(this.context, options),
    }).then(() => undefined);
  }

  readonly #prepare = (): Promise<void> => this.prepare?.() ?? Promise.resolve();
}

/** Guest time in ns between two comparisons of {@link TextView.waitForStill}. */
const STILL_INTERVAL = 20e6;
