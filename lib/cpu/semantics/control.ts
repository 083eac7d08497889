/** Near jumps, calls, returns and loops. Intel SDM vol. 2. */
import type { Emitter } from "../emit/emitter.ts";
import type { Value } from "../emit/value.ts";
import { R, S, SEG, Seg, Vector } from "../state.ts";
import { conditional, conditionOf } from "./operands.ts";
import { define } from "./registry.ts";

/**
 * Raises #GP(0) for a target outside CS, or one that is not canonical, before the stack changes. {@link Emitter.jump} checks
 * too, but that is too late for a call or a return.
 */
function checkTarget(e: Emitter, target: Value): void {
  if (target.type === "i64") return e.raiseIf(target.shl(16).shrS(16).ne(target), Vector.GP, 0);
  if (e.mode.flat) return;
  e.raiseIf(target.gtU(e.state(S.SEG + Seg.CS * SEG.SIZE + SEG.LIMIT, "i32")), Vector.GP, 0);
}

define("jmp", (e) => {
  if (e.instruction.operands[0].kind === "rel") e.jumpRelative(0);
  else e.jump(e.read(0));
}, "jump");

define("call", (e) => {
  const size = e.instruction.operandSize;
  if (e.instruction.operands[0].kind === "rel") {
    e.push(e.nextIp(size), size);
    return e.jumpRelative(0);
  }
  const target = e.read(0);
  checkTarget(e, target);
  e.push(e.nextIp(size), size);
  e.jump(target);
}, "jump");

define("ret", (e) => {
  const size = e.instruction.operandSize;
  const target = e.stackLoad(0, size);
  checkTarget(e, target);
  e.adjustStack(size / 8);
  if (e.instruction.operands.length > 0) {
    const released = e.read(0).wrap().and(0xffff);
    e.adjustStack(e.let(e.mode.stack === 64 ? released.extendU() : released));
  }
  e.jump(target);
}, "jump");

define(conditional("j"), (e, mnemonic) => e.branch(e.condition(conditionOf(mnemonic, "j")), 0), "jump");

define("loop loopz loopnz", (e, mnemonic) => {
  const width = e.instruction.addressSize;
  const count = e.let(e.register(R.CX, width).sub(1).zeroExtend(width));
  e.setRegister(R.CX, width, count);
  let taken = count.isTrue();
  if (mnemonic === "loopz") taken = taken.and(e.flag("ZF"));
  if (mnemonic === "loopnz") taken = taken.and(e.flag("ZF").xor(1));
  e.branch(e.let(taken), 0);
}, "jump");

define("jcxz", (e) => e.branch(e.register(R.CX, e.instruction.addressSize).eqz(), 0), "jump");
