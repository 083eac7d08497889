import { assertEquals } from "@std/assert";
import { I8042 } from "./i8042.ts";
import { Ps2Keyboard } from "./ps2_keyboard.ts";
import { Ps2Mouse } from "./ps2_mouse.ts";
import { KEY_CODES, scanCode } from "./scancodes.ts";
import { TestBench, TestLine } from "./testing.ts";

const STATUS = 0x64, DATA = 0x60;
const NO_MODIFIERS = { shift: false, control: false, alt: false };

function setUp() {
  const bench = new TestBench(), irq1 = new TestLine(), irq12 = new TestLine(), a20 = { enabled: true };
  let resets = 0;
  const controller = new I8042({ irq1, irq12, clock: bench.clock, a20, reset: () => void resets++ });
  controller.attach(bench.ports);
  const keyboard = new Ps2Keyboard({ port: controller.port(0), clock: bench.clock });
  const mouse = new Ps2Mouse({ port: controller.port(1), clock: bench.clock });
  bench.add(controller);
  bench.add(keyboard);
  bench.add(mouse);
  /** All bytes that arrive within a second, as the guest would poll them. */
  const drain = () => {
    const bytes: number[] = [];
    for (let i = 0; i < 1000; i++) {
      if ((bench.in(STATUS) & 1) !== 0) bytes.push(bench.in(DATA));
      bench.advance(1_000_000);
    }
    return bytes;
  };
  const toMouse = (...bytes: number[]) => {
    for (const byte of bytes) {
      bench.out(STATUS, 0xd4);
      bench.out(DATA, byte);
    }
    return drain();
  };
  const setCommandByte = (value: number) => {
    bench.out(STATUS, 0x60);
    bench.out(DATA, value);
  };
  return { bench, controller, keyboard, mouse, irq1, irq12, a20, drain, toMouse, setCommandByte, resets: () => resets };
}

Deno.test("I8042 passes its tests and returns its command byte", () => {
  const { bench, drain, setCommandByte } = setUp();
  bench.out(STATUS, 0xaa);
  assertEquals(drain(), [0x55]);
  bench.out(STATUS, 0xab, 0xa9);
  assertEquals(drain(), [0, 0]);
  setCommandByte(0x65);
  bench.out(STATUS, 0x20);
  assertEquals(drain(), [0x65]);
});

Deno.test("I8042 loops a byte back as if the mouse had sent it, with its interrupt", () => {
  const { bench, irq12, setCommandByte } = setUp();
  setCommandByte(0x47);
  bench.out(STATUS, 0xd3);
  bench.out(DATA, 0x5a);
  assertEquals(bench.in(STATUS) & 0x21, 0x21);
  assertEquals(irq12.level, true);
  assertEquals(bench.in(DATA), 0x5a);
  assertEquals(irq12.level, false);
});

Deno.test("I8042 drives the A20 gate and the reset line", () => {
  const { bench, a20, resets, drain } = setUp();
  bench.out(STATUS, 0xd1);
  bench.out(DATA, 0xdd);
  assertEquals(a20.enabled, false);
  bench.out(STATUS, 0xd0);
  assertEquals(drain()[0] & 3, 1);
  bench.out(STATUS, 0xfe);
  assertEquals(resets(), 1);
});

Deno.test("I8042 translates to set 1 and interrupts once per byte", () => {
  const { keyboard, irq1, drain } = setUp();
  keyboard.key("KeyA", true);
  keyboard.key("KeyA", false);
  keyboard.key("ArrowUp", true);
  keyboard.key("ArrowUp", false);
  assertEquals(keyboard.unread, 8);
  assertEquals(drain(), [0x1e, 0x9e, 0xe0, 0x48, 0xe0, 0xc8]);
  assertEquals(irq1.edges, 6);
  assertEquals(keyboard.unread, 0);
});

Deno.test("I8042 holds bytes back while the keyboard is disabled", () => {
  const { bench, keyboard, drain } = setUp();
  bench.out(STATUS, 0xad);
  keyboard.key("KeyB", true);
  assertEquals(drain(), []);
  bench.out(STATUS, 0xae);
  assertEquals(drain(), [0x30]);
});

