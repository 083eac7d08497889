/**
 * Keeps TLB and cached jumps in step with the page tables: frames that a walk has read are watched, and a write to one drops
 * what was derived from the changed entries. So a TLB is nothing but a cache, and no result depends on its size or on what it
 * happens to hold.
 */
import { CodePages } from "./code_pages.ts";
import { ROOT_ENTRIES } from "./interpreter/layout.ts";
import { FrameFlag, PAGE_SHIFT, PAGE_SIZE, PageKind, type PhysicalMemory } from "../machine/memory.ts";
import { type NotedTables, signedLinear, TableMap, type TableRange, unsignedLinear } from "./table_map.ts";
import { EMPTY, Permission, type Tlb } from "./tlb.ts";
import { WatchNotes } from "./watch_notes.ts";

/** What a walk of the page tables reports, see system/paging.ts. */
export interface WalkResult {
  physical: number;
  pageSize: number;
  readable: boolean;
  writable: boolean;
  dirty: boolean;
  /** A supervisor access to a page of the user's that is allowed only as long as EFLAGS.AC is set. */
  guarded: boolean;
  /** False if a table lies in device memory, which may change unseen. */
  cacheable: boolean;
  readonly tables: Int32Array;
  tableCount: number;
  /** Host offsets of the entries that were read in these tables; -1 in ROM. */
  readonly entries: Float64Array;
}

/** What the watch asks of the processor and of the MMU. */
export interface WatchHost {
  /**
   * Mappings that code was fetched through with that privilege were dropped: cached jumps are void, and so is the way to the
   * next instruction.
   */
  mappingChanged(user: boolean): void;
  /** Which entry of the top-level page table maps a linear address. */
  rootIndex(linear: number): number;
  /** True if a walk to a linear address comes through a table in a frame. */
  passesTable(linear: number, frame: number): boolean;
  /** Size of a page-table entry in bytes. */
  readonly entryBytes: 4 | 8;
  /** Code runs with the user's privilege. */
  readonly runsUser: boolean;
  /** Forgets all translations. */
  flush(): void;
}

/** Linear addresses, counted as {@link unsignedLinear} does: from `from` to before `to`. */
interface Stretch {
  readonly from: number;
  readonly to: number;
}

const NOTHING: Stretch = { from: 0, to: 0 };

function contains({ from, to }: Stretch, page: number): boolean {
  const address = unsignedLinear(page * PAGE_SIZE);
  return address >= from && address < to;
}

/** So many entries of top-level tables are compared, at least, before it is asked which of them are still needed. */
const MANY_ROOT_ENTRIES = 64;
/** How many translations are looked up anew at once rather than each when it is needed. */
const MOST_TRANSLATED_ANEW = 32;

/** One processor's watch over its page tables. */
export class PageTableWatch {
  readonly #host: WatchHost;
  readonly #tlb: Tlb;
  readonly #memory: PhysicalMemory;
  /** Guest memory by host offset divided by 4. */
  readonly #words: Int32Array;
  /** Pages that cached jumps rely on: the supervisor's and the user's at lower addresses, then those at upper ones. */
  readonly #codePages = Array.from({ length: 4 }, () => new CodePages());
  /** The epoch in which a frame was last read as a page table. */
  readonly #tableEpoch: Uint32Array;
  readonly #tables = new TableMap();
  /** The same for compiled code. */
  readonly #notes: WatchNotes;
  /** Frame of the top-level table, if it is known. */
  #root = -1;
  /** Entries of top-level tables that translations in use may begin with: which ones, and by entry whether it is one. */
  readonly #rootEntries: number[] = [];
  readonly #isRootEntry: Uint8Array;
  #manyRootEntries = MANY_ROOT_ENTRIES;
  /** By entry of a top-level table, among those: 1 if another table differs in it. */
  readonly #differs = new Uint8Array(ROOT_ENTRIES.COUNT);
  #epoch = 1;
  /** True if translations of other addresses than those of a stretch stem from a frame. */
  readonly #servesOthers = (frame: number, range: TableRange, from: number, to: number): boolean =>
    this.#serves(frame, range, { from, to });

