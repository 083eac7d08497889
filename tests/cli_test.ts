/** The command line as a program: what it prints, and with which code it ends. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { FIXTURE_IMAGE, projectPath } from "./support.ts";

const CLI = projectPath("cli.ts");

interface Result {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

function command(args: readonly string[], permissions: readonly string[]): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "--no-prompt", ...permissions, CLI, ...args],
    cwd: projectPath("."),
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    env: { NO_COLOR: "1" },
  });
}

async function cli(args: readonly string[], permissions = ["--allow-read", "--allow-write"]): Promise<Result> {
  const { code, stdout, stderr } = await command(args, permissions).output();
  return { code, out: new TextDecoder().decode(stdout), err: new TextDecoder().decode(stderr) };
}

/** Calls `fn` with a folder that is gone afterwards. */
async function withFolder(fn: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await fn(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("run: conditions and actions in order, then the results", () =>
  withFolder(async (folder) => {
    const { code, out, err } = await cli([
      "run",
      "--fda",
      FIXTURE_IMAGE,
      "--memory",
      "8M",
      "--serial",
      `file:${folder}/log`,
      "--until-serial",
      "^> $",
      "--type",
      "echo one\\n",
      "--until-screen",
      "^one$",
      "--send",
      "echo two\\r",
      "--until-serial",
      "^two$",
      "--wait",
      "50ms",
      "--screen",
      "--hash",
      "--stats",
      "--screenshot",
      `${folder}/screen.png`,
      "--save",
      `${folder}/guest.snapshot`,
    ]);
    assertEquals([code, err], [0, ""]);
    assertStringIncludes(out, "> echo one\none\n> echo two\ntwo\n>");
    assertMatch(out, /^[0-9a-f]{32}$/m);
    assertMatch(out, /\d+ instructions, .* guest time, .* host time, [\d.]+ M instr\/s/);
    for (const line of ["instructions interpreted", "instructions in regions", "TLB misses", "compile time (ms)"]) {
      assertStringIncludes(out, `\n${line}: `);
    }
    assertStringIncludes(await Deno.readTextFile(`${folder}/log`), "> echo one\r\none\r\n");
    assertEquals([...(await Deno.readFile(`${folder}/screen.png`)).subarray(1, 4)], [0x50, 0x4e, 0x47]);

    const restored = await cli([
      "run",
      "--restore",
      `${folder}/guest.snapshot`,
      "--serial",
      "stdio",
      "--send",
      "exit 5\\r",
      "--until-exit",
    ]);
    assertEquals([restored.code, restored.err], [64 + 5, ""]);
    assertStringIncludes(restored.out, "exit 5");
  }));

Deno.test("run: the same command gives the same hash", async () => {
  const args = [
    "run",
    "--fda",
    FIXTURE_IMAGE,
    "--memory",
    "8M",
    "--until-serial",
    "^> $",
    "--type",
    "ticks\\n",
    "--wait",
    "20ms",
  ];
  const first = await cli([...args, "--hash"]);
  assertMatch(first.out, /^[0-9a-f]{32}\n$/);
  assertEquals(await cli([...args, "--hash"]), first);
});

Deno.test("run: reading the image is all the permission it takes", async () => {
  const args = ["run", "--fda", FIXTURE_IMAGE, "--memory", "8M", "--until-serial", "^> $"];
  assertEquals((await cli(args, [`--allow-read=${FIXTURE_IMAGE}`])).code, 0);
  const { code, err } = await cli([...args, "--screenshot", "/tmp/never.png"], [`--allow-read=${FIXTURE_IMAGE}`]);
  assertEquals(code, 6);
  assertStringIncludes(err, "--allow-write");
});

Deno.test("run: a timeout shows the screen and the serial line", async () => {
  const { code, err } = await cli(["run", "--fda", FIXTURE_IMAGE, "--until-screen", "nope", "--timeout", "100ms"]);
  assertEquals(code, 3);
  assertStringIncludes(err, "/nope/m on the screen");
  assertStringIncludes(err, "|  Bootwright fixture guest");
});

Deno.test("run: --timeout alone is where it stops", async () => {
  assertEquals(await cli(["run", "--fda", FIXTURE_IMAGE, "--timeout", "30ms"]), { code: 0, out: "", err: "" });
});

Deno.test("run: a guest that fails or ends too early", async () => {
  const crash = [
    "run",
    "--fda",
    FIXTURE_IMAGE,
    "--until-serial",
    "^> $",
    "--type",
    "crash\\n",
    "--until-screen",
    "never",
  ];
  const failed = await cli([...crash, "--fail-on", "PANIC"]);
  assertEquals(failed.code, 5);
  assertStringIncludes(failed.err, "PANIC");
  const triple = ["run", "--fda", FIXTURE_IMAGE, "--on-triple-fault", "stop", "--until-serial", "^> $"];
  const ended = await cli([...triple, "--type", "triple\\n", "--until-serial", "never"]);
  assertEquals(ended.code, 4);
  assertStringIncludes(ended.err, "triple fault");
});

Deno.test("errors are one clear message without a stack trace", () =>
  withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/text`, "not what it should be\n".repeat(100));
    const cases: [string[], number, string][] = [
      [["run", "--memroy", "8M"], 2, "--memory"],
      [["run", "--memory", "8Q"], 2, "8Q"],
      [["run", "--memory", "1000G"], 2, "memory"],
      [["run", "--cpu", "i386"], 2, "i486"],
      [["run", "disk.img"], 2, "disk.img"],
      [["run", "--fda", `${folder}/missing`], 6, `${folder}/missing`],
      [["run", "--cdrom", folder], 6, folder],
      [["run", "--kernel", `${folder}/text`], 6, "kernel"],
      [["run", "--firmware", `${folder}/text`], 6, "BIOS"],
      [["run", "--restore", `${folder}/text`], 6, "snapshot"],
      [["run", "--fda", FIXTURE_IMAGE, "--press", "Entre"], 2, "Enter"],
      [["run", "--fda", FIXTURE_IMAGE, "--serial", "file:/nowhere/log"], 6, "/nowhere/log"],
      [["rnu"], 2, '"run"'],
      [["exec"], 2, "script"],
      [["exec", `${folder}/missing.ts`], 6, "missing.ts"],
      [["disasm", `${folder}/missing`], 6, "missing"],
    ];
    await Promise.all(cases.map(async ([args, expected, text]) => {
      const { code, err } = await cli(args);
      assertEquals(code, expected, `${args.join(" ")}: ${err}`);
      assertStringIncludes(err, text);
      assertMatch(err, /^bootwright: [^\n]+\n$/);
    }));
  }));

Deno.test("run: Ctrl-C ends it cleanly", async () => {
  const child = command(["run", "--fda", FIXTURE_IMAGE, "--memory", "8M", "--serial", "stdio"], ["--allow-read"])
    .spawn();
  const reader = child.stdout.getReader();
  assert(!(await reader.read()).done, "it runs");
  child.kill("SIGINT");
  while (!(await reader.read()).done);
  assertEquals((await child.status).code, 130);
  assertEquals(await new Response(child.stderr).text(), "");
});

Deno.test("a killed process leaves the old snapshot, or none", () =>
  withFolder(async (folder) => {
    const path = `${folder}/guest.snapshot`;
    const save = ["run", "--fda", FIXTURE_IMAGE, "--memory", "8M", "--until-serial", "^> $", "--save", path];
    for (const delay of [200, 400, 500, 600]) {
      const child = command(save, ["--allow-read", "--allow-write"]).spawn();
      const timer = setTimeout(() => child.kill("SIGKILL"), delay);
      await Promise.all([child.status, child.stdout.cancel(), child.stderr.cancel()]);
      clearTimeout(timer);
      const found = [...Deno.readDirSync(folder)].filter(({ name }) => name === "guest.snapshot");
      if (found.length > 0) assertEquals((await cli(["run", "--restore", path, "--timeout", "1ms"])).code, 0);
    }
  }));

Deno.test("exec: a script with the API, its arguments, its result and its errors", () =>
  withFolder(async (folder) => {
    const script = `${folder}/my script.ts`;
    await Deno.writeTextFile(
      script,
      `import { expect, Guest } from "@bootwright/bootwright";
      export default async function (image: string): Promise<number> {
        await using guest = await Guest.boot({ fda: image, memory: "8M" });
        await expect(guest.screen).toContainText("fixture guest");
        console.log("seen");
        return 9;
      }`,
    );
    assertEquals(await cli(["exec", script, FIXTURE_IMAGE]), { code: 9, out: "seen\n", err: "" });
    const least = await cli(["exec", script, FIXTURE_IMAGE], [`--allow-read=${script},${FIXTURE_IMAGE}`]);
    assertEquals(least, { code: 9, out: "seen\n", err: "" });
    await Deno.writeTextFile(script, `throw new Error("the script's own");`);
    const { code, err } = await cli(["exec", script]);
    assertEquals(code, 7);
    assertStringIncludes(err, "the script's own");
    const stray = `import { Guest } from "@bootwright/bootwright";
      Guest.boot({ fda: "/nowhere/a.img" });
      await new Promise((resolve) => setTimeout(resolve, 5000));`;
    await Deno.writeTextFile(script, stray);
    const unhandled = await cli(["exec", script]);
    assertEquals([unhandled.code, unhandled.err], [6, "bootwright: fda: image file not found: /nowhere/a.img\n"]);
  }));

Deno.test("disasm: a boot sector", async () => {
  const { code, out } = await cli(["disasm", "--origin", "0x7c00", "--length", "16", FIXTURE_IMAGE]);
  assertEquals(code, 0);
  assertMatch(out, /^07c00 {2}/);
});

Deno.test("help and version", async () => {
  assertStringIncludes((await cli(["--help"])).out, "run");
  assertStringIncludes((await cli(["run", "--help"])).out, "--until-screen");
  assertStringIncludes((await cli(["exec", "--help"])).out, "SCRIPT");
  assertStringIncludes((await cli(["disasm", "--help"])).out, "--bits");
  assertMatch((await cli(["--version"])).out, /^\d+\.\d+\.\d+\n$/);
  assertEquals((await cli([])).code, 2);
});
