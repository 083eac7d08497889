/**
 * Writes a reducible control-flow graph as structured WebAssembly: loops as loops, everything else as nested blocks.
 * Source: N. Ramsey, "Beyond Relooper: Recursive Translation of Unstructured Control Flow to Structured Control Flow",
 * ICFP 2022.
 */
import type { Code, Label } from "../../wasm/mod.ts";
import type { Edge, FlowGraph } from "./flow_graph.ts";

/** What is known about the nodes of a graph. */
export interface Analysis {
  /** Reachable nodes in reverse postorder. */
  readonly order: readonly number[];
  /** Position in {@link order} by node, -1 if unreachable. */
  readonly position: Int32Array;
  /** Reachable nodes with edges to a node, by node; once for each edge. */
  readonly predecessors: readonly (readonly number[])[];
  /** Nodes that a backward edge leads to. */
  readonly headers: ReadonlySet<number>;
  /** Nodes that several forward edges lead to. */
  readonly merges: ReadonlySet<number>;
  /** Nodes by immediate dominator. */
  readonly dominated: readonly (readonly number[])[];
}

/** Orders the nodes of a graph and finds loops, merges and dominators. */
export function analyse(graph: FlowGraph): Analysis {
  const order = reversePostorder(graph);
  const position = new Int32Array(graph.successors.length).fill(-1);
  order.forEach((node, i) => position[node] = i);
  const predecessors: number[][] = graph.successors.map(() => []);
  const headers = new Set<number>(), forward = new Int32Array(graph.successors.length);
  for (const node of order) {
    for (const { target } of graph.successors[node]) {
      predecessors[target].push(node);
      if (position[target] <= position[node]) headers.add(target);
      else forward[target]++;
    }
  }
  const dominators = immediateDominators(order, position, predecessors);
  const dominated: number[][] = graph.successors.map(() => []);
  for (const node of order) if (node !== 0) dominated[dominators[node]].push(node);
  const merges = new Set(order.filter((node) => forward[node] > 1));
  return { order, position, predecessors, headers, merges, dominated };
}

function reversePostorder(graph: FlowGraph): number[] {
  const seen = new Uint8Array(graph.successors.length), order: number[] = [];
  const work = [{ node: 0, next: 0 }];
  seen[0] = 1;
  while (work.length > 0) {
    const frame = work[work.length - 1], edge = graph.successors[frame.node][frame.next++];
    if (edge === undefined) order.push(work.pop()!.node);
    else if (seen[edge.target] === 0) {
      seen[edge.target] = 1;
      work.push({ node: edge.target, next: 0 });
    }
  }
  return order.reverse();
}

/** Source: Cooper, Harvey and Kennedy, "A Simple, Fast Dominance Algorithm", 2001. */
function immediateDominators(
  order: readonly number[],
  position: Int32Array,
  predecessors: readonly (readonly number[])[],
): Int32Array {
  const dominators = new Int32Array(position.length).fill(-1);
  dominators[0] = 0;
  const meet = (a: number, b: number) => {
    while (a !== b) {
      while (position[a] > position[b]) a = dominators[a];
      while (position[b] > position[a]) b = dominators[b];
    }
    return a;
  };
  for (let changed = true; changed;) {
    changed = false;
    for (const node of order) {
      if (node === 0) continue;
      let dominator = -1;
      for (const from of predecessors[node]) {
        if (dominators[from] >= 0) dominator = dominator < 0 ? from : meet(dominator, from);
      }
      if (dominators[node] !== dominator) {
        dominators[node] = dominator;
        changed = true;
      }
    }
  }
  return dominators;
}

/** What writes the nodes' own code. */
export interface NodeWriter {
  /** Writes a node and, through {@link StructuredWriter.follow}, the ways out of it. Control must not fall out of it. */
  node(number: number, isMerge: boolean): void;
  /** Writes what an edge needs besides the jump, such as setting selectors. */
  edge(edge: Edge): void;
}

/** Writes the nodes in structured order. */
export class StructuredWriter {
  readonly #labels = new Map<number, Label>();

  constructor(
    readonly code: Code,
    readonly graph: FlowGraph,
    readonly analysis: Analysis,
    readonly writer: NodeWriter,
  ) {}

  /** Writes the whole graph. */
  write(): void {
    this.#tree(0);
  }

  /** A node with everything that it dominates. */
  #tree(node: number): void {
    const { position, merges, dominated, headers } = this.analysis;
    // The later in the order, the further out the block whose end is the node's place.
    const inner = dominated[node].filter((n) => merges.has(n)).sort((a, b) => position[b] - position[a]);
    if (!headers.has(node)) return this.#within(node, inner, 0);
    this.code.loop((label) => {
      this.#labels.set(node, label);
      this.#within(node, inner, 0);
    });
  }

  #within(node: number, inner: readonly number[], next: number): void {
    if (next === inner.length) return this.writer.node(node, this.isMerge(node));
    const follower = inner[next];
    this.code.block((label) => {
      this.#labels.set(follower, label);
      this.#within(node, inner, next + 1);
    });
    this.#labels.delete(follower);
    this.#tree(follower);
  }

  /** True if control reaches the node in several ways, so that nothing is known there about the one taken. */
  isMerge(node: number): boolean {
    return this.analysis.merges.has(node) || this.analysis.headers.has(node);
  }

  /** The label that an edge jumps to; undefined if its target is to be written in place. */
  label(edge: Edge): Label | undefined {
    return this.isMerge(edge.target) ? this.#labels.get(edge.target) : undefined;
  }

  /** Goes along an edge: by a jump, or by writing the target here if this is the only way to it. */
  follow(edge: Edge): void {
    this.writer.edge(edge);
    const label = this.label(edge);
    if (label) this.code.br(label);
    else this.#tree(edge.target);
  }
}
