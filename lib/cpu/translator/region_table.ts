/** The regions that are there: by slot, by the place of their root, and by the ways that lead out of them. */
import { type Block, type CodeRegion, placeOf } from "../interpreter/block.ts";
import { PairMap } from "../pair_map.ts";
import type { GroupFailures } from "./group_failures.ts";
import type { LiveModule } from "./live_modules.ts";
import { REGION_SLOTS } from "./modules.ts";
import type { PageCell } from "./page_cells.ts";
import type { Site } from "./region.ts";

/** A translated region. There are thousands: it keeps little. */
export interface Region extends CodeRegion {
  readonly slot: number;
  readonly ip: number;
  readonly host: number;
  readonly key: number;
  readonly sites: Sites;
  /** The block at its root, if that leads into it. */
  patched: Block | null;
  /** Offsets in CS of all its blocks, and those to which direct ways lead out of it. */
  readonly blocks: readonly number[];
  readonly exits: readonly number[];
  readonly cells: readonly PageCell[];
  readonly generation: number;
  /** How often it was left because a group of accesses was not possible as a whole. */
  readonly failures: GroupFailures;
  /** The bytes that it was translated for, one range after another. */
  readonly code: Uint8Array;
  /** Its code is other code at present; that was so in between. */
  isDormant: boolean;
  hasSlept: boolean;
  /** The module that it is compiled in; null while it waits for that. */
  module: LiveModule | null;
}

/** The places where a region can be left, packed. */
export class Sites {
  readonly #ips: Float64Array;
  readonly #rest: Uint16Array;

  constructor(sites: readonly Site[]) {
    this.#ips = Float64Array.from(sites, ({ ip }) => ip);
    this.#rest = Uint16Array.from(
      sites,
      ({ done, unfinished, forGroup }) => unfinished * 4 + (forGroup ? 2 : 0) + (done ? 1 : 0),
    );
  }

  at(index: number): Site {
    const rest = this.#rest[index];
    return { ip: this.#ips[index], done: (rest & 1) !== 0, unfinished: rest >> 2, forGroup: (rest & 2) !== 0 };
  }
}

/** The regions of one processor. */
export class RegionTable {
  readonly #bySlot = new Map<number, Region>();
  /** Regions by their root: its place, see {@link placeOf}, and offset in CS. */
  readonly #roots = new PairMap<Region>();
  /** Regions with a way out to an offset in CS, by that offset. */
  readonly #exits = new Map<number, Set<Region>>();
  /** Regions that were removed since one was left or made: one that a system function wrote to is left only after that. */
  readonly #removed = new Map<number, Region>();
  readonly #freeSlots: number[] = [];
  #nextSlot = REGION_SLOTS.FIRST;

  get size(): number {
    return this.#bySlot.size;
  }

  /** All regions, in a list of their own. */
  get all(): Region[] {
    return [...this.#bySlot.values()];
  }

  /** A slot for a new region; -1 if all are in use. */
  takeSlot(): number {
    this.#removed.clear();
    const slot = this.#freeSlots.pop() ?? this.#nextSlot++;
    return slot < REGION_SLOTS.END ? slot : -1;
  }

  /** No region is to go to a slot that was taken. */
  returnSlot(slot: number): void {
    this.#freeSlots.push(slot);
  }

  add(region: Region): void {
    this.#bySlot.set(region.slot, region);
    this.root(region);
    for (const exit of region.exits) {
      const set = this.#exits.get(exit);
      if (set) set.add(region);
      else this.#exits.set(exit, new Set([region]));
    }
  }

  /** Lets a region that has been dormant be the one that is found at its root. */
  root(region: Region): void {
    this.#roots.set(placeOf(region.host, region.key), region.ip, region);
  }

  /** Removes a region; its slot is free again. */
  remove(region: Region): void {
    this.#bySlot.delete(region.slot);
    this.#removed.set(region.slot, region);
    const place = placeOf(region.host, region.key);
    if (this.#roots.get(place, region.ip) === region) this.#roots.delete(place, region.ip);
    for (const exit of region.exits) {
      const set = this.#exits.get(exit);
      set?.delete(region);
      if (set?.size === 0) this.#exits.delete(exit);
    }
    this.#freeSlots.push(region.slot);
  }

  /** True if a region has not been removed. */
  has(region: Region): boolean {
    return this.#bySlot.get(region.slot) === region;
  }

  /** The region, not a dormant one, whose root is at a host offset, for a mode key and an offset in CS. */
  rootedAt(host: number, key: number, ip: number): Region | undefined {
    const region = this.#roots.get(placeOf(host, key), ip);
    return region?.isDormant ? undefined : region;
  }

  /** Regions with a direct way out to an offset in CS, in a list of their own, without dormant ones. */
  leadingTo(ip: number): Region[] {
    return [...this.#exits.get(ip) ?? []].filter((region) => !region.isDormant);
  }

  /** The region in a slot that has just been left: it may have been removed while it ran. */
  left(slot: number): Region {
    const region = this.#bySlot.get(slot) ?? this.#removed.get(slot);
    if (this.#removed.size > 0) this.#removed.clear();
    if (!region) throw new Error(`a region was left that is in no slot: ${slot}`);
    return region;
  }
}
