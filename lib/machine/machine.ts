/**
 * A whole PC: processor, memory, devices, and the loop that runs them in step. Synchronous and deterministic: the same
 * configuration and the same inputs at the same instruction counts give the same machine, however the run is sliced.
 */
import { Cpu } from "../cpu/cpu.ts";
import { defaultCpuModel } from "../cpu/system/model.ts";
import { checkClockState, type ClockState } from "./clock.ts";
import type { MachineConfig } from "./config.ts";
import type { KeyboardInput, MouseInput, SerialInput } from "./inputs.ts";
import type { Processor, ProcessorBus } from "./processor.ts";
import type { Device, DeviceState, StateValue } from "./types.ts";
import { Hasher, isZeroPage } from "./hash.ts";
import { FrameFlag, PAGE_SIZE } from "./memory.ts";
import { Pc } from "./pc.ts";
import { checkState, copyState, encodeState, restoreState, StateError } from "./state.ts";

/** Why {@link Machine.run} returned. */
export type StopReason =
  /** The instructions asked for have been executed. */
  | "instructions"
  /** The time asked for has been reached. */
  | "time"
  /** {@link Machine.requestStop} was called. */
  | "requested"
  /** The processor sleeps, and many events have passed without waking it. Time moved on; run again to go on waiting. */
  | "idle"
  /** The processor sleeps and nothing can wake it any more, except an input from outside. */
  | "halted"
  /** The guest has reset itself many times, which takes much longer than instructions do; run again to go on. */
  | "resets"
  | MachineExit["reason"];

/** How a machine came to its end. It runs no further until {@link Machine.reset}. */
export type MachineExit = {
  /**
   * `power-off`: by ACPI or APM. `debug-exit`: a write to the debug-exit port. `shutdown`: triple fault; `reset`: the guest
   * asked for a reset, both only where the configuration says to stop.
   */
  reason: "power-off" | "debug-exit" | "shutdown" | "reset";
  /** `debug-exit`: the value written. */
  value?: number;
  /** `debug-exit`: the exit status that QEMU's isa-debug-exit would give, `(value << 1) | 1`. */
  code?: number;
};

/** Part of a saved machine that describes the machine itself, so that a mismatch can be told. */
export type SavedConfig = {
  memory: number;
  /** The processor model's name, and all its features. */
  cpu: string;
  features: string[];
  firmware: string;
  drives: string[];
  ns: number;
  instructions: number;
};

/** Everything that {@link Machine.load} needs. Plain data. */
export interface SavedMachine {
  readonly version: number;
  readonly config: SavedConfig;
  readonly devices: { readonly [name: string]: { readonly version: number; readonly state: DeviceState } };
  readonly cpu: DeviceState;
  readonly clock: DeviceState;
  readonly machine: DeviceState;
  /** The linear memory (RAM, then ROM and video memory): pages that are not all zero. */
  readonly memory: {
    /** Numbers of the pages, ascending. */
    readonly pages: Uint32Array;
    /** Their contents, 4096 bytes each, in the same order. */
    readonly data: Uint8Array;
  };
}

/** Version of {@link SavedMachine}. */
const VERSION = 1;
/** Events without an instruction between them after which a sleeping machine is called idle. */
const IDLE_EVENTS = 4096;
/** Guest time in ns that a reset by the guest takes: a POST is not for nothing, and waits for a guest in a reset loop end. */
const RESET_TIME = 100e6;
/** Resets by the guest after which a run ends. */
const RESETS = 8;
/** Bytes of code that count as one piece when those are looked for that a restored state changes. */
const COMPARED = 32;
/** Longest undisturbed run in instructions; fits a 32-bit budget. */
const MAX_BUDGET = 0x3fffffff;

/** A PC of the i440FX generation. */
export class Machine {
  /** What the machine was made of. */
  readonly config: MachineConfig;
  /** The processor. */
  readonly cpu: Processor;
  /** The board: every device by its own type. */
  readonly board: Pc;
  readonly #state: { exit: MachineExit | null; resetPending: boolean } = { exit: null, resetPending: false };
  #stopRequested = false;
  #idleEvents = 0;
  #idleSince = -1;

