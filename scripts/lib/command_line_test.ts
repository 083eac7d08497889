import { assertEquals, assertThrows } from "@std/assert";
import { parseCommandLine, UsageError, wholeNumber } from "./command_line.ts";

const USAGE = "usage: script [FILE]... [--runs N]";

Deno.test("parseCommandLine: options and positional arguments, as they were written", () => {
  const line = { string: ["runs"], default: { runs: "3" }, positional: true, usage: USAGE };
  const { _: files, runs } = parseCommandLine(["--", "016", "--runs=5", "a"], line);
  assertEquals([files, runs], [["016", "a"], "5"]);
  assertEquals(parseCommandLine([], line).runs, "3");
});

Deno.test("parseCommandLine: what a script does not know is an error that says how to call it", () => {
  assertThrows(() => parseCommandLine(["--run", "5"], { string: ["runs"], usage: USAGE }), UsageError, USAGE);
  assertThrows(() => parseCommandLine(["--run"], { positional: true, usage: USAGE }), UsageError, "--run");
  assertThrows(() => parseCommandLine(["file"], { usage: USAGE }), UsageError, "file");
});

Deno.test("wholeNumber: takes nothing but whole numbers that are large enough", () => {
  assertEquals([wholeNumber("--runs", "12"), wholeNumber("--show", "0", 0)], [12, 0]);
  for (const text of ["0", "-1", "1.5", "", "many"]) {
    assertThrows(() => wholeNumber("--runs", text), UsageError, "--runs: expected a whole number from 1");
  }
});
