/**
 * Finds small loops that go from one object to the next by a pointer in it. Programs often have the objects of a list in a few pages, and
 * the next hop begins sooner if it need not wait for the TLB: so the page of the last one is tried first, which locals tell.
 */
import { R } from "../state.ts";
import { loadedAfter } from "./pointers.ts";
import type { RegionGraph } from "./region_graph.ts";
import type { RegionInstruction } from "./region_instruction.ts";
import type { RegisterFlow } from "./register_flow.ts";

/** Most nodes of such a loop. */
const MOST_NODES = 8;

/** By node: 1 if it is in such a loop; `loadedAt` is what findLoaded found. */
export function findChases(region: RegionGraph, registers: RegisterFlow, loadedAt: Int32Array): Uint8Array {
  const { position, headers, predecessors } = region.analysis, chases = new Uint8Array(region.size);
  for (const header of headers) {
    const loop = new Set([header]), work = predecessors[header].filter((node) => position[node] >= position[header]);
    for (let node = work.pop(); node !== undefined && loop.size <= MOST_NODES; node = work.pop()) {
      if (loop.has(node)) continue;
      loop.add(node);
      work.push(...predecessors[node]);
    }
    if (loop.size > MOST_NODES) continue;
    const nodes = Array.from(loop);
    if (nodes.some((node) => hops(region, registers, node, loadedAt[node]))) {
      for (const node of nodes) chases[node] = 1;
    }
  }
  return chases;
}

/** True if a node loads a pointer through one that was loaded. */
function hops(region: RegionGraph, registers: RegisterFlow, node: number, loaded: number): boolean {
  for (const current of region.block(node)?.instructions ?? []) {
    if (isHop(current, loaded)) return true;
    loaded = loadedAfter(current.instruction, registers.use(current), loaded);
  }
  return false;
}

function isHop(
  { instruction: { mnemonic, operands: [to, from], addressSize } }: RegionInstruction,
  loaded: number,
): boolean {
  if (mnemonic !== "mov" || to.kind !== "reg" || to.file !== "gpr" || from.kind !== "mem") return false;
  const { base, index } = from;
  return from.size === addressSize && index < 0 && base >= 0 && base < 16 && base !== R.SP &&
    (loaded & 1 << base) !== 0;
}
