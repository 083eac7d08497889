/**
 * The block cache: decoded straight-line code, found by the physical place of its first byte and the code mode.
 *
 * Blocks never outlive a change of their bytes: the frames are watched, and a write to a block's bytes voids its records
 * at once, so that even the block that is running notices before its next instruction.
 */
import { PAGE_SHIFT, PAGE_SIZE, type PhysicalMemory } from "../../machine/memory.ts";
import { type Instruction, MAX_LENGTH, newInstruction } from "../decode/mod.ts";
import type { CodeMode } from "../emit/emitter.ts";
import type { ModelDecoder } from "../model_decoder.ts";
import { definitionFor } from "../semantics/mod.ts";
import { endingOf } from "../semantics/registry.ts";
import { type Block, bytesIn, type CodeRegion, framesOf, placeOf } from "./block.ts";
import { BlockIndex } from "./block_index.ts";
import { BlockRecords } from "./block_records.ts";
import { CodeMarks } from "./code_marks.ts";
import { CodeRegions } from "./code_regions.ts";
import type { HandlerLibrary } from "./handlers.ts";
import { ARENA_BASE, ARENA_END, HEADER, REC } from "./layout.ts";
import { ConstantChanger, type NewConstants } from "./new_constants.ts";
import { PatternFlag, RecordPatterns } from "./record_patterns.ts";
import { writeRecord } from "./records.ts";
import { Rewrites } from "./rewrites.ts";

/** Most instructions in a block. */
const MAX_BLOCK = 64;

/** Most instructions in a block of a frame whose code has been rewritten {@link OFTEN} times: most would be decoded in vain. */
const MAX_REWRITTEN_BLOCK = 4;
const OFTEN = 256;
/** Where code was translated in vain, blocks must run longer before they are looked at again: so many times as often, as a shift. */
const IN_VAIN = 3;
/** A region that is void because of new constants is wanted again after so many times fewer entries, as a shift. */
const SOONER = 3;

/** Bytes of records at which all blocks are forgotten: what is remembered about them beside their records is even more. */
const RECORD_BYTES = 32 << 20;
/** Room for a block with its header and end. */
const LARGEST_BLOCK = HEADER.SIZE + (MAX_BLOCK + 2) * REC.SIZE;
/** Room at the start of the arena for the part of a block that a short budget covers. */
const PARTIAL_BYTES = LARGEST_BLOCK;

/** Where code is fetched from. */
export interface CodeSource {
  /**
   * Host offset of the linear page after the one that is being decoded, or -1 if it is not plain memory. May raise #PF.
   */
  nextPage(): number;
}

/** What matters of an instruction to its block: a set of {@link PatternFlag}. */
function patternFlags(instruction: Instruction): number {
  if (endingOf(definitionFor(instruction), instruction) === "none") return 0;
  const isIndirectJump = instruction.mnemonic === "jmp" && instruction.operands[0].kind !== "rel";
  return PatternFlag.ENDS_BLOCK | (isIndirectJump ? PatternFlag.INDIRECT_JUMP : 0);
}

/** Decoded blocks of one processor. */
export class BlockCache {
  /** The blocks' records in state memory. */
  readonly records: BlockRecords;
  readonly #library: HandlerLibrary;
  readonly #decode: ModelDecoder;
  readonly #memory: PhysicalMemory;
  readonly #view: DataView;
  readonly #index = new BlockIndex();
  readonly #marks: CodeMarks;
  readonly #regions: CodeRegions;
  /** What is known about changes of code. */
  readonly rewrites: Rewrites;
  readonly #constants: ConstantChanger;
  readonly #patterns: RecordPatterns;
  readonly #instruction: Instruction = newInstruction();
  readonly #straddle = new Uint8Array(32);
  #next = ARENA_BASE + PARTIAL_BYTES;
  #partialOf: Block | null = null;
  /** Called with a frame that starts to hold code. */
  readonly #watch: (frame: number) => void;
  /** Called with a frame that holds no code any more. */
  readonly #unwatch: (frame: number) => void;
  /** After how many entries a new block is given to the translator; 0 for never. */
  readonly #heat: () => number;
  /** How many instructions have been executed. */
  readonly #instructions: () => number;
  /** Where records end. */
  readonly #end: number;
  #flushes = 0;
  #built = 0;
  #newConstants = 0;
  #rewrittenBlocks = 0;
  #rewrittenRegions = 0;

