/**
 * Counts how often groups of accesses fail in a region. One fails where its bytes do not lie in one page, as with a function's variables when
 * the end of a page happens to come between them.
 */

/** How often in how many instructions they may fail. It costs some hundred instructions each time. */
const MOST = 300, INSTRUCTIONS = 10_000_000;

/** The failures of one region's groups. */
export class GroupFailures {
  #since = 0;
  #count = 0;

  /** A group has failed, after `now` instructions in all; true if that happens too often. */
  note(now: number): boolean {
    if (now - this.#since > INSTRUCTIONS) {
      this.#since = now;
      this.#count = 0;
    }
    return ++this.#count >= MOST;
  }
}
