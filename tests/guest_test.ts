/** The scripting API on the fixture guest. */
import { assert, assertEquals, assertNotEquals, assertRejects, assertStringIncludes } from "@std/assert";
import {
  expect,
  FailOnError,
  Guest,
  GuestExitedError,
  type GuestOptions,
  ImageError,
  OptionError,
  Snapshot,
  SnapshotError,
  StrictModeError,
  TimeoutError,
} from "../mod.ts";
import { decodePng } from "../lib/guest/png.ts";
import { ask, bootFixture, bootSector, FIXTURE_IMAGE } from "./support.ts";

Deno.test("a guest boots, is typed at, and answers on screen and serial line", async () => {
  await using guest = await bootFixture();
  await expect(guest.screen).toContainText("Bootwright fixture guest");
  await guest.keyboard.type("echo Hello, World!\n");
  await guest.serial.waitFor("\nHello, World!\n> ");
  assertEquals(await guest.screen.getByText(/^Hello, World!$/m).waitFor(), {
    row: 3,
    column: 0,
    text: "Hello, World!",
  });
  assertEquals(guest.screen.mode, "text 80x25");
  assertEquals(guest.screen.cell(3, 0).character, "H");
  await expect(guest.screen).toHaveCursor(4, 2);
  await expect(guest.screen).toBeStill();
});

Deno.test("a guest is driven by its serial line alone", async () => {
  await using guest = await bootFixture();
  assertEquals(await ask(guest, "echo over the wire"), "over the wire");
  await expect(guest.serial).toContainText("over the wire");
  await expect(guest.serial.terminal.getByText("over the wire").last()).toBeVisible();
});

Deno.test("the guest boots from a hard disk and from an image in memory, too", async () => {
  const image = await Deno.readFile(FIXTURE_IMAGE);
  await using guest = await Guest.boot({ memory: "8M", hda: image });
  await guest.serial.waitFor("Boot drive 80");
});

Deno.test("the guest's sleep costs guest time, and hardly any instructions", async () => {
  await using guest = await bootFixture();
  const before = guest.time;
  await guest.serial.write("sleep 30000\r");
  await guest.serial.waitFor("slept");
  assert(guest.time - before >= 29980 && guest.time - before < 30500, `${guest.time - before} ms`);
});

Deno.test("run: exact instructions, guest time, a condition", async () => {
  await using guest = await Guest.boot({ memory: "8M", fda: FIXTURE_IMAGE });
  assertEquals(await guest.run({ instructions: 0 }), { reason: "instructions", time: 0, instructions: 0 });
  assertEquals((await guest.run({ instructions: 1003 })).instructions, 1003);
  const { reason, time } = await guest.run({ for: "3ms" });
  assertEquals([reason, time], ["for", 3]);
  assertEquals((await guest.run({ until: () => guest.serial.text.includes("> ") })).reason, "until");
  const misspelt: object = { intsructions: 1 };
  await assertRejects(() => guest.run(misspelt), OptionError, "instructions");
});

Deno.test("exit: the debug-exit port's code, and waits that come too late", async () => {
  await using guest = await bootFixture();
  await expect(guest).not.toHaveExited();
  const exits: unknown[] = [];
  guest.on("exit", (exit) => exits.push(exit));
  await guest.serial.write("exit 42\r");
  await expect(guest).toHaveExited(42);
  assertEquals(guest.exit, { reason: "debug-exit", code: 42 });
  assertEquals(exits, [guest.exit]);
  await assertRejects(() => guest.serial.waitFor("more"), GuestExitedError, "exited with code 42");
  await assertRejects(() => guest.keyboard.type("x"), GuestExitedError);
});

Deno.test("exit: a triple fault and a reset stop the guest where the options say so", async () => {
  await using guest = await bootFixture({ onTripleFault: "stop", onReset: "stop" });
  await guest.serial.write("triple\r");
  assertEquals(await guest.waitForExit(), { reason: "shutdown" });
  guest.reset();
  assertEquals(guest.exit, undefined);
  await guest.serial.waitFor(/^> $/m);
  await guest.serial.write("reboot\r");
  await expect(guest).toHaveExited({ reason: "reset" });
});

