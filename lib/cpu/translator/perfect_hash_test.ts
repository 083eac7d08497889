import { assert, assertEquals } from "@std/assert";
import { perfectHash } from "./perfect_hash.ts";

Deno.test("perfectHash: every value has a place of its own", () => {
  for (let count = 1; count <= 96; count++) {
    const values = Array.from({ length: count }, (_, i) => (0x8048000 + i * 17 + (i % 5) * 3) | 0);
    const hash = perfectHash(values);
    assert(hash !== null, `${count} values`);
    values.forEach((value, i) => assertEquals(hash.slots[Math.imul(value, hash.multiplier) >>> hash.shift], i));
  }
});

Deno.test("perfectHash: equal values have none", () => {
  assertEquals(perfectHash([1, 2, 1]), null);
});
