/**
 * Guest-physical memory: one linear WebAssembly memory that holds RAM, ROM and video memory, and the map from physical
 * pages to it or to a device. The processor keeps its own state in front of them: V8 reaches a module's first memory with
 * two instructions less for each access than a second one.
 *
 * The processor's TLB is filled from this map, so plain memory costs nothing extra; only device pages, ROM writes and
 * watched frames come back here.
 */
import type { AccessSize, DmaMemory, MmioHandler } from "./types.ts";

export const PAGE_SHIFT = 12;
export const PAGE_SIZE = 1 << PAGE_SHIFT;
const PAGE_MASK = PAGE_SIZE - 1;
const FOUR_GIB = 2 ** 32;

/** What a physical page is. */
export const PageKind = { NONE: 0, RAM: 1, ROM: 2, MMIO: 3 } as const;

/** Reasons why writes to a host frame must not go unnoticed; a set of bits per frame in {@link PhysicalMemory.frameFlags}. */
export const FrameFlag = {
  /** The frame holds bytes that were decoded. */
  CODE: 1,
  /** The frame was read as a page table by a walk whose result may still be in a TLB. */
  PAGE_TABLE: 2,
} as const;

/** Told about changes that invalidate what a processor derived from memory. */
export interface MemoryWatcher {
  /**
   * A frame whose flags are not 0 is being written: `length` bytes at `offset` within host frame `frame`. Called after
   * the bytes changed.
   */
  written(frame: number, offset: number, length: number): void;
  /** The physical map changed: drop every cached translation. */
  remapped(): void;
}

/** A piece of the linear memory that belongs to a device or a ROM. */
export interface Region {
  /** Byte offset in {@link PhysicalMemory.bytes}, page aligned. */
  readonly offset: number;
  /** Bytes, a multiple of the page size. */
  readonly size: number;
}

/** Options of {@link PhysicalMemory}. */
export interface PhysicalMemoryOptions {
  /** RAM in bytes, a multiple of 4096. */
  ram: number;
  /** Bytes set aside for {@link PhysicalMemory.allocate} (video memory, ROMs). */
  extra?: number;
  /** Bytes in front of guest memory that belong to the processor, a multiple of 65536. */
  front?: number;
  /** Where in front of guest memory {@link PhysicalMemory.frameFlags} lie, if the processor's compiled code is to see them. */
  flags?: number;
}

/** A memory of `pages` pages of 64 KiB. Throws a RangeError that says how much was asked for if the host has not got it. */
function allocateMemory(pages: number): WebAssembly.Memory {
  try {
    return new WebAssembly.Memory({ initial: pages, maximum: pages });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new RangeError(`the host cannot provide ${Math.ceil(pages / 16)} MiB for a guest: give it less memory`);
  }
}

/** Guest-physical memory and its map. */
export class PhysicalMemory implements DmaMemory {
  /** The linear memory; the compiled code of this machine imports it. */
  readonly memory: WebAssembly.Memory;
  /** Where guest memory begins in {@link memory}. */
  readonly front: number;
  /** Guest memory: {@link memory} from {@link front} on. */
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** RAM in bytes; it occupies the start of {@link bytes}. */
  readonly ramSize: number;
  /** {@link FrameFlag} bits by host frame (byte offset in {@link bytes} divided by 4096). */
  readonly frameFlags: Uint8Array;
  watcher: MemoryWatcher | null = null;

  // Pages below 4 GiB by table, because the hole and the legacy area are irregular; above that there is only RAM.
  readonly #kind = new Uint8Array(FOUR_GIB / PAGE_SIZE);
  /**
   * By page of RAM and ROM: its host frame less its own number, one value for all that is mapped at once. Of MMIO: the
   * handler.
   */
  readonly #place = new Int32Array(FOUR_GIB / PAGE_SIZE);
  readonly #handlers: MmioHandler[] = [];
  #highRamFrame = 0;
  #highRamPages = 0;
  #next: number;

