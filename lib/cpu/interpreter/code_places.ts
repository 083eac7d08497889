/**
 * Which pages of code have been where they are for how long. Whenever a mapping changes that code was fetched through, all blocks of
 * that privilege level must be found again, though most are where they were. Once TypeScript has found one block in a page, compiled
 * code finds the others of that page itself, see {@link emitFindAgain}.
 */
import { PAGE_SHIFT, PAGE_SIZE } from "../../machine/memory.ts";
import { type Code, type Label, Op } from "../../wasm/mod.ts";
import { stateField } from "../emit/state_field.ts";
import { Value } from "../emit/value.ts";
import { ModeBit } from "../mode.ts";
import { S } from "../state.ts";
import { headerField } from "./block_entry.ts";
import { CODE_PLACES, HEADER } from "./layout.ts";

/** The bits of S.MODE that are not its epoch. */
const MODE_BITS = (1 << ModeBit.EPOCH) - 1;

/** TypeScript's side. */
export class CodePlaces {
  readonly #words: Int32Array;

  /** `state` is new: its zeros are empty entries, because no mode has the epoch 0. */
  constructor(state: WebAssembly.Memory) {
    this.#words = new Int32Array(state.buffer, 0, (CODE_PLACES.BASE >> 2) + CODE_PLACES.ENTRIES * CODE_PLACES.SIZE / 4);
  }

  /** Index of the first word of a page's entry. */
  #entry(page: number): number {
    return (CODE_PLACES.BASE +
      (Math.imul(page | 0, CODE_PLACES.MULTIPLIER) >>> CODE_PLACES.SHIFT) * CODE_PLACES.SIZE) >> 2;
  }

  /** Code at `linear` has been found at the host offset `host`, in `mode` (S.MODE). */
  found(linear: number, host: number, mode: number): void {
    const words = this.#words,
      page = Math.floor(linear / PAGE_SIZE),
      at = this.#entry(page),
      frame = host >>> PAGE_SHIFT;
    const low = page * PAGE_SIZE | 0, high = Math.floor(linear / 2 ** 32);
    const first = words[at + (CODE_PLACES.FIRST >> 2)];
    const same = words[at] === low && words[at + 1] === high && words[at + (CODE_PLACES.FRAME >> 2)] === frame &&
      ((first ^ mode) & MODE_BITS) === 0;
    words[at + (CODE_PLACES.LAST >> 2)] = mode;
    if (same) return;
    words[at] = low;
    words[at + 1] = high;
    words[at + (CODE_PLACES.FRAME >> 2)] = frame;
    words[at + (CODE_PLACES.FIRST >> 2)] = mode;
  }

  /** TypeScript wants to be asked once more for the page of a linear address. */
  forget(linear: number): void {
    this.#words[this.#entry(Math.floor(linear / PAGE_SIZE)) + (CODE_PLACES.LAST >> 2)] = 0;
  }

  /** Forgets all pages. */
  clear(): void {
    this.#words.fill(0, CODE_PLACES.BASE >> 2);
  }
}

/**
 * The block whose header is in local `header` was at a linear address in an earlier epoch. In flat code: if its page has been found in
 * the same frame then, now, and whenever it was looked for in between, the block is there now. Else goes to `other`.
 */
export function emitFindAgain(code: Code, header: number, linear: Value, other: Label): void {
  const block = Value.local("i32", header), place = code.local("i32"), mode = stateField("i32", S.MODE);
  const then = headerField("i32", block, HEADER.MODE, Op.I32_LOAD), at = Value.local("i32", place);
  const unless = (condition: Value) => {
    condition.eqz().emit(code);
    code.brIf(other);
  };
  unless(then.xor(mode).and(MODE_BITS).eqz());
  linear.shrU(PAGE_SHIFT).wrap().mul(CODE_PLACES.MULTIPLIER).shrU(CODE_PLACES.SHIFT).mul(CODE_PLACES.SIZE).emit(code);
  code.set(place);
  unless(headerField("i64", at, CODE_PLACES.BASE + CODE_PLACES.PAGE, Op.I64_LOAD).eq(linear.and(-PAGE_SIZE)));
  unless(headerField("i32", at, CODE_PLACES.BASE + CODE_PLACES.LAST, Op.I32_LOAD).eq(mode));
  unless(then.geU(headerField("i32", at, CODE_PLACES.BASE + CODE_PLACES.FIRST, Op.I32_LOAD)));
  // An instruction in two pages depends on the other one, too.
  const bytes = headerField("i32", block, HEADER.BYTES, Op.I32_LOAD16_U);
  unless(linear.wrap().and(PAGE_SIZE - 1).add(bytes).gtU(PAGE_SIZE).eqz());
  block.emit(code);
  mode.emit(code);
  code.memory(Op.I32_STORE, HEADER.MODE);
  // This way into the block does not count: what runs only until mappings change is not worth translating.
  const heat = headerField("i32", block, HEADER.HEAT, Op.I32_LOAD);
  block.emit(code);
  heat.add(heat.isTrue()).emit(code);
  code.memory(Op.I32_STORE, HEADER.HEAT);
}
