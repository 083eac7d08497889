/** The entries of the instructions that have a fast path (x87_fast.as): that first, else the general kernel (x87.as). */
import { add, commonControl, compare, divide, multiply, popOne, pushNumber, se32, se64, seInteger, setCodes, sig32, sig64, sigInteger } from "./x87_fast";
import { C0, C2, C3, FCW, FTOP, FTW, X87 } from "./x87_stack";
import { x87_arithmetic, x87_arithmetic_memory, x87_comi, x87_compare, x87_compare_memory, x87_load } from "./x87";

const FLOAT32: i32 = 0;
const FLOAT64: i32 = 1;

/** The sign and exponent of a memory operand by its kind. */
// @ts-ignore: decorator
@inline
function seOf(kind: i32, bits: i64): i32 {
  return kind == FLOAT64 ? se64(bits) : kind == FLOAT32 ? se32(<u32> bits) : seInteger(bits);
}

// @ts-ignore: decorator
@inline
function sigOf(kind: i32, bits: i64): u64 {
  return kind == FLOAT64 ? sig64(bits) : kind == FLOAT32 ? sig32(<u32> bits) : sigInteger(bits);
}

/** The address of a physical register. */
// @ts-ignore: decorator
@inline
function slot(base: usize, register: i32): usize {
  return base + X87 + (register << 4);
}

/** 8000h for the operand that an operation negates: the second of a subtraction, the first of a reversed one. */
// @ts-ignore: decorator
@inline
function negatesFirst(op: i32): i32 {
  return op == 5 ? 0x8000 : 0;
}

// @ts-ignore: decorator
@inline
function negatesSecond(op: i32): i32 {
  return op == 4 ? 0x8000 : 0;
}

/** FADD, FSUB, FSUBR with registers, by the operation's number in the opcode. */
export function x87_add(base: usize, op: i32, destination: i32, source: i32, popCount: i32): void {
  const top = load<i32>(base, FTOP), tags = load<i32>(base, FTW), control = load<i32>(base, FCW);
  const a = (top + destination) & 7, b = (top + source) & 7;
  if (commonControl(control) && ((tags >> a) & (tags >> b) & 1) != 0) {
    const at = slot(base, a), from = slot(base, b);
    const aSe = <i32> load<u16>(at, 8) ^ negatesFirst(op), bSe = <i32> load<u16>(from, 8) ^ negatesSecond(op);
    if (add(base, control, at, aSe, load<u64>(at), bSe, load<u64>(from))) return popOne(base, popCount);
  }
  x87_arithmetic(base, op, destination, source, popCount);
}

/** FADD, FSUB, FSUBR, FIADD … with memory. */
export function x87_add_memory(base: usize, op: i32, kind: i32, bits: i64): void {
  const top = load<i32>(base, FTOP), control = load<i32>(base, FCW);
  if (commonControl(control) && ((load<i32>(base, FTW) >> top) & 1) != 0) {
    const at = slot(base, top);
    const aSe = <i32> load<u16>(at, 8) ^ negatesFirst(op), bSe = seOf(kind, bits);
    if (bSe != 0x7fff && add(base, control, at, aSe, load<u64>(at), bSe ^ negatesSecond(op), sigOf(kind, bits))) return;
  }
  x87_arithmetic_memory(base, op, kind, bits);
}

/** FMUL with registers. */
export function x87_multiply(base: usize, op: i32, destination: i32, source: i32, popCount: i32): void {
  const top = load<i32>(base, FTOP), tags = load<i32>(base, FTW), control = load<i32>(base, FCW);
  const a = (top + destination) & 7, b = (top + source) & 7;
  if (commonControl(control) && ((tags >> a) & (tags >> b) & 1) != 0) {
    const at = slot(base, a), from = slot(base, b);
    if (multiply(base, control, at, load<u16>(at, 8), load<u64>(at), load<u16>(from, 8), load<u64>(from))) {
      return popOne(base, popCount);
    }
  }
  x87_arithmetic(base, op, destination, source, popCount);
}

