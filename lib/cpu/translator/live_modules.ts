/** Keeps the compiled modules that are in use, and drops others when there are too many. */
import type { CodeMode } from "../emit/emitter.ts";
import type { BlockCache } from "../interpreter/blocks.ts";
import type { Region } from "./region_table.ts";

/** What a module costs beside its bytes, in such: tables for jumps, what is imported, and memory in whole pages. */
const MODULE_OVERHEAD = 8 << 10;
/** Size of live modules, with that, at which room is made. V8 needs about four times as much for them. */
const MOST_BYTES = 48 << 20;
/** Which part of it may be left then. */
const KEPT = 3 / 4;
/** After which part of it in new modules all regions have to show again that they are in use. */
const PROBED = 1 / 4;
/** After how many entries a block leads into its region again while that has to show it. */
const PROBE_HEAT = 16;

/** A compiled module with regions that are still good. */
export interface LiveModule {
  readonly bytes: number;
  readonly regions: Set<Region>;
  /** False if no block has led into one of its regions since {@link LiveModules.keepInUse} last asked for that. */
  used: boolean;
}

/** The compiled modules of one processor, and the ways from blocks into their regions. */
export class LiveModules {
  readonly #blocks: BlockCache;
  readonly #mostBytes: number;
  /** The oldest first. */
  readonly #modules = new Set<LiveModule>();
  #bytes = 0;
  /** Size of the modules that came since all regions were closed. */
  #newSize = 0;
  /** Modules that were dropped to make room. */
  evicted = 0;

  constructor(blocks: BlockCache, mostBytes: number = MOST_BYTES) {
    this.#blocks = blocks;
    this.#mostBytes = mostBytes;
  }

  get size(): number {
    return this.#modules.size;
  }

  /** Bytes of all modules. */
  get bytes(): number {
    return this.#bytes;
  }

  /** A module of `bytes` bytes was compiled. */
  add(bytes: number, regions: readonly Region[]): void {
    this.#bytes += bytes;
    this.#newSize += bytes + MODULE_OVERHEAD;
    const module: LiveModule = { bytes, regions: new Set(regions), used: true };
    this.#modules.add(module);
    for (const region of regions) region.module = module;
  }

  /** A region is gone. So is a module that holds no region any more: nothing leads to its functions. */
  remove(region: Region): void {
    const { module } = region;
    if (!module?.regions.delete(region) || module.regions.size > 0) return;
    this.#modules.delete(module);
    this.#bytes -= module.bytes;
  }

  /** What the modules cost, in bytes of modules. */
  get #size(): number {
    return this.#bytes + MODULE_OVERHEAD * this.#modules.size;
  }

  /** Lets the block at the region's root lead into it. */
  open(region: Region, mode: CodeMode): void {
    const { host, key, ip, slot } = region, block = this.#blocks.find(host, key, ip);
    if (!block || !block.valid || block.region) return;
    this.#blocks.records.enterRegion(block, region, slot, ip, mode);
    region.patched = block;
    if (region.module) region.module.used = true;
  }

  #close(region: Region): void {
    const { patched } = region;
    region.patched = null;
    if (!patched) return;
    this.#blocks.leaveRegion(patched);
    if (patched.valid) this.#blocks.records.setHeat(patched, PROBE_HEAT);
  }

  /** Makes room if there are too many modules; finds out from time to time which ones are in use. */
  keepInUse(): void {
    if (this.#size > this.#mostBytes) this.#makeRoom();
    else if (this.#newSize > PROBED * this.#mostBytes) this.#probe();
  }

  /** Closes all regions, so that those in use can be told: their blocks soon lead into them again. */
  #probe(): void {
    for (const module of this.#modules) {
      module.used = false;
      for (const region of module.regions) this.#close(region);
    }
    this.#newSize = 0;
  }

  /** Drops modules that are not in use, then others, the oldest first, until enough room is left. */
  #makeRoom(): void {
    for (const wanted of [false, true]) {
      for (const module of this.#modules) {
        if (this.#size <= KEPT * this.#mostBytes) break;
        if (module.used !== wanted) continue;
        for (const region of [...module.regions]) this.#blocks.removeRegion(region);
        this.evicted++;
      }
    }
    this.#probe();
  }
}
