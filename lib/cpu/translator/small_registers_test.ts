import { assertEquals } from "@std/assert";
import { registerUse } from "./register_use.ts";
import { smallAfter } from "./small_registers.ts";
import { regionCode } from "./test_code.ts";

/** What is small behind each instruction, as a mask by register: EAX is bit 0, ECX bit 1, EDX bit 2. */
function follow(...hex: string[]): number[] {
  let small = 0;
  const [{ instructions }] = regionCode(Uint8Array.fromHex(hex.join("")))!.blocks;
  return instructions.map((current) => small = smallAfter(current, registerUse(current.instruction), small));
}

Deno.test("smallAfter: bytes that were extended, and what was masked", () => {
  const found = follow(
    "0fb606", //        movzx eax, byte [esi]
    "0fb6cc", //        movzx ecx, ah
    "83e27f", //        and edx, 7fh
    "01c3", //          add ebx, eax
    "c3", //            ret
  );
  assertEquals(found, [1, 3, 7, 7, 0]);
});

Deno.test("smallAfter: nothing else, and no longer than until the register is written", () => {
  const found = follow(
    "0fb706", //        movzx eax, word [esi]
    "83e2ff", //        and edx, -1
    "660fb60e", //      movzx cx, byte [esi]
    "0fb6c0", //        movzx eax, al
    "88c4", //          mov ah, al
    "81e1ff000000", //  and ecx, 0ffh
    "6683c101", //      add cx, 1
    "c3", //            ret
  );
  assertEquals(found, [0, 0, 0, 1, 0, 2, 0, 0]);
});
