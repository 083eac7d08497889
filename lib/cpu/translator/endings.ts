/** Writes how blocks of a region end that go on at an address which is not known before: calls, indirect jumps and transfers. */
import { type Code, type Label, Op } from "../../wasm/mod.ts";
import { Exit, REGION_CACHE } from "../interpreter/layout.ts";
import { LEFT, MODE_CHANGED } from "../interpreter/linkage.ts";
import { regionEntry } from "../interpreter/region_cache.ts";
import { S } from "../state.ts";
import type { RegionInstruction } from "./region_instruction.ts";
import { FlagTracker } from "./flags.ts";
import type { RegionLinkage } from "./linkage.ts";
import { perfectHash } from "./perfect_hash.ts";
import type { RegionGraph } from "./region_graph.ts";
import { CPU, DEPTH, type RegionLocals } from "./region_locals.ts";

/** Deepest nesting of calls between regions; what goes deeper gives up the way back. */
const DEEPEST = 100;

/** What endings need of the region that is being written. */
export interface EndingHost {
  readonly code: Code;
  readonly linkage: RegionLinkage;
  readonly region: RegionGraph;
  readonly locals: RegionLocals;
  /** The label at which a node leaves the region: all state is stored, and execution goes on at {@link RegionLocals.next}. */
  end(node: number): Label;
  /** The same if all state is stored. */
  readonly tail: Label;
  /** Leaves 1 on the stack if mode and code segment are those that the region was entered with, else 0. */
  isUnchanged(): void;
  /** Goes from the end of a node to an offset in CS, in the region or out of it. */
  goto(node: number, ip: number): void;
}

/** By what a jump picks one of its targets. */
interface Choice {
  /** Leaves an index on the stack. */
  index(): void;
  /** By index: the target's position, -1 for none. */
  readonly positions: readonly number[];
}

/** Goes on at `next` in another region if there is one. Falls through if not. */
export function tailCall(code: Code, { lookup, regionType }: RegionLinkage, { next, region }: RegionLocals): void {
  code.get(CPU);
  code.get(next);
  code.call(lookup);
  code.tee(region);
  code.if(() => {
    code.get(CPU);
    code.get(DEPTH);
    code.get(region);
    code.returnCallIndirect(regionType);
  });
}

/** The endings of a region's blocks; `last` is the block's last instruction, of which everything else is done. */
export class Endings {
  readonly #host: EndingHost;

  constructor(host: EndingHost) {
    this.#host = host;
  }

