/** The PVH entry of ELF kernels, and plain ELF executables. Source: Xen, "x86/HVM direct boot ABI". */
import { KernelProtocolError } from "./errors.ts";
import { findNote, loadElf, parseElf } from "./elf.ts";
import { flatCode, flatData, flatGdt, type InitialState, Register } from "./initial_state.ts";
import { Blob, INFORMATION, placeHigh, placeTables } from "./placement.ts";
import { commandLineBytes, type KernelImage, type LoadTarget, requireRam } from "./types.ts";

const NOTE_OWNER = "Xen", PHYS32_ENTRY = 18;
const START_MAGIC = 0x336ec578;
const CODE = 0x10, DATA = 0x18;

/** A flat 32-bit state at `entry`, with a small descriptor table at `tables` and the stack below it. */
export function flatState(
  target: LoadTarget,
  tables: number,
  entry: number,
  registers: Record<number, number>,
): InitialState {
  const gdt = flatGdt(CODE, DATA);
  target.memory.write(tables, gdt);
  return {
    ip: entry,
    eflags: 0,
    registers: { [Register.SP]: tables, ...registers },
    cs: flatCode(CODE),
    data: flatData(DATA),
    gdt: { base: tables, limit: gdt.length - 1 },
    protectedMode: true,
  };
}

/**
 * Loads an ELF kernel: with a PVH note at its PVH entry, with start info in EBX; otherwise, if it is a 32-bit one, at its
 * ELF entry point with nothing but a stack.
 *
 * @throws KernelError if the file is damaged, a 64-bit one without the note, or does not fit into memory.
 */
export function loadElfKernel(target: LoadTarget, kernel: KernelImage): InitialState {
  const file = parseElf(kernel.image);
  const note = findNote(kernel.image, file, NOTE_OWNER, PHYS32_ENTRY);
  if (note === null && file.bits === 64) {
    throw new KernelProtocolError("the kernel is a 64-bit ELF file without a PVH entry: use its bzImage");
  }
  const loaded = loadElf(target, kernel.image, file), tables = placeTables(loaded.extents);
  if (note === null || note.length < 4) return flatState(target, tables, loaded.entry, {});
  const entry = new DataView(note.buffer, note.byteOffset).getUint32(0, true);
  const info = new Blob(tables + INFORMATION);
  const { initrd } = kernel;
  const module = initrd === undefined ? 0 : placeHigh(target, initrd, loaded.high, "the initial RAM disk");
  const commandLine = info.add(commandLineBytes(kernel.commandLine ?? ""));
  const modules = initrd === undefined ? 0 : info.add(words64(module, initrd.length, 0, 0));
  const map = info.add(words64(...target.map.flatMap(({ base, length, type }) => [base, length, type])));
  const start = info.add(
    concatenate(
      words32(START_MAGIC, 1, 0, initrd === undefined ? 0 : 1),
      words64(modules, commandLine, target.rsdp, map),
      words32(target.map.length, 0),
    ),
  );
  requireRam(target, info.base, info.bytes().length, "the boot information");
  target.memory.write(info.base, info.bytes());
  return flatState(target, tables, entry, { [Register.BX]: start });
}

function words32(...values: number[]): Uint8Array {
  return new Uint8Array(Uint32Array.from(values).buffer);
}

function words64(...values: number[]): Uint8Array {
  return new Uint8Array(BigUint64Array.from(values, BigInt).buffer);
}

function concatenate(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}
