/**
 * The memory management unit: translates linear addresses, and makes the accesses that compiled code leaves to TypeScript.
 */
import { FrameFlag, type MemoryWatcher, PAGE_SIZE, PageKind, type PhysicalMemory } from "../machine/memory.ts";
import { PLAIN_RAM, TLB, TRANSLATIONS } from "./interpreter/layout.ts";
import { type KnownSpace, KnownSpaces, type KnownTranslation } from "./known_spaces.ts";
import { PageTableWatch, type WalkResult, type WatchHost } from "./page_table_watch.ts";
import { EMPTY, Permission, Tlb, type TlbHost } from "./tlb.ts";

export type { WalkResult } from "./page_table_watch.ts";

/** What the MMU asks of the processor. */
export interface MmuHost extends TlbHost, Omit<WatchHost, "flush"> {
  /** Translates a page; null if that raises #PF, which {@link raiseNoted} raises then. */
  walk(linear: number, write: boolean, user: boolean, execute: boolean): WalkResult | null;
  raiseNoted(): never;
  /** Translates a page for reading or executing; null if that raised anything or changed an entry of the page tables. */
  peek(linear: number, user: boolean, execute: boolean): WalkResult | null;
  /** Bytes of a frame that was decoded are being changed. */
  codeWritten(frame: number, offset: number, length: number): void;
  /** True if one of these bytes of a frame was decoded. */
  holdsCode(frame: number, offset: number, length: number): boolean;
  /** A region is about to write to such bytes: true if it may do so at once. */
  expectConstants(frame: number, offset: number, length: number): boolean;
  /** A linear address is accessed on the slow path: alignment is checked (raises #AC), breakpoints are noted. */
  accessed(linear: number, bytes: number, write: boolean, user: boolean): void;
  /** True if accesses to some pages must be seen, see {@link TlbHost.watchesPage}. */
  readonly watchesAccesses: boolean;
  /** True if linear addresses wrap at 4 GiB: outside 64-bit code. */
  readonly wrapsLinear: boolean;
}

/** What becomes of an attempt to {@link Mmu.fill} the TLB: compiled code may make the access, it may not, or that raises #PF. */
export const Fill = { ALLOWED: 0, REFUSED: 1, FAULT: 2 } as const;
export type Fill = typeof Fill[keyof typeof Fill];

/** Indices of the words that say how far RAM is plain, whether compiled code may fill entries, and how many it has filled. */
const PLAIN_END = PLAIN_RAM.END >> 2, OPEN = TRANSLATIONS.OPEN >> 2, FILLED = TRANSLATIONS.FILLED >> 2;

/** In place of an entry: there is none, because the access raises #PF. */
const FAULT = -1;

/** The formats of top-level page tables: bytes of an entry, and how many bytes one maps. */
export interface TableFormat {
  readonly bytes: 4 | 8;
  readonly span: number;
}

/** One processor's MMU. */
export class Mmu {
  readonly #host: MmuHost;
  readonly #memory: PhysicalMemory;
  readonly #tlb: Tlb;
  readonly #watch: PageTableWatch;
  readonly #known: KnownSpaces;
  /** The state's memory. */
  readonly #words: Int32Array;
  /** Entries for data of the user's that the supervisor may use only as long as EFLAGS.AC is set. */
  readonly #guarded = new Set<number>();
  /** An entry that serves one access only, or -1. */
  #momentary = -1;
  /** How often a translation was not in the TLB, as far as TypeScript was asked for it. */
  #misses = 0;
  #a20Mask = -1;
  /** The last entries filled, if the TLB is made smaller than it is; older ones are dropped. */
  readonly #latest: number[] = [];
  readonly #entries: number;

