/**
 * What both emitters have in common: values, control flow inside an instruction, the state block, segmented accesses and the
 * stack. How operands are found, how memory is reached and where control goes is theirs.
 */
import { type Code, Op, OpSimd, type ValueType } from "../../wasm/mod.ts";
import type { Instruction, MemoryOperand, Operand } from "../decode/instruction.ts";
import { Flag, Fsw, R, S, SEG, Seg, Vector, xmmOffset } from "../state.ts";
import type { CodeMode, Place, SegmentRef, Size, StackRegister, StateKind, Steady, Variable } from "./emitter.ts";
import { STATE_LOAD, STATE_STORE } from "./state_field.ts";
import { x87Disabled } from "./steady.ts";
import { Value } from "./value.ts";

/** A function that emitted code calls. */
export interface Callee {
  readonly index: number;
  readonly args: readonly ValueType[];
  readonly result: ValueType | null;
}

/** Accesses to linear addresses. */
export interface LinearMemory {
  load(linear: Value, size: Size): Value;
  store(linear: Value, value: Value, size: Size): void;
  open(linear: Value, size: Size): Place;
  load128(linear: Value): [Value, Value];
  store128(linear: Value, low: Value, high: Value): void;
  loadVector(linear: Value, bytes: 4 | 8 | 16): Value;
  storeVector(linear: Value, value: Value): void;
}

/** True if an access through `segment` needs neither base nor limit in this mode. */
export function isFlatAccess(mode: CodeMode, segment: number): boolean {
  if (mode.code === 64) return segment < Seg.FS;
  return mode.flat && segment < Seg.FS && segment !== Seg.CS;
}

/** True if offsets in CS are linear addresses, and no limit counts. */
export function isFlatCode({ code, flat }: CodeMode): boolean {
  return flat || code === 64;
}

/** Size of an instruction's first operand, or its operand size if there is none of a general size. */
export function sizeOfInstruction({ operands, operandSize }: Instruction): Size {
  const first = operands[0], size = first && "size" in first ? first.size : 0;
  return size === 8 || size === 16 || size === 32 || size === 64 ? size : operandSize;
}

/** The common part of the emitters. */
export abstract class EmitterBase {
  abstract readonly code: Code;
  abstract readonly instruction: Instruction;
  abstract readonly mode: CodeMode;
  abstract readonly size: Size;
  /** Accesses to linear addresses. */
  protected abstract readonly memory: LinearMemory;

  // ---- values

  i32(value: number): Value {
    return Value.i32(value);
  }
  i64(value: bigint | number): Value {
    return Value.i64(value);
  }
  constant(value: number | bigint, size: Size = this.size): Value {
    return size === 64 ? Value.i64(value) : Value.i32(Number(BigInt.asIntN(32, BigInt(value))));
  }
  let(value: Value): Value {
    return value.evaluated(this.code);
  }
  variable(initial: Value): Variable {
    const index = this.code.local(initial.type);
    initial.emit(this.code);
    this.code.set(index);
    // Not `simple`: reading it into a `let` must copy, because it changes.
    const value = new Value(initial.type, (code) => code.get(index));
    return {
      value,
      set: (next) => {
        next.emit(this.code);
        this.code.set(index);
      },
    };
  }
  select(condition: Value, a: Value, b: Value): Value {
    return new Value(a.type, (code) => {
      a.emit(code);
      b.emit(code);
      condition.emit(code);
      code.op(Op.SELECT);
    });
  }
  asNumber(value: Value): Value {
    const opcode = value.type === "i64" ? Op.F64_CONVERT_I64_S : Op.F64_CONVERT_I32_U;
    return new Value("f64", (code) => {
      value.emit(code);
      code.op(opcode);
    });
  }

  // ---- control flow inside an instruction

