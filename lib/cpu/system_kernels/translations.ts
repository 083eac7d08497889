/**
 * Fills entries of the TLB, and empties them, as lib/cpu/mmu.ts and lib/cpu/page_table_watch.ts do: for pages of plain RAM without code or
 * page tables, by tables that are watched already.
 */
import { FrameFlag, PAGE_SHIFT, PAGE_SIZE } from "../../machine/memory.ts";
import { Code, Op, type Signature } from "../../wasm/mod.ts";
import { tlbOffset } from "../emit/memory.ts";
import { Value } from "../emit/value.ts";
import {
  CODE_FILTERS,
  CPU_BASE,
  FRAMES,
  NOTED_TABLES,
  PLAIN_RAM,
  ROOT_ENTRIES,
  TLB,
  TRANSLATIONS,
} from "../interpreter/layout.ts";
import { CR4, EFER, NO_PAGE, PAGE, S, USER_PAGES } from "../state.ts";
import { FIRST_UPPER, NO_TAG, Permission } from "../tlb.ts";
import { KernelWriter } from "./writing.ts";

/** Accessed and dirty bits of an entry. */
const A_SHIFT = 5, D_SHIFT = 6, A = 1 << A_SHIFT;
const N = TLB.ENTRIES;
/** Both words of a tag that matches no address. */
const NO_TAGS = Value.i64((BigInt(NO_TAG) << 32n) | BigInt(NO_TAG));
const ZERO = Value.i32(0), ONE = Value.i32(1);

/** 1 if an entry of a page table has its accessed bit set. */
export function isAccessed(low: Value): Value {
  return low.shrU(A_SHIFT).and(1);
}

/** 1 if a frame is known to be the table whose entries are for `bits` bits from `shift` on of an address. */
export function isNoted(w: KernelWriter, frame: Value, linear: Value, shift: number, bits: number): Value {
  const { BASE, MULTIPLIER, SHIFT, ENTRY_SHIFT } = NOTED_TABLES, covered = 2n ** BigInt(shift + bits);
  const record = w.let(frame.mul(MULTIPLIER).shrU(SHIFT).shl(ENTRY_SHIFT));
  const range = linear.and(Value.i64(2n ** 48n - covered)).add(Value.i64(shift));
  return w.load(record, BASE + NOTED_TABLES.FRAME, "i32").eq(frame)
    .and(w.load(record, BASE + NOTED_TABLES.RANGE, "i64").eq(range));
}

/** An i64 as the bits of the f64 that is the same number. */
function floatBits(number: Value): Value {
  return new Value("i64", (code) => {
    number.emit(code);
    code.op(Op.F64_CONVERT_I64_S);
    code.op(Op.I64_REINTERPRET_F64);
  });
}

/** Adds a number to one of an array's. */
function addTo(w: KernelWriter, address: Value, offset: number, kind: "u16" | "i32", change: number): void {
  const at = w.let(address);
  w.store(at, offset, kind, w.load(at, offset, kind).add(change));
}

/** Says which table the translation of an entry stems from, -1 for none. */
function setLeaf(w: KernelWriter, entry: Value, leaf: Value): void {
  const at = w.let(entry.shl(2)), old = w.let(w.load(at, TRANSLATIONS.LEAF, "i32"));
  w.if(old.ne(leaf), () => {
    w.if(old.ne(-1), () => addTo(w, old.shl(2), FRAMES.LEAF_USES, "i32", -1));
    w.if(leaf.ne(-1), () => addTo(w, leaf.shl(2), FRAMES.LEAF_USES, "i32", 1));
    w.store(at, TRANSLATIONS.LEAF, "i32", leaf);
  });
}

/** The last entry of a walk, and what the access may do by all of them. */
interface Walk {
  /** Frame of the last table, and host offset and lower half of its entry. */
  readonly table: Value;
  readonly host: Value;
  readonly low: Value;
  /** Index of the top-level table's entry. */
  readonly root: Value;
  /** 1 for a write, and 1 if the rights allow one. */
  readonly writes: Value;
  readonly mayWrite: Value;
}