Deno.test("Ps2Keyboard answers commands", () => {
  const { bench, keyboard, drain, setCommandByte } = setUp();
  setCommandByte(0x05);
  bench.out(DATA, 0xff);
  assertEquals(drain(), [0xfa, 0xaa]);
  bench.out(DATA, 0xf2);
  assertEquals(drain(), [0xfa, 0xab, 0x83]);
  bench.out(DATA, 0xed, 0x02);
  assertEquals(drain(), [0xfa, 0xfa]);
  assertEquals(keyboard.leds, { scroll: false, num: true, caps: false });
  bench.out(DATA, 0xf0);
  assertEquals(drain(), [0xfa]);
  bench.out(DATA, 0x00);
  assertEquals(drain(), [0xfa, 0x02]);
  bench.out(DATA, 0xee);
  assertEquals(drain(), [0xee]);
  bench.out(DATA, 0x12);
  assertEquals(drain(), [0xfe]);
  bench.out(DATA, 0xf5);
  assertEquals(drain(), [0xfa]);
  keyboard.key("KeyA", true);
  assertEquals(drain(), []);
});

Deno.test("Ps2Keyboard marks an overrun once", () => {
  const { bench, keyboard, drain, setCommandByte } = setUp();
  setCommandByte(0x25);
  bench.out(STATUS, 0xad);
  for (let i = 0; i < 20; i++) keyboard.key("KeyA", true);
  bench.out(STATUS, 0xae);
  assertEquals(drain(), [...new Array(16).fill(0x1c), 0x00]);
});

Deno.test("Ps2Keyboard refuses keys that it does not have", () => {
  const { keyboard } = setUp();
  assertEquals(keyboard.key("KeyÄ", true), false);
  assertEquals(keyboard.key("toString", true), false);
  assertEquals(keyboard.unread, 0);
});

Deno.test("scanCode knows every key in sets 1 and 2, and the special sequences", () => {
  for (const code of KEY_CODES) {
    for (const set of [1, 2]) assertEquals((scanCode(code, true, set, NO_MODIFIERS) ?? []).length > 0, true, code);
  }
  assertEquals(scanCode("Pause", true, 1, NO_MODIFIERS), [0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5]);
  assertEquals(scanCode("PrintScreen", true, 1, NO_MODIFIERS), [0xe0, 0x2a, 0xe0, 0x37]);
  assertEquals(scanCode("PrintScreen", true, 1, { ...NO_MODIFIERS, alt: true }), [0x54]);
  assertEquals(scanCode("F7", true, 1, NO_MODIFIERS), [0x41]);
  assertEquals(scanCode("KeyA", false, 3, NO_MODIFIERS), [0xf0, 0x1c]);
});

Deno.test("Ps2Mouse answers commands and reports movement in stream mode", () => {
  const { mouse, toMouse, drain, setCommandByte } = setUp();
  setCommandByte(0x47);
  assertEquals(toMouse(0xff), [0xfa, 0xaa, 0x00]);
  assertEquals(toMouse(0xf2), [0xfa, 0x00]);
  assertEquals(toMouse(0xe9), [0xfa, 0x00, 0x02, 100]);
  mouse.move(10, 5);
  assertEquals(drain(), []);
  assertEquals(toMouse(0xf4), [0xfa]);
  mouse.move(10, 5);
  mouse.button(0, true);
  assertEquals(drain(), [0x29, 10, 0xfb]);
  mouse.move(300, 0);
  assertEquals(drain(), [0x09, 255, 0, 0x09, 45, 0]);
});

Deno.test("Ps2Mouse unlocks its wheel and its side buttons", () => {
  const { mouse, toMouse, drain, setCommandByte } = setUp();
  setCommandByte(0x47);
  for (const rate of [200, 100, 80]) {
    toMouse(0xf3);
    toMouse(rate);
  }
  assertEquals(toMouse(0xf2), [0xfa, 0x03]);
  toMouse(0xf4);
  mouse.move(0, 0, 1);
  assertEquals(drain(), [0x08, 0, 0, 1]);
  for (const rate of [200, 200, 80]) {
    toMouse(0xf3);
    toMouse(rate);
  }
  assertEquals(toMouse(0xf2), [0xfa, 0x04]);
  mouse.button(3, true);
  assertEquals(drain(), [0x08, 0, 0, 0x10]);
});

Deno.test("Ps2Mouse reports a click that is shorter than a sample", () => {
  const { mouse, toMouse, drain, setCommandByte } = setUp();
  setCommandByte(0x47);
  toMouse(0xf4);
  mouse.button(1, true);
  mouse.button(1, false);
  assertEquals(drain(), [0x0a, 0, 0, 0x08, 0, 0]);
});

Deno.test("Ps2Mouse gives data on request in remote mode", () => {
  const { mouse, toMouse, drain, setCommandByte } = setUp();
  setCommandByte(0x47);
  toMouse(0xf0);
  toMouse(0xf4);
  mouse.move(-1, -1);
  assertEquals(drain(), []);
  assertEquals(toMouse(0xeb), [0xfa, 0x18, 0xff, 1]);
});
