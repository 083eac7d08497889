/** Text modes: character generator, attributes, cursor. */
import { attributeColor, textGeometry } from "./geometry.ts";
import { dacColors, type RasterOptions } from "./raster.ts";
import {
  Attribute,
  AttributeBit,
  Crtc,
  CrtcBit,
  GLYPH_BYTES,
  Sequencer,
  SequencerBit,
  type VgaState,
} from "./registers.ts";
import { cellAddress, scanLines } from "./scan.ts";
import { blinkPhases } from "./timing.ts";

const MAP_SIZE = 0x2000;

/**
 * Offsets in plane 2 of the two fonts: `[0]` for characters whose attribute bit 3 is 0 (character map B), `[1]` for the
 * others (map A).
 */
export function fontOffsets(state: VgaState): readonly [number, number] {
  const select = state.sequencer[Sequencer.CHARACTER_MAP_SELECT];
  const b = (select & 3) << 1 | (select >> 4) & 1, a = (select >> 1) & 6 | (select >> 5) & 1;
  return [b * MAP_SIZE, a * MAP_SIZE];
}

/** The first and last line of the cursor within its cell and the memory address it stands at, or null if it is off. */
export function cursorShape(state: VgaState): { address: number; first: number; last: number } | null {
  const { crtc } = state;
  if ((crtc[Crtc.CURSOR_START] & CrtcBit.CURSOR_OFF) !== 0) return null;
  const first = crtc[Crtc.CURSOR_START] & 0x1f, cell = crtc[Crtc.MAXIMUM_SCAN_LINE] & 0x1f;
  const last = Math.min(crtc[Crtc.CURSOR_END] & 0x1f, cell);
  if (first > last) return null;
  return { address: crtc[Crtc.CURSOR_LOCATION_HIGH] << 8 | crtc[Crtc.CURSOR_LOCATION_LOW], first, last };
}

/** The sixteen attribute colours as RGBA words. */
export function textColors(state: VgaState): Uint32Array {
  const dac = dacColors(state), enable = state.attribute[Attribute.COLOR_PLANE_ENABLE] & 0x0f;
  return Uint32Array.from({ length: 16 }, (_, i) => dac[attributeColor(state, i & enable)]);
}

/** Draws a text mode into `dots`. */
export function rasterizeText(
  state: VgaState,
  cells: Int32Array,
  dots: Uint32Array,
  nowNs: number,
  options: RasterOptions,
): void {
  const { columns, rows, cellWidth, cellHeight, xScale, yScale } = textGeometry(state);
  const { attribute, crtc } = state;
  const modeControl = attribute[Attribute.MODE_CONTROL];
  const colors = textColors(state), fonts = fontOffsets(state);
  const phases = blinkPhases(state, nowNs);
  const cursorOn = options.cursor === "on" || (options.cursor !== "off" && phases.cursor);
  const cursor = cursorOn ? cursorShape(state) : null;
  const blink = options.blink === true && (modeControl & AttributeBit.BLINK) !== 0;
  const lineGraphics = (modeControl & AttributeBit.LINE_GRAPHICS) !== 0;
  const underline = (modeControl & AttributeBit.MONOCHROME) !== 0 ? crtc[Crtc.UNDERLINE_LOCATION] & 0x1f : -1;
  const panning = attribute[Attribute.HORIZONTAL_PEL_PANNING] & 0x0f;
  // With a 9-dot clock a panning of 8 is none, and 0 is one dot to the left.
  const nineDots = (state.sequencer[Sequencer.CLOCKING_MODE] & SequencerBit.EIGHT_DOTS) === 0;
  const pan = panning >= 8 ? 0 : Math.min(panning + (nineDots ? 1 : 0), cellWidth - 1);
  const width = columns * cellWidth * xScale;
  const ones = (1 << cellWidth) - 1;

  scanLines(state, rows * cellHeight * yScale, (y, { address, rowScan, split }) => {
    const shift = split && (modeControl & AttributeBit.PAN_TOP_ONLY) !== 0 ? 0 : pan;
    const end = (y + 1) * width;
    let at = y * width, skip = shift;
    for (let column = 0; at < end; column++) {
      const cell = cells[cellAddress(state, address + column, rowScan)];
      const code = cell & 0xff, color = (cell >> 8) & 0xff;
      const glyph = fonts[(color >> 3) & 1] + code * GLYPH_BYTES + rowScan;
      let shape = (cells[glyph] >> 16) & 0xff;
      if (cellWidth === 9) shape = shape << 1 | (lineGraphics && code >= 0xb0 && code <= 0xdf ? shape & 1 : 0);
      let background = color >> 4;
      if (blink) {
        background &= 7;
        if (color >= 0x80 && !phases.character) shape = 0;
      }
      if (rowScan === underline && (color & 0x77) === 1) shape = ones;
      if (cursor !== null && address + column === cursor.address && rowScan >= cursor.first && rowScan <= cursor.last) {
        shape = ones;
      }
      const on = colors[color & 0x0f], off = colors[background];
      for (let bit = cellWidth - 1 - skip; bit >= 0 && at < end; bit--) {
        const dot = (shape >> bit & 1) !== 0 ? on : off;
        for (let i = 0; i < xScale; i++) dots[at++] = dot;
      }
      skip = 0;
    }
  });
}
