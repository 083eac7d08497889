/** Advanced Power Management, INT 15h AH=53h and its protected-mode entries. Source: Intel/Microsoft, APM BIOS interface specification 1.2. */
import type { Call } from "./call.ts";
import { PM_BASE } from "./pci_setup.ts";
import { SYSTEM_ROM } from "./system_rom.ts";
import type { BiosPorts } from "./wires.ts";

/** Error codes in AH. */
const ApmError = {
  NOT_CONNECTED: 0x03,
  UNKNOWN_DEVICE: 0x09,
  OUT_OF_RANGE: 0x0a,
  CANNOT_ENTER_STATE: 0x60,
  NO_EVENTS: 0x80,
  UNSUPPORTED: 0x0c,
} as const;

const Connection = { NONE: 0, REAL: 1, PROTECTED_16: 2, PROTECTED_32: 3 } as const;
const DEVICE_BIOS = 0x0000, DEVICE_ALL = 0x0001;

/** PM1 control: soft-off is sleep type 0 on the PIIX4; bit 13 starts it. */
const PM1_CONTROL = PM_BASE + 4, SLEEP_ENABLE = 0x2000;

/** The part of the BIOS's state that APM keeps. */
export interface ApmState {
  apmConnection: number;
  /** An AH=05h idle call is waiting for its interrupt. */
  apmIdle: boolean;
}

/** APM services. */
export class ApmServices {
  constructor(
    private readonly ports: BiosPorts,
    private readonly state: ApmState,
    private readonly entries: { readonly apm16: number; readonly apm32: number },
  ) {}

  /** Serves AH=53h, by INT 15h or, if `protectedMode`, by a far call. */
  handle(call: Call, protectedMode: boolean): void {
    const error = this.#dispatch(call, protectedMode);
    if (error === 0) call.carry = false;
    else call.fail(error);
  }

  #dispatch(call: Call, protectedMode: boolean): number {
    const { state } = this;
    switch (call.al) {
      case 0x00:
        if (call.bx !== DEVICE_BIOS) return ApmError.UNKNOWN_DEVICE;
        call.ax = 0x0102;
        call.bx = 0x504d;
        // 16- and 32-bit protected-mode interfaces; CPU idle does not slow the clock.
        call.cx = 0x0003;
        return 0;
      case 0x01:
      case 0x02:
      case 0x03:
        if (call.bx !== DEVICE_BIOS) return ApmError.UNKNOWN_DEVICE;
        // A new connection replaces an old one: who made that may be gone, with its system.
        state.apmConnection = call.al;
        this.#connect(call);
        return 0;
      case 0x04:
        if (call.bx !== DEVICE_BIOS) return ApmError.UNKNOWN_DEVICE;
        if (state.apmConnection === Connection.NONE) return ApmError.NOT_CONNECTED;
        state.apmConnection = Connection.NONE;
        return 0;
    }
    if (state.apmConnection === Connection.NONE && call.al !== 0x0e) return ApmError.NOT_CONNECTED;
    switch (call.al) {
      case 0x05:
        if (!protectedMode && !state.apmIdle) {
          state.apmIdle = true;
          call.wait();
        } else {
          state.apmIdle = false;
        }
        return 0;
      case 0x06:
      case 0x08:
      case 0x0d:
      case 0x0f:
        return 0;
      case 0x07:
        return this.#setPowerState(call);
      case 0x0a:
        if (call.bx !== DEVICE_ALL) return ApmError.UNKNOWN_DEVICE;
        // On line power, no battery.
        call.bx = 0x01ff;
        call.cx = 0x80ff;
        call.dx = 0xffff;
        return 0;
      case 0x0b:
        return ApmError.NO_EVENTS;
      case 0x0c:
        call.cx = 0;
        return 0;
      case 0x0e:
        call.ax = 0x0102;
        return 0;
      case 0x10:
        call.bl = 0;
        call.cx = 0;
        return 0;
      default:
        return ApmError.UNSUPPORTED;
    }
  }

  #connect(call: Call): void {
    if (call.al === Connection.PROTECTED_16) {
      call.bx = this.entries.apm16;
      call.ax = SYSTEM_ROM.SEGMENT;
      call.cx = SYSTEM_ROM.SEGMENT;
      call.si = 0xfff0;
      call.di = 0xfff0;
    } else if (call.al === Connection.PROTECTED_32) {
      call.ebx = this.entries.apm32;
      call.ax = SYSTEM_ROM.SEGMENT;
      call.cx = SYSTEM_ROM.SEGMENT;
      call.dx = SYSTEM_ROM.SEGMENT;
      call.esi = 0xfff0_fff0;
      call.di = 0xfff0;
    } else {
      call.ah = 0;
    }
  }

  #setPowerState(call: Call): number {
    if (call.bx !== DEVICE_ALL) return ApmError.UNKNOWN_DEVICE;
    switch (call.cx) {
      case 0x0001:
      case 0x0002:
        return ApmError.CANNOT_ENTER_STATE;
      case 0x0003:
        this.ports.write(PM1_CONTROL, SLEEP_ENABLE, 2);
        return 0;
      default:
        return ApmError.OUT_OF_RANGE;
    }
  }
}
