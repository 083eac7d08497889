import { assertEquals } from "@std/assert";
import { PairMap } from "./pair_map.ts";

Deno.test("PairMap: the order of a pair counts, and large numbers do not run into one another", () => {
  const map = new PairMap<string>(), far = 2 ** 48;
  map.set(1, 2, "a");
  map.set(2, 1, "b");
  map.set(far, far - 1, "c");
  map.set(1, 2, "d");
  assertEquals([map.get(1, 2), map.get(2, 1), map.get(far, far - 1), map.get(far, far)], ["d", "b", "c", undefined]);
});

Deno.test("PairMap: pairs go one by one, also while they are listed, or all at once", () => {
  const map = new PairMap<string>();
  for (const second of [1, 2, 3]) map.set(7, second, `${second}`);
  map.delete(7, 2);
  map.delete(8, 2);
  assertEquals([...map.with(7)], [[1, "1"], [3, "3"]]);
  for (const [second] of map.with(7)) map.delete(7, second);
  assertEquals([[...map.with(7)], map.get(7, 1)], [[], undefined]);
  map.set(7, 1, "again");
  map.clear();
  assertEquals(map.get(7, 1), undefined);
});
