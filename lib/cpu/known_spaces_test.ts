import { assertEquals } from "@std/assert";
import { KnownSpaces } from "./known_spaces.ts";
import type { WalkResult } from "./page_table_watch.ts";
import { NotedTables } from "./table_map.ts";
import { testBoard } from "./test_board.ts";

const ROOT = 0x5000, ENTRY = 7, PAGE = 0x1_2345;
const TRANSLATION = { physical: 0x9000, frame: 9, permission: 3, rootIndex: 0, leaf: 6 };
const KNOWN = { page: PAGE, translation: TRANSLATION, tables: new NotedTables(new Int32Array(0), []) };

/** A walk that has read entries at these offsets. */
function walk(...entries: number[]): WalkResult {
  return {
    physical: 0x9000,
    pageSize: 0x1000,
    readable: true,
    writable: true,
    dirty: true,
    guarded: false,
    cacheable: true,
    tables: Int32Array.from(entries, (entry) => entry >>> 12),
    tableCount: entries.length,
    entries: Float64Array.from(entries),
  };
}

Deno.test("KnownSpaces: a translation is known until an entry that it stems from changes", () => {
  for (const entryBytes of [4, 8] as const) {
    const { memory } = testBoard(), known = new KnownSpaces(memory), space = known.at(ROOT);
    assertEquals(space.find(ENTRY, PAGE), null);
    space.keep(ENTRY, KNOWN, walk(0x5008, 0x6010), entryBytes);
    assertEquals(space.find(ENTRY, PAGE)?.translation, TRANSLATION);
    assertEquals(space.find(ENTRY, PAGE + 0x4000), null);
    assertEquals(known.at(ROOT + 0x1000).find(ENTRY, PAGE), null);
    for (const address of [0x5008, 0x6010]) {
      memory.write32(address + entryBytes - 4, 1);
      assertEquals(known.at(ROOT).find(ENTRY, PAGE), null);
      memory.write32(address + entryBytes - 4, 0);
      assertEquals(known.at(ROOT).find(ENTRY, PAGE)?.translation, TRANSLATION);
    }
    memory.write32(0x6010 + entryBytes, 1);
    assertEquals(space.find(ENTRY, PAGE)?.translation, TRANSLATION, "its neighbour does not matter");
    known.clear();
    assertEquals(known.at(ROOT).find(ENTRY, PAGE), null);
  }
});

Deno.test("KnownSpaces: what stems from an entry in ROM is not remembered", () => {
  const { memory } = testBoard(), known = new KnownSpaces(memory), space = known.at(ROOT);
  space.keep(ENTRY, KNOWN, walk(0x5008, -1), 4);
  assertEquals(space.find(ENTRY, PAGE), null);
});

Deno.test("KnownSpaces: only some spaces, and some translations of each, are remembered", () => {
  const { memory } = testBoard(), known = new KnownSpaces(memory);
  const keep = (root: number, entry: number) => known.at(root).keep(entry, KNOWN, walk(0x5008), 4);
  for (let space = 0; space < 100; space++) keep(space << 12, ENTRY);
  assertEquals(known.at(99 << 12).find(ENTRY, PAGE)?.page, PAGE);
  assertEquals(known.at(0).find(ENTRY, PAGE), null);
  for (let entry = 0; entry < 1000; entry++) keep(0, entry);
  assertEquals(known.at(0).find(999, PAGE)?.page, PAGE);
  assertEquals(known.at(0).find(0, PAGE), null);
});
