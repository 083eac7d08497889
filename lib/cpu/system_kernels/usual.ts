/** What the usual ways into and out of handlers have in common: flat segments, level 0 and level 3. */
import { Value } from "../emit/value.ts";
import { TLB } from "../interpreter/layout.ts";
import { ModeBit, modeKey } from "../mode.ts";
import { Access } from "../registers.ts";
import { CR0, EFER, S, SEG } from "../state.ts";
import type { KernelWriter } from "./writing.ts";

/** The modes of code that is usual: blocks' keys. */
const FLAT32 = modeKey(32, 32, true, false), CODE64 = modeKey(64, 64, true, false);

/** Upper halves of descriptors: what differs between segments that are all usual. */
const AVL = Access.AVL << 8, LONG = Access.LONG << 8, READABLE = Access.READ_WRITE << 8;
const FLAT_LIMIT = 0xf_0000, FLAT_LOW = 0xffff;
const PRESENT = (Access.PRESENT | Access.S | Access.ACCESSED | Access.GRANULARITY) << 8 | FLAT_LIMIT;
/** A flat code segment of 32 or 64 bits, and flat writable data, of level 0. */
const CODE32_HIGH = PRESENT | (Access.CODE | Access.BIG) << 8, CODE64_HIGH = PRESENT | (Access.CODE | Access.LONG) << 8;
const DATA_HIGH = PRESENT | (Access.READ_WRITE | Access.BIG) << 8;

/** 1 if the running code is 64-bit, 0 if it is flat 32-bit code; gives up in other modes, and with such flags. */
export function usualMode(w: KernelWriter, unusualFlags: number): Value {
  const mode = w.let(w.state(S.MODE, "i32").and(ModeBit.CODE_MODE)), wide = w.let(mode.eq(CODE64));
  w.require(w.state(S.CR0, "i32").and(CR0.PE));
  w.require(w.state(S.EFLAGS, "i32").and(unusualFlags).eqz());
  w.require(wide.or(mode.eq(FLAT32).and(w.state(S.EFER, "i32").and(EFER.LMA).eqz())));
  return wide;
}

/** Gives up unless the upper half of an address belongs to a canonical one. */
export function requireCanonicalHalf(w: KernelWriter, upper: Value): void {
  w.require(upper.shrS(15).add(1).ltU(2));
}

/** The upper half of the flat descriptor that a selector names in the GDT. */
export function flatDescriptor(w: KernelWriter, selector: Value): Value {
  const offset = w.let(selector.and(0xfff8));
  w.require(offset);
  w.require(selector.and(4).eqz());
  w.require(w.state(S.GDTR_LIMIT, "i32").geU(offset.add(7)));
  const host = w.place(w.state(S.GDTR_BASE, "i64").add(offset.extendU()), 8, false);
  w.require(w.guest(host, 0).eq(FLAT_LOW));
  return w.guest(host, 4);
}

/** Gives up unless that is a code segment for the mode, of a privilege level. */
export function requireCode(w: KernelWriter, high: Value, wide: Value, level: Value | number): void {
  const expected = w.choose(wide, Value.i32(CODE64_HIGH), Value.i32(CODE32_HIGH));
  w.require(high.and(~(AVL | READABLE)).eq(expected.or(levelBits(level))));
}

/** Gives up unless that is a stack segment of a privilege level. */
export function requireStack(w: KernelWriter, high: Value, level: Value | number): void {
  w.require(high.and(~(AVL | LONG)).eq(Value.i32(DATA_HIGH).or(levelBits(level))));
}

function levelBits(level: Value | number): Value {
  return typeof level === "number" ? Value.i32(level << 13) : level.shl(13);
}

/** Loads CS or SS with a flat segment, whose descriptor has this upper half. */
export function setFlat(w: KernelWriter, segment: number, selector: Value, high: Value): void {
  const at = S.SEG + segment * SEG.SIZE, access = w.let(high.shrU(8).and(0xf0ff)), whole = Value.i64(0xffff_ffff);
  const code = w.let(access.and(Access.CODE)), allowed = w.let(access.and(Access.READ_WRITE));
  const allows = (may: Value) => w.choose(may, whole, Value.i64(-1));
  w.setState(at + SEG.BASE, "i64", Value.i64(0));
  w.setState(at + SEG.LOW, "i64", Value.i64(0));
  w.setState(at + SEG.HIGH_READ, "i64", allows(code.eqz().or(allowed)));
  w.setState(at + SEG.HIGH_WRITE, "i64", allows(code.eqz().and(allowed.isTrue())));
  w.setState(at + SEG.SELECTOR, "i32", selector);
  w.setState(at + SEG.LIMIT, "i32", Value.i32(-1));
  w.setState(at + SEG.ACCESS, "i32", access);
  w.setState(at + SEG.VALID, "i32", Value.i32(1));
}

/** Makes a segment register unusable. */
export function setNull(w: KernelWriter, segment: number): void {
  const at = S.SEG + segment * SEG.SIZE;
  for (const field of [SEG.SELECTOR, SEG.LIMIT, SEG.ACCESS, SEG.VALID]) w.setState(at + field, "i32", Value.i32(0));
  for (const field of [SEG.BASE, SEG.LOW]) w.setState(at + field, "i64", Value.i64(0));
  for (const field of [SEG.HIGH_READ, SEG.HIGH_WRITE]) w.setState(at + field, "i64", Value.i64(-1));
}

/** {@link S.MODE} at level 0, or 3 for `user`, where nothing else changes. */
export function modeAt(w: KernelWriter, user: boolean): Value {
  const mode = w.state(S.MODE, "i32").and(ModeBit.CODE_MODE), epoch = w.state(S.EPOCHS + (user ? 4 : 0), "i32");
  return w.let(mode.or(user ? ModeBit.USER : 0).or(epoch));
}

/** Goes over to level 0, or 3 for `user`, with a mode of {@link modeAt}. */
export function setLevel(w: KernelWriter, user: boolean, mode: Value): void {
  w.setState(S.CPL, "i32", Value.i32(user ? 3 : 0));
  w.setState(S.TLB, "i32", Value.i32(user ? TLB.USER : TLB.SUPERVISOR));
  w.setState(S.MODE, "i32", mode);
}
