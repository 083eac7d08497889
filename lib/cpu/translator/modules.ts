/** A processor's region modules: compiled in batches, instantiated into its table. */
import type { Code, ModuleBuilder } from "../../wasm/mod.ts";
import type { CodeMode } from "../emit/emitter.ts";
import { type ImportTable, REGION_SIGNATURE } from "../interpreter/linkage.ts";
import { regionTemplate, sharedModule } from "./linkage.ts";
import type { RegionLinkage } from "./region.ts";

/** Table slots of regions: behind those of handlers. */
export const REGION_SLOTS = { FIRST: 0x8000, COUNT: 0x10000 } as const;

let shared: { template: ReturnType<typeof regionTemplate>; module: WebAssembly.Module } | null = null;

/** A region's function and where it goes. */
export interface RegionFunction {
  readonly slot: number;
  readonly body: Code;
}

/** Compiles and instantiates region modules. */
export class RegionModules {
  readonly #template: { module: ModuleBuilder; linkage: (mode: CodeMode) => RegionLinkage };
  readonly #imports: WebAssembly.Imports;
  readonly #table: WebAssembly.Table;

  constructor(functions: ImportTable, table: WebAssembly.Table, imports: WebAssembly.Imports) {
    shared ??= { template: regionTemplate(functions), module: new WebAssembly.Module(sharedModule()) };
    this.#template = shared.template;
    this.#table = table;
    this.#imports = { ...imports, shared: new WebAssembly.Instance(shared.module, imports).exports };
  }

  /** What region functions call. */
  linkage(mode: CodeMode): RegionLinkage {
    return this.#template.linkage(mode);
  }

  /** Puts functions into the table; returns the size of their module in bytes. */
  instantiate(functions: readonly RegionFunction[]): number {
    const module = this.#template.module.fork();
    for (const { slot, body } of functions) module.element(slot, module.function(REGION_SIGNATURE, body));
    const bytes = module.toBytes();
    new WebAssembly.Instance(new WebAssembly.Module(bytes), this.#imports);
    return bytes.length;
  }

  /** Takes a function out of the table. */
  release(slot: number): void {
    this.#table.set(slot, null);
  }
}
