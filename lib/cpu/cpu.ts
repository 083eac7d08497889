/** The processor: its parts, its pins, and what they ask of each other. */
import type { Processor, ProcessorBus, RunResult } from "../machine/processor.ts";
import { FrameFlag, PAGE_SHIFT, PAGE_SIZE } from "../machine/memory.ts";
import { CodeFinder } from "./code_finder.ts";
import type { CpuCore } from "./core.ts";
import { DebugUnit } from "./debug_unit.ts";
import { MAX_LENGTH } from "./decode/mod.ts";
import { CpuFault, FROZEN } from "./fault.ts";
import { InstructionClock } from "./instruction_clock.ts";
import { BlockCache } from "./interpreter/blocks.ts";
import { HandlerRuntime } from "./interpreter/runtime.ts";
import { CPU_BASE, GUEST_BASE, TLB } from "./interpreter/layout.ts";
import { decoderFor } from "./model_decoder.ts";
import { Fill, Mmu, type MmuHost, type WalkResult } from "./mmu.ts";
import type { CpuOptions } from "./options.ts";
import { ProcessorMode } from "./processor_mode.ts";
import { Registers } from "./registers.ts";
import { resetRegisters } from "./reset.ts";
import { RunLoop } from "./run_loop.ts";
import { RunStatistics } from "./run_statistics.ts";
import { RunningCode } from "./running_code.ts";
import { loadRegisters, saveRegisters } from "./saved_state.ts";
import { CR0, CR4, EFER, Flag, S, Vector } from "./state.ts";
import { type CpuModel, defaultCpuModel, flagsOf } from "./system/model.ts";
import { attempt, passesTable, peek } from "./system/paging.ts";
import { LEGACY_TABLE, LONG_TABLE, PAE_TABLE, type TopLevelTable } from "./top_level_tables.ts";
import { Translator } from "./translator/translator.ts";

/** Words of the state block that a reset leaves as they are: they belong to the run, not to the processor. */
const KEPT_AT_RESET = [
  ...[S.BUDGET, S.STALLED, S.CURRENT, S.EXIT, S.INTERRUPT_LINE, S.EPOCHS, S.EPOCHS + 4],
  ...[S.TIME_CYCLES, S.TIME_SKIPPED, S.TIME_NS, S.TIME_INSTRUCTIONS].flatMap((field) => [field, field + 4]),
];

/** Largest budget of one run. */
const LARGEST_BUDGET = 2 ** 29;
/** Most cycles of one stall, however fast the processor. */
const LONGEST_STALL = 2 ** 24;

/** One x86 processor. */
export class Cpu implements Processor, CpuCore, MmuHost {
  readonly r: Registers;
  readonly model: CpuModel;
  readonly #mode: ProcessorMode;
  readonly #running: RunningCode;
  readonly #clock: InstructionClock;
  readonly #statistics: RunStatistics;
  readonly #mmu: Mmu;
  readonly #blocks: BlockCache;
  readonly #finder: CodeFinder;
  readonly #runtime: HandlerRuntime;
  readonly #debug: DebugUnit;
  readonly #translator: Translator | null = null;
  #codeWrites = 0;
  readonly #fault = new CpuFault();
  readonly #loop: RunLoop;

