/** The ways into blocks, from record to record, and back to the run loop. */
import { type Code, Op } from "../../wasm/mod.ts";
import { Value } from "../emit/value.ts";
import { S, SEG, Seg } from "../state.ts";
import { CPU_BASE, Exit, HEADER, REC } from "./layout.ts";
import { type Linkage, RECORD } from "./linkage.ts";

/** A field of the header at an address, an offset of {@link HEADER}, loaded by `opcode`. */
export function headerField(type: "i32" | "i64", header: Value, field: number, opcode: number): Value {
  return new Value(type, (code) => {
    header.emit(code);
    code.memory(opcode, field);
  });
}

/**
 * Enters the block whose header is at `header` at instruction pointer `target` (i64): takes its instructions from the
 * budget, or leaves if that does not cover them, or if the block has become hot by this. In segmented code a block that
 * reaches beyond the limit is looked up anew.
 */
export function emitEnter(code: Code, header: Value, target: Value, linkage: Linkage, flat: boolean): void {
  if (!flat) {
    target.add(headerField("i64", header, HEADER.BYTES, Op.I64_LOAD16_U)).emit(code);
    code.i32(CPU_BASE);
    code.memory(Op.I64_LOAD32_U, S.SEG + Seg.CS * SEG.SIZE + SEG.LIMIT);
    code.i64(1n);
    code.op(Op.I64_ADD);
    code.op(Op.I64_GT_U);
    code.unlikely();
    code.if(() => leave(code, target, Exit.LOOKUP));
  }
  const left = code.local("i32");
  header.emit(code);
  headerField("i32", header, HEADER.HEAT, Op.I32_LOAD).sub(1).emit(code);
  code.tee(left);
  code.memory(Op.I32_STORE, HEADER.HEAT);
  code.get(left);
  code.op(Op.I32_EQZ);
  code.unlikely();
  code.if(() => leave(code, target, Exit.HOT));
  code.i32(CPU_BASE);
  code.memory(Op.I32_LOAD, S.BUDGET);
  headerField("i32", header, HEADER.COUNT, Op.I32_LOAD16_U).emit(code);
  code.op(Op.I32_SUB);
  code.tee(left);
  code.i32(0);
  code.op(Op.I32_LT_S);
  code.unlikely();
  code.if(() => leave(code, target, Exit.BUDGET));
  code.i32(CPU_BASE);
  code.get(left);
  code.memory(Op.I32_STORE, S.BUDGET);
  code.i32(CPU_BASE);
  target.emit(code);
  code.memory(Op.I64_STORE, S.BLOCK_IP);
  emitDispatch(code, linkage, header.add(HEADER.SIZE));
}

/** Goes to the handler of a record. */
export function emitDispatch(code: Code, linkage: Linkage, record: Value): void {
  record.emit(code);
  if (linkage.inner) {
    code.set(RECORD);
    return code.br(linkage.inner.dispatch);
  }
  code.tee(RECORD);
  code.get(RECORD);
  code.memory(Op.I32_LOAD, REC.SLOT);
  code.returnCallIndirect(linkage.handlerType);
}

/** Returns to the run loop with RIP = target. */
export function leave(code: Code, target: Value, exit: number): void {
  code.i32(CPU_BASE);
  target.emit(code);
  code.memory(Op.I64_STORE, S.RIP);
  code.i32(CPU_BASE);
  code.i32(exit);
  code.memory(Op.I32_STORE, S.EXIT);
  code.op(Op.RETURN);
}