  /** After a system function, or what stands for it, has set RIP: on there, in the region if it is the next instruction. */
  transfer(node: number, last: RegionInstruction, calledHelper: boolean): void {
    const { code, locals, region, isUnchanged } = this.#host;
    if (calledHelper) {
      locals.getState(S.LEAVE);
      code.unlikely();
      code.if(() => {
        locals.storeBudget();
        locals.setState(S.EXIT, () => code.i32(Exit.TRANSFER));
        code.i64(LEFT);
        code.op(Op.RETURN);
      });
    } else {
      locals.flags.toMemory();
      locals.storeDirty();
    }
    code.get(CPU);
    code.memory(Op.I64_LOAD, S.RIP);
    code.set(locals.next);
    if (region.edge(node, last.next)) {
      code.get(locals.next);
      code.i64(BigInt(last.next));
      code.op(Op.I64_EQ);
      isUnchanged();
      code.op(Op.I32_AND);
      code.if(() => this.#host.goto(node, last.next));
      locals.flags.known = FlagTracker.IN_MEMORY;
    }
    locals.storeBudget();
    code.get(locals.next);
    code.get(locals.next);
    code.i64(MODE_CHANGED);
    code.op(Op.I64_XOR);
    isUnchanged();
    code.op(Op.SELECT);
    code.op(Op.RETURN);
  }

  /** Calls the region at `next`, if there is one, and goes on behind the call when control comes back there. */
  call(node: number, last: RegionInstruction): void {
    const { code, linkage, locals } = this.#host;
    locals.flags.toMemory();
    locals.storeBudget();
    locals.storeDirty();
    code.block((elsewhere) => {
      code.get(DEPTH);
      code.i32(DEEPEST);
      code.op(Op.I32_GT_U);
      code.unlikely();
      code.brIf(elsewhere);
      this.#find(last.target, elsewhere);
      code.get(CPU);
      code.get(DEPTH);
      code.i32(1);
      code.op(Op.I32_ADD);
      code.get(locals.region);
      code.callIndirect(linkage.regionType);
      code.tee(locals.result);
      code.i64(BigInt(last.next));
      code.op(Op.I64_NE);
      code.unlikely();
      code.if(() => {
        code.get(locals.result);
        code.op(Op.RETURN);
      });
      this.#returned(node, last);
    });
    code.get(locals.next);
    code.op(Op.RETURN);
  }

  /** Finds the table slot of the region at `next`, which is `target` unless that is -1; goes to `elsewhere` if there is none. */
  #find(target: number, elsewhere: Label): void {
    const { code, linkage, locals } = this.#host;
    const lookUp = () => {
      code.get(CPU);
      code.get(locals.next);
      code.call(linkage.lookup);
      code.tee(locals.region);
      code.op(Op.I32_EQZ);
      code.brIf(elsewhere);
    };
    if (target === -1 || !linkage.cached) return lookUp();
    const entry = regionEntry(target);
    code.block((found) => {
      code.block((unknown) => {
        const unknownIf = (op: number) => {
          code.op(op);
          code.unlikely();
          code.brIf(unknown);
        };
        code.i32(0);
        code.memory(Op.I64_LOAD, entry + REGION_CACHE.KEY);
        code.i64(BigInt(target));
        unknownIf(Op.I64_NE);
        code.i32(0);
        code.memory(Op.I32_LOAD, entry + REGION_CACHE.MODE);
        locals.getState(S.MODE);
        unknownIf(Op.I32_NE);
        code.i32(0);
        code.memory(Op.I32_LOAD, entry + REGION_CACHE.SLOT);
        code.set(locals.region);
        code.br(found);
      });
      lookUp();
    });
  }

  #returned(node: number, last: RegionInstruction): void {
    const { code, locals, region, tail, goto } = this.#host;
    const edge = region.edge(node, last.next);
    if (edge) {
      locals.x87?.enter(edge.target);
      locals.load();
      return goto(node, last.next);
    }
    code.i64(BigInt(last.next));
    code.set(locals.next);
    code.br(tail);
  }

  /** A jump to `next`: by a table, if the targets that it has been seen to have are in the region. */
  jump(node: number, last: RegionInstruction): void {
    const { code, locals: { flags, next }, region, goto } = this.#host, leave = this.#host.end(node);
    const targets = last.targets.filter((ip) => region.edge(node, ip)), choice = this.#choice(last, targets);
    if (!choice) return code.br(leave);
    const known = flags.known, labels: Label[] = [];
    const nest = (n: number) => {
      if (n < 0) {
        choice.index();
        return code.brTable(choice.positions.map((position) => position < 0 ? leave : labels[position]), leave);
      }
      code.block((label) => {
        labels[n] = label;
        nest(n - 1);
      });
      code.get(next);
      code.i64(BigInt(targets[n]));
      code.op(Op.I64_NE);
      code.brIf(leave);
      flags.known = known;
      goto(node, targets[n]);
    };
    nest(targets.length - 1);
  }

  /** By what a jump picks one of its targets; null if there is nothing. */
  #choice({ table }: RegionInstruction, targets: readonly number[]): Choice | null {
    const { code, locals } = this.#host;
    const positions = table?.entries.map((target) => targets.indexOf(target)) ?? [];
    if (table && targets.every((_, position) => positions.includes(position))) {
      return { index: () => locals.getNarrow(table.register), positions };
    }
    const hash = targets.length > 0 ? perfectHash(targets.map((ip) => ip | 0)) : null;
    if (!hash) return null;
    const index = () => {
      code.get(locals.next);
      code.op(Op.I32_WRAP_I64);
      code.i32(hash.multiplier);
      code.op(Op.I32_MUL);
      code.i32(hash.shift);
      code.op(Op.I32_SHR_U);
    };
    return { index, positions: hash.slots };
  }
}
