/**
 * PUSH, POP, PUSHA, POPA, PUSHF, POPF, ENTER and LEAVE. The stack pointer moves only after the last access that can
 * fault. Intel SDM vol. 2.
 */
import type { Emitter, Size } from "../emit/emitter.ts";
import type { Value } from "../emit/value.ts";
import { Flag, R } from "../state.ts";
import { stackOffset, stackSegment, toOffset, toSize, wrapStack } from "./operands.ts";
import { popFlags } from "./privilege.ts";
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

/** What PUSHF pushes: VM and RF are hidden. In 16-bit code it may be virtual-8086 mode, which has rules of its own. */
function pushedFlags(e: Emitter, size: Size): Value {
  if (e.mode.code === 16) return e.helper("pushf", e.i32(size));
  return e.let(e.eflags().and(~(Flag.VM | Flag.RF)));
}

define("pushf", (e) => {
  const size = e.instruction.operandSize;
  e.push(toSize(pushedFlags(e, size), size), size);
});

define("popf", (e) => {
  const size = e.instruction.operandSize;
  const image = e.stackLoad(0, size);
  popFlags(e, e.let(image.wrap()), size);
  e.adjustStack(size / 8);
}, "exit");

/** Converts a value of the stack pointer's width to `size` bits. */
function stackValue(e: Emitter, value: Value, size: Size): Value {
  return e.mode.stack === 64 && size !== 64 ? value.wrap() : toSize(value, size);
}

define("enter", (e) => {
  const size = e.instruction.operandSize, bytes = size / 8, stack = e.mode.stack, segment = stackSegment(e);
  const allocated = toSize(e.let(e.read(0).wrap().and(0xffff)), stack);
  const levels = e.let(e.read(1).wrap().and(31)), wideLevels = e.let(toSize(levels, stack));
  const base = e.register(R.BP, stack), pointer = e.register(R.SP, stack);
  const below = (value: Value, count: Value | number) =>
    e.let(wrapStack(e, value.sub(typeof count === "number" ? count * bytes : count.mul(bytes))));
  const probe = (at: Value, write: boolean) => e.probe(segment, toOffset(e, at), bytes, write);

  // Everything that is read or written lies between these, at most two pages apart; the new top must be writable too.
  const pushed = e.select(levels, wideLevels.add(1), e.constant(1, stack));
  const bottom = below(pointer, e.let(pushed)), last = e.let(wrapStack(e, bottom.sub(allocated)));
  probe(below(pointer, 1), true);
  probe(bottom, true);
  probe(last, true);
  e.if(levels.gtU(1), () => {
    probe(below(base, 1), false);
    probe(below(base, wideLevels.sub(1)), false);
  });

  const top = e.variable(below(pointer, 1)), link = e.variable(base);
  const frame = e.let(top.value);
  e.store(segment, toOffset(e, frame), e.register(R.BP, size), size);
  const push = (value: Value) => {
    top.set(below(top.value, 1));
    e.store(segment, toOffset(e, top.value), value, size);
  };
  e.if(levels, () => {
    const rest = e.variable(levels.sub(1));
    e.while(() => rest.value, () => {
      link.set(below(link.value, 1));
      push(e.load(segment, toOffset(e, link.value), size));
      rest.set(rest.value.sub(1));
    });
    // A 16-bit stack pointer is the lower half of ESP, all of which is pushed.
    const upper = stack === 16 && size === 32 ? e.register(R.SP, 32).and(0xffff_0000) : e.constant(0, size);
    push(e.let(stackValue(e, frame, size).or(upper)));
  });
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
