/** Multiboot 2 kernels. Source: Free Software Foundation, "Multiboot2 Specification" 2.0. */
import { KernelFormatError, KernelProtocolError } from "./errors.ts";
import { type InitialState, Register } from "./initial_state.ts";
import { type FlatAddresses, loadFlat, loadMultibootElf } from "./multiboot.ts";
import { INFORMATION, placeHigh, placeTables } from "./placement.ts";
import { flatState } from "./pvh.ts";
import { commandLineBytes, extendedEnd, type KernelImage, type LoadTarget, requireRam } from "./types.ts";

const MAGIC = 0xe85250d6, BOOT_MAGIC = 0x36d76289;
const SEARCH = 32768;

/** Header tags. */
const HeaderTag = {
  END: 0,
  INFORMATION: 1,
  ADDRESS: 2,
  ENTRY: 3,
  CONSOLE: 4,
  FRAMEBUFFER: 5,
  ALIGN: 6,
  EFI: 7,
  RELOCATABLE: 10,
} as const;
const OPTIONAL = 1;
/** Information tags. */
const InfoTag = {
  END: 0,
  COMMAND_LINE: 1,
  LOADER_NAME: 2,
  MODULE: 3,
  MEMORY: 4,
  MAP: 6,
  ACPI_OLD: 14,
  ACPI_NEW: 15,
} as const;
const PROVIDED: ReadonlySet<number> = new Set(Object.values(InfoTag));

/** Offset of the multiboot 2 header, or -1. */
export function findMultiboot2(image: Uint8Array): number {
  const view = new DataView(image.buffer, image.byteOffset, image.length);
  for (let at = 0; at + 16 <= Math.min(SEARCH, image.length); at += 8) {
    if (view.getUint32(at, true) !== MAGIC) continue;
    const sum = [0, 4, 8, 12].reduce((total, offset) => total + view.getUint32(at + offset, true), 0);
    if (sum % 2 ** 32 === 0) return at;
  }
  return -1;
}

/** What the header's tags ask for. */
interface Requests {
  addresses: Omit<FlatAddresses, "at" | "entry"> | null;
  entry: number | null;
}

/**
 * Loads a multiboot 2 kernel with one module, in 32-bit protected mode.
 *
 * @throws KernelError if the header is damaged, asks for what this loader does not do, or memory is too small.
 */
export function loadMultiboot2(target: LoadTarget, kernel: KernelImage): InitialState {
  const { image } = kernel, at = findMultiboot2(image);
  if (at < 0) throw new KernelFormatError("the file has no multiboot 2 header");
  const view = new DataView(image.buffer, image.byteOffset, image.length);
  if (view.getUint32(at + 4, true) !== 0) throw new KernelProtocolError("the multiboot 2 kernel is not for the i386");
  const requests = readTags(view, at);
  const { addresses } = requests;
  if (addresses !== null && requests.entry === null) {
    throw new KernelFormatError("the multiboot 2 header has load addresses but no entry address");
  }
  const loaded = addresses === null
    ? loadMultibootElf(target, image)
    : loadFlat(target, image, { ...addresses, at, entry: 0 });
  const information = buildInformation(target, kernel, loaded.high);
  const tables = placeTables(loaded.extents), address = tables + INFORMATION;
  requireRam(target, address, information.length, "the boot information");
  target.memory.write(address, information);
  return flatState(target, tables, requests.entry ?? loaded.entry, {
    [Register.AX]: BOOT_MAGIC,
    [Register.BX]: address,
  });
}

function readTags(view: DataView, header: number): Requests {
  const end = header + view.getUint32(header + 8, true);
  if (end > view.byteLength) throw new KernelFormatError("the multiboot 2 header is cut short");
  const requests: Requests = { addresses: null, entry: null };
  for (let at = header + 16; at + 8 <= end;) {
    const type = view.getUint16(at, true), flags = view.getUint16(at + 2, true), size = view.getUint32(at + 4, true);
    if (size < 8 || at + size > end) throw new KernelFormatError("a tag of the multiboot 2 header is damaged");
    if (type === HeaderTag.END) break;
    readTag(view, at, type, size, (flags & OPTIONAL) !== 0, requests);
    at += Math.ceil(size / 8) * 8;
  }
  return requests;
}

