/**
 * Debian's kernels with busybox: booted, logged in to by keyboard and by serial line, asked, switched off.
 *
 * Each kernel has both consoles at once: getty waits on the VGA and on COM1, so that one boot is enough for the two.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { expect, Guest } from "../mod.ts";
import { exists } from "../scripts/lib/files.ts";
import { cachedImage, testWith } from "./support.ts";

/** Kernel messages of level warning and above that a PC of this kind gets: QEMU 7.2 shows them, too. */
const EXPECTED_WARNINGS: readonly RegExp[] = [
  // A processor that is vulnerable in theory, and a kernel without PAE.
  /^L1TF: Kernel not compiled for PAE\. No mitigation for L1TF$/,
  // PCI without PCI Express.
  /^acpi PNP0A03:00: fail to add MMCONFIG information/,
  // No machine check banks.
  /^mce: Unable to init MCE device \(rc: -5\)$/,
];

/** How long a boot may take. */
const BOOT = { timeout: "60s" };
/** Marks the end of a command's output: the shell's prompt. */
const PROMPT = /^bootwright:\/root# $/m;

/** Runs a command in the shell on COM1 and returns what it printed. */
async function answer(guest: Guest, command: string): Promise<string> {
  await guest.serial.write(`${command}\r`);
  await guest.serial.waitFor(command);
  const { start } = await guest.serial.waitFor("\n");
  const { end } = await guest.serial.waitFor(PROMPT);
  return guest.serial.text.slice(start + 1, end).replace(PROMPT, "").trimEnd();
}

/** The kernel's messages with their levels; of level 0 (emergency) to 7 (debug). */
function messages(dmesg: string): { level: number; text: string }[] {
  return [...dmesg.matchAll(/^<(\d+)>\[ *[\d.]+\] (.*)$/gm)].map(([, code, text]) => ({
    level: Number(code) % 8,
    text,
  }));
}

/** What `fixtures/fpu/digest.c` prints. */
const FPU_DIGEST = [
  "FPU x87-special ad89137a5ed3fe6f",
  "FPU x87-random 6c164ed7177b1c49",
  "FPU x87-scale 1420aba58d4d2882",
  "FPU x87-compare 996a7af7e6fe315f",
  "FPU x87-remainder dcb0cc0275eafd59",
  "FPU x87-single 852a5e947cf0f323",
  "FPU x87-memory b89c1b9db9f5904f",
  "FPU x87-stack 69d7fb85d5aea361",
  "FPU sse-double bc55a6e8d6508a4c",
  "FPU sse-float adb710589123edad",
  "FPU sse-convert 0f4e481d1f7f2241",
  "FPU ALL 69df98115fd47f00",
].join("\n");

/** The same from the host's own processor, if it is one of this kind. */
async function digestOnHost(program: string): Promise<string> {
  if (Deno.build.arch !== "x86_64" || Deno.build.os !== "linux") return FPU_DIGEST;
  const { stdout } = await new Deno.Command(program).output();
  return new TextDecoder().decode(stdout).trimEnd();
}