  /** `entries` makes the TLB smaller than it is. */
  constructor(host: MmuHost, state: WebAssembly.Memory, memory: PhysicalMemory, entries: number = Infinity) {
    this.#host = host;
    this.#memory = memory;
    this.#entries = entries;
    this.#tlb = new Tlb(host, state, memory);
    this.#known = new KnownSpaces(memory);
    this.#words = new Int32Array(state.buffer, 0, FILLED + 1);
    const watchHost: WatchHost = {
      mappingChanged: (user) => host.mappingChanged(user),
      rootIndex: (linear) => host.rootIndex(linear),
      passesTable: (linear, frame) => host.passesTable(linear, frame),
      get entryBytes() {
        return host.entryBytes;
      },
      get runsUser() {
        return host.runsUser;
      },
      flush: () => this.flush(),
    };
    this.#watch = new PageTableWatch(watchHost, this.#tlb, memory);
  }

  /** How often a translation was not in the TLB. */
  get misses(): number {
    return this.#misses + (this.#words[FILLED] >>> 0);
  }

  /** How physical frames report writes. */
  get watcher(): MemoryWatcher {
    return {
      written: (frame, offset, length) => this.#written(frame, offset, length),
      remapped: () => {
        this.#noPlainRam();
        this.flush();
      },
    };
  }

