/** The processor time of other processes, from Linux's /proc. Needs `--allow-all`, as Deno protects that folder. */

/** Unit of the times in `stat`: Linux has 100 per second for programs, whatever it counts by. */
const TICK_MS = 10;

/** What `/proc/PID/stat` (proc(5)) says of a process. */
export function parseStat(text: string): { parent: number; waitedForMs: number } {
  // The name, in brackets, may contain anything.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  // Fields 4 (ppid), 16 and 17 (cutime, cstime); the first one here is field 3.
  return { parent: Number(fields[1]), waitedForMs: (Number(fields[13]) + Number(fields[14])) * TICK_MS };
}

/** The text of a file, empty if its process has ended. */
function read(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}

function entries(folder: string): string[] {
  try {
    return [...Deno.readDirSync(folder)].map(({ name }) => name);
  } catch {
    return [];
  }
}

/** Of all threads, in ms. The first number in `schedstat` is the time on a processor in ns. */
function ownTime(process: number): number {
  const threads = entries(`/proc/${process}/task`);
  return threads.reduce((sum, id) => sum + parseInt(read(`/proc/${process}/task/${id}/schedstat`) || "0") / 1e6, 0);
}

/**
 * The processor time in ms that a process, the children that it has and the ones that it has waited for have taken; 0 if
 * there is no such process.
 */
export function processTime(process: number): number {
  const stat = read(`/proc/${process}/stat`);
  if (stat === "") return 0;
  let time = ownTime(process) + parseStat(stat).waitedForMs;
  for (const id of entries("/proc")) {
    if (/^\d+$/.test(id) && parseStat(read(`/proc/${id}/stat`)).parent === process) time += ownTime(Number(id));
  }
  return time;
}
