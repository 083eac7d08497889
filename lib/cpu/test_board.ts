/** A processor with nothing but memory and a few observable pins, for unit tests. */
import { PROCESSOR_FRONT } from "./interpreter/layout.ts";
import { PAGE_SHIFT, PhysicalMemory } from "../machine/memory.ts";
import type { ProcessorBus, TimeScale } from "../machine/processor.ts";
import { Cpu } from "./cpu.ts";
import type { CpuOptions } from "./options.ts";
import { Access } from "./registers.ts";
import { CR0, S, Seg } from "./state.ts";

const RAM = 0x40_0000;
const FLAT = Access.PRESENT | Access.S | Access.READ_WRITE | Access.ACCESSED | Access.BIG | Access.GRANULARITY;

/** What {@link testBoard} makes. */
export interface TestBoard {
  readonly cpu: Cpu;
  readonly memory: PhysicalMemory;
  /** Port writes in order: [port, value, instructions retired before it]. */
  readonly writes: [number, number, number][];
  /** Copies code to a physical address. */
  load(address: number, ...bytes: number[]): void;
}

/** Little-endian bytes of a 32-bit number. */
export function dword(value: number): number[] {
  return [value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, value >>> 24];
}

/** Writes a page directory with one page table for 32-bit paging: `pages` pages from address 0, each with the frame of its own number. */
export function mapFrames(memory: PhysicalMemory, directory: number, table: number, pages: number, rights = 3): void {
  memory.write32(directory, table | 7);
  for (let page = 0; page < pages; page++) memory.write32(table + 4 * page, (page << PAGE_SHIFT) | rights);
}

/** A cycle takes a nanosecond, as on a machine that is not configured otherwise. */
const CYCLE_PER_NS: TimeScale = { skipped: 0, ns: 1, instructions: 1 };

/** 4 MiB of RAM from address 0, a processor in flat 32-bit protected mode at privilege 0, IP 0x1000, stack at 0x8000. */
export function testBoard(options: CpuOptions = {}, timeScale = CYCLE_PER_NS): TestBoard {
  const memory = new PhysicalMemory({ ram: RAM, extra: 0x10000, ...PROCESSOR_FRONT });
  memory.mapRam(0, RAM, 0);
  const writes: [number, number, number][] = [];
  const bus: ProcessorBus = {
    memory,
    ioRead: (_port, size) => 2 ** (8 * size) - 1,
    ioWrite: (port, value) => writes.push([port, value, cpu.instructions]),
    acknowledge: () => 0x20,
    timestamp: () => timeScale.skipped + Math.floor(cpu.cycles * timeScale.ns / timeScale.instructions),
    timeScale,
    floatingPointError: () => false,
  };
  const cpu: Cpu = new Cpu(bus, options);
  for (const segment of [Seg.ES, Seg.SS, Seg.DS, Seg.FS, Seg.GS]) cpu.r.setSegment(segment, 0x10, 0, 0xffff_ffff, FLAT);
  cpu.r.setSegment(Seg.CS, 0x08, 0, 0xffff_ffff, FLAT | Access.CODE);
  cpu.r.setI32(S.CR0, CR0.PE | CR0.ET);
  cpu.r.ip = 0x1000;
  cpu.r.set32(4, 0x8000);
  cpu.modeChanged();
  return { cpu, memory, writes, load: (address, ...bytes) => memory.write(address, new Uint8Array(bytes)) };
}
