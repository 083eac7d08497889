/** The processor: state, memory management and the run loop around compiled code. */
import type { Processor, ProcessorBus, RunResult } from "../machine/processor.ts";
import { FrameFlag } from "../machine/memory.ts";
import type { CpuCore } from "./core.ts";
import { CodeFinder } from "./code_finder.ts";
import { decode, MAX_LENGTH, newInstruction } from "./decode/mod.ts";
import { DebugUnit } from "./debug_unit.ts";
import { CpuFault, FROZEN } from "./fault.ts";
import type { Block } from "./interpreter/block.ts";
import { BlockCache } from "./interpreter/blocks.ts";
import { InstructionClock } from "./instruction_clock.ts";
import { HandlerRuntime } from "./interpreter/runtime.ts";
import { CPU_BASE, Exit, GUEST_BASE, TLB } from "./interpreter/layout.ts";
import { decoderFor } from "./model_decoder.ts";
import { Mmu, type MmuHost, type WalkResult } from "./mmu.ts";
import type { CpuOptions } from "./options.ts";
import { ProcessorMode } from "./processor_mode.ts";
import { Registers } from "./registers.ts";
import { resetRegisters } from "./reset.ts";
import { RunStatistics } from "./run_statistics.ts";
import { RunningCode } from "./running_code.ts";
import { loadRegisters, saveRegisters } from "./saved_state.ts";
import { CR0, CR4, EFER, Flag, IN_REGION, R, S, Shadow, Vector } from "./state.ts";
import { accessesStack } from "./system/canonical.ts";
import { Dr6, noteDebug } from "./system/debug.ts";
import { deliver } from "./system/interrupts.ts";
import { type CpuModel, defaultCpuModel, flagsOf } from "./system/model.ts";
import { peek, walk } from "./system/paging.ts";
import { LEGACY_TABLE, LONG_TABLE, PAE_TABLE, type TopLevelTable } from "./top_level_tables.ts";
import { Translator } from "./translator/translator.ts";

