/** The command line of `run`: what the machine is, what is done with it in order, and what is asked for at the end. */
import { parseArgs } from "@std/cli";
import { TIERS } from "../cpu/options.ts";
import { OptionError } from "../guest/errors.ts";
import { suggestion } from "../guest/nearest.ts";
import type { GuestOptions, ImageInput } from "../guest/options.ts";
import { parseDuration } from "../guest/quantity.ts";

/** Something to wait for or to do, in the order of the command line. */
export type Step =
  | { readonly kind: "until-serial" | "until-screen"; readonly pattern: RegExp }
  | { readonly kind: "until-exit" }
  | { readonly kind: "wait"; readonly time: string }
  | { readonly kind: "type" | "send"; readonly text: string }
  | { readonly kind: "press"; readonly keys: readonly string[] };

/** Where a serial line goes. */
export type SerialTarget = { readonly kind: "stdio" | "none" } | { readonly kind: "file"; readonly path: string };

/** A parsed command line of `run`. */
export interface RunPlan {
  readonly help: boolean;
  readonly options: GuestOptions;
  readonly steps: readonly Step[];
  readonly serials: readonly SerialTarget[];
  readonly failOn: readonly RegExp[];
  /** Guest time in ns after which the run is over; undefined for no limit. */
  readonly timeout: number | undefined;
  readonly screenshot: string | undefined;
  readonly save: string | undefined;
  readonly screen: boolean;
  readonly hash: boolean;
  readonly stats: boolean;
}

const STEPS = ["until-serial", "until-screen", "until-exit", "wait", "type", "press", "send"];
const DRIVE_OPTIONS = ["fda", "fdb", "hda", "hdb", "hdc", "hdd", "cdrom"] as const;
const VALUES = [
  ...DRIVE_OPTIONS,
  "memory",
  "cpu",
  "boot",
  "kernel",
  "initrd",
  "append",
  "firmware",
  "vga-bios",
  "parallel",
  "tier",
  "seed",
  "start-time",
  "on-triple-fault",
  "on-reset",
  "layout",
  "watchdog",
  "timeout",
  "screenshot",
  "save",
  "restore",
];
const REPEATED = ["serial", "fail-on"];
const FLAGS = ["help", "hash", "stats", "screen"];
const KNOWN = [...VALUES, ...REPEATED, ...FLAGS, ...STEPS];

/** Help for `run`. */
export const RUN_HELP = `Usage: bootwright run [OPTION]...

Boots a machine, waits and acts in the order of the command line, and prints what is asked for at the end.
Without a condition the machine runs until it ends or --timeout is over. REs are JavaScript's, ^ and $ match at lines;
the screen's lines are without the blanks at their ends: a prompt is '^> $' on a serial line, but '^>$' on the screen.

Machine:
  --memory SIZE            RAM (default 128M)
  --cpu MODEL              i486, pentium3, x86-64, x86-64-v2 (default) or max, with more or less: x86-64-v2,+aes,-sse4.2
  --fda, --fdb FILE        floppies          --hda … --hdd FILE    hard disks       --cdrom FILE    CD-ROM
                           Writes stay in memory. FILE,write-through changes the image; FILE,readonly refuses writes.
  --boot ORDER             boot devices by QEMU's letters (a floppy, c disk, d CD-ROM), for example "dc"
  --kernel FILE [--initrd FILE] [--append TEXT]    start a Linux, multiboot or ELF kernel directly
  --firmware FILE [--vga-bios FILE]    firmware images instead of the built-in BIOS
  --serial stdio|file:PATH|none        COM1; a second --serial is COM2. On a terminal, stdio is a console: Ctrl-A h for help
  --parallel FILE          what the parallel port prints
  --seed N, --start-time DATE, --tier auto|interpreter|single|regions, --on-triple-fault reset|stop, --on-reset reset|stop
  --restore FILE           continue a saved machine; only drives may be given with it

Conditions and actions, in order:
  --until-serial RE        wait for text on COM1            --until-screen RE    wait for text on the screen
  --until-exit             wait until the guest ends        --wait TIME          let TIME of guest time pass
  --type TEXT              type on the keyboard (\\n Enter, \\t Tab, \\e Escape, \\\\ backslash)
  --press KEYS             press keys or chords, separated by blanks: "F2 ctrl-alt-delete Enter"
  --send TEXT              send on COM1, escapes as with --type
  --layout us|uk|de|fr     keyboard layout that --type uses

Limits:
  --timeout TIME           guest time for the whole run (default for each condition: 60s)
  --watchdog TIME          host time for each condition (default 10m)
  --fail-on RE             fail when the screen or a serial line shows this; may be repeated

Results:
  --screenshot FILE        PNG of the screen                --screen             print the screen's text
  --save FILE              save the machine                 --hash               print its hash
  --stats                  instructions, guest time, host time, million instructions per second; and what the processor
                           did: instructions by tier, translations, compile time, TLB misses, exits by reason

Exit codes: 0 all done; 2 usage; 3 timeout; 4 the guest ended or crashed too early; 5 --fail-on; 6 file problem;
64 + code (modulo 64) when the guest leaves by the debug-exit port with a code other than 0; 130 Ctrl-C; 1 internal error.
`;

