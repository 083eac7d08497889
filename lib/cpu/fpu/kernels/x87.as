/**
 * The x87 register stack: every instruction on the state block but the transcendental ones. Intel SDM vol. 1, chapter 8.
 *
 * Exceptions: invalid, denormal and divide-by-zero that are not masked leave everything but the status word as it was;
 * overflow, underflow and inexact results are delivered. The next waiting instruction reports them (#MF).
 */
import {
  aClass, addFinite, aDenormal, aExp, aSig, aSign, bClass, bDenormal, bExp, bSig, bSign, clear, compareNumbers, DE,
  divideFinite, FINITE, flags, IE, INFINITE, INTEGER_BIT, moveAtoB, multiplyFinite, negateB, noInteger, OE, pack32,
  pack64, PE, QNAN, QUIET_BIT, raise, rc, remainder, resultFromA, roundedUp, roundResult, setControl, setResult,
  setRoundedUp, setRounding, SNAN, squareRootFinite, swapAB, toInteger, toIntegral, UE, unmasked, unpack80, unpack32, unpack64,
  unpackInteger, UNSUPPORTED, ZE, ZERO,
} from "./softfloat";
import {
  address, begin, blocked, C0, C1, C2, C3, CONDITION, DEFAULT_SE, DEFAULT_SIG, ES, FCW, finish, FSW, FTOP, FTW,
  hasRoom, isNan, loadRegister, moveTop, openTop, PENDING, physical, pop, pops, precision, PROCEED, push, replaceTop,
  setStatus, settle, setValid, SF, stackFault, status, take, takeA, takeInfinity, takeInvalid, takeNan, takeRounded, takeZero,
  valid, valueSe, valueSig, WIDE, withSummary, write, X87,
} from "./x87_stack";

/** Recomputes ES and B, for a new control or status word. */
export function x87_summary(base: usize): void {
  setStatus(base, status(base));
}

const ADD: i32 = 0;
const MULTIPLY: i32 = 1;
const SUBTRACT: i32 = 4;
const SUBTRACT_REVERSED: i32 = 5;
const DIVIDE: i32 = 6;
const DIVIDE_REVERSED: i32 = 7;

/** value = a op b. */
function arithmetic(op: i32): void {
  if (op == SUBTRACT_REVERSED || op == DIVIDE_REVERSED) {
    swapAB();
    op--;
  }
  if (takeNan()) return;
  const a = aClass, b = bClass;
  if (op == ADD || op == SUBTRACT) {
    if (op == SUBTRACT) negateB();
    if (a == INFINITE && b == INFINITE && aSign != bSign) return takeInvalid();
    if (aDenormal || bDenormal) raise(DE);
    if (a == INFINITE) return takeInfinity(aSign);
    if (b == INFINITE) return takeInfinity(bSign);
    if (a == ZERO && b == ZERO) return takeZero(aSign == bSign ? aSign : rc == 1 ? 1 : 0);
    if (a == ZERO) swapAB();
    if (bClass == ZERO) resultFromA();
    else addFinite();
    return takeRounded(precision);
  }
  const sign = aSign ^ bSign;
  if (op == MULTIPLY) {
    if ((a == INFINITE && b == ZERO) || (a == ZERO && b == INFINITE)) return takeInvalid();
    if (aDenormal || bDenormal) raise(DE);
    if (a == INFINITE || b == INFINITE) return takeInfinity(sign);
    if (a == ZERO || b == ZERO) return takeZero(sign);
    multiplyFinite();
    return takeRounded(precision);
  }
  if (a == b && (a == ZERO || a == INFINITE)) return takeInvalid();
  if (b == ZERO) {
    if (a == FINITE) raise(ZE);
    return takeInfinity(sign);
  }
  if (aDenormal || bDenormal) raise(DE);
  if (a == INFINITE) return takeInfinity(sign);
  if (a == ZERO || b == INFINITE) return takeZero(sign);
  divideFinite();
  takeRounded(precision);
}

