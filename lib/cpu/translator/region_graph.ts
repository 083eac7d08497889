/** The blocks of a region as a flow graph. */
import { type RegionBlock, waysFrom } from "./discovery.ts";
import { type Edge, FlowGraph } from "./flow_graph.ts";
import { analyse, type Analysis } from "./structure.ts";
import { unroll } from "./unrolling.ts";

/** Node 0 leads to the root, node i + 1 is block i; what follows are dispatch nodes. Short loops are unrolled. */
export class RegionGraph {
  /** The region's, and copies of some. */
  readonly blocks: readonly RegionBlock[];
  readonly graph = new FlowGraph();
  readonly analysis: Analysis;
  /** Node number by block address: that of the first of its copies. */
  readonly #nodes = new Map<number, number>();
  /** By node: its edges by the offset in CS that they lead to. */
  readonly #edges: Map<number, Edge>[] = [];

  constructor(blocks: readonly RegionBlock[]) {
    const unrolled = unroll(blocks), { graph } = this;
    this.blocks = unrolled.blocks;
    graph.add();
    for (const { ip } of this.blocks) {
      const node = graph.add();
      if (!this.#nodes.has(ip)) this.#nodes.set(ip, node);
    }
    graph.connect(0, 1);
    this.blocks.forEach((block, i) => this.#edges[i + 1] = this.#connect(block, i + 1, unrolled.again[i] + 1));
    graph.makeReducible();
    this.analysis = analyse(graph);
  }

  /** `again`: the node that the block's way to itself leads to. */
  #connect(block: RegionBlock, node: number, again: number): Map<number, Edge> {
    const edges = new Map<number, Edge>(), last = block.instructions.at(-1);
    for (const target of last ? waysFrom(last) : []) {
      const to = target === block.ip ? again : this.#nodes.get(target);
      if (to === undefined) continue;
      const edge = this.graph.successors[node][this.graph.connect(node, to)];
      if (!edges.has(target)) edges.set(target, edge);
    }
    return edges;
  }

  /** Number of nodes. */
  get size(): number {
    return this.graph.successors.length;
  }

  /** The block that a node is; null for node 0 and dispatch nodes. */
  block(node: number): RegionBlock | null {
    return node > 0 && node <= this.blocks.length ? this.blocks[node - 1] : null;
  }

  /** The node of the block at an offset in CS, of several the first; undefined if there is none. */
  nodeAt(ip: number): number | undefined {
    return this.#nodes.get(ip);
  }

  /** The edge of a block's node to an offset in CS; undefined if that is not in the region. */
  edge(node: number, ip: number): Edge | undefined {
    return this.#edges[node].get(ip);
  }
}

/** Instructions of a block that the region executes: all but one that is left to the interpreter. */
export function countOf({ instructions }: RegionBlock): number {
  return instructions.length - (instructions.at(-1)?.flow === "interpret" ? 1 : 0);
}
