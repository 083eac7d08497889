/** Functions behind regions' accesses to memory, see {@link AccessLinkage}: in the module that all regions share. */
import { PAGE_SIZE } from "../../machine/memory.ts";
import { Code, type ModuleBuilder, Op, type Signature, type ValueType } from "../../wasm/mod.ts";
import { tlbOffset } from "../emit/memory.ts";
import { Value } from "../emit/value.ts";
import { CPU_BASE, TLB } from "../interpreter/layout.ts";
import { CR4, PAGE, S } from "../state.ts";
import { FORGET, forgetCode, TRANSLATE, translateCode, Translated } from "../system_kernels/mod.ts";
import { type AccessLinkage, How } from "./accesses.ts";
import { stateField } from "../emit/state_field.ts";

/** Those of the functions that make the TLB allow an access. */
type Fills = Omit<AccessLinkage, "remember" | "establish">;

/** Signatures of the functions that take linear addresses of a type. */
function signatures(address: ValueType): Record<keyof AccessLinkage, Signature> {
  const fill: Signature = { parameters: [address, "i32"], results: ["i32"] };
  return {
    fillRead: fill,
    fillWrite: fill,
    keepRead: fill,
    keepWrite: fill,
    remember: { parameters: [address, "i32", "i32", "i32"], results: ["i64"] },
    establish: { parameters: [address, "i32", "i32", "i32", "i32", "i32"], results: ["i64"] },
  };
}

function nameOf(name: string, wide: boolean): string {
  return wide ? `${name}Wide` : name;
}

/** Imports the functions into a module of regions; `wide`: those for addresses of 64 bits. */
export function importAccessFunctions(module: ModuleBuilder, wide: boolean): AccessLinkage {
  const types = signatures(wide ? "i64" : "i32");
  const named = (name: keyof AccessLinkage) => module.importFunction("shared", nameOf(name, wide), types[name]);
  return {
    fillRead: named("fillRead"),
    fillWrite: named("fillWrite"),
    keepRead: named("keepRead"),
    keepWrite: named("keepWrite"),
    remember: named("remember"),
    establish: named("establish"),
  };
}

/** Adds the functions to the shared module, of which they are the first. */
export function exportAccessFunctions(module: ModuleBuilder): void {
  const fill = (name: string, address: ValueType) =>
    module.importFunction("fill", name, { parameters: [address, "i32"], results: ["i32"] });
  const read = fill("read", "i32"), write = fill("write", "i32");
  const readNumber = fill("readNumber", "f64"), writeNumber = fill("writeNumber", "f64");
  const translate = module.function(TRANSLATE, translateCode()), forget = module.function(FORGET, forgetCode());
  for (const wide of [false, true]) {
    const types = signatures(wide ? "i64" : "i32");
    const fillRead = module.function(types.fillRead, fillReadCode(wide ? readNumber : read, translate, wide));
    const fillWrite = module.function(
      types.fillWrite,
      fillWriteCode(wide ? writeNumber : write, translate, forget, wide),
    );
    const keepRead = module.function(types.keepRead, keepCode(fillRead));
    const keepWrite = module.function(types.keepWrite, keepCode(fillWrite));
    const fills: Fills = { fillRead, fillWrite, keepRead, keepWrite };
    const remember = module.function(types.remember, rememberCode(fills, wide));
    const establish = module.function(types.establish, establishCode(remember, wide));
    const functions: AccessLinkage = { ...fills, remember, establish };
    for (const [name, index] of Object.entries(functions)) module.export(nameOf(name, wide), index);
  }
}

function fillReadCode(fill: number, translate: number, wide: boolean): Code {
  const code = new Code(2);
  callFill(code, fill, translate, wide, false);
  return code;
}

/**
 * Asks TypeScript, which takes addresses of 64 bits as numbers, unless the TLB can be filled without that, or it is known that the access
 * raises #PF.
 */
