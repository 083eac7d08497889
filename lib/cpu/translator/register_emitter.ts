/** General and SSE registers of the translator's emitter: in locals. */
import { OpSimd } from "../../wasm/mod.ts";
import type { Size } from "../emit/emitter.ts";
import { Value } from "../emit/value.ts";
import { S, xmmOffset } from "../state.ts";
import { NotTranslated, type RegionContext, UnexpectedRegister } from "./region_context.ts";
import { learnRegister, type RegisterUse, XMM0 } from "./register_use.ts";
import { X87Emitter } from "./x87_emitter.ts";

/** Registers, and operands that are vectors. */
export abstract class RegisterEmitter extends X87Emitter {
  readonly #registerType: "i32" | "i64";
  /** Registers that the current instruction may touch. */
  protected use: RegisterUse = { touched: 0, written: 0 };
  /** General registers that the current instruction has changed so far. */
  protected changed = 0;
  /** The current instruction works on SSE registers in the state block. */
  protected vectorsStored = false;

  constructor(context: RegionContext) {
    super(context);
    this.#registerType = context.mode.code === 64 ? "i64" : "i32";
  }

  // ---- general registers

  #local(number: number, write: boolean): number {
    const local = this.context.registers[number], allowed = write ? this.use.written : this.use.touched;
    if (local < 0 || (allowed & (1 << number)) === 0) {
      learnRegister(this.instruction.mnemonic, number);
      throw new UnexpectedRegister();
    }
    return local;
  }
  /** The whole register; a copy if the instruction may write it. */
  #whole(number: number): Value {
    return this.#unchanging(Value.local(this.#registerType, this.#local(number, false)), number);
  }
  register(number: number, size: Size, high = false): Value {
    const whole = this.#whole(number);
    if (size === 64) return whole;
    const narrow = (high ? whole.shrU(8) : whole).wrap();
    return this.let(narrow.zeroExtend(size));
  }
  setRegister(number: number, size: Size, value: Value, high = false): void {
    const local = this.#local(number, true), wide = this.#registerType === "i64";
    this.changed |= 1 << number;
    const old = Value.local(this.#registerType, local);
    let next = wide ? value.extendU() : value;
    if (size < 32) {
      const bits = (1n << BigInt(size)) - 1n, shift = high ? 8 : 0, keep = ~(bits << BigInt(shift));
      const kept = old.and(wide ? Value.i64(keep) : Value.i32(Number(BigInt.asIntN(32, keep))));
      next = kept.or(next.zeroExtend(size).shl(shift));
    }
    next.emit(this.code);
    this.code.set(local);
  }

  // ---- vector registers

  #registerOperand(index: number): { file: string; reg: number } {
    const operand = this.operand(index);
    if (operand.kind !== "reg") throw new Error(`operand ${index} of ${this.instruction.mnemonic} is no register`);
    return operand;
  }
  /** Where a vector register lies in the state block. */
  protected registerOffset(index: number): number {
    const { file, reg } = this.#registerOperand(index);
    if (file === "xmm") return xmmOffset(reg);
    if (file === "mm") return S.X87 + reg * 16;
    throw new Error(`operand ${index} of ${this.instruction.mnemonic} is no vector register`);
  }
  registerNumber(index: number): Value {
    return Value.i32(this.#registerOperand(index).reg);
  }
  registerAddress(index: number): Value {
    return this.base().add(this.registerOffset(index));
  }
  registerHalf(index: number, half: 0 | 1): Value {
    const local = this.#vectorLocal(index, false);
    if (local) return this.let(local.lane("i64", half));
    return this.state(this.registerOffset(index) + half * 8, "i64");
  }
  setRegisterHalf(index: number, half: 0 | 1, value: Value): void {
    const local = this.#vectorLocal(index, true), wide = value.type === "i64";
    if (local) return this.#setVectorLocal(index, local.withLane(wide ? "i64" : "i32", wide ? half : 2 * half, value));
    this.setState(this.registerOffset(index) + half * 8, value.type === "i64" ? "i64" : "i32", value);
  }
  vector(index: number, bytes: 4 | 8 | 16 = 16, aligned = bytes === 16): Value {
    if (this.isMemory(index)) return this.loadVector(index, bytes, aligned);
    const local = this.#vectorLocal(index, false);
    if (local) return this.#unchanging(local, XMM0 + this.#registerOperand(index).reg);
    const load = this.isMmx(index) ? OpSimd.V128_LOAD64_ZERO : OpSimd.V128_LOAD;
    return this.vectorAt(this.base(), load, this.registerOffset(index));
  }
  setVector(index: number, value: Value, aligned = true): void {
    if (this.isMemory(index)) return this.storeVector(index, value, aligned);
    if (this.#vectorLocal(index, true)) return this.#setVectorLocal(index, value);
    const offset = this.registerOffset(index);
    if (this.isMmx(index)) {
      this.setState(offset, "i64", value.lane("i64", 0));
      return this.setState(offset + 8, "u16", Value.i32(0xffff));
    }
    this.storeVectorAt(this.base(), value, offset);
  }
  setVectorLow(index: number, value: Value, bytes: 4 | 8): void {
    const local = this.isMemory(index) ? null : this.#vectorLocal(index, true), lane = bytes === 4 ? "f32" : "f64";
    if (local) return this.#setVectorLocal(index, local.withLane(lane, 0, value.lane(lane, 0)));
    const low = value.lane(bytes === 4 ? "i32" : "i64", 0);
    if (this.isMemory(index)) return this.storeOperand(index, low, bytes === 4 ? 32 : 64);
    this.setState(this.registerOffset(index), bytes === 4 ? "i32" : "i64", low);
  }
  /** Writes to an operand in memory. */
  protected abstract storeOperand(index: number, value: Value, size: Size): void;
  override vectorRegister(number: number): Value {
    const local = this.vectorsStored ? -1 : this.context.registers[XMM0 + number];
    return local < 0 ? super.vectorRegister(number) : this.#unchanging(Value.local("v128", local), XMM0 + number);
  }
  override vectorsInMemory(): void {
    if (this.vectorsStored) return;
    if (this.depth > 0) throw new NotTranslated();
    this.context.storeVectors();
    this.vectorsStored = true;
  }
  /** An SSE register operand's local; null if it is to be found in the state block. */
  #vectorLocal(index: number, write: boolean): Value | null {
    const { file, reg } = this.#registerOperand(index);
    return file === "xmm" && !this.vectorsStored ? Value.local("v128", this.#local(XMM0 + reg, write)) : null;
  }
  /** The contents of a register's local as they are now: a copy if the instruction may write it. */
  #unchanging(local: Value, number: number): Value {
    return (this.use.written & (1 << number)) === 0 ? local : this.let(new Value(local.type, local.emit));
  }
  #setVectorLocal(index: number, value: Value): void {
    value.emit(this.code);
    this.code.set(this.#local(XMM0 + this.#registerOperand(index).reg, true));
  }
}
