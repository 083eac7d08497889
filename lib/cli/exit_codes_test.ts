import { assertEquals } from "@std/assert";
import { OptionError, TimeoutError } from "../guest/errors.ts";
import { ExitCode, failureOf, ScriptError } from "./exit_codes.ts";

Deno.test("failureOf: a code for every kind of error", () => {
  const evidence = { screen: [], serials: [], time: 0, instructions: 0 };
  const full = Object.assign(new Error("No space left on device"), { code: "ENOSPC" });
  const cases: [unknown, number][] = [
    [new OptionError("no"), ExitCode.USAGE],
    [new TimeoutError("late", evidence), ExitCode.TIMEOUT],
    [new ScriptError("its own"), ExitCode.SCRIPT],
    [new Deno.errors.NotFound("gone"), ExitCode.FILE],
    [full, ExitCode.FILE],
    [new Error("a defect"), ExitCode.INTERNAL],
    ["thrown", ExitCode.INTERNAL],
  ];
  for (const [error, code] of cases) assertEquals(failureOf(error).code, code, String(error));
  assertEquals(failureOf(full).message, "No space left on device");
});
