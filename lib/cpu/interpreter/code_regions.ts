/** Which regions have bytes in a frame. */
import { PAGE_SHIFT, PAGE_SIZE } from "../../machine/memory.ts";
import type { CodeRegion } from "./block.ts";
import type { CodeMarks } from "./code_marks.ts";

/** The regions of one processor, by the frames of their bytes. */
export class CodeRegions {
  readonly #marks: CodeMarks;
  /** A list that is empty stays: where code is rewritten, regions come and go. */
  readonly #inFrame = new Map<number, Set<CodeRegion>>();

  constructor(marks: CodeMarks) {
    this.#marks = marks;
  }

  /** True if a region has bytes in a frame. */
  has(frame: number): boolean {
    return (this.#inFrame.get(frame)?.size ?? 0) > 0;
  }

  /** The regions with bytes in a frame; they may be removed one by one. */
  in(frame: number): Iterable<CodeRegion> {
    return this.#inFrame.get(frame) ?? [];
  }

  /** The regions with some of the bytes of a frame from one host offset to before another. */
  with(frame: number, from: number, to: number): CodeRegion[] {
    const found: CodeRegion[] = [];
    for (const region of this.in(frame)) {
      if (region.ranges.some(({ start, end }) => from < end && to > start)) found.push(region);
    }
    return found;
  }

  /** Marks the bytes of a region in a frame. */
  mark({ ranges }: CodeRegion, frame: number): void {
    const base = frame * PAGE_SIZE;
    for (const { start, end } of ranges) {
      if (start >>> PAGE_SHIFT === frame) this.#marks.mark(frame, start - base, end - base);
    }
  }

  /** Adds a region and marks its bytes. */
  add(region: CodeRegion): void {
    for (const frame of region.frames) {
      const list = this.#inFrame.get(frame);
      if (list) list.add(region);
      else this.#inFrame.set(frame, new Set([region]));
      this.mark(region, frame);
    }
  }

  /** Removes a region and returns the frames where no other one is. Their marks stay. */
  remove(region: CodeRegion): number[] {
    const empty: number[] = [];
    for (const frame of region.frames) {
      const list = this.#inFrame.get(frame);
      if (list?.delete(region) && list.size === 0) empty.push(frame);
    }
    return empty;
  }
}
