/** Writes where strips begin and whether they go on, see strips.ts, and finds the accesses of their rounds. */
import { PAGE_SIZE } from "../../machine/memory.ts";
import { type Code, type Label, Op } from "../../wasm/mod.ts";
import { tlbOffset } from "../emit/memory.ts";
import { Value } from "../emit/value.ts";
import { TLB } from "../interpreter/layout.ts";
import type { Strip } from "./region_graph.ts";
import type { RegionLocals } from "./region_locals.ts";
import type { Stream } from "./strips.ts";

/** A strip with fewer times round the loop does not pay. */
const FEWEST_ROUNDS = 4;

/** Writes strips of a region. */
export class StripWriter {
  readonly #code: Code;
  readonly #locals: RegionLocals;
  /** Address of the TLB. */
  readonly #tlb: number;
  readonly #wide: boolean;
  /** Local by strip: it goes on as long as the budget is not less. */
  readonly #thresholds = new Map<Strip, number>();

  /** `user`: with the user's privilege; `wide`: in 64-bit code. */
  constructor(code: Code, locals: RegionLocals, user: boolean, wide: boolean) {
    this.#code = code;
    this.#locals = locals;
    this.#tlb = user ? TLB.USER : TLB.SUPERVISOR;
    this.#wide = wide;
  }

  /** Writes what falls through if a strip can begin, where a round needs that much budget, and otherwise goes to `elsewhere`. */
  begin(strip: Strip, needs: number, elsewhere: Label): void {
    const code = this.#code, { loop } = strip, budget = Value.local("i32", this.#locals.budget);
    const unless = (condition: Value) => {
      condition.emit(code);
      code.brIf(elsewhere);
    };
    code.scope(() => {
      unless(budget.ltS(needs));
      let rounds: Value | null = null;
      for (const stream of loop.streams) {
        const more = this.#let(this.#open(stream, unless));
        rounds = rounds === null ? more : this.#let(this.#least(rounds, more));
      }
      const fewest = Math.ceil(FEWEST_ROUNDS * loop.nodes.length / loop.accesses.length);
      if (fewest > 1) unless(rounds!.ltU(fewest - 1));
      const least = this.#let(budget.sub(rounds!.mul(loop.shortest)));
      const threshold = code.permanentLocal("i32");
      this.#thresholds.set(strip, threshold);
      this.#select(least, Value.i32(needs), least.gtS(needs)).emit(code);
      code.set(threshold);
    });
  }

  /** Leaves on the stack whether a strip may go on with another round. */
  goesOn(strip: Strip): void {
    Value.local("i32", this.#locals.budget).emit(this.#code);
    this.#code.get(this.#thresholds.get(strip)!);
    this.#code.op(Op.I32_GE_S);
  }

  /** Rounds besides the first one for which a stream stays in its page, which must allow all of its accesses. */
  #open(stream: Stream, unless: (condition: Value) => void): Value {
    const { base, index, scale, step, low, bytes, writes } = stream, code = this.#code;
    const first = this.#let(
      this.#sum(this.#sum(this.#register(base), this.#register(index, scale)), this.#constant(low))!,
    );
    const entry = this.#let(tlbOffset(first)), page = this.#let(first.and(-PAGE_SIZE));
    const field = (offset: number, type: "i32" | "i64") =>
      new Value(type, (code) => {
        entry.emit(code);
        code.memory(type === "i64" ? Op.I64_LOAD : Op.I32_LOAD, this.#tlb + offset);
      });
    const tag = (offset: number) => field(offset, this.#wide ? "i64" : "i32");
    const offset = this.#let(first.wrap().and(PAGE_SIZE - 1));
    unless(page.ne(tag(TLB.READ)));
    if (writes) unless(page.ne(tag(TLB.WRITE)));
    unless(offset.gtU(PAGE_SIZE - bytes));
    if (stream.local < 0) stream.local = code.permanentLocal("i32");
    field(TLB.ADDEND, "i32").emit(code);
    code.set(stream.local);
    const way = step > 0 ? Value.i32(PAGE_SIZE - bytes).sub(offset) : offset, length = Math.abs(step);
    return (length & (length - 1)) === 0 ? way.shrU(31 - Math.clz32(length)) : way.divU(length);
  }

  #constant(value: number): Value {
    return this.#wide ? Value.i64(value) : Value.i32(value);
  }

  #register(register: number, scale = 1): Value | null {
    if (register < 0) return null;
    const value = Value.local(this.#wide ? "i64" : "i32", this.#locals.registers[register]);
    return scale === 1 ? value : value.shl(31 - Math.clz32(scale));
  }

  #sum(a: Value | null, b: Value | null): Value | null {
    return a && b ? a.add(b) : a ?? b;
  }

  #least(a: Value, b: Value): Value {
    return this.#select(a, b, a.ltU(b));
  }

  #select(a: Value, b: Value, condition: Value): Value {
    return new Value("i32", (code) => {
      a.emit(code);
      b.emit(code);
      condition.emit(code);
      code.op(Op.SELECT);
    });
  }

  #let(value: Value): Value {
    return value.evaluated(this.#code);
  }
}
