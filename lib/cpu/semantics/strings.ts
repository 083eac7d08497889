/** MOVS, STOS, LODS, SCAS and CMPS without repeat prefix: one element. Intel SDM vol. 1, section 7.3.9. */
import type { Emitter, SegmentRef, Size } from "../emit/emitter.ts";
import { R } from "../state.ts";
import { indexOffset, NAMED_SEGMENT } from "./operands.ts";
import { define } from "./registry.ts";

/** The destination is always in ES. */
function destination(e: Emitter): SegmentRef {
  return e.segmentByNumber(0);
}

/** Width of one element in bits. */
function elementSize(e: Emitter): Size {
  return e.sizeOf(0) as Size;
}

/** Moves SI or DI past one element, in the direction of DF. */
function step(e: Emitter, registers: number[], size: Size): void {
  const width = e.instruction.addressSize;
  const delta = e.direction(size / 8), typed = e.let(width === 64 ? delta.extendS() : delta);
  for (const register of registers) e.setRegister(register, width, e.register(register, width).add(typed));
}

function moveOne(e: Emitter): void {
  const size = elementSize(e);
  e.store(destination(e), indexOffset(e, R.DI), e.load(NAMED_SEGMENT, indexOffset(e, R.SI), size), size);
  step(e, [R.SI, R.DI], size);
}

function storeOne(e: Emitter): void {
  const size = elementSize(e);
  e.store(destination(e), indexOffset(e, R.DI), e.register(R.AX, size), size);
  step(e, [R.DI], size);
}

function loadOne(e: Emitter): void {
  const size = elementSize(e);
  e.setRegister(R.AX, size, e.load(NAMED_SEGMENT, indexOffset(e, R.SI), size));
  step(e, [R.SI], size);
}

function scanOne(e: Emitter): void {
  const size = elementSize(e);
  const value = e.load(destination(e), indexOffset(e, R.DI), size), accumulator = e.register(R.AX, size);
  step(e, [R.DI], size);
  e.flagsSub(accumulator, value, e.let(accumulator.sub(value)), size);
}

function compareOne(e: Emitter): void {
  const size = elementSize(e);
  const left = e.load(NAMED_SEGMENT, indexOffset(e, R.SI), size);
  const right = e.load(destination(e), indexOffset(e, R.DI), size);
  step(e, [R.SI, R.DI], size);
  e.flagsSub(left, right, e.let(left.sub(right)), size);
}

const SINGLE = { movs: moveOne, stos: storeOne, lods: loadOne, scas: scanOne, cmps: compareOne };

for (const [mnemonic, single] of Object.entries(SINGLE)) define(mnemonic, single);
