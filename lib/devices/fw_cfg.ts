/**
 * QEMU's firmware configuration device at ports 510h and 511h: how SeaBIOS learns what the machine is made of.
 * Source: QEMU documentation, "QEMU Firmware Configuration (fw_cfg) Device". Traditional interface, no DMA.
 */
import type { Device, PortSpace } from "../machine/types.ts";

const Selector = {
  SIGNATURE: 0x00,
  ID: 0x01,
  RAM_SIZE: 0x03,
  NB_CPUS: 0x05,
  NUMA: 0x0d,
  BOOT_MENU: 0x0e,
  MAX_CPUS: 0x0f,
  FILE_DIRECTORY: 0x19,
  FILE_FIRST: 0x20,
};
/** Bit 14 of a selector asks for write access, which ended long ago. */
const SELECTOR_MASK = 0xbfff;

/** Feature bitmap of selector 1: the traditional interface only. */
const TRADITIONAL = 1;

/** What the guest can read. */
export interface FwCfgContents {
  readonly ramSize: number;
  /** Files by name (at most 55 characters). */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

function littleEndian(value: number, bytes: number): Uint8Array {
  return Uint8Array.from({ length: bytes }, (_, i) => Math.floor(value / 256 ** i) % 256);
}

/** A range of the E820 map as the file etc/e820 lists it: address, length (8 bytes each), type (4 bytes). */
export function e820Entry(address: number, length: number, type: number): Uint8Array {
  const entry = new Uint8Array(20);
  entry.set(littleEndian(address, 8), 0);
  entry.set(littleEndian(length, 8), 8);
  entry.set(littleEndian(type, 4), 16);
  return entry;
}

/** The configuration device. */
export class FwCfg implements Device {
  readonly name = "fw_cfg";
  readonly version = 1;
  readonly state = { selector: 0, offset: 0 };
  readonly #items = new Map<number, Uint8Array>();

  constructor(contents: FwCfgContents) {
    const items = this.#items;
    items.set(Selector.SIGNATURE, new TextEncoder().encode("QEMU"));
    items.set(Selector.ID, littleEndian(TRADITIONAL, 4));
    items.set(Selector.RAM_SIZE, littleEndian(contents.ramSize, 8));
    items.set(Selector.NB_CPUS, littleEndian(1, 2));
    items.set(Selector.MAX_CPUS, littleEndian(1, 2));
    items.set(Selector.BOOT_MENU, littleEndian(0, 2));
    // No NUMA nodes, one processor of none: a count of nodes and an entry per processor.
    items.set(Selector.NUMA, new Uint8Array(16));
    const names = [...contents.files.keys()].sort();
    // The directory is big-endian: a count; per file its size, selector, two bytes of nothing, and 56 bytes of name.
    const directory = new DataView(new ArrayBuffer(4 + 64 * names.length));
    directory.setUint32(0, names.length);
    names.forEach((name, i) => {
      const bytes = contents.files.get(name)!, encoded = new TextEncoder().encode(name), at = 4 + 64 * i;
      if (encoded.length > 55) throw new RangeError(`file name "${name}" is longer than 55 bytes`);
      directory.setUint32(at, bytes.length);
      directory.setUint16(at + 4, Selector.FILE_FIRST + i);
      new Uint8Array(directory.buffer).set(encoded, at + 8);
      items.set(Selector.FILE_FIRST + i, bytes);
    });
    items.set(Selector.FILE_DIRECTORY, new Uint8Array(directory.buffer));
  }

  attach(ports: PortSpace): void {
    const select = (value: number) => Object.assign(this.state, { selector: value & SELECTOR_MASK, offset: 0 });
    // The selector is a 16-bit write to 510h, which covers 511h.
    ports.claim(0x510, 2, {
      read: (port, size) => size === 2 ? 0 : port === 0x510 ? 0 : this.#next(),
      write: (port, value) => {
        if (port === 0x510) select(value);
      },
    }, 2);
  }

  reset(): void {
    Object.assign(this.state, { selector: 0, offset: 0 });
  }

  #next(): number {
    return this.#items.get(this.state.selector)?.[this.state.offset++] ?? 0;
  }
}
