/**
 * Puts our processor into the state of a vector, runs one instruction, and reads the state back.
 *
 * The case runs at privilege level 3 in a small protected environment below 64 KiB, so that an exception switches to a stack
 * of its own and leaves the case's memory alone: GDT, IDT, TSS, page tables for 64-bit code, and one HLT for each vector.
 */
import { PROCESSOR_FRONT } from "../../lib/cpu/interpreter/layout.ts";
import type { CodeSize, Instruction } from "../../lib/cpu/decode/mod.ts";
import { Cpu } from "../../lib/cpu/cpu.ts";
import type { CpuOptions } from "../../lib/cpu/options.ts";
import { Access } from "../../lib/cpu/registers.ts";
import { physicalTags, stackTags } from "../../lib/cpu/fpu/tags.ts";
import { definitionName } from "../../lib/cpu/semantics/mod.ts";
import { definitionOf } from "../../lib/cpu/semantics/registry.ts";
import { CR0, CR4, EFER, Flag, R, S, Seg } from "../../lib/cpu/state.ts";
import { parseCpuModel } from "../../lib/cpu/system/model.ts";
import { PhysicalMemory } from "../../lib/machine/memory.ts";
import type { ProcessorBus } from "../../lib/machine/processor.ts";
import { CODE_BASE, CODE_OFFSET, DATA_BASE, PAGE, type ProcessorState, type VectorCase } from "./vectors.ts";

/** Something that can run vectors. */
export interface VectorTarget {
  /** False if the processor has no definition of the case's instruction and does not pretend to. */
  supports(test: VectorCase, instruction: Instruction): boolean;
  /** Puts the processor into the state before the instruction. */
  setState(test: VectorCase): void;
  /** Runs the instruction (all repetitions of a string instruction); returns the exception that it raised, or "". */
  runOne(instruction: Instruction): string;
  /** The processor's state after {@link runOne}. */
  readState(): ProcessorState;
}

/** Makes a target that runs on a processor with these options, which has everything unless they say otherwise. */
export function newVectorTarget(options: CpuOptions): VectorTarget {
  return new VectorMachines({ cpuModel: parseCpuModel("max"), ...options });
}

const MEGABYTE = 0x10_0000;

/** Where the environment lies. */
const GDT = 0x1000, IDT = 0x2000, TSS = 0x4000, HANDLERS = 0x5000, STACK_TOP = 0x7000, PAGE_TABLES = 0x8000;
const HANDLER_SIZE = 16, VECTORS = 32;
const TSS_SIZE = 0x68;
const HLT = 0xf4;

/** Selectors: kernel code (32 and 64 bits), kernel stack, then user code and data. */
const KERNEL_CODE = 0x08, KERNEL_CODE_64 = 0x10, KERNEL_DATA = 0x18, USER_CODE = 0x23, USER_DATA = 0x2b, TASK = 0x30;

const CODE_ACCESS = Access.PRESENT | Access.S | Access.CODE | Access.READ_WRITE | Access.ACCESSED;
const DATA_ACCESS = Access.PRESENT | Access.S | Access.READ_WRITE | Access.ACCESSED;
const BUSY_TSS = Access.PRESENT | 0xb;
const INTERRUPT_GATE = 0x8e00;

const EXCEPTION_NAMES = [
  ..."#DE #DB NMI #BP #OF #BR #UD #NM #DF coprocessor #TS #NP #SS #GP #PF vector15 #MF #AC #MC #XM".split(" "),
];
/** Vectors that push an error code. Intel SDM vol. 3A, table 6-1. */
const WITH_ERROR_CODE = new Set([8, 10, 11, 12, 13, 14, 17]);

/** More repetitions than any case has. */
const REPETITION_LIMIT = 0x1_0000;

/** User code may not use the gate of INT3: it raises #GP with this error code. */
const INT3 = 0xcc, INT3_CODE = 3 << 3 | 2;

/** Runs each code size on a processor of its own, so that a case only has to set what the one before it changed. */
class VectorMachines implements VectorTarget {
  readonly #machines = new Map<CodeSize, VectorMachine>();
  #current: VectorMachine | null = null;
  readonly #options: CpuOptions;

  constructor(options: CpuOptions) {
    this.#options = options;
  }

  supports(_test: VectorCase, instruction: Instruction): boolean {
    if (instruction.mnemonic.startsWith("ud")) return true;
    return (definitionOf(definitionName(instruction)) ?? definitionOf(instruction.mnemonic)) !== undefined;
  }

  setState(test: VectorCase): void {
    let machine = this.#machines.get(test.codeSize);
    if (machine === undefined) {
      machine = new VectorMachine(test.codeSize, this.#options);
      this.#machines.set(test.codeSize, machine);
    }
    this.#current = machine;
    machine.setState(test);
  }

  runOne(instruction: Instruction): string {
    return this.#machine.runOne(instruction);
  }

  readState(): ProcessorState {
    return this.#machine.readState();
  }

  get #machine(): VectorMachine {
    if (this.#current === null) throw new Error("no case was set");
    return this.#current;
  }
}

class VectorMachine {
  readonly #memory = new PhysicalMemory({ ram: MEGABYTE, extra: 0, ...PROCESSOR_FRONT });
  readonly #cpu: Cpu;
  readonly #codeSize: CodeSize;
  /** The case goes on behind its instruction, or raises an exception: it does not jump. */
  #straight = false;
  #errorCode = 0;

