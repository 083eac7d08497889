/** All kernels. */
export * from "./crypto";
export * from "./packed";
export * from "./packed_sse4";
export * from "./sse_float";
export * from "./x87";
export * from "./x87_fast";
export * from "./x87_transcendental";
