/**
 * The ways out of a region: they differ in the registers that they store. A register that need not be stored where control may leave need not
 * stay in a register of the host until then, and ways that meet need not agree about where it is.
 */
import type { Code, Label } from "../../wasm/mod.ts";
import { STACK_INSTRUCTIONS } from "../system/canonical.ts";
import { accessesMemory } from "./access_groups.ts";
import type { RegionGraph } from "./region_graph.ts";
import type { RegionLocals } from "./region_locals.ts";
import type { RegisterFlow } from "./register_flow.ts";

/** The ways out of one region; registers are masks. */
export class Exits {
  readonly #code: Code;
  readonly #locals: RegionLocals;
  /** Labels by the registers that they store, those of more registers later. */
  readonly #sites = new Map<number, Label | undefined>();
  readonly #ends = new Map<number, Label | undefined>();

  constructor(code: Code, locals: RegionLocals, region: RegionGraph, registers: RegisterFlow) {
    this.#code = code;
    this.#locals = locals;
    const sites = new Set([0]), ends = new Set([0]);
    region.blocks.forEach(({ instructions }, i) => {
      let dirty = registers.dirtyBefore(i + 1);
      sites.add(dirty);
      for (const current of instructions) {
        const { mnemonic, operands } = current.instruction;
        const accesses = accessesMemory(mnemonic) && operands.some(({ kind }) => kind === "mem");
        if (accesses || STACK_INSTRUCTIONS.has(mnemonic)) sites.add(dirty);
        dirty |= registers.use(current).written;
      }
      sites.add(dirty);
      ends.add(dirty);
    });
    for (const [masks, labels] of [[sites, this.#sites], [ends, this.#ends]] as const) {
      for (const mask of Array.from(masks).sort((a, b) => bits(a) - bits(b))) labels.set(mask, undefined);
    }
  }

  /**
   * Writes `body`, in which the region is left by {@link site}, which goes to `sites` with what was on the stack, and by {@link end}, which
   * goes to `ends`. They are apart because V8 keeps code out of the way that only unlikely branches lead to.
   */
  write(sites: Label, ends: Label, body: () => void): void {
    this.#nest(this.#ends, ends, () => this.#nest(this.#sites, sites, body, "i32"));
  }

  #nest(labels: Map<number, Label | undefined>, target: Label, body: () => void, result?: "i32"): void {
    const code = this.#code, masks = Array.from(labels.keys());
    const nest = (n: number) => {
      if (n < 0) return body();
      code.block((label) => {
        labels.set(masks[n], label);
        nest(n - 1);
      }, result);
      this.#locals.storeRegisters(masks[n]);
      code.br(target);
    };
    nest(masks.length - 1);
  }

  /** Where the region is left for what hardly ever happens, while registers may differ from the state block: takes an i32. */
  site(dirty: number): Label {
    return find(this.#sites, dirty);
  }

  /** Where it is left to go on elsewhere. */
  end(dirty: number): Label {
    return find(this.#ends, dirty);
  }
}

/** The label that stores the fewest registers besides some. */
function find(labels: ReadonlyMap<number, Label | undefined>, dirty: number): Label {
  const exact = labels.get(dirty);
  if (exact) return exact;
  for (const [mask, label] of labels) if (label && (dirty & ~mask) === 0) return label;
  throw new Error(`no way out stores ${dirty.toString(2)}`);
}

function bits(mask: number): number {
  let count = 0;
  for (let left = mask; left !== 0; left &= left - 1) count++;
  return count;
}
