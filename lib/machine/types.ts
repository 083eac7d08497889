/**
 * The contracts between the board and its devices: what a device is, how it is reached by the guest (ports, memory),
 * how it asks for attention (interrupt lines), how it knows the time (clock), and how it touches memory (DMA).
 *
 * Everything here is synchronous and deterministic: no host API, no promise, no wall clock.
 */

/** Width of one bus access in bytes. */
export type AccessSize = 1 | 2 | 4;

/**
 * Values that a device's `state` may hold: numbers, strings, booleans, null, bigints, typed arrays, arrays and plain
 * records of these.
 */
export type StateValue =
  | number
  | bigint
  | string
  | boolean
  | null
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | Int32Array
  | BigUint64Array
  | StateValue[]
  | { [key: string]: StateValue };

/** A device's whole mutable state: one plain record. Saving, hashing, comparing and restoring are generic over it. */
export type DeviceState = { [key: string]: StateValue };

/**
 * A device of the board. All mutable state lives in `state`; everything else is wiring that is fixed at construction
 * (or can be derived again from `state` in {@link Device.restored}).
 */
export interface Device {
  /** Unique name on the board, for example `"i8259"`, `"ns16550.0"`. The key of its state in a snapshot. */
  readonly name: string;
  /** Version of the layout of `state`; raised whenever a field changes meaning. */
  readonly version: number;
  /** All mutable state. Restoring copies saved values into this object (it is never replaced as a whole). */
  readonly state: DeviceState;
  /** Power-on or hardware reset: puts `state` into the data sheet's reset state. */
  reset(): void;
  /** A clock event that this device scheduled has come due. */
  event?(name: string, argument: number): void;
  /** Called after `state` was restored from a snapshot, to rebuild what is derived from it (mappings, line levels …). */
  restored?(): void;
}

/** Handles a range of I/O ports. Values are unsigned; reads of fewer bits must not return more. */
export interface PortHandler {
  read(port: number, size: AccessSize): number;
  write(port: number, value: number, size: AccessSize): void;
}

/**
 * Handles a range of physical memory that is not plain RAM or ROM. 64-bit guest accesses arrive as two 32-bit ones, low
 * half first.
 */
export interface MmioHandler {
  read(address: number, size: AccessSize): number;
  write(address: number, value: number, size: AccessSize): void;
}

/** The I/O port space. An access wider than a handler accepts is split into narrower ones; unclaimed ports read all ones. */
export interface PortSpace {
  /**
   * Claims `count` ports from `base`. `widest` is the widest access the handler takes in one piece (default 1): wider
   * ones are split. A later claim of the same port replaces the earlier one until it is released.
   */
  claim(base: number, count: number, handler: PortHandler, widest?: AccessSize): PortClaim;
}

/** Gives a claimed port range back. */
export interface PortClaim {
  release(): void;
}

/** A level-triggered view of an interrupt request line; edge detection is the interrupt controller's business. */
export interface IrqLine {
  /** Drives the line: `true` asserts it. Setting the level that it already has does nothing. */
  set(level: boolean): void;
}

/**
 * Virtual time. The unit is the nanosecond of guest time, an integer. It advances with instructions retired and jumps
 * when every processor halts; it is never related to the host's time.
 */
export interface Clock {
  /** Nanoseconds of guest time since power-on, exact to the instruction that is executing. */
  readonly now: number;
  /**
   * Arranges for `device.event(event, argument)` at time `at` (or as soon as possible if `at` has passed). A device has
   * at most one pending event of a given name: scheduling again moves it.
   */
  schedule(device: string, event: string, at: number, argument?: number): void;
  /** Forgets a pending event, if there is one. */
  cancel(device: string, event: string): void;
}

/**
 * Guest-physical memory as bus masters see it: RAM, ROM (writes ignored) and device memory. Addresses are physical,
 * below 2^52.
 */
export interface DmaMemory {
  /** Reads `target.length` bytes starting at `address`. Addresses without memory read 0xFF. */
  read(address: number, target: Uint8Array): void;
  /** Writes all bytes of `source` at `address`; what was decoded or translated from there is forgotten. */
  write(address: number, source: Uint8Array): void;
  read8(address: number): number;
  read16(address: number): number;
  read32(address: number): number;
  write8(address: number, value: number): void;
  write16(address: number, value: number): void;
  write32(address: number, value: number): void;
}

/** The far end of a serial line: what the guest sends, and what it may receive. Implemented by the host side. */
export interface SerialBackend {
  /** The guest transmitted one byte. */
  transmit(byte: number): void;
}

/** The far end of a parallel port. */
export interface ParallelBackend {
  /** The guest strobed one byte out. */
  print(byte: number): void;
}

/**
 * Random access to the contents of a disk, floppy or CD. Synchronous: data that is not in memory is read on demand.
 * Offsets and lengths are in bytes and are multiples of `blockSize`.
 */
export interface BlockBackend {
  /** Size of the medium in bytes. */
  readonly size: number;
  /** True if writes are refused (CD, write-protected floppy). */
  readonly readOnly: boolean;
  /** Fills `target` with the bytes at `offset`. Throws {@link BlockError} when the medium cannot be read. */
  read(offset: number, target: Uint8Array): void;
  /** Stores `source` at `offset` in the overlay. Throws {@link BlockError} on a read-only medium or a host error. */
  write(offset: number, source: Uint8Array): void;
  /** Makes written data durable where the backend has such a notion. */
  flush(): void;
}

/** A medium failed: the device reports its own data-sheet error to the guest. */
export class BlockError extends Error {
  override readonly name = "BlockError";
}
