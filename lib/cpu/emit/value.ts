/**
 * Values in emitted code: pure expression trees over locals and constants. Whatever has an effect or reads state that
 * may change (registers, memory) is evaluated into a local when it is read, so a tree may be placed anywhere later.
 */
import { type Code, Op, OpSimd, type ValueType } from "../../wasm/mod.ts";

type Int = "i32" | "i64";

/** How a v128 is divided into lanes. */
export type Lanes = "i8" | "i16" | "i32" | "i64" | "f32" | "f64";

/** Instructions that read (without sign) and replace a lane, and the lane's type. */
const LANES: Readonly<Record<Lanes, { extract: number; replace: number; type: ValueType }>> = {
  i8: { extract: OpSimd.I8X16_EXTRACT_LANE_U, replace: OpSimd.I8X16_REPLACE_LANE, type: "i32" },
  i16: { extract: OpSimd.I16X8_EXTRACT_LANE_U, replace: OpSimd.I16X8_REPLACE_LANE, type: "i32" },
  i32: { extract: OpSimd.I32X4_EXTRACT_LANE, replace: OpSimd.I32X4_REPLACE_LANE, type: "i32" },
  i64: { extract: OpSimd.I64X2_EXTRACT_LANE, replace: OpSimd.I64X2_REPLACE_LANE, type: "i64" },
  f32: { extract: OpSimd.F32X4_EXTRACT_LANE, replace: OpSimd.F32X4_REPLACE_LANE, type: "f32" },
  f64: { extract: OpSimd.F64X2_EXTRACT_LANE, replace: OpSimd.F64X2_REPLACE_LANE, type: "f64" },
};

/** One value: how to compute it, its type, and its number where it is known. */
export class Value {
  constructor(
    readonly type: ValueType,
    /** Leaves the value on the wasm stack. */
    readonly emit: (code: Code) => void,
    /** The value, if it is a constant. */
    readonly constant?: bigint,
    /** True for locals and constants: free to use many times. */
    readonly simple = false,
  ) {}

  /** An i32 constant. */
  static i32(value: number): Value {
    return new Value("i32", (code) => code.i32(value), BigInt.asUintN(32, BigInt(value)), true);
  }

  /** An i64 constant. */
  static i64(value: bigint | number): Value {
    const wide = BigInt(value);
    return new Value("i64", (code) => code.i64(wide), BigInt.asUintN(64, wide), true);
  }

  /** The value of a local. */
  static local(type: ValueType, index: number): Value {
    return new Value(type, (code) => code.get(index), undefined, true);
  }

  /** A v128 constant, 16 bytes. */
  static v128(bytes: readonly number[]): Value {
    const constant = Uint8Array.from(bytes);
    return new Value("v128", (code) => code.v128(constant));
  }

  /** A numeric instruction with a one-byte opcode: arithmetic, comparisons and conversions of f32 and f64. */
  static numeric(type: ValueType, opcode: number, ...args: readonly Value[]): Value {
    return new Value(type, (code) => {
      for (const arg of args) arg.emit(code);
      code.op(opcode);
    });
  }

  /** A vector instruction (of {@link OpSimd}) that takes no immediate. Shifts and splats take a scalar as last argument. */
  static simd(opcode: number, ...args: readonly Value[]): Value {
    return Value.#vector("v128", opcode, args);
  }

