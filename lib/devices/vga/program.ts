/** Setting modes and loading fonts through the registers, as a video BIOS does. */
import type { AccessSize, DmaMemory } from "../../machine/types.ts";
import { STANDARD_MODES, type VbeMode } from "./modes.ts";
import { standardPalette } from "./palettes.ts";
import {
  AttributeBit,
  Crtc,
  crtcPortOf,
  Dispi,
  DispiBit,
  GLYPH_BYTES,
  Graphics,
  Sequencer,
  STATUS_FROM_CRTC,
  VgaPort,
} from "./registers.ts";

/** Where {@link programMode} and its like write: the port space of the machine. */
export interface PortWriter {
  /** Writes `size` bytes to `port`. */
  write(port: number, value: number, size: AccessSize): void;
}

/** What is needed to reset the attribute controller's flip-flop too. */
export interface PortAccess extends PortWriter {
  /** Reads `size` bytes from `port`. */
  read(port: number, size: AccessSize): number;
}

function indexed(ports: PortWriter, port: number, index: number, value: number): void {
  ports.write(port, index, 1);
  ports.write(port + 1, value, 1);
}

/** Writes a register of the Bochs VBE display. */
export function writeDispiRegister(ports: PortWriter, index: number, value: number): void {
  ports.write(VgaPort.DISPI_INDEX, index, 2);
  ports.write(VgaPort.DISPI_DATA, value, 2);
}

/** Loads 256 colours of 6 bits a component (768 bytes) into the DAC. */
function loadPalette(ports: PortWriter, palette: Uint8Array): void {
  ports.write(VgaPort.PEL_MASK, 0xff, 1);
  ports.write(VgaPort.DAC_WRITE, 0, 1);
  for (const component of palette) ports.write(VgaPort.DAC_DATA, component, 1);
}

/**
 * Sets standard mode `number`: all registers and, unless `palette` is false, the palette. Video memory and fonts are
 * left as they are.
 *
 * @throws RangeError if there is no such mode.
 */
export function programMode(ports: PortAccess, number: number, options: { palette?: boolean } = {}): void {
  const mode = STANDARD_MODES.get(number);
  if (mode === undefined) throw new RangeError(`there is no standard video mode ${number.toString(16)}h`);
  const { miscellaneous, sequencer, crtc, graphics, attribute } = mode.registers;
  const crtcPort = crtcPortOf(miscellaneous);
  writeDispiRegister(ports, Dispi.ENABLE, 0);
  ports.write(VgaPort.MISCELLANEOUS, miscellaneous, 1);
  // An index without the palette address source bit blanks the screen until the end.
  ports.read(crtcPort + STATUS_FROM_CRTC, 1);
  attribute.forEach((value, index) => {
    ports.write(VgaPort.ATTRIBUTE, index, 1);
    ports.write(VgaPort.ATTRIBUTE, value, 1);
  });
  if (options.palette !== false) loadPalette(ports, standardPalette(mode.palette));
  sequencer.forEach((value, index) => indexed(ports, VgaPort.SEQUENCER, index, value));
  graphics.forEach((value, index) => indexed(ports, VgaPort.GRAPHICS, index, value));
  indexed(ports, crtcPort, Crtc.VERTICAL_RETRACE_END, 0);
  crtc.forEach((value, index) => indexed(ports, crtcPort, index, value));
  ports.write(VgaPort.ATTRIBUTE, AttributeBit.PALETTE_ADDRESS_SOURCE, 1);
}

/** Options of {@link programVbeMode}. */
export interface VbeModeOptions {
  /** Leave video memory as it is; default false: it is cleared. */
  keepMemory?: boolean;
  /** Report a linear framebuffer as enabled; default false. */
  linear?: boolean;
  /** 8 bits a component of the palette; default false: 6. */
  wideDac?: boolean;
}

/** Sets a mode of the Bochs VBE display, with the VGA's registers and palette as they fit its depth. */
export function programVbeMode(ports: PortAccess, mode: VbeMode, options: VbeModeOptions = {}): void {
  programMode(ports, mode.bitsPerPixel === 4 ? 0x12 : 0x13);
  writeDispiRegister(ports, Dispi.XRES, mode.width);
  writeDispiRegister(ports, Dispi.YRES, mode.height);
  writeDispiRegister(ports, Dispi.BPP, mode.bitsPerPixel);
  const flags = DispiBit.ENABLED | (options.linear ? DispiBit.LFB_ENABLED : 0) |
    (options.keepMemory ? DispiBit.NO_CLEAR_MEM : 0) | (options.wideDac ? DispiBit.DAC_8BIT : 0);
  writeDispiRegister(ports, Dispi.ENABLE, flags);
}

/** Options of {@link loadFont}. */
export interface LoadFontOptions {
  /** One of the eight fonts in plane 2, 0 (default) to 7. */
  block?: number;
  /** Code of the first character; default 0. */
  first?: number;
}

/**
 * Loads character shapes of `height` bytes each into plane 2, in a text mode. The registers that this changes on the way are
 * put back to those of mode `mode`.
 */
export function loadFont(
  ports: PortWriter,
  memory: DmaMemory,
  mode: number,
  font: Uint8Array,
  height: number,
  options: LoadFontOptions = {},
): void {
  const registers = STANDARD_MODES.get(mode)?.registers;
  if (registers === undefined) throw new RangeError(`there is no standard video mode ${mode.toString(16)}h`);
  const { block = 0, first = 0 } = options;
  indexed(ports, VgaPort.SEQUENCER, Sequencer.MAP_MASK, 0x04);
  indexed(ports, VgaPort.SEQUENCER, Sequencer.MEMORY_MODE, 0x06);
  indexed(ports, VgaPort.GRAPHICS, Graphics.MODE, 0x00);
  indexed(ports, VgaPort.GRAPHICS, Graphics.MISCELLANEOUS, 0x04);
  // Blocks 0 to 3 are 16 KiB apart, 4 to 7 lie between them.
  const base = 0xa0000 + (block & 3) * 0x4000 + (block >> 2 & 1) * 0x2000;
  const glyph = new Uint8Array(GLYPH_BYTES);
  for (let i = 0; (i + 1) * height <= font.length && first + i < 256; i++) {
    glyph.fill(0);
    glyph.set(font.subarray(i * height, (i + 1) * height));
    memory.write(base + (first + i) * GLYPH_BYTES, glyph);
  }
  indexed(ports, VgaPort.SEQUENCER, Sequencer.MAP_MASK, registers.sequencer[Sequencer.MAP_MASK]);
  indexed(ports, VgaPort.SEQUENCER, Sequencer.MEMORY_MODE, registers.sequencer[Sequencer.MEMORY_MODE]);
  indexed(ports, VgaPort.GRAPHICS, Graphics.MODE, registers.graphics[Graphics.MODE]);
  indexed(ports, VgaPort.GRAPHICS, Graphics.MISCELLANEOUS, registers.graphics[Graphics.MISCELLANEOUS]);
}
