/** ELF32 executables for the i386: program headers, loading, notes. Source: Tool Interface Standard, ELF specification 1.2. */
import { KernelFormatError, KernelProtocolError } from "./errors.ts";
import type { Extent } from "./placement.ts";
import { type LoadTarget, requireRam } from "./types.ts";

const PT_LOAD = 1, PT_NOTE = 4;
const ET_EXEC = 2, ET_DYN = 3;
const EM_386 = 3, EM_X86_64 = 62;
const MAX_PROGRAM_HEADERS = 1024;

/** One program header. */
export interface ElfSegment {
  readonly type: number;
  readonly offset: number;
  readonly virtualAddress: number;
  readonly physicalAddress: number;
  readonly fileSize: number;
  readonly memorySize: number;
}

/** The parts of an ELF file that loading needs. */
export interface ElfFile {
  readonly bits: 32 | 64;
  /** Virtual address of the entry point. */
  readonly entry: number;
  readonly segments: readonly ElfSegment[];
}

/** True if the file starts like an ELF file. */
export function isElf(image: Uint8Array): boolean {
  return image.length >= 4 && image[0] === 0x7f && image[1] === 0x45 && image[2] === 0x4c && image[3] === 0x46;
}

/**
 * Reads the headers of an i386 or x86-64 executable.
 *
 * @throws KernelFormatError if the file is damaged, KernelProtocolError if it is for another machine.
 */
export function parseElf(image: Uint8Array): ElfFile {
  if (!isElf(image) || image.length < 52) throw new KernelFormatError("the file is no ELF executable");
  const view = new DataView(image.buffer, image.byteOffset, image.length);
  const bits = image[4] === 1 ? 32 : image[4] === 2 ? 64 : 0;
  if (bits === 0 || image[5] !== 1) {
    throw new KernelFormatError("the ELF file is neither a 32-bit nor a 64-bit little-endian one");
  }
  if (bits === 64 && image.length < 64) throw new KernelFormatError("the ELF file's header is cut short");
  const type = view.getUint16(16, true), machine = view.getUint16(18, true);
  if (machine !== EM_386 && machine !== EM_X86_64) {
    throw new KernelProtocolError(`the ELF file is for machine type ${machine}, not for an x86`);
  }
  if (type !== ET_EXEC && type !== ET_DYN) {
    throw new KernelProtocolError(`the ELF file has type ${type}: it is no executable`);
  }
  const word = (at: number) => bits === 32 ? view.getUint32(at, true) : wide(view, at);
  const entry = word(24), table = word(bits === 32 ? 28 : 32);
  const size = view.getUint16(bits === 32 ? 42 : 54, true), count = view.getUint16(bits === 32 ? 44 : 56, true);
  const least = bits === 32 ? 32 : 56;
  if (count === 0 || count > MAX_PROGRAM_HEADERS || size < least || table + count * size > image.length) {
    throw new KernelFormatError("the ELF file's program headers are missing or damaged");
  }
  const segments = Array.from({ length: count }, (_, i) => readSegment(view, table + i * size, bits));
  return { bits, entry, segments };
}

function wide(view: DataView, at: number): number {
  return view.getUint32(at + 4, true) * 2 ** 32 + view.getUint32(at, true);
}

function readSegment(view: DataView, at: number, bits: 32 | 64): ElfSegment {
  const type = view.getUint32(at, true);
  const fields = bits === 32
    ? [4, 8, 12, 16, 20].map((offset) => view.getUint32(at + offset, true))
    : [8, 16, 24, 32, 40].map((offset) => wide(view, at + offset));
  const [offset, virtualAddress, physicalAddress, fileSize, memorySize] = fields;
  return { type, offset, virtualAddress, physicalAddress, fileSize, memorySize };
}

/** What loading has filled, its end, and the entry point as a physical address. */
export interface LoadedElf {
  readonly extents: readonly Extent[];
  readonly high: number;
  readonly entry: number;
}

/**
 * Copies the loadable segments to their physical addresses and clears what the file does not hold.
 *
 * @throws KernelError if a segment is damaged or has no RAM.
 */
export function loadElf(target: LoadTarget, image: Uint8Array, file: ElfFile): LoadedElf {
  const loadable = file.segments.filter(({ type, memorySize }) => type === PT_LOAD && memorySize > 0);
  if (loadable.length === 0) throw new KernelFormatError("the ELF file has nothing to load");
  const extents: Extent[] = [];
  let high = 0, { entry } = file;
  for (const segment of loadable) {
    const { offset, fileSize, memorySize, physicalAddress, virtualAddress } = segment;
    if (fileSize > memorySize || offset + fileSize > image.length) {
      throw new KernelFormatError("a segment of the ELF file lies beyond its end: the file is cut short or damaged");
    }
    requireRam(target, physicalAddress, memorySize, "a segment of the kernel");
    target.memory.write(physicalAddress, image.subarray(offset, offset + fileSize));
    clear(target, physicalAddress + fileSize, memorySize - fileSize);
    if (file.entry >= virtualAddress && file.entry < virtualAddress + memorySize) {
      entry = file.entry - virtualAddress + physicalAddress;
    }
    extents.push({ start: physicalAddress, end: physicalAddress + memorySize });
    high = Math.max(high, physicalAddress + memorySize);
  }
  return { extents, high, entry };
}

/** Clears memory in pieces, as the length may be large. */
export function clear(target: LoadTarget, address: number, length: number): void {
  const zeros = new Uint8Array(Math.min(length, 0x10000));
  for (let done = 0; done < length; done += zeros.length) {
    target.memory.write(address + done, zeros.subarray(0, Math.min(zeros.length, length - done)));
  }
}

/** The contents of the note with this name and type, or null. */
export function findNote(image: Uint8Array, file: ElfFile, name: string, type: number): Uint8Array | null {
  const view = new DataView(image.buffer, image.byteOffset, image.length);
  for (const segment of file.segments) {
    if (segment.type !== PT_NOTE) continue;
    const end = Math.min(image.length, segment.offset + segment.fileSize);
    for (let at = segment.offset; at + 12 <= end;) {
      const nameSize = view.getUint32(at, true), size = view.getUint32(at + 4, true);
      const nameAt = at + 12, contentsAt = nameAt + align4(nameSize);
      if (nameSize > end - at || size > end - at || contentsAt + size > end) break;
      const found = String.fromCharCode(...image.subarray(nameAt, nameAt + Math.min(nameSize, name.length)));
      if (found === name && view.getUint32(at + 8, true) === type) return image.subarray(contentsAt, contentsAt + size);
      at = contentsAt + align4(size);
    }
  }
  return null;
}

function align4(value: number): number {
  return Math.ceil(value / 4) * 4;
}
