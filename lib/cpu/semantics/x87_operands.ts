/** What x87 instructions compute with: operands in memory and on the stack. */
import type { Emitter, Size } from "../emit/emitter.ts";
import type { Value } from "../emit/value.ts";
import type { Number80 } from "./x87_numbers.ts";

/** A memory operand: its type in the names of kernels, the number of the type, and its bits as i64. */
export interface MemoryNumber {
  readonly type: "float32" | "float64" | "integer";
  readonly kind: Value;
  readonly bits: Value;
}

/** Reads a floating-point memory operand. */
export function readFloat(e: Emitter): MemoryNumber {
  const size = e.sizeOf(0) as Size;
  const bits = e.let(e.read(0).extendU());
  return size === 32 ? { type: "float32", kind: e.i32(0), bits } : { type: "float64", kind: e.i32(1), bits };
}

/** Reads an integer memory operand. */
export function readInteger(e: Emitter): MemoryNumber {
  const size = e.sizeOf(0) as Size;
  const bits = e.let(e.read(0).signExtend(size).extendS());
  return { type: "integer", kind: e.i32(2), bits };
}

/** A normal m32 or m64 as a number. */
export function asNumber(e: Emitter, { type, bits }: MemoryNumber): { number: Number80; isNormal: Value } {
  const wide = type === "float64", [fraction, bias] = wide ? [52, 1023] : [23, 127], largest = 2 * bias;
  // With the sign in all higher bits.
  const exponent = e.let(wide ? bits.shrS(fraction).wrap() : bits.wrap().shrS(fraction));
  const number = {
    significand: e.let(bits.shl(63 - fraction).or(e.i64(1n << 63n))),
    signExponent: e.let(exponent.and(0x8000 | largest + 1).add(16383 - bias)),
  };
  return { number, isNormal: exponent.add(1).and(largest) };
}

/** ST(i) as it is now. */
export function readRegister(e: Emitter, i: Value | number): Number80 {
  const { significand, signExponent } = e.stackRegister(i);
  return { significand, signExponent };
}
