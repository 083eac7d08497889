/** The state after RESET. Intel SDM vol. 3A, section 9.1, table 9-1. */
import { Access, type Registers } from "./registers.ts";
import { Fcw, Mxcsr, R, S, SEG, Seg } from "./state.ts";

const DATA = Access.PRESENT | Access.S | Access.READ_WRITE | Access.ACCESSED;

/** Puts every architectural register into its reset state; `signature` is the processor's identification, for EDX. */
export function resetRegisters(r: Registers, signature: number): void {
  for (let offset = 0; offset < S.SIZE; offset += 4) r.setI32(offset, 0);
  r.set32(R.DX, signature);
  r.setNumber(S.RIP, 0xfff0);
  r.eflags = 2;
  r.setNumber(S.CR0, 0x6000_0010);
  for (const segment of [Seg.ES, Seg.SS, Seg.DS, Seg.FS, Seg.GS]) r.setSegment(segment, 0, 0, 0xffff, DATA);
  r.setSegment(Seg.CS, 0xf000, 0xffff_0000, 0xffff, DATA | Access.CODE);
  // Real-mode code may write through CS.
  r.setNumber(S.SEG + Seg.CS * SEG.SIZE + SEG.HIGH_WRITE, 0xffff);
  r.setSegment(Seg.LDTR, 0, 0, 0xffff, Access.PRESENT | 2);
  r.setSegment(Seg.TR, 0, 0, 0xffff, Access.PRESENT | 11);
  r.setI32(S.GDTR_LIMIT, 0xffff);
  r.setI32(S.IDTR_LIMIT, 0xffff);
  r.setNumber(S.DR + 6 * 8, 0xffff_0ff0);
  r.setNumber(S.DR + 7 * 8, 0x400);
  r.setNumber(S.XCR0, 1);
  r.setNumber(S.PAT, 0x0007_0406);
  r.setI32(S.PAT + 4, 0x0007_0406);
  // Bootstrap processor. A board with a local APIC answers for this register itself.
  r.setNumber(S.APIC_BASE, 0xfee0_0100);
  r.setNumber(S.MISC_ENABLE, 1);
  r.setI32(S.FCW, Fcw.ONES);
  r.setI32(S.MXCSR, Mxcsr.INITIAL);
}
