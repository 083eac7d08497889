/** The ways into blocks, from record to record, and back to the run loop. */
import { type Code, Op } from "../../wasm/mod.ts";
import type { Value } from "../emit/value.ts";
import { S, SEG, Seg } from "../state.ts";
import { CPU_BASE, Exit, HEADER, REC } from "./layout.ts";
import { type Linkage, RECORD } from "./linkage.ts";

/** Leaves the start of the header of the block whose first record is `record` on the stack. */
function emitHeader(code: Code, record: Value): void {
  record.emit(code);
  code.i32(-HEADER.COUNT);
  code.op(Op.I32_SUB);
}

/** Loads a field of {@link HEADER} of the block whose first record is `record`. */
export function emitHeaderField(code: Code, record: Value, field: number, opcode: number): void {
  emitHeader(code, record);
  code.memory(opcode, field - HEADER.COUNT);
}

/**
 * Enters the block whose first record is `record` at instruction pointer `target` (i64): takes its instructions from the
 * budget, or leaves if that does not cover them, or if the block has become hot by this. In segmented code a block that
 * reaches beyond the limit is looked up anew.
 */
export function emitEnter(
  code: Code,
  record: Value,
  target: Value,
  linkage: Linkage,
  flat: boolean,
): void {
  const header = (field: number, opcode: number) => emitHeaderField(code, record, field, opcode);
  if (!flat) {
    target.emit(code);
    header(HEADER.BYTES, Op.I64_LOAD32_U);
    code.op(Op.I64_ADD);
    code.i32(CPU_BASE);
    code.memory(Op.I64_LOAD32_U, S.SEG + Seg.CS * SEG.SIZE + SEG.LIMIT);
    code.i64(1n);
    code.op(Op.I64_ADD);
    code.op(Op.I64_GT_U);
    code.if(() => leave(code, target, Exit.LOOKUP));
  }
  const budget = code.local("i32");
  emitHeader(code, record);
  header(HEADER.HEAT, Op.I32_LOAD);
  code.i32(1);
  code.op(Op.I32_SUB);
  code.tee(budget);
  code.memory(Op.I32_STORE, HEADER.HEAT - HEADER.COUNT);
  code.get(budget);
  code.op(Op.I32_EQZ);
  code.if(() => leave(code, target, Exit.HOT));
  code.i32(CPU_BASE);
  code.memory(Op.I32_LOAD, S.BUDGET);
  header(HEADER.COUNT, Op.I32_LOAD);
  code.op(Op.I32_SUB);
  code.tee(budget);
  code.i32(0);
  code.op(Op.I32_LT_S);
  code.if(() => leave(code, target, Exit.BUDGET));
  code.i32(CPU_BASE);
  code.get(budget);
  code.memory(Op.I32_STORE, S.BUDGET);
  code.i32(CPU_BASE);
  target.emit(code);
  code.memory(Op.I64_STORE, S.BLOCK_IP);
  emitDispatch(code, linkage, record);
}

/** Goes to the handler of a record. */
export function emitDispatch(code: Code, linkage: Linkage, record: Value): void {
  if (linkage.inner) {
    record.emit(code);
    code.set(RECORD);
    return code.br(linkage.inner.dispatch);
  }
  record.emit(code);
  record.emit(code);
  code.memory(Op.I32_LOAD, REC.SLOT);
  code.returnCallIndirect(linkage.handlerType);
}

/** Returns to the run loop with RIP = target and nothing to link. */
function leave(code: Code, target: Value, exit: number): void {
  code.i32(CPU_BASE);
  target.emit(code);
  code.memory(Op.I64_STORE, S.RIP);
  code.i32(CPU_BASE);
  code.i32(0);
  code.memory(Op.I32_STORE, S.NEXT);
  code.i32(CPU_BASE);
  code.i32(exit);
  code.memory(Op.I32_STORE, S.EXIT);
  code.op(Op.RETURN);
}
