/** CF and OF of shifts and rotates. Intel SDM vol. 2, SAL/SAR/SHL/SHR and RCL/RCR/ROL/ROR. */
import type { Size } from "./emitter.ts";
import { Value } from "./value.ts";

/** Shifts, after which all flags follow from operands and result. */
export type ShiftOperation = "shl" | "shr" | "sar";
/** Rotates, after which CF and OF follow from the result; they leave the other flags. */
export type RotateOperation = "rol" | "ror";

/** CF after a shift of `value` (zero-extended) by `count`, which has its type and is not 0: i32, 0 or 1. */
export function shiftCarry(operation: ShiftOperation, value: Value, count: Value, size: Size): Value {
  switch (operation) {
    case "shl":
      if (size === 64) return value.shrU(Value.i64(64).sub(count)).bit(0);
      return value.extendU().shl(count.extendU()).bit(size);
    case "shr":
      return value.shrU(count.sub(1)).bit(0);
    case "sar":
      return value.signExtend(size).shrS(count.sub(1)).bit(0);
  }
}

/** OF after a shift, by the formula for a count of 1: i32, 0 or 1. */
export function shiftOverflow(operation: ShiftOperation, carry: Value, result: Value, size: Size): Value {
  switch (operation) {
    case "shl":
      return result.bit(size - 1).xor(carry);
    case "shr":
      return result.bit(size - 1).xor(result.bit(size - 2));
    case "sar":
      return Value.i32(0);
  }
}

/** CF after a rotate whose count is not 0: i32, 0 or 1. */
export function rotateCarry(operation: RotateOperation, result: Value, size: Size): Value {
  return result.bit(operation === "rol" ? 0 : size - 1);
}

/** OF after a rotate, by the formula for a count of 1: i32, 0 or 1. */
export function rotateOverflow(operation: RotateOperation, result: Value, size: Size): Value {
  return result.bit(size - 1).xor(result.bit(operation === "rol" ? 0 : size - 2));
}
