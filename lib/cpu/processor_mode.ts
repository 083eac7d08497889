/** The mode that the processor is in, and which mapping of linear addresses it uses: S.MODE. */
import type { CodeMode } from "./emit/emitter.ts";
import { codeMode, ModeBit, modeKey } from "./mode.ts";
import type { Registers } from "./registers.ts";
import { S, SEG, Seg } from "./state.ts";

/** The current mode of one processor. */
export class ProcessorMode {
  readonly #r: Registers;
  #codeMode: CodeMode = codeMode(0);

  constructor(r: Registers) {
    this.#r = r;
  }

  /** What decoded code depends on. */
  get codeMode(): CodeMode {
    return this.#codeMode;
  }

  /** 64-bit code runs. */
  get wide(): boolean {
    return this.#codeMode.code === 64;
  }

  /** Code runs with the user's privilege. */
  get user(): boolean {
    return (this.#r.i32(S.MODE) & ModeBit.USER) !== 0;
  }

  /** The bits of S.MODE that identify a block. */
  get blockKey(): number {
    return this.#r.i32(S.MODE) & ModeBit.BLOCK;
  }

  /** Linear address of an offset in CS. */
  linear(ip: number): number {
    if (this.#codeMode.code === 64) return ip;
    return (ip + this.#r.segmentBase(Seg.CS)) % 2 ** 32;
  }

  /** Takes the mode from the registers; true if decoded code depends on the difference. */
  update(): boolean {
    const r = this.#r, user = r.cpl === 3, code = r.codeSize;
    const mode = modeKey(code, r.stackSize, code === 64 || this.#isFlat(), user);
    const changed = (r.i32(S.MODE) & ModeBit.CODE_MODE) !== (mode & ModeBit.CODE_MODE);
    if (changed) {
      // Undefined after the switch (Intel SDM vol. 1, section 3.4.1.1): zero, so that narrower code need not look after it.
      if (this.#codeMode.code === 64) { for (let n = 0; n < 8; n++) r.setI32(S.GPR + 8 * n + 4, 0); }
      this.#codeMode = codeMode(mode);
    }
    r.setI32(S.MODE, mode | r.i32(S.EPOCHS + (user ? 4 : 0)));
    return changed;
  }

  #isFlat(): boolean {
    const r = this.#r;
    if (r.segmentBase(Seg.CS) !== 0 || r.segmentLimit(Seg.CS) !== 0xffff_ffff) return false;
    for (const segment of [Seg.ES, Seg.SS, Seg.DS]) {
      const at = S.SEG + segment * SEG.SIZE;
      // Base and lowest offset 0, highest offsets FFFFFFFFh; the fields have 64 bits.
      const nothing = r.i32(at + SEG.BASE) | r.i32(at + SEG.BASE + 4) | r.i32(at + SEG.LOW) | r.i32(at + SEG.LOW + 4) |
        r.i32(at + SEG.HIGH_READ + 4) | r.i32(at + SEG.HIGH_WRITE + 4);
      if (nothing !== 0 || (r.i32(at + SEG.HIGH_READ) & r.i32(at + SEG.HIGH_WRITE)) !== -1) return false;
    }
    return true;
  }

  /** A new mapping for the user, or the supervisor: what was found in the old one does not count. False once they start anew. */
  nextEpoch(user: boolean): boolean {
    const r = this.#r, field = S.EPOCHS + (user ? 4 : 0), first = 1 << ModeBit.EPOCH;
    const next = (r.i32(field) + first) | 0, epoch = next === 0 ? first : next;
    r.setI32(field, epoch);
    if (user === this.user) r.setI32(S.MODE, (r.i32(S.MODE) & 0xff) | epoch);
    return next !== 0;
  }
}
