/** Writes a region as one WebAssembly function. */
import { Code, type Label, Op, OpSimd } from "../../wasm/mod.ts";
import type { Instruction } from "../decode/instruction.ts";
import type { CodeMode } from "../emit/emitter.ts";
import { type Imported, LEFT } from "../interpreter/linkage.ts";
import { CPU_BASE, Exit } from "../interpreter/layout.ts";
import { STEADY_SSE, STEADY_X87 } from "../emit/steady.ts";
import { IN_REGION, S, SEG, Seg } from "../state.ts";
import type { Flow, RegionBlock, RegionCode, RegionInstruction } from "./discovery.ts";
import { NotTranslated, type Outcome, RegionEmitter } from "./emitter.ts";
import { type FlagFunctions, FlagTracker } from "./flags.ts";
import { type Edge, FlowGraph } from "./flow_graph.ts";
import type { AccessLinkage } from "./accesses.ts";
import { findDeadFlags } from "./dead_flags.ts";
import { findLoaded, loadedAfter } from "./pointers.ts";
import { perfectHash } from "./perfect_hash.ts";
import { ALL_XMM, REGISTERS, registerUse, XMM0 } from "./register_use.ts";
import { SteadyLocals } from "./steady_locals.ts";
import { X87Locals } from "./x87_locals.ts";
import { analyse, type NodeWriter, StructuredWriter } from "./structure.ts";

/** Deepest nesting of calls between regions; what goes deeper gives up the way back. */
const DEEPEST = 100;

const CPU = 0, DEPTH = 1;

/** Functions that regions call. */
export interface RegionLinkage {
  /** Type index of a region's function. */
  readonly regionType: number;
  /** (state block, offset in CS i64) → table slot of the region there, 0 if none is known. */
  readonly lookup: number;
  readonly accesses: AccessLinkage;
  readonly flags: FlagFunctions;
  kernel(name: string): Imported;
  helper(name: string): Imported;
}

/** What to write. */
export interface RegionPlan {
  readonly code: RegionCode;
  readonly mode: CodeMode;
  /** Offset in CS → address in the state memory of the word that equals S.MODE while the code of that page is known to be there. */
  pageCell(ip: number): number;
  /** Number of the page of an offset in CS. */
  page(ip: number): number;
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
}

/** A region's function. */
export interface WrittenRegion {
  readonly body: Code;
  readonly sites: readonly Site[];
  /** The first instruction of the root turned out to need the interpreter if this is 0. */
  readonly translated: number;
}

/** Writes one region. Throws UnexpectedRegister if it has to be written again. */
export class RegionWriter implements NodeWriter {
  readonly #plan: RegionPlan;
  readonly #body = new Code(2);
  readonly #graph = new FlowGraph();
  readonly #flags: FlagTracker;
  readonly #registers: number[] = [];
  readonly #steady: SteadyLocals;
  readonly #x87: X87Locals | null;
  /** Registers that the region may change, as a mask. */
  #all = 0;
  /** By node: registers that its code may change, and those whose locals may differ from the state block where it begins. */
  readonly #written: Int32Array;
  readonly #dirtyAt: Int32Array;
  /** By node: registers that hold something just loaded where it begins. */
  readonly #loadedAt: Int32Array;
  /** Registers whose locals may differ from the state block in the node that is being written. */
  #dirty = 0;
  readonly #tlb: number;
  readonly #budget: number;
  readonly #mode: number;
  readonly #site: number;
  readonly #next: number;
  /** Locals of calls: the entry called, and what it returned. */
  readonly #region: number;
  readonly #result: number;
  readonly #selectors = new Map<number, number>();
  /** Node number by block address. */
  readonly #nodes = new Map<number, number>();
  readonly #blocks: readonly RegionBlock[];
  readonly #sites: Site[] = [];
  readonly #needs: Int32Array;
  readonly #checked: Uint8Array;
  readonly #writer: StructuredWriter;
  #emitter!: RegionEmitter;
  #bail!: Label;
  #leave!: Label;
  #tail!: Label;
  #return!: Label;
  /** The instruction that is being written, and its site once it has one. */
  #current!: RegionInstruction;
  #currentSite = -1;
  /** Instructions of the block from the current one on: taken from the budget, but not done. */
  #unfinished = 0;
  #translated = 0;

