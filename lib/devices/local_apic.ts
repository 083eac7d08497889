/**
 * The local APIC of the processor, in xAPIC mode: priorities, the local vector table, the timer, and messages to oneself.
 * Source: Intel SDM vol. 3A, chapter 11 (Advanced Programmable Interrupt Controller).
 *
 * The pair of 8259As is wired to LINT0. After a reset that input passes their requests through, as firmware leaves it ("virtual
 * wire"), so that systems without a driver for it never notice the APIC.
 */
import type { AccessSize, Clock, Device, MmioHandler } from "../machine/types.ts";

/** Registers, by their offset from the base divided by 16. Table 11-1. */
const Reg = {
  ID: 0x02,
  VERSION: 0x03,
  TPR: 0x08,
  APR: 0x09,
  PPR: 0x0a,
  EOI: 0x0b,
  LDR: 0x0d,
  DFR: 0x0e,
  SVR: 0x0f,
  ISR: 0x10,
  TMR: 0x18,
  IRR: 0x20,
  ESR: 0x28,
  ICR_LOW: 0x30,
  ICR_HIGH: 0x31,
  LVT: 0x32,
  INITIAL_COUNT: 0x38,
  CURRENT_COUNT: 0x39,
  DIVIDE: 0x3e,
} as const;

/** Entries of the local vector table, in the order of their registers. */
const Lvt = { TIMER: 0, THERMAL: 1, PERFORMANCE: 2, LINT0: 3, LINT1: 4, ERROR: 5 } as const;
/** Bits of an entry that can be written. Figure 11-8. */
const LVT_WRITABLE = [0x7_00ff, 0x1_07ff, 0x1_07ff, 0x1_a7ff, 0x1_a7ff, 0x1_00ff];
const LVT_MASKED = 1 << 16;

/** Delivery modes of table entries and messages. */
export const DeliveryMode = { FIXED: 0, LOWEST: 1, SMI: 2, NMI: 4, INIT: 5, START_UP: 6, EXT_INT: 7 } as const;

/** Timer modes: bits 17 and 18 of its entry. */
const TimerMode = { ONE_SHOT: 0, PERIODIC: 1, DEADLINE: 2 } as const;

/** Six entries in the local vector table; an integrated APIC, 14h. */
const VERSION = 0x0005_0014;
const SVR_ENABLE = 1 << 8, SVR_WRITABLE = 0x3ff;
const ESR_SEND_ILLEGAL = 1 << 5, ESR_RECEIVE_ILLEGAL = 1 << 6, ESR_ILLEGAL_REGISTER = 1 << 7;
const ICR_LOW_WRITABLE = 0xc_cfff;
/** Bits of IA32_APIC_BASE: this is the bootstrap processor; the APIC is enabled. */
const BASE_BSP = 1 << 8, BASE_ENABLE = 1 << 11;
const DEFAULT_BASE = 0xfee0_0000;
/** No event is scheduled beyond this time in ns: a guest does not live that long. */
const NEVER = 2 ** 50;
const SIZE = 0x1000;
/** Dividers by bits 0, 1 and 3 of the divide configuration register. */
const DIVIDERS = [2, 4, 8, 16, 32, 64, 128, 1];
/** The timer's clock ticks once in this many nanoseconds. */
const TICK = 1;
/** A periodic timer interrupts at most once in this time, in ns. */
const SHORTEST_PERIOD = 500;

/** What the local APIC is wired to. */
export interface LocalApicWires {
  readonly clock: Clock;
  /** Puts the registers at a physical address, or takes them away (null). */
  map(address: number | null, size: number, registers: MmioHandler): void;
  /** The INTR pin of the processor core. */
  intr(level: boolean): void;
  /** One edge on the NMI pin of the processor core. */
  nmi(): void;
  /** The 8259A pair, at LINT0. */
  readonly pic: { readonly interruptPending: boolean; acknowledge(): number };
  /** A level-triggered interrupt with that vector is done: EOI messages to the I/O APIC. */
  endOfInterrupt(vector: number): void;
}

