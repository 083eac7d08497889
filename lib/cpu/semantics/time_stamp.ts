/** RDTSC and RDTSCP: guest time follows from how many cycles of a run are left. Intel SDM vol. 2, and vol. 3B, section 17.17. */
import { Op, OpFc } from "../../wasm/mod.ts";
import type { Emitter } from "../emit/emitter.ts";
import { Value } from "../emit/value.ts";
import { CR4, R, S } from "../state.ts";
import { define } from "./registry.ts";

/** The time-stamp counter before the instruction, i64. The same floating-point operations as in the machine's clock. */
function timeStamp(e: Emitter): Value {
  const { numeric } = Value, float = (field: number) => e.state(field, "i64").reinterpret();
  const left = numeric("f64", Op.F64_CONVERT_I32_S, e.cyclesLeft());
  const cycles = numeric("f64", Op.F64_SUB, float(S.TIME_CYCLES), left);
  const scaled = numeric("f64", Op.F64_MUL, cycles, float(S.TIME_NS));
  const passed = numeric("f64", Op.F64_FLOOR, numeric("f64", Op.F64_DIV, scaled, float(S.TIME_INSTRUCTIONS)));
  const now = numeric("f64", Op.F64_ADD, float(S.TIME_SKIPPED), passed);
  const whole = new Value("i64", (code) => {
    now.emit(code);
    code.fc(OpFc.I64_TRUNC_SAT_F64_S);
  });
  return e.let(whole.add(e.state(S.TSC_OFFSET, "i64")));
}

/** CR4.TSD keeps the counter for the kernel. */
function readTimeStamp(e: Emitter, withId: boolean): void {
  e.usually((require) => {
    require(e.state(S.CR4, "i32").and(CR4.TSD).eqz().or(e.state(S.CPL, "i32").eqz()));
    const now = timeStamp(e);
    e.setRegister(R.AX, 32, now.wrap());
    e.setRegister(R.DX, 32, now.shrU(32).wrap());
    if (withId) e.setRegister(R.CX, 32, e.state(S.TSC_AUX, "i32"));
  }, withId ? "rdtscp" : "rdtsc");
}

define("rdtsc", (e) => readTimeStamp(e, false));
define("rdtscp", (e) => readTimeStamp(e, true));
