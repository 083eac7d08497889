/** What instructions of a region leave in the arithmetic flags, and what they read of them. */
import type { Size } from "../emit/emitter.ts";
import { type FlagState, LazyFlags } from "../emit/flags.ts";
import type { RotateOperation, ShiftOperation } from "../emit/shift_flags.ts";
import type { Value } from "../emit/value.ts";
import { S } from "../state.ts";
import type { FlagTracker } from "./flags.ts";

/** What flags need of the emitter. */
export interface FlagHost {
  let(value: Value): Value;
  state: FlagState["state"];
}

/** The flags of one instruction after the other. */
export class InstructionFlags {
  readonly #host: FlagHost;
  readonly #flags: FlagTracker;
  /** The current instruction leaves flags that cannot be seen. */
  #areDead = false;
  /** The operands of the current instruction alone do not tell the carry out. */
  #hasCarryIn = false;

  constructor(host: FlagHost, flags: FlagTracker) {
    this.#host = host;
    this.#flags = flags;
  }

  /** Starts an instruction. */
  begin(mnemonic: string, areDead: boolean): void {
    this.#areDead = areDead;
    this.#hasCarryIn = mnemonic === "adc" || mnemonic === "sbb";
  }

  /** Writes the two words of the state block's form: `write` is called if they can be seen. */
  lazily(write: (flags: LazyFlags) => void): void {
    if (this.#areDead) return;
    const host = this.#host, known = this.#flags;
    let old: { res: Value; aux: Value } | null = null, res: Value | null = null, aux: Value | null = null;
    const previous = () => {
      if (!old) {
        const raw = known.raw();
        old = { res: host.let(raw.res), aux: host.let(raw.aux) };
      }
      return old;
    };
    const words: FlagState = {
      let: (value) => host.let(value),
      state: (offset, kind) => {
        if (offset === S.FLAG_RES) return previous().res;
        return offset === S.FLAG_AUX ? previous().aux : host.state(offset, kind);
      },
      setState: (offset, _kind, value) => {
        if (offset === S.FLAG_RES) res = value;
        else aux = value;
      },
    };
    write(new LazyFlags(words));
    known.setRaw(res ?? previous().res, aux ?? previous().aux);
  }

  add(a: Value, b: Value, result: Value, size: Size): void {
    if (this.#areDead) return;
    if (!this.#hasCarryIn) return this.#flags.set("add", size, a, b, result);
    this.lazily((flags) => flags.add(a, b, this.#host.let(result), size));
  }
  sub(a: Value, b: Value, result: Value, size: Size): void {
    if (this.#areDead) return;
    if (!this.#hasCarryIn) return this.#flags.set("sub", size, a, b, result);
    this.lazily((flags) => flags.sub(a, b, this.#host.let(result), size));
  }
  logic(result: Value, size: Size): void {
    if (!this.#areDead) this.#flags.set("logic", size, null, null, result);
  }
  product(product: Value): void {
    if (!this.#areDead) this.#flags.set("product", 64, null, null, product);
  }
  shift(operation: ShiftOperation, a: Value, count: Value, result: Value, size: Size): void {
    if (!this.#areDead) this.#flags.set(operation, size, a, count, result);
  }
  rotate(operation: RotateOperation, result: Value, size: Size): void {
    if (!this.#areDead) this.#flags.rotate(operation, size, result);
  }
  step(operation: "inc" | "dec", result: Value, size: Size): void {
    if (!this.#areDead) this.#flags.step(operation, size, result);
  }

  /** The arithmetic flags as EFLAGS has them. */
  image(): Value {
    const host = this.#host, { res, aux } = this.#flags.raw();
    const words = [host.let(res), host.let(aux)];
    const state: FlagState = {
      let: (value) => host.let(value),
      state: (offset, kind) =>
        offset === S.FLAG_RES ? words[0] : offset === S.FLAG_AUX ? words[1] : host.state(offset, kind),
      setState: () => {},
    };
    return new LazyFlags(state).image();
  }
}
