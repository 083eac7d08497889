/** The interpreter's side of the Emitter contract: operands are looked up in a decoded record at run time. */
import { type Code, Op } from "../../wasm/mod.ts";
import type { Instruction } from "../decode/instruction.ts";
import { type Callee, isFlatCode, sizeOfInstruction } from "../emit/base.ts";
import type { CodeMode, Emitter, FlagName, Size } from "../emit/emitter.ts";
import { LazyFlags } from "../emit/flags.ts";
import { MemoryAccess } from "../emit/memory.ts";
import type { RotateOperation, ShiftOperation } from "../emit/shift_flags.ts";
import { Value } from "../emit/value.ts";
import { S, SEG, Seg, Vector } from "../state.ts";
import { emitDispatch } from "./block_entry.ts";
import { Exit, HEADER, REC } from "./layout.ts";
import { type Linkage, RECORD } from "./linkage.ts";
import { RecordEmitter } from "./record_emitter.ts";

/** Writes one handler. */
export class InterpreterEmitter extends RecordEmitter implements Emitter {
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
  flagsProduct(product: Value): void {
    const overflow = this.let(product.ne(product.signExtend(32)));
    this.#flags.result(this.let(product.wrap()), 32, { CF: overflow, OF: overflow });
  }
  flagsShift(operation: ShiftOperation, a: Value, count: Value, result: Value, size: Size = this.size): void {
    this.#flags.shift(operation, a, count, result, size);
  }
  flagsRotate(operation: RotateOperation, result: Value, size: Size = this.size): void {
    this.#flags.rotate(operation, result, size);
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

  cyclesLeft(): Value {
    // The block has taken all its instructions from the budget.
    const position = this.let(this.field(REC.INDEX_IN_BLOCK, "u16"));
    const header = Value.local("i32", RECORD).sub(position.mul(REC.SIZE)).sub(HEADER.SIZE);
    const taken = this.loadAt(header, "u16", HEADER.COUNT);
    return this.let(this.loadAt(this.base(), "i32", S.BUDGET).add(taken).sub(position));
  }
  /** Goes to the relative operand. */
  #followRelative(index: number): void {
    const target = this.nextWide().add(this.field(REC.IMM, "i32").extendS());
    this.#follow(this.#truncate(target, this.operand(index).size), REC.LINK);
  }
  #truncate(target: Value, operandSize: number): Value {
    if (operandSize === 16) return target.and(0xffff);
    return this.mode.code === 64 ? target : target.zeroExtend(32);
  }
  /** The following instruction's offset as i64. */
  #next(): Value {
    return this.#truncate(this.nextWide(), this.mode.code === 64 ? 64 : 32);
  }
  jumpRelative(index: number): void {
    this.#followRelative(index);
  }
  branch(condition: Value, index: number): void {
    this.if(condition, () => this.#followRelative(index));
    this.#follow(this.#next(), REC.DISP);
  }
  jump(offset: Value): void {
    const wide = this.let(this.#truncate(offset.extendU(), this.instruction.operandSize));
    if (this.mode.code === 64) this.raiseIf(wide.shl(16).shrS(16).ne(wide), Vector.GP, 0);
    else if (!this.mode.flat) {
      const limit = this.state(S.SEG + Seg.CS * SEG.SIZE + SEG.LIMIT, "i32").extendU();
      this.raiseIf(wide.gtU(limit), Vector.GP, 0);
    }
    this.#jump(wide);
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
    this.#follow(this.#next(), REC.LINK);
  }
  /** Goes to an offset in CS by the link in a field of the record. */
  #follow(target: Value, field: number): void {
    const { code, linkage: { inner } } = this, link = Value.local("i32", RECORD).add(field);
    if (!inner) {
      link.emit(code);
      target.emit(code);
      return code.returnCall(this.linkage.follow(isFlatCode(this.mode)));
    }
    target.emit(code);
    code.set(inner.target);
    link.emit(code);
    code.set(inner.link);
    code.br(inner.follow);
  }
  /** Goes to an offset in CS. */
  #jump(target: Value): void {
    const { code, linkage: { inner } } = this;
    target.emit(code);
    if (!inner) return code.returnCall(this.linkage.jump(isFlatCode(this.mode)));
    code.set(inner.target);
    code.br(inner.jump);
  }
  /** Ends the handler: on to the next record. */
  dispatchNext(): void {
    emitDispatch(this.code, this.linkage, Value.local("i32", RECORD).add(REC.SIZE));
  }
  /** Ends the handler, with RIP behind this instruction: back to the run loop if that must have its turn, else on. */
  exit(): void {
    this.setState(S.RIP, "i64", this.#next());
    this.transferred();
  }
  /** Ends the handler likewise where a helper has set RIP. */
  transferred(): void {
    const leave = () => {
      this.setState(S.EXIT, "i32", Value.i32(Exit.TRANSFER));
      this.code.op(Op.RETURN);
    };
    if (!this.#calledHelper) return leave();
    this.rarely(this.state(S.LEAVE, "i32"), leave);
    this.#jump(this.state(S.RIP, "i64"));
  }

  // ---- the rest

  raiseIf(condition: Value, vector: number, errorCode = -1): void {
    this.fault(condition, () => this.raise(vector, errorCode));
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
        this.setState(S.CURRENT, "i32", Value.local("i32", RECORD));
        inPlace((condition) => {
          condition.eqz().emit(code);
          code.unlikely();
          code.brIf(unusual);
        });
        this.setState(S.LEAVE, "i32", Value.i32(0));
        code.br(done);
      });
      this.helper(name, ...args);
    });
  }
  remaining(): Value {
    return this.state(S.BUDGET, "i32");
  }
  consume(count: Value): void {
    this.setState(S.BUDGET, "i32", this.state(S.BUDGET, "i32").sub(count));
  }
  slow(name: string, ...args: Value[]): Value {
    const callee = this.linkage.helper(name);
    this.setState(S.CURRENT, "i32", Value.local("i32", RECORD));
    this.emitCall(name, callee, args);
    const result = this.takeResult(callee);
    this.loadAt(this.base(), "i32", S.FAULT).emit(this.code);
    this.code.unlikely();
    this.code.if(() => this.code.op(Op.RETURN));
    return result;
  }
  protected kernelFunction(name: string): Callee {
    return this.linkage.kernel(name);
  }
}
