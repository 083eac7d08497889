/**
 * The ways into and out of the kernel and its interrupt flag: the usual cases in place, the others are system functions. Intel
 * SDM vol. 2, CLI, STI, POPF, SYSENTER, SYSEXIT, SYSCALL, SYSRET and SWAPGS.
 */
import type { Emitter } from "../emit/emitter.ts";
import type { Value } from "../emit/value.ts";
import { TLB } from "../interpreter/layout.ts";
import { ModeBit } from "../mode.ts";
import { Access } from "../registers.ts";
import { CR0, EFER, Flag, R, S, SEG, Seg } from "../state.ts";
import { FLAT_CODE, FLAT_DATA } from "../system/segments.ts";

/** Flags with which nothing is usual. */
const UNUSUAL = Flag.TF | Flag.RF | Flag.VM | Flag.AC | Flag.VIF | Flag.VIP;
/** Registers by number. */
const R11 = 11;

/** Not 0 if an interrupt waits for the interrupt flag, or an NMI. */
function waiting(e: Emitter): Value {
  return e.let(e.state(S.INTERRUPT_LINE, "i32").or(e.state(S.NMI_PENDING, "i32")));
}

/** 1 if the program may change the interrupt flag: CPL ≤ IOPL. */
function mayChangeInterrupts(e: Emitter, flags: Value): Value {
  return e.let(flags.shrU(12).and(3).geU(e.state(S.CPL, "i32")));
}

/** CLI. */
export function clearInterrupts(e: Emitter): void {
  e.usually((require) => {
    const flags = e.state(S.EFLAGS, "i32");
    require(mayChangeInterrupts(e, flags));
    e.setState(S.EFLAGS, "i32", flags.and(~Flag.IF));
  }, "cli");
}

/** STI. That it holds interrupts off for an instruction matters only if one is waiting. */
export function setInterrupts(e: Emitter): void {
  e.usually((require) => {
    const flags = e.state(S.EFLAGS, "i32");
    require(mayChangeInterrupts(e, flags));
    require(waiting(e).eqz());
    e.setState(S.EFLAGS, "i32", flags.or(Flag.IF));
  }, "sti");
}

/**
 * Loads the flags other than the arithmetic ones from `image`, as far as CPL and IOPL allow it, where neither the old nor the
 * new ones are unusual, and no interrupt gets its turn by it.
 */
function loadFlags(e: Emitter, image: Value, wide: boolean, require: (condition: Value) => void): void {
  const flags = e.state(S.EFLAGS, "i32"), cpl = e.state(S.CPL, "i32");
  require(flags.and(UNUSUAL).eqz());
  // Not every processor has the ID flag.
  const special = wide ? image.and(UNUSUAL & ~Flag.RF).or(image.xor(flags).and(Flag.ID)) : image.and(Flag.TF);
  require(special.eqz());
  const interrupts = e.select(mayChangeInterrupts(e, flags), e.i32(Flag.IF), e.i32(0));
  const mask = e.let(interrupts.or(e.select(cpl, e.i32(0), e.i32(Flag.IOPL))).or(Flag.DF | Flag.NT));
  const next = e.let(flags.and(mask.xor(-1)).or(image.and(mask)));
  require(next.and(Flag.IF).eqz().or(waiting(e).eqz()));
  e.setState(S.EFLAGS, "i32", next);
}

/** POPF's system function, with the image to load. */
export function popFlags(e: Emitter, image: Value, size: number): void {
  e.usually(
    (require) => {
      loadFlags(e, image, size !== 16, require);
      e.setArithmeticFlags(image);
    },
    "popf",
    image,
    e.i32(size),
  );
}

/** Loads CS or SS with one of the flat segments that the fast system calls imply. */
function setFlatSegment(e: Emitter, segment: number, selector: Value, access: number): void {
  const at = S.SEG + segment * SEG.SIZE, code = (access & Access.CODE) !== 0;
  e.setState(at + SEG.SELECTOR, "i32", selector);
  e.setState(at + SEG.BASE, "i64", e.i64(0));
  e.setState(at + SEG.LIMIT, "i32", e.i32(-1));
  e.setState(at + SEG.ACCESS, "i32", e.i32(access));
  e.setState(at + SEG.VALID, "i32", e.i32(1));
  e.setState(at + SEG.LOW, "i64", e.i64(0));
  e.setState(at + SEG.HIGH_READ, "i64", e.i64(0xffff_ffff));
  e.setState(at + SEG.HIGH_WRITE, "i64", e.i64(code ? -1 : 0xffff_ffff));
}

/** Goes over to flat segments and a privilege level; width of code and stack stay. `selector` is that of CS. */
function changeLevel(e: Emitter, selector: Value, stackSelector: Value, cpl: 0 | 3): void {
  const level = cpl << 5, user = cpl === 3;
  setFlatSegment(e, Seg.CS, selector, FLAT_CODE | level | (e.mode.code === 64 ? Access.LONG : Access.BIG));
  setFlatSegment(e, Seg.SS, stackSelector, FLAT_DATA | level);
  e.setState(S.CPL, "i32", e.i32(cpl));
  e.setState(S.TLB, "i32", e.i32(user ? TLB.USER : TLB.SUPERVISOR));
  const mode = e.state(S.MODE, "i32").and(ModeBit.CODE_MODE), epoch = e.state(S.EPOCHS + (user ? 4 : 0), "i32");
  e.setState(S.MODE, "i32", mode.or(user ? ModeBit.USER : 0).or(epoch));
}

