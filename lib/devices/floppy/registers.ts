/** Registers and commands of the 82077AA. Source: Intel 82077AA data sheet (290166-007), chapters 2 and 5. */

/** Ports, as offsets from 3F0h. */
export const Port = {
  SRA: 0,
  SRB: 1,
  DOR: 2,
  TDR: 3,
  /** Main status when read, data rate select when written. */
  MSR: 4,
  FIFO: 5,
  /** Digital input when read, configuration control when written. */
  DIR: 7,
} as const;

/** Digital output register. */
export const Dor = { DRIVE: 0x03, NOT_RESET: 0x04, DMAGATE: 0x08, MOTOR_0: 0x10 } as const;

/** Main status register; bits 0–3 say which drives are seeking. */
export const Msr = { CMD_BSY: 0x10, NON_DMA: 0x20, DIO: 0x40, RQM: 0x80 } as const;

/** Data rate select register. */
export const Dsr = { RATE: 0x03, SW_RESET: 0x80 } as const;

/** Digital input register. */
export const Dir = { DSKCHG: 0x80 } as const;

/** Status register 0. */
export const St0 = { HEAD: 0x04, EC: 0x10, SE: 0x20, ABNORMAL: 0x40, INVALID: 0x80, POLLING: 0xc0 } as const;
/** Status register 1. */
export const St1 = { MA: 0x01, NW: 0x02, ND: 0x04, OR: 0x10, DE: 0x20, EN: 0x80 } as const;
/** Status register 2. */
export const St2 = { SNS: 0x04, SEH: 0x08, WC: 0x10, DD: 0x20, CM: 0x40 } as const;
/** Status register 3. Bits 3 and 5 always read as ones. */
export const St3 = { HEAD: 0x04, ONES: 0x28, T0: 0x10, WP: 0x40 } as const;

/** Modifiers in a command's first byte. */
export const Modifier = { SK: 0x20, MFM: 0x40, MT: 0x80 } as const;

/** CONFIGURE, second byte. */
export const Configure = { POLL: 0x10, EFIFO: 0x20, EIS: 0x40 } as const;

/** What a command does. */
export type CommandName =
  | "read track"
  | "specify"
  | "sense drive status"
  | "write data"
  | "read data"
  | "recalibrate"
  | "sense interrupt status"
  | "write deleted data"
  | "read id"
  | "read deleted data"
  | "format track"
  | "dumpreg"
  | "seek"
  | "relative seek"
  | "version"
  | "scan equal"
  | "perpendicular mode"
  | "configure"
  | "lock"
  | "verify"
  | "scan low or equal"
  | "scan high or equal"
  | "invalid";

/** A row of the command table: the first byte, which of its bits count, and the number of bytes in the command phase. */
interface CommandRow {
  readonly name: CommandName;
  readonly code: number;
  readonly mask: number;
  readonly length: number;
}

const EXACT = 0xff;
/** MT, MFM and SK are free. */
const ANY = 0x1f;

const COMMANDS: readonly CommandRow[] = [
  { name: "read track", code: 0x02, mask: 0x9f, length: 9 },
  { name: "specify", code: 0x03, mask: EXACT, length: 3 },
  { name: "sense drive status", code: 0x04, mask: EXACT, length: 2 },
  { name: "write data", code: 0x05, mask: 0x3f, length: 9 },
  { name: "read data", code: 0x06, mask: ANY, length: 9 },
  { name: "recalibrate", code: 0x07, mask: EXACT, length: 2 },
  { name: "sense interrupt status", code: 0x08, mask: EXACT, length: 1 },
  { name: "write deleted data", code: 0x09, mask: 0x3f, length: 9 },
  { name: "read id", code: 0x0a, mask: 0xbf, length: 2 },
  { name: "read deleted data", code: 0x0c, mask: ANY, length: 9 },
  { name: "format track", code: 0x0d, mask: 0xbf, length: 6 },
  { name: "dumpreg", code: 0x0e, mask: EXACT, length: 1 },
  { name: "seek", code: 0x0f, mask: EXACT, length: 3 },
  { name: "relative seek", code: 0x8f, mask: 0xbf, length: 3 },
  { name: "version", code: 0x10, mask: EXACT, length: 1 },
  { name: "scan equal", code: 0x11, mask: ANY, length: 9 },
  { name: "perpendicular mode", code: 0x12, mask: EXACT, length: 2 },
  { name: "configure", code: 0x13, mask: EXACT, length: 4 },
  { name: "lock", code: 0x14, mask: 0x7f, length: 1 },
  { name: "verify", code: 0x16, mask: ANY, length: 9 },
  { name: "scan low or equal", code: 0x19, mask: ANY, length: 9 },
  { name: "scan high or equal", code: 0x1d, mask: ANY, length: 9 },
];

const INVALID: CommandRow = { name: "invalid", code: 0, mask: 0, length: 1 };

/** The command that begins with `code`; the part number command of later chips is invalid here, like all unknown ones. */
export function commandOf(code: number): { readonly name: CommandName; readonly length: number } {
  return COMMANDS.find((row) => (code & row.mask) === row.code) ?? INVALID;
}
