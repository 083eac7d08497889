/** What handlers call: imported helpers and kernels, and functions of the module through which compiled code is entered. */
import { Code, type Label, ModuleBuilder, Op, type Signature, type ValueType } from "../../wasm/mod.ts";
import { Value } from "../emit/value.ts";
import { S, SEG, Seg } from "../state.ts";
import { emitEnter } from "./block_entry.ts";
import { CPU_BASE, Exit, JUMP_CACHE, MEMORY_PAGES, REC } from "./layout.ts";

/** An imported function. */
export interface Imported {
  readonly index: number;
  readonly args: readonly ValueType[];
  readonly result: ValueType | null;
}

/** Indices of types and functions in a handler module. */
export interface Linkage {
  /** Type of a handler, which gets the record. */
  readonly handlerType: number;
  /** Type of a region's function. */
  readonly regionType: number;
  /** The function (link field or 0, target i64) that goes to an instruction pointer through the jump cache. */
  jump(flat: boolean): number;
  /** Inside a packed function: where to go instead of calling. */
  readonly inner?: InnerLabels;
  helper(name: string): Imported;
  kernel(name: string): Imported;
}

/** Places in a packed function, see packed.ts. */
export interface InnerLabels {
  /** Runs the handler of the record in local {@link RECORD}. */
  readonly dispatch: Label;
  /** Goes through the jump cache to the address in `target`, with the link field in `link`. */
  readonly jump: Label;
  readonly target: number;
  readonly link: number;
}

/** What kernels are imported from: those for floating point and the like, and those for strings. */
export type KernelModule = "kernel" | "strings";

/** Types of the functions that handlers may call. */
export interface ImportTable {
  readonly helpers: ReadonlyMap<string, { args: readonly ValueType[]; result: ValueType | null }>;
  readonly kernels: ReadonlyMap<string, { args: readonly ValueType[]; result: ValueType | null }>;
  readonly strings: ReadonlyMap<string, { args: readonly ValueType[]; result: ValueType | null }>;
}

/** The local of a handler that has the record. */
export const RECORD = 0;
/**
 * A region's function: (state block, depth of nested calls) → offset in CS where execution goes on, see {@link MODE_CHANGED}, or
 * {@link LEFT}. All state is in the state block when it returns.
 */
export const REGION_SIGNATURE: Signature = { parameters: ["i32", "i32"], results: ["i64"] };
/** These bits of a region's result are other than its offset's where the mode has changed: no caller goes on in a wrong one. */
export const MODE_CHANGED = 2n ** 62n;
/** A region's result when it returns to the run loop: S.EXIT says why. */
export const LEFT = -(2n ** 63n);
export const HANDLER_SIGNATURE: Signature = { parameters: ["i32"], results: [] };
const JUMP_SIGNATURE: Signature = { parameters: ["i32", "i64"], results: [] };

function signature(f: { args: readonly ValueType[]; result: ValueType | null }): Signature {
  return { parameters: f.args, results: f.result ? [f.result] : [] };
}

/** Imports functions of a module when they are asked for. */
export function importer(
  module: ModuleBuilder,
  from: string,
  functions: ImportTable["kernels"],
): (name: string) => Imported {
  const imported = new Map<string, Imported>();
  return (name) => {
    const known = imported.get(name), type = functions.get(name);
    if (known) return known;
    if (!type) throw new Error(`there is no ${from} called ${name}`);
    const found = { ...type, index: module.importFunction(from, name, signature(type)) };
    imported.set(name, found);
    return found;
  };
}

/** What a module's handlers are written with, and what for. */
export interface ModuleLinkage extends Linkage {
  /** The kernels that they call. */
  readonly kernels: ReadonlySet<KernelModule>;
}

/** Begins a handler module. What is called is imported when it is asked for: before the module has functions of its own. */
export function linkModule(module: ModuleBuilder, imports: ImportTable): ModuleLinkage {
  const handlerType = module.type(HANDLER_SIGNATURE), regionType = module.type(REGION_SIGNATURE);
  module.importMemory("env", "memory", MEMORY_PAGES);
  module.importTable("env", "handlers", 1);
  const kernels = new Set<KernelModule>(), jump = importer(module, "entry", JUMPS);
  const floating = importer(module, "kernel", imports.kernels), string = importer(module, "strings", imports.strings);
  return {
    handlerType,
    regionType,
    jump: (flat) => jump(flat ? "jumpFlat" : "jumpSegmented").index,
    helper: importer(module, "helper", imports.helpers),
    kernel: (name) => {
      const from = imports.strings.has(name) ? "strings" : "kernel";
      kernels.add(from);
      return from === "strings" ? string(name) : floating(name);
    },
    kernels,
  };
}

