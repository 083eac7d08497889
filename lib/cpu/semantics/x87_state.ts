/** Control of the x87 unit and the images of its state in memory. Intel SDM vol. 1, sections 8.1.10 and 10.5. */
import type { Emitter, SegmentRef, Size } from "../emit/emitter.ts";
import type { Value } from "../emit/value.ts";
import { CR0, Fcw, Flag, Fsw, Mxcsr, S, Vector, xmmOffset } from "../state.ts";
import { checkAvailable, checkPendingError, settleError } from "./fpu_checks.ts";
import { define } from "./registry.ts";
import { sseNotRounding, x87Rounds64 } from "../emit/steady.ts";

const SUMMARY = Fsw.ES | Fsw.B;

define("fwait", (e) => {
  const both = CR0.MP | CR0.TS;
  e.raiseIf(e.state(S.CR0, "i32").and(both).eq(both), Vector.NM);
  checkPendingError(e);
});

define("fninit", (e) => {
  checkAvailable(e);
  settleError(e);
  initialise(e);
});

/** FNINIT's values, also after FNSAVE. */
function initialise(e: Emitter): void {
  e.kernel("x87_initialise", e.base());
  e.steadyChanged(x87Rounds64);
  for (const offset of [S.FOP, S.FCS, S.FDS]) e.setState(offset, "i32", e.i32(0));
  for (const offset of [S.FIP, S.FDP]) e.setState(offset, "i64", e.i64(0));
}

define("fnclex", (e) => {
  checkAvailable(e);
  settleError(e);
  e.kernel("x87_clear_exceptions", e.base());
});

define("fnstsw", (e) => {
  checkAvailable(e);
  e.write(0, e.state(S.FSW, "i32").and(~Fsw.TOP).or(e.state(S.FTOP, "i32").shl(Fsw.TOP_SHIFT)));
});

define("fnstcw", (e) => {
  checkAvailable(e);
  e.write(0, e.state(S.FCW, "i32"));
});

function setControl(e: Emitter, value: Value): void {
  const control = e.let(value.and(Fcw.WRITABLE).or(Fcw.ONES)), status = e.state(S.FSW, "i32").and(~SUMMARY);
  const pending = status.and(Fsw.EXCEPTIONS).and(control.not());
  e.setState(S.FCW, "i32", control);
  e.steadyChanged(x87Rounds64);
  e.setState(S.FSW, "i32", e.select(pending, status.or(SUMMARY), status));
}

define("fldcw", (e) => {
  checkAvailable(e);
  checkPendingError(e);
  const control = e.read(0);
  settleError(e);
  setControl(e, control);
});

/** A cursor over a memory image. */
class Image {
  readonly #e: Emitter;
  readonly #segment: SegmentRef;
  readonly #start: Value;

  constructor(e: Emitter) {
    this.#e = e;
    this.#segment = e.segment(0);
    this.#start = e.address(0);
  }
  /** All of it must be accessible before anything is touched. */
  probe(bytes: number, write: boolean): void {
    this.#e.probe(this.#segment, this.#start, bytes, write);
  }
  #at(offset: number): Value {
    return this.#e.let(this.#e.advance(this.#start, offset));
  }
  load(offset: number, size: Size): Value {
    return this.#e.load(this.#segment, this.#at(offset), size);
  }
  store(offset: number, value: Value, size: Size): void {
    this.#e.store(this.#segment, this.#at(offset), value, size);
  }
}

/** Bytes of the environment: 14 with 16-bit operands, else 28. */
function environmentSize(e: Emitter): 14 | 28 {
  return e.instruction.operandSize === 16 ? 14 : 28;
}

/** Not 0 in real and virtual-8086 mode, where pointers are linear addresses. */
function inRealMode(e: Emitter): Value {
  const protectedMode = e.state(S.CR0, "i32").and(CR0.PE);
  return e.let(protectedMode.eqz().or(e.state(S.EFLAGS, "i32").and(Flag.VM).isTrue()));
}

