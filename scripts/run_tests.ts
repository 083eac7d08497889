/**
 * Everything that must hold before a change goes in: `deno task test`.
 *
 * Format, lint, types, documentation, what publishing needs, unit and integration tests, and a conformance run. Prints a
 * table at the end; the exit code is 0 if everything passed.
 */
import { fileURLToPath } from "node:url";
import { exists } from "./lib/files.ts";

const ROOT = fileURLToPath(new URL("../", import.meta.url));
/** Instruction vectors: a sample that comes with the project, and the whole set where it lies beside it. */
const VECTOR_FOLDERS = ["fixtures/vectors", "../shared/vectors/16", "../shared/vectors/32", "../shared/vectors/64"];

/** One thing to check. */
interface Stage {
  readonly name: string;
  readonly args: readonly string[];
}

/** How a stage went. */
interface Outcome {
  readonly name: string;
  readonly passed: boolean;
  readonly seconds: number;
  /** Tests that passed and failed, where the stage counts them. */
  readonly counts: { readonly passed: number; readonly failed: number };
}

function stages(): Stage[] {
  const vectors = VECTOR_FOLDERS.filter((folder) => exists(ROOT + folder));
  return [
    { name: "format", args: ["fmt", "--check"] },
    { name: "lint", args: ["lint"] },
    { name: "types", args: ["task", "check"] },
    { name: "documentation", args: ["doc", "--lint", "mod.ts"] },
    { name: "publish (dry run)", args: ["publish", "--dry-run", "--allow-dirty"] },
    { name: "tests", args: ["test", "--parallel", "--no-check", "--allow-all", "lib", "scripts", "tests"] },
    ...(vectors.length === 0 ? [] : [{
      name: "conformance",
      args: ["task", "conformance", "--", ...vectors, "--only", "base-*"],
    }]),
  ];
}

/** Copies a stream to `to` and returns its last part as text. */
async function tee(stream: ReadableStream<Uint8Array>, to: { writeSync(bytes: Uint8Array): number }): Promise<string> {
  let tail = "";
  const decoder = new TextDecoder();
  for await (const bytes of stream) {
    for (let done = 0; done < bytes.length;) done += to.writeSync(bytes.subarray(done));
    tail = (tail + decoder.decode(bytes, { stream: true })).slice(-4000);
  }
  return tail;
}

/** The counts in the last line of `deno test`: `ok | 61 passed (3 steps) | 0 failed`. */
function countTests(output: string, passed: boolean): Outcome["counts"] {
  const match = /\|\s+(\d+) passed[^|]*\|\s+(\d+) failed/.exec(output);
  if (match === null) return { passed: passed ? 1 : 0, failed: passed ? 0 : 1 };
  return { passed: Number(match[1]), failed: Number(match[2]) };
}

async function runStage({ name, args }: Stage): Promise<Outcome> {
  console.log(`\n== ${name}: deno ${args.join(" ")}`);
  const started = performance.now();
  const child = new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const [output, , status] = await Promise.all([
    tee(child.stdout, Deno.stdout),
    tee(child.stderr, Deno.stderr),
    child.status,
  ]);
  const seconds = (performance.now() - started) / 1000;
  return { name, passed: status.success, seconds, counts: countTests(output, status.success) };
}

const outcomes: Outcome[] = [];
for (const stage of stages()) outcomes.push(await runStage(stage));
console.log("");
for (const { name, passed, seconds } of outcomes) {
  console.log(`${passed ? "ok    " : "FAILED"}  ${name.padEnd(20)} ${seconds.toFixed(1).padStart(6)} s`);
}
const total = { passed: 0, failed: 0 };
for (const { counts, passed } of outcomes) {
  total.passed += counts.passed;
  total.failed += passed ? counts.failed : Math.max(1, counts.failed);
}
console.log(`${total.passed} passed, ${total.failed} failed`);
if (total.failed > 0) Deno.exit(1);
