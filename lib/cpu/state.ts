/**
 * Layout of a processor's state block in linear memory. Compiled code and TypeScript both address it by these byte
 * offsets from the block's base, so there is exactly one copy of every register.
 */

/** Byte offsets from the base of a processor's state block. */
export const S = {
  /** General registers, 16 × 8 bytes, encoding order RAX RCX RDX RBX RSP RBP RSI RDI R8–R15. */
  GPR: 0x000,
  /** Always zero: stands for an absent base or index register. */
  ZERO: 0x080,
  /** Instruction pointer (offset in CS), i64, zero-extended in 16- and 32-bit code. */
  RIP: 0x088,
  /** Instruction pointer at the start of the block being interpreted, i64. */
  BLOCK_IP: 0x090,
  /** Lazy arithmetic flags, see flags.ts. */
  FLAG_RES: 0x098,
  FLAG_AUX: 0x09c,
  /** EFLAGS without OF SF ZF AF PF CF; bit 1 always set. */
  EFLAGS: 0x0a0,
  /** Instructions that may still start before the run must stop, i32. */
  BUDGET: 0x0a4,
  /**
   * Record of the instruction that called into TypeScript or faulted, i32; 0 when RIP and BUDGET are exact, {@link IN_REGION}
   * when a region called into TypeScript: then RIP is the calling instruction's, and BUDGET has just that one taken off.
   */
  CURRENT: 0x0a8,
  /** Why compiled code returned: an Exit value, i32. */
  EXIT: 0x0ac,
  /** Not 0 while an exception waits to be delivered: vector + 1, i32. */
  FAULT: 0x0b0,
  /** Error code of the waiting exception, i32. */
  FAULT_CODE: 0x0b4,
  /** 16 bytes to pass wide values between compiled code and TypeScript. */
  SCRATCH: 0x0b8,
  /** Base address of the TLB in use (user or supervisor), i32. */
  TLB: 0x0c8,
  /** Current privilege level, i32. */
  CPL: 0x0cc,
  /** What is held off until the next instruction is done: a Shadow value, i32. */
  SHADOW: 0x0d0,
  /** Waiting in HLT, i32 0 or 1. */
  HALTED: 0x0d4,
  /** Code mode key of the running code and the epoch of the mapping, i32, see mode.ts. */
  MODE: 0x0d8,
  /** Error code of {@link S.PAGE_FAULT}, i32. */
  PAGE_FAULT_CODE: 0x0dc,
  /** DR6 bits of a debug trap that is due when the current instruction completes, i32. */
  DEBUG_TRAP: 0x0e0,
  /** An NMI is waiting, i32 0 or 1. */
  NMI_PENDING: 0x0e4,
  /** NMIs are held off until IRET, i32 0 or 1. */
  NMI_BLOCKED: 0x0e8,
  /** Cycles of the running slice in which no instruction retired (PAUSE), i32. */
  STALLED: 0x0ec,
  /** The place at which a region was left before an instruction: site number and the region's table slot, i32. */
  SITE: 0x0f0,
  REGION: 0x0f4,
  /** Not 0 if the run loop must have its turn before the next instruction: after a system function, i32. */
  LEAVE: 0x0f8,
  /** 1 if a region is left before an access that raises #PF, as S.PAGE_FAULT_CODE and S.PAGE_FAULT_ADDRESS say, i32. */
  PAGE_FAULT: 0x0fc,
  /** The interrupt line is high, i32 0 or 1. */
  INTERRUPT_LINE: 0xa00,
  /**
   * Epochs of the mapping of the supervisor's and of the user's code, as the upper bits of {@link S.MODE} have them,
   * i32 each.
   */
  EPOCHS: 0xa04,
  /** How often a tag was taken from an entry of a TLB, i32. */
  TAKEN: 0xa0c,
  /**
   * Time during a run, as 64-bit floats: cycles since power-on at the run's end, if it uses up its budget, and what
   * {@link TimeScale} says of them.
   */
  TIME_CYCLES: 0xa10,
  TIME_SKIPPED: 0xa18,
  TIME_NS: 0xa20,
  TIME_INSTRUCTIONS: 0xa28,
  /** Segment registers, 8 × 64 bytes: ES CS SS DS FS GS LDTR TR; fields at SEG.*. */
  SEG: 0x100,
  /** Linear address of {@link S.PAGE_FAULT}, i64. */
  PAGE_FAULT_ADDRESS: 0xa30,
  /**
   * While EFLAGS.RF is dropped for the next instruction, 1 more than the budget before that, i32: if it has not been executed then, the flag
   * comes back. Else 0, or a larger number.
   */
  RESUMED: 0xa38,
  /** Descriptor table registers: base i64, limit i32. */
  GDTR_BASE: 0x300,
  GDTR_LIMIT: 0x308,
  IDTR_BASE: 0x310,
  IDTR_LIMIT: 0x318,
  CR0: 0x320,
  CR2: 0x328,
  CR3: 0x330,
  CR4: 0x338,
  CR8: 0x340,
  EFER: 0x348,
  XCR0: 0x350,
  /** Debug registers DR0–DR7, 8 × i64. */
  DR: 0x358,
  /** Model-specific registers, i64 each. */
  TSC_OFFSET: 0x398,
  APIC_BASE: 0x3a0,
  SYSENTER_CS: 0x3a8,
  SYSENTER_ESP: 0x3b0,
  SYSENTER_EIP: 0x3b8,
  STAR: 0x3c0,
  LSTAR: 0x3c8,
  CSTAR: 0x3d0,
  FMASK: 0x3d8,
  KERNEL_GS_BASE: 0x3e0,
  TSC_AUX: 0x3e8,
  PAT: 0x3f0,
  MISC_ENABLE: 0x3f8,
  /** Variable-range MTRRs (8 base/mask pairs), fixed-range MTRRs (11) and the default type, i64 each. */
  MTRR_VARIABLE: 0x400,
  MTRR_FIXED: 0x480,
  MTRR_DEF_TYPE: 0x4d8,
  /** State of the random number generator, i64. */
  RANDOM: 0x4e0,
  /** IA32_SPEC_CTRL, i64. */
  SPEC_CTRL: 0x4e8,
  /** x87 registers R0–R7 (physical), 8 × 16 bytes: significand i64 at 0, sign and exponent u16 at 8. */
  X87: 0x500,
  FCW: 0x580,
  /** Status word without TOP, i32. */
  FSW: 0x584,
  /** Top of stack 0–7, i32. */
  FTOP: 0x588,
  /** Tags: bit i = ST(i) is in use, i32. */
  FTW: 0x58c,
  /** Last x87 instruction: opcode, instruction and operand pointers. */
  FOP: 0x590,
  FCS: 0x594,
  FDS: 0x598,
  MXCSR: 0x59c,
  FIP: 0x5a0,
  FDP: 0x5a8,
  /** SSE registers, 16 × 32 bytes (room for the AVX halves). */
  XMM: 0x600,
  /** Scratch space for the floating-point kernels. */
  KERNEL: 0x800,
  /** Which of the following pages there are: bits of two i64, of the supervisor and of the user. */
  REMEMBERS: 0xff0,
  /**
   * The pages that regions of the supervisor last read and last wrote by each form of address, 32 × {@link PAGE.SIZE} bytes
   * each, and at a distance of {@link USER_PAGES} those of the user.
   */
  READ_PAGES: 0x1000,
  WRITE_PAGES: 0x1400,
  /** Size of the block. */
  SIZE: 0x2000,
} as const;

