/** Keeps track of what the arithmetic flags follow from while a region is written. */
import { type Code, Op, type ValueType } from "../../wasm/mod.ts";
import type { FlagName, Size } from "../emit/emitter.ts";
import type { RotateOperation } from "../emit/shift_flags.ts";
import { Value } from "../emit/value.ts";
import { CPU_BASE } from "../interpreter/layout.ts";
import { S } from "../state.ts";
import {
  FIRST_WITH_OTHER,
  FlagMath,
  type FlagOperation,
  type FlagSource,
  keptOf,
  MEMORY,
  needsOther,
  numberOf,
  type Operands,
  operandsFrom,
  RAW,
  ROTATED,
} from "./flag_kinds.ts";

/** What is known where code is being written: the source, or that only the function's locals tell it. */
export interface FlagKnowledge {
  readonly source: FlagSource | "dynamic";
  /** The other source, if the source needs one. */
  readonly other: FlagSource | "dynamic";
}

function isSameSource(a: FlagKnowledge["source"], b: FlagKnowledge["source"]): boolean {
  return a === b || (a !== "dynamic" && b !== "dynamic" && numberOf(a) === numberOf(b));
}

/** True if the same is known at two places, so that it is known where ways from them meet. */
export function isSameKnowledge(a: FlagKnowledge, b: FlagKnowledge): boolean {
  if (!isSameSource(a.source, b.source)) return false;
  return a.source === "dynamic" || !needsOther(a.source) || isSameSource(a.other, b.other);
}

/** Locals that hold a source's number and what is kept of its operands, see {@link keptOf}. */
interface OperandLocals {
  readonly number: number;
  readonly narrow: readonly [number, number];
  readonly wide: readonly [number, number];
}

const SOURCE_TYPES: readonly ValueType[] = ["i32", "i32", "i32", "i64", "i64"];
/** Types of the parameters that {@link FlagTracker.emitState} passes. */
export const FLAG_STATE_TYPES: readonly ValueType[] = [...SOURCE_TYPES, ...SOURCE_TYPES];

/** Functions that work on sources that only locals tell. */
export interface FlagFunctions {
  /** (state block, flag state) → FLAG_RES and FLAG_AUX in the lower and upper half of an i64. */
  readonly raw: number;
  /** (state block, flag state) → CF and OF of the other source. */
  readonly carry: number;
  readonly overflow: number;
}

function operandLocals(code: Code): OperandLocals {
  const two = (type: ValueType) => [code.local(type), code.local(type)] as const;
  return { number: code.local("i32"), narrow: two("i32"), wide: two("i64") };
}

/** The operands of a source, of which locals hold what is kept. */
export function operandsIn(source: FlagSource, narrow: readonly number[], wide: readonly number[]): Operands {
  const type = source.size === 64 ? "i64" : "i32", at = source.size === 64 ? wide : narrow;
  return operandsFrom(source, Value.local(type, at[0]), Value.local(type, at[1]));
}

/** Writes and reads flags of the function that `code` is. */
export class FlagTracker {
  /** What is known where several ways meet. */
  static readonly DYNAMIC: FlagKnowledge = { source: "dynamic", other: "dynamic" };
  /** What is known where the state block holds the flags. */
  static readonly IN_MEMORY: FlagKnowledge = { source: MEMORY, other: MEMORY };

  readonly #code: Code;
  readonly #functions: FlagFunctions;
  readonly #main: OperandLocals;
  readonly #other: OperandLocals;
  #known: FlagKnowledge = FlagTracker.IN_MEMORY;

  constructor(code: Code, functions: FlagFunctions) {
    this.#code = code;
    this.#functions = functions;
    this.#main = operandLocals(code);
    this.#other = operandLocals(code);
  }

  get known(): FlagKnowledge {
    return this.#known;
  }
  set known(known: FlagKnowledge) {
    this.#known = known;
  }

  #let(value: Value): Value {
    return value.evaluated(this.#code);
  }

