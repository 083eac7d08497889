/** Register bits and command codes of the ATA/ATAPI command set. Source: T13 1532D, ATA/ATAPI-7, 2004. */

/** Status register. */
export const Status = {
  ERR: 0x01,
  /** Same bit as ERR, as the PACKET command calls it. */
  CHK: 0x01,
  DRQ: 0x08,
  /** Seek complete (obsolete since ATA-4, still expected by older drivers). */
  DSC: 0x10,
  DF: 0x20,
  DRDY: 0x40,
  BSY: 0x80,
} as const;

/** Error register. */
export const Err = { NM: 0x02, ABRT: 0x04, MCR: 0x08, IDNF: 0x10, MC: 0x20, UNC: 0x40, ICRC: 0x80 } as const;

/** Device register. */
export const Device = { DEV: 0x10, LBA: 0x40 } as const;

/** Device control register. */
export const Control = { N_IEN: 0x02, SRST: 0x04, HOB: 0x80 } as const;

/** Interrupt reason: what the sector count register means during PACKET. */
export const Reason = { CD: 0x01, IO: 0x02 } as const;

/** Offsets of the command block registers. */
export const Register = {
  DATA: 0,
  /** Error when read, features when written. */
  ERROR: 1,
  COUNT: 2,
  LBA_LOW: 3,
  LBA_MID: 4,
  LBA_HIGH: 5,
  DEVICE: 6,
  /** Status when read, command when written. */
  STATUS: 7,
} as const;

/** Command codes. Names are those of the standard; obsolete ones carry the name of the standard that last had them. */
export const Command = {
  NOP: 0x00,
  DEVICE_RESET: 0x08,
  RECALIBRATE: 0x10,
  READ_SECTORS: 0x20,
  READ_SECTORS_NO_RETRY: 0x21,
  READ_SECTORS_EXT: 0x24,
  READ_DMA_EXT: 0x25,
  READ_NATIVE_MAX_ADDRESS_EXT: 0x27,
  READ_MULTIPLE_EXT: 0x29,
  WRITE_SECTORS: 0x30,
  WRITE_SECTORS_NO_RETRY: 0x31,
  WRITE_SECTORS_EXT: 0x34,
  WRITE_DMA_EXT: 0x35,
  SET_MAX_ADDRESS_EXT: 0x37,
  WRITE_MULTIPLE_EXT: 0x39,
  WRITE_DMA_FUA_EXT: 0x3d,
  READ_VERIFY_SECTORS: 0x40,
  READ_VERIFY_SECTORS_NO_RETRY: 0x41,
  READ_VERIFY_SECTORS_EXT: 0x42,
  SEEK: 0x70,
  EXECUTE_DEVICE_DIAGNOSTIC: 0x90,
  INITIALIZE_DEVICE_PARAMETERS: 0x91,
  STANDBY_IMMEDIATE_OLD: 0x94,
  IDLE_IMMEDIATE_OLD: 0x95,
  STANDBY_OLD: 0x96,
  IDLE_OLD: 0x97,
  CHECK_POWER_MODE_OLD: 0x98,
  SLEEP_OLD: 0x99,
  PACKET: 0xa0,
  IDENTIFY_PACKET_DEVICE: 0xa1,
  READ_MULTIPLE: 0xc4,
  WRITE_MULTIPLE: 0xc5,
  SET_MULTIPLE_MODE: 0xc6,
  READ_DMA: 0xc8,
  READ_DMA_NO_RETRY: 0xc9,
  WRITE_DMA: 0xca,
  WRITE_DMA_NO_RETRY: 0xcb,
  STANDBY_IMMEDIATE: 0xe0,
  IDLE_IMMEDIATE: 0xe1,
  STANDBY: 0xe2,
  IDLE: 0xe3,
  READ_BUFFER: 0xe4,
  CHECK_POWER_MODE: 0xe5,
  SLEEP: 0xe6,
  FLUSH_CACHE: 0xe7,
  WRITE_BUFFER: 0xe8,
  FLUSH_CACHE_EXT: 0xea,
  IDENTIFY_DEVICE: 0xec,
  SET_FEATURES: 0xef,
  READ_NATIVE_MAX_ADDRESS: 0xf8,
  SET_MAX_ADDRESS: 0xf9,
} as const;

/** Subcommands of SET FEATURES. */
export const Feature = {
  ENABLE_WRITE_CACHE: 0x02,
  SET_TRANSFER_MODE: 0x03,
  DISABLE_LOOK_AHEAD: 0x55,
  DISABLE_REVERT_TO_DEFAULTS: 0x66,
  DISABLE_WRITE_CACHE: 0x82,
  ENABLE_LOOK_AHEAD: 0xaa,
  ENABLE_REVERT_TO_DEFAULTS: 0xcc,
} as const;
