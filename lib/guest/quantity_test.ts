import { assertEquals, assertThrows } from "@std/assert";
import { OptionError } from "./errors.ts";
import { formatDuration, parseDuration, parseSize } from "./quantity.ts";

Deno.test("parseSize: numbers are bytes, units are powers of 1024", () => {
  assertEquals(parseSize(4096), 4096);
  assertEquals(parseSize("512"), 512);
  assertEquals(parseSize("256M"), 2 ** 28);
  assertEquals(parseSize("1.5 GiB"), 1.5 * 2 ** 30);
  assertEquals(parseSize("64kb"), 65536);
  assertEquals(parseSize("0x7c00"), 0x7c00);
});

Deno.test("parseDuration: numbers are milliseconds, the result is in nanoseconds", () => {
  assertEquals(parseDuration(1.5), 1_500_000);
  assertEquals(parseDuration("20"), 20e6);
  assertEquals(parseDuration("90s"), 90e9);
  assertEquals(parseDuration("1m30s"), 90e9);
  assertEquals(parseDuration("2min"), 120e9);
  assertEquals(parseDuration("250ms"), 250e6);
});

Deno.test("quantities that make no sense are refused", () => {
  for (const size of ["", "M", "12Q", "-1", "0x", "0x1M", "0xffffffffffffffff", "1.3", -1, 0.5, NaN]) {
    assertThrows(() => parseSize(size), OptionError);
  }
  for (const time of ["", "s", "3 lightyears", "90s later", -1, NaN]) {
    assertThrows(() => parseDuration(time), OptionError);
  }
});

Deno.test("formatDuration: a unit that suits the length", () => {
  assertEquals(formatDuration(90.5e9), "1 min 30.5 s");
  assertEquals(formatDuration(1.25e9), "1.250 s");
  assertEquals(formatDuration(5e6), "5.000 ms");
});
