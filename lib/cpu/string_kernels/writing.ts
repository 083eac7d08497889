/** What the kernels for strings are written with. */
import { PAGE_SIZE } from "../../machine/memory.ts";
import { type Code, type Label, Op, OpFc } from "../../wasm/mod.ts";
import { Value } from "../emit/value.ts";
import { CPU_BASE } from "../interpreter/layout.ts";
import { S } from "../state.ts";

/** Where kernels put single elements: those that are in two pages, and those last compared. */
export const SCRATCH = CPU_BASE + S.SCRATCH;

/** The functions that kernels call, by index. */
export interface Functions {
  /** (linear address) → where it lies in memory, 0 if it may not be read, or written, without asking. */
  readonly readPlace: number;
  readonly writePlace: number;
  /** (destination, source, bytes), addresses in memory: copies upwards with the effect of one byte after the other. */
  readonly spread: number;
  /** (linear address, bytes): an element wherever its bytes lie, to and from {@link SCRATCH}; 0 if that may not be done without asking. */
  readonly loadElement: number;
  readonly storeElement: number;
}

/** The value of a local. */
export function i32(local: number): Value {
  return Value.local("i32", local);
}

/** The value of a local. */
export function i64(local: number): Value {
  return Value.local("i64", local);
}

/** Sets a local. */
export function set(code: Code, local: number, value: Value): void {
  value.emit(code);
  code.set(local);
}

/** What lies at an address. */
export function load(type: "i32" | "i64", address: Value, offset: number): Value {
  return new Value(type, (code) => {
    address.emit(code);
    code.memory(type === "i64" ? Op.I64_LOAD : Op.I32_LOAD, offset);
  });
}

/** Calls a function that gives an i32. */
export function call(index: number, ...args: readonly Value[]): Value {
  return new Value("i32", (code) => {
    for (const arg of args) arg.emit(code);
    code.call(index);
  });
}

/** Copies bytes; source and destination may overlap. */
export function copy(code: Code, to: Value, from: Value, bytes: Value): void {
  for (const value of [to, from, bytes]) value.emit(code);
  code.fc(OpFc.MEMORY_COPY, 0, 0);
}

/** Sets bytes. */
export function fill(code: Code, to: Value, byte: Value, bytes: Value): void {
  for (const value of [to, byte, bytes]) value.emit(code);
  code.fc(OpFc.MEMORY_FILL, 0);
}

/** The smaller of two numbers without sign; both are evaluated, one of them twice. */
export function smaller(a: Value, b: Value): Value {
  return new Value("i32", (code) => {
    for (const value of [a, b, a.ltU(b)]) value.emit(code);
    code.op(Op.SELECT);
  });
}

/** Bytes from a linear address to the end of its page. */
export function room(linear: Value): Value {
  return Value.i32(PAGE_SIZE).sub(linear.wrap().and(PAGE_SIZE - 1));
}

/** Goes to a label if the condition is not 0. */
export function branchIf(code: Code, label: Label, condition: Value): void {
  condition.emit(code);
  code.brIf(label);
}
