/** The processor: state, memory management and the run loop around compiled code. */
import type { Processor, ProcessorBus, RunResult } from "../machine/processor.ts";
import { FrameFlag, PAGE_SIZE } from "../machine/memory.ts";
import type { CpuCore } from "./core.ts";
import { decode, MAX_LENGTH, newInstruction } from "./decode/mod.ts";
import { DebugUnit } from "./debug_unit.ts";
import type { CodeMode } from "./emit/emitter.ts";
import { CpuFault, FROZEN } from "./fault.ts";
import type { Block } from "./interpreter/block.ts";
import { BlockCache } from "./interpreter/blocks.ts";
import { HandlerRuntime } from "./interpreter/runtime.ts";
import { ARENA_BASE, COUNTERS, CPU_BASE, Exit, GUEST_BASE, HEADER, REC, TLB } from "./interpreter/layout.ts";
import { JumpCache } from "./interpreter/jump_cache.ts";
import { decoderFor } from "./model_decoder.ts";
import { Mmu, type MmuHost, type WalkResult } from "./mmu.ts";
import { codeMode, ModeBit, modeKey } from "./mode.ts";
import type { CpuOptions } from "./options.ts";
import { Registers } from "./registers.ts";
import { resetRegisters } from "./reset.ts";
import { loadRegisters, saveRegisters } from "./saved_state.ts";
import { CR0, CR4, EFER, Flag, IN_REGION, R, S, SEG, Seg, Shadow, Vector } from "./state.ts";
import { accessesStack } from "./system/canonical.ts";
import { Dr6, noteDebug } from "./system/debug.ts";
import { deliver } from "./system/interrupts.ts";
import { type CpuModel, defaultCpuModel, flagsOf } from "./system/model.ts";
import { peek, walk } from "./system/paging.ts";
import { Translator } from "./translator/translator.ts";

/** Subtracted from the budget to leave compiled code at the next block. */
const HOLD = 2 ** 30;
/** Largest budget of one run. */
const LARGEST_BUDGET = 2 ** 29;

/** What the values of {@link Exit} mean to a reader. */
const EXIT_NAMES = [
  "exception",
  "budget",
  "unknown jump",
  "run loop's turn",
  "end of a slice",
  "before an instruction",
  "left to the interpreter",
  "hot block",
];

/** One x86 processor. */
export class Cpu implements Processor, CpuCore, MmuHost {
  readonly r: Registers;
  readonly model: CpuModel;
  readonly #state: WebAssembly.Memory;
  readonly #view: DataView;
  readonly #mmu: Mmu;
  readonly #blocks: BlockCache;
  readonly #jumps: JumpCache;
  readonly #runtime: HandlerRuntime;
  readonly #debug: DebugUnit;
  readonly #translator: Translator | null = null;
  /** How often compiled code has returned, by {@link Exit}; 0 stands for exceptions. */
  readonly #exits = new Array<number>(EXIT_NAMES.length).fill(0);
  #codeWrites = 0;
  /** Instructions that regions have taken from the budget, but not executed. */
  #notInRegions = 0;
  /** Instructions before the state was loaded that others have executed. */
  #elsewhere = 0;
  /** A region left an instruction, or the rest of the budget, to the interpreter. */
  #interpretNext = false;
  readonly #fault = new CpuFault();
  /** The region that is being left was about to make an access that raises {@link #fault}. */
  #regionFaulted = false;
  #mode: CodeMode = codeMode(0);
  #retired = 0;
  #stalled = 0;
  /** Budget at the start of the run; retired = #retired + #granted - budget left. */
  #granted = 0;
  #held = false;
  #breakRequested = false;
  #shutdown = false;
  /** A record whose handler was replaced to leave before it, and the handler. */
  #patched = 0;
  #patchedSlot = 0;
  /** Link field to fill at the next lookup, and the linear page it is in. */
  #link = 0;
  #linkPage = 0;
  /** Bytes of an instruction in device memory. */
  readonly #fetched = new Uint8Array(MAX_LENGTH);
  /** User code's accesses must be aligned. */
  #alignment = false;
  /** The exception being raised is due to a non-canonical address. */
  #notCanonical = false;

