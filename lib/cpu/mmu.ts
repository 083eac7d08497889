/**
 * The memory management unit: TLBs that compiled code reads, their slow paths, and the watch over frames whose contents
 * something was derived from.
 *
 * Translations are coherent with the page tables: a frame that a walk read is marked, a write to it drops what was derived
 * from the changed entry. So a TLB is nothing but a cache, and no result depends on its size or on what it happens to hold.
 */
import { FrameFlag, type MemoryWatcher, PAGE_SIZE, PageKind, type PhysicalMemory } from "../machine/memory.ts";
import { CPU_BASE, TLB } from "./interpreter/layout.ts";
import { S } from "./state.ts";
import { signedLinear, TableMap, type TableRange, unsignedLinear } from "./table_map.ts";

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
}

/** What the MMU asks of the processor. */
export interface MmuHost {
  /** Translates a page; raises #PF. */
  walk(linear: number, write: boolean, user: boolean, execute: boolean): WalkResult;
  /** Translates a page for reading or executing; null if that raised anything or changed an entry of the page tables. */
  peek(linear: number, user: boolean, execute: boolean): WalkResult | null;
  /** Bytes of a frame that was decoded are being changed. */
  codeWritten(frame: number, offset: number, length: number): void;
  /** True if one of these bytes of a frame was decoded. */
  holdsCode(frame: number, offset: number, length: number): boolean;
  /** Address in state memory of the marks of a frame's decoded bytes; 0 if there are none. */
  codeMarks(frame: number): number;
  /**
   * Mappings that code was fetched through with that privilege were dropped: cached jumps are void, and so is the way to the
   * next instruction.
   */
  mappingChanged(user: boolean): void;
  /** A linear address is accessed on the slow path: alignment is checked (raises #AC), breakpoints are noted. */
  accessed(linear: number, bytes: number, write: boolean, user: boolean): void;
  /** True if every access to the page with that privilege must be seen: breakpoints, alignment checking. */
  watchesPage(page: number, user: boolean): boolean;
  /** Which entry of the top-level page table maps a linear address. */
  rootIndex(linear: number): number;
  /** Size of a page-table entry in bytes. */
  readonly entryBytes: number;
  /** True in long mode, where linear addresses have 48 bits. */
  readonly longMode: boolean;
  /** True if linear addresses wrap at 4 GiB: outside 64-bit code. */
  readonly wrapsLinear: boolean;
}

/** What an entry allows; RAM marks frames that are plain memory and not ROM. */
const Permission = { READ: 1, WRITE: 2, EXECUTE: 4, RAM: 8 } as const;
const N = TLB.ENTRIES;
/** A page number that no address has. */
const EMPTY = 2 ** 52;

/** Outside long mode: pages from here on are those that systems map for all processes alike. */
const FIRST_UPPER = 0xc_0000;

/** A set of TLB entries. */
class UsedEntries {
  readonly entries = new Int32Array(2 * N);
  count = 0;
  readonly #has = new Uint8Array(2 * N);

