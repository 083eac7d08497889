/** VESA BIOS extensions, INT 10h AH=4Fh, on the Bochs VBE display. Source: VESA BIOS Extension core functions standard 3.0. */
import { VBE_MODES, type VbeMode, vbePitch, vbeSize } from "../devices/vga/modes.ts";
import { programVbeMode, writeDispiRegister } from "../devices/vga/program.ts";
import { Dispi, DispiBit, Sequencer, SequencerBit, VBE_BANK_SIZE, VgaPort } from "../devices/vga/registers.ts";
import { Bda } from "./bda.ts";
import type { Call } from "./call.ts";
import { PciConfig } from "./pci_config.ts";
import { VIDEO_ROM, type VideoRom } from "./vga_rom.ts";
import type { VideoScreen } from "./video_screen.ts";
import { restoreState, saveLength, saveSize, saveState } from "./video_state.ts";

/** The part of the BIOS's state that VBE keeps. */
export interface VbeState {
  /** The VESA mode that is set, with bits 14 (linear) and 15 (memory kept); 0 in standard modes. */
  vbeMode: number;
}

const SUPPORTED = 0x4f;
const OK = 0x00, FAILED = 0x01, INVALID_IN_MODE = 0x03;
const LINEAR = 0x4000, KEEP = 0x8000, NUMBER = 0x1ff;
const VBE2 = 0x32454256, VESA = 0x41534556;
const DISPLAY_OFF = 4;
const VGA_VENDOR = 0x1234, VGA_DEVICE = 0x1111;
/** Registers of the display that function 04h saves, behind the VGA's state. */
const DISPI_SAVED = [Dispi.XRES, Dispi.YRES, Dispi.BPP, Dispi.VIRT_WIDTH, Dispi.X_OFFSET, Dispi.Y_OFFSET, Dispi.BANK];
const DISPI_SIZE = 64;

/** Red, green, blue and reserved: (bits, position) of each, for the direct colour depths. */
const COLOR_MASKS: Readonly<Record<number, readonly number[]>> = {
  15: [5, 10, 5, 5, 5, 0, 1, 15],
  16: [5, 11, 6, 5, 5, 0, 0, 0],
  24: [8, 16, 8, 8, 8, 0, 0, 0],
  32: [8, 16, 8, 8, 8, 0, 8, 24],
};

/** VESA functions. */
export class VbeServices {
  readonly #config: PciConfig;

  constructor(
    private readonly screen: VideoScreen,
    private readonly rom: VideoRom,
    private readonly state: VbeState,
    private readonly setStandardMode: (number: number) => boolean,
  ) {
    this.#config = new PciConfig(screen.ports);
  }

  /** INT 10h AH=4Fh. */
  handle(call: Call): void {
    const status = this.#dispatch(call);
    if (status !== null) call.ax = status << 8 | SUPPORTED;
  }

