/** A small WebAssembly module writer. */
export * from "./bytes.ts";
export * from "./code.ts";
export * from "./module.ts";
export * from "./opcodes.ts";
