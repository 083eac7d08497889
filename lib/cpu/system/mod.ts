/** The system functions of a processor, and the table by which compiled code calls them. */
import type { CpuCore } from "../core.ts";
import type { HelperTable } from "../helpers.ts";
import type { AccessSize } from "../../machine/types.ts";
import { S, Seg, Shadow, Vector } from "../state.ts";
import * as control from "./control.ts";
import { cpuid } from "./cpuid.ts";
import { Dr6, readDebugRegister, writeDebugRegister } from "./debug.ts";
import * as interrupts from "./interrupts.ts";
import { input, output } from "./io.ts";
import { readMsr, writeMsr } from "./msr.ts";
import { drawRandom } from "./random.ts";
import * as strings from "./rep_strings.ts";
import * as segments from "./segments.ts";
import * as transfer from "./transfer.ts";
import * as xsave from "./xsave.ts";

const REP_ARGS = ["i32", "i32", "i32", "i32", "f64"] as const;

/** Operand sizes reach helpers as numbers. */
function size(bits: number): transfer.TransferSize {
  return bits as transfer.TransferSize;
}

/** After a load of SS interrupts and traps wait for one instruction, so that it can load the stack pointer. */
function holdTraps(core: CpuCore): void {
  core.r.setI32(S.SHADOW, Shadow.STACK);
  core.r.setI32(S.DEBUG_TRAP, core.r.i32(S.DEBUG_TRAP) & ~Dr6.BS);
}

