/** The tables that lie in the system ROM. */
import { rootPointer, type RootTables } from "./acpi.ts";
import type { RamSizes } from "./memory_map.ts";
import { mpTable, type ProcessorIdentity } from "./mp_table.ts";
import { pirTable } from "./pir.ts";
import { smbiosTable } from "./smbios.ts";
import { type RomTable, SYSTEM_ROM } from "./system_rom.ts";

/** Name of the ACPI root pointer among the tables. */
export const ROOT_POINTER = "RSDP";

/**
 * All tables for a machine with this much RAM, in the order in which they lie from the ROM's start. `acpi` is where the ACPI
 * tables are, if there are any; `processor` is null on a board without APICs, where the 8259A pair is all there is to describe.
 */
export function romTables(ram: RamSizes, acpi: RootTables | null, processor: ProcessorIdentity | null): RomTable[] {
  const smbios = smbiosTable(ram, 0);
  const mpAddress = SYSTEM_ROM.ADDRESS + Math.ceil(smbios.length / 16) * 16;
  return [
    { label: "SMBIOS", bytes: smbios },
    ...(processor === null ? [] : [{ label: "_MP_", bytes: mpTable(mpAddress, processor) }]),
    { label: "$PIR", bytes: pirTable() },
    ...(acpi === null ? [] : [{ label: ROOT_POINTER, bytes: rootPointer(acpi) }]),
  ];
}
