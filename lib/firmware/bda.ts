/**
 * The BIOS data area (segment 40h) and the extended one below 640 KiB: linear addresses of the fields that the services
 * share with programs. Source: IBM PS/2 and PC BIOS interface technical reference, 1991, section 3.
 */

/** Linear addresses in the BIOS data area. */
export const Bda = {
  COM_PORTS: 0x400,
  LPT_PORTS: 0x408,
  /** Segment of the extended BIOS data area. */
  EBDA_SEGMENT: 0x40e,
  EQUIPMENT: 0x410,
  /** Base memory in KiB. */
  MEMORY_SIZE: 0x413,
  SHIFT_FLAGS: 0x417,
  SHIFT_FLAGS_2: 0x418,
  ALT_KEYPAD: 0x419,
  BUFFER_HEAD: 0x41a,
  BUFFER_TAIL: 0x41c,
  BUFFER: 0x41e,
  FLOPPY_RECALIBRATE: 0x43e,
  FLOPPY_MOTOR: 0x43f,
  FLOPPY_MOTOR_COUNT: 0x440,
  FLOPPY_STATUS: 0x441,
  FLOPPY_RESULT: 0x442,
  VIDEO_MODE: 0x449,
  VIDEO_COLUMNS: 0x44a,
  VIDEO_PAGE_SIZE: 0x44c,
  VIDEO_PAGE_OFFSET: 0x44e,
  CURSOR_POSITIONS: 0x450,
  CURSOR_SHAPE: 0x460,
  VIDEO_PAGE: 0x462,
  CRTC_PORT: 0x463,
  VIDEO_MODE_CONTROL: 0x465,
  VIDEO_PALETTE: 0x466,
  /** Far pointer: option ROM entry while POST runs, continuation after a shutdown reset. */
  RESUME_POINTER: 0x467,
  TICKS: 0x46c,
  TICKS_MIDNIGHT: 0x470,
  BREAK: 0x471,
  /** 1234h requests a warm start. */
  RESET_FLAG: 0x472,
  DISK_STATUS: 0x474,
  DISK_COUNT: 0x475,
  LPT_TIMEOUTS: 0x478,
  COM_TIMEOUTS: 0x47c,
  BUFFER_START: 0x480,
  BUFFER_END: 0x482,
  VIDEO_ROWS: 0x484,
  CHAR_HEIGHT: 0x485,
  VIDEO_CONTROL: 0x487,
  VIDEO_SWITCHES: 0x488,
  VIDEO_MODESET_CONTROL: 0x489,
  VIDEO_DCC_INDEX: 0x48a,
  FLOPPY_DATA_RATE: 0x48b,
  DISK_INTERRUPT: 0x48e,
  FLOPPY_CONTROLLER_INFO: 0x48f,
  FLOPPY_MEDIA_STATE: 0x490,
  FLOPPY_TRACK: 0x494,
  KEYBOARD_MODE: 0x496,
  KEYBOARD_LEDS: 0x497,
  /** Far pointer to the flag byte of INT 15h AH=83h. */
  WAIT_POINTER: 0x498,
  WAIT_COUNT: 0x49c,
  WAIT_ACTIVE: 0x4a0,
  VIDEO_SAVE_POINTER: 0x4a8,
  PRINT_SCREEN_STATUS: 0x500,
} as const;

/** The extended BIOS data area: its segment, and offsets of the PS/2 pointing device's fields as IBM laid them out. */
export const Ebda = {
  SEGMENT: 0x9fc0,
  ADDRESS: 0x9fc00,
  SIZE_KIB: 0x00,
  MOUSE_HANDLER: 0x22,
  MOUSE_FLAG_1: 0x26,
  MOUSE_FLAG_2: 0x27,
  MOUSE_DATA: 0x28,
  /** Fixed disk parameter tables of the first two disks, 16 bytes each. */
  DISK_0: 0x3d,
  DISK_1: 0x4d,
} as const;

/** Bits of {@link Bda.SHIFT_FLAGS}. */
export const Shift = {
  RIGHT: 0x01,
  LEFT: 0x02,
  CTRL: 0x04,
  ALT: 0x08,
  SCROLL_LOCK: 0x10,
  NUM_LOCK: 0x20,
  CAPS_LOCK: 0x40,
  INSERT: 0x80,
} as const;

/** Bits of {@link Bda.SHIFT_FLAGS_2}. */
export const Shift2 = {
  LEFT_CTRL: 0x01,
  LEFT_ALT: 0x02,
  SYSTEM_REQUEST: 0x04,
  PAUSED: 0x08,
  SCROLL_LOCK: 0x10,
  NUM_LOCK: 0x20,
  CAPS_LOCK: 0x40,
  INSERT: 0x80,
} as const;

/** Bits of {@link Bda.KEYBOARD_MODE}. */
export const KeyboardMode = {
  LAST_E1: 0x01,
  LAST_E0: 0x02,
  RIGHT_CTRL: 0x04,
  RIGHT_ALT: 0x08,
  ENHANCED: 0x10,
} as const;
