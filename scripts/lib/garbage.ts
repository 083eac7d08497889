/**
 * Random and nearly valid images, kernels and snapshots, and what may become of them: an error that the library promises,
 * or a guest that runs, in bounded host time.
 */
import { BootwrightError, ImageError } from "../../lib/guest/errors.ts";
import { Guest } from "../../lib/guest/guest.ts";
import type { GuestOptions } from "../../lib/guest/options.ts";
import { Snapshot, type SnapshotContents } from "../../lib/guest/snapshot.ts";
import { contentsOf } from "../../lib/guest/snapshot_contents.ts";
import type { StateValue } from "../../lib/machine/types.ts";
import { Random } from "./random.ts";
import { codeBytes } from "./random_code.ts";

/** A case: options of a guest to boot. */
export type Garbage = (random: Random) => GuestOptions | Promise<GuestOptions>;

const SECTOR = 512, FLOPPY = 1474560, CD_SECTOR = 2048;

function set16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
}

function set32(bytes: Uint8Array, at: number, value: number): void {
  set16(bytes, at, value);
  set16(bytes, at + 2, value >>> 16);
}

function setText(bytes: Uint8Array, at: number, text: string): void {
  bytes.set(new TextEncoder().encode(text), at);
}

/** Changes `count` bytes, each in its bits or as a whole. */
function damage(random: Random, bytes: Uint8Array, count: number): Uint8Array {
  const damaged = bytes.slice();
  for (let i = 0; i < count && damaged.length > 0; i++) {
    const at = random.below(damaged.length);
    damaged[at] = random.oneIn(2) ? damaged[at] ^ 1 << random.below(8) : random.below(256);
  }
  return damaged;
}

/** A number that programs get wrong: small, huge, or at a border. */
function awkward(random: Random): number {
  return random.pick([
    random.below(16),
    random.u32(),
    0xffff_ffff - random.below(16),
    0x8000_0000 + random.below(16) - 8,
    random.below(32) * 0x1000,
    0x10_0000 + random.below(0x100) * 0x1000,
    2 ** random.below(32),
  ]) >>> 0;
}

/** `value`, or something awkward now and then. */
function mostly(random: Random, ...values: number[]): number {
  return random.oneIn(8) ? awkward(random) : random.pick(values);
}

/** Ports that have a device behind them. */
const PORTS = [
  ...[0x00, 0x04, 0x05, 0x08, 0x0a, 0x0b, 0x0c, 0x81, 0x20, 0x21, 0xa0, 0xa1, 0x40, 0x42, 0x43, 0x60, 0x61, 0x64],
  ...[0x70, 0x71, 0x92, 0xb2, 0x170, 0x176, 0x177, 0x1f0, 0x1f1, 0x1f2, 0x1f3, 0x1f4, 0x1f5, 0x1f6, 0x1f7, 0x3f6],
  ...[0x3b4, 0x3c0, 0x3c2, 0x3c4, 0x3c5, 0x3c6, 0x3c8, 0x3c9, 0x3ce, 0x3cf, 0x3d4, 0x3d5, 0x3da, 0x1ce, 0x1cf],
  ...[0x3f0, 0x3f2, 0x3f4, 0x3f5, 0x3f7, 0x3f8, 0x3f9, 0x3fb, 0x3fc, 0x2f8, 0x378, 0x37a, 0xcf8, 0xcf9, 0xcfc],
  ...[0x510, 0x511, 0xe9, 0x600, 0x604, 0xc000, 0xc002, 0xc004],
];
/** BIOS interrupts and the functions in AH that exist. */
const SERVICES = [0x10, 0x10, 0x10, 0x13, 0x13, 0x13, 0x11, 0x12, 0x14, 0x15, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1a];

/** Code that talks to devices and the BIOS with random values, in a loop. */
function busyCode(random: Random, length: number): Uint8Array {
  const code: number[] = random.oneIn(2) ? [0xfb] : [];
  while (code.length < length - 8) {
    const port = random.pick(PORTS) + (random.oneIn(8) ? random.below(4) : 0);
    const draw = random.below(12);
    if (draw < 5) {
      code.push(0xba, port & 255, port >> 8, 0xb8, random.below(256), random.below(256), random.pick([0xee, 0xef]));
    } else if (draw === 5) code.push(0xba, port & 255, port >> 8, random.pick([0xec, 0xed]));
    else if (draw === 6) {
      // A burst: mov dx; mov cx; rep insb, insw, outsb or outsw.
      const string = random.pick([0x6c, 0x6d, 0x6e, 0x6f]);
      code.push(0xba, port & 255, port >> 8, 0xb9, random.below(256), random.below(256), 0xf3, string);
    } else if (draw === 7) code.push(0xb9, random.below(256), random.below(256), 0xf3, random.pick([0xa4, 0xab, 0xae]));
    else if (draw === 8) code.push(...codeBytes(random, 6));
    else {
      code.push(0xb8, random.below(256), random.pick([random.below(0x20), random.below(256), 0x4f, 0xe8, 0x53]));
      code.push(
        0xbb + random.pick([0, 1, 2 - 3, 4]),
        random.below(256),
        random.below(256),
        0xcd,
        random.pick(SERVICES),
      );
    }
  }
  return Uint8Array.from([...code, 0xe9, ...[-code.length - 3, (-code.length - 3) >> 8].map((byte) => byte & 255)]);
}

