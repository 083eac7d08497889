/** The translator's side of the Emitter contract: operands are concrete, registers and flags live in locals. */
import { Op } from "../../wasm/mod.ts";
import type { Instruction } from "../decode/instruction.ts";
import { type Callee, sizeOfInstruction } from "../emit/base.ts";
import type { Emitter, FlagName, Size, Steady } from "../emit/emitter.ts";
import type { RotateOperation, ShiftOperation } from "../emit/shift_flags.ts";
import { Value } from "../emit/value.ts";
import { CPU_BASE } from "../interpreter/layout.ts";
import { LEFT } from "../interpreter/linkage.ts";
import { S, SEG, Seg } from "../state.ts";
import { type AccessLinkage, RegionAccesses } from "./accesses.ts";
import type { RegionInstruction } from "./region_instruction.ts";
import { FlagTracker } from "./flags.ts";
import { InstructionFlags } from "./instruction_flags.ts";
import type { LastPages } from "./last_pages.ts";
import { OperandEmitter } from "./operand_emitter.ts";
import { NotTranslated, type Outcome, type RegionContext, UnexpectedRegister } from "./region_context.ts";
import type { RegisterUse } from "./register_use.ts";
import { letsOthersRun, noteSystemFunction } from "./register_values.ts";

/** Writes the instructions of one region. */
export class RegionEmitter extends OperandEmitter implements Emitter {
  readonly user: boolean;
  readonly linkage: AccessLinkage;
  readonly #flags: FlagTracker;
  readonly #instructionFlags: InstructionFlags;
  protected readonly memory: RegionAccesses;
  protected current!: RegionInstruction;
  #outcome: Outcome = { kind: "next" };
  /** True if the current instruction does without the system function that it stands for. */
  #inPlace = false;
  size: Size = 32;

  constructor(context: RegionContext) {
    super(context);
    this.user = context.user;
    this.linkage = context.linkage;
    this.#flags = context.flags;
    this.#instructionFlags = new InstructionFlags(this, context.flags);
    this.memory = new RegionAccesses(this);
  }

  get lastPages(): LastPages | null {
    return this.context.lastPages;
  }
  get chases(): boolean {
    return this.context.chases[this.node] !== 0;
  }
  get keepsPermissions(): boolean {
    const { groups, region } = this.context;
    return region.strip(this.node) !== undefined || groups.anyEstablished(this.current, this.node);
  }
  get instruction(): Instruction {
    return this.current.instruction;
  }
  protected get next(): number {
    return this.current.next;
  }

