/**
 * The TLBs that compiled code reads: which pages are where, and what may be done with them without asking.
 *
 * An entry is a number: its page modulo the size of a table, plus that size for the user's table.
 */
import { FrameFlag, PAGE_SIZE, PageKind, type PhysicalMemory } from "../machine/memory.ts";
import { CPU_BASE, FRAMES, TLB, TRANSLATIONS } from "./interpreter/layout.ts";
import { NO_PAGE, PAGE, S } from "./state.ts";

/** What an entry allows; RAM marks frames that are plain memory and not ROM. */
export const Permission = { READ: 1, WRITE: 2, EXECUTE: 4, RAM: 8 } as const;

/** A page number that no address has. */
export const EMPTY = 2 ** 52;

/** Outside long mode: pages from here on are those that systems map for all processes alike. */
export const FIRST_UPPER = 0xc_0000;

/** Entries of one table. */
const N = TLB.ENTRIES;
/** Where regions remember pages, how many of each kind, and the masks that say which there are, as an index of words. */
const REMEMBERED = CPU_BASE + S.READ_PAGES, PAGES = 32, REMEMBERS = (CPU_BASE + S.REMEMBERS) >> 2;
/** The word that counts how often a tag was taken from an entry. */
const TAKEN = (CPU_BASE + S.TAKEN) >> 2;
const NO_PAGE_LOW = Number(BigInt.asIntN(32, NO_PAGE)), NO_PAGE_HIGH = Number(NO_PAGE >> 32n);

/** Both words of a tag that matches no address. */
export const NO_TAG = 1;

/** What entries depend on besides the page tables. */
export interface TlbHost {
  /** True if every access to the page with that privilege must be seen: breakpoints, alignment checking. */
  watchesPage(page: number, user: boolean): boolean;
  /** Address in state memory of the marks of a frame's decoded bytes; 0 if there are none. */
  codeMarks(frame: number): number;
  /** True in long mode, where linear addresses have 48 bits. */
  readonly longMode: boolean;
}

/** A set of entries, for the lower half of the addresses or the upper one. Those that have been emptied since may still be in it. */
class EntrySet {
  readonly entries: Uint16Array;
  readonly #count: Int32Array;
  readonly #has: Uint8Array;

  constructor({ buffer }: WebAssembly.Memory, half: 0 | 1) {
    this.entries = new Uint16Array(buffer, TRANSLATIONS.USED + 4 * N * half, 2 * N);
    this.#count = new Int32Array(buffer, TRANSLATIONS.USED_COUNT + 4 * half, 1);
    this.#has = new Uint8Array(buffer, TRANSLATIONS.IS_USED + 2 * N * half, 2 * N);
  }

  get count(): number {
    return this.#count[0];
  }

