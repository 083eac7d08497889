/** What region modules have in common, and the module of functions that all regions call. */
import { PAGE_SHIFT, PAGE_SIZE } from "../../machine/memory.ts";
import { Code, type Label, ModuleBuilder, Op, type Signature, type ValueType } from "../../wasm/mod.ts";
import { Value } from "../emit/value.ts";
import { isFlatCode } from "../emit/base.ts";
import type { CodeMode } from "../emit/emitter.ts";
import { CPU_BASE, MEMORY_PAGES, TLB } from "../interpreter/layout.ts";
import { type Imported, type ImportTable, REGION_SIGNATURE } from "../interpreter/linkage.ts";
import { emitFindRegion } from "../interpreter/region_lookup.ts";
import type { AccessLinkage } from "./accesses.ts";
import { CARRY_SOURCES, FlagMath, type FlagSource, numberOf, STEP_SOURCES } from "./flag_kinds.ts";
import { FLAG_STATE_TYPES, type FlagFunctions, operandsIn } from "./flags.ts";
import { PAGE, S } from "../state.ts";

const LOOKUP: Signature = { parameters: ["i32", "i64"], results: ["i32"] };
const FILL: Signature = { parameters: ["i32", "i32"], results: ["i32"] };
const FILL_WIDE: Signature = { parameters: ["i64", "i32"], results: ["i32"] };
const FILL_NUMBER: Signature = { parameters: ["f64", "i32"], results: ["i32"] };
const REMEMBER: Signature = { parameters: ["i32", "i32", "i32", "i32"], results: ["i64"] };
const REMEMBER_WIDE: Signature = { parameters: ["i64", "i32", "i32", "i32"], results: ["i64"] };
const RAW: Signature = { parameters: ["i32", ...FLAG_STATE_TYPES], results: ["i64"] };
const CARRY: Signature = { parameters: ["i32", ...FLAG_STATE_TYPES], results: ["i32"] };

/** Functions that regions call. */
export interface RegionLinkage {
  /** Type index of a region's function. */
  readonly regionType: number;
  /** (state block, offset in CS i64) → table slot of the region there, 0 if none is known. */
  readonly lookup: number;
  /** True if the region cache knows the code's regions: it is flat. */
  readonly cached: boolean;
  readonly accesses: AccessLinkage;
  readonly flags: FlagFunctions;
  kernel(name: string): Imported;
  helper(name: string): Imported;
}

/**
 * The beginning of a region module, and what its regions call: kernels and helpers are imported when they are asked for. `pages` is
 * the size of the memory in units of 64 KiB: V8 keeps base and size of a memory that cannot grow over calls.
 */
export function regionTemplate({ kernels, helpers, strings }: ImportTable, pages: number): {
  module: ModuleBuilder;
  linkage: (mode: CodeMode) => RegionLinkage;
} {
  const module = new ModuleBuilder();
  module.importMemory("env", "memory", pages, pages);
  module.importTable("env", "handlers", 1);
  const lookups = {
    flat: module.importFunction("shared", "lookupFlat", LOOKUP),
    segmented: module.importFunction("shared", "lookupSegmented", LOOKUP),
  };
  const flags = {
    raw: module.importFunction("shared", "raw", RAW),
    carry: module.importFunction("shared", "carry", CARRY),
  };
  const narrow: AccessLinkage = {
    fillRead: module.importFunction("fill", "read", FILL),
    fillWrite: module.importFunction("fill", "write", FILL),
    remember: module.importFunction("shared", "remember", REMEMBER),
  };
  const wide: AccessLinkage = {
    fillRead: module.importFunction("shared", "fillReadWide", FILL_WIDE),
    fillWrite: module.importFunction("shared", "fillWriteWide", FILL_WIDE),
    remember: module.importFunction("shared", "rememberWide", REMEMBER_WIDE),
  };
  const importer = (from: string, functions: ImportTable["kernels"]) => {
    const imported = new Map<string, Imported>();
    return (name: string) => {
      const known = imported.get(name), type = functions.get(name);
      if (known) return known;
      if (!type) throw new Error(`there is no ${from} called ${name}`);
      const results = type.result ? [type.result] : [];
      const index = module.importFunction(from, name, { parameters: type.args, results });
      const found = { ...type, index };
      imported.set(name, found);
      return found;
    };
  };
  const floating = importer("kernel", kernels), string = importer("strings", strings);
  const kernel = (name: string) => strings.has(name) ? string(name) : floating(name);
  const helper = importer("helper", helpers);
  const regionType = module.type(REGION_SIGNATURE);
  const linkage = (mode: CodeMode) => ({
    regionType,
    lookup: isFlatCode(mode) ? lookups.flat : lookups.segmented,
    cached: isFlatCode(mode),
    accesses: mode.code === 64 ? wide : narrow,
    flags,
    kernel,
    helper,
  });
  return { module, linkage };
}

