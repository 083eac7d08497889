/**
 * PS/2 mouse with the IntelliMouse wheel and the Explorer's five buttons.
 * Sources: IBM PS/2 Hardware Interface Technical Reference, Keyboard and Auxiliary Device (1990);
 * Microsoft, "Input device architecture": the sample-rate sequences that unlock wheel and buttons.
 */
import type { MouseInput } from "../machine/inputs.ts";
import type { Clock, Device } from "../machine/types.ts";
import type { Ps2Device, Ps2Port } from "./ps2.ts";

const Command = {
  SCALING_1_1: 0xe6,
  SCALING_2_1: 0xe7,
  SET_RESOLUTION: 0xe8,
  STATUS_REQUEST: 0xe9,
  STREAM_MODE: 0xea,
  READ_DATA: 0xeb,
  RESET_WRAP: 0xec,
  WRAP_MODE: 0xee,
  REMOTE_MODE: 0xf0,
  READ_ID: 0xf2,
  SET_SAMPLE_RATE: 0xf3,
  ENABLE: 0xf4,
  DISABLE: 0xf5,
  DEFAULT: 0xf6,
  RESEND: 0xfe,
  RESET: 0xff,
};
const Reply = { BAT_OK: 0xaa, ACK: 0xfa, ERROR: 0xfc, RESEND: 0xfe };
/** Device identities. */
const Id = { STANDARD: 0, WHEEL: 3, FIVE_BUTTONS: 4 };

const SAMPLE_RATES = [10, 20, 40, 60, 80, 100, 200];
const SELF_TEST_TIME = 1_000_000;
/** Movement is counted up to this in each direction; more is lost, as it would be in the real counters. */
const MAX_COUNT = 0x7fff;

/** A PS/2 mouse. */
export class Ps2Mouse implements Device, Ps2Device, MouseInput {
  readonly name = "ps2_mouse";
  readonly version = 1;
  readonly state = {
    /** Answers to commands: sent before `packet`. */
    replies: [] as number[],
    /** Rest of the movement packet that is being sent. */
    packet: [] as number[],
    /** Reporting in stream mode is enabled. */
    enabled: false,
    mode: "stream" as "stream" | "remote",
    wrap: false,
    sampleRate: 100,
    resolution: 2,
    /** Scaling 2:1. */
    scaling: false,
    id: Id.STANDARD,
    /** The last three sample rates that were set. */
    rates: [0, 0, 0],
    /** Command whose parameter is expected; 0 = none. */
    command: 0,
    /** What was sent last, for RESEND. */
    last: [] as number[],
    /** Counts since the last packet: right, up, wheel towards the user. */
    dx: 0,
    dy: 0,
    dz: 0,
    /** Bits 0 left, 1 right, 2 middle, 3 and 4 the side buttons. */
    buttons: 0,
    /** Buttons as the last packet reported them. */
    reported: 0,
    /** Earliest time of the next packet in ns. */
    nextSample: 0,
  };
  readonly #port: Ps2Port;
  readonly #clock: Clock;

  constructor(wires: { port: Ps2Port; clock: Clock }) {
    this.#port = wires.port;
    this.#clock = wires.clock;
    wires.port.connect(this);
  }

  reset(): void {
    const { state } = this;
    state.replies.length = 0;
    state.packet.length = 0;
    state.command = 0;
    state.id = Id.STANDARD;
    state.rates.fill(0);
    state.wrap = false;
    this.#setDefaults();
  }

  event(name: string): void {
    if (name === "sample") this.#sample();
    else this.#reply(Reply.BAT_OK, Id.STANDARD);
  }

  get unread(): number {
    return this.waiting + this.#port.held;
  }

  move(dx: number, dy: number, wheel = 0): void {
    const { state } = this;
    const add = (count: number, more: number) => Math.max(-MAX_COUNT, Math.min(MAX_COUNT, count + Math.trunc(more)));
    state.dx = add(state.dx, dx);
    state.dy = add(state.dy, -dy);
    state.dz = add(state.dz, wheel);
    this.#arrange();
  }

  button(n: number, down: boolean): void {
    const { state } = this, bit = 1 << n;
    if (n < 0 || n > 4) return;
    // A click that fits between two samples must not get lost: report the old state first.
    if (state.buttons !== state.reported && this.#reporting) this.#sample();
    state.buttons = down ? state.buttons | bit : state.buttons & ~bit;
    this.#arrange();
  }

  get waiting(): number {
    return this.state.replies.length + this.state.packet.length;
  }

  take(): number {
    const { state } = this;
    const byte = state.replies.shift() ?? state.packet.shift() ?? 0;
    if (this.waiting === 0) this.#arrange();
    return byte;
  }

  receive(byte: number): void {
    const { state } = this;
    // A command ends whatever was being sent.
    state.packet.length = 0;
    if (byte !== Command.RESEND) state.replies.length = 0;
    this.#clock.cancel(this.name, "selfTest");
    const { command } = state;
    state.command = 0;
    if (command !== 0) this.#parameter(command, byte);
    else if (state.wrap && byte !== Command.RESET && byte !== Command.RESET_WRAP) this.#reply(byte);
    else this.#command(byte);
    this.#arrange();
  }

  get #reporting(): boolean {
    const { enabled, mode, wrap } = this.state;
    return enabled && mode === "stream" && !wrap;
  }