  constructor(
    library: HandlerLibrary,
    decode: ModelDecoder,
    memory: PhysicalMemory,
    state: WebAssembly.Memory,
    watch: (frame: number) => void,
    unwatch: (frame: number) => void,
    heat: () => number,
    instructions: () => number,
    recordBytes: number = RECORD_BYTES,
  ) {
    this.#end = Math.min(ARENA_END, ARENA_BASE + PARTIAL_BYTES + Math.max(recordBytes, LARGEST_BLOCK));
    this.#heat = heat;
    this.#instructions = instructions;
    this.#library = library;
    this.#decode = decode;
    this.#memory = memory;
    this.#view = new DataView(state.buffer);
    this.records = new BlockRecords(library, state);
    this.#marks = new CodeMarks(state);
    this.#regions = new CodeRegions(this.#marks);
    this.rewrites = new Rewrites(instructions);
    this.#constants = new ConstantChanger(decode, memory, state);
    this.#patterns = new RecordPatterns(decode, state);
    this.#watch = watch;
    this.#unwatch = unwatch;
  }

  /** The block at a host offset for a mode key, if it was decoded before, to be run at `ip`, an offset in CS. */
  find(host: number, key: number, ip: number): Block | undefined {
    return this.#index.find(host, key, ip);
  }

  /** Counts for observers. */
  get statistics(): Record<string, number> {
    return {
      "blocks decoded": this.#built,
      "times all blocks were forgotten": this.#flushes,
      "instructions with new constants": this.#newConstants,
      "blocks whose code was rewritten": this.#rewrittenBlocks,
      "regions whose code was rewritten": this.#rewrittenRegions,
    };
  }

  /** True if the arena could overflow with one more block: {@link clear} first. */
  get full(): boolean {
    return this.#next + LARGEST_BLOCK > this.#end;
  }

  /** Lets nothing lead to any block until it is found again. */
  forgetPlaces(): void {
    this.#index.each((block) => this.records.forgetPlace(block));
    this.records.places.clear();
    this.records.regionCache.clear();
  }

  /** Forgets all blocks. Regions stay. */
  clear(): void {
    this.#index.clear();
    for (const frame of this.#marks.frames) {
      if (!this.#regions.has(frame)) {
        this.#emptied(frame);
        continue;
      }
      this.#marks.wipe(frame);
      for (const region of this.#regions.in(frame)) {
        this.#regions.mark(region, frame);
        region.closed();
      }
    }
    this.rewrites.clear();
    this.#next = ARENA_BASE + PARTIAL_BYTES;
    this.#partialOf = null;
    this.records.regionCache.clear();
    this.#flushes++;
  }

