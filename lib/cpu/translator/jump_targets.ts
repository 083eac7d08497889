/** Where indirect jumps have been seen to lead. */

/** Most targets of an indirect jump that are remembered. */
const MOST_TARGETS = 96;
/** Places of indirect jumps whose targets are remembered; at more, all are forgotten. */
const MOST_JUMPS = 20_000;

/** Targets of indirect jumps by the place of the jump; both are offsets in CS. */
export class JumpTargets {
  readonly #targets = new Map<number, Set<number>>();

  /** An indirect jump at `from` went to `to`. */
  note(from: number, to: number): void {
    let targets = this.#targets.get(from);
    if (!targets) {
      if (this.#targets.size >= MOST_JUMPS) this.#targets.clear();
      this.#targets.set(from, targets = new Set());
    }
    if (targets.size < MOST_TARGETS) targets.add(to);
  }

  /** Where the jump at an offset has led, in a list of its own. */
  of(from: number): number[] {
    return [...this.#targets.get(from) ?? []];
  }

  /** Forgets all. */
  clear(): void {
    this.#targets.clear();
  }
}
