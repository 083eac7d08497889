/** What a guest is made of, as scripts write it, and the same with files read and quantities understood. */
import { type CpuOptions, type Tier, TIERS } from "../cpu/options.ts";
import { cpuModelOf, DEFAULT_MODEL_NAME, parseCpuModel, UnknownCpuError } from "../cpu/system/model.ts";
import type { BootDevice } from "../machine/config.ts";
import { checkOptions } from "./context.ts";
import { ImageError, OptionError, SnapshotError } from "./errors.ts";
import { layout } from "./layouts.ts";
import { suggestion } from "./nearest.ts";
import { pathOf } from "./path.ts";
import { type Duration, parseDuration, parseSize, type Size } from "./quantity.ts";
import { type CpuSettings, type Drive, DRIVES, type ImageSettings, type MachineSettings } from "./settings.ts";
import { Snapshot } from "./snapshot.ts";

/** A file: its path, a `file:` URL, or its contents. */
export type FileInput = string | URL | Uint8Array;

/** An image with a word on what happens to writes. */
export interface ImageOptions {
  /** The image. */
  image: FileInput;
  /** `"overlay"`, the default, keeps writes in memory and never touches the image; `"through"` writes to the image's file. */
  write?: "overlay" | "through";
  /** Refuses writes, as a write-protected floppy does. */
  readOnly?: boolean;
}

/** A disk, floppy or CD image. */
export type ImageInput = FileInput | ImageOptions;

/** Options of {@link Guest.boot}. Sizes are `"256M"` or bytes, times are `"90s"` or milliseconds. */
export interface GuestOptions {
  /** RAM; default `"128M"`. */
  memory?: Size;
  /**
   * Processor: `"i486"`, `"pentium3"`, `"x86-64"`, `"x86-64-v2"` (the default) or `"max"` (everything that there is),
   * and features that it has more or less: `"x86-64-v2,+aes,-sse4.2"`. CPUID reports them, and what is missing does not
   * work.
   */
  cpu?: string;
  /** Floppy in drive A. */
  fda?: ImageInput;
  /** Floppy in drive B. */
  fdb?: ImageInput;
  /** Hard disk: primary master. */
  hda?: ImageInput;
  /** Hard disk: primary slave. */
  hdb?: ImageInput;
  /** Hard disk: secondary master. */
  hdc?: ImageInput;
  /** Hard disk: secondary slave. */
  hdd?: ImageInput;
  /** CD-ROM, in the place of `hdc`. */
  cdrom?: ImageInput;
  /** Boot devices in the order in which they are tried: names, or QEMU's letters: `a` floppy, `c` disk, `d` CD-ROM. */
  boot?: string | readonly BootDevice[];
  /** A kernel that is started without a boot loader: a Linux bzImage, a multiboot image or an ELF file. */
  kernel?: FileInput;
  /** Initial RAM disk of `kernel`, or its multiboot module. */
  initrd?: FileInput;
  /** Command line of `kernel`. */
  append?: string;
  /** A firmware image such as SeaBIOS instead of the built-in BIOS. */
  firmware?: FileInput;
  /** The VGA BIOS that goes with `firmware`. */
  vgaBios?: FileInput;
  /** File to which the parallel port prints. */
  parallel?: string | URL;
  /** Seed of everything random that the guest may ask for; default 0. */
  seed?: number;
  /** What the real-time clock shows at power-on; default 2024-01-01T00:00:00Z, so that runs are alike. */
  startTime?: Date | string | number;
  /**
   * How instructions are executed; results do not depend on it, and a snapshot may be continued with another one.
   * `"auto"`, the default, interprets first and translates what runs often; the others are for tests and measurements.
   */
  tier?: Tier;
  /** What a triple fault does: `"reset"`, as on a PC (the default), or `"stop"`. */
  onTripleFault?: "reset" | "stop";
  /** What a reset that the guest asks for does: `"reset"` (the default) or `"stop"`. */
  onReset?: "reset" | "stop";
  /** Keyboard layout that the guest is set to: `"us"` (the default), `"uk"`, `"de"`, `"fr"`. */
  layout?: string;
  /** Guest time that waits take at most, unless they say otherwise; default `"60s"`. */
  timeout?: Duration;
  /** Host time that any one wait takes at most; default `"10m"`. */
  watchdog?: Duration;
  /**
   * Keeps guest time from running ahead of the host's, for guests that a person uses: a `sleep 10` then takes ten
   * seconds, and a login prompt waits as long as it says. Has no influence on what the guest does. Default false.
   */
  realTime?: boolean;
  /** Continues where a snapshot was taken. The machine is the snapshot's; images are its images unless given here. */
  snapshot?: Snapshot | string | URL;
  /** Stops booting; the promise is rejected with the signal's reason. */
  signal?: AbortSignal;
}