  add(entry: number): void {
    if (this.#has[entry] !== 0) return;
    this.#has[entry] = 1;
    this.entries[this.count++] = entry;
  }

  /** Removes the entries for which `wanted` is false. */
  keep(wanted: (entry: number) => boolean): void {
    let kept = 0;
    for (let i = 0; i < this.count; i++) {
      const entry = this.entries[i];
      if (wanted(entry)) this.entries[kept++] = entry;
      else this.#has[entry] = 0;
    }
    this.count = kept;
  }

  some(test: (entry: number) => boolean): boolean {
    for (let i = 0; i < this.count; i++) if (test(this.entries[i])) return true;
    return false;
  }
}

/** Where a page of code is: its host frame, and the frame of the last table that says so, as in {@link Mmu}. */
interface CodePage {
  frame: number;
  leaf: number;
}

/** How many translations are looked up anew at once rather than each when it is needed. */
const MOST_TRANSLATED_ANEW = 32;

/** One processor's MMU. */
export class Mmu {
  readonly #host: MmuHost;
  readonly #memory: PhysicalMemory;
  readonly #words: Int32Array;
  /** Guest memory by host offset divided by 4. */
  readonly #guestWords: Int32Array;
  /** By table (0 supervisor, 1 user) and entry: linear page number or EMPTY. */
  readonly #page = new Float64Array(2 * N).fill(EMPTY);
  /** Physical address of the page. */
  readonly #physical = new Float64Array(2 * N);
  /** Host frame, or -1 for device memory. */
  readonly #frame = new Int32Array(2 * N);
  readonly #permission = new Uint8Array(2 * N);
  /** Which entry of the top-level page table the walk began with. */
  readonly #rootIndex = new Uint16Array(2 * N);
  /** Frame of the last table of the walk, -1 if that is the top-level one. */
  readonly #leaf = new Int32Array(2 * N);
  /** Entries in use: for the lower addresses, which processes have of their own, and for the upper ones, which they share. */
  readonly #used = [new UsedEntries(), new UsedEntries()];
  /** Pages that cached jumps rely on: the supervisor's and the user's at lower addresses, then those at upper ones. */
  readonly #codePages = Array.from({ length: 4 }, () => new Map<number, CodePage>());
  /** Entries for data of the user's that the supervisor may use only as long as EFLAGS.AC is set. */
  readonly #guarded = new Set<number>();
  /** An entry that serves one access only, or -1. */
  #momentary = -1;
  /** How many write tags lead to a frame. */
  readonly #writers: Uint16Array;
  /** The epoch in which a frame was last read as a page table. */
  readonly #tableEpoch: Uint32Array;
  readonly #tables = new TableMap();
  /** Frame of the top-level table, if it is known. */
  #root = -1;
  /** By entry of a top-level table: 1 if another one differs in it. */
  readonly #differs = new Uint8Array(1024);
  /** Writes to page tables that changed no translation in use. */
  #idleWrites = 0;
  #epoch = 1;
  /** How often a translation was not in the TLB. */
  misses = 0;
  #a20Mask = -1;

  /** The last entries filled, if the TLB is made smaller than it is; older ones are dropped. */
  readonly #latest: number[] = [];
  readonly #entries: number;

  constructor(host: MmuHost, state: WebAssembly.Memory, memory: PhysicalMemory, entries: number = 2 * N) {
    this.#entries = entries;
    this.#host = host;
    this.#memory = memory;
    this.#words = new Int32Array(state.buffer, 0, (TLB.USER + (N << TLB.ENTRY_SHIFT)) >> 2);
    this.#guestWords = new Int32Array(memory.memory.buffer, memory.front);
    this.#writers = new Uint16Array(memory.frameFlags.length);
    this.#tableEpoch = new Uint32Array(memory.frameFlags.length);
    for (let i = 0; i < 2 * N; i++) this.#setTags(i, false, false);
  }

  /** How physical frames report writes. */
  get watcher(): MemoryWatcher {
    return { written: (frame, offset, length) => this.#written(frame, offset, length), remapped: () => this.flush() };
  }

  setA20(enabled: boolean): void {
    const mask = enabled ? -1 : ~0x100000;
    if (mask === this.#a20Mask) return;
    this.#a20Mask = mask;
    this.flush();
  }

  /** The physical address that reaches the board: without bit 20 while the A20 gate is closed. */
  physicalAddress(address: number): number {
    return this.#a20Mask !== -1 && (address & 0x100000) !== 0 ? address - 0x100000 : address;
  }

  // ---- entries

  #tagWord(entry: number): number {
    const base = entry < N ? TLB.SUPERVISOR : TLB.USER;
    return (base + ((entry & (N - 1)) << TLB.ENTRY_SHIFT)) >> 2;
  }

  /** Lets compiled code use the entry for reading, writing or neither. */
  #setTags(entry: number, read: boolean, write: boolean, beside = false): void {
    this.forgetRemembered();
    const word = this.#tagWord(entry), linear = this.#page[entry] * PAGE_SIZE;
    const low = linear % 2 ** 32 | 0, high = Math.floor(linear / 2 ** 32);
    this.#words[word] = read ? low : 1;
    this.#words[word + 1] = read ? high : 1;
    this.#words[word + 2] = write ? low : 1;
    this.#words[word + 3] = write ? high : 1;
    this.#words[word + 6] = beside ? low : 1;
    this.#words[word + 7] = beside ? high : 1;
  }

  /** Makes regions look at the TLB again for the pages that they remember. */
  forgetRemembered(): void {
    this.#words[(CPU_BASE + S.STACK_PAGE) >> 2] = 1;
    this.#words[(CPU_BASE + S.FRAME_PAGE) >> 2] = 1;
  }

