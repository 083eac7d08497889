/** What the run loop would have to look at before the next instruction. */
import { S } from "../state.ts";
import type { KernelWriter } from "./writing.ts";

/** Bits of DR7 that enable breakpoints. */
const ENABLED = 0xff;

/** Gives up if something waits for its turn between two instructions, other than interrupts; or if there are breakpoints. */
export function requireNothingWaiting(w: KernelWriter): void {
  const fields = [S.SHADOW, S.HALTED, S.DEBUG_TRAP, S.NMI_PENDING].map((field) => w.state(field, "i32"));
  w.require(fields.reduce((all, field) => all.or(field), w.state(S.DR + 7 * 8, "i32").and(ENABLED)).eqz());
}
