/** The interpreter's side of the Emitter contract: operands are looked up in a decoded record at run time. */
import { type Code, Op, OpSimd } from "../../wasm/mod.ts";
import type { Instruction } from "../decode/instruction.ts";
import { type Callee, EmitterBase, isFlatAccess, sizeOfInstruction } from "../emit/base.ts";
import type { CodeMode, Emitter, FlagName, Place, SegmentRef, Size, StateKind } from "../emit/emitter.ts";
import { LazyFlags } from "../emit/flags.ts";
import { MemoryAccess } from "../emit/memory.ts";
import { Value } from "../emit/value.ts";
import { S, SEG, Seg } from "../state.ts";
import { Exit, HEADER, REC } from "./layout.ts";
import { CPU, type Linkage, RECORD } from "./linkage.ts";

const SIZE_KIND: Record<Size, StateKind> = { 8: "u8", 16: "u16", 32: "i32", 64: "i64" };
/** Record fields of the registers of operands 0, 1 and 2. */
const REGISTER_FIELD = [REC.A, REC.B, REC.LINK];

/** Writes one handler. */
export class InterpreterEmitter extends EmitterBase implements Emitter {
  readonly #flags: LazyFlags;
  protected readonly memory: MemoryAccess;
  readonly size: Size;
  /** How many conditions the code is in. */
  #depth = 0;
  /** True if the instruction calls a system function in any case. */
  #calledHelper = false;

  constructor(
    readonly code: Code,
    readonly instruction: Instruction,
    readonly mode: CodeMode,
    readonly linkage: Linkage,
  ) {
    super();
    this.#flags = new LazyFlags(this);
    this.memory = new MemoryAccess(this);
    this.size = sizeOfInstruction(instruction);
  }

  // ---- control flow inside an instruction

  if(condition: Value, then: () => void, otherwise?: () => void): void {
    condition.emit(this.code);
    this.#depth++;
    this.code.if(then, otherwise);
    this.#depth--;
  }
  // ---- records and state

