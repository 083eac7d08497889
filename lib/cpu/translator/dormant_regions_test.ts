import { assertEquals } from "@std/assert";
import { type Block, framesOfRanges } from "../interpreter/block.ts";
import { bytesOf, DormantRegions } from "./dormant_regions.ts";
import { type Region, Sites } from "./region_table.ts";
import { GroupFailures } from "./group_failures.ts";

const KEY = 1;

/** A region of the bytes that are at 0x1010–0x1014 and 0x2000–0x2002 now. */
function region(slot: number, memory: Uint8Array): Region {
  const ranges = [{ start: 0x1010, end: 0x1014 }, { start: 0x2000, end: 0x2002 }];
  return {
    slot,
    host: 0x1010,
    ip: 0x10,
    key: KEY,
    sites: new Sites([]),
    patched: null,
    blocks: [],
    exits: [],
    cells: [],
    generation: 0,
    failures: new GroupFailures(),
    ranges,
    frames: framesOfRanges(ranges),
    code: bytesOf({ ranges }, memory),
    young: false,
    isDormant: true,
    hasSlept: false,
    module: null,
    voided: () => {},
    rewritten: () => {},
    closed: () => {},
  };
}

function block(host: number, bytes: number, key = KEY): Block {
  return {
    record: 0,
    count: 1,
    bytes,
    host,
    secondFrame: -1,
    key,
    indirectJump: -1,
    startsPlainly: true,
    looks: 0,
    lookedAt: 0,
    valid: true,
    hasOldConstants: false,
    region: null,
  };
}

Deno.test("DormantRegions: a region wakes when all of its bytes are back, and code runs there in its mode", () => {
  const memory = new Uint8Array(0x3000), dormant = new DormantRegions();
  memory.set([1, 2, 3, 4], 0x1010);
  const one = region(1, memory);
  assertEquals([...one.code], [1, 2, 3, 4, 0, 0]);
  memory[0x2001] = 9;
  const other = region(2, memory);
  dormant.add(one);
  dormant.add(other);
  const awoken = (b: Block) => dormant.awoken(b, memory).map(({ slot }) => slot);
  assertEquals([awoken(block(0x1010, 4)), awoken(block(0x1013, 1)), awoken(block(0x2001, 9))], [[2], [2], [2]]);
  assertEquals([awoken(block(0x1000, 0x10)), awoken(block(0x1014, 4)), awoken(block(0x1010, 4, 2))], [[], [], []]);
  memory[0x2001] = 0;
  assertEquals(awoken(block(0x100f, 2)), [1]);
  memory[0x1012] = 0;
  assertEquals(awoken(block(0x1010, 4)), []);
  memory[0x1012] = 3;
  dormant.delete(one);
  assertEquals(awoken(block(0x1010, 4)), []);
});

Deno.test("DormantRegions: a frame has room for some; the oldest go, and each of them once", () => {
  const memory = new Uint8Array(0x3000), dormant = new DormantRegions();
  const gone = Array.from({ length: 34 }, (_, slot) => [...dormant.add(region(slot, memory))].map(({ slot }) => slot));
  assertEquals(gone.slice(30), [[], [], [0], [0]]);
});
