/**
 * Memory accesses of regions: the inline TLB test; what it does not cover, the interpreter does.
 *
 * A miss fills the TLB and goes on. Accesses that no TLB entry allows (device memory, watched or missing pages, across a page's end)
 * leave the region before their instruction, of which nothing has happened yet then.
 */
import { PAGE_SIZE } from "../../machine/memory.ts";
import { type Code, Op, OpSimd } from "../../wasm/mod.ts";
import type { Place, Size } from "../emit/emitter.ts";
import { tlbOffset } from "../emit/memory.ts";
import { Value } from "../emit/value.ts";
import { CPU_BASE, GUEST_BASE, TLB } from "../interpreter/layout.ts";
import { PAGE, S, USER_PAGES } from "../state.ts";
import type { GroupedAccess } from "./access_groups.ts";
import { stateField } from "../emit/state_field.ts";
import { type LastPages, MOST_BYTES } from "./last_pages.ts";

const LOAD: Record<Size, number> = { 8: Op.I32_LOAD8_U, 16: Op.I32_LOAD16_U, 32: Op.I32_LOAD, 64: Op.I64_LOAD };
const STORE: Record<Size, number> = { 8: Op.I32_STORE8, 16: Op.I32_STORE16, 32: Op.I32_STORE, 64: Op.I64_STORE };
const LOAD_VECTOR = { 4: OpSimd.V128_LOAD32_ZERO, 8: OpSimd.V128_LOAD64_ZERO, 16: OpSimd.V128_LOAD };

/** What memory code needs of a region's emitter. */
export interface AccessHost {
  readonly code: Code;
  /** The region runs with the user's privilege. */
  readonly user: boolean;
  readonly linkage: AccessLinkage;
  /** Pages to try before the TLB, if the region has such, and whether the current instruction does so, see chases.ts. */
  readonly lastPages: LastPages | null;
  readonly chases: boolean;
  let(value: Value): Value;
  /** True if no entry of the TLB may change unnoticed, because accesses that come later rely on them. */
  readonly keepsPermissions: boolean;
  /**
   * Leaves the region before the current instruction if the condition that `emit` leaves on the stack is not 0, `forGroup` perhaps because
   * all of a group is asked for, or no entry of the TLB may change because of one.
   */
  bailIfSo(emit: () => void, forGroup?: boolean): void;
}

/** Functions that accesses call. */
export interface AccessLinkage {
  /**
   * (linear address, bytes) → 1 if the region must be left for the access, 0 if the TLB allows it now, or a write this once: it
   * must follow at once then.
   */
  readonly fillRead: number;
  readonly fillWrite: number;
  /** The same; the region must also be left if an entry of the TLB had to change. */
  readonly keepRead: number;
  readonly keepWrite: number;
  /**
   * (linear address, bytes, {@link How}, address of a remembered page) → the address's offset in its page, which is now remembered unless
   * only this access is possible; -1 if the region must be left.
   */
  readonly remember: number;
  /**
   * (linear address, bytes, {@link How}, address of a remembered page, bytes of the group before the access, bytes of the group) → the
   * offset in its page of the group's first byte; -1 if the region must be left.
   */
  readonly establish: number;
}

/** What an access asks for: bits. */
export const How = {
  /** Permission to write. */
  WRITES: 1,
  /** That no entry of the TLB changes. */
  KEEPS: 2,
  /** To read for now, although others of its group will write. */
  READS: 4,
} as const;

/** Where an access goes: the host offset is that of `host` plus a constant. */
export interface Spot {
  readonly host: Value;
  readonly offset: number;
}

/** A field of a TLB entry. */
function field(entry: Value, type: "i32" | "i64", offset: number): Value {
  return new Value(type, (code) => {
    entry.emit(code);
    code.memory(type === "i64" ? Op.I64_LOAD : Op.I32_LOAD, offset);
  });
}

/** The number of a remembered page, see {@link S.READ_PAGES}: that of the base register or one from 16 on; -1 for none. */
export type PageNumber = number;

/** Emits accesses to linear addresses (i32, or i64 in 64-bit code). */
export class RegionAccesses {
  readonly #e: AccessHost;
  /** Address of the TLB. */
  readonly #tlb: number;

  constructor(e: AccessHost) {
    this.#e = e;
    this.#tlb = e.user ? TLB.USER : TLB.SUPERVISOR;
  }

  /** Host offset of a linear address, after making sure that `bytes` bytes there can be accessed. */
  host(address: Value, bytes: number, write: boolean, number: PageNumber = -1): Value {
    const e = this.#e, { code } = e, linear = e.let(address);
    if (number < 0) {
      const find = (): Value => {
        const entry = this.#entry(linear);
        this.#check(linear, entry, bytes, write);
        return linear.wrap().add(field(entry, "i32", this.#tlb + TLB.ADDEND));
      };
      return this.#inLastPage(linear, bytes, write, find);
    }
    const page = this.#pageField(write, number), how = (write ? How.WRITES : 0) | this.#keeps();
    return this.#inPage(linear, bytes, page, e.keepsPermissions, () => {
      linear.emit(code);
      for (const argument of [bytes, how, CPU_BASE + page]) code.i32(argument);
      code.call(e.linkage.remember);
    });
  }