/** Largest budget of one run. */
const LARGEST_BUDGET = 2 ** 29;

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
  /** A region left an instruction, or the rest of the budget, to the interpreter. */
  #interpretNext = false;
  readonly #fault = new CpuFault();
  /** The region that is being left was about to make an access that raises {@link #fault}. */
  #regionFaulted = false;
  #breakRequested = false;
  #shutdown = false;
  /** User code's accesses must be aligned. */
  #alignment = false;
  /** The exception being raised is due to a non-canonical address. */
  #notCanonical = false;

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
    this.#running = new RunningCode(this.r, state, this.#runtime.leaveSlot);
    this.#clock = new InstructionClock(this.r, this.#running);
    this.#blocks = new BlockCache(
      this.#runtime.library,
      decoderFor(this.model),
      bus.memory,
      state,
      (frame) => this.#mmu.watchFrame(frame, FrameFlag.CODE),
      (frame) => this.#mmu.unwatchFrame(frame, FrameFlag.CODE),
      () => this.#translator?.heat ?? 0,
      options.stress?.recordBytes,
    );
    if (options.tier !== "interpreter") {
      this.#translator = new Translator(
        {
          memory: bus.memory,
          decode: decoderFor(this.model),
          knownCode: (linear) => this.#mmu.known(linear, this.#mode.user),
          linear: (ip) => this.#mode.linear(ip),
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
    this.#breakRequested = true;
    this.#running.leaveAfterCurrent();
  }

  reset(): void {
    this.#running.leaveAfterCurrent();
    const kept = [S.BUDGET, S.STALLED, S.CURRENT, S.EXIT, S.INTERRUPT_LINE, S.EPOCHS, S.EPOCHS + 4].map((
      field,
    ) => [field, this.r.i32(field)]);
    const random = this.r.u64(S.RANDOM);
    resetRegisters(this.r, this.model.signature);
    this.r.setU64(S.RANDOM, random);
    for (const [field, value] of kept) this.r.setI32(field, value);
    this.#shutdown = false;
    this.#debug.update();
    this.#mmu.flush();
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

  get remaining(): number {
    return this.#breakRequested ? 0 : Math.max(0, this.r.i32(S.BUDGET));
  }

  // ---- the run loop

  run(budget: number): RunResult {
    this.#clock.start(Math.min(budget, LARGEST_BUDGET));
    this.#breakRequested = false;
    this.#translator?.compile();
    try {
      return this.#loop();
    } finally {
      this.#clock.finish();
    }
  }

  #loop(): RunResult {
    const r = this.r;
    for (;;) {
      if (r.i32(S.DEBUG_TRAP) !== 0 && r.i32(S.SHADOW) !== Shadow.STACK) this.#debugTrap();
      if (this.#shutdown) return "shutdown";
      if (this.#breakRequested || r.i32(S.BUDGET) <= 0) return "budget";
      if (r.i32(S.SHADOW) === 0 && this.#serviceInterrupts()) continue;
      if (r.i32(S.HALTED) !== 0) return "halted";
      this.#updateAlignment();
      this.#endIdleShadow();
      if ((r.i32(S.EFLAGS) & (Flag.TF | Flag.RF)) !== 0 || r.i32(S.SHADOW) !== 0 || this.#debug.watchesCode) {
        if (!this.#dropResumeFlag()) this.#step();
      } else {
        if (!this.#finder.linking && !this.#interpretNext && this.#resume()) continue;
        this.#execute(r.i32(S.BUDGET));
      }
    }
  }

  /** EFLAGS.AC with CR0.AM makes every unaligned access of user code fault: then none may pass unseen. */
  #updateAlignment(): void {
    const wanted = (this.r.i32(S.EFLAGS) & Flag.AC) !== 0 && (this.r.i32(S.CR0) & CR0.AM) !== 0;
    if (wanted === this.#alignment) return;
    this.#alignment = wanted;
    this.#mmu.refreshAll();
  }

  /**
   * Goes on at RIP through the jump cache; false if nothing ran, because TypeScript must find the block there or cut it to
   * the budget.
   */
  #resume(): boolean {
    const r = this.r, before = r.i32(S.BUDGET);
    r.setI32(S.EXIT, 0);
    this.#runtime.resume(this.#mode.codeMode.flat || this.#mode.wide);
    this.#leave();
    return r.i32(S.BUDGET) !== before;
  }

  /** Enters the handler of a waiting interrupt; false if none may be taken now. */
  #serviceInterrupts(): boolean {
    const r = this.r;
    if (r.i32(S.NMI_PENDING) !== 0 && r.i32(S.NMI_BLOCKED) === 0) {
      r.setI32(S.NMI_PENDING, 0);
      r.setI32(S.NMI_BLOCKED, 1);
      this.#deliver(Vector.NMI, -1, "hardware");
    } else if (r.i32(S.INTERRUPT_LINE) !== 0 && (r.i32(S.EFLAGS) & Flag.IF) !== 0) {
      this.#deliver(this.bus.acknowledge(), -1, "hardware");
    } else return false;
    return true;
  }

  /**
   * Enters a handler. That counts as an instruction: a guest whose handler faults at once, for ever, must not stop time.
   * At least one instruction is left in the budget here, the one that faulted or was about to start.
   */
  #deliver(vector: number, code: number, kind: "exception" | "hardware", address?: number): void {
    if (deliver(this, vector, code, kind, address)) this.consume(1);
    else this.#shutdown = true;
    this.#notCanonical = false;
  }

  /** One instruction, with what only single-stepping can do: traps, breakpoints, RF, the interrupt shadow. */
  #step(): void {
    const r = this.r, flags = r.i32(S.EFLAGS);
    const breaks = (flags & Flag.RF) === 0 && r.i32(S.SHADOW) !== Shadow.STACK;
    if (breaks && this.#debug.codeBreakpoint(this.#mode.linear(r.ip))) {
      return this.#deliver(Vector.DB, -1, "exception");
    }
    r.setI32(S.SHADOW, 0);
    const before = r.i32(S.BUDGET);
    // Interrupts and loads of SS take the single-step trap back.
    if ((flags & Flag.TF) !== 0) r.setI32(S.DEBUG_TRAP, r.i32(S.DEBUG_TRAP) | Dr6.BS);
    // A region might want a larger budget and leave without having done anything: the shadow would be lost.
    this.#interpretNext = true;
    this.#execute(1);
    if (r.i32(S.BUDGET) === before) {
      r.setI32(S.DEBUG_TRAP, r.i32(S.DEBUG_TRAP) & ~Dr6.BS);
      return;
    }
    if ((flags & Flag.RF) !== 0) this.#debug.resumed(flags);
  }

  /**
   * RF keeps code breakpoints from the next instruction, and goes with it. Where there are none, it goes before the instruction,
   * if that cannot show the flag to anybody. Returns false if the instruction must be stepped.
   */
  #dropResumeFlag(): boolean {
    const r = this.r, flags = r.i32(S.EFLAGS);
    if ((flags & Flag.TF) !== 0 || r.i32(S.SHADOW) !== 0 || this.#debug.watchesCode) return false;
    const block = this.#find(r.ip);
    if (block === null) return true;
    if (!block.startsPlainly) return false;
    r.setI32(S.EFLAGS, flags & ~Flag.RF);
    this.#execute(r.i32(S.BUDGET), block);
    return true;
  }

  #debugTrap(): void {
    noteDebug(this.r, this.r.i32(S.DEBUG_TRAP));
    this.r.setI32(S.DEBUG_TRAP, 0);
    // Not counted: the instruction before it has been, and the budget may be used up.
    if (!deliver(this, Vector.DB, -1, "exception")) this.#shutdown = true;
  }

  /** Runs compiled code from RIP for at most `budget` instructions. */
  #execute(budget: number, block = this.#find(this.r.ip)): void {
    if (!block) return;
    const r = this.r, ip = r.ip;
    const total = r.i32(S.BUDGET);
    // What lies beyond `budget` is set aside while the code runs.
    r.setI32(S.BUDGET, Math.max(0, budget - block.count));
    const aside = total - budget;
    this.#clock.setAside(aside);
    const whole = block.count <= budget && (block.region === null || !this.#interpretNext);
    const record = whole
      ? block.record
      : this.#blocks.partial(block, Math.min(block.count, budget), this.#mode.codeMode);
    this.#interpretNext = false;
    r.setNumber(S.BLOCK_IP, ip);
    r.setI32(S.EXIT, 0);
    this.#runtime.enter(record);
    this.#leave();
    r.setI32(S.BUDGET, r.i32(S.BUDGET) + aside);
    this.#clock.setAside(-aside);
  }

  /** Finds or decodes the block at RIP; null if an exception was delivered instead. */
  #find(ip: number): Block | null {
    try {
      return this.#finder.find(ip);
    } catch (fault) {
      if (fault !== this.#fault) throw fault;
      this.#deliver(this.#fault.vector, this.#fault.code, "exception", this.#fault.address);
      return null;
    }
  }

  /** After compiled code has returned: brings RIP, the budget and faults into order. */
  #leave(): void {
    const r = this.r;
    this.#running.returned();
    const fault = r.i32(S.FAULT), exit = r.i32(S.EXIT);
    this.#statistics.exited(fault !== 0 ? 0 : exit);
    if (fault !== 0) {
      if (r.i32(S.CURRENT) === IN_REGION) this.#statistics.unfinishedInRegion(1);
      this.#running.abandon(this.#mode.wide);
      r.setI32(S.FAULT, 0);
      // Delivery is no part of the instruction: a change of mode must not stop a run that has already come back.
      r.setI32(S.CURRENT, 0);
      if (fault === FROZEN + 1) return r.setI32(S.HALTED, 1);
      this.#deliverFault(fault - 1, r.i32(S.FAULT_CODE));
    } else if (exit === Exit.BAIL) {
      const slot = r.i32(S.REGION);
      const site = slot === 0 ? null : this.#translator!.left(slot, r.i32(S.SITE));
      if (site) {
        r.ip = site.ip;
        this.consume(-site.unfinished);
        this.#statistics.unfinishedInRegion(site.unfinished);
      }
      const faulted = this.#regionFaulted;
      this.#regionFaulted = false;
      this.#interpretNext = !site?.done && !faulted;
      if (faulted) this.#deliverFault(this.#fault.vector, this.#fault.code);
    } else if (exit === Exit.HOT) this.#finder.translateHot();
    else if (exit === Exit.LOOKUP) this.#finder.lookedUp(r.i32(S.NEXT));
    else if (exit === Exit.STOP || exit === Exit.LEAVE) this.#running.abandon(this.#mode.wide);
    r.setI32(S.CURRENT, 0);
  }

  /** Delivers an exception of the instruction at RIP. */
  #deliverFault(vector: number, code: number): void {
    const actual = this.#notCanonical ? this.#nonCanonicalVector() : vector;
    this.#deliver(actual, code, "exception", this.#fault.address);
  }

  /** Makes the TLB entry for an access of translated code; false if the interpreter must make the access. */
  fill(linear: number, bytes: number, write: boolean): boolean {
    try {
      return this.#mmu.fill(linear, bytes, write, this.#mode.user);
    } catch (fault) {
      if (fault !== this.#fault) throw fault;
      // The interpreter would see the same, unless it has something to find out about the access before.
      this.#regionFaulted = !this.#alignment && !this.#debug.watchesData;
      return false;
    }
  }

  /** The shadow matters only to what is waiting now: a later interrupt comes after the next instruction. */
  #endIdleShadow(): void {
    const r = this.r;
    if (r.i32(S.SHADOW) === 0 || this.#debug.watchesCode) return;
    if ((r.i32(S.INTERRUPT_LINE) | r.i32(S.NMI_PENDING) | r.i32(S.DEBUG_TRAP)) === 0) r.setI32(S.SHADOW, 0);
  }

  /** After a system function: true if the run loop must look at something before the next instruction. */
  finishSystemFunction(): boolean {
    const r = this.r, flags = r.i32(S.EFLAGS);
    this.#endIdleShadow();
    return (flags & (Flag.TF | Flag.RF | Flag.AC)) !== 0 || this.#alignment || this.#breakRequested || this.#shutdown ||
      r.i32(S.SHADOW) !== 0 || r.i32(S.HALTED) !== 0 || r.i32(S.DEBUG_TRAP) !== 0 || r.i32(S.NMI_PENDING) !== 0 ||
      (r.i32(S.INTERRUPT_LINE) !== 0 && (flags & Flag.IF) !== 0) || this.#debug.watchesCode || r.i32(S.LEAVE) !== 0;
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

  pageFault(address: number, code: number): never {
    this.#fault.address = address;
    this.raise(Vector.PF, code);
  }

  notCanonical(linear: number): never {
    this.#fault.address = linear;
    this.#notCanonical = true;
    this.raise(Vector.GP, 0);
  }

  /** The vector for an access to a non-canonical address by the instruction at RIP: #SS if it went through SS. */
  #nonCanonicalVector(): number {
    const bytes = new Uint8Array(MAX_LENGTH), instruction = newInstruction(), { address } = this.#fault;
    try {
      for (let i = 0; i < bytes.length; i++) this.#finder.read(this.r.ip + i, bytes.subarray(i, i + 1));
    } catch (fault) {
      // What follows the instruction need not be there.
      if (fault !== this.#fault) throw fault;
    }
    decode(bytes, 0, bytes.length, this.#mode.codeMode.code, instruction);
    return accessesStack(instruction, address, this.r.number(S.GPR + R.SP * 8)) ? Vector.SS : Vector.GP;
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
    this.#mmu.forgetRemembered();
    if (this.#mmu.guardsOpen && (r.i32(S.EFLAGS) & Flag.AC) === 0) this.#mmu.closeGuards();
    if (this.#mode.update()) this.#running.leaveAfterCurrent();
  }

  shutdown(): void {
    this.#shutdown = true;
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

  walk(linear: number, write: boolean, user: boolean, execute: boolean): WalkResult {
    return walk(this, linear, write, user, execute);
  }
  peek(linear: number, user: boolean, execute: boolean): WalkResult | null {
    return peek(this, linear, user, execute);
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
  codeMarks(frame: number): number {
    return this.#blocks.marksAddress(frame);
  }
  mappingChanged(user: boolean): void {
    if (!this.#mode.nextEpoch(user)) this.#finder.forgetPlaces();
    if (user === this.#mode.user) this.#running.leaveAfterCurrent();
  }
  accessed(linear: number, bytes: number, write: boolean, user: boolean): void {
    if (this.#alignment && user && (linear & (bytes - 1)) !== 0) this.raise(Vector.AC, 0);
    if (this.#debug.watchesData && this.#debug.dataBreakpoint(linear, bytes, write)) this.#running.leaveAfterCurrent();
  }
  watchesPage(page: number, user: boolean): boolean {
    return (this.#alignment && user) || (this.#debug.watchesData && this.#debug.watchesPage(page));
  }
  get wrapsLinear(): boolean {
    return !this.#mode.wide;
  }
  rootIndex(linear: number): number {
    return this.#topLevelTable.index(linear);
  }
  get entryBytes(): number {
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
    this.#shutdown = false;
    this.#debug.update();
    this.#blocks.forgive();
    this.#finder.forgetPlaces();
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
