/**
 * MMX and SSE integer operations on registers in the state memory. `bytes` is 16 for an SSE destination and 8 for an MMX
 * one, whose upper 16 bits then read as all ones. Intel SDM vol. 2, P….
 */
import { get, put, put64 } from "./lanes";

// ---- lane by lane

function LOW_HALVES(): v128 {
  return i64x2.splat(0xffffffff);
}

/** The upper 16 bits of eight doublewords. */
function upperHalves(low: v128, high: v128): v128 {
  return v128.shuffle<i16>(low, high, 1, 3, 5, 7, 9, 11, 13, 15);
}

export function paddb(destination: usize, source: usize, bytes: i32): void {
  const a = get(destination, bytes), b = get(source, bytes);
  put(destination, bytes, v128.add<i8>(a, b));
}

export function paddw(destination: usize, source: usize, bytes: i32): void {
  const a = get(destination, bytes), b = get(source, bytes);
  put(destination, bytes, v128.add<i16>(a, b));
}

export function paddd(destination: usize, source: usize, bytes: i32): void {
  const a = get(destination, bytes), b = get(source, bytes);
  put(destination, bytes, v128.add<i32>(a, b));
}

export function paddq(destination: usize, source: usize, bytes: i32): void {
  const a = get(destination, bytes), b = get(source, bytes);
  put(destination, bytes, v128.add<i64>(a, b));
}

export function psubb(destination: usize, source: usize, bytes: i32): void {
  const a = get(destination, bytes), b = get(source, bytes);
  put(destination, bytes, v128.sub<i8>(a, b));
}

export function psubw(destination: usize, source: usize, bytes: i32): void {
  const a = get(destination, bytes), b = get(source, bytes);
  put(destination, bytes, v128.sub<i16>(a, b));
}

export function psubd(destination: usize, source: usize, bytes: i32): void {
  const a = get(destination, bytes), b = get(source, bytes);
  put(destination, bytes, v128.sub<i32>(a, b));
}

export function psubq(destination: usize, source: usize, bytes: i32): void {
  const a = get(destination, bytes), b = get(source, bytes);
  put(destination, bytes, v128.sub<i64>(a, b));
}

export function paddsb(destination: usize, source: usize, bytes: i32): void {
  const a = get(destination, bytes), b = get(source, bytes);
  put(destination, bytes, v128.add_sat<i8>(a, b));
}

export function paddsw(destination: usize, source: usize, bytes: i32): void {
  const a = get(destination, bytes), b = get(source, bytes);
  put(destination, bytes, v128.add_sat<i16>(a, b));
}

export function paddusb(destination: usize, source: usize, bytes: i32): void {
  const a = get(destination, bytes), b = get(source, bytes);
  put(destination, bytes, v128.add_sat<u8>(a, b));
}

export function paddusw(destination: usize, source: usize, bytes: i32): void {
  const a = get(destination, bytes), b = get(source, bytes);
  put(destination, bytes, v128.add_sat<u16>(a, b));
}

export function psubsb(destination: usize, source: usize, bytes: i32): void {
  const a = get(destination, bytes), b = get(source, bytes);
  put(destination, bytes, v128.sub_sat<i8>(a, b));
}

export function psubsw(destination: usize, source: usize, bytes: i32): void {
  const a = get(destination, bytes), b = get(source, bytes);
  put(destination, bytes, v128.sub_sat<i16>(a, b));
}

export function psubusb(destination: usize, source: usize, bytes: i32): void {
  const a = get(destination, bytes), b = get(source, bytes);
  put(destination, bytes, v128.sub_sat<u8>(a, b));
}

export function psubusw(destination: usize, source: usize, bytes: i32): void {
  const a = get(destination, bytes), b = get(source, bytes);
  put(destination, bytes, v128.sub_sat<u16>(a, b));
}

export function pcmpeqb(destination: usize, source: usize, bytes: i32): void {
  const a = get(destination, bytes), b = get(source, bytes);
  put(destination, bytes, v128.eq<i8>(a, b));
}

