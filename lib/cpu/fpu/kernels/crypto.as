/**
 * AES-NI, PCLMULQDQ and the SHA extensions on SSE registers in the state memory: functions of (destination, source). Intel
 * SDM vol. 2; FIPS 197 (AES), FIPS 180-4 (SHA).
 */

// ---- AES: byte r + 4c is row r, column c of the state

/** One row of a substitution box: the bytes of `x` whose upper half is `upper` are looked up, the others give 0. */
@inline
function row(x: v128, upper: i32, bytes: v128): v128 {
  return v128.swizzle(bytes, v128.xor(x, i8x16.splat(<i8> upper)));
}

/** SubBytes: the S-box of FIPS 197, figure 7, a row of 16 bytes (least significant first) after the other. */
function substitute(x: v128): v128 {
  let r = row(x, 0x00, i64x2(0xc56f6bf27b777c63, 0x76abd7fe2b670130));
  r = v128.or(r, row(x, 0x10, i64x2(0xf04759fa7dc982ca, 0xc072a49cafa2d4ad)));
  r = v128.or(r, row(x, 0x20, i64x2(0xccf73f362693fdb7, 0x1531d871f1e5a534)));
  r = v128.or(r, row(x, 0x30, i64x2(0x9a059618c323c704, 0x75b227ebe2801207)));
  r = v128.or(r, row(x, 0x40, i64x2(0xa05a6e1b1a2c8309, 0x842fe329b3d63b52)));
  r = v128.or(r, row(x, 0x50, i64x2(0x5bb1fc20ed00d153, 0xcf584c4a39becb6a)));
  r = v128.or(r, row(x, 0x60, i64x2(0x85334d43fbaaefd0, 0xa89f3c507f02f945)));
  r = v128.or(r, row(x, 0x70, i64x2(0xf5389d928f40a351, 0xd2f3ff1021dab6bc)));
  r = v128.or(r, row(x, 0x80, i64x2(0x1744975fec130ccd, 0x73195d643d7ea7c4)));
  r = v128.or(r, row(x, 0x90, i64x2(0x88902a22dc4f8160, 0xdb0b5ede14b8ee46)));
  r = v128.or(r, row(x, 0xa0, i64x2(0x5c2406490a3a32e0, 0x79e4959162acd3c2)));
  r = v128.or(r, row(x, 0xb0, i64x2(0xa94ed58d6d37c8e7, 0x08ae7a65eaf4566c)));
  r = v128.or(r, row(x, 0xc0, i64x2(0xc6b4a61c2e2578ba, 0x8a8bbd4b1f74dde8)));
  r = v128.or(r, row(x, 0xd0, i64x2(0x0ef6034866b53e70, 0x9e1dc186b9573561)));
  r = v128.or(r, row(x, 0xe0, i64x2(0x948ed9691198f8e1, 0xdf2855cee9871e9b)));
  r = v128.or(r, row(x, 0xf0, i64x2(0x6842e6bf0d89a18c, 0x16bb54b00f2d9941)));
  return r;
}

/** InvSubBytes: figure 14. */
function substituteInverse(x: v128): v128 {
  let r = row(x, 0x00, i64x2(0x38a53630d56a0952, 0xfbd7f3819ea340bf));
  r = v128.or(r, row(x, 0x10, i64x2(0x87ff2f9b8239e37c, 0xcbe9dec444438e34)));
  r = v128.or(r, row(x, 0x20, i64x2(0x3d23c2a632947b54, 0x4ec3fa420b954cee)));
  r = v128.or(r, row(x, 0x30, i64x2(0xb224d92866a12e08, 0x25d18b6d49a25b76)));
  r = v128.or(r, row(x, 0x40, i64x2(0x1698688664f6f872, 0x92b6655dcc5ca4d4)));
  r = v128.or(r, row(x, 0x50, i64x2(0xdab9edfd5048706c, 0x849d8da75746155e)));
  r = v128.or(r, row(x, 0x60, i64x2(0x0ad3bc8c00abd890, 0x0645b3b80558e4f7)));
  r = v128.or(r, row(x, 0x70, i64x2(0x020f3fca8f1e2cd0, 0x6b8a130103bdafc1)));
  r = v128.or(r, row(x, 0x80, i64x2(0xeadc674f4111913a, 0x73e6b4f0cecff297)));
  r = v128.or(r, row(x, 0x90, i64x2(0x8535ade72274ac96, 0x6edf751ce837f9e2)));
  r = v128.or(r, row(x, 0xa0, i64x2(0x89c5291d711af147, 0x1bbe18aa0e62b76f)));
  r = v128.or(r, row(x, 0xb0, i64x2(0x2079d2c64b3e56fc, 0xf45acd78fec0db9a)));
  r = v128.or(r, row(x, 0xc0, i64x2(0x31c7078833a8dd1f, 0x5fec8027591012b1)));
  r = v128.or(r, row(x, 0xd0, i64x2(0x0d4ab519a97f5160, 0xef9cc9939f7ae52d)));
  r = v128.or(r, row(x, 0xe0, i64x2(0xb0f52aae4d3be0a0, 0x619953833cbbebc8)));
  r = v128.or(r, row(x, 0xf0, i64x2(0x26d677ba7e042b17, 0x7d0c2155631469e1)));
  return r;
}

