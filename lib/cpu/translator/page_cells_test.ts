import { assertEquals, assertNotEquals } from "@std/assert";
import { CODE_PLACES, PAGE_CELLS } from "../interpreter/layout.ts";
import { NO_CELL, type PageCell, PageCells } from "./page_cells.ts";

function setUp() {
  const memory = new WebAssembly.Memory({
    initial: Math.ceil((CODE_PLACES.BASE + CODE_PLACES.SIZE * CODE_PLACES.ENTRIES) / 65536),
  });
  const words = new Int32Array(memory.buffer);
  return { cells: new PageCells(memory), at: (address: number) => words[address >> 2] };
}

function use(cell: PageCell | null): PageCell {
  cell!.users++;
  return cell!;
}

Deno.test("PageCells: a cell knows the mode in which its page was reached last, until all is forgotten", () => {
  const { cells, at } = setUp(), cell = use(cells.find(0x8000_1234, 0x5678));
  cells.arrived(0x8000_1000, 0x6000, 7);
  cells.arrived(0x8000_2000, 0x5000, 7);
  assertEquals(at(cell.address), -1);
  cells.arrived(0x8000_1fff, 0x5000, 7);
  assertEquals(at(cell.address), 7);
  assertEquals(cells.find(0x8000_1000, 0x5000), cell);
  cells.forget();
  assertEquals(at(cell.address), -1);
});

Deno.test("PageCells: a cell without users serves another page, and starts anew", () => {
  const { cells, at } = setUp(), cell = use(cells.find(0, 0));
  use(cell);
  cells.arrived(0, 0, 7);
  cells.release(cell);
  assertEquals(cells.find(0, 0), cell);
  cells.release(cell);
  const other = use(cells.find(0x1000, 0));
  assertEquals([other.address, at(other.address)], [cell.address, -1]);
  assertNotEquals(use(cells.find(0, 0)).address, other.address);
});

Deno.test("PageCells: when all are in use, there is none, and the one that never matches is nobody's", () => {
  const { cells, at } = setUp();
  for (let i = 0; i < PAGE_CELLS.COUNT - 1; i++) {
    const cell = use(cells.find(i * 4096, 0));
    cells.arrived(i * 4096, 0, 7);
    assertNotEquals(cell.address, NO_CELL);
  }
  assertEquals([cells.find(0x7fff_f000, 0), at(NO_CELL)], [null, -1]);
});