function readTag(view: DataView, at: number, type: number, size: number, optional: boolean, requests: Requests): void {
  const word = (index: number) => view.getUint32(at + 8 + index * 4, true);
  switch (type) {
    case HeaderTag.INFORMATION:
      for (let i = 0; i < (size - 8) >> 2 && !optional; i++) {
        if (!PROVIDED.has(word(i))) {
          throw new KernelProtocolError(`the kernel requires boot information of type ${word(i)}, which there is not`);
        }
      }
      return;
    case HeaderTag.ADDRESS:
      if (size < 24) throw new KernelFormatError("the address tag of the multiboot 2 header is damaged");
      requests.addresses = { header: word(0), load: word(1), loadEnd: word(2), bssEnd: word(3) };
      return;
    case HeaderTag.ENTRY:
      if (size < 12) throw new KernelFormatError("the entry tag of the multiboot 2 header is damaged");
      requests.entry = word(0);
      return;
    case HeaderTag.CONSOLE:
    case HeaderTag.FRAMEBUFFER:
    case HeaderTag.ALIGN:
    case HeaderTag.RELOCATABLE:
      // The screen is in text mode, which the console tag allows; modules are page aligned; no relocation is needed.
      return;
    default:
      if (!optional && type !== HeaderTag.EFI) {
        throw new KernelProtocolError(`the multiboot 2 header requires tag ${type}, which this loader does not know`);
      }
  }
}

function buildInformation(target: LoadTarget, kernel: KernelImage, kernelEnd: number): Uint8Array {
  const bytes: number[] = new Array<number>(8).fill(0);
  const word = (value: number) => bytes.push(value & 0xff, value >>> 8 & 0xff, value >>> 16 & 0xff, value >>> 24);
  const wide = (value: number) => {
    word(value >>> 0);
    word(Math.floor(value / 2 ** 32));
  };
  const tag = (type: number, size: number, write: () => void) => {
    word(type);
    word(8 + size);
    write();
    while (bytes.length % 8 !== 0) bytes.push(0);
  };
  const string = (type: number, text: string) => {
    const line = commandLineBytes(text);
    tag(type, line.length, () => bytes.push(...line));
  };
  string(InfoTag.COMMAND_LINE, kernel.commandLine ?? "");
  string(InfoTag.LOADER_NAME, "Bootwright");
  if (kernel.initrd !== undefined) {
    const start = placeHigh(target, kernel.initrd, kernelEnd, "the module"), end = start + kernel.initrd.length;
    const line = commandLineBytes(kernel.commandLine ?? "");
    tag(InfoTag.MODULE, 8 + line.length, () => {
      word(start);
      word(end);
      bytes.push(...line);
    });
  }
  tag(InfoTag.MEMORY, 8, () => {
    word(639);
    word((extendedEnd(target.map) - 0x100000) / 1024);
  });
  tag(InfoTag.MAP, 8 + target.map.length * 24, () => {
    word(24);
    word(0);
    for (const { base, length, type } of target.map) {
      wide(base);
      wide(length);
      word(type);
      word(0);
    }
  });
  if (target.rsdp !== 0) {
    const rsdp = new Uint8Array(36);
    target.memory.read(target.rsdp, rsdp);
    tag(InfoTag.ACPI_OLD, 20, () => bytes.push(...rsdp.subarray(0, 20)));
    if (rsdp[15] >= 2) tag(InfoTag.ACPI_NEW, 36, () => bytes.push(...rsdp));
  }
  tag(InfoTag.END, 0, () => {});
  const information = Uint8Array.from(bytes);
  new DataView(information.buffer).setUint32(0, information.length, true);
  return information;
}