/** True in code whose width and flat segments the fast system calls of its kind leave as they are. */
function isPlain(e: Emitter, code: 32 | 64): boolean {
  return e.mode.code === code && e.mode.stack === code && e.mode.flat;
}

/** Protected mode outside IA-32e mode with usual flags; the selector in SYSENTER_CS. */
function requireSysenter(e: Emitter, require: (condition: Value) => void): Value {
  const selector = e.let(e.state(S.SYSENTER_CS, "i32").and(0xfffc));
  require(selector);
  require(e.state(S.CR0, "i32").and(CR0.PE));
  require(e.state(S.EFER, "i32").and(EFER.LMA).or(e.state(S.EFLAGS, "i32").and(UNUSUAL)).eqz());
  return selector;
}

/** SYSENTER. */
export function sysenter(e: Emitter): void {
  if (!isPlain(e, 32)) return void e.helper("sysenter");
  e.usually((require) => {
    const selector = requireSysenter(e, require);
    e.setState(S.EFLAGS, "i32", e.state(S.EFLAGS, "i32").and(~Flag.IF));
    changeLevel(e, selector, selector.add(8).and(0xffff), 0);
    e.setRegister(R.SP, 32, e.state(S.SYSENTER_ESP, "i32"));
    e.setState(S.RIP, "i64", e.state(S.SYSENTER_EIP, "i32").extendU());
  }, "sysenter");
}

/** SYSEXIT. */
export function sysexit(e: Emitter): void {
  const { operandSize } = e.instruction;
  if (!isPlain(e, 32) || operandSize === 64) return void e.helper("sysexit", e.i32(operandSize));
  e.usually(
    (require) => {
      const selector = requireSysenter(e, require);
      require(e.state(S.CPL, "i32").eqz());
      changeLevel(e, selector.add(16).or(3).and(0xffff), selector.add(24).or(3).and(0xffff), 3);
      const target = e.register(R.DX, 32);
      e.setRegister(R.SP, 32, e.register(R.CX, 32));
      e.setState(S.RIP, "i64", target.extendU());
    },
    "sysexit",
    e.i32(operandSize),
  );
}

/** IRET; `next` is the offset of the following instruction, as a system function takes it. */
export function interruptReturn(e: Emitter, next: Value): void {
  const { operandSize } = e.instruction, { code } = e.mode, args = [e.i32(operandSize), next];
  if (code === 16 || !isPlain(e, code) || operandSize !== code) return void e.helper("interrupt_return", ...args);
  e.usually(
    (require) => {
      require(e.kernel("return_from_handler", e.register(R.SP, code).extendU(), e.cyclesLeft()));
      e.setRegister(R.SP, code, e.state(S.SCRATCH, code === 64 ? "i64" : "i32"));
      e.setArithmeticFlags(e.let(e.state(S.SCRATCH + 8, "i32")));
    },
    "interrupt_return",
    ...args,
  );
}

/** SYSCALL. */
export function syscall(e: Emitter): void {
  const next = e.nextIp(e.mode.code);
  if (!isPlain(e, 64)) return void e.helper("syscall", e.asNumber(next));
  e.usually(
    (require) => {
      const flags = e.state(S.EFLAGS, "i32");
      require(e.state(S.EFER, "i32").and(EFER.SCE));
      require(flags.and(UNUSUAL).eqz());
      const image = e.let(e.eflags()), kept = e.let(e.state(S.FMASK, "i32").xor(-1));
      const selector = e.let(e.state(S.STAR + 4, "u16").and(0xfffc));
      e.setRegister(R.CX, 64, next);
      e.setRegister(R11, 64, image.extendU());
      e.setState(S.EFLAGS, "i32", flags.and(kept).or(2));
      e.setArithmeticFlags(e.let(image.and(kept)));
      changeLevel(e, selector, selector.add(8).and(0xffff), 0);
      e.setState(S.RIP, "i64", e.state(S.LSTAR, "i64"));
    },
    "syscall",
    e.asNumber(next),
  );
}

/** SYSRET. */
export function sysret(e: Emitter): void {
  const { operandSize } = e.instruction;
  if (!isPlain(e, 64) || operandSize !== 64) return void e.helper("sysret", e.i32(operandSize));
  e.usually(
    (require) => {
      const target = e.register(R.CX, 64), image = e.let(e.register(R11, 64).wrap());
      require(e.state(S.EFER, "i32").and(EFER.SCE));
      require(e.state(S.CPL, "i32").eqz());
      require(target.shl(16).shrS(16).eq(target));
      loadFlags(e, image, true, require);
      e.setArithmeticFlags(image);
      const base = e.state(S.STAR + 6, "u16");
      changeLevel(e, base.add(16).or(3).and(0xffff), base.add(8).or(3).and(0xffff), 3);
      e.setState(S.RIP, "i64", target);
    },
    "sysret",
    e.i32(operandSize),
  );
}

/** SWAPGS. */
export function swapGs(e: Emitter): void {
  if (e.mode.code !== 64) return void e.helper("swapgs");
  e.usually((require) => {
    require(e.state(S.CPL, "i32").eqz());
    const field = S.SEG + Seg.GS * SEG.SIZE + SEG.BASE, base = e.state(field, "i64");
    e.setState(field, "i64", e.state(S.KERNEL_GS_BASE, "i64"));
    e.setState(S.KERNEL_GS_BASE, "i64", base);
  }, "swapgs");
}
