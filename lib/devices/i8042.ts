/**
 * 8042 keyboard controller at ports 60h and 64h, with the auxiliary port of the PS/2.
 * Sources: Intel UPI-41/42 user's manual (1993) for the chip; IBM PS/2 Hardware Interface Technical Reference,
 * Keyboard and Auxiliary Device Controller (1990) for its program.
 */
import type { Clock, Device, IrqLine, PortSpace } from "../machine/types.ts";
import type { Ps2Device, Ps2Port } from "./ps2.ts";
import { SET2_TO_SET1 } from "./scancodes.ts";

const Status = { OBF: 0x01, SYS: 0x04, COMMAND: 0x08, UNLOCKED: 0x10, AUX: 0x20 };
/** The controller command byte. */
const Ccb = { INT1: 0x01, INT2: 0x02, SYS: 0x04, DISABLE1: 0x10, DISABLE2: 0x20, TRANSLATE: 0x40 };
const OutputPort = { NO_RESET: 0x01, A20: 0x02, OBF1: 0x10, OBF2: 0x20 };
const Command = {
  READ_RAM: 0x20,
  WRITE_RAM: 0x60,
  TEST_PASSWORD: 0xa4,
  DISABLE_AUX: 0xa7,
  ENABLE_AUX: 0xa8,
  TEST_AUX: 0xa9,
  SELF_TEST: 0xaa,
  TEST_KEYBOARD: 0xab,
  DISABLE_KEYBOARD: 0xad,
  ENABLE_KEYBOARD: 0xae,
  READ_INPUT: 0xc0,
  READ_OUTPUT: 0xd0,
  WRITE_OUTPUT: 0xd1,
  LOOP_KEYBOARD: 0xd2,
  LOOP_AUX: 0xd3,
  WRITE_AUX: 0xd4,
  READ_TEST: 0xe0,
  PULSE: 0xf0,
};

/** Where a byte in the output buffer came from. */
const Source = { CONTROLLER: 0, KEYBOARD: 1, AUX: 2 };

/** Time from a free output buffer to the next byte in it, ns. A real device needs five times as long for the wire alone. */
const BYTE_TIME = 200_000;

/** The A20 gate, of which the controller drives one input. */
export interface A20Gate {
  enabled: boolean;
}

/** The keyboard controller. */
export class I8042 implements Device {
  readonly name = "i8042";
  readonly version = 1;
  readonly state = {
    /** The controller's 32 bytes of RAM; byte 0 is the command byte. */
    ram: new Uint8Array(32),
    /** Command that waits for its parameter at port 60h; 0 = none. */
    command: 0,
    /** The last write was to port 64h. */
    lastWasCommand: false,
    /** Output buffer: its byte, whether it is full, and where the byte came from. */
    output: 0,
    full: false,
    source: Source.CONTROLLER,
    /** Bytes that the controller itself has to say, each with its source, in front of what the devices send. */
    replies: [] as { byte: number; source: number }[],
    /** The keyboard sent F0h: the next code is a release. */
    release: false,
    /** A byte is on its way into the output buffer. */
    filling: false,
  };
  readonly #wires: { irq1: IrqLine; irq12: IrqLine; clock: Clock; a20: A20Gate; reset: () => void };
  readonly #devices: (Ps2Device | null)[] = [null, null];

  /** `irq1` and `irq12` signal a full output buffer; `reset` pulls the processor's reset line. */
  constructor(wires: { irq1: IrqLine; irq12: IrqLine; clock: Clock; a20: A20Gate; reset: () => void }) {
    this.#wires = wires;
  }

  /** Socket 0 is for the keyboard, 1 for the mouse. */
  port(index: 0 | 1): Ps2Port {
    const { state } = this, source = index === 0 ? Source.KEYBOARD : Source.AUX;
    return {
      connect: (device) => this.#devices[index] = device,
      notify: () => this.#arrange(),
      get held() {
        return state.full && state.source === source ? 1 : 0;
      },
    };
  }