type LocalApicState = {
  /** IA32_APIC_BASE. */
  base: number;
  id: number;
  tpr: number;
  ldr: number;
  dfr: number;
  svr: number;
  isr: Uint32Array;
  tmr: Uint32Array;
  irr: Uint32Array;
  esr: number;
  /** Errors since the last write to the ESR. */
  errors: number;
  icr: Uint32Array;
  lvt: Uint32Array;
  initialCount: number;
  divide: number;
  /** The count at {@link timerStart}, in ns. */
  startCount: number;
  timerStart: number;
  /** The level of LINT0. */
  lint0: boolean;
  /** IA32_TSC_DEADLINE, and the guest time in ns at which it is reached. */
  deadline: bigint;
  deadlineAt: number;
};

/** The state after a reset; inputs keep their level. */
function resetState(lint0 = false): LocalApicState {
  const lvt = new Uint32Array(6).fill(LVT_MASKED);
  lvt[Lvt.LINT0] = DeliveryMode.EXT_INT << 8;
  return {
    base: DEFAULT_BASE + BASE_BSP + BASE_ENABLE,
    id: 0,
    tpr: 0,
    ldr: 0,
    dfr: 0xffff_ffff,
    svr: 0xff,
    isr: new Uint32Array(8),
    tmr: new Uint32Array(8),
    irr: new Uint32Array(8),
    esr: 0,
    errors: 0,
    icr: new Uint32Array(2),
    lvt,
    initialCount: 0,
    divide: 0,
    startCount: 0,
    timerStart: 0,
    lint0,
    deadline: 0n,
    deadlineAt: 0,
  };
}

/** The highest vector in a set of 256, or -1. */
function highest(set: Uint32Array): number {
  for (let word = 7; word >= 0; word--) if (set[word] !== 0) return word * 32 + 31 - Math.clz32(set[word]);
  return -1;
}

/** One local APIC. */
export class LocalApic implements Device, MmioHandler {
  readonly name = "local_apic";
  readonly version = 1;
  readonly state: LocalApicState = resetState();
  readonly #wires: LocalApicWires;
  #intr = false;
  #mapped: number | null = null;

  constructor(wires: LocalApicWires) {
    this.#wires = wires;
  }

  reset(): void {
    Object.assign(this.state, resetState(this.state.lint0));
    this.#remap();
    this.#update();
  }

  restored(): void {
    this.#remap();
    this.#intr = this.#requests();
    this.#wires.intr(this.#intr);
  }

  event(): void {
    this.#timerExpired();
  }

  // ---- the processor's side

  /** IA32_APIC_BASE. */
  get base(): number {
    return this.state.base;
  }
  /** The bits for the bootstrap processor, which software cannot change, stay. */
  set base(value: number) {
    const enabled = (value & BASE_ENABLE) !== 0, page = value - value % SIZE;
    if (!enabled) {
      // What had been programmed is lost. Section 11.4.3.
      this.#wires.clock.cancel(this.name, "timer");
      Object.assign(this.state, resetState(this.state.lint0));
    }
    this.state.base = page + BASE_BSP + (enabled ? BASE_ENABLE : 0);
    this.#remap();
    this.#update();
  }

  /** True unless IA32_APIC_BASE disables it. */
  get enabled(): boolean {
    return (this.state.base & BASE_ENABLE) !== 0;
  }

  /** Task priority, of which CR8 is the upper half. */
  get taskPriority(): number {
    return this.state.tpr;
  }
  set taskPriority(value: number) {
    this.state.tpr = value & 0xff;
    this.#update();
  }

  /** Level of the INTR output. */
  get interruptPending(): boolean {
    return this.#intr;
  }

