/** Decoded and translated code as the block cache knows it. */
import { PAGE_SHIFT, PAGE_SIZE } from "../../machine/memory.ts";
import { ModeBit } from "../mode.ts";

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
  /** Offset from the block's start of the indirect jump that ends it, -1 if another instruction does. */
  readonly indirectJump: number;
  /** The first instruction does no more than go on with the next one: it is no transfer and hands no flags to a handler. */
  readonly startsPlainly: boolean;
  /** How often the translator has looked at it, and after how many instructions it was made or looked at last. */
  looks: number;
  lookedAt: number;
  /** False once its bytes have changed. */
  valid: boolean;
  /** Constants in its records may be older than its bytes: a region that reads those itself runs in its place. */
  hasOldConstants: boolean;
  /** The region that runs in place of the block, for which offset in CS it was translated, and the first record's handler. */
  region: { readonly code: CodeRegion; readonly ip: number; readonly handler: number } | null;
}

/** Translated code. */
export interface CodeRegion {
  /** Host offsets of its bytes: from `start` to before `end`, within a frame. */
  readonly ranges: readonly { readonly start: number; readonly end: number }[];
  /** The host frames of those. */
  readonly frames: ReadonlySet<number>;
  /** True if it has not run for long: translating it has not paid yet. */
  readonly young: boolean;
  /** It is wanted no more: it must not be entered. It is in no list any more when this is called. */
  voided(): void;
  /** The same because its bytes have changed; `constants` if an instruction has got new constants and that is all. */
  rewritten(constants: boolean): void;
  /** All blocks were forgotten: none leads into it any more. */
  closed(): void;
}

/** The host frames of pieces of code, none of which lies in two. */
export function framesOfRanges(ranges: CodeRegion["ranges"]): ReadonlySet<number> {
  return new Set(ranges.map(({ start }) => start >>> PAGE_SHIFT));
}

/** A number for a host offset and a mode key. */
export function placeOf(host: number, key: number): number {
  return host * (ModeBit.BLOCK + 1) + key;
}

/**
 * The bytes of a block that lie in a frame, as offsets there: from `start` to `end`, and those of an instruction across
 * pages from 0 to `tail`. The two pages of such an instruction may be any two frames, or the same.
 */
export function bytesIn(
  { host, bytes, secondFrame }: Block,
  frame: number,
): { start: number; end: number; tail: number } {
  const offset = host & (PAGE_SIZE - 1), after = offset + bytes, tail = frame === secondFrame ? after - PAGE_SIZE : 0;
  if (frame !== host >>> PAGE_SHIFT) return { start: 0, end: 0, tail };
  return { start: offset, end: Math.min(after, PAGE_SIZE), tail };
}

/** True if a block has bytes in a frame between the host offsets `from` and `to`, which lie there. */
export function overlaps(block: Block, frame: number, from: number, to: number): boolean {
  const { start, end, tail } = bytesIn(block, frame), base = frame * PAGE_SIZE;
  return (from < base + end && to > base + start) || from < base + tail;
}

/** The frames that a block has bytes in. */
export function framesOf({ host, secondFrame }: Block): readonly number[] {
  const frame = host >>> PAGE_SHIFT;
  return secondFrame >= 0 && secondFrame !== frame ? [frame, secondFrame] : [frame];
}
