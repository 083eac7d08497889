/** Multiboot 1 kernels. Source: Free Software Foundation, "Multiboot Specification" 0.6.96. */
import { clear, isElf, type LoadedElf, loadElf, parseElf } from "./elf.ts";
import { KernelFormatError, KernelProtocolError } from "./errors.ts";
import { type InitialState, Register } from "./initial_state.ts";
import { Blob, INFORMATION, placeHigh, placeTables } from "./placement.ts";
import { flatState } from "./pvh.ts";
import { commandLineBytes, extendedEnd, type KernelImage, type LoadTarget, requireRam } from "./types.ts";

const MAGIC = 0x1badb002, BOOT_MAGIC = 0x2badb002;
const SEARCH = 8192;
const HeaderFlag = { PAGE_ALIGN: 1, MEMORY: 2, VIDEO: 4, ADDRESSES: 0x10000 } as const;
const KNOWN_REQUIREMENTS = HeaderFlag.PAGE_ALIGN | HeaderFlag.MEMORY;
/** Bits of the information's flags: memory sizes, command line, modules, memory map, loader's name. */
const InfoFlag = { MEMORY: 1, COMMAND_LINE: 4, MODULES: 8, MAP: 0x40, LOADER_NAME: 0x200 } as const;
const INFO_SIZE = 116;

/** Offset of the multiboot 1 header, or -1. */
export function findMultiboot(image: Uint8Array): number {
  const view = new DataView(image.buffer, image.byteOffset, image.length);
  for (let at = 0; at + 12 <= Math.min(SEARCH, image.length); at += 4) {
    if (view.getUint32(at, true) !== MAGIC) continue;
    const sum = MAGIC + view.getUint32(at + 4, true) + view.getUint32(at + 8, true);
    if (sum % 2 ** 32 === 0) return at;
  }
  return -1;
}

/**
 * Loads a multiboot 1 kernel with one module.
 *
 * @throws KernelError if the header is damaged, asks for what this loader does not do, or memory is too small.
 */
export function loadMultiboot(target: LoadTarget, kernel: KernelImage): InitialState {
  const { image } = kernel, at = findMultiboot(image);
  if (at < 0) throw new KernelFormatError("the file has no multiboot header");
  const view = new DataView(image.buffer, image.byteOffset, image.length);
  const flags = view.getUint32(at + 4, true);
  const unknown = flags & 0xffff & ~KNOWN_REQUIREMENTS & ~HeaderFlag.VIDEO;
  if (unknown !== 0) {
    throw new KernelProtocolError(
      `the multiboot header requires features 0x${unknown.toString(16)}, which do not exist`,
    );
  }
  const loaded = (flags & HeaderFlag.ADDRESSES) !== 0
    ? loadByAddresses(target, image, view, at)
    : loadMultibootElf(target, image);
  const tables = placeTables(loaded.extents);
  return flatState(target, tables, loaded.entry, {
    [Register.AX]: BOOT_MAGIC,
    [Register.BX]: writeInformation(target, kernel, tables + INFORMATION, loaded.high),
  });
}

/** Loads the ELF file that a multiboot kernel without addresses must be. */
export function loadMultibootElf(target: LoadTarget, image: Uint8Array): LoadedElf {
  if (!isElf(image)) throw new KernelFormatError("the multiboot kernel has no load addresses and is no ELF file");
  return loadElf(target, image, parseElf(image));
}

/** The a.out kludge: the header says what goes where. */
function loadByAddresses(target: LoadTarget, image: Uint8Array, view: DataView, at: number): LoadedElf {
  if (at + 32 > image.length) throw new KernelFormatError("the multiboot header is cut short");
  const [header, load, loadEnd, bssEnd, entry] = [12, 16, 20, 24, 28].map((offset) =>
    view.getUint32(at + offset, true)
  );
  return loadFlat(target, image, { at, header, load, loadEnd, bssEnd, entry });
}

/** Addresses of a kernel that is no ELF file, and the offset of the header in the file. */
export interface FlatAddresses {
  readonly at: number;
  readonly header: number;
  readonly load: number;
  /** 0: to the file's end. */
  readonly loadEnd: number;
  /** 0: no cleared memory. */
  readonly bssEnd: number;
  readonly entry: number;
}

/** Copies a flat kernel to where its header says. */
export function loadFlat(
  target: LoadTarget,
  image: Uint8Array,
  { at, header, load, loadEnd, bssEnd, entry }: FlatAddresses,
): LoadedElf {
  const start = at - (header - load);
  const length = loadEnd === 0 ? image.length - start : loadEnd - load;
  if (start < 0 || header < load || length < 0 || start + length > image.length) {
    throw new KernelFormatError("the addresses in the multiboot header do not fit the file");
  }
  const high = Math.max(load + length, bssEnd);
  requireRam(target, load, high - load, "the kernel");
  target.memory.write(load, image.subarray(start, start + length));
  clear(target, load + length, high - load - length);
  return { extents: [{ start: load, end: high }], high, entry };
}

/** Puts the boot information at `address`, and returns that. */
function writeInformation(target: LoadTarget, kernel: KernelImage, address: number, kernelEnd: number): number {
  const blob = new Blob(address);
  const information = new Uint8Array(INFO_SIZE);
  blob.add(information);
  const fields = new DataView(information.buffer);
  const set = (offset: number, value: number) => fields.setUint32(offset, value, true);
  let flags: number = InfoFlag.MEMORY | InfoFlag.COMMAND_LINE | InfoFlag.MAP | InfoFlag.LOADER_NAME;
  set(4, 639);
  set(8, (extendedEnd(target.map) - 0x100000) / 1024);
  const line = commandLineBytes(kernel.commandLine ?? "");
  set(16, blob.add(line));
  if (kernel.initrd !== undefined) {
    flags |= InfoFlag.MODULES;
    const start = placeHigh(target, kernel.initrd, kernelEnd, "the module");
    const module = Uint32Array.of(start, start + kernel.initrd.length, blob.add(line), 0);
    set(20, 1);
    set(24, blob.add(new Uint8Array(module.buffer)));
  }
  const map = new Uint8Array(target.map.length * 24);
  const entries = new DataView(map.buffer);
  target.map.forEach(({ base, length, type }, i) => {
    entries.setUint32(i * 24, 20, true);
    entries.setBigUint64(i * 24 + 4, BigInt(base), true);
    entries.setBigUint64(i * 24 + 12, BigInt(length), true);
    entries.setUint32(i * 24 + 20, type, true);
  });
  set(44, map.length);
  set(48, blob.add(map));
  set(64, blob.add(commandLineBytes("Bootwright")));
  set(0, flags);
  requireRam(target, address, blob.bytes().length, "the boot information");
  target.memory.write(address, blob.bytes());
  target.memory.write(address, information);
  return address;
}