/** Unpacks a memory operand: kind 0 = 32-bit float, 1 = 64-bit float, 2 = integer. */
function unpackMemory(kind: i32, bits: i64): void {
  if (kind == 0) unpack32(<u32> bits);
  else if (kind == 1) unpack64(<u64> bits);
  else unpackInteger(bits);
}

/** ST(destination) = ST(destination) op ST(source), then `popCount` pops. */
export function x87_arithmetic(base: usize, op: i32, destination: i32, source: i32, popCount: i32): void {
  begin(base);
  if (!valid(base, destination) || !valid(base, source)) {
    if (!stackFault(base, false)) return;
    write(base, destination, DEFAULT_SE, DEFAULT_SIG);
    return pops(base, popCount);
  }
  loadRegister(base, source);
  moveAtoB();
  loadRegister(base, destination);
  arithmetic(op);
  finish(base);
  if (blocked()) return;
  write(base, destination, valueSe, valueSig);
  pops(base, popCount);
}

/** ST(0) = ST(0) op memory. */
export function x87_arithmetic_memory(base: usize, op: i32, kind: i32, bits: i64): void {
  begin(base);
  if (!valid(base, 0)) {
    if (stackFault(base, false)) write(base, 0, DEFAULT_SE, DEFAULT_SIG);
    return;
  }
  unpackMemory(kind, bits);
  moveAtoB();
  loadRegister(base, 0);
  arithmetic(op);
  finish(base);
  if (!blocked()) write(base, 0, valueSe, valueSig);
}

/** a op b, both given: `bits` are a memory operand's, or (kind 3) a register's significand, whose sign and exponent is `bSe`. */
export function x87_evaluate(base: usize, op: i32, aSe: i32, aSignificand: u64, kind: i32, bits: i64, bSe: i32): u64 {
  begin(base);
  if (kind == 3) unpack80(bits, bSe);
  else unpackMemory(kind, bits);
  moveAtoB();
  unpack80(aSignificand, aSe);
  arithmetic(op);
  settle(base, valueSe);
  return valueSig;
}

/** A memory operand as a register holds it. */
export function x87_widen(base: usize, kind: i32, bits: i64): u64 {
  begin(base);
  unpackMemory(kind, bits);
  if (aClass == SNAN) raise(IE);
  if (aDenormal) raise(DE);
  takeA();
  clear(PE | UE | OE);
  setRoundedUp(false);
  settle(base, valueSe);
  return valueSig;
}

// ---- comparisons

/** C3 C2 C0 of a compared with b; unordered raises IE unless `quiet` and no SNaN is there. */
function compareCodes(quiet: bool): i32 {
  if (aClass >= QNAN || bClass >= QNAN) {
    if (!quiet || aClass >= SNAN || bClass >= SNAN) raise(IE);
    return C3 | C2 | C0;
  }
  if (aDenormal || bDenormal) raise(DE);
  const order = compareNumbers();
  return order > 0 ? 0 : order < 0 ? C0 : C3;
}

function finishCompare(base: usize, codes: i32, popCount: i32): void {
  if (blocked()) {
    finish(base);
    return;
  }
  setStatus(base, (status(base) & ~CONDITION) | flags | codes);
  pops(base, popCount);
}

function compareFault(base: usize, popCount: i32): void {
  if (!stackFault(base, false)) return;
  setStatus(base, status(base) | C3 | C2 | C0);
  pops(base, popCount);
}

export function x87_compare(base: usize, i: i32, quiet: i32, popCount: i32): void {
  begin(base);
  if (!valid(base, 0) || !valid(base, i)) return compareFault(base, popCount);
  loadRegister(base, i);
  moveAtoB();
  loadRegister(base, 0);
  finishCompare(base, compareCodes(quiet != 0), popCount);
}

export function x87_compare_memory(base: usize, kind: i32, bits: i64, popCount: i32): void {
  begin(base);
  if (!valid(base, 0)) return compareFault(base, popCount);
  unpackMemory(kind, bits);
  moveAtoB();
  loadRegister(base, 0);
  finishCompare(base, compareCodes(false), popCount);
}

