/**
 * Loads a Linux bzImage. Source: Linux documentation, arch/x86/boot ("The Linux/x86 Boot Protocol") and zero-page.
 */
import { hex, KernelFormatError, KernelMemoryError, KernelProtocolError } from "./errors.ts";
import { flatCode, flatData, flatGdt, type InitialState, realSegment, Register } from "./initial_state.ts";
import { commandLineBytes, extendedEnd, type KernelImage, type LoadTarget, requireRam } from "./types.ts";

/** Offsets in the setup header, which are the same in the zero page. */
const Header = {
  SETUP_SECTS: 0x1f1,
  SYSSIZE: 0x1f4,
  VID_MODE: 0x1fa,
  BOOT_FLAG: 0x1fe,
  /** Second byte of the jump: the header's end, relative to 0x202. */
  LENGTH: 0x201,
  MAGIC: 0x202,
  VERSION: 0x206,
  TYPE_OF_LOADER: 0x210,
  LOADFLAGS: 0x211,
  CODE32_START: 0x214,
  RAMDISK_IMAGE: 0x218,
  RAMDISK_SIZE: 0x21c,
  HEAP_END_PTR: 0x224,
  CMD_LINE_PTR: 0x228,
  INITRD_ADDR_MAX: 0x22c,
  KERNEL_ALIGNMENT: 0x230,
  RELOCATABLE_KERNEL: 0x234,
  CMDLINE_SIZE: 0x238,
  PREF_ADDRESS: 0x258,
  INIT_SIZE: 0x260,
} as const;

/** Offsets in the zero page outside the header. */
const ZeroPage = {
  EXT_MEM_K: 0x02,
  VIDEO_MODE: 0x06,
  VIDEO_COLS: 0x07,
  EGA_BX: 0x0a,
  VIDEO_LINES: 0x0e,
  VIDEO_IS_VGA: 0x0f,
  VIDEO_POINTS: 0x10,
  ACPI_RSDP: 0x70,
  ALT_MEM_K: 0x1e0,
  E820_ENTRIES: 0x1e8,
  E820_TABLE: 0x2d0,
  SIZE: 0x1000,
} as const;

const LOADED_HIGH = 0x01, CAN_USE_HEAP = 0x80;
const UNKNOWN_LOADER = 0xff;
const MAGIC = 0x53726448;
const SECTOR = 512;

/** Where things go: the zero page or setup code, the command line, the descriptor table. */
const SETUP = 0x10000, COMMAND_LINE = 0x20000, GDT = 0x8000;
/** Stack and heap of the real-mode setup code end here, relative to its segment. */
const HEAP_END = 0xe000;
const LOW_KERNEL = 0x10000, OLD_SETUP = 0x90000, OLD_COMMAND_LINE = 0x9e000 - 0x90000;
const CODE = 0x10, DATA = 0x18;
const E820_MAX = 128;

/** A bzImage that was found to be one. */
interface BzImage {
  readonly image: Uint8Array;
  readonly view: DataView;
  readonly version: number;
  /** Bytes of boot sector and setup code. */
  readonly setupSize: number;
  readonly loadFlags: number;
  /** The protected-mode part. */
  readonly kernel: Uint8Array;
}

/** True if the file has the signature of a Linux setup header. */
export function isLinux(image: Uint8Array): boolean {
  return image.length >= Header.MAGIC + 4 && image[Header.BOOT_FLAG] === 0x55 && image[Header.BOOT_FLAG + 1] === 0xaa &&
    new DataView(image.buffer, image.byteOffset).getUint32(Header.MAGIC, true) === MAGIC;
}

function parse(image: Uint8Array): BzImage {
  if (!isLinux(image)) {
    throw new KernelFormatError("the file is no bzImage: it lacks the signature HdrS of a Linux setup header");
  }
  const view = new DataView(image.buffer, image.byteOffset, image.length);
  const setupSize = ((image[Header.SETUP_SECTS] || 4) + 1) * SECTOR;
  if (image.length < Header.INIT_SIZE + 4 || image.length <= setupSize) {
    throw new KernelFormatError(
      `the bzImage is cut short: it has only ${image.length} bytes, its setup code alone ${setupSize}`,
    );
  }
  const version = view.getUint16(Header.VERSION, true);
  const kernel = image.subarray(setupSize);
  const size = version >= 0x0204
    ? view.getUint32(Header.SYSSIZE, true) * 16
    : view.getUint16(Header.SYSSIZE, true) * 16;
  // The size is rounded up to 16 bytes.
  if (kernel.length + 15 < size) {
    throw new KernelFormatError(`the bzImage is cut short: its kernel has ${kernel.length} bytes of ${size}`);
  }
  return { image, view, version, setupSize, loadFlags: image[Header.LOADFLAGS], kernel };
}

