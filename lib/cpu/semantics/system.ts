/** Instructions on segment, control and debug registers, descriptor tables, and the rest of what a kernel needs. Intel SDM vol. 2. */
import type { Instruction } from "../decode/instruction.ts";
import type { Emitter } from "../emit/emitter.ts";
import type { Value } from "../emit/value.ts";
import { S, SEG, Seg, Vector } from "../state.ts";
import { clearInterrupts, setInterrupts, swapGs } from "./privilege.ts";
import { define, type Ending } from "./registry.ts";
import { loadSegmentRegister, segmentRegister } from "./segment_loads.ts";

/** Loading SS holds interrupts off for an instruction, which the run loop has to know. */
function segmentLoadEnding(instruction: Instruction): Ending {
  return segmentRegister(instruction, 0) === Seg.SS ? "exit" : "none";
}

/** The selector in a segment register operand. */
function selectorOf(e: Emitter, operand: number): Value {
  return e.state(S.SEG + segmentRegister(e.instruction, operand) * SEG.SIZE + SEG.SELECTOR, "i32");
}

function widened(value: Value, size: number): Value {
  return size === 64 ? value.extendU() : value;
}

define("mov.seg", (e) => {
  if (segmentRegister(e.instruction, 0) >= 0) loadSegmentRegister(e, e.read(1));
  else e.write(0, widened(selectorOf(e, 1), e.sizeOf(0)));
}, segmentLoadEnding);

define("push.seg", (e) => {
  const size = e.instruction.operandSize;
  e.push(widened(selectorOf(e, 0), size), size);
});

define("pop.seg", (e) => {
  const size = e.instruction.operandSize;
  loadSegmentRegister(e, e.stackLoad(0, size));
  e.adjustStack(size / 8);
}, segmentLoadEnding);

/** True if the first operand is a control or debug register. */
function writesSpecial(instruction: Instruction): boolean {
  const first = instruction.operands[0];
  return first.kind === "reg" && (first.file === "cr" || first.file === "dr");
}

/** MOV to and from control and debug registers; all 64 bits count. */
function moveSpecial(name: string): (e: Emitter) => void {
  return (e) => {
    if (writesSpecial(e.instruction)) {
      const value = e.read(1);
      e.setState(S.SCRATCH, "i64", e.sizeOf(1) === 64 ? value : value.extendU());
      e.helper(`write_${name}`, e.registerNumber(0));
    } else {
      e.helper(`read_${name}`, e.registerNumber(1));
      e.write(0, e.state(S.SCRATCH, e.sizeOf(0) === 64 ? "i64" : "i32"));
    }
  };
}

/** Raises #GP(0) unless the privilege level is 0. */
function requireRing0(e: Emitter): void {
  e.raiseIf(e.state(S.CPL, "i32"), Vector.GP, 0);
}

/** Control registers that are nothing but a field of the state block: CR8 belongs to the local APIC. */
const CONTROL_FIELDS: Readonly<Record<number, number>> = { 0: S.CR0, 2: S.CR2, 3: S.CR3, 4: S.CR4 };
const moveControl = moveSpecial("control");

define("mov.cr", (e) => {
  const source = e.instruction.operands[1],
    field = source.kind === "reg" && source.file === "cr" ? CONTROL_FIELDS[source.reg] : undefined;
  if (field === undefined) return moveControl(e);
  requireRing0(e);
  e.write(0, e.state(field, e.sizeOf(0) === 64 ? "i64" : "i32"));
}, (instruction) => writesSpecial(instruction) ? "exit" : "none");
define("mov.dr", moveSpecial("debug"), (instruction) => writesSpecial(instruction) ? "exit" : "none");

define("smsw", (e) => {
  e.helper("user_instruction");
  e.write(0, e.state(S.CR0, e.sizeOf(0) === 64 ? "i64" : "i32"));
});
define("lmsw", (e) => {
  e.helper("lmsw", e.read(0).wrap());
}, "exit");
define("clts", (e) => {
  e.helper("clts");
}, "exit");

/** LGDT and LIDT: with 16-bit operands the base has 24 bits. */
function loadTable(field: number): (e: Emitter) => void {
  return (e) => {
    e.helper("require_ring0");
    const segment = e.segment(0), at = e.address(0);
    const limit = e.load(segment, at, 16);
    const base = e.load(segment, e.let(e.advance(at, 2)), e.mode.code === 64 ? 64 : 32);
    const short = e.instruction.operandSize === 16 && e.mode.code !== 64;
    e.helper("load_table", e.i32(field), limit, e.asNumber(short ? base.and(0xff_ffff) : base));
  };
}