function callFill(code: Code, fill: number, translate: number, wide: boolean, writes: boolean): void {
  const linear = Value.local(wide ? "i64" : "i32", 0), bytes = Value.local("i32", 1), result = code.local("i32");
  linear.extendU().emit(code);
  code.i32(writes ? 1 : 0);
  linear.wrap().and(PAGE_SIZE - 1).add(bytes).gtU(PAGE_SIZE).eqz().emit(code);
  code.call(translate);
  code.tee(result);
  code.if(() => {
    code.get(result);
    code.i32(Translated.FAULT);
    code.op(Op.I32_EQ);
    code.op(Op.RETURN);
  });
  code.get(0);
  if (wide) code.op(Op.F64_CONVERT_I64_S);
  code.get(1);
  code.returnCall(fill);
}

/** Data beside code, and most entries of page tables, may be written to at once, without a tag for other bytes of the page. */
function fillWriteCode(fill: number, translate: number, forget: number, wide: boolean): Code {
  const code = new Code(2), entry = code.local("i32"), bytes = Value.local("i32", 1);
  const linear = Value.local(wide ? "i64" : "i32", 0), count = wide ? bytes.extendU() : bytes;
  findEntry(code, linear, entry);
  code.block((ask) => {
    bytes.gtU(8).emit(code);
    code.brIf(ask);
    linear.add(count).sub(1).and(-PAGE_SIZE).emit(code);
    code.get(entry);
    code.memory(wide ? Op.I64_LOAD : Op.I32_LOAD, TLB.BESIDE);
    code.op(wide ? Op.I64_NE : Op.I32_NE);
    code.brIf(ask);
    code.get(entry);
    code.memory(Op.I32_LOAD, TLB.MARKS);
    linear.wrap().and(PAGE_SIZE - 1).emit(code);
    code.op(Op.I32_ADD);
    // The marks of eight bytes, of which those count that are written.
    code.memory(Op.I64_LOAD, 0);
    Value.i64(64).sub(bytes.extendU().shl(3)).emit(code);
    code.op(Op.I64_SHL);
    code.op(Op.I64_EQZ);
    code.op(Op.I32_EQZ);
    code.brIf(ask);
    code.i32(0);
    code.op(Op.RETURN);
  });
  code.block((ask) => {
    linear.and(-PAGE_SIZE).add(TLB.TABLE).emit(code);
    code.get(entry);
    code.memory(wide ? Op.I64_LOAD : Op.I32_LOAD, TLB.BESIDE);
    code.op(wide ? Op.I64_NE : Op.I32_NE);
    code.brIf(ask);
    emitForgetting(code, linear.wrap(), bytes, entry, forget);
    code.op(Op.I32_EQZ);
    code.brIf(ask);
    code.i32(0);
    code.op(Op.RETURN);
  });
  callFill(code, fill, translate, wide, true);
  return code;
}

/**
 * Leaves 1 on the stack if bytes of a page table, in the page of a TLB entry, lie in one entry from which nothing stems, or nothing any
 * more; else 0.
 */
function emitForgetting(code: Code, linear: Value, bytes: Value, entry: number, forget: number): void {
  const last = code.local("i32");
  // Entries have 8 bytes with PAE paging, else 4.
  stateField("i32", S.CR4).and(CR4.PAE).shrU(Math.log2(CR4.PAE) - 2).or(3).emit(code);
  code.set(last);
  const within = Value.local("i32", last);
  linear.and(within).add(bytes).gtU(within.add(1)).emit(code);
  code.if(() => code.i32(0), () => {
    linear.and(within.not()).emit(code);
    code.get(entry);
    code.memory(Op.I32_LOAD, TLB.ADDEND);
    code.op(Op.I32_ADD);
    code.call(forget);
  }, "i32");
}

/** How often something was taken from an entry of the TLB. */
const TAKEN = stateField("i32", S.TAKEN);

/** A fill that takes nothing from any entry. */
function keepCode(fill: number): Code {
  const code = new Code(2);
  TAKEN.emit(code);
  code.get(0);
  code.get(1);
  code.call(fill);
  const failed = code.local("i32");
  code.set(failed);
  TAKEN.emit(code);
  code.op(Op.I32_NE);
  code.get(failed);
  code.op(Op.I32_OR);
  return code;
}

/** Sets a local to the address of the TLB entry for a linear address. */
function findEntry(code: Code, linear: Value, entry: number): void {
  tlbOffset(linear).add(stateField("i32", S.TLB)).emit(code);
  code.set(entry);
}

