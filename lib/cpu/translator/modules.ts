/** A processor's region modules: compiled in batches, instantiated into its table. */
import type { Code } from "../../wasm/mod.ts";
import type { CodeMode } from "../emit/emitter.ts";
import { type ImportTable, REGION_SIGNATURE } from "../interpreter/linkage.ts";
import { type RegionLinkage, regionTemplate, sharedModule } from "./linkage.ts";

/** Table slots of regions: behind those of handlers, up to the table's end. The table has them from the first region on. */
export const REGION_SLOTS = { FIRST: 0x8000, END: 0x18000 } as const;

/** The functions that regions of all processors call, compiled when the first one needs them. */
let shared: WebAssembly.Module | null = null;

/** A region's function and where it goes. */
export interface RegionFunction {
  readonly slot: number;
  readonly body: Code;
}

/** Compiles and instantiates region modules. */
export class RegionModules {
  readonly #functions: ImportTable;
  readonly #pages: number;
  readonly #table: WebAssembly.Table;
  readonly #outside: () => WebAssembly.Imports;
  #imports: WebAssembly.Imports | undefined;
  /** The module that the next {@link instantiate} completes. */
  #next: ReturnType<typeof regionTemplate> | undefined;

  /** `memory` must have been made with its size as its maximum; `imports` is called when the first region is there. */
  constructor(
    functions: ImportTable,
    memory: WebAssembly.Memory,
    table: WebAssembly.Table,
    imports: () => WebAssembly.Imports,
  ) {
    this.#functions = functions;
    this.#pages = memory.buffer.byteLength / 65536;
    this.#table = table;
    this.#outside = imports;
  }

  /** What functions of the next module call: they must not be put into another one. */
  linkage(mode: CodeMode): RegionLinkage {
    this.#next ??= regionTemplate(this.#functions, this.#pages, REGION_SLOTS.END);
    return this.#next.linkage(mode);
  }

  #link(): WebAssembly.Imports {
    const outside = this.#outside();
    this.#table.grow(REGION_SLOTS.END - this.#table.length);
    shared ??= new WebAssembly.Module(sharedModule());
    return { ...outside, shared: new WebAssembly.Instance(shared, outside).exports };
  }

  /** Puts the functions that {@link linkage} served into the table; returns the size of their module in bytes. */
  instantiate(functions: readonly RegionFunction[]): number {
    const { module } = this.#next ?? regionTemplate(this.#functions, this.#pages, REGION_SLOTS.END);
    this.#next = undefined;
    for (const { slot, body } of functions) module.element(slot, module.function(REGION_SIGNATURE, body));
    const bytes = module.toBytes();
    new WebAssembly.Instance(new WebAssembly.Module(bytes), this.#imports ??= this.#link());
    return bytes.length;
  }

  /** Takes a function out of the table, if it has come there. */
  release(slot: number): void {
    if (slot < this.#table.length) this.#table.set(slot, null);
  }
}
