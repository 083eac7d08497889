/** FreeDOS and MikeOS, under our BIOS and under SeaBIOS. */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { expect, Guest, type GuestOptions } from "../mod.ts";
import { firmwareImage, type Requirement, sharedImage, testWith } from "./support.ts";

const freedos = sharedImage("freedos722.img"), mikeos = sharedImage("mikeos.flp");
const bios = firmwareImage("bios-256k.bin"), vgaBios = firmwareImage("vgabios-stdvga.bin");

/** The firmware that a guest is tested with. */
const FIRMWARES: readonly { name: string; needed: readonly Requirement[]; options: GuestOptions }[] = [
  { name: "our BIOS", needed: [], options: {} },
  { name: "SeaBIOS", needed: [bios, vgaBios], options: { firmware: bios.path, vgaBios: vgaBios.path } },
];

for (const { name, needed, options } of FIRMWARES) {
  testWith(`FreeDOS boots to its prompt under ${name} and answers`, [freedos, ...needed], async () => {
    await using guest = await Guest.boot({ memory: "16M", fda: freedos.path, timeout: "120s", ...options });
    await guest.screen.waitForText(/^A:\\>$/m);
    await guest.keyboard.type("ver\n");
    await guest.screen.getByText(/FreeCom version [\d.]+/).last().waitFor();
    await guest.keyboard.type("cls\ndir\n");
    await guest.screen.waitForText(/\d+ bytes free/);
    // The image has no MEM program: that, too, is an answer, and the one that other PCs give.
    await guest.keyboard.type("cls\nmem\n");
    await guest.screen.waitForText('Bad command or filename - "MEM"');
    await guest.screen.waitForText(/^A:\\>$/m);
  });

  testWith(`a game starts under ${name}, draws, and takes keys`, [freedos, ...needed], async () => {
    await using guest = await Guest.boot({ memory: "16M", fda: freedos.path, timeout: "120s", ...options });
    await guest.screen.waitForText(/^A:\\>$/m);
    await guest.keyboard.type("tetris\n");
    await guest.run({ for: "300ms" });
    const drawn = guest.screen.picture();
    assert(new Set(drawn.data).size > 2, "the picture has colours");
    // The same stretch of time without and with keys: a game that does not take them shows the same both times.
    const start = await guest.snapshot(), end = guest.time + 400;
    await guest.run({ for: end - guest.time });
    const untouched = guest.screen.picture();
    await guest.restore(start);
    await guest.keyboard.press(["Enter", "ArrowLeft", "Space"]);
    await guest.run({ for: end - guest.time });
    assert(guest.time - end < 0.001, "the same time, but for the instruction at its end");
    assertNotEquals(guest.screen.picture().data, untouched.data);
  });

  testWith(`MikeOS reaches its list of programs under ${name}, and starts one`, [mikeos, ...needed], async () => {
    await using guest = await Guest.boot({ memory: "16M", fda: mikeos.path, timeout: "60s", ...options });
    await expect(guest.screen).toContainText("Thanks for trying out MikeOS!");
    await guest.keyboard.press("Enter");
    await guest.screen.getByText("KEYBOARD.BIN").waitFor();
    const selected = guest.screen.getByText("KERNEL.BIN").cells()[0];
    assertNotEquals(selected.background, guest.screen.getByText("EDIT.BIN").cells()[0].background);
    await guest.keyboard.press(["ArrowDown", "Enter"]);
    // The editor: its own frame, around the list in which it asks for a file.
    await expect(guest.screen).toContainText("[F5] Delete line");
    await expect(guest.screen).toBeStill();
    assertEquals(guest.screen.mode, "text 80x25");
  });
}