  /** Runs a function; returns its status, or null if the function does not exist. */
  #dispatch(call: Call): number | null {
    switch (call.al) {
      case 0x00:
        return this.#information(call);
      case 0x01:
        return this.#modeInformation(call);
      case 0x02:
        return this.#setMode(call.bx);
      case 0x03:
        call.bx = this.state.vbeMode || this.screen.memory.read8(Bda.VIDEO_MODE) & 0x7f;
        return OK;
      case 0x04:
        return this.#saveRestore(call);
      case 0x05:
        return this.#window(call);
      case 0x06:
        return this.#lineLength(call);
      case 0x07:
        return this.#displayStart(call);
      case 0x08:
        return this.#dacWidth(call);
      case 0x09:
        return this.#palette(call);
      case 0x10:
        return this.#powerManagement(call);
      default:
        return null;
    }
  }

  #dispi(index: number): number {
    this.screen.ports.write(0x1ce, index, 2);
    return this.screen.ports.read(0x1cf, 2);
  }

  #setDispi(index: number, value: number): void {
    writeDispiRegister(this.screen.ports, index, value);
  }

  get #memorySize(): number {
    return this.#dispi(Dispi.VIDEO_MEMORY_64K) * VBE_BANK_SIZE;
  }

  #modes(): VbeMode[] {
    const size = this.#memorySize;
    return [...VBE_MODES.values()].filter((mode) => vbeSize(mode) <= size);
  }

  #mode(number: number): VbeMode | undefined {
    return this.#modes().find((mode) => mode.number === (number & NUMBER));
  }

  /** The mode in force, if it is one of VESA's. */
  get #current(): VbeMode | undefined {
    return this.state.vbeMode === 0 ? undefined : this.#mode(this.state.vbeMode);
  }

  #information(call: Call): number {
    const { memory } = this.screen, at = call.atEs(call.di);
    const extended = memory.read32(at) === VBE2;
    const block = new Uint8Array(extended ? 512 : 256);
    const view = new DataView(block.buffer);
    const pointer = (offset: number, target: number, segment: number) => {
      view.setUint16(offset, target, true);
      view.setUint16(offset + 2, segment, true);
    };
    view.setUint32(0, VESA, true);
    view.setUint16(4, 0x0300, true);
    pointer(6, this.rom.oemString, VIDEO_ROM.SEGMENT);
    // The DAC can be switched to 8 bits a colour.
    view.setUint32(10, 1, true);
    // The list of modes lies in the reserved part of the block itself.
    pointer(14, call.di + 0x22, call.es);
    view.setUint16(18, this.#memorySize / VBE_BANK_SIZE, true);
    if (extended) {
      view.setUint16(20, 0x0100, true);
      for (const offset of [22, 26, 30]) pointer(offset, this.rom.oemString, VIDEO_ROM.SEGMENT);
    }
    let list = 0x22;
    for (const mode of this.#modes()) {
      view.setUint16(list, mode.number, true);
      list += 2;
    }
    view.setUint16(list, 0xffff, true);
    memory.write(at, block);
    return OK;
  }

  /** Physical address of the linear framebuffer; 0 without the PCI adapter. */
  #framebuffer(): number {
    const address = this.#config.find(VGA_VENDOR, VGA_DEVICE);
    return address === null ? 0 : (this.#config.read(address, 0x10, 4) & 0xffff_fff0) >>> 0;
  }

  #modeInformation(call: Call): number {
    const mode = this.#mode(call.cx);
    if (mode === undefined) return FAILED;
    const block = new Uint8Array(256);
    const view = new DataView(block.buffer);
    const planar = mode.bitsPerPixel === 4, direct = mode.bitsPerPixel > 8;
    const pitch = vbePitch(mode), framebuffer = this.#framebuffer();
    const linear = framebuffer !== 0 && !planar;
    // Supported by hardware, colour, graphics, not VGA compatible; linear framebuffer.
    view.setUint16(0, 0x003b | (linear ? 0x80 : 0), true);
    // Window A relocatable, readable and writable, 64 KiB at A000h.
    block[2] = 0x07;
    view.setUint16(4, 64, true);
    view.setUint16(6, 64, true);
    view.setUint16(8, 0xa000, true);
    view.setUint16(12, this.rom.windowFunction, true);
    view.setUint16(14, VIDEO_ROM.SEGMENT, true);
    view.setUint16(16, pitch, true);
    view.setUint16(18, mode.width, true);
    view.setUint16(20, mode.height, true);
    block[22] = 8;
    block[23] = 16;
    block[24] = planar ? 4 : 1;
    block[25] = mode.bitsPerPixel === 15 ? 16 : mode.bitsPerPixel;
    block[26] = 1;
    block[27] = planar ? 3 : direct ? 6 : 4;
    const pages = Math.min(256, Math.floor(this.#memorySize / vbeSize(mode)));
    block[29] = pages - 1;
    block[30] = 1;
    if (direct) block.set(COLOR_MASKS[mode.bitsPerPixel], 31);
    if (mode.bitsPerPixel === 15) block[25] = 15;
    view.setUint32(40, linear ? framebuffer : 0, true);
    view.setUint16(50, pitch, true);
    block[52] = pages - 1;
    block[53] = pages - 1;
    if (direct) block.set(COLOR_MASKS[mode.bitsPerPixel], 54);
    // Highest pixel clock.
    view.setUint32(62, 400_000_000, true);
    this.screen.memory.write(call.atEs(call.di), block);
    return OK;
  }

  #setMode(request: number): number {
    if ((request & NUMBER) < 0x100) {
      return this.setStandardMode(request & 0x7f | ((request & KEEP) !== 0 ? 0x80 : 0)) ? OK : FAILED;
    }
    const mode = this.#mode(request);
    const linear = (request & LINEAR) !== 0, keepMemory = (request & KEEP) !== 0;
    if (mode === undefined || linear && (mode.bitsPerPixel === 4 || this.#framebuffer() === 0)) return FAILED;
    programVbeMode(this.screen.ports, mode, { keepMemory, linear });
    this.state.vbeMode = mode.number | request & (LINEAR | KEEP);
    this.#describe(mode);
    return OK;
  }

  /** The data area in VESA modes: a number that is no standard mode, and the size in characters. */
  #describe(mode: VbeMode): void {
    const { memory } = this.screen;
    memory.write8(Bda.VIDEO_MODE, 0x6f);
    memory.write16(Bda.VIDEO_COLUMNS, mode.width / 8);
    memory.write8(Bda.VIDEO_ROWS, Math.floor(mode.height / 16) - 1);
    memory.write16(Bda.CHAR_HEIGHT, 16);
    memory.write16(Bda.VIDEO_PAGE_OFFSET, 0);
    memory.write8(Bda.VIDEO_PAGE, 0);
  }

  #saveRestore(call: Call): number {
    const { screen, state } = this, { memory } = screen;
    const parts = call.cx & 7, extended = (call.cx & 8) !== 0;
    if (call.dl === 0) {
      call.bx = (saveSize(parts) + (extended ? DISPI_SIZE : 0)) / 64;
      return OK;
    }
    const at = call.atEs(call.bx);
    if (call.dl === 1) {
      const end = saveState(screen, parts, at);
      if (!extended) return OK;
      memory.write16(end, state.vbeMode);
      memory.write16(end + 2, this.#dispi(Dispi.ENABLE));
      DISPI_SAVED.forEach((index, i) => memory.write16(end + 4 + i * 2, this.#dispi(index)));
      return OK;
    }
    if (call.dl !== 2) return FAILED;
    if (!extended) {
      restoreState(screen, parts, at);
      return OK;
    }
    // The display goes first: enabling it changes registers of the VGA's that come after.
    const end = at + saveLength(parts);
    state.vbeMode = memory.read16(end);
    const enable = memory.read16(end + 2);
    this.#setDispi(Dispi.ENABLE, 0);
    if ((enable & DispiBit.ENABLED) !== 0) {
      const values = DISPI_SAVED.map((index, i): [number, number] => [index, memory.read16(end + 4 + i * 2)]);
      for (const [index, value] of values.slice(0, 3)) this.#setDispi(index, value);
      this.#setDispi(Dispi.ENABLE, enable | DispiBit.NO_CLEAR_MEM);
      for (const [index, value] of values.slice(3)) this.#setDispi(index, value);
    }
    restoreState(screen, parts, at);
    return OK;
  }

  #window(call: Call): number {
    const mode = this.#current;
    if (mode === undefined || (this.state.vbeMode & LINEAR) !== 0) return INVALID_IN_MODE;
    if (call.bl !== 0) return FAILED;
    if (call.bh === 1) {
      call.dx = this.#dispi(Dispi.BANK);
      return OK;
    }
    if (call.bh !== 0 || call.dx * VBE_BANK_SIZE >= this.#memorySize) return FAILED;
    this.#setDispi(Dispi.BANK, call.dx);
    return OK;
  }

  #lineLength(call: Call): number {
    const mode = this.#current;
    if (mode === undefined) return INVALID_IN_MODE;
    const planar = mode.bitsPerPixel === 4, bytes = planar ? 1 / 8 : (mode.bitsPerPixel + 1 >> 3);
    const memoryPerPlane = planar ? this.#memorySize / 4 : this.#memorySize;
    if (call.bl === 0x03) {
      const widest = Math.min(5120, Math.floor(memoryPerPlane / mode.height / bytes) & ~7);
      call.bx = widest * bytes;
      call.cx = widest;
      call.dx = Math.min(0xffff, Math.floor(memoryPerPlane / (widest * bytes)));
      return OK;
    }
    if (call.bl === 0x00 || call.bl === 0x02) {
      const width = call.bl === 0x00 ? call.cx : Math.ceil(call.cx / bytes);
      const rounded = Math.max(mode.width, width + 7 & ~7);
      if (rounded * bytes * mode.height > memoryPerPlane || rounded > 0xffff) return 0x02;
      this.#setDispi(Dispi.VIRT_WIDTH, rounded);
    } else if (call.bl !== 0x01) {
      return FAILED;
    }
    const width = this.#dispi(Dispi.VIRT_WIDTH);
    call.bx = width * bytes;
    call.cx = width;
    call.dx = Math.min(0xffff, Math.floor(memoryPerPlane / (width * bytes)));
    return OK;
  }

  #displayStart(call: Call): number {
    if (this.#current === undefined) return INVALID_IN_MODE;
    switch (call.bl) {
      case 0x00:
      case 0x80:
        this.#setDispi(Dispi.X_OFFSET, call.cx);
        this.#setDispi(Dispi.Y_OFFSET, call.dx);
        return this.#dispi(Dispi.X_OFFSET) === call.cx && this.#dispi(Dispi.Y_OFFSET) === call.dx ? OK : FAILED;
      case 0x01:
        call.bh = 0;
        call.cx = this.#dispi(Dispi.X_OFFSET);
        call.dx = this.#dispi(Dispi.Y_OFFSET);
        return OK;
      default:
        return FAILED;
    }
  }

  #dacWidth(call: Call): number {
    const mode = this.#current;
    if (mode === undefined || mode.bitsPerPixel > 8) return INVALID_IN_MODE;
    const enable = this.#dispi(Dispi.ENABLE);
    if (call.bl === 0) {
      const wide = call.bh >= 8;
      // Keeping the picture: switching the width must not clear memory.
      this.#setDispi(
        Dispi.ENABLE,
        (wide ? enable | DispiBit.DAC_8BIT : enable & ~DispiBit.DAC_8BIT) | DispiBit.NO_CLEAR_MEM,
      );
    } else if (call.bl !== 1) {
      return FAILED;
    }
    call.bh = (this.#dispi(Dispi.ENABLE) & DispiBit.DAC_8BIT) !== 0 ? 8 : 6;
    return OK;
  }

  /** Display power management: everything but "on" blanks the screen. */
  #powerManagement(call: Call): number {
    const { screen } = this, clocking = screen.indexed(VgaPort.SEQUENCER, Sequencer.CLOCKING_MODE);
    switch (call.bl) {
      case 0x00:
        // Standby, suspend, off and reduced on; version 3.0.
        call.bx = 0x0f30;
        return OK;
      case 0x01:
        screen.setIndexed(
          VgaPort.SEQUENCER,
          Sequencer.CLOCKING_MODE,
          call.bh === 0 ? clocking & ~SequencerBit.SCREEN_OFF : clocking | SequencerBit.SCREEN_OFF,
        );
        return OK;
      case 0x02:
        call.bh = (clocking & SequencerBit.SCREEN_OFF) !== 0 ? DISPLAY_OFF : 0;
        return OK;
      default:
        return FAILED;
    }
  }

  /** Palette entries are blue, green, red, alignment. */
  #palette(call: Call): number {
    const { ports, memory } = this.screen;
    const set = call.bl === 0x00 || call.bl === 0x80;
    if (!set && call.bl !== 0x01) return FAILED;
    if (call.dx > 255 || call.cx > 256) return FAILED;
    const at = call.atEs(call.di);
    ports.write(set ? VgaPort.DAC_WRITE : VgaPort.DAC_READ, call.dx, 1);
    for (let i = 0; i < call.cx; i++) {
      if (set) {
        for (const component of [2, 1, 0]) ports.write(VgaPort.DAC_DATA, memory.read8(at + i * 4 + component), 1);
      } else {
        for (const component of [2, 1, 0]) memory.write8(at + i * 4 + component, ports.read(VgaPort.DAC_DATA, 1));
        memory.write8(at + i * 4 + 3, 0);
      }
    }
    return OK;
  }
}
