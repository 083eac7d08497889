/** Pixels, characters and scrolling in graphics modes: CGA interleaved, planar, and 256 colours. Source: IBM VGA technical reference. */
import type { StandardMode } from "../devices/vga/modes.ts";
import { Graphics, VgaPort } from "../devices/vga/registers.ts";
import type { VideoScreen } from "./video_screen.ts";

const XOR = 0x80;
/** Bytes of a CGA field: even lines, then odd ones. */
const CGA_FIELD = 0x2000;

/** A rectangle of character cells, both corners included. */
export interface CellRect {
  readonly top: number;
  readonly left: number;
  readonly bottom: number;
  readonly right: number;
}

/** How a graphics mode keeps its pixels. */
type PixelLayout = "cga" | "planar" | "packed";

/** The layout of a graphics mode. */
function pixelLayout(mode: StandardMode): PixelLayout {
  return mode.segment === 0xb800 ? "cga" : mode.bitsPerPixel === 8 ? "packed" : "planar";
}

/** Drawing in the graphics modes. */
export class GraphicsScreen {
  constructor(private readonly screen: VideoScreen) {}

  #lineBytes(mode: StandardMode): number {
    return mode.bitsPerPixel === 8 ? mode.width : pixelLayout(mode) === "cga" ? 80 : mode.width / 8;
  }

  /** Linear address of the byte with pixel (x, y). */
  #address(mode: StandardMode, page: number, x: number, y: number): number {
    const base = mode.segment * 16;
    switch (pixelLayout(mode)) {
      case "packed":
        return base + y * mode.width + x;
      case "cga":
        return base + (y & 1) * CGA_FIELD + (y >> 1) * 80 + (x * mode.bitsPerPixel >> 3);
      case "planar":
        return base + (page * this.screen.pageSize + y * (mode.width / 8) + (x >> 3) & 0xffff);
    }
  }

  /** Sets pixel (x, y); bit 7 of `color` means exclusive-or, except with 256 colours. Off-screen pixels are ignored. */
  putPixel(mode: StandardMode, page: number, x: number, y: number, color: number): void {
    if (x >= mode.width || y >= mode.height) return;
    const { memory } = this.screen, at = this.#address(mode, page, x, y);
    switch (pixelLayout(mode)) {
      case "packed":
        memory.write8(at, color);
        return;
      case "cga": {
        const { bitsPerPixel: bits } = mode, mask = (1 << bits) - 1;
        const shift = 8 - bits - (x * bits & 7);
        const old = memory.read8(at), value = (color & mask) << shift;
        memory.write8(at, (color & XOR) !== 0 ? old ^ value : old & ~(mask << shift) | value);
        return;
      }
      case "planar":
        this.#planarWrite(color, () => this.#planarBits(at, 0x80 >> (x & 7), color));
        return;
    }
  }

  /** Colour of pixel (x, y); 0 off the screen. */
  getPixel(mode: StandardMode, page: number, x: number, y: number): number {
    if (x >= mode.width || y >= mode.height) return 0;
    const { memory } = this.screen, at = this.#address(mode, page, x, y);
    switch (pixelLayout(mode)) {
      case "packed":
        return memory.read8(at);
      case "cga": {
        const { bitsPerPixel: bits } = mode;
        return memory.read8(at) >> (8 - bits - (x * bits & 7)) & ((1 << bits) - 1);
      }
      case "planar": {
        let color = 0;
        for (let plane = 0; plane < 4; plane++) {
          this.screen.setIndexed(VgaPort.GRAPHICS, Graphics.READ_MAP_SELECT, plane);
          color |= (memory.read8(at) >> (7 - (x & 7)) & 1) << plane;
        }
        this.screen.setIndexed(VgaPort.GRAPHICS, Graphics.READ_MAP_SELECT, 0);
        return color;
      }
    }
  }

  /** Runs `write` in write mode 2, combining by exclusive-or if `color` says so, and puts the registers back. */
  #planarWrite(color: number, write: () => void): void {
    const { screen } = this;
    const before = screen.indexed(VgaPort.GRAPHICS, Graphics.MODE);
    screen.setIndexed(VgaPort.GRAPHICS, Graphics.MODE, before & ~3 | 2);
    screen.setIndexed(VgaPort.GRAPHICS, Graphics.DATA_ROTATE, (color & XOR) !== 0 ? 0x18 : 0);
    write();
    screen.setIndexed(VgaPort.GRAPHICS, Graphics.BIT_MASK, 0xff);
    screen.setIndexed(VgaPort.GRAPHICS, Graphics.DATA_ROTATE, 0);
    screen.setIndexed(VgaPort.GRAPHICS, Graphics.MODE, before);
  }

  #planarBits(at: number, bits: number, color: number): void {
    this.screen.setIndexed(VgaPort.GRAPHICS, Graphics.BIT_MASK, bits);
    // Reading fills the latches, which keep the other pixels.
    this.screen.memory.read8(at);
    this.screen.memory.write8(at, color & 0x0f);
  }

  /** Draws a character's shape (one byte a line) at a cell; pixels outside the shape become 0 unless bit 7 asks for exclusive-or. */
  drawGlyph(mode: StandardMode, page: number, row: number, column: number, glyph: Uint8Array, color: number): void {
    const top = row * glyph.length;
    if (column * 8 + 8 > mode.width || top + glyph.length > mode.height) return;
    switch (pixelLayout(mode)) {
      case "packed":
        glyph.forEach((bits, line) => {
          const pixels = Uint8Array.from({ length: 8 }, (_, x) => (bits & 0x80 >> x) !== 0 ? color : 0);
          this.screen.memory.write(this.#address(mode, page, column * 8, top + line), pixels);
        });
        return;
      case "cga":
        glyph.forEach((bits, line) => {
          for (let x = 0; x < 8; x++) {
            const on = (bits & 0x80 >> x) !== 0;
            if (on || (color & XOR) === 0) this.putPixel(mode, page, column * 8 + x, top + line, on ? color : 0);
          }
        });
        return;
      case "planar":
        this.#planarWrite(color, () =>
          glyph.forEach((bits, line) => {
            const at = this.#address(mode, page, column * 8, top + line);
            if (bits !== 0) this.#planarBits(at, bits, color);
            if (bits !== 0xff && (color & XOR) === 0) this.#planarBits(at, ~bits & 0xff, 0);
          }));
        return;
    }
  }

  /** The character whose shape is at a cell, compared with `glyphOf` for all 256 codes; 0 if none fits. */
  readGlyph(
    mode: StandardMode,
    page: number,
    row: number,
    column: number,
    height: number,
    glyphOf: (code: number) => Uint8Array,
  ): number {
    const seen = Uint8Array.from({ length: height }, (_, line) => {
      let bits = 0;
      for (let x = 0; x < 8; x++) {
        if (this.getPixel(mode, page, column * 8 + x, row * height + line) !== 0) bits |= 0x80 >> x;
      }
      return bits;
    });
    for (let code = 0; code < 256; code++) {
      if (glyphOf(code).every((bits, line) => bits === seen[line])) return code;
    }
    return 0;
  }

  /** Scrolls a rectangle of cells by `lines` (up if positive); the lines that become free get colour `color`. `lines` = 0 clears. */
  scroll(mode: StandardMode, page: number, rect: CellRect, height: number, lines: number, color: number): void {
    const top = rect.top * height, bottom = Math.min(mode.height, (rect.bottom + 1) * height);
    const distance = lines === 0 ? bottom - top : Math.abs(lines) * height;
    const kept = Math.max(0, bottom - top - distance);
    const copy = (target: number, source: number) => this.#copyLine(mode, page, rect, target, source);
    const planar = pixelLayout(mode) === "planar";
    if (planar) this.screen.setIndexed(VgaPort.GRAPHICS, Graphics.MODE, 1);
    if (lines >= 0) { for (let y = 0; y < kept; y++) copy(top + y, top + y + distance); }
    else for (let y = kept - 1; y >= 0; y--) copy(top + y + distance, top + y);
    const [from, to] = lines >= 0 ? [top + kept, bottom] : [top, bottom - kept];
    if (planar) this.screen.setIndexed(VgaPort.GRAPHICS, Graphics.MODE, 2);
    for (let y = from; y < to; y++) this.#fillLine(mode, page, rect, y, color);
    if (planar) this.screen.setIndexed(VgaPort.GRAPHICS, Graphics.MODE, 0);
  }

  #span(mode: StandardMode, rect: CellRect): number {
    const cellBytes = this.#lineBytes(mode) / mode.columns;
    return (Math.min(rect.right, mode.columns - 1) - rect.left + 1) * cellBytes;
  }

  #copyLine(mode: StandardMode, page: number, rect: CellRect, target: number, source: number): void {
    const { memory } = this.screen, length = this.#span(mode, rect);
    const from = this.#address(mode, page, rect.left * 8, source),
      to = this.#address(mode, page, rect.left * 8, target);
    if (pixelLayout(mode) === "planar") {
      // Write mode 1 copies all four planes through the latches.
      for (let i = 0; i < length; i++) {
        memory.read8(from + i);
        memory.write8(to + i, 0);
      }
    } else {
      memory.write(to, memory.bytes(from, length));
    }
  }

  #fillLine(mode: StandardMode, page: number, rect: CellRect, y: number, color: number): void {
    const length = this.#span(mode, rect), at = this.#address(mode, page, rect.left * 8, y);
    const { bitsPerPixel } = mode;
    // In CGA modes the attribute is a pattern of pixels, as the CGA's BIOS had it.
    const value = bitsPerPixel === 4 ? color & 0x0f : color;
    this.screen.memory.write(at, new Uint8Array(length).fill(value));
  }
}
