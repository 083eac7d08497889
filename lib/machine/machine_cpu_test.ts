/** The machine with the real processor and a ROM of a hundred bytes: interrupts, sleep, slices, snapshots. */
import { assertEquals } from "@std/assert";
import { Machine } from "./machine.ts";

/** MOV AL, `value`; OUT `port`, AL. */
function out(port: number, ...values: number[]): number[] {
  return values.flatMap((value) => [0xb0, value, 0xe6, port]);
}

/** A BIOS of 64 KiB that sleeps through 20 timer interrupts, prints a dot for each, and leaves with 2Ah. */
function timerRom(): Uint8Array {
  const rom = new Uint8Array(0x10000);
  const start = [
    0xfa, // cli
    ...[0x31, 0xc0, 0x8e, 0xd8, 0x8e, 0xd0, 0xbc, 0x00, 0x70], // ds = ss = 0, sp = 7000h
    ...[0xc7, 0x06, 0x20, 0x00, 0x00, 0x01], // vector 8: offset 0100h
    ...[0xc7, 0x06, 0x22, 0x00, 0x00, 0xf0], // segment F000h
    ...out(0x20, 0x11),
    ...out(0x21, 0x08, 0x04, 0x01, 0xfe),
    ...out(0x43, 0x34),
    ...out(0x40, 0xa9, 0x04), // 1193 ticks: 1 ms
    ...[0x31, 0xdb, 0xfb], // bx = 0, sti
    ...[0xf4, 0x83, 0xfb, 0x14, 0x72, 0xfa], // hlt until bx = 20
    ...out(0xf4, 0x2a),
    ...[0xeb, 0xfe],
  ];
  const handler = [0x43, ...out(0xe9, 0x2e), ...out(0x20, 0x20), 0xcf];
  rom.set(start, 0x0000);
  rom.set(handler, 0x0100);
  rom.set([0xea, 0x00, 0x00, 0x00, 0xf0], 0xfff0);
  return rom;
}

function setUp() {
  const printed: number[] = [];
  const machine = new Machine({
    memory: 1 << 20,
    firmware: { kind: "rom", bios: timerRom() },
    debug: { transmit: (byte) => void printed.push(byte) },
  });
  return { machine, printed };
}

/** Runs to the end in slices of `slice` instructions. */
function finish(machine: Machine, slice: number): void {
  for (let i = 0; i < 100_000 && machine.exit === null; i++) machine.run(slice);
}

Deno.test("a ROM sleeps through timer interrupts and leaves through the debug-exit port", () => {
  const { machine, printed } = setUp();
  assertEquals(machine.run(1_000_000), "debug-exit");
  assertEquals(machine.exit, { reason: "debug-exit", value: 0x2a, code: 0x55 });
  assertEquals(printed.length, 20);
  assertEquals(Math.round(machine.clock.now / 1e6), 20);
});

Deno.test("a ROM leaves the same machine behind in slices of any size", () => {
  const { machine } = setUp();
  finish(machine, 1_000_000);
  for (const slice of [1, 7, 97]) {
    const other = setUp();
    finish(other.machine, slice);
    assertEquals(other.machine.hash(), machine.hash(), `slices of ${slice}`);
  }
});

Deno.test("a ROM leaves the same machine behind after a save and a restore at any point", () => {
  const whole = setUp();
  finish(whole.machine, 1_000_000);
  for (const point of [1, 20, 50, 123]) {
    const { machine } = setUp();
    machine.run(point);
    const saved = machine.save();
    const other = setUp();
    other.machine.run(77);
    other.machine.load(saved);
    assertEquals(other.machine.hash(), machine.hash(), `restored at ${point}`);
    finish(other.machine, 1_000_000);
    assertEquals(other.machine.hash(), whole.machine.hash(), `finished after ${point}`);
  }
});

Deno.test("a reset starts the ROM again", () => {
  const { machine, printed } = setUp();
  finish(machine, 1_000_000);
  machine.reset();
  finish(machine, 1_000_000);
  assertEquals(printed.length, 40);
});
