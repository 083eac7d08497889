/** The keyboard: INT 09h (from scan codes to the buffer) and INT 16h (from the buffer to programs). Source: IBM BIOS interface technical reference. */
import { Bda, KeyboardMode, Shift, Shift2 } from "./bda.ts";
import type { Call } from "./call.ts";
import { GREY_KEYS, KEYS } from "./key_table.ts";
import type { LinearMemory } from "./linear_memory.ts";
import { KeyAction } from "./system_rom.ts";
import type { BiosPorts } from "./wires.ts";

const BDA_SEGMENT = 0x400;

/** Scan codes that change the state of the keyboard. */
const Scan = {
  CTRL: 0x1d,
  LEFT_SHIFT: 0x2a,
  RIGHT_SHIFT: 0x36,
  PRINT: 0x37,
  ALT: 0x38,
  CAPS_LOCK: 0x3a,
  NUM_LOCK: 0x45,
  SCROLL_LOCK: 0x46,
  INSERT: 0x52,
  DELETE: 0x53,
  SYSTEM_REQUEST: 0x54,
} as const;

/** Keyboard command: the next byte lights Scroll, Num and Caps Lock (bits 0–2). */
const SET_LEDS = 0xed;

/** Digits of the keypad by scan code, for Alt + number. */
const KEYPAD_DIGITS = new Map([
  [0x52, 0],
  [0x4f, 1],
  [0x50, 2],
  [0x51, 3],
  [0x4b, 4],
  [0x4c, 5],
  [0x4d, 6],
  [0x47, 7],
  [0x48, 8],
  [0x49, 9],
]);

/** Keyboard services over the buffer and the flags in the BIOS data area. */
export class KeyboardServices {
  constructor(private readonly memory: LinearMemory, private readonly ports: BiosPorts) {}

  // ---- INT 09h

  /** Handles the scan code in AL; leaves a {@link KeyAction} in AL. */
  scanCode(call: Call): void {
    call.al = this.#scan(call.al);
  }

