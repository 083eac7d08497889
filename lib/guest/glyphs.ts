/** Reads text that was drawn as a picture: in graphics modes, with a font that we know, on a grid of character cells. */
import { CP437, toCp437 } from "../devices/vga/mod.ts";
import { FONTS } from "../firmware/fonts.ts";
import type { Picture } from "./png.ts";

/** A font with 256 characters of code page 437, 8 dots wide. */
export interface GlyphFont {
  /** Height in lines. */
  readonly height: number;
  /** `height` bytes a character, top line first, the leftmost dot in bit 7. */
  readonly bitmap: Uint8Array;
}

/** Text found in a picture. */
export interface GlyphGrid {
  /** Cells of a row. */
  readonly columns: number;
  /** Rows. */
  readonly rows: number;
  /** Width of a cell in dots of the picture. */
  readonly cellWidth: number;
  /** Height of a cell in dots of the picture. */
  readonly cellHeight: number;
  /** One string a row, as long as the row is wide; cells that show no character of the font, or one colour only, are blank. */
  readonly lines: readonly string[];
  /** Colours of the characters as 0xRRGGBB, row by row. */
  readonly foregrounds: Uint32Array;
  /** Colours behind them; in a cell of one colour that is the same. */
  readonly backgrounds: Uint32Array;
}

const CELL_WIDTH = 8;
const ROM_FONTS: readonly GlyphFont[] = [8, 14, 16].map((height) => ({ height, bitmap: FONTS[height as 8 | 14 | 16] }));

/** The dots of a picture as 0xRRGGBB, after taking back that a graphics mode shows every pixel or line several times. */
interface Dots {
  readonly width: number;
  readonly height: number;
  readonly colors: Uint32Array;
  readonly xScale: number;
  readonly yScale: number;
}

function dotsOf(picture: Picture): Dots {
  const { width, height, data } = picture;
  const colors = new Uint32Array(width * height);
  for (let i = 0; i < colors.length; i++) colors[i] = data[i * 4] << 16 | data[i * 4 + 1] << 8 | data[i * 4 + 2];
  const xScale = columnsDoubled(colors, width) ? 2 : 1, yScale = linesDoubled(colors, width, height) ? 2 : 1;
  if (xScale === 1 && yScale === 1) return { width, height, colors, xScale, yScale };
  const narrow = width / xScale, low = height / yScale;
  const small = new Uint32Array(narrow * low);
  for (let y = 0, at = 0; y < low; y++) {
    for (let x = 0; x < narrow; x++) small[at++] = colors[y * yScale * width + x * xScale];
  }
  return { width: narrow, height: low, colors: small, xScale, yScale };
}

function columnsDoubled(colors: Uint32Array, width: number): boolean {
  if (width % 2 !== 0) return false;
  for (let at = 0; at < colors.length; at += 2) if (colors[at] !== colors[at + 1]) return false;
  return true;
}

function linesDoubled(colors: Uint32Array, width: number, height: number): boolean {
  if (height % 2 !== 0) return false;
  for (let y = 0; y < height; y += 2) {
    for (let at = y * width; at < (y + 1) * width; at++) if (colors[at] !== colors[at + width]) return false;
  }
  return true;
}

/** The colour that most dots have. */
function commonest(colors: Uint32Array): number {
  const counts = new Map<number, number>();
  let best = 0, bestCount = 0;
  for (const color of colors) {
    const count = (counts.get(color) ?? 0) + 1;
    counts.set(color, count);
    if (count > bestCount) [best, bestCount] = [color, count];
  }
  return best;
}

const BLANK = toCp437(" ");

/** Codes by shape; of equal shapes the printable ASCII character wins, then the lowest code. */
function shapesOf(font: GlyphFont): Map<string, number> {
  const shapes = new Map<string, number>();
  const order = [...Array(256).keys()].sort((a, b) => Number(isAscii(b)) - Number(isAscii(a)) || a - b);
  for (const code of order) {
    const shape = String.fromCharCode(...font.bitmap.subarray(code * font.height, (code + 1) * font.height));
    if (!shapes.has(shape)) shapes.set(shape, code);
  }
  return shapes;
}

