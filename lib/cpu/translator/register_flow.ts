/** Which registers a region touches, and where their locals may differ from the state block. */
import type { RegionBlock } from "./discovery.ts";
import type { RegionInstruction } from "./region_instruction.ts";
import type { RegionGraph } from "./region_graph.ts";
import { type RegisterUse, registerUse } from "./register_use.ts";

/** The registers of a region, as masks like those of {@link RegisterUse}. */
export class RegisterFlow {
  /** Registers that the region touches, and those that it may change. */
  readonly touched: number;
  readonly written: number;
  readonly #uses = new Map<RegionInstruction, RegisterUse>();
  /** By node: registers whose locals may differ from the state block within it. */
  readonly #dirty: Int32Array;

  constructor(region: RegionGraph) {
    let touched = 0, written = 0;
    for (const { instructions } of region.blocks) {
      for (const current of instructions) {
        const use = registerUse(current.instruction);
        this.#uses.set(current, use);
        touched |= use.touched;
        written |= use.written;
      }
    }
    this.touched = touched;
    this.written = written;
    this.#dirty = this.#findDirty(region);
  }

  /** The registers that an instruction of the region touches. */
  use(current: RegionInstruction): RegisterUse {
    return this.#uses.get(current)!;
  }

  /** Registers whose locals may differ from the state block within a node. */
  dirty(node: number): number {
    return this.#dirty[node];
  }

  #writtenBy({ instructions }: RegionBlock): number {
    return instructions.reduce((mask, current) => mask | this.use(current).written, 0);
  }

  /** Where calls return to, all registers are as the state block has them. */
  #findDirty(region: RegionGraph): Int32Array {
    const dirty = new Int32Array(region.size);
    region.blocks.forEach((block, i) => dirty[i + 1] = this.#writtenBy(block));
    for (let changed = true; changed;) {
      changed = false;
      for (const node of region.analysis.order) {
        const flow = region.block(node)?.instructions.at(-1)?.flow;
        if (flow === "call" || flow === "callIndirect") continue;
        const out = dirty[node];
        for (const { target } of region.graph.successors[node]) {
          if ((dirty[target] | out) === dirty[target]) continue;
          dirty[target] |= out;
          changed = true;
        }
      }
    }
    return dirty;
  }
}
