/** Puts a guest together: machine, media, far ends of its lines; and takes it apart into what a snapshot keeps. */
import { cpuModelOf } from "../cpu/system/model.ts";
import { ImageError, type OverlayContent, type OverlayDisk } from "../disk/mod.ts";
import type { Raster, RasterOptions, TextScreen } from "../devices/vga/mod.ts";
import { KernelError } from "../firmware/loaders/errors.ts";
import { ByteFile } from "../host/byte_file.ts";
import { Stopwatch } from "../host/stopwatch.ts";
import type { MachineConfig } from "../machine/config.ts";
import { Hasher } from "../machine/hash.ts";
import type { KeyboardInput, MouseInput, SerialInput } from "../machine/inputs.ts";
import { Machine } from "../machine/machine.ts";
import { encodeState, StateError } from "../machine/state.ts";
import type { BlockBackend } from "../machine/types.ts";
import type { GuestExit, GuestMachine } from "./context.ts";
import { OptionError, SnapshotError } from "./errors.ts";
import { fingerprint, type Medium, openMedium } from "./media.ts";
import type { Settings } from "./options.ts";
import { type Drive, DRIVES } from "./settings.ts";
import type { SnapshotContents } from "./snapshot.ts";
import { Transcript } from "./transcript.ts";

/** A guest's parts below the scripting API. */
export interface Assembly {
  readonly machine: GuestMachine;
  /** What was received on each serial line. */
  readonly transcripts: readonly Transcript[];
  /** What was written to the debug port. */
  readonly debug: Transcript;
  reset(): void;
  hash(): string;
  /** Counts by name of what the processor did, see {@link Guest.statistics}. */
  readonly statistics: Readonly<Record<string, number>>;
  save(): SnapshotContents;
  /** Throws {@link SnapshotError} and changes nothing if `contents` does not fit. */
  load(contents: SnapshotContents): void;
  close(): void;
}

const SERIAL_LINES = 2;

/** How a guest ended, in words. */
const ENDINGS: Record<GuestExit["reason"], string> = {
  "power-off": "powered off",
  "debug-exit": "exited",
  shutdown: "crashed with a triple fault",
  reset: "asked for a reset",
};

/** A {@link Machine} as the scripting API sees it. */
class RealMachine implements GuestMachine {
  readonly #machine: Machine;

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  get now(): number {
    return this.#machine.clock.now;
  }

  get instructions(): number {
    return this.#machine.cpu.instructions;
  }

  get exit(): GuestExit | undefined {
    const exit = this.#machine.exit;
    if (exit === null) return undefined;
    return { reason: exit.reason, ...(exit.value === undefined ? {} : { code: exit.value }) };
  }

  get ended(): string | undefined {
    const { exit } = this;
    if (exit === undefined) return undefined;
    return ENDINGS[exit.reason] + (exit.code === undefined ? "" : ` with code ${exit.code}`);
  }

  run(instructions: number, until: number): boolean {
    return this.#machine.run(instructions, until) !== "halted";
  }

  requestStop(): void {
    this.#machine.requestStop();
  }

  get keyboard(): KeyboardInput {
    return this.#machine.board.keyboard;
  }

  get mouse(): MouseInput {
    return this.#machine.board.mouse;
  }

  get serials(): readonly SerialInput[] {
    return this.#machine.board.serials;
  }

  get displayMode(): string {
    return this.#machine.board.vga.modeName;
  }

  textScreen(): TextScreen | null {
    return this.#machine.board.vga.textScreen();
  }

  rasterize(options?: RasterOptions): Raster {
    return this.#machine.board.vga.rasterize(this.now, options);
  }
}

/** Builds the machine that `settings` describe, with everything plugged in. The machine has not run yet. */
export function assemble(settings: Settings): Assembly {
  const media = openMedia(settings.images);
  let printer: ByteFile | undefined;
  try {
    printer = settings.parallel === undefined ? undefined : new ByteFile(settings.parallel);
    return new GuestAssembly(settings, media, printer);
  } catch (error) {
    for (const medium of media.values()) medium.close();
    printer?.close();
    throw error;
  }
}

function openMedia(images: Settings["images"]): Map<Drive, Medium> {
  const media = new Map<Drive, Medium>();
  try {
    for (const drive of DRIVES) {
      const image = images[drive];
      if (image !== undefined) media.set(drive, openMedium(drive, image));
    }
  } catch (error) {
    for (const medium of media.values()) medium.close();
    throw error;
  }
  return media;
}

/** The machine's own configuration. */
function configure(
  { machine: settings, cpu }: Settings,
  media: ReadonlyMap<Drive, Medium>,
  ends: Pick<MachineConfig, "serial" | "debug" | "parallel" | "compileObserver">,
): MachineConfig {
  const drives: { [drive in Drive]?: BlockBackend } = {};
  for (const [drive, medium] of media) drives[drive] = medium.backend;
  const { kernel, firmware } = settings;
  return {
    ...cpu,
    cpuModel: cpuModelOf(settings.cpu.model, settings.cpu.features),
    memory: settings.memory,
    ...drives,
    ...ends,
    bootOrder: settings.boot,
    firmware: firmware === undefined ? undefined : { kind: "rom", ...firmware },
    kernel: kernel === undefined
      ? undefined
      : { image: kernel.image, initrd: kernel.initrd, commandLine: kernel.append },
    seed: settings.seed,
    startTime: settings.startTime,
    onTripleFault: settings.onTripleFault,
    onReset: settings.onReset,
  };
}

