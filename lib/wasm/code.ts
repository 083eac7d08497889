/** The body of one function: instructions and locals. Structured control is written with callbacks, so depth is tracked here. */
import { ByteWriter } from "./bytes.ts";
import { Op, OpSimd, TYPE_CODE, type ValueType } from "./opcodes.ts";

/** A target of a branch: made by {@link Code.block} and {@link Code.loop}, valid inside their body. */
export interface Label {
  readonly depth: number;
}

/** A place in a function's code. */
export interface CodeMark {
  readonly length: number;
  readonly depth: number;
}

/** A finished function body. */
export interface FunctionBody {
  /** Local declarations, instructions, END, without the size. */
  readonly bytes: ByteWriter;
  /** Offsets in {@link bytes} of the branches that are hardly ever taken. */
  readonly unlikely: readonly number[];
}

/** Emits one function body. */
export class Code {
  readonly #out = new ByteWriter(512);
  readonly #locals: ValueType[] = [];
  readonly #free: Record<ValueType, number[]> = { i32: [], i64: [], f32: [], f64: [], v128: [] };
  readonly #parameters: number;
  /** Offsets of branches that are hardly ever taken; the last one may be yet to come. */
  readonly #unlikely: number[] = [];
  #depth = 0;
  #scope: { type: ValueType; index: number }[] | null = null;

  constructor(parameters: number) {
    this.#parameters = parameters;
  }

  /** Bytes of code so far. */
  get length(): number {
    return this.#out.length;
  }

  /** A new local of the given type; returns its index. */
  local(type: ValueType): number {
    const index = this.#free[type].pop() ?? this.#parameters + this.#locals.push(type) - 1;
    this.#scope?.push({ type, index });
    return index;
  }

  /** A new local that is not reused after the {@link scope} that it is made in. */
  permanentLocal(type: ValueType): number {
    return this.#parameters + this.#locals.push(type) - 1;
  }