/** What options are when they are not given. */
export const DEFAULTS = {
  memory: "128M",
  cpu: DEFAULT_MODEL_NAME,
  layout: "us",
  timeout: "60s",
  watchdog: "10m",
} as const;

const OPTIONS: readonly string[] = [
  ...DRIVES,
  ...("memory cpu boot kernel initrd append firmware vgaBios parallel seed startTime tier onTripleFault onReset layout " +
    "timeout watchdog realTime snapshot signal").split(" "),
];

/** Options with files read and quantities understood. */
export interface Settings {
  readonly machine: MachineSettings;
  readonly images: { readonly [drive in Drive]?: ImageSettings };
  /** How instructions are executed: no part of what the machine is. */
  readonly cpu: CpuOptions;
  readonly parallel?: string;
  readonly snapshot?: Snapshot;
}

async function readFile(file: FileInput, what: string, signal?: AbortSignal): Promise<Uint8Array> {
  if (file instanceof Uint8Array) return file;
  const path = pathOf(file);
  try {
    return await Deno.readFile(path, { signal });
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    if (error instanceof Deno.errors.NotFound) throw new ImageError(`${what}: file not found: ${path}`);
    throw new ImageError(`${what}: cannot read ${path}: ${error instanceof Error ? error.message : error}`);
  }
}

function imageSettings(input: ImageInput, drive: string): ImageSettings {
  const plain = typeof input === "string" || input instanceof URL || input instanceof Uint8Array;
  const options: ImageOptions = plain ? { image: input } : input;
  checkOptions(options, ["image", "write", "readOnly"], drive);
  const { image, write = "overlay", readOnly = false } = options;
  oneOf(write, ["overlay", "through"], `${drive}: write`);
  if (write === "through" && image instanceof Uint8Array) {
    throw new OptionError(`${drive}: only files can be written through`);
  }
  return { source: image instanceof Uint8Array ? image : pathOf(image), write, readOnly };
}

/** BIOS images come in multiples of this many bytes. */
const FIRMWARE_UNIT = 0x10000;

const BOOT_LETTERS: Record<string, BootDevice> = { a: "floppy", c: "disk", d: "cdrom" };
const BOOT_NAMES: readonly BootDevice[] = ["floppy", "disk", "cdrom"];

function bootOrder(boot: string | readonly string[]): BootDevice[] {
  const listed = typeof boot === "string" ? boot.split(",") : boot;
  const isLetters = typeof boot === "string" && /^[acd]+$/.test(boot);
  return isLetters ? [...boot].map((letter) => BOOT_LETTERS[letter]) : listed.map((name) => {
    const device = BOOT_NAMES.find((known) => known === name.trim());
    if (device !== undefined) return device;
    throw new OptionError(`boot: there is no boot device "${name}"${suggestion(name, BOOT_NAMES)}`);
  });
}

function oneOf(value: string | undefined, known: readonly string[], what: string): void {
  if (value !== undefined && !known.includes(value)) {
    throw new OptionError(`${what}: "${value}" is not possible${suggestion(value, known)}`);
  }
}

function startTime(value: Date | string | number): number {
  const time = new Date(value).getTime();
  if (Number.isNaN(time)) throw new OptionError(`startTime: ${JSON.stringify(value)} is not a date`);
  return time;
}

/** Understands a processor's model and features. */
function processor(text: string): CpuSettings {
  try {
    const { name, features } = parseCpuModel(String(text));
    return { model: name, features: [...features] };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    if (!(error instanceof UnknownCpuError)) throw new OptionError(`cpu: ${error.message}`);
    const near = suggestion(error.unknown, error.known), { kind, unknown } = error;
    throw new OptionError(`cpu: ${near === "" ? error.message : `there is no processor ${kind} "${unknown}"${near}`}`);
  }
}

/** Throws a {@link SnapshotError} if a snapshot's processor has what this version does not know. */
function checkProcessor({ model, features }: CpuSettings): void {
  try {
    cpuModelOf(model, features);
  } catch (error) {
    if (!(error instanceof UnknownCpuError)) throw error;
    throw new SnapshotError(
      error.kind === "model"
        ? `the snapshot's processor is of the model "${error.unknown}", which this version of Bootwright does not know`
        : `the snapshot's processor has the feature "${error.unknown}", which this version of Bootwright does not have`,
    );
  }
}