/** Parses the arguments of `run`. Throws {@link OptionError} for what makes no sense. */
export function parseRun(args: readonly string[]): RunPlan {
  const parsed = parseArgs(markSteps(args), {
    string: [...VALUES, ...REPEATED, "step"],
    boolean: FLAGS,
    collect: [...REPEATED, "step"],
    alias: { help: "h", memory: "m" },
    unknown: (argument, key) => {
      if (key === undefined) {
        throw unexpected(argument);
      }
      throw new OptionError(
        `unknown option ${argument.split("=")[0]}${suggestion(key, KNOWN.map((name) => `--${name}`))}`,
      );
    },
  });
  if (parsed._.length > 0) throw unexpected(String(parsed._[0])); // after "--"
  const value = (name: string): string | undefined => {
    const found = parsed[name];
    if (found === undefined) return undefined;
    if (found === "") throw new OptionError(`--${name} needs a value`);
    return String(found);
  };
  const list = (name: string) => parsed[name] === undefined ? [] : [parsed[name]].flat().map(String);
  const timeout = value("timeout");
  return {
    help: parsed.help === true,
    options: machineOptions(value),
    steps: list("step").map(parseStep),
    serials: list("serial").map(serialTarget),
    failOn: list("fail-on").map((text) => expression(text, "--fail-on")),
    timeout: timeout === undefined ? undefined : parseDuration(timeout, "--timeout"),
    screenshot: value("screenshot"),
    save: value("save"),
    screen: parsed.screen === true,
    hash: parsed.hash === true,
    stats: parsed.stats === true,
  };
}

function unexpected(argument: string): OptionError {
  return new OptionError(`unexpected argument "${argument}": images are given by --hda, --fda …`);
}

/** Turns the options whose order counts into one repeated option: parseArgs keeps the order within one name only. */
function markSteps(args: readonly string[]): string[] {
  const marked: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const match = /^--([a-z-]+)(?:=([\s\S]*))?$/.exec(args[i]);
    const name = match?.[1] ?? "";
    if (match === null || !STEPS.includes(name)) {
      marked.push(args[i]);
      // The value of an option is never an option, even if it looks like one.
      const takesValue = match !== null && match[2] === undefined && [...VALUES, ...REPEATED].includes(name);
      if (takesValue && i + 1 < args.length) marked[marked.length - 1] += `=${args[++i]}`;
    } else if (name === "until-exit") {
      if (match[2] !== undefined) throw new OptionError("--until-exit takes no value");
      marked.push("--step=until-exit:");
    } else {
      const value = match[2] ?? args[++i];
      if (value === undefined || value === "") throw new OptionError(`--${name} needs a value`);
      marked.push(`--step=${name}:${value}`);
    }
  }
  return marked;
}

