/**
 * The two cascaded 8237A DMA controllers of a PC/AT with their page registers.
 * Sources: Intel 8237A data sheet (1993); Intel 82371SB (PIIX3) data sheet, section 2.6.1.
 *
 * A transfer moves a device's bytes at once when the device asks for it; the pace is the device's business.
 */
import type { Device, DmaMemory, PortSpace } from "../machine/types.ts";

/** What became of a transfer. */
export interface DmaResult {
  /** Bytes moved (or, in verify mode, only counted). Less than asked for if the channel is masked or its count ran out. */
  readonly transferred: number;
  /** The count ran out: the TC line was raised together with the last byte. */
  readonly terminalCount: boolean;
}

/** One channel as the device that is wired to its DREQ and DACK lines sees it. */
export interface DmaChannel {
  /** True if a request would be served: the controller is enabled, the channel unmasked. */
  readonly ready: boolean;
  /** What the channel is programmed for: `"write"` is device to memory, `"read"` memory to device. */
  readonly direction: "verify" | "write" | "read" | "illegal";
  /** Drives the DREQ line, which the status register shows. */
  request(level: boolean): void;
  /** Moves bytes from the device to memory, until all are moved or terminal count. On channels 5–7 two bytes at a time. */
  transferToMemory(bytes: Uint8Array): DmaResult;
  /** Fills `target` with bytes from memory, until it is full or terminal count. On channels 5–7 two bytes at a time. */
  transferFromMemory(target: Uint8Array): DmaResult;
}

/** Bits of the mode register. */
const Mode = {
  TRANSFER: 0x0c,
  VERIFY: 0x00,
  WRITE: 0x04,
  READ: 0x08,
  AUTOINIT: 0x10,
  DECREMENT: 0x20,
  TYPE: 0xc0,
  CASCADE: 0xc0,
};
/** Bits of the command register. */
const Command = { DISABLE: 0x04 };

/** Where the page register of each channel is, as an offset from port 80h. */
const PAGE_PORT = [0x07, 0x03, 0x01, 0x02, 0x0f, 0x0b, 0x09, 0x0a];

type ChannelState = {
  baseAddress: number;
  baseCount: number;
  address: number;
  count: number;
  mode: number;
};

type ControllerState = {
  channels: ChannelState[];
  command: number;
  /** Bit per channel: masked. */
  mask: number;
  /** Bit per channel: DREQ line. */
  request: number;
  /** Bit per channel: request by software. */
  softwareRequest: number;
  /** Bit per channel: terminal count reached since the status was read. */
  terminalCount: number;
  /** False = the next access to a 16-bit register is to its low byte. */
  flipFlop: boolean;
  temporary: number;
};

function controllerState(): ControllerState {
  return {
    channels: Array.from({ length: 4 }, () => ({ baseAddress: 0, baseCount: 0, address: 0, count: 0, mode: 0 })),
    command: 0,
    mask: 0xf,
    request: 0,
    softwareRequest: 0,
    terminalCount: 0,
    flipFlop: false,
    temporary: 0,
  };
}

/** The DMA controllers of the board: channels 0–3 move bytes, 5–7 words; 4 is the cascade. */
export class I8237 implements Device {
  readonly name = "i8237";
  readonly version = 1;
  readonly state = {
    controllers: [controllerState(), controllerState()],
    /** The 16 bytes at ports 80h–8Fh; eight of them are page registers, the others plain storage. */
    page: new Uint8Array(16),
  };
  readonly #memory: DmaMemory;

  constructor(wires: { memory: DmaMemory }) {
    this.#memory = wires.memory;
  }

  /** The DREQ/DACK pair of channel `number` (0–3, 5–7). */
  channel(number: number): DmaChannel {
    const ready = () => this.#ready(number);
    const direction = () => this.#direction(number);
    return {
      get ready() {
        return ready();
      },
      get direction() {
        return direction();
      },
      request: (level) => {
        const controller = this.state.controllers[number >> 2], bit = 1 << (number & 3);
        controller.request = level ? controller.request | bit : controller.request & ~bit;
      },
      transferToMemory: (bytes) => this.#transfer(number, bytes, Mode.WRITE),
      transferFromMemory: (target) => this.#transfer(number, target, Mode.READ),
    };
  }

  attach(ports: PortSpace): void {
    ports.claim(0x00, 16, { read: (port) => this.#read(0, port), write: (port, value) => this.#write(0, port, value) });
    ports.claim(0xc0, 32, {
      // The second controller's registers are two ports apart.
      read: (port) => this.#read(1, (port - 0xc0) >> 1),
      write: (port, value) => this.#write(1, (port - 0xc0) >> 1, value),
    });
    ports.claim(0x80, 16, {
      read: (port) => this.state.page[port & 15],
      write: (port, value) => void (this.state.page[port & 15] = value),
    });
  }

  reset(): void {
    this.state.controllers.forEach((controller) => {
      Object.assign(controller, { ...controllerState(), channels: controller.channels });
      for (const channel of controller.channels) {
        Object.assign(channel, { baseAddress: 0, baseCount: 0, address: 0, count: 0, mode: 0 });
      }
    });
    this.state.page.fill(0);
  }

  #ready(number: number): boolean {
    const controller = this.state.controllers[number >> 2];
    if ((controller.command & Command.DISABLE) !== 0 || (controller.mask & (1 << (number & 3))) !== 0) return false;
    // Channels 0–3 request through channel 4, which must be open and in cascade mode.
    if (number >= 4) return true;
    return this.#ready(4) && (this.state.controllers[1].channels[0].mode & Mode.TYPE) === Mode.CASCADE;
  }

  #direction(number: number): DmaChannel["direction"] {
    const { mode } = this.state.controllers[number >> 2].channels[number & 3];
    return (["verify", "write", "read", "illegal"] as const)[(mode & Mode.TRANSFER) >> 2];
  }

