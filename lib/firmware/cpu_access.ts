/**
 * What the firmware needs to see and change of the processor when one of its ROM stubs traps: the narrow interface that
 * keeps the BIOS independent of how the processor keeps its registers.
 */

/** Access to a processor's architectural registers between two instructions. */
export interface CpuAccess {
  /** Low 32 bits of general register `index` (encoding order: AX CX DX BX SP BP SI DI), unsigned. */
  get32(index: number): number;
  /** Replaces the low 32 bits of general register `index`. */
  set32(index: number, value: number): void;
  /** Visible selector of segment register `index` (encoding order: ES CS SS DS FS GS). */
  selector(index: number): number;
  /** Base address of segment register `index`. */
  segmentBase(index: number): number;
  /** Loads segment register `index` the way real mode and virtual-8086 mode do: base = selector × 16. */
  setRealSegment(index: number, selector: number): void;
  /** EFLAGS, all bits exact. */
  eflags: number;
  /** Width of the stack pointer in bits: 16 means SP, otherwise ESP. */
  readonly stackSize: number;
  /** Control registers, low 32 bits; needed to follow paging when the firmware is called from virtual-8086 mode. */
  readonly cr0: number;
  readonly cr3: number;
  readonly cr4: number;
}

/** General register numbers in encoding order. */
export const Reg = { AX: 0, CX: 1, DX: 2, BX: 3, SP: 4, BP: 5, SI: 6, DI: 7 } as const;

/** Segment register numbers in encoding order. */
export const Sreg = { ES: 0, CS: 1, SS: 2, DS: 3, FS: 4, GS: 5 } as const;

/** The flags that BIOS services report through. */
export const Eflags = { CF: 1, ZF: 0x40, TF: 0x100, IF: 0x200, VM: 0x20000 } as const;
