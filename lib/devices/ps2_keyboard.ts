/**
 * 105-key PS/2 keyboard. Source: IBM PS/2 Hardware Interface Technical Reference, Keyboard and Auxiliary Device (1990).
 *
 * Differences from the real one: the self-test takes a millisecond instead of half a second, and keys that are held do not
 * repeat by themselves (the typematic rate is only stored).
 */
import type { KeyboardInput } from "../machine/inputs.ts";
import type { Clock, Device } from "../machine/types.ts";
import type { Ps2Device, Ps2Port } from "./ps2.ts";
import { scanCode } from "./scancodes.ts";

const Command = {
  SET_LEDS: 0xed,
  ECHO: 0xee,
  SCAN_CODE_SET: 0xf0,
  READ_ID: 0xf2,
  TYPEMATIC: 0xf3,
  ENABLE: 0xf4,
  DEFAULT_DISABLE: 0xf5,
  DEFAULT: 0xf6,
  ALL_TYPEMATIC: 0xf7,
  ALL_MAKE_BREAK: 0xf8,
  ALL_MAKE: 0xf9,
  ALL_TYPEMATIC_MAKE_BREAK: 0xfa,
  KEY_TYPEMATIC: 0xfb,
  KEY_MAKE_BREAK: 0xfc,
  KEY_MAKE: 0xfd,
  RESEND: 0xfe,
  RESET: 0xff,
};
const Reply = { BAT_OK: 0xaa, ECHO: 0xee, ACK: 0xfa, RESEND: 0xfe };

/** The keyboard's buffer, in bytes. */
const BUFFER = 16;
const SELF_TEST_TIME = 1_000_000;
/** 500 ms delay, 10.9 characters a second. */
const DEFAULT_TYPEMATIC = 0x2b;

/** A PS/2 keyboard. */
export class Ps2Keyboard implements Device, Ps2Device, KeyboardInput {
  readonly name = "ps2_keyboard";
  readonly version = 1;
  readonly state = {
    /** Answers to commands: sent before `buffer`. */
    replies: [] as number[],
    /** Scan codes. */
    buffer: [] as number[],
    /** Scanning is enabled. */
    enabled: true,
    /** Scan code set, 1–3. */
    set: 2,
    /** LED bits: 1 Scroll Lock, 2 Num Lock, 4 Caps Lock. */
    leds: 0,
    typematic: DEFAULT_TYPEMATIC,
    /** Command whose parameter is expected; 0 = none. */
    command: 0,
    /** Last byte sent, for RESEND. */
    last: 0,
    /** Names of the keys that are down. */
    down: [] as string[],
  };
  readonly #port: Ps2Port;
  readonly #clock: Clock;

  constructor(wires: { port: Ps2Port; clock: Clock }) {
    this.#port = wires.port;
    this.#clock = wires.clock;
    wires.port.connect(this);
  }

  /** Power-on: like the RESET command, without an answer. Keys that are down stay down. */
  reset(): void {
    this.state.replies.length = 0;
    this.state.buffer.length = 0;
    this.state.command = 0;
    this.#setDefaults();
    this.state.enabled = true;
    this.state.leds = 0;
  }

  event(): void {
    this.#reply(Reply.BAT_OK);
  }

  get leds(): { scroll: boolean; num: boolean; caps: boolean } {
    const { leds } = this.state;
    return { scroll: (leds & 1) !== 0, num: (leds & 2) !== 0, caps: (leds & 4) !== 0 };
  }

  get unread(): number {
    return this.waiting + this.#port.held;
  }

  key(code: string, down: boolean): boolean {
    const { state } = this;
    const isDown = (...codes: string[]) => codes.some((name) => state.down.includes(name));
    const bytes = scanCode(code, down, state.set, {
      shift: isDown("ShiftLeft", "ShiftRight"),
      control: isDown("ControlLeft", "ControlRight"),
      alt: isDown("AltLeft", "AltRight"),
    });
    if (bytes === undefined) return false;
    if (!down && !isDown(code)) return true;
    state.down = state.down.filter((name) => name !== code);
    if (down) state.down.push(code);
    if (state.enabled) this.#send(bytes);
    return true;
  }