  #written(frame: number, offset: number, length: number): void {
    const flags = this.#memory.frameFlags;
    if ((flags[frame] & FrameFlag.CODE) !== 0) this.#host.codeWritten(frame, offset, length);
    if ((flags[frame] & FrameFlag.PAGE_TABLE) !== 0) this.#watch.tableWritten(frame, offset, length);
  }

  /** Sets a flag of a frame: from now on every write to it is seen. */
  watchFrame(frame: number, flag: number): void {
    this.#watch.watchFrame(frame, flag);
  }

  /** Takes a flag of a frame away. */
  unwatchFrame(frame: number, flag: number): void {
    this.#watch.unwatchFrame(frame, flag);
  }

  setA20(enabled: boolean): void {
    const mask = enabled ? -1 : ~0x100000;
    if (mask === this.#a20Mask) return;
    this.#a20Mask = mask;
    this.#noPlainRam();
    this.flush();
  }

  /** What RAM is plain must be found out anew. */
  #noPlainRam(): void {
    this.#words[PLAIN_END] = this.#words[OPEN] = 0;
  }

  /** The physical address that reaches the board: without bit 20 while the A20 gate is closed. */
  physicalAddress(address: number): number {
    return this.#a20Mask !== -1 && (address & 0x100000) !== 0 ? address - 0x100000 : address;
  }

  /** Makes regions look at the TLB again for all pages that they remember. */
  forgetRemembered(): void {
    this.#tlb.forgetRemembered();
  }

  /** Applies a change of the debug registers to all entries. */
  refreshAll(): void {
    this.#words[OPEN] = 0;
    this.#tlb.refreshAll();
  }

  // ---- translations

  /** The entry for an address, filled if necessary. Raises #PF. */
  #lookup(linear: number, permission: number, user: boolean): number {
    const entry = this.#find(linear, permission, user);
    return entry === FAULT ? this.#host.raiseNoted() : entry;
  }

  /** The entry for an address, filled if necessary, or {@link FAULT}. */
  #find(linear: number, permission: number, user: boolean): number {
    const tlb = this.#tlb, page = Math.floor(linear / PAGE_SIZE), entry = tlb.entryOf(page, user);
    if (this.#momentary >= 0) this.#forgetMomentary();
    else if (tlb.page[entry] === page && (tlb.permission[entry] & permission) !== 0) return entry;
    return this.#fill(linear, page, entry, permission, user);
  }

  #fill(linear: number, page: number, entry: number, permission: number, user: boolean): number {
    const tlb = this.#tlb, write = permission === Permission.WRITE, execute = permission === Permission.EXECUTE;
    this.#misses++;
    if (this.#words[PLAIN_END] === 0) this.#words[PLAIN_END] = this.#plainEnd();
    const walk = this.#host.walk(linear, write, user, execute);
    if (walk === null) return FAULT;
    if (walk.guarded && walk.readable) this.#guarded.add(entry);
    if (walk.tableCount > 0) this.#watch.markTables(linear, walk);
    let executable = execute ? Permission.EXECUTE : 0;
    if (tlb.page[entry] === page) executable |= tlb.permission[entry] & Permission.EXECUTE;
    else {
      tlb.drop(entry);
      tlb.used[tlb.isUpper(page) ? 1 : 0].add(entry);
      if (this.#entries !== Infinity) this.#dropOldest(entry);
      tlb.page[entry] = page;
    }
    this.#setEntry(entry, walk, executable);
    if (walk.cacheable) tlb.refresh(entry);
    else this.#momentary = entry;
    this.#words[OPEN] = walk.cacheable && this.#entries === Infinity && !this.#host.watchesAccesses ? 1 : 0;
    return entry;
  }

  /** The page behind the RAM that compiled code may take for plain. */
  #plainEnd(): number {
    const memory = this.#memory, open = this.#a20Mask === -1;
    let page: number = PLAIN_RAM.FIRST;
    while (open && memory.kind(page) === PageKind.RAM && memory.frame(page) === page) page++;
    return page;
  }

  /** Fills an entry with what a walk has found; returns false if it was that already, apart from the tables. */
  #setEntry(entry: number, walk: WalkResult, executable: number): boolean {
    const tlb = this.#tlb, rootIndex = this.#host.rootIndex(tlb.page[entry] * PAGE_SIZE);
    const permission = executable | (walk.readable ? Permission.READ : 0) |
      (walk.writable && walk.dirty ? Permission.WRITE : 0);
    const physical = this.physicalAddress(walk.physical - (walk.physical & (PAGE_SIZE - 1)));
    const changes = !walk.cacheable || tlb.physical[entry] !== physical ||
      (tlb.permission[entry] & ~Permission.RAM) !== permission;
    if (changes) {
      tlb.close(entry);
      tlb.set(entry, physical, permission);
    }
    tlb.moveTo(entry, rootIndex, walk.tableCount > 1 ? walk.tables[walk.tableCount - 1] : -1);
    return changes;
  }

  /** Keeps to a TLB of few entries. */
  #dropOldest(newest: number): void {
    this.#latest.push(newest);
    if (this.#latest.length <= this.#entries) return;
    const oldest = this.#latest.shift()!;
    if (oldest !== newest && !this.#latest.includes(oldest)) this.#tlb.drop(oldest);
  }

  /** Drops the entry that came from tables in device memory: the next access reads them again. */
  #forgetMomentary(): void {
    this.#tlb.forget(this.#momentary);
    this.#momentary = -1;
  }

  /** True while supervisor accesses to pages of the user's are remembered that EFLAGS.AC allowed. */
  get guardsOpen(): boolean {
    return this.#guarded.size > 0;
  }

  /** EFLAGS.AC was cleared: forgets them. */
  closeGuards(): void {
    const tlb = this.#tlb;
    for (const entry of this.#guarded) {
      tlb.permission[entry] &= ~(Permission.READ | Permission.WRITE);
      if (tlb.page[entry] !== EMPTY) tlb.refresh(entry);
    }
    this.#guarded.clear();
  }

  /** Forgets everything. */
  flush(): void {
    this.#words[OPEN] = 0;
    this.#tlb.clear();
    this.#guarded.clear();
    this.#momentary = -1;
    this.#known.clear();
    this.#watch.flushed();
  }

  /** Goes over from one top-level page table to another, given by their physical addresses. */
  switchTables(from: number, to: number, format: TableFormat): void {
    if (from === to) return;
    const watch = this.#watch;
    const old = watch.hostTable(this.physicalAddress(from)), next = watch.hostTable(this.physicalAddress(to));
    if (old < 0 || next < 0 || this.#momentary >= 0) return this.flush();
    const mayTranslate = this.#entries === Infinity && this.#guarded.size === 0;
    const space = this.#known.at(next);
    watch.switchTables(old, next, format, (entry) => mayTranslate && this.#translateAnew(entry, space));
  }

  /** Lets an entry stand for what its page is now, in a certain space; false if a walk must find that out. */
  #translateAnew(entry: number, space: KnownSpace): boolean {
    const tlb = this.#tlb, permission = tlb.permission[entry], page = tlb.page[entry], linear = page * PAGE_SIZE;
    if (permission === 0) return false;
    const known = space.find(entry, page);
    if (known !== null && this.#mayRestore(known, permission)) {
      tlb.restore(entry, known.translation);
      return true;
    }
    const walk = this.#host.peek(linear, tlb.isUsers(entry), (permission & Permission.EXECUTE) !== 0);
    if (walk === null || !walk.cacheable || walk.guarded || walk.tableCount === 0) return false;
    this.#watch.markTables(linear, walk);
    // Processes share many pages.
    if (this.#setEntry(entry, walk, permission & Permission.EXECUTE)) tlb.refresh(entry);
    const tables = this.#watch.marked(walk);
    space.keep(entry, { page, translation: tlb.translation(entry), tables }, walk, this.#host.entryBytes);
    return true;
  }

  /** True if an entry can stand for a known translation at once, as one that code was fetched through, or none such. */
  #mayRestore({ translation, tables }: KnownTranslation, permission: number): boolean {
    const isSameKind = ((translation.permission ^ permission) & Permission.EXECUTE) === 0;
    return isSameKind && this.#watch.markAgain(tables, translation.rootIndex);
  }

  // ---- accesses from TypeScript; also the slow paths of compiled code

  /**
   * Host offset of an instruction byte, or -1 if it is not in plain memory or got there through device memory (then
   * {@link executePhysical} tells).
   */
  execute(linear: number, user: boolean): number {
    const tlb = this.#tlb, entry = this.#lookup(linear, Permission.EXECUTE, user), within = linear & (PAGE_SIZE - 1);
    this.executePhysical = tlb.physical[entry] + within;
    if (tlb.frame[entry] < 0 || this.#momentary >= 0) return -1;
    this.#watch.noteCode(entry, user);
    return tlb.frame[entry] * PAGE_SIZE + within;
  }
  /** Physical address of the last {@link execute}. */
  executePhysical = 0;

  /**
   * Makes the TLB entry for an access that compiled code is about to make. It must not make it itself at addresses that lie in
   * two pages or in device memory, or are watched. A write may be allowed once, without a tag for it.
   */
  fill(linear: number, bytes: number, write: boolean, user: boolean): Fill {
    if (this.#crosses(linear, bytes)) return Fill.REFUSED;
    const tlb = this.#tlb, entry = this.#find(linear, write ? Permission.WRITE : Permission.READ, user);
    if (entry === FAULT) return Fill.FAULT;
    if (tlb.hasTag(entry, write ? TLB.WRITE : TLB.READ)) return Fill.ALLOWED;
    if (!write || !tlb.hasTag(entry, TLB.READ)) return Fill.REFUSED;
    return this.#allowsOnce(entry, linear & (PAGE_SIZE - 1), bytes) ? Fill.ALLOWED : Fill.REFUSED;
  }

  /** True if compiled code may write to a watched page once, at once. */
  #allowsOnce(entry: number, within: number, bytes: number): boolean {
    const tlb = this.#tlb, frame = tlb.frame[entry], granted = Permission.WRITE | Permission.RAM;
    if (tlb.isBesideCode(entry)) {
      return !this.#host.holdsCode(frame, within, bytes) || this.#host.expectConstants(frame, within, bytes);
    }
    if ((tlb.permission[entry] & granted) !== granted) return false;
    if (this.#memory.frameFlags[frame] !== 0) return this.#watch.announceWrite(frame, within, bytes);
    // It is watched no more.
    tlb.refresh(entry);
    return tlb.hasTag(entry, TLB.WRITE);
  }

  /** Host offset of an instruction byte in plain memory if that can be told without leaving a trace, else -1. */
  known(linear: number, user: boolean): number {
    const tlb = this.#tlb, page = Math.floor(linear / PAGE_SIZE), entry = tlb.entryOf(page, user);
    const usable = tlb.page[entry] === page && (tlb.permission[entry] & Permission.EXECUTE) !== 0;
    if (!usable || entry === this.#momentary) return this.#peeked(linear, user, true);
    return tlb.frame[entry] >= 0 ? tlb.frame[entry] * PAGE_SIZE + (linear & (PAGE_SIZE - 1)) : -1;
  }

  /** Host offset of data that can be read at a linear address, -1 if that cannot be told without leaving a trace. */
  knownData(linear: number, user: boolean): number {
    return this.#peeked(linear, user, false);
  }

  /** The same by a look at the page tables. */
  #peeked(linear: number, user: boolean, execute: boolean): number {
    const walk = this.#host.peek(linear, user, execute);
    if (walk === null || !walk.cacheable) return -1;
    const physical = this.physicalAddress(walk.physical), page = Math.floor(physical / PAGE_SIZE);
    const kind = this.#memory.kind(page);
    if (kind !== PageKind.RAM && kind !== PageKind.ROM) return -1;
    return this.#memory.frame(page) * PAGE_SIZE + (physical & (PAGE_SIZE - 1));
  }

  /** Host offset if the page is plain memory that may be read, else -1. */
  hostRead(linear: number, user: boolean): number {
    const tlb = this.#tlb, entry = this.#lookup(linear, Permission.READ, user);
    if (tlb.frame[entry] < 0 || this.#momentary >= 0 || this.#host.watchesPage(tlb.page[entry], user)) return -1;
    return tlb.frame[entry] * PAGE_SIZE + (linear & (PAGE_SIZE - 1));
  }

  /** Host offset if the page is plain memory that may be written without anyone noticing, else -1. */
  hostWrite(linear: number, user: boolean): number {
    const tlb = this.#tlb, entry = this.#lookup(linear, Permission.WRITE, user), frame = tlb.frame[entry];
    // Systems clear page tables when nothing stems from them yet, or any more.
    if (tlb.hasTag(entry, TLB.BESIDE) && this.#watch.releaseTable(frame)) tlb.refresh(entry);
    return tlb.hasTag(entry, TLB.WRITE) ? frame * PAGE_SIZE + (linear & (PAGE_SIZE - 1)) : -1;
  }

  /** Host offset if the page is plain memory that may be written, of which nothing but code is watched, else -1. */
  hostRewrite(linear: number, user: boolean): number {
    const tlb = this.#tlb, entry = this.#lookup(linear, Permission.WRITE, user);
    return tlb.isBesideCode(entry) ? tlb.frame[entry] * PAGE_SIZE + (linear & (PAGE_SIZE - 1)) : -1;
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
    const tlb = this.#tlb, entry = this.#lookup(linear, Permission.READ, user);
    const frame = tlb.frame[entry], within = linear & (PAGE_SIZE - 1);
    if (frame < 0) return this.#memory.readSized(tlb.physical[entry] + within, bytes);
    return this.#get(frame * PAGE_SIZE + within, bytes);
  }

  #get(offset: number, bytes: 1 | 2 | 4): number {
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
    const tlb = this.#tlb, entry = this.#lookup(linear, Permission.WRITE, user);
    const frame = tlb.frame[entry], within = linear & (PAGE_SIZE - 1);
    if ((tlb.permission[entry] & Permission.RAM) !== 0 && this.#memory.frameFlags[frame] === FrameFlag.CODE) {
      this.#storeAmidCode(frame, within, value, bytes);
    } else this.#memory.writeSized(tlb.physical[entry] + within, value, bytes);
    // The frame may have lost its last watch: later writes need not come here.
    const unwatched = frame >= 0 && this.#memory.frameFlags[frame] === 0 && tlb.page[entry] !== EMPTY;
    if (unwatched && this.#momentary < 0 && !tlb.hasTag(entry, TLB.WRITE)) tlb.refresh(entry);
  }

  /** Writes to a frame of which nothing but code is watched: data beside code, mostly, in 16-bit programs. */
  #storeAmidCode(frame: number, within: number, value: number, bytes: 1 | 2 | 4): void {
    const offset = frame * PAGE_SIZE + within, changed = this.#get(offset, bytes) ^ value;
    if (changed === 0) return;
    this.#put(offset, value, bytes);
    const first = (31 - Math.clz32(changed & -changed)) >> 3, length = ((31 - Math.clz32(changed)) >> 3) - first + 1;
    if (this.#host.holdsCode(frame, within + first, length)) this.#host.codeWritten(frame, within + first, length);
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
