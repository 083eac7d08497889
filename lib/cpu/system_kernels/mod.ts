/**
 * What systems do all the time as WebAssembly functions, in the usual case: entering handlers of interrupts, returning from them, page
 * faults, fills of the TLB, and what becomes of translations when an entry of a page table is written. A function either does all that the
 * general way in TypeScript would do, or nothing: what might fault, or leave a trace on the way, is not usual. So segments are flat, levels
 * are 0 and 3, everything is present and marked as accessed, and tables and stacks are in pages that the TLB knows.
 */
import { ModuleBuilder, type ValueType } from "../../wasm/mod.ts";
import { MEMORY_PAGES } from "../interpreter/layout.ts";
import { enterCode } from "./entries.ts";
import { deliverCode } from "./page_faults.ts";
import { returnCode } from "./returns.ts";

export { TRANSLATE, translateCode, Translated } from "./page_walks.ts";
export { FORGET, forgetCode } from "./translations.ts";

/** Types of the functions that {@link systemKernelModule} exports. */
export const systemKernelTable = {
  /** See {@link enterCode}. */
  enter_handler: { args: ["i32", "i32", "i32", "i32"], result: "i32" },
  /** See {@link returnCode}. */
  return_from_handler: { args: ["i64", "i32"], result: "i32" },
  /** See {@link deliverCode}. */
  deliver_page_fault: { args: [], result: "i32" },
} as const satisfies Record<string, { args: readonly ValueType[]; result: ValueType }>;

let compiled: WebAssembly.Module | undefined;

/** The compiled kernels; instantiate with `{ env: { memory } }`. They keep nothing between calls. */
export function systemKernelModule(): WebAssembly.Module {
  return compiled ??= new WebAssembly.Module(moduleBytes());
}

function moduleBytes(): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder();
  module.importMemory("env", "memory", MEMORY_PAGES);
  const type = (name: keyof typeof systemKernelTable) => {
    const { args, result } = systemKernelTable[name];
    return { parameters: args, results: [result] };
  };
  const enter = module.function(type("enter_handler"), enterCode());
  module.export("enter_handler", enter);
  module.export("return_from_handler", module.function(type("return_from_handler"), returnCode()));
  module.export("deliver_page_fault", module.function(type("deliver_page_fault"), deliverCode(enter)));
  return module.toBytes();
}
