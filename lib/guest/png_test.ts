import { assertEquals, assertThrows } from "@std/assert";
import { encode } from "fast-png";
import { decodePng, encodePng } from "./png.ts";

Deno.test("encodePng: a picture survives encoding and decoding", () => {
  const data = Uint8Array.from({ length: 5 * 3 * 4 }, (_, i) => i % 4 === 3 ? 255 : i * 37 & 255);
  const file = encodePng({ width: 5, height: 3, data });
  assertEquals([...file.subarray(0, 8)], [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  assertEquals(decodePng(file), { width: 5, height: 3, data });
});

Deno.test("decodePng: reads grey files, refuses deep ones and what is no PNG file", () => {
  const grey = encode({ width: 2, height: 1, data: new Uint8Array([7, 200]), channels: 1 });
  assertEquals([...decodePng(grey).data], [7, 7, 7, 255, 200, 200, 200, 255]);
  const deep = encode({ width: 1, height: 1, data: new Uint16Array(3), channels: 3, depth: 16 });
  assertThrows(() => decodePng(deep), RangeError, "16 bits");
  assertThrows(() => decodePng(new Uint8Array(20)));
});
