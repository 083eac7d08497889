import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { GuestExitedError, OptionError, TimeoutError } from "./errors.ts";
import { fakeContext, FakeMachine } from "./fake_machine.ts";
import { Serial } from "./serial.ts";
import { Transcript } from "./transcript.ts";

function serialOf(machine: FakeMachine): Serial {
  return new Serial(fakeContext(machine), 0, machine.transcripts[0]);
}

function transcriptOf(text: string | Uint8Array): Transcript {
  const transcript = new Transcript();
  for (const byte of typeof text === "string" ? new TextEncoder().encode(text) : text) transcript.transmit(byte);
  return transcript;
}

Deno.test("Transcript: line ends, escape sequences, UTF-8 and backspace become plain text", () => {
  assertEquals(transcriptOf("a\r\nb\r\r\nc").text, "a\nb\nc");
  assertEquals(transcriptOf("\x1b[1;31mred\x1b[0m \x1b]0;title\x07x\x1b(By\x1b[6n").text, "red xy");
  assertEquals(transcriptOf("Grüße €").text, "Grüße €");
  assertEquals(transcriptOf("ab\b \bc").text, "ac");
  assertEquals(transcriptOf(Uint8Array.of(0xff, 0x41, 0xc3, 0x41)).text, "\ufffdA\ufffdA");
});

Deno.test("Transcript: a saved one continues where it was", () => {
  const transcript = transcriptOf("one\ntwo");
  transcript.cursor = 4;
  const copy = new Transcript();
  copy.load(transcript.save());
  assertEquals([copy.text, copy.cursor, copy.received], ["one\ntwo", 4, 7]);
});

Deno.test("Serial.waitFor: stops at the byte that completes the match", async () => {
  const machine = new FakeMachine().sendAt(1000, "Welcome\nhost login: ", 10).sendAt(5000, "noise");
  const serial = serialOf(machine);
  const match = await serial.waitFor(/(\w+) login: $/);
  assertEquals(match.groups, ["host"]);
  assertEquals(machine.instructions, 1000 + 19 * 10);
  assertEquals(serial.unread, "");
});

Deno.test("Serial.waitFor: consumes what it matched", async () => {
  const machine = new FakeMachine().sendAt(100, "# one\n# two\n# ");
  const serial = serialOf(machine);
  await serial.waitFor("# ");
  await serial.waitFor("# ");
  assertEquals(serial.text, "# one\n# ");
  await serial.waitFor(/two\n# /);
  assertEquals(serial.lines(), ["# one", "# two", "# "]);
});

Deno.test("Serial.waitFor: does not search what it has searched", async () => {
  const machine = new FakeMachine().sendAt(100, "one\n").sendAt(50e6, "two"), pattern = /two/;
  let searches = 0;
  Object.defineProperty(pattern, "source", { get: () => (searches++, "two") });
  await serialOf(machine).waitFor(pattern);
  // At the start, at each of seven bytes, and at the end of the steps in which some came.
  assertEquals(searches <= 12, true, `${searches} searches`);
});

Deno.test("Serial.waitFor: times out in guest time, and refuses patterns and options that make no sense", async () => {
  const serial = serialOf(new FakeMachine());
  await assertRejects(() => serial.waitFor("never", { timeout: "10ms" }), TimeoutError, '"never" on serial 0');
  assertThrows(() => serial.waitFor(""), OptionError);
  const misspelt: object = { timeuot: 1 };
  assertThrows(() => serial.waitFor("x", misspelt), OptionError, '"timeout"');
});

Deno.test("Serial.waitFor: output that came before the guest ended still counts", async () => {
  const machine = new FakeMachine().sendAt(10, "bye\n").at(500, () => machine.exit = { reason: "power-off" });
  const serial = serialOf(machine);
  await serial.waitFor("bye");
  await assertRejects(() => serial.waitFor("more"), GuestExitedError);
});

Deno.test("Serial.write: text is sent as UTF-8", async () => {
  const machine = new FakeMachine();
  await serialOf(machine).write("é\n");
  assertEquals(machine.received, [0xc3, 0xa9, 0x0a]);
});

Deno.test("Serial.readable: reading runs the guest, and the stream ends with it", async () => {
  const machine = new FakeMachine().sendAt(1000, "hello ").sendAt(900_000, "world");
  machine.at(2e6, () => machine.exit = { reason: "power-off" });
  let text = "";
  for await (const chunk of serialOf(machine).readable.pipeThrough(new TextDecoderStream() as never)) text += chunk;
  assertEquals(text, "hello world");
});

Deno.test("Serial.readable: cancelling stops the guest", async () => {
  const machine = new FakeMachine();
  const context = fakeContext(machine);
  const reader = new Serial(context, 0, machine.transcripts[0]).readable.getReader();
  const read = reader.read();
  await reader.cancel();
  assertEquals((await read).done, true);
  assertEquals(context.driver.busy, false);
});

Deno.test("Serial.terminal: escape sequences move the cursor, locators find text", async () => {
  const machine = new FakeMachine().sendAt(1000, "\x1b[2J\x1b[3;10H\x1b[31;44mMenu\x1b[0m\x1b[5;1H> Install");
  const { terminal } = serialOf(machine);
  assertEquals(await terminal.getByText("Install").waitFor(), { row: 4, column: 2, text: "Install" });
  assertEquals(terminal.lines()[2], "         Menu");
  assertEquals(terminal.cell(2, 9), { character: "M", foreground: "#aa0000", background: "#0000aa", blink: false });
  assertEquals(terminal.cursor, { row: 4, column: 9, visible: true });
  await terminal.waitForText(/^> Install$/m);
});

Deno.test("Serial.terminal: goes back with the line's transcript", async () => {
  const machine = new FakeMachine().sendAt(10, "before").sendAt(1000, "\x1b[2J\x1b[Hafter!");
  const serial = serialOf(machine);
  await serial.waitFor("before");
  const state = machine.transcripts[0].save();
  await serial.waitFor("after!");
  assertEquals(serial.terminal.lines()[0], "after!");
  machine.transcripts[0].load({ ...state, bytes: new TextEncoder().encode("another, and as long") });
  assertEquals(serial.terminal.lines()[0], "another, and as long");
});

Deno.test("Serial.openTerminal: shows what came before, in its own size", async () => {
  const machine = new FakeMachine().sendAt(10, "0123456789abc");
  const serial = serialOf(machine);
  await serial.waitFor("c");
  const small = serial.openTerminal({ columns: 10, rows: 2 });
  assertEquals(small.lines(), ["0123456789", "abc"]);
});
