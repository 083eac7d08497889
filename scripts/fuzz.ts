/** Fuzzers, for as long as wanted: `deno run --allow-read scripts/fuzz.ts slicing [--from SEED] [--count N]`. */
import { parseArgs } from "@std/cli";
import { type Slicing, SlicingFuzzer } from "./lib/slicing_fuzz.ts";

const SLICINGS: readonly Slicing[] = [
  { lengths: [1] },
  { lengths: [7] },
  { lengths: [3, 1, 64, 2, 17] },
  { lengths: [5, 90, 1], dropCaches: true },
];

const args = parseArgs(Deno.args, { string: ["from", "count", "length"] });
const from = Number(args.from ?? 0), count = Number(args.count ?? 1000), length = Number(args.length ?? 2000);

function slicing(): number {
  const fuzzer = new SlicingFuzzer();
  let failures = 0, retired = 0;
  for (let seed = from; seed < from + count; seed++) {
    for (const slicing of SLICINGS) {
      const difference = fuzzer.compare(seed, length, slicing);
      retired += fuzzer.retired;
      if (difference === null) continue;
      failures++;
      const { instructions, before, fields } = difference;
      console.log(`seed ${seed}, slices ${JSON.stringify(slicing)}: differs after ${instructions}, at ${before}`);
      for (const field of fields) console.log(`  ${field}`);
      break;
    }
  }
  console.log(`${count} cases, ${retired} instructions, ${failures} with differences`);
  return failures;
}

if (slicing() > 0) Deno.exit(1);
