/** The way into the handler of a page fault that compiled code has found out itself, see page_walks.ts. */
import { Code } from "../../wasm/mod.ts";
import { Value } from "../emit/value.ts";
import { COUNTERS, FAULT_SITES } from "../interpreter/layout.ts";
import { Flag, S, Vector } from "../state.ts";
import { requireNothingWaiting } from "./waiting.ts";
import { KernelWriter } from "./writing.ts";

/**
 * () → 1 if the handler of the #PF has been entered that an access of a region raises, which has been left before it: nothing else has to
 * be looked at. `enter` enters handlers, see {@link enterCode}.
 */
export function deliverCode(enter: number): Code {
  const code = new Code(0), w = new KernelWriter(code), { BASE, SHIFT, ENTRY_SHIFT, MULTIPLIER } = FAULT_SITES;
  requireNothingWaiting(w);
  w.require(w.state(S.INTERRUPT_LINE, "i32").or(w.state(S.LEAVE, "i32")).eqz());
  const region = w.state(S.REGION, "i32"), site = w.state(S.SITE, "i32");
  const entry = w.let(region.shl(3).add(site).mul(MULTIPLIER).shrU(SHIFT).shl(ENTRY_SHIFT).add(BASE));
  const field = (offset: number, kind: "i32" | "i64") => w.let(w.load(entry, offset, kind));
  w.require(field(FAULT_SITES.REGION, "i32").eq(region).and(field(FAULT_SITES.SITE, "i32").eq(site)));
  w.setState(S.RIP, "i64", field(FAULT_SITES.IP, "i64"));
  w.require(
    new Value("i32", () => {
      for (
        const argument of [Value.i32(Vector.PF), w.state(S.PAGE_FAULT_CODE, "i32"), Value.i32(Flag.RF), Value.i32(0)]
      ) {
        argument.emit(code);
      }
      code.call(enter);
    }),
  );
  const unfinished = field(FAULT_SITES.UNFINISHED, "i32");
  // The way into a handler counts as an instruction.
  w.setState(S.BUDGET, "i32", w.state(S.BUDGET, "i32").add(unfinished).sub(1));
  const counter = w.load(Value.i32(0), COUNTERS.IN_REGIONS, "i64");
  w.store(Value.i32(0), COUNTERS.IN_REGIONS, "i64", counter.sub(unfinished.extendU()));
  w.setState(S.CR2, "i64", w.state(S.PAGE_FAULT_ADDRESS, "i64"));
  w.setState(S.PAGE_FAULT, "i32", Value.i32(0));
  w.setState(S.CURRENT, "i32", Value.i32(0));
  code.i32(1);
  return code;
}