  static #vector(type: ValueType, opcode: number, args: readonly Value[], immediates: readonly number[] = []): Value {
    return new Value(type, (code) => {
      for (const arg of args) arg.emit(code);
      code.simd(opcode, ...immediates);
    });
  }

  /** A v128's ANY_TRUE, ALL_TRUE or BITMASK: i32. */
  simdTest(opcode: number): Value {
    return Value.#vector("i32", opcode, [this]);
  }

  /** One lane of a v128; 8 and 16 bits are zero-extended to i32. */
  lane(lanes: Lanes, index: number): Value {
    const { extract, type } = LANES[lanes];
    return Value.#vector(type, extract, [this], [index]);
  }

  /** A v128 with one lane replaced. */
  withLane(lanes: Lanes, index: number, value: Value): Value {
    return Value.#vector("v128", LANES[lanes].replace, [this, value], [index]);
  }

  /** 16 bytes picked from two v128: 0–15 from this one, 16–31 from `other`. */
  shuffle(other: Value, bytes: readonly number[]): Value {
    return Value.#vector("v128", OpSimd.I8X16_SHUFFLE, [this, other], bytes);
  }

  /** The same bits as another type of the same width. */
  reinterpret(): Value {
    switch (this.type) {
      case "i32":
        return this.#convert(Op.F32_REINTERPRET_I32, "f32");
      case "i64":
        return this.#convert(Op.F64_REINTERPRET_I64, "f64");
      case "f32":
        return this.#convert(Op.I32_REINTERPRET_F32, "i32");
      case "f64":
        return this.#convert(Op.I64_REINTERPRET_F64, "i64");
      default:
        throw new TypeError(`${this.type} cannot be reinterpreted`);
    }
  }

  #int(): Int {
    if (this.type !== "i32" && this.type !== "i64") throw new TypeError(`integer operation on ${this.type}`);
    return this.type;
  }

  #lift(other: Value | number): Value {
    if (typeof other !== "number") {
      if (other.type !== this.type) throw new TypeError(`${this.type} combined with ${other.type}`);
      return other;
    }
    return this.type === "i64" ? Value.i64(other) : Value.i32(other);
  }

  #binary(op32: number, op64: number, other: Value | number, result?: Int): Value {
    const right = this.#lift(other), type = this.#int();
    const opcode = type === "i32" ? op32 : op64;
    return new Value(result ?? type, (code) => {
      this.emit(code);
      right.emit(code);
      code.op(opcode);
    });
  }

  #unary(op32: number, op64: number, result?: Int): Value {
    const type = this.#int();
    const opcode = type === "i32" ? op32 : op64;
    return new Value(result ?? type, (code) => {
      this.emit(code);
      code.op(opcode);
    });
  }

  #convert(opcode: number, to: ValueType): Value {
    return new Value(to, (code) => {
      this.emit(code);
      code.op(opcode);
    });
  }

  #fold(other: Value | number, identity: bigint): boolean {
    return typeof other === "number" ? BigInt(other) === identity : other.constant === identity;
  }

  add(other: Value | number): Value {
    return this.#fold(other, 0n) ? this : this.#binary(Op.I32_ADD, Op.I64_ADD, other);
  }
  sub(other: Value | number): Value {
    return this.#fold(other, 0n) ? this : this.#binary(Op.I32_SUB, Op.I64_SUB, other);
  }
  mul(other: Value | number): Value {
    return this.#binary(Op.I32_MUL, Op.I64_MUL, other);
  }
  divU(other: Value | number): Value {
    return this.#binary(Op.I32_DIV_U, Op.I64_DIV_U, other);
  }
  divS(other: Value | number): Value {
    return this.#binary(Op.I32_DIV_S, Op.I64_DIV_S, other);
  }
  remU(other: Value | number): Value {
    return this.#binary(Op.I32_REM_U, Op.I64_REM_U, other);
  }
  remS(other: Value | number): Value {
    return this.#binary(Op.I32_REM_S, Op.I64_REM_S, other);
  }
  and(other: Value | number): Value {
    return this.#binary(Op.I32_AND, Op.I64_AND, other);
  }
  or(other: Value | number): Value {
    return this.#fold(other, 0n) ? this : this.#binary(Op.I32_OR, Op.I64_OR, other);
  }
  xor(other: Value | number): Value {
    return this.#fold(other, 0n) ? this : this.#binary(Op.I32_XOR, Op.I64_XOR, other);
  }
  /** Bitwise complement. */
  not(): Value {
    return this.#binary(Op.I32_XOR, Op.I64_XOR, -1);
  }
  /** Shifts take the count modulo the type's width, as wasm does. */
  shl(other: Value | number): Value {
    return this.#fold(other, 0n) ? this : this.#binary(Op.I32_SHL, Op.I64_SHL, other);
  }
  shrU(other: Value | number): Value {
    return this.#fold(other, 0n) ? this : this.#binary(Op.I32_SHR_U, Op.I64_SHR_U, other);
  }
  shrS(other: Value | number): Value {
    return this.#fold(other, 0n) ? this : this.#binary(Op.I32_SHR_S, Op.I64_SHR_S, other);
  }
  rotl(other: Value | number): Value {
    return this.#binary(Op.I32_ROTL, Op.I64_ROTL, other);
  }
  rotr(other: Value | number): Value {
    return this.#binary(Op.I32_ROTR, Op.I64_ROTR, other);
  }
  clz(): Value {
    return this.#unary(Op.I32_CLZ, Op.I64_CLZ);
  }
  ctz(): Value {
    return this.#unary(Op.I32_CTZ, Op.I64_CTZ);
  }
  popcnt(): Value {
    return this.#unary(Op.I32_POPCNT, Op.I64_POPCNT);
  }
  /** Comparisons give an i32 that is 0 or 1. */
  eqz(): Value {
    return this.#unary(Op.I32_EQZ, Op.I64_EQZ, "i32");
  }
  eq(other: Value | number): Value {
    return this.#binary(Op.I32_EQ, Op.I64_EQ, other, "i32");
  }
  ne(other: Value | number): Value {
    return this.#binary(Op.I32_NE, Op.I64_NE, other, "i32");
  }
  ltU(other: Value | number): Value {
    return this.#binary(Op.I32_LT_U, Op.I64_LT_U, other, "i32");
  }
  ltS(other: Value | number): Value {
    return this.#binary(Op.I32_LT_S, Op.I64_LT_S, other, "i32");
  }
  gtU(other: Value | number): Value {
    return this.#binary(Op.I32_GT_U, Op.I64_GT_U, other, "i32");
  }
  gtS(other: Value | number): Value {
    return this.#binary(Op.I32_GT_S, Op.I64_GT_S, other, "i32");
  }
  geU(other: Value | number): Value {
    return this.#binary(Op.I32_GE_U, Op.I64_GE_U, other, "i32");
  }
  /** Not equal to zero: an i32 that is 0 or 1. */
  isTrue(): Value {
    return this.ne(0);
  }

  /** One bit, as an i32 that is 0 or 1. */
  bit(number: number): Value {
    return this.shrU(number).wrap().and(1);
  }

  /** Low 32 bits of an i64; an i32 stays as it is. */
  wrap(): Value {
    return this.type === "i32" ? this : this.#convert(Op.I32_WRAP_I64, "i32");
  }
  /** Evaluates it now, into a local; what is simple stays as it is. */
  evaluated(code: Code): Value {
    if (this.simple) return this;
    const index = code.local(this.type);
    this.emit(code);
    code.set(index);
    return Value.local(this.type, index);
  }
  /** i32 → i64, zero-extended; an i64 stays as it is. */
  extendU(): Value {
    if (this.type === "i64") return this;
    return this.constant !== undefined ? Value.i64(this.constant) : this.#convert(Op.I64_EXTEND_I32_U, "i64");
  }
  /** i32 → i64, sign-extended; an i64 stays as it is. */
  extendS(): Value {
    if (this.type === "i64") return this;
    return this.constant !== undefined
      ? Value.i64(BigInt.asIntN(32, this.constant))
      : this.#convert(Op.I64_EXTEND_I32_S, "i64");
  }
  /** Sign-extends the low `bits` (8, 16, 32 or 64) within the type. */
  signExtend(bits: number): Value {
    if (this.type === "i32") {
      if (bits === 8) return this.#convert(Op.I32_EXTEND8_S, "i32");
      return bits === 16 ? this.#convert(Op.I32_EXTEND16_S, "i32") : this;
    }
    if (bits === 8) return this.#convert(Op.I64_EXTEND8_S, "i64");
    if (bits === 16) return this.#convert(Op.I64_EXTEND16_S, "i64");
    return bits === 32 ? this.#convert(Op.I64_EXTEND32_S, "i64") : this;
  }
  /** Clears everything above the low `bits` (8, 16, 32 or 64). */
  zeroExtend(bits: number): Value {
    if (this.type === "i32") return bits >= 32 ? this : this.and(bits === 8 ? 0xff : 0xffff);
    if (bits === 64) return this;
    return bits === 32 ? this.wrap().extendU() : this.and(bits === 8 ? 0xff : 0xffff);
  }
}
