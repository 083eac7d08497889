/** Operands and addresses of the translator's emitter: all that is known of them goes into the code. */
import type { MemoryOperand, Operand } from "../decode/instruction.ts";
import { PAGE_SIZE } from "../../machine/memory.ts";
import { isFlatAccess } from "../emit/base.ts";
import type { Place, SegmentRef, Size } from "../emit/emitter.ts";
import { Value } from "../emit/value.ts";
import { Op } from "../../wasm/mod.ts";
import { GOLDEN_RATIO, GUEST_BASE } from "../interpreter/layout.ts";
import { R, S, SEG, Seg } from "../state.ts";
import { type GroupedAccess, STACK } from "./access_groups.ts";
import type { PageNumber, RegionAccesses, Spot } from "./accesses.ts";
import type { RegionInstruction } from "./region_instruction.ts";
import { RegisterEmitter } from "./register_emitter.ts";

/** The constant in bytes of the instruction at a host offset, sign-extended to as many bits as a value of `size` bits counts. */
function constantAt(host: number, { start, end }: { start: number; end: number }, size: Size): Value {
  const wide = size === 64, type = wide ? "i64" : "i32", opcode = (wide ? WIDE_LOAD : NARROW_LOAD)[end - start];
  const value = new Value(type, (code) => {
    code.i32(0);
    code.memory(opcode, GUEST_BASE + host + start);
  });
  return wide ? value : value.zeroExtend(size);
}

/** By bytes: loads that extend the sign. */
const NARROW_LOAD: Readonly<Record<number, number>> = { 1: Op.I32_LOAD8_S, 2: Op.I32_LOAD16_S, 4: Op.I32_LOAD };
const WIDE_LOAD: Readonly<Record<number, number>> = { 1: Op.I64_LOAD8_S, 4: Op.I64_LOAD32_S, 8: Op.I64_LOAD };

/** Operands of general sizes, and where in memory operands and the stack are. */
export abstract class OperandEmitter extends RegisterEmitter {
  protected abstract override readonly memory: RegionAccesses;
  /** Offset in CS of the instruction behind the current one. */
  protected abstract readonly next: number;
  /** The current instruction, and the node that it is in. */
  protected abstract readonly current: RegionInstruction;
  node = 0;
  /** True if the current instruction calls a system function in any case. */
  calledHelper = false;
  /** Registers that hold something just loaded, see pointers.ts. */
  loaded = 0;

  /** Those constants of the current instruction that it reads when it runs; displacements as wide as addresses. */
  #displacement: Value | null = null;
  #immediate: Value | null = null;

  /** Reads what varies of the current instruction: it may write there itself. */
  protected readConstants(): void {
    const { varying, instruction: { operands, addressSize }, host } = this.current;
    this.#displacement = this.#immediate = null;
    if (!varying) return;
    const { displacement, immediate } = varying, index = operands.findIndex((operand) => operand.kind === "imm");
    if (displacement) this.#displacement = this.let(constantAt(host, displacement, addressSize === 64 ? 64 : 32));
    if (immediate) this.#immediate = this.let(constantAt(host, immediate, this.generalSize(index)));
  }

  /** Leaves the region before the current instruction if a condition is not 0. */
  protected abstract bailIf(condition: Value): void;

  // ---- operands

