/** Operands of the interpreter's emitter: they are looked up in a decoded record at run time. */
import { Op, OpSimd } from "../../wasm/mod.ts";
import { EmitterBase, isFlatAccess } from "../emit/base.ts";
import type { Place, SegmentRef, Size, StateKind } from "../emit/emitter.ts";
import { Value } from "../emit/value.ts";
import { S, SEG } from "../state.ts";
import { CPU_BASE, REC, REGISTER_FIELDS } from "./layout.ts";
import { RECORD } from "./linkage.ts";

const SIZE_KIND: Record<Size, StateKind> = { 8: "u8", 16: "u16", 32: "i32", 64: "i64" };

/** Registers, operands, addresses and places in the code, by the record in local {@link RECORD}. */
export abstract class RecordEmitter extends EmitterBase {
  /** Calls a TypeScript slow path; a fault leaves the function. */
  abstract slow(name: string, ...args: Value[]): Value;

  // ---- records and state

  protected field(offset: number, kind: StateKind): Value {
    return this.loadAt(Value.local("i32", RECORD), kind, offset);
  }
  /** The address of a register that is in the record. */
  protected at(field: number): Value {
    return this.field(field, "u16");
  }
  base(): Value {
    // A constant, because V8 compares other addresses with the memory's size.
    return Value.i32(CPU_BASE);
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
    if (size !== 64) return this.field(field, "i32").zeroExtend(size);
    const operand = this.operand(index);
    const wide = operand.kind === "imm" && operand.wide !== undefined;
    return wide ? this.field(field, "i64") : this.field(field, "i32").extendS();
  }
  read(index: number): Value {
    const operand = this.operand(index);
    if (operand.kind === "imm") return this.let(this.#immediate(index));
    const size = this.generalSize(index);
    if (operand.kind === "reg") return this.let(this.loadAt(this.at(REGISTER_FIELDS[index]), SIZE_KIND[size]));
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
    if (operand.kind === "reg") return this.#storeRegister(this.at(REGISTER_FIELDS[index]), size, value);
    const data = this.let(value);
    this.memory.store(this.linear(index, size / 8, true), data, size);
  }
  open(index: number): Place {
    const operand = this.operand(index), size = this.generalSize(index);
    if (operand.kind !== "reg") return this.memory.open(this.linear(index, size / 8, true), size);
    const address = this.let(this.at(REGISTER_FIELDS[index]));
    const value = this.let(this.loadAt(address, SIZE_KIND[size]));
    return { value, set: (next) => this.#storeRegister(address, size, next) };
  }
  registerNumber(index: number): Value {
    return this.let(this.field(REGISTER_FIELDS[index], "u16"));
  }
  vector(index: number, bytes: 4 | 8 | 16 = 16, aligned = bytes === 16): Value {
    if (this.isMemory(index)) return this.loadVector(index, bytes, aligned);
    const load = this.isMmx(index) ? OpSimd.V128_LOAD64_ZERO : OpSimd.V128_LOAD;
    return this.vectorAt(this.at(REGISTER_FIELDS[index]), load, 0);
  }
  setVector(index: number, value: Value, aligned = true): void {
    if (this.isMemory(index)) return this.storeVector(index, value, aligned);
    if (this.isMmx(index)) {
      const address = this.registerAddress(index);
      this.storeAt(address, "i64", value.lane("i64", 0));
      return this.storeAt(address, "u16", Value.i32(0xffff), 8);
    }
    this.storeVectorAt(this.at(REGISTER_FIELDS[index]), value, 0);
  }
  setVectorLow(index: number, value: Value, bytes: 4 | 8): void {
    const low = value.lane(bytes === 4 ? "i32" : "i64", 0);
    if (!this.isMemory(index)) return this.storeAt(this.at(REGISTER_FIELDS[index]), bytes === 4 ? "i32" : "i64", low);
    const data = this.let(low);
    this.memory.store(this.linear(index, bytes, true), data, bytes === 4 ? 32 : 64);
  }
  escapeOpcode(): Value {
    return this.let(this.field(REC.LINK, "i32"));
  }
  registerAddress(index: number): Value {
    return this.let(this.at(REGISTER_FIELDS[index]));
  }
  registerHalf(index: number, half: 0 | 1): Value {
    return this.let(this.loadAt(this.at(REGISTER_FIELDS[index]), "i64", half * 8));
  }
  setRegisterHalf(index: number, half: 0 | 1, value: Value): void {
    this.storeAt(this.at(REGISTER_FIELDS[index]), value.type === "i64" ? "i64" : "i32", value, half * 8);
  }
  far(): { selector: Value; offset: Value } {
    return { selector: this.let(this.field(REC.LINK, "i32")), offset: this.let(this.field(REC.IMM, "i32")) };
  }
  segment(index: number): SegmentRef {
    this.memoryOperand(index);
    return { which: "operand" };
  }
  segmentNumber(): Value {
    return this.let(this.field(REC.SEGMENT, "u16").sub(CPU_BASE + S.SEG).shrU(SEG.SHIFT));
  }

  // ---- addresses

  address(index: number): Value {
    const { addressSize, base, index: indexRegister, disp64 } = this.memoryOperand(index);
    const kind: StateKind = addressSize === 64 ? "i64" : "i32";
    if (disp64 !== undefined) return this.let(this.field(REC.DISP, "i64"));
    let offset = this.field(REC.DISP, "i32");
    if (addressSize === 64) offset = offset.extendS();
    if (base === 16) {
      const next = this.nextIp(64);
      offset = addressSize === 64 ? offset.add(next) : offset.add(next.wrap());
    } else if (base >= 0) offset = this.loadAt(this.at(REC.BASE), kind).add(offset);
    if (indexRegister >= 0) {
      const scale = this.field(REC.SCALE, "u8");
      const scaled = this.loadAt(this.at(REC.INDEX), kind);
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
      ? this.let(this.at(REC.SEGMENT))
      : Value.i32(CPU_BASE + S.SEG + segment.which * SEG.SIZE);
    const offset = this.let(offsetValue);
    const base = this.loadAt(register, "i64", SEG.BASE);
    if (this.mode.code === 64) return offset.add(base);
    const first = this.let(offset.extendU());
    const high = this.loadAt(register, "i64", write ? SEG.HIGH_WRITE : SEG.HIGH_READ);
    const outside = first.add(bytes - 1).gtS(high).or(first.ltS(this.loadAt(register, "i64", SEG.LOW)));
    this.fault(outside, () => {
      this.slow("segmentFault", register.sub(CPU_BASE + S.SEG));
      this.code.op(Op.RETURN);
    });
    return offset.add(base.wrap());
  }
  probePieces(segment: SegmentRef, offset: Value, bytes: number, write: boolean): void {
    this.probe(segment, offset, bytes, write);
  }
  probe(segment: SegmentRef, offset: Value, bytes: number, write: boolean): void {
    const linear = this.translate(segment, offset, bytes, write);
    this.slow("probe", this.asNumber(linear), Value.i32(bytes), Value.i32(write ? 1 : 0));
  }

  // ---- places in the code

  /** The following instruction's offset as i64, before truncation. */
  protected nextWide(): Value {
    return this.loadAt(this.base(), "i64", S.BLOCK_IP).add(this.field(REC.NEXT, "u16").extendU());
  }
  #fit(offset: Value, size: Size): Value {
    return size === 64 ? offset : offset.wrap().zeroExtend(size);
  }
  nextIp(size: Size): Value {
    return this.let(this.#fit(this.nextWide(), size));
  }
  ip(size: Size): Value {
    return this.let(this.#fit(this.nextWide().sub(this.field(REC.LENGTH, "u8").extendU()), size));
  }
}