/** Functions of the entry module, which all handler modules may call. */
const JUMPS: ImportTable["kernels"] = new Map(
  ["jumpFlat", "jumpSegmented"].map((name) => [name, { args: JUMP_SIGNATURE.parameters, result: null }]),
);

/**
 * The module through which TypeScript enters compiled code: `enter(record)` starts a record's handler, `resumeFlat()`
 * and `resumeSegmented()` go on at RIP if the jump cache knows the block there, and return with Exit.LOOKUP if not. It also
 * has the functions behind {@link Linkage.jump}.
 */
export function entryModule(): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder();
  const linkage = linkModule(module, { helpers: new Map(), kernels: new Map(), strings: new Map() });
  const enter = new Code(1);
  enter.get(0);
  enter.get(0);
  enter.memory(Op.I32_LOAD, REC.SLOT);
  enter.returnCallIndirect(linkage.handlerType);
  module.export("enter", module.function(HANDLER_SIGNATURE, enter));
  for (const flat of [true, false]) {
    const jump = module.function(JUMP_SIGNATURE, jumpCode(linkage, flat)), resume = new Code(0);
    resume.i32(0);
    resume.i32(CPU_BASE);
    resume.memory(Op.I64_LOAD, S.RIP);
    resume.returnCall(jump);
    module.export(flat ? "jumpFlat" : "jumpSegmented", jump);
    const signature: Signature = { parameters: [], results: [] };
    module.export(flat ? "resumeFlat" : "resumeSegmented", module.function(signature, resume));
  }
  return module.toBytes();
}

function jumpCode(linkage: Linkage, flat: boolean): Code {
  const code = new Code(2);
  emitJump(code, linkage, flat, 0, 1);
  return code;
}

/** Looks the offset in CS in local `target` up in the jump cache: with the first record in local `record`, `found` goes on. */
export function emitFind(code: Code, flat: boolean, target: number, record: number, found: () => void): void {
  const linear = code.local("i64"), entry = code.local("i32");
  code.get(target);
  if (!flat) {
    code.i32(CPU_BASE);
    code.memory(Op.I64_LOAD, S.SEG + Seg.CS * SEG.SIZE + SEG.BASE);
    code.op(Op.I64_ADD);
    code.i64(0xffffffffn);
    code.op(Op.I64_AND);
  }
  code.tee(linear);
  code.op(Op.I32_WRAP_I64);
  code.i32(JUMP_CACHE.MULTIPLIER);
  code.op(Op.I32_MUL);
  code.i32(JUMP_CACHE.SHIFT);
  code.op(Op.I32_SHR_U);
  code.i32(JUMP_CACHE.PAIR_SHIFT);
  code.op(Op.I32_SHL);
  code.i32(JUMP_CACHE.BASE);
  code.op(Op.I32_ADD);
  code.set(entry);
  const compare = (hit: Label) =>
    code.block((other) => {
      code.get(entry);
      code.memory(Op.I64_LOAD, JUMP_CACHE.KEY);
      code.get(linear);
      code.op(Op.I64_NE);
      code.brIf(other);
      code.get(entry);
      code.memory(Op.I32_LOAD, JUMP_CACHE.MODE);
      code.i32(CPU_BASE);
      code.memory(Op.I32_LOAD, S.MODE);
      code.op(Op.I32_EQ);
      code.brIf(hit);
    });
  code.block((miss) => {
    code.block((hit) => {
      compare(hit);
      code.get(entry);
      code.i32(JUMP_CACHE.ENTRY_BYTES);
      code.op(Op.I32_ADD);
      code.set(entry);
      compare(hit);
      code.br(miss);
    });
    code.get(entry);
    code.memory(Op.I32_LOAD, JUMP_CACHE.RECORD);
    code.set(record);
    found();
  });
}

/** Looks the address in local `target` up in the jump cache and enters the block, or leaves to the run loop. */
export function emitJump(code: Code, linkage: Linkage, flat: boolean, link: number, target: number): void {
  const record = code.local("i32");
  emitFind(
    code,
    flat,
    target,
    record,
    () => emitEnter(code, Value.local("i32", record), Value.local("i64", target), linkage, flat),
  );
  code.i32(CPU_BASE);
  code.get(target);
  code.memory(Op.I64_STORE, S.RIP);
  code.i32(CPU_BASE);
  code.get(link);
  code.memory(Op.I32_STORE, S.NEXT);
  code.i32(CPU_BASE);
  code.i32(Exit.LOOKUP);
  code.memory(Op.I32_STORE, S.EXIT);
}
