/** Guests with inputs at fixed instruction counts, for comparing runs of them. */
import { fileURLToPath } from "node:url";
import type { GuestOptions } from "../../lib/guest/options.ts";

/** Something that happens to a guest at an instruction count. */
export type Input =
  /** A key goes down or up, by its `KeyboardEvent.code` name. */
  | { readonly at: number; readonly key: string; readonly down: boolean }
  /** Bytes arrive on COM1. */
  | { readonly at: number; readonly serial: string };

/** Part of a run. */
export interface Stretch {
  readonly from: number;
  readonly length: number;
}

/** A guest, what is done to it and how far it is run. */
export interface GuestCase {
  readonly name: string;
  readonly options: GuestOptions;
  /** Files without which the case cannot be run. */
  readonly needs: readonly string[];
  readonly instructions: number;
  readonly inputs: readonly Input[];
  /** Parts that are worth small slices. */
  readonly stretches: readonly Stretch[];
  /** Parts for what takes too long for the whole run. None: the run is short enough. */
  readonly legs?: readonly Stretch[];
}

/** Length of the legs of a long run. */
const LEG = 40_000_000;

/** Legs from each of these instructions on. */
function legsFrom(...starts: number[]): Stretch[] {
  return starts.map((from) => ({ from, length: LEG }));
}

function path(name: string): string {
  return fileURLToPath(new URL(`../../${name}`, import.meta.url));
}

/** Presses and releases of keys in turn, from instruction `at` on, `gap` instructions apart. */
function typed(at: number, gap: number, ...keys: string[]): Input[] {
  return keys.flatMap((key, i) => [
    { at: at + 2 * i * gap, key, down: true },
    { at: at + (2 * i + 1) * gap, key, down: false },
  ]);
}

function letters(word: string): string[] {
  return [...word].map((letter) => letter === " " ? "Space" : letter === "\n" ? "Enter" : `Key${letter.toUpperCase()}`);
}

const SEABIOS = { firmware: "/usr/share/seabios/bios.bin", vgaBios: "/usr/share/seabios/vgabios-stdvga.bin" };

/** A case under both firmwares; SeaBIOS needs `extra` more instructions to get as far. */
function bothFirmwares(test: GuestCase, extra: number): GuestCase[] {
  const needs = [...test.needs, SEABIOS.firmware, SEABIOS.vgaBios];
  return [test, {
    ...test,
    name: `${test.name}-seabios`,
    options: { ...test.options, ...SEABIOS },
    needs,
    instructions: test.instructions + extra,
    inputs: test.inputs.map((input) => ({ ...input, at: input.at + extra })),
    stretches: [{ from: 0, length: 400_000 }, ...test.stretches.map((s) => ({ ...s, from: s.from + extra }))],
  }];
}

const fixture: GuestCase = {
  name: "fixture",
  options: { memory: "8M", fda: path("fixtures/guest.img") },
  needs: [],
  instructions: 6_000_000,
  inputs: [
    ...typed(400_000, 20_000, ...letters("mem\n")),
    { at: 800_000, serial: "ticks\recho serial\r" },
    ...typed(1_500_000, 30_000, ...letters("ticks\n")),
    { at: 2_500_000, serial: "write 100 hello\rread 100\r" },
    { at: 3_500_000, serial: "sleep 2\rmem\r" },
  ],
  stretches: [{ from: 0, length: 600_000 }, { from: 1_500_000, length: 300_000 }, { from: 3_400_000, length: 300_000 }],
};

const freedos: GuestCase = {
  name: "freedos",
  options: { memory: "16M", fda: path("../shared/images/freedos722.img") },
  needs: [path("../shared/images/freedos722.img")],
  instructions: 40_000_000,
  inputs: [
    ...typed(12_000_000, 400_000, ...letters("ver\n")),
    ...typed(20_000_000, 400_000, ...letters("dir\n")),
    ...typed(30_000_000, 200_000, ...letters("mem\n")),
  ],
  stretches: [{ from: 0, length: 300_000 }, { from: 6_000_000, length: 300_000 }, {
    from: 22_500_000,
    length: 300_000,
  }],
};

