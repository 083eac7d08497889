/**
 * Runs random code on the bare processor, interpreted in one go and in some other way (tier, slices), and compares what
 * came out: the state must depend on how many instructions ran and on nothing else.
 *
 * The code runs in 32-bit protected mode with paging, at privilege level 0 or 3, among handlers that step over what
 * faults. Pages with odd rights, page tables, its own code, a device page and ports are all within its reach; interrupts
 * and NMIs arrive at fixed instruction counts.
 */
import { decode, disassemble, newInstruction } from "../../lib/cpu/decode/mod.ts";
import { Cpu } from "../../lib/cpu/cpu.ts";
import type { CpuOptions } from "../../lib/cpu/options.ts";
import { Access } from "../../lib/cpu/registers.ts";
import { CR0, CR4, Flag, S, Seg } from "../../lib/cpu/state.ts";
import { Hasher } from "../../lib/machine/hash.ts";
import { PhysicalMemory } from "../../lib/machine/memory.ts";
import { parseCpuModel } from "../../lib/cpu/system/model.ts";
import type { ProcessorBus } from "../../lib/machine/processor.ts";
import { encodeState } from "../../lib/machine/state.ts";
import type { StateValue } from "../../lib/machine/types.ts";
import { Random } from "./random.ts";
import { codeBytes } from "./random_code.ts";