  add(entry: number): void {
    if (this.#has[entry] !== 0) return;
    this.#has[entry] = 1;
    this.entries[this.#count[0]++] = entry;
  }

  /** Removes the entries for which `wanted` is false. */
  keep(wanted: (entry: number) => boolean): void {
    const { count } = this;
    let kept = 0;
    for (let i = 0; i < count; i++) {
      const entry = this.entries[i];
      if (wanted(entry)) this.entries[kept++] = entry;
      else this.#has[entry] = 0;
    }
    this.#count[0] = kept;
  }
}

/** What an entry stands for, as {@link Tlb.set} and {@link Tlb.moveTo} have made it. */
export interface Translation {
  readonly physical: number;
  readonly frame: number;
  readonly permission: number;
  readonly rootIndex: number;
  readonly leaf: number;
}

/** The entries of both tables, for the supervisor and the user. Compiled code fills and empties them, too, see lib/cpu/system_kernels. */
export class Tlb {
  readonly #host: TlbHost;
  readonly #memory: PhysicalMemory;
  readonly #words: Int32Array;
  /** By entry: linear page number, or {@link EMPTY}. */
  readonly page: Float64Array;
  /** Physical address of the page. */
  readonly physical: Float64Array;
  /** Host frame, or -1 for device memory. */
  readonly frame: Int32Array;
  /** {@link Permission} bits; none if the translation has been forgotten. */
  readonly permission: Uint8Array;
  /** Which entry of the top-level page table the walk began with. */
  readonly rootIndex: Uint16Array;
  /** Frame of the last table of the walk, -1 if that is the top-level one, or the translation has been forgotten. */
  readonly leaf: Int32Array;
  /** By frame: how many entries, and pages that cached jumps rely on, have it as their last table. */
  readonly leafUses: Int32Array;
  /** Entries in use: for the lower addresses, which processes have of their own, and for the upper ones, which they share. */
  readonly used: readonly [EntrySet, EntrySet];
  /** How many entries let compiled code write to a frame, and the last one that was made such. */
  readonly #writers: Uint16Array;
  readonly #lastWriter: Uint16Array;

  constructor(host: TlbHost, state: WebAssembly.Memory, memory: PhysicalMemory) {
    this.#host = host;
    this.#memory = memory;
    this.#words = new Int32Array(state.buffer, 0, (TLB.USER + (N << TLB.ENTRY_SHIFT)) >> 2);
    const { buffer } = state, frames = memory.frameFlags.length;
    if (memory.frameFlags.buffer !== buffer || memory.frameFlags.byteOffset !== FRAMES.FLAGS) {
      throw new RangeError(`the processor needs the frames' flags at ${FRAMES.FLAGS} in its memory`);
    }
    this.page = new Float64Array(buffer, TRANSLATIONS.PAGE, 2 * N).fill(EMPTY);
    this.physical = new Float64Array(buffer, TRANSLATIONS.PHYSICAL, 2 * N);
    this.frame = new Int32Array(buffer, TRANSLATIONS.FRAME, 2 * N);
    this.permission = new Uint8Array(buffer, TRANSLATIONS.PERMISSION, 2 * N);
    this.rootIndex = new Uint16Array(buffer, TRANSLATIONS.ROOT_INDEX, 2 * N);
    this.leaf = new Int32Array(buffer, TRANSLATIONS.LEAF, 2 * N).fill(-1);
    this.used = [new EntrySet(state, 0), new EntrySet(state, 1)];
    this.leafUses = new Int32Array(buffer, FRAMES.LEAF_USES, frames);
    this.#writers = new Uint16Array(buffer, FRAMES.WRITERS, frames);
    this.#lastWriter = new Uint16Array(buffer, FRAMES.LAST_WRITER, frames);
    this.forgetRemembered();
    // No tag matches, as if setTags had written them one by one.
    for (const table of [TLB.SUPERVISOR, TLB.USER]) {
      this.#words.fill(NO_TAG, table >> 2, (table + (N << TLB.ENTRY_SHIFT)) >> 2);
    }
  }

  /** The entry for a page. */
  entryOf(page: number, user: boolean): number {
    return (page & (N - 1)) + (user ? N : 0);
  }

  /** True if the entry is the user's. */
  isUsers(entry: number): boolean {
    return entry >= N;
  }

  /** True for the half of the addresses that systems map for all processes alike. */
  isUpper(page: number): boolean {
    return page < 0 || (page >= FIRST_UPPER && !this.#host.longMode);
  }

  /** The first linear address of that half. */
  get firstUpper(): number {
    return this.#host.longMode ? -(2 ** 47) : FIRST_UPPER * PAGE_SIZE;
  }

  #tagWord(entry: number): number {
    const base = entry < N ? TLB.SUPERVISOR : TLB.USER;
    return (base + ((entry & (N - 1)) << TLB.ENTRY_SHIFT)) >> 2;
  }

  /** Lets compiled code use the entry for reading, writing, writing beside code, or idle entries of a page `table`, or none of that. */
  setTags(entry: number, read: boolean, write: boolean, beside = false, table = false): void {
    const word = this.#tagWord(entry), linear = this.page[entry] * PAGE_SIZE;
    const low = linear | 0, high = Math.floor(linear / 2 ** 32);
    const takesRead = this.#setTag(word + (TLB.READ >> 2), read, low, high);
    const takesWrite = this.#setTag(word + (TLB.WRITE >> 2), write, low, high);
    this.#setTag(word + (TLB.BESIDE >> 2), beside || table, table ? low + TLB.TABLE : low, high);
    if (!takesRead && !takesWrite) return;
    this.#words[TAKEN]++;
    this.#forgetPage(entry, low);
  }

  /** Writes one tag; true if one was there that is not given any more. */
  #setTag(word: number, given: boolean, low: number, high: number): boolean {
    const words = this.#words, taken = words[word] !== NO_TAG && !given;
    words[word] = given ? low : NO_TAG;
    words[word + 1] = given ? high : NO_TAG;
    return taken;
  }

  /** True if compiled code may use the entry in one of the ways of {@link setTags}: `tag` is its field in {@link TLB}. */
  hasTag(entry: number, tag: number): boolean {
    return this.#words[this.#tagWord(entry) + (tag >> 2)] !== NO_TAG;
  }

  /** True if compiled code may write beside code. */
  isBesideCode(entry: number): boolean {
    const low = this.#words[this.#tagWord(entry) + (TLB.BESIDE >> 2)];
    return low !== NO_TAG && (low & TLB.TABLE) === 0;
  }

  /** Makes regions look at the TLB again for all pages that they remember. */
  forgetRemembered(): void {
    for (let page = 0; page < 4 * PAGES; page++) this.#forget((REMEMBERED + PAGE.SIZE * page) >> 2);
    this.#words.fill(0, REMEMBERS, REMEMBERS + 4);
  }

  /** The same for the page of an entry, as far as the low half of its address says. */
  #forgetPage(entry: number, low: number): void {
    const words = this.#words, firstMask = entry < N ? 0 : 2;
    for (let mask = firstMask; mask < firstMask + 2; mask++) {
      for (let left = words[REMEMBERS + mask]; left !== 0; left &= left - 1) {
        const bit = left & -left, at = (REMEMBERED + PAGE.SIZE * (32 * mask + 31 - Math.clz32(bit))) >> 2;
        if (words[at + (PAGE.TAG >> 2)] !== low) continue;
        this.#forget(at);
        words[REMEMBERS + mask] &= ~bit;
      }
    }
  }

