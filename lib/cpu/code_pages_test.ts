import { assertEquals } from "@std/assert";
import { CodePages } from "./code_pages.ts";

Deno.test("CodePages: finds what was added, at any number and address, until it is emptied", () => {
  const pages = new CodePages(), all: number[] = [];
  // The lower half, the upper half of 64-bit addresses, and pages that differ in high bits only.
  for (let i = 0; i < 300; i++) all.push(i, -1 - i, 0xc0000 + 0x10000 * i, 2 ** 35 - 1 - 2 ** 33 * (i & 1) - i);
  for (let round = 0; round < 3; round++) {
    assertEquals(all.map((page) => pages.find(page)), all.map(() => -1));
    const distinct = [...new Set(all)];
    distinct.forEach((page, i) => {
      assertEquals(pages.find(page), -1);
      assertEquals(pages.add(page, i), i);
      pages.frame[i] = 7 * i;
    });
    assertEquals(pages.count, distinct.length);
    distinct.forEach((page, i) => {
      assertEquals(pages.find(page), i);
      assertEquals([pages.page[i], pages.frame[i], pages.rootIndex[i], pages.leaf[i]], [page, 7 * i, i, -1]);
    });
    pages.clear();
    assertEquals(pages.count, 0);
  }
});
