/** All kernels. */
export * from "./sse_float";
export * from "./x87";
