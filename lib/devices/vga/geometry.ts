/** What kind of picture the registers describe, and its size. */
import { dispiPitch, dispiStart } from "./dispi.ts";
import {
  Attribute,
  AttributeBit,
  Crtc,
  CrtcBit,
  Dispi,
  dispiEnabled,
  Graphics,
  GraphicsBit,
  Sequencer,
  SequencerBit,
  type VgaState,
} from "./registers.ts";
import { displayedLines } from "./timing.ts";

/** How video memory becomes pixels. */
export type PixelFormat =
  /** Characters from planes 0 and 1, their shapes from plane 2. */
  | "text"
  /** One bit of each of four planes makes a pixel. */
  | "planar"
  /** Two bits of a byte make a pixel, as on the CGA. */
  | "cga"
  /** A byte makes a pixel: mode 13h, mode X. */
  | "packed"
  /** The Bochs VBE display: 4 (planar), 8, 15, 16, 24 or 32 bits a pixel. */
  | "vbe";

/** A decoded display mode. */
export interface DisplayMode {
  /** How video memory becomes pixels. */
  readonly format: PixelFormat;
  /** Format and size in words, for example `"text 80x25"` or `"planar 640x480x4"`. */
  readonly name: string;
  /** Dots of a line of the monitor, after doubling. */
  readonly width: number;
  /** Scan lines, after doubling. */
  readonly height: number;
  /** Bits a pixel; 4 in text modes. */
  readonly bitsPerPixel: number;
  /** How many dots of the monitor a pixel is wide. */
  readonly xScale: number;
}

/** The additional facts of a text mode. */
export interface TextGeometry {
  readonly columns: number;
  readonly rows: number;
  /** Dots of a character cell, before doubling: 8 or 9. */
  readonly cellWidth: number;
  /** Lines of a character cell, before double scan. */
  readonly cellHeight: number;
  /** How many dots of the monitor a dot of a character is wide. */
  readonly xScale: number;
  /** How many scan lines a line of a character is tall. */
  readonly yScale: number;
}

/** True if characters, not pixels, are displayed. */
export function isTextMode(state: VgaState): boolean {
  return !dispiEnabled(state) && (state.graphics[Graphics.MISCELLANEOUS] & GraphicsBit.GRAPHICS_MODE) === 0;
}

/** True while nothing is displayed: the screen is off or the palette is being loaded. */
export function isBlank(state: VgaState): boolean {
  return (state.attributeIndex & AttributeBit.PALETTE_ADDRESS_SOURCE) === 0 ||
    (!dispiEnabled(state) && (state.sequencer[Sequencer.CLOCKING_MODE] & SequencerBit.SCREEN_OFF) !== 0);
}

/** Columns, rows and cell size of the text mode that the registers describe. Rows are whole ones. */
export function textGeometry(state: VgaState): TextGeometry {
  const { crtc, sequencer } = state;
  const clocking = sequencer[Sequencer.CLOCKING_MODE];
  const half = (clocking & SequencerBit.HALF_DOT_CLOCK) !== 0;
  const cellHeight = (crtc[Crtc.MAXIMUM_SCAN_LINE] & 0x1f) + 1;
  const yScale = (crtc[Crtc.MAXIMUM_SCAN_LINE] & CrtcBit.DOUBLE_SCAN) !== 0 ? 2 : 1;
  return {
    columns: crtc[Crtc.HORIZONTAL_DISPLAY_END] + 1,
    rows: Math.max(1, Math.floor(displayedLines(crtc) / (cellHeight * yScale))),
    // A doubled cell is shown 16 dots wide, without its ninth column, as in QEMU.
    cellWidth: half || (clocking & SequencerBit.EIGHT_DOTS) !== 0 ? 8 : 9,
    cellHeight,
    xScale: half ? 2 : 1,
    yScale,
  };
}

/** Decodes the display mode. */
export function displayMode(state: VgaState): DisplayMode {
  if (isTextMode(state)) {
    const { columns, rows, cellWidth, cellHeight, xScale, yScale } = textGeometry(state);
    return {
      format: "text",
      name: `text ${columns}x${rows}`,
      width: columns * cellWidth * xScale,
      height: rows * cellHeight * yScale,
      bitsPerPixel: 4,
      xScale,
    };
  }
  if (dispiEnabled(state)) {
    const { dispi } = state;
    const width = dispi[Dispi.XRES], height = dispi[Dispi.YRES], bitsPerPixel = dispi[Dispi.BPP];
    return { format: "vbe", name: `vbe ${width}x${height}x${bitsPerPixel}`, width, height, bitsPerPixel, xScale: 1 };
  }
  const { crtc, sequencer, graphics } = state;
  const shift = (graphics[Graphics.MODE] >> 5) & 3;
  const format = shift === 0 ? "planar" : shift === 1 ? "cga" : "packed";
  const bitsPerPixel = shift === 0 ? 4 : shift === 1 ? 2 : 8;
  const halfClock = (sequencer[Sequencer.CLOCKING_MODE] & SequencerBit.HALF_DOT_CLOCK) !== 0 ? 2 : 1;
  const width = (crtc[Crtc.HORIZONTAL_DISPLAY_END] + 1) * 8 * halfClock;
  const height = displayedLines(crtc);
  // A pixel of eight bits takes two dot clocks.
  const xScale = shift >= 2 ? 2 * halfClock : halfClock;
  const lines = height / lineRepeat(state);
  return {
    format,
    name: `${format} ${width / xScale}x${Math.floor(lines)}x${bitsPerPixel}`,
    width,
    height,
    bitsPerPixel,
    xScale,
  };
}

/** How often each line of pixels is displayed in a VGA graphics mode. */
function lineRepeat(state: VgaState): number {
  const { crtc } = state;
  const doubled = (crtc[Crtc.MAXIMUM_SCAN_LINE] & CrtcBit.DOUBLE_SCAN) !== 0 ? 2 : 1;
  // Row scan bits that take part in the address make different lines, not copies.
  const lines = (crtc[Crtc.MAXIMUM_SCAN_LINE] & 0x1f) + 1;
  const banks = ((crtc[Crtc.MODE_CONTROL] & CrtcBit.MAP_13) === 0 ? 2 : 1) *
    ((crtc[Crtc.MODE_CONTROL] & CrtcBit.MAP_14) === 0 ? 2 : 1);
  return doubled * Math.max(1, lines / banks);
}

/** The colour number, 0 to 255, to which the attribute controller maps palette entry `index` (0 to 15). */
export function attributeColor(state: VgaState, index: number): number {
  const { attribute } = state;
  const color = attribute[index], select = attribute[Attribute.COLOR_SELECT];
  return (attribute[Attribute.MODE_CONTROL] & AttributeBit.P54_SELECT) !== 0
    ? (select & 0x0f) << 4 | color & 0x0f
    : (select & 0x0c) << 4 | color & 0x3f;
}

/** Where the picture of the Bochs VBE display lies: first byte, and bytes from line to line. */
export function vbeLayout(state: VgaState): { start: number; pitch: number } {
  return { start: dispiStart(state), pitch: dispiPitch(state) };
}
