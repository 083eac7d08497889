import { assertEquals } from "@std/assert";
import { LineStamper, marker } from "./bench_lines.ts";

Deno.test("LineStamper: a line has the time of its first byte", () => {
  const stamper = new LineStamper();
  assertEquals(stamper.push("one\r\ntw", 1), [{ text: "one", at: 1 }]);
  assertEquals(stamper.push("o", 2), []);
  assertEquals(stamper.push("\nthree\nfour", 3), [{ text: "two", at: 1 }, { text: "three", at: 3 }]);
  assertEquals(stamper.push("\n", 4), [{ text: "four", at: 3 }]);
});

Deno.test("marker: tells the marker lines from the others", () => {
  assertEquals(marker("BENCH READY"), { kind: "ready" });
  assertEquals(marker("\x1b[?7lBENCH sieve BEGIN"), { kind: "begin", test: "sieve" });
  assertEquals(marker("BENCH sieve END 000132a2 ok"), {
    kind: "end",
    test: "sieve",
    checksum: "000132a2",
    right: true,
  });
  assertEquals(marker("BENCH lz END 00000000 FAIL"), { kind: "end", test: "lz", checksum: "00000000", right: false });
  assertEquals(marker("BENCH ERROR mmap"), { kind: "error", what: "mmap" });
  assertEquals(marker("BENCH DONE"), { kind: "done" });
  assertEquals(marker("BENCH lz END 0000"), null);
  assertEquals(marker("[    0.1] mce: Unable to init MCE device"), null);
});
