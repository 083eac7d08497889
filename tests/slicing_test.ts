/** Random code on the bare processor ends the same, however it is run. `scripts/fuzz.ts slicing` goes on for longer. */
import { MANNERS, SCENARIOS, SlicingFuzzer } from "../scripts/lib/slicing_fuzz.ts";

/** Cases of the first scenario, the noise, and of the others, whose instructions are run much more often. */
const CASES = [25, 3], INSTRUCTIONS = [1000, 20_000];

for (const [i, scenario] of SCENARIOS.entries()) {
  for (const manner of MANNERS) {
    Deno.test(`random code: ${scenario.name} do not notice that they run ${manner.name}`, () => {
      const fuzzer = new SlicingFuzzer(scenario, manner), kind = Math.min(i, 1);
      for (let seed = 0; seed < CASES[kind]; seed++) {
        const difference = fuzzer.compare(seed, INSTRUCTIONS[kind]);
        if (difference === null) continue;
        const { instructions, trace, fields } = difference;
        throw new Error([`seed ${seed} differs after ${instructions}`, ...trace, ...fields].join("\n"));
      }
    });
  }
}