  constructor(host: WatchHost, tlb: Tlb, memory: PhysicalMemory) {
    this.#host = host;
    this.#tlb = tlb;
    this.#memory = memory;
    this.#words = new Int32Array(memory.memory.buffer, memory.front);
    this.#tableEpoch = new Uint32Array(memory.frameFlags.length);
    this.#notes = new WatchNotes(memory.memory);
    this.#isRootEntry = this.#notes.isRootEntry;
  }

  // ---- frames

  /** Sets a flag of a frame: from now on every write to it is seen. */
  watchFrame(frame: number, flag: number): void {
    const flags = this.#memory.frameFlags;
    if ((flags[frame] & flag) !== 0) return;
    flags[frame] |= flag;
    this.#tlb.refreshFrame(frame);
  }

  /** Takes a flag of a frame away. */
  unwatchFrame(frame: number, flag: number): void {
    this.#memory.frameFlags[frame] &= ~flag;
    this.#tlb.refreshFrame(frame);
  }

  /** Stops watching a frame that nothing is watched in but page tables, if nothing stems from them any more; false if something may. */
  releaseTable(frame: number): boolean {
    if (this.#memory.frameFlags[frame] !== FrameFlag.PAGE_TABLE) return false;
    const range = this.#tables.range(frame);
    if (range === undefined || this.#serves(frame, range)) return false;
    this.#unwatchTable(frame);
    return true;
  }

  #unwatchTable(frame: number): void {
    this.#forgetTable(frame);
    this.unwatchFrame(frame, FrameFlag.PAGE_TABLE);
  }

  /** No translation stems from a frame any more. */
  #forgetTable(frame: number): void {
    this.#tableEpoch[frame] = 0;
    this.#notes.forgetTable(frame);
  }

  /** Watches the tables that a walk has read. */
  markTables(linear: number, walk: WalkResult): void {
    this.#tables.note(linear, walk, this.#host.entryBytes, this.#servesOthers);
    this.#useRootEntry(this.#host.rootIndex(linear));
    for (let i = 0; i < walk.tableCount; i++) {
      const frame = walk.tables[i], { base, span } = this.#tables.range(frame)!;
      this.#tableEpoch[frame] = this.#epoch;
      this.watchFrame(frame, FrameFlag.PAGE_TABLE);
      this.#notes.noteTable(frame, base, span);
    }
  }

  /** The tables of a walk that {@link markTables} has seen. */
  marked(walk: WalkResult): NotedTables {
    return this.#tables.noted(walk);
  }

  /** Watches tables of an earlier walk again, from a certain entry of the top-level table on; false if that takes {@link markTables}. */
  markAgain(tables: NotedTables, rootIndex: number): boolean {
    const { frames } = tables;
    for (let i = 0; i < frames.length; i++) if (this.#tableEpoch[frames[i]] !== this.#epoch) return false;
    if (!tables.areNoted) return false;
    this.#useRootEntry(rootIndex);
    return true;
  }

  #useRootEntry(index: number): void {
    if (this.#isRootEntry[index] !== 0) return;
    this.#isRootEntry[index] = 1;
    this.#rootEntries.push(index);
  }

  /** Notes that cached jumps may rely on the page of an entry. */
  noteCode(entry: number, user: boolean): void {
    const tlb = this.#tlb, page = tlb.page[entry], pages = this.#codePages[this.#kind(page, user)];
    const known = pages.find(page), index = known >= 0 ? known : pages.add(page, tlb.rootIndex[entry]);
    if (known < 0) this.#notes.noteCode(page, user);
    pages.frame[index] = tlb.frame[entry];
    this.#setLeaf(pages, index, tlb.leaf[entry]);
  }

  #setLeaf(pages: CodePages, index: number, leaf: number): void {
    const { leafUses } = this.#tlb, old = pages.leaf[index];
    if (old === leaf) return;
    if (old >= 0) leafUses[old]--;
    if (leaf >= 0) leafUses[leaf]++;
    pages.leaf[index] = leaf;
  }