  #transfer(number: number, bytes: Uint8Array, direction: number): DmaResult {
    if (!this.#ready(number)) return { transferred: 0, terminalCount: false };
    const controller = this.state.controllers[number >> 2], channel = controller.channels[number & 3];
    const wide = number >= 4 ? 1 : 0;
    const programmed = channel.mode & Mode.TRANSFER;
    const page = this.state.page[PAGE_PORT[number]];
    let done = 0, terminalCount = false;
    while (!terminalCount && done + (1 << wide) <= bytes.length) {
      // As many units as lie in a row: up to the end of the count, the buffer and the 64 Ki units of the address counter.
      const down = (channel.mode & Mode.DECREMENT) !== 0;
      const room = down ? 1 : 0x10000 - channel.address;
      const units = Math.min(channel.count + 1, room, (bytes.length - done) >> wide);
      const at = wide ? (page & 0xfe) * 0x10000 + channel.address * 2 : page * 0x10000 + channel.address;
      const piece = bytes.subarray(done, done + (units << wide));
      // Verify cycles, and a direction that the device did not mean, move nothing.
      if (programmed === direction) {
        if (direction === Mode.WRITE) this.#memory.write(at, piece);
        else this.#memory.read(at, piece);
      }
      done += units << wide;
      channel.address = (channel.address + (down ? -units : units)) & 0xffff;
      terminalCount = units > channel.count;
      channel.count = (channel.count - units) & 0xffff;
    }
    if (terminalCount) this.#terminate(controller, number & 3);
    return { transferred: done, terminalCount };
  }

  #terminate(controller: ControllerState, index: number): void {
    const channel = controller.channels[index];
    controller.terminalCount |= 1 << index;
    controller.softwareRequest &= ~(1 << index);
    if ((channel.mode & Mode.AUTOINIT) !== 0) {
      channel.address = channel.baseAddress;
      channel.count = channel.baseCount;
    } else {
      controller.mask |= 1 << index;
    }
  }

  #read(which: number, register: number): number {
    const controller = this.state.controllers[which];
    if (register < 8) {
      const channel = controller.channels[register >> 1];
      const value = (register & 1) === 0 ? channel.address : channel.count;
      controller.flipFlop = !controller.flipFlop;
      return controller.flipFlop ? value & 0xff : value >>> 8;
    }
    if (register === 8) {
      const status = controller.terminalCount | ((controller.request | controller.softwareRequest) << 4);
      controller.terminalCount = 0;
      return status;
    }
    // Mask register as the PIIX3 shows it; the 8237A itself has only the temporary register to read here.
    if (register === 15) return 0xf0 | controller.mask;
    return register === 13 ? controller.temporary : 0;
  }

  #write(which: number, register: number, value: number): void {
    const controller = this.state.controllers[which];
    const bit = 1 << (value & 3);
    switch (register) {
      case 8:
        controller.command = value;
        break;
      case 9:
        controller.softwareRequest = (value & 4) !== 0
          ? controller.softwareRequest | bit
          : controller.softwareRequest & ~bit;
        break;
      case 10:
        controller.mask = (value & 4) !== 0 ? controller.mask | bit : controller.mask & ~bit;
        break;
      case 11:
        controller.channels[value & 3].mode = value & 0xfc;
        break;
      case 12:
        controller.flipFlop = false;
        break;
      case 13:
        this.#masterClear(controller);
        break;
      case 14:
        controller.mask = 0;
        break;
      case 15:
        controller.mask = value & 0xf;
        break;
      default:
        this.#writeChannel(controller, register, value);
    }
  }

  #writeChannel(controller: ControllerState, register: number, value: number): void {
    const channel = controller.channels[register >> 1];
    const field = (register & 1) === 0 ? "baseAddress" : "baseCount";
    const high = controller.flipFlop;
    controller.flipFlop = !high;
    channel[field] = high ? (channel[field] & 0x00ff) | (value << 8) : (channel[field] & 0xff00) | value;
    if (field === "baseAddress") channel.address = channel.baseAddress;
    else channel.count = channel.baseCount;
  }

  #masterClear(controller: ControllerState): void {
    Object.assign(controller, {
      command: 0,
      softwareRequest: 0,
      terminalCount: 0,
      temporary: 0,
      flipFlop: false,
      mask: 0xf,
    });
  }
}
