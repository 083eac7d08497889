/**
 * String instructions with a repeat prefix: in the usual case kernels do them (lib/cpu/string_kernels), else system functions. Intel SDM
 * vol. 1, sections 7.3.9 and 18.4.
 */
import { isFlatAccess } from "../emit/base.ts";
import type { Emitter, Size, StateKind } from "../emit/emitter.ts";
import type { Value } from "../emit/value.ts";
import { Flag, R, S, SEG, Seg } from "../state.ts";
import { define } from "./registry.ts";

/** Width of an element in bits. */
function sizeOf(e: Emitter): Size {
  return e.sizeOf(0) as Size;
}

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

/** An operand of a run upwards. */
interface Stretch {
  /** Number of the index register. */
  readonly index: number;
  /** Linear address of the first element, i64. */
  readonly linear: Value;
  /** How many elements lie in the segment before the address wraps, i64; null in 64-bit code. */
  readonly elements: Value | null;
}

function smaller(e: Emitter, a: Value, b: Value): Value {
  const x = e.let(a), y = e.let(b);
  return e.let(e.select(x.ltU(y), x, y));
}

/** `value`, or 0 if it is negative. */
function atLeast0(e: Emitter, value: Value): Value {
  const signed = e.let(value);
  return e.let(e.select(signed.gtS(0), signed, e.i64(0)));
}

function stretch(e: Emitter, segment: number | "operand", index: number, write: boolean): Stretch {
  const { addressSize, segment: named } = e.instruction, shift = shiftOf(e), wide = e.mode.code === 64;
  const first = e.let(e.register(index, addressSize).extendU()),
    unwrapped = wide ? null : e.i64(2 ** addressSize).sub(first);
  if (isFlatAccess(e.mode, segment === "operand" ? named : segment)) {
    return { index, linear: first, elements: unwrapped && unwrapped.shrU(shift) };
  }
  const number = segment === "operand" ? e.segmentNumber() : e.i32(segment);
  const at = e.let(e.base().add(number.mul(SEG.SIZE))), base = e.stateAt(at, S.SEG + SEG.BASE, "i64");
  if (unwrapped === null) return { index, linear: e.let(first.add(base)), elements: null };
  const linear = e.let(first.add(base).and(0xffff_ffff)), low = e.stateAt(at, S.SEG + SEG.LOW, "i64");
  const high = e.stateAt(at, S.SEG + (write ? SEG.HIGH_WRITE : SEG.HIGH_READ), "i64");
  const inside = atLeast0(e, e.select(first.ltS(low), e.i64(0), high.add(1).sub(first)));
  const bytes = smaller(e, inside, smaller(e, unwrapped, e.i64(2 ** 32).sub(linear)));
  return { index, linear, elements: bytes.shrU(shift) };
}

/** A run that {@link usually} does. */
interface Run {
  /** Segment, index register, whether it is written. */
  readonly operands: readonly (readonly [segment: number | "operand", index: number, write: boolean])[];
  /** Does at most `limit` iterations as far as they go without asking; gives their number, i32. */
  some(addresses: readonly Value[], limit: Value): Value;
  /** Sets the flags after that, which is at least one; gives 1 if the run ends there in any case. */
  compare?(): Value;
}

const SOURCE = ["operand", R.SI, false] as const, DESTINATION = [Seg.ES, R.DI, true] as const;
const COMPARED = [Seg.ES, R.DI, false] as const;

/**
 * A run upwards. If the kernel does not complete it, because of the budget, a segment's end or an element that must be asked for,
 * the registers show how far it came, and the system function goes on there.
 */
function usually(e: Emitter, mnemonic: string, { operands, some, compare }: Run): void {
  const { addressSize } = e.instruction, name = `rep_${mnemonic}`, args = argumentsOf(e, 0), shift = shiftOf(e);
  if (e.mode.code === 64 && addressSize !== 64) return void e.helper(name, ...args);
  e.usually(
    (require) => {
      require(e.state(S.EFLAGS, "i32").and(Flag.DF).eqz());
      const count = e.let(e.register(R.CX, addressSize).extendU());
      const stretches = operands.map((operand) => stretch(e, ...operand));
      let limit = smaller(e, count, atLeast0(e, e.remaining().extendS()));
      for (const { elements } of stretches) if (elements) limit = smaller(e, limit, elements);
      const done = some(stretches.map(({ linear }) => linear), e.let(limit.wrap()));
      if (compare) require(done);
      const narrow = (value: Value) => addressSize === 64 ? value : value.wrap();
      const iterations = e.let(done.extendU()), left = e.let(count.sub(iterations));
      for (const { index } of stretches) {
        e.setRegister(index, addressSize, e.register(index, addressSize).add(narrow(iterations.shl(shift))));
      }
      e.setRegister(R.CX, addressSize, narrow(left));
      const complete = compare ? e.let(compare().or(left.eqz())) : e.let(left.eqz());
      // One iteration is counted already, unless the instruction is left before one.
      e.consume(done.sub(complete.and(done.isTrue())));
      require(complete);
      e.setState(S.RIP, "i64", next(e).extendU());
    },
    name,
    ...args,
  );
}

define("movs.rep", (e) => {
  usually(e, "movs", {
    operands: [SOURCE, DESTINATION],
    some: ([from, to], limit) => e.kernel("move_up", from, to, limit, e.i32(shiftOf(e))),
  });
}, "repeat");

define("stos.rep", (e) => {
  const ones = (2n ** 64n - 1n) / (2n ** BigInt(sizeOf(e)) - 1n);
  usually(e, "stos", {
    operands: [DESTINATION],
    some([to], limit) {
      const element = e.register(R.AX, sizeOf(e)).extendU();
      return e.kernel("store_up", to, element.mul(e.i64(ones)), limit, e.i32(shiftOf(e)));
    },
  });
}, "repeat");

const KIND: Record<Size, StateKind> = { 8: "u8", 16: "u16", 32: "i32", 64: "i64" };

/** 1 for REPNE, which ends where elements are equal. */
function untilEqual(e: Emitter): Value {
  return e.i32(e.instruction.repeat === "repne" ? 1 : 0);
}

/** The flags of a comparison, and whether it ends the run. */
function compareElements(e: Emitter, left: Value, right: Value): Value {
  e.flagsSub(left, right, e.let(left.sub(right)), sizeOf(e));
  return e.instruction.repeat === "repne" ? left.eq(right) : left.ne(right);
}

define("scas.rep", (e) => {
  const size = sizeOf(e);
  usually(e, "scas", {
    operands: [COMPARED],
    some: ([at], limit) => e.kernel(`scan_${size}`, at, e.register(R.AX, size), limit, untilEqual(e)),
    compare: () => compareElements(e, e.register(R.AX, size), e.state(S.SCRATCH, KIND[size])),
  });
}, "repeat");

define("cmps.rep", (e) => {
  const size = sizeOf(e);
  usually(e, "cmps", {
    operands: [SOURCE, COMPARED],
    some: ([first, second], limit) => e.kernel(`compare_${size}`, first, second, limit, untilEqual(e)),
    compare: () => compareElements(e, e.state(S.SCRATCH, KIND[size]), e.state(S.SCRATCH + 8, KIND[size])),
  });
}, "repeat");

for (const mnemonic of ["lods", "ins", "outs"]) {
  const element = mnemonic === "outs" ? 1 : 0;
  define(`${mnemonic}.rep`, (e) => void e.helper(`rep_${mnemonic}`, ...argumentsOf(e, element)), "transfer");
}