  constructor(codeSize: CodeSize, options: CpuOptions) {
    this.#codeSize = codeSize;
    this.#memory.mapRam(0, MEGABYTE, 0);
    const bus: ProcessorBus = {
      memory: this.#memory,
      ioRead: (_port, size) => size === 4 ? 0xffffffff : size === 2 ? 0xffff : 0xff,
      ioWrite: () => {},
      acknowledge: () => 0,
      timestamp: () => 0,
      timeScale: { skipped: 0, ns: 0, instructions: 1 },
      floatingPointError: () => false,
    };
    this.#cpu = new Cpu(bus, options);
    this.#setEnvironment(codeSize === 64);
  }

  setState(test: VectorCase): void {
    const r = this.#cpu.r;
    this.#setSegments();
    this.#setRegisters(test.before);
    r.setI32(S.HALTED, 0);
    this.#straight = test.exception !== "" || test.after.ip === CODE_OFFSET + test.code.length;
    this.#memory.write(DATA_BASE, test.before.data);
    this.#memory.write(CODE_BASE, test.before.code);
    this.#cpu.modeChanged();
  }

  runOne(instruction: Instruction): string {
    return this.#straight ? this.#runThrough() : this.#step(instruction);
  }

  /** Runs on to the INT3 behind the instruction, so that both are translated as they are in programs. */
  #runThrough(): string {
    this.#cpu.run(REPETITION_LIMIT);
    const exception = this.#takeException();
    const stopped = exception === "#GP" && this.#errorCode === INT3_CODE && this.#memory.read8(this.#linearIp) === INT3;
    return stopped ? "" : exception;
  }

