/** The compiled code that is running: where it is, what of the budget it has yet to earn, and how it is made to return. */
import { ARENA_BASE, HEADER, REC } from "./interpreter/layout.ts";
import type { Registers } from "./registers.ts";
import { IN_REGION, S } from "./state.ts";

/** Subtracted from the budget to leave compiled code at the next block. */
const HOLD = 2 ** 30;

/** What S.CURRENT stands for: a record of the interpreter's, a region, or nothing. */
export class RunningCode {
  readonly #r: Registers;
  readonly #view: DataView;
  readonly #leaveSlot: number;
  #held = false;
  /** A record whose handler was replaced to leave before it, and the handler. */
  #patched = 0;
  #patchedSlot = 0;

  /** `leaveSlot` is the table slot of the handler that returns before its instruction. */
  constructor(r: Registers, state: WebAssembly.Memory, leaveSlot: number) {
    this.#r = r;
    this.#view = new DataView(state.buffer);
    this.#leaveSlot = leaveSlot;
  }

  /** What is left of the budget. */
  get budget(): number {
    return this.#r.i32(S.BUDGET) + (this.#held ? HOLD : 0);
  }

  /** Instructions of the running block that have been taken from the budget but not completed. */
  get unfinished(): number {
    const record = this.#r.i32(S.CURRENT);
    if (record === 0) return 0;
    if (record === IN_REGION) return 1;
    const position = this.#view.getUint16(record + REC.INDEX_IN_BLOCK, true);
    const header = record - position * REC.SIZE - HEADER.SIZE;
    return this.#view.getUint16(header + HEADER.COUNT, true) - position;
  }

  /** The bytes of the running code may have changed. */
  get mayBeVoid(): boolean {
    const record = this.#r.i32(S.CURRENT);
    if (record === IN_REGION) return true;
    return record !== 0 && this.#view.getInt32(record + REC.SLOT, true) === this.#leaveSlot;
  }

  /** Offset in CS of the current instruction; `wide` in 64-bit code. */
  ip(wide: boolean): number {
    const record = this.#r.i32(S.CURRENT);
    if (record === IN_REGION) return this.#r.ip;
    const ip = this.#r.number(S.BLOCK_IP) + this.#view.getUint16(record + REC.NEXT, true) -
      this.#view.getUint8(record + REC.LENGTH);
    return wide ? ip : ip % 2 ** 32;
  }

  /** The current instruction did not happen: RIP points to it and its count goes back. */
  abandon(wide: boolean): void {
    const r = this.#r;
    r.ip = this.ip(wide);
    r.setI32(S.BUDGET, r.i32(S.BUDGET) + this.unfinished);
  }

  /** Makes compiled code return before the instruction after the current one. */
  leaveAfterCurrent(): void {
    const record = this.#r.i32(S.CURRENT);
    this.#r.setI32(S.LEAVE, 1);
    if (record === 0 || record === IN_REGION || this.#held) return;
    this.#r.setI32(S.BUDGET, this.#r.i32(S.BUDGET) - HOLD);
    this.#held = true;
    const next = record + REC.SIZE, position = this.#view.getUint16(record + REC.INDEX_IN_BLOCK, true);
    if (next >= ARENA_BASE && this.#view.getUint16(next + REC.INDEX_IN_BLOCK, true) === position + 1) {
      this.#patched = next;
      this.#patchedSlot = this.#view.getInt32(next, true);
      this.#view.setInt32(next, this.#leaveSlot, true);
    }
  }

  /** After compiled code has returned: takes back what was done to make it. */
  returned(): void {
    if (this.#held) {
      this.#r.setI32(S.BUDGET, this.#r.i32(S.BUDGET) + HOLD);
      this.#held = false;
    }
    if (this.#patched === 0) return;
    if (this.#view.getInt32(this.#patched, true) === this.#leaveSlot) {
      this.#view.setInt32(this.#patched, this.#patchedSlot, true);
    }
    this.#patched = 0;
  }
}
