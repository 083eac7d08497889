/** Writes a region as one WebAssembly function. */
import { Code, type Label, Op } from "../../wasm/mod.ts";
import type { Instruction } from "../decode/instruction.ts";
import { Value } from "../emit/value.ts";
import { Exit } from "../interpreter/layout.ts";
import { LEFT } from "../interpreter/linkage.ts";
import { S } from "../state.ts";
import { AccessGroups } from "./access_groups.ts";
import { type BudgetChecks, findBudgetChecks } from "./budget_checks.ts";
import { findChases } from "./chases.ts";
import { CodeChecks, type CodeLocation } from "./code_checks.ts";
import { findDeadFlags } from "./dead_flags.ts";
import type { RegionBlock, RegionCode } from "./discovery.ts";
import type { RegionInstruction } from "./region_instruction.ts";
import { RegionEmitter } from "./emitter.ts";
import { Endings, tailCall } from "./endings.ts";
import { Exits } from "./exits.ts";
import { type FlagKnowledge, FlagTracker, isSameKnowledge } from "./flags.ts";
import type { Edge } from "./flow_graph.ts";
import type { RegionLinkage } from "./linkage.ts";
import { findLoaded, loadedAfter } from "./pointers.ts";
import { NotTranslated, type Outcome } from "./region_context.ts";
import { countOf, RegionGraph, type Strip } from "./region_graph.ts";
import { RegionLocals } from "./region_locals.ts";
import { RegisterFlow } from "./register_flow.ts";
import { ALL_XMM } from "./register_use.ts";
import { StripWriter } from "./strip_writer.ts";
import { findStrips } from "./strips.ts";
import { type NodeWriter, StructuredWriter } from "./structure.ts";

/** What to write. */
export interface RegionPlan extends CodeLocation {
  readonly code: RegionCode;
  /**
   * By offset in CS of instructions at which groups of accesses to the stack failed: where in its page the access lay. Or that no accesses are
   * to be in groups.
   */
  readonly split: ReadonlyMap<number, number> | "apart" | undefined;
  /** It runs with the user's privilege. */
  readonly user: boolean;
  /** Called with an instruction that turned out to need the interpreter. */
  notTranslated(instruction: Instruction): void;
  /** The region's slot in the table. */
  readonly slot: number;
  readonly linkage: RegionLinkage;
}

/** A place where a region can be left. */
export interface Site {
  /** Offset in CS of the instruction to go on with. */
  readonly ip: number;
  /** True if only the run loop must have its turn first; false if the interpreter has to execute that instruction. */
  readonly done: boolean;
  /** Instructions that were taken from the budget, but not executed. */
  readonly unfinished: number;
  /** True if a reason can be a group of accesses: not all of it is possible, or an entry of the TLB may not change, see access_groups.ts. */
  readonly forGroup: boolean;
}

/** A region's function. */
export interface WrittenRegion {
  readonly body: Code;
  readonly sites: readonly Site[];
  /** The first instruction of the root turned out to need the interpreter if this is 0. */
  readonly translated: number;
}

/** The graph of a region, in which loops have strips or are unrolled. */
function withCopies({ code: { blocks }, mode }: RegionPlan): RegionGraph {
  const region = new RegionGraph(blocks);
  if (region.analysis.headers.size === 0) return region;
  return new RegionGraph(blocks, findStrips(region, new RegisterFlow(region), mode));
}

/** Writes one region. Throws UnexpectedRegister if it has to be written again. */
export class RegionWriter implements NodeWriter {
  readonly #plan: RegionPlan;
  readonly #body = new Code(2);
  readonly #region: RegionGraph;
  readonly #registers: RegisterFlow;
  readonly #budget: BudgetChecks;
  /** By node: registers that hold something just loaded where it begins. */
  readonly #loadedAt: Int32Array;
  readonly #groups: AccessGroups;
  /** By node: 1 if it is in a loop that tries the page of its last hop first. */
  readonly #chases: Uint8Array;
  readonly #locals: RegionLocals;
  readonly #flags: FlagTracker;
  readonly #strips: StripWriter;
  /** By node: what is known about the flags on all ways there that are written. */
  readonly #knownAt: FlagKnowledge[] = [];
  /** Locals of dispatch nodes' selectors, by node. */
  readonly #selectors = new Map<number, number>();
  readonly #sites: Site[] = [];
  readonly #checks: CodeChecks;
  readonly #writer: StructuredWriter;
  #emitter!: RegionEmitter;
  #endings!: Endings;
  readonly #exits: Exits;
  /** The instruction that is being written, and its site once it has one. */
  #current!: RegionInstruction;
  #currentSite = -1;
  /** Registers whose locals may differ from the state block before it. */
  #dirty = 0;
  /** Instructions of the block from the current one on: taken from the budget, but not done. */
  #unfinished = 0;
  #translated = 0;