/** Which entry point of the kernel is used. */
export type LinuxEntry = "32-bit" | "16-bit";

/**
 * Loads a bzImage with initial RAM disk and command line, and returns the state in which it starts: at the 32-bit entry
 * point if its protocol is 2.02 or newer, otherwise (or if `entry` says so) in its real-mode setup code. On an old
 * processor, too, it starts there: the setup code looks at the processor, and says on the screen what it lacks.
 *
 * @throws KernelError if the file is no bzImage, or something does not fit into memory.
 */
export function loadLinux(target: LoadTarget, kernel: KernelImage, entry?: LinuxEntry): InitialState {
  const parsed = parse(kernel.image);
  const chosen = entry ?? (parsed.version >= 0x0202 && target.oldProcessor !== true ? "32-bit" : "16-bit");
  return chosen === "32-bit" ? load32(target, kernel, parsed) : load16(target, kernel, parsed);
}

function load32(target: LoadTarget, kernel: KernelImage, parsed: BzImage): InitialState {
  const { memory } = target, { view, version, image } = parsed;
  if (version < 0x0202) {
    throw new KernelProtocolError(
      `the kernel's boot protocol ${protocolName(version)} has no 32-bit entry point; 2.02 is needed`,
    );
  }
  if ((parsed.loadFlags & LOADED_HIGH) === 0) {
    throw new KernelProtocolError("the kernel is a zImage, which has no 32-bit entry point above 1 MiB");
  }
  const start = view.getUint32(Header.CODE32_START, true);
  placeKernel(target, parsed, start);
  const page = new Uint8Array(ZeroPage.SIZE);
  const headerEnd = Math.min(Header.MAGIC + image[Header.LENGTH], ZeroPage.E820_TABLE - 0x40);
  page.set(image.subarray(Header.SETUP_SECTS, headerEnd), Header.SETUP_SECTS);
  const zero = new DataView(page.buffer);
  describeMachine(target, zero);
  page[Header.TYPE_OF_LOADER] = UNKNOWN_LOADER;
  zero.setUint16(Header.VID_MODE, 0xffff, true);
  const line = limitedCommandLine(kernel, parsed);
  requireRam(target, COMMAND_LINE, line.length, "the command line");
  memory.write(COMMAND_LINE, line);
  zero.setUint32(Header.CMD_LINE_PTR, COMMAND_LINE, true);
  const initrd = placeInitrd(target, kernel.initrd, parsed, start);
  zero.setUint32(Header.RAMDISK_IMAGE, initrd.address, true);
  zero.setUint32(Header.RAMDISK_SIZE, initrd.size, true);
  memory.write(SETUP, page);
  const gdt = flatGdt(CODE, DATA);
  memory.write(GDT, gdt);
  return {
    ip: start,
    eflags: 0,
    registers: { [Register.SI]: SETUP, [Register.SP]: SETUP },
    cs: flatCode(CODE),
    data: flatData(DATA),
    gdt: { base: GDT, limit: gdt.length - 1 },
    protectedMode: true,
  };
}

function load16(target: LoadTarget, kernel: KernelImage, parsed: BzImage): InitialState {
  const { memory } = target, { version, setupSize } = parsed;
  const modern = version >= 0x0202;
  const setupAt = modern ? SETUP : OLD_SETUP;
  const setup = parsed.image.slice(0, setupSize);
  const view = new DataView(setup.buffer);
  if (setupSize > HEAP_END - 0x200) {
    throw new KernelFormatError(`the kernel's setup code has ${setupSize} bytes, too many`);
  }
  const high = (parsed.loadFlags & LOADED_HIGH) !== 0;
  const start = high ? view.getUint32(Header.CODE32_START, true) : LOW_KERNEL;
  if (!high && modern) {
    throw new KernelProtocolError("zImages of protocol 2.02 and newer do not exist: the file is damaged");
  }
  placeKernel(target, parsed, start);
  const line = limitedCommandLine(kernel, parsed);
  setup[Header.TYPE_OF_LOADER] = UNKNOWN_LOADER;
  view.setUint16(Header.VID_MODE, 0xffff, true);
  if (version >= 0x0201) {
    setup[Header.LOADFLAGS] |= CAN_USE_HEAP;
    view.setUint16(Header.HEAP_END_PTR, HEAP_END - 0x200, true);
  }
  const initrd = placeInitrd(target, kernel.initrd, parsed, high ? start : 0x100000);
  view.setUint32(Header.RAMDISK_IMAGE, initrd.address, true);
  view.setUint32(Header.RAMDISK_SIZE, initrd.size, true);
  if (modern) {
    memory.write(COMMAND_LINE, line);
    view.setUint32(Header.CMD_LINE_PTR, COMMAND_LINE, true);
  } else {
    // The old way: a magic number and an offset in the boot sector.
    memory.write(OLD_SETUP + OLD_COMMAND_LINE, line);
    view.setUint16(0x20, 0xa33f, true);
    view.setUint16(0x22, OLD_COMMAND_LINE, true);
  }
  memory.write(setupAt, setup);
  const segment = setupAt >> 4;
  return {
    ip: 0,
    eflags: 0,
    registers: { [Register.SP]: HEAP_END },
    cs: realSegment(segment + 0x20, true),
    data: realSegment(segment),
    protectedMode: false,
  };
}