/** The module of shared functions. */
export function sharedModule(): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder();
  module.importMemory("env", "memory", MEMORY_PAGES);
  const fill = (name: string, signature: Signature) => module.importFunction("fill", name, signature);
  const read = fill("read", FILL), write = fill("write", FILL);
  const readNumber = fill("readNumber", FILL_NUMBER), writeNumber = fill("writeNumber", FILL_NUMBER);
  const readWide = module.function(FILL_WIDE, fillWideCode(readNumber));
  const writeWide = module.function(FILL_WIDE, fillWideCode(writeNumber));
  module.export("fillReadWide", readWide);
  module.export("fillWriteWide", writeWide);
  module.export("remember", module.function(REMEMBER, rememberCode(read, write, false)));
  module.export("rememberWide", module.function(REMEMBER_WIDE, rememberCode(readWide, writeWide, true)));
  module.export("lookupFlat", module.function(LOOKUP, lookupCode(true)));
  module.export("lookupSegmented", module.function(LOOKUP, lookupCode(false)));
  const carry = module.function(CARRY, carryCode());
  module.export("carry", carry);
  module.export("raw", module.function(RAW, rawCode(carry)));
  return module.toBytes();
}

/** TypeScript takes addresses of 64 bits as numbers. */
function fillWideCode(fill: number): Code {
  const code = new Code(2);
  code.get(0);
  code.op(Op.F64_CONVERT_I64_S);
  code.get(1);
  code.returnCall(fill);
  return code;
}

/**
 * (linear address, bytes, write, address of a remembered page) → the offset in the page, which is remembered unless
 * only this access is possible; -1 if it is not.
 */
function rememberCode(read: number, write: number, wide: boolean): Code {
  const code = new Code(4), entry = code.local("i32"), LINEAR = 0, BYTES = 1, WRITES = 2, FIELD = 3;
  const load = wide ? Op.I64_LOAD : Op.I32_LOAD;
  const linear = Value.local(wide ? "i64" : "i32", LINEAR);
  linear.shrU(PAGE_SHIFT - TLB.ENTRY_SHIFT).wrap().and((TLB.ENTRIES - 1) << TLB.ENTRY_SHIFT).emit(code);
  code.i32(0);
  code.memory(Op.I32_LOAD, CPU_BASE + S.TLB);
  code.op(Op.I32_ADD);
  code.set(entry);
  const check = (tag: number, fill: number) => {
    const bytes = Value.local("i32", BYTES);
    linear.add(wide ? bytes.extendU() : bytes).sub(1).and(-PAGE_SIZE).emit(code);
    code.get(entry);
    code.memory(load, tag);
    code.op(wide ? Op.I64_NE : Op.I32_NE);
    code.if(() => {
      code.get(LINEAR);
      code.get(BYTES);
      code.call(fill);
      code.if(() => {
        code.i64(-1n);
        code.op(Op.RETURN);
      });
    });
    code.get(FIELD);
    code.get(entry);
    code.memory(Op.I64_LOAD, tag);
    code.memory(Op.I64_STORE, PAGE.TAG);
  };
  code.get(WRITES);
  code.if(() => check(TLB.WRITE, write), () => check(TLB.READ, read));
  code.get(FIELD);
  code.get(entry);
  code.memory(Op.I32_LOAD, TLB.ADDEND);
  linear.wrap().and(-PAGE_SIZE).emit(code);
  code.op(Op.I32_ADD);
  code.memory(Op.I32_STORE, PAGE.HOST);
  // A write that is possible this once leaves an odd tag.
  code.get(FIELD);
  code.i32(PAGE_SIZE);
  code.get(FIELD);
  code.memory(Op.I32_LOAD, PAGE.TAG);
  code.i32(PAGE_SHIFT);
  code.op(Op.I32_SHL);
  code.op(Op.I32_XOR);
  code.i32(PAGE_SIZE);
  code.op(Op.I32_AND);
  code.memory(Op.I32_STORE, PAGE.LIMIT);
  // The shift takes the number modulo 64.
  const number = code.local("i32"), masks = code.local("i32");
  Value.local("i32", FIELD).sub(CPU_BASE + S.READ_PAGES).shrU(PAGE.SHIFT).emit(code);
  code.tee(number);
  code.i32(6);
  code.op(Op.I32_SHR_U);
  code.i32(3);
  code.op(Op.I32_SHL);
  code.tee(masks);
  code.get(masks);
  code.memory(Op.I64_LOAD, CPU_BASE + S.REMEMBERS);
  Value.i64(1).shl(Value.local("i32", number).extendU()).emit(code);
  code.op(Op.I64_OR);
  code.memory(Op.I64_STORE, CPU_BASE + S.REMEMBERS);
  linear.extendU().and(PAGE_SIZE - 1).emit(code);
  return code;
}

