/**
 * NS16550A UART. Source: National Semiconductor PC16550D data sheet (1995).
 *
 * What arrives is paced by the programmed baud rate: an input waits in a queue outside of the chip, so that it never overruns the guest.
 * What is transmitted goes much faster.
 */
import type { SerialInput } from "../machine/inputs.ts";
import type { Clock, Device, IrqLine, PortSpace, SerialBackend } from "../machine/types.ts";

const IER = { ERBFI: 0x01, ETBEI: 0x02, ELSI: 0x04, EDSSI: 0x08 };
const IIR = { NONE: 0x01, MODEM: 0x00, THRE: 0x02, DATA: 0x04, LINE: 0x06, TIMEOUT: 0x0c, FIFOS: 0xc0 };
const FCR = { ENABLE: 0x01, CLEAR_RX: 0x02, CLEAR_TX: 0x04, TRIGGER: 0xc0 };
const LCR = { WORD: 0x03, STOP: 0x04, PARITY: 0x08, BREAK: 0x40, DLAB: 0x80 };
const MCR = { DTR: 0x01, RTS: 0x02, OUT1: 0x04, OUT2: 0x08, LOOP: 0x10 };
const LSR = { DR: 0x01, OE: 0x02, BI: 0x10, THRE: 0x20, TEMT: 0x40 };
const MSR = { DCTS: 0x01, DDSR: 0x02, TERI: 0x04, DDCD: 0x08, CTS: 0x10, DSR: 0x20, RI: 0x40, DCD: 0x80 };

const FIFO_SIZE = 16;
const TRIGGER_LEVELS = [1, 4, 8, 14];
/** 1.8432 MHz / 16: bits per second at divisor 1. */
const BASE_RATE = 115200;
/**
 * Bits per second of the transmitter, whatever the guest has programmed. Kernels wait for each character of their log in a loop; at the
 * line's real speed nearly all instructions of a boot over a serial console would be spent there.
 */
const TRANSMIT_RATE = 64 * BASE_RATE;

/** A serial port. */
export class Ns16550 implements Device, SerialInput {
  readonly name: string;
  readonly version = 2;
  readonly state = {
    ier: 0,
    fcr: 0,
    lcr: 0,
    mcr: 0,
    /** Line status except DR, THRE and TEMT, which follow from the buffers. */
    lsr: 0,
    /** Modem status: delta bits and levels. */
    msr: MSR.CTS | MSR.DSR | MSR.DCD,
    scr: 0,
    /** Divisor latch. */
    divisor: 12,
    /** Receiver FIFO (or the one receiver buffer). */
    rx: [] as number[],
    /** Transmitter FIFO (or the one holding register). */
    tx: [] as number[],
    /** Until when the transmitter's shift register holds a byte, in ns of guest time. */
    shiftingUntil: 0,
    /** That byte, if it is on its way to the receiver because of the loop; -1 = none. */
    looping: -1,
    /** The transmitter-empty interrupt is pending. */
    thre: false,
    /** The character-timeout interrupt is pending. */
    timeout: false,
    /** Bytes on the line that have not arrived yet. */
    line: [] as number[],
    /** A byte is arriving. */
    arriving: false,
  };
  readonly #wires: { name: string; irq: IrqLine; clock: Clock; line: SerialBackend };

  /** `line` receives what the guest transmits; the interrupt is gated by OUT2, as on every PC. */
  constructor(wires: { name: string; irq: IrqLine; clock: Clock; line: SerialBackend }) {
    this.name = wires.name;
    this.#wires = wires;
  }

  /** Claims the eight ports from `base`. */
  attach(ports: PortSpace, base: number): void {
    ports.claim(base, 8, {
      read: (port) => this.#read(port & 7),
      write: (port, value) => this.#write(port & 7, value),
    });
  }

  /** Master reset. The line keeps what was sent to the guest. */
  reset(): void {
    const { state } = this;
    Object.assign(state, {
      ier: 0,
      fcr: 0,
      lcr: 0,
      mcr: 0,
      lsr: 0,
      scr: 0,
      divisor: 12,
      shiftingUntil: 0,
      looping: -1,
    });
    Object.assign(state, { msr: MSR.CTS | MSR.DSR | MSR.DCD, thre: false, timeout: false, arriving: false });
    state.rx.length = 0;
    state.tx.length = 0;
    this.#changed();
    this.#receiveNext();
  }

  enqueue(bytes: Uint8Array): void {
    for (const byte of bytes) this.state.line.push(byte);
    this.#receiveNext();
  }

  get unread(): number {
    return this.state.line.length + this.state.rx.length;
  }

