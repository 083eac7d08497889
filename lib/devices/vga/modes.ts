/**
 * The standard video modes as register sets, and the VESA modes of the Bochs VBE display.
 * Source: IBM, "PS/2 Hardware Interface Technical Reference — Video Subsystem", register values of the BIOS modes;
 * VESA BIOS Extension 2.0 for the mode numbers.
 */
import type { FontHeight } from "../../firmware/fonts.ts";
import type { PaletteName } from "./palettes.ts";

/** Values of all registers of one mode. */
export interface ModeRegisters {
  /** Miscellaneous output register. */
  readonly miscellaneous: number;
  /** Sequencer registers 0 to 4. */
  readonly sequencer: Uint8Array;
  /** CRT controller registers 0 to 18h. */
  readonly crtc: Uint8Array;
  /** Graphics controller registers 0 to 8. */
  readonly graphics: Uint8Array;
  /** Attribute controller registers 0 to 14h. */
  readonly attribute: Uint8Array;
}

/** A standard video mode, as INT 10h function 0 sets it. */
export interface StandardMode {
  /** Number, 0 to 13h. */
  readonly number: number;
  /** True for text, false for graphics. */
  readonly text: boolean;
  /** Characters a line. */
  readonly columns: number;
  /** Lines of characters. */
  readonly rows: number;
  /** Width in pixels. */
  readonly width: number;
  /** Height in pixels. */
  readonly height: number;
  /** Bits a pixel; 4 in text modes. */
  readonly bitsPerPixel: number;
  /** Height of the ROM font that the mode uses. */
  readonly fontHeight: FontHeight;
  /** Real-mode segment of the screen. */
  readonly segment: number;
  /** Bytes a page as the processor counts them. */
  readonly pageSize: number;
  /** Number of pages. */
  readonly pages: number;
  /** The palette that goes with the mode. */
  readonly palette: PaletteName;
  /** All register values. */
  readonly registers: ModeRegisters;
}

type Row = readonly [
  number: number,
  text: boolean,
  columns: number,
  rows: number,
  width: number,
  height: number,
  bitsPerPixel: number,
  fontHeight: FontHeight,
  segment: number,
  pageSize: number,
  pages: number,
  palette: PaletteName,
  miscellaneous: number,
  sequencer: string,
  crtc: string,
  graphics: string,
  attribute: string,
];

const TEXT_40 = "2d2728902ba0bf1f004f0d0e000000009c8e8f141f96b9a3ff";
const TEXT_80 = "5f4f50825581bf1f004f0d0e000000009c8e8f281f96b9a3ff";
const GRAPHICS_350 = "5f4f50825480bf1f004000000000000083855d280f63bae3ff";
const GRAPHICS_480 = "5f4f508254800b3e0040000000000000ea8cdf2800e704e3ff";
const EGA_TEXT = "000102030405140738393a3b3c3d3e3f0c000f0800";
const EGA_GRAPHICS = "000102030405140738393a3b3c3d3e3f01000f0000";
const CGA_GRAPHICS = "0001020304050607101112131415161701000f0000";
const PLANAR = "000000000000050fff";

// deno-fmt-ignore
const ROWS: readonly Row[] = [
  [0x00, true, 40, 25, 360, 400, 4, 16, 0xb800, 0x0800, 8, "ega", 0x67, "0308030002", TEXT_40, "0000000000100e0fff", EGA_TEXT],
  [0x01, true, 40, 25, 360, 400, 4, 16, 0xb800, 0x0800, 8, "ega", 0x67, "0308030002", TEXT_40, "0000000000100e0fff", EGA_TEXT],
  [0x02, true, 80, 25, 720, 400, 4, 16, 0xb800, 0x1000, 8, "ega", 0x67, "0300030002", TEXT_80, "0000000000100e0fff", EGA_TEXT],
  [0x03, true, 80, 25, 720, 400, 4, 16, 0xb800, 0x1000, 8, "ega", 0x67, "0300030002", TEXT_80, "0000000000100e0fff", EGA_TEXT],
  [0x04, false, 40, 25, 320, 200, 2, 8, 0xb800, 0x4000, 1, "cga", 0x63, "0309030002",
    "2d2728902b80bf1f00c10000000000009c8e8f140096b9a2ff", "0000000000300f0fff", "001315170204060710111213141516170100030000"],
  [0x05, false, 40, 25, 320, 200, 2, 8, 0xb800, 0x4000, 1, "cga", 0x63, "0309030002",
    "2d2728902b80bf1f00c10000000000009c8e8f140096b9a2ff", "0000000000300f0fff", "001315170204060710111213141516170100030000"],
  [0x06, false, 80, 25, 640, 200, 1, 8, 0xb800, 0x4000, 1, "cga", 0x63, "0301010006",
    "5f4f50825480bf1f00c10000000000009c8e8f280096b9c2ff", "0000000000000d0fff", "001717171717171717171717171717170100010000"],
  [0x07, true, 80, 25, 720, 400, 4, 16, 0xb000, 0x1000, 8, "mono", 0x66, "0300030002",
    "5f4f50825581bf1f004f0d0e000000009c8e8f280d96b9a3ff", "0000000000100a0fff", "000808080808080810181818181818180e000f0800"],
  [0x0d, false, 40, 25, 320, 200, 4, 8, 0xa000, 0x2000, 8, "cga", 0x63, "03090f0006",
    "2d2728902b80bf1f00c00000000000009c8e8f140096b9e3ff", PLANAR, CGA_GRAPHICS],
  [0x0e, false, 80, 25, 640, 200, 4, 8, 0xa000, 0x4000, 4, "cga", 0x63, "03010f0006",
    "5f4f50825480bf1f00c00000000000009c8e8f280096b9e3ff", PLANAR, CGA_GRAPHICS],
  [0x0f, false, 80, 25, 640, 350, 1, 14, 0xa000, 0x8000, 2, "mono", 0xa3, "03010f0006",
    GRAPHICS_350, PLANAR, "000800001818000000080000001800000b00050000"],
  [0x10, false, 80, 25, 640, 350, 4, 14, 0xa000, 0x8000, 2, "ega", 0xa3, "03010f0006", GRAPHICS_350, PLANAR, EGA_GRAPHICS],
  [0x11, false, 80, 30, 640, 480, 1, 16, 0xa000, 0xa000, 1, "ega", 0xe3, "03010f0006",
    GRAPHICS_480, PLANAR, "003f003f003f003f003f003f003f003f01000f0000"],
  [0x12, false, 80, 30, 640, 480, 4, 16, 0xa000, 0xa000, 1, "ega", 0xe3, "03010f0006", GRAPHICS_480, PLANAR, EGA_GRAPHICS],
  [0x13, false, 40, 25, 320, 200, 8, 8, 0xa000, 0x10000, 1, "vga", 0x63, "03010f000e",
    "5f4f50825480bf1f00410000000000009c8e8f284096b9a3ff", "000000000040050fff", "000102030405060708090a0b0c0d0e0f41000f0000"],
];