function storeEnvironment(e: Emitter, image: Image): void {
  const tags = e.kernel("x87_tag_word", e.base()), status = e.kernel("x87_status_word", e.base());
  const opcode = e.state(S.FOP, "i32").and(0x7ff);
  const cs = e.state(S.FCS, "i32"), ds = e.state(S.FDS, "i32");
  const real = inRealMode(e);
  const pointer = (field: number, selector: Value) => {
    const offset = e.state(field, "i64").wrap();
    return e.let(e.select(real, offset.add(selector.shl(4)), offset));
  };
  const ip = pointer(S.FIP, cs), dp = pointer(S.FDP, ds);
  if (environmentSize(e) === 14) {
    // The upper four bits of a linear address lie above the opcode.
    const high = (linear: Value) => linear.shrU(4).and(0xf000);
    const words = [
      e.state(S.FCW, "i32"),
      status,
      tags,
      ip,
      e.select(real, high(ip).or(opcode), cs),
      dp,
      e.select(real, high(dp), ds),
    ];
    words.forEach((word, i) => image.store(i * 2, word, 16));
    return;
  }
  const reserved = 0xffff0000 | 0;
  const high = (linear: Value) => linear.shrU(16).shl(12);
  const doublewords = [
    e.state(S.FCW, "i32").or(reserved),
    status.or(reserved),
    tags.or(reserved),
    e.select(real, ip.and(0xffff).or(reserved), ip),
    e.select(real, high(ip).or(opcode), cs.and(0xffff).or(opcode.shl(16))),
    e.select(real, dp.and(0xffff).or(reserved), dp),
    e.select(real, high(dp), ds.or(reserved)),
  ];
  doublewords.forEach((doubleword, i) => image.store(i * 4, doubleword, 32));
}

function loadEnvironment(e: Emitter, image: Image): void {
  const unit = environmentSize(e) / 7;
  const size: Size = unit === 2 ? 16 : 32;
  const field = (i: number) => image.load(i * unit, size);
  const [control, status, tags, ip, codeWord, dp, dataWord] = [0, 1, 2, 3, 4, 5, 6].map(field);
  const real = inRealMode(e);
  setControl(e, control);
  e.kernel("x87_set_status_word", e.base(), status.and(0xffff));
  e.kernel("x87_set_tag_word", e.base(), tags);
  // Real mode: bits 12 and up of the second word are bits 16 and up of the linear address.
  const linear = (low: Value, high: Value) => low.and(0xffff).or(high.and(~0xfff).shl(4));
  e.setState(S.FIP, "i64", e.select(real, linear(ip, codeWord), ip).extendU());
  e.setState(S.FDP, "i64", e.select(real, linear(dp, dataWord), dp).extendU());
  e.setState(S.FCS, "i32", e.select(real, e.i32(0), codeWord.and(0xffff)));
  e.setState(S.FDS, "i32", e.select(real, e.i32(0), dataWord.and(0xffff)));
  const opcode = unit === 2 ? e.select(real, codeWord, e.i32(0)) : e.select(real, codeWord, codeWord.shrU(16));
  e.setState(S.FOP, "i32", opcode.and(0x7ff));
}

define("fnstenv", (e) => {
  checkAvailable(e);
  const image = new Image(e);
  image.probe(environmentSize(e), true);
  settleError(e);
  storeEnvironment(e, image);
  e.setState(S.FCW, "i32", e.state(S.FCW, "i32").or(Fcw.MASKS));
  e.steadyChanged(x87Rounds64);
  e.kernel("x87_summary", e.base());
});

define("fldenv", (e) => {
  checkAvailable(e);
  checkPendingError(e);
  const image = new Image(e);
  image.probe(environmentSize(e), false);
  settleError(e);
  loadEnvironment(e, image);
});

define("fnsave", (e) => {
  checkAvailable(e);
  const image = new Image(e), start = environmentSize(e);
  image.probe(start + 80, true);
  settleError(e);
  storeEnvironment(e, image);
  for (let i = 0; i < 8; i++) {
    image.store(start + i * 10, e.kernel("x87_significand", e.base(), e.i32(i)), 64);
    image.store(start + i * 10 + 8, e.kernel("x87_sign_exponent", e.base(), e.i32(i)), 16);
  }
  initialise(e);
});

define("frstor", (e) => {
  checkAvailable(e);
  checkPendingError(e);
  const image = new Image(e), start = environmentSize(e);
  image.probe(start + 80, false);
  settleError(e);
  loadEnvironment(e, image);
  for (let i = 0; i < 8; i++) {
    const significand = image.load(start + i * 10, 64), top = image.load(start + i * 10 + 8, 16);
    e.kernel("x87_set_register", e.base(), e.i32(i), significand, top);
  }
});

