/** The pages in which a region's loops found their last objects, see chases.ts. */
import { PAGE_SIZE } from "../../machine/memory.ts";
import type { Code, ValueType } from "../../wasm/mod.ts";
import { Value } from "../emit/value.ts";

/** Most bytes of an access that is looked for in such a page. */
export const MOST_BYTES = 64;
/** Offsets in the page at which so many bytes are sure to lie in it are less than this. */
const LIMIT = PAGE_SIZE - MOST_BYTES + 1;

/** Locals of a page that may be read, or of one that may be written. */
export class LastPage {
  readonly #code: Code;
  readonly #page: number;
  readonly #addend: number;
  /** 0 if there is no page, else {@link LIMIT}. */
  readonly #limit: number;

  /** `type` is that of linear addresses. */
  constructor(code: Code, type: ValueType) {
    this.#code = code;
    this.#page = code.local(type);
    this.#addend = code.local("i32");
    this.#limit = code.local(type);
  }

  /** 1 if an access at an address lies in the page. */
  has(linear: Value): Value {
    return linear.sub(Value.local(linear.type, this.#page)).ltU(Value.local(linear.type, this.#limit));
  }

  /** Host offset of an address in the page. */
  host(linear: Value): Value {
    return linear.wrap().add(Value.local("i32", this.#addend));
  }

  /** The page is that of an address, which `addend` turns into a host offset. */
  set(linear: Value, addend: Value): void {
    linear.and(-PAGE_SIZE).emit(this.#code);
    this.#code.set(this.#page);
    addend.emit(this.#code);
    this.#code.set(this.#addend);
    this.#setLimit(linear.type, LIMIT);
  }

  /** There is no page any more. */
  forget(type: ValueType): void {
    this.#setLimit(type, 0);
  }

  #setLimit(type: ValueType, limit: number): void {
    if (type === "i64") this.#code.i64(BigInt(limit));
    else this.#code.i32(limit);
    this.#code.set(this.#limit);
  }
}

/** The two pages of a region. */
export class LastPages {
  readonly #type: ValueType;
  readonly #read: LastPage;
  readonly #written: LastPage;

  constructor(code: Code, type: ValueType) {
    this.#type = type;
    this.#read = new LastPage(code, type);
    this.#written = new LastPage(code, type);
  }

  of(write: boolean): LastPage {
    return write ? this.#written : this.#read;
  }

  /** What the TLB allows may have changed. */
  forget(): void {
    this.#read.forget(this.#type);
    this.#written.forget(this.#type);
  }
}