/** FTST. */
export function x87_test(base: usize): void {
  x87_compare_memory(base, 2, 0, 0);
}

/** FCOMI, FUCOMI: the EFLAGS image of ZF PF CF, or −1 if nothing is to change. */
export function x87_comi(base: usize, i: i32, quiet: i32, popCount: i32): i32 {
  begin(base);
  if (!valid(base, 0) || !valid(base, i)) {
    if (!stackFault(base, false)) return -1;
    pops(base, popCount);
    return 0x45;
  }
  loadRegister(base, i);
  moveAtoB();
  loadRegister(base, 0);
  const codes = compareCodes(quiet != 0);
  setStatus(base, status(base) | flags);
  if (blocked()) return -1;
  pops(base, popCount);
  return ((codes & C0) != 0 ? 1 : 0) | ((codes & C2) != 0 ? 4 : 0) | ((codes & C3) != 0 ? 0x40 : 0);
}

/** FXAM. */
export function x87_examine(base: usize): void {
  loadRegister(base, 0);
  let codes = 0;
  if (!valid(base, 0)) codes = C3 | C0;
  else if (aClass == ZERO) codes = C3;
  else if (aClass == FINITE) codes = aDenormal ? C3 | C2 : C2;
  else if (aClass == INFINITE) codes = C2 | C0;
  else if (aClass != UNSUPPORTED) codes = C0;
  if (aSign != 0) codes |= C1;
  store<i32>(base, (status(base) & ~CONDITION) | codes, FSW);
}

// ---- loads

/** Pushes a memory operand: kinds as in arithmetic. */
export function x87_load(base: usize, kind: i32, bits: i64): void {
  begin(base);
  unpackMemory(kind, bits);
  if (aClass == SNAN) raise(IE);
  if (aDenormal) raise(DE);
  if (!hasRoom(base)) return;
  takeA();
  clear(PE | UE | OE);
  setRoundedUp(false);
  finish(base);
  if (!blocked()) push(base, valueSe, valueSig);
}

/** FLD m80: no conversion, no exception but the stack's. */
export function x87_load80(base: usize, sig: i64, se: i32): void {
  if (!hasRoom(base)) return;
  setStatus(base, status(base) & ~C1);
  push(base, se, sig);
}

/** FLD ST(i). */
export function x87_load_register(base: usize, i: i32): void {
  if (!valid(base, i)) {
    if (stackFault(base, false)) push(base, DEFAULT_SE, DEFAULT_SIG);
    return;
  }
  const at = address(base, i);
  x87_load80(base, load<u64>(at), load<u16>(at, 8));
}

/** FLD1 FLDL2T FLDL2E FLDPI FLDLG2 FLDLN2 FLDZ, by 0–6; the irrational ones are rounded as FCW.RC says. */
export function x87_load_constant(base: usize, which: i32): void {
  begin(base);
  const up = rc == 2, down = rc == 1 || rc == 3;
  if (which == 0) x87_load80(base, 0x8000000000000000, 0x3fff);
  else if (which == 1) x87_load80(base, 0xd49a784bcd1b8afe + (up ? 1 : 0), 0x4000);
  else if (which == 2) x87_load80(base, 0xb8aa3b295c17f0bc - (down ? 1 : 0), 0x3fff);
  else if (which == 3) x87_load80(base, 0xc90fdaa22168c235 - (down ? 1 : 0), 0x4000);
  else if (which == 4) x87_load80(base, 0x9a209a84fbcff799 - (down ? 1 : 0), 0x3ffd);
  else if (which == 5) x87_load80(base, 0xb17217f7d1cf79ac - (down ? 1 : 0), 0x3ffe);
  else x87_load80(base, 0, 0);
}

// ---- stores: the value first, the commit after the memory access

