/**
 * Arithmetic flags in a region: not computed, but kept as the operation and operands that they would follow from.
 *
 * A {@link FlagSource} says which operation; its operands are in locals of the function. Where several ways with different
 * operations meet, the operation is in a local too, as a number.
 */
import type { FlagName, Size } from "../emit/emitter.ts";
import { type FlagState, LazyFlags } from "../emit/flags.ts";
import {
  rotateCarry,
  type RotateOperation,
  rotateOverflow,
  shiftCarry,
  type ShiftOperation,
  shiftOverflow,
} from "../emit/shift_flags.ts";
import { Value } from "../emit/value.ts";
import { S } from "../state.ts";

/** Operations that flags follow from. `memory`: none, the state block holds them; `raw`: its two words are in locals. */
export type FlagOperation =
  | "memory"
  | "raw"
  | "logic"
  | "sub"
  | "add"
  | "product"
  | ShiftOperation
  | RotateOperation
  | "inc"
  | "dec";

const SHIFTS: readonly ShiftOperation[] = ["shl", "shr", "sar"], ROTATES: readonly RotateOperation[] = ["rol", "ror"];
const OPERATIONS: readonly FlagOperation[] = [
  ...["memory", "raw", "logic", "sub", "add", "product"] as const,
  ...SHIFTS,
  ...ROTATES,
  ...["inc", "dec"] as const,
];
const SIZES: readonly Size[] = [8, 16, 32, 64];

/**
 * What flags follow from: an operation. But CF follows from an older source after INC and DEC, and CF and OF follow from a rotate
 * that came later where there was one: `rotated`. Either is what is called the other source here; rotates are nothing else.
 */
export interface FlagSource {
  readonly operation: FlagOperation;
  readonly size: Size;
  readonly rotated?: boolean;
}

/** Flags that the state block holds. */
export const MEMORY: FlagSource = { operation: "memory", size: 8 };
/** Flags in the form of the state block, in locals. */
export const RAW: FlagSource = { operation: "raw", size: 32 };

/** A signed product of 32 bits by 32, all of it. */
export const PRODUCT: FlagSource = { operation: "product", size: 64 };

/** Bit of the number of a source that is rotated. */
export const ROTATED = 1 << 6;

/** The number that stands for a source. */
export function numberOf({ operation, size, rotated }: FlagSource): number {
  return OPERATIONS.indexOf(operation) * 4 + SIZES.indexOf(size) + (rotated ? ROTATED : 0);
}

/** Numbers from here on are of sources that need another one. */
export const FIRST_WITH_OTHER = numberOf({ operation: "inc", size: 8 });

function sources(operations: readonly FlagOperation[]): FlagSource[] {
  return operations.flatMap((operation) => SIZES.map((size) => ({ operation, size })));
}

/** Sources that may be the only one, rotates, and those of INC and DEC. */
export const PLAIN_SOURCES: readonly FlagSource[] = [
  MEMORY,
  RAW,
  PRODUCT,
  ...sources(["logic", "sub", "add", ...SHIFTS]),
];
export const ROTATE_SOURCES: readonly FlagSource[] = sources(ROTATES);
export const STEP_SOURCES: readonly FlagSource[] = sources(["inc", "dec"]);

/**
 * The operands of a source: i64 for 64 bits, else i32. `a` and `b` zero-extended, the result `r` sign-extended to 32 bits.
 * Of `raw`, `a` is the FLAG_AUX word and `r` the FLAG_RES word.
 */
export interface Operands {
  readonly a: Value;
  readonly b: Value;
  readonly r: Value;
}

/** What is kept of a source's operands: two at most, because the others follow from them. Missing ones are left as they are. */
export function keptOf(
  operation: FlagOperation,
  { a, b, r }: Partial<Operands>,
): [Value | undefined, Value | undefined] {
  switch (operation) {
    case "memory":
      return [undefined, undefined];
    case "raw":
      return [r, a];
    case "sub":
    case "shl":
    case "shr":
    case "sar":
      return [a, b];
    case "add":
      return [r, b];
    default:
      return [r, undefined];
  }
}

