/** What region modules have in common, and the module of functions that all regions call. */
import { Code, type Label, ModuleBuilder, Op, type Signature, type ValueType } from "../../wasm/mod.ts";
import { Value } from "../emit/value.ts";
import { isFlatCode } from "../emit/base.ts";
import type { CodeMode } from "../emit/emitter.ts";
import { MEMORY_PAGES } from "../interpreter/layout.ts";
import { type Imported, importer, type ImportTable, kernelImporter, REGION_SIGNATURE } from "../interpreter/linkage.ts";
import { emitFindRegion } from "../interpreter/region_lookup.ts";
import { exportAccessFunctions, importAccessFunctions } from "./access_functions.ts";
import type { AccessLinkage } from "./accesses.ts";
import { FlagMath, type FlagSource, numberOf, PLAIN_SOURCES, ROTATE_SOURCES, STEP_SOURCES } from "./flag_kinds.ts";
import { FLAG_STATE_TYPES, type FlagFunctions, operandsIn } from "./flags.ts";
import { S } from "../state.ts";

const LOOKUP: Signature = { parameters: ["i32", "i64"], results: ["i32"] };
const RAW: Signature = { parameters: ["i32", ...FLAG_STATE_TYPES], results: ["i64"] };
const FLAG: Signature = { parameters: ["i32", ...FLAG_STATE_TYPES], results: ["i32"] };

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
 * the size of the memory in units of 64 KiB: V8 keeps base and size of a memory that cannot grow over calls. `slots` is the size of the table,
 * which cannot grow either: so V8 has it as a constant.
 */
export function regionTemplate(imports: ImportTable, pages: number, slots: number): {
  module: ModuleBuilder;
  linkage: (mode: CodeMode) => RegionLinkage;
} {
  const module = new ModuleBuilder();
  module.importMemory("env", "memory", pages, pages);
  module.importTable("env", "handlers", slots, slots);
  const lookups = {
    flat: module.importFunction("shared", "lookupFlat", LOOKUP),
    segmented: module.importFunction("shared", "lookupSegmented", LOOKUP),
  };
  const flags = {
    raw: module.importFunction("shared", "raw", RAW),
    carry: module.importFunction("shared", "carry", FLAG),
    overflow: module.importFunction("shared", "overflow", FLAG),
  };
  const accesses: Partial<Record<"narrow" | "wide", AccessLinkage>> = {};
  const find = kernelImporter(module, imports), kernel = (name: string) => find(name).imported;
  const helper = importer(module, "helper", imports.helpers);
  const regionType = module.type(REGION_SIGNATURE);
  const linkage = (mode: CodeMode) => ({
    regionType,
    lookup: isFlatCode(mode) ? lookups.flat : lookups.segmented,
    cached: isFlatCode(mode),
    accesses: mode.code === 64
      ? accesses.wide ??= importAccessFunctions(module, true)
      : accesses.narrow ??= importAccessFunctions(module, false),
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
  exportAccessFunctions(module);
  module.export("lookupFlat", module.function(LOOKUP, lookupCode(true)));
  module.export("lookupSegmented", module.function(LOOKUP, lookupCode(false)));
  const carry = module.function(FLAG, flagOfOtherCode("CF", [...PLAIN_SOURCES, ...ROTATE_SOURCES]));
  const overflow = module.function(FLAG, flagOfOtherCode("OF", ROTATE_SOURCES));
  module.export("carry", carry);
  module.export("overflow", overflow);
  module.export("raw", module.function(RAW, rawCode(carry, overflow)));
  return module.toBytes();
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

/** Parameters of the flag functions: the state block, then the source and the other source, see FlagTracker.emitState. */
const PARAMETERS = 1 + FLAG_STATE_TYPES.length, HALF = FLAG_STATE_TYPES.length / 2;

function sourceAt(first: number): { number: number; narrow: number[]; wide: number[] } {
  return { number: first, narrow: [first + 1, first + 2], wide: [first + 3, first + 4] };
}
const MAIN = sourceAt(1), OTHER = sourceAt(1 + HALF);

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

type FlagOfOther = (name: "CF" | "OF") => Value;

function mathOf(code: Code, source: FlagSource, at: typeof MAIN, other: FlagOfOther): FlagMath {
  const operands = source.operation === "memory"
    ? { r: stateWord(S.FLAG_RES).evaluated(code), a: stateWord(S.FLAG_AUX).evaluated(code), b: Value.i32(0) }
    : operandsIn(source, at.narrow, at.wide);
  return new FlagMath(source, operands, (value) => value.evaluated(code), other);
}

/** A flag of the other source, which is one of `sources`. */
function flagOfOtherCode(name: "CF" | "OF", sources: readonly FlagSource[]): Code {
  const code = new Code(PARAMETERS);
  bySource(code, OTHER.number, sources, (source) => {
    mathOf(code, source, OTHER, () => Value.i32(0)).flag(name).emit(code);
    code.op(Op.RETURN);
  });
  return code;
}

/** FLAG_RES and FLAG_AUX of the source. */
function rawCode(carry: number, overflow: number): Code {
  const code = new Code(PARAMETERS);
  const other: FlagOfOther = (name) => {
    const type: ValueType = "i32", index = code.local(type);
    for (let parameter = 0; parameter < PARAMETERS; parameter++) code.get(parameter);
    code.call(name === "CF" ? carry : overflow);
    code.set(index);
    return Value.local(type, index);
  };
  const plain = [...PLAIN_SOURCES, ...STEP_SOURCES], rotated = plain.map((source) => ({ ...source, rotated: true }));
  bySource(code, MAIN.number, [...plain, ...rotated], (source) => {
    const { res, aux } = mathOf(code, source, MAIN, other).raw();
    const low = res.evaluated(code), high = aux.evaluated(code);
    low.extendU().or(high.extendU().shl(32)).emit(code);
    code.op(Op.RETURN);
  });
  return code;
}
