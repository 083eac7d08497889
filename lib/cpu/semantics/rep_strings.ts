/** INS and OUTS with a repeat prefix; the other repeated strings are in strings.ts. Intel SDM vol. 1, section 18.4. */
import type { Emitter } from "../emit/emitter.ts";
import { define } from "./registry.ts";

/** A run in TypeScript over elements of the width of `operand`; it moves RIP when it is complete. */
function repeated(helper: string, operand: number): (e: Emitter) => void {
  return (e) => {
    e.helper(
      helper,
      e.i32(e.sizeOf(operand) / 8),
      e.i32(e.instruction.addressSize),
      e.segmentNumber(),
      e.i32(0),
      e.asNumber(e.nextIp(e.mode.code)),
    );
  };
}

define("ins.rep", repeated("rep_ins", 0), "transfer");
define("outs.rep", repeated("rep_outs", 1), "transfer");
