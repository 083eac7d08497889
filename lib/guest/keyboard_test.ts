import { assert, assertEquals, assertRejects } from "@std/assert";
import { OptionError, TimeoutError, UnknownKeyError } from "./errors.ts";
import { fakeContext, FakeMachine } from "./fake_machine.ts";
import { Keyboard } from "./keyboard.ts";
import { Mouse } from "./mouse.ts";

Deno.test("Keyboard.type: shifted characters, and the next key when the last one is read", async () => {
  const machine = new FakeMachine();
  machine.keyReadTime = 700_000;
  await new Keyboard(fakeContext(machine), "us").type("aB\n", { delay: 0 });
  assertEquals(machine.inputs, ["+KeyA", "-KeyA", "+ShiftLeft", "+KeyB", "-KeyB", "-ShiftLeft", "+Enter", "-Enter"]);
  assert(machine.now >= 3 * 700_000);
});

Deno.test("Keyboard.type: nothing is typed if a character cannot be", async () => {
  const machine = new FakeMachine();
  await assertRejects(() => new Keyboard(fakeContext(machine), "us").type("aß"), UnknownKeyError);
  assertEquals(machine.inputs, []);
});

Deno.test("Keyboard.type: dead keys are followed by a space", async () => {
  const machine = new FakeMachine();
  await new Keyboard(fakeContext(machine), "de").type("^");
  assertEquals(machine.inputs, ["+Backquote", "-Backquote", "+Space", "-Space"]);
});

Deno.test("Keyboard.press: chords go down in order and up in reverse", async () => {
  const machine = new FakeMachine();
  const keyboard = new Keyboard(fakeContext(machine), "us");
  await keyboard.press("ctrl-alt-delete");
  assertEquals(machine.inputs.splice(0), [
    "+ControlLeft",
    "+AltLeft",
    "+Delete",
    "-Delete",
    "-AltLeft",
    "-ControlLeft",
  ]);
  await keyboard.press(["?", "<f1>"]);
  assertEquals(machine.inputs.splice(0), ["+ShiftLeft", "+Slash", "-Slash", "-ShiftLeft", "+F1", "-F1"]);
  await assertRejects(() => keyboard.press("Control+Foo"), UnknownKeyError);
  assertEquals(machine.inputs, []);
});

Deno.test("Keyboard: a guest that does not read its keyboard is an error", async () => {
  const machine = new FakeMachine();
  machine.keyReadTime = Infinity;
  const keyboard = new Keyboard(fakeContext(machine), "us");
  await keyboard.down("Enter");
  await assertRejects(() => keyboard.up("Enter", { timeout: "20ms" }), TimeoutError, "read its keyboard");
});

Deno.test("Mouse: long ways and wheels go in steps that add up", async () => {
  const machine = new FakeMachine();
  const mouse = new Mouse(fakeContext(machine));
  await mouse.move(300, -10);
  const moves = machine.inputs.splice(0).map((input) => input.split(" ").slice(1).map(Number));
  assertEquals(moves.reduce((sum, [dx, dy]) => [sum[0] + dx, sum[1] + dy], [0, 0]), [300, -10]);
  assert(moves.every(([dx, dy]) => Math.abs(dx) <= 127 && Math.abs(dy) <= 127));
  await mouse.wheel(-9);
  assertEquals(machine.inputs.splice(0), ["move 0 0 -7", "move 0 0 -2"]);
  await mouse.click("right");
  assertEquals(machine.inputs, ["+button1", "-button1"]);
  const misspelt = "rigth" as "right";
  await assertRejects(() => mouse.click(misspelt), OptionError, '"right"');
});
