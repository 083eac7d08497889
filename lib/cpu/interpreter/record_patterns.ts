/**
 * Records of instructions that have been met before. What an instruction is follows from its bytes without displacement, immediate
 * value and relative target: a tree finds these, and its leaf is the record that lacks only the constants. So most code is decoded by
 * copying.
 */
import { constantsAt, type Instruction, MAX_LENGTH, newInstruction } from "../decode/mod.ts";
import type { CodeMode } from "../emit/emitter.ts";
import { ModeBit } from "../mode.ts";
import type { ModelDecoder } from "../model_decoder.ts";
import { REC } from "./layout.ts";
import { writeRecord } from "./records.ts";

/** What a pattern says of its instruction, behind the words of the record. */
const FACT = {
  LENGTH: REC.SIZE / 4,
  /** A set of {@link PatternFlag}. */
  FLAGS: REC.SIZE / 4 + 1,
  /** Where the displacement lies and how it is read: its offset, and a {@link Constant} << 8; 0 for none. */
  DISPLACEMENT: REC.SIZE / 4 + 2,
  /** The same of the immediate value or relative target. */
  IMMEDIATE: REC.SIZE / 4 + 3,
  WORDS: REC.SIZE / 4 + 4,
} as const;

/** What matters of an instruction to its block. */
export const PatternFlag = { ENDS_BLOCK: 1, INDIRECT_JUMP: 2 } as const;

/** How a constant is read. */
const Constant = { NONE: 0, S8: 1, S16: 2, S32: 3, U8: 4, U16: 5 } as const;
/** By its bytes, if it is signed, and if it is not. */
const SIGNED: Readonly<Record<number, number>> = { 1: Constant.S8, 2: Constant.S16, 4: Constant.S32 };
const UNSIGNED: Readonly<Record<number, number>> = { 1: Constant.U8, 2: Constant.U16 };
/** Entries of a node of the tree: one for each byte. */
const NODE_SHIFT = 8;
/** Most nodes, 1 KiB each, and patterns: an instruction may have many useless prefixes. */
const MOST_NODES = 4096;
const MOST_PATTERNS = 32768;

/** The patterns that one processor has met. */
export class RecordPatterns {
  readonly #decode: ModelDecoder;
  /** Records of the state memory. */
  readonly #records: Int32Array;
  /** By node and byte: the next node, or ~pattern; 0 if nothing is known. Node 0 is none. */
  #nodes = new Int32Array(64 << NODE_SHIFT);
  #nodeCount = 1;
  /** The first node by the bits of a code mode. */
  readonly #roots = new Int32Array(ModeBit.CODE_MODE + 1);
  #patterns = new Int32Array(256 * FACT.WORDS);
  #patternCount = 0;
  /** An instruction whose constants have all bits set, and its record. */
  readonly #ones = newInstruction();
  readonly #bytes = new Uint8Array(2 * MAX_LENGTH);
  readonly #record = new DataView(new ArrayBuffer(REC.SIZE));
  readonly #words = new Int32Array(this.#record.buffer);

  constructor(decode: ModelDecoder, state: WebAssembly.Memory) {
    this.#decode = decode;
    this.#records = new Int32Array(state.buffer);
  }

  /** The pattern of the instruction at `bytes[offset]`, which ends before `end`; -1 if none is known. */
  find(key: number, bytes: Uint8Array, offset: number, end: number): number {
    const nodes = this.#nodes;
    let node = this.#roots[key & ModeBit.CODE_MODE];
    for (let at = offset; node > 0 && at < end; at++) node = nodes[node << NODE_SHIFT | bytes[at]];
    if (node >= 0) return -1;
    const pattern = ~node * FACT.WORDS;
    return offset + this.#patterns[pattern + FACT.LENGTH] <= end ? pattern : -1;
  }

  /** Bytes of a pattern's instruction. */
  length(pattern: number): number {
    return this.#patterns[pattern + FACT.LENGTH];
  }

  /** A set of {@link PatternFlag}. */
  flags(pattern: number): number {
    return this.#patterns[pattern + FACT.FLAGS];
  }

  /** The slot of the handler of a pattern's instruction. */
  slot(pattern: number): number {
    return this.#patterns[pattern + REC.SLOT / 4];
  }

  /** Writes the record of the instruction at `bytes[offset]`, which has a pattern; the other parameters are those of {@link writeRecord}. */
  write(pattern: number, bytes: Uint8Array, offset: number, at: number, next: number, position: number): void {
    const records = this.#records, patterns = this.#patterns, word = at >>> 2;
    for (let i = 0; i < REC.NEXT / 4; i++) records[word + i] = patterns[pattern + i];
    const displacement = patterns[pattern + FACT.DISPLACEMENT], immediate = patterns[pattern + FACT.IMMEDIATE];
    if (displacement !== 0) records[word + REC.DISP / 4] = readConstant(displacement, bytes, offset);
    if (immediate !== 0) records[word + REC.IMM / 4] = readConstant(immediate, bytes, offset);
    records[word + REC.NEXT / 4] = next | position << 16;
  }