  constructor(readonly bus: ProcessorBus, readonly options: CpuOptions = {}) {
    this.model = options.cpuModel ?? defaultCpuModel;
    if (bus.memory.front !== GUEST_BASE) {
      throw new RangeError(`the processor needs ${GUEST_BASE} bytes in front of guest memory, not ${bus.memory.front}`);
    }
    this.#state = bus.memory.memory;
    this.#view = new DataView(this.#state.buffer);
    this.r = new Registers(this.#state, CPU_BASE, flagsOf(this.model));
    this.#mmu = new Mmu(this, this.#state, bus.memory, options.stress?.tlbEntries);
    this.#jumps = new JumpCache(this.#state);
    this.#runtime = new HandlerRuntime(this, this.#state);
    this.#blocks = new BlockCache(
      this.#runtime.library,
      decoderFor(this.model),
      bus.memory,
      this.#state,
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
          knownCode: (linear) => this.#mmu.known(linear, this.#user),
          linear: (ip) => this.#linear(ip),
          instructions: () => this.instructions,
        },
        this.#blocks,
        this.#runtime.regions,
        this.#state,
        options,
      );
    }
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
    this.#leaveAfterCurrent();
  }

  reset(): void {
    this.#leaveAfterCurrent();
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
    const inRegions = Number(this.#view.getBigInt64(COUNTERS.IN_REGIONS, true)) - this.#notInRegions;
    const counts: Record<string, number> = {
      "instructions interpreted": this.instructions - this.#elsewhere - inRegions,
      "instructions in regions": inRegions,
      ...this.#translator?.statistics,
      ...this.#blocks.statistics,
      "writes to code": this.#codeWrites,
      "TLB misses": this.#mmu.misses,
    };
    this.#exits.forEach((count, exit) => counts[`exits: ${EXIT_NAMES[exit]}`] = count);
    return counts;
  }

  // ---- time

  get instructions(): number {
    const left = this.r.i32(S.BUDGET) + (this.#held ? HOLD : 0);
    return this.#retired + this.#granted - left - this.#unfinished() - this.r.i32(S.STALLED);
  }

  get cycles(): number {
    return this.instructions + this.#stalled + this.r.i32(S.STALLED);
  }

  /** Instructions of the running block that have been taken from the budget but not completed. */
  #unfinished(): number {
    const record = this.r.i32(S.CURRENT);
    if (record === 0) return 0;
    if (record === IN_REGION) return 1;
    const position = this.#view.getUint16(record + REC.INDEX_IN_BLOCK, true);
    const first = record - position * REC.SIZE;
    return this.#view.getInt32(first + HEADER.COUNT, true) - position;
  }

  consume(count: number): void {
    this.r.setI32(S.BUDGET, this.r.i32(S.BUDGET) - count);
  }

  get remaining(): number {
    return this.#breakRequested ? 0 : Math.max(0, this.r.i32(S.BUDGET));
  }

  // ---- the run loop

  run(budget: number): RunResult {
    const granted = Math.min(budget, LARGEST_BUDGET);
    this.#granted = granted;
    this.r.setI32(S.BUDGET, granted);
    this.#breakRequested = false;
    this.#translator?.compile();
    try {
      return this.#loop();
    } finally {
      const stalled = this.r.i32(S.STALLED);
      this.#retired += granted - this.r.i32(S.BUDGET) - stalled;
      this.#stalled += stalled;
      this.r.setI32(S.STALLED, 0);
      this.#granted = 0;
      this.r.setI32(S.BUDGET, 0);
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
        if (this.#link === 0 && !this.#interpretNext && this.#resume()) continue;
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
    this.#runtime.resume(this.#mode.flat || this.#mode.code === 64);
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
    if (breaks && this.#debug.codeBreakpoint(this.#linear(r.ip))) {
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

  /** Code runs with the user's privilege. */
  get #user(): boolean {
    return (this.r.i32(S.MODE) & ModeBit.USER) !== 0;
  }

  #linear(ip: number): number {
    if (this.#mode.code === 64) return ip;
    return (ip + this.r.segmentBase(Seg.CS)) % 2 ** 32;
  }

  /** Runs compiled code from RIP for at most `budget` instructions. */
  #execute(budget: number, block = this.#find(this.r.ip)): void {
    if (!block) return;
    const r = this.r, ip = r.ip;
    const total = r.i32(S.BUDGET);
    // What lies beyond `budget` is set aside while the code runs.
    r.setI32(S.BUDGET, Math.max(0, budget - block.count));
    const aside = total - budget;
    this.#granted -= aside;
    const whole = block.count <= budget && (block.region === null || !this.#interpretNext);
    const record = whole ? block.record : this.#blocks.partial(block, Math.min(block.count, budget), this.#mode);
    this.#interpretNext = false;
    r.setNumber(S.BLOCK_IP, ip);
    r.setI32(S.EXIT, 0);
    this.#runtime.enter(record);
    this.#leave();
    r.setI32(S.BUDGET, r.i32(S.BUDGET) + aside);
    this.#granted += aside;
  }

  /** Finds or decodes the block at RIP; null if an exception was delivered instead. */
  #find(ip: number): Block | null {
    const link = this.#link;
    this.#link = 0;
    try {
      const linear = this.#linear(ip);
      const flushes = this.#blocks.flushes;
      const block = this.#blockAt(ip, linear);
      if (this.#translator?.eager && block.valid) this.#translator.translate(block, ip, this.#mode);
      if (block.valid) {
        this.#jumps.set(linear, this.r.i32(S.MODE), block.record);
        if (
          link !== 0 && flushes === this.#blocks.flushes && block.secondFrame < 0 &&
          Math.floor(linear / PAGE_SIZE) === this.#linkPage
        ) {
          this.#blocks.records.link(link, block);
        }
      }
      return block;
    } catch (fault) {
      if (fault !== this.#fault) throw fault;
      this.#deliver(this.#fault.vector, this.#fault.code, "exception", this.#fault.address);
      return null;
    }
  }

  #blockAt(ip: number, linear: number): Block {
    const key = this.r.i32(S.MODE) & ModeBit.BLOCK;
    const room = this.#mode.code === 64 ? 2 ** 31 : this.r.segmentLimit(Seg.CS) - ip + 1;
    const host = this.#mmu.execute(linear, this.#user);
    if (host < 0) return this.#deviceBlock(linear, key, room);
    const next = (Math.floor(linear / PAGE_SIZE) + 1) * PAGE_SIZE;
    const nextPage = () => this.#mmu.execute(this.#mmu.wrap(next), this.#user);
    this.#translator?.arrived(linear, host, this.r.i32(S.MODE));
    const known = this.#blocks.find(host, key, ip);
    if (known) {
      const sameTail = known.secondFrame < 0 || nextPage() >>> 12 === known.secondFrame;
      if (sameTail && known.bytes <= room) return known;
      this.#blocks.discard(known);
    }
    if (this.#blocks.full) this.#clearBlocks();
    let device = false;
    const block = this.#blocks.build(host, key, ip, this.#mode, room, {
      nextPage: () => {
        const second = nextPage();
        device = second < 0;
        return second;
      },
    });
    if (block) {
      this.#translator?.resume(block, ip, this.#mode);
      return block;
    }
    if (device) return this.#deviceBlock(linear, key, room);
    this.raise(Vector.GP, 0);
  }

  /** Code in device memory is fetched anew for every instruction, and no byte more than it may have is read. */
  #deviceBlock(linear: number, key: number, room: number): Block {
    const fetched = this.#fetched, first = Math.min(MAX_LENGTH, PAGE_SIZE - (linear & (PAGE_SIZE - 1)));
    this.#readCode(linear, fetched.subarray(0, first));
    let block = this.#blocks.transient(fetched.subarray(0, first), key, this.#mode, room);
    if (block === "truncated") {
      this.#readCode(this.#mmu.wrap(linear + first), fetched.subarray(first));
      block = this.#blocks.transient(fetched, key, this.#mode, room);
    }
    if (block === null || block === "truncated") this.raise(Vector.GP, 0);
    return block;
  }

  /** Reads instruction bytes that lie in one page. */
  #readCode(linear: number, target: Uint8Array): void {
    this.#mmu.execute(linear, this.#user);
    this.bus.memory.read(this.#mmu.executePhysical, target);
  }

  #clearBlocks(): void {
    this.#blocks.clear();
    this.#jumps.clear();
  }

  /** After compiled code has returned: brings RIP, the budget and faults into order. */
  #leave(): void {
    const r = this.r;
    if (this.#held) {
      r.setI32(S.BUDGET, r.i32(S.BUDGET) + HOLD);
      this.#held = false;
    }
    if (this.#patched !== 0) {
      if (this.#view.getInt32(this.#patched, true) === this.#runtime.leaveSlot) {
        this.#view.setInt32(this.#patched, this.#patchedSlot, true);
      }
      this.#patched = 0;
    }
    const fault = r.i32(S.FAULT), exit = r.i32(S.EXIT);
    this.#exits[fault !== 0 ? 0 : exit]++;
    if (fault !== 0) {
      if (r.i32(S.CURRENT) === IN_REGION) this.#notInRegions++;
      this.#abandonCurrent();
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
        this.#notInRegions += site.unfinished;
      }
      const faulted = this.#regionFaulted;
      this.#regionFaulted = false;
      this.#interpretNext = !site?.done && !faulted;
      if (faulted) this.#deliverFault(this.#fault.vector, this.#fault.code);
    } else if (exit === Exit.HOT) this.#translateHot();
    else if (exit === Exit.LOOKUP) {
      const link = r.i32(S.NEXT);
      if (link === 0) this.#noteJump();
      if (link >= this.#blocks.firstLinkable) {
        this.#link = link;
        this.#linkPage = Math.floor(this.#linear(r.number(S.BLOCK_IP)) / PAGE_SIZE);
      }
    } else if (exit === Exit.STOP || exit === Exit.LEAVE) this.#abandonCurrent();
    r.setI32(S.CURRENT, 0);
  }

  /** Delivers an exception of the instruction at RIP. */
  #deliverFault(vector: number, code: number): void {
    const actual = this.#notCanonical ? this.#nonCanonicalVector() : vector;
    this.#deliver(actual, code, "exception", this.#fault.address);
  }

  /** An indirect jump, perhaps, at the end of the last block has led to RIP for the first time. */
  #noteJump(): void {
    if (!this.#translator) return;
    const from = this.r.number(S.BLOCK_IP), host = this.#mmu.known(this.#linear(from), this.#user);
    const block = host < 0 ? undefined : this.#blocks.find(host, this.r.i32(S.MODE) & ModeBit.BLOCK, from);
    if (block && block.indirectJump >= 0) this.#translator.jumped(from + block.indirectJump, this.r.ip);
  }

  /** The block at RIP has become hot. */
  #translateHot(): void {
    const ip = this.r.ip, host = this.#mmu.known(this.#linear(ip), this.#user);
    if (host < 0 || !this.#translator) return;
    const block = this.#blocks.find(host, this.r.i32(S.MODE) & ModeBit.BLOCK, ip);
    if (block) this.#translator.translate(block, ip, this.#mode);
  }

  /** Makes the TLB entry for an access of translated code; false if the interpreter must make the access. */
  fill(linear: number, bytes: number, write: boolean): boolean {
    try {
      return this.#mmu.fill(linear, bytes, write, this.#user);
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

  /** The current record's instruction did not happen: RIP points to it and its count goes back. */
  #abandonCurrent(): void {
    const r = this.r;
    r.ip = this.currentIp();
    r.setI32(S.BUDGET, r.i32(S.BUDGET) + this.#unfinished());
  }

  /** Offset of the instruction whose record is S.CURRENT. */
  currentIp(): number {
    const record = this.r.i32(S.CURRENT);
    if (record === IN_REGION) return this.r.ip;
    const ip = this.r.number(S.BLOCK_IP) + this.#view.getUint16(record + REC.NEXT, true) -
      this.#view.getUint8(record + REC.LENGTH);
    return this.#mode.code === 64 ? ip : ip % 2 ** 32;
  }

  /** Makes compiled code return before the instruction after the current one. */
  #leaveAfterCurrent(): void {
    const record = this.r.i32(S.CURRENT);
    this.r.setI32(S.LEAVE, 1);
    if (record === 0 || record === IN_REGION || this.#held) return;
    this.r.setI32(S.BUDGET, this.r.i32(S.BUDGET) - HOLD);
    this.#held = true;
    const next = record + REC.SIZE, position = this.#view.getUint16(record + REC.INDEX_IN_BLOCK, true);
    if (next >= ARENA_BASE && this.#view.getUint16(next + REC.INDEX_IN_BLOCK, true) === position + 1) {
      this.#patched = next;
      this.#patchedSlot = this.#view.getInt32(next, true);
      this.#view.setInt32(next, this.#runtime.leaveSlot, true);
    }
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
    const bytes = this.#fetched, instruction = newInstruction(), { address } = this.#fault;
    try {
      for (let i = 0; i < bytes.length; i++) this.#readCode(this.r.ip + i, bytes.subarray(i, i + 1));
    } catch (fault) {
      // What follows the instruction need not be there.
      if (fault !== this.#fault) throw fault;
    }
    decode(bytes, 0, bytes.length, this.#mode.code, instruction);
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
    if (user === undefined) return this.#user;
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
  hostRead(linear: number, user = this.#user): number {
    return this.#mmu.hostRead(linear, user);
  }
  hostWrite(linear: number, user = this.#user): number {
    return this.#mmu.hostWrite(linear, user);
  }

  flushTlb(): void {
    this.#mmu.flush();
  }
  switchPageTables(old: number): void {
    if (!this.paging) return;
    const next = this.r.number(S.CR3);
    if (this.longMode) {
      const table = (value: number) => Math.floor((value % 2 ** 52) / PAGE_SIZE) * PAGE_SIZE;
      this.#mmu.switchTables(table(old), table(next), { bytes: 8, span: 2 ** 39, entries: 512 });
    } else if ((this.r.i32(S.CR4) & CR4.PAE) !== 0) {
      this.#mmu.switchTables((old & 0xffffffe0) >>> 0, (next & 0xffffffe0) >>> 0, {
        bytes: 8,
        span: 2 ** 30,
        entries: 4,
      });
    } else {this.#mmu.switchTables((old & 0xfffff000) >>> 0, (next & 0xfffff000) >>> 0, {
        bytes: 4,
        span: 2 ** 22,
        entries: 1024,
      });}
  }

  modeChanged(): void {
    const r = this.r;
    const user = r.cpl === 3;
    const code = r.codeSize, stack = r.stackSize, flat = code === 64 || this.#isFlat();
    const mode = modeKey(code, stack, flat, user);
    r.setI32(S.TLB, user ? TLB.USER : TLB.SUPERVISOR);
    this.#mmu.forgetRemembered();
    if (this.#mmu.guardsOpen && (r.i32(S.EFLAGS) & Flag.AC) === 0) this.#mmu.closeGuards();
    if ((r.i32(S.MODE) & ModeBit.BLOCK) !== (mode & ModeBit.BLOCK)) {
      // Undefined after the switch (Intel SDM vol. 1, section 3.4.1.1): zero, so that narrower code need not look after it.
      if (this.#mode.code === 64) { for (let n = 0; n < 8; n++) r.setI32(S.GPR + 8 * n + 4, 0); }
      this.#mode = codeMode(mode);
      this.#leaveAfterCurrent();
    }
    r.setI32(S.MODE, mode | r.i32(S.EPOCHS + (user ? 4 : 0)));
  }

  #isFlat(): boolean {
    const r = this.r;
    if (r.segmentBase(Seg.CS) !== 0 || r.segmentLimit(Seg.CS) !== 0xffff_ffff) return false;
    for (const segment of [Seg.ES, Seg.SS, Seg.DS]) {
      const at = S.SEG + segment * SEG.SIZE;
      // Base and lowest offset 0, highest offsets FFFFFFFFh; the fields have 64 bits.
      const nothing = r.i32(at + SEG.BASE) | r.i32(at + SEG.BASE + 4) | r.i32(at + SEG.LOW) | r.i32(at + SEG.LOW + 4) |
        r.i32(at + SEG.HIGH_READ + 4) | r.i32(at + SEG.HIGH_WRITE + 4);
      if (nothing !== 0 || (r.i32(at + SEG.HIGH_READ) & r.i32(at + SEG.HIGH_WRITE)) !== -1) return false;
    }
    return true;
  }

  shutdown(): void {
    this.#shutdown = true;
    this.#leaveAfterCurrent();
  }

  portAccessed(port: number, bytes: number): void {
    if (!this.#debug.watchesPorts || (this.r.i32(S.CR4) & CR4.DE) === 0) return;
    if (this.#debug.portBreakpoint(port, bytes)) this.#leaveAfterCurrent();
  }

  debugRegistersChanged(): void {
    this.#debug.update();
    this.#mmu.refreshAll();
    this.#leaveAfterCurrent();
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
    const current = this.r.i32(S.CURRENT);
    if (
      current === IN_REGION ||
      (current !== 0 && this.#view.getInt32(current + REC.SLOT, true) === this.#runtime.leaveSlot)
    ) {
      this.#leaveAfterCurrent();
    }
  }
  holdsCode(frame: number, offset: number, length: number): boolean {
    return this.#blocks.holdsCode(frame, offset, length);
  }
  codeMarks(frame: number): number {
    return this.#blocks.marksAddress(frame);
  }
  mappingChanged(user: boolean): void {
    const field = S.EPOCHS + (user ? 4 : 0), first = 1 << ModeBit.EPOCH;
    let epoch = (this.r.i32(field) + first) | 0;
    if (epoch === 0) {
      epoch = first;
      this.#jumps.clear();
      this.#translator?.forgetPages();
    }
    this.r.setI32(field, epoch);
    if (user !== this.#user) return;
    this.r.setI32(S.MODE, (this.r.i32(S.MODE) & 0xff) | epoch);
    this.#leaveAfterCurrent();
  }
  accessed(linear: number, bytes: number, write: boolean, user: boolean): void {
    if (this.#alignment && user && (linear & (bytes - 1)) !== 0) this.raise(Vector.AC, 0);
    if (this.#debug.watchesData && this.#debug.dataBreakpoint(linear, bytes, write)) this.#leaveAfterCurrent();
  }
  watchesPage(page: number, user: boolean): boolean {
    return (this.#alignment && user) || (this.#debug.watchesData && this.#debug.watchesPage(page));
  }
  get wrapsLinear(): boolean {
    return this.#mode.code !== 64;
  }
  rootIndex(linear: number): number {
    if (this.longMode) return Math.floor(linear / 2 ** 39) & 0x1ff;
    return (this.r.i32(S.CR4) & CR4.PAE) !== 0 ? linear >>> 30 : linear >>> 22;
  }
  get entryBytes(): number {
    return (this.r.i32(S.CR4) & CR4.PAE) !== 0 ? 8 : 4;
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
    this.#elsewhere += instructions - this.instructions;
    this.#retired = instructions;
    this.#stalled = cycles - instructions;
    this.r.setI32(S.INTERRUPT_LINE, interruptLine ? 1 : 0);
    this.#shutdown = false;
    this.#link = 0;
    this.#debug.update();
    this.#blocks.forgive();
    this.#jumps.clear();
    this.#translator?.forgetPages();
    this.#mmu.flush();
    this.modeChanged();
  }

  /** Forgets all code that was decoded or translated. No result depends on it. */
  forgetCode(): void {
    this.#translator?.clear();
    this.#clearBlocks();
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
