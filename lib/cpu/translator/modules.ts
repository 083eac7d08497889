/** A processor's region modules: compiled in batches, instantiated into its table. */
import type { Code, ModuleBuilder } from "../../wasm/mod.ts";
import type { CodeMode } from "../emit/emitter.ts";
import { type ImportTable, REGION_SIGNATURE } from "../interpreter/linkage.ts";
import { regionTemplate, sharedModule } from "./linkage.ts";
import type { RegionLinkage } from "./region.ts";

/** Table slots of regions: behind those of handlers. */
export const REGION_SLOTS = { FIRST: 0x8000, COUNT: 0x10000 } as const;

type Template = { module: ModuleBuilder; linkage: (mode: CodeMode) => RegionLinkage };

/** What the modules of all processors have in common, made when the first one needs it. */
let shared: { template: Template; module: WebAssembly.Module } | null = null;

/** A region's function and where it goes. */
export interface RegionFunction {
  readonly slot: number;
  readonly body: Code;
}

/** Compiles and instantiates region modules. */
export class RegionModules {
  readonly #functions: ImportTable;
  readonly #table: WebAssembly.Table;
  readonly #outside: () => WebAssembly.Imports;
  #imports: WebAssembly.Imports | undefined;

  /** `imports` is called when the first region is there. */
  constructor(functions: ImportTable, table: WebAssembly.Table, imports: () => WebAssembly.Imports) {
    this.#functions = functions;
    this.#table = table;
    this.#outside = imports;
  }

  #shared(): { template: Template; module: WebAssembly.Module } {
    return shared ??= { template: regionTemplate(this.#functions), module: new WebAssembly.Module(sharedModule()) };
  }

  /** What region functions call. */
  linkage(mode: CodeMode): RegionLinkage {
    return this.#shared().template.linkage(mode);
  }

  #link(): WebAssembly.Imports {
    const outside = this.#outside();
    return { ...outside, shared: new WebAssembly.Instance(this.#shared().module, outside).exports };
  }

  /** Puts functions into the table; returns the size of their module in bytes. */
  instantiate(functions: readonly RegionFunction[]): number {
    const module = this.#shared().template.module.fork();
    for (const { slot, body } of functions) module.element(slot, module.function(REGION_SIGNATURE, body));
    const bytes = module.toBytes();
    new WebAssembly.Instance(new WebAssembly.Module(bytes), this.#imports ??= this.#link());
    return bytes.length;
  }

  /** Takes a function out of the table. */
  release(slot: number): void {
    this.#table.set(slot, null);
  }
}