  /**
   * Builds the machine and switches it on.
   *
   * @param config what the machine is made of.
   * @param createProcessor makes the processor for a bus; default: a {@link Cpu}.
   * @throws RangeError if the configuration makes no sense; KernelError if its kernel cannot be loaded.
   */
  constructor(
    config: MachineConfig,
    createProcessor: (bus: ProcessorBus) => Processor = (bus) => new Cpu(bus, config),
  ) {
    this.config = config;
    this.board = new Pc(config, createProcessor, {
      exit: (exit) => this.#exit(exit),
      reset: () => this.#guestReset(),
      debugByte: (byte) => config.debug?.transmit(byte),
    });
    this.cpu = this.board.cpu;
    this.reset();
  }

  /** Guest-physical memory. */
  get memory(): Pc["memory"] {
    return this.board.memory;
  }

  /** Guest time. */
  get clock(): Pc["clock"] {
    return this.board.clock;
  }

  /** The I/O ports. */
  get ports(): Pc["ports"] {
    return this.board.ports;
  }

  /** The keyboard. */
  get keyboard(): KeyboardInput {
    return this.board.keyboard;
  }

  /** The mouse. */
  get mouse(): MouseInput {
    return this.board.mouse;
  }

  /** COM1 and COM2. */
  get serials(): readonly SerialInput[] {
    return this.board.serials;
  }

  /** The display adapter. */
  get vga(): Pc["vga"] {
    return this.board.vga;
  }

  /** Every device by its name. */
  get devices(): ReadonlyMap<string, Device> {
    return this.board.devices;
  }

  /** How the machine came to its end; null while it can run. */
  get exit(): MachineExit | null {
    return this.#state.exit;
  }

