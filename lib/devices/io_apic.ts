/**
 * The I/O APIC: 24 interrupt inputs, each with an entry that says which message it sends to the local APICs.
 * Source: Intel 82093AA data sheet, 1996.
 */
import type { AccessSize, Device, MmioHandler } from "../machine/types.ts";
import { DeliveryMode } from "./local_apic.ts";

/** Memory-mapped registers. */
const Port = { IOREGSEL: 0x00, IOWIN: 0x10 } as const;
/** Registers behind them; redirection entries follow from 10h, two registers each. */
const Reg = { ID: 0x00, VERSION: 0x01, ARBITRATION: 0x02, REDIRECTION: 0x10 } as const;

/** Inputs of the chip. */
export const IO_APIC_INPUTS = 24;
const VERSION = 0x11 | (IO_APIC_INPUTS - 1) << 16;

/** Bits of the lower half of a redirection entry. */
const Entry = { LOGICAL: 1 << 11, REMOTE_IRR: 1 << 14, LEVEL: 1 << 15, MASKED: 1 << 16 } as const;
/** Delivery status and remote IRR are the chip's. */
const ENTRY_WRITABLE = 0x1_afff;

/** What the I/O APIC is wired to. */
export interface IoApicWires {
  /** Sends a message; true if a local APIC took it. */
  send(mode: number, vector: number, level: boolean, destination: number, logical: boolean): boolean;
}

type IoApicState = {
  select: number;
  id: number;
  /** Levels of the inputs. */
  lines: number;
  /** Lower halves of the entries: vector, modes, mask. */
  low: Uint32Array;
  /** Upper halves: the destination in bits 24–31. */
  high: Uint32Array;
};

/** One I/O APIC. */
export class IoApic implements Device, MmioHandler {
  readonly name = "io_apic";
  readonly version = 1;
  readonly state: IoApicState = {
    select: 0,
    id: 0,
    lines: 0,
    low: new Uint32Array(IO_APIC_INPUTS).fill(Entry.MASKED),
    high: new Uint32Array(IO_APIC_INPUTS),
  };
  readonly #wires: IoApicWires;

  constructor(wires: IoApicWires) {
    this.#wires = wires;
  }

  /** The inputs keep their level, for devices drive them. */
  reset(): void {
    this.state.select = this.state.id = 0;
    this.state.low.fill(Entry.MASKED);
    this.state.high.fill(0);
  }

  /** The level of an input. All are taken as active high: what the polarity bit says is up to the board's wiring. */
  setInput(input: number, level: boolean): void {
    const { state } = this, bit = 1 << input, before = (state.lines & bit) !== 0;
    if (level === before) return;
    state.lines ^= bit;
    // An edge at a masked input is lost.
    if (level && (state.low[input] & Entry.MASKED) === 0) this.#request(input);
  }

  /** An EOI message: inputs that sent that vector may ask again. */
  endOfInterrupt(vector: number): void {
    const { low } = this.state;
    for (let input = 0; input < IO_APIC_INPUTS; input++) {
      if ((low[input] & 0xff) !== vector || (low[input] & Entry.LEVEL) === 0) continue;
      low[input] &= ~Entry.REMOTE_IRR;
      this.#requestLevel(input);
    }
  }

  /** Sends again what a level-triggered input asks for. */
  #requestLevel(input: number): void {
    const { low, lines } = this.state, entry = low[input];
    const waits = (entry & (Entry.MASKED | Entry.REMOTE_IRR)) === 0 && (entry & Entry.LEVEL) !== 0;
    if (waits && (lines & (1 << input)) !== 0) this.#request(input);
  }

  #request(input: number): void {
    const { low, high } = this.state, entry = low[input], level = (entry & Entry.LEVEL) !== 0;
    if (level && (entry & Entry.REMOTE_IRR) !== 0) return;
    const mode = (entry >>> 8) & 7, fixed = mode === DeliveryMode.FIXED || mode === DeliveryMode.LOWEST;
    const logical = (entry & Entry.LOGICAL) !== 0;
    const taken = this.#wires.send(mode, entry & 0xff, level && fixed, high[input] >>> 24, logical);
    if (taken && level && fixed) low[input] |= Entry.REMOTE_IRR;
  }

  read(address: number, size: AccessSize): number {
    const within = address & 0xff, value = within >= Port.IOWIN ? this.#read() : this.state.select;
    if (within - within % 4 !== Port.IOREGSEL && within - within % 4 !== Port.IOWIN) return 0;
    const shifted = value >>> (8 * (within & 3));
    return size === 4 ? shifted : size === 2 ? shifted & 0xffff : shifted & 0xff;
  }

  write(address: number, value: number, size: AccessSize): void {
    const within = address & 0xff;
    if (within === Port.IOREGSEL) this.state.select = value & 0xff;
    else if (within === Port.IOWIN && size === 4) this.#write(value);
  }

  #read(): number {
    const { select, id, low, high } = this.state;
    const index = select - Reg.REDIRECTION;
    if (index >= 0 && index < 2 * IO_APIC_INPUTS) return (index & 1) === 0 ? low[index >> 1] : high[index >> 1];
    switch (select) {
      case Reg.ID:
      case Reg.ARBITRATION:
        return id << 24;
      case Reg.VERSION:
        return VERSION;
      default:
        return 0;
    }
  }

  #write(value: number): void {
    const { state } = this, index = state.select - Reg.REDIRECTION;
    if (index < 0 || index >= 2 * IO_APIC_INPUTS) {
      if (state.select === Reg.ID) state.id = (value >>> 24) & 0xf;
      return;
    }
    const input = index >> 1;
    if ((index & 1) !== 0) {
      state.high[input] = value & 0xff00_0000;
      return;
    }
    const kept = state.low[input] & Entry.REMOTE_IRR;
    state.low[input] = (value & ENTRY_WRITABLE) | ((value & Entry.LEVEL) !== 0 ? kept : 0);
    this.#requestLevel(input);
  }
}
