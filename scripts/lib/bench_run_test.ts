import { assertEquals } from "@std/assert";
import { Scorer } from "./bench_run.ts";

Deno.test("Scorer: a test takes from its first marker to its last", () => {
  const scorer = new Scorer(["lz", "sieve"]);
  scorer.take({ kind: "ready" }, 1);
  scorer.take({ kind: "begin", test: "lz" }, 10);
  assertEquals([scorer.running, scorer.complete], [0, false]);
  scorer.take({ kind: "end", test: "lz", checksum: "00000001", right: true }, 25);
  scorer.take({ kind: "begin", test: "sieve" }, 30);
  scorer.take({ kind: "end", test: "sieve", checksum: "00000002", right: false }, 31);
  assertEquals(scorer.complete, true);
  assertEquals(scorer.outcomes, [{ milliseconds: 15 }, { problem: "FAIL (00000002)" }]);
});

Deno.test("Scorer: the same test may come again", () => {
  const scorer = new Scorer(["lz", "lz"]);
  for (const at of [100, 200]) {
    scorer.take({ kind: "begin", test: "lz" }, at);
    scorer.take({ kind: "end", test: "lz", checksum: "00000001", right: true }, at + at / 10);
  }
  assertEquals(scorer.outcomes, [{ milliseconds: 10 }, { milliseconds: 20 }]);
});

Deno.test("Scorer: says why a test has no time", () => {
  const scorer = new Scorer(["pipe", "lz", "smc", "sieve"]);
  scorer.take({ kind: "begin", test: "pipe" }, 1);
  scorer.take({ kind: "error", what: "fork" }, 2);
  scorer.take({ kind: "begin", test: "smc" }, 3);
  scorer.abandon("timeout");
  assertEquals(scorer.outcomes, [{ problem: "fork" }, undefined, { problem: "timeout" }, undefined]);
  assertEquals(scorer.next, 3);
});
