import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { findKey, KEY_CODES, splitChord, unknownKey } from "./keys.ts";
import { layout, LAYOUTS, strokesFor } from "./layouts.ts";
import { OptionError, UnknownKeyError } from "./errors.ts";

Deno.test("findKey: codes, QEMU, Packer and everyday names", () => {
  const cases: Record<string, string> = {
    KeyA: "KeyA",
    a: "KeyA",
    ret: "Enter",
    "<enter>": "Enter",
    "<leftCtrl>": "ControlLeft",
    pgup: "PageUp",
    kp_7: "Numpad7",
    bracket_left: "BracketLeft",
    grave_accent: "Backquote",
    "7": "Digit7",
    enter: "Enter",
    ArrowUp: "ArrowUp",
    up: "ArrowUp",
    f12: "F12",
    caps_lock: "CapsLock",
  };
  for (const [name, code] of Object.entries(cases)) assertEquals(findKey(name), code, name);
  for (const code of KEY_CODES) assertEquals(findKey(code), code);
  assertEquals(findKey("nonsense"), undefined);
});

Deno.test("unknownKey: names the neighbours", () => {
  assertStringIncludes(unknownKey("Entre").message, "Enter");
  assertStringIncludes(unknownKey("ArowUp").message, "ArrowUp");
});

Deno.test("splitChord: both separators, and separators that are keys", () => {
  assertEquals(splitChord("Control+Alt+Delete"), ["Control", "Alt", "Delete"]);
  assertEquals(splitChord("ctrl-alt-delete"), ["ctrl", "alt", "delete"]);
  assertEquals(splitChord("ctrl--"), ["ctrl", "-"]);
  assertEquals(splitChord("Shift++"), ["Shift", "+"]);
  assertEquals(splitChord("-"), ["-"]);
  assertThrows(() => splitChord("ctrl+"), UnknownKeyError);
  assertThrows(() => splitChord(""), UnknownKeyError);
});

Deno.test("strokesFor: every printable ASCII character on every layout", () => {
  const ascii = Array.from({ length: 95 }, (_, index) => String.fromCharCode(32 + index)).join("");
  for (const name of LAYOUTS) assertEquals(strokesFor(ascii, layout(name), name).length, 95, name);
});

Deno.test("strokesFor: modifiers, dead keys, line ends", () => {
  const us = layout("us"), de = layout("de");
  assertEquals(strokesFor("A", us, "us"), [{ code: "KeyA", modifiers: ["ShiftLeft"] }]);
  assertEquals(strokesFor("\r\n", us, "us"), [{ code: "Enter", modifiers: [] }]);
  assertEquals(strokesFor("z@", de, "de"), [{ code: "KeyY", modifiers: [] }, {
    code: "KeyQ",
    modifiers: ["AltRight"],
  }]);
  assertEquals(strokesFor("^", de, "de"), [{ code: "Backquote", modifiers: [], dead: true }]);
});

Deno.test("strokesFor: a character that the layout lacks names the layouts that have it", () => {
  assertStringIncludes(assertThrows(() => strokesFor("ß", layout("us"), "us"), UnknownKeyError).message, "de");
  assertStringIncludes(assertThrows(() => layout("ge"), OptionError).message, "de");
});