export function pcmpeqw(destination: usize, source: usize, bytes: i32): void {
  const a = get(destination, bytes), b = get(source, bytes);
  put(destination, bytes, v128.eq<i16>(a, b));
}

export function pcmpeqd(destination: usize, source: usize, bytes: i32): void {
  const a = get(destination, bytes), b = get(source, bytes);
  put(destination, bytes, v128.eq<i32>(a, b));
}

export function pcmpeqq(destination: usize, source: usize, bytes: i32): void {
  const a = get(destination, bytes), b = get(source, bytes);
  put(destination, bytes, v128.eq<i64>(a, b));
}

export function pcmpgtb(destination: usize, source: usize, bytes: i32): void {
  const a = get(destination, bytes), b = get(source, bytes);
  put(destination, bytes, v128.gt<i8>(a, b));
}

export function pcmpgtw(destination: usize, source: usize, bytes: i32): void {
  const a = get(destination, bytes), b = get(source, bytes);
  put(destination, bytes, v128.gt<i16>(a, b));
}

export function pcmpgtd(destination: usize, source: usize, bytes: i32): void {
  const a = get(destination, bytes), b = get(source, bytes);
  put(destination, bytes, v128.gt<i32>(a, b));
}

export function pcmpgtq(destination: usize, source: usize, bytes: i32): void {
  const a = get(destination, bytes), b = get(source, bytes);
  put(destination, bytes, v128.gt<i64>(a, b));
}

export function pminub(destination: usize, source: usize, bytes: i32): void {
  const a = get(destination, bytes), b = get(source, bytes);
  put(destination, bytes, v128.min<u8>(a, b));
}

export function pmaxub(destination: usize, source: usize, bytes: i32): void {
  const a = get(destination, bytes), b = get(source, bytes);
  put(destination, bytes, v128.max<u8>(a, b));
}

export function pminsw(destination: usize, source: usize, bytes: i32): void {
  const a = get(destination, bytes), b = get(source, bytes);
  put(destination, bytes, v128.min<i16>(a, b));
}

export function pmaxsw(destination: usize, source: usize, bytes: i32): void {
  const a = get(destination, bytes), b = get(source, bytes);
  put(destination, bytes, v128.max<i16>(a, b));
}

export function pminsb(destination: usize, source: usize, bytes: i32): void {
  const a = get(destination, bytes), b = get(source, bytes);
  put(destination, bytes, v128.min<i8>(a, b));
}

export function pmaxsb(destination: usize, source: usize, bytes: i32): void {
  const a = get(destination, bytes), b = get(source, bytes);
  put(destination, bytes, v128.max<i8>(a, b));
}

export function pminuw(destination: usize, source: usize, bytes: i32): void {
  const a = get(destination, bytes), b = get(source, bytes);
  put(destination, bytes, v128.min<u16>(a, b));
}

export function pmaxuw(destination: usize, source: usize, bytes: i32): void {
  const a = get(destination, bytes), b = get(source, bytes);
  put(destination, bytes, v128.max<u16>(a, b));
}

export function pminsd(destination: usize, source: usize, bytes: i32): void {
  const a = get(destination, bytes), b = get(source, bytes);
  put(destination, bytes, v128.min<i32>(a, b));
}

export function pmaxsd(destination: usize, source: usize, bytes: i32): void {
  const a = get(destination, bytes), b = get(source, bytes);
  put(destination, bytes, v128.max<i32>(a, b));
}

export function pminud(destination: usize, source: usize, bytes: i32): void {
  const a = get(destination, bytes), b = get(source, bytes);
  put(destination, bytes, v128.min<u32>(a, b));
}

export function pmaxud(destination: usize, source: usize, bytes: i32): void {
  const a = get(destination, bytes), b = get(source, bytes);
  put(destination, bytes, v128.max<u32>(a, b));
}

