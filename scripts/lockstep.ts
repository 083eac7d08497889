/**
 * Runs a guest in two tiers side by side and shows the first instruction after which they differ:
 * `deno run -A scripts/lockstep.ts (CASE | MACHINE OPTIONS) [--tier T]`, for example
 * `deno run -A scripts/lockstep.ts --kernel vmlinuz --initrd initrd.gz --append console=ttyS0 --tier regions`.
 */
import type { CpuOptions } from "../lib/cpu/options.ts";
import { TIERS } from "../lib/cpu/options.ts";
import { parseRun } from "../lib/cli/run_options.ts";
import { OptionError } from "../lib/guest/errors.ts";
import { GUEST_CASES, type GuestCase } from "./lib/guest_cases.ts";
import { type LockstepResult, runInLockstep } from "./lib/lockstep.ts";
import { snippetImage } from "./lib/snippet.ts";

const USAGE =
  `Usage: deno run -A scripts/lockstep.ts (CASE | --code ASM | MACHINE OPTIONS of bootwright run) [OPTION]...

CASE is one of ${
    GUEST_CASES.map(({ name }) => name).join(", ")
  }: guests with inputs. --restore FILE starts at a snapshot.
ASM is a piece of assembly in nasm's syntax, statements separated by ";": "mov ecx, 1000; L: add eax, ecx; loop L".

  --bits 16|32|64         where ASM runs: real mode, or flat 32- or 64-bit code (default 32)
  --tier T                what is compared with the reference: ${TIERS.join(", ")} (default regions)
  --reference T           the reference (default interpreter)
  --tlb N                 TLB entries of the compared machine
  --evict N               translated code of the compared machine is thrown away every N regions
  --code-bytes N          room is made for translated code when there is more than N bytes
  --record-bytes N        decoded blocks of the compared machine are forgotten at N bytes of records
  --compile-seed N        random thresholds in the compared machine
  --slices N,N…           the compared machine runs in slices
  --from N                the reference runs alone up to instruction N (default 0)
  --until N               ends there (default: the case's end, or 10 G instructions)
  --chunk N               instructions between two comparisons (default 20,000,000); _ and , may separate digits
  --trace N               instructions shown before the difference (default 32)

Exit codes: 0 no difference, 1 a difference, 2 usage.
`;
const OWN = [
  "tier",
  "reference",
  "tlb",
  "evict",
  "code-bytes",
  "record-bytes",
  "compile-seed",
  "slices",
  "from",
  "until",
  "chunk",
  "trace",
  "code",
  "bits",
];
const END = 10e9;
/** Registers that say nothing. */
const UNUSED = /^(st|xmm)\d+ [0.]+$/;

/** Takes our own options out of a command line; what is left says what the machine is. */
function split(args: readonly string[]): { own: Map<string, string>; rest: string[] } {
  const own = new Map<string, string>(), rest: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const [, name = "", value] = /^--([a-z-]+)(?:=(.*))?$/.exec(args[i]) ?? [];
    if (!OWN.includes(name)) rest.push(args[i]);
    else own.set(name, value ?? args[++i] ?? "");
  }
  return { own, rest };
}

async function caseOf(own: Map<string, string>, rest: readonly string[]): Promise<GuestCase> {
  const code = own.get("code");
  if (code !== undefined) {
    const bits = number(own, "bits") ?? 32;
    if (bits !== 16 && bits !== 32 && bits !== 64) throw new OptionError("--bits is 16, 32 or 64");
    const options = { memory: "8M", fda: await snippetImage(code, bits) };
    return { name: "", options, needs: [], instructions: 1e9, inputs: [], stretches: [] };
  }
  const known = GUEST_CASES.find(({ name }) => name === rest[0]);
  if (known !== undefined && rest.length === 1) return known;
  const { options } = parseRun(rest);
  return { name: "", options, needs: [], instructions: END, inputs: [], stretches: [] };
}

function number(own: Map<string, string>, name: string): number | undefined {
  const text = own.get(name)?.replaceAll(/[_,]/g, "");
  if (text === undefined) return undefined;
  if (!/^\d+$/.test(text)) throw new OptionError(`--${name}: "${text}" is not a whole number`);
  return Number(text);
}

function tier(own: Map<string, string>, name: string, otherwise: CpuOptions["tier"]): CpuOptions["tier"] {
  const text = own.get(name);
  if (text === undefined) return otherwise;
  const found = TIERS.find((known) => known === text);
  if (found === undefined) throw new OptionError(`--${name}: "${text}" is not one of ${TIERS.join(", ")}`);
  return found;
}

function show({ instructions, parting, fleeting }: LockstepResult): boolean {
  if (parting !== null) {
    console.log(`differs after ${parting.instructions} instructions; the last ones, as interpreted:`);
    for (const line of parting.trace) console.log(`  ${line}`);
    console.log(`next, reference: ${parting.next[0]}\nnext, compared:  ${parting.next[1]}`);
    for (const [name, one, other] of parting.registers) {
      if (one === other && UNUSED.test(`${name} ${one}`)) continue;
      console.log(one === other ? `  ${name.padEnd(7)}${one}` : `* ${name.padEnd(7)}${one}\n  ${"".padEnd(7)}${other}`);
    }
    for (const line of parting.differences) console.log(line);
  } else if (fleeting.length > 0) {
    console.log(`differs after ${instructions}, but not again when run from there or from the start:`);
    for (const line of fleeting) console.log(line);
  } else console.log(`equal up to ${instructions}`);
  return parting !== null || fleeting.length > 0;
}

async function main(): Promise<number> {
  const { own, rest } = split(Deno.args);
  if ((rest.length === 0 && !own.has("code")) || rest.includes("--help")) {
    console.log(USAGE);
    return 2;
  }
  const test = await caseOf(own, rest);
  const stress = {
    tlbEntries: number(own, "tlb"),
    evictEvery: number(own, "evict"),
    codeBytes: number(own, "code-bytes"),
    recordBytes: number(own, "record-bytes"),
    compileSeed: number(own, "compile-seed"),
  };
  const slices = own.get("slices")?.split(",").map(Number);
  const encoder = new TextEncoder(), terminal = Deno.stderr.isTerminal();
  const result = await runInLockstep(test, [
    { cpu: { tier: tier(own, "reference", "interpreter") } },
    { cpu: { tier: tier(own, "tier", "regions"), stress }, slices },
  ], {
    from: number(own, "from"),
    until: number(own, "until") ?? test.instructions,
    chunk: number(own, "chunk"),
    trace: number(own, "trace"),
    progress: (instructions) => {
      if (terminal) Deno.stderr.writeSync(encoder.encode(`\r${instructions} instructions equal `));
    },
  });
  if (terminal) console.error("");
  return show(result) ? 1 : 0;
}

try {
  Deno.exit(await main());
} catch (error) {
  if (!(error instanceof OptionError)) throw error;
  console.error(`${error.message}\n${USAGE}`);
  Deno.exit(2);
}
