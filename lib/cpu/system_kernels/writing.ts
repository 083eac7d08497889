/** What the kernels for interrupts are written with: functions that give 1, or 0 if something is not usual, with nothing changed. */
import { PAGE_SIZE } from "../../machine/memory.ts";
import { type Code, Op } from "../../wasm/mod.ts";
import type { StateKind } from "../emit/emitter.ts";
import { LazyFlags } from "../emit/flags.ts";
import { tlbOffset } from "../emit/memory.ts";
import { STATE_LOAD, STATE_STORE } from "../emit/state_field.ts";
import { Value } from "../emit/value.ts";
import { CPU_BASE, GUEST_BASE, TLB } from "../interpreter/layout.ts";

/** A local of 32 bits that is set more than once. */
export class Variable {
  readonly #code: Code;
  readonly #local: number;

  constructor(code: Code) {
    this.#code = code;
    this.#local = code.local("i32");
  }

  get value(): Value {
    return Value.local("i32", this.#local);
  }

  set(value: Value): void {
    value.emit(this.#code);
    this.#code.set(this.#local);
  }
}

/** Writes one function. */
export class KernelWriter {
  readonly code: Code;
  readonly flags: LazyFlags = new LazyFlags(this);

  constructor(code: Code) {
    this.code = code;
  }

  /** Evaluates now, into a local. */
  let(value: Value): Value {
    return value.evaluated(this.code);
  }

  /** A local that is set more than once; 0 at first. */
  variable(initial?: Value): Variable {
    const variable = new Variable(this.code);
    if (initial) variable.set(initial);
    return variable;
  }

  /** One of two values, of which only that is evaluated. */
  choose(condition: Value, then: Value, otherwise: Value): Value {
    const { code } = this;
    return this.let(
      new Value(then.type, () => {
        condition.emit(code);
        code.if(() => then.emit(code), () => otherwise.emit(code), then.type === "i64" ? "i64" : "i32");
      }),
    );
  }

  if(condition: Value, then: () => void, otherwise?: () => void): void {
    condition.emit(this.code);
    this.code.if(then, otherwise);
  }

  /** Ends the function with a result. */
  return(result: Value): void {
    result.emit(this.code);
    this.code.op(Op.RETURN);
  }

  /** Gives up unless the condition holds. */
  require(condition: Value): void {
    this.if(condition.eqz(), () => this.return(Value.i32(0)));
  }

  // ---- memory

  /** A word at an address in the state memory. */
  load(address: Value, offset: number, kind: StateKind): Value {
    return new Value(kind === "i64" ? "i64" : "i32", (code) => {
      address.emit(code);
      code.memory(STATE_LOAD[kind], offset);
    });
  }

  store(address: Value, offset: number, kind: StateKind, value: Value): void {
    address.emit(this.code);
    value.emit(this.code);
    this.code.memory(STATE_STORE[kind], offset);
  }

  /** A field of the state block as it is now. */
  state(offset: number, kind: StateKind): Value {
    return this.let(this.load(Value.i32(0), CPU_BASE + offset, kind));
  }
  setState(offset: number, kind: StateKind, value: Value): void {
    this.store(Value.i32(0), CPU_BASE + offset, kind, value);
  }

  /** Guest memory at a host offset. */
  guest(host: Value, offset: number, kind: StateKind = "i32"): Value {
    return this.let(this.load(host, GUEST_BASE + offset, kind));
  }
  setGuest(host: Value, offset: number, kind: StateKind, value: Value): void {
    this.store(host, GUEST_BASE + offset, kind, value);
  }

  /**
   * Host offset of bytes at a linear address (i64) that the supervisor may read (or write) unseen, as far as the TLB knows; gives up if
   * that is not so.
   */
  place(linear: Value, bytes: Value | number, write: boolean): Value {
    const address = this.let(linear), entry = this.let(tlbOffset(address).add(TLB.SUPERVISOR));
    const last = typeof bytes === "number" ? address.add(bytes - 1) : address.add(bytes.extendU()).sub(1);
    this.require(last.and(-PAGE_SIZE).eq(this.load(entry, write ? TLB.WRITE : TLB.READ, "i64")));
    return this.let(address.wrap().add(this.load(entry, TLB.ADDEND, "i32")));
  }
}
