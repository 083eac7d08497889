/**
 * Memory as a BIOS service sees it: linear addresses. In real mode they are physical; when the BIOS is called from
 * virtual-8086 or protected mode with paging on (EMM386, APM), they go through the guest's page tables.
 */
import type { DmaMemory } from "../machine/types.ts";
import type { CpuAccess } from "./cpu_access.ts";

const PAGE = 4096;
const CR0_PG = 0x8000_0000;
const CR4_PSE = 0x10;
const CR4_PAE = 0x20;
/** Page table entry bits. Intel SDM vol. 3A, section 4.3. */
const PTE = { PRESENT: 1, ACCESSED: 0x20, DIRTY: 0x40, LARGE: 0x80 } as const;

/** Byte-wise and block-wise access to linear memory. Addresses wrap at 4 GiB; pages that are not present read 0xFF and lose writes. */
export class LinearMemory {
  constructor(readonly physical: DmaMemory, private readonly cpu: CpuAccess) {}

  /** True while linear and physical addresses are the same. */
  get identity(): boolean {
    return (this.cpu.cr0 & CR0_PG) === 0;
  }

  /** Physical address behind `linear`, or -1 if its page is not present. Marks the page accessed (and dirty if `write`). */
  translate(linear: number, write = false): number {
    linear >>>= 0;
    if (this.identity) return linear;
    return (this.cpu.cr4 & CR4_PAE) !== 0 ? this.#walkPae(linear, write) : this.#walk32(linear, write);
  }

  #walk32(linear: number, write: boolean): number {
    const memory = this.physical;
    const pdeAt = (this.cpu.cr3 & 0xffff_f000) + (linear >>> 22) * 4 >>> 0;
    const pde = memory.read32(pdeAt);
    if ((pde & PTE.PRESENT) === 0) return -1;
    if ((pde & PTE.LARGE) !== 0 && (this.cpu.cr4 & CR4_PSE) !== 0) {
      this.#mark(pdeAt, pde, write);
      return ((pde >>> 13) & 0xff) * 2 ** 32 + (((pde & 0xffc0_0000) | (linear & 0x3f_ffff)) >>> 0);
    }
    this.#mark(pdeAt, pde, false);
    const pteAt = ((pde & 0xffff_f000) >>> 0) + ((linear >>> 12) & 0x3ff) * 4;
    const pte = memory.read32(pteAt);
    if ((pte & PTE.PRESENT) === 0) return -1;
    this.#mark(pteAt, pte, write);
    return ((pte & 0xffff_f000) | (linear & 0xfff)) >>> 0;
  }

  #walkPae(linear: number, write: boolean): number {
    const memory = this.physical;
    const high = (entryAt: number) => (memory.read32(entryAt + 4) & 0xfffff) * 2 ** 32;
    const pdpteAt = ((this.cpu.cr3 & 0xffff_ffe0) >>> 0) + (linear >>> 30) * 8;
    const pdpte = memory.read32(pdpteAt);
    if ((pdpte & PTE.PRESENT) === 0) return -1;
    const pdeAt = high(pdpteAt) + ((pdpte & 0xffff_f000) >>> 0) + ((linear >>> 21) & 0x1ff) * 8;
    const pde = memory.read32(pdeAt);
    if ((pde & PTE.PRESENT) === 0) return -1;
    if ((pde & PTE.LARGE) !== 0) {
      this.#mark(pdeAt, pde, write);
      return high(pdeAt) + (((pde & 0xffe0_0000) | (linear & 0x1f_ffff)) >>> 0);
    }
    this.#mark(pdeAt, pde, false);
    const pteAt = high(pdeAt) + ((pde & 0xffff_f000) >>> 0) + ((linear >>> 12) & 0x1ff) * 8;
    const pte = memory.read32(pteAt);
    if ((pte & PTE.PRESENT) === 0) return -1;
    this.#mark(pteAt, pte, write);
    return high(pteAt) + (((pte & 0xffff_f000) | (linear & 0xfff)) >>> 0);
  }

  #mark(entryAt: number, entry: number, write: boolean): void {
    const marked = entry | PTE.ACCESSED | (write ? PTE.DIRTY : 0);
    if (marked !== entry) this.physical.write32(entryAt, marked >>> 0);
  }

  /** Fills `target` with the bytes at `linear`. */
  read(linear: number, target: Uint8Array): void {
    for (let done = 0; done < target.length;) {
      const at = (linear + done) >>> 0;
      const chunk = Math.min(target.length - done, PAGE - at % PAGE);
      const physical = this.translate(at);
      if (physical < 0) target.fill(0xff, done, done + chunk);
      else this.physical.read(physical, target.subarray(done, done + chunk));
      done += chunk;
    }
  }

  /** Writes `source` at `linear`. */
  write(linear: number, source: Uint8Array): void {
    for (let done = 0; done < source.length;) {
      const at = (linear + done) >>> 0;
      const chunk = Math.min(source.length - done, PAGE - at % PAGE);
      const physical = this.translate(at, true);
      if (physical >= 0) this.physical.write(physical, source.subarray(done, done + chunk));
      done += chunk;
    }
  }

  /** A copy of `length` bytes at `linear`. */
  bytes(linear: number, length: number): Uint8Array {
    const copy = new Uint8Array(length);
    this.read(linear, copy);
    return copy;
  }

  read8(linear: number): number {
    const physical = this.translate(linear);
    return physical < 0 ? 0xff : this.physical.read8(physical);
  }

  read16(linear: number): number {
    return this.read8(linear) | this.read8(linear + 1) << 8;
  }

  read32(linear: number): number {
    return (this.read16(linear) | this.read16(linear + 2) << 16) >>> 0;
  }

  write8(linear: number, value: number): void {
    const physical = this.translate(linear, true);
    if (physical >= 0) this.physical.write8(physical, value & 0xff);
  }

  write16(linear: number, value: number): void {
    this.write8(linear, value);
    this.write8(linear + 1, value >>> 8);
  }

  write32(linear: number, value: number): void {
    this.write16(linear, value);
    this.write16(linear + 2, value >>> 16);
  }
}