/** SGDT and SIDT store the whole base whatever the operand size, as processors since the 386 do. */
function storeTable(field: number): (e: Emitter) => void {
  return (e) => {
    e.helper("user_instruction");
    const segment = e.segment(0), at = e.address(0), wide = e.mode.code === 64;
    e.probe(segment, at, wide ? 10 : 6, true);
    e.store(segment, at, e.state(field + (S.GDTR_LIMIT - S.GDTR_BASE), "i32"), 16);
    e.store(segment, e.let(e.advance(at, 2)), e.state(field, wide ? "i64" : "i32"), wide ? 64 : 32);
  };
}

define("lgdt", loadTable(S.GDTR_BASE), "exit");
define("lidt", loadTable(S.IDTR_BASE), "exit");
define("sgdt", storeTable(S.GDTR_BASE));
define("sidt", storeTable(S.IDTR_BASE));

define("lldt", (e) => {
  e.helper("lldt", e.read(0).wrap());
});
define("ltr", (e) => {
  e.helper("ltr", e.read(0).wrap());
});
for (const [mnemonic, segment] of [["sldt", Seg.LDTR], ["str", Seg.TR]] as const) {
  define(mnemonic, (e) => {
    const selector = e.helper("store_system_segment", e.i32(segment));
    e.write(0, widened(selector, e.sizeOf(0)));
  });
}

/** LAR and LSL: the destination changes only if the selector is acceptable; ZF tells. */
function inspectDescriptor(e: Emitter, mnemonic: string): void {
  const found = e.helper(mnemonic, e.read(1).wrap().and(0xffff));
  const size = e.sizeOf(0);
  e.if(found, () => e.write(0, e.state(S.SCRATCH, size === 64 ? "i64" : "i32")));
  e.setFlags({ ZF: found });
}
define("lar lsl", inspectDescriptor);

define("verr", (e) => e.setFlags({ ZF: e.helper("verify_segment", e.read(0).wrap(), e.i32(0)) }));
define("verw", (e) => e.setFlags({ ZF: e.helper("verify_segment", e.read(0).wrap(), e.i32(1)) }));

define("arpl", (e) => {
  e.helper("check_arpl");
  const selector = e.let(e.read(0)), rpl = e.let(e.read(1).and(3));
  const lower = e.let(selector.and(3).ltU(rpl));
  // Without a change there is no write, which a read-only segment would refuse.
  e.if(lower, () => e.write(0, selector.and(0xfffc).or(rpl)));
  e.setFlags({ ZF: lower });
});

// Translations always agree with the page tables, see page_table_watch.ts.
define("invlpg", requireRing0);
define("invpcid", (e) => {
  e.helper("check_invpcid");
  const [context, linear] = e.load128(e.segment(1), e.address(1), false);
  const type = e.read(0);
  e.setState(S.SCRATCH, "i64", context);
  e.setState(S.SCRATCH + 8, "i64", linear);
  e.helper("invpcid", e.asNumber(e.sizeOf(0) === 64 ? type : type.extendU()));
}, "exit");
define("stac", (e) => {
  e.helper("set_alignment_check", e.i32(1));
}, "exit");
define("clac", (e) => {
  e.helper("set_alignment_check", e.i32(0));
}, "exit");
define("invd wbinvd", (e) => {
  e.helper("require_ring0");
});
define("hlt", (e) => {
  e.helper("halt");
}, "exit");
define("cli", clearInterrupts);
define("sti", setInterrupts, "exit");
define("swapgs", swapGs, "exit");

for (const [name, segment] of [["fs", Seg.FS], ["gs", Seg.GS]] as const) {
  define(`rd${name}base`, (e) => {
    e.helper("read_segment_base", e.i32(segment));
    e.write(0, e.state(S.SCRATCH, e.sizeOf(0) === 64 ? "i64" : "i32"));
  });
  define(`wr${name}base`, (e) => {
    const base = e.read(0);
    e.setState(S.SCRATCH, "i64", e.sizeOf(0) === 64 ? base : base.extendU());
    e.helper("write_segment_base", e.i32(segment));
  }, "exit");
}

define("cpuid", (e) => {
  e.helper("cpuid");
});
define("rdmsr", (e) => {
  e.helper("rdmsr");
});
define("wrmsr", (e) => {
  e.helper("wrmsr");
}, "exit");
define("rdpmc", (e) => {
  e.helper("rdpmc");
});

define("in", (e) => {
  const port = e.read(1).wrap();
  e.write(0, e.helper("port_in", port, e.i32(e.sizeOf(0) / 8)));
}, "exit");
define("out", (e) => {
  const port = e.read(0).wrap();
  e.helper("port_out", port, e.read(1), e.i32(e.sizeOf(1) / 8));
}, "exit");

define("ins", (e) => {
  e.helper("ins", e.i32(e.sizeOf(0) / 8), e.i32(e.instruction.addressSize));
}, "exit");
define("outs", (e) => {
  e.helper("outs", e.i32(e.sizeOf(1) / 8), e.i32(e.instruction.addressSize), e.segmentNumber());
}, "exit");