  get waiting(): number {
    return this.state.replies.length + this.state.buffer.length;
  }

  take(): number {
    const { state } = this;
    state.last = state.replies.shift() ?? state.buffer.shift() ?? state.last;
    return state.last;
  }

  receive(byte: number): void {
    const { command } = this.state;
    // A byte that is a command ends the wait for a parameter.
    if (command !== 0 && byte < Command.SET_LEDS) this.#parameter(command, byte);
    else this.#command(byte);
  }

  #send(bytes: number[]): void {
    const { state } = this;
    if (state.buffer.length + bytes.length <= BUFFER) {
      state.buffer.push(...bytes);
    } else if (state.buffer.length <= BUFFER) {
      // Overrun: one marker, whatever else is lost.
      state.buffer.push(state.set === 1 ? 0xff : 0x00);
    }
    this.#port.notify();
  }

  #reply(...bytes: number[]): void {
    this.state.replies.push(...bytes);
    this.#port.notify();
  }

  #setDefaults(): void {
    const { state } = this;
    state.typematic = DEFAULT_TYPEMATIC;
    state.set = 2;
    state.buffer.length = 0;
  }

  #command(byte: number): void {
    const { state } = this;
    state.command = 0;
    if (byte !== Command.RESEND) state.replies.length = 0;
    this.#clock.cancel(this.name, "selfTest");
    switch (byte) {
      case Command.SET_LEDS:
      case Command.SCAN_CODE_SET:
      case Command.TYPEMATIC:
      case Command.KEY_TYPEMATIC:
      case Command.KEY_MAKE_BREAK:
      case Command.KEY_MAKE:
        state.command = byte;
        return this.#reply(Reply.ACK);
      case Command.ECHO:
        return this.#reply(Reply.ECHO);
      case Command.READ_ID:
        return this.#reply(Reply.ACK, 0xab, 0x83);
      case Command.ENABLE:
        state.buffer.length = 0;
        state.enabled = true;
        return this.#reply(Reply.ACK);
      case Command.DEFAULT_DISABLE:
      case Command.DEFAULT:
        this.#setDefaults();
        state.enabled = byte === Command.DEFAULT;
        return this.#reply(Reply.ACK);
      case Command.ALL_TYPEMATIC:
      case Command.ALL_MAKE_BREAK:
      case Command.ALL_MAKE:
      case Command.ALL_TYPEMATIC_MAKE_BREAK:
        // Key types matter in set 3 only, where every key of this one makes and breaks.
        return this.#reply(Reply.ACK);
      case Command.RESEND:
        return this.#reply(state.last);
      case Command.RESET:
        this.reset();
        this.#clock.schedule(this.name, "selfTest", this.#clock.now + SELF_TEST_TIME);
        return this.#reply(Reply.ACK);
      default:
        return this.#reply(Reply.RESEND);
    }
  }

  #parameter(command: number, value: number): void {
    const { state } = this;
    state.command = 0;
    switch (command) {
      case Command.SET_LEDS:
        state.leds = value & 7;
        return this.#reply(Reply.ACK);
      case Command.TYPEMATIC:
        state.typematic = value & 0x7f;
        return this.#reply(Reply.ACK);
      case Command.SCAN_CODE_SET:
        if (value === 0) return this.#reply(Reply.ACK, state.set);
        if (value > 3) return this.#reply(Reply.RESEND);
        state.set = value;
        state.buffer.length = 0;
        return this.#reply(Reply.ACK);
      default:
        // A list of keys follows; the next command ends it.
        state.command = command;
        return this.#reply(Reply.ACK);
    }
  }
}
