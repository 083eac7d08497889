/**
 * Walks of page tables that nobody but these has to be asked about: the access raises #PF, because an entry on the way is not present or
 * denies it, or the TLB is filled. Intel SDM vol. 3A, sections 4.3 to 4.7. What needs more than that (bits that are reserved, large pages,
 * SMAP, and fills by PAE paging's four pointers, which lie anywhere in their frame) is left to system/paging.ts.
 */
import { PAGE_SHIFT } from "../../machine/memory.ts";
import { Code, type Signature } from "../../wasm/mod.ts";
import { Value } from "../emit/value.ts";
import { PLAIN_RAM } from "../interpreter/layout.ts";
import { ModeBit } from "../mode.ts";
import { CR0, CR4, EFER, S } from "../state.ts";
import { fillEntry, isAccessed, isNoted } from "./translations.ts";
import { KernelWriter } from "./writing.ts";

/** Bits of a paging-structure entry, and of a page fault's error code; bit 63 of an entry, in its upper half. */
const P = 1, W = 2, U = 4, PS = 1 << 7, XD = 1 << 31;
/** Bits of the upper half of an entry: above 4 GiB, and those that are reserved in PAE paging. */
const ABOVE = 0xf_ffff, RESERVED = 0x7ff0_0000;

/** Type of {@link translateCode}'s function. */
export const TRANSLATE: Signature = { parameters: ["i64", "i32", "i32"], results: ["i32"] };
/** What it gives. */
export const Translated = { UNKNOWN: 0, FAULT: 1, FILLED: 2 } as const;

/**
 * (linear address, 1 for a write, 1 if the TLB may be filled) → whether the access raises #PF with the current privilege, of which
 * S.PAGE_FAULT tells then, or the TLB allows it now, or neither is known.
 */
export function translateCode(): Code {
  const code = new Code(3), w = new KernelWriter(code);
  const linear = Value.local("i64", 0), writes = Value.local("i32", 1);
  /** 1 while the TLB may be filled; index of the top-level table's entry; of the last entry, the table's frame, host offset and value. */
  const usual = w.variable(Value.local("i32", 2)), root = w.variable();
  const leaf = { table: w.variable(), host: w.variable(), low: w.variable() };
  const cr0 = w.state(S.CR0, "i32"), cr4 = w.state(S.CR4, "i32");
  const user = w.let(w.state(S.MODE, "i32").and(ModeBit.USER));
  w.require(cr0.and(CR0.PG));
  const rights = w.variable(Value.i32(W | U));
  const fault = (cause: number) => {
    const access = w.let(writes.mul(W).or(w.choose(user, Value.i32(U), Value.i32(0))));
    w.setState(S.PAGE_FAULT_CODE, "i32", access.or(cause));
    w.setState(S.PAGE_FAULT_ADDRESS, "i64", linear);
    w.setState(S.PAGE_FAULT, "i32", Value.i32(1));
    w.return(Value.i32(Translated.FAULT));
  };
  /** Goes on by the entry for `bits` bits of the address from `shift` on, if it is present: the entry's two halves. */
  const enter = (table: Value, shift: number, bits: number, bytes: 4 | 8): { low: Value; high: Value } => {
    const page = w.let(table.shrU(PAGE_SHIFT)), end = w.load(Value.i32(0), PLAIN_RAM.END, "i32");
    w.require(page.geU(PLAIN_RAM.FIRST).and(page.ltU(end)));
    const index = linear.shrU(shift).wrap().and((1 << bits) - 1);
    const host = w.let(table.add(index.mul(bytes))), low = w.guest(host, 0);
    w.if(low.and(P).eqz(), () => fault(0));
    usual.set(usual.value.and(isNoted(w, page, linear, shift, bits)));
    if (shift !== PAGE_SHIFT) usual.set(usual.value.and(isAccessed(low)));
    leaf.table.set(page);
    leaf.host.set(host);
    leaf.low.set(low);
    return { low, high: bytes === 8 ? w.guest(host, 4) : Value.i32(0) };
  };
  const restrict = (low: Value) => rights.set(rights.value.and(low));
  const narrow = () => {
    const directory = w.let(w.state(S.CR3, "i32").and(-1 << PAGE_SHIFT)), { low } = enter(directory, 22, 10, 4);
    w.require(low.and(PS).eqz());
    restrict(low);
    restrict(enter(w.let(low.and(-1 << PAGE_SHIFT)), PAGE_SHIFT, 10, 4).low);
    root.set(linear.shrU(22).wrap());
  };
  const wide = () => {
    const efer = w.state(S.EFER, "i32"), long = w.let(efer.and(EFER.LMA)), table = w.variable();
    const noExecute = w.choose(efer.and(EFER.NXE), Value.i32(0), Value.i32(XD));
    const reserved = w.let(w.choose(long, Value.i32(0), Value.i32(RESERVED)).or(noExecute).or(ABOVE));
    const go = (shift: number, bits: number) => {
      const { low, high } = enter(table.value, shift, bits, 8);
      w.require(high.and(reserved).eqz());
      table.set(low.and(-1 << PAGE_SHIFT));
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
      table.set(w.state(S.CR3, "i32").and(-1 << PAGE_SHIFT));
      for (const shift of [39, 30]) restricted(shift);
      root.set(linear.shrU(39).wrap().and(0x1ff));
    }, () => {
      table.set(w.state(S.CR3, "i32").and(-1 << 5));
      go(30, 2);
    });
    for (const shift of [21, PAGE_SHIFT]) restricted(shift);
  };
  w.if(cr4.and(CR4.PAE), wide, narrow);
  const granted = rights.value;
  w.if(user.isTrue().and(granted.and(U).eqz()), () => fault(P));
  // What the supervisor may do with pages of the user's.
  w.require(user.or(cr4.and(CR4.SMAP).eqz()).or(granted.and(U).eqz()));
  const mayWrite = granted.and(W).or(user.or(cr0.and(CR0.WP)).eqz());
  w.if(writes.and(mayWrite.eqz()), () => fault(P));
  w.require(usual.value);
  fillEntry(w, linear, {
    table: leaf.table.value,
    host: leaf.host.value,
    low: leaf.low.value,
    root: root.value,
    writes,
    mayWrite: mayWrite.isTrue(),
  });
  code.i32(Translated.FILLED);
  return code;
}
