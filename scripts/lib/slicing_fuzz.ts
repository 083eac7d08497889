/**
 * Runs random code on the bare processor, interpreted in one go and in some other way (tier, slices), and compares what
 * came out: the state must depend on how many instructions ran and on nothing else. A scenario says what the code is;
 * interrupts and NMIs arrive at instruction counts that the seed decides.
 */
import { PROCESSOR_FRONT } from "../../lib/cpu/interpreter/layout.ts";
import { decode, disassemble, newInstruction } from "../../lib/cpu/decode/mod.ts";
import { Cpu } from "../../lib/cpu/cpu.ts";
import type { CpuOptions } from "../../lib/cpu/options.ts";
import { S, Seg } from "../../lib/cpu/state.ts";
import { Hasher } from "../../lib/machine/hash.ts";
import { PhysicalMemory } from "../../lib/machine/memory.ts";
import { parseCpuModel } from "../../lib/cpu/system/model.ts";
import type { ProcessorBus } from "../../lib/machine/processor.ts";
import { encodeState } from "../../lib/machine/state.ts";
import type { StateValue } from "../../lib/machine/types.ts";
import { noise } from "./noise_scenario.ts";
import { programs } from "./program_scenario.ts";
import { Random } from "./random.ts";
import { DEVICE_PHYSICAL, INTERRUPT_VECTOR, PLAYGROUND, RAM, type Scenario, TABLE } from "./scenario.ts";

/** Regions under stress. */
const STRESSED: CpuOptions = { tier: "regions", stress: { tlbEntries: 8, evictEvery: 5 } };

/** How a case is run. */
export interface Manner {
  readonly name: string;
  /** Slice lengths in turn. Default: one go. */
  readonly slices?: readonly number[];
  /** Every cache is dropped between slices. */
  readonly dropCaches?: boolean;
  /** How the processor executes. */
  readonly cpu?: CpuOptions;
}

/** The processor and what it is wired to. */
class Bench {
  readonly memory = new PhysicalMemory({ ram: RAM, extra: 0x10000, ...PROCESSOR_FRONT });
  readonly cpu: Cpu;
  /** Port and device accesses, with their instruction counts, in order. */
  log: number[] = [];
  #start: Record<string, unknown>;
  #floatingPoint = -1;
  readonly #scenario: Scenario;

  constructor(scenario: Scenario, options: CpuOptions) {
    this.#scenario = scenario;
    const { memory, log } = this;
    memory.mapRam(0, RAM, 0);
    const respond = (port: number) => {
      const { instructions } = this.cpu;
      this.#note(1, port, instructions);
      return Math.imul(port + 1, 0x9e3779b1) + Math.imul(instructions + 1, 0x85ebca6b);
    };
    const receive = (port: number, value: number) => {
      this.#note(2, port, value >>> 0, this.cpu.instructions);
      this.#act(port & 7, value);
    };
    memory.mapMmio(DEVICE_PHYSICAL, 0x1000, {
      read: (address, size) => (respond(address & 0xfff) >>> 0) % 2 ** (8 * size),
      write: (address, value) => receive(address & 0xfff, value),
    });
    const bus: ProcessorBus = {
      memory,
      ioRead: (port, size) => (respond(port) >>> 0) % 2 ** (8 * size),
      ioWrite: receive,
      acknowledge: () => {
        this.#note(3, this.cpu.instructions);
        this.cpu.setInterruptLine(false);
        return INTERRUPT_VECTOR;
      },
      timestamp: () => this.cpu.cycles,
      timeScale: { skipped: 0, ns: 1, instructions: 1 },
      floatingPointError: (pending) => {
        // Now it waits for an interrupt, now it goes on. How often a waiting processor asks is nobody's business.
        const { instructions } = this.cpu, asked = pending ? instructions : -1 - instructions;
        if (asked !== this.#floatingPoint) this.#note(4, pending ? 1 : 0, instructions);
        this.#floatingPoint = asked;
        return (instructions & 1) !== 0;
      },
    };
    this.cpu = new Cpu(bus, { cpuModel: parseCpuModel("max"), ...options });
    log.length = 0;
    this.#start = this.cpu.save();
  }

  #note(...what: number[]): void {
    if (this.log.length < 4096) this.log.push(...what);
  }

