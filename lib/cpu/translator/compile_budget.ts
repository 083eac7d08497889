/**
 * Keeps translating in proportion to what runs: time is not known here, so instructions translated are weighed against
 * instructions executed. What is worth it does not wait long; what comes all at once is spread out.
 */

/** Instructions executed for which one may be translated: about as much time each, when translations are at their slowest. */
const EXECUTED_PER_TRANSLATED = 1500;
/** Instructions that may be translated at once: some 20 ms. */
const MOST_AT_ONCE = 1500;
/** What a region costs beside its instructions, in instructions. */
const PER_REGION = 10;

/** One processor's budget. */
export class CompileBudget {
  #credit = MOST_AT_ONCE;
  #seen = 0;

  /** True if a region may be translated now, after `executed` instructions in all. */
  allows(executed: number): boolean {
    // A state that was loaded may have executed fewer.
    const since = Math.max(0, executed - this.#seen);
    this.#seen = executed;
    this.#credit = Math.min(MOST_AT_ONCE, this.#credit + since / EXECUTED_PER_TRANSLATED);
    return this.#credit > 0;
  }

  /** A region of that many instructions was translated. */
  spend(instructions: number): void {
    this.#credit -= PER_REGION + instructions;
  }
}
