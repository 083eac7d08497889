/** Counts what happens around compiled code, for who tunes it. */
import { COUNTERS } from "./interpreter/layout.ts";

/** What the values of {@link Exit} mean to a reader; 0 stands for exceptions. */
const EXIT_NAMES = [
  "exception",
  "budget",
  "unknown jump",
  "run loop's turn",
  "end of a slice",
  "before an instruction",
  "left to the interpreter",
  "hot block",
];

/** Counts of one processor since it was made; no result depends on them. */
export class RunStatistics {
  readonly #view: DataView;
  /** How often compiled code has returned, by {@link Exit}. */
  readonly #exits = new Array<number>(EXIT_NAMES.length).fill(0);
  /** Instructions that regions have taken from the budget, but not executed. */
  #notInRegions = 0;
  /** Instructions before the state was loaded that others have executed. */
  #elsewhere = 0;

  constructor(state: WebAssembly.Memory) {
    this.#view = new DataView(state.buffer);
  }

  /** Compiled code has returned with an {@link Exit}, or 0 for an exception. */
  exited(exit: number): void {
    this.#exits[exit]++;
  }

  /** A region was left before `count` instructions that it has taken from the budget. */
  unfinishedInRegion(count: number): void {
    this.#notInRegions += count;
  }

  /** `count` of the processor's instructions were executed by another one. */
  executedElsewhere(count: number): void {
    this.#elsewhere += count;
  }

  /** Of `instructions`, how many were executed in which way. */
  executed(instructions: number): Record<string, number> {
    const inRegions = Number(this.#view.getBigInt64(COUNTERS.IN_REGIONS, true)) - this.#notInRegions;
    return {
      "instructions interpreted": instructions - this.#elsewhere - inRegions,
      "instructions in regions": inRegions,
    };
  }

  /** How often compiled code has returned, and why. */
  get exits(): Record<string, number> {
    return Object.fromEntries(this.#exits.map((count, exit) => [`exits: ${EXIT_NAMES[exit]}`, count]));
  }
}
