/** What all parts of INT 10h share: the mode in force, the data area, the CRT controller, and pages. */
import { STANDARD_MODES, type StandardMode } from "../devices/vga/modes.ts";
import { AttributeBit, Crtc, STATUS_FROM_CRTC, VgaPort } from "../devices/vga/registers.ts";
import { Bda } from "./bda.ts";
import type { LinearMemory } from "./linear_memory.ts";
import type { BiosPorts } from "./wires.ts";

/** The screen as the BIOS data area describes it. */
export class VideoScreen {
  constructor(readonly memory: LinearMemory, readonly ports: BiosPorts) {}

  /** The standard mode that is set, or null in a VESA mode or if a program has written nonsense. */
  get mode(): StandardMode | null {
    return STANDARD_MODES.get(this.memory.read8(Bda.VIDEO_MODE) & 0x7f) ?? null;
  }

  get columns(): number {
    return this.memory.read16(Bda.VIDEO_COLUMNS) || 80;
  }

  /** Lines of characters. */
  get rows(): number {
    return this.memory.read8(Bda.VIDEO_ROWS) + 1;
  }

  /** Scan lines of a character. */
  get charHeight(): number {
    return Math.min(32, this.memory.read16(Bda.CHAR_HEIGHT)) || 16;
  }

  get activePage(): number {
    return this.memory.read8(Bda.VIDEO_PAGE) & 7;
  }

  /** Bytes of a page as the data area says. */
  get pageSize(): number {
    return this.memory.read16(Bda.VIDEO_PAGE_SIZE);
  }

  /** Linear address of a text cell. */
  cellAddress(mode: StandardMode, page: number, row: number, column: number): number {
    return mode.segment * 16 + (page * this.pageSize + (row * this.columns + column) * 2 & 0x7fff);
  }

  cursor(page: number): { row: number; column: number } {
    const at = Bda.CURSOR_POSITIONS + (page & 7) * 2;
    return { row: this.memory.read8(at + 1), column: this.memory.read8(at) };
  }

  /** Moves a page's cursor, and the one on the screen if the page is shown. */
  setCursor(page: number, row: number, column: number): void {
    const at = Bda.CURSOR_POSITIONS + (page & 7) * 2;
    this.memory.write8(at, column);
    this.memory.write8(at + 1, row);
    if ((page & 7) !== this.activePage) return;
    const cell = this.memory.read16(Bda.VIDEO_PAGE_OFFSET) / 2 + row * this.columns + column;
    this.setCrtc(Crtc.CURSOR_LOCATION_HIGH, cell >> 8);
    this.setCrtc(Crtc.CURSOR_LOCATION_LOW, cell);
  }

  /** The CRT controller's index port, 3D4h or 3B4h. */
  get crtcPort(): number {
    return this.memory.read16(Bda.CRTC_PORT) === VgaPort.CRTC_MONO ? VgaPort.CRTC_MONO : VgaPort.CRTC_COLOR;
  }

  crtc(index: number): number {
    this.ports.write(this.crtcPort, index, 1);
    return this.ports.read(this.crtcPort + 1, 1);
  }

  setCrtc(index: number, value: number): void {
    this.setIndexed(this.crtcPort, index, value);
  }

  /** Reads a register behind an index port. */
  indexed(port: number, index: number): number {
    this.ports.write(port, index, 1);
    return this.ports.read(port + 1, 1);
  }

  /** Writes a register behind an index port. */
  setIndexed(port: number, index: number, value: number): void {
    this.ports.write(port, index, 1);
    this.ports.write(port + 1, value & 0xff, 1);
  }

  /** Reads an attribute controller register; the screen stays on. */
  attribute(index: number): number {
    this.#resetFlipFlop();
    this.ports.write(VgaPort.ATTRIBUTE, index, 1);
    const value = this.ports.read(VgaPort.ATTRIBUTE_READ, 1);
    this.#showScreen();
    return value;
  }

  /** Writes an attribute controller register; the screen stays on. */
  setAttribute(index: number, value: number): void {
    this.#resetFlipFlop();
    this.ports.write(VgaPort.ATTRIBUTE, index, 1);
    this.ports.write(VgaPort.ATTRIBUTE, value & 0xff, 1);
    this.#showScreen();
  }

  #resetFlipFlop(): void {
    this.ports.read(this.crtcPort + STATUS_FROM_CRTC, 1);
  }

  #showScreen(): void {
    this.#resetFlipFlop();
    this.ports.write(VgaPort.ATTRIBUTE, AttributeBit.PALETTE_ADDRESS_SOURCE, 1);
  }

  /** The lines of a text screen as character codes; nothing in graphics modes. */
  *textLines(): Generator<number[]> {
    const { mode } = this;
    if (mode === null || !mode.text) return;
    for (let row = 0; row < this.rows; row++) {
      const line: number[] = [];
      for (let column = 0; column < this.columns; column++) {
        line.push(this.memory.read8(this.cellAddress(mode, this.activePage, row, column)));
      }
      yield line;
    }
  }
}
