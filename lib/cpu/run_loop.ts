/** The run loop around compiled code: what comes before the next instruction, and what to do when compiled code returns. */
import type { RunResult } from "../machine/processor.ts";
import type { CodeFinder } from "./code_finder.ts";
import type { CpuCore } from "./core.ts";
import type { DebugUnit } from "./debug_unit.ts";
import { decode, MAX_LENGTH, newInstruction } from "./decode/mod.ts";
import { isFlatCode } from "./emit/base.ts";
import { type CpuFault, FROZEN } from "./fault.ts";
import type { InstructionClock } from "./instruction_clock.ts";
import type { Block } from "./interpreter/block.ts";
import type { BlockCache } from "./interpreter/blocks.ts";
import { Exit } from "./interpreter/layout.ts";
import type { HandlerRuntime } from "./interpreter/runtime.ts";
import type { Mmu } from "./mmu.ts";
import type { ProcessorMode } from "./processor_mode.ts";
import type { Registers } from "./registers.ts";
import type { RunStatistics } from "./run_statistics.ts";
import type { RunningCode } from "./running_code.ts";
import { CR0, Flag, IN_REGION, R, S, Shadow, Vector } from "./state.ts";
import { accessesStack } from "./system/canonical.ts";
import { Dr6, noteDebug } from "./system/debug.ts";
import { deliver } from "./system/interrupts.ts";
import type { Translator } from "./translator/translator.ts";

/** The parts of a processor that its run loop works with. */
export interface RunLoopParts {
  readonly mode: ProcessorMode;
  readonly mmu: Mmu;
  readonly debug: DebugUnit;
  readonly blocks: BlockCache;
  readonly finder: CodeFinder;
  readonly runtime: HandlerRuntime;
  readonly running: RunningCode;
  readonly clock: InstructionClock;
  readonly translator: Translator | null;
  readonly statistics: RunStatistics;
  /** What the processor raises. */
  readonly fault: CpuFault;
}

/** The run loop of one processor. */
export class RunLoop {
  readonly #core: CpuCore;
  readonly #r: Registers;
  readonly #mode: ProcessorMode;
  readonly #mmu: Mmu;
  readonly #debug: DebugUnit;
  readonly #blocks: BlockCache;
  readonly #finder: CodeFinder;
  readonly #runtime: HandlerRuntime;
  readonly #running: RunningCode;
  readonly #clock: InstructionClock;
  readonly #translator: Translator | null;
  readonly #statistics: RunStatistics;
  readonly #fault: CpuFault;
  /** The run ends before the next instruction. */
  breakRequested = false;
  /** No instruction runs until a reset. */
  shutdown = false;
  /** User code runs, whose accesses must be aligned. */
  alignment = false;
  /** A region left an instruction, or the rest of the budget, to the interpreter. */
  #interpretNext = false;
  /** The region that is being left was about to make an access that raises {@link #fault}. */
  #regionFaulted = false;

  constructor(core: CpuCore, parts: RunLoopParts) {
    this.#core = core;
    this.#r = core.r;
    this.#mode = parts.mode;
    this.#mmu = parts.mmu;
    this.#debug = parts.debug;
    this.#blocks = parts.blocks;
    this.#finder = parts.finder;
    this.#runtime = parts.runtime;
    this.#running = parts.running;
    this.#clock = parts.clock;
    this.#translator = parts.translator;
    this.#statistics = parts.statistics;
    this.#fault = parts.fault;
  }

  /** Runs until the budget is used up, or something ends the run. */
  run(): RunResult {
    const r = this.#r;
    for (;;) {
      if (r.i32(S.DEBUG_TRAP) !== 0 && r.i32(S.SHADOW) !== Shadow.STACK) this.#debugTrap();
      if (this.shutdown) return "shutdown";
      if (this.breakRequested || r.i32(S.BUDGET) <= 0) return "budget";
      if (r.i32(S.SHADOW) === 0 && this.#serviceInterrupts()) continue;
      if (r.i32(S.HALTED) !== 0) return "halted";
      this.#updateAlignment();
      this.#endIdleShadow();
      if ((r.i32(S.EFLAGS) & (Flag.TF | Flag.RF)) !== 0 || r.i32(S.SHADOW) !== 0 || this.#debug.watchesCode) {
        if (!this.#startResumed()) this.#step();
      } else {
        if (!this.#finder.unknown && !this.#interpretNext && this.#resume()) continue;
        this.#execute(r.i32(S.BUDGET));
      }
    }
  }

  /** EFLAGS.AC with CR0.AM makes every unaligned access of user code fault; to the supervisor, AC means something else. */
  #checksAlignment(): boolean {
    const r = this.#r;
    return (r.i32(S.EFLAGS) & Flag.AC) !== 0 && r.cpl === 3 && (r.i32(S.CR0) & CR0.AM) !== 0;
  }

  /** While alignment is checked, no access of user code may pass unseen. */
  #updateAlignment(): void {
    const wanted = this.#checksAlignment();
    if (wanted === this.alignment) return;
    this.alignment = wanted;
    this.#mmu.refreshAll();
  }

  /**
   * Goes on at RIP through the jump cache; false if nothing ran, because TypeScript must find the block there or cut it to
   * the budget.
   */
  #resume(): boolean {
    const r = this.#r, before = r.i32(S.BUDGET);
    this.#beginCompiled();
    this.#runtime.resume(isFlatCode(this.#mode.codeMode));
    this.#leave();
    return r.i32(S.BUDGET) !== before;
  }