  constructor(plan: RegionPlan) {
    this.#plan = plan;
    this.#blocks = plan.code.blocks;
    const code = this.#body;
    this.#flags = new FlagTracker(code, plan.linkage.flags);
    this.#tlb = code.local("i32");
    this.#budget = code.local("i32");
    this.#mode = code.local("i32");
    this.#site = code.local("i32");
    this.#next = code.local("i64");
    this.#region = code.local("i32");
    this.#result = code.local("i64");
    const touched = this.#allocateRegisters();
    this.#buildGraph();
    this.#x87 = X87Locals.plan(code, this.#blocks, this.#graph);
    this.#steady = new SteadyLocals(code, [
      ...(touched & ALL_XMM) !== 0 ? STEADY_SSE : [],
      ...this.#x87 ? STEADY_X87 : [],
    ]);
    const analysis = analyse(this.#graph);
    this.#loadedAt = findLoaded(this.#graph, analysis, this.#blocks);
    this.#writer = new StructuredWriter(code, this.#graph, analysis, this);
    this.#checked = this.#findChecks(analysis.headers);
    this.#needs = this.#findNeeds(analysis.order);
    this.#written = this.#findWritten();
    this.#dirtyAt = this.#findDirty(analysis.order);
  }

  /** Returns the registers that the region touches. */
  #allocateRegisters(): number {
    let touched = 0, written = 0;
    for (const block of this.#blocks) {
      for (const { instruction } of block.instructions) {
        const use = registerUse(instruction);
        touched |= use.touched;
        written |= use.written;
      }
    }
    this.#all = written;
    const general = this.#plan.mode.code === 64 ? "i64" : "i32";
    for (let n = 0; n < REGISTERS; n++) {
      const type = n < XMM0 ? general : "v128";
      this.#registers.push((touched & (1 << n)) !== 0 ? this.#body.local(type) : -1);
    }
    return touched;
  }

  // ---- the graph: node 0 leads to the root, node i + 1 is block i

  #buildGraph(): void {
    this.#graph.add();
    this.#blocks.forEach((block) => this.#nodes.set(block.ip, this.#graph.add()));
    this.#graph.connect(0, 1);
    for (const block of this.#blocks) {
      const node = this.#nodes.get(block.ip)!;
      for (const target of this.#targets(block)) {
        const to = this.#nodes.get(target);
        if (to !== undefined) this.#graph.connect(node, to);
      }
    }
    this.#graph.makeReducible();
  }

  /** Where control goes from the end of a block, as offsets in CS, in the order of the node's edges. */
  #targets(block: RegionBlock): number[] {
    const last = block.instructions.at(-1);
    if (!last) return [];
    switch (last.flow) {
      case "jump":
        return [last.target];
      case "branch":
        return [last.target, last.next];
      case "next":
      case "stall":
      case "exit":
      case "transfer":
      case "call":
      case "callIndirect":
        return [last.next];
      case "indirect":
        return [...last.targets];
      default:
        return [];
    }
  }

  /** The edge of a block to an offset; undefined if that is not in the region. */
  #edge(node: number, ip: number): Edge | undefined {
    const block = this.#blocks[node - 1];
    const known = this.#targets(block).filter((target) => this.#nodes.has(target));
    const index = known.indexOf(ip);
    return index < 0 ? undefined : this.#graph.successors[node][index];
  }

  /** Nodes that look at the budget: loop headers, entries and where calls return to. */
  #findChecks(headers: ReadonlySet<number>): Uint8Array {
    const checked = new Uint8Array(this.#graph.successors.length);
    const check = (node: number) => {
      checked[node] = 1;
      if (!this.#isBlock(node)) {
        for (const { target } of this.#graph.successors[node]) if (checked[target] === 0) check(target);
      }
    };
    check(0);
    for (const header of headers) check(header);
    for (const dispatch of this.#graph.dispatches) check(dispatch);
    for (const block of this.#blocks) {
      const last = block.instructions.at(-1);
      if (last && LATER_BUDGET.has(last.flow)) {
        const node = this.#nodes.get(last.next);
        if (node !== undefined) checked[node] = 1;
      }
    }
    return checked;
  }

  /** Most instructions that may run from a node before the budget is looked at again. */
  #findNeeds(order: readonly number[]): Int32Array {
    const needs = new Int32Array(this.#graph.successors.length);
    for (const node of order.toReversed()) {
      let most = 0;
      for (const { target } of this.#graph.successors[node]) {
        if (this.#checked[target] === 0) most = Math.max(most, needs[target]);
      }
      needs[node] = most + (this.#isBlock(node) ? countOf(this.#blocks[node - 1]) : 0);
    }
    return needs;
  }

  #findWritten(): Int32Array {
    const written = new Int32Array(this.#graph.successors.length);
    for (const block of this.#blocks) {
      let mask = 0;
      for (const { instruction } of block.instructions) mask |= registerUse(instruction).written;
      written[this.#nodes.get(block.ip)!] = mask;
    }
    return written;
  }

  /** Where calls return to, all registers are as the state block has them. */
  #findDirty(order: readonly number[]): Int32Array {
    const dirty = new Int32Array(this.#graph.successors.length);
    for (let changed = true; changed;) {
      changed = false;
      for (const node of order) {
        const flow = this.#isBlock(node) ? this.#blocks[node - 1].instructions.at(-1)?.flow : undefined;
        const out = flow === "call" || flow === "callIndirect" ? 0 : dirty[node] | this.#written[node];
        for (const { target } of this.#graph.successors[node]) {
          if ((dirty[target] | out) === dirty[target]) continue;
          dirty[target] |= out;
          changed = true;
        }
      }
    }
    return dirty;
  }

  #isBlock(node: number): boolean {
    return node > 0 && node <= this.#blocks.length;
  }

  // ---- the function

  write(): WrittenRegion {
    const code = this.#body;
    this.#prologue();
    code.block((bail) => {
      code.block((back) => {
        code.block((tail) => {
          code.block((leave) => {
            this.#bail = bail;
            this.#return = back;
            this.#tail = tail;
            this.#leave = leave;
            this.#emitter = this.#makeEmitter();
            this.#checkLimit();
            this.#writer.write();
            code.op(Op.UNREACHABLE);
          });
          this.#storeAll();
        });
        this.#tailCall();
        code.get(this.#next);
        code.op(Op.RETURN);
      });
      this.#storeAll();
      code.get(this.#next);
      code.op(Op.RETURN);
    }, "i32");
    code.set(this.#site);
    this.#storeAll();
    this.#setState(S.SITE, () => code.get(this.#site));
    this.#setState(S.REGION, () => code.i32(this.#plan.slot));
    this.#setState(S.EXIT, () => code.i32(Exit.BAIL));
    code.i64(LEFT);
    return { body: code, sites: this.#sites, translated: this.#translated };
  }

  #makeEmitter(): RegionEmitter {
    const { linkage, mode } = this.#plan;
    return new RegionEmitter({
      code: this.#body,
      mode,
      flags: this.#flags,
      registers: this.#registers,
      steady: this.#steady,
      x87: this.#x87,
      tlb: this.#tlb,
      linkage: linkage.accesses,
      bailLabel: this.#bail,
      kernel: linkage.kernel,
      helper: linkage.helper,
      storeVectors: () => this.#storeRegisters(this.#dirty & ALL_XMM),
      loadVectors: (mask) => this.#loadRegisters(mask & ALL_XMM),
      beforeHelper: () => this.#beforeHelper(),
      afterHelper: () => this.#afterHelper(),
      currentSite: () => this.#siteOfCurrent(),
    });
  }

  #getState(offset: number): void {
    this.#body.i32(0);
    this.#body.memory(Op.I32_LOAD, CPU_BASE + offset);
  }

  #setState(offset: number, value: () => void): void {
    this.#body.i32(0);
    value();
    this.#body.memory(Op.I32_STORE, CPU_BASE + offset);
  }

  #prologue(): void {
    const code = this.#body;
    this.#getState(S.TLB);
    code.set(this.#tlb);
    this.#getState(S.MODE);
    code.set(this.#mode);
    this.#loadAll();
  }

  #loadAll(): void {
    this.#getState(S.BUDGET);
    this.#body.set(this.#budget);
    this.#loadRegisters(~0);
    this.#x87?.load();
    this.#steady.computeAll();
  }

  /** Loads the registers of a mask, as far as the region touches them. */
  #loadRegisters(mask: number): void {
    const code = this.#body, wide = this.#plan.mode.code === 64;
    this.#registers.forEach((local, n) => {
      if (local < 0 || (mask & (1 << n)) === 0) return;
      code.i32(0);
      if (n < XMM0) code.memory(wide ? Op.I64_LOAD : Op.I32_LOAD, CPU_BASE + S.GPR + 8 * n);
      else code.simdMemory(OpSimd.V128_LOAD, CPU_BASE + S.XMM + 32 * (n - XMM0));
      code.set(local);
    });
  }

  /** Registers, budget and flags go to the state block. */
  #storeAll(): void {
    const code = this.#body;
    this.#storeBudget();
    this.#storeRegisters(this.#all);
    this.#x87?.store();
    this.#flags.known = FlagTracker.DYNAMIC;
    this.#flags.emitNumber();
    code.if(() => this.#flags.toMemory());
  }

  #storeBudget(): void {
    this.#setState(S.BUDGET, () => this.#body.get(this.#budget));
  }

  /** Stores the registers that may differ from the state block in the node that is being written. */
  #storeDirty(): void {
    this.#storeRegisters(this.#dirty);
    this.#x87?.store();
  }

  /** Stores the registers of a mask. */
  #storeRegisters(mask: number): void {
    const code = this.#body, wide = this.#plan.mode.code === 64;
    for (let n = 0; n < REGISTERS; n++) {
      if ((mask & (1 << n)) === 0) continue;
      code.i32(0);
      code.get(this.#registers[n]);
      if (n < XMM0) code.memory(wide ? Op.I64_STORE : Op.I32_STORE, CPU_BASE + S.GPR + 8 * n);
      else code.simdMemory(OpSimd.V128_STORE, CPU_BASE + S.XMM + 32 * (n - XMM0));
    }
  }

  /** In segmented code, all of the region must lie within the code segment's limit. */
  #checkLimit(): void {
    const { mode } = this.#plan, code = this.#body;
    if (mode.flat || mode.code === 64) return;
    let last = 0;
    for (const { instructions } of this.#blocks) {
      for (const { ip, instruction } of instructions) last = Math.max(last, ip + instruction.length - 1);
    }
    this.#getState(S.SEG + Seg.CS * SEG.SIZE + SEG.LIMIT);
    code.i32(last | 0);
    code.op(Op.I32_LT_U);
    code.unlikely();
    code.if(() => this.#bailAt(this.#blocks[0].ip));
  }

  /** Leaves with all state up to date before the instruction at `ip`; nothing of the block has been taken from the budget. */
  #bailAt(ip: number): void {
    this.#body.i32(this.#sites.push({ ip, done: false, unfinished: 0 }) - 1);
    this.#body.br(this.#bail);
  }

  /** Called by the emitter where the region may be left before the current instruction. */
  #siteOfCurrent(): number {
    if (this.#currentSite < 0) {
      const site = { ip: this.#current.ip, done: false, unfinished: this.#unfinished };
      this.#currentSite = this.#sites.push(site) - 1;
    }
    return this.#currentSite;
  }

  /** Goes on at `next` in another region if there is one. Falls through if not. */
  #tailCall(): void {
    const code = this.#body, { linkage } = this.#plan, region = this.#region;
    code.get(CPU);
    code.get(this.#next);
    code.call(linkage.lookup);
    code.tee(region);
    code.if(() => {
      code.get(CPU);
      code.get(DEPTH);
      code.get(region);
      code.returnCallIndirect(linkage.regionType);
    });
  }

  // ---- calls of system functions

  /** Brings the state block to what a system function has to see. */
  #beforeHelper(): void {
    const code = this.#body;
    this.#flags.toMemory();
    this.#storeDirty();
    this.#setState(S.BUDGET, () => {
      code.get(this.#budget);
      code.i32(this.#unfinished - 1);
      code.op(Op.I32_ADD);
    });
    this.#setState(S.CURRENT, () => code.i32(IN_REGION));
    code.get(CPU);
    code.i64(BigInt(this.#current.ip));
    code.memory(Op.I64_STORE, S.RIP);
  }

  /** The system function has raised nothing: registers and budget are what it made them. */
  #afterHelper(): void {
    const code = this.#body;
    this.#loadAll();
    code.get(this.#budget);
    code.i32(this.#unfinished - 1);
    code.op(Op.I32_SUB);
    code.set(this.#budget);
  }

  /** After an instruction that called a system function: leaves if the run loop must have its turn. */
  #leaveIfAsked(next: number): void {
    const code = this.#body;
    code.i32(this.#sites.push({ ip: next, done: true, unfinished: this.#unfinished }) - 1);
    this.#getState(S.LEAVE);
    code.unlikely();
    code.brIf(this.#bail);
    code.op(Op.DROP);
  }

  /** After a system function, or what stands for it, has set RIP: on there, in the region if it is the next instruction. */
  #transferred(node: number, last: RegionInstruction): void {
    const code = this.#body;
    if (this.#emitter.calledHelper) {
      this.#getState(S.LEAVE);
      code.unlikely();
      code.if(() => {
        this.#setState(S.BUDGET, () => code.get(this.#budget));
        this.#setState(S.EXIT, () => code.i32(Exit.TRANSFER));
        code.i64(LEFT);
        code.op(Op.RETURN);
      });
    } else {
      this.#flags.toMemory();
      this.#storeDirty();
    }
    code.get(CPU);
    code.memory(Op.I64_LOAD, S.RIP);
    code.set(this.#next);
    if (this.#edge(node, last.next)) {
      code.get(this.#next);
      code.i64(BigInt(last.next));
      code.op(Op.I64_EQ);
      this.#getState(S.MODE);
      code.get(this.#mode);
      code.op(Op.I32_EQ);
      code.op(Op.I32_AND);
      code.if(() => this.#goto(node, last.next));
      this.#flags.known = FlagTracker.IN_MEMORY;
    }
    this.#setState(S.BUDGET, () => code.get(this.#budget));
    code.get(this.#next);
    code.op(Op.RETURN);
  }

  // ---- nodes

  node(number: number, isMerge: boolean): void {
    if (isMerge) this.#flags.known = FlagTracker.DYNAMIC;
    if (!this.#isBlock(number)) return this.#choose(number);
    const block = this.#blocks[number - 1], code = this.#body;
    const count = countOf(block);
    if (this.#checked[number] !== 0) {
      code.get(this.#budget);
      code.i32(this.#needs[number]);
      code.op(Op.I32_LT_S);
      code.unlikely();
      code.if(() => this.#bailAt(block.ip));
    }
    if (count > 0) {
      code.get(this.#budget);
      code.i32(count);
      code.op(Op.I32_SUB);
      code.set(this.#budget);
    }
    this.#unfinished = count;
    const dead = findDeadFlags(block.instructions);
    this.#x87?.enter(number);
    this.#dirty = this.#dirtyAt[number] | this.#written[number];
    let loaded = this.#loadedAt[number];
    for (const [i, current] of block.instructions.entries()) {
      if (current.flow === "interpret") return this.#leaveTo(current.ip);
      this.#emitter.loaded = loaded;
      loaded = loadedAfter(current.instruction, loaded);
      const outcome = this.#instruction(current, dead[i] !== 0);
      if (outcome === null) return;
      this.#unfinished--;
      if (current.flow !== "transfer" && this.#emitter.calledHelper) this.#leaveIfAsked(current.next);
      if (current.flow !== "next") return this.#end(number, current, outcome);
    }
    this.#goto(number, block.instructions.at(-1)!.next);
  }

  /** Writes an instruction; null if it turned out that the interpreter has to execute it, which ends the node. */
  #instruction(current: RegionInstruction, flagsAreDead: boolean): Outcome | null {
    const code = this.#body, mark = code.mark(), known = this.#flags.known;
    this.#current = current;
    this.#currentSite = -1;
    let outcome: Outcome | null = null;
    code.scope(() => {
      try {
        outcome = this.#emitter.write1(current, registerUse(current.instruction), flagsAreDead);
        // What comes next may be anywhere: the condition waits on the stack, the target in its local.
        if (outcome.kind === "branch") outcome.condition.emit(code);
        if (outcome.kind === "computed") {
          outcome.target.emit(code);
          code.set(this.#next);
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
    code.get(this.#budget);
    code.i32(this.#unfinished);
    code.op(Op.I32_ADD);
    code.set(this.#budget);
    this.#leaveTo(current.ip);
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
        code.set(this.#next);
        return this.#call(node, last);
      case "callIndirect":
        return this.#call(node, last);
      case "indirect":
        return this.#jumpIndirect(node, last);
      case "stall":
        code.get(this.#budget);
        code.i32(outcome.kind === "stall" ? outcome.cycles : 0);
        code.op(Op.I32_SUB);
        code.set(this.#budget);
        return this.#goto(node, last.next);
      case "exit":
        return this.#goto(node, last.next);
      case "transfer":
        return this.#transferred(node, last);
      case "return":
        this.#flags.toMemory();
        return code.br(this.#return);
      default:
        throw new Error(`${last.instruction.mnemonic} ended with ${outcome.kind}`);
    }
  }

  /** Leaves the region to go on at a fixed place. */
  #leaveTo(ip: number): void {
    this.#body.i64(BigInt(ip));
    this.#body.set(this.#next);
    this.#body.br(this.#leave);
  }

  /** Goes to an offset, in the region or out of it. */
  #goto(node: number, ip: number): void {
    const edge = this.#edge(node, ip);
    if (!edge) return this.#leaveTo(ip);
    this.#checkPage(node, ip);
    this.#writer.follow(edge);
  }

  /** The code of another page may have gone since the region was translated. */
  #checkPage(node: number, ip: number): void {
    const { page, pageCell } = this.#plan, code = this.#body;
    if (page(ip) === page(this.#blocks[node - 1].ip)) return;
    code.i32(0);
    code.memory(Op.I32_LOAD, pageCell(ip));
    code.get(this.#mode);
    code.op(Op.I32_NE);
    code.unlikely();
    code.if(() => this.#leaveTo(ip));
  }

  edge(edge: Edge): void {
    for (const { dispatch, value } of edge.selectors) {
      this.#body.i32(value);
      this.#body.set(this.#selector(dispatch));
    }
  }

  #selector(dispatch: number): number {
    let local = this.#selectors.get(dispatch);
    if (local === undefined) this.#selectors.set(dispatch, local = this.#body.local("i32"));
    return local;
  }

  /** The condition is on the stack. */
  #branch(node: number, last: RegionInstruction): void {
    const code = this.#body, taken = this.#edge(node, last.target), known = this.#flags.known;
    const here = this.#plan.page(this.#blocks[node - 1].ip);
    const label = taken && taken.selectors.length === 0 && this.#plan.page(last.target) === here
      ? this.#writer.label(taken)
      : undefined;
    if (label) {
      code.brIf(label);
    } else {
      code.if(() => this.#goto(node, last.target));
      this.#flags.known = known;
    }
    this.#goto(node, last.next);
  }

  /** Calls the region at `next`, if there is one, and goes on behind the call when control comes back there. */
  #call(node: number, last: RegionInstruction): void {
    const code = this.#body, { linkage } = this.#plan, region = this.#region, result = this.#result;
    this.#flags.toMemory();
    this.#storeBudget();
    this.#storeDirty();
    code.block((elsewhere) => {
      code.get(DEPTH);
      code.i32(DEEPEST);
      code.op(Op.I32_GT_U);
      code.unlikely();
      code.brIf(elsewhere);
      code.get(CPU);
      code.get(this.#next);
      code.call(linkage.lookup);
      code.tee(region);
      code.op(Op.I32_EQZ);
      code.brIf(elsewhere);
      code.get(CPU);
      code.get(DEPTH);
      code.i32(1);
      code.op(Op.I32_ADD);
      code.get(region);
      code.callIndirect(linkage.regionType);
      code.tee(result);
      code.i64(BigInt(last.next));
      code.op(Op.I64_EQ);
      code.if(() => this.#returned(node, last));
      code.get(result);
      code.op(Op.RETURN);
    });
    code.get(this.#next);
    code.op(Op.RETURN);
  }

  #returned(node: number, last: RegionInstruction): void {
    const code = this.#body;
    const edge = this.#edge(node, last.next);
    if (edge) {
      this.#x87?.enter(edge.target);
      this.#loadAll();
      return this.#goto(node, last.next);
    }
    code.i64(BigInt(last.next));
    code.set(this.#next);
    code.br(this.#tail);
  }

  /** A jump to `next`: by a table, if the targets that it has been seen to have are in the region. */
  #jumpIndirect(node: number, last: RegionInstruction): void {
    const code = this.#body, targets = last.targets.filter((ip) => this.#edge(node, ip));
    const hash = targets.length > 0 ? perfectHash(targets.map((ip) => ip | 0)) : null;
    if (!hash) return code.br(this.#leave);
    const known = this.#flags.known, labels: Label[] = new Array(hash.slots.length);
    const nest = (n: number) => {
      if (n < 0) {
        for (let i = 0; i < labels.length; i++) labels[i] ??= this.#leave;
        code.get(this.#next);
        code.op(Op.I32_WRAP_I64);
        code.i32(hash.multiplier);
        code.op(Op.I32_MUL);
        code.i32(hash.shift);
        code.op(Op.I32_SHR_U);
        return code.brTable(labels, this.#leave);
      }
      code.block((label) => {
        labels[hash.slots.indexOf(n)] = label;
        nest(n - 1);
      });
      code.get(this.#next);
      code.i64(BigInt(targets[n]));
      code.op(Op.I64_NE);
      code.brIf(this.#leave);
      this.#flags.known = known;
      this.#goto(node, targets[n]);
    };
    nest(targets.length - 1);
  }

  /** Node 0 and dispatch nodes: on to the only successor, or by a number. */
  #choose(node: number): void {
    const code = this.#body, edges = this.#graph.successors[node], known = this.#flags.known;
    if (edges.length === 1) return this.#writer.follow(edges[0]);
    const labels: Label[] = [], inPlace: number[] = [];
    edges.forEach((edge, i) => {
      const label = edge.selectors.length === 0 ? this.#writer.label(edge) : undefined;
      if (label) labels[i] = label;
      else inPlace.push(i);
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

/** After instructions of these kinds the budget may be anything. */
const LATER_BUDGET: ReadonlySet<Flow> = new Set<Flow>(["call", "callIndirect", "exit", "transfer", "stall"]);

/** Instructions of a block that the region executes. */
function countOf(block: RegionBlock): number {
  const { instructions } = block;
  return instructions.length - (instructions.at(-1)?.flow === "interpret" ? 1 : 0);
}
