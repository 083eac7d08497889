/** A map by two numbers. */

/** Values by pairs of numbers, which need not fit into one number together. */
export class PairMap<Value> {
  readonly #rows = new Map<number, Map<number, Value>>();

  /** The value of a pair, if there is one. */
  get(first: number, second: number): Value | undefined {
    return this.#rows.get(first)?.get(second);
  }

  /** Gives a pair a value. */
  set(first: number, second: number, value: Value): void {
    const row = this.#rows.get(first);
    if (row) row.set(second, value);
    else this.#rows.set(first, new Map([[second, value]]));
  }

  /** Forgets a pair. */
  delete(first: number, second: number): void {
    const row = this.#rows.get(first);
    if (row?.delete(second) && row.size === 0) this.#rows.delete(first);
  }

  /** The second numbers and values of all pairs with the first number; they may be deleted one by one. */
  with(first: number): Iterable<[number, Value]> {
    return this.#rows.get(first) ?? [];
  }

  /** Forgets all pairs. */
  clear(): void {
    this.#rows.clear();
  }
}