/** Leaves what the definition commits after its memory access: the status word, and whether to store and pop at all. */
function pend(base: usize, statusBits: i32, proceed: bool): void {
  store<i32>(base, withSummary(base, (status(base) & ~C1) | statusBits), PENDING);
  store<i32>(base, proceed ? 1 : 0, PROCEED);
}

function pendResult(base: usize): void {
  const c1 = roundedUp && (flags & PE) != 0 ? C1 : 0;
  pend(base, flags | c1, (flags & unmasked & (IE | OE | UE)) == 0);
}

function pendStackFault(base: usize): void {
  pend(base, IE | SF, (load<i32>(base, FCW) & IE) != 0);
}

/** FST m32 and m64: the bits to store. */
export function x87_to_float(base: usize, wide: i32): i64 {
  begin(base);
  if (!valid(base, 0)) {
    pendStackFault(base);
    return wide != 0 ? 0xfff8000000000000 : 0xffc00000;
  }
  loadRegister(base, 0);
  const result = narrow(wide);
  pendResult(base);
  return result;
}

/** The bits of a as m32 or m64. */
function narrow(wide: i32): i64 {
  setControl(rc, unmasked, false, false);
  const kind = aClass;
  let result: u64;
  const sign: u64 = wide != 0 ? <u64> aSign << 63 : <u64> aSign << 31;
  if (kind == UNSUPPORTED) {
    raise(IE);
    result = wide != 0 ? 0xfff8000000000000 : 0xffc00000;
  } else if (isNan(kind)) {
    if (kind == SNAN) raise(IE);
    result = wide != 0
      ? sign | 0x7ff8000000000000 | ((aSig << 1) >> 12)
      : sign | 0x7fc00000 | ((aSig >> 40) & 0x3fffff);
  } else if (kind == ZERO) {
    result = sign;
  } else if (kind == INFINITE) {
    result = sign | (wide != 0 ? 0x7ff0000000000000 : 0x7f800000);
  } else {
    resultFromA();
    roundResult(wide != 0 ? 53 : 24, wide != 0 ? 1023 : 127);
    result = wide != 0 ? pack64(aSign) : <u64> pack32(aSign);
  }
  return result;
}

/** FST m32 and m64 of a number that is given. */
export function x87_narrow(base: usize, se: i32, sig: u64, wide: i32): i64 {
  begin(base);
  unpack80(sig, se);
  const result = narrow(wide);
  settle(base, 0);
  return result;
}

/** FIST and FISTTP: the integer to store, of `bits` bits. */
export function x87_to_integer(base: usize, bits: i32, truncate: i32): i64 {
  begin(base);
  if (!valid(base, 0)) {
    pendStackFault(base);
    return indefinite(bits);
  }
  loadRegister(base, 0);
  const result = integer(bits, truncate);
  pendResult(base);
  return result;
}

/** FIST and FISTTP of a number that is given. */
export function x87_integer(base: usize, se: i32, sig: u64, bits: i32, truncate: i32): i64 {
  begin(base);
  unpack80(sig, se);
  const result = integer(bits, truncate);
  settle(base, 0);
  return result;
}

/** The integer that stands for none. */
function indefinite(bits: i32): i64 {
  return -0x8000000000000000 >> (64 - bits);
}

/** a as an integer of `bits` bits. */
function integer(bits: i32, truncate: i32): i64 {
  if (truncate != 0) setRounding(3);
  const limit: u64 = ((<u64> 1) << (bits - 1)) - 1;
  let result: i64 = 0;
  if (aClass == FINITE) {
    result = toInteger(limit, limit + 1);
    if (noInteger) result = indefinite(bits);
  } else if (aClass != ZERO) {
    raise(IE);
    result = indefinite(bits);
  }
  return result;
}

