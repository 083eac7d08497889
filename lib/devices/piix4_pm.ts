/**
 * PIIX4 power management (82371AB, function 3): ACPI timer, PM1 registers, SCI, soft-off, and the APM control port B2h.
 * Source: Intel 82371AB (PIIX4) data sheet (1997), chapter 7. The SMBus controller is absent, and there is no SMM: what a
 * BIOS would do in SMM when ACPI is enabled through port B2h is done here.
 */
import type { AccessSize, Clock, Device, IrqLine, PortClaim, PortSpace } from "../machine/types.ts";
import { Frequency } from "./frequency.ts";
import { PciFunction } from "./pci.ts";

const Config = { PMBA: 0x40, DEVACTB: 0x58, PMREGMISC: 0x80, SMBBA: 0x90, SMBHSTCFG: 0xd2 };
const Pm = { PM1_STS: 0x00, PM1_EN: 0x02, PM1_CNT: 0x04, TIMER: 0x08 };
const Pm1 = { TMR: 0x0001, GBL: 0x0020, PWRBTN: 0x0100, RTC: 0x0400, WAK: 0x8000 };
const Pm1Control = { SCI_EN: 0x0001, BRLD_EN: 0x0002, SLP_TYP: 0x1c00, SLP_EN: 0x2000 };
/** Sleep type of soft-off. */
const SOFT_OFF = 0;

/** Values for port B2h that the FADT names. */
export const AcpiCommand = { ENABLE: 0xf1, DISABLE: 0xf0 } as const;

const TIMER = new Frequency(3_579_545);
/** The timer has 24 bits; TMR_STS is set whenever its top bit changes. */
const TIMER_MASK = 0xffffff, TIMER_HALF = 0x800000;

const PM_SIZE = 64;
/** General-purpose event block: no events, but the registers are there for the firmware's tables. */
const GPE_BASE = 0xafe0;

/** The power management function at 0:1.3. */
export class Piix4Pm implements Device {
  readonly name = "piix4_pm";
  readonly version = 1;
  readonly state = {
    config: new Uint8Array(256),
    pm1Status: 0,
    pm1Enable: 0,
    pm1Control: 0,
    /** Half periods of the timer up to which TMR_STS has been worked out. */
    timerHalves: 0,
    /** Enable bits of the general-purpose events. */
    gpeEnable: 0,
    /** APM control and status, ports B2h and B3h. */
    apmControl: 0,
    apmStatus: 0,
    /** Registers of the power management block that hold what is written and do nothing else. */
    other: new Uint8Array(PM_SIZE),
  };
  readonly pci: PciFunction;
  readonly #wires: { clock: Clock; sci: IrqLine; powerOff: () => void };
  #ports: PortSpace | null = null;
  #claim: PortClaim | null = null;
  #base = 0;

  constructor(wires: { clock: Clock; sci: IrqLine; powerOff: () => void }) {
    this.#wires = wires;
    this.pci = new PciFunction({
      config: this.state.config,
      vendorId: 0x8086,
      deviceId: 0x7113,
      revisionId: 3,
      classCode: 0x068000,
      subsystemVendorId: 0x1af4,
      subsystemId: 0x1100,
      interruptPin: 1,
      commandMask: 1,
      writable: [
        [Config.PMBA, 0xc0],
        [Config.PMBA + 1, 0xff],
        [Config.DEVACTB, 0xff],
        [Config.DEVACTB + 1, 0xff],
        [Config.DEVACTB + 2, 0xff],
        [Config.DEVACTB + 3, 0x02],
        [Config.PMREGMISC, 0x01],
        [Config.SMBBA, 0xf0],
        [Config.SMBBA + 1, 0xff],
        [Config.SMBHSTCFG, 0x0f],
        ...[0x60, 0x64, 0x68, 0x6c, 0x70, 0x74, 0x78].flatMap((at) => [0, 1, 2, 3].map((i) => [at + i, 0xff] as const)),
      ],
      onWrite: (offset) => {
        if (offset < Config.DEVACTB || offset === Config.PMREGMISC) this.#map();
      },
    });
  }

  attach(ports: PortSpace): void {
    this.#ports = ports;
    const { state } = this;
    ports.claim(0xb2, 2, {
      read: (port) => port === 0xb2 ? state.apmControl : state.apmStatus,
      write: (port, value) => port === 0xb2 ? this.#apmCommand(value) : void (state.apmStatus = value),
    });
    ports.claim(GPE_BASE, 4, {
      read: (port) => port < GPE_BASE + 2 ? 0 : (state.gpeEnable >> (8 * (port & 1))) & 0xff,
      write: (port, value) => {
        const shift = 8 * (port & 1);
        if (port >= GPE_BASE + 2) state.gpeEnable = (state.gpeEnable & ~(0xff << shift)) | (value << shift);
      },
    });
    this.#map();
  }

