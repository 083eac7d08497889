/** The blocks of a region as a flow graph. */
import { type RegionBlock, waysFrom } from "./discovery.ts";
import type { RegionInstruction } from "./region_instruction.ts";
import { type Edge, FlowGraph } from "./flow_graph.ts";
import type { StreamedAccess, StripLoop } from "./strips.ts";
import { analyse, type Analysis } from "./structure.ts";
import { copyOf, unroll } from "./unrolling.ts";

/** Where the strips of a loop are in a graph, by nodes. */
export interface Strip {
  readonly loop: StripLoop;
  /** Where the rounds of a strip begin. */
  readonly header: number;
  /** Behind any other round: a strip begins if it can, else the loop goes on. */
  readonly entry: number;
  /** Behind a round of a strip: that goes on if it may, else another one is tried. */
  readonly gate: number;
}

/**
 * Node 0 leads to the root, node i + 1 is block i, where copies come last, those for strips behind the others; then there are entries and
 * gates of strips, and dispatch nodes.
 */
export class RegionGraph {
  /** The region's, and copies of some. */
  readonly blocks: readonly RegionBlock[];
  readonly graph = new FlowGraph();
  readonly analysis: Analysis;
  /** Node number by block address: that of the first of its copies. */
  readonly #nodes = new Map<number, number>();
  /** By node: its edges by the offset in CS that they lead to. */
  readonly #edges: Map<number, Edge>[] = [];
  /** By node: where edges to other nodes lead instead. */
  readonly #redirected = new Map<number, Map<number, number>>();
  /** By entry, gate, and node of a round. */
  readonly #strips = new Map<number, Strip>();
  readonly #streamed = new Map<RegionInstruction, ReadonlyMap<number, StreamedAccess> | undefined>();

  /**
   * With `strips` these loops are there twice, and short ones without strips are unrolled; without there is one node for each block, and
   * nodes of loops are numbered as in such a graph.
   */
  constructor(blocks: readonly RegionBlock[], strips: readonly StripLoop[] | null = null) {
    const { graph } = this, loops = strips ?? [], all = blocks.map((_, i) => i);
    const except = strips ? loops.flatMap(({ nodes }) => nodes.map((node) => node - 1)) : all;
    const unrolled = unroll(blocks, new Set(except));
    this.blocks = [...unrolled.blocks, ...loops.flatMap((loop) => this.#copies(blocks, loop))];
    graph.add();
    for (const { ip } of this.blocks) {
      const node = graph.add();
      if (!this.#nodes.has(ip)) this.#nodes.set(ip, node);
    }
    graph.connect(0, 1);
    unrolled.again.forEach((again, i) => {
      if (again !== i) this.#redirected.set(i + 1, new Map([[this.#nodes.get(this.blocks[i].ip)!, again + 1]]));
    });
    let first = unrolled.blocks.length + 1;
    for (const loop of loops) {
      this.#addStrip(loop, first);
      first += loop.accesses.length;
    }
    this.blocks.forEach((block, i) => this.#edges[i + 1] = this.#connect(block, i + 1));
    graph.makeReducible();
    this.analysis = analyse(graph);
  }

  /** The blocks of a loop's strips. */
  #copies(blocks: readonly RegionBlock[], { nodes, accesses }: StripLoop): RegionBlock[] {
    return accesses.map((streamed, i) => {
      const original = blocks[nodes[i % nodes.length] - 1], copy = copyOf(original);
      copy.instructions.forEach((current, i) => this.#streamed.set(current, streamed.get(original.instructions[i])));
      return copy;
    });
  }

  /** `first` is the first of the nodes of a strip's rounds. */
  #addStrip(loop: StripLoop, first: number): void {
    const { graph } = this, { nodes, accesses } = loop;
    const entry = graph.add([loop.header, first]), gate = graph.add([first, entry]);
    const strip = { loop, header: first, entry, gate };
    for (const node of [entry, gate]) this.#strips.set(node, strip);
    for (const node of nodes) this.#redirected.set(node, new Map([[loop.header, entry]]));
    for (let i = 0; i < accesses.length; i++) {
      const round = i - i % nodes.length, next = round + nodes.length;
      const inside = new Map(nodes.map((node, j) => [node, first + round + j]));
      this.#strips.set(first + i, strip);
      this.#redirected.set(first + i, inside.set(loop.header, next < accesses.length ? first + next : gate));
    }
  }

  #connect(block: RegionBlock, node: number): Map<number, Edge> {
    const edges = new Map<number, Edge>(), last = block.instructions.at(-1), redirected = this.#redirected.get(node);
    for (const target of last ? waysFrom(last) : []) {
      const to = this.#nodes.get(target);
      if (to === undefined) continue;
      const edge = this.graph.successors[node][this.graph.connect(node, redirected?.get(to) ?? to)];
      if (!edges.has(target)) edges.set(target, edge);
    }
    return edges;
  }

  /** Number of nodes. */
  get size(): number {
    return this.graph.successors.length;
  }

  /** The block that a node is; null for node 0, entries and gates of strips, and dispatch nodes. */
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

  /** The strip that a node is an entry, a gate or part of a round of. */
  strip(node: number): Strip | undefined {
    return this.#strips.get(node);
  }

  /** The stream of an access, if the instruction is one of a strip's. */
  streamed(current: RegionInstruction, operand: number): StreamedAccess | undefined {
    return this.#streamed.get(current)?.get(operand);
  }
}

/** Instructions of a block that the region executes: all but one that is left to the interpreter. */
export function countOf({ instructions }: RegionBlock): number {
  return instructions.length - (instructions.at(-1)?.flow === "interpret" ? 1 : 0);
}
