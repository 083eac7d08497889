/** Values of the state block that a region computes where it is entered, and anew after what may change them. */
import type { Code } from "../../wasm/mod.ts";
import type { StateReader, Steady } from "../emit/emitter.ts";
import { Value } from "../emit/value.ts";
import { stateField } from "../emit/state_field.ts";

/** The state block as it is in memory. */
const STATE_BLOCK: StateReader = {
  state: (offset, kind) => {
    if (kind !== "i32") throw new Error(`a steady value of ${kind}`);
    return stateField(kind, offset);
  },
};

/** The locals of a region's steady values. */
export class SteadyLocals {
  readonly #code: Code;
  readonly #locals: ReadonlyMap<Steady, number>;

  constructor(code: Code, values: readonly Steady[]) {
    this.#code = code;
    this.#locals = new Map(values.map((value) => [value, code.local(value(STATE_BLOCK).type)]));
  }

  /** The local of a value; null if it has none. */
  value(value: Steady): Value | null {
    const local = this.#locals.get(value);
    return local === undefined ? null : Value.local(value(STATE_BLOCK).type, local);
  }

  /** Computes a value, if it has a local. */
  compute(value: Steady): void {
    const local = this.#locals.get(value);
    if (local === undefined) return;
    value(STATE_BLOCK).emit(this.#code);
    this.#code.set(local);
  }

  computeAll(): void {
    for (const value of this.#locals.keys()) this.compute(value);
  }
}
