/** Random bytes as boot sectors, disks, kernels and snapshots: nothing crashes, hangs, or leaks an internal error. */
import { assert } from "@std/assert";
import { BootwrightError, Guest, type GuestOptions, ImageError, Snapshot } from "../mod.ts";
import { bootFixture, bootSector, projectPath, randomNumbers } from "./support.ts";

/** Guests of each kind. More of them: `deno run -A scripts/fuzz.ts`. */
const ROUNDS = 60;
/** Instructions that each may run. */
const INSTRUCTIONS = 30_000;

function randomBytes(next: () => number, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => next() * 256);
}

/** Boots, runs a little and looks at everything that a script looks at. Errors for users are fine, others are not. */
async function survive(options: GuestOptions): Promise<void> {
  try {
    await using guest = await Guest.boot({ memory: "2M", watchdog: "20s", onTripleFault: "stop", ...options });
    await guest.run({ instructions: INSTRUCTIONS, for: "200ms" });
    guest.screen.text();
    guest.screen.picture();
    guest.hash();
    const snapshot = await guest.snapshot();
    await guest.restore(snapshot);
    await guest.run({ instructions: 1000, for: "10ms" });
  } catch (error) {
    if (!(error instanceof BootwrightError || error instanceof ImageError)) throw error;
  }
}

Deno.test("random boot sectors", async () => {
  const next = randomNumbers(1);
  for (let round = 0; round < ROUNDS; round++) {
    await survive({ fda: bootSector(...randomBytes(next, 510)), seed: round });
  }
});

Deno.test("random hard disks and CDs", async () => {
  const next = randomNumbers(2);
  for (let round = 0; round < ROUNDS / 2; round++) {
    const image = randomBytes(next, 512 * Math.ceil(next() * 200));
    image[510] = 0x55;
    image[511] = 0xaa;
    await survive(round % 2 === 0 ? { hda: image } : { cdrom: image });
  }
});

Deno.test("random kernels, and a multiboot header in front of garbage", async () => {
  const next = randomNumbers(3);
  for (let round = 0; round < ROUNDS; round++) {
    const image = randomBytes(next, 64 + Math.floor(next() * 20_000)), view = new DataView(image.buffer);
    const kind = round % 4;
    if (kind === 1) {
      view.setUint32(0, 0x1badb002, true);
      view.setUint32(4, round & 0x10003, true);
      view.setUint32(8, -(0x1badb002 + (round & 0x10003)) | 0, true);
    } else if (kind === 2) {
      image.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]);
    } else if (kind === 3 && image.length > 0x300) {
      image.set([0x55, 0xaa], 0x1fe);
      image.set(new TextEncoder().encode("HdrS"), 0x202);
    }
    await survive({ kernel: image, initrd: randomBytes(next, 100), append: "x".repeat(Math.floor(next() * 5000)) });
  }
});

Deno.test("firmware of random bytes", async () => {
  const next = randomNumbers(4);
  for (let round = 0; round < 4; round++) {
    await survive({ firmware: randomBytes(next, 0x10000), vgaBios: randomBytes(next, 3000) });
  }
});

Deno.test("snapshots with random damage", async () => {
  const next = randomNumbers(5), path = await Deno.makeTempFile();
  try {
    await using guest = await bootFixture();
    await (await guest.snapshot()).save(path);
    const good = await Deno.readFile(path), hash = guest.hash();
    for (let round = 0; round < ROUNDS; round++) {
      const bad = round % 3 === 0
        ? randomBytes(next, Math.floor(next() * 5000))
        : good.slice(0, round % 3 === 1 ? good.length : Math.floor(next() * good.length));
      for (let flips = 0; flips < 1 + next() * 20 && bad.length > 0; flips++) {
        bad[Math.floor(next() * bad.length)] ^= 1 << Math.floor(next() * 8);
      }
      await Deno.writeFile(path, bad);
      const outcome = await Snapshot.open(path).then((snapshot) => guest.restore(snapshot)).catch((error) => error);
      assert(outcome instanceof BootwrightError, String(outcome));
      assert(guest.hash() === hash);
    }
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("a real image with random damage boots or fails, but never breaks the machine", async () => {
  const next = randomNumbers(6), good = await Deno.readFile(projectPath("fixtures/guest.img"));
  for (let round = 0; round < ROUNDS / 3; round++) {
    const image = good.slice();
    for (let flips = 0; flips < 200; flips++) image[Math.floor(next() * 12_000)] = next() * 256;
    image[510] = 0x55;
    image[511] = 0xaa;
    await survive({ memory: "8M", fda: image });
  }
});
