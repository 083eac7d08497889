/** Conversion between the clock's nanoseconds and the ticks of an oscillator, exact for as long as nanoseconds are (104 days). */

const SECOND = 1_000_000_000;

/** An oscillator that starts with the machine. */
export class Frequency {
  /** `hertz` must be an integer of at most 9,000,000, so that products stay exact. */
  constructor(readonly hertz: number) {}

  /** Whole ticks that have passed at time `ns`. */
  ticks(ns: number): number {
    const seconds = Math.floor(ns / SECOND);
    return seconds * this.hertz + Math.floor((ns - seconds * SECOND) * this.hertz / SECOND);
  }

  /** The first nanosecond at which `ticks` whole ticks have passed. */
  time(ticks: number): number {
    const seconds = Math.floor(ticks / this.hertz);
    return seconds * SECOND + Math.ceil((ticks - seconds * this.hertz) * SECOND / this.hertz);
  }
}