/** Helpers that segment, privilege, interrupt, port and repeated string instructions call. */
export const systemHelpers: HelperTable = {
  // Segments.
  load_segment: {
    args: ["i32", "i32"],
    result: null,
    run(core, segment, selector) {
      if (segment === Seg.CS || segment > Seg.GS) core.raise(Vector.UD);
      segments.loadSegment(core, segment, selector);
      if (segment === Seg.SS) holdTraps(core);
    },
  },
  load_far_segment: { args: ["i32", "i32"], result: null, run: segments.loadSegment },
  lldt: { args: ["i32"], result: null, run: segments.loadLdt },
  ltr: { args: ["i32"], result: null, run: segments.loadTaskRegister },
  store_system_segment: { args: ["i32"], result: "i32", run: segments.storeSystemSegment },
  lar: {
    args: ["i32"],
    result: "i32",
    run: (core, selector) => segments.loadAccessRights(core, selector) ? 1 : 0,
  },
  lsl: {
    args: ["i32"],
    result: "i32",
    run: (core, selector) => segments.loadSegmentLimit(core, selector) ? 1 : 0,
  },
  verify_segment: {
    args: ["i32", "i32"],
    result: "i32",
    run: (core, selector, write) => segments.verifySegment(core, selector, write !== 0) ? 1 : 0,
  },
  check_arpl: { args: [], result: null, run: segments.checkArpl },

  // Far transfers.
  far_jump: {
    args: ["i32", "f64", "f64"],
    result: null,
    run: (core, selector, offset, next) =>
      interrupts.transferOrDeliver(core, () => transfer.farJump(core, selector, offset, next)),
  },
  far_call: {
    args: ["i32", "f64", "f64", "i32"],
    result: null,
    run: (core, selector, offset, next, bits) =>
      interrupts.transferOrDeliver(core, () => transfer.farCall(core, selector, offset, next, size(bits))),
  },
  far_return: {
    args: ["i32", "i32"],
    result: null,
    run: (core, bits, extra) => transfer.farReturn(core, size(bits), extra),
  },
  interrupt_return: {
    args: ["i32", "f64"],
    result: null,
    run: (core, bits, next) =>
      interrupts.transferOrDeliver(core, () => transfer.interruptReturn(core, size(bits), next)),
  },
  software_interrupt: { args: ["i32", "f64"], result: null, run: interrupts.softwareInterrupt },
  breakpoint_interrupt: {
    args: ["f64"],
    result: null,
    run: (core, next) => interrupts.trapInterrupt(core, Vector.BP, next),
  },
  overflow_interrupt: { args: ["f64"], result: null, run: interrupts.interruptOnOverflow },
  debug_interrupt: { args: ["f64"], result: null, run: interrupts.debugInterrupt },
  sysenter: { args: [], result: null, run: transfer.sysenter },
  sysexit: { args: ["i32"], result: null, run: (core, bits) => transfer.sysexit(core, size(bits)) },
  syscall: { args: ["f64"], result: null, run: transfer.syscall },
  sysret: { args: ["i32"], result: null, run: (core, bits) => transfer.sysret(core, size(bits)) },

  // Control and debug registers.
  read_control: {
    args: ["i32"],
    result: null,
    run: (core, number) => core.r.setU64(S.SCRATCH, control.readControlRegister(core, number)),
  },
  write_control: {
    args: ["i32"],
    result: null,
    run: (core, number) => control.writeControlRegister(core, number, core.r.u64(S.SCRATCH)),
  },
  read_debug: {
    args: ["i32"],
    result: null,
    run: (core, number) => core.r.setU64(S.SCRATCH, readDebugRegister(core, number)),
  },
  write_debug: {
    args: ["i32"],
    result: null,
    run: (core, number) => writeDebugRegister(core, number, core.r.u64(S.SCRATCH)),
  },
  lmsw: { args: ["i32"], result: null, run: control.loadMachineStatus },
  clts: { args: [], result: null, run: control.clearTaskSwitched },
  load_table: { args: ["i32", "i32", "f64"], result: null, run: control.loadTableRegister },
  require_ring0: { args: [], result: null, run: control.requireRing0 },
  check_invpcid: { args: [], result: null, run: control.checkInvpcid },
  invpcid: {
    args: ["f64"],
    result: null,
    run: (core, type) => control.invalidateContext(core, type, core.r.u64(S.SCRATCH), core.r.u64(S.SCRATCH + 8)),
  },
  set_alignment_check: {
    args: ["i32"],
    result: null,
    run: (core, set) => control.setAlignmentCheck(core, set !== 0),
  },
  user_instruction: { args: [], result: null, run: segments.checkUserInstruction },
  read_segment_base: {
    args: ["i32"],
    result: null,
    run: (core, segment) => core.r.setU64(S.SCRATCH, control.readSegmentBase(core, segment)),
  },
  write_segment_base: {
    args: ["i32"],
    result: null,
    run: (core, segment) => control.writeSegmentBase(core, segment, core.r.u64(S.SCRATCH)),
  },
  halt: { args: [], result: null, run: control.halt },
  cli: { args: [], result: null, run: control.clearInterrupts },
  sti: { args: [], result: null, run: control.setInterrupts },
  pushf: { args: ["i32"], result: "i32", run: control.flagsToPush },
  popf: { args: ["i32", "i32"], result: null, run: control.popFlags },
  swapgs: { args: [], result: null, run: control.swapGs },

  // Extended state.
  xsave_check: { args: ["i32", "f64"], result: null, run: xsave.checkXsave },
  xsave: {
    args: ["i32", "f64", "i32", "i32"],
    result: null,
    run: (core, segment, offset, wide, kind) => xsave.saveState(core, segment, offset, wide !== 0, kind),
  },
  xrstor: {
    args: ["i32", "f64", "i32", "i32"],
    result: null,
    run: (core, segment, offset, wide) => xsave.restoreState(core, segment, offset, wide !== 0),
  },
  xgetbv: { args: [], result: null, run: xsave.readExtendedControl },
  xsetbv: { args: [], result: null, run: xsave.writeExtendedControl },

  // Model-specific.
  cpuid: { args: [], result: null, run: cpuid },
  rdmsr: { args: [], result: null, run: readMsr },
  wrmsr: { args: [], result: null, run: writeMsr },
  rdtsc: { args: [], result: null, run: control.readTimestamp },
  rdtscp: { args: [], result: null, run: control.readTimestampAndId },
  rdpmc: { args: [], result: null, run: control.readPerformanceCounter },
  draw_random: { args: [], result: null, run: drawRandom },

  // Ports.
  port_in: {
    args: ["i32", "i32"],
    result: "i32",
    run: (core, port, bytes) => input(core, port, bytes as AccessSize),
  },
  port_out: {
    args: ["i32", "i32", "i32"],
    result: null,
    run: (core, port, value, bytes) => output(core, port, value >>> 0, bytes as AccessSize),
  },
  ins: { args: ["i32", "i32"], result: null, run: strings.inputString },
  outs: { args: ["i32", "i32", "i32"], result: null, run: strings.outputString },

  // Repeated strings.
  rep_movs: { args: REP_ARGS, result: null, run: strings.repMovs },
  rep_stos: { args: REP_ARGS, result: null, run: strings.repStos },
  rep_lods: { args: REP_ARGS, result: null, run: strings.repLods },
  rep_scas: { args: REP_ARGS, result: null, run: strings.repScas },
  rep_cmps: { args: REP_ARGS, result: null, run: strings.repCmps },
  rep_ins: { args: REP_ARGS, result: null, run: strings.repIns },
  rep_outs: { args: REP_ARGS, result: null, run: strings.repOuts },
};
