import { assertEquals, assertNotEquals } from "@std/assert";
import { Hasher, isZeroPage } from "./hash.ts";

function hash(...pieces: Uint8Array[]): string {
  const hasher = new Hasher();
  for (const piece of pieces) hasher.add(piece);
  return hasher.digest();
}

Deno.test("Hasher depends on contents, borders and order of the pieces", () => {
  const a = Uint8Array.of(1, 2, 3), b = Uint8Array.of(4, 5);
  assertEquals(hash(a, b), hash(a.slice(), b.slice()));
  const all = [
    hash(),
    hash(a),
    hash(a, b),
    hash(b, a),
    hash(Uint8Array.of(1, 2, 3, 4, 5)),
    hash(Uint8Array.of(1, 2, 3, 0)),
  ];
  assertEquals(new Set(all).size, all.length);
});

Deno.test("Hasher tells memories apart by every bit and by the place of a page", () => {
  const memory = new Uint8Array(8 * 4096);
  const pages = () => {
    const hasher = new Hasher();
    hasher.addPages(memory);
    return hasher.digest();
  };
  const seen = new Set([pages()]);
  for (const offset of [0, 1, 4095, 4096, 5000, 8 * 4096 - 1]) {
    for (let bit = 0; bit < 8; bit++) {
      memory[offset] = 1 << bit;
      seen.add(pages());
    }
    memory[offset] = 0;
  }
  assertEquals(seen.size, 1 + 6 * 8);
  memory.fill(7, 0, 4096);
  const first = pages();
  memory.fill(0).fill(7, 4096, 8192);
  assertNotEquals(pages(), first);
});

Deno.test("isZeroPage looks at the whole page and at nothing else", () => {
  const words = new Int32Array(3 * 1024);
  words[1023] = 1;
  words[2048] = 1;
  assertEquals([0, 1, 2].map((page) => isZeroPage(words, page)), [false, true, false]);
});
