/**
 * PUSH, POP, PUSHA, POPA, PUSHF, POPF, ENTER and LEAVE. The stack pointer moves only after the last access that can
 * fault. Intel SDM vol. 2.
 */
import type { Emitter, Size } from "../emit/emitter.ts";
import type { Value } from "../emit/value.ts";
import { Flag, R, S, Vector } from "../state.ts";
import { stackOffset, stackSegment, toOffset, toSize, wrapStack } from "./operands.ts";
import { define } from "./registry.ts";

define("push", (e) => {
  const size = e.instruction.operandSize;
  e.push(e.read(0), size);
});

define("pop", (e) => {
  const size = e.instruction.operandSize, bytes = size / 8;
  if (!e.isMemory(0)) return e.write(0, e.pop(size));
  // The address is computed with the stack pointer already moved, but it must not have moved if the store faults.
  const value = e.stackLoad(0, size);
  e.adjustStack(bytes);
  const offset = e.let(e.address(0));
  e.adjustStack(-bytes);
  e.store(e.segment(0), offset, value, size);
  e.adjustStack(bytes);
});

define("pusha", (e) => {
  const size = e.instruction.operandSize, bytes = size / 8, segment = stackSegment(e);
  // The two ends: nothing is written if either page or the limit is in the way.
  e.probe(segment, e.let(stackOffset(e, -8 * bytes)), bytes, true);
  e.probe(segment, e.let(stackOffset(e, -bytes)), bytes, true);
  const registers = Array.from({ length: 8 }, (_, number) => e.register(number, size));
  registers.forEach((value, number) => e.stackStore(-bytes * (number + 1), value, size));
  e.adjustStack(-8 * bytes);
});

define("popa", (e) => {
  const size = e.instruction.operandSize, bytes = size / 8;
  const values = Array.from({ length: 8 }, (_, number) => e.stackLoad((7 - number) * bytes, size));
  values.forEach((value, number) => {
    if (number !== R.SP) e.setRegister(number, size, value);
  });
  e.adjustStack(8 * bytes);
});

/** PUSHF and POPF need IOPL 3 in virtual-8086 mode. */
function checkVirtualMode(e: Emitter): void {
  if (e.mode.code === 64) return;
  const flags = e.state(S.EFLAGS, "i32");
  e.raiseIf(flags.and(Flag.VM).isTrue().and(flags.and(Flag.IOPL).ne(Flag.IOPL)), Vector.GP, 0);
}

define("pushf", (e) => {
  const size = e.instruction.operandSize;
  checkVirtualMode(e);
  e.push(toSize(e.let(e.eflags().and(~(Flag.VM | Flag.RF))), size), size);
});

define("popf", (e) => {
  const size = e.instruction.operandSize;
  const image = e.stackLoad(0, size);
  e.helper("popf", e.let(image.wrap()), e.i32(size));
  e.adjustStack(size / 8);
}, "exit");

/** Converts a value of the stack pointer's width to `size` bits. */
function stackValue(e: Emitter, value: Value, size: Size): Value {
  return e.mode.stack === 64 && size !== 64 ? value.wrap() : toSize(value, size);
}

define("enter", (e) => {
  const size = e.instruction.operandSize, bytes = size / 8, stack = e.mode.stack, segment = stackSegment(e);
  const allocated = toSize(e.let(e.read(0).wrap().and(0xffff)), stack);
  const levels = e.let(e.read(1).wrap().and(31));
  const base = e.register(R.BP, stack);
  const top = e.variable(e.register(R.SP, stack)), link = e.variable(base);
  const down = (value: Value) => wrapStack(e, value.sub(bytes));
  const push = (value: Value) => {
    const at = e.let(down(top.value));
    e.store(segment, toOffset(e, at), value, size);
    top.set(at);
  };
  push(e.register(R.BP, size));
  const frame = e.let(top.value);
  e.if(levels, () => {
    const rest = e.variable(levels.sub(1));
    e.while(() => rest.value, () => {
      const at = e.let(down(link.value));
      push(e.load(segment, toOffset(e, at), size));
      link.set(at);
      rest.set(rest.value.sub(1));
    });
    // A 16-bit stack pointer is the lower half of ESP, all of which is pushed.
    const upper = stack === 16 && size === 32 ? e.register(R.SP, 32).and(0xffff_0000) : e.constant(0, size);
    push(e.let(stackValue(e, frame, size).or(upper)));
  });
  const last = e.let(wrapStack(e, top.value.sub(allocated)));
  // The new top must be writable too.
  e.probe(segment, toOffset(e, last), bytes, true);
  e.setRegister(R.BP, stack, frame);
  e.setRegister(R.SP, stack, last);
});

define("leave", (e) => {
  const size = e.instruction.operandSize, stack = e.mode.stack;
  const base = e.register(R.BP, stack);
  const value = e.load(stackSegment(e), toOffset(e, base), size);
  e.setRegister(R.SP, stack, base.add(size / 8));
  e.setRegister(R.BP, size, value);
});
