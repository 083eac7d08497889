/**
 * The lazy arithmetic flags, as emitted code keeps them: two i32 words instead of six bits.
 *
 * - `FLAG_RES`: the last result, sign-extended to 32 bits (64-bit results are folded): ZF = (res == 0).
 * - `FLAG_AUX`: bit 31 = CF; bit 31 xor bit 30 = OF; bit 3 = AF; bit 0 inverts the sign that SF takes from `res`;
 *   bits 8–15 are xored into the low byte of `res` before PF takes its parity.
 *
 * The vector of carries out of every bit of an addition has CF, AF and OF in just these places, so an ALU operation
 * costs a few logical instructions and two stores, and any condition is a few more, without branches.
 */
import { S } from "../state.ts";
import type { FlagName, Size, StateKind } from "./emitter.ts";
import {
  rotateCarry,
  type RotateOperation,
  rotateOverflow,
  shiftCarry,
  type ShiftOperation,
  shiftOverflow,
} from "./shift_flags.ts";
import { Value } from "./value.ts";

/** What flag code needs of an emitter. */
export interface FlagState {
  let(value: Value): Value;
  state(offset: number, kind: StateKind): Value;
  setState(offset: number, kind: StateKind, value: Value): void;
}

/** CF in bit 31 and the carry into the sign bit in bit 30. */
const CARRIES = 0xc0000000 | 0;
const AF_BIT = 8;

/** Emits the reading and writing of arithmetic flags. */
export class LazyFlags {
  readonly #e: FlagState;

  constructor(e: FlagState) {
    this.#e = e;
  }

