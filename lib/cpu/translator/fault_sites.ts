/** Where page faults have made regions leave, for compiled code that enters the handlers: see {@link FAULT_SITES}. */
import { FAULT_SITES } from "../interpreter/layout.ts";
import type { Site } from "./region.ts";

const { BASE, ENTRIES, MULTIPLIER, SHIFT, ENTRY_SHIFT } = FAULT_SITES;

/** A table of sites; what is not in it is looked up. */
export class FaultSites {
  readonly #words: Int32Array;
  #isEmpty = true;

  constructor(state: WebAssembly.Memory) {
    this.#words = new Int32Array(state.buffer, BASE, (ENTRIES << ENTRY_SHIFT) >> 2);
  }

  /** Remembers a site of the region in a slot. */
  keep(slot: number, number: number, { ip, unfinished }: Site): void {
    const words = this.#words, at = (Math.imul(8 * slot + number, MULTIPLIER) >>> SHIFT) << (ENTRY_SHIFT - 2);
    words[at + (FAULT_SITES.REGION >> 2)] = slot;
    words[at + (FAULT_SITES.SITE >> 2)] = number;
    words[at + (FAULT_SITES.IP >> 2)] = ip;
    words[at + (FAULT_SITES.IP >> 2) + 1] = Math.floor(ip / 2 ** 32);
    words[at + (FAULT_SITES.UNFINISHED >> 2)] = unfinished;
    this.#isEmpty = false;
  }

  /** Forgets all sites: a slot is another region's now. */
  clear(): void {
    if (this.#isEmpty) return;
    this.#words.fill(0);
    this.#isEmpty = true;
  }
}
