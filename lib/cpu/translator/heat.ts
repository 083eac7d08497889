/** Decides when a block has run often enough to be translated, and to be translated along with another one. */
import type { Block } from "../interpreter/block.ts";
import type { BlockRecords } from "../interpreter/block_records.ts";

/** After how many entries a block is looked at. */
const LOOK = 2000;
/**
 * It is translated if it has been entered at least once in so many instructions since it was looked at last: what runs as often as that has
 * most of its time before it. A hundred thousand page faults, or as many messages through a pipe, take a fifth less time by this.
 */
const DENSE = 20_000;
/**
 * At which look it is translated in any case. Until an instruction has been compiled by us and twice by V8, the interpreter executes it some
 * ten thousand times: if three looks were enough, processes that come and go would take a tenth longer.
 */
const LOOKS = 8;
/** After how many entries a block is worth being translated along with another one: a quarter to a half of what regions reach has fewer. */
const WARM = 100;
/** Most entries where their number is drawn at random. */
const MOST_RANDOM = 400;

/** After how many entries a block is hot that does not wait for a look. */
export const HEAT = {
  /** It could not be translated because too much was. */
  POSTPONED: 2 * LOOK,
  /**
   * A new region takes it in: all blocks of a loop become hot at nearly the same time, and one region is enough for them. Only where the
   * region is not what leads there, it is not.
   */
  TAKEN_IN: LOOKS * LOOK / 2,
  /** Regions that lead to it have taken it in: who comes there in spite of that comes from elsewhere. */
  EXTENDED: 4 * LOOKS * LOOK,
  /** Its region is to be translated again without groups of accesses that fail. */
  UNGROUPED: 16,
} as const;

/** The heat of one processor's blocks. */
export class Heat {
  readonly #records: BlockRecords;
  readonly #instructions: () => number;
  #random: number | undefined;

  /** `instructions` says how many have been executed; `seed` as {@link StressOptions.compileSeed}. */
  constructor(records: BlockRecords, instructions: () => number, seed: number | undefined) {
    this.#records = records;
    this.#instructions = instructions;
    this.#random = seed;
  }

  /** After how many entries a new block is looked at. */
  get initial(): number {
    if (this.#random === undefined) return LOOK;
    this.#random = (Math.imul(this.#random, 1664525) + 1013904223) | 0;
    return 1 + (this.#random >>> 16) % MOST_RANDOM;
  }

  /** True if a block that has been entered so often is to be translated now; if not, it will be looked at again. */
  isHot(block: Block): boolean {
    if (this.#random !== undefined || block.looks >= LOOKS) return true;
    const now = this.#instructions(), since = now - block.lookedAt;
    block.lookedAt = now;
    block.looks = since <= DENSE * LOOK ? LOOKS : block.looks + 1;
    if (block.looks >= LOOKS) return true;
    this.#records.setHeat(block, LOOK);
    return false;
  }

  /** Lets a block be hot after so many more entries, one of {@link HEAT}. */
  hotAfter(block: Block, entries: number): void {
    block.looks = LOOKS;
    this.#records.setHeat(block, entries);
  }

  /** True if a block has been entered often enough to be translated along with others. */
  isWarm(block: Block): boolean {
    return this.#random !== undefined || block.looks > 0 || this.#records.heat(block) <= LOOK - WARM;
  }
}
