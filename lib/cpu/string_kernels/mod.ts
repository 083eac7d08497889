/**
 * The usual case of repeated strings as WebAssembly functions: they store, move and compare elements upwards, page by page, as far as
 * the TLB allows it. An element that may not be accessed without asking, because its page is missing, watched or no plain memory, ends
 * them before it. Intel SDM vol. 2, REP.
 */
import { type Code, ModuleBuilder, type ValueType } from "../../wasm/mod.ts";
import { MEMORY_PAGES, TLB } from "../interpreter/layout.ts";
import { compareCode, scanCode, typeOf } from "./comparisons.ts";
import { moveCode, SPREAD, spreadCode, storeCode } from "./moves.ts";
import { ELEMENT, elementCode, PLACE, placeCode, TOUCH } from "./pages.ts";
import { copy, type Functions } from "./writing.ts";

/** Log2 of the bytes of an element, by its bits. */
const SIZES = [[8, 0], [16, 1], [32, 2], [64, 3]] as const;

type Signatures = Record<string, { args: ValueType[]; result: ValueType }>;

/**
 * Types of the functions that {@link stringKernelModule} exports. Addresses are linear ones that do not wrap on the way; `shift` is the
 * logarithm of an element's bytes; the result is how many elements are done.
 */
export const stringKernelTable: Readonly<Signatures> = {
  /** (address, element repeated to 64 bits, count, shift) */
  store_up: { args: ["i64", "i64", "i32", "i32"], result: "i32" },
  /** (source, destination, count, shift); where they overlap, with the effect of one element after the other. */
  move_up: { args: ["i64", "i64", "i32", "i32"], result: "i32" },
  /** scan_N (address, element, most, until): ends behind an element that is equal, or with until = 0 different; the last is in S.SCRATCH. */
  ...forSizes("scan", (type) => ["i64", type, "i32", "i32"]),
  /** compare_N (first address, second, most, until): likewise for pairs; the last are in S.SCRATCH and 8 bytes behind it. */
  ...forSizes("compare", () => ["i64", "i64", "i32", "i32"]),
};

function forSizes(name: string, args: (element: ValueType) => ValueType[]): Signatures {
  return Object.fromEntries(
    SIZES.map(([bits, shift]) => [`${name}_${bits}`, { args: args(typeOf(shift)), result: "i32" }]),
  );
}

let compiled: WebAssembly.Module | undefined;

/** The compiled kernels; instantiate with `{ env: { memory }, touch: { read, write } }`. They keep nothing between calls. */
export function stringKernelModule(): WebAssembly.Module {
  return compiled ??= new WebAssembly.Module(moduleBytes());
}

function moduleBytes(): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder();
  module.importMemory("env", "memory", MEMORY_PAGES);
  const read = module.importFunction("touch", "read", TOUCH), write = module.importFunction("touch", "write", TOUCH);
  const readPlace = module.function(PLACE, placeCode(TLB.READ, read));
  const writePlace = module.function(PLACE, placeCode(TLB.WRITE, write));
  const spread = module.function(SPREAD, spreadCode());
  const loadElement = module.function(
    ELEMENT,
    elementCode(readPlace, (code, at, place, bytes) => copy(code, at, place, bytes)),
  );
  const storeElement = module.function(
    ELEMENT,
    elementCode(writePlace, (code, at, place, bytes) => copy(code, place, at, bytes)),
  );
  const functions: Functions = { readPlace, writePlace, spread, loadElement, storeElement };
  const define = (name: string, code: Code) => {
    const { args, result } = stringKernelTable[name];
    module.export(name, module.function({ parameters: args, results: [result] }, code));
  };
  define("store_up", storeCode(functions));
  define("move_up", moveCode(functions));
  for (const [bits, shift] of SIZES) {
    define(`scan_${bits}`, scanCode(functions, shift));
    define(`compare_${bits}`, compareCode(functions, shift));
  }
  return module.toBytes();
}
