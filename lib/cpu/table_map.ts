/**
 * What the frames that a page walk has read map: for each such frame, the linear addresses of which its entries decide. A write
 * to an entry then tells which translations it may have changed.
 *
 * Linear addresses are counted modulo 2^48 here, because one top-level table serves both halves of the canonical addresses.
 */
import { PAGE_SIZE } from "../machine/memory.ts";
import type { WalkResult } from "./page_table_watch.ts";

const SPACE = 2 ** 48, GIGABYTE = 2 ** 30;

/** What a frame's entries map. */
export interface TableRange {
  /** Linear address that the first entry maps, modulo 2^48; NaN if the frame serves several places. */
  base: number;
  /** Bytes that one entry maps. */
  span: number;
}

/** The tables of a walk, as {@link TableMap.note} left them. */
export class NotedTables {
  readonly frames: Int32Array;
  readonly #ranges: readonly TableRange[];
  readonly #noted: readonly TableRange[];

  constructor(frames: Int32Array, ranges: readonly TableRange[]) {
    this.frames = frames;
    this.#ranges = ranges;
    this.#noted = ranges.map((range) => ({ ...range }));
  }

  /** True if noting the same again would change nothing. */
  get areNoted(): boolean {
    for (let i = 0; i < this.#ranges.length; i++) {
      const range = this.#ranges[i], noted = this.#noted[i];
      // NaN is itself here: what is not known of a frame stays so.
      if (!Object.is(range.base, noted.base) || !Object.is(range.span, noted.span)) return false;
    }
    return true;
  }
}

/** Brings a linear address into the range 0 … 2^48 - 1. */
export function unsignedLinear(linear: number): number {
  return linear < 0 ? linear + SPACE : linear;
}

/** The linear address that {@link unsignedLinear} made of one. */
export function signedLinear(address: number): number {
  return address >= SPACE / 2 ? address - SPACE : address;
}

/** Frames that hold page tables. */
export class TableMap {
  readonly #ranges = new Map<number, TableRange>();

  /**
   * Notes the tables that a walk has read. What was noted of a frame before counts if `isUsed` says that translations of other
   * addresses than those from `base` to before `end` stem from it.
   */
  note(
    linear: number,
    walk: WalkResult,
    entryBytes: number,
    isUsed: (frame: number, range: TableRange, base: number, end: number) => boolean,
  ): void {
    const entries = PAGE_SIZE / entryBytes, address = unsignedLinear(linear);
    let span = walk.pageSize;
    for (let i = walk.tableCount - 1; i >= 0; i--) {
      const frame = walk.tables[i], covered = span * entries;
      // PAE paging's four pointers lie anywhere in their frame.
      const base = i === 0 && span === GIGABYTE ? NaN : Math.floor(address / covered) * covered;
      const range = this.#ranges.get(frame);
      if (!range) this.#ranges.set(frame, { base, span });
      else if (range.base !== base || range.span !== span) {
        const mixed = isUsed(frame, range, base, base + covered);
        // Only where a frame has been a last table all the time, the span of its entries is known.
        range.span = mixed && range.span !== span ? NaN : span;
        range.base = mixed ? NaN : base;
      }
      span = covered;
    }
  }

  /** Notes a top-level table, of which one entry maps `span` bytes. */
  noteRoot(frame: number, span: number): void {
    const base = span === GIGABYTE ? NaN : 0, range = this.#ranges.get(frame);
    if (!range) this.#ranges.set(frame, { base, span });
    else {
      range.base = base;
      range.span = span;
    }
  }

  /** The tables of a walk, which have been noted. */
  noted({ tables, tableCount }: WalkResult): NotedTables {
    const frames = tables.slice(0, tableCount);
    return new NotedTables(frames, Array.from(frames, (frame) => this.#ranges.get(frame)!));
  }

  /** What a frame maps, if it has been noted. */
  range(frame: number): TableRange | undefined {
    return this.#ranges.get(frame);
  }
}
