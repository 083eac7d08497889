/**
 * The usual case of repeated strings as WebAssembly functions: they store, move and compare elements upwards, page by page, as far as
 * the TLB allows it. An element that may not be accessed without asking, because its page is missing, watched or no plain memory, ends
 * them before it. Intel SDM vol. 2, REP.
 */
import { Code, type Label, ModuleBuilder, Op, OpFc, type Signature, type ValueType } from "../wasm/mod.ts";
import { Value } from "./emit/value.ts";
import { CPU_BASE, GUEST_BASE, MEMORY_PAGES, TLB } from "./interpreter/layout.ts";
import { S } from "./state.ts";

const PAGE_SIZE = 4096;
/** Where an element lies that is in two pages. */
const SCRATCH = CPU_BASE + S.SCRATCH;

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

function typeOf(shift: number): "i32" | "i64" {
  return shift === 3 ? "i64" : "i32";
}

function forSizes(name: string, args: (element: ValueType) => ValueType[]): Signatures {
  return Object.fromEntries(
    SIZES.map(([bits, shift]) => [`${name}_${bits}`, { args: args(typeOf(shift)), result: "i32" }]),
  );
}

/** (linear address) → where it lies in memory, 0 if it may not be accessed without asking. */
const PLACE: Signature = { parameters: ["i64"], results: ["i32"] };
/** (linear address): makes the TLB entry if there is to be one. */
const TOUCH: Signature = { parameters: ["f64"], results: [] };
/** (destination, source, bytes), all of them addresses in memory. */
const SPREAD: Signature = { parameters: ["i32", "i32", "i32"], results: [] };
/** (linear address, bytes) → 0 if an element there may not be accessed without asking. */
const ELEMENT: Signature = { parameters: ["i64", "i32"], results: ["i32"] };

