/**
 * The tables of the MultiProcessor Specification 1.4, for systems that do not read ACPI's: one processor, the PCI and the ISA
 * bus, the I/O APIC and how interrupts reach it.
 */
import { checksum } from "./checksum.ts";
import { IO_APIC, LOCAL_APIC_ADDRESS } from "./apics.ts";
import { PCI_SLOTS, pirqOf } from "./pci_config.ts";
import { PIRQ_IRQS } from "./pci_setup.ts";

const EntryType = { PROCESSOR: 0, BUS: 1, IO_APIC: 2, IO_INTERRUPT: 3, LOCAL_INTERRUPT: 4 } as const;
const InterruptType = { INT: 0, NMI: 1, EXT_INT: 3 } as const;
const Bus = { PCI: 0, ISA: 1 } as const;
const REVISION = 4;
const POINTER_SIZE = 16, HEADER_SIZE = 44;
/** Enabled, and the bootstrap processor. */
const PROCESSOR_FLAGS = 3;
/** Active low, level-triggered. */
const LEVEL_LOW = 0x0f;
/** The local APIC's version. */
const LOCAL_VERSION = 0x14;
const ALL_LOCAL_APICS = 0xff;

/** What CPUID says of the processor in leaf 1: EAX and EDX. */
export interface ProcessorIdentity {
  readonly signature: number;
  readonly features: number;
}

function ascii(text: string): number[] {
  return Array.from(text, (character) => character.charCodeAt(0));
}

function dword(value: number): number[] {
  return [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24];
}

function bus(id: number, type: string): number[] {
  return [EntryType.BUS, id, ...ascii(type.padEnd(6))];
}

function ioInterrupt(type: number, flags: number, source: number, irq: number, input: number): number[] {
  return [EntryType.IO_INTERRUPT, type, flags, 0, source, irq, IO_APIC.ID, input];
}

function localInterrupt(type: number, input: number): number[] {
  return [EntryType.LOCAL_INTERRUPT, type, 0, 0, Bus.ISA, 0, ALL_LOCAL_APICS, input];
}

function entries(processor: ProcessorIdentity): number[][] {
  const isa = Array.from({ length: 16 }, (_, irq) => irq).filter((irq) => irq !== 2 && !PIRQ_IRQS.includes(irq));
  const pci: number[][] = [];
  for (let device = 1; device <= PCI_SLOTS; device++) {
    for (let pin = 0; pin < 4; pin++) {
      const input = PIRQ_IRQS[pirqOf(device, pin)];
      pci.push(ioInterrupt(InterruptType.INT, LEVEL_LOW, Bus.PCI, (device << 2) | pin, input));
    }
  }
  return [
    [
      ...[EntryType.PROCESSOR, 0, LOCAL_VERSION, PROCESSOR_FLAGS],
      ...dword(processor.signature),
      ...dword(processor.features),
      ...[0, 0, 0, 0, 0, 0, 0, 0],
    ],
    bus(Bus.PCI, "PCI"),
    bus(Bus.ISA, "ISA"),
    [EntryType.IO_APIC, IO_APIC.ID, IO_APIC.VERSION, 1, ...dword(IO_APIC.ADDRESS)],
    ...isa.map((irq) => ioInterrupt(InterruptType.INT, 0, Bus.ISA, irq, IO_APIC.inputOf(irq))),
    ...pci,
    localInterrupt(InterruptType.EXT_INT, 0),
    localInterrupt(InterruptType.NMI, 1),
  ];
}

/** The floating pointer at physical `address`, a multiple of 16, and the configuration table behind it. */
export function mpTable(address: number, processor: ProcessorIdentity): Uint8Array {
  const list = entries(processor), body = list.flat();
  const bytes = new Uint8Array(POINTER_SIZE + HEADER_SIZE + body.length);
  const pointer = bytes.subarray(0, POINTER_SIZE), table = bytes.subarray(POINTER_SIZE);
  pointer.set([...ascii("_MP_"), ...dword(address + POINTER_SIZE), 1, REVISION]);
  pointer[10] = checksum(pointer);
  table.set([
    ...ascii("PCMP"),
    table.length & 0xff,
    table.length >>> 8,
    REVISION,
    0,
    ...ascii("BOOTWRGH"),
    ...ascii("PC".padEnd(12)),
    ...dword(0),
    ...[0, 0, list.length & 0xff, list.length >>> 8],
    ...dword(LOCAL_APIC_ADDRESS),
    ...dword(0),
    ...body,
  ]);
  table[7] = checksum(table);
  return bytes;
}
