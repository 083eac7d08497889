/**
 * The processor as its system functions see it: registers, memory through paging, the board, and how to raise exceptions.
 * Everything in lib/cpu/system is written against this.
 */
import type { ProcessorBus } from "../machine/processor.ts";
import type { Registers } from "./registers.ts";
import type { CpuModel } from "./system/model.ts";

/** The core services of one processor. */
export interface CpuCore {
  /** The state block. */
  readonly r: Registers;
  readonly bus: ProcessorBus;
  /** What CPUID reports and which control bits exist. */
  readonly model: CpuModel;

  /**
   * Raises an exception: never returns. Nothing that the instruction changes may have been changed before.
   * `code` is the error code, -1 for vectors without one.
   */
  raise(vector: number, code?: number): never;
  /**
   * Abandons the instruction without an exception and waits in front of it for an interrupt, as in HLT: never returns. Nothing
   * that it changes may have been changed before.
   */
  freeze(): never;
  /** Takes note of a #PF for linear address `address` with the given error code; CR2 is set on delivery. */
  notePageFault(address: number, code: number): void;
  /** Raises the exception that was noted last: never returns. */
  raiseNoted(): never;
  /** Raises #GP(0), or #SS(0) if the running instruction accesses `linear`, which is not canonical, through SS. */
  notCanonical(linear: number): never;

  /**
   * Linear-memory access with the privilege of `user` (true: user page rights; default: by CPL). Linear addresses are
   * numbers: 0 … 2^32-1 in legacy modes, sign-extended 48-bit in long mode. Raises #PF. Any alignment.
   * `false` is for what the processor itself looks up, such as descriptors: SMAP ignores EFLAGS.AC then.
   */
  read8(linear: number, user?: boolean): number;
  read16(linear: number, user?: boolean): number;
  read32(linear: number, user?: boolean): number;
  read64(linear: number, user?: boolean): bigint;
  write8(linear: number, value: number, user?: boolean): void;
  write16(linear: number, value: number, user?: boolean): void;
  write32(linear: number, value: number, user?: boolean): void;
  write64(linear: number, value: bigint, user?: boolean): void;
  /** Raises #PF unless `bytes` bytes at `linear` can be read (or written) with that privilege. */
  probe(linear: number, bytes: number, write: boolean, user?: boolean): void;

  /**
   * Byte offset in `bus.memory.bytes` of linear address `linear`, if its page can be read with that privilege and is
   * plain RAM or ROM: the rest of the page lies behind it. -1 otherwise (device memory). Raises #PF as a read would.
   */
  hostRead(linear: number, user?: boolean): number;
  /** Likewise for writing: plain RAM whose frame has no watched flags, else -1. Raises #PF as a write would. */
  hostWrite(linear: number, user?: boolean): number;
  /**
   * Where {@link hostWrite} gives -1: the offset if code is all that is watched in the frame, and writing `length` bytes of the page
   * cannot change the running instruction; they must be reported to `bus.memory.noteWrite` at once. Else -1. Raises #PF likewise.
   */
  hostRewrite(linear: number, length: number): number;

  /**
   * Enters the handler of an interrupt or exception in the usual case, see lib/cpu/system_kernels; else it returns false and changes nothing.
   * `errorCode` is -1 for vectors without one; `pushedFlags` are set in EFLAGS as it is pushed; for INT n, `software`, the gate's privilege
   * counts.
   */
  enterHandler(vector: number, errorCode: number, pushedFlags: number, software: boolean): boolean;

  /** Forgets every translation (CR3 load, CR0/CR4/EFER paging bits, A20, physical map). */
  flushTlb(): void;
  /** After a load of CR3, which was `old`: forgets the translations that the new page tables do not share. */
  switchPageTables(old: number): void;
  /** Recomputes the code mode key, CPL-dependent TLB choice and so on after a change of CS, SS, CR0, EFER, EFLAGS.VM or segment bases/limits. */
  modeChanged(): void;
  /** Stops for good until a reset: an exception could not be delivered (triple fault). */
  shutdown(): void;
  /** The physical address that reaches the board: without bit 20 while the A20 gate is closed. */
  physicalAddress(address: number): number;
  /** After an access to `bytes` ports at `port`: notes a breakpoint there. */
  portAccessed(port: number, bytes: number): void;
  /** After a write to DR0–DR7. */
  debugRegistersChanged(): void;
  /** Instructions retired before the one that is executing. */
  readonly instructions: number;
  /** Counts `count` more instructions: iterations of a repeated string after the first, the way into a handler. */
  consume(count: number): void;
  /** Lets `time` ns pass in which no instruction retires: the instruction that is executing ends its block. */
  stall(time: number): void;
  /** Instructions that may still retire in this run after those counted so far; 0 once something asked to leave it. */
  readonly remaining: number;
}
