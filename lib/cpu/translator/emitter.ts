/** The translator's side of the Emitter contract: operands are concrete, general registers and flags live in locals. */
import { type Code, type Label, Op, OpSimd } from "../../wasm/mod.ts";
import type { Instruction, Operand } from "../decode/instruction.ts";
import { type Callee, EmitterBase, isFlatAccess, sizeOfInstruction } from "../emit/base.ts";
import type {
  CodeMode,
  Emitter,
  FlagName,
  Place,
  SegmentRef,
  Size,
  StackRegister,
  StateKind,
  Steady,
} from "../emit/emitter.ts";
import { type FlagState, LazyFlags } from "../emit/flags.ts";
import { Value } from "../emit/value.ts";
import { CPU_BASE } from "../interpreter/layout.ts";
import { type Imported, LEFT } from "../interpreter/linkage.ts";
import { R, S, SEG, Seg } from "../state.ts";
import { type AccessLinkage, type PageNumber, RegionAccesses } from "./accesses.ts";
import type { RegionInstruction } from "./discovery.ts";
import { FlagTracker } from "./flags.ts";
import type { SteadyLocals } from "./steady_locals.ts";
import { isInMemory, type X87Locals } from "./x87_locals.ts";
import { learnRegister, type RegisterUse, XMM0 } from "./register_use.ts";

/** Thrown when an instruction turns out to need TypeScript: the interpreter has to execute it. */
export class NotTranslated extends Error {}

/** Thrown when an instruction touches a register that {@link RegisterUse} did not tell of: writing the region starts again. */
export class UnexpectedRegister extends Error {}

/** How an instruction's definition ended it. */
export type Outcome =
  | { readonly kind: "next" }
  | { readonly kind: "jump" }
  | { readonly kind: "branch"; readonly condition: Value }
  | { readonly kind: "computed"; readonly target: Value }
  | { readonly kind: "stall"; readonly cycles: number };

/** What the emitter needs of the region that is being written. */
export interface RegionContext {
  readonly code: Code;
  readonly mode: CodeMode;
  readonly flags: FlagTracker;
  /** Local of each register by its number in masks, -1 if the region does not touch it. */
  readonly registers: readonly number[];
  /** Locals of the x87 unit, if the region has such. */
  readonly x87: X87Locals | null;
  /** Locals of steady values. */
  readonly steady: SteadyLocals;
  /** Writes SSE registers to the state block, and reads those of a mask from it. */
  storeVectors(): void;
  loadVectors(mask: number): void;
  /** Local: address of the TLB in use. */
  readonly tlb: number;
  readonly linkage: AccessLinkage;
  /** The way out before the current instruction; takes the number of the place. */
  readonly bailLabel: Label;
  kernel(name: string): Imported;
  helper(name: string): Imported;
  /** Writes what a system function needs to find in the state block. */
  beforeHelper(): void;
  /** Writes what takes the state over again. */
  afterHelper(): void;
  /** The number of a place where the region may be left before the current instruction. */
  currentSite(): number;
}

/** The number of a stack register. */
function numberOf(i: Value | number): number {
  return typeof i === "number" ? i : Number(i.constant);
}

/** Writes the instructions of one region. */
export class RegionEmitter extends EmitterBase implements Emitter {
  readonly code: Code;
  readonly mode: CodeMode;
  readonly tlb: number;
  readonly linkage: AccessLinkage;
  readonly #context: RegionContext;
  readonly #flags: FlagTracker;
  protected readonly memory: RegionAccesses;
  readonly #registerType: "i32" | "i64";
  #current!: RegionInstruction;
  #use: RegisterUse = { touched: 0, written: 0 };
  #outcome: Outcome = { kind: "next" };
  #depth = 0;
  #flagsAreDead = false;
  /** The current instruction works on SSE registers in the state block. */
  #vectorsStored = false;
  /** Locals of the x87 unit, if the current instruction finds it there. */
  #x87: X87Locals | null = null;
  /** True if the current instruction calls a system function in any case. */
  calledHelper = false;
  /** True if the current instruction does without the system function that it stands for. */
  #inPlace = false;
  /** Registers that hold something just loaded, see pointers.ts. */
  loaded = 0;
  size: Size = 32;

