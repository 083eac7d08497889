import { assert, assertEquals } from "@std/assert";
import { CompileBudget } from "./compile_budget.ts";

/** Translates regions of 100 instructions as long as the budget allows it. */
function translateAll(budget: CompileBudget, executed: number): number {
  let regions = 0;
  for (; budget.allows(executed); regions++) budget.spend(100);
  return regions;
}

Deno.test("CompileBudget: what comes at once is limited, and execution earns more", () => {
  const budget = new CompileBudget(), first = translateAll(budget, 0);
  assert(first > 1 && first < 100);
  assertEquals(translateAll(budget, 1000), 0);
  assert(translateAll(budget, 1_000_000) > 1);
  assertEquals(translateAll(budget, 10_000_000_000), first);
});

Deno.test("CompileBudget: a state with fewer instructions does not stop it", () => {
  const budget = new CompileBudget();
  translateAll(budget, 10_000_000_000);
  assertEquals(budget.allows(1000), false);
  assert(budget.allows(2_000_000));
});
