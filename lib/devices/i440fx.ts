/**
 * Intel 440FX host bridge (82441FX): which parts of C0000h–FFFFFh are RAM.
 * Source: Intel 440FX PCIset 82441FX/82442FX data sheet (1996), section 3.2.
 */
import type { PhysicalMemory } from "../machine/memory.ts";
import type { AccessSize, Device, MmioHandler } from "../machine/types.ts";
import { PciCommand, PciFunction } from "./pci.ts";

/** First programmable attribute map register (PAM0); there are seven. */
const PAM0 = 0x59;
const PAM_COUNT = 7;
/** Bits of one attribute: reads, and writes, go to RAM. */
const Attribute = { READ: 1, WRITE: 2 };
const SMRAM = 0x72;

/** Start of the range that PAM covers, and the size of a segment but for the last one. */
const BASE = 0xc0000, SEGMENT = 0x4000;
const BIOS_SEGMENT = { address: 0xf0000, size: 0x10000 };

/** What lies below the RAM in C0000h–FFFFFh: ROM on the bus. */
export interface ShadowedRom {
  /** First address, a multiple of 16 KiB from C0000h up. */
  readonly address: number;
  /** Bytes, a multiple of 4 KiB. */
  readonly size: number;
  /** Byte offset of the contents in the linear memory. */
  readonly offset: number;
}

/** The host bridge at 0:0.0. */
export class I440fx implements Device {
  readonly name = "i440fx";
  readonly version = 1;
  readonly state = { config: new Uint8Array(256) };
  readonly pci: PciFunction;
  readonly #memory: PhysicalMemory;
  readonly #roms: readonly ShadowedRom[];
  readonly #writeThrough: MmioHandler;

  constructor(wires: { memory: PhysicalMemory; roms: readonly ShadowedRom[] }) {
    this.#memory = wires.memory;
    this.#roms = wires.roms;
    // A segment that is read from ROM while writes go to the RAM below it: how a BIOS shadows itself.
    this.#writeThrough = {
      read: (address, size) => this.#readRom(address, size),
      write: (address, value, size) => {
        for (let i = 0; i < size; i++) this.#memory.bytes[address + i] = value >>> (8 * i);
        this.#memory.noteWrite(address, size);
      },
    };
    this.pci = new PciFunction({
      config: this.state.config,
      vendorId: 0x8086,
      deviceId: 0x1237,
      revisionId: 2,
      classCode: 0x060000,
      subsystemVendorId: 0x1af4,
      subsystemId: 0x1100,
      commandMask: 0x100,
      writable: [
        [0x50, 0xff],
        [0x51, 0xff],
        [0x57, 0xff],
        [0x58, 0xff],
        ...Array.from({ length: PAM_COUNT }, (_, i) => [PAM0 + i, i === 0 ? 0x30 : 0x33] as const),
        ...Array.from({ length: 8 }, (_, i) => [0x60 + i, 0xff] as const),
        [0x68, 0xff],
        [0x70, 0xff],
        [SMRAM, 0x78],
      ],
      onWrite: (offset, size) => {
        if (offset + size > PAM0 && offset < PAM0 + PAM_COUNT) this.#mapAll();
      },
    });
  }

  reset(): void {
    this.pci.reset();
    this.pci.set(4, PciCommand.MEMORY | PciCommand.MASTER, 2);
    this.pci.set(6, 0x0280, 2);
    this.state.config[SMRAM] = 0x02;
    this.#mapAll();
  }

  restored(): void {
    this.#mapAll();
  }

  #mapAll(): void {
    const { config } = this.state;
    for (let i = 0; i < 12; i++) {
      const attribute = config[PAM0 + 1 + (i >> 1)] >> (4 * (i & 1));
      this.#map(BASE + i * SEGMENT, SEGMENT, attribute);
    }
    for (let i = 0; i < BIOS_SEGMENT.size; i += SEGMENT) {
      this.#map(BIOS_SEGMENT.address + i, SEGMENT, config[PAM0] >> 4);
    }
  }

  #map(address: number, size: number, attribute: number): void {
    const memory = this.#memory, rom = this.#romAt(address);
    switch (attribute & (Attribute.READ | Attribute.WRITE)) {
      case Attribute.READ | Attribute.WRITE:
        return memory.mapRam(address, size, address);
      case Attribute.READ:
        return memory.mapRom(address, size, address);
      case Attribute.WRITE:
        return memory.mapMmio(address, size, this.#writeThrough);
      default:
        memory.unmap(address, size);
        if (rom === undefined) return;
        return memory.mapRom(
          address,
          Math.min(size, rom.address + rom.size - address),
          rom.offset + (address - rom.address),
        );
    }
  }

  #romAt(address: number): ShadowedRom | undefined {
    return this.#roms.find((rom) => address >= rom.address && address < rom.address + rom.size);
  }

  #readRom(address: number, size: AccessSize): number {
    let value = 0;
    for (let i = size - 1; i >= 0; i--) {
      const rom = this.#romAt(address + i);
      const byte = rom === undefined ? 0xff : this.#memory.bytes[rom.offset + (address + i - rom.address)];
      value = value * 256 + byte;
    }
    return value;
  }
}
