/**
 * What entries of the TLB stood for in address spaces that a system comes back to, and the entries of page tables that say so: as long
 * as these are what they were, a walk would find the same.
 */
import type { PhysicalMemory } from "../machine/memory.ts";
import type { WalkResult } from "./page_table_watch.ts";
import type { NotedTables } from "./table_map.ts";
import type { Translation } from "./tlb.ts";

/** How many address spaces are remembered, and how many translations of each. */
const MOST_SPACES = 8, MOST_TRANSLATIONS = 64;

/** A translation of a linear page, and the tables that it stems from. */
export interface KnownTranslation {
  readonly page: number;
  readonly translation: Translation;
  readonly tables: NotedTables;
  /** The words of page-table entries that the walk has read: where they are in guest memory, and their values. */
  readonly places: Int32Array;
  readonly values: Int32Array;
}

/** Where the entries are that a walk has read, of so many words each; null if one lies in ROM. */
function placesOf({ entries, tableCount }: WalkResult, wordsEach: number): Int32Array | null {
  const places = new Int32Array(wordsEach * tableCount);
  for (let i = 0; i < places.length; i++) {
    const host = entries[Math.floor(i / wordsEach)];
    if (host < 0) return null;
    places[i] = (host >>> 2) + i % wordsEach;
  }
  return places;
}

/** What is remembered of one address space. */
export class KnownSpace {
  /** Guest memory by host offset divided by 4. */
  readonly #words: Int32Array;
  /** By entry of the TLB. */
  readonly #translations = new Map<number, KnownTranslation>();

  constructor(words: Int32Array) {
    this.#words = words;
  }

  /** What an entry stood for when it was for a page, if a walk would find that again; else null. */
  find(entry: number, page: number): KnownTranslation | null {
    const known = this.#translations.get(entry);
    if (known === undefined || known.page !== page) return null;
    const words = this.#words, { places, values } = known;
    for (let i = 0; i < places.length; i++) if (words[places[i]] !== values[i]) return null;
    return known;
  }

  /** Remembers what has been made of an entry after a walk; `entryBytes` is the size of the page-table entries that it has read. */
  keep(
    entry: number,
    known: Pick<KnownTranslation, "page" | "translation" | "tables">,
    walk: WalkResult,
    entryBytes: 4 | 8,
  ): void {
    const places = placesOf(walk, entryBytes >> 2);
    if (places === null) return;
    if (this.#translations.size >= MOST_TRANSLATIONS) this.#translations.clear();
    this.#translations.set(entry, { ...known, places, values: places.map((place) => this.#words[place]) });
  }
}

/** The address spaces of one processor. */
export class KnownSpaces {
  readonly #words: Int32Array;
  readonly #spaces = new Map<number, KnownSpace>();

  constructor(memory: PhysicalMemory) {
    this.#words = new Int32Array(memory.memory.buffer, memory.front);
  }

  /** The space whose top-level table is at a host offset. */
  at(root: number): KnownSpace {
    let space = this.#spaces.get(root);
    if (space === undefined) {
      if (this.#spaces.size >= MOST_SPACES) this.#spaces.delete(this.#spaces.keys().next().value!);
      this.#spaces.set(root, space = new KnownSpace(this.#words));
    }
    return space;
  }

  /** Forgets everything: translations depend on something else that has changed. */
  clear(): void {
    this.#spaces.clear();
  }
}
