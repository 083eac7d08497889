/** A machine for tests of this folder: nothing but a clock, a text screen, and actions at given instruction counts. */
import type { Raster, TextScreen } from "../devices/vga/mod.ts";
import type { KeyboardInput, MouseInput } from "../machine/inputs.ts";
import type { GuestContext, GuestExit, GuestMachine } from "./context.ts";
import { Driver, type DriverOptions } from "./driver.ts";
import { loadEmulator } from "./emulator.ts";
import { Transcript } from "./transcript.ts";

const COLUMNS = 80;
const ROWS = 25;

/** One instruction takes 1 ns. While it is {@link halted}, time jumps to the next action. */
export class FakeMachine implements GuestMachine {
  instructions = 0;
  skipped = 0;
  halted = false;
  exit: GuestExit | undefined;
  displayMode = "text 80x25";
  /** The rows of the screen; null stands for a graphics mode. */
  rows: string[] | null = [];
  /** What was done to the keyboard and the mouse: `"+KeyA"`, `"-KeyA"`, `"move 1 2 0"`. */
  readonly inputs: string[] = [];
  /** Instructions after which the guest has read a key. */
  keyReadTime = 1000;
  readonly received: number[] = [];
  readonly transcripts = [new Transcript(), new Transcript()];
  readonly runs: number[] = [];
  #actions: { at: number; action: () => void }[] = [];
  #stop = false;
  #keyReadAt = 0;

  /** Arranges for `action` when `at` instructions have retired (or guest time has come to `at`). */
  at(at: number, action: () => void): this {
    this.#actions.push({ at, action });
    this.#actions.sort((a, b) => a.at - b.at);
    return this;
  }

  /** Sends `text` on serial line `line` from `at` on, one byte each `gap` instructions. */
  sendAt(at: number, text: string, gap = 10, line = 0): this {
    new TextEncoder().encode(text).forEach((byte, index) =>
      this.at(at + index * gap, () => this.transcripts[line].transmit(byte))
    );
    return this;
  }

  get now(): number {
    return this.instructions + this.skipped;
  }

  get ended(): string | undefined {
    return this.exit === undefined ? undefined : "powered off";
  }

  run(instructions: number, until: number): boolean {
    const end = this.instructions + instructions;
    while (this.ended === undefined) {
      const next = this.#actions[0];
      if (next !== undefined && next.at <= this.now) {
        this.#actions.shift();
        next.action();
        continue;
      }
      if (this.#stop) {
        this.#stop = false;
        break;
      }
      if (this.instructions >= end || this.now >= until) break;
      const target = Math.min(next?.at ?? Infinity, until);
      if (this.halted) {
        if (target === Infinity) return false;
        this.skipped += target - this.now;
      } else {
        this.instructions = Math.min(end, target - this.skipped);
      }
    }
    this.runs.push(this.instructions);
    return !this.halted || this.#actions.length > 0;
  }

  requestStop(): void {
    this.#stop = true;
  }

  readonly keyboard: KeyboardInput = ((machine: FakeMachine) => ({
    leds: { scroll: false, num: false, caps: false },
    key(code: string, down: boolean): boolean {
      machine.inputs.push((down ? "+" : "-") + code);
      machine.#keyReadAt = machine.now + machine.keyReadTime;
      return true;
    },
    get unread(): number {
      return machine.now < machine.#keyReadAt ? 1 : 0;
    },
  }))(this);

  readonly mouse: MouseInput = ((machine: FakeMachine) => ({
    unread: 0,
    move(dx: number, dy: number, wheel = 0): void {
      machine.inputs.push(`move ${dx} ${dy} ${wheel}`);
    },
    button(n: number, down: boolean): void {
      machine.inputs.push(`${down ? "+" : "-"}button${n}`);
    },
  }))(this);

  readonly serials = [0, 1].map(() => ({
    unread: 0,
    enqueue: (bytes: Uint8Array): void => {
      this.received.push(...bytes);
    },
  }));

  textScreen(): TextScreen | null {
    const { rows } = this;
    if (rows === null) return null;
    const text = Array.from({ length: ROWS }, (_, row) => (rows[row] ?? "").padEnd(COLUMNS)).join("");
    return {
      columns: COLUMNS,
      rows: ROWS,
      codes: Uint16Array.from(text, (character) => character.charCodeAt(0)),
      attributes: new Uint8Array(COLUMNS * ROWS).fill(7),
      cursor: { row: 1, column: 2, first: 13, last: 14 },
      colors: [],
      blinks: true,
      line: (row) => text.slice(row * COLUMNS, (row + 1) * COLUMNS),
      cell: (row, column) => ({
        character: text[row * COLUMNS + column],
        code: text.charCodeAt(row * COLUMNS + column),
        attribute: 7,
        foreground: 0xaaaaaa,
        background: 0x0000aa,
        blink: false,
      }),
    };
  }

  rasterize(): Raster {
    return { width: 2, height: 1, data: Uint8Array.of(255, 0, 0, 255, 0, 0, this.instructions & 255, 255) };
  }
}

/** The parts of a guest around `machine`, with a timeout of 1 s of guest time. */
export function fakeContext(machine: FakeMachine, options: Partial<DriverOptions> = {}): GuestContext {
  const driver = new Driver(machine, {
    evidence: () => ({
      screen: machine.rows ?? [],
      serials: machine.transcripts.map((transcript) => transcript.text === "" ? [] : transcript.text.split("\n")),
      time: machine.now,
      instructions: machine.instructions,
    }),
    watchdog: 20_000,
    prepare: loadEmulator,
    ...options,
  });
  return { machine, driver, timeout: 1e9 };
}
