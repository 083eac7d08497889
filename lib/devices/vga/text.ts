/** The text screen as characters and colours, for scripts that read it. */
import { fromCp437 } from "./cp437.ts";
import { isTextMode, textGeometry } from "./geometry.ts";
import { cursorShape, fontOffsets, textColors } from "./raster_text.ts";
import { Attribute, AttributeBit, type VgaState } from "./registers.ts";
import { cellAddress, rowOffset, startAddress } from "./scan.ts";

/** One character cell. */
export interface TextCell {
  /** The Unicode character, by code page 437. */
  readonly character: string;
  /** Character code, 0 to 255, or to 511 while two fonts are selected. */
  readonly code: number;
  /** The attribute byte. */
  readonly attribute: number;
  /** Foreground as 0xRRGGBB. */
  readonly foreground: number;
  /** Background as 0xRRGGBB. */
  readonly background: number;
  /** True if the character blinks. */
  readonly blink: boolean;
}

/** The hardware cursor. */
export interface TextCursor {
  /** Row, from 0. */
  readonly row: number;
  /** Column, from 0. */
  readonly column: number;
  /** First line of the cell that it covers. */
  readonly first: number;
  /** Last line of the cell that it covers. */
  readonly last: number;
}

/** A copy of the text screen. */
export interface TextScreen {
  /** Characters of a row. */
  readonly columns: number;
  /** Rows. */
  readonly rows: number;
  /** Character codes, row by row. */
  readonly codes: Uint16Array;
  /** Attribute bytes, row by row. */
  readonly attributes: Uint8Array;
  /** The cursor, or null if it is switched off or outside the screen. */
  readonly cursor: TextCursor | null;
  /** The sixteen attribute colours as 0xRRGGBB. */
  readonly colors: readonly number[];
  /** True if attribute bit 7 means blinking, and not a bright background. */
  readonly blinks: boolean;
  /** Row `row` as text, with its trailing spaces. */
  line(row: number): string;
  /**
   * The cell at `row` and `column`, both from 0.
   *
   * @throws RangeError outside the screen.
   */
  cell(row: number, column: number): TextCell;
}

/** Reads the text screen; null in graphics modes. It is there even while the screen is switched off. */
export function textScreen(state: VgaState, cells: Int32Array): TextScreen | null {
  if (!isTextMode(state)) return null;
  const { columns, rows } = textGeometry(state);
  const codes = new Uint16Array(columns * rows), attributes = new Uint8Array(columns * rows);
  const start = startAddress(state), offset = rowOffset(state);
  const [fontB, fontA] = fontOffsets(state);
  for (let row = 0, at = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, at++) {
      const cell = cells[cellAddress(state, start + row * offset + column, 0)];
      attributes[at] = cell >> 8;
      codes[at] = cell & 0xff | (fontA !== fontB && (cell & 0x800) !== 0 ? 0x100 : 0);
    }
  }
  const colors = Array.from(textColors(state), (c) => (c & 0xff) << 16 | c & 0xff00 | (c >> 16) & 0xff);
  const blinks = (state.attribute[Attribute.MODE_CONTROL] & AttributeBit.BLINK) !== 0;
  return {
    columns,
    rows,
    codes,
    attributes,
    cursor: locateCursor(state, columns, rows),
    colors,
    blinks,
    line(row) {
      let text = "";
      for (let at = row * columns; at < (row + 1) * columns; at++) text += fromCp437(codes[at] & 0xff);
      return text.replaceAll("\u00a0", " ");
    },
    cell(row, column) {
      if (!(row >= 0 && row < rows && column >= 0 && column < columns)) {
        throw new RangeError(`the screen has ${rows} rows of ${columns} columns: there is no cell (${row}, ${column})`);
      }
      const at = row * columns + column, attribute = attributes[at];
      return {
        character: fromCp437(codes[at] & 0xff),
        code: codes[at],
        attribute,
        foreground: colors[attribute & 0x0f],
        background: colors[(attribute >> 4) & (blinks ? 7 : 15)],
        blink: blinks && attribute >= 0x80,
      };
    },
  };
}

function locateCursor(state: VgaState, columns: number, rows: number): TextCursor | null {
  const shape = cursorShape(state), offset = rowOffset(state);
  if (shape === null) return null;
  const distance = shape.address - startAddress(state);
  const row = offset > 0 ? Math.floor(distance / offset) : 0, column = distance - row * offset;
  if (distance < 0 || row >= rows || column >= columns) return null;
  return { row, column, first: shape.first, last: shape.last };
}
