/** Decides what to translate and when, and keeps the regions in step with the code that they stand for. */
import type { PhysicalMemory } from "../../machine/memory.ts";
import type { Instruction } from "../decode/mod.ts";
import type { CodeMode } from "../emit/emitter.ts";
import type { Block, CodeRegion } from "../interpreter/block.ts";
import type { BlockCache } from "../interpreter/blocks.ts";
import type { ModelDecoder } from "../model_decoder.ts";
import { type CompileObserver, type CpuOptions, DEFAULT_TIER, type StressOptions, type Tier } from "../options.ts";
import { CompileBudget } from "./compile_budget.ts";
import { type CodeView, discover, type Limits, type RegionCode } from "./discovery.ts";
import { UnexpectedRegister } from "./emitter.ts";
import { NO_CELL, type PageCell, PageCells } from "./page_cells.ts";
import { REGION_SLOTS, type RegionFunction, type RegionModules } from "./modules.ts";
import { RegionWriter, type Site, type WrittenRegion } from "./region.ts";

const PAGE_SIZE = 4096;

/** What the translator asks of the processor. */
export interface TranslatorHost {
  readonly memory: PhysicalMemory;
  readonly decode: ModelDecoder;
  /** Host offset of the code at a linear address if that is known without walking page tables, else -1. */
  knownCode(linear: number): number;
  /** Linear address of an offset in CS. */
  linear(ip: number): number;
  /** Instructions executed so far. */
  instructions(): number;
}

/** A translated region. There are thousands: it keeps little. */
interface Region extends CodeRegion {
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
  /** The module that it is compiled in; null while it waits for that. */
  module: LiveModule | null;
}

/** A compiled module with regions that are still good. */
interface LiveModule {
  readonly bytes: number;
  readonly regions: Set<Region>;
  /** False if no block has led into one of its regions since {@link Translator.#probe}. */
  used: boolean;
}

/** The places where a region can be left, packed. */
class Sites {
  readonly #ips: Float64Array;
  readonly #rest: Uint16Array;

  constructor(sites: readonly Site[]) {
    this.#ips = Float64Array.from(sites, ({ ip }) => ip);
    this.#rest = Uint16Array.from(sites, ({ done, unfinished }) => unfinished * 2 + (done ? 1 : 0));
  }

