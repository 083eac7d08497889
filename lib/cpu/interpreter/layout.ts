/** Where everything lies in the linear memory, and the layout of decoded records. */

/** Address of the (first) processor's state block. */
export const CPU_BASE = 0x1000;

/** 2^32 divided by the golden ratio, as an i32: products with it spread numbers that are near one another (Fibonacci hashing). */
export const GOLDEN_RATIO = 0x9e3779b1 | 0;

/** Counters of compiled code, for statistics only. */
export const COUNTERS = {
  /** Instructions that regions have taken from the budget, i64; the one that each was left before may be among them. */
  IN_REGIONS: 0x3000,
} as const;

/** RAM whose frames have the numbers of its physical pages, from 1 MiB on. */
export const PLAIN_RAM = {
  /** Number of the first page. */
  FIRST: 0x100,
  /** Address of the number of the page behind the last one, i32; 0 while it is not known. */
  END: 0x3008,
} as const;

/** The TLBs: two tables (supervisor, user) of entries in linear memory, direct-mapped by page number. */
export const TLB = {
  /** Entries of one table. */
  ENTRIES: 0x4000,
  /** Bytes of one entry, as a shift. */
  ENTRY_SHIFT: 5,
  SUPERVISOR: 0x10_0000,
  USER: 0x18_0000,
  /** Field: page address that may be read, i64; an odd value matches nothing. */
  READ: 0,
  /** Field: page address that may be written, i64. */
  WRITE: 8,
  /** Field: what to add to a linear address to get the host offset, i32. */
  ADDEND: 16,
  /** Field: address of the marks of the frame's code bytes, i32; meaningful with a BESIDE tag. */
  MARKS: 20,
  /**
   * Field: page address that may be written where no code byte is marked, i64; or with {@link TLB.TABLE} added, of a page table, where
   * nothing stems from the entry that is written.
   */
  BESIDE: 24,
  TABLE: 2,
} as const;

/**
 * The jump cache: linear address → headers of two blocks that may be the one there, i32 each. Whether one is, its header
 * says: so an entry is small, and what an entry leads to may be wrong, but must be a header, or 0, where nothing is.
 */
export const JUMP_CACHE = {
  BASE: 0x20_0000,
  /** Pairs of entries. */
  PAIRS: 0x1_0000,
  /** An address's pair is (its low 32 bits × MULTIPLIER mod 2^32) >> SHIFT. */
  MULTIPLIER: GOLDEN_RATIO,
  SHIFT: 16,
  /** Bytes of a pair, as a shift. */
  PAIR_SHIFT: 3,
} as const;

/**
 * Links of jumps that have none in their records: offset in CS → header of a block that may be the one there, i32. It fits
 * into the host's second cache; what is not in it is looked up in the jump cache.
 */
export const JUMP_LINKS = {
  BASE: 0x28_0000,
  ENTRIES: 0x4000,
  /** An offset's link is (its low 32 bits × MULTIPLIER mod 2^32) >> SHIFT. */
  MULTIPLIER: GOLDEN_RATIO,
  SHIFT: 18,
} as const;

/**
 * For each code page of a mapping, a word that equals S.MODE while it is known that the page still is where it was: regions
 * look at it before they go to another page.
 */
export const PAGE_CELLS = { BASE: 0x50000, COUNT: 0xc000 } as const;

/** The region cache: offset in CS of flat code → region. Small, so that it stays in the host's caches. */
export const REGION_CACHE = {
  BASE: 0x8_0000,
  ENTRIES: 0x4000,
  /** An offset's entry is (its low 32 bits × MULTIPLIER mod 2^32) >> SHIFT. */
  MULTIPLIER: GOLDEN_RATIO,
  SHIFT: 18,
  /** Bytes of an entry, as a shift. */
  ENTRY_SHIFT: 4,
  /** Field: offset in CS, i64. */
  KEY: 0,
  /** Field: {@link S.MODE} at the time, i32. */
  MODE: 8,
  /** Field: table slot of the region, i32. */
  SLOT: 12,
} as const;

