/**
 * Times the benchmarks of `fixtures/bench` and the boot of Debian's kernel to its login prompt, on the host itself (the same
 * static programs), in Bootwright, and in the peers that are there: `deno task bench -- [OPTION]…`, see USAGE below.
 *
 * Peers: v86 (the environment's V86DIR names the build folder of its npm package; Debian's package seabios has its firmware)
 * and QEMU's translator. All boot the same kernel, initial RAM file system and command line, one after the other in each
 * round. Times are the host's, between the marker lines on the serial line; the boot is timed from the start of the process.
 * Exit code 1 if a test fails, crashes or takes too long anywhere. Ctrl-C ends it with what has been measured so far.
 */
import { type Contestant, contestant, CONTESTANTS, images } from "./lib/bench_contestants.ts";
import { type Architecture, programs } from "./lib/bench_programs.ts";
import { report, summarize } from "./lib/bench_report.ts";
import { boot, type Conduct, type Outcome, runInGuest, runNatively, type TimeSource } from "./lib/bench_run.ts";
import { parseCommandLine, runScript, UsageError, wholeNumber } from "./lib/command_line.ts";
import { exists } from "./lib/files.ts";

const USAGE = `usage: deno task bench -- [OPTION]...
  --only NAMES      tests, by commas; "boot" is the boot to the login prompt (default: all)
  --peers NAMES     of native,${CONTESTANTS.join(",")} (default: all but v86-interpreter)
  --arch ARCH       i386 (default) or amd64
  --runs N          rounds (default 3)
  --repeat N        run the tests N times in each boot (default 1)
  --scale PERCENT   amount of work (default 100)
  --tier TIER       of Bootwright's processor: auto (default), interpreter, single or regions
  --limit SECONDS   for one test (default 120); booting may take 400
  --time SOURCE     host (default), or processor: the processor time of each process, for hosts that have other work, too
  --json FILE       write all results there, too`;

interface Options {
  readonly tests: readonly string[];
  readonly boot: boolean;
  readonly native: boolean;
  readonly contestants: readonly Contestant[];
  readonly architecture: Architecture;
  readonly runs: number;
  readonly repeat: number;
  readonly conduct: Conduct;
  readonly json: string | null;
}

/** The names in a list; throws if one is not among those allowed. */
function names(option: string, list: string, allowed: readonly string[]): string[] {
  const chosen = list.split(",");
  for (const name of chosen) {
    if (!allowed.includes(name)) throw new UsageError(`--${option}: found ${name}, expected ${allowed.join(", ")}`);
  }
  return chosen;
}

function readOptions(args: readonly string[], signal: AbortSignal): Options {
  const given = parseCommandLine(args, {
    usage: USAGE,
    string: ["only", "peers", "arch", "runs", "repeat", "scale", "tier", "limit", "time", "json"],
    default: {
      peers: "native,ours,v86,qemu",
      arch: "i386",
      runs: "3",
      repeat: "1",
      scale: "100",
      tier: "auto",
      limit: "120",
      time: "host",
    },
  });
  const [architecture] = names("arch", String(given.arch), ["i386", "amd64"]) as Architecture[];
  const all = programs(architecture).map(({ name }) => name);
  const only = given.only === undefined ? ["boot", ...all] : names("only", String(given.only), ["boot", ...all]);
  const peers = names("peers", String(given.peers), ["native", ...CONTESTANTS]);
  const [tier] = names("tier", String(given.tier), ["auto", "interpreter", "single", "regions"]);
  const [time] = names("time", String(given.time), ["host", "processor"]) as TimeSource[];
  const contestants: Contestant[] = [];
  for (const name of peers.filter((name) => name !== "native")) {
    const found = contestant(name, architecture, tier);
    if (typeof found === "string") console.error(`not measured: ${name}, because ${found}`);
    else contestants.push(found);
  }
  return {
    tests: only.filter((name) => name !== "boot"),
    boot: only.includes("boot"),
    native: peers.includes("native"),
    contestants,
    architecture,
    runs: wholeNumber("--runs", String(given.runs)),
    repeat: wholeNumber("--repeat", String(given.repeat)),
    conduct: {
      scale: wholeNumber("--scale", String(given.scale)),
      time,
      limits: { boot: 400, test: wholeNumber("--limit", String(given.limit)) },
      signal,
    },
    json: given.json === undefined ? null : String(given.json),
  };
}

/** All outcomes by contestant and test: one for each pass through the tests, of all rounds one after the other. */
async function measure(options: Options): Promise<Map<string, Map<string, Outcome[]>>> {
  const { tests, repeat, conduct } = options, paths = images(options.architecture);
  const passes = Array.from({ length: repeat }, () => tests).flat();
  const all = new Map<string, Map<string, Outcome[]>>();
  const add = (who: string, test: string, outcome: Outcome) => {
    const row = all.get(who) ?? new Map<string, Outcome[]>();
    row.set(test, [...(row.get(test) ?? []), outcome]);
    all.set(who, row);
  };
  for (let run = 1; run <= options.runs; run++) {
    const enter = async (who: string, named: readonly string[], outcomes: Promise<Outcome[]>) => {
      const known = await outcomes;
      // What was interrupted has shown nothing.
      if (!conduct.signal.aborted) named.forEach((test, i) => add(who, test, known[i]));
    };
    const progress = (who: string) => console.error(`round ${run} of ${options.runs}: ${who}`);
    if (options.native && tests.length > 0) {
      progress("native");
      await enter("native", passes, runNatively(paths, passes, conduct));
    }
    for (const one of options.contestants) {
      if (conduct.signal.aborted) return all;
      progress(one.name);
      if (options.boot) await enter(one.name, ["boot"], boot(one, paths, conduct).then((outcome) => [outcome]));
      await enter(one.name, passes, runInGuest(one, paths, passes, conduct));
    }
    if (conduct.signal.aborted) return all;
  }
  return all;
}

async function main(): Promise<number> {
  const interruption = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, () => interruption.abort());
  const options = readOptions(Deno.args, interruption.signal);
  const { kernel, login, benchmarks } = images(options.architecture);
  const needed = [kernel, ...(options.boot ? [login] : []), ...(options.tests.length > 0 ? [benchmarks] : [])];
  const missing = needed.filter((path) => !exists(path));
  if (missing.length > 0) throw new UsageError(`${missing.join(", ")}: not there, run \`deno task images\` first`);
  const summary = summarize(await measure(options), {
    architecture: options.architecture,
    scale: options.conduct.scale,
    time: options.conduct.time,
    runs: options.runs,
    repeat: options.repeat,
    versions: Object.fromEntries(options.contestants.map(({ name, version }) => [name, version])),
  });
  console.log(report(summary));
  if (options.json !== null) await Deno.writeTextFile(options.json, `${JSON.stringify(summary, null, 2)}\n`);
  return summary.problems.length === 0 && !interruption.signal.aborted ? 0 : 1;
}

await runScript(main);
