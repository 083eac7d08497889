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
  /** By node: registers whose locals may differ from the state block where it begins, and those that it may change. */
  readonly #dirtyBefore: Int32Array;
  readonly #writtenIn: Int32Array;

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
    this.#dirtyBefore = new Int32Array(region.size);
    this.#writtenIn = new Int32Array(region.size);
    this.#findDirty(region);
  }

  /** The registers that an instruction of the region touches. */
  use(current: RegionInstruction): RegisterUse {
    return this.#uses.get(current)!;
  }

  /** Registers whose locals may differ from the state block where a node begins. */
  dirtyBefore(node: number): number {
    return this.#dirtyBefore[node];
  }

  /** The same where it ends. */
  dirty(node: number): number {
    return this.#dirtyBefore[node] | this.#writtenIn[node];
  }

  #writtenBy({ instructions }: RegionBlock): number {
    return instructions.reduce((mask, current) => mask | this.use(current).written, 0);
  }

  /** Where calls return to, all registers are as the state block has them. */
  #findDirty(region: RegionGraph): void {
    const before = this.#dirtyBefore;
    region.blocks.forEach((block, i) => this.#writtenIn[i + 1] = this.#writtenBy(block));
    for (let changed = true; changed;) {
      changed = false;
      for (const node of region.analysis.order) {
        const flow = region.block(node)?.instructions.at(-1)?.flow;
        if (flow === "call" || flow === "callIndirect") continue;
        const out = this.dirty(node);
        for (const { target } of region.graph.successors[node]) {
          if ((before[target] | out) === before[target]) continue;
          before[target] |= out;
          changed = true;
        }
      }
    }
  }
}
