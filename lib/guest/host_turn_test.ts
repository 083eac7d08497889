import { assertEquals } from "@std/assert";
import { hostTurn } from "./host_turn.ts";

Deno.test("hostTurn: promises that are ready come first, in the first turns and in later ones", async () => {
  for (let turn = 0; turn < 20; turn++) {
    const seen: string[] = [];
    queueMicrotask(() => queueMicrotask(() => seen.push("promise")));
    await hostTurn();
    assertEquals(seen, ["promise"]);
  }
});

Deno.test("hostTurn: a timer fires in time although turns follow one another", async () => {
  let fired = false, turns = 0;
  setTimeout(() => fired = true, 1);
  while (!fired && turns < 100_000) {
    await hostTurn();
    turns++;
  }
  assertEquals(fired, true);
});