  #set(res: Value, aux: Value): void {
    this.#e.setState(S.FLAG_RES, "i32", res);
    this.#e.setState(S.FLAG_AUX, "i32", aux);
  }

  #res(): Value {
    return this.#e.state(S.FLAG_RES, "i32");
  }

  #aux(): Value {
    return this.#e.state(S.FLAG_AUX, "i32");
  }

  /** Brings a result to the form that FLAG_RES has. */
  #fold(result: Value, size: Size): Value {
    if (size !== 64) return result.signExtend(size);
    const wide = this.#e.let(result);
    const sign = wide.shrU(32).wrap().and(0x80000000 | 0);
    return sign.or(wide.wrap().and(0xff)).or(wide.shrU(8).isTrue().shl(8));
  }

  /** Moves a vector of carries into FLAG_AUX's layout. */
  #carries(vector: Value, size: Size): Value {
    if (size === 32) return vector.and(CARRIES | AF_BIT);
    const carry = this.#e.let(vector);
    const top = size === 64 ? carry.shrU(32).wrap() : carry.shl(32 - size);
    return top.and(CARRIES).or(carry.wrap().and(AF_BIT));
  }

  add(a: Value, b: Value, result: Value, size: Size): void {
    const vector = a.and(b).or(a.or(b).and(result.not()));
    this.#set(this.#fold(result, size), this.#carries(vector, size));
  }

  sub(a: Value, b: Value, result: Value, size: Size): void {
    const notA = this.#e.let(a.not());
    const vector = notA.and(b).or(notA.or(b).and(result));
    this.#set(this.#fold(result, size), this.#carries(vector, size));
  }

  logic(result: Value, size: Size): void {
    this.#set(this.#fold(result, size), Value.i32(0));
  }

  /** CF stays; overflow is reaching `edge`, the auxiliary carry is reaching `nibble` in the low four bits. */
  #step(result: Value, size: Size, edge: bigint, nibble: number): void {
    const mask = (1n << BigInt(size)) - 1n;
    const kept = this.#aux().shrS(31).and(CARRIES);
    const edgeValue = size === 64 ? Value.i64(edge) : Value.i32(Number(edge));
    const overflow = (size === 64 ? result : result.and(Number(mask & 0xffffffffn) | 0)).eq(edgeValue);
    const adjust = result.wrap().and(15).eq(nibble);
    const aux = this.#e.let(kept.xor(overflow.shl(30)).or(adjust.shl(3)));
    this.#set(this.#fold(result, size), aux);
  }

  inc(result: Value, size: Size): void {
    this.#step(result, size, 1n << BigInt(size - 1), 0);
  }

  dec(result: Value, size: Size): void {
    this.#step(result, size, (1n << BigInt(size - 1)) - 1n, 15);
  }

  /** ZF, SF and PF of a result, the others as given. */
  result(result: Value, size: Size, others: { CF?: Value; OF?: Value; AF?: Value }): void {
    let aux = Value.i32(0);
    if (others.CF) {
      const carry = this.#e.let(others.CF);
      aux = carry.shl(31).or((others.OF ? carry.xor(others.OF) : carry).shl(30));
    } else if (others.OF) aux = others.OF.shl(30);
    if (others.AF) aux = aux.or(others.AF.shl(3));
    this.#set(this.#fold(result, size), this.#e.let(aux));
  }

  shift(operation: ShiftOperation, a: Value, count: Value, result: Value, size: Size): void {
    const CF = this.#e.let(shiftCarry(operation, a, count, size));
    this.result(result, size, { CF, OF: shiftOverflow(operation, CF, result, size) });
  }

  rotate(operation: RotateOperation, result: Value, size: Size): void {
    this.set({ CF: rotateCarry(operation, result, size), OF: rotateOverflow(operation, result, size) });
  }

  flag(name: FlagName): Value {
    switch (name) {
      case "CF":
        return this.#aux().shrU(31);
      case "OF": {
        const aux = this.#aux();
        return aux.shrU(31).xor(aux.shrU(30).and(1));
      }
      case "AF":
        return this.#aux().shrU(3).and(1);
      case "ZF":
        return this.#res().eqz();
      case "SF":
        return this.#res().shrU(31).xor(this.#aux()).and(1);
      case "PF":
        return this.#res().xor(this.#aux().shrU(8)).and(0xff).popcnt().and(1).xor(1);
    }
  }

  /** Condition codes in encoding order. Intel SDM vol. 1, appendix B. */
  condition(code: number): Value {
    let value: Value;
    switch (code >> 1) {
      case 0:
        value = this.flag("OF");
        break;
      case 1:
        value = this.flag("CF");
        break;
      case 2:
        value = this.flag("ZF");
        break;
      case 3:
        value = this.flag("CF").or(this.flag("ZF"));
        break;
      case 4:
        value = this.flag("SF");
        break;
      case 5:
        value = this.flag("PF");
        break;
      case 6:
        value = this.flag("SF").xor(this.flag("OF"));
        break;
      default:
        value = this.flag("ZF").or(this.flag("SF").xor(this.flag("OF")));
    }
    return (code & 1) !== 0 ? value.eqz() : value;
  }

  /** EFLAGS as the guest sees them. */
  image(): Value {
    return this.#e.let(
      this.#e.state(S.EFLAGS, "i32").or(2).or(this.flag("CF")).or(this.flag("PF").shl(2)).or(this.flag("AF").shl(4))
        .or(this.flag("ZF").shl(6)).or(this.flag("SF").shl(7)).or(this.flag("OF").shl(11)),
    );
  }

  /** Replaces all six; `PF` and so on are 0 or 1. */
  #setAll({ CF, PF, AF, ZF, SF, OF }: Record<FlagName, Value>): void {
    const zf = this.#e.let(ZF), cf = this.#e.let(CF), known = (value: Value) => value.constant === 0n;
    // The stand-in result is 0 or 1, whose parity equals ZF.
    let aux = cf.shl(31).or((known(OF) ? cf : cf.xor(OF)).shl(30)).or((known(PF) ? zf : zf.xor(PF)).shl(8));
    if (!known(AF)) aux = aux.or(AF.shl(3));
    if (!known(SF)) aux = aux.or(SF);
    this.#set(zf.xor(1), this.#e.let(aux));
  }

  /** Replaces all six by the bits of a flags image. */
  setImage(imageValue: Value): void {
    const image = this.#e.let(imageValue);
    const bit = (n: number) => image.shrU(n).and(1);
    this.#setAll({ CF: bit(0), PF: bit(2), AF: bit(4), ZF: bit(6), SF: bit(7), OF: bit(11) });
  }

  /** Changes some flags. */
  set(flags: Partial<Record<FlagName, Value>>): void {
    const names = Object.keys(flags) as FlagName[];
    if (names.every((name) => name === "CF" || name === "OF")) {
      const aux = this.#aux();
      const carry = this.#e.let(flags.CF ?? aux.shrU(31));
      const overflow = flags.OF ?? aux.shrU(31).xor(aux.shrU(30)).and(1);
      const top = carry.shl(31).or(carry.xor(overflow).shl(30));
      return this.#e.setState(S.FLAG_AUX, "i32", this.#e.let(aux.and(~CARRIES).or(top)));
    }
    if (names.length === 6) return this.#setAll(flags as Record<FlagName, Value>);
    const position: Record<FlagName, number> = { CF: 0, PF: 2, AF: 4, ZF: 6, SF: 7, OF: 11 };
    let mask = 0;
    for (const name of names) mask |= 1 << position[name];
    let image = this.image().and(~mask);
    for (const name of names) image = image.or(flags[name]!.shl(position[name]));
    this.setImage(image);
  }
}