  /** Remembers the instruction at `bytes[offset]`, if a pattern can stand for all others like it. `flags`: a set of {@link PatternFlag}. */
  add(
    key: number,
    mode: CodeMode,
    bytes: Uint8Array,
    offset: number,
    instruction: Instruction,
    slot: number,
    flags: number,
  ): void {
    const { length, displacementAt, immediateAt, relativeAt } = instruction,
      first = relativeAt || constantsAt(instruction);
    if (!isRegular(instruction)) return;
    this.#bytes.fill(0xff);
    this.#bytes.set(bytes.subarray(offset, offset + first));
    const ones = this.#ones;
    if (this.#decode(this.#bytes, 0, this.#bytes.length, mode.code, ones) !== "ok" || ones.length !== length) return;
    writeRecord(this.#record, 0, slot, ones, 0, 0);
    const displacement = this.#takeConstant(REC.DISP, displacementAt, immediateAt || length);
    const immediate = this.#takeConstant(REC.IMM, immediateAt || relativeAt, length);
    if (displacement < 0 || immediate < 0) return;
    const pattern = this.#newPattern();
    this.#patterns.set(this.#words, pattern);
    this.#patterns.set([length, flags, displacement, immediate], pattern + FACT.LENGTH);
    this.#insert(key & ModeBit.CODE_MODE, bytes, offset, offset + first, ~(pattern / FACT.WORDS));
  }

  /**
   * Clears the field of the record that is a constant with all bits set, from `start` to before `end` in the bytes. Returns what
   * {@link FACT} says of it, 0 if there is none, -1 if it has no pattern.
   */
  #takeConstant(field: number, start: number, end: number): number {
    if (start === 0) return 0;
    const kinds = this.#words[field / 4] === -1 ? SIGNED : UNSIGNED, kind = kinds[end - start];
    if (kind === undefined) return -1;
    this.#words[field / 4] = 0;
    return start | kind << 8;
  }

  #newPattern(): number {
    if (this.#patternCount === MOST_PATTERNS || this.#nodeCount > MOST_NODES - MAX_LENGTH) this.#clear();
    const pattern = this.#patternCount++ * FACT.WORDS;
    if (pattern === this.#patterns.length) this.#patterns = doubled(this.#patterns);
    return pattern;
  }

  #clear(): void {
    this.#roots.fill(0);
    this.#patternCount = 0;
    this.#nodeCount = 1;
  }

  #newNode(): number {
    const node = this.#nodeCount++, start = node << NODE_SHIFT;
    if (start === this.#nodes.length) this.#nodes = doubled(this.#nodes);
    this.#nodes.fill(0, start, start + (1 << NODE_SHIFT));
    return node;
  }

  #insert(root: number, bytes: Uint8Array, from: number, to: number, leaf: number): void {
    let node = this.#roots[root] ||= this.#newNode();
    for (let at = from; at < to - 1; at++) {
      const index = node << NODE_SHIFT | bytes[at];
      if (this.#nodes[index] === 0) {
        const next = this.#newNode();
        this.#nodes[index] = next;
      }
      node = this.#nodes[index];
    }
    this.#nodes[node << NODE_SHIFT | bytes[to - 1]] = leaf;
  }
}

/** True if the constants of an instruction are at most one displacement, and one immediate value or relative target. */
function isRegular({ mnemonic, operands, immediateAt, length }: Instruction): boolean {
  // Of undefined instructions it is not known which bytes are constants; of several constants only where the first one is.
  if (mnemonic === "ud" || mnemonic === "toolong") return false;
  let immediates = 0;
  for (const operand of operands) {
    if (operand.kind === "far") return false;
    if (operand.kind === "imm") immediates++;
  }
  return immediateAt === 0 || (immediates === 1 && length - immediateAt <= 4);
}

function doubled(words: Int32Array): Int32Array<ArrayBuffer> {
  const twice = new Int32Array(2 * words.length);
  twice.set(words);
  return twice;
}

function readConstant(fact: number, bytes: Uint8Array, offset: number): number {
  const at = offset + (fact & 0xff);
  switch (fact >> 8) {
    case Constant.S8:
      return bytes[at] << 24 >> 24;
    case Constant.U8:
      return bytes[at];
    case Constant.S16:
      return (bytes[at] | bytes[at + 1] << 8) << 16 >> 16;
    case Constant.U16:
      return bytes[at] | bytes[at + 1] << 8;
    default:
      return bytes[at] | bytes[at + 1] << 8 | bytes[at + 2] << 16 | bytes[at + 3] << 24;
  }
}