/** FSTP m80: leaves the value at S.KERNEL + 8. */
export function x87_to_wide(base: usize): void {
  if (!valid(base, 0)) {
    pendStackFault(base);
    store<u64>(base, DEFAULT_SIG, WIDE);
    store<i32>(base, DEFAULT_SE, WIDE + 8);
    return;
  }
  const at = address(base, 0);
  pend(base, 0, true);
  store<u64>(base, load<u64>(at), WIDE);
  store<i32>(base, load<u16>(at, 8), WIDE + 8);
}

/** FBSTP: leaves 18 packed digits and the sign at S.KERNEL + 8. */
export function x87_to_decimal(base: usize): void {
  begin(base);
  let digits: u64 = 0, top: i32 = 0;
  let bad = !valid(base, 0);
  if (bad) {
    pendStackFault(base);
  } else {
    loadRegister(base, 0);
    let magnitude: u64 = 0;
    if (aClass == FINITE) {
      const value = toInteger(999999999999999999, 999999999999999999);
      bad = noInteger;
      magnitude = value < 0 ? <u64> (0 - value) : <u64> value;
    } else if (aClass != ZERO) {
      raise(IE);
      bad = true;
    }
    for (let i = 0; i < 64; i += 4) {
      digits |= (magnitude % 10) << i;
      magnitude /= 10;
    }
    top = <i32> (magnitude % 10) | (<i32> (magnitude / 10) << 4) | (aSign << 15);
    pendResult(base);
  }
  store<u64>(base, bad ? DEFAULT_SIG : digits, WIDE);
  store<i32>(base, bad ? 0xffff : top, WIDE + 8);
}

/** FBLD. */
export function x87_load_decimal(base: usize, low: i64, high: i32): void {
  begin(base);
  let value: u64 = ((high >> 4) & 15) * 10 + (high & 15);
  for (let i = 60; i >= 0; i -= 4) value = value * 10 + ((<u64> low >> i) & 15);
  unpackInteger(value);
  takeA();
  x87_load80(base, valueSig, valueSe | (high & 0x8000));
}

// ---- register moves

/** FST ST(i), FSTP ST(i). */
export function x87_store_register(base: usize, i: i32, popCount: i32): void {
  if (!valid(base, 0)) {
    if (!stackFault(base, false)) return;
    write(base, i, DEFAULT_SE, DEFAULT_SIG);
    return pops(base, popCount);
  }
  const at = address(base, 0);
  setStatus(base, status(base) & ~C1);
  write(base, i, load<u16>(at, 8), load<u64>(at));
  pops(base, popCount);
}

/** The alias D9 D8+i of FSTP ST(i): an empty register is no fault, it makes the destination empty. */
export function x87_store_unchecked(base: usize, i: i32): void {
  const at = address(base, 0);
  setStatus(base, status(base) & ~C1);
  if (valid(base, 0)) write(base, i, load<u16>(at, 8), load<u64>(at));
  else setValid(base, i, false);
  pop(base);
}

export function x87_exchange(base: usize, i: i32): void {
  const here = address(base, 0), there = address(base, i);
  const empty0 = !valid(base, 0), emptyI = !valid(base, i);
  if (empty0 || emptyI) {
    if (!stackFault(base, false)) return;
    if (empty0) write(base, 0, DEFAULT_SE, DEFAULT_SIG);
    if (emptyI) write(base, i, DEFAULT_SE, DEFAULT_SIG);
  } else {
    setStatus(base, status(base) & ~C1);
  }
  const sig = load<u64>(here), se = load<u16>(here, 8);
  write(base, 0, load<u16>(there, 8), load<u64>(there));
  write(base, i, se, sig);
}

/** FCMOVcc; the condition is evaluated outside. */
export function x87_conditional_move(base: usize, i: i32, condition: i32): void {
  if (!valid(base, 0) || !valid(base, i)) {
    if (stackFault(base, false)) write(base, 0, DEFAULT_SE, DEFAULT_SIG);
    return;
  }
  if (condition == 0) return;
  const at = address(base, i);
  write(base, 0, load<u16>(at, 8), load<u64>(at));
}