  #forget(at: number): void {
    const words = this.#words;
    words[at + (PAGE.TAG >> 2)] = NO_PAGE_LOW;
    words[at + (PAGE.TAG >> 2) + 1] = NO_PAGE_HIGH;
    words.fill(0, at + (PAGE.LIMIT >> 2), at + (PAGE.SIZE >> 2));
  }

  /** True if compiled code may write through the entry, anywhere or in places. */
  #isWriter(entry: number): boolean {
    return this.hasTag(entry, TLB.WRITE) || this.hasTag(entry, TLB.BESIDE);
  }

  /** Takes compiled code's permissions away. */
  close(entry: number): void {
    const writer = this.#isWriter(entry);
    if (writer) this.#writers[this.frame[entry]]--;
    if (writer || this.hasTag(entry, TLB.READ)) this.setTags(entry, false, false);
  }

  /** Empties an entry. */
  drop(entry: number): void {
    if (this.page[entry] === EMPTY) return;
    this.forget(entry);
    this.page[entry] = EMPTY;
  }

  /** Forgets the translation of an entry, which stays in use for its page. */
  forget(entry: number): void {
    this.close(entry);
    this.permission[entry] = 0;
    this.#setLeaf(entry, -1);
  }

  #setLeaf(entry: number, leaf: number): void {
    const old = this.leaf[entry];
    if (old === leaf) return;
    if (old >= 0) this.leafUses[old]--;
    if (leaf >= 0) this.leafUses[leaf]++;
    this.leaf[entry] = leaf;
  }

  /** Says which tables the translation of an entry stems from, see {@link rootIndex} and {@link leaf}. */
  moveTo(entry: number, rootIndex: number, leaf: number): void {
    this.rootIndex[entry] = rootIndex;
    this.#setLeaf(entry, leaf);
  }

  /** Fills a closed entry, whose page has been set; {@link refresh} opens it. */
  set(entry: number, physical: number, permission: number): void {
    const page = physical / PAGE_SIZE, kind = this.#memory.kind(page);
    this.physical[entry] = physical;
    this.frame[entry] = kind === PageKind.RAM || kind === PageKind.ROM ? this.#memory.frame(page) : -1;
    this.permission[entry] = kind === PageKind.RAM ? permission | Permission.RAM : permission;
  }

  /** What an entry stands for. */
  translation(entry: number): Translation {
    return {
      physical: this.physical[entry],
      frame: this.frame[entry],
      permission: this.permission[entry],
      rootIndex: this.rootIndex[entry],
      leaf: this.leaf[entry],
    };
  }

  /** Lets an entry stand for what it stood for before. */
  restore(entry: number, { physical, frame, permission, rootIndex, leaf }: Translation): void {
    const changes = this.physical[entry] !== physical || this.permission[entry] !== permission;
    if (changes) {
      this.close(entry);
      this.physical[entry] = physical;
      this.frame[entry] = frame;
      this.permission[entry] = permission;
    }
    this.moveTo(entry, rootIndex, leaf);
    if (changes) this.refresh(entry);
  }

  /** Recomputes what compiled code may do with an entry. */
  refresh(entry: number): void {
    const frame = this.frame[entry], permission = this.permission[entry], page = this.page[entry];
    const plain = frame >= 0 && !this.#host.watchesPage(page, entry >= N);
    const writable = plain && (permission & Permission.WRITE) !== 0 && (permission & Permission.RAM) !== 0;
    const flags = frame >= 0 ? this.#memory.frameFlags[frame] : 0, write = writable && flags === 0;
    const marks = writable && flags === FrameFlag.CODE ? this.#host.codeMarks(frame) : 0;
    const table = writable && flags === FrameFlag.PAGE_TABLE, writer = write || marks !== 0 || table;
    if (this.#isWriter(entry) !== writer && frame >= 0) this.#writers[frame] += writer ? 1 : -1;
    if (writer) this.#lastWriter[frame] = entry;
    this.setTags(entry, plain && (permission & Permission.READ) !== 0, write, marks !== 0, table);
    const word = this.#tagWord(entry);
    this.#words[word + (TLB.MARKS >> 2)] = marks;
    if (plain) this.#words[word + (TLB.ADDEND >> 2)] = (frame * PAGE_SIZE - page * PAGE_SIZE) | 0;
  }

  /** Recomputes the entries through which a frame could be written, after a change of its flags. */
  refreshFrame(frame: number): void {
    let left = this.#writers[frame];
    if (left === 0) return;
    const last = this.#lastWriter[frame];
    if (left === 1 && this.frame[last] === frame && this.page[last] !== EMPTY && this.#isWriter(last)) {
      return this.refresh(last);
    }
    this.used.forEach(({ entries, count }, half) => {
      for (let i = 0; i < count && left > 0; i++) {
        const entry = entries[i], page = this.page[entry];
        if (this.frame[entry] !== frame || page === EMPTY || !this.#isWriter(entry)) continue;
        // It may be left over in the other list from an address that it stood for before.
        if (this.isUpper(page) !== (half === 1)) continue;
        left--;
        this.refresh(entry);
      }
    });
  }

  /** Recomputes all entries. */
  refreshAll(): void {
    for (const { entries, count } of this.used) {
      for (let i = 0; i < count; i++) if (this.page[entries[i]] !== EMPTY) this.refresh(entries[i]);
    }
  }

  /** Empties all entries. */
  clear(): void {
    for (const used of this.used) {
      used.keep((entry) => {
        this.drop(entry);
        return false;
      });
    }
  }
}