  /** Runs `body`; the locals that it takes may be reused afterwards. */
  scope(body: () => void): void {
    const outer = this.#scope;
    this.#scope = [];
    try {
      body();
    } finally {
      for (const { type, index } of this.#scope) this.#free[type].push(index);
      this.#scope = outer;
    }
  }

  /** Remembers the end of the code so far, for {@link rewind}. */
  mark(): CodeMark {
    return { length: this.#out.length, depth: this.#depth };
  }

  /** Takes back what was written after `mark`. */
  rewind(mark: CodeMark): void {
    this.#out.truncate(mark.length);
    while ((this.#unlikely.at(-1) ?? -1) >= mark.length) this.#unlikely.pop();
    this.#depth = mark.depth;
  }

  /** Lets a later {@link local} reuse the index. */
  release(type: ValueType, index: number): void {
    this.#free[type].push(index);
  }

  /** Says of the `if` or `br_if` that is written next that its condition hardly ever holds. */
  unlikely(): void {
    this.#unlikely.push(this.#out.length);
  }

  op(opcode: number): void {
    this.#out.u8(opcode);
  }

  i32(value: number): void {
    this.#out.u8(Op.I32_CONST);
    this.#out.s32(value);
  }

  i64(value: bigint): void {
    this.#out.u8(Op.I64_CONST);
    this.#out.s64(value);
  }

  f64(value: number): void {
    this.#out.u8(Op.F64_CONST);
    this.#out.f64(value);
  }

  get(local: number): void {
    this.#out.u8(Op.LOCAL_GET);
    this.#out.u32(local);
  }

  set(local: number): void {
    this.#out.u8(Op.LOCAL_SET);
    this.#out.u32(local);
  }

  tee(local: number): void {
    this.#out.u8(Op.LOCAL_TEE);
    this.#out.u32(local);
  }

  /** A load or store: the address is on the stack, `offset` is added to it; alignment is not promised. */
  memory(opcode: number, offset: number, memory = 0): void {
    this.#out.u8(opcode);
    this.#memarg(offset, memory);
  }

  /** A vector load or store. */
  simdMemory(subOpcode: number, offset: number, memory = 0): void {
    this.#out.u8(Op.PREFIX_SIMD);
    this.#out.u32(subOpcode);
    this.#memarg(offset, memory);
  }

  #memarg(offset: number, memory: number): void {
    if (memory === 0) this.#out.u8(0);
    else {
      this.#out.u8(0x40);
      this.#out.u32(memory);
    }
    this.#out.u32(offset);
  }

  /** A vector instruction that does not access memory, with its immediate bytes (lane numbers). */
  simd(subOpcode: number, ...immediates: readonly number[]): void {
    this.#out.u8(Op.PREFIX_SIMD);
    this.#out.u32(subOpcode);
    this.#out.raw(immediates);
  }

  /** A 16-byte vector constant. */
  v128(bytes: Uint8Array): void {
    this.simd(OpSimd.V128_CONST);
    this.#out.raw(bytes);
  }

  /** An instruction after the 0xFC prefix, with raw immediate bytes. */
  fc(subOpcode: number, ...immediates: number[]): void {
    this.#out.u8(Op.PREFIX_FC);
    this.#out.u32(subOpcode);
    this.#out.raw(immediates);
  }

  call(functionIndex: number): void {
    this.#out.u8(Op.CALL);
    this.#out.u32(functionIndex);
  }

  returnCall(functionIndex: number): void {
    this.#out.u8(Op.RETURN_CALL);
    this.#out.u32(functionIndex);
  }

  /** Tail call of the function at the table index on the stack. */
  returnCallIndirect(typeIndex: number, table = 0): void {
    this.#out.u8(Op.RETURN_CALL_INDIRECT);
    this.#out.u32(typeIndex);
    this.#out.u32(table);
  }

  callIndirect(typeIndex: number, table = 0): void {
    this.#out.u8(Op.CALL_INDIRECT);
    this.#out.u32(typeIndex);
    this.#out.u32(table);
  }

  #open(opcode: number, result: ValueType | undefined): Label {
    this.#out.u8(opcode);
    this.#out.u8(result === undefined ? 0x40 : TYPE_CODE[result]);
    return { depth: ++this.#depth };
  }

  #close(): void {
    this.#out.u8(Op.END);
    this.#depth--;
  }

  /** `block … end`; a branch to the label leaves it. */
  block(body: (label: Label) => void, result?: ValueType): void {
    body(this.#open(Op.BLOCK, result));
    this.#close();
  }

  /** `loop … end`; a branch to the label starts it again. */
  loop(body: (label: Label) => void, result?: ValueType): void {
    body(this.#open(Op.LOOP, result));
    this.#close();
  }

  /** `if … else … end` on the condition that is on the stack. */
  if(then: () => void, otherwise?: () => void, result?: ValueType): void {
    this.#open(Op.IF, result);
    then();
    if (otherwise) {
      this.#out.u8(Op.ELSE);
      otherwise();
    }
    this.#close();
  }

  br(label: Label): void {
    this.#out.u8(Op.BR);
    this.#out.u32(this.#depth - label.depth);
  }

  brIf(label: Label): void {
    this.#out.u8(Op.BR_IF);
    this.#out.u32(this.#depth - label.depth);
  }

  /** Branches by the index on the stack. */
  brTable(labels: readonly Label[], otherwise: Label): void {
    this.#out.u8(Op.BR_TABLE);
    this.#out.u32(labels.length);
    for (const label of labels) this.#out.u32(this.#depth - label.depth);
    this.#out.u32(this.#depth - otherwise.depth);
  }

  /** Completes the body. */
  finish(): FunctionBody {
    const body = new ByteWriter(this.#out.length + 16);
    const runs: { type: ValueType; count: number }[] = [];
    for (const type of this.#locals) {
      const last = runs.at(-1);
      if (last?.type === type) last.count++;
      else runs.push({ type, count: 1 });
    }
    body.u32(runs.length);
    for (const run of runs) {
      body.u32(run.count);
      body.u8(TYPE_CODE[run.type]);
    }
    const start = body.length;
    body.append(this.#out);
    body.u8(Op.END);
    return { bytes: body, unlikely: this.#unlikely.map((at) => start + at) };
  }
}
