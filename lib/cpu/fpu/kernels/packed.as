/**
 * Shuffles of MMX and SSE registers in the state memory by an immediate that is known at run time only. An MMX register's
 * upper 16 bits then read as all ones. Intel SDM vol. 2, P….
 */
import { put64 } from "./lanes";

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
