/**
 * Shifts and rotates. Intel SDM vol. 2, SAL/SAR/SHL/SHR, RCL/RCR/ROL/ROR, SHLD and SHRD. A masked count of 0 leaves all
 * flags; OF for other counts than 1 (undefined) follows the same formula as for 1.
 */
import type { Emitter, Place, Size } from "../emit/emitter.ts";
import type { Value } from "../emit/value.ts";
import { define } from "./registry.ts";

/** What a shift computes from the old value and a count (i32) that is not 0. */
type Shift = (e: Emitter, place: Place, count: Value, size: Size) => void;

/** The count operand masked to 5 bits (6 for 64-bit operands), as i32; folded if it is a constant. */
function shiftCount(e: Emitter, operand: number): Value {
  const mask = e.size === 64 ? 63 : 31, raw = e.read(operand).wrap();
  return raw.constant === undefined ? e.let(raw.and(mask)) : e.i32(Number(raw.constant) & mask);
}

function shift(operand: number, body: Shift): (e: Emitter) => void {
  return (e) => {
    const count = shiftCount(e, operand), place = e.open(0);
    const unchanged = () => place.set(place.value);
    if (count.constant === 0n) unchanged();
    else if (count.constant !== undefined) body(e, place, count, e.size);
    else e.if(count, () => body(e, place, count, e.size), unchanged);
  };
}

/** A shift count in the type of the values that it shifts. */
function countFor(count: Value, size: Size): Value {
  return size === 64 ? count.extendU() : count;
}

define(
  "shl",
  shift(1, (e, place, count, size) => {
    const by = countFor(count, size), result = e.let(place.value.shl(by));
    place.set(result);
    e.flagsShift("shl", place.value, by, result, size);
  }),
);

define(
  "shr",
  shift(1, (e, place, count, size) => {
    const by = countFor(count, size), result = e.let(place.value.shrU(by));
    place.set(result);
    e.flagsShift("shr", place.value, by, result, size);
  }),
);

define(
  "sar",
  shift(1, (e, place, count, size) => {
    const by = countFor(count, size), result = e.let(place.value.signExtend(size).shrS(by));
    place.set(result);
    e.flagsShift("sar", place.value, by, result, size);
  }),
);

define(
  "rol",
  shift(1, (e, place, count, size) => {
    let result: Value;
    if (size >= 32) result = e.let(place.value.rotl(countFor(count, size)));
    else {
      const by = e.let(count.and(size - 1));
      result = e.let(place.value.shl(by).or(place.value.shrU(e.i32(size).sub(by))));
    }
    place.set(result);
    e.flagsRotate("rol", result, size);
  }),
);

define(
  "ror",
  shift(1, (e, place, count, size) => {
    let result: Value;
    if (size >= 32) result = e.let(place.value.rotr(countFor(count, size)));
    else {
      const by = e.let(count.and(size - 1));
      result = e.let(place.value.shrU(by).or(place.value.shl(e.i32(size).sub(by))));
    }
    place.set(result);
    e.flagsRotate("ror", result, size);
  }),
);

/** The operand with CF on top, as i64, for the rotates through carry of up to 32 bits. */
function withCarry(e: Emitter, place: Place, size: Size): Value {
  return e.let(place.value.extendU().or(e.flag("CF").extendU().shl(size)));
}

/** The count modulo the width of operand and carry together; 32-bit counts never reach it. */
function countThroughCarry(e: Emitter, count: Value, size: Size): Value {
  return size >= 32 ? count.extendU() : e.let(count.remU(size + 1).extendU());
}

define(
  "rcl",
  shift(1, (e, place, count, size) => {
    let result: Value, carry: Value;
    if (size === 64) {
      const by = e.let(count.extendU()), back = e.let(e.i64(64).sub(by)), old = place.value;
      const incoming = e.flag("CF").extendU().shl(by.sub(1));
      result = e.let(old.shl(by).or(incoming).or(old.shrU(1).shrU(back)));
      carry = e.let(old.shrU(back).wrap().and(1));
    } else {
      const wide = withCarry(e, place, size), by = countThroughCarry(e, count, size);
      const rotated = e.let(wide.shl(by).or(wide.shrU(e.i64(size + 1).sub(by))));
      result = e.let(rotated.wrap());
      carry = e.let(rotated.bit(size));
    }
    place.set(result);
    e.setFlags({ CF: carry, OF: result.bit(size - 1).xor(carry) });
  }),
);

define(
  "rcr",
  shift(1, (e, place, count, size) => {
    let result: Value, carry: Value;
    if (size === 64) {
      const by = e.let(count.extendU()), back = e.let(e.i64(64).sub(by)), old = place.value;
      result = e.let(old.shrU(by).or(e.flag("CF").extendU().shl(back)).or(old.shl(1).shl(back)));
      carry = e.let(old.shrU(by.sub(1)).wrap().and(1));
    } else {
      const wide = withCarry(e, place, size), by = countThroughCarry(e, count, size);
      const rotated = e.let(wide.shrU(by).or(wide.shl(e.i64(size + 1).sub(by))));
      result = e.let(rotated.wrap());
      carry = e.let(rotated.bit(size));
    }
    place.set(result);
    e.setFlags({ CF: carry, OF: result.shl(1).xor(result).bit(size - 1) });
  }),
);

/** Flags after SHLD and SHRD; OF = the sign changed. */
function doubleShiftFlags(e: Emitter, old: Value, result: Value, carry: Value, size: Size): void {
  e.flagsResult(result, size, { CF: carry, OF: result.xor(old).bit(size - 1) });
}

/** 16-bit operands: counts above 16 bring the destination's own bits back in, as the processors do. */
function tripleWord(e: Emitter, destination: Value, source: Value): Value {
  const outer = e.let(destination.extendU());
  return e.let(outer.shl(32).or(source.extendU().shl(16)).or(outer));
}

define("shld", (e) => {
  const source = e.read(1);
  shift(2, (e, place, count, size) => {
    const by = e.let(count.extendU()), old = place.value;
    let result: Value, carry: Value;
    if (size === 64) {
      const back = e.let(e.i64(64).sub(by));
      result = e.let(old.shl(by).or(source.shrU(back)));
      carry = e.let(old.shrU(back).wrap().and(1));
    } else {
      const wide = size === 32 ? old.extendU().shl(32).or(source.extendU()) : tripleWord(e, old, source);
      const shifted = e.let(wide.shl(by));
      result = e.let(shifted.shrU(32).wrap());
      carry = e.let(size === 32 ? old.shrU(e.i32(32).sub(count)).and(1) : shifted.bit(48));
    }
    place.set(result);
    doubleShiftFlags(e, old, result, carry, size);
  })(e);
});

define("shrd", (e) => {
  const source = e.read(1);
  shift(2, (e, place, count, size) => {
    const by = e.let(count.extendU()), old = place.value;
    let result: Value, carry: Value;
    if (size === 64) {
      result = e.let(old.shrU(by).or(source.shl(e.i64(64).sub(by))));
      carry = e.let(old.shrU(by.sub(1)).wrap().and(1));
    } else {
      const wide = size === 32 ? old.extendU().or(source.extendU().shl(32)) : tripleWord(e, old, source);
      const last = e.let(wide.shrU(by.sub(1)));
      result = e.let(last.shrU(1).wrap());
      carry = e.let(last.wrap().and(1));
    }
    place.set(result);
    doubleShiftFlags(e, old, result, carry, size);
  })(e);
});