/** The operands of a source from what is kept of them. */
export function operandsFrom({ operation, size }: FlagSource, x: Value, y: Value): Operands {
  const fold = (value: Value) => size === 64 ? value : value.signExtend(size);
  switch (operation) {
    case "raw":
      return { a: y, b: y, r: x };
    case "sub":
      return { a: x, b: y, r: fold(x.sub(y)) };
    case "shl":
      return { a: x, b: y, r: fold(x.shl(y)) };
    case "shr":
      return { a: x, b: y, r: fold(x.shrU(y)) };
    case "sar":
      return { a: x, b: y, r: fold(x.signExtend(size).shrS(y)) };
    case "add":
      return { a: x.sub(y).zeroExtend(size), b: y, r: x };
    default:
      return { a: x, b: x, r: x };
  }
}

/** True if not all flags follow from a source: another one tells the rest. */
export function needsOther({ operation, rotated }: FlagSource): boolean {
  return operation === "inc" || operation === "dec" || rotated === true;
}

/** A LazyFlags whose words are given, and which hands over the words that it would store. */
class Words implements FlagState {
  res: Value | null = null;
  aux: Value | null = null;
  readonly #let: (value: Value) => Value;
  readonly #operands: Operands;

  constructor(letValue: (value: Value) => Value, operands: Operands) {
    this.#let = letValue;
    this.#operands = operands;
  }
  let(value: Value): Value {
    return this.#let(value);
  }
  state(offset: number): Value {
    return offset === S.FLAG_RES ? this.#operands.r : this.#operands.a;
  }
  setState(offset: number, _kind: string, value: Value): void {
    if (offset === S.FLAG_RES) this.res = value;
    else this.aux = value;
  }
}

/** Formulas over the operands of a source. */
export class FlagMath {
  readonly #let: (value: Value) => Value;
  /** CF or OF of the other source. */
  readonly #other: (name: "CF" | "OF") => Value;

  constructor(
    readonly source: FlagSource,
    readonly operands: Operands,
    letValue: (value: Value) => Value,
    other: (name: "CF" | "OF") => Value,
  ) {
    this.#let = letValue;
    this.#other = other;
  }

  #lazy(operands = this.operands): { flags: LazyFlags; words: Words } {
    const words = new Words(this.#let, operands);
    return { flags: new LazyFlags(words), words };
  }