  constructor(context: RegionContext) {
    super();
    this.#context = context;
    this.code = context.code;
    this.mode = context.mode;
    this.tlb = context.tlb;
    this.linkage = context.linkage;
    this.#flags = context.flags;
    this.memory = new RegionAccesses(this);
    this.#registerType = context.mode.code === 64 ? "i64" : "i32";
  }

  get instruction(): Instruction {
    return this.#current.instruction;
  }

  /** Writes one instruction; flags that cannot be seen are left as they were. Throws {@link NotTranslated} or {@link UnexpectedRegister}, possibly after some code. */
  write1(current: RegionInstruction, use: RegisterUse, flagsAreDead: boolean): Outcome {
    this.#current = current;
    this.#use = use;
    this.#flagsAreDead = flagsAreDead;
    this.#outcome = { kind: "next" };
    this.#depth = 0;
    this.size = sizeOfInstruction(current.instruction);
    this.calledHelper = this.#inPlace = false;
    this.#vectorsStored = false;
    this.#emitDefinition(current);
    if (this.#vectorsStored) this.#context.loadVectors(this.instruction.mnemonic === "fxrstor" ? ~0 : use.written);
    const { flow } = current;
    if ((flow === "exit" || flow === "transfer") && !this.calledHelper && !this.#inPlace) throw new NotTranslated();
    return this.#outcome;
  }

  #emitDefinition({ definition, instruction }: RegionInstruction): void {
    const { x87 } = this.#context, inMemory = isInMemory(instruction), depth = x87?.depthAfter(instruction) ?? 0;
    this.#x87 = inMemory ? null : x87;
    if (inMemory) x87?.store();
    definition.emit(this);
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

  // ---- control flow inside an instruction

  if(condition: Value, then: () => void, otherwise?: () => void): void {
    const before = this.#flags.known, known = [before, before];
    const arm = (index: number, body: (() => void) | undefined) => {
      this.#flags.known = before;
      this.#depth++;
      body?.();
      this.#depth--;
      known[index] = this.#flags.known;
    };
    condition.emit(this.code);
    this.code.if(() => arm(0, then), () => arm(1, otherwise));
    this.#flags.known = known.every((after) => after === before) ? before : FlagTracker.DYNAMIC;
  }
  override fault(condition: Value): void {
    this.#bailIf(condition);
  }
  override exceptionally(condition: Value, _then: () => void, otherwise: () => void): void {
    if (condition.constant !== 0n) this.#bailIf(condition);
    otherwise();
  }
  override leaveIf(condition: Value): boolean {
    this.#bailIf(condition);
    return true;
  }
  override while(condition: () => Value, body: () => void): void {
    const before = this.#flags.known;
    this.#depth++;
    super.while(condition, body);
    this.#depth--;
    if (this.#flags.known !== before) throw new NotTranslated();
  }

  // ---- state

  base(): Value {
    // A constant, because V8 compares other addresses with the memory's size.
    return Value.i32(CPU_BASE);
  }
  // ---- general registers

  #local(number: number, write: boolean): number {
    const local = this.#context.registers[number], allowed = write ? this.#use.written : this.#use.touched;
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

  // ---- operands

  read(index: number): Value {
    const operand = this.operand(index), size = this.generalSize(index);
    if (operand.kind === "imm") {
      const value = BigInt.asUintN(size, operand.wide ?? BigInt(operand.value));
      return size === 64 ? Value.i64(value) : Value.i32(Number(BigInt.asIntN(32, value)));
    }
    if (operand.kind === "reg") {
      if (operand.file === "gpr" || operand.file === "gpr8h") {
        return this.register(operand.reg, size, operand.file === "gpr8h");
      }
      return this.state(this.#registerOffset(index), size === 64 ? "i64" : "i32");
    }
    if (operand.kind === "mem") {
      return this.memory.load(this.linear(index, size / 8, false), size, this.#pageOf(operand));
    }
    throw new Error(`operand ${index} of ${this.instruction.mnemonic} cannot be read`);
  }
  readSigned(index: number, to: Size = this.size): Value {
    const size = this.generalSize(index), value = this.read(index);
    if (value.constant !== undefined) {
      const wide = BigInt.asIntN(size, value.constant);
      return this.constant(to < 32 ? BigInt.asUintN(to, wide) : wide, to);
    }
    const extended = value.signExtend(size);
    return this.let(to === 64 ? extended.extendS() : extended.zeroExtend(to));
  }
  write(index: number, value: Value): void {
    const operand = this.operand(index), size = this.generalSize(index);
    if (operand.kind === "reg") {
      if (operand.file === "gpr" || operand.file === "gpr8h") {
        return this.setRegister(operand.reg, size, value, operand.file === "gpr8h");
      }
      return this.setState(this.#registerOffset(index), size === 64 ? "i64" : "i32", value);
    }
    const data = this.let(value);
    this.memory.store(this.linear(index, size / 8, true), data, size, this.#pageOf(operand));
  }
  /** Which remembered page an operand is likely to be in: addresses of the same form share one. */
  #pageOf(operand: Operand): PageNumber {
    if (operand.kind !== "mem" || operand.base === 16 || !isFlatAccess(this.mode, operand.segment)) return -1;
    const { base, index, disp } = operand, registers = (base < 0 ? 0 : 1 << base) | (index < 0 ? 0 : 1 << index);
    if (base === R.SP) return base;
    if ((this.loaded & registers) !== 0) return -1;
    const far = (disp + 2048) >> 12;
    return base >= 0 && index < 0 && far === 0
      ? base
      : 16 + (Math.imul(base + 17 * index + 257 * far, 0x9e3779b1) >>> 28);
  }
  open(index: number): Place {
    const operand = this.operand(index), size = this.generalSize(index);
    if (operand.kind !== "reg") {
      return this.memory.open(this.linear(index, size / 8, true), size, this.#pageOf(operand));
    }
    return { value: this.read(index), set: (value) => this.write(index, value) };
  }
  #registerOperand(index: number): { file: string; reg: number } {
    const operand = this.operand(index);
    if (operand.kind !== "reg") throw new Error(`operand ${index} of ${this.instruction.mnemonic} is no register`);
    return operand;
  }
  /** Where a vector register lies in the state block. */
  #registerOffset(index: number): number {
    const { file, reg } = this.#registerOperand(index);
    if (file === "xmm") return S.XMM + reg * 32;
    if (file === "mm") return S.X87 + reg * 16;
    throw new Error(`operand ${index} of ${this.instruction.mnemonic} is no vector register`);
  }
  registerNumber(index: number): Value {
    return Value.i32(this.#registerOperand(index).reg);
  }
  escapeOpcode(): Value {
    return Value.i32(this.instruction.escape ?? 0);
  }
  registerAddress(index: number): Value {
    return this.base().add(this.#registerOffset(index));
  }
  registerHalf(index: number, half: 0 | 1): Value {
    const local = this.#vectorLocal(index, false);
    if (local) return this.let(local.lane("i64", half));
    return this.state(this.#registerOffset(index) + half * 8, "i64");
  }
  setRegisterHalf(index: number, half: 0 | 1, value: Value): void {
    const local = this.#vectorLocal(index, true), wide = value.type === "i64";
    if (local) return this.#setVectorLocal(index, local.withLane(wide ? "i64" : "i32", wide ? half : 2 * half, value));
    this.setState(this.#registerOffset(index) + half * 8, value.type === "i64" ? "i64" : "i32", value);
  }
  vector(index: number, bytes: 4 | 8 | 16 = 16, aligned = bytes === 16): Value {
    if (this.isMemory(index)) return this.loadVector(index, bytes, aligned);
    const local = this.#vectorLocal(index, false);
    if (local) return this.#unchanging(local, XMM0 + this.#registerOperand(index).reg);
    const load = this.isMmx(index) ? OpSimd.V128_LOAD64_ZERO : OpSimd.V128_LOAD;
    return this.vectorAt(this.base(), load, this.#registerOffset(index));
  }
  setVector(index: number, value: Value, aligned = true): void {
    if (this.isMemory(index)) return this.storeVector(index, value, aligned);
    if (this.#vectorLocal(index, true)) return this.#setVectorLocal(index, value);
    const offset = this.#registerOffset(index);
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
    if (!this.isMemory(index)) return this.setState(this.#registerOffset(index), bytes === 4 ? "i32" : "i64", low);
    const data = this.let(low);
    this.memory.store(this.linear(index, bytes, true), data, bytes === 4 ? 32 : 64);
  }
  override state(offset: number, kind: StateKind): Value {
    const local = this.#x87?.field(offset);
    if (local === undefined) return super.state(offset, kind);
    return this.let(new Value(kind === "i64" ? "i64" : "i32", (code) => code.get(local)));
  }
  override setState(offset: number, kind: StateKind, value: Value): void {
    const local = this.#x87?.field(offset);
    if (local === undefined) return super.setState(offset, kind, value);
    value.emit(this.code);
    this.code.set(local);
  }
  override x87Stopped(): Value {
    const x87 = this.#x87;
    if (x87?.mayRun) return Value.i32(0);
    if (x87 && this.#depth === 0) x87.mayRun = true;
    return super.x87Stopped();
  }
  override someEmpty(...registers: readonly (Value | number)[]): Value {
    const x87 = this.#x87;
    if (!x87) return super.someEmpty(...registers);
    const unknown = registers.map(numberOf).filter((i) => !x87.isUsed(i));
    if (this.#depth === 0) { for (const i of unknown) x87.setUsed(i, true); }
    return unknown.length === 0 ? Value.i32(0) : super.someEmpty(...unknown);
  }
  override stackRegister(i: Value | number): StackRegister {
    const x87 = this.#x87;
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
        x87.setUsed(number, this.#depth === 0);
      },
    };
  }
  override moveTop(by: 1 | -1): void {
    super.moveTop(by);
    if (!this.#x87) return;
    if (by > 0) this.#x87.setUsed(0, false);
    this.#x87.depth = (this.#x87.depth + by) & 7;
  }
  override steady(value: Steady): Value {
    return this.#context.steady.value(value) ?? super.steady(value);
  }
  override steadyChanged(value: Steady): void {
    this.#context.steady.compute(value);
  }
  override vectorRegister(number: number): Value {
    const local = this.#vectorsStored ? -1 : this.#context.registers[XMM0 + number];
    return local < 0 ? super.vectorRegister(number) : this.#unchanging(Value.local("v128", local), XMM0 + number);
  }
  override vectorsInMemory(): void {
    if (this.#vectorsStored) return;
    if (this.#depth > 0) throw new NotTranslated();
    this.#context.storeVectors();
    this.#vectorsStored = true;
  }
  /** An SSE register operand's local; null if it is to be found in the state block. */
  #vectorLocal(index: number, write: boolean): Value | null {
    const { file, reg } = this.#registerOperand(index);
    return file === "xmm" && !this.#vectorsStored ? Value.local("v128", this.#local(XMM0 + reg, write)) : null;
  }
  /** The contents of a register's local as they are now: a copy if the instruction may write it. */
  #unchanging(local: Value, number: number): Value {
    return (this.#use.written & (1 << number)) === 0 ? local : this.let(new Value(local.type, local.emit));
  }
  #setVectorLocal(index: number, value: Value): void {
    value.emit(this.code);
    this.code.set(this.#local(XMM0 + this.#registerOperand(index).reg, true));
  }
  far(index: number): { selector: Value; offset: Value } {
    const operand = this.operand(index);
    if (operand.kind !== "far") throw new Error(`operand ${index} of ${this.instruction.mnemonic} is no far pointer`);
    return { selector: Value.i32(operand.selector), offset: Value.i32(operand.offset | 0) };
  }
  segment(index: number): SegmentRef {
    return { which: this.memoryOperand(index).segment };
  }
  segmentNumber(): Value {
    return Value.i32(this.operandSegment());
  }

  // ---- addresses

  address(index: number): Value {
    const { addressSize, base, index: indexRegister, scale, disp, disp64 } = this.memoryOperand(index);
    const wide = addressSize === 64;
    if (disp64 !== undefined) return Value.i64(disp64);
    let offset: Value | null = null;
    if (indexRegister >= 0) {
      const register = this.register(indexRegister, addressSize);
      offset = scale === 1 ? register : register.shl(31 - Math.clz32(scale));
    }
    if (base >= 0 && base < 16) {
      const register = this.register(base, addressSize);
      offset = offset ? register.add(offset) : register;
    }
    const fixed = base === 16 ? this.#current.next + disp : disp;
    const constant = wide ? Value.i64(fixed) : Value.i32(fixed % 2 ** 32 | 0);
    offset = offset ? offset.add(constant) : constant;
    if (addressSize === 16) offset = offset.and(0xffff);
    if (this.mode.code === 64 && !wide) offset = offset.extendU();
    return this.let(offset);
  }
  /** The segment "operand" is that of the memory operand, or of a string's source. */
  protected translate({ which }: SegmentRef, offsetValue: Value, bytes: number, write: boolean): Value {
    const number = which === "operand" ? this.operandSegment() : which;
    if (isFlatAccess(this.mode, number)) return offsetValue;
    const at = S.SEG + number * SEG.SIZE, offset = this.let(offsetValue);
    const base = this.loadAt(this.base(), "i64", at + SEG.BASE);
    if (this.mode.code === 64) return offset.add(base);
    const first = this.let(offset.extendU());
    const high = this.loadAt(this.base(), "i64", at + (write ? SEG.HIGH_WRITE : SEG.HIGH_READ));
    const low = this.loadAt(this.base(), "i64", at + SEG.LOW);
    this.#bailIf(first.add(bytes - 1).gtS(high).or(first.ltS(low)));
    return offset.add(base.wrap());
  }
  probe(segment: SegmentRef, offset: Value, bytes: number, write: boolean): void {
    this.let(this.memory.host(this.translate(segment, offset, bytes, write), bytes, write));
  }

  // ---- stack

  override stackLoad(delta: number, size: Size): Value {
    const linear = this.translate({ which: Seg.SS }, this.stackOffset(delta), size / 8, false);
    return this.memory.load(linear, size, R.SP);
  }
  override stackStore(delta: number, value: Value, size: Size): void {
    const data = this.let(value), linear = this.translate({ which: Seg.SS }, this.stackOffset(delta), size / 8, true);
    this.memory.store(linear, data, size, R.SP);
  }

  // ---- flags

  /** ADC and SBB: the operands alone do not tell the carry out. */
  #hasCarryIn(): boolean {
    return this.instruction.mnemonic === "adc" || this.instruction.mnemonic === "sbb";
  }
  /** Writes the two words of the state block's form. */
  #lazily(write: (flags: LazyFlags) => void): void {
    if (this.#flagsAreDead) return;
    const known = this.#flags;
    let old: { res: Value; aux: Value } | null = null, res: Value | null = null, aux: Value | null = null;
    const previous = () => {
      if (!old) {
        const { res, aux } = known.raw();
        old = { res: this.let(res), aux: this.let(aux) };
      }
      return old;
    };
    const words: FlagState = {
      let: (value) => this.let(value),
      state: (offset, kind) => {
        if (offset === S.FLAG_RES) return previous().res;
        return offset === S.FLAG_AUX ? previous().aux : this.state(offset, kind);
      },
      setState: (offset, _kind, value) => {
        if (offset === S.FLAG_RES) res = value;
        else aux = value;
      },
    };
    write(new LazyFlags(words));
    known.setRaw(res ?? previous().res, aux ?? previous().aux);
  }
  flagsAdd(a: Value, b: Value, result: Value, size: Size = this.size): void {
    if (this.#flagsAreDead) return;
    if (!this.#hasCarryIn()) return this.#flags.set("add", size, a, b, result);
    this.#lazily((flags) => flags.add(a, b, this.let(result), size));
  }
  flagsSub(a: Value, b: Value, result: Value, size: Size = this.size): void {
    if (this.#flagsAreDead) return;
    if (!this.#hasCarryIn()) return this.#flags.set("sub", size, a, b, result);
    this.#lazily((flags) => flags.sub(a, b, this.let(result), size));
  }
  flagsLogic(result: Value, size: Size = this.size): void {
    if (!this.#flagsAreDead) this.#flags.set("logic", size, null, null, result);
  }
  flagsInc(_a: Value, result: Value, size: Size = this.size): void {
    if (!this.#flagsAreDead) this.#flags.step("inc", size, result);
  }
  flagsDec(_a: Value, result: Value, size: Size = this.size): void {
    if (!this.#flagsAreDead) this.#flags.step("dec", size, result);
  }
  flagsResult(result: Value, size: Size, others: { CF?: Value; OF?: Value; AF?: Value }): void {
    this.#lazily((flags) => flags.result(result, size, others));
  }
  flag(name: FlagName): Value {
    return this.#flags.flag(name);
  }
  setFlags(flags: Partial<Record<FlagName, Value>>): void {
    this.#lazily((lazy) => lazy.set(flags));
  }
  condition(code: number): Value {
    return this.let(this.#flags.condition(code));
  }
  eflags(): Value {
    const { res, aux } = this.#flags.raw();
    const words = [this.let(res), this.let(aux)];
    const state: FlagState = {
      let: (value) => this.let(value),
      state: (offset, kind) =>
        offset === S.FLAG_RES ? words[0] : offset === S.FLAG_AUX ? words[1] : this.state(offset, kind),
      setState: () => {},
    };
    return new LazyFlags(state).image();
  }
  setArithmeticFlags(image: Value): void {
    this.#lazily((flags) => flags.setImage(image));
  }

  // ---- control transfer

  nextIp(size: Size): Value {
    return this.#offset(this.#current.next, size);
  }
  ip(size: Size): Value {
    return this.#offset(this.#current.ip, size);
  }
  #offset(ip: number, size: Size): Value {
    const wide = BigInt.asUintN(size, BigInt(ip));
    return size === 64 ? Value.i64(wide) : Value.i32(Number(BigInt.asIntN(32, wide)));
  }
  jumpRelative(): void {
    this.#outcome = { kind: "jump" };
  }
  branch(condition: Value): void {
    this.#outcome = { kind: "branch", condition };
  }
  jump(offset: Value): void {
    const size = this.instruction.operandSize;
    let wide = offset.extendU();
    if (size === 16) wide = wide.and(0xffff);
    else if (this.mode.code !== 64) wide = wide.zeroExtend(32);
    const target = this.let(wide);
    if (this.mode.code === 64) this.#bailIf(target.shl(16).shrS(16).ne(target));
    else if (!this.mode.flat) {
      this.#bailIf(target.gtU(this.state(S.SEG + Seg.CS * SEG.SIZE + SEG.LIMIT, "i32").extendU()));
    }
    this.#outcome = { kind: "computed", target };
  }
  stall(cycles: number): void {
    this.setState(S.STALLED, "i32", this.state(S.STALLED, "i32").add(cycles));
    this.#outcome = { kind: "stall", cycles };
  }

  // ---- leaving

  /** Leaves the region before the current instruction. */
  bail(): void {
    this.code.i32(this.#context.currentSite());
    this.code.br(this.#context.bailLabel);
  }
  bailIfSo(emit: () => void): void {
    this.code.i32(this.#context.currentSite());
    emit();
    this.code.unlikely();
    this.code.brIf(this.#context.bailLabel);
    this.code.op(Op.DROP);
  }
  #bailIf(condition: Value): void {
    this.bailIfSo(() => condition.emit(this.code));
  }
  raiseIf(condition: Value): void {
    this.#bailIf(condition);
  }
  raise(): void {
    if (this.#depth === 0) throw new NotTranslated();
    this.bail();
  }
  helper(name: string, ...args: Value[]): Value {
    if (this.#depth > 0) {
      this.bail();
      return Value.i32(0);
    }
    const callee = this.#context.helper(name);
    this.#context.beforeHelper();
    this.emitCall(name, callee, args);
    const result = this.takeResult(callee);
    this.loadAt(this.base(), "i32", S.FAULT).emit(this.code);
    this.code.if(() => {
      // The state block is what the exception has to find; repeated strings may have come on until then.
      this.code.i64(LEFT);
      this.code.op(Op.RETURN);
    });
    this.#context.afterHelper();
    this.calledHelper = true;
    return result;
  }
  usually(inPlace: (require: (condition: Value) => void) => void): void {
    inPlace((condition) => this.#bailIf(condition.eqz()));
    this.#inPlace = true;
  }
  protected kernelFunction(name: string): Callee {
    return this.#context.kernel(name);
  }
}
