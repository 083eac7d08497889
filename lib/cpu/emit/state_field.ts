/** Fields of the state block, and how code reads them without its address: a constant address needs no bounds check. */
import { Op } from "../../wasm/mod.ts";
import { CPU_BASE } from "../interpreter/layout.ts";
import type { StateKind } from "./emitter.ts";
import { Value } from "./value.ts";

/** Instructions that load and store a field of each kind. */
export const STATE_LOAD: Readonly<Record<StateKind, number>> = {
  u8: Op.I32_LOAD8_U,
  u16: Op.I32_LOAD16_U,
  i32: Op.I32_LOAD,
  i64: Op.I64_LOAD,
};
export const STATE_STORE: Readonly<Record<StateKind, number>> = {
  u8: Op.I32_STORE8,
  u16: Op.I32_STORE16,
  i32: Op.I32_STORE,
  i64: Op.I64_STORE,
};

/** The field at an offset in the state block. */
export function stateField(type: "i32" | "i64", offset: number): Value {
  return new Value(type, (code) => {
    code.i32(0);
    code.memory(type === "i64" ? Op.I64_LOAD : Op.I32_LOAD, CPU_BASE + offset);
  });
}
