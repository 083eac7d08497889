/**
 * 8254 programmable interval timer at ports 40h–43h: channel 0 drives IRQ 0, channel 1 once refreshed memory, channel 2 the speaker.
 * Source: Intel 8254 data sheet (1993).
 *
 * Counters are not stepped: their contents follow from the tick at which they were loaded. Only the edges of channel 0's
 * output are clock events.
 */
import type { Clock, Device, IrqLine, PortSpace } from "../machine/types.ts";
import { Frequency } from "./frequency.ts";

/** The input clock: 14.31818 MHz / 12. */
export const PIT_FREQUENCY = 1193182;

/** Access of the two count bytes. */
const Access = { LATCH: 0, LOW: 1, HIGH: 2, BOTH: 3 };

function channelState(gate: boolean) {
  return {
    mode: 0,
    access: Access.BOTH as number,
    bcd: false,
    gate,
    output: true,
    /** Ticks that the running count takes: 1–65536. */
    period: 65536,
    /** Tick at which the counter was loaded with `period` (mode 3: start of the running half cycle); later than now = not yet. */
    start: 0,
    /** The counter has been loaded since the last control word. */
    counting: false,
    /** Ticks that had been counted when the gate went low (modes 0 and 4); -1 while it runs. */
    held: -1,
    /** A count that is loaded at the end of the cycle (modes 2 and 3) or at the next trigger (modes 1 and 5); 0 = none. */
    next: 0,
    /** First byte of a two-byte count, until the second one arrives; -1 = none. */
    lowByte: -1,
    /** The next read gives the high byte. */
    readHigh: false,
    /** Latched count, -1 = none. */
    latch: -1,
    /** Latched status, -1 = none. */
    status: -1,
  };
}

type ChannelState = ReturnType<typeof channelState>;

/** The interval timer. */
export class I8254 implements Device {
  readonly name = "i8254";
  readonly version = 1;
  readonly state = { channels: [channelState(true), channelState(true), channelState(false)] };
  readonly #irq: IrqLine;
  readonly #clock: Clock;
  readonly #frequency = new Frequency(PIT_FREQUENCY);

  /** `irq` is driven with the output of channel 0. */
  constructor(wires: { irq: IrqLine; clock: Clock }) {
    this.#irq = wires.irq;
    this.#clock = wires.clock;
  }

  attach(ports: PortSpace): void {
    ports.claim(0x40, 4, {
      read: (port) => port === 0x43 ? 0xff : this.#read(this.state.channels[port & 3]),
      write: (port, value) => port === 0x43 ? this.#writeControl(value) : this.#writeCount(port & 3, value),
    });
  }

  reset(): void {
    this.state.channels.forEach((channel, i) => Object.assign(channel, channelState(i !== 2)));
    this.#outputChanged();
  }

  event(): void {
    this.#outputChanged();
  }

  /** Level of channel `index`'s output, now. */
  output(index: number): boolean {
    const channel = this.state.channels[index];
    this.#advance(channel);
    return this.#outputOf(channel);
  }

  /** Drives channel 2's gate (port 61h bit 0). */
  setGate(level: boolean): void {
    const channel = this.state.channels[2];
    if (level === channel.gate) return;
    this.#advance(channel);
    channel.output = this.#outputOf(channel);
    channel.gate = level;
    switch (channel.mode) {
      case 0:
      case 4:
        if (!channel.counting) break;
        if (!level) channel.held = Math.max(0, this.#now - channel.start);
        else if (channel.held >= 0) {
          channel.start = this.#now - channel.held;
          channel.held = -1;
        }
        break;
      case 1:
      case 5:
        if (level) this.#trigger(channel);
        break;
      default:
        // A low gate sets the output high at once and stops the counter; the rising edge starts a new cycle.
        if (level) this.#trigger(channel);
        else channel.output = true;
    }
  }

  /** What the speaker would sound if its data were enabled: the frequency of channel 2 in hertz, 0 if it makes no tone. */
  get toneFrequency(): number {
    const { counting, gate, mode, period } = this.state.channels[2];
    return counting && gate && (mode === 2 || mode === 3) ? PIT_FREQUENCY / period : 0;
  }

  get #now(): number {
    return this.#frequency.ticks(this.#clock.now);
  }

