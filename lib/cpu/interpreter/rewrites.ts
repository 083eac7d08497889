/**
 * What writes to code have taught: which instructions get new constants again and again, how far blocks were from being hot when
 * their bytes changed, and where code was translated in vain. No result depends on it.
 */

/** How often an instruction must have got new constants to be known for it. */
const OFTEN = 2;
/** Most that {@link Rewrites.patience} gives. */
const MOST_PATIENCE = 6;
/** Instructions without a change of a frame's code after which what is known of the frame counts half. */
const QUIET = 20_000_000;
/** Most instructions, and most frames, that are remembered. */
const MOST = 8192;
/** Places whose heat is remembered: one for each remainder. A prime. */
const PLACES = 4093;

/** A frame whose code was rewritten. */
interface RewrittenFrame {
  /** How often that happened, and how often it happened to what had been translated in vain. */
  writes: number;
  inVain: number;
  /** Up to when quiet time has been taken into account, in instructions. */
  at: number;
}

/** What is known about changes of one processor's code. */
export class Rewrites {
  readonly #now: () => number;
  /** How often instructions have got new constants, by host offset. */
  readonly #constants = new Map<number, number>();
  /** After how many more entries blocks would have been hot, and their places. */
  readonly #heats = new Int32Array(PLACES);
  readonly #places = new Float64Array(PLACES);
  readonly #frames = new Map<number, RewrittenFrame>();

  /** `now` gives the number of instructions that have been executed. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** The instruction at a host offset is the same one with other constants now. */
  noteConstants(host: number): void {
    const before = this.#constants.get(host) ?? 0;
    if (before === 0 && this.#constants.size >= MOST) this.#constants.clear();
    if (before < OFTEN) this.#constants.set(host, before + 1);
  }

  /** True if the instruction at a host offset gets new constants again and again. */
  varies(host: number): boolean {
    return this.#constants.get(host) === OFTEN;
  }

  /** Code in a frame has become other code; `inVain` if some of it had been translated, and that has not paid. */
  noteCode(frame: number, inVain: boolean): void {
    let found = this.#frame(frame);
    if (!found) {
      if (this.#frames.size >= MOST) this.#frames.clear();
      this.#frames.set(frame, found = { writes: 0, inVain: 0, at: 0 });
    }
    found.writes++;
    if (inVain) found.inVain = Math.min(found.inVain + 1, MOST_PATIENCE);
    found.at = this.#now();
  }

  /** How often code of a frame became other code of late. */
  writes(frame: number): number {
    return this.#frame(frame)?.writes ?? 0;
  }

  /** How often the number of entries after which code of a frame is hot is to be doubled. */
  patience(frame: number): number {
    return this.#frame(frame)?.inVain ?? 0;
  }

  #frame(frame: number): RewrittenFrame | undefined {
    const found = this.#frames.get(frame);
    if (!found) return undefined;
    // A state that was loaded may have executed fewer.
    const halvings = Math.min(31, Math.floor(Math.max(0, this.#now() - found.at) / QUIET));
    found.writes >>>= halvings;
    found.inVain = Math.max(0, found.inVain - halvings);
    found.at += halvings * QUIET;
    return found;
  }

  /** A block at a place has become void; after `heat` more entries it would have been hot, unless that is not positive. */
  noteHeat(place: number, heat: number): void {
    if (heat <= 0) return;
    this.#places[place % PLACES] = place;
    this.#heats[place % PLACES] = heat;
  }

  /** What was noted last about a place, unless that was long ago; 0 if nothing was. */
  heat(place: number): number {
    return this.#places[place % PLACES] === place ? this.#heats[place % PLACES] : 0;
  }

  /** Forgets everything. */
  clear(): void {
    this.#constants.clear();
    this.#heats.fill(0);
    this.#frames.clear();
  }
}