  constructor(plan: RegionPlan) {
    this.#plan = plan;
    this.#region = withCopies(plan);
    this.#registers = new RegisterFlow(this.#region);
    this.#budget = findBudgetChecks(this.#region);
    this.#loadedAt = findLoaded(this.#region, this.#registers, plan.user);
    this.#groups = new AccessGroups(this.#region, this.#registers, plan.mode, plan.split);
    const wide = plan.mode.code === 64;
    this.#chases = plan.user
      ? findChases(this.#region, this.#registers, this.#loadedAt)
      : new Uint8Array(this.#region.size);
    this.#locals = new RegionLocals(
      this.#body,
      wide,
      this.#region,
      this.#registers,
      plan.linkage.flags,
      this.#chases.includes(1),
    );
    this.#flags = this.#locals.flags;
    this.#strips = new StripWriter(this.#body, this.#locals, plan.user, wide);
    this.#exits = new Exits(this.#body, this.#locals, this.#region, this.#registers);
    this.#checks = new CodeChecks(plan, this.#body, this.#locals);
    this.#writer = new StructuredWriter(this.#body, this.#region.graph, this.#region.analysis, this);
  }

  // ---- the function

  write(): WrittenRegion {
    const code = this.#body, locals = this.#locals, { linkage } = this.#plan;
    locals.enter();
    code.block((sites) => {
      code.block((tail) => {
        code.block((ends) =>
          this.#exits.write(sites, ends, () => {
            this.#emitter = this.#makeEmitter();
            this.#endings = this.#makeEndings(tail);
            this.#checkSegment();
            this.#writer.write();
            code.op(Op.UNREACHABLE);
          })
        );
        locals.storeOthers();
      });
      tailCall(code, linkage, locals);
      code.get(locals.next);
      code.op(Op.RETURN);
    }, "i32");
    code.set(locals.site);
    locals.storeOthers();
    locals.setState(S.SITE, () => code.get(locals.site));
    locals.setState(S.REGION, () => code.i32(this.#plan.slot));
    locals.setState(S.EXIT, () => code.i32(Exit.BAIL));
    code.i64(LEFT);
    return { body: code, sites: this.#sites, translated: this.#translated };
  }

  #makeEmitter(): RegionEmitter {
    const { linkage, mode, user } = this.#plan, locals = this.#locals;
    return new RegionEmitter({
      code: this.#body,
      mode,
      user,
      flags: locals.flags,
      registers: locals.registers,
      steady: locals.steady,
      x87: locals.x87,
      budget: locals.budget,
      linkage: linkage.accesses,
      groups: this.#groups,
      lastPages: locals.lastPages,
      chases: this.#chases,
      region: this.#region,
      bailLabel: (changed) => this.#exits.site(this.#dirty | changed),
      kernel: linkage.kernel,
      helper: linkage.helper,
      storeVectors: () => locals.storeRegisters(locals.dirty & ALL_XMM),
      loadVectors: (mask) => locals.loadRegisters(mask & ALL_XMM),
      cyclesLeft: () => Value.local("i32", locals.budget).add(this.#unfinished),
      beforeHelper: () => locals.beforeHelper(this.#current.ip, this.#unfinished),
      afterHelper: () => locals.afterHelper(this.#unfinished),
      currentSite: (forGroup) => this.#siteOfCurrent(forGroup),
    });
  }

  #makeEndings(tail: Label): Endings {
    return new Endings({
      code: this.#body,
      linkage: this.#plan.linkage,
      region: this.#region,
      locals: this.#locals,
      end: (node) => this.#exits.end(this.#registers.dirty(node)),
      tail,
      isUnchanged: () => this.#checks.isUnchanged(),
      goto: (node, ip) => this.#goto(node, ip),
    });
  }

  #checkSegment(): void {
    const { code: { blocks } } = this.#plan, code = this.#body;
    if (!this.#checks.isSegmented) return;
    this.#checks.segmentDiffers(blocks);
    code.unlikely();
    code.if(() => this.#bailAt(0, blocks[0].ip));
  }

  // ---- sites

  #site(ip: number, done: boolean, unfinished: number): number {
    return this.#sites.push({ ip, done, unfinished, forGroup: false }) - 1;
  }

  /** Leaves with all state up to date before the instruction at `ip`; nothing of the block has been taken from the budget. */
  #bailAt(node: number, ip: number): void {
    this.#body.i32(this.#site(ip, false, 0));
    this.#body.br(this.#exits.site(this.#registers.dirtyBefore(node)));
  }

  /** Called by the emitter where the region may be left before the current instruction. */
  #siteOfCurrent(forGroup: boolean): number {
    if (this.#currentSite < 0) this.#currentSite = this.#site(this.#current.ip, false, this.#unfinished);
    if (forGroup) this.#sites[this.#currentSite] = { ...this.#sites[this.#currentSite], forGroup };
    return this.#currentSite;
  }

  /** After an instruction that called a system function: leaves if the run loop must have its turn. */
  #leaveIfAsked(next: number): void {
    const code = this.#body;
    code.i32(this.#site(next, true, this.#unfinished));
    this.#locals.getState(S.LEAVE);
    code.unlikely();
    code.brIf(this.#exits.site(this.#locals.dirty));
    code.op(Op.DROP);
  }

  // ---- nodes

  node(number: number, isMerge: boolean): void {
    // Where a loop begins, the ways back are yet to be written.
    const isHeader = this.#region.analysis.headers.has(number);
    if (isMerge) this.#flags.known = isHeader ? FlagTracker.DYNAMIC : this.#knownAt[number] ?? FlagTracker.DYNAMIC;
    const block = this.#region.block(number), strip = this.#region.strip(number);
    if (block) this.#block(number, block);
    else if (strip) this.#strip(number, strip);
    else this.#choose(number);
  }

  /** The entry or the gate of a strip. */
  #strip(node: number, strip: Strip): void {
    const code = this.#body, [first, second] = this.#region.graph.successors[node], known = this.#flags.known;
    if (node === strip.gate) {
      this.#strips.goesOn(strip);
      code.if(() => this.#writer.follow(first));
    } else {
      // A strip begins behind the block, or the loop goes on at its header.
      code.block((elsewhere) => {
        this.#strips.begin(strip, this.#budget.needs[strip.header], elsewhere);
        this.#writer.follow(second);
      });
    }
    this.#flags.known = known;
    this.#writer.follow(node === strip.gate ? second : first);
  }

  #block(node: number, block: RegionBlock): void {
    const locals = this.#locals, count = countOf(block);
    if (this.#budget.checked[node] !== 0 && this.#region.strip(node)?.header !== node) {
      this.#checkBudget(node, block.ip);
    }
    if (count > 0) locals.spend(count);
    this.#unfinished = count;
    const dead = findDeadFlags(block.instructions);
    locals.x87?.enter(node);
    locals.dirty = this.#registers.dirtyBefore(node);
    this.#emitter.node = node;
    let loaded = this.#loadedAt[node];
    for (const [i, current] of block.instructions.entries()) {
      if (current.flow === "interpret") return this.#leaveTo(node, current.ip);
      this.#emitter.loaded = loaded;
      loaded = loadedAfter(current.instruction, this.#registers.use(current), loaded);
      const outcome = this.#instruction(node, current, dead[i] !== 0);
      if (outcome === null) return;
      this.#unfinished--;
      if (current.flow !== "transfer" && this.#emitter.calledHelper) this.#leaveIfAsked(current.next);
      if (current.flow !== "next") return this.#end(node, current, outcome);
    }
    this.#goto(node, block.instructions.at(-1)!.next);
  }

  /** Leaves if the budget is less than what may run from here on. */
  #checkBudget(node: number, ip: number): void {
    const code = this.#body;
    code.get(this.#locals.budget);
    code.i32(this.#budget.needs[node]);
    code.op(Op.I32_LT_S);
    code.unlikely();
    code.if(() => this.#bailAt(node, ip));
  }

  /** Writes an instruction; null if it turned out that the interpreter has to execute it, which ends the node. */
  #instruction(node: number, current: RegionInstruction, flagsAreDead: boolean): Outcome | null {
    const code = this.#body, mark = code.mark(), known = this.#flags.known;
    this.#current = current;
    this.#currentSite = -1;
    this.#dirty = this.#locals.dirty;
    this.#locals.dirty |= this.#registers.use(current).written;
    let outcome: Outcome | null = null;
    code.scope(() => {
      try {
        if (current.tail >= 0) this.#checkSecondPage(current);
        outcome = this.#emitter.writeInstruction(current, this.#registers.use(current), flagsAreDead);
        // What comes next may be anywhere: the condition waits on the stack, the target in its local.
        if (outcome.kind === "branch") outcome.condition.emit(code);
        if (outcome.kind === "computed") {
          outcome.target.emit(code);
          code.set(this.#locals.next);
        }
      } catch (error) {
        if (!(error instanceof NotTranslated)) throw error;
        outcome = null;
      }
    });
    if (outcome !== null) {
      this.#translated++;
      return outcome;
    }
    code.rewind(mark);
    this.#flags.known = known;
    this.#plan.notTranslated(current.instruction);
    this.#locals.giveBack(this.#unfinished);
    this.#leaveTo(node, current.ip);
    return null;
  }

  /** What an instruction other than a simple one leads to. */
  #end(node: number, last: RegionInstruction, outcome: Outcome): void {
    const code = this.#body;
    switch (last.flow) {
      case "jump":
        return this.#goto(node, last.target);
      case "branch":
        return this.#branch(node, last);
      case "call":
        code.i64(BigInt(last.target));
        code.set(this.#locals.next);
        return this.#endings.call(node, last);
      case "callIndirect":
        return this.#endings.call(node, last);
      case "indirect":
        return this.#endings.jump(node, last);
      case "stall":
        this.#locals.spend(outcome.kind === "stall" ? outcome.cycles : 0);
        return this.#goto(node, last.next);
      case "exit":
        return this.#goto(node, last.next);
      case "transfer":
        return this.#endings.transfer(node, last, this.#emitter.calledHelper);
      case "return":
        return this.#return();
      default:
        throw new Error(`${last.instruction.mnemonic} ended with ${outcome.kind}`);
    }
  }

  /** Leaves the region to go on at a fixed place. */
  #leaveTo(node: number, ip: number): void {
    this.#body.i64(BigInt(ip));
    this.#body.set(this.#locals.next);
    this.#body.br(this.#exits.end(this.#registers.dirty(node)));
  }

  /** Returns from a call. */
  #return(): void {
    const code = this.#body, locals = this.#locals;
    this.#flags.toMemory();
    locals.storeBudget();
    locals.storeDirty();
    code.get(locals.next);
    code.op(Op.RETURN);
  }

  /** Goes to an offset, in the region or out of it. */
  #goto(node: number, ip: number): void {
    const edge = this.#region.edge(node, ip);
    if (!edge) return this.#leaveTo(node, ip);
    this.#checkPage(node, ip);
    this.#writer.follow(edge);
  }

  /** The code of another page may have gone since the region was translated. */
  #checkPage(node: number, ip: number): void {
    const code = this.#body;
    if (!this.#checks.isOtherPage(this.#region.blocks[node - 1].ip, ip)) return;
    this.#checks.isPageGone(ip);
    code.unlikely();
    code.if(() => this.#leaveTo(node, ip));
  }

  /** The same of the page in which the current instruction ends: the interpreter finds out. */
  #checkSecondPage({ ip, instruction }: RegionInstruction): void {
    const code = this.#body;
    code.i32(this.#siteOfCurrent(false));
    this.#checks.isPageGone(ip + instruction.length - 1);
    code.unlikely();
    code.brIf(this.#exits.site(this.#dirty));
    code.op(Op.DROP);
  }

  edge(edge: Edge): void {
    this.#arrive(edge);
    for (const { dispatch, value } of edge.selectors) {
      this.#body.i32(value);
      this.#body.set(this.#selector(dispatch));
    }
  }

  /** What is known about the flags here is known where an edge leads if it is the same on all other ways. */
  #arrive({ target }: Edge): void {
    const { known } = this.#flags, before = this.#knownAt[target];
    this.#knownAt[target] = before === undefined || isSameKnowledge(before, known) ? known : FlagTracker.DYNAMIC;
  }

  #selector(dispatch: number): number {
    let local = this.#selectors.get(dispatch);
    if (local === undefined) this.#selectors.set(dispatch, local = this.#body.local("i32"));
    return local;
  }

  /** The condition is on the stack. */
  #branch(node: number, last: RegionInstruction): void {
    const code = this.#body, taken = this.#region.edge(node, last.target), known = this.#flags.known;
    const stays = !this.#checks.isOtherPage(this.#region.blocks[node - 1].ip, last.target);
    const label = taken && taken.selectors.length === 0 && stays ? this.#writer.label(taken) : undefined;
    if (taken && label) {
      this.#arrive(taken);
      code.brIf(label);
    } else {
      code.if(() => this.#goto(node, last.target));
      this.#flags.known = known;
    }
    this.#goto(node, last.next);
  }

  /** Node 0 and dispatch nodes: on to the only successor, or by a number. */
  #choose(node: number): void {
    const code = this.#body, edges = this.#region.graph.successors[node], known = this.#flags.known;
    if (edges.length === 1) return this.#writer.follow(edges[0]);
    const labels: Label[] = [], inPlace: number[] = [];
    edges.forEach((edge, i) => {
      const label = edge.selectors.length === 0 ? this.#writer.label(edge) : undefined;
      if (label) {
        this.#arrive(edge);
        labels[i] = label;
      } else inPlace.push(i);
    });
    const nest = (n: number) => {
      if (n < 0) {
        code.get(this.#selector(node));
        return code.brTable(labels.slice(0, -1), labels[labels.length - 1]);
      }
      const index = inPlace[n];
      code.block((label) => {
        labels[index] = label;
        nest(n - 1);
      });
      this.#flags.known = known;
      this.#writer.follow(edges[index]);
    };
    nest(inPlace.length - 1);
  }
}
