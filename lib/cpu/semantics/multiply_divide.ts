/** MUL, IMUL, DIV and IDIV, with #DE exactly where the quotient does not fit. Intel SDM vol. 2. */
import type { Emitter } from "../emit/emitter.ts";
import type { Value } from "../emit/value.ts";
import { R, Vector } from "../state.ts";
import { highProduct, highProductSigned } from "./operands.ts";
import { define } from "./registry.ts";

/** Flags after a multiplication: CF = OF = the upper half matters; the undefined ones describe the lower half. */
function multiplyFlags(e: Emitter, low: Value, overflow: Value): void {
  const carry = e.let(overflow);
  e.flagsResult(low, e.size, { CF: carry, OF: carry });
}

/** AX, DX:AX, EDX:EAX or RDX:RAX := accumulator × operand. */
function multiplyAccumulator(e: Emitter, signed: boolean): void {
  const size = e.size;
  if (size === 64) {
    const source = e.read(0), accumulator = e.register(R.AX, 64);
    const low = e.let(accumulator.mul(source));
    const high = e.let(signed ? highProductSigned(e, accumulator, source) : highProduct(e, accumulator, source));
    e.setRegister(R.AX, 64, low);
    e.setRegister(R.DX, 64, high);
    return multiplyFlags(e, low, signed ? high.ne(low.shrS(63)) : high.isTrue());
  }
  const wide = (value: Value) => signed ? value.signExtend(size).extendS() : value.extendU();
  const product = e.let(wide(e.read(0)).mul(wide(e.register(R.AX, size))));
  if (size === 8) e.setRegister(R.AX, 16, product.wrap());
  else {
    e.setRegister(R.AX, size, product.wrap());
    e.setRegister(R.DX, size, product.shrU(size).wrap());
  }
  multiplyFlags(e, e.let(product.wrap()), product.ne(signed ? product.signExtend(size) : product.zeroExtend(size)));
}

/** Two- and three-operand IMUL: the truncated product goes to a register. */
function multiplyInto(e: Emitter, left: number, right: number): void {
  const size = e.size;
  if (size === 64) {
    const a = e.read(left), b = e.read(right);
    const low = e.let(a.mul(b)), high = highProductSigned(e, a, b);
    e.write(0, low);
    return multiplyFlags(e, low, high.ne(low.shrS(63)));
  }
  const wide = (value: Value) => value.signExtend(size).extendS();
  const product = e.let(wide(e.read(left)).mul(wide(e.read(right))));
  const low = e.let(product.wrap());
  e.write(0, low);
  if (size === 32) return e.flagsProduct(product);
  multiplyFlags(e, low, product.ne(product.signExtend(size)));
}

define("mul", (e) => multiplyAccumulator(e, false));
define("imul", (e) => {
  const count = e.instruction.operands.length;
  if (count === 1) multiplyAccumulator(e, true);
  else if (count === 2) multiplyInto(e, 0, 1);
  else multiplyInto(e, 1, 2);
});

/** The dividend of an operand of up to 32 bits: twice its width, as i64. */
function dividend(e: Emitter): Value {
  const size = e.size;
  if (size === 8) return e.register(R.AX, 16).extendU();
  return e.let(e.register(R.DX, size).extendU().shl(size).or(e.register(R.AX, size).extendU()));
}

function setQuotient(e: Emitter, quotient: Value, remainder: Value): void {
  if (e.size === 8) return e.setRegister(R.AX, 16, remainder.and(0xff).shl(8).or(quotient.and(0xff)));
  e.setRegister(R.AX, e.size, quotient);
  e.setRegister(R.DX, e.size, remainder);
}

/** 128 / 64 bits, unsigned, for `high < divisor`. */
function divide128(e: Emitter, high: Value, low: Value, divisor: Value): { quotient: Value; remainder: Value } {
  const quotient = e.variable(low), remainder = e.variable(high);
  e.if(high.eqz(), () => {
    quotient.set(low.divU(divisor));
    remainder.set(low.remU(divisor));
  }, () => {
    // Restoring division, a bit a round: the quotient shifts in where the dividend shifts out.
    const rounds = e.variable(e.i32(64));
    e.while(() => rounds.value, () => {
      const carry = e.let(remainder.value.shrU(63).wrap());
      const shifted = e.let(remainder.value.shl(1).or(quotient.value.shrU(63)));
      const fits = e.let(carry.or(shifted.geU(divisor)));
      remainder.set(e.select(fits, shifted.sub(divisor), shifted));
      quotient.set(quotient.value.shl(1).or(fits.extendU()));
      rounds.set(rounds.value.sub(1));
    });
  });
  return { quotient: quotient.value, remainder: remainder.value };
}

define("div", (e) => {
  const divisor = e.read(0), size = e.size;
  if (size === 64) {
    const high = e.register(R.DX, 64), low = e.register(R.AX, 64);
    e.raiseIf(high.geU(divisor), Vector.DE);
    const { quotient, remainder } = divide128(e, high, low, divisor);
    return setQuotient(e, quotient, remainder);
  }
  e.raiseIf(divisor.eqz(), Vector.DE);
  const wide = e.let(divisor.extendU()), value = e.let(dividend(e));
  const quotient = e.let(value.divU(wide));
  e.raiseIf(quotient.ne(quotient.zeroExtend(size)), Vector.DE);
  setQuotient(e, e.let(quotient.wrap()), e.let(value.remU(wide).wrap()));
});

/** IDIV by 64 bits: divides magnitudes, then puts the signs back. */
function divideSigned64(e: Emitter): void {
  const divisor = e.read(0), high = e.register(R.DX, 64), low = e.register(R.AX, 64);
  const negative = e.let(high.shrS(63)), divisorNegative = e.let(divisor.shrS(63));
  const magnitude = e.let(divisor.xor(divisorNegative).sub(divisorNegative));
  const absoluteLow = e.let(low.xor(negative).sub(negative));
  // The borrow out of the low half is there exactly if the negated low half is zero.
  const carry = negative.and(1).and(absoluteLow.eqz().extendU());
  const absoluteHigh = e.let(high.xor(negative).add(carry));
  e.raiseIf(absoluteHigh.geU(magnitude), Vector.DE);
  const { quotient, remainder } = divide128(e, absoluteHigh, absoluteLow, magnitude);
  const sign = e.let(negative.xor(divisorNegative));
  const limit = e.i64(0x7fffffffffffffffn).sub(sign);
  e.raiseIf(quotient.gtU(limit), Vector.DE);
  setQuotient(e, e.let(quotient.xor(sign).sub(sign)), e.let(remainder.xor(negative).sub(negative)));
}

define("idiv", (e) => {
  const size = e.size;
  if (size === 64) return divideSigned64(e);
  const divisor = e.let(e.read(0).signExtend(size).extendS());
  const value = e.let(size === 8 ? dividend(e).signExtend(16) : size === 16 ? dividend(e).signExtend(32) : dividend(e));
  const smallest = e.i64(-0x8000000000000000n);
  e.raiseIf(divisor.eqz().or(value.eq(smallest).and(divisor.eq(-1))), Vector.DE);
  const quotient = e.let(value.divS(divisor));
  e.raiseIf(quotient.ne(quotient.signExtend(size)), Vector.DE);
  setQuotient(e, e.let(quotient.wrap()), e.let(value.remS(divisor).wrap()));
});
