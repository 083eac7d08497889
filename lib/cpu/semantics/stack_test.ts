import { assertEquals } from "@std/assert";
import { R, Seg } from "../state.ts";
import { testBoard } from "../test_board.ts";

Deno.test("enter: on a 16-bit stack the 32-bit frame pointer that is pushed has all of ESP", () => {
  const board = testBoard(), { r } = board.cpu;
  r.setSegment(Seg.SS, 0x10, 0, 0xffff, 0x93);
  board.cpu.modeChanged();
  r.set32(R.SP, 0x1234_8000);
  r.set32(R.BP, 0x5678_9000);
  // enter 8, 1; hlt
  board.load(0x1000, 0xc8, 8, 0, 1, 0xf4);
  board.cpu.run(10);
  assertEquals([board.memory.read32(0x7ffc), board.memory.read32(0x7ff8)], [0x5678_9000, 0x1234_7ffc]);
  assertEquals([r.get32(R.SP), r.get32(R.BP)], [0x1234_7ff0, 0x5678_7ffc]);
});
