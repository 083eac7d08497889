/** XSAVE, XRSTOR, XGETBV and XSETBV. Intel SDM vol. 1, chapter 13. */
import type { Emitter } from "../emit/emitter.ts";
import { AREA_BYTES, SaveKind } from "../system/xsave.ts";
import { define } from "./registry.ts";

/** Checks the instruction and its whole area, then lets a helper work on it. */
function onArea(e: Emitter, helper: string, write: boolean, kind: number): void {
  const segment = e.segmentNumber(), address = e.let(e.address(0));
  e.helper("xsave_check", segment, e.asNumber(address));
  e.probe(e.segment(0), address, AREA_BYTES, write);
  const wide = e.i32(e.instruction.operandSize === 64 ? 1 : 0);
  e.helper(helper, segment, e.asNumber(address), wide, e.i32(kind));
}

define("xsave", (e) => onArea(e, "xsave", true, SaveKind.XSAVE));
define("xsaveopt", (e) => onArea(e, "xsave", true, SaveKind.XSAVEOPT));
define("xsavec", (e) => onArea(e, "xsave", true, SaveKind.XSAVEC));

define("xrstor", (e) => {
  onArea(e, "xrstor", false, 0);
  e.kernel("x87_summary", e.base());
});

define("xgetbv xsetbv", (e, mnemonic) => {
  e.helper(mnemonic);
});
