/**
 * MC146818 real-time clock with 128 bytes of CMOS RAM at ports 70h and 71h.
 * Source: Motorola MC146818 data sheet (1984). Register 32h is the century, by PC convention.
 *
 * The time of day follows from the clock; only enabled interrupts cause events.
 */
import type { Clock, Device, IrqLine, PortSpace } from "../machine/types.ts";
import { calendarFromDays, daysFromCalendar, weekday } from "./calendar.ts";
import { Frequency } from "./frequency.ts";

/** Register numbers. */
export const Reg = {
  SECONDS: 0,
  SECONDS_ALARM: 1,
  MINUTES: 2,
  MINUTES_ALARM: 3,
  HOURS: 4,
  HOURS_ALARM: 5,
  DAY_OF_WEEK: 6,
  DATE: 7,
  MONTH: 8,
  YEAR: 9,
  A: 10,
  B: 11,
  C: 12,
  D: 13,
  CENTURY: 0x32,
} as const;
/** Registers that hold the time. */
const TIME_REGISTERS: ReadonlySet<number> = new Set([
  Reg.SECONDS,
  Reg.MINUTES,
  Reg.HOURS,
  Reg.DAY_OF_WEEK,
  Reg.DATE,
  Reg.MONTH,
  Reg.YEAR,
  Reg.CENTURY,
]);
const A = { RS: 0x0f, DV: 0x70, UIP: 0x80 };
/** Bits of register B. */
export const RegB = { DSE: 0x01, H24: 0x02, DM: 0x04, SQWE: 0x08, UIE: 0x10, AIE: 0x20, PIE: 0x40, SET: 0x80 } as const;
const C = { UF: 0x10, AF: 0x20, PF: 0x40, IRQF: 0x80 };
const D = { VRT: 0x80 };

const SECOND = 1_000_000_000;
const DAY_SECONDS = 86400;
/** UIP rises 244 µs before the update cycle, which takes 1984 µs with a 32,768 Hz crystal. */
const UPDATE_WINDOW = 2_228_000;
/** Alarm bytes from C0h up match every value. */
const DONT_CARE = 0xc0;
const CRYSTAL = new Frequency(32768);

/** The real-time clock. */
export class Mc146818 implements Device {
  readonly name = "mc146818";
  readonly version = 1;
  readonly state = {
    /** The registers as RAM; 0–9 and 32h hold the time only while updates are inhibited. */
    ram: new Uint8Array(128),
    index: 0,
    /** Interrupt flags: register C without IRQF. */
    flags: 0,
    /** The shown time as seconds since 1970, at the start of the second that began at `secondStart` (ns of guest time). */
    seconds: 0,
    secondStart: 0,
    /** False while SET or a reset divider holds the time. */
    running: true,
    /** Seconds up to which UF and AF have been worked out. */
    checked: 0,
    /** Periods of the periodic interrupt up to which PF has been worked out. */
    periods: 0,
  };
  readonly #irq: IrqLine;
  readonly #clock: Clock;

  /** `startTime`: what the clock shows at power-on, milliseconds since 1970. */
  constructor(wires: { irq: IrqLine; clock: Clock; startTime: number }) {
    this.#irq = wires.irq;
    this.#clock = wires.clock;
    const { state } = this;
    state.seconds = state.checked = Math.floor(wires.startTime / 1000);
    state.secondStart = -(wires.startTime - state.seconds * 1000) * 1_000_000;
    state.ram[Reg.A] = 0x26;
    state.ram[Reg.B] = RegB.H24;
    state.ram[Reg.D] = D.VRT;
  }

  attach(ports: PortSpace): void {
    ports.claim(0x70, 2, {
      read: (port) => port === 0x70 ? 0xff : this.#read(this.state.index),
      write: (port, value) =>
        port === 0x70 ? void (this.state.index = value & 0x7f) : this.#write(this.state.index, value),
    });
  }

  /** The RESET pin: interrupts off; time and RAM stay. */
  reset(): void {
    this.#check();
    this.state.ram[Reg.B] &= ~(RegB.PIE | RegB.AIE | RegB.UIE | RegB.SQWE);
    this.state.flags = 0;
    this.#changed();
  }