  abstract if(condition: Value, then: () => void, otherwise?: () => void): void;
  rarely(condition: Value, then: () => void): void {
    this.if(this.#unlikely(condition), then);
  }
  fault(condition: Value, then: () => void): void {
    this.if(this.#unlikely(condition), then);
  }
  exceptionally(condition: Value, then: () => void, otherwise: () => void): void {
    this.if(this.#unlikely(condition), then, otherwise);
  }
  leaveIf(_condition: Value): boolean {
    return false;
  }
  attempt(body: (giveUp: (condition: Value) => void) => void, otherwise: () => void): void {
    const { code } = this;
    code.block((done) => {
      code.block((failed) => {
        body((condition) => {
          condition.emit(code);
          code.unlikely();
          code.brIf(failed);
        });
        code.br(done);
      });
      otherwise();
    });
  }
  /** A condition that hardly ever holds, to be followed by its branch. */
  #unlikely(condition: Value): Value {
    return new Value(condition.type, (code) => {
      condition.emit(code);
      code.unlikely();
    });
  }
  while(condition: () => Value, body: () => void): void {
    this.code.block((out) =>
      this.code.loop((again) => {
        condition().eqz().emit(this.code);
        this.code.brIf(out);
        body();
        this.code.br(again);
      })
    );
  }
  abstract raiseIf(condition: Value, vector: number, errorCode?: number): void;

  // ---- the state block

  abstract base(): Value;
  /** A field at an address in the state memory. */
  protected loadAt(address: Value, kind: StateKind, offset = 0): Value {
    return new Value(kind === "i64" ? "i64" : "i32", (code) => {
      address.emit(code);
      code.memory(STATE_LOAD[kind], offset);
    });
  }
  protected storeAt(address: Value, kind: StateKind, value: Value, offset = 0): void {
    address.emit(this.code);
    value.emit(this.code);
    this.code.memory(STATE_STORE[kind], offset);
  }
  /** A vector at an address in the state memory; `opcode` says how much of it. */
  protected vectorAt(address: Value, opcode: number, offset: number): Value {
    const load = new Value("v128", (code) => {
      address.emit(code);
      code.simdMemory(opcode, offset);
    });
    return this.let(load);
  }
  protected storeVectorAt(address: Value, value: Value, offset: number): void {
    address.emit(this.code);
    value.emit(this.code);
    this.code.simdMemory(OpSimd.V128_STORE, offset);
  }
  state(offset: number, kind: StateKind): Value {
    return this.let(this.loadAt(this.base(), kind, offset));
  }
  setState(offset: number, kind: StateKind, value: Value): void {
    this.storeAt(this.base(), kind, value, offset);
  }
  stateAt(address: Value, offset: number, kind: StateKind): Value {
    return this.let(this.loadAt(address, kind, offset));
  }
  abstract register(number: number, size: Size, high?: boolean): Value;
  abstract setRegister(number: number, size: Size, value: Value, high?: boolean): void;
  vectorRegister(number: number): Value {
    return this.vectorAt(this.base(), OpSimd.V128_LOAD, xmmOffset(number));
  }
  vectorsInMemory(): void {}
  x87Stopped(): Value {
    return this.steady(x87Disabled).or(this.state(S.FSW, "i32").and(Fsw.ES));
  }
  someEmpty(...registers: readonly (Value | number)[]): Value {
    const bit = (i: Value | number) => typeof i === "number" ? Value.i32(1 << i) : Value.i32(1).shl(i);
    const mask = this.let(registers.map(bit).reduce((a, b) => a.or(b)));
    return this.state(S.FTW, "i32").and(mask).ne(mask);
  }
  stackRegister(i: Value | number): StackRegister {
    const position = this.state(S.FTOP, "i32").add(i).and(7), at = this.let(this.base().add(position.shl(4)));
    const significand = () => this.stateAt(at, S.X87, "i64"), signExponent = () => this.stateAt(at, S.X87 + 8, "u16");
    return {
      get significand() {
        return significand();
      },
      get signExponent() {
        return signExponent();
      },
      set: (significand, signExponent) => {
        this.storeAt(at, "i64", significand, S.X87);
        this.storeAt(at, "u16", signExponent, S.X87 + 8);
      },
    };
  }
  stackFull(): Value {
    return this.state(S.FTW, "i32").and(0x80);
  }
  moveTop(by: 1 | -1): void {
    const tags = this.state(S.FTW, "i32");
    this.setState(S.FTOP, "i32", this.state(S.FTOP, "i32").add(by).and(7));
    this.setState(S.FTW, "i32", by > 0 ? tags.shrU(1) : tags.shl(1).and(0xff).or(1));
  }
  markUsed(i: Value): void {
    this.setState(S.FTW, "i32", this.state(S.FTW, "i32").or(Value.i32(1).shl(i)));
  }
  noteRounding(up: Value, lost: Value): void {
    const flags = up.shl(Fsw.C1_SHIFT).or(lost.isTrue().shl(Fsw.PE_SHIFT));
    this.setState(S.FSW, "i32", this.state(S.FSW, "i32").and(~Fsw.C1).or(flags));
  }
  addX87Flags(flags: Value): void {
    this.setState(S.FSW, "i32", this.state(S.FSW, "i32").or(flags));
  }
  setX87Codes(codes: Value): void {
    this.setState(S.FSW, "i32", this.state(S.FSW, "i32").and(~Fsw.CODES).or(codes));
  }
  abstract ip(size: Size): Value;
  abstract escapeOpcode(): Value;
  abstract segmentNumber(): Value;
  notePointers(): void {
    this.setState(S.FIP, "i64", this.ip(64));
    this.setState(S.FCS, "i32", this.state(S.SEG + Seg.CS * SEG.SIZE + SEG.SELECTOR, "i32"));
    this.setState(S.FOP, "i32", this.escapeOpcode());
    if (this.instruction.operands.length === 0 || !this.isMemory(0)) return;
    this.setState(S.FDP, "i64", this.address(0).extendU());
    const number = this.segmentNumber(), at = this.let(this.base().add(number.shl(SEG.SHIFT)));
    this.setState(S.FDS, "i32", this.stateAt(at, S.SEG + SEG.SELECTOR, "i32"));
  }
  steady(value: Steady): Value {
    return value(this);
  }
  steadyChanged(_value: Steady): void {}
  direction(bytes: number): Value {
    const backwards = this.state(S.EFLAGS, "i32").and(Flag.DF);
    return this.let(this.select(backwards, Value.i32(-bytes), Value.i32(bytes)));
  }

  // ---- operands

  protected operand(index: number): Operand {
    const operand = this.instruction.operands[index];
    if (!operand) throw new Error(`${this.instruction.mnemonic} has no operand ${index}`);
    return operand;
  }
  protected memoryOperand(index: number): MemoryOperand {
    const operand = this.operand(index);
    if (operand.kind !== "mem") throw new Error(`operand ${index} of ${this.instruction.mnemonic} is not memory`);
    return operand;
  }
  /** The size of an operand that has a general one. */
  protected generalSize(index: number): Size {
    const size = this.sizeOf(index);
    if (size === 8 || size === 16 || size === 32 || size === 64) return size;
    throw new Error(`operand ${index} of ${this.instruction.mnemonic} has ${size} bits`);
  }
  /** Segment of the memory operand, or of the source of a string instruction, which has two. */
  protected operandSegment(): number {
    const memory = this.instruction.operands.filter((o) => o.kind === "mem");
    return memory.length === 1 ? memory[0].segment : this.instruction.segment;
  }
  isMemory(index: number): boolean {
    return this.operand(index).kind === "mem";
  }
  isImmediate(index: number): boolean {
    return this.operand(index).kind === "imm";
  }
  sizeOf(index: number): number {
    return this.operand(index).size;
  }
  protected isMmx(index: number): boolean {
    const operand = this.operand(index);
    return operand.kind === "reg" && operand.file === "mm";
  }
  segmentByNumber(number: number): SegmentRef {
    return { which: number };
  }
  abstract address(operand: number): Value;
  advance(offset: Value, delta: Value | number): Value {
    const sum = typeof delta === "number" || delta.type === offset.type
      ? offset.add(delta)
      : offset.add(delta.extendS());
    const size = this.instruction.addressSize;
    if (size === 16) return sum.and(0xffff);
    return this.mode.code === 64 && size === 32 ? sum.zeroExtend(32) : sum;
  }

  // ---- memory

  /** Segmentation: checks the range, adds the base. */
  protected abstract translate(segment: SegmentRef, offset: Value, bytes: number, write: boolean): Value;
  /** Linear address of a memory operand after the segment's checks. */
  protected linear(index: number, bytes: number, write: boolean): Value {
    return this.translate({ which: "operand" }, this.address(index), bytes, write);
  }
  protected aligned(linearValue: Value, aligned: boolean): Value {
    if (!aligned) return linearValue;
    const linear = this.let(linearValue);
    this.raiseIf(linear.wrap().and(15), Vector.GP, 0);
    return linear;
  }
  load(segment: SegmentRef, offset: Value, size: Size): Value {
    return this.memory.load(this.translate(segment, offset, size / 8, false), size);
  }
  store(segment: SegmentRef, offset: Value, value: Value, size: Size): void {
    const data = this.let(value);
    this.memory.store(this.translate(segment, offset, size / 8, true), data, size);
  }
  openMemory(segment: SegmentRef, offset: Value, size: Size): Place {
    return this.memory.open(this.translate(segment, offset, size / 8, true), size);
  }
  load128(segment: SegmentRef, offset: Value, aligned: boolean): [Value, Value] {
    return this.memory.load128(this.aligned(this.translate(segment, offset, 16, false), aligned));
  }
  store128(segment: SegmentRef, offset: Value, low: Value, high: Value, aligned: boolean): void {
    const a = this.let(low), b = this.let(high);
    this.memory.store128(this.aligned(this.translate(segment, offset, 16, true), aligned), a, b);
  }
  /** A vector operand in memory. */
  protected loadVector(index: number, bytes: 4 | 8 | 16, aligned: boolean): Value {
    return this.memory.loadVector(this.aligned(this.linear(index, bytes, false), aligned), bytes);
  }
  protected storeVector(index: number, value: Value, aligned: boolean): void {
    const data = this.let(value);
    this.memory.storeVector(this.aligned(this.linear(index, 16, true), aligned), data);
  }

  // ---- stack

  protected stackOffset(delta: Value | number): Value {
    const size = this.mode.stack;
    const pointer = this.register(R.SP, size);
    const moved = pointer.add(typeof delta === "number" || size !== 64 ? delta : delta.extendS());
    const wrapped = size === 16 ? moved.and(0xffff) : moved;
    return this.let(this.mode.code === 64 ? wrapped.extendU() : wrapped);
  }
  stackLoad(delta: number, size: Size): Value {
    return this.load({ which: Seg.SS }, this.stackOffset(delta), size);
  }
  stackStore(delta: number, value: Value, size: Size): void {
    const data = this.let(value);
    this.store({ which: Seg.SS }, this.stackOffset(delta), data, size);
  }
  adjustStack(delta: Value | number): void {
    const size = this.mode.stack;
    const pointer = this.register(R.SP, size);
    this.setRegister(R.SP, size, pointer.add(typeof delta === "number" || size !== 64 ? delta : delta.extendS()));
  }
  push(value: Value, size: Size): void {
    this.stackStore(-size / 8, value, size);
    this.adjustStack(-size / 8);
  }
  pop(size: Size): Value {
    const value = this.stackLoad(0, size);
    this.adjustStack(size / 8);
    return value;
  }

  // ---- calls

  /** Calls a function; the result stays on the stack, if it has one. */
  protected emitCall(name: string, { index, args: types }: Callee, args: readonly Value[]): void {
    if (types.length !== args.length || types.some((type, i) => args[i].type !== type)) {
      throw new Error(`${name}(${types.join()}) called with (${args.map((a) => a.type).join()})`);
    }
    for (const arg of args) arg.emit(this.code);
    this.code.call(index);
  }
  /** Takes a function's result from the stack. */
  protected takeResult({ result }: Callee): Value {
    if (!result) return Value.i32(0);
    const local = this.code.local(result);
    this.code.set(local);
    return Value.local(result, local);
  }
  protected abstract kernelFunction(name: string): Callee;
  kernel(name: string, ...args: Value[]): Value {
    const callee = this.kernelFunction(name);
    this.emitCall(name, callee, args);
    return this.takeResult(callee);
  }
}
