/** The words by which regions see whether the code of another page still is where it was. */
import { PAGE_SHIFT, PAGE_SIZE } from "../../machine/memory.ts";
import { CodePlaces } from "../interpreter/code_places.ts";
import { PAGE_CELLS } from "../interpreter/layout.ts";
import { PairMap } from "../pair_map.ts";

/** No value of S.MODE. */
const UNKNOWN = -1;
/** The last cell belongs to no page. */
const LAST = PAGE_CELLS.BASE + 4 * (PAGE_CELLS.COUNT - 1);
/** The address of a cell that never says that a page is where it was. */
export const NO_CELL = LAST;

/** One word: for the code of a frame at a linear page. */
export interface PageCell {
  readonly address: number;
  readonly frame: number;
  readonly page: number;
  /** How many regions look at it. */
  users: number;
}

/** The cells of one processor. */
export class PageCells {
  readonly #words: Int32Array;
  readonly #places: CodePlaces;
  /** By frame and linear page. */
  readonly #cells = new PairMap<PageCell>();
  readonly #free: number[] = [];
  #next: number = PAGE_CELLS.BASE;

  /** `state` is the memory that holds the processor's state. */
  constructor(state: WebAssembly.Memory) {
    this.#places = new CodePlaces(state);
    this.#words = new Int32Array(state.buffer, PAGE_CELLS.BASE, PAGE_CELLS.COUNT);
    this.forget();
  }

  /** The way to `linear`, in the frame of `host`, has been looked up and is good for `mode` (S.MODE). */
  arrived(linear: number, host: number, mode: number): void {
    const cell = this.#cells.get(host >>> PAGE_SHIFT, Math.floor(linear / PAGE_SIZE));
    if (cell) this.#words[(cell.address - PAGE_CELLS.BASE) >> 2] = mode;
  }

  /** The cell for the frame of `host` at `linear`; null if all are in use. It has no user by that. */
  find(linear: number, host: number): PageCell | null {
    const frame = host >>> PAGE_SHIFT, page = Math.floor(linear / PAGE_SIZE), known = this.#cells.get(frame, page);
    if (known) return known;
    const address = this.#free.pop() ?? (this.#next < LAST ? (this.#next += 4) - 4 : -1);
    if (address < 0) return null;
    this.#words[(address - PAGE_CELLS.BASE) >> 2] = UNKNOWN;
    this.#places.forget(linear);
    const cell = { address, frame, page, users: 0 };
    this.#cells.set(frame, page, cell);
    return cell;
  }

  /** One user less; without any the cell may serve another page. */
  release(cell: PageCell): void {
    if (--cell.users > 0) return;
    this.#cells.delete(cell.frame, cell.page);
    this.#free.push(cell.address);
  }

  /** Forgets which pages are known to be where they were. */
  forget(): void {
    this.#words.fill(UNKNOWN);
  }
}
