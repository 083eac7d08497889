/** INT 14h (serial lines), INT 17h (printers) and INT 05h (print screen). Source: IBM BIOS interface technical reference. */
import type { Clock } from "../machine/types.ts";
import { Bda } from "./bda.ts";
import type { Call } from "./call.ts";
import type { BiosPorts } from "./wires.ts";

/** 8250 registers and line status bits. */
const Uart = { DATA: 0, IER: 1, LCR: 3, MCR: 4, LSR: 5, MSR: 6 } as const;
const Lsr = { DR: 0x01, ERRORS: 0x1e, THRE: 0x20, TIMEOUT: 0x80 } as const;
/** Divisors of AH=00h's rates: 110, 150, 300, 600, 1200, 2400, 4800, 9600 baud. */
const DIVISORS = [1047, 768, 384, 192, 96, 48, 24, 12];
/** Divisors of AH=04h's rates: 110 … 9600, 19200, and on to 115200 baud. */
const EXTENDED_DIVISORS = [1047, 768, 384, 192, 96, 48, 24, 12, 6, 3, 2, 1];

/** Printer status as INT 17h shows it: bits 3, 6 of the port inverted. */
const PrinterStatus = { TIMEOUT: 0x01, INVERTED: 0x48, NOT_BUSY: 0x80 } as const;

/** The part of the BIOS's state that these services keep. */
export interface PortWaitState {
  /** Guest time at which the running wait for a serial line or printer gives up; 0 if none runs. */
  portDeadline: number;
}

/** A timeout of 1 in the BIOS data area stands for about a second here. */
const TIMEOUT_UNIT = 1_000_000_000;

/** Serial and printer services. */
export class PortServices {
  constructor(
    private readonly ports: BiosPorts,
    private readonly clock: Clock,
    private readonly state: PortWaitState,
  ) {}

  /** True when the wait that this call needs has run out; otherwise asks the stub to try again. */
  #timedOut(call: Call, units: number): boolean {
    const { state, clock } = this;
    if (state.portDeadline === 0) state.portDeadline = clock.now + Math.max(1, units) * TIMEOUT_UNIT;
    if (clock.now >= state.portDeadline) {
      state.portDeadline = 0;
      return true;
    }
    call.wait();
    return false;
  }

  /** INT 14h; DX is the line's number. */
  serial(call: Call): void {
    const base = call.dx < 4 ? call.memory.read16(Bda.COM_PORTS + call.dx * 2) : 0;
    if (base === 0) {
      call.ah = Lsr.TIMEOUT;
      return;
    }
    const timeout = call.memory.read8(Bda.COM_TIMEOUTS + call.dx);
    switch (call.ah) {
      case 0x00:
        this.#setLine(base, DIVISORS[call.al >> 5], call.al & 0x1f);
        this.#status(call, base);
        return;
      case 0x01:
        this.#send(call, base, timeout);
        return;
      case 0x02:
        this.#receive(call, base, timeout);
        return;
      case 0x03:
        this.#status(call, base);
        return;
      case 0x04: {
        const parity = [0, 0x08, 0x18, 0x28, 0x38][call.bh] ?? 0;
        const divisor = EXTENDED_DIVISORS[call.cl] ?? 12;
        this.#setLine(base, divisor, call.ch & 3 | (call.bl & 1) << 2 | parity | (call.al & 1) << 6);
        this.#status(call, base);
        return;
      }
      case 0x05:
        if (call.al === 1) this.ports.write(base + Uart.MCR, call.bl, 1);
        call.bl = this.ports.read(base + Uart.MCR, 1);
        this.#status(call, base);
        return;
      default:
        call.ah = Lsr.TIMEOUT;
    }
  }

  #setLine(base: number, divisor: number, lcr: number): void {
    const { ports } = this;
    ports.write(base + Uart.LCR, 0x80 | lcr, 1);
    ports.write(base + Uart.DATA, divisor & 0xff, 1);
    ports.write(base + Uart.IER, divisor >> 8, 1);
    ports.write(base + Uart.LCR, lcr, 1);
    ports.write(base + Uart.IER, 0, 1);
  }

  #status(call: Call, base: number): void {
    call.ah = this.ports.read(base + Uart.LSR, 1);
    call.al = this.ports.read(base + Uart.MSR, 1);
  }

  #send(call: Call, base: number, timeout: number): void {
    const { ports } = this;
    ports.write(base + Uart.MCR, ports.read(base + Uart.MCR, 1) | 0x03, 1);
    const status = ports.read(base + Uart.LSR, 1);
    if ((status & Lsr.THRE) === 0) {
      if (this.#timedOut(call, timeout)) call.ah = status | Lsr.TIMEOUT;
      return;
    }
    this.state.portDeadline = 0;
    ports.write(base + Uart.DATA, call.al, 1);
    call.ah = status;
  }

  #receive(call: Call, base: number, timeout: number): void {
    const { ports } = this;
    const status = ports.read(base + Uart.LSR, 1);
    if ((status & Lsr.DR) === 0) {
      if (this.#timedOut(call, timeout)) call.ah = status | Lsr.TIMEOUT;
      return;
    }
    this.state.portDeadline = 0;
    call.al = ports.read(base + Uart.DATA, 1);
    call.ah = status & Lsr.ERRORS;
  }

  /** INT 17h; DX is the printer's number. */
  printer(call: Call): void {
    const base = call.dx < 3 ? call.memory.read16(Bda.LPT_PORTS + call.dx * 2) : 0;
    if (base === 0 || call.ah > 2) {
      call.ah = PrinterStatus.TIMEOUT;
      return;
    }
    const { ports } = this;
    if (call.ah === 0) {
      if ((ports.read(base + 1, 1) & PrinterStatus.NOT_BUSY) === 0) {
        if (this.#timedOut(call, call.memory.read8(Bda.LPT_TIMEOUTS + call.dx))) {
          call.ah = this.#printerStatus(base) | PrinterStatus.TIMEOUT;
        }
        return;
      }
      this.state.portDeadline = 0;
      this.#strobe(base, call.al);
    } else if (call.ah === 1) {
      ports.write(base + 2, 0x08, 1);
      ports.write(base + 2, 0x0c, 1);
    }
    call.ah = this.#printerStatus(base);
  }

  #printerStatus(base: number): number {
    return (this.ports.read(base + 1, 1) ^ PrinterStatus.INVERTED) & 0xf8;
  }

  #strobe(base: number, byte: number): void {
    this.ports.write(base, byte, 1);
    this.ports.write(base + 2, 0x0d, 1);
    this.ports.write(base + 2, 0x0c, 1);
  }

  /** INT 05h: sends the lines of a text screen to the first printer, if it is there and ready. */
  printScreen(call: Call, lines: () => Iterable<readonly number[]>): void {
    const { memory } = call;
    const base = memory.read16(Bda.LPT_PORTS);
    if (memory.read8(Bda.PRINT_SCREEN_STATUS) === 1) return;
    let status = 0xff;
    if (base !== 0 && (this.ports.read(base + 1, 1) & PrinterStatus.NOT_BUSY) !== 0) {
      for (const line of lines()) for (const byte of [...line, 0x0d, 0x0a]) this.#strobe(base, byte);
      status = 0;
    }
    memory.write8(Bda.PRINT_SCREEN_STATUS, status);
  }
}
