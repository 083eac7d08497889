/** Random code on the bare processor ends the same, however its run is sliced. `scripts/fuzz.ts slicing` goes on for longer. */
import { SlicingFuzzer, SLICINGS } from "../scripts/lib/slicing_fuzz.ts";

const CASES = 25, INSTRUCTIONS = 1000;

for (const slicing of SLICINGS) {
  const name = `slices of ${slicing.lengths.join(", ")}${
    slicing.dropCaches ? " with nothing cached between them" : ""
  }`;
  Deno.test(`random code does not notice ${name}`, () => {
    const fuzzer = new SlicingFuzzer();
    for (let seed = 0; seed < CASES; seed++) {
      const difference = fuzzer.compare(seed, INSTRUCTIONS, slicing);
      if (difference === null) continue;
      const { instructions, before, fields } = difference;
      throw new Error([`seed ${seed} differs after ${instructions}, at ${before}`, ...fields].join("\n"));
    }
  });
}
