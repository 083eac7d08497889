import { assert, assertEquals } from "@std/assert";
import { ProtectedBoard } from "../system/test_tables.ts";
import { R, S } from "../state.ts";
import { TLB } from "../interpreter/layout.ts";
import { dword } from "../test_board.ts";
import { PAGE_SIZE } from "../../machine/memory.ts";
import { runRounds } from "./test_code.ts";

const START = 0x1000;

/** Runs code from START with ECX = `rounds` until it halts, in the tier that translates what is hot. */
function run(b: ProtectedBoard, rounds: number): Readonly<Record<string, number>> {
  runRounds(b, START, rounds);
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

Deno.test("Translator: constants that change again and again are read where they are", () => {
  const b = new ProtectedBoard(), CONSTANTS = [START + 4, START + 9, START + 15];
  // xor ebx, ebx; add ebx, 1; mov eax, [2000h]; imul edx, eax, 1; dec ecx; jnz to add; hlt
  b.board.load(
    START,
    ...[0x31, 0xdb, 0x81, 0xc3, ...dword(1), 0xa1, ...dword(0x2000), 0x69, 0xd0, ...dword(1), 0x49, 0x75, 0xec, 0xf4],
  );
  for (let i = 0; i < 100; i++) b.board.memory.write32(0x2000 + 4 * i, 1000 + i);
  const change = (value: number) => {
    [value, 0x2000 + 4 * value, -value].forEach((constant, i) => b.board.load(CONSTANTS[i], ...dword(constant)));
  };
  for (const value of [1, 2, 3, 4]) {
    change(value);
    run(b, 20_000);
  }
  const { regions } = b.cpu.statistics;
  for (const value of [0, 7, 99]) {
    change(value);
    assert(interpreted(b, 10_000) < 1000);
    assertEquals([b.r.get32(R.BX), b.r.get32(R.AX)], [10_000 * value, 1000 + value]);
    assertEquals(b.r.get32(R.DX) | 0, -value * (1000 + value));
  }
  assertEquals(b.cpu.statistics["regions"], regions);
});

Deno.test("Translator: code that comes back finds its region again", () => {
  const b = new ProtectedBoard();
  // inc eax or dec eax; dec ecx; jnz START; hlt
  b.board.load(START, 0x40, 0x49, 0x75, 0xfc, 0xf4);
  const change = (down: boolean) => b.board.load(START, down ? 0x48 : 0x40);
  b.r.set32(R.AX, 0);
  for (const down of [false, true, false, true]) {
    change(down);
    run(b, 50_000);
  }
  const { regions } = b.cpu.statistics;
  for (let i = 0; i < 10; i++) {
    change(i % 2 === 0);
    assert(interpreted(b, 10_000) < 1000);
    assertEquals(b.r.get32(R.AX) | 0, i % 2 === 0 ? -10_000 : 0);
  }
  assertEquals(b.cpu.statistics["regions"], regions);
  b.cpu.forgetCode();
  assertEquals(b.cpu.statistics["regions at present"], 0);
});

Deno.test("Translator: a loop gets hot though its code is rewritten all the time", () => {
  const b = new ProtectedBoard();
  // inc eax or dec eax; dec ecx; jnz START; hlt
  b.board.load(START, 0x40, 0x49, 0x75, 0xfc, 0xf4);
  for (let i = 0; i < 100; i++) {
    b.board.load(START, i % 2 === 0 ? 0x48 : 0x40);
    run(b, 1000);
  }
  assert(interpreted(b, 1000) < 100);
});

Deno.test("Translator: regions write constants of other regions at once", () => {
  const b = new ProtectedBoard(), callee = START + 0x1000, constant = callee + 1;
  // mov [constant], ecx; call callee; add ebx, eax; dec ecx; jnz START; hlt; and there: mov eax, 0; ret
  b.board.load(START, 0x89, 0x0d, ...dword(constant), 0xe8, ...dword(callee - START - 11));
  b.board.load(START + 11, 0x01, 0xc3, 0x49, 0x75, 0xf0, 0xf4);
  b.board.load(callee, 0xb8, ...dword(0), 0xc3);
  for (let i = 0; i < 10; i++) run(b, 5000);
  const seen = () => b.cpu.statistics["instructions with new constants"], before = seen();
  for (const slice of [1e6, 7]) {
    b.r.ip = START;
    b.r.setI32(S.HALTED, 0);
    b.r.set32(R.BX, 0);
    b.r.set32(R.CX, 1000);
    while (b.cpu.run(slice) === "budget");
    assertEquals([b.r.get32(R.BX), b.r.get32(R.AX)], [1000 * 1001 / 2, 1]);
    if (slice > 7) assertEquals(seen(), before);
  }
});
