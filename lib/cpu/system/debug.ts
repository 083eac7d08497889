/** Debug registers: aliases, reserved bits, and the reasons in DR6. Intel SDM vol. 3B, chapter 17. */
import type { CpuCore } from "../core.ts";
import type { Registers } from "../registers.ts";
import { CR4, S, Vector } from "../state.ts";

/** Bits of DR6. */
export const Dr6 = { B0: 1 << 0, BD: 1 << 13, BS: 1 << 14, BT: 1 << 15 } as const;
/** General detect: every access to a debug register raises #DB. */
export const DR7_GD = 1 << 13;

const DR6_FIXED = 0xffff_0ff0, DR6_WRITABLE = 0xe00f;
const DR7_FIXED = 0x0400, DR7_WRITABLE = 0xffff_23ff;

/** The breakpoints' bits in DR6. */
const DR6_BREAKPOINTS = 0xf;

/**
 * Notes why a debug exception happens. The bits of the breakpoints tell of this exception, the other {@link Dr6} bits
 * accumulate until software clears them.
 */
export function noteDebug(r: Registers, bits: number): void {
  r.setI32(S.DR + 6 * 8, (r.i32(S.DR + 6 * 8) & ~DR6_BREAKPOINTS) | bits);
}

/** Checks an access to debug register `number` and resolves the aliases DR4 and DR5. */
function checkAccess(core: CpuCore, number: number): number {
  const r = core.r;
  if (number > 7) core.raise(Vector.UD);
  if (number === 4 || number === 5) {
    if ((r.i32(S.CR4) & CR4.DE) !== 0) core.raise(Vector.UD);
    number += 2;
  }
  if (r.cpl !== 0) core.raise(Vector.GP, 0);
  if ((r.i32(S.DR + 7 * 8) & DR7_GD) !== 0) {
    noteDebug(r, Dr6.BD);
    core.raise(Vector.DB);
  }
  return number;
}

/** MOV r, DRn: returns the register, after the checks. */
export function readDebugRegister(core: CpuCore, number: number): bigint {
  return core.r.u64(S.DR + checkAccess(core, number) * 8);
}

/** MOV DRn, r: `value` is the register, unsigned. */
export function writeDebugRegister(core: CpuCore, number: number, value: bigint): void {
  number = checkAccess(core, number);
  if (number < 6) core.r.setU64(S.DR + number * 8, value);
  else {
    if (value > 0xffff_ffffn) core.raise(Vector.GP, 0);
    const bits = Number(value);
    const next = number === 6 ? (bits & DR6_WRITABLE) | DR6_FIXED : (bits & DR7_WRITABLE) | DR7_FIXED;
    core.r.setNumber(S.DR + number * 8, next >>> 0);
  }
  core.debugRegistersChanged();
}
