/** Bit tests, bit scans, bit counts, byte swaps and CRC32. Intel SDM vol. 2. */
import type { Emitter, Place } from "../emit/emitter.ts";
import type { Value } from "../emit/value.ts";
import { byteSwap, toSize } from "./operands.ts";
import { define } from "./registry.ts";

/**
 * The place that a bit instruction works on. An offset in a register reaches beyond a memory operand: its upper bits,
 * signed, move the address by whole operands.
 */
function bitPlace(e: Emitter, writes: boolean): Place {
  if (!e.isMemory(0) || e.isImmediate(1)) {
    return writes ? e.open(0) : { value: e.read(0), set: () => {} };
  }
  const size = e.size, wide = e.mode.code === 64;
  const units = e.readSigned(1, wide ? 64 : 32).shrS(Math.log2(size));
  const offset = e.let(e.advance(e.address(0), units.shl(Math.log2(size / 8))));
  const segment = e.segment(0);
  return writes ? e.openMemory(segment, offset, size) : { value: e.load(segment, offset, size), set: () => {} };
}

function bitTest(change: ((value: Value, bit: Value) => Value) | null): (e: Emitter) => void {
  return (e) => {
    const size = e.size;
    const index = e.let(toSize(e.read(1), size).and(size - 1));
    const place = bitPlace(e, change !== null);
    const tested = e.let(place.value.shrU(index).wrap().and(1));
    if (change) place.set(change(place.value, e.constant(1, size).shl(index)));
    e.setFlags({ CF: tested });
  };
}

define("bt", bitTest(null));
define("bts", bitTest((value, bit) => value.or(bit)));
define("btr", bitTest((value, bit) => value.and(bit.not())));
define("btc", bitTest((value, bit) => value.xor(bit)));

/** BSF and BSR leave the destination alone if the source is zero, as all processors do. */
function bitScan(find: (value: Value, size: number) => Value): (e: Emitter) => void {
  return (e) => {
    const source = e.read(1);
    e.if(source.isTrue(), () => e.write(0, find(source, e.size)));
    e.setFlags({ ZF: source.eqz() });
  };
}

define("bsf", bitScan((value) => value.ctz()));
define("bsr", bitScan((value, size) => value.clz().xor(size === 64 ? 63 : 31)));

/** Flags after LZCNT and TZCNT: CF = the source was zero, ZF = the result is. */
function countFlags(e: Emitter, source: Value, result: Value): void {
  e.setFlags({ CF: source.eqz(), ZF: result.eqz() });
}

define("tzcnt", (e) => {
  const source = e.read(1), size = e.size;
  const result = e.let(size === 16 ? source.or(0x10000).ctz() : source.ctz());
  e.write(0, result);
  countFlags(e, source, result);
});

define("lzcnt", (e) => {
  const source = e.read(1);
  const result = e.let(e.size === 16 ? source.clz().sub(16) : source.clz());
  e.write(0, result);
  countFlags(e, source, result);
});

define("popcnt", (e) => {
  const source = e.read(1), none = e.i32(0);
  e.write(0, source.popcnt());
  e.setFlags({ CF: none, PF: none, AF: none, ZF: source.eqz(), SF: none, OF: none });
});

define("bswap", (e) => {
  // With a 16-bit operand (undefined) the processors clear the register.
  e.write(0, e.size === 16 ? e.i32(0) : byteSwap(e, e.read(0), e.size));
});

/** CRC-32C (polynomial 1EDC6F41h, reflected), a bit a round. */
define("crc32", (e) => {
  const bits = e.sizeOf(1);
  const type = bits === 64 ? 64 : 32;
  const polynomial = type === 64 ? e.i64(0x82f63b78) : e.i32(0x82f63b78 | 0);
  const crc = e.variable(toSize(e.read(0).wrap(), type).xor(e.read(1)));
  const rounds = e.variable(e.i32(bits));
  e.while(() => rounds.value, () => {
    const feedback = e.constant(0, type).sub(crc.value.and(1)).and(polynomial);
    crc.set(crc.value.shrU(1).xor(feedback));
    rounds.set(rounds.value.sub(1));
  });
  e.write(0, e.size === 64 ? crc.value.extendU() : crc.value.wrap());
});
