/** What has to hold before an x87, MMX or SSE instruction may run. Intel SDM vol. 3A, sections 2.5, 12.1 and 13.1. */
import type { Emitter } from "../emit/emitter.ts";
import { sseDisabled } from "../emit/steady.ts";
import { CR0, CR4, Fsw, S, Vector } from "../state.ts";

/** Reports a pending x87 exception, as all instructions do that wait. */
export function checkPendingError(e: Emitter): void {
  e.if(e.state(S.FSW, "i32").and(Fsw.ES), () => {
    e.helper("fpu_error");
  });
}

/** Before an instruction clears or masks the pending exceptions, and after its last fault: FERR# goes, where it is in use. */
export function settleError(e: Emitter): void {
  const external = e.state(S.CR0, "i32").and(CR0.NE).eqz();
  e.rarely(e.state(S.FSW, "i32").and(Fsw.ES).isTrue().and(external), () => {
    e.helper("fpu_error_settled");
  });
}

/** An x87 instruction that touches no exceptions: #NM with CR0.EM or CR0.TS. */
export function checkAvailable(e: Emitter): void {
  e.raiseIf(e.state(S.CR0, "i32").and(CR0.EM | CR0.TS), Vector.NM);
}

/** An x87 instruction that computes: available, and no error pending. */
export function beginX87(e: Emitter): void {
  const stop = () => {
    checkAvailable(e);
    checkPendingError(e);
  };
  e.exceptionally(e.x87Stopped(), stop, () => {});
}

/** An MMX instruction: #UD with CR0.EM, #NM with CR0.TS, and pending x87 exceptions. */
export function beginMmx(e: Emitter): void {
  const control = e.state(S.CR0, "i32");
  e.raiseIf(control.and(CR0.EM), Vector.UD);
  e.raiseIf(control.and(CR0.TS), Vector.NM);
  checkPendingError(e);
}

/** An SSE instruction: #UD with CR0.EM or without CR4.OSFXSR, #NM with CR0.TS. */
export function beginSse(e: Emitter): void {
  e.fault(e.steady(sseDisabled), () => {
    const disabled = e.state(S.CR4, "i32").and(CR4.OSFXSR).eqz();
    e.raiseIf(e.state(S.CR0, "i32").and(CR0.EM).isTrue().or(disabled), Vector.UD);
    e.raise(Vector.NM);
  });
}

/** After a kernel that reported an unmasked SSE exception: #XM, or #UD if the system does not expect it. */
export function raiseSimdError(e: Emitter): void {
  e.raiseIf(e.state(S.CR4, "i32").and(CR4.OSXMMEXCPT).eqz(), Vector.UD);
  e.raise(Vector.XM);
}
