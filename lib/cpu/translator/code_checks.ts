/** What regions look at to find out whether the code that they were made of is still what would be executed. */
import { type Code, Op } from "../../wasm/mod.ts";
import { isFlatCode } from "../emit/base.ts";
import type { CodeMode } from "../emit/emitter.ts";
import { S, SEG, Seg } from "../state.ts";
import type { RegionBlock } from "./discovery.ts";
import type { RegionLocals } from "./region_locals.ts";

const CS = S.SEG + Seg.CS * SEG.SIZE;

/** Where the code of a region lies. */
export interface CodeLocation {
  readonly mode: CodeMode;
  /** Base of CS, where code is segmented. */
  readonly base: number;
  /**
   * Offset in CS → address in the state memory of the word that equals S.MODE while the code of that page is known to
   * be there.
   */
  pageCell(ip: number): number;
  /** Number of the page of an offset in CS. */
  page(ip: number): number;
}

/** Writes the checks of a region; each leaves 0 or 1 on the stack. */
export class CodeChecks {
  readonly #places: CodeLocation;
  readonly #code: Code;
  readonly #locals: RegionLocals;
  /** Local: in segmented code, the limit of CS. */
  readonly #limit: number;

  constructor(places: CodeLocation, code: Code, locals: RegionLocals) {
    this.#places = places;
    this.#code = code;
    this.#locals = locals;
    this.#limit = isFlatCode(places.mode) ? -1 : code.local("i32");
  }

  /** True if code is segmented, and {@link segmentDiffers} is to be asked for first. */
  get isSegmented(): boolean {
    return !isFlatCode(this.#places.mode);
  }

  /** 1 if the base is not the one that pages were found by, or not all of these blocks lie within the limit. */
  segmentDiffers(blocks: readonly RegionBlock[]): void {
    const code = this.#code, locals = this.#locals;
    let last = 0;
    for (const { instructions } of blocks) {
      for (const { ip, instruction } of instructions) last = Math.max(last, ip + instruction.length - 1);
    }
    locals.getState(CS + SEG.LIMIT);
    code.tee(this.#limit);
    code.i32(last | 0);
    code.op(Op.I32_LT_U);
    locals.getState(CS + SEG.BASE);
    code.i32(this.#places.base | 0);
    code.op(Op.I32_NE);
    code.op(Op.I32_OR);
  }

  /** 1 if the mode, and in segmented code the code segment, is the one that the region was entered with. */
  isUnchanged(): void {
    const code = this.#code, locals = this.#locals;
    locals.getState(S.MODE);
    code.get(locals.mode);
    code.op(Op.I32_EQ);
    if (!this.isSegmented) return;
    locals.getState(CS + SEG.BASE);
    code.i32(this.#places.base | 0);
    code.op(Op.I32_EQ);
    code.op(Op.I32_AND);
    locals.getState(CS + SEG.LIMIT);
    code.get(this.#limit);
    code.op(Op.I32_EQ);
    code.op(Op.I32_AND);
  }

  /** True if two offsets lie in different pages. */
  isOtherPage(from: number, to: number): boolean {
    return this.#places.page(from) !== this.#places.page(to);
  }

  /** 1 if the code of an offset's page may have gone since the region was translated. */
  isPageGone(ip: number): void {
    this.#code.i32(0);
    this.#code.memory(Op.I32_LOAD, this.#places.pageCell(ip));
    this.#code.get(this.#locals.mode);
    this.#code.op(Op.I32_NE);
  }
}
