/** What all kernel loaders share. */
import type { DmaMemory } from "../../machine/types.ts";
import { type MemoryRange, RangeType } from "../memory_map.ts";
import { KernelMemoryError } from "./errors.ts";

/** A kernel and what goes with it. */
export interface KernelImage {
  readonly image: Uint8Array;
  /** Initial RAM disk, or the first module. */
  readonly initrd?: Uint8Array;
  readonly commandLine?: string;
}

/** The machine that a kernel is loaded into. */
export interface LoadTarget {
  readonly memory: DmaMemory;
  /** All ranges of memory, ascending. */
  readonly map: readonly MemoryRange[];
  /** Physical address of the ACPI root pointer; 0 if there is none. */
  readonly rsdp: number;
  /** The processor is an old one: a kernel that can find out whether it has all that the kernel needs is to do so. */
  readonly oldProcessor?: boolean;
}

const MIB = 0x100000;
/** First byte that loaders must leave alone below 640 KiB: the extended BIOS data area, with some room. */
const BASE_END = 0x9f000;

/** First byte above the RAM that begins at 1 MiB. */
export function extendedEnd(map: readonly MemoryRange[]): number {
  const range = map.find(({ base, type }) => base === MIB && type === RangeType.RAM);
  return range === undefined ? MIB : range.base + range.length;
}

/** Makes sure that `length` bytes at `address` are RAM that a loader may fill. */
export function requireRam(target: LoadTarget, address: number, length: number, what: string): void {
  const end = address + length;
  if (end <= BASE_END && address >= 0x600) return;
  if (address >= MIB && end <= extendedEnd(target.map)) return;
  throw new KernelMemoryError(
    `${what} takes ${length} bytes at 0x${address.toString(16)}, where the machine has no RAM for it: ` +
      `give it more memory (its RAM ends at 0x${extendedEnd(target.map).toString(16)})`,
  );
}

/** A command line as bytes with a terminating zero. Characters beyond Latin-1 become `?`. */
export function commandLineBytes(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length + 1);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i) > 0xff ? 0x3f : text.charCodeAt(i);
  return bytes;
}