function shiftRows(x: v128): v128 {
  return v128.shuffle<i8>(x, x, 0, 5, 10, 15, 4, 9, 14, 3, 8, 13, 2, 7, 12, 1, 6, 11);
}

function shiftRowsInverse(x: v128): v128 {
  return v128.shuffle<i8>(x, x, 0, 13, 10, 7, 4, 1, 14, 11, 8, 5, 2, 15, 12, 9, 6, 3);
}

/** Every byte times x in GF(2^8). */
function timesX(a: v128): v128 {
  return v128.xor(v128.shl<i8>(a, 1), v128.and(v128.shr<i8>(a, 7), i8x16.splat(0x1b)));
}

/** Every column rotated by two rows. */
function rotated2(a: v128): v128 {
  return v128.shuffle<i8>(a, a, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
}

/** MixColumns: 2a₀ + 3a₁ + a₂ + a₃ = x(a₀ + a₁) + a₁ + (a₂ + a₃). */
function mixColumns(a: v128): v128 {
  const b = v128.shuffle<i8>(a, a, 1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12);
  const sum = v128.xor(a, b);
  return v128.xor(timesX(sum), v128.xor(b, rotated2(sum)));
}

/** InvMixColumns: its matrix is MixColumns' times the one with 5 and 4: 5a₀ + 4a₂ = a₀ + x²(a₀ + a₂). */
function mixColumnsInverse(a: v128): v128 {
  return mixColumns(v128.xor(a, timesX(timesX(v128.xor(a, rotated2(a))))));
}

export function aesenc(destination: usize, source: usize): void {
  const state = mixColumns(substitute(shiftRows(v128.load(destination))));
  v128.store(destination, v128.xor(state, v128.load(source)));
}

export function aesenclast(destination: usize, source: usize): void {
  const state = substitute(shiftRows(v128.load(destination)));
  v128.store(destination, v128.xor(state, v128.load(source)));
}

export function aesdec(destination: usize, source: usize): void {
  const state = mixColumnsInverse(substituteInverse(shiftRowsInverse(v128.load(destination))));
  v128.store(destination, v128.xor(state, v128.load(source)));
}

export function aesdeclast(destination: usize, source: usize): void {
  const state = substituteInverse(shiftRowsInverse(v128.load(destination)));
  v128.store(destination, v128.xor(state, v128.load(source)));
}

export function aesimc(destination: usize, source: usize): void {
  v128.store(destination, mixColumnsInverse(v128.load(source)));
}

/** Words 1 and 3 substituted, and each followed by itself rotated by a byte, plus the round constant. */
export function aeskeygenassist(destination: usize, source: usize, constant: i32): void {
  const words = substitute(v128.load(source));
  const pairs = v128.shuffle<i8>(words, words, 4, 5, 6, 7, 5, 6, 7, 4, 12, 13, 14, 15, 13, 14, 15, 12);
  v128.store(destination, v128.xor(pairs, i64x2.splat(<i64> (constant & 0xff) << 32)));
}

// ---- PCLMULQDQ

/**
 * Carry-less product of two 32-bit numbers. A quarter of the bits of each, four positions apart, meet in a product of
 * integers at most eight times in a place: the carries stay within the gaps and are masked away.
 */
function carryless32(a: u64, b: u64): u64 {
  const m0: u64 = 0x1111111111111111, m1 = m0 << 1, m2 = m0 << 2, m3 = m0 << 3;
  const a0 = a & m0, a1 = a & m1, a2 = a & m2, a3 = a & m3;
  const b0 = b & m0, b1 = b & m1, b2 = b & m2, b3 = b & m3;
  return (((a0 * b0) ^ (a1 * b3) ^ (a2 * b2) ^ (a3 * b1)) & m0) |
    (((a0 * b1) ^ (a1 * b0) ^ (a2 * b3) ^ (a3 * b2)) & m1) |
    (((a0 * b2) ^ (a1 * b1) ^ (a2 * b0) ^ (a3 * b3)) & m2) |
    (((a0 * b3) ^ (a1 * b2) ^ (a2 * b1) ^ (a3 * b0)) & m3);
}

/** The halves to multiply are picked by bits 0 and 4 of `imm`; the four 32-bit products by Karatsuba's way from three. */
export function pclmulqdq(destination: usize, source: usize, imm: i32): void {
  const a = load<u64>(destination + ((imm & 1) << 3)), b = load<u64>(source + ((imm & 16) >> 1));
  const low = carryless32(a & 0xffffffff, b & 0xffffffff), high = carryless32(a >> 32, b >> 32);
  const middle = carryless32((a ^ (a >> 32)) & 0xffffffff, (b ^ (b >> 32)) & 0xffffffff) ^ low ^ high;
  store<u64>(destination, low ^ (middle << 32));
  store<u64>(destination, high ^ (middle >> 32), 8);
}

// ---- SHA-1: the manual counts words from the most significant end, lane 3

function word(at: usize, lane: i32): u32 {
  return load<u32>(at + (<usize> lane << 2));
}

function putWords(at: usize, lane0: u32, lane1: u32, lane2: u32, lane3: u32): void {
  store<u32>(at, lane0);
  store<u32>(at, lane1, 4);
  store<u32>(at, lane2, 8);
  store<u32>(at, lane3, 12);
}

export function sha1nexte(destination: usize, source: usize): void {
  const e = rotl<u32>(word(destination, 3), 30);
  putWords(destination, word(source, 0), word(source, 1), word(source, 2), word(source, 3) + e);
}

export function sha1msg1(destination: usize, source: usize): void {
  const w0 = word(destination, 3), w1 = word(destination, 2), w2 = word(destination, 1), w3 = word(destination, 0);
  const w4 = word(source, 3), w5 = word(source, 2);
  putWords(destination, w5 ^ w3, w4 ^ w2, w3 ^ w1, w2 ^ w0);
}

export function sha1msg2(destination: usize, source: usize): void {
  const w16 = rotl<u32>(word(destination, 3) ^ word(source, 2), 1);
  const w17 = rotl<u32>(word(destination, 2) ^ word(source, 1), 1);
  const w18 = rotl<u32>(word(destination, 1) ^ word(source, 0), 1);
  putWords(destination, rotl<u32>(word(destination, 0) ^ w16, 1), w18, w17, w16);
}

/** The function and the constant of rounds 20 · `group` … 20 · `group` + 19. FIPS 180-4, sections 4.1.1 and 4.2.1. */
function sha1Mix(group: i32, b: u32, c: u32, d: u32): u32 {
  if (group == 0) return ((b & c) ^ (~b & d)) + 0x5a827999;
  if (group == 1) return (b ^ c ^ d) + 0x6ed9eba1;
  if (group == 2) return ((b & c) ^ (b & d) ^ (c & d)) + 0x8f1bbcdc;
  return (b ^ c ^ d) + 0xca62c1d6;
}

export function sha1rnds4(destination: usize, source: usize, imm: i32): void {
  const group = imm & 3;
  let a = word(destination, 3), b = word(destination, 2), c = word(destination, 1), d = word(destination, 0), e: u32 = 0;
  // The first word of the source has E added already.
  for (let i = 3; i >= 0; i--) {
    const next = sha1Mix(group, b, c, d) + rotl<u32>(a, 5) + e + word(source, i);
    e = d;
    d = c;
    c = rotl<u32>(b, 30);
    b = a;
    a = next;
  }
  putWords(destination, d, c, b, a);
}

// ---- SHA-256. FIPS 180-4, section 4.1.2

function sigma0(x: u32): u32 {
  return rotr<u32>(x, 7) ^ rotr<u32>(x, 18) ^ (x >> 3);
}

function sigma1(x: u32): u32 {
  return rotr<u32>(x, 17) ^ rotr<u32>(x, 19) ^ (x >> 10);
}

/** Two rounds; `keys` is XMM0, whose lower half holds a word plus the round's constant for each. */
export function sha256rnds2(destination: usize, source: usize, keys: usize): void {
  let a = word(source, 3), b = word(source, 2), c = word(destination, 3), d = word(destination, 2);
  let e = word(source, 1), f = word(source, 0), g = word(destination, 1), h = word(destination, 0);
  for (let i = 0; i < 2; i++) {
    const choice = (e & f) ^ (~e & g), majority = (a & b) ^ (a & c) ^ (b & c);
    const t = choice + (rotr<u32>(e, 6) ^ rotr<u32>(e, 11) ^ rotr<u32>(e, 25)) + word(keys, i) + h;
    const next = t + majority + (rotr<u32>(a, 2) ^ rotr<u32>(a, 13) ^ rotr<u32>(a, 22));
    h = g;
    g = f;
    f = e;
    e = t + d;
    d = c;
    c = b;
    b = a;
    a = next;
  }
  putWords(destination, f, e, b, a);
}

export function sha256msg1(destination: usize, source: usize): void {
  const w1 = word(destination, 1), w2 = word(destination, 2), w3 = word(destination, 3), w4 = word(source, 0);
  const w0 = word(destination, 0);
  putWords(destination, w0 + sigma0(w1), w1 + sigma0(w2), w2 + sigma0(w3), w3 + sigma0(w4));
}

export function sha256msg2(destination: usize, source: usize): void {
  const w16 = word(destination, 0) + sigma1(word(source, 2)), w17 = word(destination, 1) + sigma1(word(source, 3));
  putWords(destination, w16, w17, word(destination, 2) + sigma1(w16), word(destination, 3) + sigma1(w17));
}
