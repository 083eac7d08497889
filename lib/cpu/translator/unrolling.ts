/**
 * Writes short loops several times in a row: looking at the budget, V8's own check, and bringing locals to where a loop expects them take
 * as long as a few instructions do. And what is known about registers and memory behind one time round is known in the next.
 */
import type { RegionBlock } from "./discovery.ts";

/** Most times that a loop is written, and most instructions that this makes of it. */
const MOST_COPIES = 4, MOST_INSTRUCTIONS = 48;

/** How often a block is written one behind the other; 1 if it does not lead to itself. */
export function timesOf({ ip, instructions }: RegionBlock): number {
  const last = instructions.at(-1);
  if (last?.flow !== "branch" || last.target !== ip) return 1;
  return Math.max(1, Math.min(MOST_COPIES, Math.floor(MOST_INSTRUCTIONS / instructions.length)));
}

/** The same block, of instructions that can be told from those of the other one. */
export function copyOf({ ip, instructions }: RegionBlock): RegionBlock {
  return { ip, instructions: instructions.map((current) => ({ ...current, instruction: { ...current.instruction } })) };
}

/** Blocks of a region. */
export interface Unrolled {
  /** Those that there were, and behind them what was added. */
  readonly blocks: readonly RegionBlock[];
  /** By block: the index of the one that its way to itself leads to. */
  readonly again: readonly number[];
}

/**
 * Adds copies of the blocks that lead to themselves, so that each leads to the next one and the last to the first, except for those at
 * some indices.
 */
export function unroll(blocks: readonly RegionBlock[], except: ReadonlySet<number>): Unrolled {
  const all = [...blocks], again = blocks.map((_, i) => i);
  blocks.forEach((block, first) => {
    if (except.has(first)) return;
    for (let last = first, count = timesOf(block); count > 1; count--) {
      again[last] = all.push(copyOf(block)) - 1;
      last = again[last];
      again[last] = first;
    }
  });
  return { blocks: all, again };
}