  /** @throws RangeError if the host cannot provide as much. */
  constructor(options: PhysicalMemoryOptions) {
    this.front = options.front ?? 0;
    const pages = Math.ceil((this.front + options.ram + (options.extra ?? 0x140_0000)) / 65536);
    this.memory = allocateMemory(pages);
    this.bytes = new Uint8Array(this.memory.buffer, this.front);
    this.view = new DataView(this.memory.buffer, this.front);
    this.ramSize = options.ram;
    // A quotient, not a shift: the largest memory has 2^32 bytes.
    const frames = this.bytes.length / PAGE_SIZE;
    this.frameFlags = options.flags === undefined
      ? new Uint8Array(frames)
      : new Uint8Array(this.memory.buffer, options.flags, frames);
    this.#next = options.ram;
  }

  /** Sets `size` bytes (rounded up to pages) of the linear memory aside, zero-filled. */
  allocate(size: number): Region {
    const rounded = (size + PAGE_MASK) & ~PAGE_MASK;
    if (this.#next + rounded > this.bytes.length) {
      throw new RangeError(`no room for a region of ${rounded} bytes: raise PhysicalMemoryOptions.extra`);
    }
    const region = { offset: this.#next, size: rounded };
    this.#next += rounded;
    return region;
  }

  /** Maps `size` bytes at physical `address` to the linear memory at `offset`, readable and writable. */
  mapRam(address: number, size: number, offset: number): void {
    if (address >= FOUR_GIB) {
      this.#highRamFrame = offset / PAGE_SIZE;
      this.#highRamPages = size / PAGE_SIZE;
      this.watcher?.remapped();
      return;
    }
    this.#map(address, size, PageKind.RAM, offset);
  }

  /** Maps `size` bytes at physical `address` to the linear memory at `offset`; writes are ignored. */
  mapRom(address: number, size: number, offset: number): void {
    this.#map(address, size, PageKind.ROM, offset);
  }

  /** Sends accesses to `size` bytes at physical `address` to `handler`. */
  mapMmio(address: number, size: number, handler: MmioHandler): void {
    let index = this.#handlers.indexOf(handler);
    if (index < 0) index = this.#handlers.push(handler) - 1;
    const first = address >>> PAGE_SHIFT, count = size >>> PAGE_SHIFT;
    this.#kind.fill(PageKind.MMIO, first, first + count);
    this.#place.fill(index, first, first + count);
    this.watcher?.remapped();
  }

  /** Takes whatever is mapped at `address` away: reads give all ones, writes are lost. */
  unmap(address: number, size: number): void {
    const first = address >>> PAGE_SHIFT;
    this.#kind.fill(PageKind.NONE, first, first + (size >>> PAGE_SHIFT));
    this.watcher?.remapped();
  }

  #map(address: number, size: number, kind: number, offset: number): void {
    if (((address | size | offset) & PAGE_MASK) !== 0) throw new RangeError("mappings are page aligned");
    const first = address >>> PAGE_SHIFT, count = size >>> PAGE_SHIFT, frame = offset / PAGE_SIZE;
    this.#kind.fill(kind, first, first + count);
    this.#place.fill(frame - first, first, first + count);
    this.watcher?.remapped();
  }

  /** What the physical page `page` (address divided by 4096) is: a {@link PageKind}. */
  kind(page: number): number {
    if (page < FOUR_GIB / PAGE_SIZE) return this.#kind[page];
    return page - FOUR_GIB / PAGE_SIZE < this.#highRamPages ? PageKind.RAM : PageKind.NONE;
  }

  /** The host frame behind physical page `page`; only for pages of kind RAM or ROM. */
  frame(page: number): number {
    if (page < FOUR_GIB / PAGE_SIZE) return page + this.#place[page];
    return this.#highRamFrame + (page - FOUR_GIB / PAGE_SIZE);
  }

  /** Reports a change of `length` bytes at byte `offset` of the linear memory to the watcher, if any of its frames is watched. */
  noteWrite(offset: number, length: number): void {
    const last = (offset + length - 1) >>> PAGE_SHIFT;
    for (let frame = offset >>> PAGE_SHIFT; frame <= last; frame++) {
      if (this.frameFlags[frame] === 0) continue;
      const start = Math.max(offset, frame * PAGE_SIZE);
      const end = Math.min(offset + length, (frame + 1) * PAGE_SIZE);
      this.watcher?.written(frame, start & PAGE_MASK, end - start);
    }
  }

