/** The pages that cached jumps rely on, and where each was when code was fetched through it. */
import { GOLDEN_RATIO } from "./interpreter/layout.ts";

/** Room for so many pages at first; a power of two. */
const FIRST_CAPACITY = 64;

/**
 * A set of pages, as lists by index: what is known about a page has the same index everywhere. It is emptied and filled again all the
 * time, so it leaves nothing behind for the garbage collector.
 */
export class CodePages {
  /** How many pages there are; their indices are below that. */
  count = 0;
  /** Linear page numbers. */
  page = new Float64Array(FIRST_CAPACITY);
  /** Host frames. */
  frame = new Int32Array(FIRST_CAPACITY);
  /** Which entry of the top-level table maps the page. */
  rootIndex = new Int32Array(FIRST_CAPACITY);
  /** Frame of the last table of the walk to the page, or -1, as in the TLB. */
  leaf = new Int32Array(FIRST_CAPACITY);
  /** Indices plus one by hash, twice as many as there is room for; 0 where there is none. */
  #places = new Uint32Array(2 * FIRST_CAPACITY);

  /** Where the index of a page is, or would be. */
  #placeOf(page: number): number {
    const places = this.#places, mask = places.length - 1;
    let place = (Math.imul(page | 0, GOLDEN_RATIO) >>> 16) & mask;
    while (places[place] !== 0 && this.page[places[place] - 1] !== page) place = (place + 1) & mask;
    return place;
  }

  /** The index of a page, -1 if it is not there. */
  find(page: number): number {
    return this.count === 0 ? -1 : this.#places[this.#placeOf(page)] - 1;
  }

  /** Adds a page that is not there, in no frame yet; returns its index. */
  add(page: number, rootIndex: number): number {
    if (this.count === this.page.length) this.#grow();
    const index = this.count++;
    this.page[index] = page;
    this.frame[index] = -1;
    this.rootIndex[index] = rootIndex;
    this.leaf[index] = -1;
    this.#places[this.#placeOf(page)] = index + 1;
    return index;
  }

  #grow(): void {
    const { page, frame, rootIndex, leaf, count } = this;
    this.page = new Float64Array(2 * count);
    this.page.set(page);
    this.frame = new Int32Array(2 * count);
    this.frame.set(frame);
    this.rootIndex = new Int32Array(2 * count);
    this.rootIndex.set(rootIndex);
    this.leaf = new Int32Array(2 * count);
    this.leaf.set(leaf);
    this.#places = new Uint32Array(4 * count);
    for (let i = 0; i < count; i++) this.#places[this.#placeOf(page[i])] = i + 1;
  }

  /** Removes all pages. */
  clear(): void {
    // Places must not be emptied one by one: those behind them could not be found.
    if (this.count > 0) this.#places.fill(0);
    this.count = 0;
  }
}
