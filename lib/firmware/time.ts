/** INT 1Ah (tick count, real-time clock, alarm), INT 08h and INT 70h. Source: IBM BIOS interface technical reference, "System timer". */
import { Bda } from "./bda.ts";
import type { Call } from "./call.ts";
import { RegB } from "../devices/mc146818.ts";
import { Cmos, CmosReg } from "./cmos.ts";
import type { BiosPorts } from "./wires.ts";

/** Ticks of 65536 / 1193182 s in a day. */
const TICKS_PER_DAY = 0x1800b0;
/** Period of the RTC's periodic interrupt at 1024 Hz, in microseconds. */
const PERIOD = 976;

const fromBcd = (value: number) => (value >> 4) * 10 + (value & 15);

/** Time services. */
export class TimeServices {
  readonly #cmos: Cmos;

  constructor(private readonly ports: BiosPorts) {
    this.#cmos = new Cmos(ports);
  }

  /** INT 08h: counts the tick and lets the floppy motor run out. The ROM code calls INT 1Ch and ends the interrupt. */
  tick(call: Call): void {
    const { memory } = call;
    let ticks = memory.read32(Bda.TICKS) + 1;
    if (ticks >= TICKS_PER_DAY) {
      ticks = 0;
      memory.write8(Bda.TICKS_MIDNIGHT, memory.read8(Bda.TICKS_MIDNIGHT) + 1);
    }
    memory.write32(Bda.TICKS, ticks);
    const motor = memory.read8(Bda.FLOPPY_MOTOR_COUNT);
    if (motor > 0) memory.write8(Bda.FLOPPY_MOTOR_COUNT, motor - 1);
    if (motor === 1) memory.write8(Bda.FLOPPY_MOTOR, memory.read8(Bda.FLOPPY_MOTOR) & 0xf0);
  }

  /** The tick count that the RTC's time of day stands for. */
  ticksFromClock(): number {
    const [hours, minutes, seconds] = [CmosReg.HOURS, CmosReg.MINUTES, CmosReg.SECONDS].map((register) =>
      fromBcd(this.#cmos.read(register))
    );
    const count = Math.floor((hours * 3600 + minutes * 60 + seconds) * 1193182 / 65536);
    return Math.min(count, TICKS_PER_DAY - 1);
  }

  /** INT 70h: counts INT 15h AH=83h waits down. Carry in the processor's flags tells the ROM code that the alarm rang. */
  rtcInterrupt(call: Call): void {
    const flags = this.#cmos.read(CmosReg.C) & this.#cmos.read(CmosReg.B);
    const { memory } = call;
    if ((flags & RegB.PIE) !== 0 && (memory.read8(Bda.WAIT_ACTIVE) & 1) !== 0) {
      const left = memory.read32(Bda.WAIT_COUNT) - PERIOD;
      memory.write32(Bda.WAIT_COUNT, Math.max(0, left));
      if (left <= 0) {
        const flag = memory.read16(Bda.WAIT_POINTER + 2) * 16 + memory.read16(Bda.WAIT_POINTER);
        memory.write8(flag, memory.read8(flag) | 0x80);
        memory.write8(Bda.WAIT_ACTIVE, 0);
        this.#cmos.changeB(0, RegB.PIE);
      }
    }
    call.carry = (flags & RegB.AIE) !== 0;
  }

  /** INT 1Ah below AH=B1h. */
  handle(call: Call): void {
    const { memory } = call, cmos = this.#cmos;
    switch (call.ah) {
      case 0x00: {
        const ticks = memory.read32(Bda.TICKS);
        call.cx = ticks >>> 16;
        call.dx = ticks;
        call.al = memory.read8(Bda.TICKS_MIDNIGHT);
        memory.write8(Bda.TICKS_MIDNIGHT, 0);
        call.succeed();
        return;
      }
      case 0x01:
        memory.write32(Bda.TICKS, call.cx * 65536 + call.dx);
        memory.write8(Bda.TICKS_MIDNIGHT, 0);
        call.succeed();
        return;
      case 0x02:
        call.ch = cmos.read(CmosReg.HOURS);
        call.cl = cmos.read(CmosReg.MINUTES);
        call.dh = cmos.read(CmosReg.SECONDS);
        call.dl = cmos.read(CmosReg.B) & RegB.DSE;
        call.succeed();
        return;
      case 0x03:
        this.#whileStopped(() => {
          cmos.write(CmosReg.HOURS, call.ch);
          cmos.write(CmosReg.MINUTES, call.cl);
          cmos.write(CmosReg.SECONDS, call.dh);
        });
        cmos.changeB(RegB.H24 | call.dl & RegB.DSE, RegB.DSE | RegB.DM);
        call.succeed();
        return;
      case 0x04:
        call.ch = cmos.read(CmosReg.CENTURY);
        call.cl = cmos.read(CmosReg.YEAR);
        call.dh = cmos.read(CmosReg.MONTH);
        call.dl = cmos.read(CmosReg.DATE);
        call.succeed();
        return;
      case 0x05:
        this.#whileStopped(() => {
          cmos.write(CmosReg.CENTURY, call.ch);
          cmos.write(CmosReg.YEAR, call.cl);
          cmos.write(CmosReg.MONTH, call.dh);
          cmos.write(CmosReg.DATE, call.dl);
        });
        call.succeed();
        return;
      case 0x06:
        this.#setAlarm(call);
        return;
      case 0x07:
        cmos.changeB(0, RegB.AIE);
        call.succeed();
        return;
      default:
        call.fail(0x01);
    }
  }

  #whileStopped(write: () => void): void {
    this.#cmos.changeB(RegB.SET, 0);
    write();
    this.#cmos.changeB(0, RegB.SET);
  }

  #setAlarm(call: Call): void {
    const cmos = this.#cmos;
    if ((cmos.read(CmosReg.B) & RegB.AIE) !== 0) {
      call.fail(0x00);
      return;
    }
    cmos.write(CmosReg.HOURS_ALARM, call.ch);
    cmos.write(CmosReg.MINUTES_ALARM, call.cl);
    cmos.write(CmosReg.SECONDS_ALARM, call.dh);
    this.enableRtcInterrupt();
    cmos.changeB(RegB.AIE, RegB.SET);
    call.succeed();
  }

  /** Unmasks IRQ 8. */
  enableRtcInterrupt(): void {
    this.ports.write(0xa1, this.ports.read(0xa1, 1) & ~0x01, 1);
  }

  /** Starts the periodic interrupt at 1024 Hz, which INT 15h waits with. */
  startPeriodic(): void {
    this.enableRtcInterrupt();
    this.#cmos.write(CmosReg.A, this.#cmos.read(CmosReg.A) & 0xf0 | 0x06);
    this.#cmos.changeB(RegB.PIE, 0);
  }

  /** Stops the periodic interrupt. */
  stopPeriodic(): void {
    this.#cmos.changeB(0, RegB.PIE);
  }
}
