/** The map of usable memory that INT 15h AX=E820h, the boot protocols and the tables share. Source: ACPI 2.0, chapter 14. */

/** Kinds of memory ranges. */
export const RangeType = { RAM: 1, RESERVED: 2, ACPI: 3, NVS: 4 } as const;

/** One range; addresses and lengths in bytes. */
export interface MemoryRange {
  readonly base: number;
  readonly length: number;
  /** One of {@link RangeType}. */
  readonly type: number;
}

/** RAM in bytes: from address 0 to the PCI hole, and from 4 GiB up. */
export interface RamSizes {
  readonly low: number;
  readonly high: number;
}

/** Room for the ACPI tables at the top of low memory, of which the last page is for the FACS. */
const ACPI_SIZE = 0x10000;
const FACS_SIZE = 0x1000;
const MIB = 0x100000;

/** Where the ACPI tables lie, or null if the machine has too little memory for them. */
export function acpiBase(ram: RamSizes): number | null {
  return ram.low >= 2 * MIB ? ram.low - ACPI_SIZE : null;
}

/** Where the FACS lies in the tables' room. */
export function facsAddress(base: number): number {
  return base + ACPI_SIZE - FACS_SIZE;
}

/** First byte above the memory that programs may use below 4 GiB. */
export function usableLow(ram: RamSizes): number {
  return acpiBase(ram) ?? ram.low;
}

/** All ranges in ascending order. */
export function memoryMap(ram: RamSizes): MemoryRange[] {
  const map: MemoryRange[] = [
    { base: 0, length: 0x9fc00, type: RangeType.RAM },
    { base: 0x9fc00, length: 0x400, type: RangeType.RESERVED },
    { base: 0xf0000, length: 0x10000, type: RangeType.RESERVED },
  ];
  const top = usableLow(ram);
  if (top > MIB) map.push({ base: MIB, length: top - MIB, type: RangeType.RAM });
  const acpi = acpiBase(ram);
  if (acpi !== null) {
    map.push({ base: acpi, length: ACPI_SIZE - FACS_SIZE, type: RangeType.ACPI });
    map.push({ base: facsAddress(acpi), length: FACS_SIZE, type: RangeType.NVS });
  }
  map.push({ base: 0xfffc0000, length: 0x40000, type: RangeType.RESERVED });
  if (ram.high > 0) map.push({ base: 2 ** 32, length: ram.high, type: RangeType.RAM });
  return map;
}
