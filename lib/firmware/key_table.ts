/** What INT 09h puts into the keyboard buffer for each key: scan code set 1 to (scan, character) words. Source: IBM BIOS interface technical reference, "Keyboard encoding". */

/** Buffer words of a key alone, with Shift, with Ctrl and with Alt; -1 means that nothing is stored. */
export interface KeyWords {
  readonly plain: number;
  readonly shift: number;
  readonly ctrl: number;
  readonly alt: number;
  /** Caps Lock (letters) or Num Lock (keypad) swaps plain and shifted. */
  readonly lock: "caps" | "num" | null;
}

const NONE = -1;
const table = new Map<number, KeyWords>();

function put(
  scan: number,
  plain: number,
  shift: number,
  ctrl: number,
  alt: number,
  lock: KeyWords["lock"] = null,
): void {
  table.set(scan, { plain, shift, ctrl, alt, lock });
}

/** Keys of one row with consecutive scan codes: characters plain and shifted, Alt code `alt` for the first and so on. */
function row(
  first: number,
  plain: string,
  shift: string,
  ctrl: readonly number[],
  alt: (scan: number) => number,
): void {
  for (let i = 0; i < plain.length; i++) {
    const scan = first + i;
    const letter = plain[i] >= "a" && plain[i] <= "z";
    const control = letter ? plain.charCodeAt(i) & 0x1f : ctrl[i] ?? NONE;
    put(
      scan,
      scan << 8 | plain.charCodeAt(i),
      scan << 8 | shift.charCodeAt(i),
      control === NONE ? NONE : scan << 8 | control,
      alt(scan),
      letter ? "caps" : null,
    );
  }
}

const sameScan = (scan: number) => scan << 8;
put(0x01, 0x011b, 0x011b, 0x011b, 0x0100);
row(
  0x02,
  "1234567890-=",
  "!@#$%^&*()_+",
  [NONE, 0, NONE, NONE, NONE, 0x1e, NONE, NONE, NONE, NONE, 0x1f],
  (scan) => (scan + 0x76) << 8,
);
put(0x0e, 0x0e08, 0x0e08, 0x0e7f, 0x0e00);
put(0x0f, 0x0f09, 0x0f00, 0x9400, 0xa500);
row(0x10, "qwertyuiop[]", "QWERTYUIOP{}", [...new Array<number>(10).fill(NONE), 0x1b, 0x1d], sameScan);
put(0x1c, 0x1c0d, 0x1c0d, 0x1c0a, 0x1c00);
row(0x1e, "asdfghjkl;'`", 'ASDFGHJKL:"~', [], sameScan);
row(0x2b, "\\zxcvbnm,./", "|ZXCVBNM<>?", [0x1c], sameScan);
put(0x37, 0x372a, 0x372a, 0x9600, 0x3700);
put(0x39, 0x3920, 0x3920, 0x3920, 0x3920);
for (let i = 0; i < 10; i++) put(0x3b + i, (0x3b + i) << 8, (0x54 + i) << 8, (0x5e + i) << 8, (0x68 + i) << 8);
put(0x47, 0x4700, 0x4737, 0x7700, NONE, "num");
put(0x48, 0x4800, 0x4838, 0x8d00, NONE, "num");
put(0x49, 0x4900, 0x4939, 0x8400, NONE, "num");
put(0x4a, 0x4a2d, 0x4a2d, 0x8e00, 0x4a00);
put(0x4b, 0x4b00, 0x4b34, 0x7300, NONE, "num");
put(0x4c, 0x4cf0, 0x4c35, 0x8f00, NONE, "num");
put(0x4d, 0x4d00, 0x4d36, 0x7400, NONE, "num");
put(0x4e, 0x4e2b, 0x4e2b, 0x9000, 0x4e00);
put(0x4f, 0x4f00, 0x4f31, 0x7500, NONE, "num");
put(0x50, 0x5000, 0x5032, 0x9100, NONE, "num");
put(0x51, 0x5100, 0x5133, 0x7600, NONE, "num");
put(0x52, 0x5200, 0x5230, 0x9200, NONE, "num");
put(0x53, 0x5300, 0x532e, 0x9300, NONE, "num");
put(0x56, 0x565c, 0x567c, NONE, NONE);
put(0x57, 0x8500, 0x8700, 0x8900, 0x8b00);
put(0x58, 0x8600, 0x8800, 0x8a00, 0x8c00);

/** Keys without prefix. */
export const KEYS: ReadonlyMap<number, KeyWords> = table;

/** The grey keys (prefix E0h) that differ from the keypad keys with the same scan code, with their Alt codes. */
const GREY_ALT: Readonly<Record<number, number>> = {
  0x47: 0x9700,
  0x48: 0x9800,
  0x49: 0x9900,
  0x4b: 0x9b00,
  0x4d: 0x9d00,
  0x4f: 0x9f00,
  0x50: 0xa000,
  0x51: 0xa100,
  0x52: 0xa200,
  0x53: 0xa300,
};

/** Keys with prefix E0h. The cursor keys carry E0h as their character, which tells them from the keypad's. */
export const GREY_KEYS: ReadonlyMap<number, KeyWords> = new Map<number, KeyWords>([
  [0x1c, { plain: 0xe00d, shift: 0xe00d, ctrl: 0xe00a, alt: 0xa600, lock: null }],
  [0x35, { plain: 0xe02f, shift: 0xe02f, ctrl: 0x9500, alt: 0xa400, lock: null }],
  ...Object.entries(GREY_ALT).map(([key, alt]): [number, KeyWords] => {
    const scan = Number(key), ctrl = KEYS.get(scan)?.ctrl ?? NONE;
    return [scan, { plain: scan << 8 | 0xe0, shift: scan << 8 | 0xe0, ctrl: ctrl | 0xe0, alt, lock: null }];
  }),
]);
