import { assertEquals } from "@std/assert";
import { I8254 } from "./i8254.ts";
import { PciBus } from "./pci.ts";
import { Piix3Isa } from "./piix3_isa.ts";
import { Piix4Pm } from "./piix4_pm.ts";
import { TestBench, TestLine } from "./testing.ts";

function setUp() {
  const bench = new TestBench(), bus = bench.add(new PciBus());
  const irqs = Array.from({ length: 16 }, () => new TestLine()),
    sci = new TestLine(),
    coprocessorError = new TestLine();
  const seen = { a20: true, resets: 0, powerOffs: 0 };
  const pit = bench.add(new I8254({ irq: irqs[0], clock: bench.clock }));
  const isa = new Piix3Isa({
    clock: bench.clock,
    pit,
    irq: (number) => irqs[number],
    coprocessorError,
    setA20: (enabled) => seen.a20 = enabled,
    reset: () => void seen.resets++,
  });
  const pm = new Piix4Pm({ clock: bench.clock, sci, powerOff: () => void seen.powerOffs++ });
  for (const device of [bus, pit, isa, pm]) device.attach(bench.ports);
  bench.add(isa);
  bench.add(pm);
  bus.router = isa;
  bus.connect(1, 0, isa.pci);
  bus.connect(1, 3, pm.pci);
  const write = (address: number, value: number) => {
    bench.ports.write(0xcf8, (0x80000000 | (address & ~3)) >>> 0, 4);
    bench.ports.write(0xcfc + (address & 3), value, 1);
  };
  return { bench, bus, isa, pm, irqs, sci, coprocessorError, seen, write };
}

Deno.test("Piix3Isa routes PCI interrupts, shared by devices, to the programmed IRQ", () => {
  const { bus, irqs, write } = setUp();
  write(0x0861, 10);
  bus.interrupt(2, 0).set(true); // PIRQB
  assertEquals(irqs[10].level, true);
  bus.interrupt(6, 0).set(true);
  bus.interrupt(2, 0).set(false);
  assertEquals(irqs[10].level, true);
  write(0x0861, 11);
  assertEquals([irqs[10].level, irqs[11].level], [false, true]);
  write(0x0861, 0x8b);
  assertEquals(irqs[11].level, false);
});

Deno.test("Piix3Isa has the A20 gate and both resets", () => {
  const { bench, seen } = setUp();
  assertEquals(bench.in(0x92), 0x02);
  bench.out(0x92, 0x00);
  assertEquals(seen.a20, false);
  bench.out(0x92, 0x03);
  bench.out(0xcf9, 0x02, 0x06, 0x06);
  assertEquals([seen.a20, seen.resets], [true, 2]);
  assertEquals(bench.in(0xcf9), 0x06);
});

Deno.test("Piix3Isa port 61h gates timer 2, toggles with the refresh and turns the speaker on", () => {
  const { bench, isa } = setUp();
  bench.out(0x43, 0xb6);
  bench.out(0x42, 0xa9, 0x04);
  bench.out(0x61, 0x03);
  assertEquals(Math.round(isa.speakerFrequency), 1000);
  const refresh = bench.in(0x61) & 0x10;
  bench.advance(15_085);
  assertEquals(bench.in(0x61) & 0x10, refresh ^ 0x10);
  bench.advance(550_000);
  assertEquals(bench.in(0x61) & 0x23, 0x03);
  bench.out(0x61, 0x01);
  assertEquals(isa.speakerFrequency, 0);
});

Deno.test("Piix3Isa turns FERR# into IRQ 13; port F0h clears it and holds IGNNE# until FERR# goes", () => {
  const { bench, isa, coprocessorError } = setUp();
  bench.out(0xf0, 0);
  assertEquals([isa.floatingPointError(true), coprocessorError.level], [false, true]);
  bench.out(0xf0, 0);
  assertEquals(coprocessorError.level, false);
  assertEquals([isa.floatingPointError(true), coprocessorError.level], [true, false]);
  assertEquals(isa.floatingPointError(false), false);
  assertEquals([isa.floatingPointError(true), coprocessorError.level], [false, true]);
});

Deno.test("Piix4Pm decodes its registers where the BIOS puts them", () => {
  const { bench, write } = setUp();
  write(0x0b41, 0xb0);
  assertEquals(bench.ports.read(0xb008, 4), 0xffffffff);
  write(0x0b80, 1);
  const first = bench.ports.read(0xb008, 4);
  bench.advance(1_000_000);
  assertEquals(Math.abs(bench.ports.read(0xb008, 4) - first - 3579) <= 1, true);
  write(0x0b80, 0);
  assertEquals(bench.ports.read(0xb008, 4), 0xffffffff);
});

Deno.test("Piix4Pm raises the SCI for the timer and the power button once ACPI is enabled", () => {
  const { bench, pm, sci, write } = setUp();
  write(0x0b41, 0xb0);
  write(0x0b80, 1);
  bench.ports.write(0xb002, 0x0001, 2);
  bench.out(0xb2, 0xf1);
  assertEquals(bench.ports.read(0xb004, 2), 1);
  bench.advance(2_400_000_000);
  assertEquals(sci.level, true);
  bench.ports.write(0xb000, 0x0001, 2);
  assertEquals(sci.level, false);
  bench.ports.write(0xb002, 0x0100, 2);
  pm.pressPowerButton();
  assertEquals(sci.level, true);
  assertEquals(bench.ports.read(0xb000, 2) & 0x0100, 0x0100);
  bench.out(0xb2, 0xf0);
  assertEquals(sci.level, false);
});

Deno.test("Piix4Pm powers off for sleep type 0 only", () => {
  const { bench, seen, write } = setUp();
  write(0x0b41, 0xb0);
  write(0x0b80, 1);
  bench.ports.write(0xb004, 0x2401, 2);
  assertEquals(seen.powerOffs, 0);
  bench.ports.write(0xb004, 0x2001, 2);
  assertEquals(seen.powerOffs, 1);
});
