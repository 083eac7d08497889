/** AES, carry-less products and SHA by the standards' own examples. */
import { assertEquals } from "@std/assert";
import { CR4, S, xmmOffset } from "../state.ts";
import { parseCpuModel } from "../system/model.ts";
import { type TestBoard, testBoard } from "../test_board.ts";

/** A board that may use SSE, and XMM registers as hexadecimal strings, byte 0 first. */
class XmmBoard {
  readonly #board: TestBoard = testBoard({ cpuModel: parseCpuModel("max") });

  constructor() {
    this.#board.cpu.r.setI32(S.CR4, CR4.OSFXSR);
  }

  set(register: number, hex: string): void {
    const bytes = new DataView(Uint8Array.fromHex(hex).buffer), at = xmmOffset(register);
    this.#board.cpu.r.setU64(at, bytes.getBigUint64(0, true));
    this.#board.cpu.r.setU64(at + 8, bytes.getBigUint64(8, true));
  }

  get(register: number): string {
    const bytes = new DataView(new ArrayBuffer(16)), at = xmmOffset(register);
    bytes.setBigUint64(0, this.#board.cpu.r.u64(at), true);
    bytes.setBigUint64(8, this.#board.cpu.r.u64(at + 8), true);
    return new Uint8Array(bytes.buffer).toHex();
  }

  /** Runs one instruction. */
  run(...code: number[]): void {
    const { cpu } = this.#board;
    this.#board.load(0x1000, ...code, 0xf4);
    cpu.r.ip = 0x1000;
    cpu.run(1);
    assertEquals(cpu.r.ip, 0x1000 + code.length, "the instruction ran");
  }
}

/** Second opcode bytes of the AES instructions behind 66 0F 38. */
const Aes = { IMC: 0xdb, ENC: 0xdc, ENC_LAST: 0xdd, DEC: 0xde, DEC_LAST: 0xdf } as const;
/** ModRM for the destination XMM0 and the source XMM1. */
const XMM0_XMM1 = 0xc1;

const registers = new XmmBoard();

function aes(operation: number, destination: string, source: string): string {
  registers.set(0, destination);
  registers.set(1, source);
  registers.run(0x66, 0x0f, 0x38, operation, XMM0_XMM1);
  return registers.get(0);
}

/** The word of `hex` at doubleword `index`. */
function word(hex: string, index: number): number {
  return new DataView(Uint8Array.fromHex(hex).buffer).getUint32(index * 4, true);
}

function hexOf(words: readonly number[]): string {
  const view = new DataView(new ArrayBuffer(words.length * 4));
  words.forEach((value, i) => view.setUint32(i * 4, value, true));
  return new Uint8Array(view.buffer).toHex();
}

/** AES-128 key expansion with AESKEYGENASSIST. FIPS 197, section 5.2. */
function expandKey(key: string): string[] {
  const keys = [key];
  for (const constant of [1, 2, 4, 8, 0x10, 0x20, 0x40, 0x80, 0x1b, 0x36]) {
    const previous = keys[keys.length - 1];
    registers.set(1, previous);
    registers.run(0x66, 0x0f, 0x3a, 0xdf, XMM0_XMM1, constant);
    let last = word(registers.get(0), 3);
    keys.push(hexOf([0, 1, 2, 3].map((i) => last ^= word(previous, i))));
  }
  return keys;
}

// FIPS 197, appendix B.
const KEY = "2b7e151628aed2a6abf7158809cf4f3c";
const PLAIN = "3243f6a8885a308d313198a2e0370734", CIPHER = "3925841d02dc09fbdc118597196a0b32";

Deno.test("aeskeygenassist: expands the key of FIPS 197, appendix A.1", () => {
  const keys = expandKey(KEY);
  assertEquals(keys[1], "a0fafe1788542cb123a339392a6c7605");
  assertEquals(keys[10], "d014f9a8c9ee2589e13f0cc8b6630ca6");
});

Deno.test("aesenc, aesenclast: encrypt the example of FIPS 197, appendix B", () => {
  const keys = expandKey(KEY);
  registers.set(1, PLAIN);
  registers.set(0, keys[0]);
  registers.run(0x66, 0x0f, 0xef, XMM0_XMM1);
  let state = registers.get(0);
  for (const key of keys.slice(1, 10)) state = aes(Aes.ENC, state, key);
  assertEquals(aes(Aes.ENC_LAST, state, keys[10]), CIPHER);
});

Deno.test("aesdec, aesdeclast, aesimc: the equivalent inverse cipher gives the plain text back", () => {
  const keys = expandKey(KEY).reverse();
  registers.set(1, CIPHER);
  registers.set(0, keys[0]);
  registers.run(0x66, 0x0f, 0xef, XMM0_XMM1);
  let state = registers.get(0);
  for (const key of keys.slice(1, 10)) state = aes(Aes.DEC, state, aes(Aes.IMC, state, key));
  assertEquals(aes(Aes.DEC_LAST, state, keys[10]), PLAIN);
});

/** The product without carries, bit by bit. */
function carrylessProduct(a: bigint, b: bigint): bigint {
  let product = 0n;
  for (let i = 0n; i < 64n; i++) if ((b >> i & 1n) === 1n) product ^= a << i;
  return product;
}

Deno.test("pclmulqdq: multiplies the halves that the immediate picks", () => {
  const halves = (hex: string) => {
    const view = new DataView(Uint8Array.fromHex(hex).buffer);
    return [view.getBigUint64(0, true), view.getBigUint64(8, true)];
  };
  const pairs = [
    ["fedcba98765432100123456789abcdef", "0f1e2d3c4b5a69788796a5b4c3d2e1f0"],
    ["ffffffffffffffffffffffffffffffff", "ffffffffffffffffffffffffffffffff"],
    ["00000000000000800100000000000000", "00000000000000800200000000000000"],
  ];
  for (const [a, b] of pairs) {
    for (const imm of [0x00, 0x01, 0x10, 0x11, 0xee]) {
      registers.set(0, a);
      registers.set(1, b);
      registers.run(0x66, 0x0f, 0x3a, 0x44, XMM0_XMM1, imm);
      const product = carrylessProduct(halves(a)[imm & 1], halves(b)[imm >> 4 & 1]);
      const [low, high] = halves(registers.get(0));
      assertEquals(high << 64n | low, product, `${a} × ${b}, ${imm}`);
    }
  }
});

/** The one block of the message "abc", as words. FIPS 180-4, section 5.1.1. */
const MESSAGE = [0x61626380, ...new Array(14).fill(0), 24];

function sum(a: string, b: string): string {
  return hexOf([0, 1, 2, 3].map((i) => word(a, i) + word(b, i)));
}

/** Four words, the first one in the lane that the instructions expect it in. */
function lanes(words: readonly number[], firstInTop: boolean): string {
  return hexOf(firstInTop ? words.toReversed() : words);
}

/** `code` with XMM0 = a, XMM1 = b and, for SHA256RNDS2 of XMM2 and XMM1, XMM2 = c. */
function sha(code: readonly number[], a: string, b: string, c?: string): string {
  registers.set(0, a);
  registers.set(1, b);
  if (c !== undefined) registers.set(2, c);
  registers.run(...code);
  return registers.get(c === undefined ? 0 : 2);
}

Deno.test("sha1…: hash the message of one block of FIPS 180-4", () => {
  const next = [0x0f, 0x38, 0xc8, XMM0_XMM1], message1 = [0x0f, 0x38, 0xc9, XMM0_XMM1];
  const message2 = [0x0f, 0x38, 0xca, XMM0_XMM1], zero = hexOf([0, 0, 0, 0]);
  const words = [0, 4, 8, 12].map((i) => lanes(MESSAGE.slice(i, i + 4), true));
  for (let i = 4; i < 20; i++) {
    const [w0, w1, w2, w3] = words.slice(i - 4);
    const mixed = sha(message1, w0, w1);
    const bits = Uint8Array.fromHex(mixed).map((byte, at) => byte ^ Uint8Array.fromHex(w2)[at]).toHex();
    words.push(sha(message2, bits, w3));
  }
  const start = lanes([0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476], true);
  const startE = hexOf([0, 0, 0, 0xc3d2e1f0]);
  let state = start, withE = sum(startE, words[0]), before = "";
  for (let i = 0; i < 20; i++) {
    if (i > 0) withE = sha(next, before, words[i]);
    before = state;
    state = sha([0x0f, 0x3a, 0xcc, XMM0_XMM1, Math.floor(i / 5)], state, withE);
  }
  const last = sha(next, before, zero), digest = sum(state, start), e = (word(last, 3) + 0xc3d2e1f0) >>> 0;
  const text = [3, 2, 1, 0].map((i) => word(digest, i)).concat(e).map((value) => value.toString(16).padStart(8, "0"));
  assertEquals(text.join(""), "a9993e364706816aba3e25717850c26c9cd0d89d");
});

/** The first 32 bits of the fractional parts of the cube roots of the first 64 primes. FIPS 180-4, section 4.2.2. */
function sha256Constants(): number[] {
  const constants: number[] = [];
  for (let prime = 2; constants.length < 64; prime++) {
    let divisor = 2;
    while (prime % divisor !== 0) divisor++;
    if (divisor !== prime) continue;
    const cube = BigInt(prime) << 96n;
    let root = 0n;
    for (let bit = 1n << 36n; bit > 0n; bit >>= 1n) if ((root + bit) ** 3n <= cube) root += bit;
    constants.push(Number(root & 0xffff_ffffn));
  }
  return constants;
}

Deno.test("sha256…: hash the message of one block of FIPS 180-4", () => {
  const rounds = [0x0f, 0x38, 0xcb, 0xd1], message1 = [0x0f, 0x38, 0xcc, XMM0_XMM1];
  const message2 = [0x0f, 0x38, 0xcd, XMM0_XMM1];
  const words = [0, 4, 8, 12].map((i) => lanes(MESSAGE.slice(i, i + 4), false));
  for (let i = 4; i < 16; i++) {
    const [w0, w1, w2, w3] = words.slice(i - 4);
    // Words 9 to 12 of the sixteen before.
    const middle = hexOf([word(w2, 1), word(w2, 2), word(w2, 3), word(w3, 0)]);
    words.push(sha(message2, sum(sha(message1, w0, w1), middle), w3));
  }
  const [a, b, c, d, e, f, g, h] = [
    ...[0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a],
    ...[0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19],
  ];
  const startAbef = hexOf([f, e, b, a]), startCdgh = hexOf([h, g, d, c]), constants = sha256Constants();
  let abef = startAbef, cdgh = startCdgh;
  words.forEach((four, i) => {
    const keyed = sum(four, hexOf(constants.slice(i * 4, i * 4 + 4)));
    cdgh = sha(rounds, keyed, abef, cdgh);
    abef = sha(rounds, hexOf([word(keyed, 2), word(keyed, 3), 0, 0]), cdgh, abef);
  });
  const high = sum(abef, startAbef), low = sum(cdgh, startCdgh);
  const digest = [[high, 3], [high, 2], [low, 3], [low, 2], [high, 1], [high, 0], [low, 1], [low, 0]] as const;
  assertEquals(
    digest.map(([half, lane]) => word(half, lane).toString(16).padStart(8, "0")).join(""),
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
  );
});