  /** FLAG_RES and FLAG_AUX. */
  raw(): { res: Value; aux: Value } {
    const { res, aux } = this.#rawOfOperation();
    if (!this.source.rotated) return { res, aux };
    const { flags, words } = this.#lazy({ r: res, a: this.#let(aux), b: Value.i32(0) });
    flags.set({ CF: this.#let(this.#other("CF")), OF: this.#let(this.#other("OF")) });
    return { res, aux: words.aux! };
  }

  /** The same without a rotate. */
  #rawOfOperation(): { res: Value; aux: Value } {
    const { operation, size } = this.source, { b } = this.operands, { flags, words } = this.#lazy();
    const a = this.#let(this.operands.a), r = this.#let(this.operands.r);
    switch (operation) {
      case "memory":
      case "raw":
        return { res: r, aux: a };
      case "sub":
        flags.sub(a, b, r, size);
        break;
      case "add":
        flags.add(a, b, r, size);
        break;
      case "logic":
        flags.logic(r, size);
        break;
      case "product": {
        const overflow = this.#let(this.flag("OF"));
        flags.result(this.#let(r.wrap()), 32, { CF: overflow, OF: overflow });
        break;
      }
      case "shl":
      case "shr":
      case "sar":
        flags.shift(operation, a, b, r, size);
        break;
      default: {
        const CF = this.#let(this.#other("CF"));
        flags.result(r, size, { CF, OF: this.flag("OF"), AF: this.flag("AF") });
      }
    }
    return { res: words.res!, aux: words.aux! };
  }

  /** One flag, i32 0 or 1. */
  flag(name: FlagName): Value {
    const { operation, size, rotated } = this.source, { a, b, r } = this.operands;
    if (rotated && (name === "CF" || name === "OF")) return this.#other(name);
    if (operation === "raw" || operation === "memory") return this.#lazy().flags.flag(name);
    if (operation === "product") return this.#flagOfProduct(name);
    if (name === "ZF") return operation === "sub" ? a.eq(b) : r.eqz();
    if (name === "SF") return r.shrU(size === 64 ? 63 : 31).wrap();
    if (name === "PF") return r.wrap().and(0xff).popcnt().and(1).xor(1);
    if (operation === "logic") return Value.i32(0);
    switch (operation) {
      case "shl":
      case "shr":
      case "sar": {
        if (name === "AF") return Value.i32(0);
        const carry = shiftCarry(operation, a, b, size);
        return name === "CF" ? carry : shiftOverflow(operation, carry, r, size);
      }
      case "rol":
      case "ror":
        return (name === "CF" ? rotateCarry : rotateOverflow)(operation, r, size);
    }
    switch (name) {
      case "CF":
        if (operation === "sub") return a.ltU(b);
        if (operation !== "add") return this.#other("CF");
        return r.zeroExtend(size).ltU(b);
      case "AF":
        if (operation === "inc") return r.wrap().and(15).eqz();
        return operation === "dec" ? r.wrap().and(15).eq(15) : a.xor(b).xor(r).bit(4);
      default: {
        if (operation === "sub") return a.xor(b).and(a.xor(r)).bit(size - 1);
        if (operation === "add") return a.xor(r).and(b.xor(r)).bit(size - 1);
        const least = -(2n ** BigInt(size - 1)), edge = operation === "inc" ? least : -least - 1n;
        return r.eq(size === 64 ? Value.i64(edge) : Value.i32(Number(edge)));
      }
    }
  }

  #flagOfProduct(name: FlagName): Value {
    const { r } = this.operands, low = r.wrap();
    switch (name) {
      case "ZF":
        return low.eqz();
      case "SF":
        return low.shrU(31);
      case "PF":
        return low.and(0xff).popcnt().and(1).xor(1);
      case "AF":
        return Value.i32(0);
      default:
        return r.ne(r.signExtend(32));
    }
  }

  /** A condition code 0–15, i32 0 or 1. Intel SDM vol. 1, appendix B. */
  condition(code: number): Value {
    const value = this.#condition(code >> 1);
    return (code & 1) !== 0 ? value.eqz() : value;
  }

  #condition(pair: number): Value {
    const { operation, size, rotated = false } = this.source, { a, b, r } = this.operands;
    if (operation === "sub" && !rotated) {
      if (pair === 3) return b.geU(a);
      const signed = (value: Value) => size >= 32 ? value : value.signExtend(size);
      if (pair === 6) return signed(a).ltS(signed(b));
      if (pair === 7) return signed(a).gtS(signed(b)).eqz();
    }
    if (operation === "logic" && !rotated) {
      if (pair === 3) return r.eqz();
      if (pair === 7) return r.gtS(0).eqz();
    }
    switch (pair) {
      case 0:
        return this.flag("OF");
      case 1:
        return this.flag("CF");
      case 2:
        return this.flag("ZF");
      case 3:
        return this.flag("CF").or(this.flag("ZF"));
      case 4:
        return operation === "raw" || operation === "memory" || operation === "product" ? this.flag("SF") : r.ltS(0);
      case 5:
        return this.flag("PF");
      case 6:
        return operation === "logic" && !rotated ? r.ltS(0) : this.flag("SF").xor(this.flag("OF"));
      default:
        return this.flag("ZF").or(this.flag("SF").xor(this.flag("OF")));
    }
  }
}
