/** A guest that follows its case's script, run in slices of any size and in any tier. */
import type { CpuOptions } from "../../lib/cpu/options.ts";
import { assemble, type Assembly } from "../../lib/guest/boot.ts";
import { settingsOf } from "../../lib/guest/options.ts";
import type { SnapshotContents } from "../../lib/guest/snapshot.ts";
import type { GuestCase } from "./guest_cases.ts";

/** Slice lengths that are used in turn. */
export type Slices = readonly number[];

/** A way to run a guest that must not matter. */
export interface Way {
  /** Default: no slices at all. */
  readonly slices?: Slices;
  /** How the processor executes. Default: as it likes. */
  readonly cpu?: CpuOptions;
}

/** One run is as good as any: no slices at all. */
const WHOLE: Slices = [Infinity];

/** Longest that a guest without anything to do may go on sleeping between two instructions: rounds of many events. */
const MOST_IDLE_ROUNDS = 100;

/** A guest that follows its case's script. */
export class Subject {
  readonly assembly: Assembly;
  readonly #test: GuestCase;
  readonly #slices: Slices;
  /** The instruction count up to which inputs have been applied. */
  #applied = -1;

  private constructor(test: GuestCase, assembly: Assembly, slices: Slices) {
    this.#test = test;
    this.assembly = assembly;
    this.#slices = slices;
  }

  /** A new guest, switched on, or where the case's snapshot was taken. */
  static async boot(test: GuestCase, { cpu, slices = WHOLE }: Way = {}): Promise<Subject> {
    const settings = await settingsOf(test.options);
    const subject = new Subject(test, assemble({ ...settings, cpu: { ...settings.cpu, ...cpu } }), slices);
    if (settings.snapshot !== undefined) subject.load(settings.snapshot.contents);
    return subject;
  }

  get instructions(): number {
    return this.assembly.machine.instructions;
  }

  /** Puts the guest to where a run of the same case ended. */
  load(contents: SnapshotContents): void {
    this.assembly.load(contents);
    this.#applied = this.instructions - 1;
  }

  /** Runs up to instruction `end`; inputs come when they are due. Stops early if the guest has ended or sleeps for good. */
  run(end: number, slices = this.#slices): void {
    const { machine } = this.assembly;
    let turn = 0, idle = 0;
    while (machine.instructions < end && machine.ended === undefined && idle < MOST_IDLE_ROUNDS) {
      const now = machine.instructions;
      for (const input of this.#test.inputs) if (input.at === now && now > this.#applied) this.#apply(input);
      this.#applied = now;
      const next = this.#test.inputs.reduce((least, { at }) => at > now && at < least ? at : least, end);
      const going = machine.run(Math.min(slices[turn++ % slices.length], next - now), Infinity);
      if (!going) return;
      idle = machine.instructions === now ? idle + 1 : 0;
    }
  }

  #apply(input: GuestCase["inputs"][number]): void {
    const { machine } = this.assembly;
    if ("serial" in input) machine.serials[0].enqueue(new TextEncoder().encode(input.serial));
    else machine.keyboard.key(input.key, input.down);
  }

  [Symbol.dispose](): void {
    this.assembly.close();
  }
}
