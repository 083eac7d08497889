/**
 * Power-on self-test: programs the board's chips, lays down interrupt vectors and the BIOS data area, and writes what
 * CMOS remembers. Source: IBM PC/AT technical reference (values), Intel data sheets of the chips.
 */
import { RegB } from "../devices/mc146818.ts";
import type { DmaMemory } from "../machine/types.ts";
import { IO_APIC } from "./apics.ts";
import { Bda, Ebda, KeyboardMode } from "./bda.ts";
import { Cmos, CmosReg } from "./cmos.ts";
import type { FixedDisk } from "./fixed_disk.ts";
import type { LinearMemory } from "./linear_memory.ts";
import { usableLow } from "./memory_map.ts";
import { PciConfig } from "./pci_config.ts";
import { setUpPci } from "./pci_setup.ts";
import { SYSTEM_ROM, type SystemRom } from "./system_rom.ts";
import type { TimeServices } from "./time.ts";
import type { BiosPorts, BiosWires } from "./wires.ts";

const MIB = 0x100000;
/** Places where serial and parallel ports are looked for, in the order of their numbers. */
const COM_PORTS = [0x3f8, 0x2f8, 0x3e8, 0x2e8];
const LPT_PORTS = [0x378, 0x278, 0x3bc];
/** Vectors 60h–66h belong to programs, 78h and up are free: they start as zero. */
const FREE_VECTORS = (vector: number) => vector >= 0x60 && vector <= 0x67 || vector >= 0x78;

/** Programs everything but the screen, and fills the first kilobyte and a half of memory. */
export function powerOn(
  wires: BiosWires,
  memory: LinearMemory,
  rom: SystemRom,
  time: TimeServices,
  disks: readonly FixedDisk[],
): void {
  const { ports } = wires;
  // A20 on: the tables and the boot code need no wrap-around.
  ports.write(0x92, (ports.read(0x92, 1) | 0x02) & ~0x01, 1);
  setUpInterruptControllers(ports);
  if (wires.apic !== null) setUpIoApic(wires.memory);
  setUpTimerAndDma(ports);
  setUpKeyboardController(ports);
  memory.write(0, new Uint8Array(0x600));
  memory.write(Ebda.ADDRESS, new Uint8Array(0x400));
  memory.write8(Ebda.ADDRESS + Ebda.SIZE_KIB, 1);
  setVectors(memory, rom);
  setUpPci(new PciConfig(ports));
  fillDataArea(wires, memory, disks);
  fillCmos(wires, disks);
  memory.write32(Bda.TICKS, time.ticksFromClock());
}

function setUpInterruptControllers(ports: BiosPorts): void {
  const write = (port: number, ...values: number[]) => values.forEach((value) => ports.write(port, value, 1));
  write(0x20, 0x11);
  write(0x21, 0x08, 0x04, 0x01);
  write(0xa0, 0x11);
  write(0xa1, 0x70, 0x02, 0x01);
  // Timer, keyboard, cascade, floppy; clock, mouse, coprocessor, disks.
  write(0x21, 0xb8);
  write(0xa1, 0x0e);
  write(0x4d0, 0x00);
  write(0x4d1, 0x00);
}

/** The I/O APIC needs an identification that no local APIC has. */
function setUpIoApic(memory: DmaMemory): void {
  memory.write32(IO_APIC.ADDRESS, 0);
  memory.write32(IO_APIC.ADDRESS + 0x10, (IO_APIC.ID << 24) >>> 0);
}

function setUpTimerAndDma(ports: BiosPorts): void {
  const write = (port: number, ...values: number[]) => values.forEach((value) => ports.write(port, value, 1));
  // Counter 0: square wave, 65536; counter 1: refresh, 18.
  write(0x43, 0x36);
  write(0x40, 0x00, 0x00);
  write(0x43, 0x54);
  write(0x41, 0x12);
  // Both DMA controllers cleared; channel 4 cascades the first to the second.
  write(0x0d, 0x00);
  write(0xda, 0x00);
  write(0xd6, 0xc0);
  write(0xd4, 0x00);
}

function setUpKeyboardController(ports: BiosPorts): void {
  ports.write(0x64, 0xaa, 1);
  ports.read(0x60, 1);
  // Keyboard interrupt and translation on; the mouse stays off until INT 15h AH=C2h is used.
  ports.write(0x64, 0x60, 1);
  ports.write(0x60, 0x65, 1);
}

function setVectors(memory: LinearMemory, rom: SystemRom): void {
  const dummy = rom.vectors.get(0x1c) ?? 0;
  for (let vector = 0; vector < 256; vector++) {
    const known = rom.vectors.get(vector);
    if (known === undefined && FREE_VECTORS(vector)) continue;
    memory.write16(vector * 4, known ?? dummy);
    memory.write16(vector * 4 + 2, SYSTEM_ROM.SEGMENT);
  }
}

