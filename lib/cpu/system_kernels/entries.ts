/** The usual ways into handlers of interrupts and exceptions. Intel SDM vol. 3A, sections 6.12 and 6.14. */
import { Code } from "../../wasm/mod.ts";
import { Value } from "../emit/value.ts";
import { GUEST_BASE } from "../interpreter/layout.ts";
import { Flag, R, S, SEG, Seg, Vector } from "../state.ts";
import {
  flatDescriptor,
  modeAt,
  requireCanonicalHalf,
  requireCode,
  requireStack,
  setFlat,
  setLevel,
  setNull,
  usualMode,
} from "./usual.ts";
import { KernelWriter } from "./writing.ts";

/** Flags with which no entry is usual. */
const UNUSUAL = Flag.VM | Flag.AC;
/** An interrupt or trap gate: its type without the bit that tells them apart, and P. */
const GATE_TYPE = 0x9e00, GATE = 0x8e00, TRAP_GATE = 0x100;

const SP = S.GPR + R.SP * 8, CS = S.SEG + Seg.CS * SEG.SIZE, SS = S.SEG + Seg.SS * SEG.SIZE;
const TR = S.SEG + Seg.TR * SEG.SIZE;

/** What is pushed. */
interface Frame {
  readonly flags: Value;
  readonly errorCode: Value;
  /** 1 if there is an error code. */
  readonly coded: Value;
}

/** (vector, error code or -1, flags to set in the image that is pushed, 1 for INT n) → 1 if the handler has been entered. */
export function enterCode(): Code {
  const code = new Code(4), w = new KernelWriter(code);
  const [vector, errorCode, pushed, software] = [0, 1, 2, 3].map((parameter) => Value.local("i32", parameter));
  const wide = usualMode(w, UNUSUAL), cpl = w.state(S.CPL, "i32");
  w.require(cpl.eqz().or(cpl.eq(3)));
  w.require(vector.ne(Vector.DB));
  const size = w.let(Value.i32(8).shl(wide)), offset = w.let(vector.mul(size));
  w.require(w.state(S.IDTR_LIMIT, "i32").geU(offset.add(size).sub(1)));
  const gate = w.place(w.state(S.IDTR_BASE, "i64").add(offset.extendU()), size, false);
  const low = w.guest(gate, 0), high = w.guest(gate, 4);
  const upper = w.choose(wide, w.load(gate, GUEST_BASE + 8, "i32"), Value.i32(0));
  w.require(high.and(GATE_TYPE).eq(GATE));
  w.require(software.eqz().or(high.shrU(13).and(3).geU(cpl)));
  requireCanonicalHalf(w, upper);
  const selector = w.let(low.shrU(16)), segment = flatDescriptor(w, selector);
  requireCode(w, segment, wide, 0);
  const frame: Frame = { flags: w.let(w.flags.image().or(pushed)), errorCode, coded: w.let(errorCode.ne(-1)) };
  w.if(
    wide,
    () => pushWide(w, frame, w.let(high.and(7)), cpl),
    () => w.if(cpl, () => pushInner(w, frame), () => pushSame(w, frame)),
  );
  setFlat(w, Seg.CS, selector.and(0xfffc), segment);
  w.setState(S.RIP, "i32", low.and(0xffff).or(high.and(0xffff_0000 | 0)));
  w.setState(S.RIP + 4, "i32", upper);
  const cleared = w.let(
    w.choose(high.and(TRAP_GATE), Value.i32(0), Value.i32(Flag.IF)).or(Flag.TF | Flag.NT | Flag.RF),
  );
  w.setState(S.EFLAGS, "i32", w.state(S.EFLAGS, "i32").and(cleared.not()));
  w.if(cpl, () => setLevel(w, false, modeAt(w, false)));
  code.i32(1);
  return code;
}

