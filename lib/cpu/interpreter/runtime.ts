/** A processor's instances of the handler modules: the table, the helpers bound to it, and the way in. */
import type { ValueType } from "../../wasm/mod.ts";
import type { Cpu } from "../cpu.ts";
import { fpuHelpers, kernelModule, kernelTable } from "../fpu/mod.ts";
import type { Helper } from "../helpers.ts";
import type { CompileObserver } from "../options.ts";
import { slowPaths } from "../slow_paths.ts";
import { S } from "../state.ts";
import { stringKernelModule, stringKernelTable } from "../string_kernels/mod.ts";
import { systemHelpers } from "../system/mod.ts";
import { systemKernelModule, systemKernelTable } from "../system_kernels/mod.ts";
import "../semantics/mod.ts";
import { HandlerLibrary } from "./handlers.ts";
import { entryModule, type ImportTable, type KernelModule } from "./linkage.ts";
import { REGION_SLOTS, RegionModules } from "../translator/modules.ts";

const helpers: ReadonlyMap<string, Helper> = new Map<string, Helper>([
  ...Object.entries(slowPaths),
  ...Object.entries(systemHelpers),
  ...Object.entries(fpuHelpers),
]);

interface Common {
  readonly imports: ImportTable;
  readonly library: HandlerLibrary;
  readonly entry: WebAssembly.Module;
}

let shared: Common | null = null;

/** What all processors of this process share. */
function common(): Common {
  if (!shared) {
    const types = new Map([...helpers].map(([name, { args, result }]) => [name, { args, result }]));
    const kernels = new Map<string, { args: readonly ValueType[]; result: ValueType | null }>(
      Object.entries(kernelTable),
    );
    const imports: ImportTable = {
      helpers: types,
      kernels,
      strings: new Map(Object.entries(stringKernelTable)),
      system: new Map(Object.entries(systemKernelTable)),
    };
    shared = { imports, library: new HandlerLibrary(imports), entry: new WebAssembly.Module(entryModule()) };
  }
  return shared;
}

type Bound = (...args: number[]) => number;

/** Instantiates handler modules for one processor. */
export class HandlerRuntime {
  /** Functions of regions, by slot. */
  readonly regions: RegionModules;
  readonly library: HandlerLibrary = common().library;
  readonly #table = new WebAssembly.Table({
    element: "anyfunc",
    initial: this.library.slots,
    maximum: REGION_SLOTS.END,
  });
  readonly #imports: WebAssembly.Imports;
  /** The kernels that something has called so far, and how to make them. */
  readonly #kernels: { [name in KernelModule]?: WebAssembly.Exports } = {};
  readonly #instantiateKernels: Readonly<Record<KernelModule, () => WebAssembly.Exports>>;
  readonly #enter: (record: number) => void;
  #enterHandler: Bound | undefined;
  readonly #resumeFlat: () => void;
  readonly #resumeSegmented: () => void;
  readonly #observer: CompileObserver | undefined;
  #lastModule = 0;
  #knownHandlers = 0;

  constructor(cpu: Cpu, memory: WebAssembly.Memory) {
    this.#observer = cpu.options.compileObserver;
    const bound: Record<string, Bound> = {};
    for (const [name, helper] of helpers) bound[name] = bind(cpu, helper, name in slowPaths);
    const env = { memory, handlers: this.#table };
    const touch = {
      read: (linear: number) => cpu.touch(linear, false),
      write: (linear: number) => cpu.touch(linear, true),
    };
    this.#instantiateKernels = {
      kernel: () => new WebAssembly.Instance(kernelModule(), { env }).exports,
      strings: () => new WebAssembly.Instance(stringKernelModule(), { env, touch }).exports,
      system: () => new WebAssembly.Instance(systemKernelModule(), { env }).exports,
    };
    const entry = new WebAssembly.Instance(common().entry, { env }).exports;
    this.#imports = { env, helper: bound, entry };
    this.regions = new RegionModules(common().imports, memory, this.#table, () => ({
      ...this.#importsWith(["kernel", "strings", "system"]),
      fill: {
        read: (linear: number, bytes: number) => cpu.fill(linear >>> 0, bytes, false) ? 0 : 1,
        write: (linear: number, bytes: number) => cpu.fill(linear >>> 0, bytes, true) ? 0 : 1,
        readNumber: (linear: number, bytes: number) => cpu.fill(linear, bytes, false) ? 0 : 1,
        writeNumber: (linear: number, bytes: number) => cpu.fill(linear, bytes, true) ? 0 : 1,
      },
    }));
    this.#enter = entry.enter as (record: number) => void;
    this.#resumeFlat = entry.resumeFlat as () => void;
    this.#resumeSegmented = entry.resumeSegmented as () => void;
  }

  /** Runs from a record until compiled code returns. */
  enter(record: number): void {
    if (this.#knownHandlers !== this.library.count) this.#instantiate();
    this.#enter(record);
  }

  /** Goes on at RIP as far as the jump cache knows the way. */
  resume(flat: boolean): void {
    if (this.#knownHandlers !== this.library.count) this.#instantiate();
    if (flat) this.#resumeFlat();
    else this.#resumeSegmented();
  }

  /** Enters a handler in the usual case, see {@link systemKernelTable}; false if nothing was done. */
  enterHandler(vector: number, errorCode: number, pushedFlags: number, software: boolean): boolean {
    this.#enterHandler ??= this.#kernel("system").enter_handler as Bound;
    return this.#enterHandler(vector, errorCode, pushedFlags, software ? 1 : 0) !== 0;
  }

  #kernel(name: KernelModule): WebAssembly.Exports {
    return this.#kernels[name] ??= this.#instantiateKernels[name]();
  }

  #importsWith(kernels: Iterable<KernelModule>): WebAssembly.Imports {
    const imports = { ...this.#imports };
    for (const name of kernels) imports[name] = this.#kernel(name);
    return imports;
  }

  #instantiate(): void {
    const { slots } = this.library;
    if (slots > REGION_SLOTS.FIRST) throw new RangeError("more instruction forms than slots for handlers");
    if (slots > this.#table.length) this.#table.grow(slots - this.#table.length);
    this.#observer?.begin();
    for (const { id, module, kernels } of this.library.modules(this.#lastModule)) {
      new WebAssembly.Instance(module, this.#importsWith(kernels));
      this.#lastModule = id;
    }
    this.#observer?.end();
    this.#knownHandlers = this.library.count;
  }
}

/** A helper as compiled code calls it: what it raises becomes a pending fault. System helpers see an exact RIP. */
function bind(cpu: Cpu, helper: Helper, slowPath: boolean): Bound {
  const r = cpu.r, run = helper.run;
  return (a, b, c, d, e, f) => {
    try {
      if (slowPath) return (run(cpu, a, b, c, d, e, f) ?? 0) as number;
      r.ip = cpu.currentIp();
      r.setI32(S.LEAVE, 0);
      const result = (run(cpu, a, b, c, d, e, f) ?? 0) as number;
      if (cpu.finishSystemFunction()) r.setI32(S.LEAVE, 1);
      return result;
    } catch (error) {
      if (!cpu.isFault(error)) throw error;
      r.setI32(S.FAULT, error.vector + 1);
      r.setI32(S.FAULT_CODE, error.code);
      return 0;
    }
  };
}
