/** INT 10h: modes, cursor, text, teletype. Palette, fonts, state and VESA functions are beside. Source: IBM PS/2 and PC BIOS interface technical reference, "Video". */
import { STANDARD_MODES, type StandardMode } from "../devices/vga/modes.ts";
import { loadFont, programMode } from "../devices/vga/program.ts";
import { Crtc, crtcPortOf, MiscellaneousBit, Sequencer, SequencerBit, VgaPort } from "../devices/vga/registers.ts";
import { Bda } from "./bda.ts";
import type { Call } from "./call.ts";
import { handleFonts } from "./video_fonts.ts";
import { type CellRect, GraphicsScreen } from "./video_graphics.ts";
import { handlePalette } from "./video_palette.ts";
import type { VideoScreen } from "./video_screen.ts";
import { handleState } from "./video_state.ts";
import { VbeServices, type VbeState } from "./vbe.ts";
import { type BiosFonts, VIDEO_ROM, type VideoRom } from "./vga_rom.ts";

const MODE_COUNT = 8;
/** Mode control and palette registers of the CGA, which modes 0–7 keep copies of in the data area. */
const MODE_CONTROL = [0x2c, 0x28, 0x2d, 0x29, 0x2a, 0x2e, 0x1e, 0x29];

/** Interrupt vectors that point to fonts. */
const FontVector = { UPPER: 0x1f, CURRENT: 0x43 } as const;

/** INT 10h. */
export class VideoServices {
  readonly #graphics: GraphicsScreen;
  readonly #vbe: VbeServices;

  constructor(
    private readonly screen: VideoScreen,
    private readonly fonts: BiosFonts,
    private readonly rom: VideoRom,
    private readonly state: VbeState,
  ) {
    this.#graphics = new GraphicsScreen(screen);
    this.#vbe = new VbeServices(screen, rom, state, (number) => this.setMode(number));
  }

  /** INT 10h. Functions that do not exist leave all registers alone. */
  handle(call: Call): void {
    const { screen } = this, { memory } = screen;
    switch (call.ah) {
      case 0x00:
        this.#setModeCall(call);
        return;
      case 0x01:
        this.setCursorShape(call.ch, call.cl);
        return;
      case 0x02:
        screen.setCursor(call.bh, call.dh, call.dl);
        return;
      case 0x03: {
        const { row, column } = screen.cursor(call.bh);
        call.dh = row;
        call.dl = column;
        call.cx = memory.read16(Bda.CURSOR_SHAPE);
        return;
      }
      case 0x04:
        // There is no light pen.
        call.ah = 0;
        return;
      case 0x05:
        this.#selectPage(call.al);
        return;
      case 0x06:
      case 0x07:
        this.#scrollCall(call);
        return;
      case 0x08:
        this.#readCell(call);
        return;
      case 0x09:
      case 0x0a:
        this.#writeCells(call.bh, call.al, call.bl, call.ah === 0x09, call.cx);
        return;
      case 0x0b:
        this.#cgaPalette(call);
        return;
      case 0x0c: {
        const { mode } = screen;
        if (mode !== null && !mode.text) this.#graphics.putPixel(mode, call.bh, call.cx, call.dx, call.al);
        return;
      }
      case 0x0d: {
        const { mode } = screen;
        if (mode !== null && !mode.text) call.al = this.#graphics.getPixel(mode, call.bh, call.cx, call.dx);
        return;
      }
      case 0x0e:
        this.teletype(call.al, call.bl);
        return;
      case 0x0f:
        call.al = memory.read8(Bda.VIDEO_MODE) & 0x7f | memory.read8(Bda.VIDEO_CONTROL) & 0x80;
        call.ah = screen.columns;
        call.bh = screen.activePage;
        return;
      case 0x10:
        handlePalette(call, screen);
        return;
      case 0x11:
        handleFonts(call, screen, this.fonts, this.rom, (shape) => this.setCursorShape(shape >> 8, shape & 0xff));
        return;
      case 0x12:
        this.#alternateSelect(call);
        return;
      case 0x13:
        this.#writeString(call);
        return;
      case 0x1a:
      case 0x1b:
      case 0x1c:
        handleState(call, screen, this.rom);
        return;
      case 0x4f:
        this.#vbe.handle(call);
        return;
    }
  }

