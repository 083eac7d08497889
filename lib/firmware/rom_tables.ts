/** The tables that lie in the system ROM. */
import type { RamSizes } from "./memory_map.ts";
import { pirTable } from "./pir.ts";
import type { RomTable } from "./system_rom.ts";

/** All tables for a machine with this much RAM. */
export function romTables(_ram: RamSizes): RomTable[] {
  return [{ label: "$PIR", bytes: pirTable() }];
}
