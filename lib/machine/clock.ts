/**
 * The virtual clock: guest time as a function of the processor's cycles, and the queue of what devices want to do later.
 *
 * Events are data (device name, event name, time, argument), so that a snapshot holds them and a restored machine
 * continues exactly where it was.
 */
import { checkState, StateError } from "./state.ts";
import type { Clock } from "./types.ts";

/**
 * How fast guest time runs: `ns` nanoseconds pass while `instructions` instructions retire. Both are positive integers.
 * An instruction is a cycle; PAUSE is a hundred and more.
 */
export interface ClockRate {
  readonly ns: number;
  readonly instructions: number;
}

/** A pending event. */
export type ClockEvent = {
  /** Name of the device that is called. */
  device: string;
  event: string;
  /** Time in ns at which it is due. */
  at: number;
  argument: number;
  /** Orders events that are due at the same time: the one scheduled first comes first. */
  order: number;
};

/** What the clock needs to know of the processor. */
export interface InstructionCounter {
  /** Cycles since power-on without those in HLT, exact to the instruction that is executing. */
  readonly cycles: number;
  /** Called when an event earlier than the end of the running slice was scheduled. */
  requestBreak(): void;
}

/** Everything mutable in the clock. */
export type ClockState = {
  /** Time in ns that passed without instructions: while the processor was halted. */
  skipped: number;
  /** Next value of {@link ClockEvent.order}. */
  order: number;
  events: ClockEvent[];
};

/** Latest time and largest count that a saved clock may show, far enough below 2^53 for a clock to go on exactly. */
const LATEST = 2 ** 52;

/**
 * Checks what a clock's saved state says beyond its shape, and the processor's saved instruction count.
 *
 * @throws StateError naming what is wrong.
 */
export function checkClockState(state: ClockState, instructions: number): void {
  const count = (value: unknown, path: string) => {
    if (!Number.isSafeInteger(value) || (value as number) < 0 || (value as number) > LATEST) {
      throw new StateError(`${path}: ${value} is not a time or count that there can be`);
    }
  };
  count(instructions, "cpu.instructions");
  count(state.skipped, "clock.skipped");
  count(state.order, "clock.order");
  state.events.forEach((event, i) => {
    checkState(EVENT, event, `clock.events[${i}]`);
    count(event.at, `clock.events[${i}].at`);
    count(event.order, `clock.events[${i}].order`);
  });
}

/** What every event looks like. */
const EVENT: ClockEvent = { device: "", event: "", at: 0, argument: 0, order: 0 };

/** Virtual time of one machine. */
export class MachineClock implements Clock {
  readonly state: ClockState = { skipped: 0, order: 0, events: [] };
  readonly rate: ClockRate;
  #counter: InstructionCounter;
  #nextDue = Infinity;
  #sliceEnd = Infinity;

  constructor(counter: InstructionCounter, rate: ClockRate = { ns: 1, instructions: 1 }) {
    if (
      !Number.isSafeInteger(rate.ns) || rate.ns < 1 || !Number.isSafeInteger(rate.instructions) || rate.instructions < 1
    ) {
      throw new RangeError(
        `a clock rate is two positive integers, not ${rate.ns} ns / ${rate.instructions} instructions`,
      );
    }
    this.#counter = counter;
    this.rate = rate;
  }

  /** Time that passed without instructions, in ns. */
  get skipped(): number {
    return this.state.skipped;
  }

  get ns(): number {
    return this.rate.ns;
  }

  get instructions(): number {
    return this.rate.instructions;
  }

  get now(): number {
    return this.state.skipped + Math.floor(this.#counter.cycles * this.rate.ns / this.rate.instructions);
  }

  /** Time at which the earliest pending event is due; `Infinity` if there is none. */
  get nextDue(): number {
    return this.#nextDue;
  }

  /** Tells the clock until when the processor is about to run undisturbed; events before that request a break. */
  set sliceEnd(time: number) {
    this.#sliceEnd = time;
  }

  /** The number of cycles that must pass from now on for `time` to be reached; at least 0. */
  instructionsUntil(time: number): number {
    const { ns, instructions } = this.rate;
    if (time === Infinity) return Infinity;
    const total = Math.ceil((time - this.state.skipped) * instructions / ns);
    return Math.max(0, total - this.#counter.cycles);
  }

  /** Lets time jump ahead to `time` without instructions; a time that has passed changes nothing. */
  skipTo(time: number): void {
    const missing = time - this.now;
    if (missing > 0) this.state.skipped += missing;
  }

  schedule(device: string, event: string, at: number, argument = 0): void {
    // An event never comes due at the instant at which it is scheduled, so that handling events always ends.
    at = Math.max(at, this.now + 1);
    const order = this.state.order++;
    const pending = this.#find(device, event);
    if (pending === undefined) {
      this.state.events.push({ device, event, at, argument, order });
    } else {
      pending.at = at;
      pending.argument = argument;
      pending.order = order;
    }
    this.#findNextDue();
    if (at < this.#sliceEnd) this.#counter.requestBreak();
  }

  cancel(device: string, event: string): void {
    const { events } = this.state;
    const index = events.findIndex((pending) => pending.device === device && pending.event === event);
    if (index < 0) return;
    events.splice(index, 1);
    this.#findNextDue();
  }

  /** Removes and returns the earliest event that is due by now, or undefined. */
  takeDue(): ClockEvent | undefined {
    if (this.#nextDue > this.now) return undefined;
    const { events } = this.state;
    let first = 0;
    for (let i = 1; i < events.length; i++) {
      const difference = events[i].at - events[first].at;
      if (difference < 0 || (difference === 0 && events[i].order < events[first].order)) first = i;
    }
    const [due] = events.splice(first, 1);
    this.#findNextDue();
    return due;
  }

  /** Forgets every event. Time goes on: a reset of the machine does not turn the clock back. */
  clear(): void {
    this.state.events.length = 0;
    this.#findNextDue();
  }

  /** Called after `state` was restored. */
  restored(): void {
    this.#sliceEnd = Infinity;
    this.#findNextDue();
  }

  #find(device: string, event: string): ClockEvent | undefined {
    return this.state.events.find((pending) => pending.device === device && pending.event === event);
  }

  #findNextDue(): void {
    let next = Infinity;
    for (const { at } of this.state.events) if (at < next) next = at;
    this.#nextDue = next;
  }
}