  /** Compiled code is about to run: nothing asks it to return. */
  #beginCompiled(): void {
    this.#r.setI32(S.EXIT, 0);
    this.#r.setI32(S.LEAVE, 0);
  }

  /** Enters the handler of a waiting interrupt; false if none may be taken now. */
  #serviceInterrupts(): boolean {
    const r = this.#r;
    if (r.i32(S.NMI_PENDING) !== 0 && r.i32(S.NMI_BLOCKED) === 0) {
      r.setI32(S.NMI_PENDING, 0);
      r.setI32(S.NMI_BLOCKED, 1);
      this.#deliver(Vector.NMI, -1, "hardware");
    } else if (r.i32(S.INTERRUPT_LINE) !== 0 && (r.i32(S.EFLAGS) & Flag.IF) !== 0) {
      this.#deliver(this.#core.bus.acknowledge(), -1, "hardware");
    } else return false;
    return true;
  }

  /**
   * Enters a handler. That counts as an instruction: a guest whose handler faults at once, for ever, must not stop time.
   * At least one instruction is left in the budget here, the one that faulted or was about to start.
   */
  #deliver(vector: number, code: number, kind: "exception" | "hardware", address?: number): void {
    if (deliver(this.#core, vector, code, kind, address)) this.#core.consume(1);
    else this.shutdown = true;
    this.#fault.notCanonical = false;
  }

  /** One instruction, with what only single-stepping can do: traps, breakpoints, RF, the interrupt shadow. */
  #step(): void {
    const r = this.#r, flags = r.i32(S.EFLAGS);
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
  #startResumed(): boolean {
    const r = this.#r;
    if (!this.#mayDropResumeFlag()) return false;
    if (!this.#interpretNext && this.#finder.startsPlainly(r.ip)) {
      this.#dropResumeFlag();
      if (this.#resume()) return true;
    }
    const block = this.#find(r.ip);
    if (block === null) return true;
    if (!block.startsPlainly) return false;
    this.#dropResumeFlag();
    this.#execute(r.i32(S.BUDGET), block);
    return true;
  }

  #mayDropResumeFlag(): boolean {
    return (this.#r.i32(S.EFLAGS) & Flag.TF) === 0 && this.#r.i32(S.SHADOW) === 0 && !this.#debug.watchesCode;
  }

  /** Drops RF for the next instruction. */
  #dropResumeFlag(): void {
    const r = this.#r;
    r.setI32(S.EFLAGS, r.i32(S.EFLAGS) & ~Flag.RF);
    r.setI32(S.RESUMED, r.i32(S.BUDGET) + 1);
  }

  /** If the instruction for which RF was dropped has not been executed, the flag is there again. */
  #restoreResumeFlag(): void {
    const r = this.#r, resumed = r.i32(S.RESUMED);
    if (resumed === 0) return;
    if (r.i32(S.BUDGET) + 1 === resumed) r.setI32(S.EFLAGS, r.i32(S.EFLAGS) | Flag.RF);
    r.setI32(S.RESUMED, 0);
  }

  #debugTrap(): void {
    noteDebug(this.#r, this.#r.i32(S.DEBUG_TRAP));
    this.#r.setI32(S.DEBUG_TRAP, 0);
    // Not counted: the instruction before it has been, and the budget may be used up.
    if (!deliver(this.#core, Vector.DB, -1, "exception")) this.shutdown = true;
  }

  /** Runs compiled code from RIP for at most `budget` instructions. */
  #execute(budget: number, block = this.#find(this.#r.ip)): void {
    if (!block) return;
    const r = this.#r, ip = r.ip;
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
    this.#beginCompiled();
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
    const r = this.#r;
    this.#running.returned();
    const fault = r.i32(S.FAULT), exit = r.i32(S.EXIT);
    this.#statistics.exited(fault !== 0 ? 0 : exit);
    if (fault !== 0) {
      if (r.i32(S.CURRENT) === IN_REGION) this.#statistics.unfinishedInRegion(1);
      this.#running.abandon(this.#mode.wide);
      r.setI32(S.FAULT, 0);
      this.#endInstruction();
      if (fault === FROZEN + 1) return r.setI32(S.HALTED, 1);
      this.#deliverFault(fault - 1, r.i32(S.FAULT_CODE));
    } else if (exit === Exit.BAIL) {
      const slot = r.i32(S.REGION);
      const faults = this.#takePageFault();
      const site = slot === 0 ? null : this.#translator!.left(slot, r.i32(S.SITE), faults);
      if (site) {
        r.ip = site.ip;
        this.#core.consume(-site.unfinished);
        this.#statistics.unfinishedInRegion(site.unfinished);
      }
      this.#endInstruction();
      const faulted = this.#regionFaulted;
      this.#regionFaulted = false;
      this.#interpretNext = !site?.done && !faulted;
      if (faulted) this.#deliverFault(this.#fault.vector, this.#fault.code);
    } else if (exit === Exit.HOT) this.#finder.translateHot();
    else if (exit === Exit.LOOKUP) this.#finder.lookedUp();
    else if (exit === Exit.STOP || exit === Exit.LEAVE) this.#running.abandon(this.#mode.wide);
    this.#endInstruction();
  }

  /** Takes note of the page fault that compiled code has found at the access before which a region was left; true if there is one. */
  #takePageFault(): boolean {
    const r = this.#r;
    if (r.i32(S.PAGE_FAULT) === 0) return false;
    r.setI32(S.PAGE_FAULT, 0);
    this.#core.notePageFault(r.number(S.PAGE_FAULT_ADDRESS), r.i32(S.PAGE_FAULT_CODE));
    this.noteRegionFault();
    return true;
  }

  /** No instruction is under way. Delivery is no part of one: a change of mode there must not stop a run that has already come back. */
  #endInstruction(): void {
    this.#r.setI32(S.CURRENT, 0);
    this.#restoreResumeFlag();
  }

  /** Delivers an exception of the instruction at RIP. */
  #deliverFault(vector: number, code: number): void {
    const actual = this.#fault.notCanonical ? this.#nonCanonicalVector() : vector;
    this.#deliver(actual, code, "exception", this.#fault.address);
  }

  /** The shadow matters only to what is waiting now: a later interrupt comes after the next instruction. */
  #endIdleShadow(): void {
    const r = this.#r;
    if (r.i32(S.SHADOW) === 0 || this.#debug.watchesCode) return;
    if ((r.i32(S.INTERRUPT_LINE) | r.i32(S.NMI_PENDING) | r.i32(S.DEBUG_TRAP)) === 0) r.setI32(S.SHADOW, 0);
  }

  /** After a system function: true if the loop must look at something before the next instruction. */
  mustTurn(): boolean {
    const r = this.#r, flags = r.i32(S.EFLAGS);
    this.#endIdleShadow();
    return (flags & (Flag.TF | Flag.RF)) !== 0 || this.#checksAlignment() !== this.alignment || this.breakRequested ||
      this.shutdown ||
      r.i32(S.SHADOW) !== 0 || r.i32(S.HALTED) !== 0 || r.i32(S.DEBUG_TRAP) !== 0 || r.i32(S.NMI_PENDING) !== 0 ||
      (r.i32(S.INTERRUPT_LINE) !== 0 && (flags & Flag.IF) !== 0) || this.#debug.watchesCode || r.i32(S.LEAVE) !== 0;
  }

  /** The vector for an access to a non-canonical address by the instruction at RIP: #SS if it went through SS. */
  #nonCanonicalVector(): number {
    const bytes = new Uint8Array(MAX_LENGTH), instruction = newInstruction(), { address } = this.#fault;
    try {
      for (let i = 0; i < bytes.length; i++) this.#finder.read(this.#r.ip + i, bytes.subarray(i, i + 1));
    } catch (fault) {
      // What follows the instruction need not be there.
      if (fault !== this.#fault) throw fault;
    }
    decode(bytes, 0, bytes.length, this.#mode.codeMode.code, instruction);
    return accessesStack(instruction, address, this.#r.number(S.GPR + R.SP * 8)) ? Vector.SS : Vector.GP;
  }

  /** An access of a region has raised an exception: the region is left before it. */
  noteRegionFault(): void {
    // The interpreter would see the same, unless it has something to find out about the access before.
    this.#regionFaulted = !this.alignment && !this.#debug.watchesData;
  }
}
