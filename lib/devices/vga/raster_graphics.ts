/** Graphics modes: planar, CGA, packed, and the depths of the Bochs VBE display. */
import { attributeColor, type DisplayMode, vbeLayout } from "./geometry.ts";
import { dacColors } from "./raster.ts";
import { Attribute, AttributeBit, type VgaState } from "./registers.ts";
import { cellAddress, scanLines } from "./scan.ts";

/** Draws a graphics mode into `dots`. */
export function rasterizeGraphics(state: VgaState, cells: Int32Array, dots: Uint32Array, mode: DisplayMode): void {
  if (mode.format === "vbe") rasterizeVbe(state, cells, dots, mode);
  else rasterizeVga(state, cells, dots, mode);
}

/** The 16 colours of the planes enabled, as RGBA words. */
function planeColors(state: VgaState): Uint32Array {
  const dac = dacColors(state), enable = state.attribute[Attribute.COLOR_PLANE_ENABLE] & 0x0f;
  return Uint32Array.from({ length: 16 }, (_, i) => dac[attributeColor(state, i & enable)]);
}

/** Pixel `i` (0 to 7, from the left) of a cell in planar format. */
function planarPixel(cell: number, i: number): number {
  const bit = 7 - i;
  return cell >> bit & 1 | (cell >> (bit + 8) & 1) << 1 | (cell >> (bit + 16) & 1) << 2 | (cell >> (bit + 24) & 1) << 3;
}

/** Pixel `i` (0 to 7) of a cell in CGA format: two bits of planes 0 and 1 in turn, two more of planes 2 and 3. */
function cgaPixel(cell: number, i: number): number {
  const plane = i >> 2, shift = 6 - 2 * (i & 3);
  return cell >> (8 * plane + shift) & 3 | (cell >> (8 * plane + 16 + shift) & 3) << 2;
}

/** Modes of the VGA's own CRT controller. */
function rasterizeVga(state: VgaState, cells: Int32Array, dots: Uint32Array, mode: DisplayMode): void {
  const { width, height, xScale, format } = mode;
  const packed = format === "packed";
  const colors = packed ? dacColors(state) : planeColors(state);
  const perCell = packed ? 4 : 8;
  const pixel = format === "planar" ? planarPixel : cgaPixel;
  const panning = state.attribute[Attribute.HORIZONTAL_PEL_PANNING] & 0x0f;
  const pan = packed ? (panning >> 1) & 3 : panning & 7;
  const panTopOnly = (state.attribute[Attribute.MODE_CONTROL] & AttributeBit.PAN_TOP_ONLY) !== 0;

  scanLines(state, height, (y, { address, rowScan, split }) => {
    const end = (y + 1) * width;
    let at = y * width, skip = split && panTopOnly ? 0 : pan;
    for (let column = 0; at < end; column++) {
      const cell = cells[cellAddress(state, address + column, rowScan)];
      for (let i = skip; i < perCell && at < end; i++) {
        const dot = colors[packed ? cell >>> (8 * i) & 0xff : pixel(cell, i)];
        for (let repeat = 0; repeat < xScale; repeat++) dots[at++] = dot;
      }
      skip = 0;
    }
  });
}

/** Repeats the upper bits of a 5-bit component in the lower ones of 8. */
function five(value: number): number {
  return value << 3 | value >> 2;
}

/** The Bochs VBE display. */
function rasterizeVbe(state: VgaState, cells: Int32Array, dots: Uint32Array, mode: DisplayMode): void {
  const { width, height, bitsPerPixel } = mode;
  const { start, pitch } = vbeLayout(state);
  const bytes = new Uint8Array(cells.buffer, cells.byteOffset, cells.byteLength);
  const colors = bitsPerPixel === 4 ? planeColors(state) : dacColors(state);
  for (let y = 0, at = 0; y < height; y++) {
    let from = start + y * pitch;
    for (let x = 0; x < width; x++, at++) {
      switch (bitsPerPixel) {
        case 4:
          dots[at] = colors[planarPixel(cells[(from >> 2) + (x >> 3)], x & 7)];
          break;
        case 8:
          dots[at] = colors[bytes[from++]];
          break;
        case 15: {
          const value = bytes[from] | bytes[from + 1] << 8;
          dots[at] = 0xff000000 | five(value & 31) << 16 | five(value >> 5 & 31) << 8 | five(value >> 10 & 31);
          from += 2;
          break;
        }
        case 16: {
          const value = bytes[from] | bytes[from + 1] << 8, green = value >> 5 & 63;
          dots[at] = 0xff000000 | five(value & 31) << 16 | (green << 2 | green >> 4) << 8 | five(value >> 11);
          from += 2;
          break;
        }
        default:
          dots[at] = 0xff000000 | bytes[from] << 16 | bytes[from + 1] << 8 | bytes[from + 2];
          from += bitsPerPixel >> 3;
      }
    }
  }
}
