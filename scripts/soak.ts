/**
 * `deno task soak [MINUTES] [SECONDS BETWEEN LINES]`: runs Debian's i386 kernel under a load of processes that
 * come and go and of programs that follow one another, as in a build, and says what that does to memory and pauses.
 *
 * Memory is the process's, without the guest's, beyond what it took at the prompt; the part that is executable is code of
 * V8, and in the heap is what is remembered about decoded and translated code. A step is the most that runs between two
 * turns of the event loop: its time is the main thread's on a processor where Linux tells it, and the host's elsewhere, as
 * for compilations.
 *
 * Exit code 1 if the process takes over 300 MiB more than at the shell's first prompt.
 */
import { fileURLToPath } from "node:url";
import { Guest } from "../mod.ts";
import { runScript, wholeNumber } from "./lib/command_line.ts";

const IMAGES = fileURLToPath(new URL("../.cache/images/", import.meta.url));
const MIB = 2 ** 20;
const RAM = 128 * MIB;
const MOST_MEMORY = 300 * MIB;

/** What the shell does for ever: hashes, sorts, packs, searches and counts, each by processes of its own. */
const LOAD = [
  "while :; do",
  "for f in /bin/busybox /proc/cpuinfo /etc/inittab; do",
  "sha256sum $f; md5sum $f; head -c 200000 $f | gzip -1 | gunzip | wc -c; head -c 30000 $f | od -x | sort -u | wc -l;",
  "done;",
  "i=0; while [ $i -lt 40 ]; do echo $i | sed s/1/one/ | awk '{ print $1, length($1) }'; expr $i + 1; i=$((i + 1)); done;",
  "ls -lR /bin /proc/1 2>&1 | grep -v zero | tail -n 400 | cut -c 1-40 | tr a-z A-Z | uniq | cksum;",
  "find /sys -name uevent | head -n 200 | xargs cat | sort | uniq -c | wc; seq 1 400 | factor | bc 2>&1 | wc;",
  "done > /dev/null 2>&1 &",
].join(" ");

/** Time in ms: the main thread's on a processor, or the host's. */
function threadTime(): number {
  try {
    return Number(Deno.readTextFileSync("/proc/thread-self/schedstat").split(" ")[0]) / 1e6;
  } catch {
    return performance.now();
  }
}

/** Bytes in memory: of the process without the guest's memory, and of what is executable and belongs to no file. */
interface Memory {
  readonly own: number;
  readonly code: number;
}

/** Without the guest's memory where the system tells, as Linux does. */
function memory(): Memory {
  const { rss } = Deno.memoryUsage();
  let map: string;
  try {
    map = Deno.readTextFileSync("/proc/self/smaps");
  } catch {
    return { own: rss, code: NaN };
  }
  let code = 0, guests = 0, kind = "";
  for (const line of map.split("\n")) {
    const mapping = /^([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ (\d+)/.exec(line);
    if (mapping) {
      const [, start, end, rights, file] = mapping, size = parseInt(end, 16) - parseInt(start, 16);
      // The guest's RAM is in one piece with the processor's state and video memory.
      kind = file !== "0" ? "" : rights.includes("x") ? "code" : rights[1] === "w" && size >= RAM ? "guest" : "";
    } else if (line.startsWith("Rss:")) {
      const bytes = parseInt(line.slice(4)) * 1024;
      if (kind === "code") code += bytes;
      if (kind === "guest") guests += bytes;
    }
  }
  return { own: rss - guests, code };
}

/** Headings of the columns, as wide as they are, and at least {@link WIDTH}. */
const HEADINGS = [
  "time s",
  "10^6 instr.",
  "more MiB",
  "code MiB",
  "heap MiB",
  "wasm MiB",
  "regions",
  "made",
  "evicted",
  "step ms",
  "compile s",
  "longest ms",
];
const WIDTH = 6;

function row(cells: readonly string[]): string {
  return cells.map((cell, i) => cell.padStart(Math.max(HEADINGS[i].length, WIDTH))).join(" ");
}

function mebibytes(bytes: number): string {
  return (bytes / MIB).toFixed(0);
}

async function main(): Promise<number> {
  const minutes = wholeNumber("MINUTES", Deno.args[0] ?? "15");
  const interval = wholeNumber("SECONDS BETWEEN LINES", Deno.args[1] ?? "60") * 1000;
  await using guest = await Guest.boot({
    kernel: `${IMAGES}vmlinuz-686`,
    initrd: `${IMAGES}initramfs-i386.cpio.gz`,
    append: "console=ttyS0 quiet cryptomgr.notests",
    memory: RAM,
    watchdog: (minutes + 10) * 60_000,
  });
  await guest.serial.waitFor(/login: $/, { timeout: "120s" });
  await guest.serial.write("root\r");
  await guest.serial.waitFor(/# $/);
  const before = memory().own, started = performance.now(), elapsed = () => performance.now() - started;
  console.log(`at the prompt: ${mebibytes(before)} MiB, ${guest.statistics["regions"]} regions`);
  await guest.serial.write(`${LOAD}\r`);

  let last = threadTime(), longest = 0, most = 0;
  guest.on("progress", () => {
    const now = threadTime();
    longest = Math.max(longest, now - last);
    last = now;
  });
  console.log(row(HEADINGS));
  for (let line = 1; elapsed() < minutes * 60_000; line++) {
    await guest.run({ until: () => elapsed() >= line * interval });
    const { own, code } = memory(), more = own - before, of = guest.statistics;
    most = Math.max(most, more);
    console.log(row([
      (elapsed() / 1000).toFixed(0),
      (guest.instructions / 1e6).toFixed(0),
      mebibytes(more),
      mebibytes(code),
      mebibytes(Deno.memoryUsage().heapUsed),
      mebibytes(of["bytes of WebAssembly at present"]),
      String(of["regions at present"]),
      String(of["regions"]),
      String(of["modules evicted"]),
      longest.toFixed(0),
      (of["compile time (ms)"] / 1000).toFixed(1),
      of["longest compilation (ms)"].toFixed(0),
    ]));
    longest = 0;
    last = threadTime();
  }
  console.log(JSON.stringify(guest.statistics));
  console.log(`at most ${mebibytes(most)} MiB more than at the prompt`);
  return most > MOST_MEMORY ? 1 : 0;
}

await runScript(main);
