/** Finds the code that runs next: blocks that are known, decoded anew, or fetched from device memory. */
import { PAGE_SHIFT, PAGE_SIZE } from "../machine/memory.ts";
import type { CpuCore } from "./core.ts";
import { MAX_LENGTH } from "./decode/mod.ts";
import type { Block } from "./interpreter/block.ts";
import type { BlockCache } from "./interpreter/blocks.ts";
import { JumpCache } from "./interpreter/jump_cache.ts";
import type { Mmu } from "./mmu.ts";
import type { ProcessorMode } from "./processor_mode.ts";
import { S, Seg, Vector } from "./state.ts";
import type { Translator } from "./translator/translator.ts";

/** The way from an offset in CS to the block there, for one processor. */
export class CodeFinder {
  readonly #core: CpuCore;
  readonly #mode: ProcessorMode;
  readonly #mmu: Mmu;
  readonly #blocks: BlockCache;
  readonly #translator: Translator | null;
  readonly #jumps: JumpCache;
  /** Compiled code has looked for the block at RIP in vain. */
  #unknown = false;
  /** Bytes of an instruction in device memory. */
  readonly #fetched = new Uint8Array(MAX_LENGTH);

  constructor(
    core: CpuCore,
    mode: ProcessorMode,
    mmu: Mmu,
    blocks: BlockCache,
    translator: Translator | null,
    state: WebAssembly.Memory,
  ) {
    this.#core = core;
    this.#mode = mode;
    this.#mmu = mmu;
    this.#blocks = blocks;
    this.#translator = translator;
    this.#jumps = new JumpCache(state);
  }

  /** True if compiled code has just looked for the block at RIP in vain. */
  get unknown(): boolean {
    return this.#unknown;
  }

  /** Nothing was known about the block at RIP when compiled code returned. */
  lookedUp(): void {
    this.#noteJump();
    this.#unknown = true;
  }

  /** An indirect jump, perhaps, at the end of the last block has led to RIP for the first time. */
  #noteJump(): void {
    if (!this.#translator) return;
    const { r } = this.#core, from = r.number(S.BLOCK_IP), block = this.#knownBlock(from);
    if (block && block.indirectJump >= 0) this.#translator.jumped(from + block.indirectJump, r.ip);
  }

  /** The block at an offset in CS, if it can be found without leaving a trace. */
  #knownBlock(ip: number): Block | undefined {
    const host = this.#mmu.known(this.#mode.linear(ip), this.#mode.user);
    return host < 0 ? undefined : this.#blocks.find(host, this.#mode.blockKey, ip);
  }

  /** The block at RIP has become hot. */
  translateHot(): void {
    if (!this.#translator) return;
    const { ip } = this.#core.r, block = this.#knownBlock(ip);
    if (block) this.#translator.translate(block, ip, this.#mode.codeMode);
  }

  /** Finds or decodes the block at an offset in CS. Raises what fetching its instructions raises. */
  find(ip: number): Block {
    this.#unknown = false;
    const linear = this.#mode.linear(ip), block = this.#blockAt(ip, linear);
    if (this.#translator?.eager && block.valid) this.#translator.translate(block, ip, this.#mode.codeMode);
    if (block.valid) {
      this.#blocks.records.setPlace(block, linear, this.#core.r.i32(S.MODE));
      this.#jumps.set(linear, block.record);
    }
    return block;
  }

  /** True if it is known that the instruction at an offset in CS is no transfer: another one follows it in its block. */
  startsPlainly(ip: number): boolean {
    return this.#jumps.instructionsAt(this.#mode.linear(ip), this.#core.r.i32(S.MODE)) > 1;
  }

  #blockAt(ip: number, linear: number): Block {
    const { r } = this.#core, key = this.#mode.blockKey, { code } = this.#mode.codeMode;
    const room = code === 64 ? 2 ** 31 : r.segmentLimit(Seg.CS) - ip + 1;
    const host = this.#mmu.execute(linear, this.#mode.user);
    if (host < 0) return this.#deviceBlock(linear, key, room);
    this.#translator?.arrived(linear, host, r.i32(S.MODE));
    this.#blocks.records.places.found(linear, host, r.i32(S.MODE));
    const known = this.#blocks.find(host, key, ip);
    if (known) {
      const sameTail = known.secondFrame < 0 || this.#pageAfter(linear) >>> PAGE_SHIFT === known.secondFrame;
      if (sameTail && known.bytes <= room) return known;
      this.#blocks.discard(known);
    }
    return this.#decode(host, key, ip, linear, room);
  }

  /** Host offset of the page after that of a linear address, -1 if it is not plain memory. Raises #PF. */
  #pageAfter(linear: number): number {
    const next = this.#mmu.wrap((Math.floor(linear / PAGE_SIZE) + 1) * PAGE_SIZE);
    const host = this.#mmu.execute(next, this.#mode.user);
    if (host >= 0) this.#translator?.arrived(next, host, this.#core.r.i32(S.MODE));
    return host;
  }

  #decode(host: number, key: number, ip: number, linear: number, room: number): Block {
    const { codeMode } = this.#mode;
    if (this.#blocks.full) this.forgetBlocks();
    let device = false;
    const block = this.#blocks.build(host, key, ip, codeMode, room, {
      nextPage: () => {
        const second = this.#pageAfter(linear);
        device = second < 0;
        return second;
      },
    });
    if (block) {
      this.#translator?.resume(block, ip, codeMode);
      return block;
    }
    if (device) return this.#deviceBlock(linear, key, room);
    this.#core.raise(Vector.GP, 0);
  }

  /** Code in device memory is fetched anew for every instruction, and no byte more than it may have is read. */
  #deviceBlock(linear: number, key: number, room: number): Block {
    const fetched = this.#fetched, first = Math.min(MAX_LENGTH, PAGE_SIZE - (linear & (PAGE_SIZE - 1)));
    const { codeMode } = this.#mode;
    this.read(linear, fetched.subarray(0, first));
    let block = this.#blocks.transient(fetched.subarray(0, first), key, codeMode, room);
    if (block === "truncated") {
      this.read(this.#mmu.wrap(linear + first), fetched.subarray(first));
      block = this.#blocks.transient(fetched, key, codeMode, room);
    }
    if (block === null || block === "truncated") this.#core.raise(Vector.GP, 0);
    return block;
  }

  /** Reads instruction bytes that lie in one page. Raises #PF. */
  read(linear: number, target: Uint8Array): void {
    this.#mmu.execute(linear, this.#mode.user);
    this.#core.bus.memory.read(this.#mmu.executePhysical, target);
  }

  /** Forgets all blocks. */
  forgetBlocks(): void {
    this.#blocks.clear();
    this.#jumps.clear();
  }

  /** Forgets where code was found: the epochs of the mapping start anew. */
  forgetPlaces(): void {
    this.#blocks.forgetPlaces();
    this.#translator?.forgetPages();
  }
}
