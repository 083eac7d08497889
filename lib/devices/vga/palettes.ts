/**
 * The palettes that a VGA BIOS loads: 6-bit red, green and blue of the DAC's first colours; the rest is black.
 * Source: IBM, "PS/2 Hardware Interface Technical Reference — Video Subsystem", colour tables of the BIOS modes.
 */

/** Names of the standard palettes. */
export type PaletteName = "ega" | "cga" | "mono" | "vga";

const LOW = 0x15, MIDDLE = 0x2a, FULL = 0x3f;

/** 64 colours, two bits a component: bits 2, 1, 0 are two thirds of red, green, blue, bits 5, 4, 3 one third. */
function egaColor(index: number): number[] {
  return [2, 1, 0].map((bit) => (index >> bit & 1) * MIDDLE + (index >> (bit + 3) & 1) * LOW);
}

/** The CGA's 16 colours: bit 4 is intensity, and dark yellow is brown. */
function cgaColor(index: number): number[] {
  const bright = (index & 0x10) !== 0;
  if ((index & 0x17) === 6) return [MIDDLE, LOW, 0];
  return [2, 1, 0].map((bit) => (index >> bit & 1) * MIDDLE + (bright ? LOW : 0));
}

/** Black, grey and white, by bits 3 and 4. */
function monoColor(index: number): number[] {
  const level = [0, MIDDLE, MIDDLE, FULL][index >> 3 & 3];
  return [level, level, level];
}

const GREYS = [0x00, 0x05, 0x08, 0x0b, 0x0e, 0x11, 0x14, 0x18, 0x1c, 0x20, 0x24, 0x28, 0x2d, 0x32, 0x38, 0x3f];

/** Levels of a component from absent to full, for three brightnesses and three saturations. */
const LEVELS = [
  [0x00, 0x10, 0x1f, 0x2f, 0x3f],
  [0x1f, 0x27, 0x2f, 0x37, 0x3f],
  [0x2d, 0x31, 0x36, 0x3a, 0x3f],
  [0x00, 0x07, 0x0e, 0x15, 0x1c],
  [0x0e, 0x11, 0x15, 0x18, 0x1c],
  [0x14, 0x16, 0x18, 0x1a, 0x1c],
  [0x00, 0x04, 0x08, 0x0c, 0x10],
  [0x08, 0x0a, 0x0c, 0x0e, 0x10],
  [0x0b, 0x0c, 0x0d, 0x0f, 0x10],
];
const HUES = 24;
/** How much of a component a hue has, as an index of {@link LEVELS}' rows; red as written, the others a third further on. */
const HUE_LEVEL = [0, 1, 2, 3, 4, 4, 4, 4, 4, 4, 4, 4, 4, 3, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0];

/** The CGA's 16 colours, 16 greys, then nine wheels of 24 hues. */
function vgaColor(index: number): number[] {
  if (index < 16) return cgaColor((index & 7) | (index & 8) << 1);
  if (index < 32) return [GREYS[index - 16], GREYS[index - 16], GREYS[index - 16]];
  const wheel = index - 32, levels = LEVELS[Math.floor(wheel / HUES)];
  if (levels === undefined) return [0, 0, 0];
  const hue = wheel % HUES;
  return [hue, hue + 16, hue + 8].map((at) => levels[HUE_LEVEL[at % HUES]]);
}

const RULES: Readonly<Record<PaletteName, { colors: number; color: (index: number) => number[] }>> = {
  ega: { colors: 64, color: egaColor },
  cga: { colors: 64, color: cgaColor },
  mono: { colors: 64, color: monoColor },
  vga: { colors: 256, color: vgaColor },
};

/** The 256 colours of a standard palette as 768 bytes of 6 bits: red, green, blue of colour 0, and so on. */
export function standardPalette(name: PaletteName): Uint8Array {
  const { colors, color } = RULES[name];
  const palette = new Uint8Array(768);
  for (let i = 0; i < colors; i++) palette.set(color(i), i * 3);
  return palette;
}
