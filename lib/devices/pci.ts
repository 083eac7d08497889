/**
 * PCI: configuration mechanism 1, functions with their configuration space, and interrupt pins.
 * Source: PCI Local Bus Specification 2.2, chapters 3.2.2 and 6.
 */
import type { AccessSize, Device, IrqLine, PortHandler, PortSpace } from "../machine/types.ts";

/** Offsets in a type 0 configuration header. */
export const PciReg = {
  VENDOR_ID: 0x00,
  DEVICE_ID: 0x02,
  COMMAND: 0x04,
  STATUS: 0x06,
  REVISION_ID: 0x08,
  CLASS_CODE: 0x09,
  CACHE_LINE_SIZE: 0x0c,
  LATENCY_TIMER: 0x0d,
  HEADER_TYPE: 0x0e,
  BAR0: 0x10,
  SUBSYSTEM_VENDOR_ID: 0x2c,
  SUBSYSTEM_ID: 0x2e,
  EXPANSION_ROM: 0x30,
  INTERRUPT_LINE: 0x3c,
  INTERRUPT_PIN: 0x3d,
} as const;

/** Bits of the command register. */
export const PciCommand = { IO: 1, MEMORY: 2, MASTER: 4, INTX_DISABLE: 0x400 } as const;

/** Addresses that this board forwards to PCI: first, and the one after the last. */
const IO_WINDOW = [0x400, 0x10000] as const;
const MEMORY_WINDOW = [0xe0000000, 0xfec00000] as const;

/** What a base address register decodes. */
export interface PciBar {
  /** Number of the register, 0–5; 8 for the expansion ROM, whose register lies where that number would be. */
  readonly index: number;
  readonly kind: "io" | "memory" | "rom";
  /** Bytes, a power of two: at least 4 for I/O, at least 4096 for memory and ROM. */
  readonly size: number;
  /** Memory only: reads have no side effects. */
  readonly prefetchable?: boolean;
}

/** What a {@link PciFunction} is. */
export interface PciFunctionOptions {
  /** The 256 bytes of configuration space; they belong in the owning device's `state`. */
  readonly config: Uint8Array;
  readonly vendorId: number;
  readonly deviceId: number;
  readonly revisionId?: number;
  /** 24 bits: base class, sub-class, programming interface. */
  readonly classCode: number;
  readonly subsystemVendorId?: number;
  readonly subsystemId?: number;
  /** Set on function 0 of a device that has further functions. */
  readonly multiFunction?: boolean;
  /** 0 = none (default), 1–4 = INTA# to INTD#. */
  readonly interruptPin?: number;
  readonly bars?: readonly PciBar[];
  /** Bits of the command register that the guest may change; default I/O, memory and bus master. */
  readonly commandMask?: number;
  /** Further bits that the guest may change, as [offset, mask] per byte. */
  readonly writable?: readonly (readonly [offset: number, mask: number])[];
  /** A BAR begins to decode at `base`, or stops (null). Called only on changes, and for every active BAR after a restore. */
  onMap?(bar: PciBar, base: number | null): void;
  /** The guest changed bytes `offset`… of configuration space (after the fact). */
  onWrite?(offset: number, size: AccessSize): void;
}

/** One PCI function: the generic part of its configuration space. The device that owns it holds the bytes in its state. */
export class PciFunction {
  readonly #options: PciFunctionOptions;
  /** Bits that the guest can change, per byte of configuration space. */
  readonly #writable = new Uint8Array(256);
  /** Where each BAR decodes now; null if it does not. */
  readonly #mapped = new Map<PciBar, number | null>();
  #onMapRom: ((base: number | null) => void) | null = null;

  constructor(options: PciFunctionOptions) {
    if (options.config.length !== 256) throw new RangeError("a configuration space has 256 bytes");
    this.#options = options;
    const command = options.commandMask ?? (PciCommand.IO | PciCommand.MEMORY | PciCommand.MASTER);
    this.#writable[PciReg.COMMAND] = command & 0xff;
    this.#writable[PciReg.COMMAND + 1] = command >>> 8;
    this.#writable[PciReg.CACHE_LINE_SIZE] = 0xff;
    this.#writable[PciReg.LATENCY_TIMER] = 0xff;
    this.#writable[PciReg.INTERRUPT_LINE] = 0xff;
    for (const bar of options.bars ?? []) this.#addBar(bar);
    for (const [offset, mask] of options.writable ?? []) this.#writable[offset] = mask;
    this.reset();
  }

  /** The configuration space itself. */
  get config(): Uint8Array {
    return this.#options.config;
  }

  /** The 16-bit command register. */
  get command(): number {
    return this.read(PciReg.COMMAND, 2);
  }

  /** Gives the function an expansion ROM; `onMap` is called like {@link PciFunctionOptions.onMap}. */
  addRom(size: number, onMap: (base: number | null) => void): void {
    this.#onMapRom = onMap;
    this.#addBar({ index: 8, kind: "rom", size });
  }

  /** Puts the header into its power-on state and lets go of all addresses; device-specific registers become 0. */
  reset(): void {
    const { config, ...options } = this.#options;
    config.fill(0);
    this.set(PciReg.VENDOR_ID, options.vendorId, 2);
    this.set(PciReg.DEVICE_ID, options.deviceId, 2);
    config[PciReg.REVISION_ID] = options.revisionId ?? 0;
    config[PciReg.CLASS_CODE] = options.classCode;
    this.set(PciReg.CLASS_CODE + 1, options.classCode >>> 8, 2);
    config[PciReg.HEADER_TYPE] = options.multiFunction ? 0x80 : 0;
    this.set(PciReg.SUBSYSTEM_VENDOR_ID, options.subsystemVendorId ?? 0, 2);
    this.set(PciReg.SUBSYSTEM_ID, options.subsystemId ?? 0, 2);
    config[PciReg.INTERRUPT_PIN] = options.interruptPin ?? 0;
    for (const bar of options.bars ?? []) {
      config[PciReg.BAR0 + 4 * bar.index] = bar.kind === "io" ? 1 : bar.prefetchable ? 8 : 0;
    }
    this.#remap();
  }

