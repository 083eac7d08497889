import { assertEquals } from "@std/assert";
import type { WalkResult } from "./page_table_watch.ts";
import { signedLinear, TableMap, type TableRange, unsignedLinear } from "./table_map.ts";

/** A walk that has read these frames, the top-level table first. */
function walk(pageSize: number, ...frames: number[]): WalkResult {
  return {
    physical: 0,
    pageSize,
    readable: true,
    writable: true,
    dirty: true,
    guarded: false,
    cacheable: true,
    tables: Int32Array.from(frames),
    tableCount: frames.length,
    entries: new Float64Array(4),
  };
}

const UNUSED = () => false, USED = () => true;

Deno.test("TableMap: each table of a walk maps the surroundings of the address", () => {
  const map = new TableMap();
  map.note(0x1234_5678, walk(0x1000, 10, 11), 4, UNUSED);
  assertEquals([map.range(10), map.range(11)], [{ base: 0, span: 0x40_0000 }, { base: 0x1200_0000, span: 0x1000 }]);
  assertEquals(map.range(12), undefined);
});

Deno.test("TableMap: the four pointers of PAE paging lie anywhere in their frame", () => {
  const map = new TableMap();
  map.note(0xc000_1000, walk(0x1000, 10, 11, 12), 8, UNUSED);
  assertEquals(map.range(10), { base: NaN, span: 2 ** 30 });
  assertEquals([map.range(11), map.range(12)], [{ base: 0xc000_0000, span: 0x20_0000 }, {
    base: 0xc000_0000,
    span: 0x1000,
  }]);
  map.noteRoot(10, 2 ** 30);
  map.noteRoot(13, 2 ** 39);
  assertEquals([map.range(10)?.base, map.range(13)?.base], [NaN, 0]);
});

Deno.test("TableMap: a frame that serves several places has no base as long as the others are in use", () => {
  const asked: [number, TableRange, number, number][] = [], map = new TableMap();
  const ask = (frame: number, range: TableRange, base: number, end: number) => {
    asked.push([frame, { ...range }, base, end]);
    return true;
  };
  map.note(0x40_0000, walk(0x1000, 10, 11), 4, ask);
  map.note(0x80_0000, walk(0x1000, 10, 11), 4, ask);
  assertEquals(asked, [[11, { base: 0x40_0000, span: 0x1000 }, 0x80_0000, 0xc0_0000]]);
  assertEquals(map.range(11), { base: NaN, span: 0x1000 });
  map.note(0xc0_0000, walk(0x1000, 10, 11), 4, UNUSED);
  assertEquals(map.range(11), { base: 0xc0_0000, span: 0x1000 });
  // Now a directory, too.
  map.note(0x40_0000, walk(0x1000, 11, 12), 4, USED);
  assertEquals(map.range(11), { base: NaN, span: NaN });
});

Deno.test("TableMap: linear addresses of both halves", () => {
  for (const linear of [0, 2 ** 47 - 1, -1, -(2 ** 47)]) assertEquals(signedLinear(unsignedLinear(linear)), linear);
  const map = new TableMap();
  map.note(-0x1000, walk(0x1000, 1, 2, 3, 4), 8, UNUSED);
  assertEquals([map.range(1), map.range(4)], [{ base: 0, span: 2 ** 39 }, { base: 2 ** 48 - 0x20_0000, span: 0x1000 }]);
});

Deno.test("NotedTables: noting a walk again changes nothing until a table has served another place", () => {
  const map = new TableMap(), first = walk(0x1000, 10, 11);
  map.note(0x1234_5678, first, 4, UNUSED);
  const noted = map.noted(first);
  assertEquals([...noted.frames], [10, 11]);
  assertEquals(noted.areNoted, true);
  map.note(0x1201_0000, walk(0x1000, 10, 11), 4, USED);
  assertEquals(noted.areNoted, true);
  map.note(0x5678_0000, walk(0x1000, 10, 11), 4, UNUSED);
  assertEquals(noted.areNoted, false);
  map.note(0x1234_5678, first, 4, UNUSED);
  assertEquals(noted.areNoted, true);
});