  /**
   * Writes one instruction; flags that cannot be seen are left as they were. Throws {@link NotTranslated} or UnexpectedRegister,
   * possibly after some code.
   */
  writeInstruction(current: RegionInstruction, use: RegisterUse, flagsAreDead: boolean): Outcome {
    this.current = current;
    this.use = use;
    this.#instructionFlags.begin(current.instruction.mnemonic, flagsAreDead);
    this.#outcome = { kind: "next" };
    this.depth = 0;
    this.size = sizeOfInstruction(current.instruction);
    this.calledHelper = this.#inPlace = false;
    this.vectorsStored = false;
    this.changed = 0;
    this.readConstants();
    this.emitDefinition(current.instruction, () => current.definition.emit(this));
    if (this.vectorsStored) this.context.loadVectors(this.instruction.mnemonic === "fxrstor" ? ~0 : use.written);
    const { flow } = current;
    if ((this.calledHelper || this.#inPlace) && !letsOthersRun(current)) {
      noteSystemFunction(current.instruction);
      throw new UnexpectedRegister();
    }
    if ((flow === "exit" || flow === "transfer") && !this.calledHelper && !this.#inPlace) throw new NotTranslated();
    return this.#outcome;
  }

  // ---- control flow inside an instruction

  if(condition: Value, then: () => void, otherwise?: () => void): void {
    const before = this.#flags.known, known = [before, before];
    const arm = (index: number, body: (() => void) | undefined) => {
      this.#flags.known = before;
      this.depth++;
      body?.();
      this.depth--;
      known[index] = this.#flags.known;
    };
    condition.emit(this.code);
    this.code.if(() => arm(0, then), () => arm(1, otherwise));
    this.#flags.known = known.every((after) => after === before) ? before : FlagTracker.DYNAMIC;
  }
  override fault(condition: Value): void {
    this.bailIf(condition);
  }
  override exceptionally(condition: Value, _then: () => void, otherwise: () => void): void {
    if (condition.constant !== 0n) this.bailIf(condition);
    otherwise();
  }
  override leaveIf(condition: Value): boolean {
    this.bailIf(condition);
    return true;
  }
  override while(condition: () => Value, body: () => void): void {
    const before = this.#flags.known;
    this.depth++;
    super.while(condition, body);
    this.depth--;
    if (this.#flags.known !== before) throw new NotTranslated();
  }

  // ---- state

  base(): Value {
    // A constant, because V8 compares other addresses with the memory's size.
    return Value.i32(CPU_BASE);
  }
  override steady(value: Steady): Value {
    return this.context.steady.value(value) ?? super.steady(value);
  }
  override steadyChanged(value: Steady): void {
    this.context.steady.compute(value);
  }

  // ---- flags

  flagsAdd(a: Value, b: Value, result: Value, size: Size = this.size): void {
    this.#instructionFlags.add(a, b, result, size);
  }
  flagsSub(a: Value, b: Value, result: Value, size: Size = this.size): void {
    this.#instructionFlags.sub(a, b, result, size);
  }
  flagsLogic(result: Value, size: Size = this.size): void {
    this.#instructionFlags.logic(result, size);
  }
  flagsInc(_a: Value, result: Value, size: Size = this.size): void {
    this.#instructionFlags.step("inc", result, size);
  }
  flagsDec(_a: Value, result: Value, size: Size = this.size): void {
    this.#instructionFlags.step("dec", result, size);
  }
  flagsProduct(product: Value): void {
    this.#instructionFlags.product(product);
  }
  flagsShift(operation: ShiftOperation, a: Value, count: Value, result: Value, size: Size = this.size): void {
    this.#instructionFlags.shift(operation, a, count, result, size);
  }
  flagsRotate(operation: RotateOperation, result: Value, size: Size = this.size): void {
    this.#instructionFlags.rotate(operation, result, size);
  }
  flagsResult(result: Value, size: Size, others: { CF?: Value; OF?: Value; AF?: Value }): void {
    this.#instructionFlags.lazily((flags) => flags.result(result, size, others));
  }
  flag(name: FlagName): Value {
    return this.#flags.flag(name);
  }
  setFlags(flags: Partial<Record<FlagName, Value>>): void {
    this.#instructionFlags.lazily((lazy) => lazy.set(flags));
  }
  condition(code: number): Value {
    return this.let(this.#flags.condition(code));
  }
  eflags(): Value {
    return this.#instructionFlags.image();
  }
  setArithmeticFlags(image: Value): void {
    this.#instructionFlags.lazily((flags) => flags.setImage(image));
  }

  // ---- control transfer

  nextIp(size: Size): Value {
    return this.#offset(this.next, size);
  }
  ip(size: Size): Value {
    return this.#offset(this.current.ip, size);
  }
  cyclesLeft(): Value {
    return this.let(this.context.cyclesLeft());
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
    if (this.mode.code === 64) this.bailIf(target.shl(16).shrS(16).ne(target));
    else if (!this.mode.flat) {
      this.bailIf(target.gtU(this.state(S.SEG + Seg.CS * SEG.SIZE + SEG.LIMIT, "i32").extendU()));
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
    this.code.i32(this.context.currentSite(false));
    this.code.br(this.context.bailLabel(this.changed));
  }
  bailIfSo(emit: () => void, forGroup = false): void {
    this.code.i32(this.context.currentSite(forGroup));
    emit();
    this.code.unlikely();
    this.code.brIf(this.context.bailLabel(this.changed));
    this.code.op(Op.DROP);
  }
  protected bailIf(condition: Value): void {
    this.bailIfSo(() => condition.emit(this.code));
  }
  raiseIf(condition: Value): void {
    this.bailIf(condition);
  }
  raise(): void {
    if (this.depth === 0) throw new NotTranslated();
    this.bail();
  }
  helper(name: string, ...args: Value[]): Value {
    if (this.depth > 0) {
      this.bail();
      return Value.i32(0);
    }
    const callee = this.context.helper(name);
    this.context.beforeHelper();
    this.emitCall(name, callee, args);
    const result = this.takeResult(callee);
    this.loadAt(this.base(), "i32", S.FAULT).emit(this.code);
    this.code.if(() => {
      // The state block is what the exception has to find; repeated strings may have come on until then.
      this.code.i64(LEFT);
      this.code.op(Op.RETURN);
    });
    this.context.afterHelper();
    this.calledHelper = true;
    return result;
  }
  usually(inPlace: (require: (condition: Value) => void) => void): void {
    inPlace((condition) => this.bailIf(condition.eqz()));
    this.#inPlace = true;
  }
  remaining(): Value {
    return this.let(new Value("i32", (code) => code.get(this.context.budget)));
  }
  consume(count: Value): void {
    this.remaining().sub(count).emit(this.code);
    this.code.set(this.context.budget);
  }
  protected kernelFunction(name: string): Callee {
    return this.context.kernel(name);
  }
}
