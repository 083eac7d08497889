/**
 * What an instruction's definition is written against. The interpreter hands it operands that are looked up in a
 * decoded record at run time; whoever translates code would hand it the concrete ones. A definition cannot tell.
 *
 * Sizes are in bits. Values of 8, 16 and 32 bits are i32, zero-extended when read; bits above the size are ignored when
 * written. Values of 64 bits are i64.
 */
import type { Instruction } from "../decode/instruction.ts";
import type { RotateOperation, ShiftOperation } from "./shift_flags.ts";
import type { Value } from "./value.ts";

/** Operation sizes of general instructions. */
export type Size = 8 | 16 | 32 | 64;

/** The properties of the running code that change what an instruction means. */
export interface CodeMode {
  /** Width of code: 16, 32 or 64. */
  readonly code: 16 | 32 | 64;
  /** Width of the stack pointer. */
  readonly stack: 16 | 32 | 64;
  /** CS, DS, ES and SS all have base 0 and no limit. */
  readonly flat: boolean;
}

/** The segment that a memory access goes through: an operand's own, or a fixed one. */
export interface SegmentRef {
  /** 0–5 = ES CS SS DS FS GS, or "operand" for the one that the decoded instruction names. */
  readonly which: number | "operand";
}

/** A place that is read and then written: its address is translated once, for writing. */
export interface Place {
  /** The old value. */
  readonly value: Value;
  /** Writes the new value. Cannot fault. */
  set(value: Value): void;
}

/** Arithmetic flags by name. */
export type FlagName = "CF" | "PF" | "AF" | "ZF" | "SF" | "OF";

/** Emits the meaning of one instruction. */
export interface Emitter {
  /**
   * The instruction. In the interpreter only its form is meaningful (mnemonic, operand kinds and sizes, operand and address
   * size, repeat, lock, whether a memory operand has an index …), not register numbers, displacements or immediates.
   */
  readonly instruction: Instruction;
  readonly mode: CodeMode;
  /** Size of the first operand, or the operand size if there is none. */
  readonly size: Size;

  // ---- values

  i32(value: number): Value;
  i64(value: bigint | number): Value;
  /** A constant of the type that values of `size` bits have. */
  constant(value: number | bigint, size?: Size): Value;
  /** Evaluates now, into a local that can be used any number of times. */
  let(value: Value): Value;
  /** A local that {@link Variable.set} changes. */
  variable(initial: Value): Variable;
  /** `condition ? a : b`; both sides are evaluated. The condition is an i32. */
  select(condition: Value, a: Value, b: Value): Value;

  // ---- control flow inside an instruction

  if(condition: Value, then: () => void, otherwise?: () => void): void;
  /** Like {@link if}, for what is needed rarely. */
  rarely(condition: Value, then: () => void): void;
  /**
   * Repeats `body` while `condition()` (evaluated before each round) is not 0. The bound must be small (BCD, bit
   * scans): a guest must not stall here.
   */
  while(condition: () => Value, body: () => void): void;

  /** Like {@link if}, where `then` raises an exception in any case. Nothing may have been changed before. */
  fault(condition: Value, then: () => void): void;
  /**
   * Like {@link if}, where the condition hardly ever holds. Nothing may have been changed before: a translator leaves the running
   * code before this instruction instead of writing `then`.
   */
  exceptionally(condition: Value, then: () => void, otherwise: () => void): void;
  /**
   * A translator leaves the running code before this instruction if the condition, which hardly ever does, holds, and gives true:
   * behind this it does not hold. Otherwise nothing happens. Nothing may have been changed before.
   */
  leaveIf(condition: Value): boolean;
  /** The value as it is now. */
  steady(value: Steady): Value;
  /** What the value is computed from may have changed other than by a system function. */
  steadyChanged(value: Steady): void;

  // ---- operands, by position

