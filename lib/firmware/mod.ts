/** The built-in firmware: a BIOS whose services are TypeScript, its tables, and loaders that start kernels without it. */
export { Bios, type InstalledRom } from "./bios.ts";
export { CoreAccess } from "./core_access.ts";
export type { CpuAccess } from "./cpu_access.ts";
export { type FontHeight, FONTS } from "./fonts.ts";
export * from "./loaders/mod.ts";
export { memoryMap, type MemoryRange, type RamSizes, RangeType } from "./memory_map.ts";
export { TRAP_PORT } from "./traps.ts";
export type { BiosAtaDrive, BiosFloppy, BiosPorts, BiosWires, BootKind } from "./wires.ts";
