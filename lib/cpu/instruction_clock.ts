/** Counts instructions and cycles: the processor's time. */
import type { TimeScale } from "../machine/processor.ts";
import type { Registers } from "./registers.ts";
import type { RunningCode } from "./running_code.ts";
import { S } from "./state.ts";

/** The time of one processor; during a run it follows from what is left of the budget. */
export class InstructionClock {
  readonly #r: Registers;
  readonly #running: RunningCode;
  /** Instructions and stalled cycles before this run. */
  #retired = 0;
  #stalled = 0;
  /** Budget at the start of the run; retired = #retired + #granted - budget left. */
  #granted = 0;

  constructor(r: Registers, running: RunningCode) {
    this.#r = r;
    this.#running = running;
  }

  /** Instructions retired. */
  get instructions(): number {
    const { budget, unfinished } = this.#running;
    return this.#retired + this.#granted - budget - unfinished - this.#r.i32(S.STALLED);
  }

  /** One for each instruction, and those that none retired in. */
  get cycles(): number {
    return this.instructions + this.#stalled + this.#r.i32(S.STALLED);
  }

  /** Starts a run of at most `budget` instructions. */
  start(budget: number, scale: TimeScale): void {
    const r = this.#r;
    r.setI32(S.BUDGET, budget);
    r.setFloat(S.TIME_SKIPPED, scale.skipped);
    r.setFloat(S.TIME_NS, scale.ns);
    r.setFloat(S.TIME_INSTRUCTIONS, scale.instructions);
    this.#grant(budget);
  }

  #grant(budget: number): void {
    this.#granted = budget;
    this.#r.setFloat(S.TIME_CYCLES, this.#retired + this.#stalled + budget);
  }

  /** Ends a run. */
  finish(): void {
    const r = this.#r, stalled = r.i32(S.STALLED);
    this.#retired += this.#granted - r.i32(S.BUDGET) - stalled;
    this.#stalled += stalled;
    r.setI32(S.STALLED, 0);
    this.#granted = 0;
    r.setI32(S.BUDGET, 0);
  }

  /** Takes `count` instructions from what was granted to the run; they are to be taken from the budget, too. */
  setAside(count: number): void {
    this.#grant(this.#granted - count);
  }

  /** Sets the time between runs. */
  set(instructions: number, cycles: number): void {
    this.#retired = instructions;
    this.#stalled = cycles - instructions;
  }
}