Deno.test("a reset that the guest asks for boots it again", async () => {
  await using guest = await bootFixture();
  await guest.serial.write("reboot\r");
  await guest.serial.waitFor("Bootwright fixture guest");
  assertEquals(guest.exit, undefined);
});

Deno.test("failOn: what must not happen ends every wait", async () => {
  await using guest = await bootFixture();
  const off = guest.failOn("nothing like this");
  off();
  guest.failOn(/panic/i);
  const crash = async () => {
    await guest.serial.write("crash\r");
    await guest.serial.waitFor("never");
  };
  await assertRejects(crash, FailOnError, "panic");
  guest.reset();
  await guest.serial.waitFor(/^> $/m);
});

Deno.test("a timeout shows the screen and the serial line", async () => {
  await using guest = await bootFixture();
  const error = await assertRejects(() => guest.screen.waitForText("nope", { timeout: "100ms" }), TimeoutError);
  assertStringIncludes(error.message, '"nope" on the screen');
  assertStringIncludes(error.message, "Bootwright fixture guest");
  assertEquals(error.evidence.serials[0].at(-1), "> ");
  await assertRejects(() => expect(guest.screen).toContainText("nope", { timeout: 50 }), TimeoutError, "to contain");
  const not = () => expect(guest.screen).not.toContainText("fixture", { timeout: 50 });
  await assertRejects(not, TimeoutError, "not to contain");
});

Deno.test("expect: every matcher, and its opposite", async () => {
  await using guest = await bootFixture();
  const short = { timeout: "5ms" };
  const title = guest.screen.getByText("Bootwright");
  await expect(title).toBeVisible();
  await expect(title).toHaveCount(1);
  await expect(title).toHaveText("Bootwright");
  await expect(guest.screen.getByText("e")).not.toHaveCount(1);
  await assertRejects(() => guest.screen.getByText("e").waitFor(), StrictModeError, "first()");
  await expect(guest.screen.getByText("e").last()).toBeVisible();
  await expect(guest.screen.getByText("absent")).not.toBeVisible();
  await guest.screen.getByText("absent").waitFor({ state: "hidden" });
  await expect(guest.screen).toHaveMode("text 80x25");
  await expect(guest.screen).not.toHaveMode(/graphics/);
  await expect(guest.screen).not.toHaveText("anything", short);
  await expect(guest.serial).toHaveText(/^Bootwright[^]*>$/);
  await expect(guest.screen).not.toHaveCursor(0, 0);
  await assertRejects(() => expect(title).not.toBeVisible(short), TimeoutError, "not to be visible");
  await assertRejects(() => expect(guest).toHaveExited(0, short), TimeoutError, "code 0");
  await assertRejects(() => expect(guest.screen).toHaveExited(), OptionError, "guest");
  await assertRejects(() => expect(guest).toContainText("x"), OptionError, "screen");
});

Deno.test("text that the BIOS draws in a graphics mode is found, too", async () => {
  // mov ax, 13h; int 10h; mov ah, 0Eh; mov bl, 0Fh; then for each character: mov al, character; int 10h; at the end jmp $
  const print = [..."Score: 42"].flatMap((character) => [0xb0, character.charCodeAt(0), 0xcd, 0x10]);
  const image = bootSector(0xb8, 0x13, 0, 0xcd, 0x10, 0xb4, 0x0e, 0xb3, 0x0f, ...print, 0xeb, 0xfe);
  await using guest = await Guest.boot({ memory: "1M", fda: image });
  await guest.screen.waitForText(/^Score: 42$/m);
  assertEquals(guest.screen.mode, "packed 320x200x8");
  const cell = guest.screen.cell(0, 0);
  assertEquals([cell.character, cell.foreground, cell.background], ["S", "#ffffff", "#000000"]);
  assertEquals(guest.screen.getByText("42").place(), { row: 0, column: 7, text: "42" });
});

Deno.test("an abort stops booting and waiting", async () => {
  const reason = new Error("enough");
  await assertRejects(() => Guest.boot({ signal: AbortSignal.abort(reason) }), Error, "enough");
  await using guest = await bootFixture();
  const controller = new AbortController();
  setTimeout(() => controller.abort(reason), 10);
  await assertRejects(() => guest.run({ signal: controller.signal }), Error, "enough");
});

