/** Random code on the bare processor ends the same, however it is run. `scripts/fuzz.ts slicing` goes on for longer. */
import { MANNERS, SlicingFuzzer } from "../scripts/lib/slicing_fuzz.ts";

const CASES = 25, INSTRUCTIONS = 1000;

for (const manner of MANNERS) {
  Deno.test(`random code does not notice that it runs ${manner.name}`, () => {
    const fuzzer = new SlicingFuzzer(manner);
    for (let seed = 0; seed < CASES; seed++) {
      const difference = fuzzer.compare(seed, INSTRUCTIONS);
      if (difference === null) continue;
      const { instructions, trace, fields } = difference;
      throw new Error([`seed ${seed} differs after ${instructions}`, ...trace, ...fields].join("\n"));
    }
  });
}