/** Logs in on both consoles. Messages of the kernel and of login may get between prompt and answer, as on a real machine. */
async function logIn(guest: Guest): Promise<void> {
  await guest.serial.waitFor(/login: /, BOOT);
  await guest.serial.write("root\r");
  await guest.serial.waitFor("bootwright:/root# ");
  await answer(guest, "dmesg -n 1");
  await guest.screen.waitForText(/^bootwright login:/m);
  await guest.keyboard.type("root\n");
  await guest.screen.waitForText(/^bootwright:\/root#/m);
}

/** Boots a kernel, asks it on both consoles, switches it off and, from a snapshot, resets it. */
async function drive(flavour: "686" | "686-pae" | "amd64", append: string): Promise<void> {
  const [architecture, machine] = flavour === "amd64" ? ["amd64", "x86_64"] : ["i386", "i686"];
  await using guest = await Guest.boot({
    memory: "128M",
    kernel: cachedImage(`vmlinuz-${flavour}`).path,
    initrd: cachedImage(`initramfs-${architecture}.cpio.gz`).path,
    append,
    onReset: "stop",
    onTripleFault: "stop",
  });
  guest.failOn(/Kernel panic|Oops:|BUG: /);
  await logIn(guest);

  await guest.keyboard.type("clear; uname -a\n");
  await expect(guest.screen).toContainText(new RegExp(`^Linux bootwright 6\\.\\S+-${flavour} #1 SMP`, "m"));
  await guest.keyboard.type("clear; grep name /proc/cpuinfo\n");
  await expect(guest.screen).toContainText(/^model name\t* *: \S/m);
  assertMatch(
    await answer(guest, "uname -a"),
    new RegExp(`^Linux bootwright 6\\.\\S+-${flavour} #1 SMP .* ${machine} GNU/Linux$`),
  );
  const cpu = await answer(guest, "cat /proc/cpuinfo");
  assertMatch(cpu, /^processor\t: 0$/m);
  assertMatch(cpu, /^flags\t+: .*\bfpu\b.*\bpae\b.*\bsse2\b/m);
  const log = messages(await answer(guest, "dmesg -r"));
  assert(log.length > 200, "the kernel's messages could not be read");
  const unexpected = log.filter(({ level, text }) =>
    level <= 4 && !EXPECTED_WARNINGS.some((known) => known.test(text))
  );
  assertEquals(unexpected, []);

  const program = cachedImage(`fpu-digest-${architecture}`).path;
  if (exists(program)) assertEquals(await answer(guest, "fpu-digest"), await digestOnHost(program));

  const shell = await guest.snapshot();
  await guest.keyboard.type("poweroff\n");
  await expect(guest).toHaveExited({ reason: "power-off" });
  await guest.restore(shell);
  await guest.serial.write("reboot\r");
  await expect(guest).toHaveExited({ reason: "reset" });
}

testWith(
  "Debian's 686 kernel boots to a shell on COM1 and on the VGA",
  ["vmlinuz-686", "initramfs-i386.cpio.gz"].map(cachedImage),
  () => drive("686", "console=tty1 console=ttyS0"),
);

testWith(
  "Debian's 686-pae kernel boots to a shell on the VGA and on COM1",
  ["vmlinuz-686-pae", "initramfs-i386.cpio.gz"].map(cachedImage),
  // The cryptographic self-tests take half of the time, and the other kernel does them.
  () => drive("686-pae", "console=ttyS0 console=tty1 cryptomgr.notests"),
);

testWith(
  "Debian's amd64 kernel boots to a shell on COM1 and on the VGA",
  ["vmlinuz-amd64", "initramfs-amd64.cpio.gz"].map(cachedImage),
  () => drive("amd64", "console=tty1 console=ttyS0 cryptomgr.notests"),
);

testWith(
  "Debian's amd64 kernel uses 3 GiB of memory and every feature that a processor can have",
  ["vmlinuz-amd64", "initramfs-amd64.cpio.gz"].map(cachedImage),
  async () => {
    await using guest = await Guest.boot({
      memory: "3G",
      cpu: "max",
      kernel: cachedImage("vmlinuz-amd64").path,
      initrd: cachedImage("initramfs-amd64.cpio.gz").path,
      append: "console=ttyS0 cryptomgr.notests",
      onTripleFault: "stop",
    });
    guest.failOn(/Kernel panic|Oops:|BUG: /);
    await guest.serial.waitFor(/login: /, BOOT);
    await guest.serial.write("root\r");
    await guest.serial.waitFor("bootwright:/root# ");
    await answer(guest, "dmesg -n 1");
    const cpu = await answer(guest, "cat /proc/cpuinfo");
    assertMatch(cpu, /^model name\t: Bootwright max processor$/m);
    for (const feature of ["pdpe1gb", "rdtscp", "pcid", "invpcid", "fsgsbase", "smep", "smap", "umip"]) {
      assertMatch(cpu, new RegExp(`^flags\t+: .*\\b${feature}\\b`, "m"));
    }
    const total = /^MemTotal: +(\d+) kB$/m.exec(await answer(guest, "cat /proc/meminfo"))?.[1];
    assert(Number(total) > 2_900_000, `the kernel found ${total} kB`);
  },
);