Deno.test("screenshot: the picture, and the file", async () => {
  await using guest = await bootFixture();
  const path = await Deno.makeTempFile({ suffix: ".png" });
  try {
    const png = await guest.screen.screenshot({ path });
    assertEquals(await Deno.readFile(path), png);
    const { width, height, data } = decodePng(png);
    assertEquals([width, height], [720, 400]);
    assertEquals(data, guest.screen.picture().data);
    assert(data.some((value, index) => index % 4 < 3 && value > 0), "the picture is not black");
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("snapshot: back in the same guest, on in a new one, and through a file", async () => {
  const path = await Deno.makeTempFile({ suffix: ".snapshot" });
  try {
    await using guest = await bootFixture();
    await ask(guest, "write 2000 before");
    const snapshot = await guest.snapshot(), hash = guest.hash();
    await snapshot.save(path);
    await ask(guest, "write 2000 after");
    assertNotEquals(guest.hash(), hash);
    const next = async (of: Guest) => [await ask(of, "read 2000"), await ask(of, "ticks"), of.hash()];
    await guest.restore(snapshot);
    assertEquals(guest.hash(), hash);
    const expected = await next(guest);
    assertStringIncludes(expected[0], "62 65 66 6F 72 65");
    await using second = await Guest.boot({ snapshot });
    assertEquals(await next(second), expected);
    await using third = await Guest.boot({ snapshot: path });
    assertEquals(third.hash(), hash);
    assertStringIncludes(third.serial.text, "write 2000 before");
    assertEquals(await next(third), expected);
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("snapshot: one that does not fit or is damaged leaves the guest as it was", async () => {
  const path = await Deno.makeTempFile({ suffix: ".snapshot" });
  try {
    await using guest = await bootFixture();
    await using larger = await bootFixture({ memory: "16M" });
    await using other = await Guest.boot({ memory: "8M", fda: bootSector(0xeb, 0xfe) });
    await using empty = await Guest.boot({ memory: "8M" });
    const hash = guest.hash(), notSnapshot: object = {};
    await assertRejects(() => guest.restore(notSnapshot as Snapshot), OptionError, "Snapshot.open");
    for (const foreign of [larger, other, empty]) {
      const snapshot = await foreign.snapshot();
      await assertRejects(() => guest.restore(snapshot), SnapshotError);
      assertEquals(guest.hash(), hash);
    }
    await (await guest.snapshot()).save(path);
    const file = await Deno.readFile(path);
    for (const at of [0, 9, 40, file.length >> 1, file.length - 1]) {
      const damaged = file.slice();
      damaged[at] ^= 0x10;
      await Deno.writeFile(path, damaged);
      await assertRejects(() => Guest.boot({ snapshot: path }), SnapshotError, path);
    }
    await Deno.writeFile(path, file.subarray(0, 1000));
    await assertRejects(() => Snapshot.open(path), SnapshotError);
    await assertRejects(() => Snapshot.open(`${path}.missing`), SnapshotError, "not found");
    assertEquals(await ask(guest, "echo still here"), "still here");
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("disks: writes stay in memory, unless they are to go to the file", async () => {
  const path = await Deno.makeTempFile({ suffix: ".img" });
  try {
    const original = await Deno.readFile(FIXTURE_IMAGE);
    await Deno.writeFile(path, original);
    {
      await using guest = await bootFixture({ fda: undefined, hda: path });
      await ask(guest, "write 2000 secret");
      assertStringIncludes(await ask(guest, "read 2000"), "73 65 63 72 65 74");
    }
    assertEquals(await Deno.readFile(path), original);
    {
      await using guest = await bootFixture({ fda: undefined, hda: { image: path, write: "through" } });
      await ask(guest, "write 2000 secret");
      await assertRejects(() => guest.snapshot(), SnapshotError, "written through");
    }
    const written = await Deno.readFile(path);
    assertEquals(new TextDecoder().decode(written.subarray(2000 * 512, 2000 * 512 + 6)), "secret");
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("two guests at once do not touch each other", async () => {
  const session = async () => {
    await using guest = await bootFixture();
    for (const word of ["one", "two", "three"]) assertEquals(await ask(guest, `echo ${word}`), word);
    await ask(guest, "sleep 100");
    return guest.hash();
  };
  const alone = await session();
  assertEquals(await Promise.all([session(), session(), session()]), [alone, alone, alone]);
});

Deno.test("the parallel port prints to a file", async () => {
  const path = await Deno.makeTempFile();
  try {
    const text = "Hi!";
    const print = [...text].flatMap((character) => [0xb8, character.charCodeAt(0), 0x00, 0x31, 0xd2, 0xcd, 0x17]);
    {
      // mov ax, character; xor dx, dx; int 17h; at the end: mov al, 0; out F4h, al
      await using guest = await Guest.boot({
        memory: "1M",
        fda: bootSector(...print, 0xb0, 0, 0xe6, 0xf4),
        parallel: path,
      });
      await expect(guest).toHaveExited(0);
    }
    assertEquals(await Deno.readTextFile(path), text);
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("events: serial bytes, debug port and progress reach observers", async () => {
  // mov al, 'd'; out E9h, al; mov dx, 3FBh; mov al, 3; out dx, al (8 bits); mov dl, F8h; mov al, 's'; out dx, al; jmp $
  const print = [0xb0, 0x64, 0xe6, 0xe9, 0xba, 0xfb, 0x03, 0xb0, 0x03, 0xee, 0xb2, 0xf8, 0xb0, 0x73, 0xee];
  const image = bootSector(...print, 0xeb, 0xfe);
  await using guest = await Guest.boot({ memory: "1M", fda: image });
  const seen: string[] = [];
  guest.on("debug", ({ bytes }) => seen.push(`debug ${new TextDecoder().decode(bytes)}`));
  guest.on("serial", ({ line, bytes }) => seen.push(`serial ${line} ${new TextDecoder().decode(bytes)}`));
  let progress = 0;
  const off = guest.on("progress", () => progress++);
  await guest.serial.waitFor("s");
  off();
  const counted = progress;
  await guest.run({ for: "1ms" });
  assertEquals(seen.sort(), ["debug d", "serial 0 s"]);
  assert(counted > 0 && progress === counted);
});

Deno.test("boot: options that make no sense are one clear error", async () => {
  const cases: [object, abstract new (...args: never[]) => Error, string][] = [
    [{ memmory: "8M" }, OptionError, '"memory"'],
    [{ memory: "8X" }, OptionError, "memory"],
    [{ memory: "100G" }, OptionError, "memory"],
    [{ memory: 12345 }, OptionError, "memory"],
    [{ fda: "/nowhere/a.img" }, ImageError, "/nowhere/a.img"],
    [{ fda: new Uint8Array(0) }, ImageError, "fda"],
    [{ fda: new Uint8Array(100) }, ImageError, "too small"],
    [{ hda: new Uint8Array(511) }, ImageError, "hda: the image is too small: it has 511 bytes"],
    [{ cdrom: new Uint8Array(2047) }, ImageError, "too small"],
    [{ fda: { image: FIXTURE_IMAGE, wirte: "through" } }, OptionError, '"write"'],
    [{ hda: { image: new Uint8Array(512), write: "through" } }, OptionError, "written through"],
    [{ kernel: "/nowhere/vmlinuz" }, ImageError, "/nowhere/vmlinuz"],
    [{ initrd: "x" }, OptionError, "kernel"],
    [{ vgaBios: "x" }, OptionError, "firmware"],
    [{ boot: "floppi" }, OptionError, '"floppy"'],
    [{ tier: "jit" }, OptionError, "tier"],
    [{ seed: -1 }, OptionError, "seed"],
    [{ layout: "dvorak" }, OptionError, "us"],
    [{ timeout: "soon" }, OptionError, "timeout"],
    [{ startTime: "yesterday-ish" }, OptionError, "startTime"],
    [{ snapshot: "/nowhere/x.snapshot" }, SnapshotError, "not found"],
    [{ snapshot: "x", memory: "8M" }, OptionError, "memory"],
    [{ cdrom: "a.iso", hdc: "b.img" }, OptionError, "hdd"],
    [{ fda: 5 }, OptionError, "neither a path nor"],
    [{ snapshot: {} }, OptionError, "neither a path nor"],
  ];
  for (const [options, type, text] of cases) {
    const error = await assertRejects(() => Guest.boot(options as GuestOptions), type);
    assertStringIncludes(error.message, text);
    assertEquals(error.message.split("\n").length, 1, error.message);
  }
});
