/**
 * PIIX3 PCI-to-ISA bridge (82371SB, function 0): PCI interrupt routing, and the small registers of an AT board: port 61h
 * with the speaker, port 92h with the A20 gate, the reset control register CF9h and the coprocessor error port F0h.
 * Source: Intel 82371FB/82371SB data sheet (1997), sections 2.2 and 2.6.
 */
import type { Clock, Device, IrqLine, PortSpace } from "../machine/types.ts";
import type { A20Gate } from "./i8042.ts";
import type { I8254 } from "./i8254.ts";
import { PciCommand, PciFunction, type PciInterruptRouter } from "./pci.ts";

/** PIRQ route control registers A–D. */
const PIRQRC = 0x60;
const PIRQRC_DISABLE = 0x80;
/** Port 61h. */
const NmiSc = { TIMER2_GATE: 0x01, SPEAKER_DATA: 0x02, CONTROL: 0x0f, REFRESH: 0x10, TIMER2_OUT: 0x20 };
const Port92 = { FAST_RESET: 0x01, A20: 0x02 };
const ResetControl = { HARD: 0x02, RESET: 0x04 };

/** The refresh request toggles every 15.085 µs. */
const REFRESH_PERIOD = 15_085;

/** What the bridge is wired to. */
export interface Piix3IsaWires {
  readonly clock: Clock;
  readonly pit: I8254;
  /** The inputs 0–15 of the interrupt controllers as PCI interrupts drive them. */
  irq(number: number): IrqLine;
  /** IRQ 13. */
  readonly coprocessorError: IrqLine;
  /** Drives the processor's A20M# pin. */
  setA20(enabled: boolean): void;
  /** Pulls the reset line. */
  reset(): void;
}

/** The ISA bridge at 0:1.0. */
export class Piix3Isa implements Device, PciInterruptRouter, A20Gate {
  readonly name = "piix3_isa";
  readonly version = 1;
  readonly state = {
    config: new Uint8Array(256),
    /** Levels of the PCI interrupt pins: one bit per device, for each of PIRQA–PIRQD. */
    pirq: new Uint32Array(4),
    /** The low four bits of port 61h. */
    nmiSc: 0,
    /** The A20 gate: what port 92h or the keyboard controller wrote last. */
    a20: true,
    /** Last value written to port CF9h. */
    resetControl: 0,
    /** FERR#: the processor waits because of an x87 exception. */
    numericError: false,
    /** IGNNE#: it need not, since the handler of IRQ 13 has written to port F0h. */
    ignoreNumericError: false,
  };
  readonly pci: PciFunction;
  readonly #wires: Piix3IsaWires;

  constructor(wires: Piix3IsaWires) {
    this.#wires = wires;
    this.pci = new PciFunction({
      config: this.state.config,
      vendorId: 0x8086,
      deviceId: 0x7000,
      classCode: 0x060100,
      subsystemVendorId: 0x1af4,
      subsystemId: 0x1100,
      multiFunction: true,
      commandMask: 0x0008 | 0x0100,
      writable: [
        [0x4c, 0xff],
        [0x4e, 0xff],
        [0x4f, 0x01],
        [PIRQRC, 0x8f],
        [PIRQRC + 1, 0x8f],
        [PIRQRC + 2, 0x8f],
        [PIRQRC + 3, 0x8f],
        [0x69, 0xfe],
        [0x6a, 0xff],
        [0x70, 0xff],
        [0x76, 0x8f],
        [0x77, 0x8f],
        [0x78, 0xff],
        [0x82, 0x0f],
        [0xa0, 0x1f],
        [0xa2, 0xff],
        [0xa3, 0xff],
      ],
      onWrite: (offset, size) => {
        if (offset + size > PIRQRC && offset < PIRQRC + 4) this.#route();
      },
    });
  }