class GuestAssembly implements Assembly {
  readonly machine: GuestMachine;
  readonly transcripts: readonly Transcript[];
  readonly debug: Transcript = new Transcript();
  readonly #machine: Machine;
  readonly #settings: Settings;
  readonly #media: ReadonlyMap<Drive, Medium>;
  readonly #printer: ByteFile | undefined;
  readonly #compiling = new Stopwatch();

  constructor(settings: Settings, media: ReadonlyMap<Drive, Medium>, printer: ByteFile | undefined) {
    this.#settings = settings;
    this.#media = media;
    this.#printer = printer;
    this.transcripts = Array.from({ length: SERIAL_LINES }, () => new Transcript());
    const config = configure(settings, media, {
      serial: this.transcripts,
      debug: this.debug,
      parallel: printer && { print: (byte) => printer.write(byte) },
      compileObserver: this.#compiling,
    });
    try {
      this.#machine = new Machine(config);
    } catch (error) {
      // The machine checks its configuration itself; what it refuses came from an option.
      if (error instanceof KernelError) throw new ImageError(`kernel: ${error.message}`, { cause: error });
      throw error instanceof RangeError ? new OptionError(error.message, { cause: error }) : error;
    }
    this.machine = new RealMachine(this.#machine);
  }

  reset(): void {
    this.#machine.reset();
  }

  get statistics(): Readonly<Record<string, number>> {
    const { total, longest } = this.#compiling;
    return {
      ...this.#machine.cpu.statistics,
      "compile time (ms)": Math.round(total),
      "longest compilation (ms)": Math.round(longest),
    };
  }

  hash(): string {
    const hasher = new Hasher();
    hasher.add(new TextEncoder().encode(this.#machine.hash()));
    for (const [drive, { overlay }] of this.#media) {
      if (overlay !== undefined) hasher.add(encodeState({ drive, ...overlay.save() }));
    }
    return hasher.digest();
  }

  save(): SnapshotContents {
    const through = [...this.#media].find(([, medium]) => medium.writeThrough);
    if (through !== undefined) {
      throw new SnapshotError(
        `${through[0]} is written through to its file: a snapshot cannot hold what is written there`,
      );
    }
    const disks: { [drive in Drive]?: OverlayContent } = {};
    const fingerprints: { [drive in Drive]?: string } = {};
    for (const [drive, medium] of this.#media) {
      fingerprints[drive] = fingerprint(medium);
      if (medium.overlay !== undefined) disks[drive] = medium.overlay.save();
    }
    return {
      settings: this.#settings.machine,
      images: this.#settings.images,
      fingerprints,
      machine: this.#machine.save(),
      disks,
      serials: this.transcripts.map((transcript) => transcript.save()),
      debug: this.debug.save(),
    };
  }

  load(contents: SnapshotContents): void {
    this.#checkMedia(contents);
    if (contents.serials.length !== this.transcripts.length) {
      throw new SnapshotError(
        `the snapshot has ${contents.serials.length} serial lines, this guest ${this.transcripts.length}`,
      );
    }
    const before = this.#saveDisks();
    try {
      for (const [drive, { overlay }] of this.#media) {
        const disk = contents.disks[drive];
        if (disk !== undefined) overlay?.load(disk);
      }
      this.#machine.load(contents.machine);
    } catch (error) {
      for (const [overlay, content] of before) overlay.load(content);
      if (!(error instanceof StateError || error instanceof ImageError)) throw error;
      throw new SnapshotError(`the snapshot does not fit this guest: ${error.message}`, { cause: error });
    }
    this.transcripts.forEach((transcript, line) => transcript.load(contents.serials[line]));
    this.debug.load(contents.debug);
  }

  close(): void {
    for (const medium of this.#media.values()) medium.close();
    this.#printer?.close();
  }

  #saveDisks(): [OverlayDisk, OverlayContent][] {
    return [...this.#media.values()].flatMap(({ overlay }) => overlay === undefined ? [] : [[overlay, overlay.save()]]);
  }

  #checkMedia(contents: SnapshotContents): void {
    for (const drive of DRIVES) {
      const medium = this.#media.get(drive), expected = contents.fingerprints[drive];
      if ((medium === undefined) !== (expected === undefined)) {
        const [there, missing] = medium === undefined ? ["the snapshot", "this guest"] : ["this guest", "the snapshot"];
        throw new SnapshotError(`${drive}: ${there} has an image, ${missing} has none`);
      }
      if (medium !== undefined && fingerprint(medium) !== expected) {
        throw new SnapshotError(`${drive}: the image is not the one with which the snapshot was taken`);
      }
    }
  }
}
