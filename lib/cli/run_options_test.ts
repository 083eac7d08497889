import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { OptionError } from "../guest/errors.ts";
import { parseRun, RUN_HELP } from "./run_options.ts";

function messageOf(...args: string[]): string {
  return assertThrows(() => parseRun(args), OptionError).message;
}

Deno.test("parseRun: conditions and actions keep their order among the other options", () => {
  const plan = parseRun([
    "--until-serial",
    "login: $",
    "--memory",
    "64M",
    "--type=root\\n",
    "--press",
    "ctrl-c Enter",
    "--hash",
    "--until-screen=/welcome/i",
    "--wait",
    "2s",
    "--until-exit",
  ]);
  assertEquals(plan.steps, [
    { kind: "until-serial", pattern: /login: $/m },
    { kind: "type", text: "root\n" },
    { kind: "press", keys: ["ctrl-c", "Enter"] },
    { kind: "until-screen", pattern: /welcome/im },
    { kind: "wait", time: "2s" },
    { kind: "until-exit" },
  ]);
  assertEquals([plan.options.memory, plan.hash, plan.stats], ["64M", true, false]);
});

Deno.test("parseRun: values may look like options", () => {
  const plan = parseRun(["--append", "--verbose", "--type", "--help", "--kernel=a=b"]);
  assertEquals(plan.options, { append: "--verbose", kernel: "a=b" });
  assertEquals(plan.steps, [{ kind: "type", text: "--help" }]);
});

Deno.test("parseRun: drives, serial lines, limits", () => {
  const plan = parseRun([
    "--hda",
    "disk.img,write-through",
    "--fda=a.img,readonly",
    "--serial",
    "stdio",
    "--serial",
    "file:log",
    "--timeout",
    "90s",
    "--seed",
    "0x10",
    "--restore",
    "x.snap",
  ]);
  assertEquals(plan.options, {
    fda: { image: "a.img", readOnly: true },
    hda: { image: "disk.img", write: "through" },
    seed: 16,
    snapshot: "x.snap",
  });
  assertEquals(plan.serials, [{ kind: "stdio" }, { kind: "file", path: "log" }]);
  assertEquals(plan.timeout, 90e9);
});

Deno.test("parseRun: what makes no sense is one clear message", () => {
  assertStringIncludes(messageOf("--memroy", "1M"), "--memory");
  assertStringIncludes(messageOf("disk.img"), "--hda");
  assertStringIncludes(messageOf("--", "--fda", "disk.img"), "unexpected argument");
  assertStringIncludes(messageOf("--kernel"), "--kernel needs a value");
  assertStringIncludes(messageOf("--type"), "--type needs a value");
  assertStringIncludes(messageOf("--until-serial", "("), "--until-serial");
  assertStringIncludes(messageOf("--serial", "tcp:1"), "file:PATH");
  assertStringIncludes(messageOf("--tier", "jit"), "jit");
  assertStringIncludes(messageOf("--until-exit=5"), "--until-exit takes no value");
  assertStringIncludes(messageOf("--timeout", "soon"), "--timeout");
  assertStringIncludes(messageOf("--seed", "x"), "--seed");
});

Deno.test("RUN_HELP: fits a wide terminal", () => {
  for (const line of RUN_HELP.split("\n")) assertEquals(line.length <= 125, true, line);
});
