/** Breakpoints in the debug registers. Intel SDM vol. 3B, section 17.2. */
import { PAGE_SIZE } from "../machine/memory.ts";
import type { Registers } from "./registers.ts";
import { Flag, S } from "./state.ts";
import { noteDebug } from "./system/debug.ts";

/** R/W fields of DR7. */
const Kind = { EXECUTE: 0, WRITE: 1, IO: 2, READ_WRITE: 3 } as const;

interface Breakpoint {
  readonly index: number;
  readonly address: number;
  readonly bytes: number;
  readonly kind: number;
}

function overlaps({ address, bytes }: Breakpoint, at: number, length: number): boolean {
  return at < address + bytes && at + length > address;
}

/** What DR0–DR7 ask for, in a form that is quick to test. */
export class DebugUnit {
  readonly #r: Registers;
  #code: Breakpoint[] = [];
  #data: Breakpoint[] = [];
  #ports: Breakpoint[] = [];

  constructor(r: Registers) {
    this.#r = r;
  }

  get watchesCode(): boolean {
    return this.#code.length > 0;
  }

  get watchesData(): boolean {
    return this.#data.length > 0;
  }

  get watchesPorts(): boolean {
    return this.#ports.length > 0;
  }

  /** Reads the debug registers again. */
  update(): void {
    const dr7 = this.#r.i32(S.DR + 7 * 8);
    this.#code = [];
    this.#data = [];
    this.#ports = [];
    for (let index = 0; index < 4; index++) {
      if (((dr7 >> (index * 2)) & 3) === 0) continue;
      const kind = (dr7 >> (16 + index * 4)) & 3;
      const bytes = [1, 2, 8, 4][(dr7 >> (18 + index * 4)) & 3];
      const address = this.#r.number(S.DR + index * 8);
      const first = address - (address & (bytes - 1));
      if (kind === Kind.EXECUTE) this.#code.push({ index, address, bytes: 1, kind });
      else (kind === Kind.IO ? this.#ports : this.#data).push({ index, address: first, bytes, kind });
    }
  }

  /** True, with DR6 updated, if an instruction breakpoint is at `linear`. */
  codeBreakpoint(linear: number): boolean {
    let hit = 0;
    for (const b of this.#code) if (b.address === linear) hit |= 1 << b.index;
    if (hit !== 0) noteDebug(this.#r, hit);
    return hit !== 0;
  }

  /** True, with a trap noted, if the access touches a data breakpoint. */
  dataBreakpoint(linear: number, bytes: number, write: boolean): boolean {
    return this.#note(this.#data.filter((b) => overlaps(b, linear, bytes) && (write || b.kind === Kind.READ_WRITE)));
  }

  /** True, with a trap noted, if the access touches an I/O breakpoint. They exist only while CR4.DE is set. */
  portBreakpoint(port: number, bytes: number): boolean {
    return this.#note(this.#ports.filter((b) => overlaps(b, port, bytes)));
  }

  #note(hits: readonly Breakpoint[]): boolean {
    let trap = this.#r.i32(S.DEBUG_TRAP);
    for (const { index } of hits) trap |= 1 << index;
    if (hits.length > 0) this.#r.setI32(S.DEBUG_TRAP, trap);
    return hits.length > 0;
  }

  /** True if a data breakpoint lies in a linear page. */
  watchesPage(page: number): boolean {
    return this.#data.some((b) => Math.floor(b.address / PAGE_SIZE) === page);
  }

  /** An instruction that started with RF set has completed: RF goes, unless that instruction loaded it. */
  resumed(flagsBefore: number): void {
    const flags = this.#r.i32(S.EFLAGS);
    if ((flagsBefore & flags & Flag.RF) !== 0) this.#r.setI32(S.EFLAGS, flags & ~Flag.RF);
  }
}