  attach(ports: PortSpace): void {
    ports.claim(0x60, 1, { read: () => this.#readData(), write: (_, value) => this.#writeData(value) });
    ports.claim(0x64, 1, { read: () => this.#status(), write: (_, value) => this.#writeCommand(value) });
  }

  reset(): void {
    const { state } = this;
    state.ram.fill(0);
    state.ram[0] = Ccb.INT1 | Ccb.TRANSLATE | Ccb.DISABLE2;
    state.replies.length = 0;
    Object.assign(state, { command: 0, lastWasCommand: false, output: 0, full: false, release: false, filling: false });
    this.#driveLines();
  }

  event(): void {
    this.#fill();
  }

  #status(): number {
    const { full, source, lastWasCommand, ram } = this.state;
    return Status.UNLOCKED | (full ? Status.OBF : 0) | (full && source === Source.AUX ? Status.AUX : 0) |
      (lastWasCommand ? Status.COMMAND : 0) | ((ram[0] & Ccb.SYS) !== 0 ? Status.SYS : 0);
  }

  #readData(): number {
    const { state } = this;
    if (state.full) {
      state.full = false;
      this.#driveLines();
      this.#arrange();
    }
    return state.output;
  }

  #writeData(value: number): void {
    const { state } = this, { command } = state;
    state.lastWasCommand = false;
    state.command = 0;
    switch (command) {
      case 0:
        // Sending to the keyboard takes its clock line out of the disabled state.
        state.ram[0] &= ~Ccb.DISABLE1;
        this.#devices[0]?.receive(value);
        this.#arrange();
        break;
      case Command.WRITE_OUTPUT:
        this.#writeOutputPort(value);
        break;
      case Command.LOOP_KEYBOARD:
        this.#reply(value, Source.KEYBOARD);
        break;
      case Command.LOOP_AUX:
        this.#reply(value, Source.AUX);
        break;
      case Command.WRITE_AUX:
        state.ram[0] &= ~Ccb.DISABLE2;
        this.#devices[1]?.receive(value);
        this.#arrange();
        break;
      default:
        this.#writeRam(command & 0x1f, value);
    }
  }

  #writeRam(index: number, value: number): void {
    this.state.ram[index] = value;
    if (index !== 0) return;
    this.#driveLines();
    this.#arrange();
  }