/** FMUL, FIMUL with memory. */
export function x87_multiply_memory(base: usize, op: i32, kind: i32, bits: i64): void {
  const top = load<i32>(base, FTOP), control = load<i32>(base, FCW);
  if (commonControl(control) && ((load<i32>(base, FTW) >> top) & 1) != 0) {
    const at = slot(base, top), se = seOf(kind, bits);
    if (se != 0x7fff && multiply(base, control, at, load<u16>(at, 8), load<u64>(at), se, sigOf(kind, bits))) return;
  }
  x87_arithmetic_memory(base, op, kind, bits);
}

const DIVIDE: i32 = 6;

/** FDIV, FDIVR with registers. */
export function x87_divide(base: usize, op: i32, destination: i32, source: i32, popCount: i32): void {
  const top = load<i32>(base, FTOP), tags = load<i32>(base, FTW), control = load<i32>(base, FCW);
  const a = (top + destination) & 7, b = (top + source) & 7;
  if (commonControl(control) && ((tags >> a) & (tags >> b) & 1) != 0) {
    const at = slot(base, a), from = slot(base, b), over = op == DIVIDE ? at : from, under = op == DIVIDE ? from : at;
    if (divide(base, control, at, load<u16>(over, 8), load<u64>(over), load<u16>(under, 8), load<u64>(under))) {
      return popOne(base, popCount);
    }
  }
  x87_arithmetic(base, op, destination, source, popCount);
}

/** FDIV, FDIVR, FIDIV, FIDIVR with memory. */
export function x87_divide_memory(base: usize, op: i32, kind: i32, bits: i64): void {
  const top = load<i32>(base, FTOP), control = load<i32>(base, FCW);
  if (commonControl(control) && ((load<i32>(base, FTW) >> top) & 1) != 0) {
    const at = slot(base, top), se = seOf(kind, bits), sig = sigOf(kind, bits);
    const aSe: i32 = load<u16>(at, 8), aSig = load<u64>(at), plain = op == DIVIDE;
    if (
      se != 0x7fff &&
      divide(base, control, at, plain ? aSe : se, plain ? aSig : sig, plain ? se : aSe, plain ? sig : aSig)
    ) return;
  }
  x87_arithmetic_memory(base, op, kind, bits);
}

/** FLD m32 and m64, FILD. */
export function x87_push(base: usize, kind: i32, bits: i64): void {
  if (!pushNumber(base, seOf(kind, bits), sigOf(kind, bits))) x87_load(base, kind, bits);
}

/** The codes of ST(0) compared with ST(i); −1 if the general kernel has to say. */
// @ts-ignore: decorator
@inline
function compareWith(base: usize, i: i32): i32 {
  const top = load<i32>(base, FTOP), tags = load<i32>(base, FTW), other = (top + i) & 7;
  if (((tags >> top) & (tags >> other) & 1) == 0) return -1;
  const at = slot(base, top), from = slot(base, other);
  return compare(load<u16>(at, 8), load<u64>(at), load<u16>(from, 8), load<u64>(from));
}

/** FCOM, FUCOM with a register. */
export function x87_order(base: usize, i: i32, quiet: i32, popCount: i32): void {
  const codes = compareWith(base, i);
  if (codes < 0) return x87_compare(base, i, quiet, popCount);
  setCodes(base, codes);
  popOne(base, popCount);
  if (popCount == 2) popOne(base, 1);
}

/** FCOM, FICOM with memory. */
export function x87_order_memory(base: usize, kind: i32, bits: i64, popCount: i32): void {
  const top = load<i32>(base, FTOP), at = slot(base, top), se = seOf(kind, bits);
  if (((load<i32>(base, FTW) >> top) & 1) != 0 && se != 0x7fff) {
    const codes = compare(load<u16>(at, 8), load<u64>(at), se, sigOf(kind, bits));
    if (codes >= 0) {
      setCodes(base, codes);
      return popOne(base, popCount);
    }
  }
  x87_compare_memory(base, kind, bits, popCount);
}

/** FCOMI, FUCOMI: the EFLAGS image of ZF PF CF, or −1 if nothing is to change. */
export function x87_order_flags(base: usize, i: i32, quiet: i32, popCount: i32): i32 {
  const codes = compareWith(base, i);
  if (codes < 0) return x87_comi(base, i, quiet, popCount);
  popOne(base, popCount);
  return codes == C3 ? 0x40 : codes == C0 ? 1 : 0;
}