  constructor(readonly bus: ProcessorBus, readonly options: CpuOptions = {}) {
    this.model = options.cpuModel ?? defaultCpuModel;
    if (bus.memory.front !== GUEST_BASE) {
      throw new RangeError(`the processor needs ${GUEST_BASE} bytes in front of guest memory, not ${bus.memory.front}`);
    }
    const state = bus.memory.memory;
    this.r = new Registers(state, CPU_BASE, flagsOf(this.model));
    this.#mmu = new Mmu(this, state, bus.memory, options.stress?.tlbEntries);
    this.#mode = new ProcessorMode(this.r);
    this.#statistics = new RunStatistics(state);
    this.#runtime = new HandlerRuntime(this, state);
    this.#running = new RunningCode(this.r, state, this.#runtime.library.leaveSlot);
    this.#clock = new InstructionClock(this.r, this.#running);
    this.#blocks = new BlockCache(
      this.#runtime.library,
      decoderFor(this.model),
      bus.memory,
      state,
      (frame) => this.#mmu.watchFrame(frame, FrameFlag.CODE),
      (frame) => this.#mmu.unwatchFrame(frame, FrameFlag.CODE),
      () => this.#translator?.heat ?? 0,
      () => this.instructions,
      options.stress?.recordBytes,
    );
    if (options.tier !== "interpreter") {
      this.#translator = new Translator(
        {
          memory: bus.memory,
          decode: decoderFor(this.model),
          knownCode: (linear) => this.#mmu.known(linear, this.#mode.user),
          knownData: (linear) => this.#mmu.knownData(linear, this.#mode.user),
          linear: (ip) => this.#mode.linear(ip),
          codeMode: () => this.#mode.codeMode,
          register: (number) => this.r.get32(number),
          instructions: () => this.instructions,
        },
        this.#blocks,
        this.#runtime.regions,
        state,
        options,
      );
    }
    this.#finder = new CodeFinder(this, this.#mode, this.#mmu, this.#blocks, this.#translator, state);
    this.#debug = new DebugUnit(this.r);
    this.#loop = new RunLoop(this, {
      mode: this.#mode,
      mmu: this.#mmu,
      debug: this.#debug,
      blocks: this.#blocks,
      finder: this.#finder,
      runtime: this.#runtime,
      running: this.#running,
      clock: this.#clock,
      translator: this.#translator,
      statistics: this.#statistics,
      fault: this.#fault,
    });
    bus.memory.watcher = this.#mmu.watcher;
    this.r.setU64(S.RANDOM, BigInt(options.seed ?? 0));
    this.reset();
  }

  // ---- pins

  get halted(): boolean {
    return this.r.i32(S.HALTED) !== 0;
  }

  setInterruptLine(level: boolean): void {
    this.r.setI32(S.INTERRUPT_LINE, level ? 1 : 0);
    if (level) this.requestBreak();
  }

  raiseNmi(): void {
    this.r.setI32(S.NMI_PENDING, 1);
    this.requestBreak();
  }

  setA20(enabled: boolean): void {
    this.#mmu.setA20(enabled);
  }

  requestBreak(): void {
    this.#loop.breakRequested = true;
    this.#running.leaveAfterCurrent();
  }

  reset(): void {
    this.#running.leaveAfterCurrent();
    const kept = KEPT_AT_RESET.map((field) => [field, this.r.i32(field)]);
    const random = this.r.u64(S.RANDOM);
    resetRegisters(this.r, this.model.signature);
    this.r.setU64(S.RANDOM, random);
    for (const [field, value] of kept) this.r.setI32(field, value);
    this.#loop.shutdown = false;
    this.#debug.update();
    this.#mmu.flush();
    this.#mmu.forgetRemembered();
    this.r.setI32(S.MODE, -1); // the registers' reset cleared it: no mode, so that it counts as changed
    this.modeChanged();
  }

  /** What happened in this processor since it was made, for who tunes it; no result depends on it. */
  get statistics(): Readonly<Record<string, number>> {
    return {
      ...this.#statistics.executed(this.instructions),
      ...this.#translator?.statistics,
      ...this.#blocks.statistics,
      "writes to code": this.#codeWrites,
      "TLB misses": this.#mmu.misses,
      ...this.#statistics.exits,
    };
  }

  // ---- time

  get instructions(): number {
    return this.#clock.instructions;
  }

  get cycles(): number {
    return this.#clock.cycles;
  }

  consume(count: number): void {
    this.r.setI32(S.BUDGET, this.r.i32(S.BUDGET) - count);
  }

  stall(time: number): void {
    const { ns, instructions } = this.bus.timeScale;
    const cycles = Math.min(LONGEST_STALL, Math.floor(time * instructions / ns));
    this.consume(cycles);
    this.r.setI32(S.STALLED, this.r.i32(S.STALLED) + cycles);
  }

  get remaining(): number {
    return this.#loop.breakRequested ? 0 : Math.max(0, this.r.i32(S.BUDGET));
  }

  // ---- running

  run(budget: number): RunResult {
    this.#clock.start(Math.min(budget, LARGEST_BUDGET), this.bus.timeScale);
    this.#loop.breakRequested = false;
    this.#translator?.compile();
    try {
      return this.#loop.run();
    } finally {
      this.#clock.finish();
    }
  }

  /** Makes the TLB entry for an access of translated code; false if the interpreter must make the access. */
  fill(linear: number, bytes: number, write: boolean): boolean {
    try {
      const filled = this.#mmu.fill(linear, bytes, write, this.#mode.user);
      if (filled === Fill.FAULT) this.#loop.noteRegionFault();
      return filled === Fill.ALLOWED;
    } catch (fault) {
      if (fault !== this.#fault) throw fault;
      this.#loop.noteRegionFault();
      return false;
    }
  }

  /** Makes the TLB entry for an access of a string instruction, if it may be made without asking; what it raises is left to the access. */
  touch(linear: number, write: boolean): void {
    try {
      if (write) this.hostWrite(linear);
      else this.hostRead(linear);
    } catch (fault) {
      if (fault !== this.#fault) throw fault;
      this.#fault.notCanonical = false;
    }
  }

  /** After a system function: true if the run loop must look at something before the next instruction. */
  finishSystemFunction(): boolean {
    return this.#loop.mustTurn();
  }

  /** Offset of the instruction whose record is S.CURRENT. */
  currentIp(): number {
    return this.#running.ip(this.#mode.wide);
  }

  // ---- CpuCore

  raise(vector: number, code = -1): never {
    this.#fault.vector = vector;
    this.#fault.code = code;
    throw this.#fault;
  }

  freeze(): never {
    this.raise(FROZEN);
  }

  notePageFault(address: number, code: number): void {
    this.#fault.vector = Vector.PF;
    this.#fault.code = code;
    this.#fault.address = address;
  }

  raiseNoted(): never {
    throw this.#fault;
  }

  notCanonical(linear: number): never {
    this.#fault.address = linear;
    this.#fault.notCanonical = true;
    this.raise(Vector.GP, 0);
  }

  physicalAddress(address: number): number {
    return this.#mmu.physicalAddress(address);
  }

  /** True if `error` is the exception that {@link raise} throws. */
  isFault(error: unknown): error is CpuFault {
    return error === this.#fault;
  }

  read8(linear: number, user?: boolean): number {
    return this.#mmu.load(linear, 1, this.#rights(linear, 1, false, user));
  }
  read16(linear: number, user?: boolean): number {
    return this.#mmu.load(linear, 2, this.#rights(linear, 2, false, user));
  }
  read32(linear: number, user?: boolean): number {
    return this.#mmu.load(linear, 4, this.#rights(linear, 4, false, user));
  }
  read64(linear: number, user?: boolean): bigint {
    return this.#mmu.load64(linear, this.#rights(linear, 8, false, user));
  }
  write8(linear: number, value: number, user?: boolean): void {
    this.#mmu.store(linear, value, 1, this.#rights(linear, 1, true, user));
  }
  write16(linear: number, value: number, user?: boolean): void {
    this.#mmu.store(linear, value, 2, this.#rights(linear, 2, true, user));
  }
  write32(linear: number, value: number, user?: boolean): void {
    this.#mmu.store(linear, value, 4, this.#rights(linear, 4, true, user));
  }
  write64(linear: number, value: bigint, user?: boolean): void {
    this.#mmu.store64(linear, value, this.#rights(linear, 8, true, user));
  }
  probe(linear: number, bytes: number, write: boolean, user?: boolean): void {
    this.#mmu.probe(linear, bytes, write, this.#rights(linear, bytes, write, user));
  }

  /** With which rights an access is made. EFLAGS.AC does not hold for the processor's own look-ups: SMAP checks them here. */
  #rights(linear: number, bytes: number, write: boolean, user: boolean | undefined): boolean {
    if (user === undefined) return this.#mode.user;
    const { r } = this;
    if (!user && (r.i32(S.CR4) & CR4.SMAP) !== 0 && (r.i32(S.EFLAGS) & Flag.AC) !== 0) {
      const flags = r.i32(S.EFLAGS);
      this.#mmu.closeGuards();
      r.setI32(S.EFLAGS, flags & ~Flag.AC);
      try {
        this.#mmu.probe(linear, bytes, write, false);
      } finally {
        r.setI32(S.EFLAGS, flags);
      }
    }
    return user;
  }
  hostRead(linear: number, user = this.#mode.user): number {
    return this.#mmu.hostRead(linear, user);
  }
  hostWrite(linear: number, user = this.#mode.user): number {
    return this.#mmu.hostWrite(linear, user);
  }

  enterHandler(vector: number, errorCode: number, pushedFlags: number, software: boolean): boolean {
    return this.#runtime.enterHandler(vector, errorCode, pushedFlags, software);
  }

  hostRewrite(linear: number, length: number): number {
    const { user } = this.#mode, { ip } = this.r, host = this.#mmu.hostRewrite(linear, user);
    if (host < 0 || !this.holdsCode(host >>> PAGE_SHIFT, host & (PAGE_SIZE - 1), length)) return host;
    for (const end of [ip, ip + MAX_LENGTH - 1]) {
      const code = this.#mmu.known(this.#mode.linear(end), user);
      if (code < 0 || code >>> PAGE_SHIFT === host >>> PAGE_SHIFT) return -1;
    }
    return host;
  }

  flushTlb(): void {
    this.#mmu.flush();
  }
  switchPageTables(old: number): void {
    if (!this.paging) return;
    const table = this.#topLevelTable;
    this.#mmu.switchTables(table.address(old), table.address(this.r.number(S.CR3)), table);
  }

  modeChanged(): void {
    const r = this.r;
    r.setI32(S.TLB, r.cpl === 3 ? TLB.USER : TLB.SUPERVISOR);
    if (this.#mmu.guardsOpen && (r.i32(S.EFLAGS) & Flag.AC) === 0) this.#mmu.closeGuards();
    if (this.#mode.update()) this.#running.leaveAfterCurrent();
  }

  shutdown(): void {
    this.#loop.shutdown = true;
    this.#running.leaveAfterCurrent();
  }

  portAccessed(port: number, bytes: number): void {
    if (!this.#debug.watchesPorts || (this.r.i32(S.CR4) & CR4.DE) === 0) return;
    if (this.#debug.portBreakpoint(port, bytes)) this.#running.leaveAfterCurrent();
  }

  debugRegistersChanged(): void {
    this.#debug.update();
    this.#mmu.refreshAll();
    this.#running.leaveAfterCurrent();
  }

  // ---- MmuHost

  walk(linear: number, write: boolean, user: boolean, execute: boolean): WalkResult | null {
    return attempt(this, linear, write, user, execute);
  }
  peek(linear: number, user: boolean, execute: boolean): WalkResult | null {
    return peek(this, linear, user, execute);
  }
  passesTable(linear: number, frame: number): boolean {
    return passesTable(this, linear, frame);
  }
  codeWritten(frame: number, offset: number, length: number): void {
    this.#codeWrites++;
    this.#blocks.invalidate(frame, offset, length);
    // A repeated string instruction that changes itself is fetched anew for its next iteration.
    if (this.#running.mayBeVoid) this.#running.leaveAfterCurrent();
  }
  holdsCode(frame: number, offset: number, length: number): boolean {
    return this.#blocks.holdsCode(frame, offset, length);
  }
  expectConstants(frame: number, offset: number, length: number): boolean {
    return this.#blocks.expectConstants(frame, offset, length);
  }
  codeMarks(frame: number): number {
    return this.#blocks.marksAddress(frame);
  }
  mappingChanged(user: boolean): void {
    this.#nextEpoch(user);
    if (user === this.#mode.user) this.#running.leaveAfterCurrent();
  }
  #nextEpoch(user: boolean): void {
    if (!this.#mode.nextEpoch(user)) this.#finder.forgetPlaces();
  }
  accessed(linear: number, bytes: number, write: boolean, user: boolean): void {
    if (this.#loop.alignment && user && (linear & (bytes - 1)) !== 0) this.raise(Vector.AC, 0);
    if (this.#debug.watchesData && this.#debug.dataBreakpoint(linear, bytes, write)) this.#running.leaveAfterCurrent();
  }
  watchesPage(page: number, user: boolean): boolean {
    return (this.#loop.alignment && user) || (this.#debug.watchesData && this.#debug.watchesPage(page));
  }
  get runsUser(): boolean {
    return this.#mode.user;
  }
  get watchesAccesses(): boolean {
    return this.#loop.alignment || this.#debug.watchesData;
  }
  get wrapsLinear(): boolean {
    return !this.#mode.wide;
  }
  rootIndex(linear: number): number {
    return this.#topLevelTable.index(linear);
  }
  get entryBytes(): 4 | 8 {
    return this.#topLevelTable.bytes;
  }
  get #topLevelTable(): TopLevelTable {
    if (this.longMode) return LONG_TABLE;
    return (this.r.i32(S.CR4) & CR4.PAE) !== 0 ? PAE_TABLE : LEGACY_TABLE;
  }

  // ---- snapshots

  save(): Record<string, unknown> {
    return {
      ...saveRegisters(this.r),
      instructions: this.instructions,
      cycles: this.cycles,
      interruptLine: this.r.i32(S.INTERRUPT_LINE) !== 0,
    };
  }

  load(state: Record<string, unknown>): void {
    const { instructions, cycles, interruptLine } = state;
    if (typeof instructions !== "number") throw new TypeError("cpu.instructions: expected a number");
    if (typeof cycles !== "number") throw new TypeError("cpu.cycles: expected a number");
    if (typeof interruptLine !== "boolean") throw new TypeError("cpu.interruptLine: expected true or false");
    loadRegisters(this.r, state);
    this.#statistics.executedElsewhere(instructions - this.instructions);
    this.#clock.set(instructions, cycles);
    this.r.setI32(S.INTERRUPT_LINE, interruptLine ? 1 : 0);
    this.#loop.shutdown = false;
    this.#debug.update();
    this.#blocks.rewrites.clear();
    for (const user of [false, true]) this.#nextEpoch(user);
    this.#mmu.flush();
    this.modeChanged();
  }

  /** Forgets all code that was decoded or translated. No result depends on it. */
  forgetCode(): void {
    this.#translator?.clear();
    this.#finder.forgetBlocks();
  }

  /** True while paging is on. */
  get paging(): boolean {
    return (this.r.i32(S.CR0) & CR0.PG) !== 0;
  }

  /** True in long mode, 64-bit or compatibility. */
  get longMode(): boolean {
    return (this.r.i32(S.EFER) & EFER.LMA) !== 0;
  }
}