/** (state block, offset in CS) → slot of the region there, 0 if none is known. */
function lookupCode(flat: boolean): Code {
  const code = new Code(2), slot = code.local("i32");
  emitFindRegion(code, flat, 1, slot, () => {
    code.get(slot);
    code.op(Op.RETURN);
  });
  code.i32(0);
  return code;
}

/** Parameters of the flag functions: the state block, then the source and the older source, see FlagTracker.emitState. */
const PARAMETERS = 1 + FLAG_STATE_TYPES.length, HALF = FLAG_STATE_TYPES.length / 2;

function sourceAt(first: number): { number: number; narrow: number[]; wide: number[] } {
  return { number: first, narrow: [first + 1, first + 2, first + 3], wide: [first + 4, first + 5, first + 6] };
}
const MAIN = sourceAt(1), OLDER = sourceAt(1 + HALF);

function local(code: Code, value: Value): Value {
  if (value.simple) return value;
  const index = code.local(value.type);
  value.emit(code);
  code.set(index);
  return Value.local(value.type, index);
}

function stateWord(offset: number): Value {
  return new Value("i32", (code) => {
    code.get(0);
    code.memory(Op.I32_LOAD, offset);
  });
}

/** Runs the arm of the source whose number is in a local; every arm returns. */
function bySource(code: Code, number: number, sources: readonly FlagSource[], arm: (source: FlagSource) => void): void {
  const labels: Label[] = [];
  const nest = (n: number, unknown: Label) => {
    if (n < 0) {
      code.get(number);
      return code.brTable(Array.from(labels, (label) => label ?? unknown), unknown);
    }
    code.block((label) => {
      labels[numberOf(sources[n])] = label;
      nest(n - 1, unknown);
    });
    code.scope(() => arm(sources[n]));
  };
  code.block((unknown) => nest(sources.length - 1, unknown));
  code.op(Op.UNREACHABLE);
}

function mathOf(code: Code, source: FlagSource, at: typeof MAIN, carry: () => Value): FlagMath {
  const operands = source.operation === "memory"
    ? { r: local(code, stateWord(S.FLAG_RES)), a: local(code, stateWord(S.FLAG_AUX)), b: Value.i32(0) }
    : operandsIn(source, at.narrow, at.wide);
  return new FlagMath(source, operands, (value) => local(code, value), carry);
}

/** CF of the older source. */
function carryCode(): Code {
  const code = new Code(PARAMETERS);
  bySource(code, OLDER.number, CARRY_SOURCES, (source) => {
    mathOf(code, source, OLDER, () => Value.i32(0)).flag("CF").emit(code);
    code.op(Op.RETURN);
  });
  return code;
}

/** FLAG_RES and FLAG_AUX of the source. */
function rawCode(carry: number): Code {
  const code = new Code(PARAMETERS);
  const older = () => {
    const type: ValueType = "i32", index = code.local(type);
    for (let parameter = 0; parameter < PARAMETERS; parameter++) code.get(parameter);
    code.call(carry);
    code.set(index);
    return Value.local(type, index);
  };
  bySource(code, MAIN.number, [...CARRY_SOURCES, ...STEP_SOURCES], (source) => {
    const { res, aux } = mathOf(code, source, MAIN, older).raw();
    const low = local(code, res), high = local(code, aux);
    low.extendU().or(high.extendU().shl(32)).emit(code);
    code.op(Op.RETURN);
  });
  return code;
}
