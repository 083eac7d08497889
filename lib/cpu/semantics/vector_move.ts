/** Moves of MMX and SSE registers. Intel SDM vol. 2, MOV…. */
import type { Emitter } from "../emit/emitter.ts";
import type { Value } from "../emit/value.ts";
import { R, S, Vector } from "../state.ts";
import { beginMmx, beginSse } from "./fpu_checks.ts";
import { indexOffset, NAMED_SEGMENT } from "./operands.ts";
import { define } from "./registry.ts";
import { beginVector, enterMmx, isMmx, read128, read32, read64, write128, writeMmx } from "./vectors.ts";

define("movaps movapd movdqa movntps movntpd movntdq movntdqa", (e) => {
  beginSse(e);
  write128(e, 0, ...read128(e, 1));
});
define("movups movupd movdqu lddqu", (e) => {
  beginSse(e);
  write128(e, 0, ...read128(e, 1, false), false);
});

/** MOVSS and MOVSD: from memory the rest is cleared, from a register it stays. */
function moveScalar(size: 32 | 64): (e: Emitter) => void {
  const read = size === 32 ? read32 : read64;
  return (e) => {
    beginSse(e);
    const value = read(e, 1);
    if (e.isMemory(0)) return e.store(e.segment(0), e.address(0), value, size);
    if (!e.isMemory(1)) return e.setRegisterHalf(0, 0, value);
    e.setRegisterHalf(0, 0, value.extendU());
    e.setRegisterHalf(0, 1, e.i64(0));
  };
}
define("movss", moveScalar(32));
define("movsd", moveScalar(64));

/** MOVLPS, MOVHPS …: one half from or to memory. */
function moveHalf(half: 0 | 1): (e: Emitter) => void {
  return (e) => {
    beginSse(e);
    if (e.isMemory(0)) e.store(e.segment(0), e.address(0), e.registerHalf(1, half), 64);
    else e.setRegisterHalf(0, half, read64(e, 1));
  };
}
define("movlps movlpd", moveHalf(0));
define("movhps movhpd", moveHalf(1));
define("movhlps", (e) => {
  beginSse(e);
  e.setRegisterHalf(0, 0, e.registerHalf(1, 1));
});
define("movlhps", (e) => {
  beginSse(e);
  e.setRegisterHalf(0, 1, e.registerHalf(1, 0));
});

define("movddup", (e) => {
  beginSse(e);
  const value = read64(e, 1);
  write128(e, 0, value, value);
});

/** Doubles the even (low) or odd (high) doubleword of a half. */
function doubled(e: Emitter, value: Value, odd: boolean): Value {
  const half = e.let(odd ? value.shrU(32) : value.and(e.i64(0xffffffff)));
  return half.or(half.shl(32));
}
define("movsldup movshdup", (e, mnemonic) => {
  beginSse(e);
  const odd = mnemonic === "movshdup", [low, high] = read128(e, 1);
  write128(e, 0, e.let(doubled(e, low, odd)), e.let(doubled(e, high, odd)));
});

/** A value into a vector register, the rest cleared. */
function load(e: Emitter, value: Value): void {
  if (isMmx(e, 0)) return writeMmx(e, 0, value);
  e.setRegisterHalf(0, 0, value);
  e.setRegisterHalf(0, 1, e.i64(0));
}

/** True if the operand is a vector register. */
function isVector(e: Emitter, operand: number): boolean {
  const found = e.instruction.operands[operand];
  return found.kind === "reg" && (found.file === "mm" || found.file === "xmm");
}

/** MOVD and MOVQ between vector registers, general registers and memory. */
define("movd movq", (e, mnemonic) => {
  beginVector(e);
  const narrow = mnemonic === "movd", mmx = isMmx(e, 0) || isMmx(e, 1);
  if (isVector(e, 0)) {
    const general = !isVector(e, 1) && !e.isMemory(1);
    const value = general ? e.read(1) : narrow ? read32(e, 1) : read64(e, 1);
    if (mmx) enterMmx(e);
    return load(e, e.let(value.extendU()));
  }
  const value = e.registerHalf(1, 0);
  e.write(0, narrow ? value.wrap() : value);
  if (mmx) enterMmx(e);
});
define("movntq", (e) => {
  beginVector(e);
  e.write(0, e.registerHalf(1, 0));
  enterMmx(e);
});

/** MOVQ2DQ, MOVDQ2Q. */
define("movq2dq movdq2q", (e) => {
  beginSse(e);
  beginMmx(e);
  const value = e.registerHalf(1, 0);
  enterMmx(e);
  load(e, value);
});

/** MASKMOVQ and MASKMOVDQU: the bytes whose mask byte has its top bit set, at [rDI]. */
define("maskmovq maskmovdqu", (e) => {
  beginVector(e);
  const bytes = isMmx(e, 0) ? 8 : 16;
  const mask = e.kernel("packed_sign_mask8", e.registerAddress(1), e.i32(bytes));
  const start = indexOffset(e, R.DI);
  for (let i = 0; i < bytes; i++) {
    const value = e.registerHalf(0, i < 8 ? 0 : 1);
    e.if(mask.and(1 << i), () => {
      e.store(NAMED_SEGMENT, e.let(e.advance(start, i)), e.let(value.shrU((i & 7) * 8).wrap().and(0xff)), 8);
    });
  }
  if (bytes === 8) enterMmx(e);
});

/** EMMS: all x87 registers are empty. */
define("emms", (e) => {
  beginMmx(e);
  e.setState(S.FTW, "i32", e.i32(0));
});

/** LDMXCSR and STMXCSR; reserved bits raise #GP(0). */
define("ldmxcsr", (e) => {
  beginSse(e);
  const value = e.read(0);
  e.raiseIf(value.and(~0xffff), Vector.GP, 0);
  e.setState(S.MXCSR, "i32", value);
});
define("stmxcsr", (e) => {
  beginSse(e);
  e.write(0, e.state(S.MXCSR, "i32"));
});