  /** True if cached jumps with a privilege rely on a page of one half whose address lies in a stretch. */
  #isCodeIn(half: 0 | 1, privilege: 0 | 1, stretch: Stretch): boolean {
    const pages = this.#codePages[privilege + 2 * half];
    for (let i = 0; i < pages.count; i++) if (contains(stretch, pages.page[i])) return true;
    return false;
  }

  #kind(page: number, user: boolean): number {
    return (user ? 1 : 0) + (this.#tlb.isUpper(page) ? 2 : 0);
  }

  // ---- writes to page tables

  /** A watched frame has been written to. */
  tableWritten(frame: number, offset: number, length: number): void {
    if (this.#tableEpoch[frame] !== this.#epoch) {
      // No translation stems from it since the last flush: it may be written freely until a walk reads it again.
      this.#memory.frameFlags[frame] &= ~FrameFlag.PAGE_TABLE;
      return;
    }
    const range = this.#tables.range(frame);
    if (!range || (Number.isNaN(range.base) && this.#serves(frame, range))) return this.#host.flush();
    if (Number.isNaN(range.base) || this.#isObsolete(frame, range)) return this.#unwatchTable(frame);
    if (!this.#forgetMappedBy(range, offset, length)) this.#noteIdleWrite(frame, range);
  }

  /** Tables that nothing stems from any more need not be watched: the frame may serve another purpose by now. */
  #noteIdleWrite(frame: number, range: TableRange): void {
    if (this.#notes.isRareIdleWrite() && !this.#serves(frame, range)) this.#unwatchTable(frame);
  }

  /**
   * True if a frame that was a table of tables is one no more: its bytes may look as if it were, and there are other translations of
   * the addresses that it mapped. What stems from a table is forgotten when the way there changes.
   */
  #isObsolete(frame: number, { base, span }: TableRange): boolean {
    return span > PAGE_SIZE && !this.#host.passesTable(signedLinear(base), frame);
  }

  /** True if none of the entries in some bytes of a table is present: nothing stems from them. */
  #mapNothing(frame: number, offset: number, length: number): boolean {
    const step = this.#host.entryBytes >> 2, first = frame * (PAGE_SIZE >> 2);
    for (let word = (offset >> 2) & -step; word << 2 < offset + length; word += step) {
      if ((this.#words[first + word] & 1) !== 0) return false;
    }
    return true;
  }

  /**
   * Compiled code is about to write to a frame that holds page tables, with its next access: forgets what stems from the entries
   * now, because their new values do not matter to that. False if the write must be made by others: the running code may have to
   * be left after it.
   */
  announceWrite(frame: number, offset: number, length: number): boolean {
    const range = this.#tables.range(frame);
    if (this.#memory.frameFlags[frame] !== FrameFlag.PAGE_TABLE || this.#tableEpoch[frame] !== this.#epoch) {
      return false;
    }
    if (range === undefined || Number.isNaN(range.base)) return false;
    if (this.#isObsolete(frame, range)) {
      this.#unwatchTable(frame);
      return true;
    }
    if (this.#mapNothing(frame, offset, length)) {
      this.#noteIdleWrite(frame, range);
      return true;
    }
    if (this.#servesRunningCode(range, offset, length)) return false;
    this.tableWritten(frame, offset, length);
    return true;
  }

  /** The page that some bytes of a last table map, all of them in one entry; else {@link EMPTY}. */
  #pageMappedBy({ base, span }: TableRange, offset: number, length: number): number {
    const bytes = this.#host.entryBytes, within = offset & (bytes - 1);
    if (span !== PAGE_SIZE || within + length > bytes) return EMPTY;
    return signedLinear(base + ((offset - within) / bytes) * PAGE_SIZE) / PAGE_SIZE;
  }

  /** The addresses that entries of a table map. */
  #mappedBy({ base, span }: TableRange, offset: number, length: number): Stretch {
    const bytes = this.#host.entryBytes;
    const first = Math.floor(offset / bytes), last = Math.floor((offset + length - 1) / bytes);
    return { from: base + first * span, to: base + (last + 1) * span };
  }

  /** True if translations in use stem from a frame that maps such a range, other than those of certain addresses. */
  #serves(frame: number, { base, span }: TableRange, except = NOTHING): boolean {
    if (this.#tableEpoch[frame] !== this.#epoch) return false;
    if (frame === this.#root) return true;
    if (span === PAGE_SIZE) return this.#isLeaf(frame, except);
    if (Number.isNaN(base)) return true;
    const mapped = { from: base, to: base + (PAGE_SIZE / this.#host.entryBytes) * span };
    return this.#servesCode(mapped) || this.#some(mapped, (entry) => contains(mapped, this.#tlb.page[entry]));
  }

  /** True if a frame is the last table of a translation in use, of an address that is not in `except`. */
  #isLeaf(frame: number, except: Stretch): boolean {
    const tlb = this.#tlb;
    if (tlb.leafUses[frame] === 0) return false;
    if (except === NOTHING) return true;
    for (const pages of this.#codePages) {
      for (let i = 0; i < pages.count; i++) {
        if (pages.leaf[i] === frame && !contains(except, pages.page[i])) return true;
      }
    }
    return this.#some(
      null,
      (entry) => tlb.leaf[entry] === frame && !contains(except, tlb.page[entry]),
    );
  }

  /** True if cached jumps with the current privilege rely on translations that stem from some bytes of a table. */
  #servesRunningCode(range: TableRange, offset: number, length: number): boolean {
    const { runsUser } = this.#host, page = this.#pageMappedBy(range, offset, length);
    if (page !== EMPTY) return this.#codePages[this.#kind(page, runsUser)].find(page) >= 0;
    const stretch = this.#mappedBy(range, offset, length);
    return this.#halves(stretch).some((half) => this.#isCodeIn(half, runsUser ? 1 : 0, stretch));
  }

  /** True if cached jumps rely on the translation of a page whose address lies in a stretch. */
  #servesCode(stretch: Stretch): boolean {
    return this.#halves(stretch).some((half) => this.#isCodeIn(half, 0, stretch) || this.#isCodeIn(half, 1, stretch));
  }

  /** The halves of the address space that addresses lie in: 0 for the lower, 1 for the upper one. */
  #halves({ from, to }: Stretch): readonly (0 | 1)[] {
    const first = this.#tlb.isUpper(signedLinear(from) / PAGE_SIZE);
    const last = this.#tlb.isUpper(signedLinear(to - PAGE_SIZE) / PAGE_SIZE);
    return first !== last ? BOTH : first ? UPPER : LOWER;
  }

  /** True if an entry in use is such; `where` says where it would have to be. */
  #some(where: Stretch | null, test: (entry: number) => boolean): boolean {
    for (const half of where === null ? BOTH : this.#halves(where)) {
      const { entries, count } = this.#tlb.used[half];
      for (let i = 0; i < count; i++) if (this.#tlb.page[entries[i]] !== EMPTY && test(entries[i])) return true;
    }
    return false;
  }

  /** Forgets the translations that stem from some bytes of a table; true if there were any. */
  #forgetMappedBy(range: TableRange, offset: number, length: number): boolean {
    const page = this.#pageMappedBy(range, offset, length);
    return page !== EMPTY ? this.#forgetPage(page) : this.#forget(this.#mappedBy(range, offset, length));
  }

  /** Forgets the translations of addresses; true if there were any. */
  #forget(stretch: Stretch): boolean {
    const tlb = this.#tlb;
    let any = false;
    for (const half of this.#halves(stretch)) {
      tlb.used[half].keep((entry) => {
        if (tlb.page[entry] === EMPTY) return false;
        if (!contains(stretch, tlb.page[entry])) return true;
        tlb.drop(entry);
        any = true;
        return false;
      });
      for (const privilege of [0, 1] as const) {
        if (!this.#isCodeIn(half, privilege, stretch)) continue;
        any = true;
        this.#forgetCode(privilege);
      }
    }
    return any;
  }

  #forgetPage(page: number): boolean {
    const tlb = this.#tlb;
    let any = false;
    for (const user of [false, true]) {
      const entry = tlb.entryOf(page, user);
      if (tlb.page[entry] === page) {
        any = true;
        // The entry stays in use, as one that allows nothing: listing it twice would be wrong.
        tlb.forget(entry);
      }
      if (this.#codePages[this.#kind(page, user)].find(page) < 0) continue;
      any = true;
      this.#forgetCode(user ? 1 : 0);
    }
    return any;
  }

  #forgetCode(privilege: number): void {
    this.#notes.forgetCode(privilege);
    for (const pages of [this.#codePages[privilege], this.#codePages[privilege + 2]]) {
      for (let i = 0; i < pages.count; i++) this.#setLeaf(pages, i, -1);
      pages.clear();
    }
    this.#host.mappingChanged(privilege === 1);
  }

  /** All translations have been forgotten. */
  flushed(): void {
    this.#epoch++;
    this.#forgetCode(0);
    this.#forgetCode(1);
    this.#notes.clear();
    this.#rootEntries.length = 0;
  }

  // ---- other page tables

  /**
   * Goes over from one top-level page table to another, both given by their host offset: what they map by equal entries stays.
   * `bytes` is the size of an entry, `span` how many bytes one maps, `entries` how many there are. `translate` makes a TLB entry
   * stand for what its page is now; it returns false if a walk must find that out.
   */
  switchTables(
    old: number,
    next: number,
    { bytes, span }: { bytes: 4 | 8; span: number },
    translate: (entry: number) => boolean,
  ): void {
    const tlb = this.#tlb, nextFrame = next >>> PAGE_SHIFT;
    this.#forgetTable(old >>> PAGE_SHIFT);
    this.#root = nextFrame;
    this.#tables.noteRoot(nextFrame, span);
    this.#tableEpoch[nextFrame] = this.#epoch;
    this.#notes.noteTable(nextFrame, this.#tables.range(nextFrame)!.base, span);
    this.watchFrame(nextFrame, FrameFlag.PAGE_TABLE);
    if (this.#rootEntries.length > this.#manyRootEntries) this.#findRootEntries();
    const last = this.#compareTables(old >>> 2, next >>> 2, bytes >> 2);
    if (last < 0) return;
    const upper = last >= this.#host.rootIndex(tlb.firstUpper);
    for (const half of upper ? BOTH : LOWER) {
      const used = tlb.used[half], few = used.count <= MOST_TRANSLATED_ANEW;
      used.keep((entry) => {
        if (tlb.page[entry] === EMPTY) return false;
        if (this.#differs[tlb.rootIndex[entry]] === 0 || (few && translate(entry))) return true;
        tlb.drop(entry);
        return false;
      });
      this.#checkCode(false, this.#codePages[2 * half]);
      this.#checkCode(true, this.#codePages[2 * half + 1]);
    }
  }

  /** Looks anew which entries of top-level tables translations in use begin with. */
  #findRootEntries(): void {
    const tlb = this.#tlb;
    this.#rootEntries.length = 0;
    this.#isRootEntry.fill(0);
    for (const { entries, count } of tlb.used) {
      for (let i = 0; i < count; i++) if (tlb.page[entries[i]] !== EMPTY) this.#useRootEntry(tlb.rootIndex[entries[i]]);
    }
    for (const { rootIndex, count } of this.#codePages) {
      for (let i = 0; i < count; i++) this.#useRootEntry(rootIndex[i]);
    }
    this.#manyRootEntries = Math.max(MANY_ROOT_ENTRIES, 2 * this.#rootEntries.length);
  }

  /** Notes which of the {@link #rootEntries} two tables differ in, of `step` words each; returns the last, -1 if there is none. */
  #compareTables(old: number, next: number, step: number): number {
    const words = this.#words, differs = this.#differs;
    let last = -1;
    for (const index of this.#rootEntries) {
      const a = old + index * step, b = next + index * step;
      const differ = words[a] !== words[b] || (step === 2 && words[a + 1] !== words[b + 1]);
      differs[index] = differ ? 1 : 0;
      if (differ && index > last) last = index;
    }
    return last;
  }

  /** Forgets jumps that go by pages which are not where they were. */
  #checkCode(user: boolean, pages: CodePages): void {
    const tlb = this.#tlb;
    for (let i = 0; i < pages.count; i++) {
      if (this.#differs[pages.rootIndex[i]] === 0) continue;
      const page = pages.page[i], entry = tlb.entryOf(page, user);
      const stays = tlb.page[entry] === page && tlb.frame[entry] === pages.frame[i] &&
        (tlb.permission[entry] & Permission.EXECUTE) !== 0;
      if (!stays) return this.#forgetCode(user ? 1 : 0);
      this.#setLeaf(pages, i, tlb.leaf[entry]);
    }
  }

  /** Host offset of a table in RAM, -1 if it is not there. */
  hostTable(physical: number): number {
    const page = Math.floor(physical / PAGE_SIZE);
    if (this.#memory.kind(page) !== PageKind.RAM) return -1;
    return this.#memory.frame(page) * PAGE_SIZE + physical % PAGE_SIZE;
  }
}

const LOWER = [0] as const, UPPER = [1] as const, BOTH = [0, 1] as const;