/** FXSAVE's 512 bytes; SSE registers from offset 160. */
const FXSAVE_BYTES = 512, FXSAVE_XMM = 160;

function sseRegisters(e: Emitter): number {
  return e.mode.code === 64 ? 16 : 8;
}

/** #NM, and #GP(0) for an address that is not a multiple of 16. */
function openExtended(e: Emitter, write: boolean): Image {
  checkAvailable(e);
  const image = new Image(e);
  // Before the check of the alignment, which is a read: a page that is not there is missed by a write.
  e.probePieces(e.segment(0), e.address(0), FXSAVE_BYTES, write);
  e.load128(e.segment(0), e.address(0), true);
  return image;
}

define("fxsave", (e) => {
  const image = openExtended(e, true);
  image.store(0, e.state(S.FCW, "i32"), 16);
  image.store(2, e.kernel("x87_status_word", e.base()), 16);
  image.store(4, e.kernel("x87_abridged_tags", e.base()), 16);
  image.store(6, e.state(S.FOP, "i32"), 16);
  const ip = e.state(S.FIP, "i64"), dp = e.state(S.FDP, "i64");
  if (e.instruction.operandSize === 64) {
    image.store(8, ip, 64);
    image.store(16, dp, 64);
  } else {
    image.store(8, ip.wrap(), 32);
    image.store(12, e.state(S.FCS, "i32").and(0xffff), 32);
    image.store(16, dp.wrap(), 32);
    image.store(20, e.state(S.FDS, "i32").and(0xffff), 32);
  }
  image.store(24, e.state(S.MXCSR, "i32"), 32);
  image.store(28, e.i32(Mxcsr.WRITABLE), 32);
  for (let i = 0; i < 8; i++) {
    image.store(32 + i * 16, e.kernel("x87_significand", e.base(), e.i32(i)), 64);
    image.store(40 + i * 16, e.kernel("x87_sign_exponent", e.base(), e.i32(i)).extendU(), 64);
  }
  e.vectorsInMemory();
  for (let i = 0; i < sseRegisters(e); i++) {
    image.store(FXSAVE_XMM + i * 16, e.state(xmmOffset(i), "i64"), 64);
    image.store(FXSAVE_XMM + i * 16 + 8, e.state(xmmOffset(i) + 8, "i64"), 64);
  }
});

define("fxrstor", (e) => {
  const image = openExtended(e, false);
  const mxcsr = image.load(24, 32);
  e.raiseIf(mxcsr.and(~Mxcsr.WRITABLE), Vector.GP, 0);
  settleError(e);
  e.setState(S.MXCSR, "i32", mxcsr);
  e.steadyChanged(sseNotRounding);
  e.setState(S.FOP, "i32", image.load(6, 16).and(0x7ff));
  setControl(e, image.load(0, 16));
  e.kernel("x87_set_status_word", e.base(), image.load(2, 16));
  e.kernel("x87_set_abridged_tags", e.base(), image.load(4, 8));
  if (e.instruction.operandSize === 64) {
    e.setState(S.FIP, "i64", image.load(8, 64));
    e.setState(S.FDP, "i64", image.load(16, 64));
  } else {
    e.setState(S.FIP, "i64", image.load(8, 32).extendU());
    e.setState(S.FCS, "i32", image.load(12, 16));
    e.setState(S.FDP, "i64", image.load(16, 32).extendU());
    e.setState(S.FDS, "i32", image.load(20, 16));
  }
  for (let i = 0; i < 8; i++) {
    const significand = image.load(32 + i * 16, 64), top = image.load(40 + i * 16, 16);
    e.kernel("x87_set_register", e.base(), e.i32(i), significand, top);
  }
  e.vectorsInMemory();
  for (let i = 0; i < sseRegisters(e); i++) {
    e.setState(xmmOffset(i), "i64", image.load(FXSAVE_XMM + i * 16, 64));
    e.setState(xmmOffset(i) + 8, "i64", image.load(FXSAVE_XMM + i * 16 + 8, 64));
  }
});