export function pavgb(destination: usize, source: usize, bytes: i32): void {
  const a = get(destination, bytes), b = get(source, bytes);
  put(destination, bytes, v128.avgr<u8>(a, b));
}

export function pavgw(destination: usize, source: usize, bytes: i32): void {
  const a = get(destination, bytes), b = get(source, bytes);
  put(destination, bytes, v128.avgr<u16>(a, b));
}

export function pmullw(destination: usize, source: usize, bytes: i32): void {
  const a = get(destination, bytes), b = get(source, bytes);
  put(destination, bytes, v128.mul<i16>(a, b));
}

export function pmulld(destination: usize, source: usize, bytes: i32): void {
  const a = get(destination, bytes), b = get(source, bytes);
  put(destination, bytes, v128.mul<i32>(a, b));
}

export function pmaddwd(destination: usize, source: usize, bytes: i32): void {
  const a = get(destination, bytes), b = get(source, bytes);
  put(destination, bytes, v128.dot<i16>(a, b));
}

export function pmuludq(destination: usize, source: usize, bytes: i32): void {
  const a = get(destination, bytes), b = get(source, bytes);
  put(destination, bytes, v128.mul<i64>(v128.and(a, LOW_HALVES()), v128.and(b, LOW_HALVES())));
}

export function pmuldq(destination: usize, source: usize, bytes: i32): void {
  const a = get(destination, bytes), b = get(source, bytes);
  put(destination, bytes, v128.mul<i64>(v128.shr<i64>(v128.shl<i64>(a, 32), 32), v128.shr<i64>(v128.shl<i64>(b, 32), 32)));
}

export function pmulhw(destination: usize, source: usize, bytes: i32): void {
  const a = get(destination, bytes), b = get(source, bytes);
  put(destination, bytes, upperHalves(i32x4.extmul_low_i16x8_s(a, b), i32x4.extmul_high_i16x8_s(a, b)));
}

export function pmulhuw(destination: usize, source: usize, bytes: i32): void {
  const a = get(destination, bytes), b = get(source, bytes);
  put(destination, bytes, upperHalves(i32x4.extmul_low_i16x8_u(a, b), i32x4.extmul_high_i16x8_u(a, b)));
}

export function punpcklbw(destination: usize, source: usize, bytes: i32): void {
  put(destination, bytes, v128.shuffle<i8>(get(destination, bytes), get(source, bytes), 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23));
}

export function punpcklwd(destination: usize, source: usize, bytes: i32): void {
  put(destination, bytes, v128.shuffle<i16>(get(destination, bytes), get(source, bytes), 0, 8, 1, 9, 2, 10, 3, 11));
}

export function punpckldq(destination: usize, source: usize, bytes: i32): void {
  put(destination, bytes, v128.shuffle<i32>(get(destination, bytes), get(source, bytes), 0, 4, 1, 5));
}

export function punpcklqdq(destination: usize, source: usize, bytes: i32): void {
  put(destination, bytes, v128.shuffle<i64>(get(destination, bytes), get(source, bytes), 0, 2));
}

export function punpckhbw(destination: usize, source: usize, bytes: i32): void {
  const a = get(destination, bytes), b = get(source, bytes);
  if (bytes == 16) v128.store(destination, v128.shuffle<i8>(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31));
  else put64(destination, v128.extract_lane<u64>(v128.shuffle<i8>(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23), 1));
}

export function punpckhwd(destination: usize, source: usize, bytes: i32): void {
  const a = get(destination, bytes), b = get(source, bytes);
  if (bytes == 16) v128.store(destination, v128.shuffle<i16>(a, b, 4, 12, 5, 13, 6, 14, 7, 15));
  else put64(destination, v128.extract_lane<u64>(v128.shuffle<i16>(a, b, 0, 8, 1, 9, 2, 10, 3, 11), 1));
}

