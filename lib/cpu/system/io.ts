/** Port input and output and its permission checks. Intel SDM vol. 1, section 18.5. */
import type { AccessSize } from "../../machine/types.ts";
import type { CpuCore } from "../core.ts";
import { CR0, S, Seg, Vector } from "../state.ts";
import { linearAddress } from "./descriptors.ts";
import { inV86 } from "./segments.ts";

/** Raises #GP(0) unless IOPL or the TSS's permission map lets the program access `size` bytes of ports at `port`. */
export function checkPort(core: CpuCore, port: number, size: AccessSize): void {
  const r = core.r;
  if ((r.i32(S.CR0) & CR0.PE) === 0) return;
  const iopl = (r.i32(S.EFLAGS) >>> 12) & 3;
  if (r.cpl <= iopl && !inV86(core)) return;
  const base = r.segmentBase(Seg.TR), limit = r.segmentLimit(Seg.TR);
  if (!r.segmentValid(Seg.TR) || (r.segmentAccess(Seg.TR) & 8) === 0 || limit < 0x67) core.raise(Vector.GP, 0);
  const at = core.read16(linearAddress(core, base, 0x66), false) + (port >>> 3);
  // Two bytes are read always, so that an access that straddles a byte of the map is covered.
  if (at + 1 > limit) core.raise(Vector.GP, 0);
  const map = core.read16(linearAddress(core, base, at), false);
  if (((map >>> (port & 7)) & ((1 << size) - 1)) !== 0) core.raise(Vector.GP, 0);
}

/**
 * What an access to a port takes in ns: six cycles of an ISA bus at 8.33 MHz, for 8 bits with the usual four wait states. So a loop that
 * polls a port until something has happened there costs a fraction of the instructions. Repeated strings are not delayed.
 */
const ACCESS_TIME = 720;

/** IN: the value that the port gives. */
export function input(core: CpuCore, port: number, size: AccessSize): number {
  port &= 0xffff;
  checkPort(core, port, size);
  const value = core.bus.ioRead(port, size);
  core.portAccessed(port, size);
  core.stall(ACCESS_TIME);
  return value;
}

/** OUT. */
export function output(core: CpuCore, port: number, value: number, size: AccessSize): void {
  port &= 0xffff;
  checkPort(core, port, size);
  core.bus.ioWrite(port, value, size);
  core.portAccessed(port, size);
  core.stall(ACCESS_TIME);
}