function standardMode(row: Row): StandardMode {
  const [number, text, columns, rows, width, height, bitsPerPixel, fontHeight, segment, pageSize, pages, palette] = row;
  const [miscellaneous, ...sets] = row.slice(12) as [number, ...string[]];
  const [sequencer, crtc, graphics, attribute] = sets.map((set) => Uint8Array.fromHex(set));
  return {
    number,
    text,
    columns,
    rows,
    width,
    height,
    bitsPerPixel,
    fontHeight,
    segment,
    pageSize,
    pages,
    palette,
    registers: { miscellaneous, sequencer, crtc, graphics, attribute },
  };
}

/** Modes 0 to 7 and 0Dh to 13h by number. */
export const STANDARD_MODES: ReadonlyMap<number, StandardMode> = new Map(
  ROWS.map((row) => [row[0], standardMode(row)]),
);

/** A mode of the Bochs VBE display by its VESA number. */
export interface VbeMode {
  /** Number without the linear framebuffer and no-clear bits. */
  readonly number: number;
  /** Width in pixels. */
  readonly width: number;
  /** Height in pixels. */
  readonly height: number;
  /** 4 (planar), 8 (palette), 15, 16, 24 or 32. */
  readonly bitsPerPixel: 4 | 8 | 15 | 16 | 24 | 32;
}

/** Sizes, with the mode number of each depth. */
// deno-fmt-ignore
const VBE_SIZES: readonly (readonly [width: number, height: number, numbers: Partial<Record<VbeMode["bitsPerPixel"], number>>])[] = [
  [320, 200, { 8: 0x146, 15: 0x10d, 16: 0x10e, 24: 0x10f, 32: 0x140 }],
  [640, 400, { 8: 0x100, 32: 0x141 }],
  [640, 480, { 8: 0x101, 15: 0x110, 16: 0x111, 24: 0x112, 32: 0x142 }],
  [800, 600, { 4: 0x102, 8: 0x103, 15: 0x113, 16: 0x114, 24: 0x115, 32: 0x143 }],
  [1024, 768, { 4: 0x104, 8: 0x105, 15: 0x116, 16: 0x117, 24: 0x118, 32: 0x144 }],
  [1152, 864, { 8: 0x148, 15: 0x149, 16: 0x14a, 24: 0x14b, 32: 0x14c }],
  [1280, 720, { 16: 0x18f, 24: 0x190, 32: 0x191 }],
  [1280, 1024, { 4: 0x106, 8: 0x107, 15: 0x119, 16: 0x11a, 24: 0x11b, 32: 0x145 }],
  [1600, 1200, { 8: 0x11c, 15: 0x11d, 16: 0x11e, 24: 0x11f, 32: 0x147 }],
  [1920, 1080, { 16: 0x18c, 24: 0x18d, 32: 0x18e }],
];

/** The VESA modes, by number. Which of them fit depends on the size of video memory. */
export const VBE_MODES: ReadonlyMap<number, VbeMode> = new Map(
  VBE_SIZES.flatMap(([width, height, numbers]) =>
    Object.entries(numbers).map(([depth, number]): [number, VbeMode] => [
      number,
      { number, width, height, bitsPerPixel: Number(depth) as VbeMode["bitsPerPixel"] },
    ])
  ).sort(([a], [b]) => a - b),
);

/** Bytes of video memory from one line of `mode` to the next, as the processor counts them (per plane in planar modes). */
export function vbePitch(mode: VbeMode): number {
  return mode.bitsPerPixel === 4 ? mode.width / 8 : mode.width * (mode.bitsPerPixel + 1 >> 3);
}

/** Bytes of video memory that the picture of `mode` takes, all planes together. */
export function vbeSize(mode: VbeMode): number {
  return vbePitch(mode) * mode.height * (mode.bitsPerPixel === 4 ? 4 : 1);
}
