/** Reading and writing MMX and SSE registers in the state memory as vectors. */

export function get(at: usize, bytes: i32): v128 {
  return bytes == 16 ? v128.load(at) : v128.load64_zero(at);
}

export function put64(at: usize, value: u64): void {
  store<u64>(at, value);
  store<u16>(at, 0xffff, 8);
}
