import { assertEquals, assertNotEquals } from "@std/assert";
import { R } from "../state.ts";
import { testBoard } from "../test_board.ts";
import { MEMORY_PAGES, REGION_CACHE } from "./layout.ts";
import { RegionCache, regionEntry } from "./region_cache.ts";

Deno.test("RegionCache: an entry that is forgotten or cleared is good for no mode", () => {
  const memory = new WebAssembly.Memory({ initial: MEMORY_PAGES }), words = new Int32Array(memory.buffer);
  const cache = new RegionCache(memory), modeAt = (ip: number) => (regionEntry(ip) + REGION_CACHE.MODE) >> 2;
  assertNotEquals(modeAt(0x1000), modeAt(0x1001));
  for (const ip of [0, 0x1000, 0xffff_ffff, -0x7fff_0000]) {
    words[modeAt(ip)] = 0x115;
    cache.forget(ip + 1);
    assertEquals(words[modeAt(ip)], 0x115);
    cache.forget(ip);
    assertEquals(words[modeAt(ip)], 0);
    words[modeAt(ip)] = 0x115;
  }
  cache.clear();
  assertEquals(words[modeAt(0x1000)], 0);
});

Deno.test("RegionCache: a call finds the code that has taken the place of its target's", () => {
  const { cpu, load } = testBoard({ tier: "regions" }), { r } = cpu;
  // CALL 1100h; INC ECX; JMP 1000h.
  load(0x1000, 0xe8, 0xfb, 0, 0, 0, 0x41, 0xeb, 0xf8);
  const adding = (n: number) => {
    // ADD EAX, n; RET.
    load(0x1100, 0x83, 0xc0, n, 0xc3);
    const from = r.get32(R.AX), turns = r.get32(R.CX);
    cpu.run(5000);
    return (r.get32(R.AX) - from) / (r.get32(R.CX) - turns);
  };
  r.set32(R.SP, 0x8000);
  r.ip = 0x1000;
  assertEquals([1, 3, 1, 7].map(adding), [1, 3, 1, 7]);
});