export function punpckhdq(destination: usize, source: usize, bytes: i32): void {
  const a = get(destination, bytes), b = get(source, bytes);
  if (bytes == 16) v128.store(destination, v128.shuffle<i32>(a, b, 2, 6, 3, 7));
  else put64(destination, v128.extract_lane<u64>(v128.shuffle<i32>(a, b, 0, 4, 1, 5), 1));
}

export function punpckhqdq(destination: usize, source: usize, _bytes: i32): void {
  v128.store(destination, v128.shuffle<i64>(v128.load(destination), v128.load(source), 1, 3));
}

/** Both operands as the lower and upper part of what the pack instructions narrow. */
function joined(destination: usize, source: usize): v128 {
  return v128.load64_lane(source, v128.load64_zero(destination), 1);
}

export function packsswb(destination: usize, source: usize, bytes: i32): void {
  if (bytes == 16) v128.store(destination, v128.narrow<i16>(v128.load(destination), v128.load(source)));
  else {
    const both = joined(destination, source);
    put64(destination, v128.extract_lane<u64>(v128.narrow<i16>(both, both), 0));
  }
}

export function packuswb(destination: usize, source: usize, bytes: i32): void {
  if (bytes == 16) v128.store(destination, v128.narrow<u16>(v128.load(destination), v128.load(source)));
  else {
    const both = joined(destination, source);
    put64(destination, v128.extract_lane<u64>(v128.narrow<u16>(both, both), 0));
  }
}

export function packssdw(destination: usize, source: usize, bytes: i32): void {
  if (bytes == 16) v128.store(destination, v128.narrow<i32>(v128.load(destination), v128.load(source)));
  else {
    const both = joined(destination, source);
    put64(destination, v128.extract_lane<u64>(v128.narrow<i32>(both, both), 0));
  }
}

export function packusdw(destination: usize, source: usize, bytes: i32): void {
  if (bytes == 16) v128.store(destination, v128.narrow<u32>(v128.load(destination), v128.load(source)));
  else {
    const both = joined(destination, source);
    put64(destination, v128.extract_lane<u64>(v128.narrow<u32>(both, both), 0));
  }
}

/** Sums of absolute differences of bytes, one per 64 bits. */
export function psadbw(destination: usize, source: usize, bytes: i32): void {
  for (let at: usize = 0; at < <usize> bytes; at += 8) {
    let sum: u64 = 0;
    for (let i: usize = 0; i < 8; i++) {
      const a = <i32> load<u8>(destination + at + i), b = <i32> load<u8>(source + at + i);
      sum += a > b ? a - b : b - a;
    }
    store<u64>(destination + at, sum);
  }
  if (bytes == 8) store<u16>(destination, 0xffff, 8);
}

/**
 * Shifts every lane by `count`: operation 0–2 logical right, 4 and 5 arithmetic right, 8–10 left, each for words, doublewords and
 * quadwords. Counts beyond the lane give zeros, or the sign for arithmetic shifts.
 */
export function packed_shift(operation: i32, destination: usize, count: i64, bytes: i32): void {
  const a = get(destination, bytes), kind = operation & 3;
  const width: u64 = (<u64> 16) << kind;
  const beyond = <u64> count >= width;
  const by = beyond ? <i32> width - 1 : <i32> count;
  let result = i64x2.splat(0);
  if (operation == 4) result = v128.shr<i16>(a, by);
  else if (operation == 5) result = v128.shr<i32>(a, by);
  else if (!beyond) {
    if (operation == 0) result = v128.shr<u16>(a, by);
    else if (operation == 1) result = v128.shr<u32>(a, by);
    else if (operation == 2) result = v128.shr<u64>(a, by);
    else if (operation == 8) result = v128.shl<i16>(a, by);
    else if (operation == 9) result = v128.shl<i32>(a, by);
    else result = v128.shl<i64>(a, by);
  }
  put(destination, bytes, result);
}

