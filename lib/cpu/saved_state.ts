/** A processor's architectural state as a plain record: what snapshots hold and hashes cover. */
import type { Registers } from "./registers.ts";
import { S, SEG } from "./state.ts";

/** Fields of the state block that are part of the architecture: name, offset, how many, and bytes of each. */
const FIELDS: readonly { name: string; offset: number; count: number; bytes: 4 | 8 }[] = [
  { name: "gpr", offset: S.GPR, count: 16, bytes: 8 },
  { name: "rip", offset: S.RIP, count: 1, bytes: 8 },
  { name: "cpl", offset: S.CPL, count: 1, bytes: 4 },
  { name: "shadow", offset: S.SHADOW, count: 1, bytes: 4 },
  { name: "halted", offset: S.HALTED, count: 1, bytes: 4 },
  { name: "debugTrap", offset: S.DEBUG_TRAP, count: 1, bytes: 4 },
  { name: "nmiPending", offset: S.NMI_PENDING, count: 1, bytes: 4 },
  { name: "nmiBlocked", offset: S.NMI_BLOCKED, count: 1, bytes: 4 },
  { name: "segments", offset: S.SEG, count: 8 * SEG.SIZE / 8, bytes: 8 },
  { name: "gdtr", offset: S.GDTR_BASE, count: 2, bytes: 8 },
  { name: "idtr", offset: S.IDTR_BASE, count: 2, bytes: 8 },
  { name: "cr0", offset: S.CR0, count: 1, bytes: 8 },
  { name: "cr2", offset: S.CR2, count: 1, bytes: 8 },
  { name: "cr3", offset: S.CR3, count: 1, bytes: 8 },
  { name: "cr4", offset: S.CR4, count: 1, bytes: 8 },
  { name: "cr8", offset: S.CR8, count: 1, bytes: 8 },
  { name: "efer", offset: S.EFER, count: 1, bytes: 8 },
  { name: "xcr0", offset: S.XCR0, count: 1, bytes: 8 },
  { name: "dr", offset: S.DR, count: 8, bytes: 8 },
  { name: "msr", offset: S.TSC_OFFSET, count: 13, bytes: 8 },
  { name: "mtrrVariable", offset: S.MTRR_VARIABLE, count: 16, bytes: 8 },
  { name: "mtrrFixed", offset: S.MTRR_FIXED, count: 11, bytes: 8 },
  { name: "mtrrDefType", offset: S.MTRR_DEF_TYPE, count: 1, bytes: 8 },
  { name: "random", offset: S.RANDOM, count: 1, bytes: 8 },
  { name: "specCtrl", offset: S.SPEC_CTRL, count: 1, bytes: 8 },
  { name: "x87", offset: S.X87, count: 16, bytes: 8 },
  { name: "fcw", offset: S.FCW, count: 1, bytes: 4 },
  { name: "fsw", offset: S.FSW, count: 1, bytes: 4 },
  { name: "ftop", offset: S.FTOP, count: 1, bytes: 4 },
  { name: "ftw", offset: S.FTW, count: 1, bytes: 4 },
  { name: "fop", offset: S.FOP, count: 1, bytes: 4 },
  { name: "fcs", offset: S.FCS, count: 1, bytes: 4 },
  { name: "fds", offset: S.FDS, count: 1, bytes: 4 },
  { name: "mxcsr", offset: S.MXCSR, count: 1, bytes: 4 },
  { name: "fip", offset: S.FIP, count: 1, bytes: 8 },
  { name: "fdp", offset: S.FDP, count: 1, bytes: 8 },
  { name: "xmm", offset: S.XMM, count: 64, bytes: 8 },
];

/** The state as a record of typed arrays; EFLAGS complete, whatever form they are kept in. */
export function saveRegisters(r: Registers): Record<string, unknown> {
  const saved: Record<string, unknown> = { eflags: r.eflags };
  for (const { name, offset, count, bytes } of FIELDS) {
    saved[name] = bytes === 8
      ? BigUint64Array.from({ length: count }, (_, i) => r.u64(offset + i * 8))
      : Uint32Array.from({ length: count }, (_, i) => r.u32(offset + i * 4));
  }
  return saved;
}

/**
 * Puts a saved state back. Throws a TypeError that names the field if one is missing or has another shape; then nothing
 * has changed.
 */
export function loadRegisters(r: Registers, saved: Record<string, unknown>): void {
  if (typeof saved.eflags !== "number") throw new TypeError("cpu.eflags: expected a number");
  for (const { name, count, bytes } of FIELDS) {
    const value = saved[name];
    const fits = bytes === 8 ? value instanceof BigUint64Array : value instanceof Uint32Array;
    if (!fits || (value as { length: number }).length !== count) {
      throw new TypeError(`cpu.${name}: expected ${count} values of ${bytes} bytes`);
    }
  }
  for (const { name, offset, count, bytes } of FIELDS) {
    for (let i = 0; i < count; i++) {
      if (bytes === 8) r.setU64(offset + i * 8, (saved[name] as BigUint64Array)[i]);
      else r.setI32(offset + i * 4, (saved[name] as Uint32Array)[i]);
    }
  }
  r.eflags = saved.eflags;
}