  #step(instruction: Instruction): string {
    const cpu = this.#cpu, start = cpu.r.ip;
    for (let runs = 0; runs < REPETITION_LIMIT; runs++) {
      cpu.run(1);
      const exception = this.#takeException();
      if (exception !== "" || instruction.repeat === "" || cpu.r.ip !== start) return exception;
    }
    return "";
  }

  readState(): ProcessorState {
    const r = this.#cpu.r, count = this.#codeSize === 64 ? 16 : 8, top = r.i32(S.FTOP);
    const codeBase = this.#codeSize === 16 ? 0 : CODE_BASE;
    const data = new Uint8Array(PAGE), code = new Uint8Array(PAGE);
    this.#memory.read(DATA_BASE, data);
    this.#memory.read(CODE_BASE, code);
    return {
      gpr: Array.from({ length: count }, (_, i) => r.get64(i)),
      flags: r.eflags,
      ip: r.ip - codeBase,
      fcw: r.i32(S.FCW),
      fsw: r.i32(S.FSW) | top << 11,
      ftw: physicalTags(r.i32(S.FTW), top),
      st: Array.from({ length: 8 }, (_, i) => {
        const at = S.X87 + ((top + i) & 7) * 16;
        return BigInt(r.u16(at + 8)) << 64n | r.u64(at);
      }),
      mxcsr: r.i32(S.MXCSR),
      xmm: Array.from({ length: count }, (_, i) => r.u64(S.XMM + i * 32 + 8) << 64n | r.u64(S.XMM + i * 32)),
      data,
      code,
    };
  }

  get #linearIp(): number {
    return this.#cpu.r.ip + (this.#codeSize === 16 ? CODE_BASE : 0);
  }

  /** If the handler of an exception was entered, goes back to the interrupted state and names the exception. */
  #takeException(): string {
    const r = this.#cpu.r, selector = r.selector(Seg.CS);
    if (selector !== KERNEL_CODE && selector !== KERNEL_CODE_64) return "";
    const vector = Math.floor((r.ip - HANDLERS) / HANDLER_SIZE), long = selector === KERNEL_CODE_64;
    const width = long ? 8 : 4;
    const stackTop = r.number(S.GPR + R.SP * 8), hasCode = WITH_ERROR_CODE.has(vector);
    this.#errorCode = hasCode ? this.#memory.read32(stackTop) : 0;
    const frame = stackTop + (hasCode ? width : 0);
    const value = (index: number) => this.#memory.read32(frame + index * width);
    r.ip = value(0);
    r.eflags = value(2);
    const stack = BigInt(value(3)) | (long ? BigInt(this.#memory.read32(frame + 3 * width + 4)) << 32n : 0n);
    r.set64(R.SP, stack);
    return EXCEPTION_NAMES[vector] ?? `vector ${vector}`;
  }

  #descriptor(selector: number, base: number, limit: number, access: number): void {
    const at = GDT + (selector & ~7);
    this.#memory.write32(at, base << 16 | limit & 0xffff);
    this.#memory.write32(at + 4, base & 0xff000000 | base >>> 16 & 0xff | limit & 0xf0000 | access << 8);
  }

  #setEnvironment(long: boolean): void {
    const memory = this.#memory, r = this.#cpu.r;
    const flat = Access.GRANULARITY | Access.BIG;
    this.#descriptor(KERNEL_CODE, 0, 0xfffff, CODE_ACCESS | flat);
    this.#descriptor(KERNEL_CODE_64, 0, 0xfffff, CODE_ACCESS | Access.GRANULARITY | Access.LONG);
    this.#descriptor(KERNEL_DATA, 0, 0xfffff, DATA_ACCESS | flat);
    this.#descriptor(USER_CODE, 0, 0xfffff, CODE_ACCESS | Access.DPL | flat);
    this.#descriptor(USER_DATA, 0, 0xfffff, DATA_ACCESS | Access.DPL | flat);
    this.#descriptor(TASK, TSS, TSS_SIZE - 1, BUSY_TSS);
    memory.write32(GDT + TASK + 8, 0);
    memory.write32(GDT + TASK + 12, 0);
    for (let vector = 0; vector < VECTORS; vector++) {
      const handler = HANDLERS + vector * HANDLER_SIZE, gate = IDT + vector * (long ? 16 : 8);
      memory.write8(handler, HLT);
      memory.write32(gate, (long ? KERNEL_CODE_64 : KERNEL_CODE) << 16 | handler);
      memory.write32(gate + 4, INTERRUPT_GATE);
      if (long) {
        memory.write32(gate + 8, 0);
        memory.write32(gate + 12, 0);
      }
    }
    // ESP0 and SS0, or RSP0, which both lie at offset 4; the I/O bitmap is beyond the limit.
    memory.write32(TSS + 4, STACK_TOP);
    memory.write32(TSS + 8, long ? 0 : KERNEL_DATA);
    memory.write16(TSS + 0x66, TSS_SIZE);
    r.setNumber(S.GDTR_BASE, GDT);
    r.setI32(S.GDTR_LIMIT, TASK + 15);
    r.setNumber(S.IDTR_BASE, IDT);
    r.setI32(S.IDTR_LIMIT, VECTORS * (long ? 16 : 8) - 1);
    r.setNumber(S.CR0, CR0.PE | CR0.MP | CR0.ET | CR0.NE | CR0.WP | (long ? CR0.PG >>> 0 : 0));
    r.setNumber(S.CR4, CR4.OSFXSR | CR4.OSXMMEXCPT | (long ? CR4.PAE : 0));
    r.setNumber(S.EFER, long ? EFER.LME | EFER.LMA : 0);
    if (long) this.#setPageTables();
    this.#cpu.flushTlb();
  }

  /** One 2 MiB page for user and supervisor at linear address 0. */
  #setPageTables(): void {
    const TABLE = 7, LARGE_PAGE = 0x87;
    for (let level = 0; level < 3; level++) {
      const next = PAGE_TABLES + (level + 1) * PAGE;
      this.#memory.write32(PAGE_TABLES + level * PAGE, level === 2 ? LARGE_PAGE : next | TABLE);
      this.#memory.write32(PAGE_TABLES + level * PAGE + 4, 0);
    }
    this.#cpu.r.setNumber(S.CR3, PAGE_TABLES);
  }

  #setSegments(): void {
    const r = this.#cpu.r, small = this.#codeSize === 16;
    const limit = small ? 0xffff : 0xffffffff, size = small ? 0 : Access.BIG | Access.GRANULARITY;
    const code = this.#codeSize === 64 ? Access.LONG | Access.GRANULARITY : size;
    r.setSegment(Seg.CS, USER_CODE, small ? CODE_BASE : 0, limit, CODE_ACCESS | Access.DPL | code);
    for (const segment of [Seg.ES, Seg.SS, Seg.DS, Seg.FS, Seg.GS]) {
      r.setSegment(segment, USER_DATA, small ? DATA_BASE : 0, limit, DATA_ACCESS | Access.DPL | size);
    }
    r.setSegment(Seg.TR, TASK, TSS, TSS_SIZE - 1, BUSY_TSS);
    r.setI32(S.CPL, 3);
  }

  #setRegisters(before: ProcessorState): void {
    const r = this.#cpu.r;
    for (const [i, value] of before.gpr.entries()) r.set64(i, value);
    r.eflags = before.flags & ~Flag.IF;
    r.ip = before.ip + (this.#codeSize === 16 ? 0 : CODE_BASE);
    const top = before.fsw >> 11 & 7;
    r.setI32(S.FCW, before.fcw);
    r.setI32(S.FSW, before.fsw & ~(7 << 11));
    r.setI32(S.FTOP, top);
    r.setI32(S.FTW, stackTags(before.ftw, top));
    for (const [i, value] of before.st.entries()) {
      const at = S.X87 + ((top + i) & 7) * 16;
      r.setU64(at, BigInt.asUintN(64, value));
      r.setU16(at + 8, Number(value >> 64n));
    }
    r.setI32(S.MXCSR, before.mxcsr);
    for (const [i, value] of before.xmm.entries()) {
      r.setU64(S.XMM + i * 32, BigInt.asUintN(64, value));
      r.setU64(S.XMM + i * 32 + 8, value >> 64n);
    }
  }
}
