/** Keyboard layouts: which keys make which character. The guest must be set to the same layout. */
import { OptionError, UnknownKeyError } from "./errors.ts";
import { suggestion } from "./nearest.ts";

/** The keys that make one character. */
export interface Stroke {
  /** `KeyboardEvent.code` of the key. */
  readonly code: string;
  /** Held meanwhile: `ShiftLeft`, `AltRight`. */
  readonly modifiers: readonly string[];
  /** The key is a dead one: Space must follow to get the character itself. */
  readonly dead?: boolean;
}

/** The keys of the typewriter block row by row, in the order in which the layouts below list their characters. */
const KEYS = ("Backquote Digit1 Digit2 Digit3 Digit4 Digit5 Digit6 Digit7 Digit8 Digit9 Digit0 Minus Equal " +
  "KeyQ KeyW KeyE KeyR KeyT KeyY KeyU KeyI KeyO KeyP BracketLeft BracketRight Backslash " +
  "KeyA KeyS KeyD KeyF KeyG KeyH KeyJ KeyK KeyL Semicolon Quote " +
  "IntlBackslash KeyZ KeyX KeyC KeyV KeyB KeyN KeyM Comma Period Slash").split(" ");

/** A layout: one string per shift level, one character per key of {@link KEYS}; a blank makes nothing. */
interface Level {
  readonly plain: string;
  readonly shift: string;
  readonly altGr?: string;
  /** Characters that are dead keys. */
  readonly dead?: string;
}

const LEVELS: Record<string, Level> = {
  us: {
    plain: "`1234567890-=" + "qwertyuiop[]\\" + "asdfghjkl;'" + " zxcvbnm,./",
    shift: "~!@#$%^&*()_+" + "QWERTYUIOP{}|" + 'ASDFGHJKL:"' + " ZXCVBNM<>?",
  },
  uk: {
    plain: "`1234567890-=" + "qwertyuiop[]#" + "asdfghjkl;'" + "\\zxcvbnm,./",
    shift: '¬!"£$%^&*()_+' + "QWERTYUIOP{}~" + "ASDFGHJKL:@" + "|ZXCVBNM<>?",
    altGr: "¦   €        " + "             " + "           " + "           ",
  },
  de: {
    plain: "^1234567890ß´" + "qwertzuiopü+#" + "asdfghjklöä" + "<yxcvbnm,.-",
    shift: '°!"§$%&/()=?`' + "QWERTZUIOPÜ*'" + "ASDFGHJKLÖÄ" + ">YXCVBNM;:_",
    altGr: "  ²³   {[]}\\ " + "@ €        ~ " + "           " + "|      µ   ",
    dead: "^´`",
  },
  fr: {
    plain: "²&é\"'(-è_çà)=" + "azertyuiop^$*" + "qsdfghjklmù" + "<wxcvbn,;:!",
    shift: " 1234567890°+" + "AZERTYUIOP¨£µ" + "QSDFGHJKLM%" + ">WXCVBN?./§",
    altGr: "  ~#{[|`\\^@]}" + "  €        ¤ " + "           " + "           ",
    dead: "^¨~`",
  },
};

/** Names of the layouts. */
export const LAYOUTS: readonly string[] = Object.keys(LEVELS);

function build(level: Level): ReadonlyMap<string, Stroke> {
  const strokes = new Map<string, Stroke>([
    [" ", { code: "Space", modifiers: [] }],
    ["\n", { code: "Enter", modifiers: [] }],
    ["\r", { code: "Enter", modifiers: [] }],
    ["\t", { code: "Tab", modifiers: [] }],
    ["\b", { code: "Backspace", modifiers: [] }],
    ["\x1b", { code: "Escape", modifiers: [] }],
  ]);
  const add = (characters: string | undefined, modifiers: string[]) =>
    [...characters ?? ""].forEach((character, index) => {
      // Where a character can be made in two ways, the simpler one counts.
      if (character === " " || strokes.has(character)) return;
      const dead = level.dead?.includes(character) === true;
      strokes.set(character, { code: KEYS[index], modifiers, ...(dead ? { dead } : {}) });
    });
  add(level.plain, []);
  add(level.shift, ["ShiftLeft"]);
  add(level.altGr, ["AltRight"]);
  return strokes;
}

/** The table of a layout: character to keys. Throws {@link OptionError} for a layout that does not exist. */
export function layout(name: string): ReadonlyMap<string, Stroke> {
  const level = Object.hasOwn(LEVELS, name) ? LEVELS[name] : undefined;
  if (level === undefined) throw new OptionError(`there is no keyboard layout "${name}"${suggestion(name, LAYOUTS)}`);
  return build(level);
}

/** The keys for each character of `text`. Throws {@link UnknownKeyError} for a character that the layout does not have. */
export function strokesFor(text: string, table: ReadonlyMap<string, Stroke>, name: string): Stroke[] {
  return [...text.replace(/\r\n/g, "\n")].map((character) => {
    const stroke = table.get(character);
    if (stroke !== undefined) return stroke;
    const others = LAYOUTS.filter((other) => other !== name && build(LEVELS[other]).has(character));
    const hint = others.length > 0 ? `; the layouts ${others.join(", ")} do` : "";
    throw new UnknownKeyError(`the ${name} layout has no key for ${JSON.stringify(character)}${hint}`);
  });
}