  #writeControl(value: number): void {
    if ((value & 0xc0) === 0xc0) {
      for (let i = 0; i < 3; i++) {
        if ((value & (2 << i)) === 0) continue;
        if ((value & 0x10) === 0) this.#latchStatus(this.state.channels[i]);
        if ((value & 0x20) === 0) this.#latchCount(this.state.channels[i]);
      }
      return;
    }
    const index = value >> 6, channel = this.state.channels[index], access = (value >> 4) & 3;
    if (access === Access.LATCH) return this.#latchCount(channel);
    const mode = (value >> 1) & 7;
    Object.assign(channel, {
      ...channelState(channel.gate),
      access,
      mode: mode > 5 ? mode - 4 : mode,
      bcd: (value & 1) !== 0,
      output: mode !== 0,
      period: channel.period,
    });
    if (index === 0) this.#outputChanged();
  }

  #writeCount(index: number, value: number): void {
    const channel = this.state.channels[index];
    if (channel.access === Access.BOTH && channel.lowByte < 0) {
      channel.lowByte = value;
      if (channel.mode === 0) {
        // The first byte stops the counter and sets the output low.
        channel.counting = false;
        channel.output = false;
        if (index === 0) this.#outputChanged();
      }
      return;
    }
    const count = channel.access === Access.BOTH
      ? channel.lowByte | (value << 8)
      : channel.access === Access.HIGH
      ? value << 8
      : value;
    channel.lowByte = -1;
    this.#load(channel, channel.bcd ? fromBcd(count) || 10000 : count || 65536);
    if (index === 0) this.#outputChanged();
  }

  #load(channel: ChannelState, period: number): void {
    this.#advance(channel);
    const { mode } = channel;
    if (mode === 1 || mode === 5 || (channel.counting && (mode === 2 || mode === 3))) {
      channel.next = period;
      return;
    }
    channel.period = period;
    this.#restart(channel);
    channel.output = mode !== 0;
    if (!channel.gate) channel.held = 0;
  }

  /** Begins a count with the next tick. */
  #restart(channel: ChannelState): void {
    channel.start = this.#now + 1;
    channel.counting = true;
    channel.held = -1;
  }

  /** A rising edge of the gate in the modes that it triggers. */
  #trigger(channel: ChannelState): void {
    const oneShot = channel.mode === 1 || channel.mode === 5;
    if (!channel.counting && channel.next === 0 && oneShot) return;
    if (!channel.counting && !oneShot) return;
    if (channel.next !== 0) channel.period = channel.next;
    channel.next = 0;
    this.#restart(channel);
    channel.output = channel.mode !== 1;
  }

  /** Modes 2 and 3: moves `start` into the running cycle and takes a waiting count over at the cycle's end. */
  #advance(channel: ChannelState): void {
    const { mode } = channel;
    if (!channel.counting || (mode !== 2 && mode !== 3) || !channel.gate) return;
    const now = this.#now;
    const half = mode === 3;
    if (channel.next !== 0) {
      const length = half ? halfPeriod(channel.period, channel.output) : channel.period;
      if (now < channel.start + length) return;
      channel.start += length;
      channel.period = channel.next;
      channel.next = 0;
      if (half) channel.output = !channel.output;
    }
    const elapsed = now - channel.start;
    if (elapsed >= channel.period) channel.start += elapsed - elapsed % channel.period;
    if (!half) return;
    const length = halfPeriod(channel.period, channel.output);
    if (now - channel.start >= length) {
      channel.start += length;
      channel.output = !channel.output;
    }
  }

  /** Level of the output of a channel that has been advanced to now. */
  #outputOf(channel: ChannelState): boolean {
    const { mode, period, start, counting } = channel;
    if (!counting || !(channel.gate || mode === 0 || mode === 1 || mode === 4 || mode === 5)) return channel.output;
    const elapsed = channel.held >= 0 ? channel.held : this.#now - start;
    switch (mode) {
      case 0:
        return elapsed >= period;
      case 1:
        return elapsed >= period;
      case 2:
        return period === 1 || elapsed < 0 || elapsed !== period - 1;
      case 3:
        return channel.output;
      default:
        return elapsed !== period;
    }
  }

  /** The tick of the next change of the output, or Infinity. The channel has been advanced to now. */
  #nextEdge(channel: ChannelState): number {
    const { mode, period, start, counting, gate } = channel;
    if (!counting || channel.held >= 0) return Infinity;
    const elapsed = this.#now - start;
    switch (mode) {
      case 0:
      case 1:
        return elapsed < period ? start + period : Infinity;
      case 2:
        if (!gate || period === 1) return Infinity;
        return start + (elapsed < period - 1 ? period - 1 : period);
      case 3:
        // A period of 1 has no low half; the data sheet forbids it.
        return gate && period > 1 ? start + halfPeriod(period, channel.output) : Infinity;
      default:
        return elapsed < period ? start + period : elapsed === period ? start + period + 1 : Infinity;
    }
  }

  /** Brings IRQ 0 up to date and arranges for the next edge. */
  #outputChanged(): void {
    const channel = this.state.channels[0];
    this.#advance(channel);
    this.#irq.set(this.#outputOf(channel));
    const next = this.#nextEdge(channel);
    if (next === Infinity) this.#clock.cancel(this.name, "edge");
    else this.#clock.schedule(this.name, "edge", this.#frequency.time(next));
  }

  /** The counter's contents, as the guest reads them. */
  #count(channel: ChannelState): number {
    this.#advance(channel);
    const { mode, period, start } = channel;
    const elapsed = !channel.counting ? 0 : channel.held >= 0 ? channel.held : Math.max(0, this.#now - start);
    let value: number;
    if (mode === 2) {
      value = period - (channel.gate ? elapsed : 0);
    } else if (mode === 3) {
      value = (period & ~1) - 2 * (channel.gate ? elapsed : 0);
    } else {
      value = period - elapsed;
    }
    const modulus = channel.bcd ? 10000 : 65536;
    value = ((value % modulus) + modulus) % modulus;
    return channel.bcd ? toBcd(value) : value;
  }

  #latchCount(channel: ChannelState): void {
    if (channel.latch >= 0) return;
    channel.latch = this.#count(channel);
  }

  #latchStatus(channel: ChannelState): void {
    if (channel.status >= 0) return;
    this.#advance(channel);
    const nullCount = !channel.counting || channel.next !== 0 || (channel.held < 0 && this.#now < channel.start);
    channel.status = (this.#outputOf(channel) ? 0x80 : 0) | (nullCount ? 0x40 : 0) | (channel.access << 4) |
      (channel.mode << 1) | (channel.bcd ? 1 : 0);
  }

  #read(channel: ChannelState): number {
    if (channel.status >= 0) {
      const { status } = channel;
      channel.status = -1;
      return status;
    }
    const value = channel.latch >= 0 ? channel.latch : this.#count(channel);
    const high = channel.access === Access.HIGH || (channel.access === Access.BOTH && channel.readHigh);
    if (channel.access === Access.BOTH) channel.readHigh = !channel.readHigh;
    if (channel.access !== Access.BOTH || high) channel.latch = -1;
    return high ? value >> 8 : value & 0xff;
  }
}

/** Ticks of mode 3's high or low half: an odd count makes the high half one tick longer. */
function halfPeriod(period: number, high: boolean): number {
  return high ? (period + 1) >> 1 : period >> 1;
}

function fromBcd(value: number): number {
  return (value & 15) + 10 * ((value >> 4) & 15) + 100 * ((value >> 8) & 15) + 1000 * (value >> 12);
}

function toBcd(value: number): number {
  return (value % 10) | ((Math.floor(value / 10) % 10) << 4) | ((Math.floor(value / 100) % 10) << 8) |
    (Math.floor(value / 1000) << 12);
}
