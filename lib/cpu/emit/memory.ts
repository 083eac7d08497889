/**
 * Memory accesses in emitted code: the inline TLB test with its slow path in TypeScript.
 *
 * The tag compare includes the page-crossing test: the address of the last byte, rounded to its page, must equal the tag
 * of the first byte's page.
 */
import { PAGE_SHIFT, PAGE_SIZE } from "../../machine/memory.ts";
import { type Code, Op, OpSimd } from "../../wasm/mod.ts";
import { GUEST_BASE, TLB } from "../interpreter/layout.ts";
import { S } from "../state.ts";
import type { Place, Size } from "./emitter.ts";
import { Value } from "./value.ts";

/** What memory code needs of an emitter. */
export interface MemoryHost {
  readonly code: Code;
  let(value: Value): Value;
  /** The state block's address. */
  base(): Value;
  /** Calls a TypeScript slow path; a fault leaves the function. */
  slow(name: string, ...args: Value[]): Value;
  asNumber(value: Value): Value;
  state(offset: number, kind: "i32" | "i64"): Value;
  setState(offset: number, kind: "i32" | "i64", value: Value): void;
}

const LOAD: Record<Size, number> = { 8: Op.I32_LOAD8_U, 16: Op.I32_LOAD16_U, 32: Op.I32_LOAD, 64: Op.I64_LOAD };
/** Loads into a v128 whose other bytes become zero. */
const LOAD_VECTOR = { 4: OpSimd.V128_LOAD32_ZERO, 8: OpSimd.V128_LOAD64_ZERO, 16: OpSimd.V128_LOAD };
const STORE: Record<Size, number> = { 8: Op.I32_STORE8, 16: Op.I32_STORE16, 32: Op.I32_STORE, 64: Op.I64_STORE };

/** Offset of the TLB entry for a linear address in a table, i32. */
export function tlbOffset(linear: Value): Value {
  return linear.wrap().shrU(PAGE_SHIFT - TLB.ENTRY_SHIFT).and((TLB.ENTRIES - 1) << TLB.ENTRY_SHIFT);
}

/** Emits accesses to linear addresses (i32, or i64 in 64-bit code). */
export class MemoryAccess {
  readonly #e: MemoryHost;

  constructor(e: MemoryHost) {
    this.#e = e;
  }

