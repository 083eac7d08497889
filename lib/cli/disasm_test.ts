import { assertEquals, assertRejects } from "@std/assert";
import { OptionError } from "../guest/errors.ts";
import { disasm, listing } from "./disasm.ts";

Deno.test("listing: addresses, bytes, text, and an instruction that is cut off", () => {
  const code = Uint8Array.of(0xb8, 0x01, 0x00, 0xeb, 0xfe, 0xb8, 0x01);
  assertEquals([...listing(code, 16, 0x7c00)].map((line) => line.replace(/\s+/g, " ")), [
    "07c00 b8 01 00 mov ax,0x1",
    "07c03 eb fe jmp 0x7c03",
    "07c05 b8 01 (cut off)",
  ]);
});

Deno.test("listing: ends on any bytes", () => {
  const noise = Uint8Array.from({ length: 4096 }, (_, index) => (index * 2654435761 >>> 13) & 0xff);
  for (const bits of [16, 32, 64] as const) {
    let bytes = 0;
    for (const line of listing(noise, bits, 0)) {
      bytes += line.slice(bits === 16 ? 7 : 10).match(/^([\da-f]{2} )+/)![0].length / 3;
    }
    assertEquals(bytes, noise.length);
  }
});

Deno.test("disasm: arguments that make no sense", async () => {
  for (
    const args of [["--bits", "8", "--hex", "90"], ["--hex", "9"], [], ["--orign", "1"], [
      "--origin",
      "x",
      "--hex",
      "90",
    ]]
  ) {
    await assertRejects(() => disasm(args), OptionError);
  }
});
