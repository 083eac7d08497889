/**
 * The tables that lie in the system ROM. There is no MP table and no ACPI MADT: both describe APICs, and a uniprocessor
 * PC with the 8259 pair alone has none.
 */
import { acpiTables, rootPointer } from "./acpi.ts";
import { acpiBase, type RamSizes } from "./memory_map.ts";
import { pirTable } from "./pir.ts";
import { smbiosTable } from "./smbios.ts";
import type { RomTable } from "./system_rom.ts";

/** Name of the ACPI root pointer among the tables. */
export const ROOT_POINTER = "RSDP";

/** All tables for a machine with this much RAM, in the order in which they lie from the ROM's start. */
export function romTables(ram: RamSizes, hasFloppy: boolean): RomTable[] {
  const base = acpiBase(ram);
  return [
    { label: "SMBIOS", bytes: smbiosTable(ram, 0) },
    { label: "$PIR", bytes: pirTable() },
    ...(base === null ? [] : [{ label: ROOT_POINTER, bytes: rootPointer(acpiTables(base, hasFloppy).root) }]),
  ];
}
