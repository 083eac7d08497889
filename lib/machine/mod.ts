/** The PC: board, memory, clock and the loop that runs them. Synchronous and deterministic. */
export * from "./types.ts";
export * from "./memory.ts";
export * from "./processor.ts";
export * from "./clock.ts";
export * from "./config.ts";
export * from "./hash.ts";
export * from "./inputs.ts";
export * from "./machine.ts";
export * from "./pc.ts";
export * from "./ports.ts";
export * from "./state.ts";