function sector(code: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(SECTOR);
  bytes.set(code.subarray(0, 510));
  set16(bytes, 510, 0xaa55);
  return bytes;
}

/** Random bytes, instructions, or calls of devices and BIOS, as a boot sector. */
function bootSector(random: Random): Uint8Array {
  const kind = random.below(4);
  return sector(kind === 0 ? random.bytes(510) : kind === 1 ? codeBytes(random, 510) : busyCode(random, 480));
}

function floppy(random: Random): GuestOptions {
  const image = new Uint8Array(FLOPPY);
  image.set(bootSector(random));
  image.set(random.bytes(4096), SECTOR);
  return { fda: image };
}

/** A partition table and file system headers with absurd fields. */
function disk(random: Random): GuestOptions {
  const image = random.bytes(random.pick([1, 511, 512, 1000, 4096, 65536, 200_000]));
  if (image.length >= SECTOR) {
    image.set(bootSector(random));
    if (random.oneIn(2)) {
      for (let entry = 0x1be; entry < 0x1fe; entry += 16) {
        image[entry] = random.pick([0, 0x80, random.below(256)]);
        image[entry + 4] = random.below(256);
        set32(image, entry + 8, awkward(random));
        set32(image, entry + 12, awkward(random));
      }
    }
  }
  const drive = random.pick(["fda", "fdb", "hda", "hdb", "hdc", "hdd"] as const);
  return { [drive]: image };
}

/** An ISO 9660 image with a boot catalog that is nearly right. */
function cd(random: Random): GuestOptions {
  const image = random.bytes(CD_SECTOR * random.pick([0.3, 1, 16, 17.5, 24, 60]));
  if (image.length >= 24 * CD_SECTOR) {
    const primary = 16 * CD_SECTOR, record = 17 * CD_SECTOR, catalog = 20 * CD_SECTOR;
    setText(image, primary, "\u0001CD001\u0001");
    set32(image, primary + 80, random.pick([24, awkward(random)]));
    setText(image, record, "\u0000CD001\u0001EL TORITO SPECIFICATION");
    image.fill(0, record + 30, record + 71);
    set32(image, record + 0x47, random.pick([20, 20, 20, awkward(random)]));
    image.fill(0, catalog, catalog + 64);
    image[catalog] = 1;
    set16(image, catalog + 30, 0xaa55);
    set16(image, catalog + 28, 0x10000 - 0xaa55 - 1 & 0xffff);
    image[catalog + 32] = random.pick([0x88, 0x88, random.below(256)]);
    image[catalog + 33] = random.pick([0, 1, 2, 3, 4, random.below(256)]);
    set16(image, catalog + 34, random.pick([0, 0x7c0, awkward(random)]));
    set16(image, catalog + 38, random.pick([1, 4, awkward(random)]));
    set32(image, catalog + 40, random.pick([21, 23, awkward(random)]));
    image.set(bootSector(random), 21 * CD_SECTOR);
  }
  return { cdrom: image };
}

/** The header of a kernel of some kind with absurd fields, and random code. */
function kernel(random: Random): GuestOptions {
  const image = random.bytes(random.oneIn(6) ? random.below(4096) : 70_000);
  image.set(codeBytes(random, Math.min(image.length, 4096)).subarray(0, Math.max(0, image.length - 2048)), 0);
  const header = random.pick([elf, linux, multiboot, multiboot2]);
  if (image.length >= 4096) header(random, image);
  return { kernel: image, initrd: random.oneIn(3) ? random.bytes(random.below(5000)) : undefined };
}

