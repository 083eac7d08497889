/** Far transfers, interrupts and returns from them: operands are read here, the rest is a system function. */
import type { Emitter } from "../emit/emitter.ts";
import type { Value } from "../emit/value.ts";
import { interruptReturn, syscall, sysenter, sysexit, sysret } from "./privilege.ts";
import { define } from "./registry.ts";

/** Offset of the following instruction, as a helper takes it. */
function next(e: Emitter): Value {
  return e.asNumber(e.nextIp(e.mode.code));
}

/** The far pointer in the instruction or in memory: selector, and offset as a helper takes it. */
function farTarget(e: Emitter): { selector: Value; offset: Value } {
  const size = e.instruction.operandSize;
  if (!e.isMemory(0)) {
    const { selector, offset } = e.far(0);
    return { selector, offset: e.asNumber(offset) };
  }
  const segment = e.segment(0), at = e.address(0);
  const offset = e.load(segment, at, size);
  return { selector: e.load(segment, e.let(e.advance(at, size / 8)), 16), offset: e.asNumber(offset) };
}

define("jmpf", (e) => {
  const { selector, offset } = farTarget(e);
  e.helper("far_jump", selector, offset, next(e));
}, "transfer");

define("callf", (e) => {
  const { selector, offset } = farTarget(e);
  e.helper("far_call", selector, offset, next(e), e.i32(e.instruction.operandSize));
}, "transfer");

define("retf", (e) => {
  const extra = e.instruction.operands.length > 0 ? e.read(0).wrap().and(0xffff) : e.i32(0);
  e.helper("far_return", e.i32(e.instruction.operandSize), extra);
}, "transfer");

define("iret", (e) => interruptReturn(e, next(e)), "transfer");

define("int", (e) => {
  e.helper("software_interrupt", e.read(0).wrap().and(0xff), next(e));
}, "transfer");

define("int3", (e) => {
  e.helper("breakpoint_interrupt", next(e));
}, "transfer");

define("int1", (e) => {
  e.helper("debug_interrupt", next(e));
}, "transfer");

define("into", (e) => {
  e.helper("overflow_interrupt", next(e));
}, "transfer");

define("sysenter", sysenter, "transfer");
define("sysexit", sysexit, "transfer");
define("syscall", syscall, "transfer");
define("sysret", sysret, "transfer");
