/** The floating-point kernels: a WebAssembly module over the state memory, called from instruction definitions. */
import type { ValueType } from "../../wasm/mod.ts";
import { MODULE, SIGNATURES } from "./kernels_wasm.ts";

export { fpuHelpers } from "./helpers.ts";

/** Types of the functions that {@link kernelModule} exports. */
export const kernelTable: Readonly<Record<string, { args: ValueType[]; result: ValueType | null }>> = SIGNATURES;

let compiled: WebAssembly.Module | undefined;

/** The compiled kernels; instantiate with `{ env: { memory } }`, the state memory. They keep nothing between calls. */
export function kernelModule(): WebAssembly.Module {
  compiled ??= new WebAssembly.Module(Uint8Array.fromBase64(MODULE));
  return compiled;
}
