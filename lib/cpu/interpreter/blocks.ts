/**
 * The block cache: decoded straight-line code, found by the physical place of its first byte and the code mode.
 *
 * Blocks never outlive a change of their bytes: the frames are watched, and a write to a block's bytes voids its records
 * at once, so that even the block that is running notices before its next instruction.
 */
import { PAGE_SIZE, type PhysicalMemory } from "../../machine/memory.ts";
import { type Instruction, MAX_LENGTH, newInstruction } from "../decode/mod.ts";
import type { CodeMode } from "../emit/emitter.ts";
import { ModeBit } from "../mode.ts";
import type { ModelDecoder } from "../model_decoder.ts";
import { definitionFor } from "../semantics/mod.ts";
import { endingOf } from "../semantics/registry.ts";
import { type HandlerLibrary, Pseudo } from "./handlers.ts";
import { ARENA_BASE, ARENA_END, CODE_MARKS, HEADER, REC } from "./layout.ts";
import { writeRecord } from "./records.ts";

/** Most instructions in a block. */
const MAX_BLOCK = 64;

/** Most instructions in a block of a frame whose code has been rewritten {@link OFTEN} times: most would be decoded in vain. */
const MAX_REWRITTEN_BLOCK = 4;
const OFTEN = 256;
/** Each time that code of a frame which was translated is rewritten, translating it again waits twice as long, up to this often. */
const MOST_PATIENCE = 16;

/** Bytes of records at which all blocks are forgotten: what is remembered about them beside their records is even more. */
const RECORD_BYTES = 32 << 20;
/** Room for a block with its header and end. */
const LARGEST_BLOCK = (MAX_BLOCK + 3) * REC.SIZE;
/** Room at the start of the arena for the part of a block that a short budget covers. */
const PARTIAL_BYTES = LARGEST_BLOCK;

/** A decoded block. */
export interface Block {
  /** Address of the first record. */
  readonly record: number;
  /** Instructions. */
  readonly count: number;
  /** Bytes of code. */
  readonly bytes: number;
  /** Host offset of the first byte. */
  readonly host: number;
  /** Host frame that the last instruction continues in, or -1. */
  readonly secondFrame: number;
  readonly key: number;
  /** Addresses of link fields that lead here. */
  readonly incoming: number[];
  /** Offset from the block's start of the indirect jump that ends it, -1 if another instruction does. */
  readonly indirectJump: number;
  /** The first instruction does no more than go on with the next one: it is no transfer and hands no flags to a handler. */
  readonly startsPlainly: boolean;
  /** False once its bytes have changed. */
  valid: boolean;
  /** The region that runs in place of the block, and for which offset in CS it was translated. */
  region: { readonly code: CodeRegion; readonly ip: number } | null;
}

/** Translated code. */
export interface CodeRegion {
  /** Host offsets of its bytes: from `start` to before `end`, within a frame. */
  readonly ranges: readonly { readonly start: number; readonly end: number }[];
  /** Its bytes have changed: it must not be entered any more. It is in no list any more when this is called. */
  voided(): void;
  /** All blocks were forgotten: none leads into it any more. */
  closed(): void;
}

/** Where code is fetched from. */
export interface CodeSource {
  /**
   * Host offset of the linear page after the one that is being decoded, or -1 if it is not plain memory. May raise #PF.
   */
  nextPage(): number;
}

/** True if one of `length` bytes from `offset` is marked. */
function holdsCode(bytes: Uint8Array, offset: number, length: number): boolean {
  for (let i = offset; i < offset + length; i++) if (bytes[i] !== 0) return true;
  return false;
}

/**
 * The bytes of a block that lie in a frame, as offsets there: from `start` to `end`, and those of an instruction across
 * pages from 0 to `tail`. The two pages of such an instruction may be any two frames, or the same.
 */
function bytesIn({ host, bytes, secondFrame }: Block, frame: number): { start: number; end: number; tail: number } {
  const offset = host & (PAGE_SIZE - 1), after = offset + bytes, tail = frame === secondFrame ? after - PAGE_SIZE : 0;
  if (frame !== host >>> 12) return { start: 0, end: 0, tail };
  return { start: offset, end: Math.min(after, PAGE_SIZE), tail };
}

function isIndirectJump({ mnemonic, operands }: Instruction): boolean {
  return mnemonic === "jmp" && operands[0].kind !== "rel";
}

/** A number for a host offset and a mode key. */
function placeOf(host: number, key: number): number {
  return host * (ModeBit.BLOCK + 1) + key;
}