function fillDataArea(wires: BiosWires, memory: LinearMemory, disks: readonly FixedDisk[]): void {
  const { ports, floppies } = wires;
  const com = COM_PORTS.filter((base) => isSerialPort(ports, base));
  const lpt = LPT_PORTS.filter((base) => isParallelPort(ports, base));
  com.forEach((base, i) => memory.write16(Bda.COM_PORTS + i * 2, base));
  lpt.forEach((base, i) => memory.write16(Bda.LPT_PORTS + i * 2, base));
  for (let i = 0; i < 4; i++) {
    memory.write8(Bda.LPT_TIMEOUTS + i, 0x14);
    memory.write8(Bda.COM_TIMEOUTS + i, 0x0a);
  }
  memory.write16(Bda.EBDA_SEGMENT, Ebda.SEGMENT);
  memory.write16(Bda.MEMORY_SIZE, 639);
  const drives = floppies.length > 0 ? 1 | floppies.length - 1 << 6 : 0;
  // Coprocessor, pointing device, 80×25 colour.
  memory.write16(Bda.EQUIPMENT, drives | 0x02 | 0x04 | 0x20 | com.length << 9 | lpt.length << 14);
  memory.write16(Bda.BUFFER_HEAD, 0x1e);
  memory.write16(Bda.BUFFER_TAIL, 0x1e);
  memory.write16(Bda.BUFFER_START, 0x1e);
  memory.write16(Bda.BUFFER_END, 0x3e);
  memory.write8(Bda.KEYBOARD_MODE, KeyboardMode.ENHANCED);
  memory.write8(Bda.KEYBOARD_LEDS, 0x10);
  memory.write8(Bda.DISK_COUNT, disks.length);
  // Both drives support change lines and several data rates.
  memory.write8(Bda.FLOPPY_CONTROLLER_INFO, floppies.length === 2 ? 0x77 : floppies.length === 1 ? 0x07 : 0);
  for (const [disk, vector, offset] of [[disks[0], 0x41, Ebda.DISK_0], [disks[1], 0x46, Ebda.DISK_1]] as const) {
    if (disk === undefined) continue;
    memory.write(Ebda.ADDRESS + offset, diskParameters(disk));
    memory.write16(vector * 4, offset);
    memory.write16(vector * 4 + 2, Ebda.SEGMENT);
  }
}

/** A UART keeps its interrupt enable bits and answers in its identification register. */
function isSerialPort(ports: BiosPorts, base: number): boolean {
  ports.write(base + 1, 0x02, 1);
  const kept = ports.read(base + 1, 1) === 0x02 && (ports.read(base + 2, 1) & 0x3f) !== 0x3f;
  ports.write(base + 1, 0x00, 1);
  return kept;
}

function isParallelPort(ports: BiosPorts, base: number): boolean {
  ports.write(base + 2, 0x0c, 1);
  ports.write(base, 0xaa, 1);
  return ports.read(base, 1) === 0xaa;
}

/** The fixed disk parameter table; a translated geometry carries signature A0h and the physical one. */
function diskParameters(disk: FixedDisk): Uint8Array {
  const { logical, physical } = disk;
  const table = new Uint8Array(16);
  const view = new DataView(table.buffer);
  view.setUint16(0, logical.cylinders, true);
  table[2] = logical.heads;
  const translated = logical.heads !== physical.heads || logical.sectors !== physical.sectors;
  if (translated) {
    table[3] = 0xa0;
    table[4] = physical.sectors;
    view.setUint16(9, physical.cylinders, true);
    table[11] = physical.heads;
  }
  view.setUint16(5, 0xffff, true);
  table[8] = 0xc0 | (logical.heads > 8 ? 8 : 0);
  view.setUint16(12, logical.cylinders, true);
  table[14] = logical.sectors;
  if (translated) table[15] = (256 - table.reduce((sum, byte) => sum + byte, 0) & 0xff) & 0xff;
  return table;
}

function fillCmos(wires: BiosWires, disks: readonly FixedDisk[]): void {
  const { ram, floppies, ports } = wires;
  const cmos = new Cmos(ports);
  cmos.write(CmosReg.A, 0x26);
  cmos.write(CmosReg.B, RegB.H24);
  cmos.read(CmosReg.C);
  cmos.read(CmosReg.D);
  const kib = (bytes: number) => Math.min(0xffff, Math.floor(bytes / 1024));
  const above = usableLow(ram) - MIB;
  cmos.write16(CmosReg.BASE_LOW, 640);
  cmos.write16(CmosReg.EXTENDED_LOW, kib(above));
  cmos.write16(CmosReg.EXTENDED_ACTUAL_LOW, kib(above));
  cmos.write16(CmosReg.ABOVE_16M_LOW, Math.min(0xffff, Math.max(0, Math.floor((ram.low - 16 * MIB) / 65536))));
  const high = Math.floor(ram.high / 65536);
  cmos.write16(CmosReg.ABOVE_4G_LOW, high);
  cmos.write(CmosReg.ABOVE_4G_LOW + 2, high >>> 16);
  const [a, b] = floppies;
  cmos.write(CmosReg.FLOPPY_TYPES, (a?.cmosType ?? 0) << 4 | (b?.cmosType ?? 0));
  cmos.write(CmosReg.EQUIPMENT, (floppies.length > 0 ? 1 | floppies.length - 1 << 6 : 0) | 0x06);
  cmos.write(CmosReg.DISK_TYPES, (disks.length > 0 ? 0xf0 : 0) | (disks.length > 1 ? 0x0f : 0));
  cmos.write(CmosReg.DISK_0_TYPE, disks.length > 0 ? 47 : 0);
  cmos.write(CmosReg.DISK_1_TYPE, disks.length > 1 ? 47 : 0);
  let sum = 0;
  for (let register = 0x10; register < CmosReg.CHECKSUM_HIGH; register++) sum += cmos.read(register);
  cmos.write(CmosReg.CHECKSUM_HIGH, sum >>> 8);
  cmos.write(CmosReg.CHECKSUM_LOW, sum);
}