/** Fills the TLB's entry for an address, and sets the bits that a walk sets in the last table; gives up if that is not usual. */
export function fillEntry(w: KernelWriter, linear: Value, { table, host, low, root, writes, mayWrite }: Walk): void {
  const frame = w.let(low.shrU(PAGE_SHIFT)), end = w.load(ZERO, PLAIN_RAM.END, "i32");
  w.require(w.load(ZERO, TRANSLATIONS.OPEN, "i32"));
  w.require(w.load(root, ROOT_ENTRIES.BASE, "u8"));
  w.require(frame.geU(PLAIN_RAM.FIRST).and(frame.ltU(end)));
  w.require(w.load(frame, FRAMES.FLAGS, "u8").eqz().and(w.load(table, FRAMES.FLAGS, "u8").eq(FrameFlag.PAGE_TABLE)));

  const tags = w.let(tlbOffset(linear).add(w.state(S.TLB, "i32")));
  const entry = w.let(tags.sub(TLB.SUPERVISOR).shrU(TLB.ENTRY_SHIFT));
  const wide = w.let(entry.shl(3)), word = w.let(entry.shl(2)), half = w.let(entry.shl(1));
  const page = w.let(floatBits(linear.shrS(PAGE_SHIFT)));
  const physical = w.let(floatBits(low.and(-PAGE_SIZE).extendU()));
  const isSame = w.let(w.load(wide, TRANSLATIONS.PAGE, "i64").eq(page));
  const hasNo = (tag: number) => w.load(tags, tag, "i32").eq(NO_TAG);
  // It may gain a permission, but must not lose another page.
  const staysThere = isSame.and(w.load(wide, TRANSLATIONS.PHYSICAL, "i64").eq(physical));
  w.require(hasNo(TLB.WRITE).and(hasNo(TLB.BESIDE)).and(hasNo(TLB.READ).or(staysThere)));

  w.setGuest(host, 0, "i32", low.or(writes.shl(D_SHIFT)).or(A));
  const kept = w.choose(isSame, w.load(entry, TRANSLATIONS.PERMISSION, "u8").and(Permission.EXECUTE), ZERO);
  const write = w.let(mayWrite.and(writes.or(low.shrU(D_SHIFT).and(1))));
  const permission = kept.or(Permission.READ | Permission.RAM).or(write.mul(Permission.WRITE));
  w.if(isSame.eqz(), () => {
    useEntry(w, entry, linear);
    w.store(wide, TRANSLATIONS.PAGE, "i64", page);
  });
  w.store(wide, TRANSLATIONS.PHYSICAL, "i64", physical);
  w.store(word, TRANSLATIONS.FRAME, "i32", frame);
  w.store(entry, TRANSLATIONS.PERMISSION, "u8", permission);
  w.store(half, TRANSLATIONS.ROOT_INDEX, "u16", root);
  setLeaf(w, entry, table);

  const tag = w.let(linear.and(-PAGE_SIZE));
  w.store(tags, TLB.READ, "i64", tag);
  w.store(tags, TLB.MARKS, "i32", ZERO);
  w.store(tags, TLB.ADDEND, "i32", low.and(-PAGE_SIZE).sub(tag.wrap()));
  w.if(write, () => {
    w.store(tags, TLB.WRITE, "i64", tag);
    const at = w.let(frame.shl(1));
    addTo(w, at, FRAMES.WRITERS, "u16", 1);
    w.store(at, FRAMES.LAST_WRITER, "u16", entry);
  });
  addTo(w, ZERO, TRANSLATIONS.FILLED, "i32", 1);
}

/** Lists an entry for an address among those in use. */
function useEntry(w: KernelWriter, entry: Value, linear: Value): void {
  const long = w.state(S.EFER, "i32").and(EFER.LMA);
  const upper = w.choose(
    long,
    linear.ltS(Value.i64(0)),
    linear.geU(Value.i64(FIRST_UPPER * PAGE_SIZE)),
  );
  const isUsed = w.let(upper.mul(2 * N).add(entry));
  w.if(w.load(isUsed, TRANSLATIONS.IS_USED, "u8").eqz(), () => {
    w.store(isUsed, TRANSLATIONS.IS_USED, "u8", ONE);
    const at = w.let(upper.shl(2)), count = w.let(w.load(at, TRANSLATIONS.USED_COUNT, "i32"));
    w.store(upper.mul(2 * N).add(count).shl(1), TRANSLATIONS.USED, "u16", entry);
    w.store(at, TRANSLATIONS.USED_COUNT, "i32", count.add(1));
  });
}

/** Type of {@link forgetCode}'s function. */
export const FORGET: Signature = { parameters: ["i32"], results: ["i32"] };

/**
 * (host offset of an entry of a page table, which is about to be written) → 1 if what stems from it has been forgotten: it is not present,
 * or an entry of a last table, and no code stems from it.
 */
