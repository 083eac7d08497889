import { assertEquals } from "@std/assert";
import { constantsAt, decode, newInstruction } from "../decode/mod.ts";
import { fixedBytes, varyingConstants } from "./varying.ts";

/** [offset of the first constant, pieces that are translated for] of an instruction. */
function pieces(code: 16 | 32 | 64, ...bytes: number[]): [number, [number, number][]] {
  const instruction = newInstruction();
  assertEquals([decode(Uint8Array.from(bytes), 0, bytes.length, code, instruction), instruction.length], [
    "ok",
    bytes.length,
  ]);
  const fixed = fixedBytes(instruction, varyingConstants(instruction));
  return [constantsAt(instruction), fixed.map(({ start, end }) => [start, end])];
}

Deno.test("varyingConstants: immediate values and displacements follow the opcode", () => {
  // shl dword [ebx + 4], imm8; add eax, imm32; mov cx, imm16; cmp byte [ebx + 5], imm8; mov rax, imm64; push imm8; imul eax, [disp32], imm32
  assertEquals(pieces(32, 0xc1, 0x63, 4, 7), [2, [[0, 2]]]);
  assertEquals(pieces(32, 0x05, 1, 2, 3, 4), [1, [[0, 1]]]);
  assertEquals(pieces(32, 0x66, 0xb9, 1, 2), [2, [[0, 2]]]);
  assertEquals(pieces(32, 0x80, 0x7b, 5, 9), [2, [[0, 2]]]);
  assertEquals(pieces(64, 0x48, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8), [2, [[0, 2]]]);
  assertEquals(pieces(32, 0x6a, 1), [1, [[0, 1]]]);
  assertEquals(pieces(32, 0x69, 0x05, 1, 2, 3, 4, 5, 6, 7, 8), [2, [[0, 2]]]);
});

Deno.test("varyingConstants: displacements of every form", () => {
  // mov eax, [esp + 8]; mov ax, [bp - 2]; mov rax, [rip + 5]; mov al, [moffs] in 32- and 64-bit code; mov eax, [ebx * 4 + 8]
  assertEquals(pieces(32, 0x8b, 0x44, 0x24, 8), [3, [[0, 3]]]);
  assertEquals(pieces(16, 0x8b, 0x46, 0xfe), [2, [[0, 2]]]);
  assertEquals(pieces(64, 0x48, 0x8b, 0x05, 5, 0, 0, 0), [3, [[0, 3]]]);
  assertEquals(pieces(32, 0xa0, 1, 2, 3, 4), [1, [[0, 1]]]);
  assertEquals(pieces(64, 0xa0, 1, 2, 3, 4, 5, 6, 7, 8), [1, [[0, 1]]]);
  assertEquals(pieces(32, 0x8b, 0x04, 0x9d, 8, 0, 0, 0), [3, [[0, 3]]]);
});

Deno.test("varyingConstants: what else depends on an immediate value stays as it was translated", () => {
  // pshufd xmm0, [ebx + 4], imm8; bts eax, imm8; nop; jmp rel32; call far
  assertEquals(pieces(32, 0x66, 0x0f, 0x70, 0x43, 4, 0x1b), [4, [[0, 4], [5, 6]]]);
  assertEquals(pieces(32, 0x0f, 0xba, 0xe8, 7), [3, [[0, 4]]]);
  assertEquals(pieces(32, 0x90), [1, [[0, 1]]]);
  assertEquals(pieces(32, 0xe9, 1, 2, 3, 4), [5, [[0, 5]]]);
  assertEquals(pieces(32, 0x9a, 1, 2, 3, 4, 5, 6), [7, [[0, 7]]]);
});
