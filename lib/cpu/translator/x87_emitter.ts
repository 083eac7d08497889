/** The x87 unit of the translator's emitter: in locals for the instructions that work there. */
import type { Code } from "../../wasm/mod.ts";
import type { Instruction } from "../decode/instruction.ts";
import { EmitterBase } from "../emit/base.ts";
import type { CodeMode, StackRegister, StateKind } from "../emit/emitter.ts";
import { Value } from "../emit/value.ts";
import { NotTranslated, type RegionContext } from "./region_context.ts";
import { isInMemory, type X87Locals } from "./x87_locals.ts";

/** The number of a stack register. */
function numberOf(i: Value | number): number {
  return typeof i === "number" ? i : Number(i.constant);
}

/** Fields and registers of the x87 unit. */
export abstract class X87Emitter extends EmitterBase {
  protected readonly context: RegionContext;
  readonly code: Code;
  readonly mode: CodeMode;
  /** How deeply what is being written is nested in conditions within the current instruction. */
  protected depth = 0;
  /** Locals of the x87 unit, if the current instruction finds it there. */
  protected x87: X87Locals | null = null;

  constructor(context: RegionContext) {
    super();
    this.context = context;
    this.code = context.code;
    this.mode = context.mode;
  }

  /** Writes an instruction's definition, with the x87 unit where that expects it. */
  protected emitDefinition(instruction: Instruction, emit: () => void): void {
    const { x87 } = this.context, inMemory = isInMemory(instruction), depth = x87?.depthAfter(instruction) ?? 0;
    this.x87 = inMemory ? null : x87;
    if (inMemory) x87?.store();
    emit();
    if (!x87) return;
    if (inMemory) {
      x87.depth = depth;
      x87.load();
      return;
    }
    // It may unmask an exception that is pending.
    if (instruction.mnemonic === "fldcw") x87.mayRun = false;
    if (x87.depth !== depth) {
      throw new Error(`${instruction.mnemonic} moves the top of the stack otherwise`);
    }
  }

  override state(offset: number, kind: StateKind): Value {
    const local = this.x87?.field(offset);
    if (local === undefined) return super.state(offset, kind);
    return this.let(new Value(kind === "i64" ? "i64" : "i32", (code) => code.get(local)));
  }
  override setState(offset: number, kind: StateKind, value: Value): void {
    const local = this.x87?.field(offset);
    if (local === undefined) return super.setState(offset, kind, value);
    value.emit(this.code);
    this.code.set(local);
  }
  override x87Stopped(): Value {
    const x87 = this.x87;
    if (x87?.mayRun) return Value.i32(0);
    if (x87 && this.depth === 0) x87.mayRun = true;
    return super.x87Stopped();
  }
  override someEmpty(...registers: readonly (Value | number)[]): Value {
    const x87 = this.x87;
    if (!x87) return super.someEmpty(...registers);
    const unknown = registers.map(numberOf).filter((i) => !x87.isUsed(i));
    if (this.depth === 0) { for (const i of unknown) x87.setUsed(i, true); }
    return unknown.length === 0 ? Value.i32(0) : super.someEmpty(...unknown);
  }
  override stackRegister(i: Value | number): StackRegister {
    const x87 = this.x87;
    if (!x87) return super.stackRegister(i);
    const number = numberOf(i), register = x87.register(number);
    if (!register) throw new NotTranslated();
    const { code } = this, copy = (value: Value) => this.let(new Value(value.type, value.emit));
    const significand = Value.local("i64", register.significand), exponent = Value.local("i32", register.signExponent);
    return {
      get significand() {
        return copy(significand);
      },
      get signExponent() {
        return copy(exponent);
      },
      set: (newSignificand, newExponent) => {
        newSignificand.emit(code);
        newExponent.and(0xffff).emit(code);
        code.set(register.signExponent);
        code.set(register.significand);
        x87.setUsed(number, this.depth === 0);
      },
    };
  }
  override moveTop(by: 1 | -1): void {
    super.moveTop(by);
    if (!this.x87) return;
    if (by > 0) this.x87.setUsed(0, false);
    this.x87.depth = (this.x87.depth + by) & 7;
  }
}