  /**
   * Runs the machine until `instructions` more instructions have been executed, until the clock shows `until` (ns), or
   * until something else ends the run.
   */
  run(instructions: number, until = Infinity): StopReason {
    const { cpu, clock } = this;
    const end = cpu.instructions + instructions;
    let asleepForGood = false;
    let resets = 0;
    for (;;) {
      if (this.#state.resetPending) {
        clock.clear();
        clock.skipTo(clock.now + RESET_TIME);
        this.#restart();
        if (++resets === RESETS) return "resets";
      }
      this.#dispatch();
      if (this.#state.exit !== null) return this.#state.exit.reason;
      if (this.#stopRequested) {
        this.#stopRequested = false;
        return "requested";
      }
      const remaining = end - cpu.instructions;
      if (remaining <= 0) return "instructions";
      if (clock.now >= until) return asleepForGood ? "halted" : "time";
      if (cpu.halted && !this.board.interruptPending) {
        const stop = this.#sleep(Math.min(clock.nextDue, until));
        if (stop !== null) return stop;
        continue;
      }
      const limit = Math.min(clock.nextDue, until);
      const before = cpu.instructions;
      clock.sliceEnd = limit;
      const result = cpu.run(Math.min(remaining, Math.max(1, clock.instructionsUntil(limit)), MAX_BUDGET));
      clock.sliceEnd = -Infinity;
      if (result === "shutdown") {
        if (this.config.onTripleFault === "stop") this.#state.exit = { reason: "shutdown" };
        else this.#state.resetPending = true;
      } else if (result === "halted" && cpu.instructions === before && this.board.interruptPending) {
        // An interrupt is waiting and HLT goes on: interrupts are disabled. Time passes all the same.
        asleepForGood = true;
        const stop = until === Infinity ? "halted" : this.#sleep(limit);
        if (stop !== null) return stop;
      }
    }
  }

  /** Ends the current run (or the next one, if none is under way) after the instruction or event that is executing. */
  requestStop(): void {
    this.#stopRequested = true;
    this.cpu.requestBreak();
  }

  /** Presses the reset button. RAM keeps its contents, as on a PC; time goes on. */
  reset(): void {
    this.#state.exit = null;
    this.#restart();
  }

  /** A fingerprint of everything that the guest's future depends on except its disks: equal machines, equal hashes. */
  hash(): string {
    const hasher = new Hasher();
    const { memory, ...rest } = this.#describe();
    hasher.add(encodeState(rest));
    hasher.addPages(memory);
    return hasher.digest();
  }

  /** The whole machine as plain data that shares nothing with it. Media contents are not part of it. */
  save(): SavedMachine {
    const { memory, ...rest } = this.#describe();
    const words = new Int32Array(memory.buffer, memory.byteOffset, memory.length >>> 2);
    const numbers: number[] = [];
    for (let page = 0; page < memory.length / PAGE_SIZE; page++) if (!isZeroPage(words, page)) numbers.push(page);
    const data = new Uint8Array(numbers.length * PAGE_SIZE);
    numbers.forEach((page, i) => data.set(memory.subarray(page * PAGE_SIZE, (page + 1) * PAGE_SIZE), i * PAGE_SIZE));
    const copy = copyState(rest as unknown as StateValue) as unknown as Omit<SavedMachine, "memory">;
    return { ...copy, memory: { pages: Uint32Array.from(numbers), data } };
  }

  /**
   * Puts a state written by {@link save} back, by a machine of the same configuration. Everything is checked first: if the
   * state does not fit, the machine stays as it was.
   *
   * @throws StateError naming the field that does not fit.
   */
  load(saved: SavedMachine): void {
    this.#check(saved);
    const { board, clock, cpu } = this;
    for (const [name, device] of board.devices) restoreState(device.state, saved.devices[name].state);
    restoreState(this.#state, saved.machine);
    restoreState(clock.state, saved.clock);
    this.#loadMemory(saved);
    cpu.load(copyState(saved.cpu));
    clock.restored();
    for (const device of board.devices.values()) device.restored?.();
    this.#stopRequested = false;
    this.#idleSince = -1;
  }

  #describe(): Omit<SavedMachine, "memory"> & { memory: Uint8Array } {
    const devices: { [name: string]: { version: number; state: DeviceState } } = {};
    for (const [name, { version, state }] of this.board.devices) devices[name] = { version, state };
    return {
      version: VERSION,
      config: this.#savedConfig(),
      devices,
      cpu: this.cpu.save() as DeviceState,
      clock: this.clock.state,
      machine: this.#state,
      memory: this.memory.bytes,
    };
  }

  #savedConfig(): SavedConfig {
    const { config, clock } = this;
    const drives = (["fda", "fdb", "hda", "hdb", "hdc", "hdd", "cdrom"] as const).flatMap((drive) => {
      const medium = config[drive];
      return medium === undefined ? [] : [medium === null ? `${drive}=empty` : `${drive}=${medium.size}`];
    });
    const model = config.cpuModel ?? defaultCpuModel, firmware = config.firmware?.kind ?? "builtin";
    return { memory: config.memory, cpu: model.name, features: [...model.features], firmware, drives, ...clock.rate };
  }

  #check(saved: SavedMachine): void {
    if (saved.version !== VERSION) {
      throw new StateError(`this is a machine of format version ${saved.version}; version ${VERSION} is understood`);
    }
    const own = this.#savedConfig();
    checkFeatures(own.features, saved.config.features);
    for (const key of Object.keys(own) as (keyof SavedConfig)[]) {
      const expected = String(own[key]), found = String(saved.config[key]);
      if (expected !== found) {
        throw new StateError(`config.${key}: this machine has ${expected}, the saved one ${found}`);
      }
    }
    for (const [name, device] of this.board.devices) {
      const found = saved.devices[name];
      if (found === undefined) throw new StateError(`devices.${name}: missing`);
      if (found.version !== device.version) {
        throw new StateError(`devices.${name}: version ${found.version}, this machine has version ${device.version}`);
      }
      checkState(device.state, found.state, `devices.${name}`);
    }
    for (const name of Object.keys(saved.devices)) {
      if (!this.board.devices.has(name)) throw new StateError(`devices.${name}: this machine has no such device`);
    }
    checkState(this.clock.state, saved.clock, "clock");
    checkState(this.#state, saved.machine, "machine");
    checkState(this.cpu.save() as DeviceState, saved.cpu, "cpu");
    checkClockState(saved.clock as ClockState, (saved.cpu.instructions ?? 0) as number);
    const { pages, data } = saved.memory;
    if (data.length !== pages.length * PAGE_SIZE) {
      throw new StateError(`memory: ${pages.length} pages, but ${data.length} bytes`);
    }
    const count = this.memory.bytes.length / PAGE_SIZE;
    for (const page of pages) if (page >= count) throw new StateError(`memory: page ${page} of ${count}`);
  }

