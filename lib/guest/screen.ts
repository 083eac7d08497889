/** The guest's screen. */
import { checkOptions } from "./context.ts";
import { type GlyphGrid, recognizeText } from "./glyphs.ts";
import { type TextGrid, TextView } from "./text_view.ts";

/** How long a picture is not looked at again, in ns of guest time: to find the text in a large one takes longer than a step of the driver. */
const PICTURE_INTERVAL = 20e6;

/** Options of {@link Screen.screenshot}. */
export interface ScreenshotOptions {
  /** File to write the PNG to; needs permission to write it. */
  path?: string | URL;
  /** The text cursor: as it happens to blink (the default), always on, or off. */
  cursor?: "blink" | "on" | "off";
}

/** A picture of the screen. */
export interface Picture {
  /** Width in dots. */
  readonly width: number;
  /** Height in dots. */
  readonly height: number;
  /** Red, green, blue, alpha (always 255), line by line from the top left. */
  readonly data: Uint8Array;
}

/** The colour 0xRRGGBB as `"#rrggbb"`. */
function cssColour(rgb: number): string {
  return `#${rgb.toString(16).padStart(6, "0")}`;
}

/** Two independent 32-bit sums over the pixels: pictures that differ get different texts. */
function pictureSignature({ width, height, data }: Picture): string {
  let first = 0x811c9dc5, second = 0;
  const words = new Uint32Array(data.buffer, data.byteOffset, data.byteLength >>> 2);
  for (const word of words) {
    first = Math.imul(first ^ word, 0x01000193);
    second = Math.imul(second, 31) + word | 0;
  }
  return `${width}x${height}:${first >>> 0}:${second >>> 0}`;
}

function drawnGrid(text: GlyphGrid | null): TextGrid | null {
  if (text === null) return null;
  const { rows, columns, lines, foregrounds, backgrounds } = text;
  return {
    rows,
    columns,
    lines,
    cursor: { row: 0, column: 0, visible: false },
    cell: (row, column) => ({
      character: lines[row][column],
      foreground: cssColour(foregrounds[row * columns + column]),
      background: cssColour(backgrounds[row * columns + column]),
      blink: false,
    }),
  };
}

/** What the display shows: text while it is in a text mode, and always a picture. */
export class Screen extends TextView {
  #drawn: { signature: string; text: GlyphGrid | null } = { signature: "", text: null };
  #last: { columns: number; codes: Uint16Array; lines: readonly string[] } = {
    columns: 0,
    codes: new Uint16Array(),
    lines: [],
  };

  /** The mode of the display in words, for example `"text 80x25"` or `"packed 320x200x8"`. */
  get mode(): string {
    return this.context.machine.displayMode;
  }

  /**
   * The rows as text, without blanks at their ends. In a graphics mode that is the text that is drawn with the fonts of
   * a PC's BIOS; empty if there is none.
   */
  override lines(): string[] {
    const screen = this.context.machine.textScreen();
    if (screen === null) return this.#drawnText()?.lines.map((line) => line.trimEnd()) ?? [];
    const { columns, rows, codes } = screen, last = this.#last;
    // Waits look at the screen thousands of times while nothing changes on it.
    const same = last.columns === columns && last.codes.length === codes.length &&
      codes.every((code, index) => code === last.codes[index]);
    if (!same) {
      const lines = Array.from({ length: rows }, (_, row) => screen.line(row).trimEnd());
      this.#last = { columns, codes, lines };
    }
    return [...this.#last.lines];
  }

  /** The characters as they are now, in a graphics mode those that are recognized; null if there are none. */
  override grid(): TextGrid | null {
    const screen = this.context.machine.textScreen();
    if (screen === null) return drawnGrid(this.#drawnText());
    const { rows, columns, cursor } = screen;
    return {
      rows,
      columns,
      lines: Array.from({ length: rows }, (_, row) => screen.line(row)),
      cursor: { row: cursor?.row ?? 0, column: cursor?.column ?? 0, visible: cursor !== null },
      cell: (row, column) => {
        const { character, foreground, background, blink } = screen.cell(row, column);
        return { character, foreground: cssColour(foreground), background: cssColour(background), blink };
      },
    };
  }

  /** @internal */
  override get interval(): number {
    return this.context.machine.textScreen() === null ? PICTURE_INTERVAL : 0;
  }

  /** @internal */
  protected override signature(): string {
    const screen = this.context.machine.textScreen();
    if (screen !== null) return `${screen.columns}:${screen.codes.join()}:${screen.attributes.join()}`;
    return pictureSignature(this.context.machine.rasterize({ cursor: "off" }));
  }

  /** The text in the picture of a graphics mode. */
  #drawnText(): GlyphGrid | null {
    const picture = this.context.machine.rasterize({ cursor: "off" }), signature = pictureSignature(picture);
    if (this.#drawn.signature !== signature) this.#drawn = { signature, text: recognizeText(picture) };
    return this.#drawn.text;
  }

  /** The picture as a monitor would show it now: RGBA, line by line. */
  picture(options: { cursor?: "blink" | "on" | "off" } = {}): Picture {
    return this.context.machine.rasterize(options);
  }

  /** The picture as a PNG file; written to `path` if given. */
  async screenshot(options: ScreenshotOptions = {}): Promise<Uint8Array> {
    checkOptions(options, ["path", "cursor"], "screenshot");
    const { width, height, data } = this.picture({ cursor: options.cursor ?? "blink" });
    // Loaded when it is needed: guests start sooner.
    const { encodePng } = await import("./png.ts");
    const png = encodePng({ width, height, data });
    if (options.path !== undefined) await Deno.writeFile(options.path, png);
    return png;
  }
}