  #writeCommand(value: number): void {
    const { state } = this, { ram } = state;
    state.lastWasCommand = true;
    state.command = 0;
    if (value >= Command.PULSE) {
      // The low nibble tells which lines of the output port are pulsed low; only the reset line does anything.
      if ((value & OutputPort.NO_RESET) === 0) this.#wires.reset();
    } else if (value >= Command.READ_RAM && value < Command.READ_RAM + 32) {
      this.#reply(ram[value & 0x1f]);
    } else if (value >= Command.WRITE_RAM && value < Command.WRITE_RAM + 32) {
      state.command = value;
    } else {
      this.#otherCommand(value);
    }
  }

  #otherCommand(value: number): void {
    const { state } = this, { ram } = state;
    switch (value) {
      case Command.WRITE_OUTPUT:
      case Command.LOOP_KEYBOARD:
      case Command.LOOP_AUX:
      case Command.WRITE_AUX:
        state.command = value;
        break;
      case Command.TEST_PASSWORD:
        this.#reply(0xf1); // none is set
        break;
      case Command.DISABLE_AUX:
        this.#writeRam(0, ram[0] | Ccb.DISABLE2);
        break;
      case Command.ENABLE_AUX:
        this.#writeRam(0, ram[0] & ~Ccb.DISABLE2);
        break;
      case Command.DISABLE_KEYBOARD:
        this.#writeRam(0, ram[0] | Ccb.DISABLE1);
        break;
      case Command.ENABLE_KEYBOARD:
        this.#writeRam(0, ram[0] & ~Ccb.DISABLE1);
        break;
      case Command.TEST_AUX:
      case Command.TEST_KEYBOARD:
        this.#reply(0x00);
        break;
      case Command.SELF_TEST:
        state.replies.length = 0;
        state.full = false;
        this.#writeRam(0, ram[0] | Ccb.SYS);
        this.#reply(0x55);
        break;
      case Command.READ_INPUT:
        this.#reply(0x80); // keylock open
        break;
      case Command.READ_OUTPUT:
        this.#reply(this.#outputPort());
        break;
      case Command.READ_TEST:
        this.#reply(((ram[0] & Ccb.DISABLE1) === 0 ? 1 : 0) | ((ram[0] & Ccb.DISABLE2) === 0 ? 2 : 0));
        break;
    }
  }

  #outputPort(): number {
    const { full, source } = this.state;
    return OutputPort.NO_RESET | (this.#wires.a20.enabled ? OutputPort.A20 : 0) | 0xcc |
      (full ? (source === Source.AUX ? OutputPort.OBF2 : OutputPort.OBF1) : 0);
  }

  #writeOutputPort(value: number): void {
    this.#wires.a20.enabled = (value & OutputPort.A20) !== 0;
    if ((value & OutputPort.NO_RESET) === 0) this.#wires.reset();
  }

  #reply(byte: number, source: number = Source.CONTROLLER): void {
    const { state } = this;
    if (!state.full && state.replies.length === 0) return this.#deliver(byte, source);
    // The real controller would wait, or overwrite; a guest that never reads must not fill the host's memory.
    if (state.replies.length < 16) state.replies.push({ byte, source });
  }

  #deliver(byte: number, source: number): void {
    Object.assign(this.state, { output: byte, full: true, source });
    this.#driveLines();
  }

  #driveLines(): void {
    const { full, source, ram } = this.state;
    const aux = source === Source.AUX;
    this.#wires.irq1.set(full && !aux && (ram[0] & Ccb.INT1) !== 0);
    this.#wires.irq12.set(full && aux && (ram[0] & Ccb.INT2) !== 0);
  }

  /** Sees to it that the next byte gets into a free output buffer. */
  #arrange(): void {
    const { state } = this, { clock } = this.#wires;
    if (state.filling || state.full || !this.#anythingToSend()) return;
    state.filling = true;
    clock.schedule(this.name, "fill", clock.now + BYTE_TIME);
  }

  #keyboardReady(): boolean {
    return (this.state.ram[0] & Ccb.DISABLE1) === 0 && (this.#devices[0]?.waiting ?? 0) > 0;
  }

  #auxReady(): boolean {
    return (this.state.ram[0] & Ccb.DISABLE2) === 0 && (this.#devices[1]?.waiting ?? 0) > 0;
  }

  #anythingToSend(): boolean {
    return this.state.replies.length > 0 || this.#keyboardReady() || this.#auxReady();
  }

  #fill(): void {
    const { state } = this;
    state.filling = false;
    if (state.full) return;
    const reply = state.replies.shift();
    if (reply !== undefined) return this.#deliver(reply.byte, reply.source);
    if (this.#keyboardReady()) {
      const byte = this.#translate(this.#devices[0]!.take());
      if (byte >= 0) return this.#deliver(byte, Source.KEYBOARD);
      return this.#arrange();
    }
    if (this.#auxReady()) this.#deliver(this.#devices[1]!.take(), Source.AUX);
  }

  /** A byte of scan code set 2 in set 1, if translation is on; -1 for the release prefix, which only marks the next byte. */
  #translate(byte: number): number {
    const { state } = this;
    if ((state.ram[0] & Ccb.TRANSLATE) === 0) return byte;
    if (byte === 0xf0) {
      state.release = true;
      return -1;
    }
    const code = SET2_TO_SET1[byte] | (state.release ? 0x80 : 0);
    state.release = false;
    return code;
  }
}
