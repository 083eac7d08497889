/**
 * Shows the main job in a few seconds, on the fixture guest: `deno task demo`.
 *
 * Boots, waits, types, reads screen and serial line, takes a screenshot, takes a snapshot, and shows that the guest does
 * the same again after going back to it, here and in a second guest.
 */
import { expect, Guest, Snapshot } from "../mod.ts";

const IMAGE = new URL("../fixtures/guest.img", import.meta.url);
const OUTPUT = new URL("../.cache/demo/", import.meta.url);

const started = performance.now();

function step(text: string): void {
  console.log(`${((performance.now() - started) / 1000).toFixed(1).padStart(5)} s  ${text}`);
}

/** Asks the guest something that it answers on the screen and the serial line, and returns the answer. */
async function ask(guest: Guest, command: string): Promise<string> {
  await guest.keyboard.type(`${command}\n`);
  const answer = await guest.serial.waitFor(new RegExp(`${command}\\n([^]*)^> $`, "m"));
  return (answer.groups[0] ?? "").trim();
}

await Deno.mkdir(OUTPUT, { recursive: true });
step("booting fixtures/guest.img: real mode, then 32-bit protected mode with paging");
await using guest = await Guest.boot({ fda: IMAGE, memory: "16M" });
guest.failOn(/panic/i);
await expect(guest.screen).toContainText("Bootwright fixture guest");
await guest.serial.waitFor(/^> $/m);
step(`at its prompt after ${guest.instructions} instructions, ${guest.time.toFixed(1)} ms of guest time`);

step("typing on its keyboard: mem");
await ask(guest, "mem");
step("the screen as text:");
console.log(guest.screen.text().replace(/^/gm, "         | ").trimEnd());

step("reading its serial line: echo");
step(`it answered: ${await ask(guest, "echo Hello from COM1")}`);

const png = new URL("screen.png", OUTPUT);
await guest.screen.screenshot({ path: png });
step(`screenshot: ${png.pathname}`);

const file = new URL("guest.snapshot", OUTPUT);
const snapshot = await guest.snapshot();
await snapshot.save(file);
step(`snapshot: ${file.pathname}, ${(await Deno.stat(file)).size} bytes`);

const hashes: string[] = [];
await ask(guest, "sleep 20000");
hashes.push(guest.hash());
step("the guest has slept for twenty seconds of its time; going back to the snapshot, and once more");
await guest.restore(snapshot);
await ask(guest, "sleep 20000");
hashes.push(guest.hash());
step("the same in a new guest, from the file");
await using second = await Guest.boot({ snapshot: await Snapshot.open(file) });
await ask(second, "sleep 20000");
hashes.push(second.hash());

for (const hash of hashes) step(`hash ${hash}`);
if (new Set(hashes).size !== 1) throw new Error("the three runs differ");
await guest.keyboard.type("exit 0\n");
await expect(guest).toHaveExited(0);
step("three runs, one result; the guest has left with code 0");