  #scan(code: number): number {
    const { memory } = this;
    // Overrun, self-test, acknowledge and resend are answers of the keyboard, not keys.
    if (code === 0x00 || code === 0xaa && !this.#flag(Bda.SHIFT_FLAGS, Shift.LEFT) && !this.#prefixed) {
      return KeyAction.NONE;
    }
    if (code === 0xee || code >= 0xfa) return KeyAction.NONE;
    const mode = memory.read8(Bda.KEYBOARD_MODE);
    if (code === 0xe0) {
      memory.write8(Bda.KEYBOARD_MODE, mode | KeyboardMode.LAST_E0);
      return KeyAction.NONE;
    }
    if (code === 0xe1) {
      memory.write8(Bda.KEYBOARD_MODE, mode | KeyboardMode.LAST_E1);
      return KeyAction.NONE;
    }
    const scan = code & 0x7f, down = code < 0x80;
    if ((mode & KeyboardMode.LAST_E1) !== 0) {
      // Pause sends E1 1D 45 E1 9D C5: the middle byte keeps the prefix.
      if (scan === Scan.CTRL) return KeyAction.NONE;
      memory.write8(Bda.KEYBOARD_MODE, mode & ~KeyboardMode.LAST_E1);
      return down && scan === Scan.NUM_LOCK ? this.#pause() : KeyAction.NONE;
    }
    const grey = (mode & KeyboardMode.LAST_E0) !== 0;
    memory.write8(Bda.KEYBOARD_MODE, mode & ~KeyboardMode.LAST_E0);
    return this.#key(scan, down, grey);
  }

  get #prefixed(): boolean {
    return this.#flag(Bda.KEYBOARD_MODE, KeyboardMode.LAST_E0);
  }

  #flag(address: number, bit: number): boolean {
    return (this.memory.read8(address) & bit) !== 0;
  }

  #set(address: number, bit: number, on: boolean): void {
    const value = this.memory.read8(address);
    this.memory.write8(address, on ? value | bit : value & ~bit);
  }

  #key(scan: number, down: boolean, grey: boolean): number {
    switch (scan) {
      case Scan.LEFT_SHIFT:
        // With a prefix it is the shift that the keyboard makes up around grey keys.
        if (!grey) this.#set(Bda.SHIFT_FLAGS, Shift.LEFT, down);
        return KeyAction.NONE;
      case Scan.RIGHT_SHIFT:
        if (!grey) this.#set(Bda.SHIFT_FLAGS, Shift.RIGHT, down);
        return KeyAction.NONE;
      case Scan.CTRL:
        this.#modifier(down, grey, KeyboardMode.RIGHT_CTRL, Shift2.LEFT_CTRL, Shift.CTRL);
        return KeyAction.NONE;
      case Scan.ALT:
        this.#modifier(down, grey, KeyboardMode.RIGHT_ALT, Shift2.LEFT_ALT, Shift.ALT);
        if (!down) this.#finishKeypadNumber();
        return KeyAction.NONE;
      case Scan.CAPS_LOCK:
        this.#lock(down, Shift2.CAPS_LOCK, Shift.CAPS_LOCK);
        return KeyAction.NONE;
      case Scan.SYSTEM_REQUEST:
        this.#set(Bda.SHIFT_FLAGS_2, Shift2.SYSTEM_REQUEST, down);
        return down ? KeyAction.SYSTEM_REQUEST : KeyAction.SYSTEM_REQUEST_END;
    }
    const ctrl = this.#flag(Bda.SHIFT_FLAGS, Shift.CTRL), alt = this.#flag(Bda.SHIFT_FLAGS, Shift.ALT);
    if (scan === Scan.NUM_LOCK && !grey) {
      if (ctrl) return down ? this.#pause() : KeyAction.NONE;
      this.#lock(down, Shift2.NUM_LOCK, Shift.NUM_LOCK);
      return KeyAction.NONE;
    }
    if (scan === Scan.SCROLL_LOCK) {
      if (ctrl || grey) return down ? this.#break() : KeyAction.NONE;
      this.#lock(down, Shift2.SCROLL_LOCK, Shift.SCROLL_LOCK);
      return KeyAction.NONE;
    }
    if (scan === Scan.INSERT && !down) this.#set(Bda.SHIFT_FLAGS_2, Shift2.INSERT, false);
    if (!down) return KeyAction.NONE;
    if (this.#flag(Bda.SHIFT_FLAGS_2, Shift2.PAUSED)) {
      this.#set(Bda.SHIFT_FLAGS_2, Shift2.PAUSED, false);
      return KeyAction.NONE;
    }
    if (scan === Scan.DELETE && ctrl && alt) {
      this.memory.write16(Bda.RESET_FLAG, 0x1234);
      this.ports.write(0x64, 0xfe, 1);
      return KeyAction.NONE;
    }
    if (scan === Scan.PRINT && grey) {
      if (!ctrl) return KeyAction.PRINT_SCREEN;
      this.store(0x7200);
      return KeyAction.NONE;
    }
    this.#character(scan, grey, ctrl, alt);
    return KeyAction.NONE;
  }

  #modifier(down: boolean, grey: boolean, right: number, left: number, either: number): void {
    if (grey) this.#set(Bda.KEYBOARD_MODE, right, down);
    else this.#set(Bda.SHIFT_FLAGS_2, left, down);
    this.#set(
      Bda.SHIFT_FLAGS,
      either,
      this.#flag(Bda.KEYBOARD_MODE, right) || this.#flag(Bda.SHIFT_FLAGS_2, left),
    );
  }

  /** A lock key toggles when it goes down, once per press. */
  #lock(down: boolean, held: number, state: number): void {
    if (down && !this.#flag(Bda.SHIFT_FLAGS_2, held)) {
      this.memory.write8(Bda.SHIFT_FLAGS, this.memory.read8(Bda.SHIFT_FLAGS) ^ state);
      const locks = this.memory.read8(Bda.SHIFT_FLAGS) >> 4 & 7;
      this.memory.write8(Bda.KEYBOARD_LEDS, this.memory.read8(Bda.KEYBOARD_LEDS) & ~7 | locks);
      // The keyboard's acknowledgements arrive as interrupts, which ignore them.
      this.ports.write(0x60, SET_LEDS, 1);
      this.ports.write(0x60, locks, 1);
    }
    this.#set(Bda.SHIFT_FLAGS_2, held, down);
  }

  #pause(): number {
    if (this.#flag(Bda.SHIFT_FLAGS_2, Shift2.PAUSED)) return KeyAction.NONE;
    this.#set(Bda.SHIFT_FLAGS_2, Shift2.PAUSED, true);
    return KeyAction.PAUSE;
  }

  /** True while Pause holds the machine. */
  get paused(): boolean {
    return this.#flag(Bda.SHIFT_FLAGS_2, Shift2.PAUSED);
  }

  #break(): number {
    const start = this.memory.read16(Bda.BUFFER_START);
    this.memory.write16(Bda.BUFFER_HEAD, start);
    this.memory.write16(Bda.BUFFER_TAIL, start);
    this.memory.write8(Bda.BREAK, this.memory.read8(Bda.BREAK) | 0x80);
    this.store(0x0000);
    return KeyAction.BREAK;
  }

  #finishKeypadNumber(): void {
    const number = this.memory.read8(Bda.ALT_KEYPAD);
    this.memory.write8(Bda.ALT_KEYPAD, 0);
    if (number !== 0) this.store(number);
  }

  #character(scan: number, grey: boolean, ctrl: boolean, alt: boolean): void {
    const digit = KEYPAD_DIGITS.get(scan);
    if (alt && !grey && digit !== undefined) {
      this.memory.write8(Bda.ALT_KEYPAD, this.memory.read8(Bda.ALT_KEYPAD) * 10 + digit);
      return;
    }
    const words = (grey ? GREY_KEYS : KEYS).get(scan);
    if (words === undefined) return;
    const flags = this.memory.read8(Bda.SHIFT_FLAGS);
    let shifted = (flags & (Shift.LEFT | Shift.RIGHT)) !== 0;
    if (words.lock === "caps" && (flags & Shift.CAPS_LOCK) !== 0) shifted = !shifted;
    if (words.lock === "num" && (flags & Shift.NUM_LOCK) !== 0) shifted = !shifted;
    if (scan === Scan.INSERT && !alt && !ctrl && (grey || !shifted)) this.#insert();
    const word = alt ? words.alt : ctrl ? words.ctrl : shifted ? words.shift : words.plain;
    if (word >= 0) this.store(word);
  }

  #insert(): void {
    if (!this.#flag(Bda.SHIFT_FLAGS_2, Shift2.INSERT)) {
      this.memory.write8(Bda.SHIFT_FLAGS, this.memory.read8(Bda.SHIFT_FLAGS) ^ Shift.INSERT);
    }
    this.#set(Bda.SHIFT_FLAGS_2, Shift2.INSERT, true);
  }

  // ---- the buffer

  #next(offset: number): number {
    const next = offset + 2;
    return next >= this.memory.read16(Bda.BUFFER_END) ? this.memory.read16(Bda.BUFFER_START) : next;
  }

  /** Appends a (scan, character) word; false if the buffer is full. */
  store(word: number): boolean {
    const tail = this.memory.read16(Bda.BUFFER_TAIL), next = this.#next(tail);
    if (next === this.memory.read16(Bda.BUFFER_HEAD)) return false;
    this.memory.write16(BDA_SEGMENT + tail, word);
    this.memory.write16(Bda.BUFFER_TAIL, next);
    return true;
  }

  /** The oldest word, or null; takes it out if `remove`. */
  #peek(remove: boolean): number | null {
    const head = this.memory.read16(Bda.BUFFER_HEAD);
    if (head === this.memory.read16(Bda.BUFFER_TAIL)) return null;
    if (remove) this.memory.write16(Bda.BUFFER_HEAD, this.#next(head));
    return this.memory.read16(BDA_SEGMENT + head);
  }

  /** Takes a key out of the buffer; false if there is none. */
  takeKey(): boolean {
    return this.#peek(true) !== null;
  }

  /** The next word as the functions for the 84-key keyboard show it: words of keys that it lacked are dropped or translated. */
  #peekClassic(remove: boolean): number | null {
    for (let slots = 0; slots < 0x8000; slots++) {
      const word = this.#peek(false);
      if (word === null) return null;
      const classic = classicWord(word);
      if (classic === null || remove) this.#peek(true);
      if (classic !== null) return classic;
    }
    return null;
  }

  // ---- INT 16h

  /** INT 16h. */
  handle(call: Call): void {
    const { memory } = this;
    switch (call.ah) {
      case 0x00:
      case 0x10:
      case 0x20:
        this.#read(call, call.ah === 0x00 ? this.#peekClassic(true) : enhancedWord(this.#peek(true)));
        return;
      case 0x01:
      case 0x11:
      case 0x21:
        this.#check(call, call.ah === 0x01 ? this.#peekClassic(false) : enhancedWord(this.#peek(false)));
        return;
      case 0x02:
        call.al = memory.read8(Bda.SHIFT_FLAGS);
        return;
      case 0x03:
        // The typematic rate is the keyboard's own affair; what it is set to cannot be seen by programs.
        return;
      case 0x05:
        call.al = this.store(call.cx) ? 0 : 1;
        return;
      case 0x09:
        // AH=0Ah and AH=10h–12h are there.
        call.al = 0x30;
        return;
      case 0x0a:
        call.bx = 0x41ab;
        return;
      case 0x12:
      case 0x22:
        call.ax = this.#extendedShift();
        return;
      case 0x92:
        call.ah = 0x80;
        return;
    }
  }

  #read(call: Call, word: number | null): void {
    if (word === null) call.wait();
    else call.ax = word;
  }

  #check(call: Call, word: number | null): void {
    call.zero = word === null;
    if (word !== null) call.ax = word;
  }

  #extendedShift(): number {
    const flags2 = this.memory.read8(Bda.SHIFT_FLAGS_2), mode = this.memory.read8(Bda.KEYBOARD_MODE);
    const right = (mode & KeyboardMode.RIGHT_CTRL ? 4 : 0) | (mode & KeyboardMode.RIGHT_ALT ? 8 : 0);
    const high = flags2 & 0x73 | (flags2 & Shift2.SYSTEM_REQUEST ? 0x80 : 0) | right;
    return high << 8 | this.memory.read8(Bda.SHIFT_FLAGS);
  }
}

/** A buffer word for AH=10h/11h: the marker F0h of keys without a character becomes 0. */
function enhancedWord(word: number | null): number | null {
  return word !== null && (word & 0xff) === 0xf0 && word >>> 8 !== 0 ? word & 0xff00 : word;
}

/** A buffer word for AH=00h/01h, or null if the 84-key keyboard had no such key. */
function classicWord(word: number): number | null {
  const scan = word >>> 8, character = word & 0xff;
  if (scan === 0xe0) return character === 0x2f ? 0x352f : 0x1c00 | character;
  if (character === 0xf0 && scan !== 0) return null;
  if (character === 0xe0 && scan !== 0) return scan > 0x84 ? null : scan << 8;
  return character === 0 && scan > 0x84 ? null : word;
}