function checkValues(options: GuestOptions): void {
  checkOptions(options, OPTIONS, "a guest");
  oneOf(options.tier, TIERS, "tier");
  processor(options.cpu ?? DEFAULTS.cpu);
  oneOf(options.onTripleFault, ["reset", "stop"], "onTripleFault");
  oneOf(options.onReset, ["reset", "stop"], "onReset");
  layout(options.layout ?? DEFAULTS.layout);
  parseDuration(options.timeout ?? DEFAULTS.timeout, "timeout");
  parseDuration(options.watchdog ?? DEFAULTS.watchdog, "watchdog");
  const { seed } = options;
  if (seed !== undefined && !(Number.isSafeInteger(seed) && seed >= 0)) {
    throw new OptionError(`seed: ${seed} is not a whole number from 0 on`);
  }
  if (options.cdrom !== undefined && options.hdc !== undefined) {
    throw new OptionError("cdrom and hdc take the same place: use hdd for the disk");
  }
  for (const dependent of ["initrd", "append"] as const) {
    if (options[dependent] !== undefined && options.kernel === undefined) {
      throw new OptionError(`${dependent} needs a kernel`);
    }
  }
  if (options.vgaBios !== undefined && options.firmware === undefined) throw new OptionError("vgaBios needs firmware");
}

/** Options that say what the machine is, and therefore do not go with a snapshot. */
const MACHINE_OPTIONS = [
  "memory",
  "cpu",
  "boot",
  "kernel",
  "initrd",
  "append",
  "firmware",
  "vgaBios",
  "seed",
  "startTime",
  "onTripleFault",
  "onReset",
] as const;

/** Understands `options` and reads the files that are needed as a whole. */
export async function settingsOf(options: GuestOptions): Promise<Settings> {
  checkValues(options);
  const { signal } = options;
  signal?.throwIfAborted();
  const images: { [drive in Drive]?: ImageSettings } = {};
  for (const drive of DRIVES) {
    const image = options[drive];
    if (image !== undefined) images[drive] = imageSettings(image, drive);
  }
  const cpu: CpuOptions = { tier: options.tier };
  const parallel = options.parallel === undefined ? undefined : pathOf(options.parallel);
  if (options.snapshot !== undefined) {
    const fixed = MACHINE_OPTIONS.find((name) => options[name] !== undefined);
    if (fixed !== undefined) {
      throw new OptionError(`${fixed} does not go with a snapshot: the machine is the snapshot's`);
    }
    const snapshot = options.snapshot instanceof Snapshot ? options.snapshot : await Snapshot.open(options.snapshot);
    checkProcessor(snapshot.contents.settings.cpu);
    return {
      machine: snapshot.contents.settings,
      images: { ...snapshot.contents.images, ...images },
      cpu,
      parallel,
      snapshot,
    };
  }
  return { machine: await machineSettings(options), images, cpu, parallel };
}

async function machineSettings(options: GuestOptions): Promise<MachineSettings> {
  const { signal } = options;
  const read = async (name: "kernel" | "initrd" | "firmware" | "vgaBios") => {
    const file = options[name];
    return file === undefined ? undefined : await readFile(file, name, signal);
  };
  const [kernel, initrd, bios, vgaBios] = [
    await read("kernel"),
    await read("initrd"),
    await read("firmware"),
    await read("vgaBios"),
  ];
  if (bios !== undefined && (bios.length === 0 || bios.length % FIRMWARE_UNIT !== 0)) {
    throw new ImageError(`firmware: a BIOS image is a multiple of 64 KiB, this one has ${bios.length} bytes`);
  }
  return {
    memory: parseSize(options.memory ?? DEFAULTS.memory, "memory"),
    cpu: processor(options.cpu ?? DEFAULTS.cpu),
    ...(options.boot === undefined ? {} : { boot: bootOrder(options.boot) }),
    ...(kernel === undefined ? {} : {
      kernel: {
        image: kernel,
        ...(initrd === undefined ? {} : { initrd }),
        ...(options.append === undefined ? {} : { append: options.append }),
      },
    }),
    ...(bios === undefined ? {} : { firmware: { bios, ...(vgaBios === undefined ? {} : { vgaBios }) } }),
    seed: options.seed ?? 0,
    ...(options.startTime === undefined ? {} : { startTime: startTime(options.startTime) }),
    onTripleFault: options.onTripleFault ?? "reset",
    onReset: options.onReset ?? "reset",
  };
}
