/**
 * Fuzzers, for as long as wanted:
 * `deno run -A scripts/fuzz.ts [slicing|floppy|disk|cd|kernel|firmware|snapshot-file|snapshot-contents]… [--from SEED] [--count N] [--length INSTRUCTIONS] [--scenario NAME] [--only MANNER] [--verbose]`.
 *
 * `slicing` runs random code in every tier and in different slices (`--only regions`: in manners
 * so called; `--scenario 64`: of scenarios so called); the others feed garbage to guests. Every case is known by its seed.
 */
import { parseArgs } from "@std/cli";
import { cleanUp, GARBAGE, runGarbage } from "./lib/garbage.ts";
import type { Scenario } from "./lib/scenario.ts";
import { type Manner, MANNERS, SCENARIOS, SlicingFuzzer } from "./lib/slicing_fuzz.ts";

const args = parseArgs(Deno.args, { string: ["from", "count", "length", "only", "scenario"], boolean: ["verbose"] });
const scenarioName = args.scenario === undefined ? "" : String(args.scenario);
const only = args.only === undefined ? "" : String(args.only);
const from = Number(args.from ?? 0), count = Number(args.count ?? 1000);

function slicing(length: number): number {
  let failures = 0;
  for (const scenario of SCENARIOS.filter(({ name }) => name.includes(scenarioName))) {
    for (const manner of MANNERS.filter(({ name }) => name.includes(only))) {
      failures += compare(scenario, manner, length);
    }
  }
  return failures;
}

function compare(scenario: Scenario, manner: Manner, length: number): number {
  const fuzzer = new SlicingFuzzer(scenario, manner), what = `${scenario.name} ${manner.name}`;
  let failures = 0, retired = 0;
  for (let seed = from; seed < from + count; seed++) {
    if (args.verbose) console.log(`${what}: ${seed}`);
    const difference = fuzzer.compare(seed, length);
    retired += fuzzer.retired;
    if (difference === null) continue;
    failures++;
    console.log(`seed ${seed}, ${what}: differs after ${difference.instructions}`);
    for (const place of difference.trace) console.log(`    ${place}`);
    for (const field of difference.fields) console.log(`  ${field}`);
  }
  console.log(`${what}: ${count} cases, ${retired} instructions, ${failures} with differences`);
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
