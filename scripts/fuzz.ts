/**
 * Fuzzers, for as long as wanted:
 * `deno run -A scripts/fuzz.ts [slicing|floppy|disk|cd|kernel|firmware|snapshot-file|snapshot-contents]… [--from SEED] [--count N] [--length INSTRUCTIONS] [--only MANNER] [--verbose]`.
 *
 * `slicing` runs random code in every tier and in different slices (`--only regions`: in manners so called); the others feed garbage to guests. Every case is known by its seed.
 */
import { parseArgs } from "@std/cli";
import { cleanUp, GARBAGE, runGarbage } from "./lib/garbage.ts";
import { MANNERS, SlicingFuzzer } from "./lib/slicing_fuzz.ts";

const args = parseArgs(Deno.args, { string: ["from", "count", "length", "only"], boolean: ["verbose"] });
const only = args.only === undefined ? "" : String(args.only);
const from = Number(args.from ?? 0), count = Number(args.count ?? 1000);

function slicing(length: number): number {
  let failures = 0;
  for (const manner of MANNERS.filter(({ name }) => name.includes(only))) {
    const fuzzer = new SlicingFuzzer(manner);
    let differing = 0, retired = 0;
    for (let seed = from; seed < from + count; seed++) {
      if (args.verbose) console.log(`${manner.name}: ${seed}`);
      const difference = fuzzer.compare(seed, length);
      retired += fuzzer.retired;
      if (difference === null) continue;
      differing++;
      console.log(`seed ${seed}, ${manner.name}: differs after ${difference.instructions}`);
      for (const place of difference.trace) console.log(`    ${place}`);
      for (const field of difference.fields) console.log(`  ${field}`);
    }
    failures += differing;
    console.log(`${manner.name}: ${count} cases, ${retired} instructions, ${differing} with differences`);
  }
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
