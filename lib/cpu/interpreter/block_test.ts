import { assertEquals } from "@std/assert";
import { type Block, bytesIn, framesOf, overlaps, placeOf } from "./block.ts";

function block(host: number, bytes: number, secondFrame = -1): Block {
  return {
    record: 0,
    count: 1,
    bytes,
    host,
    secondFrame,
    key: 0,
    indirectJump: -1,
    startsPlainly: true,
    looks: 0,
    lookedAt: 0,
    valid: true,
    hasOldConstants: false,
    region: null,
  };
}

Deno.test("bytesIn: a block within a frame, and an instruction in two frames that need not follow one another", () => {
  assertEquals(bytesIn(block(0x5010, 0x20), 5), { start: 0x10, end: 0x30, tail: 0 });
  const straddling = block(0x5ffd, 7, 9);
  assertEquals(bytesIn(straddling, 5), { start: 0xffd, end: 0x1000, tail: 0 });
  assertEquals(bytesIn(straddling, 9), { start: 0, end: 0, tail: 4 });
  assertEquals([[...framesOf(straddling)], [...framesOf(block(0x5010, 1))]], [[5, 9], [5]]);
});

Deno.test("bytesIn: both pages of an instruction may be the same frame", () => {
  const folded = block(0x5ffd, 7, 5);
  assertEquals(bytesIn(folded, 5), { start: 0xffd, end: 0x1000, tail: 4 });
  assertEquals([...framesOf(folded)], [5]);
  const hit = [0x5000, 0x5003, 0x5004, 0x5ffc, 0x5ffd, 0x5fff].map((at) => overlaps(folded, 5, at, at + 1));
  assertEquals(hit, [true, true, false, false, true, true]);
});

Deno.test("overlaps: the first and the last byte count, those beside them do not", () => {
  const { host } = block(0x5010, 0x20);
  const hit = [[0x500c, 0x5010], [0x500c, 0x5011], [0x502f, 0x5033], [0x5030, 0x5034]];
  assertEquals(hit.map(([from, to]) => overlaps(block(host, 0x20), 5, from, to)), [false, true, true, false]);
});

Deno.test("placeOf: hosts and keys do not run into one another, up to the end of 4 GiB", () => {
  const places = [0, 1, 0xffff_fffe, 0xffff_ffff].flatMap((host) => [0, 1, 0x3f].map((key) => placeOf(host, key)));
  assertEquals(new Set(places).size, places.length);
});
