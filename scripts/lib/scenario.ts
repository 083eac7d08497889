/** What the slicing fuzzer runs: how a case is laid out on the bare processor. */
import type { Cpu } from "../../lib/cpu/cpu.ts";
import { Access } from "../../lib/cpu/registers.ts";
import type { PhysicalMemory } from "../../lib/machine/memory.ts";
import type { Random } from "./random.ts";

/** A kind of cases. */
export interface Scenario {
  readonly name: string;
  /** Instructions between two interrupts, at most. */
  readonly gap: number;
  /** Puts code, data and registers where the case that `random` draws wants them; memory is zero. */
  prepare(cpu: Cpu, memory: PhysicalMemory, random: Random): void;
}

/** Bytes of memory. */
export const RAM = 0x20_0000;
/** Where all scenarios have their tables, and what the board of the fuzzer can write to: page table and playground. */
export const GDT = 0x1000, IDT = 0x2000, TABLE = 0xb000, PLAYGROUND = 0x10000;
/** Physical address of the device page. */
export const DEVICE_PHYSICAL = 0x60_0000;
/** Vector of the interrupts. */
export const INTERRUPT_VECTOR = 0x40;
/** Access bits of a flat data segment. */
export const FLAT: number = Access.PRESENT | Access.S | Access.READ_WRITE | Access.ACCESSED | Access.BIG |
  Access.GRANULARITY;

/** Writes a descriptor to the GDT. */
export function descriptor(
  memory: PhysicalMemory,
  selector: number,
  access: number,
  base: number,
  limit: number,
): void {
  memory.write32(GDT + (selector & 0xf8), ((base & 0xffff) << 16 | limit & 0xffff) >>> 0);
  memory.write32(
    GDT + (selector & 0xf8) + 4,
    ((base & 0xff00_0000) | (access & 0xf0ff) << 8 | limit & 0xf0000 | (base >>> 16) & 0xff) >>> 0,
  );
}