/** Pushes what an interrupt at level 0 pushes outside IA-32e mode. */
function pushSame(w: KernelWriter, frame: Frame): void {
  const pointer = pushFrame(w, w.state(SP, "i32").extendU(), frame, false);
  w.setState(SP, "i64", pointer.and(0xffff_ffff));
}

/** Likewise from level 3: onto the stack that the TSS names, which becomes the current one. */
function pushInner(w: KernelWriter, frame: Frame): void {
  w.require(w.state(TR + SEG.VALID, "i32"));
  w.require(w.state(TR + SEG.ACCESS, "i32").and(8));
  w.require(w.state(TR + SEG.LIMIT, "i32").gtU(8));
  const tss = w.place(w.state(TR + SEG.BASE, "i64").add(Value.i64(4)), 6, false), selector = w.guest(tss, 4, "u16");
  w.require(selector.and(3).eqz());
  const descriptor = flatDescriptor(w, selector);
  requireStack(w, descriptor, 0);
  const pointer = pushFrame(w, w.guest(tss, 0).extendU(), frame, true);
  setFlat(w, Seg.SS, selector, descriptor);
  w.setState(SP, "i64", pointer);
}

/** Writes a frame of 32-bit words below an address; SS:ESP is part of it for an `outer` level. Gives the frame's address. */
function pushFrame(w: KernelWriter, top: Value, { flags, errorCode, coded }: Frame, outer: boolean): Value {
  const bytes = w.let(coded.shl(2).add(outer ? 20 : 12)), pointer = w.let(top.sub(bytes.extendU()));
  const host = w.place(pointer, bytes, true), at = w.let(host.add(coded.shl(2)));
  // Without an error code, RIP takes its place.
  w.setGuest(host, 0, "i32", errorCode);
  w.setGuest(at, 0, "i32", w.state(S.RIP, "i32"));
  w.setGuest(at, 4, "i32", w.state(CS + SEG.SELECTOR, "i32"));
  w.setGuest(at, 8, "i32", flags);
  if (outer) {
    w.setGuest(at, 12, "i32", w.state(SP, "i32"));
    w.setGuest(at, 16, "i32", w.state(SS + SEG.SELECTOR, "i32"));
  }
  return pointer;
}

/** Pushes what an interrupt pushes in 64-bit code, onto the current stack or one that the TSS names. */
function pushWide(w: KernelWriter, { flags, errorCode, coded }: Frame, ist: Value, cpl: Value): void {
  const current = w.state(SP, "i64"), top = w.code.local("i64");
  current.emit(w.code);
  w.code.set(top);
  w.if(ist.or(cpl), () => {
    const offset = w.choose(ist, ist.shl(3).add(28), Value.i32(4));
    w.require(w.state(TR + SEG.VALID, "i32"));
    w.require(w.state(TR + SEG.LIMIT, "i32").geU(offset.add(7)));
    const tss = w.place(w.state(TR + SEG.BASE, "i64").add(offset.extendU()), 8, false);
    requireCanonicalHalf(w, w.guest(tss, 4));
    w.guest(tss, 0, "i64").emit(w.code);
    w.code.set(top);
  });
  const bytes = w.let(coded.shl(3).add(40)), aligned = Value.local("i64", top).and(-16);
  const pointer = w.let(aligned.sub(bytes.extendU())), host = w.place(pointer, bytes, true);
  const at = w.let(host.add(coded.shl(3)));
  w.setGuest(host, 0, "i64", errorCode.extendU());
  w.setGuest(at, 0, "i64", w.state(S.RIP, "i64"));
  w.setGuest(at, 8, "i64", w.state(CS + SEG.SELECTOR, "i32").extendU());
  w.setGuest(at, 16, "i64", flags.extendU());
  w.setGuest(at, 24, "i64", current);
  w.setGuest(at, 32, "i64", w.state(SS + SEG.SELECTOR, "i32").extendU());
  w.if(cpl, () => setNull(w, Seg.SS));
  w.setState(SP, "i64", pointer);
}
