/** Loads of segment registers, the usual ones in place. Intel SDM vol. 2, MOV and POP; vol. 3A, section 3.4. */
import type { Instruction } from "../decode/instruction.ts";
import type { Emitter } from "../emit/emitter.ts";
import type { Value } from "../emit/value.ts";
import { Access } from "../registers.ts";
import { CR0, EFER, Flag, S, SEG, Seg } from "../state.ts";
import { REAL_ACCESS } from "../system/segments.ts";

/** Bits of the upper half of a descriptor by what {@link Access} says of them. */
const PRESENT = Access.PRESENT << 8, USED_SEGMENT = (Access.S | Access.ACCESSED) << 8, DPL = Access.DPL << 8;
const CODE_OR_EXPAND_DOWN = (Access.CODE | Access.EXPAND_DOWN) << 8, WRITABLE = Access.READ_WRITE << 8;
const GRANULARITY = Access.GRANULARITY << 8, IGNORED = (Access.AVL | Access.LONG | Access.BIG) << 8;
/** The upper half of a descriptor for 4 GiB of writable data from address 0, without what may differ. */
const FLAT_DATA = PRESENT | USED_SEGMENT | WRITABLE | GRANULARITY | 0xf_0000;

/** The register of an operand in the segment file, -1 if it is another operand. */
export function segmentRegister(instruction: Instruction, operand: number): number {
  const register = instruction.operands[operand];
  return register?.kind === "reg" && register.file === "seg" ? register.reg : -1;
}

/** Loads the segment register of operand 0. */
export function loadSegmentRegister(e: Emitter, selectorValue: Value): void {
  const number = e.registerNumber(0), selector = e.let(selectorValue.wrap().and(0xffff));
  const segment = segmentRegister(e.instruction, 0), { code, flat } = e.mode;
  const inPlace = segment === Seg.CS || segment === Seg.SS || segment > Seg.GS
    ? null
    : code === 16 && !flat
    ? loadReal
    : code === 32 && flat
    ? segment >= Seg.FS ? loadProtected : loadFlat
    : null;
  if (inPlace === null) return void e.helper("load_segment", number, selector);
  e.usually((require) => inPlace(e, segment, selector, require), "load_segment", number, selector);
}

type Require = (condition: Value) => void;

/** In real mode only selector and base change. With a code segment of 64 KiB the mode cannot become flat by it. */
function loadReal(e: Emitter, segment: number, selector: Value, require: Require): void {
  const at = S.SEG + segment * SEG.SIZE;
  const rights = e.state(at + SEG.ACCESS, "i32").and(~(Access.BIG | Access.GRANULARITY));
  require(rights.eq(REAL_ACCESS).and(e.state(S.SEG + Seg.CS * SEG.SIZE + SEG.LIMIT, "i32").eq(0xffff)));
  require(e.state(at + SEG.VALID, "i32").and(e.state(S.CR0, "i32").not()).and(CR0.PE));
  e.setState(at + SEG.SELECTOR, "i32", selector);
  e.setState(at + SEG.BASE, "i64", selector.shl(4).extendU());
}

/** The kernel of a 32-bit system runs, without anything special. */
function requireKernel(e: Emitter, require: Require): void {
  require(e.state(S.CPL, "i32").eqz());
  require(e.state(S.CR0, "i32").and(CR0.PE));
  require(e.state(S.EFER, "i32").and(EFER.LMA).or(e.state(S.EFLAGS, "i32").and(Flag.AC)).eqz());
}

/** Reads a descriptor of the global table that the kernel may load into a data segment register: its two halves. */
function readDescriptor(e: Emitter, selector: Value, require: Require): { low: Value; high: Value } {
  const offset = e.let(selector.and(0xfff8));
  require(selector.and(4).eqz());
  require(e.state(S.GDTR_LIMIT, "i32").geU(offset.add(7)));
  const address = e.let(e.state(S.GDTR_BASE, "i32").add(offset)), linear = e.segmentByNumber(Seg.DS);
  const low = e.let(e.load(linear, address, 32)), high = e.let(e.load(linear, e.let(address.add(4)), 32));
  require(high.shrU(13).and(3).geU(selector.and(3)));
  return { low, high };
}

function setRights(e: Emitter, at: number, selector: Value, high: Value): void {
  e.setState(at + SEG.SELECTOR, "i32", selector);
  e.setState(at + SEG.ACCESS, "i32", high.shrU(8).and(0xf0ff));
}

/** Where ES and DS are flat, and become flat again, no more than selector and rights change. */
function loadFlat(e: Emitter, segment: number, selector: Value, require: Require): void {
  requireKernel(e, require);
  require(selector.and(0xfffc));
  const { low, high } = readDescriptor(e, selector, require);
  require(low.eq(0xffff).and(high.and(~(DPL | IGNORED)).eq(FLAT_DATA)));
  setRights(e, S.SEG + segment * SEG.SIZE, selector, high);
}

/** FS and GS are often null. Segments of code and those that expand down are rare. */
function loadProtected(e: Emitter, segment: number, selector: Value, require: Require): void {
  const at = S.SEG + segment * SEG.SIZE;
  requireKernel(e, require);
  e.if(selector.and(0xfffc), () => {
    const { low, high } = readDescriptor(e, selector, require);
    require(high.and(PRESENT | USED_SEGMENT | CODE_OR_EXPAND_DOWN).eq(PRESENT | USED_SEGMENT));
    setRights(e, at, selector, high);
    const base = low.shrU(16).or(high.and(0xff).shl(16)).or(high.and(0xff00_0000));
    const bytes = e.let(low.and(0xffff).or(high.and(0xf_0000)));
    const limit = e.let(e.select(high.and(GRANULARITY), bytes.shl(12).or(0xfff), bytes));
    const highest = e.let(limit.extendU());
    e.setState(at + SEG.BASE, "i64", base.extendU());
    e.setState(at + SEG.LIMIT, "i32", limit);
    e.setState(at + SEG.VALID, "i32", e.i32(1));
    e.setState(at + SEG.LOW, "i64", e.i64(0));
    e.setState(at + SEG.HIGH_READ, "i64", highest);
    e.setState(at + SEG.HIGH_WRITE, "i64", e.select(high.and(WRITABLE), highest, e.i64(-1)));
  }, () => {
    e.setState(at + SEG.SELECTOR, "i32", selector);
    for (const field of [SEG.LIMIT, SEG.ACCESS, SEG.VALID]) e.setState(at + field, "i32", e.i32(0));
    for (const field of [SEG.BASE, SEG.LOW]) e.setState(at + field, "i64", e.i64(0));
    for (const field of [SEG.HIGH_READ, SEG.HIGH_WRITE]) e.setState(at + field, "i64", e.i64(-1));
  });
}
