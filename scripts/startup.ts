/**
 * `deno task startup [RUNS]`: time from `deno run` to a guest's first instruction. The first run, which fills Deno's
 * caches, is left out.
 */
import { median } from "./lib/bench_statistics.ts";
import { runScript, wholeNumber } from "./lib/command_line.ts";
import { timeToFirstInstruction } from "./lib/startup.ts";

await runScript(async () => {
  const runs = wholeNumber("RUNS", Deno.args[0] ?? "10");
  await timeToFirstInstruction();
  const times: number[] = [];
  for (let i = 0; i < runs; i++) times.push(await timeToFirstInstruction());
  const ms = (time: number) => `${time.toFixed(0)} ms`;
  console.log(`first instruction after ${ms(median(times))} (median of ${runs}; least ${ms(Math.min(...times))})`);
  return 0;
});
