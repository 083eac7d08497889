import { assertEquals } from "@std/assert";
import { IoApic } from "./io_apic.ts";
import { I8259 } from "./i8259.ts";
import { LocalApic } from "./local_apic.ts";
import { TestBench } from "./testing.ts";

const Local = { ID: 0x20, TPR: 0x80, PPR: 0xa0, EOI: 0xb0, LDR: 0xd0, DFR: 0xe0, SVR: 0xf0, ESR: 0x280 } as const;
const ICR = 0x300, ICR_HIGH = 0x310, TIMER = 0x320, LINT0 = 0x350, ERROR = 0x370;
const INITIAL = 0x380, CURRENT = 0x390, DIVIDE = 0x3e0;
const MASKED = 0x1_0000, PERIODIC = 0x2_0000, DEADLINE = 0x4_0000;

/** Both APICs and the 8259As, wired as on the board. */
class Bench extends TestBench {
  intr = false;
  nmis = 0;
  mapped: number | null = null;
  readonly pic: I8259 = this.add(
    new I8259({
      intr: (level) => this.local?.setPic(level),
      input: (irq, level) => this.io?.setInput(irq === 0 ? 2 : irq, level),
    }),
  );
  readonly local: LocalApic = this.add(
    new LocalApic({
      clock: this.clock,
      map: (address) => this.mapped = address,
      intr: (level) => this.intr = level,
      nmi: () => this.nmis++,
      pic: this.pic,
      endOfInterrupt: (vector) => this.io.endOfInterrupt(vector),
    }),
  );
  readonly io: IoApic = this.add(
    new IoApic({
      send: (mode, vector, level, destination, logical) =>
        this.local.receive(mode, vector, level, destination, logical),
    }),
  );

  constructor() {
    super();
    this.pic.attach(this.ports);
  }

  /** A register of the local APIC. */
  get(register: number): number {
    return this.local.read(0xfee0_0000 + register, 4) >>> 0;
  }
  set(register: number, value: number): void {
    this.local.write(0xfee0_0000 + register, value >>> 0, 4);
  }
  /** Enables the local APIC by software. */
  enable(): this {
    this.set(Local.SVR, 0x1ff);
    return this;
  }
  /** Takes the pending interrupt into service. */
  take(): number {
    return this.intr ? this.local.acknowledge() : -1;
  }
  /** A redirection entry of the I/O APIC. */
  entry(input: number, low: number, high = 0): void {
    for (const [register, value] of [[0x11 + 2 * input, high], [0x10 + 2 * input, low]]) {
      this.io.write(0xfec0_0000, register, 4);
      this.io.write(0xfec0_0010, value, 4);
    }
  }
  lowOf(input: number): number {
    this.io.write(0xfec0_0000, 0x10 + 2 * input, 4);
    return this.io.read(0xfec0_0010, 4);
  }
  /** Programs the 8259As: vectors 20h and 28h, everything unmasked. */
  startPic(): void {
    this.out(0x20, 0x11);
    this.out(0x21, 0x20, 4, 1, 0);
    this.out(0xa0, 0x11);
    this.out(0xa1, 0x28, 2, 1, 0);
  }
}

Deno.test("after a reset requests of the 8259As pass through the local APIC", () => {
  const b = new Bench();
  b.startPic();
  b.pic.line(4).set(true);
  assertEquals([b.intr, b.take(), b.intr], [true, 0x24, false]);
  assertEquals([b.local.base, b.mapped, b.get(0x30), b.get(Local.SVR)], [0xfee0_0900, 0xfee0_0000, 0x5_0014, 0xff]);
  // Masked, or with the local APIC switched off altogether.
  b.set(Local.SVR, 0x1ff);
  b.set(LINT0, MASKED | 0x700);
  b.pic.line(3).set(true);
  assertEquals(b.intr, false);
  b.local.base = 0xfee0_0100;
  assertEquals([b.mapped, b.intr, b.take()], [null, true, 0x23]);
});

Deno.test("local APIC: interrupts are served by priority, and TPR and ISR hold lower ones back", () => {
  const b = new Bench().enable();
  const send = (vector: number) => b.set(ICR, 0x4_0000 | vector);
  send(0x45);
  send(0x62);
  assertEquals([b.take(), b.intr, b.get(Local.PPR)], [0x62, false, 0x60]);
  send(0x71);
  assertEquals(b.take(), 0x71);
  b.set(Local.EOI, 0);
  assertEquals(b.intr, false);
  b.set(Local.EOI, 0);
  assertEquals(b.intr, true);
  b.local.taskPriority = 0x40;
  assertEquals([b.intr, b.get(Local.TPR)], [false, 0x40]);
  b.set(Local.TPR, 0x3f);
  assertEquals([b.take(), b.take()], [0x45, -1]);
});