  read(index: number): Value {
    const operand = this.operand(index), size = this.generalSize(index);
    if (operand.kind === "imm") {
      if (this.#immediate) return this.#immediate;
      const value = BigInt.asUintN(size, operand.wide ?? BigInt(operand.value));
      return size === 64 ? Value.i64(value) : Value.i32(Number(BigInt.asIntN(32, value)));
    }
    if (operand.kind === "reg") {
      if (operand.file === "gpr" || operand.file === "gpr8h") {
        return this.register(operand.reg, size, operand.file === "gpr8h");
      }
      return this.state(this.registerOffset(index), size === 64 ? "i64" : "i32");
    }
    if (operand.kind === "mem") {
      return this.memory.loadAt(this.#spot(index, size / 8, false), size);
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
      return this.setState(this.registerOffset(index), size === 64 ? "i64" : "i32", value);
    }
    this.storeOperand(index, value, size);
  }
  protected storeOperand(index: number, value: Value, size: Size): void {
    const data = this.let(value);
    this.memory.storeAt(this.#spot(index, size / 8, true), data, size);
  }
  protected override loadVector(index: number, bytes: 4 | 8 | 16, aligned: boolean): Value {
    if (aligned) this.#checkAlignment(index, false);
    return this.memory.loadVectorAt(this.#spot(index, bytes, false), bytes);
  }
  protected override storeVector(index: number, value: Value, aligned: boolean): void {
    const data = this.let(value);
    if (aligned) this.#checkAlignment(index, true);
    this.memory.storeVectorAt(this.#spot(index, 16, true), data);
  }
  #checkAlignment(index: number, write: boolean): void {
    this.aligned(this.linear(index, 16, write), true);
  }
  /** Where an operand lies, after making sure that it can be accessed. */
  #spot(index: number, bytes: number, write: boolean): Spot {
    const operand = this.memoryOperand(index), number = this.#pageOf(operand);
    const registers = (operand.base < 0 ? 0 : 1 << operand.base) | (operand.index < 0 ? 0 : 1 << operand.index);
    const streamed = this.#streamed(index, registers, bytes, write);
    if (streamed) return streamed;
    return this.#entry(index, registers, bytes, write) ??
      this.#grouped(index, registers, bytes, write, number, (distance) => this.address(index, distance)) ??
      { host: this.memory.host(this.linear(index, bytes, write), bytes, write, number), offset: 0 };
  }
  /** Where an access of a strip lies that goes through one of its streams; null if it is none. */
  #streamed(index: number, registers: number, bytes: number, write: boolean): Spot | null {
    const access = this.context.region.streamed(this.current, index);
    if (!access || access.bytes !== bytes || (this.changed & registers) !== 0) return null;
    if (write && !access.stream.writes) return null;
    return { host: this.linear(index, bytes, write).wrap().add(Value.local("i32", access.stream.local)), offset: 0 };
  }
  /** Where an access to a table lies that belongs to a group; null if it is none. */
  #entry(operand: number, registers: number, bytes: number, write: boolean): Spot | null {
    const index = this.context.groups.of(this.current, operand)?.index;
    if (!index || (this.changed & registers) !== 0) return null;
    const { base, register, scale } = index, value = this.register(register, 32);
    const distance = this.let(scale === 1 ? value : value.shl(31 - Math.clz32(scale)));
    const table = { ...this.memoryOperand(operand), base, index: -1 };
    const spot = this.#grouped(
      operand,
      registers,
      bytes,
      write,
      this.#pageOf(table),
      (offset) => this.#addressOf(table, offset),
      distance,
    );
    return spot && { host: spot.host.add(distance), offset: spot.offset };
  }
  /** The stack at a distance from where the stack pointer points. */
  #stackSpot(delta: number, bytes: number, write: boolean): Spot {
    const address = (distance: number) => this.stackOffset(delta + distance), number = this.#stackPage;
    return this.#grouped(STACK, 1 << R.SP, bytes, write, number, address) ?? {
      host: this.memory.host(this.translate({ which: Seg.SS }, address(0), bytes, write), bytes, write, number),
      offset: 0,
    };
  }
  /**
   * Where an access of a group lies, of a table the first entry; null if it is one by itself. `registers` are those of its address,
   * `address` gives that plus a distance, and `entry` is how far the access lies behind the table's beginning.
   */
  #grouped(
    operand: number,
    registers: number,
    bytes: number,
    write: boolean,
    number: PageNumber,
    address: (distance: number) => Value,
    entry: Value | null = null,
  ): Spot | null {
    const { groups, code } = this.context, access = groups.of(this.current, operand);
    if (
      !access || !access.index !== !entry || access.bytes !== bytes || (this.changed & registers) !== 0 ||
      this.calledHelper
    ) return null;
    const { group, at } = access, isEstablished = groups.isEstablished(group, this.node, write);
    if (!isEstablished) {
      if (this.depth > 0) return null;
      const host = this.#established(access, registers, number, write, address(group.low - at), entry);
      if (!host) return null;
      if (group.local < 0) group.local = code.permanentLocal("i32");
      host.emit(code);
      code.set(group.local);
      group.established.push({ node: this.node, write: write || group.writes });
    }
    return { host: Value.local("i32", group.local), offset: at - group.low };
  }
  /** Asks for a group; null if that is not possible. What may point anywhere has its register's page. */
  #established(
    access: GroupedAccess,
    registers: number,
    number: PageNumber,
    write: boolean,
    lowest: Value,
    entry: Value | null,
  ): Value | null {
    if (number >= 0) return this.memory.establish(lowest, access, entry, write, number);
    if (entry || registers === 0) return null;
    return this.memory.establishAnywhere(lowest, access, write, 31 - Math.clz32(registers));
  }
  /** The remembered page of the stack, -1 if there is none. */
  get #stackPage(): PageNumber {
    return this.context.groups.isStackSplit ? -1 : R.SP;
  }
  /** Which remembered page an operand is likely to be in: addresses of the same form share one. */
  #pageOf(operand: Operand): PageNumber {
    if (operand.kind !== "mem" || operand.base === 16 || !isFlatAccess(this.mode, operand.segment)) return -1;
    const { base, index } = operand, disp = this.#displacement ? 0 : operand.disp;
    const registers = (base < 0 ? 0 : 1 << base) | (index < 0 ? 0 : 1 << index);
    // Arrays on a stack in two pages go through one after the other.
    if (this.context.groups.isStackSplit ? index < 0 && (base === R.SP || base === R.BP) : base === R.SP) {
      return this.#stackPage;
    }
    // Tables that jumps go through are small.
    if ((this.loaded & registers) !== 0 && !this.current.table) return -1;
    const far = (disp + 2048) >> 12;
    return base >= 0 && index < 0 && far === 0
      ? base
      : 16 + (Math.imul(base + 17 * index + 257 * far, GOLDEN_RATIO) >>> 28);
  }
  open(index: number): Place {
    const operand = this.operand(index), size = this.generalSize(index);
    if (operand.kind !== "reg") return this.memory.openAt(this.#spot(index, size / 8, true), size);
    return { value: this.read(index), set: (value) => this.write(index, value) };
  }
  escapeOpcode(): Value {
    return Value.i32(this.instruction.escape ?? 0);
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

  /** The offset of a memory operand, or what lies at a distance from it. */
  address(index: number, distance = 0): Value {
    return this.#addressOf(this.memoryOperand(index), distance);
  }
  #addressOf({ addressSize, base, index: indexRegister, scale, disp, disp64 }: MemoryOperand, distance: number): Value {
    const wide = addressSize === 64;
    const varying = this.#displacement;
    if (disp64 !== undefined && !varying) return Value.i64(disp64 + BigInt(distance));
    let offset: Value | null = null;
    if (indexRegister >= 0) {
      const register = this.register(indexRegister, addressSize);
      offset = scale === 1 ? register : register.shl(31 - Math.clz32(scale));
    }
    if (base >= 0 && base < 16) {
      const register = this.register(base, addressSize);
      offset = offset ? register.add(offset) : register;
    }
    const fixed = (base === 16 ? this.next : 0) + (varying ? 0 : disp) + distance;
    const constant = wide ? Value.i64(fixed) : Value.i32(fixed % 2 ** 32 | 0);
    const added = varying ? varying.add(constant) : constant;
    offset = offset ? offset.add(added) : added;
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
    this.bailIf(first.add(bytes - 1).gtS(high).or(first.ltS(low)));
    return offset.add(base.wrap());
  }
  probe(segment: SegmentRef, offset: Value, bytes: number, write: boolean): void {
    this.let(this.memory.host(this.translate(segment, offset, bytes, write), bytes, write));
  }
  probePieces(segment: SegmentRef, offset: Value, bytes: number, write: boolean): void {
    const first = this.let(this.translate(segment, offset, bytes, write)), last = this.let(first.add(bytes - 1));
    const crosses = first.xor(last).and(-PAGE_SIZE).isTrue();
    this.let(this.memory.host(first, 1, write));
    this.let(this.memory.host(this.select(crosses, last.and(-PAGE_SIZE), first), 1, write));
  }

  // ---- stack

  override stackLoad(delta: number, size: Size): Value {
    return this.memory.loadAt(this.#stackSpot(delta, size / 8, false), size);
  }
  override stackStore(delta: number, value: Value, size: Size): void {
    const data = this.let(value);
    this.memory.storeAt(this.#stackSpot(delta, size / 8, true), data, size);
  }
}
