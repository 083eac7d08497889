/** PCI BIOS, INT 1Ah AH=B1h and its 32-bit entry. Source: PCI BIOS specification 2.1. */
import type { Call } from "./call.ts";
import { type PciConfig, pirqOf } from "./pci_config.ts";
import { PIR_IRQ_MASK, pirEntries } from "./pir.ts";

/** Return codes in AH. */
const Status = {
  SUCCESSFUL: 0x00,
  NOT_SUPPORTED: 0x81,
  BAD_VENDOR_ID: 0x83,
  DEVICE_NOT_FOUND: 0x86,
  BAD_REGISTER: 0x87,
  SET_FAILED: 0x88,
  BUFFER_TOO_SMALL: 0x89,
} as const;

/** PCI BIOS functions over configuration mechanism 1. */
export class PciServices {
  constructor(private readonly config: PciConfig) {}

  /** Serves AX=B101h–B10Fh. `protectedMode` tells how pointers are passed. */
  handle(call: Call, protectedMode: boolean): void {
    const status = this.#dispatch(call, protectedMode);
    call.ah = status;
    call.carry = status !== Status.SUCCESSFUL;
  }

  #dispatch(call: Call, protectedMode: boolean): number {
    const { config } = this;
    switch (call.al) {
      case 0x01:
        // Mechanism 1 without special cycles, version 2.1, one bus.
        call.al = 0x01;
        call.bx = 0x0210;
        call.cl = 0;
        call.edx = 0x20494350;
        return Status.SUCCESSFUL;
      case 0x02: {
        if (call.dx === 0xffff) return Status.BAD_VENDOR_ID;
        const id = (call.cx << 16 | call.dx) >>> 0;
        return this.#find(call, (address) => config.read(address, 0x00, 4) === id);
      }
      case 0x03: {
        const classCode = call.ecx & 0xffffff;
        return this.#find(call, (address) => config.read(address, 0x08, 4) >>> 8 === classCode);
      }
      case 0x08:
      case 0x09:
      case 0x0a: {
        const size = call.al === 0x08 ? 1 : call.al === 0x09 ? 2 : 4;
        if (call.di > 0xff || call.di % size !== 0) return Status.BAD_REGISTER;
        const value = config.read(call.bx, call.di, size);
        if (size === 1) call.cl = value;
        else if (size === 2) call.cx = value;
        else call.ecx = value;
        return Status.SUCCESSFUL;
      }
      case 0x0b:
      case 0x0c:
      case 0x0d: {
        const size = call.al === 0x0b ? 1 : call.al === 0x0c ? 2 : 4;
        if (call.di > 0xff || call.di % size !== 0) return Status.BAD_REGISTER;
        config.write(call.bx, call.di, size === 1 ? call.cl : size === 2 ? call.cx : call.ecx, size);
        return Status.SUCCESSFUL;
      }
      case 0x0e:
        return this.#routing(call, protectedMode);
      case 0x0f:
        return this.#setRouting(call);
      default:
        return Status.NOT_SUPPORTED;
    }
  }

  /** Looks for function number SI that `matches`. */
  #find(call: Call, matches: (address: number) => boolean): number {
    const found = this.config.functions().filter(matches)[call.si];
    if (found === undefined) return Status.DEVICE_NOT_FOUND;
    call.bx = found;
    return Status.SUCCESSFUL;
  }

  #routing(call: Call, protectedMode: boolean): number {
    const { memory } = call;
    const header = protectedMode ? call.atEs(call.edi) : call.atEs(call.di);
    const entries = pirEntries();
    const room = memory.read16(header);
    memory.write16(header, entries.length);
    if (room < entries.length) return Status.BUFFER_TOO_SMALL;
    const buffer = protectedMode
      ? memory.read32(header + 2)
      : memory.read16(header + 4) * 16 + memory.read16(header + 2);
    memory.write(protectedMode ? call.atEs(buffer) : buffer, entries);
    // No interrupt is exclusively for PCI.
    call.bx = 0;
    return Status.SUCCESSFUL;
  }

  /** Connects interrupt pin CL (0Ah = INTA#) of device BH/BL to IRQ CH through the PIIX's PIRQ registers. */
  #setRouting(call: Call): number {
    const pin = call.cl - 0x0a, irq = call.ch, device = call.bl >> 3;
    if (pin < 0 || pin > 3 || irq > 15 || (PIR_IRQ_MASK >> irq & 1) === 0) return Status.SET_FAILED;
    this.config.setPirq(pirqOf(device, pin), irq);
    return Status.SUCCESSFUL;
  }
}