  /** Claims ports 61h, 92h, F0h and CF9h. To be called after the PCI bus has claimed CF8h–CFBh. */
  attach(ports: PortSpace): void {
    const { state } = this;
    ports.claim(0x61, 1, { read: () => this.#readNmiSc(), write: (_, value) => this.#writeNmiSc(value) });
    ports.claim(0x92, 1, {
      read: () => state.a20 ? Port92.A20 : 0,
      write: (_, value) => {
        this.enabled = (value & Port92.A20) !== 0;
        if ((value & Port92.FAST_RESET) !== 0) this.#wires.reset();
      },
    });
    ports.claim(0xf0, 1, { read: () => 0xff, write: () => this.#clearNumericError() });
    ports.claim(0xcf9, 1, {
      read: () => state.resetControl,
      write: (_, value) => {
        const rises = (value & ~state.resetControl & ResetControl.RESET) !== 0;
        state.resetControl = value & (ResetControl.HARD | ResetControl.RESET);
        if (rises) this.#wires.reset();
      },
    });
  }

  /** The processor's FERR# pin. Gives its IGNNE# pin, which a write to port F0h holds active until FERR# is inactive. */
  floatingPointError(pending: boolean): boolean {
    const { state } = this;
    state.numericError = pending;
    if (!pending) state.ignoreNumericError = false;
    else if (!state.ignoreNumericError) this.#wires.coprocessorError.set(true);
    return state.ignoreNumericError;
  }

  #clearNumericError(): void {
    this.state.ignoreNumericError = this.state.numericError;
    this.#wires.coprocessorError.set(false);
  }

  reset(): void {
    const { state } = this;
    this.pci.reset();
    this.pci.set(4, PciCommand.IO | PciCommand.MEMORY | PciCommand.MASTER, 2);
    this.pci.set(6, 0x0200, 2);
    const defaults = [[0x4c, 0x4d], [0x4e, 0x03], [0x69, 0x02], [0x70, 0x80], [0x76, 0x0c], [0x77, 0x0c], [0x78, 0x02]];
    for (const [offset, value] of defaults) state.config[offset] = value;
    for (let i = 0; i < 4; i++) state.config[PIRQRC + i] = PIRQRC_DISABLE;
    state.config[0xa0] = 0x08;
    state.config[0xa8] = 0x0f;
    state.nmiSc = 0;
    state.resetControl = 0;
    state.numericError = false;
    state.ignoreNumericError = false;
    this.#wires.pit.setGate(false);
    this.#wires.coprocessorError.set(false);
    this.enabled = true;
    this.#route();
  }

  restored(): void {
    this.#wires.setA20(this.state.a20);
  }

  /** The A20 gate. */
  get enabled(): boolean {
    return this.state.a20;
  }

  set enabled(enabled: boolean) {
    this.state.a20 = enabled;
    this.#wires.setA20(enabled);
  }

  /** What the speaker sounds now, in hertz: 0 = silence. */
  get speakerFrequency(): number {
    return (this.state.nmiSc & NmiSc.SPEAKER_DATA) !== 0 ? this.#wires.pit.toneFrequency : 0;
  }

  setInterrupt(device: number, pin: number, level: boolean): void {
    // The board rotates the pins: INTA# of device 1 is PIRQA, INTA# of device 2 is PIRQB …
    const { pirq } = this.state, index = (device + pin - 1) & 3, bit = 1 << device;
    pirq[index] = level ? pirq[index] | bit : pirq[index] & ~bit;
    this.#route();
  }

  /** Drives each IRQ with the PIRQs that are routed to it. */
  #route(): void {
    const { config, pirq } = this.state;
    let asserted = 0;
    for (let i = 0; i < 4; i++) {
      const route = config[PIRQRC + i];
      if ((route & PIRQRC_DISABLE) === 0 && pirq[i] !== 0) asserted |= 1 << (route & 15);
    }
    // IRQs 0, 1, 2, 8 and 13 are reserved for the board's own devices.
    for (const irq of [3, 4, 5, 6, 7, 9, 10, 11, 12, 14, 15]) this.#wires.irq(irq).set((asserted & (1 << irq)) !== 0);
  }

  #readNmiSc(): number {
    const refresh = Math.floor(this.#wires.clock.now / REFRESH_PERIOD) & 1;
    return this.state.nmiSc | (refresh !== 0 ? NmiSc.REFRESH : 0) | (this.#wires.pit.output(2) ? NmiSc.TIMER2_OUT : 0);
  }

  #writeNmiSc(value: number): void {
    this.state.nmiSc = value & NmiSc.CONTROL;
    this.#wires.pit.setGate((value & NmiSc.TIMER2_GATE) !== 0);
  }
}
