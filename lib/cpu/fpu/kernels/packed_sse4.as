/**
 * SSSE3 and SSE4 operations on registers in the state memory; conventions as in packed.as. Intel SDM vol. 2.
 */
import { get, put64 } from "./lanes";

/** PALIGNR: the destination above the source, shifted right by bytes. */
export function palignr(destination: usize, source: usize, bytes: i32, count: i32): void {
  const a = get(destination, bytes), b = get(source, bytes);
  let low: u64 = 0, high: u64 = 0;
  for (let i = 0; i < bytes; i++) {
    const from = i + count;
    const value = from < bytes ? byteOf(b, from) : from < bytes * 2 ? byteOf(a, from - bytes) : 0;
    if (i < 8) low |= value << (i * 8);
    else high |= value << ((i - 8) * 8);
  }
  if (bytes == 8) return put64(destination, low);
  store<u64>(destination, low);
  store<u64>(destination, high, 8);
}

function byteOf(value: v128, i: i32): u64 {
  const half = i < 8 ? v128.extract_lane<u64>(value, 0) : v128.extract_lane<u64>(value, 1);
  return (half >> ((i & 7) * 8)) & 0xff;
}

/** BLENDPS, BLENDPD, PBLENDW: lanes of the source where the bit of `imm` is set. */
export function blend_immediate(destination: usize, source: usize, imm: i32, lane: i32): void {
  for (let at = 0; at < 16; at += lane) {
    if (((imm >> (at / lane)) & 1) == 0) continue;
    if (lane == 2) store<u16>(destination + at, load<u16>(source + at));
    else if (lane == 4) store<u32>(destination + at, load<u32>(source + at));
    else store<u64>(destination + at, load<u64>(source + at));
  }
}

/** PHMINPOSUW: the smallest word and its place. */
export function phminposuw(destination: usize, source: usize, _bytes: i32): void {
  let smallest: u64 = 0x10000, place: u64 = 0;
  for (let i = 0; i < 8; i++) {
    const value = <u64> load<u16>(source + i * 2);
    if (value < smallest) {
      smallest = value;
      place = i;
    }
  }
  store<u64>(destination, smallest | (place << 16));
  store<u64>(destination, 0, 8);
}

/** MPSADBW: eight sums of absolute differences of four bytes. */
export function mpsadbw(destination: usize, source: usize, imm: i32): void {
  const a = v128.load(destination), b = v128.load(source);
  const offset = ((imm >> 2) & 1) * 4, block = (imm & 3) * 4;
  for (let i = 0; i < 8; i++) {
    let sum = 0;
    for (let k = 0; k < 4; k++) {
      const x = <i32> byteOf(a, offset + i + k), y = <i32> byteOf(b, block + k);
      sum += x > y ? x - y : y - x;
    }
    store<u16>(destination + i * 2, <u16> sum);
  }
}

/** INSERTPS with the doubleword already fetched: places it and clears the lanes of the zero mask. */
export function insertps(destination: usize, value: i32, imm: i32): void {
  store<i32>(destination + ((imm >> 4) & 3) * 4, value);
  for (let i = 0; i < 4; i++) if (((imm >> i) & 1) != 0) store<i32>(destination + i * 4, 0);
}

/** Lane `index` of `bytes` bytes, zero-extended. */
export function packed_lane(source: usize, index: i32, bytes: i32): i64 {
  const at = source + index * bytes;
  if (bytes == 1) return load<u8>(at);
  if (bytes == 2) return load<u16>(at);
  return bytes == 4 ? <i64> load<u32>(at) : load<i64>(at);
}

export function packed_set_lane(destination: usize, index: i32, bytes: i32, value: i64): void {
  const at = destination + index * bytes;
  if (bytes == 1) store<u8>(at, <u8> value);
  else if (bytes == 2) store<u16>(at, <u16> value);
  else if (bytes == 4) store<u32>(at, <u32> value);
  else store<i64>(at, value);
}

// ---- SSE4.2 strings. Intel SDM vol. 2, section 4.1.

/** Element `i` of a string operand by the format bits of `imm`: unsigned or signed, bytes or words. */
function element(at: usize, i: i32, imm: i32): i32 {
  const format = imm & 3;
  if (format == 0) return load<u8>(at + i);
  if (format == 1) return load<u16>(at + i * 2);
  return format == 2 ? <i32> load<i8>(at + i) : <i32> load<i16>(at + i * 2);
}

/** Elements before the terminator. */
export function string_length(at: usize, imm: i32): i32 {
  const count = (imm & 1) != 0 ? 8 : 16;
  for (let i = 0; i < count; i++) if (element(at, i, imm) == 0) return i;
  return count;
}

/**
 * The comparison of all string instructions: intermediate result 2, a bit for each element of b. Lengths are those of the
 * valid parts.
 */
export function string_compare(a: usize, b: usize, imm: i32, aLength: i32, bLength: i32): i32 {
  const count = (imm & 1) != 0 ? 8 : 16, aggregation = (imm >> 2) & 3;
  let result = 0;
  for (let j = 0; j < count; j++) {
    let bit = false;
    if (aggregation == 0) {
      for (let i = 0; i < aLength && j < bLength; i++) if (element(a, i, imm) == element(b, j, imm)) bit = true;
    } else if (aggregation == 1) {
      for (let i = 0; i + 1 < aLength && j < bLength; i += 2) {
        const value = element(b, j, imm);
        if (element(a, i, imm) <= value && value <= element(a, i + 1, imm)) bit = true;
      }
    } else if (aggregation == 2) {
      const aValid = j < aLength, bValid = j < bLength;
      bit = aValid == bValid && (!aValid || element(a, j, imm) == element(b, j, imm));
    } else {
      bit = true;
      for (let i = 0; i < aLength && i + j < count; i++) {
        if (i + j >= bLength || element(a, i, imm) != element(b, i + j, imm)) {
          bit = false;
          break;
        }
      }
    }
    if (bit) result |= 1 << j;
  }
  const polarity = (imm >> 4) & 3, all = (1 << count) - 1;
  if (polarity == 1) result ^= all;
  else if (polarity == 3) result ^= (1 << (bLength < count ? bLength : count)) - 1;
  return result;
}

/** Writes a string mask to XMM0: bits, or ones for whole elements. */
export function string_mask(destination: usize, mask: i32, imm: i32): void {
  store<u64>(destination, 0, 8);
  store<u64>(destination, 0);
  if ((imm & 0x40) == 0) {
    store<u16>(destination, <u16> mask);
    return;
  }
  const words = (imm & 1) != 0, count = words ? 8 : 16;
  for (let i = 0; i < count; i++) {
    if (((mask >> i) & 1) == 0) continue;
    if (words) store<u16>(destination + i * 2, 0xffff);
    else store<u8>(destination + i, 0xff);
  }
}