function linux(random: Random, image: Uint8Array): void {
  image[0x1f1] = mostly(random, 0, 1, 4);
  set32(image, 0x1f4, mostly(random, 0x100, 0x1000));
  set16(image, 0x1fe, 0xaa55);
  setText(image, 0x202, "HdrS");
  set16(image, 0x206, mostly(random, 0x200, 0x202, 0x204, 0x206, 0x20c, 0x20f));
  image[0x211] = mostly(random, 1, 0x81);
  set32(image, 0x214, mostly(random, 0x10_0000));
  for (const field of [0x218, 0x21c, 0x228]) set32(image, field, mostly(random, 0));
  set32(image, 0x22c, mostly(random, 0x7fff_ffff));
  set32(image, 0x230, mostly(random, 0x1000, 0x20_0000));
  image[0x234] = random.below(2);
  set32(image, 0x238, mostly(random, 255, 2047));
  for (const field of [0x248, 0x24c, 0x250]) set32(image, field, mostly(random, 0));
  set32(image, 0x258, mostly(random, 0x10_0000));
  set32(image, 0x25c, mostly(random, 0));
  set32(image, 0x260, mostly(random, 0x2_0000));
  set32(image, 0x264, mostly(random, 0));
}

function multiboot(random: Random, image: Uint8Array): void {
  const at = random.below(200) * 4, flags = mostly(random, 0x10000, 0x10003, 3), base = 0x10_0000;
  set32(image, at, 0x1badb002);
  set32(image, at + 4, flags);
  set32(image, at + 8, -0x1badb002 - flags);
  set32(image, at + 12, mostly(random, base + at));
  set32(image, at + 16, mostly(random, base));
  set32(image, at + 20, mostly(random, 0, base + 4096));
  set32(image, at + 24, mostly(random, 0, base + 8192));
  set32(image, at + 28, mostly(random, base + at + 48));
}

function multiboot2(random: Random, image: Uint8Array): void {
  const at = random.below(100) * 8, base = 0x10_0000;
  const tags = [[2, 24, base + at, base, 0, 0], [3, 12, base + at + 96], [1, 12, 6], [5, 20, 0, 0, 0], [6, 8], [0, 8]];
  let end = at + 16;
  for (const [type, size, ...values] of tags) {
    if (random.oneIn(3)) continue;
    set16(image, end, random.oneIn(10) ? random.below(12) : type);
    set16(image, end + 2, random.below(2));
    set32(image, end + 4, mostly(random, size));
    values.forEach((value, i) => set32(image, end + 8 + i * 4, mostly(random, value)));
    end += (size + 7) & ~7;
  }
  const length = mostly(random, end - at);
  set32(image, at, 0xe85250d6);
  set32(image, at + 4, 0);
  set32(image, at + 8, length);
  set32(image, at + 12, -(0xe85250d6 + length));
}

function elf(random: Random, image: Uint8Array): void {
  image.set([0x7f, 0x45, 0x4c, 0x46, mostly(random, 1), 1, 1]);
  set16(image, 16, 2);
  set16(image, 18, mostly(random, 3));
  set32(image, 24, mostly(random, 0x10_0100));
  set32(image, 28, mostly(random, 52));
  set16(image, 42, mostly(random, 32));
  set16(image, 44, mostly(random, 1, 2));
  for (let header = 52; header < 52 + 2 * 32; header += 32) {
    const values = [[1, 1, 4], [0, 4096], [0x10_0000, 0x10_8000], [0x10_0000, 0x10_8000], [4096, 8192], [8192], [7], [
      0,
    ]];
    values.forEach((choices, field) => set32(image, header + field * 4, mostly(random, ...choices)));
  }
}

/** Firmware images of random code; the reset vector is at the end. */
function firmware(random: Random): GuestOptions {
  const image = codeBytes(random, random.pick([65536, 65536, 1000]));
  if (image.length === 65536) image.set([0xe9, random.below(256), random.below(256)], 0xfff0);
  return { firmware: image, vgaBios: random.oneIn(2) ? random.bytes(4096) : undefined };
}

const exampleFile = `${Deno.env.get("TMPDIR") ?? "/tmp"}/bootwright-garbage-${Deno.pid}.snapshot`;
let example: { bytes: Uint8Array; contents: SnapshotContents } | undefined;

/** A valid snapshot to damage. */
async function exampleSnapshot(): Promise<{ bytes: Uint8Array; contents: SnapshotContents }> {
  if (example !== undefined) return example;
  const image = new Uint8Array(FLOPPY);
  image.set(sector(busyCode(new Random(1), 300)));
  await using guest = await Guest.boot({ memory: "1M", fda: image });
  await guest.run({ instructions: 20_000, for: "20ms" });
  const snapshot = await guest.snapshot();
  await snapshot.save(exampleFile);
  const bytes = await Deno.readFile(exampleFile);
  return example = { bytes, contents: (await Snapshot.open(exampleFile)).contents };
}