/** FCHS (mode 0) and FABS (1). */
export function x87_sign(base: usize, mode: i32): void {
  if (!valid(base, 0)) {
    if (stackFault(base, false)) write(base, 0, DEFAULT_SE, DEFAULT_SIG);
    return;
  }
  setStatus(base, status(base) & ~C1);
  const at = address(base, 0), se = load<u16>(at, 8);
  store<u16>(at, mode == 0 ? se ^ 0x8000 : se & 0x7fff, 8);
}

/** FINCSTP (1), FDECSTP (−1). */
export function x87_rotate(base: usize, by: i32): void {
  moveTop(base, by);
  setStatus(base, status(base) & ~C1);
}

/** FFREE, FFREEP. */
export function x87_free(base: usize, i: i32, popCount: i32): void {
  setStatus(base, status(base) & ~C1);
  setValid(base, i, false);
  pops(base, popCount);
}

export function x87_initialise(base: usize): void {
  store<i32>(base, 0x37f, FCW);
  store<i32>(base, 0, FSW);
  store<i32>(base, 0, FTOP);
  store<i32>(base, 0, FTW);
}

export function x87_clear_exceptions(base: usize): void {
  store<i32>(base, status(base) & 0x7f00, FSW);
}

// ---- one operand

export function x87_square_root(base: usize): void {
  if (!openTop(base)) return;
  if (aClass == ZERO) takeZero(aSign);
  else if (aSign != 0) takeInvalid();
  else {
    if (aDenormal) raise(DE);
    if (aClass == INFINITE) takeInfinity(0);
    else {
      squareRootFinite();
      takeRounded(precision);
    }
  }
  replaceTop(base);
}

export function x87_round_to_integral(base: usize): void {
  if (!openTop(base)) return;
  if (aClass == ZERO) takeZero(aSign);
  else if (aClass == INFINITE) takeInfinity(aSign);
  else {
    if (aDenormal) raise(DE);
    toIntegral();
    const inexact = flags & PE, up = roundedUp;
    takeRounded(64);
    raise(inexact);
    setRoundedUp(up);
  }
  replaceTop(base);
}

/** FXTRACT: ST(0) becomes the exponent, then the significand is pushed. */
export function x87_extract(base: usize): void {
  begin(base);
  if (!valid(base, 0) || valid(base, 7)) {
    const overflow = valid(base, 0);
    if (!stackFault(base, overflow)) return;
    write(base, 0, DEFAULT_SE, DEFAULT_SIG);
    return push(base, DEFAULT_SE, DEFAULT_SIG);
  }
  loadRegister(base, 0);
  let se: i32, sig: u64;
  if (aClass >= QNAN) {
    if (aClass == UNSUPPORTED) takeInvalid();
    else {
      if (aClass == SNAN) raise(IE);
      take((aSign << 15) | 0x7fff, aSig | QUIET_BIT);
    }
    se = valueSe;
    sig = valueSig;
  } else if (aClass == ZERO) {
    raise(ZE);
    se = aSign << 15;
    sig = 0;
    takeInfinity(1);
  } else if (aClass == INFINITE) {
    se = (aSign << 15) | 0x7fff;
    sig = INTEGER_BIT;
    takeInfinity(0);
  } else {
    if (aDenormal) raise(DE);
    se = (aSign << 15) | 0x3fff;
    sig = aSig;
    const exponent = aExp;
    unpackInteger(exponent);
    takeA();
  }
  finish(base);
  if (blocked()) return;
  write(base, 0, valueSe, valueSig);
  push(base, se, sig);
}

/** FSCALE: ST(0) × 2^trunc(ST(1)). */
export function x87_scale(base: usize): void {
  begin(base);
  if (!valid(base, 0) || !valid(base, 1)) {
    if (stackFault(base, false)) write(base, 0, DEFAULT_SE, DEFAULT_SIG);
    return;
  }
  loadRegister(base, 1);
  moveAtoB();
  loadRegister(base, 0);
  if (!takeNan()) scaleNumbers();
  replaceTop(base);
}

