/** The PS/2 pointing device, INT 15h AH=C2h, and IRQ 12. Source: IBM BIOS interface technical reference, "Pointing device". */
import type { Clock } from "../machine/types.ts";
import { Ebda } from "./bda.ts";
import type { Call } from "./call.ts";
import type { LinearMemory } from "./linear_memory.ts";
import type { BiosPorts } from "./wires.ts";

/** Status codes in AH. */
const MouseError = { NONE: 0, BAD_FUNCTION: 1, BAD_INPUT: 2, INTERFACE: 3, RESEND: 4, NO_HANDLER: 5 } as const;

/** Bits of {@link Ebda.MOUSE_FLAG_1} (index of the next packet byte in the low bits) and {@link Ebda.MOUSE_FLAG_2} (packet size − 1). */
const INDEX = 0x07, HANDLER = 0x80, SIZE = 0x07;

/** Mouse commands. Source: IBM PS/2 mouse technical reference. */
const Command = {
  SCALING_1: 0xe6,
  SCALING_2: 0xe7,
  RESOLUTION: 0xe8,
  STATUS: 0xe9,
  IDENTIFY: 0xf2,
  SAMPLE_RATE: 0xf3,
  ENABLE: 0xf4,
  DISABLE: 0xf5,
  RESET: 0xff,
} as const;

const ACKNOWLEDGE = 0xfa;
const SAMPLE_RATES = [10, 20, 40, 60, 80, 100, 200];
/** How long an answer may take, in nanoseconds: a reset includes the mouse's self-test. */
const PATIENCE = 2_000_000_000;

/** The part of the BIOS's state that the pointing device keeps: the exchange that a waiting call has begun. */
export interface MouseState {
  /** Bytes that are still to be sent; the first of them is under way. */
  mouseSend: number[];
  /** Bytes that are expected in all, acknowledgements included; 0 if no exchange runs. */
  mouseExpected: number;
  mouseAnswer: number[];
  mouseDeadline: number;
}

/** 8042 status bits and commands. */
const Status = { OUTPUT_FULL: 0x01, FROM_MOUSE: 0x21 } as const;
const Controller = { READ_COMMAND: 0x20, WRITE_COMMAND: 0x60, WRITE_AUX: 0xd4 } as const;

/** Not a status: the exchange with the mouse is not over. */
const WAITING = -1;

/** Mouse services. */
export class MouseServices {
  constructor(
    private readonly memory: LinearMemory,
    private readonly ports: BiosPorts,
    private readonly clock: Clock,
    private readonly state: MouseState,
  ) {}

