/**
 * Registers of the VGA by number, their bits, and the device's state.
 *
 * Sources: IBM, "PS/2 Hardware Interface Technical Reference — Video Subsystem", 1992 (names and numbers);
 * "Bochs VBE Display" register description (the dispi registers at ports 1CEh/1CFh).
 */

/** I/O ports. Where an index port is named, the data port is the next one. */
export const VgaPort = {
  /** Index of the Bochs VBE display's registers; the data port is 16 bits wide. */
  DISPI_INDEX: 0x1ce,
  DISPI_DATA: 0x1cf,
  /** Index of the CRT controller in monochrome addressing. */
  CRTC_MONO: 0x3b4,
  /** Index and data of the attribute controller, in turn. */
  ATTRIBUTE: 0x3c0,
  ATTRIBUTE_READ: 0x3c1,
  /** Written: miscellaneous output. Read: input status 0. */
  MISCELLANEOUS: 0x3c2,
  VIDEO_ENABLE: 0x3c3,
  /** Index of the sequencer. */
  SEQUENCER: 0x3c4,
  PEL_MASK: 0x3c6,
  /** Written: first colour to read. Read: the DAC's state. */
  DAC_READ: 0x3c7,
  DAC_WRITE: 0x3c8,
  DAC_DATA: 0x3c9,
  FEATURE_CONTROL_READ: 0x3ca,
  MISCELLANEOUS_READ: 0x3cc,
  /** Index of the graphics controller. */
  GRAPHICS: 0x3ce,
  /** Index of the CRT controller in colour addressing. */
  CRTC_COLOR: 0x3d4,
} as const;

/** From the CRT controller's index port to the port of feature control (written) and input status 1 (read). */
export const STATUS_FROM_CRTC = 6;

/** Bytes of a bank of the Bochs VBE display: what the window at A0000h shows at once. */
export const VBE_BANK_SIZE = 0x10000;

/** Bytes of a character's shape in plane 2. */
export const GLYPH_BYTES = 32;

/** Sequencer registers, index at port 3C4h, data at 3C5h. */
export const Sequencer = { RESET: 0, CLOCKING_MODE: 1, MAP_MASK: 2, CHARACTER_MAP_SELECT: 3, MEMORY_MODE: 4 } as const;

/** Bits of {@link Sequencer} registers. */
export const SequencerBit = {
  /** Clocking mode: characters are 8 dots wide, not 9. */
  EIGHT_DOTS: 0x01,
  /** Clocking mode: the dot clock is halved, so every dot is shown twice. */
  HALF_DOT_CLOCK: 0x08,
  /** Clocking mode: the screen is off. */
  SCREEN_OFF: 0x20,
  /** Memory mode: even addresses reach planes 0 and 2, odd ones 1 and 3, unless this is set. */
  ODD_EVEN_DISABLE: 0x04,
  /** Memory mode: the low two address bits select the plane. */
  CHAIN_4: 0x08,
} as const;

/** CRT controller registers, index at port 3D4h or 3B4h, data in the next port. */
export const Crtc = {
  HORIZONTAL_TOTAL: 0x00,
  HORIZONTAL_DISPLAY_END: 0x01,
  START_HORIZONTAL_BLANKING: 0x02,
  END_HORIZONTAL_BLANKING: 0x03,
  START_HORIZONTAL_RETRACE: 0x04,
  END_HORIZONTAL_RETRACE: 0x05,
  VERTICAL_TOTAL: 0x06,
  OVERFLOW: 0x07,
  PRESET_ROW_SCAN: 0x08,
  MAXIMUM_SCAN_LINE: 0x09,
  CURSOR_START: 0x0a,
  CURSOR_END: 0x0b,
  START_ADDRESS_HIGH: 0x0c,
  START_ADDRESS_LOW: 0x0d,
  CURSOR_LOCATION_HIGH: 0x0e,
  CURSOR_LOCATION_LOW: 0x0f,
  VERTICAL_RETRACE_START: 0x10,
  VERTICAL_RETRACE_END: 0x11,
  VERTICAL_DISPLAY_END: 0x12,
  OFFSET: 0x13,
  UNDERLINE_LOCATION: 0x14,
  START_VERTICAL_BLANKING: 0x15,
  END_VERTICAL_BLANKING: 0x16,
  MODE_CONTROL: 0x17,
  LINE_COMPARE: 0x18,
} as const;

