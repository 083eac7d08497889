/** All kernels. */
export * from "./packed";
export * from "./sse_float";
export * from "./x87";
export * from "./x87_transcendental";
