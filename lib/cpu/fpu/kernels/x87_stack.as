/** What all x87 kernels share: the register stack, the status word and the rules for results. Intel SDM vol. 1, chapter 8. */
import {
  aClass, aSig, aSign, bClass, bSig, bSign, DE, FINITE, flags, IE, INFINITE, INTEGER_BIT, outExp, outSig, PE, QNAN,
  QUIET_BIT, raise, resultFromA, rHi, rLo, roundedUp, roundResult, rSign, setControl, SNAN, unmasked, unpack80,
  UNSUPPORTED, ZE, ZERO,
} from "./softfloat";

// Offsets of lib/cpu/state.ts.
export const X87: usize = 0x500;
export const FCW: usize = 0x580;
export const FSW: usize = 0x584;
export const FTOP: usize = 0x588;
export const FTW: usize = 0x58c;
/** Stores that wait for their memory access: new status bits, whether to go on, an 80-bit value. */
export const PENDING: usize = 0x800;
export const PROCEED: usize = 0x804;
export const WIDE: usize = 0x808;
/** What functions of numbers leave: sign and exponent, with flags and C1 as in FSW 16 bits higher; −1 if an exception is not masked. */
export const RESULT: usize = 0x878;

/** Stack fault. */
export const SF: i32 = 1 << 6;
export const ES: i32 = 1 << 7;
export const C0: i32 = 1 << 8;
export const C1: i32 = 1 << 9;
export const C2: i32 = 1 << 10;
export const C3: i32 = 1 << 14;
export const BUSY: i32 = 1 << 15;
export const CONDITION: i32 = 0x4700;

export const DEFAULT_SE: i32 = 0xffff;
export const DEFAULT_SIG: u64 = 0xc000000000000000;

/** Significant bits by FCW.PC (01 is reserved). */
export function precisionOf(control: i32): i32 {
  const pc = (control >> 8) & 3;
  return pc == 0 ? 24 : pc == 2 ? 53 : 64;
}

export let precision: i32 = 64;

export function begin(base: usize): void {
  const control = load<i32>(base, FCW);
  precision = precisionOf(control);
  setControl((control >> 10) & 3, ~control & 0x3f, false, true);
}

/** The status word with `bits` added: ES and B follow from what is not masked. */
export function withSummary(base: usize, status: i32): i32 {
  status &= ~(ES | BUSY);
  return (status & ~load<i32>(base, FCW) & 0x3f) != 0 ? status | ES | BUSY : status;
}

export function status(base: usize): i32 {
  return load<i32>(base, FSW);
}

export function setStatus(base: usize, value: i32): void {
  store<i32>(base, withSummary(base, value), FSW);
}

/** Ends an operation: flags into the status word, C1 = rounded up. */
export function finish(base: usize): void {
  const c1 = roundedUp && (flags & PE) != 0 ? C1 : 0;
  setStatus(base, (status(base) & ~C1) | flags | c1);
}

/** True if the result must not be written. */
export function blocked(): bool {
  return (flags & unmasked & (IE | DE | ZE)) != 0;
}

// ---- the stack

export function physical(base: usize, i: i32): i32 {
  return (load<i32>(base, FTOP) + i) & 7;
}

export function address(base: usize, i: i32): usize {
  return base + X87 + (physical(base, i) << 4);
}

export function valid(base: usize, i: i32): bool {
  return ((load<i32>(base, FTW) >> i) & 1) != 0;
}

export function setValid(base: usize, i: i32, value: bool): void {
  const bit = 1 << i, tags = load<i32>(base, FTW);
  store<i32>(base, value ? tags | bit : tags & ~bit, FTW);
}

/** Moves TOP by 1 or −1; the tags, which count from it, go round. */
export function moveTop(base: usize, by: i32): void {
  store<i32>(base, (load<i32>(base, FTOP) + by) & 7, FTOP);
  const tags = load<i32>(base, FTW) << ((8 - by) & 7);
  store<i32>(base, (tags | (tags >> 8)) & 0xff, FTW);
}

export function pop(base: usize): void {
  setValid(base, 0, false);
  moveTop(base, 1);
}

export function pops(base: usize, count: i32): void {
  for (; count > 0; count--) pop(base);
}

export function write(base: usize, i: i32, se: i32, sig: u64): void {
  const at = address(base, i);
  store<u64>(at, sig);
  store<u16>(at, <u16> se, 8);
  setValid(base, i, true);
}