  /** What a write to a port or the device page does. */
  #act(action: number, value: number): void {
    const { cpu, memory } = this;
    if (action === 1) cpu.setInterruptLine(true);
    else if (action === 2) cpu.raiseNmi();
    else if (action === 3) cpu.requestBreak();
    else if (action === 4) {
      // DMA into code or data.
      memory.write(PLAYGROUND + (value & 0xfff), new Uint8Array([value, value >>> 8, value >>> 16, value >>> 24]));
    } else if (action === 5) memory.write32(TABLE + (value & 0xffc), (value & 0x1f000) | (value >>> 24 & 0x67));
    else if (action === 6) cpu.setInterruptLine(false);
  }

  /** Sets a case up. */
  prepare(seed: number): void {
    const { cpu, memory } = this;
    memory.bytes.fill(0, 0, RAM);
    memory.noteWrite(0, RAM);
    cpu.load(structuredClone(this.#start));
    cpu.forgetCode();
    this.log = [];
    this.#floatingPoint = -1;
    this.#scenario.prepare(cpu, memory, new Random(seed));
    cpu.flushTlb();
    cpu.modeChanged();
  }

  /** Runs until `end` instructions have retired; interrupts come at counts that `seed` decides. */
  run(seed: number, end: number, { slices = WHOLE, dropCaches }: Manner): void {
    const random = new Random(~seed), drops = new Random(seed), { cpu } = this;
    let turn = 0;
    for (let from = 0; from < end && !this.stopped;) {
      const to = Math.min(end, from + 1 + random.below(this.#scenario.gap));
      while (cpu.instructions < to && !this.stopped) {
        if (cpu.halted) cpu.raiseNmi();
        const length = slices[turn++ % slices.length];
        const result = cpu.run(Math.min(length, to - cpu.instructions));
        if (result === "shutdown") this.#note(5, cpu.instructions), this.stopped = true;
        if (dropCaches) {
          cpu.load(cpu.save());
          if (drops.oneIn(2)) cpu.forgetCode();
        }
      }
      if (cpu.instructions >= to && to < end) {
        if (random.oneIn(5)) cpu.raiseNmi();
        else cpu.setInterruptLine(true);
      }
      from = to;
    }
  }
  stopped = false;

  /** Everything that must be equal. */
  state(): { [name: string]: StateValue } {
    return { ...this.cpu.save() as { [name: string]: StateValue }, log: this.log };
  }

  fingerprint(): string {
    const hasher = new Hasher();
    hasher.add(encodeState(this.state()));
    hasher.addPages(this.memory.bytes.subarray(0, RAM));
    return hasher.digest();
  }
}

/** A case whose outcome depended on how it was run. */
export interface Difference {
  readonly seed: number;
  /** Instructions after which the states differ for the first time. */
  readonly instructions: number;
  /** The last instructions before that, as interpreted: what ran translated can be any of its block. */
  readonly trace: readonly string[];
  /** Fields that differ: name, value as interpreted in one go, value in the other manner. */
  readonly fields: readonly string[];
}

const WHOLE: readonly number[] = [2 ** 28];
const REFERENCE: Manner = { name: "interpreted in one go" };

/** What can be run. */
export const SCENARIOS: readonly Scenario[] = [noise, programs(16), programs(32), programs(64)];

/** Instructions that are shown before a difference. */
const TRACE = 12;

/** Manners that tell most. */
export const MANNERS: readonly Manner[] = [
  { name: "interpreted in slices of 1", slices: [1], cpu: { tier: "interpreter" } },
  { name: "interpreted in slices of 7", slices: [7], cpu: { tier: "interpreter" } },
  { name: "interpreted in odd slices", slices: [3, 1, 64, 2, 17], cpu: { tier: "interpreter" } },
  {
    name: "interpreted with nothing cached between slices",
    slices: [5, 90, 1],
    dropCaches: true,
    cpu: { tier: "interpreter" },
  },
  { name: "in one-instruction regions", cpu: { tier: "single" } },
  { name: "in regions", cpu: { tier: "regions" } },
  { name: "in regions and odd slices", slices: [3, 1, 64, 2, 17], cpu: { tier: "regions" } },
  { name: "in regions that are evicted, with a tiny TLB", cpu: STRESSED },
  { name: "translated at random", cpu: { tier: "auto", stress: { compileSeed: 1 } } },
];

/** Compares a manner with interpretation in one go, case by case. */
export class SlicingFuzzer {
  readonly #benches: readonly [Bench, Bench];
  readonly #manner: Manner;

  constructor(scenario: Scenario, manner: Manner) {
    this.#manner = manner;
    this.#benches = [new Bench(scenario, { tier: "interpreter" }), new Bench(scenario, manner.cpu ?? {})];
  }

  /** Runs case `seed` for `instructions` in both manners; returns the first difference, or null. */
  compare(seed: number, instructions: number): Difference | null {
    if (this.#equal(seed, instructions)) return null;
    let equal = 0, different = instructions;
    while (different - equal > 1) {
      const middle = (equal + different) >> 1;
      if (this.#equal(seed, middle)) equal = middle;
      else different = middle;
    }
    const trace: string[] = [];
    for (let at = Math.max(0, equal - TRACE); at <= equal; at++) {
      this.#equal(seed, at);
      trace.push(`${at}  ${this.#place()}`);
    }
    this.#equal(seed, different);
    return { seed, instructions: different, trace, fields: this.#differences() };
  }

  /** Instructions that the last run retired. */
  get retired(): number {
    return this.#benches[0].cpu.instructions;
  }

  #equal(seed: number, instructions: number): boolean {
    this.#benches.forEach((bench, i) => {
      bench.prepare(seed);
      bench.stopped = false;
      bench.run(seed, instructions, i === 0 ? REFERENCE : this.#manner);
    });
    return this.#benches[0].fingerprint() === this.#benches[1].fingerprint();
  }

  #place(): string {
    const { cpu, memory } = this.#benches[0], mode = cpu.r.i32(S.MODE) & 0xff;
    const linear = cpu.r.ip + cpu.r.segmentBase(Seg.CS);
    const where = `${cpu.r.selector(Seg.CS).toString(16)}:${cpu.r.ip.toString(16)} mode ${mode.toString(16)}: `;
    if (linear >= RAM) return `${where}not in RAM`;
    const bytes = memory.bytes.subarray(linear, linear + 15), instruction = newInstruction();
    decode(bytes, 0, bytes.length, cpu.r.codeSize, instruction);
    const shown = bytes.subarray(0, Math.max(1, instruction.length)).toHex();
    return `${where}${shown.padEnd(20)} ${disassemble(instruction, cpu.r.ip)}`;
  }

  #differences(): string[] {
    const [one, other] = this.#benches, a = one.state(), b = other.state();
    const shown = Object.keys(a).filter((name) => text(a[name]) !== text(b[name])).map((name) =>
      `${name}: ${text(a[name])} / ${text(b[name])}`
    );
    for (let at = 0; at < RAM && shown.length < 20; at += 4) {
      const x = one.memory.view.getUint32(at, true), y = other.memory.view.getUint32(at, true);
      if (x !== y) shown.push(`memory ${at.toString(16)}: ${x.toString(16)} / ${y.toString(16)}`);
    }
    return shown;
  }
}

function text(value: StateValue): string {
  if (ArrayBuffer.isView(value) || Array.isArray(value)) {
    return Array.from(value as unknown as Iterable<number | bigint>, (v) => v.toString(16)).join(" ");
  }
  return typeof value === "number" ? value.toString(16) : String(value);
}