  /** What the processor derived from code stays good where the code does: only other code is reported. */
  #loadMemory(saved: SavedMachine): void {
    const { bytes } = this.memory, { pages, data } = saved.memory, changed = this.#changedCode(saved);
    let next = 0;
    pages.forEach((page, i) => {
      bytes.fill(0, next, page * PAGE_SIZE);
      bytes.set(data.subarray(i * PAGE_SIZE, (i + 1) * PAGE_SIZE), page * PAGE_SIZE);
      next = (page + 1) * PAGE_SIZE;
    });
    bytes.fill(0, next);
    for (const offset of changed) this.memory.noteWrite(offset, COMPARED);
    this.memory.watcher?.remapped();
  }

  /** Pieces of {@link COMPARED} bytes in frames that hold code that are different in `saved`, by their offset. */
  #changedCode({ memory: { pages, data } }: SavedMachine): number[] {
    const { bytes, frameFlags } = this.memory, changed: number[] = [];
    let i = 0;
    for (let frame = 0; frame < frameFlags.length; frame++) {
      if ((frameFlags[frame] & FrameFlag.CODE) === 0) continue;
      while (pages[i] < frame) i++;
      const from = pages[i] === frame ? i * PAGE_SIZE : -1, at = frame * PAGE_SIZE;
      for (let k = 0; k < PAGE_SIZE; k++) {
        if (bytes[at + k] === (from < 0 ? 0 : data[from + k])) continue;
        const piece = k - k % COMPARED;
        changed.push(at + piece);
        k = piece + COMPARED - 1;
      }
    }
    return changed;
  }

  /** Handles the events that are due. */
  #dispatch(): void {
    for (let due = this.clock.takeDue(); due !== undefined; due = this.clock.takeDue()) {
      this.board.devices.get(due.device)?.event?.(due.event, due.argument);
    }
  }

  /** The processor sleeps: lets time jump to `next`. Returns a reason to stop, or null. */
  #sleep(next: number): StopReason | null {
    if (next === Infinity) return "halted";
    if (this.#idleSince !== this.cpu.instructions) {
      this.#idleSince = this.cpu.instructions;
      this.#idleEvents = 0;
    }
    if (this.#idleEvents++ >= IDLE_EVENTS) {
      this.#idleEvents = 0;
      return "idle";
    }
    this.clock.skipTo(next);
    return null;
  }

  #exit(exit: MachineExit): void {
    this.#state.exit ??= exit;
    this.cpu.requestBreak();
  }

  #guestReset(): void {
    if (this.config.onReset === "stop") return this.#exit({ reason: "reset" });
    // The processor is in the middle of the instruction that asked for it.
    this.#state.resetPending = true;
    this.cpu.requestBreak();
  }

  #restart(): void {
    this.#state.resetPending = false;
    this.clock.clear();
    this.board.reset();
    this.cpu.reset();
    if (this.config.kernel !== undefined) this.board.startKernel(this.config.kernel);
  }
}

/** Names a feature that only one of two processors has. */
function checkFeatures(own: readonly string[], saved: unknown): void {
  const found: readonly unknown[] = Array.isArray(saved) ? saved : [];
  const missing = found.find((feature) => !own.includes(String(feature)));
  if (missing !== undefined) {
    throw new StateError(`config.features: the saved processor has "${missing}", this machine's does not`);
  }
  const more = own.find((feature) => !found.includes(feature));
  if (more !== undefined) {
    throw new StateError(`config.features: this machine's processor has "${more}", the saved one does not`);
  }
}
