/** Small helpers shared by the definitions: typed flags, string and stack offsets, byte swaps, high products. */
import type { Emitter, SegmentRef, Size } from "../emit/emitter.ts";
import type { Value } from "../emit/value.ts";
import { R } from "../state.ts";

/** The segment that the decoded instruction names (DS unless overridden), for instructions with implicit memory operands. */
export const NAMED_SEGMENT: SegmentRef = { which: "operand" };

/** Condition names in encoding order. Intel SDM vol. 1, appendix B. */
const CONDITIONS = "o no b nb z nz be nbe s ns p np l nl le nle".split(" ");

/** Mnemonics with each condition's name appended, as `define` takes them. */
export function conditional(prefix: string): string {
  return CONDITIONS.map((name) => prefix + name).join(" ");
}

/** The condition code that a mnemonic made by {@link conditional} ends with. */
export function conditionOf(mnemonic: string, prefix: string): number {
  return CONDITIONS.indexOf(mnemonic.slice(prefix.length));
}

/** Converts a value of at most 32 bits (zero-extended) to the type that values of `size` bits have. */
export function toSize(value: Value, size: Size): Value {
  return size === 64 ? value.extendU() : value.wrap();
}

/** A memory offset (i32, or i64 in 64-bit code) from a value of the address size. */
export function toOffset(e: Emitter, value: Value): Value {
  return e.mode.code === 64 ? value.extendU() : value;
}

/** The offset in an index register (SI, DI, BX …) of the address size. */
export function indexOffset(e: Emitter, register: number): Value {
  return toOffset(e, e.register(register, e.instruction.addressSize));
}

/** The stack segment. */
export function stackSegment(e: Emitter): SegmentRef {
  return e.segmentByNumber(2);
}

/** Wraps a stack offset (of the type of the stack pointer's size) at the stack's width. */
export function wrapStack(e: Emitter, offset: Value): Value {
  return offset.zeroExtend(e.mode.stack);
}

/** The stack pointer plus `delta`, as a memory offset. */
export function stackOffset(e: Emitter, delta: number): Value {
  return toOffset(e, wrapStack(e, e.register(R.SP, e.mode.stack).add(delta)));
}

/** Reverses the bytes of a value of 16, 32 or 64 bits. */
export function byteSwap(e: Emitter, value: Value, size: Size): Value {
  if (size === 16) return value.and(0xff).shl(8).or(value.shrU(8).and(0xff));
  if (size === 32) return value.rotl(8).and(0x00ff00ff).or(value.rotr(8).and(0xff00ff00 | 0));
  const bytes = e.i64(0x00ff00ff00ff00ffn), words = e.i64(0x0000ffff0000ffffn);
  const swapped = e.let(value.and(bytes).shl(8).or(value.shrU(8).and(bytes)));
  return swapped.and(words).shl(16).or(swapped.shrU(16).and(words)).rotl(32);
}

/** The upper 64 bits of the unsigned product of two i64, by 32-bit partial products. */
export function highProduct(e: Emitter, a: Value, b: Value): Value {
  const mask = e.i64(0xffffffffn);
  const a0 = e.let(a.and(mask)), a1 = e.let(a.shrU(32)), b0 = e.let(b.and(mask)), b1 = e.let(b.shrU(32));
  const p01 = e.let(a0.mul(b1)), p10 = e.let(a1.mul(b0));
  const middle = a0.mul(b0).shrU(32).add(p01.and(mask)).add(p10.and(mask)).shrU(32);
  return a1.mul(b1).add(p01.shrU(32)).add(p10.shrU(32)).add(middle);
}

/** The upper 64 bits of the signed product of two i64. */
export function highProductSigned(e: Emitter, a: Value, b: Value): Value {
  return highProduct(e, a, b).sub(a.shrS(63).and(b)).sub(b.shrS(63).and(a));
}
