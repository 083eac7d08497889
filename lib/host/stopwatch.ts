/** Measures work by the host's clock. */

/** Adds up the time of work that is bracketed by {@link begin} and {@link end}; what is nested counts once. */
export class Stopwatch {
  readonly #now: () => number;
  #depth = 0;
  #started = 0;
  #total = 0;
  #longest = 0;

  /** `now` is the clock, in ms; default: the host's. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  begin(): void {
    if (this.#depth++ === 0) this.#started = this.#now();
  }

  end(): void {
    if (--this.#depth > 0) return;
    const time = this.#now() - this.#started;
    this.#total += time;
    this.#longest = Math.max(this.#longest, time);
  }

  /** Time of all work so far, in ms. */
  get total(): number {
    return this.#total;
  }

  /** Time of the longest piece of work, in ms. */
  get longest(): number {
    return this.#longest;
  }
}