/** A damaged snapshot file. */
async function snapshotFile(random: Random): Promise<GuestOptions> {
  const { bytes } = await exampleSnapshot(), kind = random.below(4);
  const file = kind === 0
    ? random.bytes(random.below(3000))
    : kind === 1
    ? bytes.subarray(0, random.below(bytes.length))
    : kind === 2
    ? Uint8Array.from([...bytes.subarray(0, random.below(64)), ...random.bytes(random.below(2000))])
    : damage(random, bytes, 1 + random.below(4));
  await Deno.writeFile(exampleFile, file);
  return { snapshot: exampleFile };
}

/** A snapshot whose file is whole and whose contents make no sense. */
async function snapshotContents(random: Random): Promise<GuestOptions> {
  const contents = structuredClone((await exampleSnapshot()).contents);
  const parts = [contents.machine.devices, contents.machine.devices, contents.machine.cpu, contents.machine.clock];
  for (let count = 1 + random.below(6); count > 0; count--) {
    scramble(random, random.pick([...parts, contents.machine, contents.disks, contents]) as Fields);
  }
  // What is not even of the right shape is told when the file is read.
  return { snapshot: new Snapshot(contentsOf(contents as unknown as StateValue)) };
}

type Fields = { [name: string]: unknown };

/** Goes down at random and changes a value into another one of its kind, or of no kind that fits. */
function scramble(random: Random, fields: Fields): void {
  const names = Object.keys(fields);
  if (names.length === 0) return;
  const name = random.pick(names), value = fields[name];
  if (ArrayBuffer.isView(value)) {
    const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
    for (let i = 1 + random.below(8); i > 0 && bytes.length > 0; i--) {
      bytes[random.below(bytes.length)] = random.below(256);
    }
  } else if (typeof value === "object" && value !== null && !random.oneIn(40)) scramble(random, value as Fields);
  else if (typeof value === "number" && !random.oneIn(20)) {
    fields[name] = random.pick([awkward(random), -1, 0.5, NaN, Infinity, 2 ** 53, value + 1, -value, value ^ 1]);
  } else if (typeof value === "boolean" && !random.oneIn(20)) fields[name] = !value;
  else fields[name] = random.pick([null, 0, "", true, [], {}, -1, "x", new Uint8Array(3), 7n, undefined]);
}

/** What can be fuzzed, by name. */
export const GARBAGE: { readonly [name: string]: Garbage } = {
  floppy,
  disk,
  cd,
  kernel,
  firmware,
  "snapshot-file": snapshotFile,
  "snapshot-contents": snapshotContents,
};

/** How a case went. */
export interface Outcome {
  /** What must not happen; empty if all is well. */
  readonly problem: string;
  /** Host time in ms. */
  readonly time: number;
  /** The error's name, how the guest ended, or `"ran"`. */
  readonly result: string;
}

/** Longest host time in ms that a case may take on a slow and busy host. */
const LONGEST = 20_000;

/** Boots case `seed` of a kind and runs it for a bounded number of instructions and time. */
export async function runGarbage(kind: string, seed: number, instructions: number): Promise<Outcome> {
  const random = new Random(seed * 7919 + kind.length), started = performance.now();
  let result = "ran", problem = "";
  try {
    const options = await GARBAGE[kind](random);
    const memory = options.snapshot === undefined ? { memory: random.pick(["1M", "2M", "5M"]) } : {};
    await using guest = await Guest.boot({ ...memory, ...options });
    await guest.run({ instructions, for: "100ms" });
    guest.screen.text();
    guest.screen.picture();
    guest.hash();
    const snapshot = await guest.snapshot();
    await guest.restore(snapshot);
    await guest.run({ instructions: 1000, for: "1ms" });
    result = guest.exit?.reason ?? "ran";
  } catch (error) {
    result = error instanceof Error ? `${error.name}: ${error.message}`.slice(0, 90) : String(error);
    if (!(error instanceof BootwrightError || error instanceof ImageError)) {
      problem = error instanceof Error ? error.stack ?? result : result;
    }
  }
  const time = performance.now() - started;
  if (problem === "" && time > LONGEST) problem = `took ${Math.round(time)} ms of host time`;
  return { problem, time, result };
}

/** Removes what was written. */
export async function cleanUp(): Promise<void> {
  if (example !== undefined) await Deno.remove(exampleFile).catch(() => {});
}
