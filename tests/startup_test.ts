import { assert } from "@std/assert";
import { timeToFirstInstruction } from "../scripts/lib/startup.ts";

/** Several times what it takes on a machine that does nothing else: tests run beside one another. */
const BOUND = 1000;

Deno.test("a guest executes its first instruction soon after deno run", async () => {
  let least = Infinity;
  for (let i = 0; i < 5 && least > BOUND; i++) least = Math.min(least, await timeToFirstInstruction());
  assert(least <= BOUND, `${least.toFixed(0)} ms`);
});
