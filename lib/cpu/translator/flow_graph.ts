/**
 * Control-flow graphs for structured output. A node that control enters in the middle of a loop makes the loop irreducible:
 * such loops get a dispatch node as their one header, which goes on by a selector that every edge into it sets.
 */

/** A way from one node to another. */
export interface Edge {
  /** Node number. */
  target: number;
  /** Selectors to set on the way: the dispatch node's number and the index of the successor that it shall take. */
  readonly selectors: { readonly dispatch: number; readonly value: number }[];
}

/** A graph whose nodes are numbers from 0, the root. */
export class FlowGraph {
  /** Edges by node, in the order in which the node's code refers to them. */
  readonly successors: Edge[][] = [];
  /** Nodes that were added as loop headers: they branch on their selector. */
  readonly dispatches = new Set<number>();

  /** Adds a node; returns its number. */
  add(targets: readonly number[] = []): number {
    return this.successors.push(targets.map((target) => ({ target, selectors: [] }))) - 1;
  }

  /** Adds an edge; returns its position among the node's edges. */
  connect(from: number, to: number): number {
    return this.successors[from].push({ target: to, selectors: [] }) - 1;
  }

  /** Gives every loop that has several entries a dispatch node. */
  makeReducible(): void {
    this.#treat(this.#reachable());
  }

  #reachable(): Set<number> {
    const seen = new Set<number>([0]), pending = [0];
    for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
      for (const { target } of this.successors[node]) {
        if (seen.has(target)) continue;
        seen.add(target);
        pending.push(target);
      }
    }
    return seen;
  }

  /** Loops among `nodes`, then the loops inside those: a loop's header no longer belongs to its inside. */
  #treat(nodes: ReadonlySet<number>): void {
    for (const component of this.#components(nodes)) {
      const inside = new Set(component);
      if (component.length === 1 && !this.successors[component[0]].some((e) => e.target === component[0])) continue;
      const entries = this.#entries(inside);
      if (entries.length > 1) this.#dispatch(entries);
      else inside.delete(entries[0]);
      this.#treat(inside);
    }
  }

  #entries(inside: ReadonlySet<number>): number[] {
    const entries = new Set<number>();
    if (inside.has(0)) entries.add(0);
    this.successors.forEach((edges, from) => {
      if (inside.has(from)) return;
      for (const { target } of edges) if (inside.has(target)) entries.add(target);
    });
    return [...entries].sort((a, b) => a - b);
  }

  #dispatch(entries: readonly number[]): void {
    const dispatch = this.successors.length, index = new Map(entries.map((node, i) => [node, i]));
    for (const edges of this.successors) {
      for (const edge of edges) {
        const value = index.get(edge.target);
        if (value === undefined) continue;
        edge.selectors.push({ dispatch, value });
        edge.target = dispatch;
      }
    }
    this.add(entries);
    this.dispatches.add(dispatch);
  }

  /** Strongly connected components of the graph that `nodes` spans. Tarjan, SIAM J. Comput. 1 (1972). */
  #components(nodes: ReadonlySet<number>): number[][] {
    const order = new Map<number, number>(), low = new Map<number, number>(), onStack = new Set<number>();
    const stack: number[] = [], components: number[][] = [];
    const visit = (root: number) => {
      const work: { node: number; next: number }[] = [];
      const open = (node: number) => {
        order.set(node, order.size);
        low.set(node, order.get(node)!);
        stack.push(node);
        onStack.add(node);
        work.push({ node, next: 0 });
      };
      open(root);
      while (work.length > 0) {
        const frame = work[work.length - 1], { node } = frame;
        const edge = this.successors[node][frame.next++];
        if (edge !== undefined) {
          const { target } = edge;
          if (!nodes.has(target)) continue;
          if (!order.has(target)) open(target);
          else if (onStack.has(target)) low.set(node, Math.min(low.get(node)!, order.get(target)!));
          continue;
        }
        work.pop();
        const parent = work.at(-1)?.node;
        if (parent !== undefined) low.set(parent, Math.min(low.get(parent)!, low.get(node)!));
        if (low.get(node) !== order.get(node)) continue;
        const component: number[] = [];
        for (let member = -1; member !== node;) {
          member = stack.pop()!;
          onStack.delete(member);
          component.push(member);
        }
        components.push(component);
      }
    };
    for (const node of nodes) if (!order.has(node)) visit(node);
    return components;
  }
}