/** Decoded blocks of one processor. */
export class BlockCache {
  readonly #library: HandlerLibrary;
  readonly #decode: ModelDecoder;
  readonly #memory: PhysicalMemory;
  readonly #view: DataView;
  readonly #state: Uint8Array;
  /** Blocks by host frame of the first byte, then by offset and mode. */
  readonly #byFrame: (Map<number, Block> | undefined)[] = [];
  /** All blocks with bytes in a frame. */
  readonly #inFrame: (Block[] | undefined)[] = [];
  /** By frame: 1 for each byte that belongs to a block, so that writes to data beside code cost little. */
  readonly #codeBytes: (Uint8Array | undefined)[] = [];
  /** Numbers of {@link CODE_MARKS} entries that are free. */
  readonly #freeMarks: number[] = Array.from({ length: CODE_MARKS.FRAMES }, (_, i) => i);
  /** Regions with bytes in a frame. */
  readonly #regionsIn = new Map<number, Set<CodeRegion>>();
  /** Blocks at places where another block starts a region that was translated for another mapping of the frame, by {@link placeOf} and offset in CS. */
  readonly #aliases = new Map<number, Map<number, Block>>();
  /** Slots of the ways into regions by mode key. */
  readonly #regionSlots: number[] = [];
  /** How often writes have voided regions, by frame. */
  readonly #rewritten = new Map<number, number>();
  /** How often writes have hit code, by frame. */
  readonly #rewrites = new Map<number, number>();
  readonly #leaveSlot: number;
  /** Slots of the stops by mode key. */
  readonly #stopSlots: number[] = [];
  readonly #instruction: Instruction = newInstruction();
  readonly #straddle = new Uint8Array(32);
  #next = ARENA_BASE + PARTIAL_BYTES;
  #partialOf: Block | null = null;
  /** Called with a frame that starts to hold code. */
  readonly #watch: (frame: number) => void;
  /** Called with a frame that holds no code any more. */
  readonly #unwatch: (frame: number) => void;
  /** After how many entries a new block is hot; 0 for never. */
  readonly #heat: () => number;
  /** Where records end. */
  readonly #end: number;
  /** How often all blocks have been forgotten. */
  flushes = 0;
  #built = 0;
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
    recordBytes: number = RECORD_BYTES,
  ) {
    this.#end = Math.min(ARENA_END, ARENA_BASE + PARTIAL_BYTES + Math.max(recordBytes, LARGEST_BLOCK));
    this.#heat = heat;
    this.#library = library;
    this.#decode = decode;
    this.#memory = memory;
    this.#view = new DataView(state.buffer);
    this.#state = new Uint8Array(state.buffer);
    this.#leaveSlot = library.pseudoSlot(Pseudo.LEAVE, { code: 32, stack: 32, flat: true });
    this.#watch = watch;
    this.#unwatch = unwatch;
  }

  /** The block at a host offset for a mode key, if it was decoded before, to be run at `ip`, an offset in CS. */
  find(host: number, key: number, ip: number): Block | undefined {
    const block = this.#byFrame[host >>> 12]?.get((host & (PAGE_SIZE - 1)) | (key << 12));
    if (block?.region && block.region.ip !== ip) return this.#aliases.get(placeOf(host, key))?.get(ip);
    return block;
  }

  /** Counts for observers. */
  get statistics(): Record<string, number> {
    return {
      "blocks decoded": this.#built,
      "times all blocks were forgotten": this.flushes,
      "blocks whose code was rewritten": this.#rewrittenBlocks,
      "regions whose code was rewritten": this.#rewrittenRegions,
    };
  }

  /** True if the arena could overflow with one more block: {@link clear} first. */
  get full(): boolean {
    return this.#next + LARGEST_BLOCK > this.#end;
  }

  /** Forgets all blocks. Regions stay. */
  clear(): void {
    this.#aliases.clear();
    this.#byFrame.length = 0;
    this.#inFrame.length = 0;
    this.#codeBytes.forEach((bytes, frame) => {
      if (!bytes) return;
      const regions = this.#regionsIn.get(frame);
      if (!regions) return this.#emptied(frame);
      bytes.fill(0);
      for (const region of regions) {
        this.#markRegion(region, frame);
        region.closed();
      }
    });
    this.forgive();
    this.#next = ARENA_BASE + PARTIAL_BYTES;
    this.#partialOf = null;
    this.flushes++;
  }

  /**
   * Decodes the block at `host`. At most `room` bytes may be decoded (up to the code segment's limit); an instruction that
   * does not fit into them ends the block before it. Returns null if not even one instruction fits, or if the first one
   * reaches into a page that is not plain memory.
   */
  build(host: number, key: number, ip: number, mode: CodeMode, room: number, source: CodeSource): Block | null {
    const frame = host >>> 12, frameEnd = (frame + 1) * PAGE_SIZE;
    const bytes = this.#memory.bytes, instruction = this.#instruction;
    const first = this.#next + REC.SIZE;
    let at = first, offset = host, count = 0, secondFrame = -1, ended = false, startsPlainly = false;
    const most = (this.#rewrites.get(frame) ?? 0) < OFTEN ? MAX_BLOCK : MAX_REWRITTEN_BLOCK;
    while (count < most && !ended) {
      let length: number;
      if (offset < frameEnd && this.#decode(bytes, offset, frameEnd, mode.code, instruction) === "ok") {
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
      offset += length;
      const slot = this.#library.slotFor(instruction, mode);
      writeRecord(this.#view, at, slot, instruction, offset - host, count);
      at += REC.SIZE;
      count++;
      ended = endingOf(definitionFor(instruction), instruction) !== "none";
      if (count === 1) startsPlainly = !ended;
      if (secondFrame >= 0) break;
    }
    if (count === 0) return null;
    if (!ended) {
      this.#writePseudo(at, this.#library.pseudoSlot(Pseudo.FALL_THROUGH, mode), offset - host, count);
      at += REC.SIZE;
    }
    this.#writeHeader(first, count, offset - host, frame);
    const block: Block = {
      record: first,
      count,
      bytes: offset - host,
      host,
      secondFrame,
      key,
      indirectJump: ended && isIndirectJump(instruction) ? offset - host - instruction.length : -1,
      incoming: [],
      startsPlainly,
      valid: true,
      region: null,
    };
    this.#next = at;
    this.#built++;
    this.#remember(block, frame, ip);
    return block;
  }

  #writePseudo(at: number, slot: number, next: number, position: number): void {
    for (let i = 0; i < REC.SIZE; i += 8) this.#view.setBigUint64(at + i, 0n, true);
    this.#view.setInt32(at + REC.SLOT, slot, true);
    this.#view.setUint16(at + REC.NEXT, next, true);
    this.#view.setUint16(at + REC.INDEX_IN_BLOCK, position, true);
  }

  #decodeStraddling(offset: number, frameEnd: number, mode: CodeMode, source: CodeSource): number {
    const head = frameEnd - offset, next = source.nextPage();
    if (next < 0) return -1;
    this.#straddle.set(this.#memory.bytes.subarray(offset, frameEnd));
    this.#straddle.set(this.#memory.bytes.subarray(next, next + MAX_LENGTH), head);
    this.#decode(this.#straddle, 0, head + MAX_LENGTH, mode.code, this.#instruction);
    return next >>> 12;
  }

  #remember(block: Block, frame: number, ip: number): void {
    let map = this.#byFrame[frame];
    if (!map) this.#byFrame[frame] = map = new Map();
    const place = (block.host & (PAGE_SIZE - 1)) | (block.key << 12);
    if (map.has(place)) this.#addAlias(block, ip);
    else map.set(place, block);
    for (const f of new Set(block.secondFrame >= 0 ? [frame, block.secondFrame] : [frame])) {
      const list = this.#inFrame[f];
      if (list) list.push(block);
      else this.#inFrame[f] = [block];
      this.#markBytes(block, f);
      this.#watch(f);
    }
  }

  #addAlias(block: Block, ip: number): void {
    const place = placeOf(block.host, block.key), aliases = this.#aliases.get(place);
    if (aliases) aliases.set(ip, block);
    else this.#aliases.set(place, new Map([[ip, block]]));
  }

  #removeAlias(block: Block): void {
    const place = placeOf(block.host, block.key), aliases = this.#aliases.get(place);
    if (!aliases) return;
    for (const [ip, alias] of aliases) if (alias === block) aliases.delete(ip);
    if (aliases.size === 0) this.#aliases.delete(place);
  }

  #markBytes(block: Block, frame: number): void {
    const bytes = this.#codeBytes[frame] ??= this.#newMarks();
    const { start, end, tail } = bytesIn(block, frame);
    bytes.fill(1, start, end).fill(1, 0, tail);
  }

  /** Marks in state memory, where compiled code can look at them; when those are used up, others. */
  #newMarks(): Uint8Array {
    const index = this.#freeMarks.pop();
    if (index === undefined) return new Uint8Array(PAGE_SIZE);
    const at = CODE_MARKS.BASE + index * PAGE_SIZE;
    return this.#state.subarray(at, at + PAGE_SIZE).fill(0);
  }

  /** Address in state memory of the marks of a frame's code bytes, 0 if compiled code cannot look at them. */
  marksAddress(frame: number): number {
    const bytes = this.#codeBytes[frame];
    return bytes !== undefined && bytes.buffer === this.#state.buffer ? bytes.byteOffset : 0;
  }

  #emptied(frame: number): void {
    if (this.#regionsIn.has(frame)) return;
    const address = this.marksAddress(frame);
    if (address !== 0) this.#freeMarks.push((address - CODE_MARKS.BASE) / PAGE_SIZE);
    this.#inFrame[frame] = undefined;
    this.#codeBytes[frame] = undefined;
    this.#unwatch(frame);
  }

  /** Forgets how often code was rewritten. */
  forgive(): void {
    this.#rewrites.clear();
    this.#rewritten.clear();
  }

  /** Lets the link field at `field` lead to `block`. */
  link(field: number, block: Block): void {
    this.#view.setInt32(field, block.record, true);
    block.incoming.push(field);
  }

  /** True if one of `length` bytes of a frame from `offset` belongs to a block. */
  holdsCode(frame: number, offset: number, length: number): boolean {
    const bytes = this.#codeBytes[frame];
    return bytes !== undefined && holdsCode(bytes, offset, length);
  }

  /** Bytes of a frame have changed: blocks that contain them are void. */
  invalidate(frame: number, offset: number, length: number): void {
    const bytes = this.#codeBytes[frame], blocks = this.#inFrame[frame] ??= [];
    if (!bytes || !holdsCode(bytes, offset, length)) return;
    const from = frame * PAGE_SIZE + offset, to = from + length;
    this.#rewrites.set(frame, (this.#rewrites.get(frame) ?? 0) + 1);
    let kept = 0;
    bytes.fill(0);
    this.#invalidateRegions(frame, from, to);
    for (const block of blocks) {
      if (!block.valid) continue;
      if (this.#overlaps(block, frame, from, to)) {
        this.#rewrittenBlocks++;
        this.#void(block);
      } else {
        blocks[kept++] = block;
        this.#markBytes(block, frame);
      }
    }
    blocks.length = kept;
    if (kept === 0) this.#emptied(frame);
  }

  #invalidateRegions(frame: number, from: number, to: number): void {
    for (const region of this.#regionsIn.get(frame) ?? []) {
      if (region.ranges.some(({ start, end }) => from < end && to > start)) {
        this.#rewrittenRegions++;
        this.#rewritten.set(frame, Math.min((this.#rewritten.get(frame) ?? 0) + 1, MOST_PATIENCE));
        this.removeRegion(region);
      } else this.#markRegion(region, frame);
    }
  }

  #markRegion({ ranges }: CodeRegion, frame: number): void {
    const base = frame * PAGE_SIZE, bytes = this.#codeBytes[frame] ??= this.#newMarks();
    for (const { start, end } of ranges) if (start >>> 12 === frame) bytes.fill(1, start - base, end - base);
  }

  /** Watches over the bytes of a region. */
  addRegion(region: CodeRegion): void {
    for (const frame of new Set(region.ranges.map(({ start }) => start >>> 12))) {
      const list = this.#regionsIn.get(frame);
      if (list) list.add(region);
      else this.#regionsIn.set(frame, new Set([region]));
      this.#markRegion(region, frame);
      this.#watch(frame);
    }
  }

  /** Forgets a region. */
  removeRegion(region: CodeRegion): void {
    for (const frame of new Set(region.ranges.map(({ start }) => start >>> 12))) {
      const list = this.#regionsIn.get(frame);
      if (!list?.delete(region) || list.size > 0) continue;
      this.#regionsIn.delete(frame);
      if ((this.#inFrame[frame]?.length ?? 0) === 0) this.#emptied(frame);
    }
    region.voided();
  }

  /** Lets a region run in place of a block that is at `ip`. */
  enterRegion(block: Block, code: CodeRegion, slot: number, ip: number, mode: CodeMode): void {
    const { record } = block;
    if (!block.region) this.#view.setInt32(record + HEADER.HANDLER, this.#view.getInt32(record + REC.SLOT, true), true);
    this.#view.setInt32(record + HEADER.REGION, slot, true);
    this.#view.setBigInt64(record + HEADER.IP, BigInt(ip), true);
    const way = this.#regionSlots[block.key] ??= this.#library.pseudoSlot(Pseudo.REGION, mode);
    this.#view.setInt32(record + REC.SLOT, way, true);
    block.region = { code, ip };
  }

  /** Lets a block run again in place of its region. */
  leaveRegion(block: Block): void {
    if (!block.region) return;
    block.region = null;
    this.#view.setInt32(block.record + HEADER.REGION, 0, true);
    if (!block.valid) return;
    this.#view.setInt32(block.record + REC.SLOT, this.#view.getInt32(block.record + HEADER.HANDLER, true), true);
  }

  /** Sets after how many entries a block is hot; 0 for never. */
  setHeat(block: Block, heat: number): void {
    this.#view.setInt32(block.record + HEADER.HEAT, heat, true);
  }

  #overlaps(block: Block, frame: number, from: number, to: number): boolean {
    const { start, end, tail } = bytesIn(block, frame), base = frame * PAGE_SIZE;
    return (from < base + end && to > base + start) || from < base + tail;
  }

  /** Forgets one block. Its records are voided, in case something still leads there. */
  discard(block: Block): void {
    if (!block.valid) return;
    for (const frame of new Set([block.host >>> 12, block.secondFrame])) {
      const list = this.#inFrame[frame];
      if (!list) continue;
      const index = list.indexOf(block);
      if (index >= 0) list.splice(index, 1);
      if (list.length === 0) this.#emptied(frame);
    }
    this.#void(block);
  }

  /** Forgets a block whose bytes have changed, even if it is running. */
  #void(block: Block): void {
    block.valid = false;
    const map = this.#byFrame[block.host >>> 12], place = (block.host & (PAGE_SIZE - 1)) | (block.key << 12);
    if (map?.get(place) === block) map.delete(place);
    else this.#removeAlias(block);
    this.#view.setInt32(block.record + HEADER.REGION, 0, true);
    for (const field of block.incoming) this.#view.setInt32(field, 0, true);
    this.#voidRecords(block.record, block.count);
    if (this.#partialOf === block) this.#voidRecords(this.partialRecord, block.count);
  }

  #voidRecords(first: number, count: number): void {
    for (let i = 0; i <= count; i++) {
      const at = first + i * REC.SIZE;
      if (this.#view.getUint16(at + REC.INDEX_IN_BLOCK, true) === i) {
        this.#view.setInt32(at + REC.SLOT, this.#leaveSlot, true);
      }
    }
  }

  /** Link fields below this address belong to the partial block, whose records do not last. */
  readonly firstLinkable = ARENA_BASE + PARTIAL_BYTES;

  /** First record of the partial block. */
  readonly partialRecord = ARENA_BASE + REC.SIZE;

  /** Copies the first `count` instructions of a block, followed by a stop; returns the first record. */
  partial(block: Block, count: number, mode: CodeMode): number {
    const first = this.partialRecord, end = first + count * REC.SIZE;
    this.#state.copyWithin(first, block.record, block.record + count * REC.SIZE);
    if (block.region) {
      this.#view.setInt32(first + REC.SLOT, this.#view.getInt32(block.record + HEADER.HANDLER, true), true);
    }
    this.#writeHeader(first, count, block.bytes, -1);
    this.#writePseudo(
      end,
      this.#stopSlot(block.key, mode),
      this.#view.getUint16(end - REC.SIZE + REC.NEXT, true),
      count,
    );
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
    this.#writeHeader(record, 1, length, -1);
    this.#writePseudo(record + REC.SIZE, this.#stopSlot(key, mode), length, 1);
    this.#partialOf = null;
    return {
      record,
      count: 1,
      bytes: length,
      host: -1,
      secondFrame: -1,
      key,
      indirectJump: -1,
      incoming: [],
      startsPlainly: false,
      valid: false,
      region: null,
    };
  }

  /** Nothing old may stay in a header: whoever looks behind a block's last record must not take it for one more. */
  #writeHeader(record: number, count: number, bytes: number, frame: number): void {
    for (let i = 1; i <= REC.SIZE / 8; i++) this.#view.setBigUint64(record - i * 8, 0n, true);
    this.#view.setInt32(record + HEADER.COUNT, count, true);
    this.#view.setInt32(record + HEADER.HEAT, this.#heat() << (this.#rewritten.get(frame) ?? 0), true);
    this.#view.setInt32(record + HEADER.BYTES, bytes, true);
  }

  #stopSlot(key: number, mode: CodeMode): number {
    return this.#stopSlots[key] ??= this.#library.pseudoSlot(Pseudo.STOP, mode);
  }
}
