/** The usual ways back from handlers. Intel SDM vol. 2, IRET. */
import { Code } from "../../wasm/mod.ts";
import { Value } from "../emit/value.ts";
import { GUEST_BASE, HEADER, JUMP_CACHE } from "../interpreter/layout.ts";
import { Access } from "../registers.ts";
import { Flag, S, SEG, Seg } from "../state.ts";
import {
  flatDescriptor,
  modeAt,
  requireCanonicalHalf,
  requireCode,
  requireStack,
  setFlat,
  setLevel,
  setNull,
  usualMode,
} from "./usual.ts";
import { requireNothingWaiting } from "./waiting.ts";
import { KernelWriter } from "./writing.ts";

/** Flags with which no return is usual, neither before nor after it, and those that it loads. */
const UNUSUAL = Flag.VM | Flag.AC | Flag.TF | Flag.NT | Flag.VIF | Flag.VIP;
const LOADED = Flag.IF | Flag.DF | Flag.IOPL | Flag.ID;

/**
 * (stack pointer, cycles left before the instruction) → 1 if IRET has been executed, from level 0 and with operands as wide as the code, but
 * for the stack pointer and the arithmetic flags: S.SCRATCH has the one, and 8 bytes behind it an image with the others.
 */
export function returnCode(): Code {
  const code = new Code(2), w = new KernelWriter(code);
  const pointer = Value.local("i64", 0), cyclesLeft = Value.local("i32", 1);
  w.require(w.state(S.CPL, "i32").eqz());
  requireNothingWaiting(w);
  const wide = usualMode(w, UNUSUAL), bytes = w.let(Value.i32(4).shl(wide));
  const first = w.place(pointer, bytes.mul(3), false), second = w.let(first.add(bytes));
  const target = address(w, first, wide), selector = w.guest(second, 0, "u16");
  const image = w.guest(w.let(second.add(bytes)), 0);
  w.if(wide, () => {
    requireCanonicalHalf(w, w.guest(first, 4));
    w.require(w.guest(first, 12).or(w.guest(first, 20)).eqz());
  });
  // Not every processor has the ID flag.
  w.require(image.and(UNUSUAL).or(image.xor(w.state(S.EFLAGS, "i32")).and(Flag.ID)).eqz());
  w.require(image.and(Flag.IF).eqz().or(w.state(S.INTERRUPT_LINE, "i32").eqz()));
  const level = w.let(selector.and(3)), segment = flatDescriptor(w, selector);
  w.require(level.eqz().or(level.eq(3)));
  requireCode(w, segment, wide, level);
  w.if(level, () => requireReach(w));
  const next = w.choose(level, modeAt(w, true), modeAt(w, false));
  w.if(image.and(Flag.RF), () => requirePlainStart(w, target, next));
  w.setState(S.SCRATCH, "i64", pointer.add(Value.i64(12)));
  w.if(level.or(wide), () => popStack(w, w.let(pointer.add(bytes.mul(3).extendU())), wide, level));
  w.setState(S.SCRATCH + 8, "i32", image);
  w.if(image.and(Flag.RF), () => w.setState(S.RESUMED, "i32", cyclesLeft));
  setFlat(w, Seg.CS, selector, segment);
  w.setState(S.RIP, "i64", target);
  w.setState(S.EFLAGS, "i32", image.and(LOADED).or(2));
  w.setState(S.NMI_BLOCKED, "i32", Value.i32(0));
  w.if(level, () => setLevel(w, true, next));
  code.i32(1);
  return code;
}

/** An address that was pushed: 64 bits in `wide` code, else 32. */
function address(w: KernelWriter, host: Value, wide: Value): Value {
  return w.choose(wide, w.load(host, GUEST_BASE, "i64"), w.load(host, GUEST_BASE, "i32").extendU());
}

/** Gives up unless level 3 may keep all data segments, with their selectors. */
function requireReach(w: KernelWriter): void {
  for (const segment of [Seg.ES, Seg.DS, Seg.FS, Seg.GS]) {
    const at = S.SEG + segment * SEG.SIZE, access = w.state(at + SEG.ACCESS, "i32");
    w.require(
      w.choose(
        w.state(at + SEG.VALID, "i32"),
        access.and(Access.DPL).eq(Access.DPL),
        w.state(at + SEG.SELECTOR, "i32").eqz(),
      ),
    );
  }
}

/**
 * Gives up unless it is known that the instruction at an address, in a mode, is no transfer: another one follows it in its block. Then
 * the resume flag can go before it, see run_loop.ts.
 */
function requirePlainStart(w: KernelWriter, target: Value, mode: Value): void {
  const { BASE, MULTIPLIER, SHIFT, PAIR_SHIFT } = JUMP_CACHE;
  const pair = w.let(target.wrap().mul(MULTIPLIER).shrU(SHIFT).shl(PAIR_SHIFT));
  const startsPlainly = (entry: number) => {
    const header = w.let(w.load(pair, BASE + entry, "i32"));
    return w.let(
      w.load(header, HEADER.ADDRESS, "i64").eq(target).and(w.load(header, HEADER.MODE, "i32").eq(mode))
        .and(w.load(header, HEADER.COUNT, "u16").gtU(1)),
    );
  };
  w.require(startsPlainly(0).or(startsPlainly(4)));
}

/** Pops SP, into S.SCRATCH, and SS. */
function popStack(w: KernelWriter, pointer: Value, wide: Value, level: Value): void {
  const bytes = w.let(Value.i32(4).shl(wide)), first = w.place(pointer, bytes.shl(1), false);
  const second = w.let(first.add(bytes)), selector = w.guest(second, 0, "u16");
  w.if(wide, () => w.require(w.guest(first, 12).eqz()));
  w.setState(S.SCRATCH, "i64", address(w, first, wide));
  w.if(wide.and(level.or(selector).eqz()), () => setNull(w, Seg.SS), () => {
    w.require(selector.and(3).eq(level));
    const segment = flatDescriptor(w, selector);
    requireStack(w, segment, level);
    setFlat(w, Seg.SS, selector, segment);
  });
}
