import { assertEquals } from "@std/assert";
import { statusText } from "./status_line.ts";

Deno.test("statusText: guest time, speed, the last serial line, cut to the terminal's width", () => {
  assertEquals(statusText(1.5e9, 96.42, "login: ", 80), "1.500 s | 96.4 M instr/s | login: ");
  assertEquals(statusText(1.5e9, 96.42, "x".repeat(100), 40).length, 39);
});

Deno.test("statusText: what a guest sends cannot control the terminal", () => {
  assertEquals(statusText(0, 0, "\x1b[2J\x07\x9b", 80), "0 ns | 0.0 M instr/s |  [2J  ");
});
