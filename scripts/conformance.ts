/**
 * Runs instruction vectors on our processor: `deno task conformance -- DIR… [--tier T] [--only GLOB] [--show N]`.
 *
 * Every `*.ndjson.gz` below the folders is run; per file and in all it prints how many cases passed, failed, and are
 * unsupported (the processor has no definition of the instruction). Exit code 0 if nothing failed, 1 if something did, 2 if the
 * arguments make no sense.
 */
import { decode, disassemble, newInstruction } from "../lib/cpu/decode/mod.ts";
import { DEFAULT_TIER, TIERS } from "../lib/cpu/options.ts";
import { parseCommandLine, runScript, UsageError, wholeNumber } from "./lib/command_line.ts";
import { compare } from "./lib/vector_compare.ts";
import { newVectorTarget, type VectorTarget } from "./lib/vector_target.ts";
import {
  CODE_BASE,
  CODE_OFFSET,
  findVectorFiles,
  parseCase,
  readLines,
  selects,
  type VectorCase,
} from "./lib/vectors.ts";

const USAGE = `usage: deno task conformance -- DIR… [--tier ${TIERS.join("|")}] [--only GLOB] [--show N]`;

/** Cases by result. */
interface Tally {
  passed: number;
  failed: number;
  unsupported: number;
}

const EXCEPTION_LIMIT = 3;

/** An internal error of the processor while it ran a case, as a difference. */
function crashText(error: unknown): string {
  const stack = error instanceof Error ? error.stack ?? error.message : String(error);
  return `internal error: ${stack.split("\n").slice(0, EXCEPTION_LIMIT).join(" ")}`;
}

function report(file: string, test: VectorCase, text: string, differences: string[]): void {
  console.log(`\n${file}: ${test.code.toHex()}  ${text}`);
  const flags = test.before.flags.toString(16);
  console.log(`  before: ${test.before.gpr.map((value) => value.toString(16)).join(" ")}  flags ${flags}`);
  for (const difference of differences) console.log(`  ${difference}`);
}

function tallyText({ passed, failed, unsupported }: Tally): string {
  const column = (count: number, name: string) => `${String(count).padStart(7)} ${name}`;
  return `${column(passed, "passed")}${column(failed, "failed")}${column(unsupported, "unsupported")}`;
}

/** Runs every case of a file; shows failures as long as `show` allows. */
function runFile(target: VectorTarget, name: string, cases: VectorCase[], show: { left: number }): Tally {
  const tally = { passed: 0, failed: 0, unsupported: 0 }, instruction = newInstruction();
  for (const test of cases) {
    const end = CODE_OFFSET + test.code.length;
    decode(test.before.code, CODE_OFFSET, end, test.codeSize, instruction);
    if (!target.supports(test, instruction)) {
      tally.unsupported++;
      continue;
    }
    let differences: string[];
    try {
      target.setState(test);
      const exception = target.runOne(instruction);
      differences = compare(test, { state: target.readState(), exception });
    } catch (error) {
      differences = [crashText(error)];
    }
    if (differences.length === 0) {
      tally.passed++;
      continue;
    }
    tally.failed++;
    if (show.left > 0) {
      show.left--;
      report(name, test, disassemble(instruction, CODE_BASE + CODE_OFFSET), differences);
    }
  }
  return tally;
}

async function main(): Promise<number> {
  const args = parseCommandLine(Deno.args, { string: ["tier", "only", "show"], positional: true, usage: USAGE });
  const name = args.tier === undefined ? DEFAULT_TIER : String(args.tier), tier = TIERS.find((known) => known === name);
  const show = { left: wholeNumber("--show", String(args.show ?? 0), 0) };
  const complaint = (message: string) => new UsageError(`${message}\n${USAGE}`);
  if (args._.length === 0) throw complaint("no folder given");
  if (tier === undefined) throw complaint(`unknown tier ${name}`);

  let files = [];
  try {
    files = args._.flatMap((folder) => findVectorFiles(String(folder)));
  } catch (error) {
    throw complaint(error instanceof Error ? error.message : String(error));
  }
  if (args.only !== undefined) files = files.filter((file) => selects(String(args.only), file));
  if (files.length === 0) throw complaint("no vector file found");

  const target = newVectorTarget({ tier }), total = { passed: 0, failed: 0, unsupported: 0 };
  const started = performance.now();
  for (const file of files) {
    const cases = (await readLines(file.path)).map((line) => parseCase(line, file.codeSize));
    const tally = runFile(target, file.name, cases, show);
    console.log(`${file.name.padEnd(14)}${tallyText(tally)}`);
    total.passed += tally.passed;
    total.failed += tally.failed;
    total.unsupported += tally.unsupported;
  }
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`${"all".padEnd(14)}${tallyText(total)}   ${tier}, ${seconds} s`);
  return total.failed > 0 ? 1 : 0;
}

if (import.meta.main) await runScript(main);
