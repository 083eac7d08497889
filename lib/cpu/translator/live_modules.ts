/** Keeps the compiled modules that are in use, and drops others when there are too many. */
import type { CodeMode } from "../emit/emitter.ts";
import type { BlockCache } from "../interpreter/blocks.ts";
import type { Region } from "./region_table.ts";

/** What a module costs beside its bytes, in such: tables for jumps, what is imported, and memory in whole pages. */
const MODULE_OVERHEAD = 8 << 10;
/** Size of live modules, with that, at which others make room. V8 needs about four times as much for them. */
const MOST_BYTES = 48 << 20;
/** Each time that new modules have come which are such a part of it, a module has to show again how soon it is used. */
const PROBED = 1 / 4;
/** After how many entries a block leads into its region again while that has to show it. */
const PROBE_HEAT = 16;

/** A compiled module with regions that are still good. */
export interface LiveModule {
  readonly size: number;
  readonly regions: Set<Region>;
  /** When it last had to show how soon it is used: size of all modules that had come, and instructions. */
  probed: number;
  closed: number;
  /** After how many instructions a block then led into one of its regions, -1 if none has so far. */
  delay: number;
}

/** The compiled modules of one processor, and the ways from blocks into their regions. */
export class LiveModules {
  readonly #blocks: BlockCache;
  readonly #instructions: () => number;
  readonly #mostBytes: number;
  /** In the order in which they have to show how soon they are used. */
  readonly #modules = new Set<LiveModule>();
  #size = 0;
  /** Size of all modules that have come. */
  #added = 0;
  /** Modules that were dropped to make room. */
  evicted = 0;

  /** `instructions` says how many have been executed. */
  constructor(blocks: BlockCache, instructions: () => number, mostBytes: number = MOST_BYTES) {
    this.#blocks = blocks;
    this.#instructions = instructions;
    this.#mostBytes = mostBytes;
  }

  /** How many modules there are. */
  get count(): number {
    return this.#modules.size;
  }

  /** Bytes of all modules. */
  get bytes(): number {
    return this.#size - MODULE_OVERHEAD * this.#modules.size;
  }

  /** A module of `bytes` bytes was compiled. Others make room for it if there are too many. */
  add(bytes: number, regions: readonly Region[]): void {
    const size = bytes + MODULE_OVERHEAD;
    while (this.#size + size > this.#mostBytes && this.#modules.size > 0) this.#evict();
    this.#size += size;
    this.#added += size;
    const module: LiveModule = {
      size,
      regions: new Set(regions),
      probed: this.#added,
      closed: this.#instructions(),
      delay: 0,
    };
    for (const region of regions) region.module = module;
    this.#modules.add(module);
    this.#probe();
  }

  /** A region is gone. So is a module that holds no region any more: nothing leads to its functions. */
  remove(region: Region): void {
    const { module } = region;
    if (!module?.regions.delete(region) || module.regions.size > 0) return;
    if (this.#modules.delete(module)) this.#size -= module.size;
  }

  /** Lets the block at the region's root lead into it. */
  open(region: Region, mode: CodeMode): void {
    const { host, key, ip, slot, module } = region, block = this.#blocks.find(host, key, ip);
    if (!block || !block.valid || block.region) return;
    this.#blocks.records.enterRegion(block, region, slot, ip, mode);
    region.patched = block;
    if (module && module.delay < 0) module.delay = this.#instructions() - module.closed;
  }

  #close(region: Region): void {
    const { patched } = region;
    region.patched = null;
    if (!patched) return;
    this.#blocks.leaveRegion(patched);
    if (patched.valid) this.#blocks.records.setHeat(patched, PROBE_HEAT);
  }

  /** Closes the regions of the modules whose turn it is: how soon blocks lead into them again shows how much they are used. */
  #probe(): void {
    for (const module of this.#modules) {
      if (this.#added - module.probed < PROBED * this.#mostBytes) break;
      module.probed = this.#added;
      module.closed = this.#instructions();
      module.delay = -1;
      for (const region of module.regions) this.#close(region);
      this.#modules.delete(module);
      this.#modules.add(module);
    }
  }

  /** Drops the module that is used least. */
  #evict(): void {
    const now = this.#instructions();
    let longest = -1, coldest: LiveModule | null = null;
    for (const module of this.#modules) {
      const delay = module.delay < 0 ? now - module.closed : module.delay;
      if (delay <= longest) continue;
      longest = delay;
      coldest = module;
    }
    for (const region of [...coldest?.regions ?? []]) this.#blocks.removeRegion(region);
    this.evicted++;
  }
}