export function loadRegister(base: usize, i: i32): void {
  const at = address(base, i);
  unpack80(load<u64>(at), load<u16>(at, 8));
}

/** IE and SF; C1 says which way. True if masked: then the caller delivers the default NaN. */
export function stackFault(base: usize, overflow: bool): bool {
  setStatus(base, (status(base) & ~C1) | IE | SF | (overflow ? C1 : 0));
  return (load<i32>(base, FCW) & IE) != 0;
}

/** Puts a value on the stack; the caller has made sure that there is room. */
export function push(base: usize, se: i32, sig: u64): void {
  moveTop(base, -1);
  write(base, 0, se, sig);
}

/** True if the stack has room; else handles the fault. */
export function hasRoom(base: usize): bool {
  if (!valid(base, 7)) return true;
  if (stackFault(base, true)) push(base, DEFAULT_SE, DEFAULT_SIG);
  return false;
}

// ---- results

/** The 80-bit value that an operation leaves. */
export let valueSe: i32 = 0;
export let valueSig: u64 = 0;

export function take(se: i32, sig: u64): void {
  valueSe = se;
  valueSig = sig;
}

export function takeInvalid(): void {
  raise(IE);
  take(DEFAULT_SE, DEFAULT_SIG);
}

export function takeZero(sign: i32): void {
  take(sign << 15, 0);
}

export function takeInfinity(sign: i32): void {
  take((sign << 15) | 0x7fff, INTEGER_BIT);
}

/** Takes r, rounded to `bits` bits. */
export function takeRounded(bits: i32): void {
  if (rHi == 0 && rLo == 0) return takeZero(rSign);
  roundResult(bits, 16383);
  take((rSign << 15) | outExp, outSig);
}

/** Ends a function of numbers that has left its result's sign and exponent in `se`. */
export function settle(base: usize, se: i32): void {
  const c1 = roundedUp && (flags & PE) != 0 ? C1 : 0;
  store<i32>(base, (flags & unmasked) != 0 ? -1 : se | (flags | c1) << 16, RESULT);
}

/** Takes a as it is (denormals keep their form only if they came from 80 bits, which callers copy instead). */
export function takeA(): void {
  if (aClass == ZERO) takeZero(aSign);
  else if (aClass == INFINITE) takeInfinity(aSign);
  else if (aClass == FINITE) {
    resultFromA();
    takeRounded(64);
  } else {
    take((aSign << 15) | 0x7fff, aSig | QUIET_BIT);
  }
}

export function isNan(kind: i32): bool {
  return kind == QNAN || kind == SNAN;
}

/** The NaN and unsupported-format rules of two operands; true if one of them decides. SDM vol. 1, table 4-7. */
export function takeNan(): bool {
  if (aClass == UNSUPPORTED || bClass == UNSUPPORTED) {
    takeInvalid();
    return true;
  }
  const a = isNan(aClass), b = isNan(bClass);
  if (!a && !b) return false;
  if (aClass == SNAN || bClass == SNAN) raise(IE);
  let first = a;
  if (a && b) {
    if (aClass == SNAN && bClass == QNAN) first = false;
    else if (aClass == QNAN && bClass == SNAN) first = true;
    else if (aSig != bSig) first = aSig > bSig;
    else first = aSign == 0;
  }
  if (first) take((aSign << 15) | 0x7fff, aSig | QUIET_BIT);
  else take((bSign << 15) | 0x7fff, bSig | QUIET_BIT);
  return true;
}


// ---- instructions with one operand

/** Ends a one-operand instruction on ST(0). */
export function replaceTop(base: usize): void {
  finish(base);
  if (!blocked()) write(base, 0, valueSe, valueSig);
}

/** Loads ST(0) into a and settles NaNs and unsupported values; false if that ended the instruction. */
export function openTop(base: usize): bool {
  begin(base);
  if (!valid(base, 0)) {
    if (stackFault(base, false)) write(base, 0, DEFAULT_SE, DEFAULT_SIG);
    return false;
  }
  loadRegister(base, 0);
  if (aClass < QNAN) return true;
  if (aClass == UNSUPPORTED) takeInvalid();
  else {
    if (aClass == SNAN) raise(IE);
    take((aSign << 15) | 0x7fff, aSig | QUIET_BIT);
  }
  replaceTop(base);
  return false;
}

