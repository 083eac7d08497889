/**
 * Times the boot of Debian's i386 kernel to its login prompt in Bootwright and, where they are there, in the peers on the
 * same kernel, initramfs and command line, one after the other in each round: `deno task bench -- [--runs N] [--json] [--only NAMES]`.
 *
 * Peers: v86 with its interpreter alone and with its translator (folder of the npm package's build in V86DIR, runner in
 * ../shared/peers), QEMU's translator (qemu-system-i386). All are timed from outside, as whole processes.
 */
import { parseArgs } from "@std/cli";
import { fileURLToPath } from "node:url";
import { exists } from "./lib/files.ts";

const ROOT = fileURLToPath(new URL("../", import.meta.url));
const KERNEL = `${ROOT}.cache/images/vmlinuz-686`, INITRD = `${ROOT}.cache/images/initramfs-i386.cpio.gz`;
const COMMAND_LINE = "console=ttyS0";
const MARKER = "login:";
const V86_RUNNER = `${ROOT}../shared/peers/v86run.mjs`;
/** A run that takes longer than this counts as failed. */
const LIMIT_SECONDS = 400;

/** Something that can boot the kernel. */
interface Contestant {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Record<string, string>;
}

function found(command: string): boolean {
  return (Deno.env.get("PATH") ?? "").split(":").some((folder) => folder !== "" && exists(`${folder}/${command}`));
}

function contestants(): { all: Contestant[]; absent: string[] } {
  const deno = Deno.execPath(), absent: string[] = [];
  const all: Contestant[] = [{
    name: "bootwright",
    command: deno,
    args: [
      ...["run", "--allow-read", "--allow-write", `${ROOT}cli.ts`, "run", "--kernel", KERNEL, "--initrd", INITRD],
      ...["--append", COMMAND_LINE, "--memory", "128M", "--serial", "stdio", "--until-serial", MARKER],
      ...["--timeout", "600s"],
    ],
  }];
  const v86 = Deno.env.get("V86DIR");
  if (v86 && exists(V86_RUNNER) && exists("/usr/share/seabios/bios.bin")) {
    const args = ["run", "-A", V86_RUNNER, `kernel=${KERNEL}`, `initrd=${INITRD}`, `cmdline=${COMMAND_LINE}`];
    args.push(`untilraw=${MARKER}`, `timeout=${LIMIT_SECONDS}`);
    all.push({ name: "v86-interpreter", command: deno, args: [...args, "nojit=1"], env: { V86DIR: v86 } });
    all.push({ name: "v86", command: deno, args, env: { V86DIR: v86 } });
  } else absent.push("v86 (set V86DIR to the npm package's build folder)");
  if (found("qemu-system-i386")) {
    const machine = [
      "-accel",
      "tcg,thread=single",
      "-smp",
      "1",
      "-m",
      "128",
      "-nographic",
      "-no-reboot",
      "-nodefaults",
    ];
    const boot = ["-serial", "stdio", "-kernel", KERNEL, "-initrd", INITRD, "-append", COMMAND_LINE];
    all.push({ name: "qemu-tcg", command: "qemu-system-i386", args: [...machine, ...boot] });
  } else absent.push("QEMU (apt-get install qemu-system-x86)");
  return { all, absent };
}

/** Seconds until the marker appears on standard output; the process is ended then. */
async function time(contestant: Contestant): Promise<number> {
  const { command, args, env } = contestant, start = performance.now();
  const process = new Deno.Command(command, { args: [...args], env, stdin: "null", stdout: "piped", stderr: "null" })
    .spawn();
  const watchdog = setTimeout(() => process.kill("SIGKILL"), LIMIT_SECONDS * 1000);
  const decoder = new TextDecoder();
  let tail = "", seconds = NaN;
  for await (const bytes of process.stdout) {
    tail = (tail + decoder.decode(bytes, { stream: true })).slice(-4096);
    if (!tail.includes(MARKER)) continue;
    seconds = (performance.now() - start) / 1000;
    break;
  }
  clearTimeout(watchdog);
  try {
    process.kill("SIGKILL");
  } catch (error) {
    // It has ended by itself.
    if (!(error instanceof TypeError)) throw error;
  }
  await process.status;
  if (Number.isNaN(seconds)) throw new Error(`${contestant.name} ended without "${MARKER}"`);
  return seconds;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b), middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

async function main(): Promise<number> {
  const options = parseArgs(Deno.args.filter((arg) => arg !== "--"), {
    string: ["runs", "only"],
    boolean: ["json"],
    default: { runs: "3" },
  });
  const runs = Number(options.runs);
  if (!Number.isInteger(runs) || runs < 1) {
    console.error(`--runs: expected a whole number from 1, found ${options.runs}`);
    return 2;
  }
  if (!exists(KERNEL) || !exists(INITRD)) {
    console.error("the kernel is not there: run `deno task images` first");
    return 2;
  }
  const { all, absent } = contestants();
  const names = options.only === undefined ? all.map((c) => c.name) : String(options.only).split(",");
  const chosen = all.filter((c) => names.includes(c.name));
  for (const peer of absent) console.error(`not measured: ${peer}`);
  const seconds = new Map<string, number[]>(chosen.map((c) => [c.name, []]));
  for (let run = 0; run < runs; run++) {
    for (const contestant of chosen) seconds.get(contestant.name)?.push(await time(contestant));
  }
  const own = median(seconds.get("bootwright") ?? [NaN]);
  const rows = [...seconds].map(([name, times]) => ({
    name,
    seconds: times,
    median: median(times),
    timesOurs: median(times) / own,
  }));
  if (options.json) console.log(JSON.stringify({ benchmark: "boot-i386", rows }, null, 2));
  else {
    console.log(`boot of Debian's i386 kernel to "${MARKER}", ${runs} rounds, seconds`);
    for (const row of rows) {
      const range = `${Math.min(...row.seconds).toFixed(1)}–${Math.max(...row.seconds).toFixed(1)}`;
      console.log(
        `${row.name.padEnd(16)}${row.median.toFixed(1).padStart(8)}  (${range})  ${row.timesOurs.toFixed(2)} × ours`,
      );
    }
  }
  return 0;
}

Deno.exit(await main());