const mikeos: GuestCase = {
  name: "mikeos",
  options: { memory: "8M", fda: path("../shared/images/mikeos.flp") },
  needs: [path("../shared/images/mikeos.flp")],
  instructions: 30_000_000,
  inputs: [
    ...typed(4_000_000, 400_000, "Enter", "ArrowDown", "ArrowDown", "Enter"),
    ...typed(14_000_000, 400_000, "KeyA", "Escape", "Space", "Enter"),
  ],
  stretches: [{ from: 0, length: 300_000 }, { from: 3_950_000, length: 300_000 }, {
    from: 14_000_000,
    length: 200_000,
  }],
};

/** Offset in the torture guest's image of the number of rounds that each of its tests makes. */
const TORTURE_ROUNDS = 0x1f8;

/** Self-modifying code, paging and faults, each in `rounds` rounds; ends by itself. */
export function tortureCase(rounds: number): GuestCase {
  const image = Deno.readFileSync(path("fixtures/torture.img"));
  new DataView(image.buffer).setUint32(TORTURE_ROUNDS, rounds, true);
  const instructions = 4_000_000 + 2_700_000 * rounds;
  const stretches = [0.05, 0.4, 0.8].map((part) => ({ from: Math.floor(instructions * part), length: 300_000 }));
  return { name: "torture", options: { memory: "8M", hda: image }, needs: [], instructions, inputs: [], stretches };
}

/** One of Debian's kernels with a shell on the serial line, which asks who logs in at instruction `asks`. */
function linux(name: string, kernel: string, initrd: string, asks: number, memory = "64M"): GuestCase {
  const needs = [path(`.cache/images/${kernel}`), path(`.cache/images/${initrd}`)];
  return {
    name,
    options: { memory, kernel: needs[0], initrd: needs[1], append: "console=ttyS0" },
    needs,
    instructions: asks + 250_000_000,
    inputs: [{ at: asks, serial: "root\r" }, { at: asks + 50_000_000, serial: "uname -a; cat /proc/cpuinfo\r" }],
    stretches: [
      { from: 1_000_000, length: 300_000 },
      { from: 2_700_000_000, length: 300_000 },
      { from: asks - 100_000, length: 400_000 },
    ],
    // Unpacking, early start, drivers, cryptographic self-tests, the first processes, and the shell.
    legs: legsFrom(
      0,
      900_000_000,
      2_500_000_000,
      4_000_000_000,
      asks - 600_000_000,
      asks - 5_000_000,
      asks + 45_000_000,
    ),
  };
}

/** Debian's installer on the serial line up to its first questions, of which the first comes up at instruction `asks`. */
function installer(architecture: "i386" | "amd64", memory: string, asks: number): GuestCase {
  const needs = ["vmlinuz", "initrd.gz"].map((part) => path(`.cache/images/installer-${architecture}-${part}`));
  return {
    name: `installer-${architecture}`,
    options: { memory, kernel: needs[0], initrd: needs[1], append: "console=ttyS0 cryptomgr.notests" },
    needs,
    instructions: asks + 300_000_000,
    // English, and on to the next question.
    inputs: [{ at: asks, serial: "\x1b[B\r" }],
    stretches: [{ from: 5_500_000_000, length: 300_000 }, { from: asks - 100_000, length: 400_000 }],
    legs: legsFrom(1_500_000_000, 4_500_000_000, 7_500_000_000, asks - 300_000_000, asks - 5_000_000),
  };
}

/** Every case. */
export const GUEST_CASES: readonly GuestCase[] = [
  fixture,
  { ...fixture, name: "fixture-disk", options: { memory: "8M", hda: path("fixtures/guest.img") } },
  ...bothFirmwares(freedos, 10_000_000),
  ...bothFirmwares(mikeos, 10_000_000),
  tortureCase(25),
  linux("linux", "vmlinuz-686", "initramfs-i386.cpio.gz", 6_440_000_000),
  linux("linux-pae", "vmlinuz-686-pae", "initramfs-i386.cpio.gz", 6_460_000_000),
  linux("linux-amd64", "vmlinuz-amd64", "initramfs-amd64.cpio.gz", 5_970_000_000, "128M"),
  installer("i386", "512M", 9_460_000_000),
  installer("amd64", "1G", 11_400_000_000),
];