/** Sites at which page faults have made regions leave, by the region's table slot and number: what S.REGION and S.SITE stand for. */
export const FAULT_SITES = {
  BASE: 0x29_0000,
  ENTRIES: 0x200,
  /** An entry is the one at ((8 × slot + number) × MULTIPLIER mod 2^32) >> SHIFT. */
  MULTIPLIER: GOLDEN_RATIO,
  SHIFT: 23,
  /** Bytes of an entry, as a shift. */
  ENTRY_SHIFT: 5,
  /** Field: the region's table slot, i32; 0 if the entry is empty. */
  REGION: 0,
  /** Field: number of the site, i32. */
  SITE: 4,
  /** Field: offset in CS of the instruction that has not been executed, i64. */
  IP: 8,
  /** Field: how many instructions from that one on have been taken from the budget, i32. */
  UNFINISHED: 16,
} as const;

/** Pages that code was found in. */
export const CODE_PLACES = {
  BASE: 0x2a_0000,
  ENTRIES: 0x2000,
  /** A page's entry is (the low 32 bits of its number × MULTIPLIER mod 2^32) >> SHIFT. */
  MULTIPLIER: GOLDEN_RATIO,
  SHIFT: 19,
  /** Bytes of an entry. */
  SIZE: 32,
  /** Field: linear address of the page, i64. */
  PAGE: 0,
  /** Field: {@link S.MODE} when it was found first in the frame that it was found in ever since, i32. */
  FIRST: 8,
  /** Field: the same when it was found last, i32; 0 if it is to be found once more. */
  LAST: 12,
  /** Field: the frame, i32. */
  FRAME: 16,
} as const;

/** What is known about entries of the TLB, supervisor's and then user's, beside what compiled code reads: arrays by the entry's number. */
export const TRANSLATIONS = {
  /** Linear page number, f64. */
  PAGE: 0x2e_0000,
  /** Physical address of the page, f64. */
  PHYSICAL: 0x32_0000,
  /** Host frame, i32. */
  FRAME: 0x36_0000,
  /** Frame of the last table of the walk, i32. */
  LEAF: 0x38_0000,
  /** Entry of the top-level table, u16. */
  ROOT_INDEX: 0x3a_0000,
  /** Permissions, u8. */
  PERMISSION: 0x3b_0000,
  /** Lists of the entries in use, u16, for lower and for upper addresses; and by entry whether it is in the list, u8. */
  USED: 0x3b_8000,
  IS_USED: 0x3d_8000,
  /** How many entries these lists have, two i32. */
  USED_COUNT: 0x3010,
  /** 1 while nothing but the page tables says what may be done with a page, i32. */
  OPEN: 0x3018,
  /** How many entries compiled code has filled, i32. */
  FILLED: 0x301c,
  /**
   * How many writes to page tables have changed no translation in use, i32. TypeScript looks closely where bits of it are 0: the first ones
   * if an entry was present, else the second ones.
   */
  IDLE_WRITES: 0x3020,
  RARE: 7,
  RARE_ABSENT: 31,
} as const;

/** Page tables that translations in use may stem from: direct-mapped by frame. */
export const NOTED_TABLES = {
  BASE: 0x3e_8000,
  ENTRIES: 0x400,
  /** A frame's entry is (frame × MULTIPLIER mod 2^32) >> SHIFT. */
  MULTIPLIER: GOLDEN_RATIO,
  SHIFT: 22,
  /** Bytes of an entry, as a shift. */
  ENTRY_SHIFT: 4,
  /** Field: the linear address, modulo 2^48, that the first entry maps, plus the logarithm of how many bytes one maps, i64. */
  RANGE: 0,
  /** Field: the frame, i32. */
  FRAME: 8,
} as const;

/** By entry of the top-level table, 1 if translations in use may begin with it, u8. */
export const ROOT_ENTRIES = { BASE: 0x3e_c000, COUNT: 0x400 } as const;

/** For each privilege, by hash of a linear page 1 if cached jumps may rely on the page, u8. */
export const CODE_FILTERS = {
  BASE: 0x3e_d000,
  /** Bytes of one. */
  SIZE: 0x1000,
  /** A page's place is (the low 32 bits of its number × MULTIPLIER mod 2^32) >> SHIFT. */
  MULTIPLIER: GOLDEN_RATIO,
  SHIFT: 20,
} as const;

/** Block headers with their records. */
export const ARENA_BASE = 0x40_0000;
export const ARENA_END = 0x470_0000;