/** The functions by index. */
interface Functions {
  readonly readPlace: number;
  readonly writePlace: number;
  readonly spread: number;
  /** An element wherever its bytes lie, to and from {@link SCRATCH}. */
  readonly loadElement: number;
  readonly storeElement: number;
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
  const functions = { readPlace, writePlace, spread, loadElement, storeElement };
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

// ---- what functions are written with

function i32(local: number): Value {
  return Value.local("i32", local);
}

function i64(local: number): Value {
  return Value.local("i64", local);
}

/** Sets a local. */
function set(code: Code, local: number, value: Value): void {
  value.emit(code);
  code.set(local);
}

/** What lies at an address. */
function load(type: "i32" | "i64", address: Value, offset: number): Value {
  return new Value(type, (code) => {
    address.emit(code);
    code.memory(type === "i64" ? Op.I64_LOAD : Op.I32_LOAD, offset);
  });
}

/** Calls a function that gives an i32. */
function call(index: number, ...args: readonly Value[]): Value {
  return new Value("i32", (code) => {
    for (const arg of args) arg.emit(code);
    code.call(index);
  });
}

/** Copies bytes; source and destination may overlap. */
function copy(code: Code, to: Value, from: Value, bytes: Value): void {
  for (const value of [to, from, bytes]) value.emit(code);
  code.fc(OpFc.MEMORY_COPY, 0, 0);
}

function fill(code: Code, to: Value, byte: Value, bytes: Value): void {
  for (const value of [to, byte, bytes]) value.emit(code);
  code.fc(OpFc.MEMORY_FILL, 0);
}

function smaller(a: Value, b: Value): Value {
  return new Value("i32", (code) => {
    for (const value of [a, b, a.ltU(b)]) value.emit(code);
    code.op(Op.SELECT);
  });
}

/** Bytes from a linear address to the end of its page. */
function room(linear: Value): Value {
  return Value.i32(PAGE_SIZE).sub(linear.wrap().and(PAGE_SIZE - 1));
}

function branchIf(code: Code, label: Label, condition: Value): void {
  condition.emit(code);
  code.brIf(label);
}

// ---- the functions

function placeCode(tag: number, touch: number): Code {
  const code = new Code(1), linear = i64(0), entry = code.local("i32");
  const index = linear.shrU(12 - TLB.ENTRY_SHIFT).wrap().and((TLB.ENTRIES - 1) << TLB.ENTRY_SHIFT);
  set(code, entry, index.add(load("i32", Value.i32(0), CPU_BASE + S.TLB)));
  const misses = load("i64", i32(entry), tag).ne(linear.and(-PAGE_SIZE));
  misses.emit(code);
  code.unlikely();
  code.if(() => {
    Value.numeric("f64", Op.F64_CONVERT_I64_S, linear).emit(code);
    code.call(touch);
    misses.emit(code);
    code.if(() => {
      code.i32(0);
      code.op(Op.RETURN);
    });
  });
  linear.wrap().add(load("i32", i32(entry), TLB.ADDEND)).add(GUEST_BASE).emit(code);
  return code;
}

/** Copies upwards: what has been written of an overlapping source is copied on, in ever longer pieces. */
function spreadCode(): Code {
  const code = new Code(3), [to, from, left] = [0, 1, 2], piece = code.local("i32");
  code.block((done) =>
    code.loop((again) => {
      branchIf(code, done, i32(left).eqz());
      // The distance, if it is less than what is left, and not 0.
      set(code, piece, smaller(i32(to).sub(i32(from)).sub(1), i32(left).sub(1)).add(1));
      copy(code, i32(to), i32(from), i32(piece));
      set(code, to, i32(to).add(i32(piece)));
      set(code, left, i32(left).sub(i32(piece)));
      code.br(again);
    })
  );
  return code;
}

/** Moves an element's bytes between {@link SCRATCH} (`at`) and its one or two pages. */
function elementCode(place: number, move: (code: Code, at: Value, place: Value, bytes: Value) => void): Code {
  const code = new Code(2), linear = i64(0), bytes = i32(1);
  const first = code.local("i32"), last = code.local("i32"), part = code.local("i32");
  code.block((done) => {
    set(code, first, call(place, linear));
    branchIf(code, done, i32(first).eqz());
    set(code, last, call(place, linear.add(bytes.sub(1).extendU())));
    branchIf(code, done, i32(last).eqz());
    set(code, part, smaller(bytes, room(linear)));
    const rest = bytes.sub(i32(part));
    move(code, Value.i32(SCRATCH), i32(first), i32(part));
    move(code, i32(part).add(SCRATCH), i32(last).add(1).sub(rest), rest);
  });
  // Before the second page is known to be there it is 0, and so it stays if it is not there.
  code.get(last);
  return code;
}

function storeCode({ writePlace, spread, storeElement }: Functions): Code {
  const code = new Code(4), to = i64(0), pattern = i64(1), count = i32(2), shift = i32(3);
  const left = code.local("i32"), place = code.local("i32"), length = code.local("i32"), bytes = code.local("i32");
  set(code, bytes, Value.i32(1).shl(shift));
  set(code, left, count);
  code.i32(SCRATCH);
  pattern.emit(code);
  code.memory(Op.I64_STORE, 0);
  code.block((done) =>
    code.loop((again) => {
      branchIf(code, done, i32(left).eqz());
      set(code, place, call(writePlace, to));
      branchIf(code, done, i32(place).eqz());
      set(code, length, smaller(i32(left), room(to).shrU(shift)).shl(shift));
      i32(length).emit(code);
      code.if(() => {
        pattern.rotl(8).eq(pattern).emit(code);
        code.if(() => fill(code, i32(place), pattern.wrap(), i32(length)), () => {
          copy(code, i32(place), Value.i32(SCRATCH), i32(bytes));
          for (const value of [i32(place).add(i32(bytes)), i32(place), i32(length).sub(i32(bytes))]) value.emit(code);
          code.call(spread);
        });
      }, () => {
        set(code, length, i32(bytes));
        branchIf(code, done, call(storeElement, to, i32(bytes)).eqz());
      });
      set(code, 0, to.add(i32(length).extendU()));
      set(code, left, i32(left).sub(i32(length).shrU(shift)));
      code.br(again);
    })
  );
  count.sub(i32(left)).emit(code);
  return code;
}

function moveCode({ readPlace, writePlace, spread, loadElement, storeElement }: Functions): Code {
  const code = new Code(4), from = i64(0), to = i64(1), count = i32(2), shift = i32(3);
  const left = code.local("i32"), length = code.local("i32"), bytes = code.local("i32");
  const source = code.local("i32"), target = code.local("i32");
  set(code, bytes, Value.i32(1).shl(shift));
  set(code, left, count);
  code.block((done) =>
    code.loop((again) => {
      branchIf(code, done, i32(left).eqz());
      set(code, source, call(readPlace, from));
      branchIf(code, done, i32(source).eqz());
      set(code, length, smaller(i32(left), room(from).shrU(shift)).shl(shift));
      code.block((next) => {
        // The destination must not be looked for before all of the source has been.
        code.block((single) => {
          branchIf(code, single, i32(length).eqz());
          set(code, target, call(writePlace, to));
          branchIf(code, done, i32(target).eqz());
          set(code, length, smaller(i32(length), room(to).shrU(shift).shl(shift)));
          const overlapsItself = i32(target).sub(i32(source)).sub(1).ltU(i32(bytes).sub(1));
          branchIf(code, single, i32(length).eqz().or(overlapsItself));
          for (const value of [i32(target), i32(source), i32(length)]) value.emit(code);
          code.call(spread);
          code.br(next);
        });
        set(code, length, i32(bytes));
        branchIf(code, done, call(loadElement, from, i32(bytes)).eqz());
        branchIf(code, done, call(storeElement, to, i32(bytes)).eqz());
      });
      for (const [local, value] of [[0, from], [1, to]] as const) set(code, local, value.add(i32(length).extendU()));
      set(code, left, i32(left).sub(i32(length).shrU(shift)));
      code.br(again);
    })
  );
  count.sub(i32(left)).emit(code);
  return code;
}

const LOAD = [Op.I32_LOAD8_U, Op.I32_LOAD16_U, Op.I32_LOAD, Op.I64_LOAD];

/** Reads an element at the address in a local, which moves behind it. */
function takeElement(code: Code, shift: number, element: number, place: number): void {
  code.get(place);
  code.memory(LOAD[shift], 0);
  code.set(element);
  set(code, place, i32(place).add(1 << shift));
}

/** Keeps an element for who called. */
function keepElement(code: Code, shift: number, element: number, at: number): void {
  code.i32(at);
  code.get(element);
  code.memory(shift === 3 ? Op.I64_STORE : Op.I32_STORE, 0);
}

/** Elements in two pages end these: they are rare. */
function scanCode({ readPlace }: Functions, shift: number): Code {
  const code = new Code(4),
    type = typeOf(shift),
    at = i64(0),
    value = Value.local(type, 1),
    most = i32(2),
    until = i32(3);
  const left = code.local("i32"), run = code.local("i32"), place = code.local("i32"), element = code.local(type);
  set(code, left, most);
  code.block((done) =>
    code.loop((again) => {
      branchIf(code, done, i32(left).eqz());
      branchIf(code, done, room(at).ltU(1 << shift));
      set(code, place, call(readPlace, at));
      branchIf(code, done, i32(place).eqz());
      set(code, run, smaller(i32(left), room(at).shrU(shift)));
      set(code, left, i32(left).sub(i32(run)));
      set(code, 0, at.add(i32(run).extendU().shl(shift)));
      code.loop((next) => {
        takeElement(code, shift, element, place);
        set(code, run, i32(run).sub(1));
        branchIf(code, done, Value.local(type, element).eq(value).eq(until));
        branchIf(code, next, i32(run));
      });
      code.br(again);
    })
  );
  keepElement(code, shift, element, SCRATCH);
  most.sub(i32(left)).sub(i32(run)).emit(code);
  return code;
}

function compareCode({ readPlace }: Functions, shift: number): Code {
  const code = new Code(4), type = typeOf(shift), first = i64(0), second = i64(1), most = i32(2), until = i32(3);
  const left = code.local("i32"), run = code.local("i32");
  const firstPlace = code.local("i32"), secondPlace = code.local("i32");
  const firstElement = code.local(type), secondElement = code.local(type);
  set(code, left, most);
  code.block((done) =>
    code.loop((again) => {
      branchIf(code, done, i32(left).eqz());
      for (const [linear, place] of [[first, firstPlace], [second, secondPlace]] as const) {
        branchIf(code, done, room(linear).ltU(1 << shift));
        set(code, place, call(readPlace, linear));
        branchIf(code, done, i32(place).eqz());
      }
      set(code, run, smaller(i32(left), smaller(room(first), room(second)).shrU(shift)));
      set(code, left, i32(left).sub(i32(run)));
      for (const [local, linear] of [[0, first], [1, second]] as const) {
        set(code, local, linear.add(i32(run).extendU().shl(shift)));
      }
      code.loop((next) => {
        takeElement(code, shift, firstElement, firstPlace);
        takeElement(code, shift, secondElement, secondPlace);
        set(code, run, i32(run).sub(1));
        branchIf(code, done, Value.local(type, firstElement).eq(Value.local(type, secondElement)).eq(until));
        branchIf(code, next, i32(run));
      });
      code.br(again);
    })
  );
  keepElement(code, shift, firstElement, SCRATCH);
  keepElement(code, shift, secondElement, SCRATCH + 8);
  most.sub(i32(left)).sub(i32(run)).emit(code);
  return code;
}
