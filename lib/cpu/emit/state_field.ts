/** Fields of the state block where code reads them without its address: a constant address needs no bounds check. */
import { Op } from "../../wasm/mod.ts";
import { CPU_BASE } from "../interpreter/layout.ts";
import { Value } from "./value.ts";

/** The field at an offset in the state block. */
export function stateField(type: "i32" | "i64", offset: number): Value {
  return new Value(type, (code) => {
    code.i32(0);
    code.memory(type === "i64" ? Op.I64_LOAD : Op.I32_LOAD, CPU_BASE + offset);
  });
}
