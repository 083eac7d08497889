/** The VGA: registers, video memory, picture and text. */
export { DEFAULT_VRAM_SIZE, Vga, type VgaWires } from "./vga.ts";
export type { Raster, RasterOptions } from "./raster.ts";
export type { TextCell, TextCursor, TextScreen } from "./text.ts";
export type { DisplayMode, PixelFormat } from "./geometry.ts";
export { CP437, fromCp437, toCp437 } from "./cp437.ts";
export {
  type ModeRegisters,
  STANDARD_MODES,
  type StandardMode,
  VBE_MODES,
  type VbeMode,
  vbePitch,
  vbeSize,
} from "./modes.ts";
export { type PaletteName, standardPalette } from "./palettes.ts";
export {
  loadFont,
  type LoadFontOptions,
  type PortAccess,
  type PortWriter,
  programMode,
  programVbeMode,
  type VbeModeOptions,
  writeDispiRegister,
} from "./program.ts";