function parseStep(step: string): Step {
  const colon = step.indexOf(":");
  const kind = step.slice(0, colon), value = step.slice(colon + 1);
  switch (kind) {
    case "until-serial":
    case "until-screen":
      return { kind, pattern: expression(value, `--${kind}`) };
    case "wait":
      parseDuration(value, "--wait");
      return { kind, time: value };
    case "type":
    case "send":
      return { kind, text: unescape(value) };
    case "press":
      return { kind, keys: value.trim().split(/\s+/) };
    default:
      return { kind: "until-exit" };
  }
}

/** A regular expression as people write it: bare, or between slashes with flags. */
function expression(text: string, option: string): RegExp {
  const delimited = /^\/([\s\S]+)\/([a-z]*)$/.exec(text);
  const [source, flags] = delimited === null ? [text, ""] : [delimited[1], delimited[2]];
  try {
    return new RegExp(source, flags.includes("m") ? flags : `${flags}m`);
  } catch (error) {
    throw new OptionError(`${option}: ${error instanceof Error ? error.message : error}`);
  }
}

const ESCAPES: Record<string, string> = { n: "\n", r: "\r", t: "\t", b: "\b", e: "\x1b", "\\": "\\" };

function unescape(text: string): string {
  return text.replace(/\\(.)/g, (whole, character: string) => ESCAPES[character] ?? whole);
}

function serialTarget(text: string): SerialTarget {
  if (text === "stdio" || text === "none") return { kind: text };
  if (text.startsWith("file:") && text.length > 5) return { kind: "file", path: text.slice(5) };
  throw new OptionError(`--serial: "${text}" is not stdio, none or file:PATH`);
}

function image(text: string): ImageInput {
  const match = /^(.+),(write-through|readonly)$/.exec(text);
  if (match === null) return text;
  return match[2] === "readonly" ? { image: match[1], readOnly: true } : { image: match[1], write: "through" };
}

function machineOptions(value: (name: string) => string | undefined): GuestOptions {
  const options: { -readonly [Name in keyof GuestOptions]: GuestOptions[Name] } = {};
  for (const drive of DRIVE_OPTIONS) {
    const file = value(drive);
    if (file !== undefined) options[drive] = image(file);
  }
  const set = <Name extends keyof GuestOptions>(name: Name, option: GuestOptions[Name] | undefined) => {
    if (option !== undefined) options[name] = option;
  };
  set("memory", value("memory"));
  set("cpu", value("cpu"));
  set("boot", value("boot"));
  set("kernel", value("kernel"));
  set("initrd", value("initrd"));
  set("append", value("append"));
  set("firmware", value("firmware"));
  set("vgaBios", value("vga-bios"));
  set("parallel", value("parallel"));
  set("tier", choice(value("tier"), TIERS, "--tier"));
  set("seed", wholeNumber(value("seed"), "--seed"));
  set("startTime", value("start-time"));
  set("onTripleFault", choice(value("on-triple-fault"), ["reset", "stop"], "--on-triple-fault"));
  set("onReset", choice(value("on-reset"), ["reset", "stop"], "--on-reset"));
  set("layout", value("layout"));
  set("watchdog", value("watchdog"));
  set("snapshot", value("restore"));
  return options;
}

function choice<Value extends string>(text: string | undefined, known: readonly Value[], option: string) {
  if (text === undefined) return undefined;
  const found = known.find((candidate) => candidate === text);
  if (found === undefined) throw new OptionError(`${option}: "${text}" is not possible${suggestion(text, known)}`);
  return found;
}

function wholeNumber(text: string | undefined, option: string): number | undefined {
  if (text === undefined) return undefined;
  if (!/^(\d+|0x[\da-f]+)$/i.test(text)) throw new OptionError(`${option}: "${text}" is not a whole number`);
  return Number(text);
}
