/**
 * Compares results of SSE and x87 instructions with those of the processor that this runs on: `deno task native [--rounds N]`.
 *
 * Builds fixtures/floats with gcc, as a Linux program and as code for a bare processor, runs both, the latter in each tier, and
 * compares a hash per instruction over N results each (default 2000). Exit code 1 if some differ. Wants an x86-64 host with SSE4.2.
 */
import { parseArgs } from "@std/cli";
import { CR4, S } from "../lib/cpu/state.ts";
import { testBoard } from "../lib/cpu/test_board.ts";
import type { Tier } from "../lib/cpu/options.ts";

const CODE = 0x10_0000, STACK = 0x2f_0000, HASHES = 0x30_0000;
/** Instructions of a round, about, and how many more are allowed. */
const PER_ROUND = 2000;
const TIERS: readonly Tier[] = ["interpreter", "single", "regions"];
const SOURCES = new URL("../fixtures/floats/", import.meta.url).pathname;
const FLAGS = "-m32 -O1 -msse4.2 -ffreestanding -nostdlib -static -fno-pic -no-pie -fno-stack-protector".split(" ")
  .concat("-fno-asynchronous-unwind-tables", "-fcf-protection=none", "-Wl,--build-id=none");
const LINKER_SCRIPT =
  `ENTRY(entry) SECTIONS { . = ${CODE}; .all : { *(.first) *(.text*) *(.rodata*) *(.data*) *(.bss*) } /DISCARD/ : { *(*) } }`;

async function run(command: string, ...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args }).output();
  if (!success) throw new Error(`${command} failed: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}

/** Runs the program on a processor of ours; the hashes in order. */
function hashesOf(program: Uint8Array, tier: Tier, rounds: number, cases: number): string[] {
  const { cpu, memory } = testBoard({ tier });
  cpu.r.setI32(S.CR4, CR4.OSFXSR | CR4.OSXMMEXCPT);
  memory.write(CODE, program);
  cpu.r.ip = CODE;
  cpu.r.set32(4, STACK);
  cpu.modeChanged();
  const bytes = new Uint8Array(4 * (cases + 1)), view = new DataView(bytes.buffer);
  for (let left = rounds * cases * PER_ROUND; left > 0; left -= 10_000_000) {
    cpu.run(10_000_000);
    memory.read(HASHES, bytes);
    if (view.getUint32(0, true) !== 0) break;
  }
  if (view.getUint32(0, true) !== cases) throw new Error(`${tier}: the program did not end`);
  return Array.from({ length: cases }, (_, i) => view.getUint32(4 + 4 * i, true).toString(16).padStart(8, "0"));
}

const { rounds: text } = parseArgs(Deno.args, { string: ["rounds"], default: { rounds: "2000" } });
const rounds = Number(text);
if (!Number.isInteger(rounds) || rounds < 1) throw new Error(`--rounds ${text}: not a positive integer`);
const folder = await Deno.makeTempDir();
try {
  const defines = [`-DROUNDS=${rounds}`, `${SOURCES}floats.c`];
  await Deno.writeTextFile(`${folder}/linker.ld`, LINKER_SCRIPT);
  await run("gcc", ...FLAGS, ...defines, "-o", `${folder}/native`);
  await run("gcc", ...FLAGS, `-DHASHES=${HASHES}`, ...defines, `-Wl,-T,${folder}/linker.ld`, "-o", `${folder}/bare`);
  await run("objcopy", "-O", "binary", `${folder}/bare`, `${folder}/bare.bin`);
  const native = (await run(`${folder}/native`)).trim().split("\n").map((line) => line.split(" "));
  const program = await Deno.readFile(`${folder}/bare.bin`);
  let differences = 0;
  for (const tier of TIERS) {
    const ours = hashesOf(program, tier, rounds, native.length);
    const different = native.filter(([, hash], i) => hash !== ours[i]).map(([name]) => name);
    differences += different.length;
    console.log(`${tier}: ${native.length} instructions, ${different.length} differ ${different.join(" ")}`);
  }
  if (differences > 0) Deno.exitCode = 1;
} finally {
  await Deno.remove(folder, { recursive: true });
}
