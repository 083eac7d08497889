/**
 * Names of keys. The canonical names are those of `KeyboardEvent.code` (W3C UI Events KeyboardEvent code Values, 2023);
 * QEMU's `sendkey` names, Packer's `<enter>` notation and everyday names are aliases.
 */
import { UnknownKeyError } from "./errors.ts";
import { nearest } from "./nearest.ts";

const range = (prefix: string, from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => `${prefix}${from + index}`);

/** Every key of a 105-key PC keyboard, plus the multimedia keys that have scan codes. */
export const KEY_CODES: readonly string[] = [
  ..."ABCDEFGHIJKLMNOPQRSTUVWXYZ".split("").map((letter) => `Key${letter}`),
  ...range("Digit", 0, 9),
  ...range("F", 1, 12),
  ...range("Numpad", 0, 9),
  ..."Add Decimal Divide Enter Multiply Subtract".split(" ").map((name) => `Numpad${name}`),
  ...("Escape Backquote Minus Equal Backspace Tab BracketLeft BracketRight Backslash CapsLock Semicolon Quote Enter " +
    "ShiftLeft IntlBackslash Comma Period Slash ShiftRight ControlLeft MetaLeft AltLeft Space AltRight MetaRight " +
    "ContextMenu ControlRight PrintScreen ScrollLock Pause Insert Home PageUp Delete End PageDown ArrowUp ArrowLeft " +
    "ArrowDown ArrowRight NumLock").split(" "),
];

/** Aliases in lower case, without `<`, `>`, `_` and spaces. */
const ALIASES: Record<string, string> = {
  ret: "Enter",
  return: "Enter",
  cr: "Enter",
  esc: "Escape",
  spc: "Space",
  spacebar: "Space",
  bs: "Backspace",
  bksp: "Backspace",
  del: "Delete",
  ins: "Insert",
  pgup: "PageUp",
  pgdn: "PageDown",
  pagedn: "PageDown",
  up: "ArrowUp",
  down: "ArrowDown",
  left: "ArrowLeft",
  right: "ArrowRight",
  ctrl: "ControlLeft",
  control: "ControlLeft",
  ctrll: "ControlLeft",
  leftctrl: "ControlLeft",
  ctrlr: "ControlRight",
  rightctrl: "ControlRight",
  shift: "ShiftLeft",
  shiftl: "ShiftLeft",
  leftshift: "ShiftLeft",
  shiftr: "ShiftRight",
  rightshift: "ShiftRight",
  alt: "AltLeft",
  altl: "AltLeft",
  leftalt: "AltLeft",
  altr: "AltRight",
  rightalt: "AltRight",
  altgr: "AltRight",
  altgraph: "AltRight",
  meta: "MetaLeft",
  metal: "MetaLeft",
  metar: "MetaRight",
  super: "MetaLeft",
  leftsuper: "MetaLeft",
  rightsuper: "MetaRight",
  win: "MetaLeft",
  windows: "MetaLeft",
  cmd: "MetaLeft",
  menu: "ContextMenu",
  compose: "ContextMenu",
  print: "PrintScreen",
  sysrq: "PrintScreen",
  prtsc: "PrintScreen",
  break: "Pause",
  less: "IntlBackslash",
  grave: "Backquote",
  graveaccent: "Backquote",
  dot: "Period",
  apostrophe: "Quote",
  hyphen: "Minus",
  plus: "NumpadAdd",
  equals: "Equal",
  bracketl: "BracketLeft",
  bracketr: "BracketRight",
  caps: "CapsLock",
  num: "NumLock",
  scroll: "ScrollLock",
  kpenter: "NumpadEnter",
  kpadd: "NumpadAdd",
  kpsubtract: "NumpadSubtract",
  kpmultiply: "NumpadMultiply",
  asterisk: "NumpadMultiply",
  kpdivide: "NumpadDivide",
  kpdecimal: "NumpadDecimal",
  ...Object.fromEntries(range("", 0, 9).map((digit) => [`kp${digit}`, `Numpad${digit}`])),
  ...Object.fromEntries(range("", 0, 9).map((digit) => [digit, `Digit${digit}`])),
  ...Object.fromEntries("abcdefghijklmnopqrstuvwxyz".split("").map((key) => [key, `Key${key.toUpperCase()}`])),
};

const BY_NAME = new Map<string, string>([
  ...Object.entries(ALIASES),
  ...KEY_CODES.map((code): [string, string] => [code.toLowerCase(), code]),
]);

/** The `KeyboardEvent.code` name of a key given by that name or an alias; undefined if there is no such key. */
export function findKey(name: string): string | undefined {
  const plain = /^<(.+)>$/.exec(name)?.[1] ?? name;
  return BY_NAME.get(plain.toLowerCase().replace(/[_ ]/g, ""));
}

/** The error for a key that does not exist; it names the keys with similar names. */
export function unknownKey(name: string): UnknownKeyError {
  const near = nearest(name.replace(/[<>]/g, ""), BY_NAME.keys(), 6).map((alias) => BY_NAME.get(alias)!);
  const neighbours = [...new Set(near)].slice(0, 3);
  const hint = neighbours.length > 0
    ? `did you mean ${neighbours.join(" or ")}?`
    : `keys have KeyboardEvent.code names (KeyA, Enter, F1, ArrowUp …) or aliases such as ret, esc, ctrl`;
  return new UnknownKeyError(`there is no key "${name}"; ${hint}`);
}

/** Splits a chord such as `"Control+Alt+Delete"`, `"ctrl-alt-delete"` or `"Shift++"` into the names of its keys. */
export function splitChord(chord: string): string[] {
  if (findKey(chord) !== undefined || chord.length === 1) return [chord];
  if (chord === "") throw new UnknownKeyError("a key without a name cannot be pressed");
  const names: string[] = [];
  for (let start = 0; start < chord.length;) {
    // A separator stands between two names; one at the start of a name is the name of a key.
    let end = start + 1;
    while (end < chord.length && chord[end] !== "+" && chord[end] !== "-") end++;
    names.push(chord.slice(start, end));
    if (end === chord.length - 1) throw new UnknownKeyError(`"${chord}" ends with a separator: a key is missing`);
    start = end + 1;
  }
  return names;
}