  #stateWord(offset: number): Value {
    return new Value("i32", (code) => {
      code.get(0);
      code.memory(Op.I32_LOAD, offset);
    });
  }

  #operands(source: FlagSource, locals: OperandLocals): Operands {
    if (source.operation === "memory") {
      const zero = Value.i32(0);
      return { r: this.#let(this.#stateWord(S.FLAG_RES)), a: this.#let(this.#stateWord(S.FLAG_AUX)), b: zero };
    }
    return operandsIn(source, locals.narrow, locals.wide);
  }

  #math(source: FlagSource): FlagMath {
    const operands = this.#operands(source, this.#main);
    return new FlagMath(source, operands, (value) => this.#let(value), (name) => this.#flagOfOther(name));
  }

  #flagOfOther(name: "CF" | "OF"): Value {
    const { other } = this.#known, { carry, overflow } = this.#functions;
    if (other === "dynamic") return this.#call(name === "CF" ? carry : overflow, "i32");
    const operands = this.#operands(other, this.#other);
    return new FlagMath(other, operands, (value) => this.#let(value), () => Value.i32(0)).flag(name);
  }

  #call(index: number, result: ValueType): Value {
    this.#code.get(0);
    this.emitState();
    this.#code.call(index);
    const local = this.#code.local(result);
    this.#code.set(local);
    return Value.local(result, local);
  }

  /** Leaves the numbers and operands of both sources on the stack. */
  emitState(): void {
    for (const { number, narrow, wide } of [this.#main, this.#other]) {
      for (const local of [number, ...narrow, ...wide]) this.#code.get(local);
    }
  }

  /** Leaves the number of the source on the stack, 0 if the state block holds the flags. */
  emitNumber(): void {
    this.#code.get(this.#main.number);
  }

  /** From here on the flags follow from something else: the locals tell it too, for where only they can. */
  #now(source: FlagSource, other: FlagSource | "dynamic"): void {
    this.#setNumber(this.#main, source);
    if (needsOther(source) && other !== "dynamic") this.#setNumber(this.#other, other);
    this.#known = { source, other };
  }

  #setNumber(locals: OperandLocals, source: FlagSource): void {
    this.#code.i32(numberOf(source));
    this.#code.set(locals.number);
  }

  // ---- writing

  #fold(value: Value, size: Size): Value {
    return size === 64 ? value : value.signExtend(size);
  }

  /** The flags follow from an operation from here on. */
  set(operation: FlagOperation, size: Size, a: Value | null, b: Value | null, r: Value): void {
    this.#setOperands(this.#main, operation, size, a, b, r);
    if (operation !== "inc" && operation !== "dec") this.#now({ operation, size }, MEMORY);
  }

  #setOperands(
    { narrow, wide }: OperandLocals,
    operation: FlagOperation,
    size: Size,
    a: Value | null,
    b: Value | null,
    r: Value,
  ): void {
    const at = size === 64 ? wide : narrow, code = this.#code;
    const kept = keptOf(operation, { a: a?.zeroExtend(size), b: b?.zeroExtend(size), r: this.#fold(r, size) });
    for (const value of kept) value?.emit(code);
    for (const i of [1, 0]) if (kept[i]) code.set(at[i]);
  }

  /** FLAG_RES and FLAG_AUX as given. */
  setRaw(res: Value, aux: Value): void {
    res.emit(this.#code);
    aux.emit(this.#code);
    this.#code.set(this.#main.narrow[1]);
    this.#code.set(this.#main.narrow[0]);
    this.#now(RAW, MEMORY);
  }

  /** INC and DEC: CF stays what it follows from now. */
  step(operation: "inc" | "dec", size: Size, r: Value): void {
    const { source, other } = this.#known;
    let older: FlagSource | "dynamic" = other;
    if (source === "dynamic") {
      this.#keepDynamic();
      older = "dynamic";
    } else if (!needsOther(source)) {
      this.#keep(source);
      older = source;
    }
    this.set(operation, size, null, null, r);
    this.#now({ operation, size }, older);
  }

  /** ROL and ROR: only CF and OF follow from them. */
  rotate(operation: RotateOperation, size: Size, r: Value): void {
    const { source } = this.#known, other = { operation, size };
    this.#setOperands(this.#other, operation, size, null, null, r);
    if (source !== "dynamic") return this.#now({ ...source, rotated: true }, other);
    this.#setNumber(this.#other, other);
    this.emitNumber();
    this.#code.i32(ROTATED);
    this.#code.op(Op.I32_OR);
    this.#code.set(this.#main.number);
  }

  #keep(source: FlagSource): void {
    if (source.operation === "memory") return;
    const wide = source.size === 64;
    const from = wide ? this.#main.wide : this.#main.narrow, to = wide ? this.#other.wide : this.#other.narrow;
    from.forEach((local, i) => {
      this.#code.get(local);
      this.#code.set(to[i]);
    });
  }

  /** The source becomes the other one, unless it needs one: then that stays. */
  #keepDynamic(): void {
    const code = this.#code, isPlain = code.local("i32");
    code.get(this.#main.number);
    code.i32(FIRST_WITH_OTHER);
    code.op(Op.I32_LT_U);
    code.set(isPlain);
    const move = (from: number, to: number) => {
      code.get(from);
      code.get(to);
      code.get(isPlain);
      code.op(Op.SELECT);
      code.set(to);
    };
    move(this.#main.number, this.#other.number);
    this.#main.narrow.forEach((local, i) => move(local, this.#other.narrow[i]));
    this.#main.wide.forEach((local, i) => move(local, this.#other.wide[i]));
  }

  // ---- reading

  /** The source's number decides at run time: brings the flags to the form of the state block. */
  #resolve(): FlagMath {
    const { source } = this.#known;
    if (source !== "dynamic") return this.#math(source);
    const both = this.#call(this.#functions.raw, "i64");
    this.setRaw(both.wrap(), both.shrU(32).wrap());
    return this.#math(RAW);
  }

  flag(name: FlagName): Value {
    return this.#let(this.#resolve().flag(name));
  }
  condition(code: number): Value {
    return this.#resolve().condition(code);
  }
  /** FLAG_RES and FLAG_AUX. */
  raw(): { res: Value; aux: Value } {
    return this.#resolve().raw();
  }

  /** Stores the flags into the state block. */
  toMemory(): void {
    const { source } = this.#known, code = this.#code;
    if (source !== "dynamic" && numberOf(source) === numberOf(MEMORY)) return;
    code.scope(() => {
      const { res, aux } = this.raw();
      code.i32(0);
      res.emit(code);
      code.memory(Op.I32_STORE, CPU_BASE + S.FLAG_RES);
      code.i32(0);
      aux.emit(code);
      code.memory(Op.I32_STORE, CPU_BASE + S.FLAG_AUX);
    });
    this.#now(MEMORY, MEMORY);
  }
}