function scaleNumbers(): void {
  if (bClass == INFINITE) {
    if ((bSign == 0 && aClass == ZERO) || (bSign != 0 && aClass == INFINITE)) return takeInvalid();
    if (aDenormal) raise(DE);
    if (bSign != 0) takeZero(aSign);
    else takeInfinity(aSign);
    return;
  }
  if (aDenormal || bDenormal) raise(DE);
  if (aClass == ZERO) return takeZero(aSign);
  if (aClass == INFINITE) return takeInfinity(aSign);
  let count: i32 = 0;
  if (bClass == FINITE && bExp >= 0) {
    count = bExp > 16 ? 0x20000 : <i32> (bSig >> (63 - bExp));
    if (bSign != 0) count = -count;
  }
  setResult(aSign, aExp + count, aSig, 0);
  takeRounded(64);
}

/** FPREM (nearest 0) and FPREM1 (nearest 1). */
export function x87_remainder(base: usize, nearest: i32): void {
  begin(base);
  if (!valid(base, 0) || !valid(base, 1)) {
    store<i32>(base, status(base) & ~C2, FSW);
    if (stackFault(base, false)) write(base, 0, DEFAULT_SE, DEFAULT_SIG);
    return;
  }
  loadRegister(base, 1);
  moveAtoB();
  loadRegister(base, 0);
  let codes = 0, changed = CONDITION;
  // Without a quotient only C2 and C1 are cleared.
  if (takeNan()) changed = C2 | C1;
  else if (aClass == INFINITE || bClass == ZERO) {
    takeInvalid();
    changed = C2 | C1;
  } else {
    if (aDenormal || bDenormal) raise(DE);
    const at = address(base, 0);
    const se: i32 = load<u16>(at, 8), sig = load<u64>(at);
    // A pseudo-denormal becomes the normal number that it is.
    if (aClass == ZERO || bClass == INFINITE) take((se & 0x7fff) == 0 ? se | <i32> (sig >> 63) : se, sig);
    else codes = reduce(nearest != 0);
  }
  replaceTop(base);
  if (!blocked()) store<i32>(base, (status(base) & ~changed) | codes, FSW);
}

/** The partial remainder of a by b; gives the condition codes (C2 = incomplete, C0 C3 C1 = quotient bits 2 1 0). */
function reduce(nearest: bool): i32 {
  let difference = aExp - bExp;
  const sign = aSign;
  if (difference < -1 || (difference < 0 && !nearest)) {
    resultFromA();
    takeRounded(64);
    return 0;
  }
  let rest = aSig, quotient: u64 = 0;
  let incomplete = false, rounds = difference;
  if (difference >= 64) {
    // Reduces the exponent by 32 to 63, like the hardware's iterations.
    rounds = 32 + (difference & 31);
    incomplete = true;
  }
  let carry = false;
  let exponent = bExp;
  if (difference < 0) {
    // Nearest only: a is between b / 4 and b, compare it with b / 2.
    const twice = rest > bSig;
    setResult(sign, aExp, rest, 0);
    if (!twice) {
      takeRounded(64);
      return 0;
    }
    // b − a, with a = rest × 2^-1: the exponents differ by one.
    setResult(sign ^ 1, aExp, 0, 0);
    const lo = bSig << 1, hi = bSig >> 63;
    const delta = lo - rest;
    const deltaHi = hi - (lo < rest ? <u64> 1 : 0);
    return subtracted(sign ^ 1, aExp, deltaHi, delta, 1);
  }
  for (let i = rounds; i >= 0; i--) {
    quotient <<= 1;
    if (carry || rest >= bSig) {
      rest -= bSig;
      quotient |= 1;
    }
    if (i > 0) {
      carry = (rest >> 63) != 0;
      rest <<= 1;
    }
  }
  if (incomplete) {
    exponent = aExp - rounds;
    if (rest == 0) takeZero(sign);
    else {
      normaliseInto(sign, exponent, rest);
      takeRounded(64);
    }
    return C2;
  }
  let resultSign = sign;
  if (nearest && rest != 0) {
    const half = (rest >> 63) != 0, twice = rest << 1;
    if (half || twice > bSig || (twice == bSig && (quotient & 1) != 0)) {
      rest = bSig - rest;
      resultSign ^= 1;
      quotient++;
    }
  }
  if (rest == 0) takeZero(sign);
  else {
    normaliseInto(resultSign, exponent, rest);
    takeRounded(64);
  }
  return quotientCodes(quotient);
}

