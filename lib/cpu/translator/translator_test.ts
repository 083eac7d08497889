import { assert, assertEquals } from "@std/assert";
import { ProtectedBoard } from "../system/test_tables.ts";
import { R, S } from "../state.ts";
import { TLB } from "../interpreter/layout.ts";
import { PAGE_SIZE } from "../../machine/memory.ts";

const START = 0x1000;

/** Little-endian bytes of a 32-bit number. */
function dword(value: number): number[] {
  return [value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, value >>> 24];
}

/** Runs code from START with ECX = `rounds` until it halts, in the tier that translates what is hot. */
function run(b: ProtectedBoard, rounds: number): Readonly<Record<string, number>> {
  b.r.ip = START;
  b.r.setI32(S.HALTED, 0);
  b.r.set32(R.CX, rounds);
  let result = b.cpu.run(1e6);
  while (result === "budget") result = b.cpu.run(1e6);
  assertEquals(result, "halted");
  return b.cpu.statistics;
}

/** How many instructions of that are interpreted. */
function interpreted(b: ProtectedBoard, rounds: number): number {
  const before = b.cpu.statistics["instructions interpreted"];
  return run(b, rounds)["instructions interpreted"] - before;
}

Deno.test("Translator: code is translated though data has taken its place in the TLB", () => {
  const b = new ProtectedBoard();
  // mov eax, [another page with the same entry]; dec ecx; jnz START; hlt
  const other = START + TLB.ENTRIES * PAGE_SIZE;
  b.board.load(START, 0xa1, ...dword(other), 0x49, 0x75, 0xf8, 0xf4);
  assertEquals(run(b, 20_000)["regions"], 1);
});

Deno.test("Translator: code is translated again after a write to another block of its region", () => {
  const b = new ProtectedBoard(), second = START + 0x100;
  // jmp second; and there: mov eax, 1; dec ecx; jnz START; hlt
  b.board.load(START, 0xe9, ...dword(second - START - 5));
  b.board.load(second, 0xb8, 1, 0, 0, 0, 0x49, 0x0f, 0x85, ...dword(START - second - 12), 0xf4);
  run(b, 20_000);
  b.board.load(second + 1, 2);
  assertEquals(run(b, 10)["regions at present"], 0);
  run(b, 50_000);
  assert(interpreted(b, 10_000) < 1000);
  assertEquals(b.r.get32(R.AX), 2);
});

Deno.test("Translator: straight-line code beyond the longest region gets regions of its own", () => {
  const b = new ProtectedBoard(), length = 1000;
  // inc eax, a thousand times; dec ecx; jnz START; hlt
  b.board.load(START, ...new Array<number>(length).fill(0x40));
  b.board.load(START + length, 0x49, 0x0f, 0x85, ...dword(-length - 7), 0xf4);
  run(b, 50_000);
  assert(interpreted(b, 10_000) < length * 10_000 / 2);
});
