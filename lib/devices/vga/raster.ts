/**
 * The picture on the monitor, as RGBA.
 *
 * The picture agrees with the screen dumps of QEMU's "std" VGA wherever that shows one, so that the two can be compared
 * dot by dot. This decides where it and the IBM VGA differ: colour components of 6 bits become 8 by repeating bit 0;
 * the ninth column repeats the eighth from character B0h (IBM: C0h); 40-column cells are 16 dots wide; and attribute
 * bit 7 selects a bright background even while it means blinking, unless {@link RasterOptions.blink} asks for blinking.
 */
import { displayMode, isBlank } from "./geometry.ts";
import { rasterizeGraphics } from "./raster_graphics.ts";
import { rasterizeText } from "./raster_text.ts";
import { Dispi, DispiBit, type VgaState } from "./registers.ts";

/** A picture. */
export interface Raster {
  /** Dots of a line. */
  readonly width: number;
  /** Lines. */
  readonly height: number;
  /** Red, green, blue, alpha (always 255), line by line from the top left. */
  readonly data: Uint8Array;
}

/** What to do with the parts of a text screen that change by themselves. */
export interface RasterOptions {
  /** `"blink"` (default) shows the cursor in the phase that it has at that time; `"on"` and `"off"` are steady. */
  readonly cursor?: "blink" | "on" | "off";
  /** True: characters blink where the attribute controller says so, and backgrounds are dark there. Default false. */
  readonly blink?: boolean;
}

/** The palette as RGBA words, as the DAC converts it. */
export function dacColors(state: VgaState): Uint32Array {
  const { palette, pelMask } = state;
  const eightBits = (state.dispi[Dispi.ENABLE] & DispiBit.DAC_8BIT) !== 0;
  const component = (at: number) => {
    const value = palette[at];
    return eightBits ? value : (value & 0x3f) << 2 | (value & 1) * 3;
  };
  const colors = new Uint32Array(256);
  for (let i = 0; i < 256; i++) {
    const at = (i & pelMask) * 3;
    colors[i] = (0xff000000 | component(at + 2) << 16 | component(at + 1) << 8 | component(at)) >>> 0;
  }
  return colors;
}

/** Draws what is displayed at guest time `nowNs`. `cells` is video memory, four planes a cell. */
export function rasterize(state: VgaState, cells: Int32Array, nowNs: number, options: RasterOptions = {}): Raster {
  const mode = displayMode(state);
  const { width, height } = mode;
  const dots = new Uint32Array(width * height);
  if (isBlank(state)) dots.fill(0xff000000);
  else if (mode.format === "text") rasterizeText(state, cells, dots, nowNs, options);
  else rasterizeGraphics(state, cells, dots, mode);
  return { width, height, data: new Uint8Array(dots.buffer) };
}