  event(name: string): void {
    if (name === "transmitted") this.#transmitted();
    else if (name === "received") this.#received();
    else if (this.state.rx.length > 0) this.state.timeout = true;
    this.#changed();
  }

  get #fifos(): boolean {
    return (this.state.fcr & FCR.ENABLE) !== 0;
  }

  get #loop(): boolean {
    return (this.state.mcr & MCR.LOOP) !== 0;
  }

  /** Bits of one character: start bit, data, parity, stop bits. */
  get #bits(): number {
    const { lcr } = this.state;
    return 1 + 5 + (lcr & LCR.WORD) + ((lcr & LCR.PARITY) !== 0 ? 1 : 0) + ((lcr & LCR.STOP) !== 0 ? 2 : 1);
  }

  /** Time of one character on the line in ns. */
  get #characterTime(): number {
    return Math.ceil(this.#bits * (this.state.divisor || 65536) * 1_000_000_000 / BASE_RATE);
  }

  #read(register: number): number {
    const { state } = this;
    const dlab = (state.lcr & LCR.DLAB) !== 0;
    switch (register) {
      case 0:
        return dlab ? state.divisor & 0xff : this.#readData();
      case 1:
        return dlab ? state.divisor >> 8 : state.ier;
      case 2: {
        const cause = this.#cause();
        if (cause === IIR.THRE) {
          state.thre = false;
          this.#changed();
        }
        return cause | (this.#fifos ? IIR.FIFOS : 0);
      }
      case 3:
        return state.lcr;
      case 4:
        return state.mcr;
      case 5: {
        const value = this.#lineStatus();
        state.lsr = 0;
        this.#changed();
        return value;
      }
      case 6: {
        const value = this.#modemStatus();
        state.msr &= 0xf0;
        this.#changed();
        return value;
      }
      default:
        return state.scr;
    }
  }

  #write(register: number, value: number): void {
    const { state } = this;
    const dlab = (state.lcr & LCR.DLAB) !== 0;
    switch (register) {
      case 0:
        if (dlab) state.divisor = (state.divisor & 0xff00) | value;
        else this.#writeData(value);
        break;
      case 1:
        if (dlab) state.divisor = (state.divisor & 0x00ff) | (value << 8);
        else this.#writeIer(value & 0x0f);
        break;
      case 2:
        this.#writeFcr(value);
        break;
      case 3:
        this.#writeLcr(value);
        break;
      case 4:
        this.#writeMcr(value & 0x1f);
        break;
      case 7:
        state.scr = value;
        break;
    }
    this.#changed();
  }

  #readData(): number {
    const { state } = this;
    const byte = state.rx.shift() ?? 0;
    state.timeout = false;
    this.#restartTimeout();
    this.#changed();
    this.#receiveNext();
    return byte;
  }

  #writeData(value: number): void {
    const { state } = this;
    state.thre = false;
    // A byte too many replaces the last one: the guest ignored THRE.
    if (state.tx.length >= (this.#fifos ? FIFO_SIZE : 1)) state.tx.pop();
    state.tx.push(value);
    this.#transmitNext();
  }

  #writeIer(value: number): void {
    const { state } = this;
    // Enabling the interrupt while the holding register is empty raises it.
    if ((value & ~state.ier & IER.ETBEI) !== 0 && state.tx.length === 0) state.thre = true;
    state.ier = value;
  }

  #writeFcr(value: number): void {
    const { state } = this;
    const toggled = ((value ^ state.fcr) & FCR.ENABLE) !== 0;
    if (toggled || (value & FCR.CLEAR_RX) !== 0) {
      state.rx.length = 0;
      state.timeout = false;
      this.#receiveNext();
    }
    if ((toggled || (value & FCR.CLEAR_TX) !== 0) && state.tx.length > 0) {
      state.tx.length = 0;
      state.thre = true;
    }
    state.fcr = (value & FCR.ENABLE) !== 0 ? value & (FCR.TRIGGER | 0x08 | FCR.ENABLE) : 0;
  }

  #writeLcr(value: number): void {
    const { state } = this;
    const breakBegins = (value & ~state.lcr & LCR.BREAK) !== 0;
    state.lcr = value;
    if (breakBegins && this.#loop) {
      state.lsr |= LSR.BI;
      this.#store(0);
    }
  }

  #writeMcr(value: number): void {
    const before = this.#modemStatus() & 0xf0;
    this.state.mcr = value;
    const after = this.#modemStatus() & 0xf0, changed = before ^ after;
    if ((changed & MSR.CTS) !== 0) this.state.msr |= MSR.DCTS;
    if ((changed & MSR.DSR) !== 0) this.state.msr |= MSR.DDSR;
    if ((changed & MSR.DCD) !== 0) this.state.msr |= MSR.DDCD;
    // Only the trailing edge of RI counts.
    if ((changed & before & MSR.RI) !== 0) this.state.msr |= MSR.TERI;
    this.#receiveNext();
  }

  get #shifting(): boolean {
    return this.state.looping >= 0 || this.#wires.clock.now < this.state.shiftingUntil;
  }

  #lineStatus(): number {
    const { lsr, rx, tx } = this.state;
    return lsr | (rx.length > 0 ? LSR.DR : 0) | (tx.length === 0 ? LSR.THRE : 0) |
      (tx.length === 0 && !this.#shifting ? LSR.TEMT : 0);
  }

  #modemStatus(): number {
    const { msr, mcr } = this.state;
    if (!this.#loop) return msr;
    return (msr & 0x0f) | ((mcr & MCR.RTS) !== 0 ? MSR.CTS : 0) | ((mcr & MCR.DTR) !== 0 ? MSR.DSR : 0) |
      ((mcr & MCR.OUT1) !== 0 ? MSR.RI : 0) | ((mcr & MCR.OUT2) !== 0 ? MSR.DCD : 0);
  }

  /** The most urgent enabled interrupt, as IIR shows it. */
  #cause(): number {
    const { ier, lsr, rx, fcr, thre, timeout, msr } = this.state;
    if ((ier & IER.ELSI) !== 0 && (lsr & (LSR.OE | LSR.BI)) !== 0) return IIR.LINE;
    if ((ier & IER.ERBFI) !== 0) {
      if (rx.length >= (this.#fifos ? TRIGGER_LEVELS[fcr >> 6] : 1)) return IIR.DATA;
      if (timeout) return IIR.TIMEOUT;
    }
    if ((ier & IER.ETBEI) !== 0 && thre) return IIR.THRE;
    if ((ier & IER.EDSSI) !== 0 && (msr & 0x0f) !== 0) return IIR.MODEM;
    return IIR.NONE;
  }

  #changed(): void {
    const gate = (this.state.mcr & MCR.OUT2) !== 0 && !this.#loop;
    this.#wires.irq.set(gate && this.#cause() !== IIR.NONE);
  }

  /**
   * Moves the next byte into the shift register. The line has it at once, so that a guest that waits for the end of each byte itself is not
   * interrupted by an event.
   */
  #transmitNext(): void {
    const { state } = this, { clock } = this.#wires;
    if (state.tx.length === 0) return;
    if (!this.#shifting) {
      const byte = state.tx.shift()! & ((0x20 << (state.lcr & LCR.WORD)) - 1);
      state.shiftingUntil = clock.now + Math.ceil(this.#bits * 1_000_000_000 / TRANSMIT_RATE);
      if (state.tx.length === 0) state.thre = true;
      if (this.#loop) state.looping = byte;
      else this.#wires.line.transmit(byte);
    }
    if (state.tx.length > 0 || state.looping >= 0) clock.schedule(this.name, "transmitted", state.shiftingUntil);
  }

  #transmitted(): void {
    const { state } = this;
    if (state.looping >= 0) this.#store(state.looping);
    state.looping = -1;
    this.#transmitNext();
  }

  /** Puts a byte that has arrived into the receiver. */
  #store(byte: number): void {
    const { state } = this;
    if (state.rx.length >= (this.#fifos ? FIFO_SIZE : 1)) {
      state.lsr |= LSR.OE;
      if (!this.#fifos) state.rx[0] = byte;
    } else {
      state.rx.push(byte);
    }
    this.#restartTimeout();
  }

  /** Lets the next byte of the line arrive, if the receiver has room for it. */
  #receiveNext(): void {
    const { state } = this, { clock } = this.#wires;
    if (state.arriving || this.#loop || state.line.length === 0) return;
    if (state.rx.length >= (this.#fifos ? FIFO_SIZE : 1)) return;
    state.arriving = true;
    clock.schedule(this.name, "received", clock.now + this.#characterTime);
  }

  #received(): void {
    const { state } = this;
    state.arriving = false;
    // The loop may have been closed, or the FIFO switched off, while the byte was on its way: it waits.
    if (this.#loop || state.rx.length >= (this.#fifos ? FIFO_SIZE : 1)) return;
    const byte = state.line.shift();
    if (byte !== undefined) this.#store(byte);
    this.#receiveNext();
  }

  /** Bytes below the trigger level are reported when nothing has happened for four character times. */
  #restartTimeout(): void {
    const { state } = this, { clock } = this.#wires;
    if (this.#fifos && state.rx.length > 0) clock.schedule(this.name, "timeout", clock.now + 4 * this.#characterTime);
    else clock.cancel(this.name, "timeout");
  }
}
