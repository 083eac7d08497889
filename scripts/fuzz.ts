/**
 * Fuzzers, for as long as wanted:
 * `deno run -A scripts/fuzz.ts [slicing|floppy|disk|cd|kernel|firmware|snapshot-file|snapshot-contents]… [--from SEED] [--count N] [--length INSTRUCTIONS] [--verbose]`.
 *
 * `slicing` runs random code in different slices; the others feed garbage to guests. Every case is known by its seed.
 */
import { parseArgs } from "@std/cli";
import { cleanUp, GARBAGE, runGarbage } from "./lib/garbage.ts";
import { SlicingFuzzer, SLICINGS } from "./lib/slicing_fuzz.ts";

const args = parseArgs(Deno.args, { string: ["from", "count", "length"], boolean: ["verbose"] });
const from = Number(args.from ?? 0), count = Number(args.count ?? 1000);

function slicing(length: number): number {
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
  console.log(`slicing: ${count} cases, ${retired} instructions, ${failures} with differences`);
  return failures;
}

async function garbage(kind: string, length: number): Promise<number> {
  const results = new Map<string, number>();
  let failures = 0, slowest = { seed: 0, time: 0 };
  for (let seed = from; seed < from + count; seed++) {
    if (args.verbose) console.log(`${kind} ${seed}`);
    const { problem, time, result } = await runGarbage(kind, seed, length);
    results.set(result, (results.get(result) ?? 0) + 1);
    if (time > slowest.time) slowest = { seed, time };
    if (problem === "") continue;
    failures++;
    console.log(`${kind} ${seed}: ${problem}`);
  }
  const summary = [...results].map(([name, times]) => `${name} ${times}`).join(", ");
  const memory = Math.round(Deno.memoryUsage().rss / 2 ** 20);
  console.log(
    `${kind}: ${count} cases, ${failures} with problems (${summary}); ` +
      `slowest ${Math.round(slowest.time)} ms (seed ${slowest.seed}); ${memory} MiB resident`,
  );
  return failures;
}

const kinds = args._.length > 0 ? args._.map(String) : ["slicing", ...Object.keys(GARBAGE)];
let failures = 0;
for (const kind of kinds) {
  failures += kind === "slicing"
    ? slicing(Number(args.length ?? 2000))
    : await garbage(kind, Number(args.length ?? 200_000));
}
await cleanUp();
if (failures > 0) Deno.exit(1);