  at(index: number): Site {
    const rest = this.#rest[index];
    return { ip: this.#ips[index], done: (rest & 1) !== 0, unfinished: rest >> 1 };
  }
}

/** How far regions reach. */
const REGION_LIMITS: Limits = { instructions: 400, blocks: 100 };
const SINGLE_LIMITS: Limits = { instructions: 1, blocks: 1 };
/**
 * After how many entries a block is translated. Until an instruction has been compiled by us and twice by V8, the interpreter
 * executes it some ten thousand times: with 400, the boot of a kernel and processes that come and go take up to twice as long.
 */
const HOT = 6000;
/** The same where it is drawn at random. */
const MOST_RANDOM_HEAT = 400;
/** Regions are compiled together. */
const BATCH = 8;
/** How often a region is translated anew because it is left at a place that has become hot. */
const GENERATIONS = 2;
/** Most targets of an indirect jump that are remembered. */
const MOST_TARGETS = 96;
/** Places of indirect jumps whose targets are remembered; at more, all are forgotten. */
const MOST_JUMPS = 20_000;
/** Bytes of live modules at which room is made. V8 needs about five times as much for them. */
const MOST_BYTES = 32 << 20;
/** Which part of them may be left then. */
const KEPT = 3 / 4;
/** After which part of them in new modules all regions have to show again that they are in use. */
const PROBED = 1 / 4;
/** After how many entries a block leads into its region again while that has to show it. */
const PROBE_HEAT = 16;
/** After how many entries a block is looked at again that could not be translated because too much was. */
const POSTPONED_HEAT = HOT / 4;

/** One processor's translator. */
export class Translator {
  #statistics = {
    regions: 0,
    modules: 0,
    bytes: 0,
    translated: 0,
    postponed: 0,
    evicted: 0,
    leftForInstruction: 0,
    leftForBudget: 0,
    leftForTurn: 0,
  };
  readonly #host: TranslatorHost;
  readonly #blocks: BlockCache;
  readonly #modules: RegionModules;
  readonly #tier: Tier;
  /** Regions by slot. */
  readonly #regions = new Map<number, Region>();
  /** Regions by the place of their root, see {@link rootKey}. */
  readonly #roots = new Map<string, Region>();
  /** Regions with a way out to an offset in CS, by that offset. */
  readonly #exits = new Map<number, Set<Region>>();
  /** Regions whose functions are not compiled yet. */
  #pending: { region: Region; function: RegionFunction; mode: CodeMode }[] = [];
  readonly #freeSlots: number[] = [];
  #nextSlot = REGION_SLOTS.FIRST;
  readonly #cells: PageCells;
  readonly #budget = new CompileBudget();
  /** The oldest first. */
  readonly #live = new Set<LiveModule>();
  /** Forms of instructions that only the interpreter executes. */
  readonly #interpreted = new Set<string>();
  /** Their mnemonics. */
  readonly #suspects = new Set<string>();
  readonly #targets = new Map<number, Set<number>>();
  /** Regions that were dropped since one was left or made: one that a system function wrote to is left only after that. */
  readonly #dropped = new Map<number, Region>();
  readonly #mostBytes: number;
  #liveBytes = 0;
  #bytesSinceProbe = 0;
  readonly #stress: StressOptions;
  #random: number;
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
    this.#mostBytes = stress.codeBytes ?? MOST_BYTES;
    this.#random = stress.compileSeed ?? 0;
    this.#host = host;
    this.#blocks = blocks;
    this.#modules = modules;
    this.#cells = new PageCells(state);
    this.#tier = tier;
  }

  /** After how many entries a new block is hot; 0 for never. */
  get heat(): number {
    if (this.#tier !== "auto") return 0;
    if (this.#stress.compileSeed === undefined) return HOT;
    this.#random = (Math.imul(this.#random, 1664525) + 1013904223) | 0;
    return 1 + (this.#random >>> 16) % MOST_RANDOM_HEAT;
  }

  /** True if code is translated before it runs for the first time. */
  get eager(): boolean {
    return this.#tier === "single" || this.#tier === "regions";
  }

  /** Counts for observers. */
  get statistics(): Record<string, number> {
    const { regions, modules, bytes, translated, ...left } = this.#statistics;
    return {
      "regions": regions,
      "regions at present": this.#regions.size,
      "modules": modules,
      "modules at present": this.#live.size,
      "modules evicted": left.evicted,
      "translations postponed": left.postponed,
      "instructions translated": translated,
      "bytes of WebAssembly": bytes,
      "bytes of WebAssembly at present": this.#liveBytes,
      "bytes per instruction translated": translated === 0 ? 0 : Math.round(bytes / translated),
      "regions left for an instruction": left.leftForInstruction,
      "regions left for the end of the budget": left.leftForBudget,
      "regions left for the run loop": left.leftForTurn,
    };
  }

  // ---- observation

  /** The way to `linear`, in the frame of `host`, has been looked up and is good for `mode` (S.MODE). */
  arrived(linear: number, host: number, mode: number): void {
    this.#cells.arrived(linear, host, mode);
  }

  /** An indirect jump at an offset in CS went to another. */
  jumped(from: number, to: number): void {
    let targets = this.#targets.get(from);
    if (!targets) {
      if (this.#targets.size >= MOST_JUMPS) this.#targets.clear();
      this.#targets.set(from, targets = new Set());
    }
    if (targets.size < MOST_TARGETS) targets.add(to);
  }

  /** Where a region was left: before an instruction for the interpreter, or because one is done that wants the run loop. */
  left(slot: number, site: number): Site {
    const region = this.#regions.get(slot) ?? this.#dropped.get(slot);
    this.#dropped.clear();
    if (!region) throw new Error(`a region was left that is in no slot: ${slot}`);
    const found = region.sites.at(site);
    if (found.done) this.#statistics.leftForTurn++;
    else if (found.unfinished === 0) this.#statistics.leftForBudget++;
    else this.#statistics.leftForInstruction++;
    return found;
  }

  // ---- translation

  /** A block has become hot, or is about to run for the first time. */
  translate(block: Block, ip: number, mode: CodeMode): void {
    if (block.region || block.secondFrame >= 0 || this.resume(block, ip, mode)) return;
    const unlimited = this.eager || this.#stress.compileSeed !== undefined;
    if (!unlimited && !this.#budget.allows(this.#host.instructions())) {
      this.#statistics.postponed++;
      return this.#blocks.records.setHeat(block, POSTPONED_HEAT);
    }
    this.#observer?.begin();
    this.#translate(block, ip, mode);
    this.#observer?.end();
  }

  /** Lets a block lead into the region that was translated for its place, if there still is one; false if not. */
  resume({ host, key }: Block, ip: number, mode: CodeMode): boolean {
    const region = this.#roots.get(rootKey(host, key, ip));
    if (!region || region.module === null || region.patched?.valid) return false;
    this.#open(region, mode);
    return region.patched !== null;
  }

  #translate(block: Block, ip: number, mode: CodeMode): void {
    if (!this.eager && this.#extend(block, ip, mode)) return;
    this.#make(block.host, block.key, ip, mode, 0, new Set());
    if (this.eager || this.#pending.length >= BATCH) this.compile();
  }

  /** If other regions lead here, they take the place in. */
  #extend(block: Block, ip: number, mode: CodeMode): boolean {
    let extended = false;
    for (const region of [...this.#exits.get(ip) ?? []]) {
      if (region.key !== block.key || region.generation >= GENERATIONS) continue;
      const known = new Set(region.blocks).add(ip);
      extended = this.#make(region.host, region.key, region.ip, mode, region.generation + 1, known) || extended;
    }
    if (!extended) return false;
    // Whoever comes here in spite of that comes from elsewhere.
    this.#blocks.records.setHeat(block, 4 * HOT);
    if (this.#pending.length >= BATCH) this.compile();
    return true;
  }

  #make(
    host: number,
    key: number,
    ip: number,
    mode: CodeMode,
    generation: number,
    known: ReadonlySet<number>,
  ): boolean {
    const code = this.#discover(ip, key, mode, known);
    if (!code || code.blocks[0].instructions[0].host !== host) return false;
    const old = this.#roots.get(rootKey(host, key, ip));
    if (old) this.#blocks.removeRegion(old);
    this.#dropped.clear();
    const slot = this.#freeSlots.pop() ?? this.#nextSlot++;
    if (slot >= REGION_SLOTS.FIRST + REGION_SLOTS.COUNT) {
      this.clear();
      return false;
    }
    const cells = new Set<PageCell>(), written = this.#write(code, mode, slot, cells);
    for (const cell of cells) cell.users++;
    if (!written) {
      for (const cell of cells) this.#cells.release(cell);
      this.#freeSlots.push(slot);
      return false;
    }
    const region: Region = {
      slot,
      ip,
      host,
      key,
      blocks: code.blocks.map((block) => block.ip),
      exits: exitsOf(code),
      cells: [...cells],
      generation,
      sites: new Sites(written.sites),
      ranges: rangesOf(code),
      patched: null,
      module: null,
      voided: () => this.#voided(region),
      closed: () => region.patched = null,
    };
    this.#add(region, written, mode);
    return true;
  }

  #add(region: Region, written: WrittenRegion, mode: CodeMode): void {
    const { slot, ip, host, key } = region;
    this.#regions.set(slot, region);
    this.#roots.set(rootKey(host, key, ip), region);
    for (const exit of region.exits) {
      const set = this.#exits.get(exit);
      if (set) set.add(region);
      else this.#exits.set(exit, new Set([region]));
    }
    this.#blocks.addRegion(region);
    this.#pending.push({ region, function: { slot, body: written.body }, mode });
    this.#statistics.regions++;
    this.#statistics.translated += written.translated;
    this.#budget.spend(written.translated);
  }

  #discover(ip: number, key: number, mode: CodeMode, known: ReadonlySet<number>): RegionCode | null {
    const host = this.#host, { memory } = host, eager = this.eager;
    const locate = (at: number) => host.knownCode(host.linear(at));
    const view: CodeView = {
      mode,
      bytes: memory.bytes,
      decode: host.decode,
      host: locate,
      executed: (at) => {
        if (eager || known.has(at)) return true;
        const place = locate(at);
        return place >= 0 && this.#blocks.find(place, key, at) !== undefined;
      },
      interpreted: (instruction) =>
        this.#suspects.has(instruction.mnemonic) && this.#interpreted.has(formOf(instruction, mode)),
      indirectTargets: (at) => [...this.#targets.get(at) ?? []],
    };
    return discover(ip, view, this.#tier === "single" ? SINGLE_LIMITS : REGION_LIMITS);
  }

  /** Adds the cells that the region looks at to `cells`. */
  #write(code: RegionCode, mode: CodeMode, slot: number, cells: Set<PageCell>): WrittenRegion | null {
    const host = this.#host, linkage = this.#modules.linkage(mode);
    const page = (ip: number) => Math.floor(host.linear(ip) / PAGE_SIZE);
    for (;;) {
      try {
        const writer = new RegionWriter({
          code,
          mode,
          slot,
          linkage,
          page,
          pageCell: (ip) => {
            const linear = host.linear(ip), cell = this.#cells.find(linear, host.knownCode(linear));
            if (cell) cells.add(cell);
            return cell?.address ?? NO_CELL;
          },
          notTranslated: (instruction) => {
            this.#suspects.add(instruction.mnemonic);
            this.#interpreted.add(formOf(instruction, mode));
          },
        });
        const written = writer.write();
        return written.translated > 0 &&
            !this.#interpreted.has(formOf(code.blocks[0].instructions[0].instruction, mode))
          ? written
          : null;
      } catch (error) {
        if (!(error instanceof UnexpectedRegister)) throw error;
      }
    }
  }

  /** Compiles what is waiting, and lets it run. */
  compile(): void {
    if (this.#pending.length === 0) return;
    const live = this.#pending.filter(({ region }) => this.#regions.get(region.slot) === region);
    this.#pending = [];
    if (live.length === 0) return;
    this.#observer?.begin();
    const bytes = this.#modules.instantiate(live.map((p) => p.function));
    this.#observer?.end();
    this.#statistics.modules++;
    this.#statistics.bytes += bytes;
    this.#liveBytes += bytes;
    this.#bytesSinceProbe += bytes;
    const module: LiveModule = { bytes, regions: new Set(live.map(({ region }) => region)), used: true };
    this.#live.add(module);
    for (const { region, mode } of live) {
      region.module = module;
      this.#open(region, mode);
    }
    if (this.#regions.size >= (this.#stress.evictEvery ?? Infinity)) this.clear();
    else if (this.#liveBytes > this.#mostBytes) this.#makeRoom();
    else if (this.#bytesSinceProbe > PROBED * this.#mostBytes) this.#probe();
  }

  /** Lets the block at the region's root lead into it. */
  #open(region: Region, mode: CodeMode): void {
    const { host, key, ip, slot } = region, block = this.#blocks.find(host, key, ip);
    if (!block || !block.valid || block.region) return;
    this.#blocks.records.enterRegion(block, region, slot, ip, mode);
    region.patched = block;
    if (region.module) region.module.used = true;
  }

  // ---- keeping what is in use

  /** Closes all regions, so that those in use can be told: their blocks soon lead into them again. */
  #probe(): void {
    for (const module of this.#live) {
      module.used = false;
      for (const region of module.regions) this.#close(region);
    }
    this.#bytesSinceProbe = 0;
  }

  #close(region: Region): void {
    const { patched } = region;
    region.patched = null;
    if (!patched) return;
    this.#blocks.records.leaveRegion(patched);
    if (patched.valid) this.#blocks.records.setHeat(patched, PROBE_HEAT);
  }

  /** Drops modules that are not in use, then others, the oldest first, until enough room is left. */
  #makeRoom(): void {
    for (const wanted of [false, true]) {
      for (const module of this.#live) {
        if (this.#liveBytes <= KEPT * this.#mostBytes) break;
        if (module.used !== wanted) continue;
        for (const region of [...module.regions]) this.#blocks.removeRegion(region);
        this.#statistics.evicted++;
      }
    }
    this.#probe();
  }

  // ---- the end of regions

  #voided(region: Region): void {
    if (region.patched) this.#blocks.records.leaveRegion(region.patched);
    for (const cell of region.cells) this.#cells.release(cell);
    this.#leaveModule(region);
    this.#regions.delete(region.slot);
    this.#dropped.set(region.slot, region);
    const root = rootKey(region.host, region.key, region.ip);
    if (this.#roots.get(root) === region) this.#roots.delete(root);
    for (const exit of region.exits) {
      const set = this.#exits.get(exit);
      set?.delete(region);
      if (set?.size === 0) this.#exits.delete(exit);
    }
    this.#modules.release(region.slot);
    this.#freeSlots.push(region.slot);
  }

  /** A module that holds no region any more is gone: nothing leads to its functions. */
  #leaveModule(region: Region): void {
    const { module } = region;
    if (!module?.regions.delete(region) || module.regions.size > 0) return;
    this.#live.delete(module);
    this.#liveBytes -= module.bytes;
  }

  /** Drops all regions. */
  clear(): void {
    for (const region of [...this.#regions.values()]) this.#blocks.removeRegion(region);
    this.#pending = [];
    this.#targets.clear();
  }

  /** Forgets which code pages are known to be where they were. */
  forgetPages(): void {
    this.#cells.forget();
  }
}

function rootKey(host: number, key: number, ip: number): string {
  return `${host}:${key}:${ip}`;
}

function formOf(instruction: Instruction, mode: CodeMode): string {
  const { mnemonic, operandSize, operands, repeat } = instruction;
  return `${mnemonic}${repeat}/${operandSize}/${mode.code}/${
    operands.map((o) => o.kind === "reg" ? o.file : o.kind).join()
  }`;
}

/** Host ranges of a region's instructions, none across frames. */
function rangesOf(code: RegionCode): { start: number; end: number }[] {
  const ranges: { start: number; end: number }[] = [];
  for (const { instructions } of code.blocks) {
    for (const { host, instruction } of instructions) {
      const last = ranges.at(-1), end = host + instruction.length;
      if (last?.end === host && last.start >>> 12 === host >>> 12) last.end = end;
      else ranges.push({ start: host, end });
    }
  }
  return ranges;
}

/** Offsets in CS to which direct ways lead out of a region. */
function exitsOf(code: RegionCode): number[] {
  const inside = new Set(code.blocks.map((b) => b.ip)), exits = new Set<number>();
  for (const { instructions } of code.blocks) {
    const last = instructions.at(-1);
    if (!last) continue;
    const ways = last.flow === "branch" ? [last.target, last.next] : last.flow === "jump" ? [last.target] : [last.next];
    for (const way of ways) if (!inside.has(way)) exits.add(way);
  }
  return [...exits];
}
