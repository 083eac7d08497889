/** PCI configuration through mechanism 1, and how the board routes PCI interrupts. Sources: PCI Local Bus Specification 2.2; Intel 82371SB (PIIX3) data sheet. */
import type { AccessSize } from "../machine/types.ts";
import type { BiosPorts } from "./wires.ts";

/** Devices 1–31 as the routing tables list them. */
export const PCI_SLOTS = 31;

/** First PIRQ route control register of the PIIX's function 0; there are four. */
export const PIIX_PIRQ = 0x60;

/** Address of the PIIX's ISA bridge: device 1, function 0. */
const PIIX_ISA = 1 << 3;

/** The PIRQ (0–3 for A–D) that interrupt pin `pin` (0–3 for INTA#–INTD#) of `device` is wired to. */
export function pirqOf(device: number, pin: number): number {
  return (device + pin - 1) & 3;
}

/** Configuration space of bus 0. Functions are addressed as `bus << 8 | device << 3 | function`. */
export class PciConfig {
  constructor(private readonly ports: BiosPorts) {}

  /** Reads `size` bytes at `offset`, naturally aligned. */
  read(address: number, offset: number, size: AccessSize): number {
    this.#select(address, offset);
    return this.ports.read(0xcfc + (offset & 3), size);
  }

  /** Writes `size` bytes at `offset`, naturally aligned. */
  write(address: number, offset: number, value: number, size: AccessSize): void {
    this.#select(address, offset);
    this.ports.write(0xcfc + (offset & 3), value, size);
  }

  #select(address: number, offset: number): void {
    this.ports.write(0xcf8, (0x8000_0000 | address << 8 | offset & 0xfc) >>> 0, 4);
  }

  /** All functions that are there, in ascending order. */
  functions(): number[] {
    const found: number[] = [];
    for (let device = 0; device < 32; device++) {
      if (this.read(device << 3, 0, 2) === 0xffff) continue;
      const count = (this.read(device << 3, 0x0e, 1) & 0x80) !== 0 ? 8 : 1;
      for (let number = 0; number < count; number++) {
        const address = device << 3 | number;
        if (this.read(address, 0, 2) !== 0xffff) found.push(address);
      }
    }
    return found;
  }

  /** The function with this vendor and device number, or null. */
  find(vendor: number, device: number): number | null {
    const id = (device << 16 | vendor) >>> 0;
    return this.functions().find((address) => this.read(address, 0, 4) === id) ?? null;
  }

  /** Routes PIRQ `pirq` (0–3) to `irq` and makes that IRQ level-triggered. */
  setPirq(pirq: number, irq: number): void {
    this.write(PIIX_ISA, PIIX_PIRQ + pirq, irq, 1);
    const port = irq < 8 ? 0x4d0 : 0x4d1;
    this.ports.write(port, this.ports.read(port, 1) | 1 << (irq & 7), 1);
  }
}