  /** True if compiled code may write through the entry, anywhere or beside code. */
  #isWriter(entry: number): boolean {
    const word = this.#tagWord(entry);
    return this.#words[word + 2] !== 1 || this.#words[word + 6] !== 1;
  }

  #hasWriteTag(entry: number): boolean {
    return this.#words[this.#tagWord(entry) + 2] !== 1;
  }

  #drop(entry: number): void {
    if (this.#page[entry] === EMPTY) return;
    if (this.#isWriter(entry)) this.#writers[this.#frame[entry]]--;
    this.#setTags(entry, false, false);
    this.#page[entry] = EMPTY;
  }

  /** Recomputes what compiled code may do with an entry. */
  #refresh(entry: number): void {
    const frame = this.#frame[entry], permission = this.#permission[entry];
    const plain = frame >= 0 && !this.#host.watchesPage(this.#page[entry], entry >= N);
    const writable = plain && (permission & Permission.WRITE) !== 0 && (permission & Permission.RAM) !== 0;
    const flags = frame >= 0 ? this.#memory.frameFlags[frame] : 0, write = writable && flags === 0;
    const marks = writable && flags === FrameFlag.CODE ? this.#host.codeMarks(frame) : 0, writer = write || marks !== 0;
    if (this.#isWriter(entry) !== writer && frame >= 0) this.#writers[frame] += writer ? 1 : -1;
    this.#setTags(entry, plain && (permission & Permission.READ) !== 0, write, marks !== 0);
    const word = this.#tagWord(entry);
    this.#words[word + (TLB.MARKS >> 2)] = marks;
    if (plain) {
      this.#words[word + (TLB.ADDEND >> 2)] = (frame * PAGE_SIZE - this.#page[entry] * PAGE_SIZE) % 2 ** 32 | 0;
    }
  }

  /** The entry for an address, filled if necessary. Raises #PF. */
  #lookup(linear: number, permission: number, user: boolean): number {
    const page = Math.floor(linear / PAGE_SIZE);
    const entry = (page & (N - 1)) + (user ? N : 0);
    if (this.#momentary >= 0) this.#forgetMomentary();
    else if (this.#page[entry] === page && (this.#permission[entry] & permission) !== 0) return entry;
    return this.#fill(linear, page, entry, permission, user);
  }

  #fill(linear: number, page: number, entry: number, permission: number, user: boolean): number {
    const write = permission === Permission.WRITE, execute = permission === Permission.EXECUTE;
    this.misses++;
    const walk = this.#host.walk(linear, write, user, execute);
    if (walk.guarded && walk.readable) this.#guarded.add(entry);
    if (walk.tableCount > 0) this.#markTables(linear, walk);
    let executable = execute ? Permission.EXECUTE : 0;
    if (this.#page[entry] === page) executable |= this.#permission[entry] & Permission.EXECUTE;
    else {
      this.#drop(entry);
      this.#used[this.#isUpper(page) ? 1 : 0].add(entry);
      if (this.#entries < 2 * N) this.#dropOldest(entry);
      this.#page[entry] = page;
    }
    this.#setEntry(entry, walk, executable);
    if (walk.cacheable) this.#refresh(entry);
    else this.#momentary = entry;
    return entry;
  }

  /** Fills an entry with what a walk has found; it has no tags yet. */
  #setEntry(entry: number, walk: WalkResult, executable: number): void {
    const physical = this.physicalAddress(walk.physical - (walk.physical % PAGE_SIZE));
    let granted = executable | (walk.readable ? Permission.READ : 0);
    if (walk.writable && walk.dirty) granted |= Permission.WRITE;
    const physicalPage = physical / PAGE_SIZE, kind = this.#memory.kind(physicalPage);
    if (kind === PageKind.RAM) granted |= Permission.RAM;
    if (this.#isWriter(entry)) this.#writers[this.#frame[entry]]--;
    this.#setTags(entry, false, false);
    this.#physical[entry] = physical;
    this.#frame[entry] = kind === PageKind.RAM || kind === PageKind.ROM ? this.#memory.frame(physicalPage) : -1;
    this.#permission[entry] = granted;
    this.#rootIndex[entry] = this.#host.rootIndex(this.#page[entry] * PAGE_SIZE);
    this.#leaf[entry] = walk.tableCount > 1 ? walk.tables[walk.tableCount - 1] : -1;
  }

  /** True for the half of the addresses that systems map for all processes alike. */
  #isUpper(page: number): boolean {
    return page < 0 || (page >= FIRST_UPPER && !this.#host.longMode);
  }

  /** Keeps to a TLB of few entries. */
  #dropOldest(newest: number): void {
    this.#latest.push(newest);
    if (this.#latest.length <= this.#entries) return;
    const oldest = this.#latest.shift()!;
    if (oldest !== newest && !this.#latest.includes(oldest)) this.#drop(oldest);
  }

  /** Drops the entry that came from tables in device memory: the next access reads them again. */
  #forgetMomentary(): void {
    this.#permission[this.#momentary] = 0;
    this.#momentary = -1;
  }

  /** True while supervisor accesses to pages of the user's are remembered that EFLAGS.AC allowed. */
  get guardsOpen(): boolean {
    return this.#guarded.size > 0;
  }

  /** EFLAGS.AC was cleared: forgets them. */
  closeGuards(): void {
    for (const entry of this.#guarded) {
      this.#permission[entry] &= ~(Permission.READ | Permission.WRITE);
      if (this.#page[entry] !== EMPTY) this.#refresh(entry);
    }
    this.#guarded.clear();
  }

  // ---- coherence with page tables and code

  #markTables(linear: number, walk: WalkResult): void {
    this.#tables.note(
      linear,
      walk,
      this.#host.entryBytes,
      (frame, range, base, end) => this.#serves(frame, range, base, end),
    );
    for (let i = 0; i < walk.tableCount; i++) {
      this.#tableEpoch[walk.tables[i]] = this.#epoch;
      this.watchFrame(walk.tables[i], FrameFlag.PAGE_TABLE);
    }
  }

  /** Sets a flag of a frame: from now on every write to it is seen. */
  watchFrame(frame: number, flag: number): void {
    const flags = this.#memory.frameFlags;
    if ((flags[frame] & flag) !== 0) return;
    flags[frame] |= flag;
    this.#refreshFrame(frame);
  }

  /** Takes a flag of a frame away. */
  unwatchFrame(frame: number, flag: number): void {
    this.#memory.frameFlags[frame] &= ~flag;
    this.#refreshFrame(frame);
  }

  /** Recomputes the entries through which a frame could be written. */
  #refreshFrame(frame: number): void {
    if (this.#writers[frame] === 0) return;
    for (const used of this.#used) {
      for (let i = 0; i < used.count; i++) {
        const entry = used.entries[i];
        if (this.#frame[entry] === frame && this.#page[entry] !== EMPTY) this.#refresh(entry);
      }
    }
  }

  #written(frame: number, offset: number, length: number): void {
    const flags = this.#memory.frameFlags;
    if ((flags[frame] & FrameFlag.CODE) !== 0) this.#host.codeWritten(frame, offset, length);
    if ((flags[frame] & FrameFlag.PAGE_TABLE) === 0) return;
    if (this.#tableEpoch[frame] !== this.#epoch) {
      // No translation stems from it since the last flush: it may be written freely until a walk reads it again.
      flags[frame] &= ~FrameFlag.PAGE_TABLE;
      return;
    }
    const range = this.#tables.range(frame), bytes = this.#host.entryBytes;
    if (!range || (Number.isNaN(range.base) && this.#serves(frame, range))) return this.flush();
    if (Number.isNaN(range.base)) {
      this.#tableEpoch[frame] = 0;
      return this.unwatchFrame(frame, FrameFlag.PAGE_TABLE);
    }
    const first = Math.floor(offset / bytes), last = Math.floor((offset + length - 1) / bytes);
    const from = range.base + first * range.span;
    if (this.#forget(from, (last - first + 1) * range.span)) return;
    // Tables that nothing stems from any more need not be watched: the frame may serve another purpose by now.
    if ((++this.#idleWrites & 7) !== 0 || this.#serves(frame, range)) return;
    this.#tableEpoch[frame] = 0;
    this.unwatchFrame(frame, FrameFlag.PAGE_TABLE);
  }

  /** True if translations in use stem from a frame that maps such a range, other than those of certain addresses. */
  #serves(frame: number, { base, span }: TableRange, from = 0, to = 0): boolean {
    if (this.#tableEpoch[frame] !== this.#epoch) return false;
    if (frame === this.#root) return true;
    if (span === PAGE_SIZE) return this.#isLeaf(frame, from, to);
    return Number.isNaN(base) || this.#uses(base, (PAGE_SIZE / this.#host.entryBytes) * span);
  }

  /** True if a frame is the last table of a translation in use, of an address that is not in `from` … `to`. */
  #isLeaf(frame: number, from: number, to: number): boolean {
    const outside = (page: number) => {
      const address = unsignedLinear(page * PAGE_SIZE);
      return address < from || address >= to;
    };
    for (const pages of this.#codePages) {
      for (const [page, { leaf }] of pages) if (leaf === frame && outside(page)) return true;
    }
    return this.#used.some((used) =>
      used.some((entry) =>
        this.#leaf[entry] === frame && this.#page[entry] !== EMPTY && this.#permission[entry] !== 0 &&
        outside(this.#page[entry])
      )
    );
  }

  /** True if a translation of these addresses (counted as {@link unsignedLinear} does) is in use. */
  #uses(from: number, length: number): boolean {
    const within = (page: number) => {
      const address = unsignedLinear(page * PAGE_SIZE);
      return address >= from && address < from + length;
    };
    for (const pages of this.#codePages) for (const page of pages.keys()) if (within(page)) return true;
    return this.#used.some((used) => used.some((entry) => this.#page[entry] !== EMPTY && within(this.#page[entry])));
  }

  /** Forgets the translations of addresses (counted as {@link unsignedLinear} does); true if there were any. */
  #forget(from: number, length: number): boolean {
    if (length === PAGE_SIZE) return this.#forgetPage(signedLinear(from) / PAGE_SIZE);
    const within = (page: number) => {
      const address = unsignedLinear(page * PAGE_SIZE);
      return address >= from && address < from + length;
    };
    return this.#forgetWhere(within);
  }

  /** Forgets the translations of certain pages; true if there were any. */
  #forgetWhere(concerns: (page: number) => boolean): boolean {
    let any = false;
    for (const used of this.#used) {
      used.keep((entry) => {
        if (this.#page[entry] === EMPTY) return false;
        if (!concerns(this.#page[entry])) return true;
        this.#drop(entry);
        any = true;
        return false;
      });
    }
    this.#codePages.forEach((pages, kind) => {
      for (const page of pages.keys()) {
        if (!concerns(page)) continue;
        any = true;
        return this.#forgetCode(kind & 1);
      }
    });
    return any;
  }

  #forgetPage(page: number): boolean {
    let any = false;
    for (const entry of [page & (N - 1), (page & (N - 1)) + N]) {
      if (this.#page[entry] !== page) continue;
      any = true;
      // The entry stays in the list of used ones, as one that allows nothing: listing it twice would be wrong.
      if (this.#isWriter(entry)) this.#writers[this.#frame[entry]]--;
      this.#permission[entry] = 0;
      this.#setTags(entry, false, false);
    }
    for (let user = 0; user < 2; user++) {
      if (!this.#codePages[user + (this.#isUpper(page) ? 2 : 0)].has(page)) continue;
      any = true;
      this.#forgetCode(user);
    }
    return any;
  }

  #forgetCode(privilege: number): void {
    this.#codePages[privilege].clear();
    this.#codePages[privilege + 2].clear();
    this.#host.mappingChanged(privilege === 1);
  }

  /** Forgets everything. */
  flush(): void {
    for (const used of this.#used) {
      used.keep((entry) => {
        this.#drop(entry);
        return false;
      });
    }
    this.#guarded.clear();
    this.#momentary = -1;
    this.#epoch++;
    this.#forgetCode(0);
    this.#forgetCode(1);
  }

  /**
   * Goes over from one top-level page table to another, both given by their physical address: what they map by equal entries
   * stays. `bytes` is the size of an entry, `span` how many bytes one maps, `entries` how many there are.
   */
  switchTables(from: number, to: number, bytes: 4 | 8, span: number, entries: number): void {
    if (from === to) return;
    const old = this.#hostTable(from), next = this.#hostTable(to);
    if (old < 0 || next < 0 || this.#momentary >= 0) return this.flush();
    const nextFrame = next >>> 12;
    this.#tableEpoch[old >>> 12] = 0;
    this.#compareTables(old >>> 2, next >>> 2, bytes >> 2, entries);
    this.#root = nextFrame;
    this.#tables.noteRoot(nextFrame, span);
    this.#tableEpoch[nextFrame] = this.#epoch;
    this.watchFrame(nextFrame, FrameFlag.PAGE_TABLE);
    const firstUpper = this.#host.rootIndex(this.#host.longMode ? -(2 ** 47) : FIRST_UPPER * PAGE_SIZE);
    const halves = this.#differs.indexOf(1, firstUpper) < 0 ? 1 : 2;
    for (let upper = 0; upper < halves; upper++) {
      this.#translateAnew(this.#used[upper]);
      this.#checkCode(0, this.#codePages[2 * upper]);
      this.#checkCode(1, this.#codePages[2 * upper + 1]);
    }
  }

  /** Notes which entries of two top-level tables differ, of `step` words each. */
  #compareTables(old: number, next: number, step: number, entries: number): void {
    const words = this.#guestWords, differs = this.#differs.fill(0);
    for (let i = 0; i < entries; i++) {
      const at = i * step;
      const same = words[old + at] === words[next + at] && (step === 1 || words[old + at + 1] === words[next + at + 1]);
      differs[i] = same ? 0 : 1;
    }
  }

  /** Under another top-level table: replaces the entries that it does not share, if they are few, or drops them. */
  #translateAnew(used: UsedEntries): void {
    const replace = used.count <= MOST_TRANSLATED_ANEW && this.#entries === 2 * N;
    used.keep((entry) => {
      if (this.#page[entry] === EMPTY) return false;
      if (this.#differs[this.#rootIndex[entry]] === 0) return true;
      if (replace && this.#guarded.size === 0 && this.#replace(entry)) return true;
      this.#drop(entry);
      return false;
    });
  }

  /** Lets an entry stand for what its page is now; false if a walk must find that out. */
  #replace(entry: number): boolean {
    const permission = this.#permission[entry], page = this.#page[entry], linear = page * PAGE_SIZE;
    if (permission === 0) return false;
    const walk = this.#host.peek(linear, entry >= N, (permission & Permission.EXECUTE) !== 0);
    if (walk === null || !walk.cacheable || walk.guarded || walk.tableCount === 0) return false;
    this.#markTables(linear, walk);
    this.#setEntry(entry, walk, permission & Permission.EXECUTE);
    this.#refresh(entry);
    return true;
  }

  /** Under another top-level table: forgets jumps that go by pages which are not where they were. */
  #checkCode(privilege: number, pages: Map<number, CodePage>): void {
    for (const [page, known] of pages) {
      if (this.#differs[this.#host.rootIndex(page * PAGE_SIZE)] === 0) continue;
      const entry = (page & (N - 1)) + privilege * N;
      const stays = this.#page[entry] === page && this.#frame[entry] === known.frame &&
        (this.#permission[entry] & Permission.EXECUTE) !== 0;
      if (!stays) return this.#forgetCode(privilege);
      known.leaf = this.#leaf[entry];
    }
  }

  /** Host offset of a table in RAM, -1 if it is not there. */
  #hostTable(address: number): number {
    const physical = this.physicalAddress(address), page = Math.floor(physical / PAGE_SIZE);
    if (this.#memory.kind(page) !== PageKind.RAM) return -1;
    return this.#memory.frame(page) * PAGE_SIZE + physical % PAGE_SIZE;
  }

  /** Applies a change of the debug registers to all entries. */
  refreshAll(): void {
    for (const used of this.#used) {
      for (let i = 0; i < used.count; i++) if (this.#page[used.entries[i]] !== EMPTY) this.#refresh(used.entries[i]);
    }
  }

  // ---- accesses from TypeScript; also the slow paths of compiled code

  /**
   * Host offset of an instruction byte, or -1 if it is not in plain memory or got there through device memory (then
   * {@link executePhysical} tells).
   */
  execute(linear: number, user: boolean): number {
    const entry = this.#lookup(linear, Permission.EXECUTE, user);
    this.executePhysical = this.#physical[entry] + (linear & (PAGE_SIZE - 1));
    if (this.#frame[entry] < 0 || this.#momentary >= 0) return -1;
    this.#noteCode(this.#codePages[(user ? 1 : 0) + (this.#isUpper(this.#page[entry]) ? 2 : 0)], entry);
    return this.#frame[entry] * PAGE_SIZE + (linear & (PAGE_SIZE - 1));
  }
  /** Notes that cached jumps may rely on the page of an entry. */
  #noteCode(pages: Map<number, CodePage>, entry: number): void {
    const page = this.#page[entry], known = pages.get(page);
    if (known === undefined) pages.set(page, { frame: this.#frame[entry], leaf: this.#leaf[entry] });
    else {
      known.frame = this.#frame[entry];
      known.leaf = this.#leaf[entry];
    }
  }

  /** Physical address of the last {@link execute}. */
  executePhysical = 0;

  /**
   * Makes the TLB entry for an access that compiled code is about to make; false if it must not make it itself: at addresses
   * that fault, lie in two pages or in device memory, or are watched.
   */
  fill(linear: number, bytes: number, write: boolean, user: boolean): boolean {
    if (this.#crosses(linear, bytes)) return false;
    const entry = this.#lookup(linear, write ? Permission.WRITE : Permission.READ, user), word = this.#tagWord(entry);
    if (this.#words[word + (write ? TLB.WRITE : TLB.READ) / 4] !== 1) return true;
    const within = linear & (PAGE_SIZE - 1);
    if (!write || this.#words[word + TLB.READ / 4] === 1) return false;
    if (this.#words[word + TLB.BESIDE / 4] !== 1) return !this.#host.holdsCode(this.#frame[entry], within, bytes);
    const granted = Permission.WRITE | Permission.RAM;
    return (this.#permission[entry] & granted) === granted &&
      this.#announceTableWrite(this.#frame[entry], within, bytes);
  }

  /**
   * Compiled code is about to write to a frame that holds page tables, with its next access: forgets what stems from the entries
   * now, which the new values do not matter to. False if the write must be made by others: code may have to be left after it.
   */
  #announceTableWrite(frame: number, offset: number, length: number): boolean {
    const range = this.#tables.range(frame), bytes = this.#host.entryBytes;
    if (this.#memory.frameFlags[frame] !== FrameFlag.PAGE_TABLE || this.#tableEpoch[frame] !== this.#epoch) {
      return false;
    }
    if (range === undefined || Number.isNaN(range.base)) return false;
    const first = Math.floor(offset / bytes), last = Math.floor((offset + length - 1) / bytes);
    const from = range.base + first * range.span, to = from + (last - first + 1) * range.span;
    if (this.#servesCode(from, to)) return false;
    this.#written(frame, offset, length);
    return true;
  }

  /** True if cached jumps rely on translations of these addresses, counted as {@link unsignedLinear} does. */
  #servesCode(from: number, to: number): boolean {
    if (to - from === PAGE_SIZE) {
      const page = signedLinear(from) / PAGE_SIZE, kind = this.#isUpper(page) ? 2 : 0;
      return this.#codePages[kind].has(page) || this.#codePages[kind + 1].has(page);
    }
    return this.#codePages.some((pages) => {
      for (const page of pages.keys()) {
        const address = unsignedLinear(page * PAGE_SIZE);
        if (address >= from && address < to) return true;
      }
      return false;
    });
  }

  /** Host offset of an instruction byte if that is known without walking page tables, else -1. */
  known(linear: number, user: boolean): number {
    const page = Math.floor(linear / PAGE_SIZE), entry = (page & (N - 1)) + (user ? N : 0);
    const usable = this.#page[entry] === page && (this.#permission[entry] & Permission.EXECUTE) !== 0;
    return usable && this.#frame[entry] >= 0 && entry !== this.#momentary
      ? this.#frame[entry] * PAGE_SIZE + (linear & (PAGE_SIZE - 1))
      : -1;
  }

  /** Host offset if the page is plain memory that may be read, else -1. */
  hostRead(linear: number, user: boolean): number {
    const entry = this.#lookup(linear, Permission.READ, user);
    if (this.#frame[entry] < 0 || this.#momentary >= 0 || this.#host.watchesPage(this.#page[entry], user)) return -1;
    return this.#frame[entry] * PAGE_SIZE + (linear & (PAGE_SIZE - 1));
  }

  /** Host offset if the page is plain memory that may be written without anyone noticing, else -1. */
  hostWrite(linear: number, user: boolean): number {
    const entry = this.#lookup(linear, Permission.WRITE, user);
    return this.#hasWriteTag(entry) ? this.#frame[entry] * PAGE_SIZE + (linear & (PAGE_SIZE - 1)) : -1;
  }

  /** Raises #PF unless all bytes can be read or written. */
  probe(linear: number, bytes: number, write: boolean, user: boolean): void {
    const permission = write ? Permission.WRITE : Permission.READ;
    this.#lookup(linear, permission, user);
    const last = this.wrap(linear + bytes - 1);
    if (Math.floor(last / PAGE_SIZE) !== Math.floor(linear / PAGE_SIZE)) {
      this.#lookup(this.#pageStart(last), permission, user);
    }
  }

  /** Linear addresses wrap at 4 GiB outside 64-bit code. */
  wrap(linear: number): number {
    return linear >= 2 ** 32 && linear < 2 ** 32 + PAGE_SIZE && this.#host.wrapsLinear ? linear - 2 ** 32 : linear;
  }

  #pageStart(linear: number): number {
    return Math.floor(linear / PAGE_SIZE) * PAGE_SIZE;
  }

  #crosses(linear: number, bytes: number): boolean {
    return (linear & (PAGE_SIZE - 1)) + bytes > PAGE_SIZE;
  }

  /** Reads 1, 2 or 4 bytes, unsigned. */
  load(linear: number, bytes: 1 | 2 | 4, user: boolean): number {
    this.#host.accessed(linear, bytes, false, user);
    if (this.#crosses(linear, bytes)) {
      this.probe(linear, bytes, false, user);
      let value = 0;
      for (let i = 0; i < bytes; i++) value += this.load(this.wrap(linear + i), 1, user) * 2 ** (8 * i);
      return value;
    }
    const entry = this.#lookup(linear, Permission.READ, user);
    const frame = this.#frame[entry], within = linear & (PAGE_SIZE - 1);
    if (frame < 0) return this.#memory.readSized(this.#physical[entry] + within, bytes);
    const offset = frame * PAGE_SIZE + within;
    if (bytes === 1) return this.#memory.bytes[offset];
    return bytes === 2 ? this.#memory.view.getUint16(offset, true) : this.#memory.view.getUint32(offset, true);
  }

  /** Writes 1, 2 or 4 bytes. */
  store(linear: number, value: number, bytes: 1 | 2 | 4, user: boolean): void {
    this.#host.accessed(linear, bytes, true, user);
    if (this.#crosses(linear, bytes)) {
      this.probe(linear, bytes, true, user);
      for (let i = 0; i < bytes; i++) this.store(this.wrap(linear + i), (value >>> (8 * i)) & 0xff, 1, user);
      return;
    }
    const entry = this.#lookup(linear, Permission.WRITE, user);
    const frame = this.#frame[entry], within = linear & (PAGE_SIZE - 1);
    if (
      (this.#permission[entry] & Permission.RAM) !== 0 && this.#memory.frameFlags[frame] === FrameFlag.CODE &&
      !this.#host.holdsCode(frame, within, bytes)
    ) {
      // Data beside code, the common case in 16-bit programs.
      return this.#put(frame * PAGE_SIZE + within, value, bytes);
    }
    this.#memory.writeSized(this.#physical[entry] + (linear & (PAGE_SIZE - 1)), value, bytes);
    // The frame may have lost its last watch: later writes need not come here.
    if (frame >= 0 && this.#memory.frameFlags[frame] === 0 && this.#page[entry] !== EMPTY && this.#momentary < 0) {
      this.#refresh(entry);
    }
  }

  #put(offset: number, value: number, bytes: 1 | 2 | 4): void {
    if (bytes === 1) this.#memory.bytes[offset] = value;
    else if (bytes === 2) this.#memory.view.setUint16(offset, value, true);
    else this.#memory.view.setUint32(offset, value, true);
  }

  load64(linear: number, user: boolean): bigint {
    this.#host.accessed(linear, 8, false, user);
    if (this.#crosses(linear, 8)) this.probe(linear, 8, false, user);
    const low = this.load(linear, 4, user);
    return BigInt(low) | (BigInt(this.load(this.wrap(linear + 4), 4, user)) << 32n);
  }

  store64(linear: number, value: bigint, user: boolean): void {
    this.#host.accessed(linear, 8, true, user);
    if (this.#crosses(linear, 8)) this.probe(linear, 8, true, user);
    this.store(linear, Number(BigInt.asIntN(32, value)), 4, user);
    this.store(this.wrap(linear + 4), Number(BigInt.asIntN(32, value >> 32n)), 4, user);
  }
}
