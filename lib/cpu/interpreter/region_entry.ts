/** The way from the interpreter into regions, from one to the next, and back. */
import { type Code, Op } from "../../wasm/mod.ts";
import { Value } from "../emit/value.ts";
import { S } from "../state.ts";
import { headerField } from "./block_entry.ts";
import { COUNTERS, CPU_BASE, Exit, HEADER } from "./layout.ts";
import { emitLink, emitLinked, LEFT, type Linkage, RECORD } from "./linkage.ts";

/** Runs the region that the block of the current record starts, and those that follow it, until one leads elsewhere. */
export function emitRegionEntry(code: Code, linkage: Linkage, flat: boolean): void {
  const region = code.local("i32"), result = code.local("i64"), before = code.local("i32");
  const link = code.local("i32"), next = code.local("i32");
  // PAUSE takes from the budget what is no instruction, and adds it there.
  const remaining = () => {
    for (const field of [S.BUDGET, S.STALLED]) {
      code.i32(CPU_BASE);
      code.memory(Op.I32_LOAD, field);
    }
    code.op(Op.I32_ADD);
  };
  const count = () => {
    code.i32(0);
    code.i32(0);
    code.memory(Op.I64_LOAD, COUNTERS.IN_REGIONS);
    code.get(before);
    remaining();
    code.op(Op.I32_SUB);
    code.op(Op.I64_EXTEND_I32_S);
    code.op(Op.I64_ADD);
    code.memory(Op.I64_STORE, COUNTERS.IN_REGIONS);
  };
  const header = Value.local("i32", RECORD).sub(HEADER.SIZE);
  // The region takes from the budget itself what it executes.
  code.i32(CPU_BASE);
  code.i32(CPU_BASE);
  code.memory(Op.I32_LOAD, S.BUDGET);
  headerField("i32", header, HEADER.COUNT, Op.I32_LOAD16_U).emit(code);
  code.op(Op.I32_ADD);
  code.memory(Op.I32_STORE, S.BUDGET);
  code.i32(CPU_BASE);
  code.memory(Op.I64_LOAD, S.BLOCK_IP);
  headerField("i64", header, HEADER.IP, Op.I64_LOAD).emit(code);
  code.op(Op.I64_NE);
  code.if(() => leaveAlias(code));
  remaining();
  code.set(before);
  headerField("i32", header, HEADER.REGION, Op.I32_LOAD).emit(code);
  code.set(region);
  code.loop((again) => {
    code.i32(CPU_BASE);
    code.i32(0);
    code.get(region);
    code.callIndirect(linkage.regionType);
    code.tee(result);
    code.i64(LEFT);
    code.op(Op.I64_EQ);
    code.if(() => {
      count();
      deliverFault(code, linkage);
      remaining();
      code.set(before);
      code.i32(CPU_BASE);
      code.memory(Op.I64_LOAD, S.RIP);
      code.set(result);
    });
    // Whatever the mode is now, the block or region is looked up in it: MODE_CHANGED goes.
    code.get(result);
    code.i64(2n);
    code.op(Op.I64_SHL);
    code.i64(2n);
    code.op(Op.I64_SHR_S);
    code.set(result);
    emitLink(code, link, result);
    emitLinked(code, flat, link, result, next, () => {
      const block = Value.local("i32", next);
      headerField("i32", block, HEADER.REGION, Op.I32_LOAD).emit(code);
      code.tee(region);
      code.if(() => {
        headerField("i64", block, HEADER.IP, Op.I64_LOAD).eq(Value.local("i64", result)).emit(code);
        code.brIf(again);
      });
    });
  });
  count();
  if (linkage.inner) {
    code.get(result);
    code.set(linkage.inner.target);
    code.get(link);
    code.set(linkage.inner.link);
    return code.br(linkage.inner.follow);
  }
  code.get(link);
  code.get(result);
  code.returnCall(linkage.follow(flat));
}

/** A region has been left: returns, unless it is for a page fault whose handler has been entered. */
function deliverFault(code: Code, linkage: Linkage): void {
  code.i32(CPU_BASE);
  code.memory(Op.I32_LOAD, S.PAGE_FAULT);
  code.op(Op.I32_EQZ);
  code.if(() => code.op(Op.RETURN));
  code.call(linkage.kernel("deliver_page_fault").index);
  code.op(Op.I32_EQZ);
  code.if(() => code.op(Op.RETURN));
}

/** The code is mapped at another address than the region was translated for: the interpreter executes it. */
function leaveAlias(code: Code): void {
  code.i32(CPU_BASE);
  code.i32(CPU_BASE);
  code.memory(Op.I64_LOAD, S.BLOCK_IP);
  code.memory(Op.I64_STORE, S.RIP);
  code.i32(CPU_BASE);
  code.i32(0);
  code.memory(Op.I32_STORE, S.REGION);
  code.i32(CPU_BASE);
  code.i32(Exit.BAIL);
  code.memory(Op.I32_STORE, S.EXIT);
  code.op(Op.RETURN);
}