  /** Address of the TLB entry for a linear address. */
  #entry(linear: Value): Value {
    return this.#e.let(tlbOffset(linear).add(this.#e.state(S.TLB, "i32")));
  }

  /** Does the entry not allow this access? i32. */
  #misses(linear: Value, entry: Value, bytes: number, tag: number): Value {
    const page = linear.add(bytes - 1).and(-PAGE_SIZE);
    const wide = linear.type === "i64";
    const stored = new Value(wide ? "i64" : "i32", (code) => {
      entry.emit(code);
      code.memory(wide ? Op.I64_LOAD : Op.I32_LOAD, tag);
    });
    return page.ne(stored);
  }

  /** Host offset of a linear address whose entry matched. */
  #host(linear: Value, entry: Value): Value {
    const addend = new Value("i32", (code) => {
      entry.emit(code);
      code.memory(Op.I32_LOAD, TLB.ADDEND);
    });
    return linear.wrap().add(addend);
  }

  #guestLoad(host: Value, size: Size): Value {
    return new Value(size === 64 ? "i64" : "i32", (code) => {
      host.emit(code);
      code.memory(LOAD[size], GUEST_BASE);
    });
  }

  #guestStore(host: Value, value: Value, size: Size, offset = 0): void {
    host.emit(this.#e.code);
    value.emit(this.#e.code);
    this.#e.code.memory(STORE[size], GUEST_BASE + offset);
  }

  #slowLoad(name: string, linear: Value, size: Size): Value {
    const result = this.#e.slow(`${name}${size}`, this.#e.asNumber(linear));
    return size === 64 ? this.#e.state(S.SCRATCH, "i64") : result;
  }

  #slowStore(linear: Value, value: Value, size: Size): void {
    if (size === 64) {
      this.#e.setState(S.SCRATCH, "i64", value);
      this.#e.slow("store64", this.#e.asNumber(linear));
    } else this.#e.slow(`store${size}`, this.#e.asNumber(linear), value);
  }

  /** Runs `slow` if `missed` (i32), which hardly ever is so, else `fast`. */
  #unless(missed: Value, fast: () => void, slow: () => void): void {
    missed.emit(this.#e.code);
    this.#e.code.unlikely();
    this.#e.code.if(slow, fast);
  }

  load(address: Value, size: Size): Value {
    const e = this.#e, linear = e.let(address), entry = this.#entry(linear);
    const type = size === 64 ? "i64" : "i32";
    const result = e.code.local(type);
    this.#unless(this.#misses(linear, entry, size / 8, TLB.READ), () => {
      this.#guestLoad(this.#host(linear, entry), size).emit(e.code);
      e.code.set(result);
    }, () => {
      this.#slowLoad("load", linear, size).emit(e.code);
      e.code.set(result);
    });
    return Value.local(type, result);
  }

  store(address: Value, data: Value, size: Size): void {
    const e = this.#e, linear = e.let(address), value = e.let(data), entry = this.#entry(linear);
    const store = () => this.#guestStore(this.#host(linear, entry), value, size);
    this.#unless(this.#misses(linear, entry, size / 8, TLB.WRITE), store, () => {
      // Stacks and variables of 16-bit programs often share a page with code.
      this.#misses(linear, entry, size / 8, TLB.BESIDE).or(this.#marked(linear, entry, size)).emit(e.code);
      e.code.if(() => this.#slowStore(linear, value, size), store);
    });
  }

  /** Does a byte of the access belong to decoded code? i32; false only makes sense for an entry with a BESIDE tag. */
  #marked(linear: Value, entry: Value, size: Size): Value {
    const marks = new Value("i32", (code) => {
      entry.emit(code);
      code.memory(Op.I32_LOAD, TLB.MARKS);
    });
    const at = marks.add(linear.wrap().and(PAGE_SIZE - 1));
    const marked = new Value(size === 64 ? "i64" : "i32", (code) => {
      at.emit(code);
      code.memory(LOAD[size], 0);
    });
    return marked.ne(0);
  }

  /** Reads with write permission; the write that follows cannot fault. */
  open(address: Value, size: Size): Place {
    const e = this.#e, linear = e.let(address), entry = this.#entry(linear);
    const type = size === 64 ? "i64" : "i32";
    const result = e.code.local(type), host = e.code.local("i32");
    const missed = e.let(this.#misses(linear, entry, size / 8, TLB.WRITE));
    this.#unless(missed, () => {
      this.#host(linear, entry).emit(e.code);
      e.code.tee(host);
      e.code.memory(LOAD[size], GUEST_BASE);
      e.code.set(result);
    }, () => {
      this.#slowLoad("open", linear, size).emit(e.code);
      e.code.set(result);
      // Else what the local is here would be what another handler has left in it: V8 would keep that from handler to handler.
      e.code.i32(0);
      e.code.set(host);
    });
    return {
      value: Value.local(type, result),
      set: (data) => {
        const value = e.let(data);
        this.#unless(
          missed,
          () => this.#guestStore(Value.local("i32", host), value, size),
          () => this.#slowStore(linear, value, size),
        );
      },
    };
  }

  /** `bytes` bytes as the low ones of a v128. */
  loadVector(address: Value, bytes: 4 | 8 | 16): Value {
    const e = this.#e, linear = e.let(address), entry = this.#entry(linear);
    const result = e.code.local("v128");
    this.#unless(this.#misses(linear, entry, bytes, TLB.READ), () => {
      this.#host(linear, entry).emit(e.code);
      e.code.simdMemory(LOAD_VECTOR[bytes], GUEST_BASE);
      e.code.set(result);
    }, () => {
      const found = e.slow(`load${8 * bytes}`, e.asNumber(linear));
      if (bytes === 4) e.setState(S.SCRATCH, "i32", found);
      e.base().emit(e.code);
      e.code.simdMemory(LOAD_VECTOR[bytes], S.SCRATCH);
      e.code.set(result);
    });
    return Value.local("v128", result);
  }

  /** All 16 bytes of a v128. */
  storeVector(address: Value, data: Value): void {
    const e = this.#e, linear = e.let(address), value = e.let(data), entry = this.#entry(linear);
    this.#unless(this.#misses(linear, entry, 16, TLB.WRITE), () => {
      this.#host(linear, entry).emit(e.code);
      value.emit(e.code);
      e.code.simdMemory(OpSimd.V128_STORE, GUEST_BASE);
    }, () => {
      e.base().emit(e.code);
      value.emit(e.code);
      e.code.simdMemory(OpSimd.V128_STORE, S.SCRATCH);
      e.slow("store128", e.asNumber(linear));
    });
  }

  /** Two halves of 16 bytes; one fast path when they lie in one page. */
  load128(address: Value): [Value, Value] {
    const e = this.#e, linear = e.let(address), entry = this.#entry(linear);
    const low = e.code.local("i64"), high = e.code.local("i64");
    this.#unless(this.#misses(linear, entry, 16, TLB.READ), () => {
      const host = e.let(this.#host(linear, entry));
      for (const [local, offset] of [[low, 0], [high, 8]]) {
        host.emit(e.code);
        e.code.memory(Op.I64_LOAD, GUEST_BASE + offset);
        e.code.set(local);
      }
    }, () => {
      e.slow("load128", e.asNumber(linear));
      e.state(S.SCRATCH, "i64").emit(e.code);
      e.code.set(low);
      e.state(S.SCRATCH + 8, "i64").emit(e.code);
      e.code.set(high);
    });
    return [Value.local("i64", low), Value.local("i64", high)];
  }

  store128(address: Value, lowValue: Value, highValue: Value): void {
    const e = this.#e, linear = e.let(address), low = e.let(lowValue), high = e.let(highValue);
    const entry = this.#entry(linear);
    this.#unless(this.#misses(linear, entry, 16, TLB.WRITE), () => {
      const host = e.let(this.#host(linear, entry));
      this.#guestStore(host, low, 64);
      this.#guestStore(host, high, 64, 8);
    }, () => {
      e.setState(S.SCRATCH, "i64", low);
      e.setState(S.SCRATCH + 8, "i64", high);
      e.slow("store128", e.asNumber(linear));
    });
  }
}
