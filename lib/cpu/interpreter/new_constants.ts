/**
 * Gives decoded instructions the constants that a write has put into their bytes: displacements and immediate values. A program that
 * changes nothing else of its code need not have it decoded again.
 */
import { PAGE_SHIFT, PAGE_SIZE, type PhysicalMemory } from "../../machine/memory.ts";
import { constantsAt, type Instruction, newInstruction } from "../decode/mod.ts";
import { codeMode } from "../mode.ts";
import type { ModelDecoder } from "../model_decoder.ts";
import { definitionFor } from "../semantics/mod.ts";
import { endingOf } from "../semantics/registry.ts";
import { S } from "../state.ts";
import type { Block } from "./block.ts";
import { CPU_BASE, HEADER, REC } from "./layout.ts";
import { writeRecord } from "./records.ts";

/** An instruction with new constants. */
export interface NewConstants {
  readonly instruction: Instruction;
  /** Host offset of its first byte. */
  readonly host: number;
  /** Address of its record, and of the copy of that in the partial block, 0 if it is not there. */
  readonly record: number;
  readonly copy: number;
}

/** Changes the constants in the records of one processor. */
export class ConstantChanger {
  readonly #decode: ModelDecoder;
  readonly #memory: PhysicalMemory;
  readonly #view: DataView;

  constructor(decode: ModelDecoder, memory: PhysicalMemory, state: WebAssembly.Memory) {
    this.#decode = decode;
    this.#memory = memory;
    this.#view = new DataView(state.buffer);
  }

  /** The instruction of a block that has all bytes from one host offset to before another among its constants; null if none has. */
  #find(block: Block, from: number, to: number): Omit<NewConstants, "copy"> | null {
    if (block.secondFrame >= 0 || from <= block.host || to > block.host + block.bytes) return null;
    let record = block.record;
    while (block.host + this.#view.getUint16(record + REC.NEXT, true) <= from) record += REC.SIZE;
    const found = this.#changeable(block, record);
    if (!found) return null;
    const { instruction, host } = found;
    return from >= host + constantsAt(instruction) && to <= host + instruction.length ? found : null;
  }

  /** The instruction behind a record of a block; null if constants are more than fields of it there, or it is another one now. */
  #changeable({ host: start, key }: Block, record: number): Omit<NewConstants, "copy"> | null {
    const length = this.#view.getUint8(record + REC.LENGTH);
    const host = start + this.#view.getUint16(record + REC.NEXT, true) - length;
    const instruction = newInstruction(), frameEnd = ((host >>> PAGE_SHIFT) + 1) * PAGE_SIZE;
    if (this.#decode(this.#memory.bytes, host, frameEnd, codeMode(key).code, instruction) !== "ok") return null;
    const { displacementAt, immediateAt } = instruction;
    // Offsets of 64 bits have a form of their own if they need so many.
    const isWide = displacementAt > 0 && (immediateAt || length) - displacementAt === 8;
    if (isWide || instruction.length !== length) return null;
    return endingOf(definitionFor(instruction), instruction) === "none" ? { instruction, host, record } : null;
  }

  /** True if the bytes from one host offset to before another are constants of one instruction of a block. */
  isConstant(block: Block, from: number, to: number): boolean {
    return this.#find(block, from, to) !== null;
  }

  /**
   * The instruction of a block to which the bytes that have just been written, from one host offset to before another, are new
   * constants; null if there is more to it. `partial` is the first record of the block's copy, 0 if there is none.
   */
  find(block: Block, partial: number, from: number, to: number): NewConstants | null {
    const found = this.#find(block, from, to), view = this.#view;
    if (!found) return null;
    const { record } = found, position = view.getUint16(record + REC.INDEX_IN_BLOCK, true);
    const copied = partial !== 0 && position < view.getUint16(partial - HEADER.SIZE + HEADER.COUNT, true);
    const copy = copied ? partial + position * REC.SIZE : 0;
    // What has been read of a record that is running is its handler's affair.
    const running = view.getInt32(CPU_BASE + S.CURRENT, true);
    return running === record || (running === copy && copy !== 0) ? null : { ...found, copy };
  }

  /** Reads the constants of all instructions of a block anew. */
  refresh(block: Block): void {
    for (let i = 0; i < block.count; i++) {
      const found = this.#changeable(block, block.record + i * REC.SIZE);
      if (found) this.#write(found.record, found.instruction);
    }
  }

  /** Puts the constants into the records. */
  change({ instruction, record, copy }: NewConstants): void {
    this.#write(record, instruction);
    if (copy !== 0) this.#write(copy, instruction);
  }

  #write(record: number, instruction: Instruction): void {
    const view = this.#view, slot = view.getInt32(record + REC.SLOT, true);
    const next = view.getUint16(record + REC.NEXT, true), position = view.getUint16(record + REC.INDEX_IN_BLOCK, true);
    writeRecord(view, record, slot, instruction, next, position);
  }
}