export function forgetCode(): Code {
  const code = new Code(1), w = new KernelWriter(code), host = Value.local("i32", 0);
  w.if(w.guest(host, 0).and(1).eqz(), () => {
    countIdleWrite(w, TRANSLATIONS.RARE_ABSENT);
    w.return(ONE);
  });
  const frame = w.let(host.shrU(PAGE_SHIFT)), { BASE, MULTIPLIER, SHIFT, ENTRY_SHIFT } = NOTED_TABLES;
  const record = w.let(frame.mul(MULTIPLIER).shrU(SHIFT).shl(ENTRY_SHIFT));
  const range = w.let(w.load(record, BASE + NOTED_TABLES.RANGE, "i64"));
  w.require(w.load(record, BASE + NOTED_TABLES.FRAME, "i32").eq(frame));
  w.require(range.wrap().and(PAGE_SIZE - 1).eq(PAGE_SHIFT));
  // Entries have 8 bytes with PAE paging, else 4.
  const shift = w.state(S.CR4, "i32").and(CR4.PAE).isTrue().add(2);
  const index = w.let(host.and(PAGE_SIZE - 1).shrU(shift));
  // Addresses have 48 bits.
  const page = w.let(range.shl(16).shrS(16 + PAGE_SHIFT).add(index.extendU())), bits = w.let(floatBits(page));
  const place = w.let(page.wrap().mul(CODE_FILTERS.MULTIPLIER).shrU(CODE_FILTERS.SHIFT));
  const filter = (privilege: 0 | 1) => w.load(place, CODE_FILTERS.BASE + CODE_FILTERS.SIZE * privilege, "u8");
  w.require(filter(0).or(filter(1)).eqz());
  const any = w.variable();
  for (const privilege of [0, 1] as const) {
    const entry = w.let(page.wrap().and(N - 1).add(N * privilege));
    w.if(w.load(entry.shl(3), TRANSLATIONS.PAGE, "i64").eq(bits), () => {
      forgetEntry(w, entry, page, privilege);
      any.set(ONE);
    });
  }
  w.if(any.value.eqz(), () => countIdleWrite(w, TRANSLATIONS.RARE));
  code.i32(1);
  return code;
}

/** Counts a write that changes no translation; gives up if TypeScript is to look closely. */
function countIdleWrite(w: KernelWriter, rare: number): void {
  const idle = w.let(w.load(ZERO, TRANSLATIONS.IDLE_WRITES, "i32"));
  w.require(idle.and(rare).ne(rare));
  w.store(ZERO, TRANSLATIONS.IDLE_WRITES, "i32", idle.add(1));
}

/** Forgets the translation of an entry, which stays in use for its page. */
function forgetEntry(w: KernelWriter, entry: Value, page: Value, privilege: 0 | 1): void {
  const tags = w.let(entry.shl(TLB.ENTRY_SHIFT).add(TLB.SUPERVISOR));
  const has = (tag: number) => w.let(w.load(tags, tag, "i32").ne(NO_TAG));
  const writes = has(TLB.WRITE), isWriter = w.let(writes.or(has(TLB.BESIDE))), isOpen = w.let(writes.or(has(TLB.READ)));
  w.if(isWriter, () => addTo(w, w.load(entry.shl(2), TRANSLATIONS.FRAME, "i32").shl(1), FRAMES.WRITERS, "u16", -1));
  for (const tag of [TLB.READ, TLB.WRITE, TLB.BESIDE]) w.store(tags, tag, "i64", NO_TAGS);
  w.if(isOpen, () => {
    w.setState(S.TAKEN, "i32", w.state(S.TAKEN, "i32").add(1));
    forgetRemembered(w, page.wrap().shl(PAGE_SHIFT), privilege);
  });
  w.store(entry, TRANSLATIONS.PERMISSION, "u8", ZERO);
  setLeaf(w, entry, Value.i32(-1));
}

/** Makes regions look at the TLB again for a page that they remember, as far as the low half of its address says. */
function forgetRemembered(w: KernelWriter, address: Value, privilege: 0 | 1): void {
  const { code } = w, low = w.let(address), left = code.local("i64"), first = CPU_BASE + S.READ_PAGES;
  const remembers = S.REMEMBERS + 8 * privilege, rest = Value.local("i64", left);
  w.state(remembers, "i64").emit(code);
  code.set(left);
  code.block((done) =>
    code.loop((next) => {
      rest.eqz().emit(code);
      code.brIf(done);
      const at = w.let(rest.ctz().wrap().shl(PAGE.SHIFT)), field = first + USER_PAGES * privilege;
      w.if(w.load(at, field + PAGE.TAG, "i32").eq(low), () => {
        w.store(at, field + PAGE.TAG, "i64", Value.i64(NO_PAGE));
        w.store(at, field + PAGE.LIMIT, "i32", ZERO);
        for (const end of [PAGE.END4, PAGE.END8]) w.store(at, field + end, "i64", Value.i64(0));
        w.setState(remembers, "i64", w.state(remembers, "i64").and(rest.and(Value.i64(0).sub(rest)).not()));
      });
      rest.and(rest.sub(1)).emit(code);
      code.set(left);
      code.br(next);
    })
  );
}