  /** Reads configuration space, little-endian. `offset` + `size` must not exceed 256. */
  read(offset: number, size: AccessSize): number {
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = value * 256 + this.config[offset + i];
    return value;
  }

  /** Sets configuration bytes from the device's side, read-only ones too. */
  set(offset: number, value: number, size: AccessSize): void {
    for (let i = 0; i < size; i++) this.config[offset + i] = value >>> (8 * i);
  }

  /** A write by the guest: only writable bits change. */
  write(offset: number, value: number, size: AccessSize): void {
    for (let i = 0; i < size; i++) {
      const mask = this.#writable[offset + i];
      this.config[offset + i] = (this.config[offset + i] & ~mask) | ((value >>> (8 * i)) & mask);
    }
    if (offset < PciReg.EXPANSION_ROM + 4) this.#remap();
    this.#options.onWrite?.(offset, size);
  }

  /** To be called from the owner's `restored()`: maps every active BAR again. */
  restored(): void {
    for (const [bar, base] of this.#mapped) {
      if (base !== null) this.#announce(bar, null);
      this.#mapped.set(bar, null);
    }
    this.#remap();
  }

  /** Where `bar` decodes now, or null. */
  base(bar: PciBar): number | null {
    const enable = bar.kind === "io" ? PciCommand.IO : PciCommand.MEMORY;
    if ((this.command & enable) === 0) return null;
    const value = this.read(PciReg.BAR0 + 4 * bar.index, 4);
    if (bar.kind === "rom" && (value & 1) === 0) return null;
    const base = (value & addressMask(bar)) >>> 0;
    // A BAR that is being sized (all ones) or was never programmed must not cover anything, nor may one cover RAM.
    const [start, end] = bar.kind === "io" ? IO_WINDOW : MEMORY_WINDOW;
    return base < start || base + bar.size > end ? null : base;
  }

  #remap(): void {
    // First all that goes, then all that comes: the guest may swap two BARs.
    const changed = [...this.#mapped].filter(([bar, base]) => this.base(bar) !== base);
    for (const [bar, base] of changed) if (base !== null) this.#announce(bar, null);
    for (const [bar] of changed) {
      const base = this.base(bar);
      this.#mapped.set(bar, base);
      if (base !== null) this.#announce(bar, base);
    }
  }

  #announce(bar: PciBar, base: number | null): void {
    if (bar.kind === "rom") this.#onMapRom?.(base);
    else this.#options.onMap?.(bar, base);
  }

  #addBar(bar: PciBar): void {
    const mask = (-bar.size & addressMask(bar)) | (bar.kind === "rom" ? 1 : 0);
    for (let i = 0; i < 4; i++) this.#writable[PciReg.BAR0 + 4 * bar.index + i] = mask >>> (8 * i);
    this.#mapped.set(bar, null);
  }
}

/** The bits of a base address register that hold an address. */
function addressMask(bar: PciBar): number {
  return bar.kind === "io" ? 0xfffffffc : bar.kind === "rom" ? 0xfffff800 : 0xfffffff0;
}

/** Receives the level of a PCI interrupt pin: `pin` is 0–3 for INTA#–INTD# of `device`. */
export interface PciInterruptRouter {
  setInterrupt(device: number, pin: number, level: boolean): void;
}

/** Bus 0 with configuration mechanism 1 (ports 0CF8h and 0CFCh). */
export class PciBus implements Device, PortHandler {
  readonly name = "pci";
  readonly version = 1;
  readonly state = { address: 0 };
  readonly #functions = new Map<number, PciFunction>();
  /** Set by the board: the PIIX3. */
  router: PciInterruptRouter | null = null;

  /** Puts `fn` at `device`.`number` of bus 0. */
  connect(device: number, number: number, fn: PciFunction): void {
    this.#functions.set((device << 3) | number, fn);
  }

  /** The interrupt pin of `device` as a line: `pin` 0–3 for INTA#–INTD#. */
  interrupt(device: number, pin: number): IrqLine {
    return { set: (level) => this.router?.setInterrupt(device, pin, level) };
  }

  /** Claims the two configuration registers. */
  attach(ports: PortSpace): void {
    ports.claim(0xcf8, 4, this, 4);
    ports.claim(0xcfc, 4, this, 4);
  }

  reset(): void {
    this.state.address = 0;
  }

  read(port: number, size: AccessSize): number {
    const { address } = this.state;
    if (port === 0xcf8 && size === 4) return address;
    const ones = size === 4 ? 0xffffffff : size === 2 ? 0xffff : 0xff;
    if (port < 0xcfc) return ones;
    return this.#selected()?.read((address & 0xfc) | (port & 3), size) ?? ones;
  }

  write(port: number, value: number, size: AccessSize): void {
    if (port === 0xcf8 && size === 4) this.state.address = (value & 0x80fffffc) >>> 0;
    else if (port >= 0xcfc) this.#selected()?.write((this.state.address & 0xfc) | (port & 3), value, size);
  }

  #selected(): PciFunction | undefined {
    const { address } = this.state;
    if (address < 0x80000000 || ((address >>> 16) & 0xff) !== 0) return undefined;
    return this.#functions.get((address >>> 8) & 0xff);
  }
}
