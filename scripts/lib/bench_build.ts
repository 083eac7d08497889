/** Compiles the benchmarks of `fixtures/bench`, and `fixtures/fpu`, with gcc. */
import { type Architecture, commonFlags, programs } from "./bench_programs.ts";

/** A benchmark does not compile; the message has the compiler's. */
export class CompileError extends Error {
  override name = "CompileError";
}

async function gcc(args: string[]): Promise<{ success: boolean; stdout: string; stderr: string }> {
  const { success, stdout, stderr } = await new Deno.Command("gcc", { args, env: { LC_ALL: "C" } }).output();
  const decoder = new TextDecoder();
  return { success, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** The compiler's name and version. Throws {@link CompileError} if there is none, or none for x86. */
export async function compiler(): Promise<string> {
  try {
    const machine = (await gcc(["-dumpmachine"])).stdout.trim();
    if (!/^(x86_64|i[3-6]86)-/.test(machine)) throw new CompileError(`gcc compiles for ${machine}, not for x86`);
    return (await gcc(["--version"])).stdout.split("\n")[0];
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new CompileError("gcc is not installed (apt-get install gcc)");
  }
}

async function compile(
  flags: readonly string[],
  architecture: Architecture,
  source: string,
  output: string,
): Promise<void> {
  // Written beside and renamed, so that an interrupted run leaves no half program.
  const args = [...commonFlags(architecture), ...flags, source, "-o", `${output}.new`];
  const { success, stderr } = await gcc(args);
  if (!success) throw new CompileError(`gcc ${args.join(" ")}:\n${stderr}`);
  await Deno.rename(`${output}.new`, output);
}

/** Compiles the digest of floating-point results, from `fixtures/fpu/digest.c`, to `output`. Throws {@link CompileError}. */
export async function buildDigest(architecture: Architecture, source: string, output: string): Promise<void> {
  await compile(["-msse2"], architecture, source, output);
}

/** What the programs in a folder were made of: unless it changes, they need not be made again. */
async function fingerprint(architecture: Architecture, sources: string, version: string): Promise<string> {
  const parts = [version, ...commonFlags(architecture), JSON.stringify(programs(architecture))];
  const files = ["bench.h", ...new Set(programs(architecture).map(({ source }) => source))];
  for (const file of files) parts.push(await Deno.readTextFile(`${sources}/${file}`));
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(parts.join("\0")));
  return new Uint8Array(hash).toHex();
}

/**
 * Compiles all benchmarks for an architecture from folder `sources` into folder `target`, where they were not made from
 * the same before, and returns them by name. Throws {@link CompileError}.
 */
export async function buildBenchmarks(
  architecture: Architecture,
  sources: string,
  target: string,
): Promise<Map<string, Uint8Array>> {
  const wanted = await fingerprint(architecture, sources, await compiler()), mark = `${target}/fingerprint`;
  await Deno.mkdir(target, { recursive: true });
  const list = programs(architecture);
  if (await Deno.readTextFile(mark).catch(() => "") !== wanted) {
    for (const { name, source, flags } of list) {
      await compile(flags, architecture, `${sources}/${source}`, `${target}/${name}`);
    }
    await Deno.writeTextFile(mark, wanted);
  }
  const built = new Map<string, Uint8Array>();
  for (const { name } of list) built.set(name, await Deno.readFile(`${target}/${name}`));
  return built;
}
