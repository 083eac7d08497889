/** Decides what to translate and when, and keeps the regions in step with the code that they stand for. */
import type { CodeMode } from "../emit/emitter.ts";
import { type Block, framesOfRanges, placeOf } from "../interpreter/block.ts";
import type { BlockCache } from "../interpreter/blocks.ts";
import { type CompileObserver, type CpuOptions, DEFAULT_TIER, type StressOptions, type Tier } from "../options.ts";
import { PairMap } from "../pair_map.ts";
import { CompileBudget } from "./compile_budget.ts";
import { exitsOf, rangesOf, type RegionCode } from "./discovery.ts";
import { bytesOf, DormantRegions } from "./dormant_regions.ts";
import { FaultSites } from "./fault_sites.ts";
import { GroupFailures } from "./group_failures.ts";
import { HEAT, Heat } from "./heat.ts";
import { LiveModules } from "./live_modules.ts";
import type { RegionFunction, RegionModules } from "./modules.ts";
import type { RegionPlan, Site, WrittenRegion } from "./region.ts";
import { type CodeHost, RegionMaker } from "./region_maker.ts";
import { type Region, RegionTable, Sites } from "./region_table.ts";

/** What the translator asks of the processor. */
export interface TranslatorHost extends CodeHost {
  /** Instructions executed so far. */
  instructions(): number;
}

/** Regions are compiled together. */
const BATCH = 8;
/** How often a region is translated anew because it is left at a place that has become hot. */
const GENERATIONS = 2;
/** A region that has been there for so many instructions has paid for its translation. */
const PAID = 20_000_000;

/** At how many instructions groups of a region are divided because they fail there; after that, there are none. */
const MOST_ENDS = 3;

