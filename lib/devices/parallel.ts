/** Standard parallel port at 378h. Source: IBM Technical Reference, Personal Computer AT, "Parallel Adapter" (1984). */
import type { Clock, Device, IrqLine, ParallelBackend, PortSpace } from "../machine/types.ts";

const Status = { NOT_ERROR: 0x08, SELECTED: 0x10, NOT_ACK: 0x40, NOT_BUSY: 0x80, UNUSED: 0x07 };
const Control = { STROBE: 0x01, NOT_INIT: 0x04, IRQ: 0x10, INPUT: 0x20 };

/** How long the printer says that it is busy, and then acknowledges, ns each. */
const BUSY_TIME = 2_000;
const ACK_TIME = 1_000;

/** A parallel port with a printer that is always ready. */
export class ParallelPort implements Device {
  readonly name = "parallel";
  readonly version = 1;
  readonly state = { data: 0, control: Control.NOT_INIT, busy: false, ack: false };
  readonly #wires: { irq: IrqLine; clock: Clock; printer: ParallelBackend };

  constructor(wires: { irq: IrqLine; clock: Clock; printer: ParallelBackend }) {
    this.#wires = wires;
  }

  attach(ports: PortSpace): void {
    ports.claim(0x378, 3, {
      read: (port) => this.#read(port & 3),
      write: (port, value) => this.#write(port & 3, value),
    });
  }

  reset(): void {
    Object.assign(this.state, { data: 0, control: Control.NOT_INIT, busy: false, ack: false });
    this.#wires.irq.set(false);
  }

  event(name: string): void {
    const { state } = this, { clock, irq } = this.#wires;
    state.busy = false;
    state.ack = name === "ready";
    if (state.ack) clock.schedule(this.name, "acknowledged", clock.now + ACK_TIME);
    // The interrupt follows -ACK: requested at its trailing edge.
    irq.set(!state.ack && (state.control & Control.IRQ) !== 0);
  }

  #read(register: number): number {
    const { data, control, busy, ack } = this.state;
    switch (register) {
      case 0:
        return (control & Control.INPUT) !== 0 ? 0xff : data;
      case 1:
        return Status.NOT_ERROR | Status.SELECTED | Status.UNUSED | (ack ? 0 : Status.NOT_ACK) |
          (busy ? 0 : Status.NOT_BUSY);
      default:
        return 0xc0 | control;
    }
  }

  #write(register: number, value: number): void {
    const { state } = this, { clock, irq, printer } = this.#wires;
    if (register === 0) {
      state.data = value;
    } else if (register === 2) {
      const strobed = (value & ~state.control & Control.STROBE) !== 0;
      state.control = value & 0x3f;
      if ((value & Control.IRQ) === 0) irq.set(false);
      if (!strobed || state.busy) return;
      printer.print(state.data);
      state.busy = true;
      irq.set(false);
      clock.schedule(this.name, "ready", clock.now + BUSY_TIME);
    }
  }
}
