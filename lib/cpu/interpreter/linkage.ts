/** What handlers call: imported helpers and kernels, and functions of the module through which compiled code is entered. */
import { Code, type Label, ModuleBuilder, Op, type Signature, type ValueType } from "../../wasm/mod.ts";
import { emitFindAgain } from "./code_places.ts";
import { stateField } from "../emit/state_field.ts";
import { Value } from "../emit/value.ts";
import { S, SEG, Seg } from "../state.ts";
import { emitEnter, headerField, leave } from "./block_entry.ts";
import { CPU_BASE, Exit, HEADER, JUMP_CACHE, JUMP_LINKS, MEMORY_PAGES, REC } from "./layout.ts";

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
  /** The function (address of a link, target i64) that goes to an instruction pointer. */
  follow(flat: boolean): number;
  /** The function (target i64) that goes to an instruction pointer where the jump has no link of its own. */
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
  /** Goes to the offset in CS in `target` by the link whose address is in `link`. */
  readonly follow: Label;
  /** Goes there where the jump has no link of its own. */
  readonly jump: Label;
  readonly target: number;
  readonly link: number;
}

/** What kernels are imported from: those for floating point and the like, those for strings, and those for interrupts. */
export type KernelModule = "kernel" | "strings" | "system";

/** Types of the functions that handlers may call. */
export interface ImportTable {
  readonly helpers: ReadonlyMap<string, { args: readonly ValueType[]; result: ValueType | null }>;
  readonly kernels: ReadonlyMap<string, { args: readonly ValueType[]; result: ValueType | null }>;
  readonly strings: ReadonlyMap<string, { args: readonly ValueType[]; result: ValueType | null }>;
  readonly system: ReadonlyMap<string, { args: readonly ValueType[]; result: ValueType | null }>;
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
const FOLLOW_SIGNATURE: Signature = { parameters: ["i32", "i64"], results: [] };
const JUMP_SIGNATURE: Signature = { parameters: ["i64"], results: [] };

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

/** Imports kernels of a module when they are asked for, and says what from. */
export function kernelImporter(
  module: ModuleBuilder,
  { kernels, strings, system }: ImportTable,
): (name: string) => { from: KernelModule; imported: Imported } {
  const from = {
    kernel: importer(module, "kernel", kernels),
    strings: importer(module, "strings", strings),
    system: importer(module, "system", system),
  };
  return (name) => {
    const owner = strings.has(name) ? "strings" : system.has(name) ? "system" : "kernel";
    return { from: owner, imported: from[owner](name) };
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
  const kernel = kernelImporter(module, imports);
  return {
    handlerType,
    regionType,
    follow: (flat) => jump(flat ? "followFlat" : "followSegmented").index,
    jump: (flat) => jump(flat ? "jumpFlat" : "jumpSegmented").index,
    helper: importer(module, "helper", imports.helpers),
    kernel: (name) => {
      const { from, imported } = kernel(name);
      kernels.add(from);
      return imported;
    },
    kernels,
  };
}

/** Functions of the entry module, which all handler modules may call. */
const JUMPS: ImportTable["kernels"] = new Map([
  ...["followFlat", "followSegmented"].map((name) =>
    [name, { args: FOLLOW_SIGNATURE.parameters, result: null }] as const
  ),
  ...["jumpFlat", "jumpSegmented"].map((name) => [name, { args: JUMP_SIGNATURE.parameters, result: null }] as const),
]);

/**
 * The module through which TypeScript enters compiled code: `enter(record)` starts a record's handler, `resumeFlat()`
 * and `resumeSegmented()` go on at RIP if the jump cache knows the block there, and return with Exit.LOOKUP if not. It also
 * has the functions behind {@link Linkage.follow} and {@link Linkage.jump}.
 */
export function entryModule(): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder();
  const linkage = linkModule(module, {
    helpers: new Map(),
    kernels: new Map(),
    strings: new Map(),
    system: new Map(),
  });
  const enter = new Code(1);
  enter.get(0);
  enter.get(0);
  enter.memory(Op.I32_LOAD, REC.SLOT);
  enter.returnCallIndirect(linkage.handlerType);
  module.export("enter", module.function(HANDLER_SIGNATURE, enter));
  for (const flat of [true, false]) {
    const suffix = flat ? "Flat" : "Segmented", follow = new Code(2), jump = new Code(1), resume = new Code(0);
    emitJump(follow, linkage, flat, 0, 1);
    const followed = module.function(FOLLOW_SIGNATURE, follow), link = jump.local("i32");
    emitLink(jump, link, 0);
    jump.get(link);
    jump.get(0);
    jump.returnCall(followed);
    const jumped = module.function(JUMP_SIGNATURE, jump);
    resume.i32(CPU_BASE);
    resume.memory(Op.I64_LOAD, S.RIP);
    resume.returnCall(jumped);
    module.export(`follow${suffix}`, followed);
    module.export(`jump${suffix}`, jumped);
    module.export(`resume${suffix}`, module.function({ parameters: [], results: [] }, resume));
  }
  return module.toBytes();
}

/** Linear address of the offset in CS in local `target`. */
function linearOf(flat: boolean, target: number): Value {
  const offset = Value.local("i64", target);
  if (flat) return offset;
  return offset.add(stateField("i64", S.SEG + Seg.CS * SEG.SIZE + SEG.BASE)).and(0xffff_ffff);
}

/**
 * Goes to `other` unless the block whose header is in local `header` is known to be at the linear address now, or, where that may be tried
 * `again`, is found there.
 */
function emitCheck(code: Code, header: number, linear: Value, other: Label, again = false): void {
  const block = Value.local("i32", header);
  headerField("i64", block, HEADER.ADDRESS, Op.I64_LOAD).ne(linear).emit(code);
  code.brIf(other);
  headerField("i32", block, HEADER.MODE, Op.I32_LOAD).ne(stateField("i32", S.MODE)).emit(code);
  if (!again) return code.brIf(other);
  code.unlikely();
  code.if(() => emitFindAgain(code, header, linear, other));
}

/** Looks the offset in CS in local `target` up in the jump cache: with the block's header in local `header`, `found` goes on. */
export function emitFind(code: Code, flat: boolean, target: number, header: number, found: () => void): void {
  const { BASE, MULTIPLIER, SHIFT, PAIR_SHIFT } = JUMP_CACHE;
  const linear = code.local("i64"), pair = code.local("i32"), address = Value.local("i64", linear);
  linearOf(flat, target).emit(code);
  code.set(linear);
  address.wrap().mul(MULTIPLIER).shrU(SHIFT).shl(PAIR_SHIFT).emit(code);
  code.set(pair);
  const load = (offset: number) => {
    code.get(pair);
    code.memory(Op.I32_LOAD, BASE + offset);
    code.set(header);
  };
  code.block((miss) => {
    code.block((hit) => {
      code.block((second) => {
        load(0);
        emitCheck(code, header, address, second, flat);
        code.br(hit);
      });
      load(4);
      emitCheck(code, header, address, miss, flat);
    });
    found();
  });
}

/** Puts the address of the link for jumps to the offset in CS in local `target` into local `link`. */
export function emitLink(code: Code, link: number, target: number): void {
  const { BASE, MULTIPLIER, SHIFT } = JUMP_LINKS;
  Value.local("i64", target).wrap().mul(MULTIPLIER).shrU(SHIFT).shl(2).add(BASE).emit(code);
  code.set(link);
}

/** If the link at the address in local `link` leads to the block at an offset in CS, `found` goes on with its header in local `header`. */
export function emitLinked(
  code: Code,
  flat: boolean,
  link: number,
  target: number,
  header: number,
  found: () => void,
): void {
  code.block((other) => {
    code.get(link);
    code.memory(Op.I32_LOAD, 0);
    code.set(header);
    emitCheck(code, header, linearOf(flat, target), other);
    found();
  });
}

/**
 * Enters the block at the offset in CS in local `target`, or leaves to the run loop. The word at the address in local `link`
 * leads to the block that was there last; if that is another one now, the jump cache may know it.
 */
export function emitJump(code: Code, linkage: Linkage, flat: boolean, link: number, target: number): void {
  const header = code.local("i32");
  code.block((enter) => {
    emitLinked(code, flat, link, target, header, () => code.br(enter));
    emitFind(code, flat, target, header, () => {
      code.get(link);
      code.get(header);
      code.memory(Op.I32_STORE, 0);
      code.br(enter);
    });
    leave(code, Value.local("i64", target), Exit.LOOKUP);
  });
  emitEnter(code, Value.local("i32", header), Value.local("i64", target), linkage, flat);
}
