/** How compiled code finds the region at an offset in CS. */
import { type Code, Op } from "../../wasm/mod.ts";
import { Value } from "../emit/value.ts";
import { S } from "../state.ts";
import { headerField } from "./block_entry.ts";
import { CPU_BASE, HEADER, REGION_CACHE } from "./layout.ts";
import { emitFind } from "./linkage.ts";

/**
 * Looks for the region that was translated for the offset in CS in local `ip` and is at that place now: with its table slot in
 * local `slot`, `found`, which does not end, goes on. The region cache knows those of flat code that were looked up before.
 */
export function emitFindRegion(code: Code, flat: boolean, ip: number, slot: number, found: () => void): void {
  const entry = code.local("i32"), header = code.local("i32");
  if (flat) {
    const { BASE, MULTIPLIER, SHIFT, ENTRY_SHIFT, KEY, MODE, SLOT } = REGION_CACHE;
    Value.local("i64", ip).wrap().mul(MULTIPLIER).shrU(SHIFT).shl(ENTRY_SHIFT).add(BASE).emit(code);
    code.tee(entry);
    code.memory(Op.I64_LOAD, KEY);
    code.get(ip);
    code.op(Op.I64_EQ);
    code.get(entry);
    code.memory(Op.I32_LOAD, MODE);
    code.i32(CPU_BASE);
    code.memory(Op.I32_LOAD, S.MODE);
    code.op(Op.I32_EQ);
    code.op(Op.I32_AND);
    code.if(() => {
      code.get(entry);
      code.memory(Op.I32_LOAD, SLOT);
      code.set(slot);
      found();
    });
  }
  emitFind(code, flat, ip, header, () => {
    const block = Value.local("i32", header);
    headerField("i32", block, HEADER.REGION, Op.I32_LOAD).emit(code);
    code.tee(slot);
    code.if(() => {
      headerField("i64", block, HEADER.IP, Op.I64_LOAD).eq(Value.local("i64", ip)).emit(code);
      code.if(() => {
        if (flat) remember(code, ip, slot, entry);
        found();
      });
    });
  });
}

/** Puts a region into the cache. */
function remember(code: Code, ip: number, slot: number, entry: number): void {
  code.get(entry);
  code.get(ip);
  code.memory(Op.I64_STORE, REGION_CACHE.KEY);
  code.get(entry);
  code.i32(CPU_BASE);
  code.memory(Op.I32_LOAD, S.MODE);
  code.memory(Op.I32_STORE, REGION_CACHE.MODE);
  code.get(entry);
  code.get(slot);
  code.memory(Op.I32_STORE, REGION_CACHE.SLOT);
}