  read(address: number, target: Uint8Array): void {
    for (let done = 0; done < target.length;) {
      const at = address + done;
      const chunk = Math.min(target.length - done, PAGE_SIZE - at % PAGE_SIZE);
      const page = Math.floor(at / PAGE_SIZE), kind = this.kind(page);
      if (kind === PageKind.RAM || kind === PageKind.ROM) {
        const offset = this.frame(page) * PAGE_SIZE + at % PAGE_SIZE;
        target.set(this.bytes.subarray(offset, offset + chunk), done);
      } else if (kind === PageKind.MMIO) {
        for (let i = 0; i < chunk; i++) target[done + i] = this.#handlers[this.#place[page]].read(at + i, 1);
      } else {
        target.fill(0xff, done, done + chunk);
      }
      done += chunk;
    }
  }

  write(address: number, source: Uint8Array): void {
    for (let done = 0; done < source.length;) {
      const at = address + done;
      const chunk = Math.min(source.length - done, PAGE_SIZE - at % PAGE_SIZE);
      const page = Math.floor(at / PAGE_SIZE), kind = this.kind(page);
      if (kind === PageKind.RAM) {
        const offset = this.frame(page) * PAGE_SIZE + at % PAGE_SIZE;
        this.bytes.set(source.subarray(done, done + chunk), offset);
        this.noteWrite(offset, chunk);
      } else if (kind === PageKind.MMIO) {
        for (let i = 0; i < chunk; i++) this.#handlers[this.#place[page]].write(at + i, source[done + i], 1);
      }
      done += chunk;
    }
  }

  /** Reads 1, 2 or 4 bytes, little-endian, at any alignment. */
  readSized(address: number, size: AccessSize): number {
    const page = Math.floor(address / PAGE_SIZE), within = address % PAGE_SIZE;
    if (within + size > PAGE_SIZE) {
      let value = 0;
      for (let i = 0; i < size; i++) value += this.readSized(address + i, 1) * 2 ** (8 * i);
      return value;
    }
    const kind = this.kind(page);
    if (kind === PageKind.MMIO) return this.#handlers[this.#place[page]].read(address, size);
    if (kind === PageKind.NONE) return size === 4 ? 0xffffffff : size === 2 ? 0xffff : 0xff;
    const offset = this.frame(page) * PAGE_SIZE + within;
    return size === 1
      ? this.bytes[offset]
      : size === 2
      ? this.view.getUint16(offset, true)
      : this.view.getUint32(offset, true);
  }

  /** Writes 1, 2 or 4 bytes, little-endian, at any alignment. */
  writeSized(address: number, value: number, size: AccessSize): void {
    const page = Math.floor(address / PAGE_SIZE), within = address % PAGE_SIZE;
    if (within + size > PAGE_SIZE) {
      for (let i = 0; i < size; i++) this.writeSized(address + i, (value >>> (8 * i)) & 0xff, 1);
      return;
    }
    const kind = this.kind(page);
    if (kind === PageKind.MMIO) return this.#handlers[this.#place[page]].write(address, value, size);
    if (kind !== PageKind.RAM) return;
    const offset = this.frame(page) * PAGE_SIZE + within;
    if (size === 1) this.bytes[offset] = value;
    else if (size === 2) this.view.setUint16(offset, value, true);
    else this.view.setUint32(offset, value, true);
    if (this.frameFlags[offset >>> PAGE_SHIFT] !== 0) this.noteWrite(offset, size);
  }

  read8(address: number): number {
    return this.readSized(address, 1);
  }

  read16(address: number): number {
    return this.readSized(address, 2);
  }

  read32(address: number): number {
    return this.readSized(address, 4);
  }

  write8(address: number, value: number): void {
    this.writeSized(address, value, 1);
  }

  write16(address: number, value: number): void {
    this.writeSized(address, value, 2);
  }

  write32(address: number, value: number): void {
    this.writeSized(address, value, 4);
  }
}