  reset(): void {
    const { state } = this;
    this.pci.reset();
    this.pci.set(6, 0x0280, 2);
    state.config[Config.PMBA] = 0x01;
    state.config[Config.SMBBA] = 0x01;
    // APMC_EN: tells a BIOS that SMM has been set up, which it would otherwise do.
    state.config[Config.DEVACTB + 3] = 0x02;
    Object.assign(state, { pm1Status: 0, pm1Enable: 0, pm1Control: 0, gpeEnable: 0, apmControl: 0, apmStatus: 0 });
    state.other.fill(0);
    state.timerHalves = this.#halves;
    this.#map();
    this.#changed();
  }

  event(): void {
    this.#changed();
  }

  restored(): void {
    this.#map();
  }

  /** Presses the power button: an ACPI guest shuts down. */
  pressPowerButton(): void {
    this.state.pm1Status |= Pm1.PWRBTN;
    this.#changed();
  }

  get #halves(): number {
    return Math.floor(TIMER.ticks(this.#wires.clock.now) / TIMER_HALF);
  }

  /** Puts the register block where PMBA says, if PMREGMISC enables it. */
  #map(): void {
    const { config } = this.state;
    const base = (config[Config.PMREGMISC] & 1) !== 0 ? this.pci.read(Config.PMBA, 2) & 0xffc0 : 0;
    if (base === this.#base) return;
    this.#claim?.release();
    this.#claim = null;
    this.#base = base;
    if (base === 0 || this.#ports === null) return;
    this.#claim = this.#ports.claim(base, PM_SIZE, {
      read: (port, size) => this.#read(port - base, size),
      write: (port, value, size) => this.#write(port - base, value, size),
    }, 4);
  }

  #read(offset: number, size: AccessSize): number {
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = value * 256 + this.#readByte(offset + i);
    return value;
  }

  #readByte(offset: number): number {
    const { state } = this, high = 8 * (offset & 1);
    switch (offset & ~1) {
      case Pm.PM1_STS:
        this.#updateTimerStatus();
        return (state.pm1Status >> high) & 0xff;
      case Pm.PM1_EN:
        return (state.pm1Enable >> high) & 0xff;
      case Pm.PM1_CNT:
        return (state.pm1Control >> high) & 0xff;
      case Pm.TIMER:
      case Pm.TIMER + 2:
        return ((TIMER.ticks(this.#wires.clock.now) % (TIMER_MASK + 1)) >> (8 * (offset & 3))) & 0xff;
      default:
        return state.other[offset];
    }
  }

  #write(offset: number, value: number, size: AccessSize): void {
    for (let i = 0; i < size; i++) this.#writeByte(offset + i, (value >>> (8 * i)) & 0xff);
    this.#changed();
  }

  #writeByte(offset: number, value: number): void {
    const { state } = this, high = 8 * (offset & 1);
    const merge = (old: number) => (old & ~(0xff << high)) | (value << high);
    switch (offset & ~1) {
      case Pm.PM1_STS:
        this.#updateTimerStatus();
        state.pm1Status &= ~(value << high);
        break;
      case Pm.PM1_EN:
        state.pm1Enable = merge(state.pm1Enable);
        break;
      case Pm.PM1_CNT:
        this.#writeControl(merge(state.pm1Control));
        break;
      case Pm.TIMER:
      case Pm.TIMER + 2:
        break;
      default:
        state.other[offset] = value;
    }
  }

  #writeControl(value: number): void {
    const { state } = this;
    // SLP_EN reads as 0. The other sleep states are not supported by the board's tables: nothing happens.
    state.pm1Control = value & (Pm1Control.SCI_EN | Pm1Control.BRLD_EN | Pm1Control.SLP_TYP);
    if ((value & Pm1Control.SLP_EN) !== 0 && (value & Pm1Control.SLP_TYP) >> 10 === SOFT_OFF) this.#wires.powerOff();
  }

  #apmCommand(value: number): void {
    const { state } = this;
    state.apmControl = value;
    if (value === AcpiCommand.ENABLE) state.pm1Control |= Pm1Control.SCI_EN;
    else if (value === AcpiCommand.DISABLE) state.pm1Control &= ~Pm1Control.SCI_EN;
    this.#changed();
  }

  #updateTimerStatus(): void {
    const halves = this.#halves;
    if (halves !== this.state.timerHalves) this.state.pm1Status |= Pm1.TMR;
    this.state.timerHalves = halves;
  }

  /** Brings the SCI and the timer's event up to date. */
  #changed(): void {
    const { state } = this, { clock, sci } = this.#wires;
    this.#updateTimerStatus();
    const causes = state.pm1Status & state.pm1Enable & (Pm1.TMR | Pm1.GBL | Pm1.PWRBTN | Pm1.RTC);
    sci.set((state.pm1Control & Pm1Control.SCI_EN) !== 0 && causes !== 0);
    if ((state.pm1Enable & Pm1.TMR) !== 0 && (state.pm1Status & Pm1.TMR) === 0) {
      clock.schedule(this.name, "timer", TIMER.time((state.timerHalves + 1) * TIMER_HALF));
    } else {
      clock.cancel(this.name, "timer");
    }
  }
}
