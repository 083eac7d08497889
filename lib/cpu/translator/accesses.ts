/**
 * Memory accesses of regions: the inline TLB test; what it does not cover, the interpreter does.
 *
 * A miss fills the TLB and goes on. Accesses that no TLB entry allows (device memory, watched or missing pages, across a page's end)
 * leave the region before their instruction, of which nothing has happened yet then.
 */
import { type Code, Op, OpSimd } from "../../wasm/mod.ts";
import type { Place, Size } from "../emit/emitter.ts";
import { Value } from "../emit/value.ts";
import { CPU_BASE, GUEST_BASE, TLB } from "../interpreter/layout.ts";
import { PAGE, S, USER_PAGES } from "../state.ts";

const LOAD: Record<Size, number> = { 8: Op.I32_LOAD8_U, 16: Op.I32_LOAD16_U, 32: Op.I32_LOAD, 64: Op.I64_LOAD };
const STORE: Record<Size, number> = { 8: Op.I32_STORE8, 16: Op.I32_STORE16, 32: Op.I32_STORE, 64: Op.I64_STORE };
const LOAD_VECTOR = { 4: OpSimd.V128_LOAD32_ZERO, 8: OpSimd.V128_LOAD64_ZERO, 16: OpSimd.V128_LOAD };

/** What memory code needs of a region's emitter. */
export interface AccessHost {
  readonly code: Code;
  /** The region runs with the user's privilege. */
  readonly user: boolean;
  readonly linkage: AccessLinkage;
  let(value: Value): Value;
  /** Leaves the region before the current instruction if the condition that `emit` leaves on the stack is not 0. */
  bailIfSo(emit: () => void): void;
}

/** Functions that accesses call. */
export interface AccessLinkage {
  /**
   * (linear address, bytes) → 1 if the region must be left for the access, 0 if the TLB allows it now, or a write this once: it
   * must follow at once then.
   */
  readonly fillRead: number;
  readonly fillWrite: number;
  /** (linear address, bytes, write, address of a remembered page) → the address's offset in its page, which is now remembered; -1 if the region must be left. */
  readonly remember: number;
}

/** A field of the state block; a constant address needs no bounds check. */
function stateField(type: "i32" | "i64", offset: number): Value {
  return new Value(type, (code) => {
    code.i32(0);
    code.memory(type === "i64" ? Op.I64_LOAD : Op.I32_LOAD, CPU_BASE + offset);
  });
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
      const entry = this.#entry(linear);
      this.#check(linear, entry, bytes, write);
      return linear.wrap().add(field(entry, "i32", this.#tlb + TLB.ADDEND));
    }
    const page = (write ? S.WRITE_PAGES : S.READ_PAGES) + (e.user ? USER_PAGES : 0) + PAGE.SIZE * number;
    const offset = code.local("i64"), inPage = Value.local("i64", offset);
    linear.extendU().sub(stateField("i64", page + PAGE.TAG)).emit(code);
    code.set(offset);
    this.#isOutside(inPage, bytes, linear.type === "i64" ? page + PAGE.LIMIT : -1).emit(code);
    code.unlikely();
    code.if(() =>
      e.bailIfSo(() => {
        linear.emit(code);
        code.i32(bytes);
        code.i32(write ? 1 : 0);
        code.i32(CPU_BASE + page);
        code.call(e.linkage.remember);
        code.tee(offset);
        code.i64(0n);
        code.op(Op.I64_LT_S);
      })
    );
    return inPage.wrap().add(stateField("i32", page + PAGE.HOST));
  }

  /**
   * Does an access at a distance from a page's address not lie in the page? No address of 32 bits is near {@link NO_PAGE}; others
   * can be: their code (`limit` is where to find the page's size) asks whether there is a page.
   */
  #isOutside(offset: Value, bytes: number, limit: number): Value {
    if (limit < 0) return offset.gtU(4096 - bytes);
    const both = bytes === 1 ? offset : offset.or(offset.add(bytes - 1));
    const size = new Value("i64", (code) => {
      code.i32(0);
      code.memory(Op.I64_LOAD32_U, CPU_BASE + limit);
    });
    return both.geU(size);
  }

  /** Offset in the TLB of the entry for a linear address. */
  #entry(linear: Value): Value {
    return this.#e.let(linear.shrU(12 - TLB.ENTRY_SHIFT).wrap().and((TLB.ENTRIES - 1) << TLB.ENTRY_SHIFT));
  }

  /** Makes sure that the TLB entry allows the access. */
  #check(linear: Value, entry: Value, bytes: number, write: boolean): void {
    const e = this.#e, { code } = e, wide = linear.type === "i64";
    linear.add(bytes - 1).and(-4096).emit(code);
    field(entry, wide ? "i64" : "i32", this.#tlb + (write ? TLB.WRITE : TLB.READ)).emit(code);
    code.op(wide ? Op.I64_NE : Op.I32_NE);
    code.unlikely();
    code.if(() =>
      e.bailIfSo(() => {
        linear.emit(code);
        code.i32(bytes);
        code.call(write ? e.linkage.fillWrite : e.linkage.fillRead);
      })
    );
  }

  #read(host: Value, size: Size): Value {
    const value = new Value(size === 64 ? "i64" : "i32", (code) => {
      host.emit(code);
      code.memory(LOAD[size], GUEST_BASE);
    });
    return this.#e.let(value);
  }

  #write(host: Value, value: Value, size: Size): void {
    const { code } = this.#e;
    host.emit(code);
    value.emit(code);
    code.memory(STORE[size], GUEST_BASE);
  }

  load(address: Value, size: Size, number: PageNumber = -1): Value {
    return this.#read(this.host(address, size / 8, false, number), size);
  }

  store(address: Value, value: Value, size: Size, number: PageNumber = -1): void {
    this.#write(this.host(address, size / 8, true, number), value, size);
  }

  open(address: Value, size: Size, number: PageNumber = -1): Place {
    const host = this.#e.let(this.host(address, size / 8, true, number));
    return { value: this.#read(host, size), set: (value) => this.#write(host, value, size) };
  }

  loadVector(address: Value, bytes: 4 | 8 | 16): Value {
    const host = this.host(address, bytes, false);
    return this.#e.let(
      new Value("v128", (code) => {
        host.emit(code);
        code.simdMemory(LOAD_VECTOR[bytes], GUEST_BASE);
      }),
    );
  }

  storeVector(address: Value, value: Value): void {
    const { code } = this.#e;
    this.host(address, 16, true).emit(code);
    value.emit(code);
    code.simdMemory(OpSimd.V128_STORE, GUEST_BASE);
  }

  load128(address: Value): [Value, Value] {
    const host = this.#e.let(this.host(address, 16, false));
    return [this.#read(host, 64), this.#read(host.add(8), 64)];
  }

  store128(address: Value, low: Value, high: Value): void {
    const host = this.#e.let(this.host(address, 16, true));
    this.#write(host, low, 64);
    this.#write(host.add(8), high, 64);
  }
}
