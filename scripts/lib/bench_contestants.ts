/** What the benchmarks run in: the host's processor itself, Bootwright, and its peers as far as they are there. */
import { fileURLToPath } from "node:url";
import type { Architecture } from "./bench_programs.ts";
import { exists } from "./files.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const IMAGES = `${ROOT}.cache/images/`;

/** A program with its arguments, whose standard output is the guest's serial line. */
export interface Command {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Record<string, string>;
  /** Whether its standard input stays open or is empty (the default). */
  readonly stdin?: "piped" | "null";
}

/** Something that boots a Linux kernel. */
export interface Contestant {
  readonly name: string;
  readonly version: string;
  /** The command that boots a kernel. */
  boot(kernel: string, initrd: string, commandLine: string): Command;
}

/** The images of an architecture. */
export interface Images {
  readonly kernel: string;
  /** With a login prompt. */
  readonly login: string;
  /** Runs the benchmarks. */
  readonly benchmarks: string;
  /** Folder of the benchmarks as programs for the host. */
  readonly programs: string;
}

/** Where `deno task images` puts them. */
export function images(architecture: Architecture): Images {
  return {
    kernel: `${IMAGES}vmlinuz-${architecture === "i386" ? "686" : "amd64"}`,
    login: `${IMAGES}initramfs-${architecture}.cpio.gz`,
    benchmarks: `${IMAGES}bench-${architecture}.cpio.gz`,
    programs: `${IMAGES}bench-${architecture}`,
  };
}

/** Names of all contestants but the host's processor. */
export const CONTESTANTS = ["ours", "v86", "v86-interpreter", "qemu"] as const;

function found(command: string): boolean {
  return (Deno.env.get("PATH") ?? "").split(":").some((folder) => folder !== "" && exists(`${folder}/${command}`));
}

function ours(tier: string): Contestant {
  const run = ["run", "--allow-read", "--allow-write", `${ROOT}cli.ts`, "run", "--memory", "128M", "--tier", tier];
  // The limits of this script are in host time and its own.
  const limits = ["--serial", "stdio", "--timeout", "1000000s", "--watchdog", "1000000s", "--until-exit"];
  return {
    name: "ours",
    version: `Deno ${Deno.version.deno}, tier ${tier}`,
    boot: (kernel, initrd, commandLine) => ({
      command: Deno.execPath(),
      args: [...run, "--kernel", kernel, "--initrd", initrd, "--append", commandLine, ...limits],
    }),
  };
}

function v86(tier: "interpreter" | "translator"): Contestant | string {
  const folder = Deno.env.get("V86DIR");
  if (!folder) return "V86DIR does not name the build folder of npm's package v86";
  if (!exists(`${folder}/libv86.mjs`)) return `there is no ${folder}/libv86.mjs`;
  if (!exists("/usr/share/seabios/bios.bin")) return "its firmware is missing (apt-get install seabios)";
  const description = `${folder}/../package.json`;
  const version = exists(description) ? JSON.parse(Deno.readTextFileSync(description)).version : "unknown";
  return {
    name: tier === "interpreter" ? "v86-interpreter" : "v86",
    version: String(version),
    boot: (kernel, initrd, commandLine) => ({
      command: Deno.execPath(),
      args: ["run", "-A", `${ROOT}scripts/lib/bench_v86.ts`, kernel, initrd, commandLine, tier],
      env: { V86DIR: folder },
    }),
  };
}

function qemu(architecture: Architecture): Contestant | string {
  const command = architecture === "i386" ? "qemu-system-i386" : "qemu-system-x86_64";
  if (!found(command)) return `${command} is not installed (apt-get install qemu-system-x86)`;
  const version = new TextDecoder().decode(new Deno.Command(command, { args: ["--version"] }).outputSync().stdout);
  const machine = ["-accel", "tcg,thread=single", "-smp", "1", "-m", "128", "-nographic", "-no-reboot", "-nodefaults"];
  return {
    name: "qemu",
    version: version.split("\n")[0],
    boot: (kernel, initrd, commandLine) => ({
      command,
      args: [...machine, "-serial", "stdio", "-kernel", kernel, "-initrd", initrd, "-append", commandLine],
    }),
  };
}

/** A contestant by its name, or why it cannot take part. */
export function contestant(name: string, architecture: Architecture, tier: string): Contestant | string {
  if (name === "ours") return ours(tier);
  if (name === "qemu") return qemu(architecture);
  if (name !== "v86" && name !== "v86-interpreter") return "there is no such contestant";
  if (architecture !== "i386") return "it has no 64-bit mode";
  return v86(name === "v86" ? "translator" : "interpreter");
}