  isMemory(operand: number): boolean;
  isImmediate(operand: number): boolean;
  /** Width of an operand in bits. */
  sizeOf(operand: number): number;
  /** Reads an operand of 8–64 bits. */
  read(operand: number): Value;
  /** Reads an operand and sign-extends it to `to` bits (default: {@link size}). */
  readSigned(operand: number, to?: Size): Value;
  /** Writes an operand. A 32-bit register write clears the upper half. */
  write(operand: number, value: Value): void;
  /** Opens an operand for reading and then writing. */
  open(operand: number): Place;
  /** Effective offset of a memory operand, truncated to the address size: i32, or i64 in 64-bit code. */
  address(operand: number): Value;
  /** The segment of a memory operand. */
  segment(operand: number): SegmentRef;
  /** The parts of an immediate far pointer: the selector (i32) and the offset (i32, zero-extended). */
  far(operand: number): { selector: Value; offset: Value };
  /** Number (0–5) of the segment that the memory operand, or the source of a string instruction, goes through: i32. */
  segmentNumber(): Value;
  /** The register number of a register operand (segment, control and debug registers; also x87 `st`). */
  registerNumber(operand: number): Value;
  /** Of an x87 instruction: the low 3 bits of the escape byte and the ModRM byte, as {@link S.FOP} has them, i32. */
  escapeOpcode(): Value;
  /**
   * A vector operand as v128: an SSE register whole, an MMX register's 64 bits, or `bytes` bytes of memory (default 16); what is
   * left of the 128 bits is zero. A memory operand of 16 bytes must be aligned (#GP(0)) unless told otherwise.
   */
  vector(operand: number, bytes?: 4 | 8 | 16, aligned?: boolean): Value;
  /**
   * Writes a v128: an SSE register whole, an MMX register's 64 bits (what the x87 unit sees as sign and exponent becomes all
   * ones), or 16 bytes of memory, aligned unless told otherwise.
   */
  setVector(operand: number, value: Value, aligned?: boolean): void;
  /** Replaces the low `bytes` bytes of an SSE register, or writes them to memory. */
  setVectorLow(operand: number, value: Value, bytes: 4 | 8): void;
  /** The SSE register of the given number, for operands that the encoding does not name. */
  vectorRegister(number: number): Value;
  /**
   * To be called before a kernel that gets addresses of SSE registers: they must be up to date in the state memory, and
   * are read anew afterwards.
   */
  vectorsInMemory(): void;
  /**
   * Where an SSE or MMX register operand lies in the state memory (register n of `S.XMM` or `S.X87`), i32: argument for
   * kernels.
   */
  registerAddress(operand: number): Value;
  /** The low (0) or high (1) 64 bits of an SSE register operand, or an MMX register's 64 bits (0), i64. */
  registerHalf(operand: number, half: 0 | 1): Value;
  /**
   * Writes one half; an i32 replaces its low 32 bits only. Half 1 of an MMX register is what the x87 unit sees as sign
   * and exponent.
   */
  setRegisterHalf(operand: number, half: 0 | 1, value: Value): void;

  /**
   * Runs `body`; where a condition that it gives to `giveUp` holds, which is hardly ever, `otherwise` runs instead of the rest. Not for
   * accesses to memory.
   */
  attempt(body: (giveUp: (condition: Value) => void) => void, otherwise: () => void): void;

  // ---- registers and state