Deno.test("local APIC: messages reach it by number, by logical name and by shorthand, or report what is wrong", () => {
  const b = new Bench().enable();
  b.set(Local.LDR, 0x0200_0000);
  const reaches = (low: number, destination: number) => {
    b.set(ICR_HIGH, destination << 24);
    b.set(ICR, low);
    const vector = b.take();
    b.set(Local.EOI, 0);
    return vector >= 0;
  };
  assertEquals([reaches(0x50, 0), reaches(0x50, 1), reaches(0x50, 0xff)], [true, false, true]);
  assertEquals([reaches(0x850, 2), reaches(0x850, 1), reaches(0x850, 3)], [true, false, true]);
  b.set(Local.DFR, 0x0fff_ffff);
  b.set(Local.LDR, 0x3200_0000);
  assertEquals([reaches(0x850, 0x32), reaches(0x850, 0x31), reaches(0x850, 0x22)], [true, false, false]);
  assertEquals([reaches(0x8_0050, 1), reaches(0xc_0050, 0)], [true, false]);
  b.set(ICR, 0x4_0400);
  assertEquals(b.nmis, 1);
  b.set(ERROR, 0xfe);
  b.set(ICR, 0x4_0005);
  assertEquals([b.take(), b.get(Local.ESR)], [0xfe, 0]);
  b.set(Local.ESR, 0);
  assertEquals(b.get(Local.ESR), 0x20);
});

Deno.test("local APIC: the timer counts once, again and again, or waits for a time-stamp", () => {
  const b = new Bench().enable();
  b.set(DIVIDE, 3);
  b.set(TIMER, 0x40);
  b.set(INITIAL, 1000);
  b.advance(8000);
  assertEquals([b.get(CURRENT), b.intr], [500, false]);
  b.advance(8000);
  assertEquals([b.get(CURRENT), b.take()], [0, 0x40]);
  b.set(Local.EOI, 0);
  b.advance(1e6);
  assertEquals(b.intr, false);

  b.set(TIMER, PERIODIC | 0x41);
  b.advance(1e6);
  assertEquals([b.get(INITIAL), b.get(CURRENT), b.intr], [1000, 0, false]);
  b.set(INITIAL, 100);
  let count = 0;
  for (let i = 0; i < 10; i++) {
    b.advance(1600);
    if (b.take() === 0x41) count++;
    b.set(Local.EOI, 0);
  }
  assertEquals([count, b.get(CURRENT)], [10, 100]);
  b.set(TIMER, PERIODIC | MASKED | 0x41);
  b.advance(160_080);
  assertEquals([b.intr, b.get(CURRENT)], [false, 95]);

  b.set(TIMER, DEADLINE | 0x42);
  assertEquals(b.get(CURRENT), 0);
  b.local.setDeadline(77n, b.clock.now + 500);
  b.advance(499);
  assertEquals([b.intr, b.local.deadline], [false, 77n]);
  b.advance(1);
  assertEquals([b.take(), b.local.deadline], [0x42, 0n]);
});

Deno.test("local APIC: disabling it by software masks its interrupts, and it takes none", () => {
  const b = new Bench().enable();
  b.set(TIMER, 0x40);
  b.set(Local.SVR, 0xff);
  assertEquals([b.get(TIMER), b.get(LINT0)], [MASKED | 0x40, MASKED | 0x700]);
  b.set(TIMER, 0x40);
  assertEquals(b.get(TIMER), MASKED | 0x40);
  b.set(ICR, 0x4_0050);
  assertEquals(b.intr, false);
});

Deno.test("I/O APIC: edges are sent once, levels until they go, both at the inputs' places", () => {
  const b = new Bench().enable();
  b.entry(2, 0x30);
  b.pic.line(0).set(true);
  assertEquals(b.take(), 0x30);
  b.set(Local.EOI, 0);
  assertEquals(b.intr, false);
  b.pic.line(0).set(false);

  const level = b.pic.line(10, 1);
  b.entry(10, 0x8050);
  level.set(true);
  assertEquals([b.take(), b.lowOf(10)], [0x50, 0xc050]);
  b.set(Local.EOI, 0);
  assertEquals([b.take(), b.intr], [0x50, false]);
  level.set(false);
  b.set(Local.EOI, 0);
  assertEquals([b.intr, b.lowOf(10)], [false, 0x8050]);

  // Masked edges are lost, masked levels wait.
  b.entry(2, MASKED | 0x30);
  b.entry(10, MASKED | 0x8050);
  b.pic.line(0).set(true);
  level.set(true);
  b.entry(2, 0x30);
  assertEquals(b.intr, false);
  b.entry(10, 0x8050);
  assertEquals(b.take(), 0x50);
});

Deno.test("I/O APIC: an entry names its destination, and only what exists can be written", () => {
  const b = new Bench().enable();
  b.entry(1, 0x33, 0x0500_0000);
  b.pic.line(1).set(true);
  assertEquals(b.intr, false);
  b.entry(23, 0xffff_ffff, 0xffff_ffff);
  assertEquals(b.lowOf(23) >>> 0, 0x1_afff);
  b.io.write(0xfec0_0000, 1, 4);
  assertEquals(b.io.read(0xfec0_0010, 4), 0x17_0011);
  b.io.write(0xfec0_0000, 0xff, 4);
  b.io.write(0xfec0_0010, 1, 4);
  assertEquals(b.io.read(0xfec0_0010, 4), 0);
});

Deno.test("both APICs go on from a saved state", () => {
  const b = new Bench().enable();
  b.set(TIMER, DEADLINE | 0x42);
  b.local.base = 0xfee0_1800;
  b.set(ICR, 0x4_0050);
  b.intr = false;
  b.mapped = null;
  b.local.restored();
  assertEquals([b.intr, b.mapped], [true, null], "it was mapped there already");
  const other = new Bench();
  Object.assign(other.local.state, structuredClone(b.local.state));
  other.local.restored();
  assertEquals([other.intr, other.mapped, other.take()], [true, 0xfee0_1000, 0x50]);
});
