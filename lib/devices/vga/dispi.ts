/**
 * The Bochs VBE display ("dispi"): resolutions and depths beyond the VGA's, a bank window and a linear framebuffer.
 * Source: "Bochs VBE Display API", interface version B0C5h.
 */
import { Dispi, DISPI_MAXIMUM, DispiBit, dispiEnabled, VBE_BANK_SIZE, type VgaState } from "./registers.ts";

/** Bits that a pixel of `bitsPerPixel` takes in memory; 0 for a depth that does not exist. */
function pixelBits(bitsPerPixel: number): number {
  switch (bitsPerPixel) {
    case 4:
    case 8:
    case 16:
    case 24:
    case 32:
      return bitsPerPixel;
    case 15:
      return 16;
    default:
      return 0;
  }
}

/** Bytes of video memory from one line to the next, all planes together. */
export function dispiPitch(state: VgaState): number {
  return state.dispi[Dispi.VIRT_WIDTH] * pixelBits(state.dispi[Dispi.BPP]) >>> 3;
}

/** The byte of video memory at which the picture starts. */
export function dispiStart(state: VgaState): number {
  const { dispi } = state;
  return dispi[Dispi.Y_OFFSET] * dispiPitch(state) + (dispi[Dispi.X_OFFSET] * pixelBits(dispi[Dispi.BPP]) >>> 3);
}

/** Reads register `index`; `memorySize` is the size of video memory in bytes. */
export function readDispi(state: VgaState, index: number, memorySize: number): number {
  const { dispi } = state;
  if (index === Dispi.VIDEO_MEMORY_64K) return memorySize / VBE_BANK_SIZE;
  if ((dispi[Dispi.ENABLE] & DispiBit.GET_CAPS) !== 0) {
    if (index === Dispi.XRES) return DISPI_MAXIMUM.width;
    if (index === Dispi.YRES) return DISPI_MAXIMUM.height;
    if (index === Dispi.BPP) return DISPI_MAXIMUM.bitsPerPixel;
  }
  return index < Dispi.VIDEO_MEMORY_64K ? dispi[index] : 0;
}

/**
 * Writes register `index` and brings the others into agreement. Returns the number of bytes at the start of video
 * memory that the display clears (0 except on enabling).
 */
export function writeDispi(state: VgaState, index: number, value: number, memorySize: number): number {
  const { dispi } = state;
  switch (index) {
    case Dispi.ID:
      if (value >= DispiBit.ID0 && value <= DispiBit.ID5) dispi[Dispi.ID] = value;
      return 0;
    case Dispi.XRES:
    case Dispi.YRES:
    case Dispi.BPP:
    case Dispi.VIRT_WIDTH:
    case Dispi.X_OFFSET:
    case Dispi.Y_OFFSET:
      dispi[index] = value;
      if (dispiEnabled(state)) agreeDispi(state, memorySize);
      return 0;
    case Dispi.BANK: {
      const banks = memorySize / VBE_BANK_SIZE / (dispi[Dispi.BPP] === 4 ? 4 : 1);
      dispi[Dispi.BANK] = value % banks;
      return 0;
    }
    case Dispi.ENABLE: {
      const before = dispiEnabled(state);
      dispi[Dispi.ENABLE] = value;
      dispi[Dispi.BANK] = 0;
      if (before || !dispiEnabled(state)) return 0;
      dispi[Dispi.VIRT_WIDTH] = 0;
      dispi[Dispi.X_OFFSET] = 0;
      dispi[Dispi.Y_OFFSET] = 0;
      agreeDispi(state, memorySize);
      return (value & DispiBit.NO_CLEAR_MEM) !== 0 ? 0 : dispi[Dispi.YRES] * dispiPitch(state);
    }
    default:
      return 0;
  }
}

/** Replaces values that make no picture by the nearest that do, and derives the virtual height. */
export function agreeDispi(state: VgaState, memorySize: number): void {
  const { dispi } = state;
  if (pixelBits(dispi[Dispi.BPP]) === 0) dispi[Dispi.BPP] = 8;
  dispi[Dispi.XRES] = Math.min(Math.max(dispi[Dispi.XRES] & ~7, 8), DISPI_MAXIMUM.width);
  // Virtual widths up to twice the largest picture leave at least one line in the smallest video memory.
  dispi[Dispi.VIRT_WIDTH] = Math.min(
    Math.max(dispi[Dispi.VIRT_WIDTH] & ~7, dispi[Dispi.XRES]),
    2 * DISPI_MAXIMUM.width,
  );
  const pitch = dispiPitch(state);
  const lines = Math.floor(memorySize / pitch);
  dispi[Dispi.YRES] = Math.min(Math.max(dispi[Dispi.YRES], 1), DISPI_MAXIMUM.height, lines);
  dispi[Dispi.VIRT_HEIGHT] = Math.min(lines, 0xffff);
  const size = dispi[Dispi.YRES] * pitch;
  if (dispiStart(state) + size > memorySize) dispi[Dispi.Y_OFFSET] = 0;
  if (dispiStart(state) + size > memorySize) dispi[Dispi.X_OFFSET] = 0;
}