  #setModeCall(call: Call): void {
    const number = call.al & 0x7f;
    if (!this.setMode(call.al)) return;
    // What the BIOS of the PS/2 leaves in AL.
    call.al = number === 6 ? 0x3f : number > 7 ? 0x20 : 0x30;
  }

  /** Sets standard mode `number` (bit 7: keep video memory); false if there is none. */
  setMode(number: number): boolean {
    const mode = STANDARD_MODES.get(number & 0x7f);
    if (mode === undefined) return false;
    const { screen } = this, { memory, ports } = screen;
    const keep = (number & 0x80) !== 0;
    this.state.vbeMode = 0;
    programMode(ports, mode.number, { palette: (memory.read8(Bda.VIDEO_MODESET_CONTROL) & 0x08) === 0 });
    if (!keep) this.#clear(mode);
    if (mode.text) {
      loadFont(ports, memory.physical, mode.number, this.fonts[mode.fontHeight], mode.fontHeight);
    }
    this.#describeMode(mode, keep);
    this.#setVector(FontVector.CURRENT, this.rom.fonts[mode.fontHeight]);
    this.#setVector(FontVector.UPPER, this.rom.fonts[8] + 1024);
    return true;
  }

  #clear(mode: StandardMode): void {
    const { memory } = this.screen;
    if (!mode.text) {
      memory.write(mode.segment * 16, new Uint8Array(mode.segment === 0xa000 ? 0x10000 : 0x8000));
      return;
    }
    const blank = new Uint8Array(0x8000);
    for (let at = 0; at < blank.length; at += 2) {
      blank[at] = 0x20;
      blank[at + 1] = 0x07;
    }
    memory.write(mode.segment * 16, blank);
  }

  #describeMode(mode: StandardMode, keep: boolean): void {
    const { memory } = this.screen;
    memory.write8(Bda.VIDEO_MODE, mode.number);
    memory.write16(Bda.VIDEO_COLUMNS, mode.columns);
    // Mode 13h has a page of 64 KiB, which 16 bits cannot tell.
    memory.write16(Bda.VIDEO_PAGE_SIZE, mode.pageSize > 0xffff ? 0x2000 : mode.pageSize);
    memory.write16(Bda.VIDEO_PAGE_OFFSET, 0);
    memory.write(Bda.CURSOR_POSITIONS, new Uint8Array(16));
    memory.write16(Bda.CURSOR_SHAPE, mode.text ? 0x0607 : 0);
    memory.write8(Bda.VIDEO_PAGE, 0);
    memory.write16(Bda.CRTC_PORT, crtcPortOf(mode.registers.miscellaneous));
    if (mode.number < MODE_COUNT) memory.write8(Bda.VIDEO_MODE_CONTROL, MODE_CONTROL[mode.number]);
    memory.write8(Bda.VIDEO_PALETTE, mode.number === 6 ? 0x3f : 0x30);
    memory.write8(Bda.VIDEO_ROWS, mode.rows - 1);
    memory.write16(Bda.CHAR_HEIGHT, mode.fontHeight);
    memory.write8(Bda.VIDEO_CONTROL, 0x60 | (keep ? 0x80 : 0));
    memory.write8(Bda.VIDEO_SWITCHES, 0xf9);
    memory.write8(Bda.VIDEO_MODESET_CONTROL, memory.read8(Bda.VIDEO_MODESET_CONTROL) & 0x0e | 0x51);
    memory.write8(Bda.VIDEO_DCC_INDEX, 0x08);
    memory.write16(Bda.VIDEO_SAVE_POINTER, this.rom.savePointers);
    memory.write16(Bda.VIDEO_SAVE_POINTER + 2, VIDEO_ROM.SEGMENT);
  }

  #setVector(vector: number, offset: number): void {
    this.screen.memory.write16(vector * 4, offset);
    this.screen.memory.write16(vector * 4 + 2, VIDEO_ROM.SEGMENT);
  }

  /** Sets the cursor's first and last line as programs for 8-line characters give them. */
  setCursorShape(start: number, end: number): void {
    this.screen.memory.write16(Bda.CURSOR_SHAPE, start << 8 | end);
    this.#applyCursorShape(start, end);
  }

  /** Stretches a cursor meant for 8 lines to the character's height, unless emulation is off. */
  #applyCursorShape(start: number, end: number): void {
    const { screen } = this, height = screen.charHeight;
    let first = start & 0x1f, last = end & 0x1f;
    const emulate = (screen.memory.read8(Bda.VIDEO_CONTROL) & 1) === 0;
    if (emulate && height > 8 && last < 8 && (start & 0x60) === 0) {
      const underline = last === first + 1;
      first = underline ? Math.floor((last + 1) * height / 8) - 2 : Math.floor((first + 1) * height / 8) - 1;
      last = Math.floor((last + 1) * height / 8) - 1;
      if (underline && last - first !== 1) first = last - 1;
    }
    screen.setCrtc(Crtc.CURSOR_START, start & 0x60 | first);
    screen.setCrtc(Crtc.CURSOR_END, last);
  }

  #selectPage(page: number): void {
    const { screen } = this, { memory, mode } = screen;
    if (page > 7 || mode === null || page >= mode.pages && !mode.text) return;
    const offset = page * screen.pageSize;
    memory.write8(Bda.VIDEO_PAGE, page);
    memory.write16(Bda.VIDEO_PAGE_OFFSET, offset);
    const start = mode.text ? offset >> 1 : offset;
    screen.setCrtc(Crtc.START_ADDRESS_HIGH, start >> 8);
    screen.setCrtc(Crtc.START_ADDRESS_LOW, start);
    const { row, column } = screen.cursor(page);
    screen.setCursor(page, row, column);
  }

  #scrollCall(call: Call): void {
    const { screen } = this;
    const rect = {
      top: call.ch,
      left: call.cl,
      bottom: Math.min(call.dh, screen.rows - 1),
      right: Math.min(call.dl, screen.columns - 1),
    };
    this.#scroll(screen.activePage, rect, call.ah === 0x06 ? call.al : -call.al, call.bh);
  }

  /** Scrolls cells up by `lines` (down if negative, clear if 0 or too many); blanks get attribute or colour `fill`. */
  #scroll(page: number, rect: CellRect, lines: number, fill: number): void {
    const { screen } = this, { mode, memory } = screen;
    if (mode === null || rect.top > rect.bottom || rect.left > rect.right) return;
    const count = rect.bottom - rect.top + 1;
    const amount = Math.abs(lines) >= count ? 0 : lines;
    if (!mode.text) {
      this.#graphics.scroll(mode, page, rect, screen.charHeight, amount, fill);
      return;
    }
    const width = rect.right - rect.left + 1;
    const at = (row: number) => screen.cellAddress(mode, page, rect.top + row, rect.left);
    const kept = amount === 0 ? 0 : count - Math.abs(amount);
    if (amount > 0) {
      for (let row = 0; row < kept; row++) memory.write(at(row), memory.bytes(at(row + amount), width * 2));
    } else for (let row = kept - 1; row >= 0; row--) memory.write(at(row - amount), memory.bytes(at(row), width * 2));
    const blank = new Uint8Array(width * 2);
    for (let i = 0; i < blank.length; i += 2) {
      blank[i] = 0x20;
      blank[i + 1] = fill;
    }
    const first = amount >= 0 ? kept : 0;
    for (let row = first; row < first + count - kept; row++) memory.write(at(row), blank);
  }

  #readCell(call: Call): void {
    const { screen } = this, { mode } = screen;
    if (mode === null) return;
    const { row, column } = screen.cursor(call.bh);
    if (mode.text) {
      call.ax = screen.memory.read16(screen.cellAddress(mode, call.bh, row, column));
      return;
    }
    call.al = this.#graphics.readGlyph(
      mode,
      call.bh,
      row,
      column,
      screen.charHeight,
      (code) => this.#glyph(mode, code),
    );
    call.ah = 0;
  }

  /** The shape of a character in a graphics mode, where the font vectors point to. */
  #glyph(mode: StandardMode, code: number): Uint8Array {
    const { memory } = this.screen, height = this.screen.charHeight;
    // The CGA's modes take the upper half from INT 1Fh, with 8 lines a character.
    const upper = mode.number <= 6 && code >= 128;
    const vector = upper ? FontVector.UPPER : FontVector.CURRENT;
    const font = memory.read16(vector * 4 + 2) * 16 + memory.read16(vector * 4);
    return memory.bytes(font + (upper ? code - 128 : code) * height, height);
  }

  /** Writes `count` copies of a character from the cursor on; `withAttribute` replaces the attributes too. */
  #writeCells(page: number, code: number, attribute: number, withAttribute: boolean, count: number): void {
    const { screen } = this, { mode, memory } = screen;
    if (mode === null) return;
    const { row, column } = screen.cursor(page);
    if (!mode.text) {
      const glyph = this.#glyph(mode, code);
      for (let i = 0; i < Math.min(count, mode.columns - column); i++) {
        this.#graphics.drawGlyph(mode, page, row, column + i, glyph, attribute);
      }
      return;
    }
    const base = mode.segment * 16, first = screen.cellAddress(mode, page, row, column) - base;
    // More characters than the window holds would only overwrite one another.
    for (let i = 0; i < Math.min(count, 0x4000); i++) {
      const at = base + (first + i * 2 & 0x7fff);
      memory.write8(at, code);
      if (withAttribute) memory.write8(at + 1, attribute);
    }
  }

  #cgaPalette(call: Call): void {
    const { screen } = this, { memory } = screen;
    const palette = memory.read8(Bda.VIDEO_PALETTE);
    if (call.bh === 0) {
      memory.write8(Bda.VIDEO_PALETTE, palette & 0xe0 | call.bl & 0x1f);
      const color = call.bl & 7 | (call.bl & 8) << 1;
      screen.setAttribute(0x11, color);
      if (screen.mode !== null && !screen.mode.text) screen.setAttribute(0x00, color);
      this.#cgaColors(palette >> 5 & 1, call.bl >> 4 & 1);
    } else {
      memory.write8(Bda.VIDEO_PALETTE, palette & 0xdf | (call.bl & 1) << 5);
      this.#cgaColors(call.bl & 1, palette >> 4 & 1);
    }
  }

  /** Colours 1–3 of modes 4 and 5: green red brown, or cyan magenta white; bright or not. */
  #cgaColors(palette: number, bright: number): void {
    const { screen } = this, number = screen.mode?.number;
    if (number !== 4 && number !== 5) return;
    for (let i = 1; i <= 3; i++) screen.setAttribute(i, i * 2 + palette | bright << 4);
  }

  /** AH=0Eh on the active page: CR, LF, BS and BEL are obeyed, the screen scrolls; in graphics modes `color` is used. */
  teletype(code: number, color: number): void {
    const { screen } = this;
    this.#type(screen.activePage, code, null, color);
  }

  #type(page: number, code: number, attribute: number | null, color: number): void {
    const { screen } = this, { columns, rows } = screen;
    let { row, column } = screen.cursor(page);
    switch (code) {
      case 0x07:
        return;
      case 0x08:
        if (column > 0) column--;
        break;
      case 0x0a:
        row++;
        break;
      case 0x0d:
        column = 0;
        break;
      default:
        this.#writeCells(page, code, attribute ?? color, attribute !== null, 1);
        if (++column >= columns) {
          column = 0;
          row++;
        }
    }
    if (row >= rows) {
      row = rows - 1;
      this.#scroll(page, { top: 0, left: 0, bottom: rows - 1, right: columns - 1 }, 1, this.#scrollFill(page, row));
    }
    screen.setCursor(page, row, column);
  }

  /** New lines take the attribute that the last line starts with; graphics modes get background. */
  #scrollFill(page: number, row: number): number {
    const { mode, memory } = this.screen;
    return mode?.text ? memory.read8(this.screen.cellAddress(mode, page, row, 0) + 1) : 0;
  }

  /** Prints text on the active page, for POST's own messages; `\n` starts a new line. */
  print(text: string): void {
    for (const character of text) {
      if (character === "\n") this.teletype(0x0d, 7);
      this.teletype(character.charCodeAt(0) & 0xff, 7);
    }
  }

  #writeString(call: Call): void {
    const { screen } = this, { memory } = screen;
    const page = call.bh, before = screen.cursor(page), paired = (call.al & 2) !== 0;
    screen.setCursor(page, call.dh, call.dl);
    const at = call.atEs(call.bp);
    for (let i = 0; i < call.cx; i++) {
      const code = memory.read8(at + i * (paired ? 2 : 1));
      const attribute = paired ? memory.read8(at + i * 2 + 1) : call.bl;
      this.#type(page, code, attribute, attribute);
    }
    if ((call.al & 1) === 0) screen.setCursor(page, before.row, before.column);
  }

  #alternateSelect(call: Call): void {
    const { screen } = this, { memory, ports } = screen;
    const change = (address: number, bit: number, on: boolean) => {
      const value = memory.read8(address);
      memory.write8(address, on ? value | bit : value & ~bit);
      call.al = 0x12;
    };
    switch (call.bl) {
      case 0x10:
        call.bh = screen.crtcPort === VgaPort.CRTC_MONO ? 1 : 0;
        call.bl = 3;
        call.ch = 0;
        call.cl = 9;
        return;
      case 0x20:
        // The print screen handler is this BIOS's already.
        return;
      case 0x30:
        // Only 400-line text is programmed here.
        call.al = call.al === 2 ? 0x12 : 0;
        return;
      case 0x31:
        change(Bda.VIDEO_MODESET_CONTROL, 0x08, call.al === 1);
        return;
      case 0x32: {
        const value = ports.read(VgaPort.MISCELLANEOUS_READ, 1);
        ports.write(
          VgaPort.MISCELLANEOUS,
          call.al === 0 ? value | MiscellaneousBit.ENABLE_RAM : value & ~MiscellaneousBit.ENABLE_RAM,
          1,
        );
        call.al = 0x12;
        return;
      }
      case 0x33:
        change(Bda.VIDEO_MODESET_CONTROL, 0x02, call.al === 0);
        return;
      case 0x34:
        change(Bda.VIDEO_CONTROL, 0x01, call.al === 1);
        return;
      case 0x36: {
        const clocking = screen.indexed(VgaPort.SEQUENCER, Sequencer.CLOCKING_MODE);
        screen.setIndexed(
          VgaPort.SEQUENCER,
          Sequencer.CLOCKING_MODE,
          call.al === 0 ? clocking & ~SequencerBit.SCREEN_OFF : clocking | SequencerBit.SCREEN_OFF,
        );
        call.al = 0x12;
        return;
      }
    }
  }
}
