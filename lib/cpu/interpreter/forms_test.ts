import { assertEquals } from "@std/assert";
import { decode, type Instruction, newInstruction } from "../decode/mod.ts";
import type { CodeMode } from "../emit/emitter.ts";
import { FormMap } from "./forms.ts";

const FLAT: CodeMode = { code: 32, stack: 32, flat: true }, SEGMENTED: CodeMode = { ...FLAT, flat: false };
const WIDE: CodeMode = { code: 64, stack: 64, flat: true };

function decoded(hex: string, mode: CodeMode): Instruction {
  const instruction = newInstruction(), bytes = Uint8Array.fromHex(hex);
  assertEquals(decode(bytes, 0, bytes.length, mode.code, instruction), "ok");
  return instruction;
}

/** Do two instructions have the same form? */
function same(a: string, b: string, mode = FLAT, otherMode = mode): boolean {
  const map = new FormMap<string>();
  map.set(decoded(a, mode), mode, a);
  return map.get(decoded(b, otherMode), otherMode) !== undefined;
}

Deno.test("FormMap: registers, displacements and immediates do not count", () => {
  assertEquals(same("01c8", "01d3"), true, "add eax, ecx; add ebx, edx");
  assertEquals(same("034304", "038e00010000"), true, "add eax, [ebx + 4]; add ecx, [esi + 256]");
  assertEquals(same("b801000000", "bb02000000"), true, "mov eax, 1; mov ebx, 2");
});

Deno.test("FormMap: kinds, sizes, shapes of addresses and the mode do", () => {
  for (
    const [a, b, why] of [
      ["01c8", "29c8", "add, sub"],
      ["01c8", "6601c8", "32 and 16 bits"],
      ["00c8", "00cc", "add al, cl; add ah, cl"],
      ["01c8", "83c001", "a register and an immediate"],
      ["0303", "030500100000", "with a base and without"],
      ["0303", "030433", "with an index and without"],
      ["0303", "670307", "addresses of 32 and of 16 bits"],
      ["0303", "640303", "in a flat segment and in FS"],
      ["8ec0", "8ed0", "mov es, eax; mov ss, eax"],
      ["a4", "f3a4", "movsb; rep movsb"],
      ["f3a6", "f2a6", "repe cmpsb; repne cmpsb"],
      ["0fa4c805", "0fa5c8", "shld with an immediate and with CL"],
    ]
  ) assertEquals(same(a, b), false, why);
  assertEquals(same("01c8", "01c8", FLAT, SEGMENTED), false);
  assertEquals(same("01c8", "01c8", FLAT, WIDE), false);
  assertEquals(same("48b80100000000000000", "48c7c001000000", WIDE), false, "mov rax, imm64; mov rax, imm32");
  assertEquals(same("488b05d2040000", "488b00", WIDE), false, "relative to RIP and to a register");
});
