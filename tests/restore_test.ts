/** Going back again and again: what was translated stays good where the code is the same, and nowhere else. */
import { assert, assertEquals } from "@std/assert";
import { Guest, type Tier } from "../mod.ts";
import { ask, bootFixture, bootSector } from "./support.ts";

Deno.test("a restored guest does not translate the same code again", async () => {
  for (const tier of ["regions", "auto"] satisfies Tier[]) {
    await using guest = await bootFixture({ tier });
    const ready = await guest.snapshot();
    const run = async () => {
      await ask(guest, "mem");
      return { hash: guest.hash(), instructions: guest.instructions };
    };
    const first = await run();
    const restore = async () => {
      await guest.restore(ready);
      assertEquals(await run(), first, tier);
    };
    // The first time, what the command itself changed is decoded again.
    await restore();
    const { regions, "blocks decoded": blocks } = guest.statistics;
    await restore();
    await restore();
    assert(tier === "auto" || regions > 0);
    assertEquals(guest.statistics.regions, regions, tier);
    assertEquals(guest.statistics["blocks decoded"], blocks, tier);
  }
});

/**
 * mov si,7C20h; L: call si; inc word [7C21h]; jmp L
 * 7C20h: mov ax,0; add bx,ax; ret
 */
const REWRITES = bootSector(
  ...[0xbe, 0x20, 0x7c, 0xff, 0xd6, 0xff, 0x06, 0x21, 0x7c, 0xeb, 0xf8],
  ...new Array(0x20 - 11).fill(0x90),
  ...[0xb8, 0, 0, 0x01, 0xc3, 0xc3],
);

Deno.test("code that has changed since the snapshot is the snapshot's after a restore", async () => {
  const hashes: string[] = [];
  for (const tier of ["interpreter", "single", "regions", "auto"] satisfies Tier[]) {
    await using guest = await Guest.boot({ memory: "1M", fda: REWRITES, tier });
    await guest.run({ instructions: 60_000 });
    const early = await guest.snapshot();
    await guest.run({ instructions: 20_011 });
    const late = await guest.snapshot(), hash = guest.hash();
    await guest.run({ instructions: 3 });
    for (const instructions of [20_011, 4]) {
      await guest.restore(early);
      await guest.run({ instructions });
    }
    await guest.restore(early);
    await guest.run({ instructions: 20_011 });
    assertEquals(guest.hash(), hash, tier);
    await guest.restore(late);
    assertEquals(guest.hash(), hash, tier);
    await guest.run({ instructions: 5 });
    hashes.push(guest.hash());
  }
  assertEquals(hashes, new Array(4).fill(hashes[0]));
});
