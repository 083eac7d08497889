/** What the integration tests share: where images are, and what happens where they are not. */
import { fileURLToPath } from "node:url";
import { Guest, type GuestOptions } from "../mod.ts";
import { exists } from "../scripts/lib/files.ts";

/** Path of a file below the project's folder, or beside it. */
export function projectPath(path: string): string {
  return fileURLToPath(new URL(`../${path}`, import.meta.url));
}

/** The fixture guest's disk image. */
export const FIXTURE_IMAGE = projectPath("fixtures/guest.img");

/** A file that a test needs, and how to get it. */
export interface Requirement {
  readonly path: string;
  readonly hint: string;
  /** True if `.ci/run` obtains it, so that its absence in CI is a failure unless that was told to be impossible. */
  readonly expectedInCi: boolean;
}

/** A disk image of other people's work, beside the project. */
export function sharedImage(name: string): Requirement {
  return { path: projectPath(`../shared/images/${name}`), hint: "it is not part of the project", expectedInCi: false };
}

/** A kernel or initial RAM file system that `deno task images` obtains. */
export function cachedImage(name: string): Requirement {
  return { path: projectPath(`.cache/images/${name}`), hint: "run deno task images", expectedInCi: true };
}

/** Debian's firmware images. */
export function firmwareImage(name: string): Requirement {
  return { path: `/usr/share/seabios/${name}`, hint: "install the package seabios", expectedInCi: true };
}

/**
 * A test that needs files. Where they are missing it is skipped, with a line that says why; in CI that is a failure,
 * unless CI could not get them and said so.
 */
export function testWith(name: string, needed: readonly Requirement[], fn: () => Promise<void>): void {
  const missing = needed.filter(({ path }) => !exists(path));
  if (missing.length === 0) {
    Deno.test(name, fn);
    return;
  }
  const why = missing.map(({ path, hint }) => `${path} is missing (${hint})`).join("; ");
  const excused = Deno.env.get("CI") !== "true" || Deno.env.get("BOOTWRIGHT_NO_IMAGES") === "true" ||
    missing.every(({ expectedInCi }) => !expectedInCi);
  if (excused) console.log(`skipped: ${name}: ${why}`);
  Deno.test({ name, ignore: excused, fn: () => Promise.reject(new Error(why)) });
}

/** The fixture guest, at its prompt. */
export async function bootFixture(options: GuestOptions = {}): Promise<Guest> {
  const guest = await Guest.boot({ memory: "8M", fda: FIXTURE_IMAGE, watchdog: "60s", ...options });
  await guest.serial.waitFor(/^> $/m);
  return guest;
}

/** Sends the fixture guest a command on its serial line and returns the answer. */
export async function ask(guest: Guest, command: string): Promise<string> {
  await guest.serial.write(`${command}\r`);
  const { groups } = await guest.serial.waitFor(/^.*\n([^]*?)^> $/m);
  return (groups[0] ?? "").trim();
}

/** A floppy image that starts with `code`, at 7C00h, and the boot signature. */
export function bootSector(...code: number[]): Uint8Array {
  const image = new Uint8Array(1474560);
  image.set(code);
  image[510] = 0x55;
  image[511] = 0xaa;
  return image;
}
