import { assert, assertEquals } from "@std/assert";
import { decode, newInstruction } from "../decode/mod.ts";
import { R, S } from "../state.ts";
import { ProtectedBoard } from "../system/test_tables.ts";
import { dword } from "../test_board.ts";
import { type JumpTable, jumpTable } from "./jump_tables.ts";

const TABLE = 0x3ff8;

/** The table of a jump, by its code and the width of the code, in a memory with the words 0x100, 0x200 … from TABLE on. */
function found(code: string, width: 32 | 64, targets: readonly number[], last = Infinity): JumpTable | null {
  const instruction = newInstruction(), bytes = new Uint8Array(0x5000), view = new DataView(bytes.buffer);
  bytes.set(Uint8Array.fromHex(code));
  for (let i = 0; i < 8; i++) view.setUint32(TABLE + i * width / 8, 0x100 * (i + 1), true);
  assertEquals(decode(bytes, 0, bytes.length, width, instruction), "ok");
  const data = (linear: number) => linear <= last ? linear : -1;
  return jumpTable(instruction, targets, { mode: { code: width, stack: width, flat: true }, bytes, data });
}

Deno.test("jumpTable: entries that lead to known targets, across pages that are known", () => {
  // jmp [ecx*4 + TABLE]
  const jump = "ff248df83f0000";
  assertEquals(found(jump, 32, [0x100, 0x400]), { register: R.CX, entries: [0x100, -1, -1, 0x400] });
  assertEquals(found(jump, 32, [0x100, 0x400], 0x3fff), { register: R.CX, entries: [0x100] });
  assertEquals(found(jump, 32, [0x1234]), null);
  assertEquals(found(jump, 32, [0x100], 0), null);
  // jmp [rcx*8 + TABLE]
  assertEquals(found("ff24cdf83f0000", 64, [0x200]), { register: R.CX, entries: [-1, 0x200] });
});

Deno.test("jumpTable: a pointer, entries of another size, and a base are none", () => {
  for (const jump of ["ff25f83f0000", "ff24cdf83f0000", "ff248bf83f0000", "ffe0"]) {
    assertEquals(found(jump, 32, [0x100]), null);
  }
});

Deno.test("jumpTable: a region goes where the table leads now", () => {
  const b = new ProtectedBoard(), START = 0x1000, PLACES = [0x2000, 0x2010, 0x2020], END = 0x2030;
  const jump = (at: number, to: number) => dword(to - at - 4);
  // mov eax, ecx; and eax, 3; dec ecx; js END; jmp [eax*4 + TABLE]
  b.board.load(START, 0x89, 0xc8, 0x83, 0xe0, 3, 0x49, 0x0f, 0x88, ...jump(START + 8, END));
  b.board.load(START + 12, 0xff, 0x24, 0x85, ...dword(TABLE));
  // inc ebx, edx or esi; jmp START; and hlt at END
  [0x43, 0x42, 0x46].forEach((inc, i) => b.board.load(PLACES[i], inc, 0xe9, ...jump(PLACES[i] + 2, START)));
  b.board.load(END, 0xf4);
  const run = (rounds: number, ...table: number[]) => {
    b.board.load(TABLE, ...table.flatMap((place) => dword(PLACES[place])));
    for (const register of [R.BX, R.DX, R.SI]) b.r.set32(register, 0);
    b.r.set32(R.CX, rounds);
    b.r.setI32(S.HALTED, 0);
    b.r.ip = START;
    const before = b.cpu.statistics["instructions interpreted"];
    for (let result = ""; result !== "halted";) result = b.cpu.run(1e6);
    const interpreted = b.cpu.statistics["instructions interpreted"] - before;
    return { counts: [R.BX, R.DX, R.SI].map((register) => b.r.get32(register)), interpreted };
  };
  run(60_000, 0, 1, 1, 1);
  const warm = run(10_000, 0, 1, 1, 1);
  assertEquals(warm.counts, [2500, 7500, 0]);
  assert(warm.interpreted < 1000);
  assertEquals(run(10_000, 1, 0, 0, 0).counts, [7500, 2500, 0]);
  assertEquals(run(10_000, 2, 1, 1, 1).counts, [0, 7500, 2500]);
});
