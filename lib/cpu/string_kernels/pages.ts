/** How the kernels for strings reach linear addresses. */
import { PAGE_SIZE } from "../../machine/memory.ts";
import { Code, Op, type Signature } from "../../wasm/mod.ts";
import { Value } from "../emit/value.ts";
import { tlbOffset } from "../emit/memory.ts";
import { CPU_BASE, GUEST_BASE, TLB } from "../interpreter/layout.ts";
import { S } from "../state.ts";
import { branchIf, call, i32, i64, load, room, SCRATCH, set, smaller } from "./writing.ts";

/** Types of {@link placeCode}'s function and of the one that it calls, and of {@link elementCode}'s. */
export const PLACE: Signature = { parameters: ["i64"], results: ["i32"] };
export const TOUCH: Signature = { parameters: ["f64"], results: [] };
export const ELEMENT: Signature = { parameters: ["i64", "i32"], results: ["i32"] };

/** The place of a linear address: the TLB has a tag for the access, or `touch` has made one. */
export function placeCode(tag: number, touch: number): Code {
  const code = new Code(1), linear = i64(0), entry = code.local("i32");
  set(code, entry, tlbOffset(linear).add(load("i32", Value.i32(0), CPU_BASE + S.TLB)));
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

/** Moves an element's bytes between {@link SCRATCH} (`at`) and its one or two pages. */
export function elementCode(place: number, move: (code: Code, at: Value, place: Value, bytes: Value) => void): Code {
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