  /** A general register by number (0 = AX …); 8 bits gives the low byte. Use `high` for AH. */
  register(number: number, size: Size, high?: boolean): Value;
  setRegister(number: number, size: Size, value: Value, high?: boolean): void;
  /** A field of the state block (offsets of state.ts). Kinds: u8 u16 i32 i64 (u8 and u16 zero-extend to i32). */
  state(offset: number, kind: StateKind): Value;
  setState(offset: number, kind: StateKind, value: Value): void;
  /** Like {@link state}, at an address in the state memory that is known at run time only (registers picked by number). */
  stateAt(address: Value, offset: number, kind: StateKind): Value;
  /**
   * Not 0 if an x87 instruction that computes must not run: not available, or an exception is pending. For
   * {@link exceptionally} only.
   */
  x87Stopped(): Value;
  /** Not 0 if one of ST(i) is empty. For {@link exceptionally} only. */
  someEmpty(...registers: readonly (Value | number)[]): Value;
  /** Not 0 if there is no room for another register on the stack. For {@link exceptionally} only. */
  stackFull(): Value;
  /** ST(i) as it lies now. Writing it is up to instructions that mark it as in use. */
  stackRegister(i: Value | number): StackRegister;
  /**
   * Moves TOP by 1 (a pop: what was ST(0) is empty now) or −1 (a push: what becomes ST(0) is in use), at the outermost level of a
   * definition or in the last arm of {@link exceptionally}.
   */
  moveTop(by: 1 | -1): void;
  /** Marks ST(i) as in use. */
  markUsed(i: Value): void;
  /** Sets C1 of the x87 status word to `up` (0 or 1), and PE if `lost` (i64) is not 0. */
  noteRounding(up: Value, lost: Value): void;
  /** Sets flags of exceptions in the x87 status word. */
  addX87Flags(flags: Value): void;
  /** Sets C3, C2 and C0 of the x87 status word to those in `codes`, and C1 to 0. */
  setX87Codes(codes: Value): void;
  /**
   * Notes instruction, opcode and memory operand for handlers of x87 exceptions, after the last access that can fault. Intel SDM
   * vol. 1, sections 8.1.8 and 8.1.9; the opcode is noted always, as with fopcode compatibility.
   */
  notePointers(): void;
  /** The address of the state block, i32: argument for kernels. */
  base(): Value;

  // ---- memory, through segmentation and paging; faults end the instruction here

  /** A segment by number 0–5. */
  segmentByNumber(number: number): SegmentRef;
  load(segment: SegmentRef, offset: Value, size: Size): Value;
  store(segment: SegmentRef, offset: Value, value: Value, size: Size): void;
  openMemory(segment: SegmentRef, offset: Value, size: Size): Place;
  /** 128 bits as two i64, [low, high]; `aligned` raises #GP(0) on a misaligned address. */
  load128(segment: SegmentRef, offset: Value, aligned: boolean): [Value, Value];
  store128(segment: SegmentRef, offset: Value, low: Value, high: Value, aligned: boolean): void;
  /**
   * Checks that `bytes` bytes can be read (or written) at segment:offset without touching them: for multi-part accesses
   * that must not be half done. Faults as the access would.
   */
  probe(segment: SegmentRef, offset: Value, bytes: number, write: boolean): void;
  /** Likewise, up to 4 KiB of which only pieces that lie in one page will be accessed. */
  probePieces(segment: SegmentRef, offset: Value, bytes: number, write: boolean): void;
  /** Offset arithmetic that wraps at the address size: `offset + delta`. */
  advance(offset: Value, delta: Value | number): Value;

  // ---- stack, width of the stack pointer by mode

  /** Value at SP + delta, without moving SP. */
  stackLoad(delta: number, size: Size): Value;
  /** Stores at SP + delta, without moving SP. */
  stackStore(delta: number, value: Value, size: Size): void;
  /** Moves SP by `delta` (wrapped at the stack size). */
  adjustStack(delta: Value | number): void;
  /** stackStore below SP, then SP moves. */
  push(value: Value, size: Size): void;
  /** stackLoad, then SP moves; only for definitions that cannot fault afterwards. */
  pop(size: Size): Value;

  // ---- flags

  /** After `result = a + b (+ carry)`. */
  flagsAdd(a: Value, b: Value, result: Value, size?: Size): void;
  /** After `result = a - b (- borrow)`. */
  flagsSub(a: Value, b: Value, result: Value, size?: Size): void;
  /** After a logical operation: CF = OF = AF = 0. */
  flagsLogic(result: Value, size?: Size): void;
  /** Like flagsAdd / flagsSub with b = 1, but CF stays. */
  flagsInc(a: Value, result: Value, size?: Size): void;
  flagsDec(a: Value, result: Value, size?: Size): void;
  /** After a signed multiplication of 32 bits by 32 of which the lower half is kept; `product` is all of it, i64. */
  flagsProduct(product: Value): void;
  /** After a shift of `a` by `count`, which is not 0 and has the type of values of that size. */
  flagsShift(operation: ShiftOperation, a: Value, count: Value, result: Value, size?: Size): void;
  /** After a rotate by a count that is not 0: CF and OF change. */
  flagsRotate(operation: RotateOperation, result: Value, size?: Size): void;
  /** ZF, SF and PF of `result`; CF, OF and AF as given (i32, 0 or 1; default 0). */
  flagsResult(result: Value, size: Size, others: { CF?: Value; OF?: Value; AF?: Value }): void;
  /** One flag: i32, 0 or 1. */
  flag(name: FlagName): Value;
  /** Changes some flags and leaves the others: i32 values, 0 or 1. */
  setFlags(flags: Partial<Record<FlagName, Value>>): void;
  /** Condition code 0–15 of Jcc/SETcc/CMOVcc: i32, 0 or 1. */
  condition(code: number): Value;
  /** EFLAGS as the guest sees them, i32. */
  eflags(): Value;
  /** Replaces the six arithmetic flags by those in `image`. */
  setArithmeticFlags(image: Value): void;
  /** +bytes or -bytes by DF, i32. */
  direction(bytes: number): Value;