/** Offset of XMM register `number` in the state block; each has room for 256 bits. */
export function xmmOffset(number: number): number {
  return S.XMM + 32 * number;
}

/** Value of {@link S.CURRENT} while a region has called into TypeScript. */
export const IN_REGION = 1;

/** Values of {@link S.SHADOW}. Intel SDM vol. 3A, section 6.8. */
export const Shadow = {
  NONE: 0,
  /** After STI: interrupts. */
  INTERRUPTS: 1,
  /** After MOV SS and POP SS: interrupts and debug traps. */
  STACK: 2,
} as const;

/** Segment register indices, in encoding order, then the system ones. */
export const Seg = { ES: 0, CS: 1, SS: 2, DS: 3, FS: 4, GS: 5, LDTR: 6, TR: 7 } as const;

/** Fields of a segment register, byte offsets from `S.SEG + 64 * index`. */
export const SEG = {
  /** Base address, i64. */
  BASE: 0,
  /** Lowest offset that may be accessed, i64. */
  LOW: 8,
  /** Highest offset that may be read, i64; -1 if none. */
  HIGH_READ: 16,
  /** Highest offset that may be written, i64; -1 if none. */
  HIGH_WRITE: 24,
  /** Visible selector, i32. */
  SELECTOR: 32,
  /** Limit in bytes (granularity applied), u32. */
  LIMIT: 36,
  /**
   * Descriptor bytes 5 and 6 high nibble as in bits 8–23 of its second dword, shifted right by 8: type, S, DPL, P, AVL,
   * L, D/B, G.
   */
  ACCESS: 40,
  /** 1 if the register holds a usable descriptor, 0 if null or invalid. */
  VALID: 44,
  SIZE: 64,
  /** The size as a shift. */
  SHIFT: 6,
} as const;

/** Fields of a remembered page, byte offsets from `S.READ_PAGES + PAGE.SIZE * number` or S.WRITE_PAGES. */
export const PAGE = {
  /** Linear address, i64; {@link NO_PAGE} if there is none. */
  TAG: 0,
  /** Host offset, i32. */
  HOST: 8,
  /** Its size, i32; 0 if there is none. */
  LIMIT: 12,
  /** Distances from here on are too far for an access of 4, and of 8 bytes to end in the page, i64; 0 if there is none. */
  END4: 16,
  END8: 24,
  SIZE: 32,
  /** The size as a shift. */
  SHIFT: 5,
} as const;
/** From what the supervisor's regions remember to what the user's do, in bytes. */
export const USER_PAGES = 0x800;
/** Is no page's address, and far from any that fits in 32 bits. */
export const NO_PAGE = 2n ** 62n + 1n;