  #setDefaults(): void {
    const { state } = this;
    state.enabled = false;
    state.mode = "stream";
    state.sampleRate = 100;
    state.resolution = 2;
    state.scaling = false;
    state.dx = state.dy = state.dz = 0;
  }

  #reply(...bytes: number[]): void {
    this.state.replies.push(...bytes);
    this.state.last = bytes;
    this.#port.notify();
  }

  #command(byte: number): void {
    const { state } = this;
    switch (byte) {
      case Command.SCALING_1_1:
      case Command.SCALING_2_1:
        state.scaling = byte === Command.SCALING_2_1;
        break;
      case Command.SET_RESOLUTION:
      case Command.SET_SAMPLE_RATE:
        state.command = byte;
        break;
      case Command.STATUS_REQUEST:
        return this.#reply(Reply.ACK, this.#status(), state.resolution, state.sampleRate);
      case Command.STREAM_MODE:
      case Command.REMOTE_MODE:
        state.mode = byte === Command.STREAM_MODE ? "stream" : "remote";
        state.dx = state.dy = state.dz = 0;
        break;
      case Command.READ_DATA:
        return this.#reply(Reply.ACK, ...this.#takePacket());
      case Command.WRAP_MODE:
      case Command.RESET_WRAP:
        state.wrap = byte === Command.WRAP_MODE;
        break;
      case Command.READ_ID:
        return this.#reply(Reply.ACK, state.id);
      case Command.ENABLE:
      case Command.DISABLE:
        state.enabled = byte === Command.ENABLE;
        state.dx = state.dy = state.dz = 0;
        break;
      case Command.DEFAULT:
        this.#setDefaults();
        break;
      case Command.RESEND:
        return this.#reply(...state.last);
      case Command.RESET:
        this.reset();
        this.#clock.schedule(this.name, "selfTest", this.#clock.now + SELF_TEST_TIME);
        break;
      default:
        return this.#reply(Reply.RESEND);
    }
    this.#reply(Reply.ACK);
  }

  #parameter(command: number, value: number): void {
    const { state } = this;
    if (command === Command.SET_RESOLUTION) {
      if (value > 3) return this.#reply(Reply.ERROR);
      state.resolution = value;
    } else {
      if (!SAMPLE_RATES.includes(value)) return this.#reply(Reply.ERROR);
      state.sampleRate = value;
      state.rates = [state.rates[1], state.rates[2], value];
      const sequence = state.rates.join();
      if (sequence === "200,100,80") state.id = Id.WHEEL;
      else if (sequence === "200,200,80" && state.id === Id.WHEEL) state.id = Id.FIVE_BUTTONS;
    }
    this.#reply(Reply.ACK);
  }

  #status(): number {
    const { mode, enabled, scaling, buttons } = this.state;
    return (mode === "remote" ? 0x40 : 0) | (enabled ? 0x20 : 0) | (scaling ? 0x10 : 0) |
      ((buttons & 1) << 2) | ((buttons & 4) >> 1) | ((buttons & 2) >> 1);
  }

  /** Sees to it that movement and buttons that were not reported yet are reported at the next sample. */
  #arrange(): void {
    const { state } = this;
    const news = state.dx !== 0 || state.dy !== 0 || state.dz !== 0 || state.buttons !== state.reported;
    if (!news || !this.#reporting || this.waiting > 0) return;
    this.#clock.schedule(this.name, "sample", Math.max(this.#clock.now, state.nextSample));
  }

  #sample(): void {
    const { state } = this;
    if (!this.#reporting || this.waiting > 3 * 4) return;
    state.nextSample = this.#clock.now + Math.floor(1_000_000_000 / state.sampleRate);
    const packet = this.#takePacket();
    state.packet.push(...packet);
    state.last = packet;
    this.#port.notify();
  }

  /** The movement packet for now; takes the movement that it reports off the counters. */
  #takePacket(): number[] {
    const { state } = this;
    const within = (value: number, low: number, high: number) => Math.max(low, Math.min(high, value));
    const dx = within(state.dx, -255, 255), dy = within(state.dy, -255, 255);
    state.dx -= dx;
    state.dy -= dy;
    const x = this.#scaled(dx), y = this.#scaled(dy);
    const packet = [
      0x08 | (state.buttons & 7) | (x < 0 ? 0x10 : 0) | (y < 0 ? 0x20 : 0) |
      (Math.abs(x) > 255 ? 0x40 : 0) | (Math.abs(y) > 255 ? 0x80 : 0),
      within(x, -256, 255) & 0xff,
      within(y, -256, 255) & 0xff,
    ];
    if (state.id === Id.STANDARD) {
      state.dz = 0;
    } else {
      const dz = within(state.dz, -8, 7);
      state.dz -= dz;
      packet.push(state.id === Id.WHEEL ? dz & 0xff : (dz & 0x0f) | ((state.buttons & 0x18) << 1));
    }
    state.reported = state.buttons;
    return packet;
  }

  /** Counts as they are reported; scaling 2:1 applies in stream mode only. */
  #scaled(count: number): number {
    if (!this.state.scaling || this.state.mode !== "stream") return count;
    const size = Math.abs(count);
    return Math.sign(count) * (size > 5 ? 2 * size : [0, 1, 1, 3, 6, 9][size]);
  }
}