function quotientCodes(quotient: u64): i32 {
  return ((quotient & 4) != 0 ? C0 : 0) | ((quotient & 2) != 0 ? C3 : 0) | ((quotient & 1) != 0 ? C1 : 0);
}

function normaliseInto(sign: i32, exponent: i32, sig: u64): void {
  const shift = <i32> clz(sig);
  setResult(sign, exponent - shift, sig << shift, 0);
}

/** A 65-bit difference as the result, with the condition codes of quotient 1. */
function subtracted(sign: i32, exponent: i32, hi: u64, lo: u64, quotient: u64): i32 {
  if (hi != 0) setResult(sign, exponent + 1, INTEGER_BIT | (lo >> 1), lo << 63);
  else normaliseInto(sign, exponent, lo);
  takeRounded(64);
  return quotientCodes(quotient);
}

// ---- state images

/** The full tag word (two bits per physical register). */
export function x87_tag_word(base: usize): i32 {
  let word = 0;
  const tags = x87_abridged_tags(base);
  for (let i = 0; i < 8; i++) {
    const at = base + X87 + (i << 4), sig = load<u64>(at), exp = <i32> load<u16>(at, 8) & 0x7fff;
    let tag = 3;
    if (((tags >> i) & 1) != 0) {
      if (exp == 0 && sig == 0) tag = 1;
      else if (exp == 0 || exp == 0x7fff || (sig & INTEGER_BIT) == 0) tag = 2;
      else tag = 0;
    }
    word |= tag << (i * 2);
  }
  return word;
}

/** Sets the tags from a full tag word: 3 is empty. TOP has its new value. */
export function x87_set_tag_word(base: usize, word: i32): void {
  let tags = 0;
  for (let i = 0; i < 8; i++) if (((word >> (i * 2)) & 3) != 3) tags |= 1 << i;
  x87_set_abridged_tags(base, tags);
}

/** FXSAVE's tags: a bit for each physical register, 1 = in use. */
export function x87_abridged_tags(base: usize): i32 {
  const tags = load<i32>(base, FTW) << load<i32>(base, FTOP);
  return (tags | (tags >> 8)) & 0xff;
}

/** Sets the tags from FXSAVE's. TOP has its new value. */
export function x87_set_abridged_tags(base: usize, tags: i32): void {
  const doubled = (tags & 0xff) * 0x101;
  store<i32>(base, (doubled >> load<i32>(base, FTOP)) & 0xff, FTW);
}

/** The status word with TOP. */
export function x87_status_word(base: usize): i32 {
  return (status(base) & 0xc7ff) | (load<i32>(base, FTOP) << 11);
}

/** Sets status word and TOP; ES and B are recomputed. */
export function x87_set_status_word(base: usize, word: i32): void {
  store<i32>(base, (word >> 11) & 7, FTOP);
  setStatus(base, word & 0x47ff);
}

/** The significand of ST(i), for FSAVE and FXSAVE. */
export function x87_significand(base: usize, i: i32): i64 {
  return load<i64>(address(base, i));
}

export function x87_sign_exponent(base: usize, i: i32): i32 {
  return load<u16>(address(base, i), 8);
}

/** Replaces ST(i) without touching tags, for FRSTOR and FXRSTOR. */
export function x87_set_register(base: usize, i: i32, sig: i64, se: i32): void {
  const at = address(base, i);
  store<i64>(at, sig);
  store<u16>(at, <u16> se, 8);
}
