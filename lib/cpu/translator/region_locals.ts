/** The locals of a region's function, and how they come from the state block and go back to it. */
import { type Code, Op, OpSimd } from "../../wasm/mod.ts";
import { STEADY_SSE, STEADY_X87 } from "../emit/steady.ts";
import { CPU_BASE } from "../interpreter/layout.ts";
import { IN_REGION, S, xmmOffset } from "../state.ts";
import { type FlagFunctions, FlagTracker } from "./flags.ts";
import { LastPages } from "./last_pages.ts";
import type { RegisterFlow } from "./register_flow.ts";
import { ALL_XMM, REGISTERS, XMM0 } from "./register_use.ts";
import type { RegionGraph } from "./region_graph.ts";
import { stateField } from "../emit/state_field.ts";
import { SteadyLocals } from "./steady_locals.ts";
import { X87Locals } from "./x87_locals.ts";

/** The parameters of a region's function: the state block, and how deeply calls of regions are nested. */
export const CPU = 0, DEPTH = 1;

/** What a region keeps in locals. */
export class RegionLocals {
  readonly flags: FlagTracker;
  readonly budget: number;
  /** S.MODE where the region was entered. */
  readonly mode: number;
  /** Number of the site where the region is left. */
  readonly site: number;
  /** Offset in CS where execution goes on. */
  readonly next: number;
  /** Of calls: the table slot called, and what it returned. */
  readonly region: number;
  readonly result: number;
  /** Local of each register by its number in masks, -1 if the region does not touch it. */
  readonly registers: readonly number[];
  /** Null if the region finds the x87 unit in the state block. */
  readonly x87: X87Locals | null;
  readonly steady: SteadyLocals;
  /** Null if no loop of the region hops from object to object. */
  readonly lastPages: LastPages | null;
  /** Registers whose locals may differ from the state block in the node that is being written, as a mask. */
  dirty = 0;
  readonly #code: Code;
  readonly #wide: boolean;

  /** `wide`: general registers have 64 bits; `chases`: there are {@link lastPages}. */
  constructor(
    code: Code,
    wide: boolean,
    region: RegionGraph,
    { touched }: RegisterFlow,
    flags: FlagFunctions,
    chases: boolean,
  ) {
    this.#code = code;
    this.#wide = wide;
    this.flags = new FlagTracker(code, flags);
    this.budget = code.local("i32");
    this.mode = code.local("i32");
    this.site = code.local("i32");
    this.next = code.local("i64");
    this.region = code.local("i32");
    this.result = code.local("i64");
    const general = wide ? "i64" : "i32";
    this.registers = Array.from(
      { length: REGISTERS },
      (_, n) => (touched & (1 << n)) === 0 ? -1 : code.local(n < XMM0 ? general : "v128"),
    );
    this.lastPages = chases ? new LastPages(code, general) : null;
    this.x87 = X87Locals.plan(code, region.blocks, region.graph);
    this.steady = new SteadyLocals(code, [
      ...(touched & ALL_XMM) !== 0 ? STEADY_SSE : [],
      ...this.x87 ? STEADY_X87 : [],
    ]);
  }

  // ---- words of the state block

  /** Leaves a 32-bit field of the state block on the stack. */
  getState(offset: number): void {
    stateField("i32", offset).emit(this.#code);
  }

  /** Sets a 32-bit field of the state block to what `value` leaves on the stack. */
  setState(offset: number, value: () => void): void {
    this.#code.i32(0);
    value();
    this.#code.memory(Op.I32_STORE, CPU_BASE + offset);
  }

  // ---- everything

  /** Where the function begins. */
  enter(): void {
    const code = this.#code;
    this.getState(S.MODE);
    code.set(this.mode);
    this.load();
  }

  /** Registers and budget come from the state block. */
  load(): void {
    this.getState(S.BUDGET);
    this.#code.set(this.budget);
    this.loadRegisters(~0);
    this.lastPages?.forget();
    this.x87?.load();
    this.steady.computeAll();
  }

  /** Everything but the registers goes to the state block, wherever in the region control comes from. */
  storeOthers(): void {
    const code = this.#code;
    this.storeBudget();
    this.x87?.store();
    this.flags.known = FlagTracker.DYNAMIC;
    this.flags.emitNumber();
    code.if(() => this.flags.toMemory());
  }

  // ---- registers

  /** Leaves the lower 32 bits of a general register on the stack. */
  getNarrow(register: number): void {
    this.#code.get(this.registers[register]);
    if (this.#wide) this.#code.op(Op.I32_WRAP_I64);
  }

  /** Loads the registers of a mask, as far as the region touches them. */
  loadRegisters(mask: number): void {
    const code = this.#code;
    this.registers.forEach((local, n) => {
      if (local < 0 || (mask & (1 << n)) === 0) return;
      code.i32(0);
      if (n < XMM0) code.memory(this.#wide ? Op.I64_LOAD : Op.I32_LOAD, CPU_BASE + S.GPR + 8 * n);
      else code.simdMemory(OpSimd.V128_LOAD, CPU_BASE + xmmOffset(n - XMM0));
      code.set(local);
    });
  }

  /** Stores the registers of a mask, all of which the region touches. */
  storeRegisters(mask: number): void {
    const code = this.#code;
    this.registers.forEach((local, n) => {
      if ((mask & (1 << n)) === 0) return;
      code.i32(0);
      code.get(local);
      if (n < XMM0) code.memory(this.#wide ? Op.I64_STORE : Op.I32_STORE, CPU_BASE + S.GPR + 8 * n);
      else code.simdMemory(OpSimd.V128_STORE, CPU_BASE + xmmOffset(n - XMM0));
    });
  }

  /** Stores the registers that may differ from the state block in the node that is being written. */
  storeDirty(): void {
    this.storeRegisters(this.dirty);
    this.x87?.store();
  }

  // ---- the budget

  /** Takes instructions from the budget. */
  spend(count: number): void {
    this.#changeBudget(count, Op.I32_SUB);
  }

  /** Gives instructions back that were not done. */
  giveBack(count: number): void {
    this.#changeBudget(count, Op.I32_ADD);
  }

  #changeBudget(count: number, opcode: number): void {
    const code = this.#code;
    code.get(this.budget);
    code.i32(count);
    code.op(opcode);
    code.set(this.budget);
  }

  storeBudget(): void {
    this.setState(S.BUDGET, () => this.#code.get(this.budget));
  }

  // ---- calls of system functions

  /**
   * Brings the state block to what a system function has to see that stands for the instruction at `ip`; it and what follows in its
   * block are `unfinished` instructions.
   */
  beforeHelper(ip: number, unfinished: number): void {
    const code = this.#code;
    this.flags.toMemory();
    this.storeDirty();
    this.setState(S.BUDGET, () => {
      code.get(this.budget);
      code.i32(unfinished - 1);
      code.op(Op.I32_ADD);
    });
    this.setState(S.CURRENT, () => code.i32(IN_REGION));
    code.get(CPU);
    code.i64(BigInt(ip));
    code.memory(Op.I64_STORE, S.RIP);
  }

  /** The system function has raised nothing: registers and budget are what it made them. */
  afterHelper(unfinished: number): void {
    this.load();
    this.spend(unfinished - 1);
  }
}