/** See {@link AccessLinkage.remember}. */
function rememberCode({ fillRead, fillWrite, keepRead, keepWrite }: Fills, wide: boolean): Code {
  const code = new Code(4), entry = code.local("i32"), tag = code.local("i64");
  const LINEAR = 0, BYTES = 1, HOW = 2, FIELD = 3;
  const load = wide ? Op.I64_LOAD : Op.I32_LOAD;
  const linear = Value.local(wide ? "i64" : "i32", LINEAR);
  const asked = (how: number) => {
    code.get(HOW);
    code.i32(how);
    code.op(Op.I32_AND);
  };
  findEntry(code, linear, entry);
  const check = (field: number, fill: number, keep: number) => {
    const call = (index: number) => () => {
      code.get(LINEAR);
      code.get(BYTES);
      code.call(index);
    };
    const bytes = Value.local("i32", BYTES);
    linear.add(wide ? bytes.extendU() : bytes).sub(1).and(-PAGE_SIZE).emit(code);
    code.get(entry);
    code.memory(load, field);
    code.op(wide ? Op.I64_NE : Op.I32_NE);
    code.if(() => {
      asked(How.KEEPS);
      code.if(call(keep), call(fill), "i32");
      code.if(() => {
        code.i64(-1n);
        code.op(Op.RETURN);
      });
    });
    code.get(entry);
    code.memory(Op.I64_LOAD, field);
    code.set(tag);
  };
  asked(How.WRITES);
  code.if(() => check(TLB.WRITE, fillWrite, keepWrite), () => check(TLB.READ, fillRead, keepRead));
  const store = (field: number, value: Value) => {
    code.get(FIELD);
    value.emit(code);
    code.memory(value.type === "i64" ? Op.I64_STORE : Op.I32_STORE, field);
  };
  const page = Value.local("i64", tag);
  const addend = new Value("i32", () => {
    code.get(entry);
    code.memory(Op.I32_LOAD, TLB.ADDEND);
  });
  store(PAGE.TAG, page);
  store(PAGE.HOST, addend.add(linear.wrap().and(-PAGE_SIZE)));
  // All ones, but 0 after a write that is possible this once, which leaves an odd tag.
  const lasts = page.and(1).sub(1).evaluated(code);
  store(PAGE.LIMIT, lasts.wrap().and(PAGE_SIZE));
  store(PAGE.END4, lasts.and(PAGE_SIZE - 3));
  store(PAGE.END8, lasts.and(PAGE_SIZE - 7));
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

/** See {@link AccessLinkage.establish}. */
function establishCode(remember: number, wide: boolean): Code {
  const code = new Code(6), offset = code.local("i64"), entry = code.local("i32");
  const LINEAR = 0, BYTES = 1, HOW = 2, FIELD = 3, BEFORE = 4, ALL = 5;
  const linear = Value.local(wide ? "i64" : "i32", LINEAR);
  const failIf = () =>
    code.if(() => {
      code.i64(-1n);
      code.op(Op.RETURN);
    });
  code.get(HOW);
  code.i32(How.READS);
  code.op(Op.I32_AND);
  code.if(() => {
    // What a write would do must not be done before it.
    findEntry(code, linear, entry);
    linear.and(-PAGE_SIZE).emit(code);
    code.get(entry);
    code.memory(wide ? Op.I64_LOAD : Op.I32_LOAD, TLB.WRITE);
    code.op(wide ? Op.I64_NE : Op.I32_NE);
    failIf();
  });
  code.get(LINEAR);
  code.get(BYTES);
  code.get(HOW);
  code.get(FIELD);
  code.call(remember);
  code.tee(offset);
  code.i64(0n);
  code.op(Op.I64_LT_S);
  failIf();
  code.get(FIELD);
  code.memory(Op.I32_LOAD, PAGE.LIMIT);
  code.op(Op.I32_EQZ);
  failIf();
  const first = Value.local("i64", offset).sub(Value.local("i32", BEFORE).extendU());
  first.emit(code);
  code.tee(offset);
  code.i32(PAGE_SIZE);
  code.get(ALL);
  code.op(Op.I32_SUB);
  code.op(Op.I64_EXTEND_I32_U);
  code.op(Op.I64_GT_U);
  failIf();
  code.get(offset);
  return code;
}