/** Bits of {@link Crtc} registers. */
export const CrtcBit = {
  /** Maximum scan line: 200 lines are shown as 400. */
  DOUBLE_SCAN: 0x80,
  /** Cursor start: the cursor is off. */
  CURSOR_OFF: 0x20,
  /** Vertical retrace end: registers 0 to 7 are write-protected. */
  PROTECT: 0x80,
  /** Underline location: memory is addressed in double words. */
  DOUBLE_WORD: 0x40,
  /** Mode control: address bit 13 is the memory counter's, not row scan bit 0. */
  MAP_13: 0x01,
  /** Mode control: address bit 14 is the memory counter's, not row scan bit 1. */
  MAP_14: 0x02,
  /** Mode control: in word mode, address bit 0 is counter bit 15, not 13. */
  WRAP_15: 0x20,
  /** Mode control: memory is addressed in bytes, not words. */
  BYTE_MODE: 0x40,
} as const;

/** Graphics controller registers, index at port 3CEh, data at 3CFh. */
export const Graphics = {
  SET_RESET: 0,
  ENABLE_SET_RESET: 1,
  COLOR_COMPARE: 2,
  DATA_ROTATE: 3,
  READ_MAP_SELECT: 4,
  MODE: 5,
  MISCELLANEOUS: 6,
  COLOR_DONT_CARE: 7,
  BIT_MASK: 8,
} as const;

/** Bits of {@link Graphics} registers. */
export const GraphicsBit = {
  /** Mode: read mode 1, colour compare. */
  READ_MODE_1: 0x08,
  /** Mode: reads are odd/even. */
  ODD_EVEN: 0x10,
  /** Miscellaneous: graphics, not text. */
  GRAPHICS_MODE: 0x01,
  /** Miscellaneous: address bit 0 selects the plane and is replaced by a higher bit. */
  CHAIN_ODD_EVEN: 0x02,
} as const;

/** Attribute controller registers, index and data at port 3C0h; 0 to 15 are the palette. */
export const Attribute = {
  MODE_CONTROL: 0x10,
  OVERSCAN_COLOR: 0x11,
  COLOR_PLANE_ENABLE: 0x12,
  HORIZONTAL_PEL_PANNING: 0x13,
  COLOR_SELECT: 0x14,
} as const;

/** Bits of {@link Attribute} registers. */
export const AttributeBit = {
  /** Mode control: monochrome attributes, with underlining. */
  MONOCHROME: 0x02,
  /** Mode control: character codes C0h to DFh repeat their eighth column in the ninth. */
  LINE_GRAPHICS: 0x04,
  /** Mode control: attribute bit 7 blinks instead of selecting a background intensity. */
  BLINK: 0x08,
  /** Mode control: pel panning stops at the line compare. */
  PAN_TOP_ONLY: 0x20,
  /** Mode control: colour bits 4 and 5 come from the colour select register. */
  P54_SELECT: 0x80,
  /** Index: the palette drives the screen, and the processor cannot change it. */
  PALETTE_ADDRESS_SOURCE: 0x20,
} as const;

/** Bits of the miscellaneous output register, written at port 3C2h, read at 3CCh. */
export const MiscellaneousBit = {
  /** The CRT controller is at 3D4h, not 3B4h. */
  COLOR_ADDRESS: 0x01,
  /** The processor reaches video memory. */
  ENABLE_RAM: 0x02,
  /** The 28.322 MHz clock, not the 25.175 MHz one. */
  CLOCK_28: 0x04,
} as const;