  /**
   * Like {@link host}, for all of a group: `lowest` is the address of its first byte, of which an access is the first one, that of a
   * table at a distance from what its group says.
   */
  establish(
    lowest: Value,
    access: GroupedAccess,
    distance: Value | null,
    write: boolean,
    number: PageNumber,
  ): Value {
    const linear = this.#e.let(lowest), { group } = access, page = this.#pageField(write || group.writes, number);
    const find = () => this.#establishSlowly(linear, access, distance, write, page);
    return this.#inPage(linear, group.bytes, page, true, find);
  }

  /** The same where the group may be in any page: the TLB is asked. What it does not allow is remembered as page `number`. */
  establishAnywhere(lowest: Value, access: GroupedAccess, write: boolean, number: PageNumber): Value {
    const e = this.#e, { code } = e, linear = e.let(lowest), { group } = access;
    const writes = write || group.writes, page = this.#pageField(writes, number);
    return this.#inLastPage(linear, group.bytes, writes, () => {
      const entry = this.#entry(linear), host = code.local("i32");
      this.#isNotAllowed(linear, entry, group.bytes, writes);
      code.unlikely();
      code.if(() => {
        const offset = code.local("i64");
        this.#find(offset, true, () => this.#establishSlowly(linear, access, null, write, page));
        Value.local("i64", offset).wrap().add(stateField("i32", page + PAGE.HOST)).emit(code);
        code.set(host);
      }, () => {
        const addend = field(entry, "i32", this.#tlb + TLB.ADDEND);
        this.#noteLastPage(linear, addend, writes);
        linear.wrap().add(addend).emit(code);
        code.set(host);
      });
      return Value.local("i32", host);
    });
  }

  /** Host offset of an address, which `find` finds if it is not in the page of the last hop. */
  #inLastPage(linear: Value, bytes: number, write: boolean, find: () => Value): Value {
    const { code, lastPages, chases } = this.#e;
    if (!chases || lastPages === null || bytes > MOST_BYTES) return find();
    const last = lastPages.of(write), host = code.local("i32");
    last.has(linear).emit(code);
    code.if(() => {
      last.host(linear).emit(code);
      code.set(host);
    }, () => {
      find().emit(code);
      code.set(host);
    });
    return Value.local("i32", host);
  }

  #noteLastPage(linear: Value, addend: Value, write: boolean): void {
    if (this.#e.chases) this.#e.lastPages?.of(write).set(linear, addend);
  }

  /** Calls {@link AccessLinkage.establish}. */
  #establishSlowly(
    linear: Value,
    { group, at, bytes }: GroupedAccess,
    distance: Value | null,
    write: boolean,
    page: number,
  ): void {
    const { code, linkage } = this.#e, writes = write || group.writes;
    const fixed = Value.i32(at - group.low), before = distance ? distance.add(fixed) : fixed;
    const how = (writes ? How.WRITES : 0) | (writes && !write ? How.READS : 0) | this.#keeps();
    linear.add(linear.type === "i64" ? before.extendU() : before).emit(code);
    for (const argument of [bytes, how, CPU_BASE + page]) code.i32(argument);
    before.emit(code);
    code.i32(group.bytes);
    code.call(linkage.establish);
  }

  /** Where the state block tells about a remembered page. */
  #pageField(write: boolean, number: PageNumber): number {
    return (write ? S.WRITE_PAGES : S.READ_PAGES) + (this.#e.user ? USER_PAGES : 0) + PAGE.SIZE * number;
  }

  #keeps(): number {
    return this.#e.keepsPermissions ? How.KEEPS : 0;
  }

  /**
   * Host offset of an address whose bytes lie in the page that is remembered at `page`. Otherwise `find` leaves the address's offset in
   * its page on the stack, after which that is remembered; if it is negative, the region is left.
   */
  #inPage(linear: Value, bytes: number, page: number, forGroup: boolean, find: () => void): Value {
    const { code } = this.#e, offset = code.local("i64"), inPage = Value.local("i64", offset);
    linear.extendU().sub(stateField("i64", page + PAGE.TAG)).emit(code);
    code.set(offset);
    (linear.type === "i64" ? this.#isOutsideWide(inPage, bytes, page) : inPage.gtU(PAGE_SIZE - bytes)).emit(code);
    code.unlikely();
    code.if(() => this.#find(offset, forGroup, find));
    return inPage.wrap().add(stateField("i32", page + PAGE.HOST));
  }

  /** Sets a local to the offset in a page that `find` leaves on the stack; leaves the region if it is negative. */
  #find(offset: number, forGroup: boolean, find: () => void): void {
    const { code } = this.#e;
    this.#e.bailIfSo(() => {
      find();
      code.tee(offset);
      code.i64(0n);
      code.op(Op.I64_LT_S);
    }, forGroup);
    this.#e.lastPages?.forget();
  }

  /**
   * Does an access at a distance from a page's address not lie in the page, or is there no page? No address of 32 bits is near
   * {@link NO_PAGE}; others can be, so their code asks.
   */
  #isOutsideWide(offset: Value, bytes: number, page: number): Value {
    if (bytes === 4 || bytes === 8) return offset.geU(stateField("i64", page + (bytes === 4 ? PAGE.END4 : PAGE.END8)));
    const both = bytes === 1 ? offset : offset.or(offset.add(bytes - 1));
    const size = new Value("i64", (code) => {
      code.i32(0);
      code.memory(Op.I64_LOAD32_U, CPU_BASE + page + PAGE.LIMIT);
    });
    return both.geU(size);
  }

  /** Offset in the TLB of the entry for a linear address. */
  #entry(linear: Value): Value {
    return this.#e.let(tlbOffset(linear));
  }

  /** Leaves 0 on the stack if the TLB entry allows an access, else 1. */
  #isNotAllowed(linear: Value, entry: Value, bytes: number, write: boolean): void {
    const { code } = this.#e, wide = linear.type === "i64";
    linear.add(bytes - 1).and(-PAGE_SIZE).emit(code);
    field(entry, wide ? "i64" : "i32", this.#tlb + (write ? TLB.WRITE : TLB.READ)).emit(code);
    code.op(wide ? Op.I64_NE : Op.I32_NE);
  }

  /** Makes sure that the TLB entry allows the access. */
  #check(linear: Value, entry: Value, bytes: number, write: boolean): void {
    const e = this.#e, { code } = e;
    this.#isNotAllowed(linear, entry, bytes, write);
    code.unlikely();
    code.if(() => {
      e.bailIfSo(() => {
        linear.emit(code);
        code.i32(bytes);
        const { fillRead, fillWrite, keepRead, keepWrite } = e.linkage;
        if (e.keepsPermissions) code.call(write ? keepWrite : keepRead);
        else code.call(write ? fillWrite : fillRead);
      }, e.keepsPermissions);
      e.lastPages?.forget();
    }, e.chases ? () => this.#noteLastPage(linear, field(entry, "i32", this.#tlb + TLB.ADDEND), write) : undefined);
  }

  /** Reads what {@link host} has allowed to read. */
  loadAt({ host, offset }: Spot, size: Size): Value {
    const value = new Value(size === 64 ? "i64" : "i32", (code) => {
      host.emit(code);
      code.memory(LOAD[size], GUEST_BASE + offset);
    });
    return this.#e.let(value);
  }

  /** Writes what {@link host} has allowed to write. */
  storeAt({ host, offset }: Spot, value: Value, size: Size): void {
    const { code } = this.#e;
    host.emit(code);
    value.emit(code);
    code.memory(STORE[size], GUEST_BASE + offset);
  }

  /** The same for the low bytes of a vector. */
  loadVectorAt({ host, offset }: Spot, bytes: 4 | 8 | 16): Value {
    return this.#e.let(
      new Value("v128", (code) => {
        host.emit(code);
        code.simdMemory(LOAD_VECTOR[bytes], GUEST_BASE + offset);
      }),
    );
  }

  /** Writes all of a vector where {@link host} has allowed it. */
  storeVectorAt({ host, offset }: Spot, value: Value): void {
    const { code } = this.#e;
    host.emit(code);
    value.emit(code);
    code.simdMemory(OpSimd.V128_STORE, GUEST_BASE + offset);
  }

  #spot(address: Value, bytes: number, write: boolean): Spot {
    return { host: this.host(address, bytes, write), offset: 0 };
  }

  load(address: Value, size: Size): Value {
    return this.loadAt(this.#spot(address, size / 8, false), size);
  }

  store(address: Value, value: Value, size: Size): void {
    this.storeAt(this.#spot(address, size / 8, true), value, size);
  }

  open(address: Value, size: Size): Place {
    return this.openAt(this.#spot(address, size / 8, true), size);
  }

  openAt({ host, offset }: Spot, size: Size): Place {
    const spot = { host: this.#e.let(host), offset };
    return { value: this.loadAt(spot, size), set: (value) => this.storeAt(spot, value, size) };
  }

  loadVector(address: Value, bytes: 4 | 8 | 16): Value {
    return this.loadVectorAt(this.#spot(address, bytes, false), bytes);
  }

  storeVector(address: Value, value: Value): void {
    this.storeVectorAt(this.#spot(address, 16, true), value);
  }

  load128(address: Value): [Value, Value] {
    const host = this.#e.let(this.host(address, 16, false));
    return [this.loadAt({ host, offset: 0 }, 64), this.loadAt({ host, offset: 8 }, 64)];
  }

  store128(address: Value, low: Value, high: Value): void {
    const host = this.#e.let(this.host(address, 16, true));
    this.storeAt({ host, offset: 0 }, low, 64);
    this.storeAt({ host, offset: 8 }, high, 64);
  }
}
