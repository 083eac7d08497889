import { assertEquals } from "@std/assert";
import { ConsoleInput } from "./console.ts";

Deno.test("ConsoleInput: keys pass, Ctrl-A starts a command, twice sends it", () => {
  const input = new ConsoleInput();
  assertEquals(input.take(Uint8Array.of(0x61, 0x03)), [{ kind: "bytes", bytes: Uint8Array.of(0x61, 0x03) }]);
  assertEquals(input.take(Uint8Array.of(0x61, 1, 1, 0x62)), [{ kind: "bytes", bytes: Uint8Array.of(0x61, 1, 0x62) }]);
  assertEquals(input.take(Uint8Array.of(0x61, 1)), [{ kind: "bytes", bytes: Uint8Array.of(0x61) }]);
  assertEquals(input.take(Uint8Array.of(0x78, 1, 0x48)), [{ kind: "quit" }, { kind: "help" }]);
  assertEquals(input.take(Uint8Array.of(1, 0x7a)), []);
});
