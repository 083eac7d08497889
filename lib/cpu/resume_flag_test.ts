import { assertEquals } from "@std/assert";
import { type Tier, TIERS } from "./options.ts";
import { Flag, R } from "./state.ts";
import { gate, ProtectedBoard, Sel } from "./system/test_tables.ts";

const LOOP = 0x1100, HANDLER = 0x1300, FRAME = 0x7f00;

/** A loop around IRET, which loads RF: at 1000h IRET; at 1100h NOP, DEC ECX, MOV ESP, and back; an interrupt handler. */
function loopBoard(tier: Tier): ProtectedBoard {
  const b = new ProtectedBoard({ tier });
  b.board.load(0x1000, 0xcf);
  b.board.load(LOOP, 0x90, 0x49, 0xbc, 0x00, 0x7f, 0x00, 0x00, 0xe9, 0xf4, 0xfe, 0xff, 0xff);
  b.board.load(HANDLER, 0xf4);
  [LOOP, Sel.CODE0, Flag.RF | Flag.IF | 2].forEach((word, i) => b.write32(FRAME + i * 4, word));
  b.gate(0x20, gate(0x8e, Sel.CODE0, HANDLER));
  b.r.set32(R.SP, FRAME);
  b.r.set32(R.CX, 1000);
  b.r.ip = 0x1000;
  return b;
}

/** Instructions of a round, and how often the first of them has run after so many. */
const ROUND = 5;

Deno.test("RF that IRET loads is there until the next instruction is done, however a run is cut", () => {
  for (const tier of TIERS) {
    for (let count = 1; count <= 6 * ROUND; count++) {
      const b = loopBoard(tier);
      assertEquals(b.cpu.run(count), "budget");
      const expected = count % ROUND === 1;
      assertEquals([b.cpu.instructions, (b.r.eflags & Flag.RF) !== 0], [count, expected], `${tier}, ${count}`);
      b.cpu.run(1);
      assertEquals((b.r.eflags & Flag.RF) !== 0, (count + 1) % ROUND === 1, `${tier}, ${count} and one more`);
    }
  }
});

Deno.test("RF that IRET loads is pushed by an interrupt that comes before the next instruction", () => {
  for (const tier of TIERS) {
    for (let count = 1; count <= 6 * ROUND; count++) {
      const b = loopBoard(tier);
      b.cpu.run(count);
      b.cpu.setInterruptLine(true);
      b.cpu.run(1);
      assertEquals([b.r.ip, (b.stack(3)[2] & Flag.RF) !== 0], [HANDLER, count % ROUND === 1], `${tier}, ${count}`);
    }
  }
});

Deno.test("RF that IRET loads goes with a first instruction that cannot be executed at once", () => {
  for (const tier of TIERS) {
    const b = loopBoard(tier);
    // UD2 in place of NOP and DEC ECX, after some rounds: the exception's handler finds RF all the same.
    b.gate(6, gate(0x8e, Sel.CODE0, HANDLER));
    b.cpu.run(4 * ROUND);
    b.board.load(LOOP, 0x0f, 0x0b);
    b.cpu.run(3);
    assertEquals([b.r.ip, (b.stack(3)[2] & Flag.RF) !== 0, b.r.eflags & Flag.RF], [HANDLER + 1, true, 0], tier);
  }
});

Deno.test("RF that IRET loads does not need the run loop once the next instruction is known", () => {
  for (const tier of TIERS) {
    const b = loopBoard(tier);
    b.cpu.run(100 * ROUND);
    assertEquals(b.cpu.statistics["exits: run loop's turn"] < 10, true, tier);
  }
});