/** General register numbers. */
export const R = {
  AX: 0,
  CX: 1,
  DX: 2,
  BX: 3,
  SP: 4,
  BP: 5,
  SI: 6,
  DI: 7,
} as const;

/** Bits of EFLAGS. Intel SDM vol. 1, section 3.4.3. */
export const Flag = {
  CF: 1 << 0,
  PF: 1 << 2,
  AF: 1 << 4,
  ZF: 1 << 6,
  SF: 1 << 7,
  TF: 1 << 8,
  IF: 1 << 9,
  DF: 1 << 10,
  OF: 1 << 11,
  IOPL: 3 << 12,
  NT: 1 << 14,
  RF: 1 << 16,
  VM: 1 << 17,
  AC: 1 << 18,
  VIF: 1 << 19,
  VIP: 1 << 20,
  ID: 1 << 21,
  /** OF SF ZF AF PF CF. */
  ARITHMETIC: 0x8d5,
} as const;

/** Exception vectors. Intel SDM vol. 3A, table 6-1. */
export const Vector = {
  DE: 0,
  DB: 1,
  NMI: 2,
  BP: 3,
  OF: 4,
  BR: 5,
  UD: 6,
  NM: 7,
  DF: 8,
  TS: 10,
  NP: 11,
  SS: 12,
  GP: 13,
  PF: 14,
  MF: 16,
  AC: 17,
  MC: 18,
  XM: 19,
} as const;

/** Bits of CR0. Intel SDM vol. 3A, section 2.5. */
export const CR0 = {
  PE: 1 << 0,
  MP: 1 << 1,
  EM: 1 << 2,
  TS: 1 << 3,
  ET: 1 << 4,
  NE: 1 << 5,
  WP: 1 << 16,
  AM: 1 << 18,
  NW: 1 << 29,
  CD: 1 << 30,
  PG: 1 << 31,
} as const;
/** Bits of CR4. Intel SDM vol. 3A, section 2.5. */
export const CR4 = {
  VME: 1 << 0,
  PVI: 1 << 1,
  TSD: 1 << 2,
  DE: 1 << 3,
  PSE: 1 << 4,
  PAE: 1 << 5,
  MCE: 1 << 6,
  PGE: 1 << 7,
  PCE: 1 << 8,
  OSFXSR: 1 << 9,
  OSXMMEXCPT: 1 << 10,
  UMIP: 1 << 11,
  FSGSBASE: 1 << 16,
  PCIDE: 1 << 17,
  OSXSAVE: 1 << 18,
  SMEP: 1 << 20,
  SMAP: 1 << 21,
} as const;
/** Bits of IA32_EFER. Intel SDM vol. 3A, section 2.2.1. */
export const EFER = { SCE: 1 << 0, LME: 1 << 8, LMA: 1 << 10, NXE: 1 << 11 } as const;
/** Bits of the x87 control word. Intel SDM vol. 1, section 8.1.5. */
export const Fcw = {
  /** Masks of all exceptions. */
  MASKS: 0x3f,
  /** Precision control; both bits = 64 bits. */
  PC: 3 << 8,
  /** Rounding control, 0 = to nearest; both bits = towards zero. */
  RC: 3 << 10,
  /** The bits that can be changed, and the one that is always set. */
  WRITABLE: 0x1f3f,
  ONES: 1 << 6,
  /** The value that FNINIT loads. */
  INITIAL: 0x37f,
} as const;
/** Bits of the x87 status word. Intel SDM vol. 1, section 8.1.3. */
export const Fsw = {
  /** Flags of all exceptions. */
  EXCEPTIONS: 0x3f,
  PE_SHIFT: 5,
  /** An exception that is not masked is pending. */
  ES: 1 << 7,
  C0: 1 << 8,
  C1: 1 << 9,
  C1_SHIFT: 9,
  C2: 1 << 10,
  /** Top of stack; {@link S.FTOP} has it. */
  TOP: 7 << 11,
  TOP_SHIFT: 11,
  C3: 1 << 14,
  /** All four. */
  CODES: 0x4700,
  /** Like ES. */
  B: 1 << 15,
} as const;
/** Bits of MXCSR. Intel SDM vol. 1, section 10.2.3. */
export const Mxcsr = {
  PE: 1 << 5,
  /** Masks of all exceptions. */
  MASKS: 0x1f80,
  /** Mask of the precision exception. */
  PM: 1 << 12,
  /** Rounding control, 0 = to nearest. */
  RC: 3 << 13,
  /** The bits that exist. */
  WRITABLE: 0xffff,
  /** The value after a reset. */
  INITIAL: 0x1f80,
} as const;
