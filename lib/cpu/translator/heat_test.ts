import { assertEquals } from "@std/assert";
import type { Block } from "../interpreter/block.ts";
import type { BlockRecords } from "../interpreter/block_records.ts";
import { HEAT, Heat } from "./heat.ts";

/** A block that is entered once in so many instructions, with the heat of new ones. */
class Entered {
  readonly #heats = new Map<Block, number>();
  readonly block = { looks: 0, lookedAt: 0 } as Block;
  readonly heat: Heat;
  entries = 0;

  constructor(public interval: number, seed?: number) {
    const records = {
      setHeat: (block: Block, heat: number) => void this.#heats.set(block, heat),
      heat: (block: Block) => this.#heats.get(block)!,
    };
    this.heat = new Heat(records as BlockRecords, () => this.entries * this.interval, seed);
    records.setHeat(this.block, this.heat.initial);
  }

  /** Enters the block so many times, or until it is hot; true if it is. */
  enter(times = Infinity): boolean {
    for (let i = 0; i < times; i++) {
      this.entries++;
      const left = this.#heats.get(this.block)! - 1;
      this.#heats.set(this.block, left);
      if (left === 0 && this.heat.isHot(this.block)) return true;
    }
    return false;
  }
}

/** After how many entries a block is hot that is entered once in so many instructions. */
function hotAfter(interval: number): number {
  const entered = new Entered(interval);
  entered.enter();
  return entered.entries;
}

Deno.test("Heat: what runs densely is hot soon, and what comes now and then much later", () => {
  const dense = hotAfter(5000), sparse = hotAfter(200_000);
  assertEquals([hotAfter(1), hotAfter(20_000)], [dense, dense]);
  assertEquals(hotAfter(20_001), sparse);
  assertEquals(sparse, 8 * dense);
});

Deno.test("Heat: what becomes dense need not wait any longer", () => {
  const entered = new Entered(1_000_000), dense = hotAfter(1);
  assertEquals(entered.enter(3 * dense), false);
  entered.interval = 1;
  // Time is less now than it was then.
  entered.block.lookedAt = entered.entries;
  assertEquals(entered.enter(), true);
  assertEquals(entered.entries, 4 * dense);
});

Deno.test("Heat: a block that was given a number of entries is hot after these", () => {
  const entered = new Entered(1_000_000);
  entered.heat.hotAfter(entered.block, HEAT.POSTPONED);
  entered.enter();
  assertEquals(entered.entries, HEAT.POSTPONED);
});

Deno.test("Heat: blocks are worth being translated along with others once they have run a hundred times", () => {
  const entered = new Entered(1_000_000);
  entered.enter(99);
  assertEquals(entered.heat.isWarm(entered.block), false);
  entered.enter(1);
  assertEquals(entered.heat.isWarm(entered.block), true);
  entered.enter(hotAfter(1) - 100);
  assertEquals([entered.block.looks, entered.heat.isWarm(entered.block)], [1, true]);
});

Deno.test("Heat: drawn at random, it does not depend on time, and everything is worth translating", () => {
  const entered = new Entered(1_000_000, 7), { initial } = new Heat({} as BlockRecords, () => 0, 7);
  assertEquals(entered.heat.isWarm(entered.block), true);
  entered.enter();
  assertEquals(entered.entries, initial);
});
