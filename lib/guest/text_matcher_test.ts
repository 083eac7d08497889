import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { OptionError } from "./errors.ts";
import { checkKeys, nearest } from "./nearest.ts";
import { checkPattern, findAllText, findText } from "./text_matcher.ts";

Deno.test("findText: literal strings and expressions with groups", () => {
  assertEquals(findText("a.b.c", ".b")?.start, 1);
  assertEquals(findText("abc", "."), undefined);
  assertEquals(findText("user: root\n", /user: (\w+)/)?.groups, ["root"]);
  assertEquals(findText("aXbX", /x/gi, 2)?.start, 3);
});

Deno.test("findAllText: no overlaps, no empty matches, no endless loop", () => {
  assertEquals(findAllText("aaaa", "aa").map((match) => match.start), [0, 2]);
  assertEquals(findAllText("a1b22", /\d*/).map((match) => match.text), ["1", "22"]);
});

Deno.test("checkPattern: refuses the empty string", () => {
  assertThrows(() => checkPattern(""), OptionError);
});

Deno.test("nearest: typing mistakes find their names", () => {
  assertEquals(nearest("memroy", ["memory", "monitor", "fda"]), ["memory"]);
  assertEquals(nearest("zzzzzz", ["memory"]), []);
});

Deno.test("checkKeys: an unknown option names its neighbour", () => {
  const fail = (message: string) => new OptionError(message);
  const error = assertThrows(() => checkKeys({ cdorm: 1 }, ["cdrom", "fda"], "boot", fail), OptionError);
  assertStringIncludes(error.message, '"cdrom"');
});
