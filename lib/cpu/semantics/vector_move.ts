/** Moves of MMX and SSE registers. Intel SDM vol. 2, MOV…. */
import { OpSimd } from "../../wasm/mod.ts";
import type { Emitter } from "../emit/emitter.ts";
import type { Value } from "../emit/value.ts";
import { Mxcsr, R, S, Vector } from "../state.ts";
import { beginMmx, beginSse } from "./fpu_checks.ts";
import { indexOffset, NAMED_SEGMENT } from "./operands.ts";
import { define } from "./registry.ts";
import { sseNotRounding } from "../emit/steady.ts";
import { beginVector, enterMmx, isMmx, zeroVector } from "./vectors.ts";

define("movaps movapd movdqa movntps movntpd movntdq movntdqa", (e) => {
  beginSse(e);
  e.setVector(0, e.vector(1));
});
define("movups movupd movdqu lddqu", (e) => {
  beginSse(e);
  e.setVector(0, e.vector(1, 16, false), false);
});

/** MOVSS and MOVSD: from memory the rest is cleared, from a register it stays. */
function moveScalar(bytes: 4 | 8): (e: Emitter) => void {
  return (e) => {
    beginSse(e);
    const value = e.vector(1, bytes);
    if (e.isMemory(1)) e.setVector(0, value);
    else e.setVectorLow(0, value, bytes);
  };
}
define("movss", moveScalar(4));
define("movsd", moveScalar(8));

/** Bytes of two vectors' halves, for {@link Value.shuffle}. */
const LOW_LOW = [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23];
const HIGH_HIGH = LOW_LOW.map((byte) => byte + 8);

define("movlps movlpd", (e) => {
  beginSse(e);
  e.setVectorLow(0, e.vector(1, 8), 8);
});
define("movhps movhpd", (e) => {
  beginSse(e);
  const value = e.vector(1, 8);
  if (e.isMemory(0)) e.setVectorLow(0, value.shuffle(value, HIGH_HIGH), 8);
  else e.setVector(0, e.vector(0).shuffle(value, LOW_LOW));
});
define("movhlps", (e) => {
  beginSse(e);
  const value = e.vector(1);
  e.setVector(0, value.shuffle(e.vector(0), HIGH_HIGH));
});
define("movlhps", (e) => {
  beginSse(e);
  e.setVector(0, e.vector(0).shuffle(e.vector(1), LOW_LOW));
});

define("movddup", (e) => {
  beginSse(e);
  const value = e.vector(1, 8);
  e.setVector(0, value.shuffle(value, LOW_LOW));
});
define("movsldup movshdup", (e, mnemonic) => {
  beginSse(e);
  const first = mnemonic === "movshdup" ? 4 : 0, value = e.vector(1);
  e.setVector(0, value.shuffle(value, Array.from({ length: 16 }, (_, i) => first + (i & 8) + (i & 3))));
});

/** True if the operand is a vector register. */
function isVector(e: Emitter, operand: number): boolean {
  const found = e.instruction.operands[operand];
  return found.kind === "reg" && (found.file === "mm" || found.file === "xmm");
}

/** The low 32 or 64 bits of a vector, memory or general-register operand as a vector, the rest zero. */
function lowPart(e: Emitter, operand: number, bytes: 4 | 8): Value {
  if (e.isMemory(operand)) return e.vector(operand, bytes);
  if (isVector(e, operand)) return e.vector(operand).withLane("i64", 1, e.i64(0));
  return zeroVector().withLane("i64", 0, e.read(operand).extendU());
}

/** MOVD and MOVQ between vector registers, general registers and memory. */
define("movd movq", (e, mnemonic) => {
  beginVector(e);
  const bytes = mnemonic === "movd" ? 4 : 8, mmx = isMmx(e, 0) || isMmx(e, 1);
  if (isVector(e, 0)) {
    const value = e.let(lowPart(e, 1, bytes));
    if (mmx) enterMmx(e);
    return e.setVector(0, value);
  }
  if (e.isMemory(0)) e.setVectorLow(0, e.vector(1), bytes);
  else e.write(0, e.vector(1).lane(bytes === 4 ? "i32" : "i64", 0));
  if (mmx) enterMmx(e);
});
define("movntq", (e) => {
  beginVector(e);
  e.setVectorLow(0, e.vector(1), 8);
  enterMmx(e);
});

/** MOVQ2DQ, MOVDQ2Q. */
define("movq2dq movdq2q", (e) => {
  beginSse(e);
  beginMmx(e);
  const value = e.vector(1);
  enterMmx(e);
  e.setVector(0, value);
});

/** MASKMOVQ and MASKMOVDQU: the bytes whose mask byte has its top bit set, at [rDI]. */
define("maskmovq maskmovdqu", (e) => {
  beginVector(e);
  const bytes = isMmx(e, 0) ? 8 : 16;
  const mask = e.let(e.vector(1).simdTest(OpSimd.I8X16_BITMASK)), value = e.vector(0);
  const start = indexOffset(e, R.DI);
  for (let i = 0; i < bytes; i++) {
    e.if(mask.and(1 << i), () => e.store(NAMED_SEGMENT, e.let(e.advance(start, i)), value.lane("i8", i), 8));
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
  e.raiseIf(value.and(~Mxcsr.WRITABLE), Vector.GP, 0);
  e.setState(S.MXCSR, "i32", value);
  e.steadyChanged(sseNotRounding);
});
define("stmxcsr", (e) => {
  beginSse(e);
  e.write(0, e.state(S.MXCSR, "i32"));
});