const RAM = 0x20_0000;
/** Regions under stress. */
const STRESSED: CpuOptions = { tier: "regions", stress: { tlbEntries: 8, evictEvery: 5 } };
/** Where things lie, linear = physical except where a page table says otherwise. */
const GDT = 0x1000, TSS = 0x1400, IDT = 0x2000, HANDLERS = 0x3000, KERNEL_STACK = 0x5000, USER_STACK = 0x9000;
const DIRECTORY = 0xa000, TABLE = 0xb000;
/** Pages that random code and data fill: rights vary, the first ones are code. */
const PLAYGROUND = 0x10000, PLAYGROUND_PAGES = 16, CODE_PAGES = 4;
/** A device page in the linear address space and its physical address. */
const DEVICE = 0x30000, DEVICE_PHYSICAL = 0x60_0000;
const KERNEL_CODE = 0x08, KERNEL_DATA = 0x10, USER_CODE = 0x1b, USER_DATA = 0x23, TASK = 0x28;
const FLAT = Access.PRESENT | Access.S | Access.READ_WRITE | Access.ACCESSED | Access.BIG | Access.GRANULARITY;
const WITH_ERROR_CODE = new Set([8, 10, 11, 12, 13, 14, 17]);
const INTERRUPT_VECTOR = 0x40;

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
  readonly memory = new PhysicalMemory({ ram: RAM, extra: 0x10000 });
  readonly cpu: Cpu;
  /** Port and device accesses, with their instruction counts, in order. */
  log: number[] = [];
  #start: Record<string, unknown>;
  #floatingPoint = -1;

  constructor(options: CpuOptions) {
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
      timestamp: () => this.cpu.instructions,
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
    const random = new Random(seed), { cpu, memory } = this, { r } = cpu;
    const user = random.oneIn(2);
    memory.bytes.fill(0, 0, RAM);
    memory.noteWrite(0, RAM);
    cpu.load(structuredClone(this.#start));
    this.log = [];
    this.#floatingPoint = -1;
    writeTables(memory);
    writePaging(memory, random);
    for (let page = 0; page < PLAYGROUND_PAGES; page++) {
      memory.write(PLAYGROUND + page * 4096, page < CODE_PAGES ? codeBytes(random, 4096) : random.bytes(4096));
    }
    const [code, data] = user ? [USER_CODE, USER_DATA] : [KERNEL_CODE, KERNEL_DATA];
    const dpl = user ? Access.DPL : 0;
    for (const segment of [Seg.ES, Seg.SS, Seg.DS, Seg.FS, Seg.GS]) {
      r.setSegment(segment, data, 0, 0xffff_ffff, FLAT | dpl);
    }
    r.setSegment(Seg.CS, code, 0, 0xffff_ffff, FLAT | dpl | Access.CODE);
    r.setSegment(Seg.TR, TASK, TSS, 0x67, Access.PRESENT | 0xb);
    r.setI32(S.CPL, user ? 3 : 0);
    r.setNumber(S.GDTR_BASE, GDT);
    r.setI32(S.GDTR_LIMIT, 0xff);
    r.setNumber(S.IDTR_BASE, IDT);
    r.setI32(S.IDTR_LIMIT, 0x7ff);
    r.setNumber(S.CR3, DIRECTORY);
    r.setI32(S.CR4, CR4.PSE | CR4.OSFXSR | (random.oneIn(4) ? 0 : CR4.OSXSAVE));
    r.setNumber(S.XCR0, 3);
    r.setI32(S.CR0, CR0.PE | CR0.PG | CR0.ET | (random.oneIn(2) ? CR0.WP : 0));
    r.eflags = 2 | Flag.IF | (random.oneIn(3) ? Flag.IOPL : 0) | (random.oneIn(6) ? Flag.DF : 0) |
      (random.oneIn(12) ? Flag.TF : 0);
    for (let register = 0; register < 8; register++) r.set32(register, interestingValue(random));
    r.set32(1, random.below(40));
    r.set32(4, user ? USER_STACK - 0x100 : random.oneIn(4) ? interestingValue(random) : KERNEL_STACK + 0x800);
    r.ip = PLAYGROUND + random.below(CODE_PAGES * 4096 - 64);
    cpu.flushTlb();
    cpu.modeChanged();
  }

  /** Runs until `end` instructions have retired; interrupts come at counts that `seed` decides. */
  run(seed: number, end: number, { slices = WHOLE, dropCaches }: Manner): void {
    const random = new Random(~seed), { cpu } = this;
    let turn = 0;
    for (let from = 0; from < end && !this.stopped;) {
      const to = Math.min(end, from + 1 + random.below(120));
      while (cpu.instructions < to && !this.stopped) {
        if (cpu.halted) cpu.raiseNmi();
        const length = slices[turn++ % slices.length];
        const result = cpu.run(Math.min(length, to - cpu.instructions));
        if (result === "shutdown") this.#note(5, cpu.instructions), this.stopped = true;
        if (dropCaches) cpu.load(cpu.save());
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

function interestingValue(random: Random): number {
  const page = PLAYGROUND + random.below(PLAYGROUND_PAGES) * 4096;
  return random.pick([
    page + random.below(4096),
    page + 4096 - random.below(9),
    PLAYGROUND + random.below(CODE_PAGES * 4096),
    TABLE + random.below(1024) * 4,
    DEVICE + random.below(4096),
    DEVICE - random.below(8),
    random.below(256),
    random.u32(),
  ]);
}

function descriptor(memory: PhysicalMemory, selector: number, access: number, base: number, limit: number): void {
  memory.write32(GDT + (selector & 0xf8), ((base & 0xffff) << 16 | limit & 0xffff) >>> 0);
  memory.write32(
    GDT + (selector & 0xf8) + 4,
    ((base & 0xff00_0000) | (access & 0xf0ff) << 8 | limit & 0xf0000 | (base >>> 16) & 0xff) >>> 0,
  );
}

function writeTables(memory: PhysicalMemory): void {
  descriptor(memory, KERNEL_CODE, FLAT | Access.CODE, 0, 0xfffff);
  descriptor(memory, KERNEL_DATA, FLAT, 0, 0xfffff);
  descriptor(memory, USER_CODE, FLAT | Access.CODE | Access.DPL, 0, 0xfffff);
  descriptor(memory, USER_DATA, FLAT | Access.DPL, 0, 0xfffff);
  descriptor(memory, TASK, Access.PRESENT | 0xb, TSS, 0x67);
  memory.write32(TSS + 4, KERNEL_STACK + 0xf00);
  memory.write32(TSS + 8, KERNEL_DATA);
  memory.write16(TSS + 0x66, 0x68);
  for (let vector = 0; vector < 256; vector++) {
    const handler = HANDLERS + vector * 16;
    memory.write32(IDT + vector * 8, (KERNEL_CODE << 16) | (handler & 0xffff));
    memory.write32(IDT + vector * 8 + 4, (handler & 0xffff_0000) | (vector % 3 === 0 ? 0xef00 : 0xee00));
    const faults = vector < 32 && vector !== 1 && vector !== 2 && vector !== 3;
    // add esp,4 for an error code; inc dword [esp] steps over a byte of what faulted; iret.
    memory.write(
      handler,
      new Uint8Array([
        ...(WITH_ERROR_CODE.has(vector) ? [0x83, 0xc4, 4] : []),
        ...(faults ? [0xff, 0x04, 0x24] : []),
        0xcf,
      ]),
    );
  }
}

function writePaging(memory: PhysicalMemory, random: Random): void {
  memory.write32(DIRECTORY, TABLE | 7);
  for (let page = 0; page < RAM / 4096; page++) memory.write32(TABLE + page * 4, page * 4096 | 7);
  for (let page = CODE_PAGES; page < PLAYGROUND_PAGES; page++) {
    const linear = PLAYGROUND / 4096 + page;
    const rights = random.pick([7, 7, 7, 5, 3, 1, 6, 0x67]);
    const frame = random.oneIn(4) ? PLAYGROUND / 4096 + random.below(PLAYGROUND_PAGES) : linear;
    memory.write32(TABLE + linear * 4, frame * 4096 | rights);
  }
  memory.write32(TABLE + DEVICE / 4096 * 4, DEVICE_PHYSICAL | 7);
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

  constructor(manner: Manner) {
    this.#manner = manner;
    this.#benches = [new Bench({ tier: "interpreter" }), new Bench(manner.cpu ?? {})];
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