/** PSRLDQ (`left` 0) and PSLLDQ (1): the whole register by bytes. */
export function packed_byte_shift(left: i32, destination: usize, count: i32): void {
  const low = load<u64>(destination), high = load<u64>(destination, 8);
  const bits = (count & 7) * 8;
  let first: u64 = 0, second: u64 = 0;
  if (left != 0) {
    if (count < 8) {
      first = low << bits;
      second = bits == 0 ? high : (high << bits) | (low >> (64 - bits));
    } else if (count < 16) {
      second = low << bits;
    }
  } else if (count < 8) {
    second = high >> bits;
    first = bits == 0 ? low : (low >> bits) | (high << (64 - bits));
  } else if (count < 16) {
    first = high >> bits;
  }
  store<u64>(destination, first);
  store<u64>(destination, second, 8);
}

// ---- shuffles

export function pshufd(destination: usize, source: usize, imm: i32): void {
  const low = load<u64>(source), high = load<u64>(source, 8);
  for (let i: usize = 0; i < 4; i++) {
    const from = (imm >> (<i32> i * 2)) & 3, half = from >= 2 ? high : low;
    store<u32>(destination + i * 4, <u32> (half >> ((from & 1) * 32)));
  }
}

/** Four words of `value` by two bits of `imm` each. */
function shuffledWords(value: u64, imm: i32): u64 {
  let result: u64 = 0;
  for (let i = 0; i < 4; i++) result |= ((value >> (((imm >> (i * 2)) & 3) * 16)) & 0xffff) << (i * 16);
  return result;
}

export function pshufw(destination: usize, source: usize, imm: i32): void {
  put64(destination, shuffledWords(load<u64>(source), imm));
}

export function pshuflw(destination: usize, source: usize, imm: i32): void {
  const high = load<u64>(source, 8);
  store<u64>(destination, shuffledWords(load<u64>(source), imm));
  store<u64>(destination, high, 8);
}

export function pshufhw(destination: usize, source: usize, imm: i32): void {
  const low = load<u64>(source);
  store<u64>(destination, shuffledWords(load<u64>(source, 8), imm), 8);
  store<u64>(destination, low);
}

export function shufps(destination: usize, source: usize, imm: i32): void {
  const a = v128.load(destination), b = v128.load(source);
  const first = lane32(a, imm & 3), second = lane32(a, (imm >> 2) & 3);
  const third = lane32(b, (imm >> 4) & 3), fourth = lane32(b, (imm >> 6) & 3);
  store<u32>(destination, first);
  store<u32>(destination, second, 4);
  store<u32>(destination, third, 8);
  store<u32>(destination, fourth, 12);
}

function lane32(value: v128, lane: i32): u32 {
  const half = lane >= 2 ? v128.extract_lane<u64>(value, 1) : v128.extract_lane<u64>(value, 0);
  return <u32> (half >> ((lane & 1) * 32));
}

export function shufpd(destination: usize, source: usize, imm: i32): void {
  const first = (imm & 1) != 0 ? load<u64>(destination, 8) : load<u64>(destination);
  const second = (imm & 2) != 0 ? load<u64>(source, 8) : load<u64>(source);
  store<u64>(destination, first);
  store<u64>(destination, second, 8);
}

// ---- masks

/** PMOVMSKB. */
export function packed_sign_mask8(source: usize, bytes: i32): i32 {
  return v128.bitmask<i8>(get(source, bytes));
}

/** MOVMSKPS. */
export function packed_sign_mask32(source: usize): i32 {
  return v128.bitmask<i32>(v128.load(source));
}

/** MOVMSKPD. */
export function packed_sign_mask64(source: usize): i32 {
  return v128.bitmask<i64>(v128.load(source));
}

/** PEXTRW: word `index` of a register. */
export function packed_word(source: usize, index: i32): i32 {
  return load<u16>(source + index * 2);
}

/** PINSRW. */
export function packed_set_word(destination: usize, index: i32, value: i32): void {
  store<u16>(destination + index * 2, <u16> value);
}
