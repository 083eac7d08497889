/**
 * Garbage of every kind ends in an error that says what is wrong, or in a guest that runs, never in anything else.
 * `scripts/fuzz.ts` goes on for longer.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { main } from "../lib/cli/main.ts";
import { cleanUp, GARBAGE, runGarbage } from "../scripts/lib/garbage.ts";
import { Random } from "../scripts/lib/random.ts";

const CASES = 12, INSTRUCTIONS = 20_000;

for (const kind of Object.keys(GARBAGE)) {
  Deno.test(`garbage: ${kind}`, async () => {
    for (let seed = 0; seed < CASES; seed++) {
      const { problem } = await runGarbage(kind, seed, INSTRUCTIONS);
      assertEquals(problem, "", `case ${seed}`);
    }
    await cleanUp();
  });
}

/** Calls `fn` with what is written to the standard streams collected instead. */
async function collected(fn: () => Promise<number>): Promise<{ code: number; err: string }> {
  const { stdout, stderr } = Deno, write = { out: stdout.writeSync, err: stderr.writeSync };
  let err = "";
  stdout.writeSync = (bytes) => bytes.length;
  stderr.writeSync = (bytes) => {
    err += new TextDecoder().decode(bytes);
    return bytes.length;
  };
  try {
    return { code: await fn(), err };
  } finally {
    stdout.writeSync = write.out;
    stderr.writeSync = write.err;
  }
}

Deno.test("garbage: the command line says in one line what is wrong with a file", async () => {
  const random = new Random(1), file = await Deno.makeTempFile();
  try {
    for (let round = 0; round < 24; round++) {
      const option = random.pick(["--kernel", "--restore", "--firmware", "--fda", "--hda", "--cdrom", "--initrd"]);
      await Deno.writeFile(file, random.bytes(random.pick([0, 3, 511, 2000, 65536])));
      const { code, err } = await collected(() => main(["run", option, file, "--timeout", "1ms", "--hash"]));
      assert([0, 2, 3, 6].includes(code), `${option}: exit code ${code}: ${err}`);
      assertMatch(err, code === 0 ? /^$/ : /^bootwright: .+\n/, option);
      assert(!/\n +at |internal error/.test(err), err);
      if (code === 2 || code === 6) assertEquals(err.trimEnd().split("\n").length, 1, err);
    }
  } finally {
    await Deno.remove(file);
  }
});
