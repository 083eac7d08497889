/** Where a region looks at the budget, so that it never executes more instructions than it may. */
import type { Flow } from "./region_instruction.ts";
import { countOf, type RegionGraph } from "./region_graph.ts";

/** After instructions of these kinds the budget may be anything. */
const LATER_BUDGET: ReadonlySet<Flow> = new Set<Flow>(["call", "callIndirect", "exit", "transfer", "stall"]);

/** The budget that nodes need. */
export interface BudgetChecks {
  /** By node: 1 if it looks at the budget. */
  readonly checked: Uint8Array;
  /** By node: most instructions that may run from there before the budget is looked at again. */
  readonly needs: Int32Array;
}

/** Finds which nodes look at the budget, and for how much. */
export function findBudgetChecks(region: RegionGraph): BudgetChecks {
  const checked = findChecked(region);
  return { checked, needs: findNeeds(region, checked) };
}

/** Loop headers, entries and where calls return to. */
function findChecked(region: RegionGraph): Uint8Array {
  const checked = new Uint8Array(region.size);
  const check = (node: number) => {
    checked[node] = 1;
    if (region.block(node)) return;
    for (const { target } of region.graph.successors[node]) if (checked[target] === 0) check(target);
  };
  check(0);
  for (const header of region.analysis.headers) check(header);
  for (const dispatch of region.graph.dispatches) check(dispatch);
  for (const { instructions } of region.blocks) {
    const last = instructions.at(-1);
    if (!last || !LATER_BUDGET.has(last.flow)) continue;
    const node = region.nodeAt(last.next);
    if (node !== undefined) checked[node] = 1;
  }
  return checked;
}

function findNeeds(region: RegionGraph, checked: Uint8Array): Int32Array {
  const needs = new Int32Array(region.size);
  for (const node of region.analysis.order.toReversed()) {
    let most = 0;
    for (const { target } of region.graph.successors[node]) {
      if (checked[target] === 0) most = Math.max(most, needs[target]);
    }
    const block = region.block(node);
    needs[node] = most + (block ? countOf(block) : 0);
  }
  return needs;
}
