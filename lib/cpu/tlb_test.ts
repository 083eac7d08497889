import { assertEquals } from "@std/assert";
import { FrameFlag, PhysicalMemory } from "../machine/memory.ts";
import { CPU_BASE, PROCESSOR_FRONT, TLB } from "./interpreter/layout.ts";
import { NO_PAGE, PAGE, S } from "./state.ts";
import { Permission, Tlb } from "./tlb.ts";

/** A TLB that lets everything through, and whether regions still remember the page that they did before. */
function tlb(): { tlb: Tlb; memory: PhysicalMemory; remembers: () => boolean } {
  const memory = new PhysicalMemory({ ram: 0x10000, extra: 0x10000, ...PROCESSOR_FRONT });
  memory.mapRam(0, 0x10000, 0);
  const host = { watchesPage: () => false, codeMarks: () => 0, longMode: false };
  const tlb = new Tlb(host, memory.memory, memory), view = new DataView(memory.memory.buffer, CPU_BASE);
  tlb.forgetRemembered();
  view.setBigInt64(S.READ_PAGES + 3 * PAGE.SIZE, 0x1000n, true);
  view.setBigInt64(S.REMEMBERS, 1n << 3n, true);
  return { tlb, memory, remembers: () => view.getBigInt64(S.READ_PAGES + 3 * PAGE.SIZE, true) !== NO_PAGE };
}

/** Fills the entry for a page with the frame of the same number. */
function fill(tlb: Tlb, page: number, permission: number): number {
  const entry = tlb.entryOf(page, false);
  tlb.drop(entry);
  tlb.page[entry] = page;
  tlb.set(entry, page * 4096, permission);
  tlb.refresh(entry);
  return entry;
}

Deno.test("Tlb: what is remembered stays while entries are added, until one is taken away", () => {
  const { tlb: t, remembers } = tlb(), entry = fill(t, 1, Permission.READ);
  fill(t, 2, Permission.READ);
  t.permission[entry] |= Permission.WRITE;
  t.refresh(entry);
  assertEquals([remembers(), t.hasTag(entry, TLB.READ), t.hasTag(entry, TLB.WRITE)], [true, true, true]);
  t.permission[entry] &= ~Permission.WRITE;
  t.refresh(entry);
  assertEquals([remembers(), t.hasTag(entry, TLB.WRITE)], [false, false]);
});

Deno.test("Tlb: frames that hold page tables may be written to in places, until code is there, too", () => {
  const { tlb: t, memory } = tlb(), entry = fill(t, 1, Permission.READ | Permission.WRITE);
  const tags = () => [t.hasTag(entry, TLB.WRITE), t.hasTag(entry, TLB.BESIDE), t.isBesideCode(entry)];
  assertEquals(tags(), [true, false, false]);
  memory.frameFlags[1] = FrameFlag.PAGE_TABLE;
  t.refreshFrame(1);
  assertEquals(tags(), [false, true, false]);
  memory.frameFlags[1] |= FrameFlag.CODE;
  t.refreshFrame(1);
  assertEquals(tags(), [false, false, false]);
});

Deno.test("Tlb: closing an entry that nothing went by forgets nothing", () => {
  const { tlb: t, remembers } = tlb(), entry = t.entryOf(1, false);
  t.close(entry);
  assertEquals(remembers(), true);
  t.close(fill(t, 1, Permission.READ));
  assertEquals(remembers(), false);
});

Deno.test("Tlb: another page in the place of one takes its tags away", () => {
  const { tlb: t, remembers } = tlb();
  fill(t, 1, Permission.READ);
  fill(t, 1 + TLB.ENTRIES, Permission.READ);
  assertEquals(remembers(), false);
});

Deno.test("Tlb: counts the translations that stem from a table until they are forgotten", () => {
  const { tlb: t } = tlb(), first = fill(t, 1, Permission.READ), second = fill(t, 2, Permission.READ);
  t.moveTo(first, 0, 7);
  t.moveTo(second, 0, 7);
  assertEquals(t.leafUses[7], 2);
  t.moveTo(first, 0, 8);
  t.forget(second);
  assertEquals([t.leafUses[7], t.leafUses[8]], [0, 1]);
  t.drop(first);
  assertEquals(t.leafUses[8], 0);
});