  event(): void {
    this.#check();
    this.#changed();
  }

  /** Sets a byte of CMOS RAM (14–127) from the board's side. */
  setRam(index: number, value: number): void {
    this.state.ram[index] = value;
  }

  get #now(): number {
    return this.#clock.now;
  }

  /** The time that is shown, in seconds since 1970. */
  get #shownSeconds(): number {
    const { seconds, secondStart, running } = this.state;
    return running ? seconds + Math.floor((this.#now - secondStart) / SECOND) : seconds;
  }

  /** Ticks of the crystal per periodic interrupt; 0 = none. */
  get #period(): number {
    const rate = this.state.ram[Reg.A] & A.RS;
    return rate === 0 ? 0 : 1 << (rate <= 2 ? rate + 6 : rate - 1);
  }

  #read(index: number): number {
    const { ram, running } = this.state;
    switch (index) {
      case Reg.A:
        return ram[Reg.A] | (this.#updateInProgress() ? A.UIP : 0);
      case Reg.C: {
        this.#check();
        const value = this.state.flags | (this.#irqf() ? C.IRQF : 0);
        this.state.flags = 0;
        this.#changed();
        return value;
      }
      default:
        if (running && TIME_REGISTERS.has(index)) this.#showTime();
        return ram[index];
    }
  }

  #write(index: number, value: number): void {
    const { ram } = this.state;
    switch (index) {
      case Reg.A:
        this.#check();
        ram[Reg.A] = value & 0x7f;
        this.state.periods = this.#periodsNow();
        // The first update comes half a second after the divider is released.
        this.#setRunning(SECOND / 2);
        break;
      case Reg.B:
        this.#check();
        if (this.state.running) this.#showTime();
        ram[Reg.B] = (value & RegB.SET) !== 0 ? value & ~RegB.UIE : value;
        this.#setRunning(this.#fraction());
        break;
      case Reg.C:
      case Reg.D:
        return;
      case Reg.SECONDS_ALARM:
      case Reg.MINUTES_ALARM:
      case Reg.HOURS_ALARM:
        this.#check();
        ram[index] = value;
        break;
      default:
        if (!TIME_REGISTERS.has(index)) {
          ram[index] = value;
          return;
        }
        this.#check();
        if (this.state.running) this.#showTime();
        ram[index] = value;
        if (this.state.running) this.#takeTime(this.#fraction());
    }
    this.#changed();
  }

  /** How much of the running second has passed, in ns. */
  #fraction(): number {
    return (this.#now - this.state.secondStart) % SECOND;
  }

  #updateInProgress(): boolean {
    return this.state.running && this.#fraction() >= SECOND - UPDATE_WINDOW;
  }

  /** Starts or stops the time after a change of SET or of the divider bits; on a start `fraction` ns of the second have passed. */
  #setRunning(fraction: number): void {
    const { state } = this, { ram } = state;
    const dividerReset = (ram[Reg.A] & 0x60) === 0x60;
    const running = (ram[Reg.B] & RegB.SET) === 0 && !dividerReset;
    if (running === state.running) return;
    if (running) {
      state.running = true;
      this.#takeTime(fraction);
    } else {
      this.#showTime();
      state.seconds = this.#shownSeconds;
      state.running = false;
    }
  }

  #encode(value: number): number {
    return (this.state.ram[Reg.B] & RegB.DM) !== 0 ? value : (Math.floor(value / 10) << 4) | value % 10;
  }

  #decode(value: number): number {
    return (this.state.ram[Reg.B] & RegB.DM) !== 0 ? value : (value >> 4) * 10 + (value & 15);
  }

  #encodeHours(hours: number): number {
    if ((this.state.ram[Reg.B] & RegB.H24) !== 0) return this.#encode(hours);
    return this.#encode(hours % 12 || 12) | (hours >= 12 ? 0x80 : 0);
  }

  #decodeHours(value: number): number {
    if ((this.state.ram[Reg.B] & RegB.H24) !== 0) return this.#decode(value);
    return this.#decode(value & 0x7f) % 12 + ((value & 0x80) !== 0 ? 12 : 0);
  }

  /** Writes the time of now into the registers. */
  #showTime(): void {
    const { ram } = this.state, seconds = this.#shownSeconds;
    const days = Math.floor(seconds / DAY_SECONDS), within = seconds - days * DAY_SECONDS;
    const { year, month, day } = calendarFromDays(days);
    ram[Reg.SECONDS] = this.#encode(within % 60);
    ram[Reg.MINUTES] = this.#encode(Math.floor(within / 60) % 60);
    ram[Reg.HOURS] = this.#encodeHours(Math.floor(within / 3600));
    ram[Reg.DAY_OF_WEEK] = this.#encode(weekday(days) + 1);
    ram[Reg.DATE] = this.#encode(day);
    ram[Reg.MONTH] = this.#encode(month);
    ram[Reg.YEAR] = this.#encode(year % 100);
    ram[Reg.CENTURY] = this.#encode(Math.floor(year / 100) % 100);
  }

  /** Takes the time from the registers; `fraction` ns of the second have passed. Values out of range carry on. */
  #takeTime(fraction: number): void {
    const { state } = this, { ram } = state;
    const days = daysFromCalendar({
      year: this.#decode(ram[Reg.CENTURY]) * 100 + this.#decode(ram[Reg.YEAR]),
      month: Math.min(12, Math.max(1, this.#decode(ram[Reg.MONTH]))),
      day: this.#decode(ram[Reg.DATE]),
    });
    state.seconds = days * DAY_SECONDS + this.#decodeHours(ram[Reg.HOURS]) * 3600 +
      this.#decode(ram[Reg.MINUTES]) * 60 + this.#decode(ram[Reg.SECONDS]);
    state.secondStart = this.#now - fraction;
    state.checked = state.seconds;
  }

  #periodsNow(): number {
    const period = this.#period;
    return period === 0 ? 0 : Math.floor(CRYSTAL.ticks(this.#now) / period);
  }

  /** Works out the flags for the time that has passed since the last call. */
  #check(): void {
    const { state } = this;
    const periods = this.#periodsNow();
    if (periods > state.periods) state.flags |= C.PF;
    state.periods = periods;
    const seconds = this.#shownSeconds;
    if (seconds <= state.checked) return;
    state.flags |= C.UF;
    // An alarm that is not enabled may have gone by unnoticed; every alarm matches at least once a day or never.
    const first = Math.max(state.checked + 1, seconds - DAY_SECONDS + 1);
    for (let second = first; second <= seconds && (state.flags & C.AF) === 0; second++) {
      if (this.#alarmMatches(second)) state.flags |= C.AF;
    }
    state.checked = seconds;
  }

  #alarmMatches(seconds: number): boolean {
    const { ram } = this.state;
    const within = ((seconds % DAY_SECONDS) + DAY_SECONDS) % DAY_SECONDS;
    const matches = (register: number, value: number) => ram[register] >= DONT_CARE || ram[register] === value;
    return matches(Reg.SECONDS_ALARM, this.#encode(within % 60)) &&
      matches(Reg.MINUTES_ALARM, this.#encode(Math.floor(within / 60) % 60)) &&
      matches(Reg.HOURS_ALARM, this.#encodeHours(Math.floor(within / 3600)));
  }

  #irqf(): boolean {
    return (this.state.flags & this.state.ram[Reg.B] & (C.PF | C.AF | C.UF)) !== 0;
  }

  /** Brings the interrupt line and the events up to date. */
  #changed(): void {
    const { ram, running, secondStart } = this.state, enabled = ram[Reg.B];
    this.#irq.set(this.#irqf());
    if (running && (enabled & (RegB.UIE | RegB.AIE)) !== 0) {
      const next = Math.floor((this.#now - secondStart) / SECOND) + 1;
      this.#clock.schedule(this.name, "second", secondStart + next * SECOND);
    } else {
      this.#clock.cancel(this.name, "second");
    }
    if ((enabled & RegB.PIE) !== 0 && this.#period !== 0) {
      this.#clock.schedule(this.name, "period", CRYSTAL.time((this.state.periods + 1) * this.#period));
    } else {
      this.#clock.cancel(this.name, "period");
    }
  }
}
