import { assertEquals, assertThrows } from "@std/assert";
import { IoPorts } from "./ports.ts";
import type { AccessSize, PortHandler } from "./types.ts";

/** Reads the low byte of the port number; remembers writes. */
function recorder() {
  const accesses: [port: number, value: number, size: AccessSize][] = [];
  const handler: PortHandler = {
    read: (port, size) => (port * 0x01010101 >>> 0) % 256 ** size,
    write: (port, value, size) => void accesses.push([port, value, size]),
  };
  return { accesses, handler };
}

Deno.test("IoPorts reads all ones where nobody is, and loses writes", () => {
  const ports = new IoPorts();
  assertEquals([ports.read(0x1234, 1), ports.read(0x1234, 2), ports.read(0x1234, 4)], [0xff, 0xffff, 0xffffffff]);
  ports.write(0x1234, 1, 4);
});

Deno.test("IoPorts splits accesses that are too wide, or that leave the claimed range", () => {
  const ports = new IoPorts(), { accesses, handler } = recorder();
  ports.claim(0x10, 3, handler);
  assertEquals(ports.read(0x10, 4), 0xff121110);
  ports.write(0x11, 0xddccbbaa, 4);
  assertEquals(accesses, [[0x11, 0xaa, 1], [0x12, 0xbb, 1]]);
  assertEquals(ports.read(0xffff, 2), 0xffff);
});

Deno.test("IoPorts passes wide accesses in one piece to handlers that take them", () => {
  const ports = new IoPorts(), { accesses, handler } = recorder();
  ports.claim(0x20, 4, handler, 4);
  ports.write(0x20, 0x12345678, 4);
  ports.write(0x22, 0x1234, 2);
  ports.write(0x22, 0x12345678, 4);
  assertEquals(accesses, [[0x20, 0x12345678, 4], [0x22, 0x1234, 2], [0x22, 0x5678, 2]]);
});

Deno.test("IoPorts uncovers an earlier claim when a later one is released", () => {
  const ports = new IoPorts();
  const constant = (value: number): PortHandler => ({ read: () => value, write: () => {} });
  const first = ports.claim(0x30, 4, constant(1));
  const second = ports.claim(0x32, 4, constant(2));
  assertEquals([0x31, 0x32, 0x35].map((port) => ports.read(port, 1)), [1, 2, 2]);
  second.release();
  second.release();
  assertEquals([0x31, 0x32, 0x35].map((port) => ports.read(port, 1)), [1, 1, 0xff]);
  first.release();
  assertEquals(ports.read(0x32, 1), 0xff);
});

Deno.test("IoPorts refuses ranges outside of the port space", () => {
  assertThrows(() => new IoPorts().claim(0xffff, 2, recorder().handler), RangeError);
});