  #field(offset: number, kind: StateKind): Value {
    return this.loadAt(Value.local("i32", RECORD), kind, offset);
  }
  /** Address of a register whose byte offset is in the record. */
  #at(field: number): Value {
    const offset = this.#field(field, "u16");
    return this.base().add(offset);
  }
  base(): Value {
    return Value.local("i32", CPU);
  }
  register(number: number, size: Size, high = false): Value {
    return this.state(S.GPR + number * 8 + (high ? 1 : 0), SIZE_KIND[size]);
  }
  setRegister(number: number, size: Size, value: Value, high = false): void {
    this.#storeRegister(this.base(), size, value, S.GPR + number * 8 + (high ? 1 : 0));
  }
  #storeRegister(address: Value, size: Size, value: Value, offset = 0): void {
    if (size === 32) this.storeAt(address, "i64", value.extendU(), offset);
    else this.storeAt(address, SIZE_KIND[size], value, offset);
  }

  // ---- operands

  #immediate(index: number): Value {
    const size = this.generalSize(index);
    const second = this.instruction.operands.slice(0, index).some((o) => o.kind === "imm");
    const field = second ? REC.LINK : REC.IMM;
    if (size !== 64) return this.#field(field, "i32").zeroExtend(size);
    const operand = this.operand(index);
    const wide = operand.kind === "imm" && operand.wide !== undefined;
    return wide ? this.#field(field, "i64") : this.#field(field, "i32").extendS();
  }
  read(index: number): Value {
    const operand = this.operand(index);
    if (operand.kind === "imm") return this.let(this.#immediate(index));
    const size = this.generalSize(index);
    if (operand.kind === "reg") return this.let(this.loadAt(this.#at(REGISTER_FIELD[index]), SIZE_KIND[size]));
    if (operand.kind === "mem") return this.memory.load(this.linear(index, size / 8, false), size);
    throw new Error(`operand ${index} of ${this.instruction.mnemonic} cannot be read`);
  }
  readSigned(index: number, to: Size = this.size): Value {
    const size = this.generalSize(index);
    const value = this.read(index).signExtend(size);
    return this.let(to === 64 ? value.extendS() : value.zeroExtend(to));
  }
  write(index: number, value: Value): void {
    const operand = this.operand(index), size = this.generalSize(index);
    if (operand.kind === "reg") return this.#storeRegister(this.#at(REGISTER_FIELD[index]), size, value);
    const data = this.let(value);
    this.memory.store(this.linear(index, size / 8, true), data, size);
  }
  open(index: number): Place {
    const operand = this.operand(index), size = this.generalSize(index);
    if (operand.kind !== "reg") return this.memory.open(this.linear(index, size / 8, true), size);
    const address = this.let(this.#at(REGISTER_FIELD[index]));
    const value = this.let(this.loadAt(address, SIZE_KIND[size]));
    return { value, set: (next) => this.#storeRegister(address, size, next) };
  }
  registerNumber(index: number): Value {
    return this.let(this.#field(REGISTER_FIELD[index], "u16"));
  }
  vector(index: number, bytes: 4 | 8 | 16 = 16, aligned = bytes === 16): Value {
    if (this.isMemory(index)) return this.loadVector(index, bytes, aligned);
    const load = this.isMmx(index) ? OpSimd.V128_LOAD64_ZERO : OpSimd.V128_LOAD;
    return this.vectorAt(this.#at(REGISTER_FIELD[index]), load, 0);
  }
  setVector(index: number, value: Value, aligned = true): void {
    if (this.isMemory(index)) return this.storeVector(index, value, aligned);
    if (this.isMmx(index)) {
      const address = this.registerAddress(index);
      this.storeAt(address, "i64", value.lane("i64", 0));
      return this.storeAt(address, "u16", Value.i32(0xffff), 8);
    }
    this.storeVectorAt(this.#at(REGISTER_FIELD[index]), value, 0);
  }
  setVectorLow(index: number, value: Value, bytes: 4 | 8): void {
    const low = value.lane(bytes === 4 ? "i32" : "i64", 0);
    if (!this.isMemory(index)) return this.storeAt(this.#at(REGISTER_FIELD[index]), bytes === 4 ? "i32" : "i64", low);
    const data = this.let(low);
    this.memory.store(this.linear(index, bytes, true), data, bytes === 4 ? 32 : 64);
  }
  escapeOpcode(): Value {
    return this.let(this.#field(REC.LINK, "i32"));
  }
  registerAddress(index: number): Value {
    return this.let(this.#at(REGISTER_FIELD[index]));
  }
  registerHalf(index: number, half: 0 | 1): Value {
    return this.let(this.loadAt(this.#at(REGISTER_FIELD[index]), "i64", half * 8));
  }
  setRegisterHalf(index: number, half: 0 | 1, value: Value): void {
    this.storeAt(this.#at(REGISTER_FIELD[index]), value.type === "i64" ? "i64" : "i32", value, half * 8);
  }
  far(): { selector: Value; offset: Value } {
    return { selector: this.let(this.#field(REC.LINK, "i32")), offset: this.let(this.#field(REC.IMM, "i32")) };
  }
  segment(index: number): SegmentRef {
    this.memoryOperand(index);
    return { which: "operand" };
  }
  segmentNumber(): Value {
    return this.let(this.#field(REC.SEGMENT, "u16").sub(S.SEG).shrU(SEG.SHIFT));
  }

  // ---- addresses

  address(index: number): Value {
    const { addressSize, base, index: indexRegister, disp64 } = this.memoryOperand(index);
    const kind: StateKind = addressSize === 64 ? "i64" : "i32";
    if (disp64 !== undefined) return this.let(this.#field(REC.DISP, "i64"));
    let offset = this.#field(REC.DISP, "i32");
    if (addressSize === 64) offset = offset.extendS();
    if (base === 16) {
      const next = this.nextIp(64);
      offset = addressSize === 64 ? offset.add(next) : offset.add(next.wrap());
    } else if (base >= 0) offset = this.loadAt(this.#at(REC.BASE), kind).add(offset);
    if (indexRegister >= 0) {
      const scale = this.#field(REC.SCALE, "u8");
      const scaled = this.loadAt(this.#at(REC.INDEX), kind);
      offset = offset.add(scaled.shl(addressSize === 64 ? scale.extendU() : scale));
    }
    if (addressSize === 16) offset = offset.and(0xffff);
    if (this.mode.code === 64 && addressSize !== 64) offset = offset.extendU();
    return this.let(offset);
  }
  /** Segmentation: checks the range, adds the base. */
  protected translate(segment: SegmentRef, offsetValue: Value, bytes: number, write: boolean): Value {
    const number = segment.which === "operand" ? this.operandSegment() : segment.which;
    if (isFlatAccess(this.mode, number)) return offsetValue;
    const register = segment.which === "operand"
      ? this.let(this.#at(REC.SEGMENT))
      : this.let(this.base().add(S.SEG + segment.which * SEG.SIZE));
    const offset = this.let(offsetValue);
    const base = this.loadAt(register, "i64", SEG.BASE);
    if (this.mode.code === 64) return offset.add(base);
    const first = this.let(offset.extendU());
    const high = this.loadAt(register, "i64", write ? SEG.HIGH_WRITE : SEG.HIGH_READ);
    const outside = first.add(bytes - 1).gtS(high).or(first.ltS(this.loadAt(register, "i64", SEG.LOW)));
    this.if(outside, () => {
      this.slow("segmentFault", register.sub(this.base()).sub(S.SEG));
      this.code.op(Op.RETURN);
    });
    return offset.add(base.wrap());
  }
  probe(segment: SegmentRef, offset: Value, bytes: number, write: boolean): void {
    const linear = this.translate(segment, offset, bytes, write);
    this.slow("probe", this.asNumber(linear), Value.i32(bytes), Value.i32(write ? 1 : 0));
  }

  // ---- flags

  flagsAdd(a: Value, b: Value, result: Value, size: Size = this.size): void {
    this.#flags.add(this.let(a), this.let(b), this.let(result), size);
  }
  flagsSub(a: Value, b: Value, result: Value, size: Size = this.size): void {
    this.#flags.sub(this.let(a), this.let(b), this.let(result), size);
  }
  flagsLogic(result: Value, size: Size = this.size): void {
    this.#flags.logic(result, size);
  }
  flagsInc(_a: Value, result: Value, size: Size = this.size): void {
    this.#flags.inc(this.let(result), size);
  }
  flagsDec(_a: Value, result: Value, size: Size = this.size): void {
    this.#flags.dec(this.let(result), size);
  }
  flagsResult(result: Value, size: Size, others: { CF?: Value; OF?: Value; AF?: Value }): void {
    this.#flags.result(result, size, others);
  }
  flag(name: FlagName): Value {
    return this.let(this.#flags.flag(name));
  }
  setFlags(flags: Partial<Record<FlagName, Value>>): void {
    this.#flags.set(flags);
  }
  condition(code: number): Value {
    return this.let(this.#flags.condition(code));
  }
  eflags(): Value {
    return this.#flags.image();
  }
  setArithmeticFlags(image: Value): void {
    this.#flags.setImage(image);
  }

  // ---- control transfer

  /** The following instruction's offset as i64, before truncation. */
  #nextWide(): Value {
    return this.loadAt(this.base(), "i64", S.BLOCK_IP).add(this.#field(REC.NEXT, "u16").extendU());
  }
  #fit(offset: Value, size: Size): Value {
    return size === 64 ? offset : offset.wrap().zeroExtend(size);
  }
  nextIp(size: Size): Value {
    return this.let(this.#fit(this.#nextWide(), size));
  }
  ip(size: Size): Value {
    return this.let(this.#fit(this.#nextWide().sub(this.#field(REC.LENGTH, "u8").extendU()), size));
  }
  cyclesLeft(): Value {
    // The block has taken all its instructions from the budget.
    const position = this.let(this.#field(REC.INDEX_IN_BLOCK, "u16"));
    const header = this.let(Value.local("i32", RECORD).sub(position.mul(REC.SIZE)).sub(-HEADER.COUNT));
    const taken = this.loadAt(header, "i32");
    return this.let(this.loadAt(this.base(), "i32", S.BUDGET).add(taken).sub(position));
  }
  #relativeTarget(index: number): Value {
    const operand = this.operand(index);
    const target = this.#nextWide().add(this.#field(REC.IMM, "i32").extendS());
    return this.let(this.#truncate(target, operand.size));
  }
  #truncate(target: Value, operandSize: number): Value {
    if (operandSize === 16) return target.and(0xffff);
    return this.mode.code === 64 ? target : target.zeroExtend(32);
  }
  jumpRelative(index: number): void {
    this.#follow(this.#relativeTarget(index), REC.LINK);
  }
  branch(condition: Value, index: number): void {
    this.if(condition, () => this.#follow(this.#relativeTarget(index), REC.LINK));
    this.#follow(this.let(this.#truncate(this.#nextWide(), this.mode.code === 64 ? 64 : 32)), REC.DISP);
  }
  jump(offset: Value): void {
    const wide = this.let(this.#truncate(offset.extendU(), this.instruction.operandSize));
    if (!this.mode.flat || this.mode.code === 64) {
      const limit = this.mode.code === 64 ? null : this.state(S.SEG + Seg.CS * SEG.SIZE + SEG.LIMIT, "i32").extendU();
      if (limit) this.raiseIf(wide.gtU(limit), 13, 0);
      else this.raiseIf(wide.shl(16).shrS(16).ne(wide), 13, 0);
    }
    this.#jumpCache(wide, Value.i32(0));
  }
  stall(cycles: number): void {
    this.setState(S.BUDGET, "i32", this.state(S.BUDGET, "i32").sub(cycles));
    this.setState(S.STALLED, "i32", this.state(S.STALLED, "i32").add(cycles));
    this.fallThrough();
  }
  /** The record that is being interpreted. */
  recordAddress(): Value {
    return Value.local("i32", RECORD);
  }
  /** Continues with the instruction after this one when a block ends without a jump. */
  fallThrough(): void {
    this.#follow(this.let(this.#truncate(this.#nextWide(), this.mode.code === 64 ? 64 : 32)), REC.LINK);
  }
  #jumpCache(target: Value, link: Value): void {
    const inner = this.linkage.inner;
    if (inner) {
      link.emit(this.code);
      this.code.set(inner.link);
      target.emit(this.code);
      this.code.set(inner.target);
      return this.code.br(inner.jump);
    }
    this.code.get(CPU);
    link.emit(this.code);
    target.emit(this.code);
    this.code.returnCall(this.mode.flat || this.mode.code === 64 ? this.linkage.jumpFlat : this.linkage.jumpSegmented);
  }
  /** Goes to a block by the link in the record's field, if it is there. */
  #follow(target: Value, field: number): void {
    const link = this.let(this.#field(field, "i32"));
    this.if(link, () => this.#enter(link, target));
    this.#jumpCache(target, Value.local("i32", RECORD).add(field));
  }
  #enter(record: Value, target: Value): void {
    emitEnter(this.code, record, target, this.linkage, this.mode.flat || this.mode.code === 64);
  }
  /** Ends the handler: on to the next record. */
  dispatchNext(): void {
    emitDispatch(this.code, this.linkage, Value.local("i32", RECORD).add(REC.SIZE));
  }
  /** Ends the handler, with RIP behind this instruction: back to the run loop if that must have its turn, else on. */
  exit(): void {
    this.setState(S.RIP, "i64", this.#truncate(this.#nextWide(), this.mode.code === 64 ? 64 : 32));
    this.transferred();
  }
  /** Ends the handler likewise where a helper has set RIP. */
  transferred(): void {
    const leave = () => {
      this.setState(S.EXIT, "i32", Value.i32(Exit.TRANSFER));
      this.code.op(Op.RETURN);
    };
    if (!this.#calledHelper) return leave();
    this.if(this.state(S.LEAVE, "i32"), leave);
    this.#jumpCache(this.state(S.RIP, "i64"), Value.i32(0));
  }

  // ---- the rest

  raiseIf(condition: Value, vector: number, errorCode = -1): void {
    this.if(condition, () => this.raise(vector, errorCode));
  }
  raise(vector: number, errorCode = -1): void {
    this.setState(S.CURRENT, "i32", Value.local("i32", RECORD));
    this.setState(S.FAULT, "i32", Value.i32(vector + 1));
    this.setState(S.FAULT_CODE, "i32", Value.i32(errorCode));
    this.code.op(Op.RETURN);
  }
  helper(name: string, ...args: Value[]): Value {
    if (this.#depth === 0) this.#calledHelper = true;
    return this.slow(name, ...args);
  }
  usually(inPlace: (require: (condition: Value) => void) => void, name: string, ...args: Value[]): void {
    const { code } = this;
    code.block((done) => {
      code.block((unusual) => {
        inPlace((condition) => {
          condition.eqz().emit(code);
          code.brIf(unusual);
        });
        this.setState(S.LEAVE, "i32", Value.i32(0));
        code.br(done);
      });
      this.helper(name, ...args);
    });
  }
  slow(name: string, ...args: Value[]): Value {
    const callee = this.linkage.helper(name);
    this.setState(S.CURRENT, "i32", Value.local("i32", RECORD));
    this.emitCall(name, callee, args);
    const result = this.takeResult(callee);
    this.loadAt(this.base(), "i32", S.FAULT).emit(this.code);
    this.code.if(() => this.code.op(Op.RETURN));
    return result;
  }
  protected kernelFunction(name: string): Callee {
    return this.linkage.kernel(name);
  }
}

/**
 * Enters the block whose first record is `record` at instruction pointer `target` (i64): takes its instructions from the
 * budget or leaves if that does not cover them. In segmented code a block that reaches beyond the limit is looked up anew.
 */
export function emitEnter(
  code: Code,
  record: Value,
  target: Value,
  linkage: Linkage,
  flat: boolean,
): void {
  const header = (field: number, opcode: number) => {
    record.emit(code);
    code.i32(-HEADER.COUNT);
    code.op(Op.I32_SUB);
    code.memory(opcode, field - HEADER.COUNT);
  };
  if (!flat) {
    target.emit(code);
    header(HEADER.BYTES, Op.I64_LOAD32_U);
    code.op(Op.I64_ADD);
    code.get(CPU);
    code.memory(Op.I64_LOAD32_U, S.SEG + Seg.CS * SEG.SIZE + SEG.LIMIT);
    code.i64(1n);
    code.op(Op.I64_ADD);
    code.op(Op.I64_GT_U);
    code.if(() => leave(code, target, Exit.LOOKUP));
  }
  const budget = code.local("i32");
  record.emit(code);
  code.i32(-HEADER.COUNT);
  code.op(Op.I32_SUB);
  header(HEADER.HEAT, Op.I32_LOAD);
  code.i32(1);
  code.op(Op.I32_SUB);
  code.tee(budget);
  code.memory(Op.I32_STORE, HEADER.HEAT - HEADER.COUNT);
  code.get(budget);
  code.op(Op.I32_EQZ);
  code.if(() => leave(code, target, Exit.HOT));
  code.get(CPU);
  code.memory(Op.I32_LOAD, S.BUDGET);
  header(HEADER.COUNT, Op.I32_LOAD);
  code.op(Op.I32_SUB);
  code.tee(budget);
  code.i32(0);
  code.op(Op.I32_LT_S);
  code.if(() => leave(code, target, Exit.BUDGET));
  code.get(CPU);
  code.get(budget);
  code.memory(Op.I32_STORE, S.BUDGET);
  code.get(CPU);
  target.emit(code);
  code.memory(Op.I64_STORE, S.BLOCK_IP);
  emitDispatch(code, linkage, record);
}

/** Goes to the handler of a record. */
function emitDispatch(code: Code, linkage: Linkage, record: Value): void {
  if (linkage.inner) {
    record.emit(code);
    code.set(RECORD);
    return code.br(linkage.inner.dispatch);
  }
  code.get(CPU);
  record.emit(code);
  record.emit(code);
  code.memory(Op.I32_LOAD, REC.SLOT);
  code.returnCallIndirect(linkage.handlerType);
}

/** Returns to the run loop with RIP = target and nothing to link. */
function leave(code: Code, target: Value, exit: number): void {
  code.get(CPU);
  target.emit(code);
  code.memory(Op.I64_STORE, S.RIP);
  code.get(CPU);
  code.i32(0);
  code.memory(Op.I32_STORE, S.NEXT);
  code.get(CPU);
  code.i32(exit);
  code.memory(Op.I32_STORE, S.EXIT);
  code.op(Op.RETURN);
}
