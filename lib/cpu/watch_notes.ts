/** What compiled code reads of the watch over page tables: see lib/cpu/system_kernels/translations.ts. */
import { PAGE_SHIFT, PAGE_SIZE } from "../machine/memory.ts";
import { CODE_FILTERS, NOTED_TABLES, ROOT_ENTRIES, TRANSLATIONS } from "./interpreter/layout.ts";

const RANGE = NOTED_TABLES.RANGE >> 2, FRAME = NOTED_TABLES.FRAME >> 2;

/** The notes of one processor. */
export class WatchNotes {
  readonly #tables: Int32Array;
  readonly #code: readonly Uint8Array[];
  readonly #idleWrites: Int32Array;
  /** By entry of the top-level table, 1 if translations in use may begin with it. */
  readonly isRootEntry: Uint8Array;

  constructor({ buffer }: WebAssembly.Memory) {
    const { BASE, ENTRIES, ENTRY_SHIFT } = NOTED_TABLES;
    this.#tables = new Int32Array(buffer, BASE, (ENTRIES << ENTRY_SHIFT) >> 2);
    this.#code = [0, 1].map((privilege) =>
      new Uint8Array(buffer, CODE_FILTERS.BASE + CODE_FILTERS.SIZE * privilege, CODE_FILTERS.SIZE)
    );
    this.#idleWrites = new Int32Array(buffer, TRANSLATIONS.IDLE_WRITES, 1);
    this.isRootEntry = new Uint8Array(buffer, ROOT_ENTRIES.BASE, ROOT_ENTRIES.COUNT);
  }

  /**
   * Translations may stem from a table in a frame, whose first entry maps the linear address `base`, modulo 2^48, and each `span` bytes.
   * A base of NaN stands for none that is known.
   */
  noteTable(frame: number, base: number, span: number): void {
    if (Number.isNaN(base)) return this.forgetTable(frame);
    const words = this.#tables, at = this.#placeOf(frame);
    words[at + FRAME] = frame;
    // The span is a power of 2, not less than a page.
    words[at + RANGE] = base + PAGE_SHIFT + 31 - Math.clz32(span / PAGE_SIZE);
    words[at + RANGE + 1] = Math.floor(base / 2 ** 32);
  }

  /** No translation stems from a frame any more, or it is not known of which addresses. */
  forgetTable(frame: number): void {
    const words = this.#tables, at = this.#placeOf(frame);
    if (words[at + FRAME] === frame) words.fill(0, at, at + (1 << (NOTED_TABLES.ENTRY_SHIFT - 2)));
  }

  #placeOf(frame: number): number {
    const { MULTIPLIER, SHIFT, ENTRY_SHIFT } = NOTED_TABLES;
    return (Math.imul(frame, MULTIPLIER) >>> SHIFT) << (ENTRY_SHIFT - 2);
  }

  /** Cached jumps rely on a linear page. */
  noteCode(page: number, user: boolean): void {
    const { MULTIPLIER, SHIFT } = CODE_FILTERS;
    this.#code[user ? 1 : 0][Math.imul(page | 0, MULTIPLIER) >>> SHIFT] = 1;
  }

  /** No cached jump relies on any page with a privilege. */
  forgetCode(privilege: number): void {
    this.#code[privilege].fill(0);
  }

  /** Counts a write to a page table that changed no translation in use; true for those that are to be looked at closely. */
  isRareIdleWrite(): boolean {
    return (++this.#idleWrites[0] & TRANSLATIONS.RARE) === 0;
  }

  /** All translations have been forgotten. */
  clear(): void {
    this.#tables.fill(0);
    this.isRootEntry.fill(0);
  }
}