/** What is known about host frames: arrays by frame. */
export const FRAMES = {
  /** How many translations have it as their last page table, i32. */
  LEAF_USES: 0x470_0000,
  /** How many entries of the TLB let compiled code write to it, u16, and the last one that was made such, u16. */
  WRITERS: 0x4b0_0000,
  LAST_WRITER: 0x4d0_0000,
  /** Why writes to it must not go unnoticed, u8. */
  FLAGS: 0x4f0_0000,
} as const;

/**
 * For frames that hold code: a byte for each of their bytes, not 0 if it belongs to a block. The last page before
 * guest memory is left over, because compiled code looks at marks behind a frame's last byte before it knows that an access crosses pages.
 */
export const CODE_MARKS = { BASE: 0x500_0000, FRAMES: 4095 } as const;
/** Where guest memory begins; the processor's state lies before it. A host offset counts from here. */
export const GUEST_BASE = 0x600_0000;
/** The same as an option of the memory: what the processor needs in front of it. */
export const PROCESSOR_FRONT = { front: GUEST_BASE, flags: FRAMES.FLAGS } as const;
/** Pages of 64 KiB in the smallest memory: one of the guest, so that V8 need not compare {@link GUEST_BASE} with the size. */
export const MEMORY_PAGES = GUEST_BASE / 65536 + 1;

/** A decoded instruction; 32 bytes. Register fields are addresses. */
export const REC = {
  /** Table slot of the handler, i32. */
  SLOT: 0,
  /** Register of operand 0, u16 (a raw number for segment, control, debug and x87 registers). */
  A: 4,
  /** Register of operand 1, u16. */
  B: 6,
  /** Base register of the memory operand, u16. */
  BASE: 8,
  /** Index register of the memory operand, u16. */
  INDEX: 10,
  /** Segment of the memory operand, u16: address of the segment register. */
  SEGMENT: 12,
  /** Shift for the index, u8. */
  SCALE: 14,
  /** Bytes of the instruction, u8. */
  LENGTH: 15,
  /** Displacement, i32 (i64 for a 64-bit moffs); in branches the link to the block of the path not taken. */
  DISP: 16,
  /** Immediate or relative target, i32 (i64 for MOV r64,imm64). */
  IMM: 20,
  /** Link to the target, i32: the header of a block that may be the one there, or 0; or a second immediate; or the register of operand 2; or an x87 opcode. */
  LINK: 24,
  /** Offset of the next instruction from the start of the block, u16. */
  NEXT: 28,
  /** Position in the block, u16. */
  INDEX_IN_BLOCK: 30,
  SIZE: 32,
} as const;

/** Record fields of the registers of operands 0, 1 and 2. */
export const REGISTER_FIELDS = [REC.A, REC.B, REC.LINK] as const;

/** A block's header; its first record lies behind it. */
export const HEADER = {
  /** Instructions in the block, u16. */
  COUNT: 0,
  /** Bytes of code, u16. */
  BYTES: 2,
  /** How often the block may still be entered before it is hot, i32. */
  HEAT: 4,
  /** Table slot of the region that the block leads to, i32; 0 = none. */
  REGION: 8,
  /** {@link S.MODE} when the block was last looked up, i32, for which it is known to be at ADDRESS; 0 if it is not. */
  MODE: 12,
  /** Linear address at which it was looked up, i64. */
  ADDRESS: 16,
  /** The offset in CS for which the region was translated, i64. */
  IP: 24,
  SIZE: 32,
} as const;

/** Why compiled code returned (S.EXIT). A pending fault (S.FAULT) overrides it. */
export const Exit = {
  /** RIP is set; the budget does not cover the block there. */
  BUDGET: 1,
  /** RIP is set; nothing is known about the block there. */
  LOOKUP: 2,
  /** RIP is set; an instruction that may have changed mode, interrupts or events has completed. */
  TRANSFER: 3,
  /** A partial block is done: S.CURRENT is the record where the budget ended. */
  STOP: 4,
  /** S.CURRENT is a record that must not run (its code changed, or the run must be left before it). */
  LEAVE: 5,
  /** A region was left before an instruction, which the interpreter must execute: S.REGION and S.SITE tell which. */
  BAIL: 6,
  /** RIP is set; the block there has become hot. */
  HOT: 7,
} as const;
