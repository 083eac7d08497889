import { assert, assertEquals } from "@std/assert";
import { ProtectedBoard } from "../system/test_tables.ts";
import { runRounds } from "./test_code.ts";

/** Where loops begin, and their distance. */
const LOOPS = 0x10_0000, STRIDE = 0x100;
const COUNT = 150;
/** Each loop that is the first of so many is used all the time, the others for some turns. */
const STEADY = 13;
/** So many turns. */
const RECENT = 4;
/** Entries after which code is surely translated. */
const HOT = 50_000;

Deno.test("LiveModules: what is used again and again stays where much else comes and goes", () => {
  const b = new ProtectedBoard({ stress: { codeBytes: 300_000 } });
  const use = (loop: number) => runRounds(b, LOOPS + loop * STRIDE, HOT);
  for (let loop = 0; loop < COUNT; loop++) {
    // inc eax; dec ecx; jnz back; hlt
    b.board.load(LOOPS + loop * STRIDE, 0x40, 0x49, 0x75, 0xfc, 0xf4);
    for (let before = 0; before <= loop; before++) if (before % STEADY === 0 || loop - before < RECENT) use(before);
  }
  const { statistics } = b.cpu;
  assert(statistics["modules evicted"] > COUNT / 2, `${statistics["modules evicted"]} modules evicted`);
  assertEquals(statistics["regions"], COUNT);
  assert(statistics["modules at present"] > 20, `${statistics["modules at present"]} modules at present`);
  assert(statistics["bytes of WebAssembly at present"] < 300_000);
});
