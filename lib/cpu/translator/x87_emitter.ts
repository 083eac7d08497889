/** The x87 unit of the translator's emitter: in locals for the instructions that work there. */
import type { Code } from "../../wasm/mod.ts";
import type { Instruction } from "../decode/instruction.ts";
import { EmitterBase } from "../emit/base.ts";
import type { CodeMode, StackRegister, StateKind } from "../emit/emitter.ts";
import { x87Disabled } from "../emit/steady.ts";
import { Value } from "../emit/value.ts";
import { Fsw, S } from "../state.ts";
import { NotTranslated, type RegionContext } from "./region_context.ts";
import { isInMemory, type X87Locals } from "./x87_locals.ts";

/** The number of a stack register. */
function numberOf(i: Value | number): number {
  return typeof i === "number" ? i : Number(i.constant);
}

/** True if an instruction may change a segment register without calling a system function. */
function mayLoadSegment({ mnemonic, operands }: Instruction): boolean {
  return operands.some((operand) => operand.kind === "reg" && operand.file === "seg") || LOADS_SEGMENTS.has(mnemonic);
}

const LOADS_SEGMENTS = new Set("lds les lfs lgs lss sysenter sysexit syscall sysret iret".split(" "));

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
    else if (mayLoadSegment(instruction)) x87?.storePointers();
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

  override attempt(body: (giveUp: (condition: Value) => void) => void, otherwise: () => void): void {
    this.depth++;
    super.attempt(body, otherwise);
    this.depth--;
  }

  // ---- status

  override state(offset: number, kind: StateKind): Value {
    const field = this.x87?.field(offset);
    return field ? this.let(field) : super.state(offset, kind);
  }
  override setState(offset: number, kind: StateKind, value: Value): void {
    if (this.x87 && offset === S.FSW) this.x87.setStatus(this.let(value));
    else super.setState(offset, kind, value);
  }
  override x87Stopped(): Value {
    const { x87 } = this;
    if (!x87) return super.x87Stopped();
    if (x87.mayRun) return Value.i32(0);
    if (this.depth === 0) x87.mayRun = true;
    return this.steady(x87Disabled).or(x87.status.and(Fsw.ES));
  }
  override noteRounding(up: Value, lost: Value): void {
    if (this.x87) this.x87.noteRounding(up, lost);
    else super.noteRounding(up, lost);
  }
  override addX87Flags(flags: Value): void {
    if (this.x87) this.x87.addFlags(flags);
    else super.addX87Flags(flags);
  }
  override setX87Codes(codes: Value): void {
    if (this.x87) this.x87.setCodes(codes);
    else super.setX87Codes(codes);
  }
  override notePointers(): void {
    const { x87 } = this, operand = this.instruction.operands[0];
    if (!x87) return super.notePointers();
    x87.noteInstruction(BigInt.asIntN(64, this.ip(64).constant!), this.instruction.escape ?? 0);
    if (operand?.kind === "mem") x87.noteOperand(this.address(0).extendU(), operand.segment);
  }

  // ---- the stack

  override someEmpty(...registers: readonly (Value | number)[]): Value {
    const x87 = this.x87;
    if (!x87) return super.someEmpty(...registers);
    const unknown = registers.map(numberOf).filter((i) => !x87.isUsed(i));
    if (this.depth === 0) { for (const i of unknown) x87.setUsed(i, true); }
    return unknown.length === 0 ? Value.i32(0) : this.let(x87.someEmpty(unknown));
  }
  override stackFull(): Value {
    return this.x87 ? this.let(this.x87.inUse(7)) : super.stackFull();
  }
  override markUsed(i: Value): void {
    if (this.x87) this.x87.mark(numberOf(i), true);
    else super.markUsed(i);
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
        newExponent.emit(code);
        code.set(register.signExponent);
        code.set(register.significand);
        x87.setUsed(number, this.depth === 0);
      },
    };
  }
  override moveTop(by: 1 | -1): void {
    const { x87 } = this;
    if (!x87) return super.moveTop(by);
    if (by > 0) {
      x87.mark(0, false);
      x87.setUsed(0, false);
    }
    x87.moveTo(x87.depth + by);
    if (by < 0) x87.mark(0, true);
  }
}