function isAscii(code: number): boolean {
  return code >= 0x20 && code < 0x7f;
}

/** True for letters and digits: patterns that a picture hardly has by chance. */
function isTelling(code: number): boolean {
  return /[\p{L}\p{N}]/u.test(CP437[code]);
}

interface Reading {
  readonly grid: GlyphGrid;
  /** Dots covered by letters and digits. */
  readonly score: number;
}

/** Reads the whole picture with one font. */
function readWith(font: GlyphFont, dots: Dots, paper: number): Reading {
  const shapes = shapesOf(font), { height } = font;
  const columns = Math.floor(dots.width / CELL_WIDTH), rows = Math.floor(dots.height / height);
  const foregrounds = new Uint32Array(columns * rows), backgrounds = new Uint32Array(columns * rows);
  const lines: string[] = [], shape = new Array<number>(height);
  let score = 0;
  for (let row = 0; row < rows; row++) {
    let line = "";
    for (let column = 0; column < columns; column++) {
      const origin = row * height * dots.width + column * CELL_WIDTH, at = row * columns + column;
      const pair = cellColors(dots, origin, height, paper);
      const code = pair === null ? -1 : matchCell(dots, origin, shape, pair, shapes, paper);
      [backgrounds[at], foregrounds[at]] = pair ?? [dots.colors[origin], dots.colors[origin]];
      line += code < 0 ? " " : CP437[code];
      if (code >= 0 && isTelling(code)) score += CELL_WIDTH * height;
    }
    lines.push(line);
  }
  const cellWidth = CELL_WIDTH * dots.xScale, cellHeight = height * dots.yScale;
  return { grid: { columns, rows, cellWidth, cellHeight, lines, foregrounds, backgrounds }, score };
}

/**
 * The one or two colours of a cell, the background first; null if there are more. The background is `paper`, or the
 * commoner one.
 */
function cellColors({ colors, width }: Dots, origin: number, height: number, paper: number): [number, number] | null {
  const first = colors[origin];
  let second = first, seconds = 0;
  for (let y = 0; y < height; y++) {
    const start = origin + y * width;
    for (let at = start; at < start + CELL_WIDTH; at++) {
      const color = colors[at];
      if (color === first) continue;
      if (seconds === 0) second = color;
      else if (color !== second) return null;
      seconds++;
    }
  }
  const firstIsBackground = second === paper ? false : first === paper || seconds * 2 <= CELL_WIDTH * height;
  return firstIsBackground ? [first, second] : [second, first];
}

/** The code of the character in a cell, or -1. Swaps `pair` if the character is drawn in the other colour. */
function matchCell(
  { colors, width }: Dots,
  origin: number,
  shape: number[],
  pair: [number, number],
  shapes: Map<string, number>,
  paper: number,
): number {
  const [background, foreground] = pair;
  if (background === foreground) return BLANK;
  for (let y = 0; y < shape.length; y++) {
    const start = origin + y * width;
    let bits = 0;
    for (let x = 0; x < CELL_WIDTH; x++) bits = bits << 1 | Number(colors[start + x] === foreground);
    shape[y] = bits;
  }
  const code = shapes.get(String.fromCharCode(...shape));
  const inverse = shapes.get(String.fromCharCode(...shape.map((bits) => ~bits & 0xff)));
  // Half blocks are each other's inverse; anything else that fits only the other way round is dark text on the paper's colour.
  if (code !== undefined && (inverse === undefined || background === paper || !isAscii(inverse))) return code;
  if (inverse === undefined) return -1;
  pair.reverse();
  return inverse;
}

/**
 * Reads text in a picture of a graphics mode: characters of one of `fonts` (default: the ROM fonts) on a grid that starts
 * in the top left corner. Returns the grid of the font that explains most of the picture, or null if not a single letter
 * or digit was found.
 */
export function recognizeText(picture: Picture, fonts: readonly GlyphFont[] = ROM_FONTS): GlyphGrid | null {
  const dots = dotsOf(picture), paper = commonest(dots.colors);
  let best: Reading | null = null;
  for (const font of fonts) {
    const reading = readWith(font, dots, paper);
    if (reading.score > (best?.score ?? 0)) best = reading;
  }
  return best === null ? null : best.grid;
}