  /** The interrupt acknowledge cycle: the vector to be served. */
  acknowledge(): number {
    const vector = this.#deliverable();
    if (vector < 0) {
      if (this.#passesPic() && this.#wires.pic.interruptPending) return this.#wires.pic.acknowledge();
      // The request went away.
      return this.enabled ? this.state.svr & 0xff : this.#wires.pic.acknowledge();
    }
    this.state.irr[vector >>> 5] &= ~(1 << (vector & 31));
    this.state.isr[vector >>> 5] |= 1 << (vector & 31);
    this.#update();
    return vector;
  }

  /** IA32_TSC_DEADLINE. */
  get deadline(): bigint {
    return this.#timerMode() === TimerMode.DEADLINE ? this.state.deadline : 0n;
  }
  /** Arms the timer for time-stamp `value`, which is reached at guest time `at` in ns; 0 disarms it. */
  setDeadline(value: bigint, at: number): void {
    if (this.#timerMode() !== TimerMode.DEADLINE) return;
    this.state.deadline = value;
    this.state.deadlineAt = at;
    this.#scheduleTimer();
  }

  // ---- inputs

  /** The level of LINT0: the INTR output of the 8259As. */
  setPic(level: boolean): void {
    const rising = level && !this.state.lint0, entry = this.state.lvt[Lvt.LINT0];
    this.state.lint0 = level;
    if (rising && this.enabled && (entry & LVT_MASKED) === 0 && ((entry >>> 8) & 7) !== DeliveryMode.EXT_INT) {
      this.#deliver((entry >>> 8) & 7, entry & 0xff, false);
    }
    this.#update();
  }

  /** A message on the bus. True if it is for this APIC. */
  receive(mode: number, vector: number, level: boolean, destination: number, logical: boolean): boolean {
    if (!this.enabled || !(logical ? this.#matchesLogical(destination) : this.#matchesId(destination))) return false;
    this.#deliver(mode, vector, level);
    this.#update();
    return true;
  }

  #matchesId(destination: number): boolean {
    return destination === 0xff || destination === this.state.id;
  }

  /** Section 11.6.2.2: flat model, or clusters of four. */
  #matchesLogical(destination: number): boolean {
    const own = this.state.ldr;
    if (this.state.dfr >>> 28 === 0xf) return (own & destination) !== 0;
    const cluster = destination >>> 4;
    return (cluster === 0xf || cluster === own >>> 4) && (own & destination & 0xf) !== 0;
  }

  #deliver(mode: number, vector: number, level: boolean): void {
    if (mode === DeliveryMode.NMI) this.#wires.nmi();
    else if (mode === DeliveryMode.FIXED || mode === DeliveryMode.LOWEST) this.#accept(vector, level);
  }

  #accept(vector: number, level: boolean): void {
    const { irr, tmr, svr } = this.state;
    if ((svr & SVR_ENABLE) === 0) return;
    if (vector < 16) return this.#error(ESR_RECEIVE_ILLEGAL);
    const word = vector >>> 5, bit = 1 << (vector & 31);
    irr[word] |= bit;
    if (level) tmr[word] |= bit;
    else tmr[word] &= ~bit;
  }