function protocolName(version: number): string {
  return `${version >> 8}.${(version & 0xff).toString().padStart(2, "0")}`;
}

function placeKernel(target: LoadTarget, parsed: BzImage, start: number): void {
  requireRam(target, start, kernelEnd(parsed, start) - start, "the kernel with the room to unpack itself");
  target.memory.write(start, parsed.kernel);
}

/** First byte above what a kernel loaded at `start` overwrites before it looks at its memory map. */
function kernelEnd(parsed: BzImage, start: number): number {
  const { version, view, image } = parsed, loaded = start + parsed.kernel.length;
  if (version < 0x020a) return loaded;
  // It unpacks itself at the address that it prefers or, above that, at the next one that suits its alignment.
  const alignment = view.getUint32(Header.KERNEL_ALIGNMENT, true);
  const aligned = image[Header.RELOCATABLE_KERNEL] !== 0 && alignment > 0
    ? Math.ceil(start / alignment) * alignment
    : start;
  const runtimeStart = Math.max(aligned, Number(view.getBigUint64(Header.PREF_ADDRESS, true)));
  return Math.max(loaded, runtimeStart + view.getUint32(Header.INIT_SIZE, true));
}

function limitedCommandLine(kernel: KernelImage, parsed: BzImage): Uint8Array {
  const line = commandLineBytes(kernel.commandLine ?? "");
  const largest = parsed.version >= 0x0206 ? parsed.view.getUint32(Header.CMDLINE_SIZE, true) : 255;
  if (line.length - 1 > largest) {
    throw new KernelProtocolError(
      `the command line has ${line.length - 1} characters, but the kernel takes at most ${largest}`,
    );
  }
  return line;
}

/** Puts the initial RAM disk as high as the kernel and the memory allow. */
function placeInitrd(
  target: LoadTarget,
  initrd: Uint8Array | undefined,
  parsed: BzImage,
  kernelStart: number,
): { address: number; size: number } {
  if (initrd === undefined || initrd.length === 0) return { address: 0, size: 0 };
  const highest = parsed.version >= 0x0203 ? parsed.view.getUint32(Header.INITRD_ADDR_MAX, true) : 0x37ff_ffff;
  const end = Math.min(highest + 1, extendedEnd(target.map));
  const address = Math.floor((end - initrd.length) / 4096) * 4096;
  const lowest = kernelEnd(parsed, kernelStart);
  if (address < lowest) {
    throw new KernelMemoryError(
      `the initial RAM disk of ${initrd.length} bytes does not fit between the kernel's end at ${hex(lowest)} and ${
        hex(end)
      }: ` +
        "give the machine more memory",
    );
  }
  target.memory.write(address, initrd);
  return { address, size: initrd.length };
}

/** Fills in what the setup code would have asked the BIOS for: text mode 3, memory sizes and map. */
function describeMachine(target: LoadTarget, zero: DataView): void {
  const extended = (extendedEnd(target.map) - 0x100000) / 1024;
  zero.setUint16(ZeroPage.EXT_MEM_K, Math.min(0xfc00, extended), true);
  zero.setUint8(ZeroPage.VIDEO_MODE, 3);
  zero.setUint8(ZeroPage.VIDEO_COLS, 80);
  zero.setUint16(ZeroPage.EGA_BX, 3, true);
  zero.setUint8(ZeroPage.VIDEO_LINES, 25);
  zero.setUint8(ZeroPage.VIDEO_IS_VGA, 1);
  zero.setUint16(ZeroPage.VIDEO_POINTS, 16, true);
  zero.setUint32(ZeroPage.ACPI_RSDP, target.rsdp, true);
  zero.setUint32(ZeroPage.ALT_MEM_K, extended, true);
  const ranges = target.map.slice(0, E820_MAX);
  zero.setUint8(ZeroPage.E820_ENTRIES, ranges.length);
  ranges.forEach(({ base, length, type }, i) => {
    const at = ZeroPage.E820_TABLE + i * 20;
    zero.setBigUint64(at, BigInt(base), true);
    zero.setBigUint64(at + 8, BigInt(length), true);
    zero.setUint32(at + 16, type, true);
  });
}