  // ---- control transfer: the last thing a definition does

  /** Jumps to the relative operand. */
  jumpRelative(operand: number): void;
  /** Jumps to the relative operand if the condition (i32) is not 0, else falls through. */
  branch(condition: Value, operand: number): void;
  /** Jumps to an offset in CS (checked against its limit), truncated to the operand size. */
  jump(offset: Value): void;
  /** Lets `cycles` pass in which nothing retires, and goes on with the next instruction; ending "jump". */
  stall(cycles: number): void;
  /** Offset of the following instruction, of the type of {@link size} `size`. */
  nextIp(size: Size): Value;
  /** Offset of this instruction. */
  ip(size: Size): Value;
  /** Cycles that the run had left before this instruction, i32. */
  cyclesLeft(): Value;

  // ---- the rest

  /** Raises an exception at this instruction if the condition is not 0. */
  raiseIf(condition: Value, vector: number, errorCode?: number): void;
  /** Raises an exception at this instruction. */
  raise(vector: number, errorCode?: number): void;
  /**
   * Calls a TypeScript helper by its name in the helper table (see helpers.ts). i32 arguments pass as numbers, i64 as
   * doubles if they are linear addresses (use {@link asNumber}); wide values go through S.SCRATCH. If the helper raises,
   * the instruction ends here. Returns the helper's i32 result, if it has one. All registers are up to date when it runs.
   */
  helper(name: string, ...args: Value[]): Value;
  /**
   * Calls a helper like {@link helper}, except in the usual case: `inPlace` does all that the helper would do there. It asks for
   * everything that must hold (each condition an i32) before it changes anything, or where the instruction can start again: what
   * it has not done yet the helper still finds. The run loop needs no turn afterwards. An emitter may leave the running code
   * before this instruction instead of calling the helper, and have it interpreted. Not inside conditions.
   */
  usually(inPlace: (require: (condition: Value) => void) => void, name: string, ...args: Value[]): void;
  /** How many instructions may still be executed behind this one, which ends a block: i32. */
  remaining(): Value;
  /** Counts `count` (i32) more instructions, of those that {@link remaining} gives. */
  consume(count: Value): void;
  /** An i64 (or i32, unsigned) as f64, exact up to 2^53: how offsets and addresses reach helpers. */
  asNumber(value: Value): Value;
  /**
   * Calls a function of the floating-point kernels, or of those for strings, by name; arguments and result as declared in its
   * table. Kernels do not fault; the floating-point ones see the state block only.
   */
  kernel(name: string, ...args: Value[]): Value;
}

/** A register of the x87 stack. */
export interface StackRegister {
  /** Both are read when they are asked for. */
  readonly significand: Value;
  readonly signExponent: Value;
  /** Sign and exponent have 16 bits. */
  set(significand: Value, signExponent: Value): void;
}

/** A mutable local. */
export interface Variable {
  readonly value: Value;
  set(value: Value): void;
}

/**
 * A value (i32) of fields of the state block that hardly ever change: a translator computes it once for many instructions, and
 * anew after system functions. A constant of the definitions; every one must be in steady.ts.
 */
export type Steady = (state: StateReader) => Value;

/** Something that reads fields of the state block. */
export interface StateReader {
  state(offset: number, kind: StateKind): Value;
}

/** How a field of the state block is accessed. */
export type StateKind = "u8" | "u16" | "i32" | "i64";