  /**
   * Decodes the block at `host`. At most `room` bytes may be decoded (up to the code segment's limit); an instruction that
   * does not fit into them ends the block before it. Returns null if not even one instruction fits, or if the first one
   * reaches into a page that is not plain memory.
   */
  build(host: number, key: number, ip: number, mode: CodeMode, room: number, source: CodeSource): Block | null {
    const frame = host >>> PAGE_SHIFT, frameEnd = (frame + 1) * PAGE_SIZE;
    const bytes = this.#memory.bytes, instruction = this.#instruction;
    const first = this.#next + HEADER.SIZE;
    let at = first, offset = host, count = 0, secondFrame = -1, length = 0, flags = 0, startsPlainly = false;
    const most = this.rewrites.writes(frame) < OFTEN ? MAX_BLOCK : MAX_REWRITTEN_BLOCK;
    while (count < most && (flags & PatternFlag.ENDS_BLOCK) === 0) {
      const pattern = this.#patterns.find(key, bytes, offset, frameEnd);
      if (pattern >= 0) length = this.#patterns.length(pattern);
      else if (offset < frameEnd && this.#decode(bytes, offset, frameEnd, mode.code, instruction) === "ok") {
        length = instruction.length;
      } else {
        // It reaches into the next page: such a block is the instruction alone.
        if (count > 0) break;
        secondFrame = this.#decodeStraddling(offset, frameEnd, mode, source);
        if (secondFrame < 0) break;
        length = instruction.length;
        if (length <= frameEnd - offset) secondFrame = -1;
      }
      if (offset + length - host > room) break;
      const start = offset;
      offset += length;
      if (pattern >= 0) {
        flags = this.#patterns.flags(pattern);
        this.#library.noteUse(this.#patterns.slot(pattern));
        this.#patterns.write(pattern, bytes, start, at, offset - host, count);
      } else {
        const slot = this.#library.slotFor(instruction, mode);
        flags = patternFlags(instruction);
        writeRecord(this.#view, at, slot, instruction, offset - host, count);
        if (offset <= frameEnd) this.#patterns.add(key, mode, bytes, start, instruction, slot, flags);
      }
      at += REC.SIZE;
      count++;
      if (count === 1) startsPlainly = (flags & PatternFlag.ENDS_BLOCK) === 0;
      if (secondFrame >= 0) break;
    }
    if (count === 0) return null;
    if ((flags & PatternFlag.ENDS_BLOCK) === 0) {
      this.records.writeFallThrough(at, mode, offset - host, count);
      at += REC.SIZE;
    }
    const heat = this.rewrites.heat(placeOf(host, key)) || this.#heatIn(frame);
    this.records.writeHeader(first, count, offset - host, heat);
    const block: Block = {
      record: first,
      count,
      bytes: offset - host,
      host,
      secondFrame,
      key,
      indirectJump: (flags & PatternFlag.INDIRECT_JUMP) !== 0 ? offset - host - length : -1,
      startsPlainly,
      looks: 0,
      lookedAt: this.#instructions(),
      valid: true,
      hasOldConstants: false,
      region: null,
    };
    this.#next = at;
    this.#built++;
    this.#remember(block, ip);
    return block;
  }

  #decodeStraddling(offset: number, frameEnd: number, mode: CodeMode, source: CodeSource): number {
    const head = frameEnd - offset, next = source.nextPage();
    if (next < 0) return -1;
    this.#straddle.set(this.#memory.bytes.subarray(offset, frameEnd));
    this.#straddle.set(this.#memory.bytes.subarray(next, next + MAX_LENGTH), head);
    this.#decode(this.#straddle, 0, head + MAX_LENGTH, mode.code, this.#instruction);
    return next >>> PAGE_SHIFT;
  }