/** The CRT controller's index port by the miscellaneous output register. */
export function crtcPortOf(miscellaneous: number): number {
  return (miscellaneous & MiscellaneousBit.COLOR_ADDRESS) !== 0 ? VgaPort.CRTC_COLOR : VgaPort.CRTC_MONO;
}

/** Bits of input status 1, port 3DAh or 3BAh. */
export const StatusBit = { DISPLAY_DISABLED: 0x01, VERTICAL_RETRACE: 0x08 } as const;

/** Bochs VBE registers, index at port 1CEh, data at 1CFh. */
export const Dispi = {
  ID: 0,
  XRES: 1,
  YRES: 2,
  BPP: 3,
  ENABLE: 4,
  BANK: 5,
  VIRT_WIDTH: 6,
  VIRT_HEIGHT: 7,
  X_OFFSET: 8,
  Y_OFFSET: 9,
  VIDEO_MEMORY_64K: 10,
} as const;

/** Values and bits of {@link Dispi} registers. */
export const DispiBit = {
  ID0: 0xb0c0,
  ID5: 0xb0c5,
  ENABLED: 0x01,
  /** Reading XRES, YRES and BPP gives the largest values. */
  GET_CAPS: 0x02,
  /** The palette takes 8 bits a component, not 6. */
  DAC_8BIT: 0x20,
  LFB_ENABLED: 0x40,
  /** Enabling leaves video memory as it is. */
  NO_CLEAR_MEM: 0x80,
} as const;

/** The largest resolution and depth of the Bochs VBE display. */
export const DISPI_MAXIMUM = { width: 2560, height: 1600, bitsPerPixel: 32 } as const;

/** Everything in the VGA that changes, apart from video memory. */
export type VgaState = {
  miscellaneous: number;
  featureControl: number;
  sequencerIndex: number;
  sequencer: Uint8Array;
  crtcIndex: number;
  crtc: Uint8Array;
  graphicsIndex: number;
  graphics: Uint8Array;
  attributeIndex: number;
  /** True when the next write to 3C0h is data. */
  attributeData: boolean;
  attribute: Uint8Array;
  pelMask: number;
  /** What port 3C7h reads: 3 after a read address was set, 0 after a write address. */
  dacState: number;
  dacReadIndex: number;
  dacWriteIndex: number;
  /** Component (red, green, blue) that the next access to 3C9h reaches. */
  dacComponent: number;
  /** Components written so far of the colour that {@link dacWriteIndex} names. */
  dacLatch: Uint8Array;
  /** 256 colours of 3 components, 6 bits each, or 8 with {@link DispiBit.DAC_8BIT}. */
  palette: Uint8Array;
  /** The four plane latches, plane 0 in the low byte. */
  latches: number;
  dispiIndex: number;
  dispi: Uint16Array;
};

/** The state after power-on: nothing is displayed until firmware programs a mode. */
export function initialVgaState(): VgaState {
  const dispi = new Uint16Array(16);
  dispi[Dispi.ID] = DispiBit.ID5;
  return {
    miscellaneous: 0,
    featureControl: 0,
    sequencerIndex: 0,
    sequencer: new Uint8Array(8),
    crtcIndex: 0,
    crtc: new Uint8Array(32),
    graphicsIndex: 0,
    graphics: new Uint8Array(16),
    attributeIndex: 0,
    attributeData: false,
    attribute: new Uint8Array(32),
    pelMask: 0xff,
    dacState: 0,
    dacReadIndex: 0,
    dacWriteIndex: 0,
    dacComponent: 0,
    dacLatch: new Uint8Array(3),
    palette: new Uint8Array(768),
    latches: 0,
    dispiIndex: 0,
    dispi,
  };
}

/** True while the Bochs VBE display, not the VGA's own CRT controller, drives the screen. */
export function dispiEnabled(state: VgaState): boolean {
  return (state.dispi[Dispi.ENABLE] & DispiBit.ENABLED) !== 0;
}
