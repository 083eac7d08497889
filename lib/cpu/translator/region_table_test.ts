import { assertEquals, assertThrows } from "@std/assert";
import { type Region, RegionTable, Sites } from "./region_table.ts";
import { GroupFailures } from "./group_failures.ts";

function region(slot: number, host: number, ip: number, exits: number[] = []): Region {
  return {
    slot,
    host,
    ip,
    key: 1,
    sites: new Sites([{ ip: ip + 2 ** 40, done: true, unfinished: 0, forGroup: false }, {
      ip,
      done: false,
      unfinished: 7,
      forGroup: true,
    }]),
    patched: null,
    blocks: [ip],
    exits,
    cells: [],
    generation: 0,
    failures: new GroupFailures(),
    code: new Uint8Array(),
    young: false,
    isDormant: false,
    hasSlept: false,
    module: null,
    ranges: [],
    frames: new Set(),
    voided: () => {},
    rewritten: () => {},
    closed: () => {},
  };
}

Deno.test("RegionTable: finds regions by their roots and by the ways out of them", () => {
  const table = new RegionTable(), a = region(table.takeSlot(), 0x1000, 0x10, [0x50, 0x60]);
  const b = region(table.takeSlot(), 0x1000, 0x20, [0x60]);
  table.add(a);
  table.add(b);
  assertEquals([table.size, table.all], [2, [a, b]]);
  assertEquals(table.rootedAt(0x1000, 1, 0x10), a);
  assertEquals(table.rootedAt(0x1000, 1, 0x20), b);
  assertEquals(table.rootedAt(0x1000, 2, 0x20), undefined);
  assertEquals([table.leadingTo(0x50), table.leadingTo(0x60), table.leadingTo(0x70)], [[a], [a, b], []]);
  table.remove(a);
  assertEquals([table.has(a), table.has(b), table.leadingTo(0x60)], [false, true, [b]]);
  assertEquals(table.rootedAt(0x1000, 1, 0x10), undefined);
});

Deno.test("RegionTable: a dormant region is not found, and gives its root up to others", () => {
  const table = new RegionTable(), a = region(table.takeSlot(), 0x1000, 0x10, [0x50]);
  const b = region(table.takeSlot(), 0x1000, 0x10, [0x50]);
  table.add(a);
  a.isDormant = true;
  assertEquals([table.rootedAt(0x1000, 1, 0x10), table.leadingTo(0x50), table.has(a)], [undefined, [], true]);
  table.add(b);
  b.isDormant = true;
  a.isDormant = false;
  table.root(a);
  table.remove(b);
  assertEquals([table.rootedAt(0x1000, 1, 0x10), table.leadingTo(0x50), table.all], [a, [a], [a]]);
});

Deno.test("RegionTable: a region that was removed while it ran can be left, once", () => {
  const table = new RegionTable(), a = region(table.takeSlot(), 0x1000, 0x10);
  table.add(a);
  table.remove(a);
  assertEquals(table.left(a.slot), a);
  assertThrows(() => table.left(a.slot), Error, "in no slot");
});

Deno.test("RegionTable: slots are used again", () => {
  const table = new RegionTable(), a = region(table.takeSlot(), 0x1000, 0x10);
  table.add(a);
  const other = table.takeSlot();
  table.remove(a);
  assertEquals(table.takeSlot(), a.slot);
  table.returnSlot(other);
  assertEquals(table.takeSlot(), other);
});

Deno.test("Sites: keeps where regions are left", () => {
  const { sites } = region(0, 0, 0x10);
  assertEquals(sites.at(0), { ip: 0x10 + 2 ** 40, done: true, unfinished: 0, forGroup: false });
  assertEquals(sites.at(1), { ip: 0x10, done: false, unfinished: 7, forGroup: true });
});