  #remember(block: Block, ip: number): void {
    this.#index.add(block, ip);
    for (const frame of framesOf(block)) {
      this.#mark(block, frame);
      this.#watch(frame);
    }
  }

  #mark(block: Block, frame: number): void {
    const { start, end, tail } = bytesIn(block, frame);
    this.#marks.mark(frame, start, end);
    if (tail > 0) this.#marks.mark(frame, 0, tail);
  }

  /** Address in state memory of the marks of a frame's code bytes, 0 if compiled code cannot look at them. */
  marksAddress(frame: number): number {
    return this.#marks.address(frame);
  }

  #emptied(frame: number): void {
    if (this.#regions.has(frame)) return;
    this.#marks.release(frame);
    this.#unwatch(frame);
  }

  /** True if one of `length` bytes of a frame from `offset` belongs to a block. */
  holdsCode(frame: number, offset: number, length: number): boolean {
    return this.#marks.holds(frame, offset, length);
  }

  /** Bytes of a frame have changed: what contains them gets new constants, or is void. */
  invalidate(frame: number, offset: number, length: number): void {
    if (!this.#marks.holds(frame, offset, length)) return;
    const from = frame * PAGE_SIZE + offset, to = from + length;
    if (this.#changeConstants(frame, from, to)) return;
    const regions = this.#regions.with(frame, from, to), blocks = this.#index.with(frame, from, to);
    // However many regions have the same code: one write is one reason to wait. Systems patch old code only now and then.
    this.rewrites.noteCode(frame, regions.some(({ young }) => young));
    this.#rewrite(regions, false);
    for (const block of blocks) {
      this.rewrites.noteHeat(placeOf(block.host, block.key), this.records.heat(block));
      this.#void(block);
    }
    this.#rewrittenBlocks += blocks.length;
    if (this.#index.sweep(frame) === 0 && !this.#regions.has(frame)) this.#emptied(frame);
    else this.#markAnew(frame, blocks, regions);
  }

  /** Takes the marks of blocks and regions away that are void, but not those of others with some of their bytes. */
  #markAnew(frame: number, blocks: readonly Block[], regions: readonly CodeRegion[]): void {
    const base = frame * PAGE_SIZE;
    let start = PAGE_SIZE, end = 0;
    const take = (first: number, last: number) => {
      start = Math.min(start, first);
      end = Math.max(end, last);
    };
    for (const block of blocks) {
      const { start, end, tail } = bytesIn(block, frame);
      if (end > start) take(start, end);
      if (tail > 0) take(0, tail);
    }
    for (const { ranges } of regions) {
      for (const { start, end } of ranges) if (start >>> PAGE_SHIFT === frame) take(start - base, end - base);
    }
    // The marks were left over.
    if (end === 0) take(0, PAGE_SIZE);
    this.#marks.unmark(frame, start, end);
    for (const block of this.#index.with(frame, base + start, base + end)) this.#mark(block, frame);
    for (const region of this.#regions.with(frame, base + start, base + end)) this.#regions.mark(region, frame);
  }

  /** Changes the constants of instructions in all blocks with the bytes; false if they are more than that in some block. */
  #changeConstants(frame: number, from: number, to: number): boolean {
    const changes: NewConstants[] = [];
    for (const block of this.#index.with(frame, from, to)) {
      const partial = this.#partialOf === block ? this.partialRecord : 0;
      const found = this.#constants.find(block, partial, from, to);
      if (!found) return false;
      changes.push(found);
    }
    if (changes.length === 0) return false;
    for (const change of changes) this.#constants.change(change);
    for (const host of new Set(changes.map((change) => change.host))) this.rewrites.noteConstants(host);
    this.#newConstants++;
    this.#rewrite(this.#regions.with(frame, from, to), true);
    return true;
  }

  /**
   * A region is about to write to marked bytes: true if it may do so at once, because what they are to the code there are constants that
   * regions read when they run.
   */
  expectConstants(frame: number, offset: number, length: number): boolean {
    const from = frame * PAGE_SIZE + offset, to = from + length;
    if (this.#regions.with(frame, from, to).length > 0) return false;
    const blocks = this.#index.with(frame, from, to);
    if (!blocks.every((block) => block.region !== null && this.#constants.isConstant(block, from, to))) return false;
    for (const block of blocks) block.hasOldConstants = true;
    this.#marks.unmark(frame, offset, offset + length);
    return true;
  }

  /** Makes the records of a block be what its bytes say. */
  #refresh(block: Block): void {
    if (!block.hasOldConstants || !block.valid) return;
    block.hasOldConstants = false;
    this.#mark(block, block.host >>> PAGE_SHIFT);
    this.#constants.refresh(block);
  }

  /** Lets a block run again in place of its region. */
  leaveRegion(block: Block): void {
    this.#refresh(block);
    this.records.leaveRegion(block);
  }

  /** The bytes of regions have changed. */
  #rewrite(regions: readonly CodeRegion[], constants: boolean): void {
    this.#rewrittenRegions += regions.length;
    for (const region of regions) {
      this.#takeOut(region);
      region.rewritten(constants);
    }
  }

  /** Watches over the bytes of a region. */
  addRegion(region: CodeRegion): void {
    this.#regions.add(region);
    for (const frame of region.frames) this.#watch(frame);
  }

  /** Forgets a region. */
  removeRegion(region: CodeRegion): void {
    this.#takeOut(region);
    region.voided();
  }

  #takeOut(region: CodeRegion): void {
    for (const frame of this.#regions.remove(region)) {
      if (!this.#index.has(frame)) this.#emptied(frame);
    }
  }

  /** Lets a block become hot once more: a region at it is gone; `sooner` if it is sure to be wanted again. */
  coolDown(block: Block, { frames }: CodeRegion, sooner: boolean): void {
    block.looks = 0;
    block.lookedAt = this.#instructions();
    const usual = Math.max(...[...frames].map((frame) => this.#heatIn(frame)));
    const heat = sooner && usual > 0 ? Math.max(1, usual >> SOONER) : usual, left = this.records.heat(block);
    if (left <= 0 || heat < left) this.records.setHeat(block, heat);
  }

  /** Forgets one block. Its records are voided, in case something still leads there. */
  discard(block: Block): void {
    if (!block.valid) return;
    this.#void(block);
    for (const frame of framesOf(block)) if (this.#index.sweep(frame) === 0) this.#emptied(frame);
  }

  /** Forgets a block whose bytes have changed, even if it is running. */
  #void(block: Block): void {
    block.valid = false;
    this.#index.remove(block);
    this.records.void(block);
    if (this.#partialOf === block) this.records.voidFrom(this.partialRecord, block.count);
  }

  /** First record of the partial block. */
  readonly partialRecord = ARENA_BASE + HEADER.SIZE;

  /** Copies the first `count` instructions of a block, followed by a stop; returns the first record. */
  partial(block: Block, count: number, mode: CodeMode): number {
    this.#refresh(block);
    const first = this.partialRecord, bytes = this.records.copy(block, count, first);
    this.records.writeHeader(first, count, block.bytes, this.#heatIn(-1));
    this.records.writeStop(first + count * REC.SIZE, block.key, mode, bytes, count);
    this.#partialOf = block;
    return first;
  }

  /**
   * The instruction at the start of `bytes` as a block that is good for one run, up to the next {@link partial} one. Returns
   * "truncated" if it is longer than `bytes`, null if it is longer than `room`.
   */
  transient(bytes: Uint8Array, key: number, mode: CodeMode, room: number): Block | "truncated" | null {
    const instruction = this.#instruction, record = this.partialRecord;
    if (this.#decode(bytes, 0, bytes.length, mode.code, instruction) === "truncated") return "truncated";
    const { length } = instruction;
    if (length > room) return null;
    writeRecord(this.#view, record, this.#library.slotFor(instruction, mode), instruction, length, 0);
    this.records.writeHeader(record, 1, length, this.#heatIn(-1));
    this.records.writeStop(record + REC.SIZE, key, mode, length, 1);
    this.#partialOf = null;
    return {
      record,
      count: 1,
      bytes: length,
      host: -1,
      secondFrame: -1,
      key,
      indirectJump: -1,
      startsPlainly: false,
      looks: 0,
      lookedAt: 0,
      valid: false,
      hasOldConstants: false,
      region: null,
    };
  }

  /** After how many entries a new block of a frame is hot, -1 for one that does not last; 0 for never. */
  #heatIn(frame: number): number {
    const patience = this.rewrites.patience(frame);
    return this.#heat() << (patience === 0 ? 0 : patience + IN_VAIN);
  }
}