  #error(bit: number): void {
    this.state.errors |= bit;
    this.#local(Lvt.ERROR);
  }

  /** The interrupt of an entry of the local vector table. */
  #local(index: number): void {
    const entry = this.state.lvt[index];
    if ((entry & LVT_MASKED) !== 0) return;
    // An error in reporting an error would go round in circles.
    if (index === Lvt.ERROR && (entry & 0xff) < 16) this.state.errors |= ESR_RECEIVE_ILLEGAL;
    else {this.#deliver(
        index === Lvt.TIMER || index === Lvt.ERROR ? DeliveryMode.FIXED : (entry >>> 8) & 7,
        entry & 0xff,
        false,
      );}
  }

  // ---- priorities

  /** Processor priority. Section 11.8.3.1. */
  #processorPriority(): number {
    const { tpr, isr } = this.state, inService = highest(isr);
    return inService >= 0 && inService >>> 4 > tpr >>> 4 ? inService & 0xf0 : tpr;
  }

  /** The vector that may be served now, or -1. */
  #deliverable(): number {
    if (!this.enabled) return -1;
    const requested = highest(this.state.irr);
    return requested >= 0 && requested >>> 4 > this.#processorPriority() >>> 4 ? requested : -1;
  }

  /** Requests of the 8259As reach the processor. */
  #passesPic(): boolean {
    const entry = this.state.lvt[Lvt.LINT0];
    return !this.enabled || (entry & (LVT_MASKED | 0x700)) === DeliveryMode.EXT_INT << 8;
  }

  #requests(): boolean {
    return this.#deliverable() >= 0 || (this.state.lint0 && this.#passesPic());
  }

  #update(): void {
    const level = this.#requests();
    if (level === this.#intr) return;
    this.#intr = level;
    this.#wires.intr(level);
  }

  // ---- the timer

  #timerMode(): number {
    return (this.state.lvt[Lvt.TIMER] >>> 17) & 3;
  }

  /** Nanoseconds of one count. */
  #period(): number {
    const { divide } = this.state;
    return TICK * DIVIDERS[((divide >>> 1) & 4) | (divide & 3)];
  }

  #currentCount(): number {
    const { initialCount, startCount, timerStart } = this.state;
    if (startCount === 0 || this.#timerMode() === TimerMode.DEADLINE) return 0;
    const count = startCount - Math.floor((this.#wires.clock.now - timerStart) / this.#period());
    if (count > 0 || this.#timerMode() === TimerMode.ONE_SHOT) return Math.max(0, count);
    return initialCount - (-count % initialCount);
  }

  /** Starts counting down from `count` now. */
  #startTimer(count: number): void {
    this.state.startCount = count;
    this.state.timerStart = this.#wires.clock.now;
    this.#scheduleTimer();
  }

  /** Arranges for the next interrupt of the timer. A masked timer counts without one. */
  #scheduleTimer(): void {
    const { clock } = this.#wires, { state } = this, mode = this.#timerMode();
    const due = mode === TimerMode.DEADLINE ? this.#deadlineDue() : this.#countDue(mode);
    if (due === null || (state.lvt[Lvt.TIMER] & LVT_MASKED) !== 0) clock.cancel(this.name, "timer");
    else clock.schedule(this.name, "timer", due);
  }

  #deadlineDue(): number | null {
    const { deadline, deadlineAt } = this.state;
    return deadline === 0n || deadlineAt > NEVER ? null : deadlineAt;
  }

  /** When the count next reaches 0; null if it does not. */
  #countDue(mode: number): number | null {
    const { initialCount, startCount, timerStart } = this.state, { now } = this.#wires.clock, period = this.#period();
    if (startCount === 0) return null;
    const first = timerStart + startCount * period;
    if (mode === TimerMode.ONE_SHOT || first > now) return first > now ? first : null;
    const round = initialCount * period, earliest = now + SHORTEST_PERIOD;
    return first + Math.max(1, Math.ceil((earliest - first) / round)) * round;
  }

  #timerExpired(): void {
    this.#local(Lvt.TIMER);
    const mode = this.#timerMode();
    if (mode === TimerMode.DEADLINE) this.state.deadline = 0n;
    else if (mode === TimerMode.PERIODIC) this.#scheduleTimer();
    this.#update();
  }

  // ---- registers

  read(address: number, size: AccessSize): number {
    const within = address & 15, value = within < 4 ? this.#read((address & 0xff0) >>> 4) : 0;
    const shifted = value >>> (8 * (within & 3));
    return size === 4 ? shifted : size === 2 ? shifted & 0xffff : shifted & 0xff;
  }

  /** Registers are written as 32 bits; narrower writes have no defined effect and none here. */
  write(address: number, value: number, size: AccessSize): void {
    if (size !== 4 || (address & 15) !== 0) return;
    this.#write((address & 0xff0) >>> 4, value);
    this.#update();
  }

  #read(register: number): number {
    const { state } = this;
    if (register >= Reg.ISR && register < Reg.ISR + 8) return state.isr[register - Reg.ISR];
    if (register >= Reg.TMR && register < Reg.TMR + 8) return state.tmr[register - Reg.TMR];
    if (register >= Reg.IRR && register < Reg.IRR + 8) return state.irr[register - Reg.IRR];
    if (register >= Reg.LVT && register < Reg.LVT + 6) return state.lvt[register - Reg.LVT];
    switch (register) {
      case Reg.ID:
        return (state.id << 24) >>> 0;
      case Reg.VERSION:
        return VERSION;
      case Reg.TPR:
        return state.tpr;
      case Reg.APR:
        return 0;
      case Reg.PPR:
        return this.#processorPriority();
      case Reg.LDR:
        return (state.ldr << 24) >>> 0;
      case Reg.DFR:
        return state.dfr;
      case Reg.SVR:
        return state.svr;
      case Reg.ESR:
        return state.esr;
      case Reg.ICR_LOW:
      case Reg.ICR_HIGH:
        return state.icr[register - Reg.ICR_LOW];
      case Reg.INITIAL_COUNT:
        return state.initialCount;
      case Reg.CURRENT_COUNT:
        return this.#currentCount();
      case Reg.DIVIDE:
        return state.divide;
      case Reg.EOI:
        return 0;
      default:
        this.#error(ESR_ILLEGAL_REGISTER);
        this.#update();
        return 0;
    }
  }

  #write(register: number, value: number): void {
    const { state } = this;
    if (register >= Reg.LVT && register < Reg.LVT + 6) return this.#writeLvt(register - Reg.LVT, value);
    switch (register) {
      case Reg.ID:
        state.id = value >>> 24;
        break;
      case Reg.TPR:
        state.tpr = value & 0xff;
        break;
      case Reg.EOI:
        this.#endOfInterrupt();
        break;
      case Reg.LDR:
        state.ldr = value >>> 24;
        break;
      case Reg.DFR:
        state.dfr = (value | 0x0fff_ffff) >>> 0;
        break;
      case Reg.SVR:
        state.svr = value & SVR_WRITABLE;
        // Disabling it masks every local interrupt. Section 11.4.7.2.
        if ((value & SVR_ENABLE) === 0) { for (let i = 0; i < 6; i++) this.#writeLvt(i, state.lvt[i] | LVT_MASKED); }
        break;
      case Reg.ESR:
        state.esr = state.errors;
        state.errors = 0;
        break;
      case Reg.ICR_LOW:
        state.icr[0] = value & ICR_LOW_WRITABLE;
        this.#send();
        break;
      case Reg.ICR_HIGH:
        state.icr[1] = value & 0xff00_0000;
        break;
      case Reg.INITIAL_COUNT:
        if (this.#timerMode() === TimerMode.DEADLINE) break;
        state.initialCount = value >>> 0;
        this.#startTimer(state.initialCount);
        break;
      case Reg.DIVIDE: {
        const count = this.#currentCount();
        state.divide = value & 0xb;
        if (count > 0) this.#startTimer(count);
        break;
      }
      case Reg.VERSION:
      case Reg.APR:
      case Reg.PPR:
      case Reg.CURRENT_COUNT:
        break;
      default:
        // The request registers are read-only, what is left does not exist.
        if (register < Reg.ISR || register >= Reg.IRR + 8) this.#error(ESR_ILLEGAL_REGISTER);
    }
  }

  #writeLvt(index: number, value: number): void {
    const { state } = this, old = state.lvt[index];
    // A count that has come to its end once does not begin again in another mode.
    if (index === Lvt.TIMER && this.#currentCount() === 0) state.startCount = 0;
    if ((state.svr & SVR_ENABLE) === 0) value |= LVT_MASKED;
    state.lvt[index] = value & LVT_WRITABLE[index];
    if (index !== Lvt.TIMER) return;
    // Changing between counting and deadlines disarms the timer. Section 11.5.4.1.
    const deadline = (entry: number) => ((entry >>> 17) & 3) === TimerMode.DEADLINE;
    if (deadline(old) !== deadline(state.lvt[index])) {
      state.initialCount = 0;
      state.deadline = 0n;
    }
    this.#scheduleTimer();
  }

  #endOfInterrupt(): void {
    const { isr, tmr } = this.state, vector = highest(isr);
    if (vector < 0) return;
    const word = vector >>> 5, bit = 1 << (vector & 31);
    isr[word] &= ~bit;
    if ((tmr[word] & bit) !== 0) this.#wires.endOfInterrupt(vector);
  }

  /** Sends the message in the ICR: with one processor, to itself or to nobody. Section 11.6.1. */
  #send(): void {
    const [low, high] = this.state.icr, mode = (low >>> 8) & 7, shorthand = (low >>> 18) & 3, vector = low & 0xff;
    const fixed = mode === DeliveryMode.FIXED || mode === DeliveryMode.LOWEST;
    if (fixed && vector < 16) return this.#error(ESR_SEND_ILLEGAL);
    const destination = high >>> 24;
    const own = shorthand === 0
      ? ((low & (1 << 11)) !== 0 ? this.#matchesLogical(destination) : this.#matchesId(destination))
      : shorthand !== 3;
    if (own) this.#deliver(mode, vector, false);
  }

  #remap(): void {
    const wanted = this.enabled ? this.state.base - this.state.base % SIZE : null;
    if (wanted === this.#mapped) return;
    if (this.#mapped !== null) this.#wires.map(null, SIZE, this);
    this.#mapped = wanted;
    if (wanted !== null) this.#wires.map(wanted, SIZE, this);
  }
}
