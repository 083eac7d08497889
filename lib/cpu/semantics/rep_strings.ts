/**
 * String instructions with a repeat prefix: runs in TypeScript (system/rep_strings.ts), except that the usual MOVS and STOS are done
 * in place. Intel SDM vol. 1, sections 7.3.9 and 18.4.
 */
import { isFlatAccess } from "../emit/base.ts";
import type { Emitter } from "../emit/emitter.ts";
import type { Value } from "../emit/value.ts";
import { Flag, R, S, SEG, Seg } from "../state.ts";
import { define } from "./registry.ts";

type Require = (condition: Value) => void;

/** Log2 of an element's bytes. */
function shiftOf(e: Emitter): number {
  return 28 - Math.clz32(e.sizeOf(0));
}

/** Offset of the instruction behind the run. */
function next(e: Emitter): Value {
  return e.nextIp(e.mode.code === 64 ? 64 : 32);
}

/** What the system functions are told; they move RIP when the count is used up or a comparison ends the run. */
function argumentsOf(e: Emitter, operand: number): Value[] {
  const { addressSize, repeat } = e.instruction;
  return [
    e.i32(e.sizeOf(operand) / 8),
    e.i32(addressSize),
    e.segmentNumber(),
    e.i32(repeat === "repne" ? 1 : 0),
    e.asNumber(next(e)),
  ];
}

/** The linear address (i64) at which a run of `bytes` bytes upwards begins that lies in the segment and does not wrap. */
function start(
  e: Emitter,
  require: Require,
  segment: number | "operand",
  index: number,
  bytes: Value,
  write: boolean,
): Value {
  const { addressSize, segment: named } = e.instruction, wide = e.mode.code === 64;
  const first = e.let(e.register(index, addressSize).extendU()), end = e.let(first.add(bytes));
  if (!wide) require(end.gtU(2 ** addressSize).eqz());
  if (isFlatAccess(e.mode, segment === "operand" ? named : segment)) return first;
  const number = segment === "operand" ? e.segmentNumber() : e.i32(segment);
  const at = e.let(e.base().add(number.mul(SEG.SIZE))), base = e.stateAt(at, S.SEG + SEG.BASE, "i64");
  if (wide) return e.let(first.add(base));
  const highest = e.stateAt(at, S.SEG + (write ? SEG.HIGH_WRITE : SEG.HIGH_READ), "i64");
  require(first.ltS(e.stateAt(at, S.SEG + SEG.LOW, "i64")).or(end.sub(1).gtS(highest)).eqz());
  const linear = e.let(first.add(base).and(0xffff_ffff));
  require(linear.add(bytes).gtU(2 ** 32).eqz());
  return linear;
}

/**
 * A run upwards that the budget covers: `some` does iterations as far as they go without asking, and gives their number (i32). If
 * some are left, the registers show how far it came, and the system function goes on there.
 */
function usually(
  e: Emitter,
  mnemonic: string,
  indices: readonly number[],
  some: (count: Value, bytes: Value, require: Require) => Value,
): void {
  const { addressSize } = e.instruction, name = `rep_${mnemonic}`, args = argumentsOf(e, 0), shift = shiftOf(e);
  if (e.mode.code === 64 && addressSize !== 64) return void e.helper(name, ...args);
  e.usually(
    (require) => {
      const count = e.register(R.CX, addressSize), wide = e.let(count.extendU());
      require(e.state(S.EFLAGS, "i32").and(Flag.DF).eqz());
      if (addressSize === 64) require(wide.shrU(32).eqz());
      require(wide.sub(1).gtS(e.remaining().extendS()).eqz());
      const done = some(e.let(count.wrap()), e.let(wide.shl(shift)), require);
      const iterations = e.let(addressSize === 64 ? done.extendU() : done);
      for (const index of indices) {
        e.setRegister(index, addressSize, e.register(index, addressSize).add(iterations.shl(shift)));
      }
      e.setRegister(R.CX, addressSize, count.sub(iterations));
      // One iteration is counted already, unless the instruction is left before one.
      const complete = e.let(done.eq(count.wrap()));
      e.consume(done.sub(complete.and(done.isTrue())));
      require(complete);
      e.setState(S.RIP, "i64", next(e).extendU());
    },
    name,
    ...args,
  );
}

define("movs.rep", (e) => {
  usually(e, "movs", [R.SI, R.DI], (count, bytes, require) => {
    const from = start(e, require, "operand", R.SI, bytes, false), to = start(e, require, Seg.ES, R.DI, bytes, true);
    return e.kernel("move_up", from, to, count, e.i32(shiftOf(e)));
  });
}, "repeat");

define("stos.rep", (e) => {
  usually(e, "stos", [R.DI], (count, bytes, require) => {
    const to = start(e, require, Seg.ES, R.DI, bytes, true), size = e.sizeOf(0);
    const ones = (2n ** 64n - 1n) / (2n ** BigInt(size) - 1n);
    const element = e.register(R.AX, size as 8 | 16 | 32 | 64).extendU();
    return e.kernel("store_up", to, element.mul(e.i64(ones)), count, e.i32(shiftOf(e)));
  });
}, "repeat");

for (const mnemonic of ["lods", "scas", "cmps", "ins", "outs"]) {
  const element = mnemonic === "outs" ? 1 : 0;
  define(`${mnemonic}.rep`, (e) => void e.helper(`rep_${mnemonic}`, ...argumentsOf(e, element)), "transfer");
}