/** One processor's translator. */
export class Translator {
  #statistics = {
    regions: 0,
    modules: 0,
    bytes: 0,
    translated: 0,
    postponed: 0,
    found: 0,
    leftForInstruction: 0,
    leftForBudget: 0,
    leftForTurn: 0,
  };
  readonly #host: TranslatorHost;
  readonly #blocks: BlockCache;
  readonly #modules: RegionModules;
  readonly #tier: Tier;
  readonly #regions = new RegionTable();
  readonly #dormant = new DormantRegions();
  /** Regions whose functions are not compiled yet. */
  #pending: { region: Region; function: RegionFunction; mode: CodeMode }[] = [];
  readonly #maker: RegionMaker;
  readonly #faultSites: FaultSites;
  readonly #budget = new CompileBudget();
  readonly #live: LiveModules;
  /** By roots of regions, place, see {@link placeOf}, and offset in CS: see {@link RegionPlan.split}. */
  readonly #split = new PairMap<NonNullable<RegionPlan["split"]>>();
  readonly #stress: StressOptions;
  readonly #heat: Heat;
  readonly #observer: CompileObserver | undefined;

  constructor(
    host: TranslatorHost,
    blocks: BlockCache,
    modules: RegionModules,
    state: WebAssembly.Memory,
    { tier = DEFAULT_TIER, stress = {}, compileObserver }: CpuOptions,
  ) {
    this.#observer = compileObserver;
    this.#stress = stress;
    this.#live = new LiveModules(blocks, host.instructions, stress.codeBytes);
    this.#heat = new Heat(blocks.records, host.instructions, stress.compileSeed);
    this.#host = host;
    this.#blocks = blocks;
    this.#modules = modules;
    this.#maker = new RegionMaker(host, blocks, this.#regions, this.#heat, modules, state, tier);
    this.#faultSites = new FaultSites(state);
    this.#tier = tier;
  }

  /** After how many entries a new block is given to {@link translate}; 0 for never. */
  get heat(): number {
    return this.#tier === "auto" ? this.#heat.initial : 0;
  }

  /** True if code is translated before it runs for the first time. */
  get eager(): boolean {
    return this.#maker.eager;
  }

  /** True if code is translated whether that pays or not. */
  get #unlimited(): boolean {
    return this.eager || this.#stress.compileSeed !== undefined;
  }

  /** Counts for observers. */
  get statistics(): Record<string, number> {
    const { regions, modules, bytes, translated, ...left } = this.#statistics;
    return {
      "regions": regions,
      "regions at present": this.#regions.size,
      "regions whose code came back": left.found,
      "modules": modules,
      "modules at present": this.#live.count,
      "modules evicted": this.#live.evicted,
      "translations postponed": left.postponed,
      "instructions translated": translated,
      "bytes of WebAssembly": bytes,
      "bytes of WebAssembly at present": this.#live.bytes,
      "bytes per instruction translated": translated === 0 ? 0 : Math.round(bytes / translated),
      "regions left for an instruction": left.leftForInstruction,
      "regions left for the end of the budget": left.leftForBudget,
      "regions left for the run loop": left.leftForTurn,
    };
  }

  // ---- observation

  /** The way to `linear`, in the frame of `host`, has been looked up and is good for `mode` (S.MODE). */
  arrived(linear: number, host: number, mode: number): void {
    this.#maker.cells.arrived(linear, host, mode);
  }

  /** An indirect jump at an offset in CS went to another. */
  jumped(from: number, to: number): void {
    this.#maker.targets.note(from, to);
  }

  /**
   * Where a region was left: before an instruction for the interpreter, or because one is done that wants the run loop. With `faults`,
   * because of a page fault; compiled code knows the place from now on.
   */
  left(slot: number, site: number, faults: boolean): Site {
    const region = this.#regions.left(slot), found = region.sites.at(site);
    if (faults) this.#faultSites.keep(slot, site, found);
    else if (found.forGroup) this.#groupFailed(region, found.ip);
    if (found.done) this.#statistics.leftForTurn++;
    else if (found.unfinished === 0) this.#statistics.leftForBudget++;
    else this.#statistics.leftForInstruction++;
    return found;
  }

  /** Not all of a group of accesses was possible, so one was left to the interpreter. If that goes on, the region gets other groups. */
  #groupFailed(region: Region, ip: number): void {
    if (!region.failures.note(this.#host.instructions()) || !this.#regions.has(region)) return;
    const { patched } = region, place = placeOf(region.host, region.key), before = this.#split.get(place, region.ip);
    const ends = new Map(before === "apart" ? [] : before), offset = this.#maker.stackOffset(ip);
    const mayHelp = before !== "apart" && offset >= 0 && ends.size < MOST_ENDS && !ends.has(ip);
    this.#split.set(place, region.ip, mayHelp ? ends.set(ip, offset) : "apart");
    this.#blocks.removeRegion(region);
    if (patched?.valid) this.#heat.hotAfter(patched, HEAT.UNGROUPED);
  }

  // ---- translation

  /** A block has been entered as often as its heat said, or is about to run for the first time. */
  translate(block: Block, ip: number, mode: CodeMode): void {
    if (block.region || this.resume(block, ip, mode)) return;
    if (this.#regions.rootedAt(block.host, block.key, ip)?.module === null) return this.compile();
    if (!this.eager && !this.#heat.isHot(block)) return;
    if (!this.#unlimited && !this.#budget.allows(this.#host.instructions())) {
      this.#statistics.postponed++;
      return this.#heat.hotAfter(block, HEAT.POSTPONED);
    }
    this.#observer?.begin();
    this.#translate(block, ip, mode);
    this.#observer?.end();
  }

  /** Lets a block lead into the region that was translated for its place, if there still is one; false if not. */
  resume(block: Block, ip: number, mode: CodeMode): boolean {
    for (const region of this.#dormant.awoken(block, this.#host.memory.bytes)) this.#wake(region, mode);
    const region = this.#regions.rootedAt(block.host, block.key, ip);
    if (!region || region.module === null || region.patched?.valid) return false;
    this.#live.open(region, mode);
    return region.patched !== null;
  }

  #translate(block: Block, ip: number, mode: CodeMode): void {
    if (!this.eager && this.#extend(block, ip, mode)) return;
    // No region begins with an instruction in two pages.
    if (block.secondFrame >= 0) return;
    const code = this.#maker.discover(ip, block.key, mode, new Set());
    if (code) this.#make(block, ip, mode, 0, code);
    if (this.eager || this.#pending.length >= BATCH) this.compile();
  }

  /** If other regions lead here, they take the place in. */
  #extend(block: Block, ip: number, mode: CodeMode): boolean {
    let extended = false;
    for (const region of this.#regions.leadingTo(ip)) {
      if (region.key !== block.key || region.generation >= GENERATIONS) continue;
      const code = this.#maker.discover(region.ip, region.key, mode, new Set(region.blocks).add(ip));
      // There may be no room for more, or no way after all.
      if (!code?.blocks.some(({ instructions }) => instructions.some((found) => found.ip === ip))) continue;
      extended = this.#make(region, region.ip, mode, region.generation + 1, code) || extended;
    }
    if (!extended) return false;
    this.#heat.hotAfter(block, HEAT.EXTENDED);
    if (this.#pending.length >= BATCH) this.compile();
    return true;
  }

  /** Translates the code of a region at a place; false if that cannot be. */
  #make(
    { host, key }: { readonly host: number; readonly key: number },
    ip: number,
    mode: CodeMode,
    generation: number,
    code: RegionCode,
  ): boolean {
    if (code.blocks[0].instructions[0].host !== host) return false;
    const old = this.#regions.rootedAt(host, key, ip);
    if (old) this.#blocks.removeRegion(old);
    const slot = this.#regions.takeSlot();
    this.#faultSites.clear();
    if (slot < 0) {
      this.clear();
      return false;
    }
    const written = this.#maker.write(code, mode, key, this.#split.get(placeOf(host, key), ip), slot);
    if (!written) {
      this.#regions.returnSlot(slot);
      return false;
    }
    const ranges = rangesOf(code), { instructions } = this.#host, since = instructions();
    const region: Region = {
      slot,
      ip,
      host,
      key,
      blocks: code.blocks.map((block) => block.ip),
      exits: exitsOf(code),
      cells: written.cells,
      generation,
      failures: new GroupFailures(),
      sites: new Sites(written.sites),
      ranges,
      frames: framesOfRanges(ranges),
      get young() {
        return !region.hasSlept && instructions() - since < PAID;
      },
      code: bytesOf({ ranges }, this.#host.memory.bytes),
      isDormant: false,
      hasSlept: false,
      patched: null,
      module: null,
      voided: () => this.#voided(region, false),
      rewritten: (constants) => this.#rewritten(region, constants),
      closed: () => region.patched = null,
    };
    this.#add(region, code, written, mode);
    return true;
  }

  #add(region: Region, code: RegionCode, written: WrittenRegion, mode: CodeMode): void {
    if (!this.#unlimited) this.#takeIn(region, code);
    this.#regions.add(region);
    this.#blocks.addRegion(region);
    this.#pending.push({ region, function: { slot: region.slot, body: written.body }, mode });
    this.#statistics.regions++;
    this.#statistics.translated += written.translated;
    this.#budget.spend(written.translated);
  }

  /** Lets the blocks that begin in a region wait: also those in the middle of straight code that is too long for one of them. */
  #takeIn(region: Region, { blocks }: RegionCode): void {
    for (const { instructions } of blocks) {
      for (const { host, ip } of instructions) {
        const block = ip === region.ip ? undefined : this.#blocks.find(host, region.key, ip);
        if (block && !block.region) this.#heat.hotAfter(block, HEAT.TAKEN_IN);
      }
    }
  }

  /** Compiles what is waiting, and lets it run. */
  compile(): void {
    if (this.#pending.length === 0) return;
    const live = this.#pending.filter(({ region }) => this.#regions.has(region));
    this.#pending = [];
    if (live.length === 0) return;
    this.#observer?.begin();
    const bytes = this.#modules.instantiate(live.map((p) => p.function));
    this.#observer?.end();
    this.#statistics.modules++;
    this.#statistics.bytes += bytes;
    this.#live.add(bytes, live.map(({ region }) => region));
    for (const { region, mode } of live) if (!region.isDormant) this.#live.open(region, mode);
    if (this.#regions.size >= (this.#stress.evictEvery ?? Infinity)) this.clear();
  }

  // ---- the end of regions

  /** The code of a region is other code now, or has got new constants. */
  #rewritten(region: Region, constants: boolean): void {
    if (constants) return this.#voided(region, true);
    this.#leave(region, false);
    region.isDormant = true;
    for (const gone of this.#dormant.add(region)) this.#voided(gone, false);
  }

  /** The code of a dormant region is there again. */
  #wake(region: Region, mode: CodeMode): void {
    if (this.#regions.rootedAt(region.host, region.key, region.ip)) return this.#voided(region, false);
    this.#dormant.delete(region);
    region.isDormant = false;
    region.hasSlept = true;
    this.#statistics.found++;
    this.#regions.root(region);
    this.#blocks.addRegion(region);
    if (region.module) this.#live.open(region, mode);
  }

  /** Lets no block lead into a region any more; `sooner` if one at its root is sure to be wanted again. */
  #leave(region: Region, sooner: boolean): void {
    const root = region.patched ?? this.#blocks.find(region.host, region.key, region.ip);
    if (region.patched) this.#blocks.leaveRegion(region.patched);
    region.patched = null;
    if (root?.valid) this.#blocks.coolDown(root, region, sooner);
  }

  /** A region is gone; `sooner` as in {@link #leave}. */
  #voided(region: Region, sooner: boolean): void {
    if (region.isDormant) this.#dormant.delete(region);
    else this.#leave(region, sooner);
    for (const cell of region.cells) this.#maker.cells.release(cell);
    this.#live.remove(region);
    this.#regions.remove(region);
    this.#modules.release(region.slot);
  }

  /** Drops all regions. */
  clear(): void {
    for (const region of this.#regions.all) this.#blocks.removeRegion(region);
    this.#pending = [];
    this.#maker.targets.clear();
    this.#split.clear();
  }

  /** Forgets which code pages are known to be where they were. */
  forgetPages(): void {
    this.#maker.cells.forget();
  }
}
