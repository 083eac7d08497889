/** What the board needs from a processor, and what a processor needs from the board. */
import type { AccessSize } from "./types.ts";
import type { PhysicalMemory } from "./memory.ts";

/** Why {@link Processor.run} returned. */
export type RunResult =
  /** The instruction budget is used up, or {@link Processor.requestBreak} was called. */
  | "budget"
  /** HLT with nothing to wake it: time may jump to the next event. */
  | "halted"
  /** Triple fault: a PC resets, unless the machine is told to stop. */
  | "shutdown";

/** The local APIC as its processor sees it: what is reached by other ways than its registers in memory. */
export interface ProcessorApic {
  /** IA32_APIC_BASE. */
  base: number;
  /** IA32_APIC_BASE has it enabled. */
  readonly enabled: boolean;
  /** Its task priority register, of which CR8 is the upper half. */
  taskPriority: number;
  /** IA32_TSC_DEADLINE; 0 while the timer is in another mode. */
  readonly deadline: bigint;
  /** Arms the timer for time-stamp `value`, which {@link ProcessorBus.timestamp} reaches at `at`; 0 disarms it. */
  setDeadline(value: bigint, at: number): void;
}

/** How guest time follows from a processor's cycles: `skipped` + ⌊cycles × `ns` ÷ `instructions`⌋. */
export interface TimeScale {
  readonly skipped: number;
  readonly ns: number;
  readonly instructions: number;
}

/** The board as a processor sees it. */
export interface ProcessorBus {
  /** Absent if the processor has none. */
  readonly localApic?: ProcessorApic;
  readonly memory: PhysicalMemory;
  ioRead(port: number, size: AccessSize): number;
  ioWrite(port: number, value: number, size: AccessSize): void;
  /** The interrupt acknowledge cycle: returns the vector that the local APIC or the 8259 pair gives. */
  acknowledge(): number;
  /**
   * Guest time in nanoseconds is not visible here; RDTSC counts this: cycles since power-on, exact to the current
   * instruction.
   */
  timestamp(): number;
  /** How {@link timestamp} follows from {@link Processor.cycles}; does not change while {@link Processor.run} runs. */
  readonly timeScale: TimeScale;
  /**
   * The FERR# pin: an x87 exception that is not masked holds up an instruction with CR0.NE clear, or no longer does. A PC
   * raises IRQ 13.
   *
   * @returns the IGNNE# pin: true lets the instruction run all the same.
   */
  floatingPointError(pending: boolean): boolean;
}

/** A processor as the board sees it. */
export interface Processor {
  /** Counts by name for who tunes the processor: no result depends on them. */
  readonly statistics?: Readonly<Record<string, number>>;
  /**
   * Instructions retired since power-on, exact even in the middle of a bus access. A REP iteration counts as one, and so does
   * the entry into the handler of a fault or an interrupt.
   */
  readonly instructions: number;
  /** Cycles since power-on: one for each instruction, and those in which PAUSE waited. Guest time runs by them. */
  readonly cycles: number;
  /** Runs until `budget` cycles have passed, which is at most as many instructions. */
  run(budget: number): RunResult;
  /** The INTR pin, level-sensitive, driven by the local APIC or the 8259 pair. */
  setInterruptLine(level: boolean): void;
  /** One edge on the NMI pin. */
  raiseNmi(): void;
  /** The A20 gate: false masks address bit 20. */
  setA20(enabled: boolean): void;
  /** Makes {@link run} return after the instruction that is executing now; called when an earlier event was scheduled. */
  requestBreak(): void;
  /** RESET pin: everything to the power-up state, execution continues at F000:FFF0. */
  reset(): void;
  /** True while the processor waits in HLT. */
  readonly halted: boolean;
  /** The whole architectural state as a plain record (registers as numbers or bigints), for snapshots and hashes. */
  save(): Record<string, unknown>;
  /**
   * Puts a state written by {@link save} back. If memory has changed by other means than writes to it, that must have been
   * reported to its watcher where it held code, and `remapped` must have been called.
   */
  load(state: Record<string, unknown>): void;
}