  #field(offset: number): number {
    return Ebda.ADDRESS + offset;
  }

  /** INT 15h AX=C2xxh. What the mouse has to be asked takes time: until it has answered, the stub waits and calls again. */
  handle(call: Call): void {
    const error = this.#dispatch(call);
    if (error === WAITING) {
      call.wait();
      return;
    }
    call.ah = error;
    call.carry = error !== MouseError.NONE;
  }

  #dispatch(call: Call): number {
    switch (call.al) {
      case 0x00:
        if (call.bh > 1) return MouseError.BAD_INPUT;
        if (call.bh === 1 && !this.#flag(HANDLER)) return MouseError.NO_HANDLER;
        return this.#exchange([call.bh === 1 ? Command.ENABLE : Command.DISABLE], 0);
      case 0x01:
      case 0x05:
        if (call.al === 0x05 && (call.bh < 1 || call.bh > 8)) return MouseError.BAD_INPUT;
        return this.#exchange([Command.RESET], 2, (answer) => {
          if (call.al === 0x05) this.#setFlags2(this.#flags2 & HANDLER | call.bh - 1);
          this.memory.write8(this.#field(Ebda.MOUSE_FLAG_1), 0);
          call.bx = answer[1] << 8 | answer[0];
        });
      case 0x02:
        if (call.bh >= SAMPLE_RATES.length) return MouseError.BAD_INPUT;
        return this.#exchange([Command.SAMPLE_RATE, SAMPLE_RATES[call.bh]], 0);
      case 0x03:
        return call.bh > 3 ? MouseError.BAD_INPUT : this.#exchange([Command.RESOLUTION, call.bh], 0);
      case 0x04:
        return this.#exchange([Command.IDENTIFY], 1, ([id]) => call.bh = id);
      case 0x06:
        return this.#extended(call);
      case 0x07:
        return this.#setHandler(call);
      default:
        return MouseError.BAD_FUNCTION;
    }
  }

  get #flags2(): number {
    return this.memory.read8(this.#field(Ebda.MOUSE_FLAG_2));
  }

  #setFlags2(value: number): void {
    this.memory.write8(this.#field(Ebda.MOUSE_FLAG_2), value);
  }

  #flag(bit: number): boolean {
    return (this.#flags2 & bit) !== 0;
  }

  #extended(call: Call): number {
    switch (call.bh) {
      case 0x00:
        return this.#exchange([Command.STATUS], 3, (answer) => [call.bl, call.cl, call.dl] = answer);
      case 0x01:
        return this.#exchange([Command.SCALING_1], 0);
      case 0x02:
        return this.#exchange([Command.SCALING_2], 0);
      default:
        return MouseError.BAD_INPUT;
    }
  }

  #setHandler(call: Call): number {
    const installed = call.es !== 0 || call.bx !== 0;
    if (!installed) {
      return this.#exchange([Command.DISABLE], 0, () => this.#setFlags2(this.#flags2 & ~HANDLER));
    }
    this.memory.write16(this.#field(Ebda.MOUSE_HANDLER), call.bx);
    this.memory.write16(this.#field(Ebda.MOUSE_HANDLER + 2), call.es);
    this.#setFlags2(this.#flags2 | HANDLER);
    return MouseError.NONE;
  }

  /**
   * Sends bytes to the mouse, each of which it must acknowledge, and collects `count` answer bytes, which go to `done`.
   * Returns {@link WAITING} until that is through.
   */
  #exchange(bytes: readonly number[], count: number, done?: (answer: number[]) => void): number {
    const { state, clock } = this;
    if (state.mouseExpected === 0) {
      // A scan code in the controller's buffer would be taken for its answer: the keyboard interrupt fetches it first.
      if ((this.ports.read(0x64, 1) & Status.OUTPUT_FULL) !== 0) return WAITING;
      this.#enableInterrupt();
      state.mouseSend = [...bytes];
      state.mouseAnswer = [];
      state.mouseExpected = bytes.length + count;
      state.mouseDeadline = clock.now + PATIENCE;
      this.#send();
      return WAITING;
    }
    this.#collect();
    const complete = state.mouseAnswer.length >= state.mouseExpected;
    if (!complete && clock.now < state.mouseDeadline) return WAITING;
    state.mouseExpected = 0;
    const acknowledged = state.mouseAnswer.slice(0, bytes.length).every((byte) => byte === ACKNOWLEDGE);
    if (!complete || !acknowledged) return MouseError.INTERFACE;
    done?.(state.mouseAnswer.slice(bytes.length));
    return MouseError.NONE;
  }

  #send(): void {
    this.ports.write(0x64, Controller.WRITE_AUX, 1);
    this.ports.write(0x60, this.state.mouseSend[0], 1);
  }

  /** Takes a byte of the running exchange out of the controller, if one is there, and sends what comes next. */
  #collect(): void {
    const { state } = this;
    const status = this.ports.read(0x64, 1);
    if ((status & Status.FROM_MOUSE) !== Status.FROM_MOUSE) return;
    state.mouseAnswer.push(this.ports.read(0x60, 1));
    state.mouseSend.shift();
    if (state.mouseSend.length > 0) this.#send();
  }

  /** Lets IRQ 12 through the keyboard controller and both 8259s. */
  #enableInterrupt(): void {
    const { ports } = this;
    ports.write(0x64, Controller.READ_COMMAND, 1);
    const command = ports.read(0x60, 1);
    ports.write(0x64, Controller.WRITE_COMMAND, 1);
    ports.write(0x60, command & ~0x20 | 0x02, 1);
    ports.write(0xa1, ports.read(0xa1, 1) & ~0x10, 1);
    ports.write(0x21, ports.read(0x21, 1) & ~0x04, 1);
  }

  /**
   * IRQ 12: takes one byte. When the packet is complete and a handler is installed, carry in the processor's flags asks
   * the ROM code to push AX BX CX DX (status, X, Y, Z) and call the far pointer at ES:DI.
   */
  interrupt(call: Call): void {
    const { memory, ports } = this;
    call.carry = false;
    if (this.state.mouseExpected > 0) {
      this.#collect();
      return;
    }
    if ((ports.read(0x64, 1) & Status.FROM_MOUSE) !== Status.FROM_MOUSE) return;
    const byte = ports.read(0x60, 1);
    const flags = this.#flags2;
    if ((flags & HANDLER) === 0) return;
    const state = memory.read8(this.#field(Ebda.MOUSE_FLAG_1));
    const index = state & INDEX;
    memory.write8(this.#field(Ebda.MOUSE_DATA + index), byte);
    const complete = index >= (flags & SIZE);
    memory.write8(this.#field(Ebda.MOUSE_FLAG_1), state & ~INDEX | (complete ? 0 : index + 1));
    if (!complete) return;
    [call.ax, call.bx, call.cx, call.dx] = [0, 1, 2, 3].map((i) =>
      i <= (flags & SIZE) ? memory.read8(this.#field(Ebda.MOUSE_DATA + i)) : 0
    );
    call.es = Ebda.SEGMENT;
    call.di = Ebda.MOUSE_HANDLER;
    call.carry = true;
  }
}
