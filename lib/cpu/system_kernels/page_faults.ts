/**
 * Page faults that nobody but the page tables has to be asked about: an entry on the way is not present, or denies the access. Intel SDM
 * vol. 3A, sections 4.3 to 4.7. What needs more than that (bits that are reserved, large pages, SMAP), or is none, is left to system/paging.ts.
 */
import { PAGE_SHIFT } from "../../machine/memory.ts";
import { Code, type Signature } from "../../wasm/mod.ts";
import { Value } from "../emit/value.ts";
import { COUNTERS, FAULT_SITES, PLAIN_RAM } from "../interpreter/layout.ts";
import { ModeBit } from "../mode.ts";
import { CR0, CR4, EFER, Flag, S, Vector } from "../state.ts";
import { requireNothingWaiting } from "./waiting.ts";
import { KernelWriter } from "./writing.ts";

/** Bits of a paging-structure entry, and of a page fault's error code; bit 63 of an entry, in its upper half. */
const P = 1, W = 2, U = 4, PS = 1 << 7, XD = 1 << 31;
/** Bits of the upper half of an entry: above 4 GiB, and those that are reserved in PAE paging. */
const ABOVE = 0xf_ffff, RESERVED = 0x7ff0_0000;

/** Type of {@link findFaultCode}'s function. */
export const FIND_FAULT: Signature = { parameters: ["i64", "i32"], results: ["i32"] };

/**
 * (linear address, 1 for a write) → 1 if the access raises #PF with the current privilege, of which S.PAGE_FAULT tells then; 0 if that is
 * not known.
 */
export function findFaultCode(): Code {
  const code = new Code(2), w = new KernelWriter(code);
  const linear = Value.local("i64", 0), writes = Value.local("i32", 1);
  const cr0 = w.state(S.CR0, "i32"),
    cr4 = w.state(S.CR4, "i32"),
    user = w.let(w.state(S.MODE, "i32").and(ModeBit.USER));
  w.require(cr0.and(CR0.PG));
  const rights = code.local("i32");
  code.i32(W | U);
  code.set(rights);
  const fault = (cause: number) => {
    const access = w.let(writes.mul(W).or(w.choose(user, Value.i32(U), Value.i32(0))));
    w.setState(S.PAGE_FAULT_CODE, "i32", access.or(cause));
    w.setState(S.PAGE_FAULT_ADDRESS, "i64", linear);
    w.setState(S.PAGE_FAULT, "i32", Value.i32(1));
    w.return(Value.i32(1));
  };
  /** Goes on by an entry at an index in a table, if it is present: the entry's two halves. */
  const enter = (table: Value, index: Value, bytes: 4 | 8): { low: Value; high: Value } => {
    const page = w.let(table.shrU(PAGE_SHIFT)), end = w.load(Value.i32(0), PLAIN_RAM.END, "i32");
    w.require(page.geU(PLAIN_RAM.FIRST).and(page.ltU(end)));
    const host = w.let(table.add(index.mul(bytes))), low = w.guest(host, 0);
    w.if(low.and(P).eqz(), () => fault(0));
    return { low, high: bytes === 8 ? w.guest(host, 4) : Value.i32(0) };
  };
  const restrict = (low: Value) => {
    Value.local("i32", rights).and(low).emit(code);
    code.set(rights);
  };
  const index = (shift: number, bits: number) => w.let(linear.shrU(shift).wrap().and((1 << bits) - 1));
  const narrow = () => {
    const directory = w.let(w.state(S.CR3, "i32").and(-1 << PAGE_SHIFT)), { low } = enter(directory, index(22, 10), 4);
    w.require(low.and(PS).eqz());
    restrict(low);
    restrict(enter(w.let(low.and(-1 << PAGE_SHIFT)), index(12, 10), 4).low);
  };
  const wide = () => {
    const efer = w.state(S.EFER, "i32"), long = w.let(efer.and(EFER.LMA)), table = code.local("i32");
    const noExecute = w.choose(efer.and(EFER.NXE), Value.i32(0), Value.i32(XD));
    const reserved = w.let(w.choose(long, Value.i32(0), Value.i32(RESERVED)).or(noExecute).or(ABOVE));
    const at = Value.local("i32", table);
    const go = (shift: number, bits: number) => {
      const { low, high } = enter(at, index(shift, bits), 8);
      w.require(high.and(reserved).eqz());
      low.and(-1 << PAGE_SHIFT).emit(code);
      code.set(table);
      return low;
    };
    const restricted = (shift: number) => {
      const low = go(shift, 9);
      if (shift !== PAGE_SHIFT) w.require(low.and(PS).eqz());
      restrict(low);
    };
    w.if(long, () => {
      w.require(linear.shl(16).shrS(16).eq(linear));
      w.require(w.state(S.CR3 + 4, "i32").and(ABOVE).eqz());
      w.state(S.CR3, "i32").and(-1 << PAGE_SHIFT).emit(code);
      code.set(table);
      for (const shift of [39, 30]) restricted(shift);
    }, () => {
      w.state(S.CR3, "i32").and(-1 << 5).emit(code);
      code.set(table);
      go(30, 2);
    });
    for (const shift of [21, PAGE_SHIFT]) restricted(shift);
  };
  w.if(cr4.and(CR4.PAE), wide, narrow);
  const granted = Value.local("i32", rights);
  w.if(user.isTrue().and(granted.and(U).eqz()), () => fault(P));
  // What the supervisor may do with pages of the user's.
  w.require(user.or(cr4.and(CR4.SMAP).eqz()).or(granted.and(U).eqz()));
  const mayWrite = granted.and(W).or(user.or(cr0.and(CR0.WP)).eqz());
  w.if(writes.and(mayWrite.eqz()), () => fault(P));
  code.i32(0);
  return code;
}

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
