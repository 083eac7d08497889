/** Finds the code of regions in a processor's memory, and writes it as functions. */
import { PAGE_SIZE, type PhysicalMemory } from "../../machine/memory.ts";
import { newInstruction } from "../decode/mod.ts";
import type { CodeMode } from "../emit/emitter.ts";
import type { BlockCache } from "../interpreter/blocks.ts";
import { ModeBit } from "../mode.ts";
import type { ModelDecoder } from "../model_decoder.ts";
import type { Tier } from "../options.ts";
import { R } from "../state.ts";
import { accessesMemory } from "./access_groups.ts";
import { type CodeView, discover, type Limits, type RegionCode } from "./discovery.ts";
import type { Heat } from "./heat.ts";
import { InterpretedForms } from "./interpreted_forms.ts";
import { JumpTargets } from "./jump_targets.ts";
import type { RegionModules } from "./modules.ts";
import { NO_CELL, type PageCell, PageCells } from "./page_cells.ts";
import { type RegionPlan, RegionWriter, type WrittenRegion } from "./region.ts";
import { UnexpectedRegister } from "./region_context.ts";
import type { RegionTable } from "./region_table.ts";

/** What making regions asks of the processor. */
export interface CodeHost {
  readonly memory: PhysicalMemory;
  readonly decode: ModelDecoder;
  /** Host offset of the code at a linear address if that can be told without leaving a trace, else -1. */
  knownCode(linear: number): number;
  /** The same of data that can be read. */
  knownData(linear: number): number;
  /** Linear address of an offset in CS. */
  linear(ip: number): number;
  /** The mode of the running code. */
  codeMode(): CodeMode;
  /** The lower 32 bits of a general register. */
  register(number: number): number;
}

/**
 * How far regions reach. Where a loop does not fit into one, every hot place in it becomes the root of a region as large as this: a
 * decompressor's took 25 of 400 instructions each.
 */
const REGION_LIMITS: Limits = { instructions: 1200, blocks: 300 };
/** The same where code is translated before it runs, and every place in it that is reached otherwise begins another region. */
const EAGER_LIMITS: Limits = { instructions: 400, blocks: 100 };
const SINGLE_LIMITS: Limits = { instructions: 1, blocks: 1 };
const LIMITS: Record<Tier, Limits> = {
  interpreter: REGION_LIMITS,
  single: SINGLE_LIMITS,
  regions: EAGER_LIMITS,
  auto: REGION_LIMITS,
};

/** Makes the regions of one processor. */
export class RegionMaker {
  /** Where pages with code were found. */
  readonly cells: PageCells;
  /** Where indirect jumps went. */
  readonly targets = new JumpTargets();
  readonly #host: CodeHost;
  readonly #blocks: BlockCache;
  readonly #regions: RegionTable;
  readonly #heat: Heat;
  readonly #modules: RegionModules;
  readonly #tier: Tier;
  readonly #interpreted = new InterpretedForms();

  constructor(
    host: CodeHost,
    blocks: BlockCache,
    regions: RegionTable,
    heat: Heat,
    modules: RegionModules,
    state: WebAssembly.Memory,
    tier: Tier,
  ) {
    this.#host = host;
    this.#blocks = blocks;
    this.#regions = regions;
    this.#heat = heat;
    this.#modules = modules;
    this.#tier = tier;
    this.cells = new PageCells(state);
  }

  /** True if code is translated before it runs for the first time. */
  get eager(): boolean {
    return this.#tier === "single" || this.#tier === "regions";
  }

  /**
   * The code of the region that begins at an offset in CS, for a mode key; null if there is none. It consists of what has run often
   * enough, and of what begins at the offsets in `known`.
   */
  discover(ip: number, key: number, mode: CodeMode, known: ReadonlySet<number>): RegionCode | null {
    const host = this.#host, { memory } = host, { eager } = this;
    const locate = (at: number) => host.knownCode(host.linear(at));
    const view: CodeView = {
      mode,
      bytes: memory.bytes,
      decode: host.decode,
      host: locate,
      data: (linear) => host.knownData(linear),
      executed: (at) => {
        if (eager || known.has(at)) return true;
        const place = locate(at), block = place >= 0 ? this.#blocks.find(place, key, at) : undefined;
        return block !== undefined && (block.region !== null || this.#heat.isWarm(block));
      },
      varies: (at) => this.#blocks.rewrites.varies(at),
      interpreted: (instruction) => this.#interpreted.has(instruction, mode),
      indirectTargets: (at) => this.targets.of(at),
      isRoot: (at) => {
        const place = locate(at);
        return place >= 0 && this.#regions.rootedAt(place, key, at) !== undefined;
      },
    };
    return discover(ip, view, LIMITS[this.#tier]);
  }

  /** Where in its page the instruction at an offset in CS would access the stack now; -1 if that is not known, or it accesses something else. */
  stackOffset(ip: number): number {
    const host = this.#host, instruction = newInstruction(), at = host.knownCode(host.linear(ip));
    const end = (at | (PAGE_SIZE - 1)) + 1, { code } = host.codeMode();
    if (at < 0 || host.decode(host.memory.bytes, at, end, code, instruction) !== "ok") return -1;
    const { mnemonic, operands, operandSize } = instruction;
    const operand = accessesMemory(mnemonic) ? operands.find(({ kind }) => kind === "mem") : undefined;
    let linear = host.register(R.SP);
    if (operand?.kind === "mem") {
      const { base, index, disp } = operand;
      if ((base !== R.SP && base !== R.BP) || index >= 0) return -1;
      linear = host.register(base) + disp;
    } else if (mnemonic === "push" || mnemonic === "call") linear -= operandSize / 8;
    else if (mnemonic !== "pop" && mnemonic !== "ret") return -1;
    return linear & (PAGE_SIZE - 1);
  }

  /**
   * The function of a region, for `slot`, and the cells of pages that it looks at, which are in use from now on; null if the region's first
   * instruction must be interpreted. See {@link RegionPlan} for `split`.
   */
  write(
    code: RegionCode,
    mode: CodeMode,
    key: number,
    split: RegionPlan["split"],
    slot: number,
  ): WrittenRegion & { readonly cells: readonly PageCell[] } | null {
    const host = this.#host, linkage = this.#modules.linkage(mode), cells = new Set<PageCell>();
    for (;;) {
      try {
        const writer = new RegionWriter({
          code,
          mode,
          user: (key & ModeBit.USER) !== 0,
          base: host.linear(0),
          split,
          slot,
          linkage,
          page: (ip) => Math.floor(host.linear(ip) / PAGE_SIZE),
          pageCell: (ip) => {
            const linear = host.linear(ip), cell = this.cells.find(linear, host.knownCode(linear));
            if (cell) cells.add(cell);
            return cell?.address ?? NO_CELL;
          },
          notTranslated: (instruction) => this.#interpreted.add(instruction, mode),
        });
        const written = writer.write(), first = code.blocks[0].instructions[0].instruction;
        const isGood = written.translated > 0 && !this.#interpreted.has(first, mode);
        for (const cell of cells) cell.users++;
        if (isGood) return { ...written, cells: [...cells] };
        for (const cell of cells) this.cells.release(cell);
        return null;
      } catch (error) {
        if (!(error instanceof UnexpectedRegister)) throw error;
      }
    }
  }
}
