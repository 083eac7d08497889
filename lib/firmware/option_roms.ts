/** Option ROMs: finds them between C0000 and EFFFF and lets POST's ROM code call their initialisation. Source: PnP BIOS specification 1.0a, appendix B. */
import { Bda } from "./bda.ts";
import type { Call } from "./call.ts";
import type { LinearMemory } from "./linear_memory.ts";

const FIRST = 0xc0000, END = 0xf0000, STEP = 0x800;

/** The part of the BIOS's state that the scan keeps. */
export interface OptionRomState {
  /** Where the scan continues. */
  nextOptionRom: number;
}

/** Starts the scan over. */
export function startOptionRomScan(state: OptionRomState): void {
  state.nextOptionRom = FIRST;
}

/** Finds the next ROM: sets carry and stores its entry point at 40:67, or clears carry at the end. */
export function nextOptionRom(call: Call, state: OptionRomState): void {
  const { memory } = call;
  for (let at = state.nextOptionRom; at < END; at += STEP) {
    const size = optionRomSize(memory, at);
    if (size === 0) continue;
    state.nextOptionRom = Math.ceil((at + size) / STEP) * STEP;
    memory.write16(Bda.RESUME_POINTER, 3);
    memory.write16(Bda.RESUME_POINTER + 2, at >> 4);
    call.carry = true;
    return;
  }
  state.nextOptionRom = END;
  call.carry = false;
}

/** Bytes of a valid option ROM at `at`; 0 if there is none. */
function optionRomSize(memory: LinearMemory, at: number): number {
  if (memory.read16(at) !== 0xaa55) return 0;
  const size = memory.read8(at + 2) * 512;
  if (size === 0 || at + size > END) return 0;
  return memory.bytes(at, size).reduce((sum, byte) => (sum + byte) & 0xff, 0) === 0 ? size : 0;
}
